"""Compiled bookkeeping of a walk: known codes in a hash table, new regions, edges."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyspline.partition.code_table import EMPTY, place_of
from polyspline.regions.kernel import Neighbours
from solvers.compiled import compiled

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]
Indices = NDArray[np.int32]


class Found(NamedTuple):
    """Views of the store's arrays, with room for what one merge can add."""

    packed: Words  # (cap, words)
    points: Floats  # (cap, r)
    entries: Indices  # (cap,)
    table: Indices  # (2^k,) region or EMPTY
    edges: Indices  # (cap_e, 2)
    edge_sources: Indices  # (cap_e,)


@compiled
def index_codes(packed: Words, count: int, table: Indices) -> None:
    """Fill an empty table with the first `count` codes."""
    for region in range(count):
        table[place_of(packed, packed[region], table)] = region


@compiled
def enter_codes(packed: Words, table: Indices, count: int, keys: Words, number: NDArray[np.int64]) -> int:
    """Give every code a number, by its first coming; the new count.

    Parameters
    ----------
    packed, table
        The codes so far and where they are, with room for all of `keys`.
    count
        How many they are.
    keys
        (B, words).
    number
        (B,) the number of each, on return.
    """
    for i in range(keys.shape[0]):
        place = place_of(packed, keys[i], table)
        if table[place] == EMPTY:
            table[place] = count
            for c in range(keys.shape[1]):
                packed[count, c] = keys[i, c]
            count += 1
        number[i] = table[place]
    return count


@compiled
def merge(
    found: Found, first: int, count: int, neighbours: Neighbours, regions: int, edges: int, limit: int
) -> tuple[int, int, int]:
    """Take in the neighbours of the regions ``first .. first + count - 1``, in order.

    A neighbour that is new becomes the next region, unless `limit` regions are known. An edge
    is noted when the lower of its two regions is merged.

    Returns
    -------
    regions, edges : int
        The new counts.
    cut : int
        The first of these regions with a neighbour that was left out; -1 if none.
    """
    cut = -1
    for i in range(count):
        region = first + i
        for f in range(neighbours.start[i], neighbours.start[i + 1]):
            key = neighbours.packed[f]
            place = place_of(found.packed, key, found.table)
            other = found.table[place]
            if other == EMPTY:
                if regions >= limit:
                    if cut < 0:
                        cut = region
                    continue
                other = regions
                regions += 1
                found.table[place] = other
                # Loops: for a slice numba compiles the text of an error message, for seconds.
                for c in range(key.shape[0]):
                    found.packed[other, c] = key[c]
                for c in range(found.points.shape[1]):
                    found.points[other, c] = neighbours.point[f, c]
                found.entries[other] = neighbours.knot[f]
            if other > region:
                found.edges[edges, 0] = region
                found.edges[edges, 1] = other
                found.edge_sources[edges] = neighbours.knot[f]
                edges += 1
    return regions, edges, cut
