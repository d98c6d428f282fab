"""A hash table of packed codes, for the kernels that number regions: places hold indices of regions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.compiled import compiled_part

EMPTY = -1
"""What a place without a region holds."""


@compiled_part
def place_of(packed: NDArray[np.uint64], key: NDArray[np.uint64], table: NDArray[np.int32]) -> int:
    """Place of a code in the table: where it is, or the empty place where it belongs.

    Parameters
    ----------
    packed
        (R, words) codes of the regions that the table holds.
    key
        (words,) the code.
    table
        A power of two of places, more than R.
    """
    h = np.uint64(0x9E3779B97F4A7C15)
    for c in range(key.shape[0]):
        h = (h ^ key[c]) * np.uint64(0xD6E8FEB86659FD93)
        h = h ^ (h >> np.uint64(32))
    mask = np.uint64(table.shape[0] - 1)
    place = h & mask
    while True:
        region = table[place]
        if region == EMPTY:
            return int(place)
        same = True
        for c in range(key.shape[0]):
            if packed[region, c] != key[c]:
                same = False
        if same:
            return int(place)
        place = (place + np.uint64(1)) & mask
