"""From a code to its region, and from a point to the lowest region that holds it."""

from __future__ import annotations

import itertools
import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.pointwise import ClosedPieces
from polyspline.partition.packing import CodePacking, Words

_MOST_CANDIDATES = 64
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)

Indices = NDArray[np.int64]
Pieces = NDArray[np.int64]


def _hashes(packed: Words) -> Words:
    """Mix the words of each code into one; equal codes have equal hashes."""
    mixed = np.zeros(len(packed), dtype=np.uint64)
    for word in range(packed.shape[1]):
        mixed = (mixed ^ packed[:, word]) * _MULTIPLIER
        mixed ^= mixed >> _HALF
    return mixed


class CodeIndex:
    """Finds packed codes among those of the regions.

    Parameters
    ----------
    packing
        Layout of the packed codes.
    packed
        Packed codes of the regions, (R, words), all different.

    Notes
    -----
    Algorithm: a sorted array of 64-bit hashes (16 bytes per region, made by the
    first look-up) and binary search; every hit is compared word by word.
    """

    def __init__(self, packing: CodePacking, packed: Words) -> None:
        self._packing = packing
        self._packed = packed

    @cached_property
    def _sorted(self) -> tuple[Words, Indices]:
        hashes = _hashes(self._packed)
        order = np.argsort(hashes, kind="stable")
        return hashes[order], order.astype(np.int64)

    def find(self, wanted: Words) -> Indices:
        """Index of the region of each packed code of (B, words), (B,); -1 for those of none."""
        hashes, order = self._sorted
        found = np.full(len(wanted), -1, dtype=np.int64)
        if not len(order):
            return found
        sought = _hashes(wanted)
        place = np.searchsorted(hashes, sought)
        open_ = np.arange(len(wanted))
        while len(open_):
            open_ = open_[place[open_] < len(hashes)]
            open_ = open_[hashes[place[open_]] == sought[open_]]
            region = order[place[open_]]
            equal = (self._packed[region] == wanted[open_]).all(axis=1)
            found[open_[equal]] = region[equal]
            # Two codes of one hash: look at the next of that hash.
            open_ = open_[~equal]
            place[open_] += 1
        return found

    def lowest_within(self, pieces: ClosedPieces) -> Indices:
        """Lowest region whose code consists of pieces that hold each point.

        Parameters
        ----------
        pieces
            Of B points, N units each.

        Returns
        -------
        ndarray of int64
            (B,); -1 where there is none.
        """
        packed_low = self._packing.pack(pieces.low)
        found = self.find(packed_low)
        rows = np.flatnonzero(pieces.on_knot)
        if len(rows):
            ties = np.packbits(pieces.largest[rows], axis=1).astype(np.uint64)
            keys = np.hstack([packed_low[rows], self._packing.pack(pieces.high[rows]), ties])
            _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
            lowest = [self._lowest(pieces, int(row)) for row in rows[first]]
            found[rows] = np.array(lowest, dtype=np.int64)[inverse.reshape(-1)]
        return found

    def all_within(self, pieces: ClosedPieces, point: int) -> Indices:
        """All regions whose codes consist of pieces that hold one of the points, ascending."""
        low = pieces.low[point]
        free = np.flatnonzero(low != pieces.high[point])
        return self._scan(low, free, [pieces.choices(point, int(unit)) for unit in free])

    def _lowest(self, pieces: ClosedPieces, point: int) -> int:
        low = pieces.low[point]
        free = np.flatnonzero(low != pieces.high[point])
        choices = [pieces.choices(point, int(unit)) for unit in free]
        if math.prod(len(some) for some in choices) <= _MOST_CANDIDATES:
            combined = np.array(list(itertools.product(*choices)), dtype=np.int64)
            candidates = np.tile(low, (len(combined), 1))
            candidates[:, free] = combined
            hits = self.find(self._packing.pack(candidates))
            hits = hits[hits >= 0]
            return int(hits.min()) if len(hits) else -1
        found = self._scan(low, free, choices)
        return int(found[0]) if len(found) else -1

    def _scan(self, low: Pieces, free: Indices, choices: list[list[int]]) -> Indices:
        """Search all regions: compare the fixed units as words, then the free ones one by one."""
        packing = self._packing
        ignored = np.zeros(packing.n_words, dtype=np.uint64)
        for unit in free:
            ignored[packing.word[unit]] |= packing.mask[unit] << packing.shift[unit]
        target = packing.pack(low)
        matches = np.ones(len(self._packed), dtype=np.bool_)
        for word in range(packing.n_words):
            matches &= ((self._packed[:, word] ^ target[word]) & ~ignored[word]) == 0
        candidates = np.flatnonzero(matches)
        for unit, some in zip(free, choices, strict=True):
            column = packing.piece_column(self._packed[candidates], int(unit))
            candidates = candidates[np.isin(column, some)]
        return candidates
