"""From the facets of each region to the edges between regions.

The regions on the two sides of a facet have the same code but for the units whose knots the
facet lies on. So the neighbour above a knot is looked up by its code; and where several
knots lie on a facet, the code with all their units put to the piece below, together with
the set of these units, names the facet from either side.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polyspline.partition.code_table import EMPTY, place_of
from polyspline.split.state import (
    HIGH_PIECE,
    MASK,
    OWNER,
    SHIFT,
    TIE_KNOT,
    TIE_REGION,
    WORD,
    Indices,
    Integers,
    Net,
    Words,
)
from solvers.compiled import compiled

Flags = NDArray[np.bool_]


@compiled
def look_up(
    t: Net,
    packed: Words,
    table: Indices,
    start: Integers,
    knots: Indices,
    key: Words,
    edges: Indices,
    sources: Indices,
    alone: Flags,
) -> int:
    """Edges across all facets with a single knot, each seen from below.

    Parameters
    ----------
    t
        The network.
    packed
        (R, W) codes of all regions.
    table
        Power of two of places, all -1, at least R + 1.
    start, knots
        Knots above each region.
    key
        (W,) scratch.
    edges, sources
        Results, (F, 2) and (F,) for F knots: the regions, and the knot between them.
    alone
        Result, (R,) all False: whether a region has a neighbour above that is not there.

    Returns
    -------
    int
        Number of edges.
    """
    count = 0
    regions = packed.shape[0]
    for region in range(regions):
        table[place_of(packed, packed[region], table)] = region
    for region in range(regions):
        for f in range(start[region], start[region + 1]):
            unit = t.knot[knots[f], OWNER]
            for c in range(key.shape[0]):
                key[c] = packed[region, c]
            word = t.unit[unit, WORD]
            shift = np.uint64(t.unit[unit, SHIFT])
            key[word] &= ~(np.uint64(t.unit[unit, MASK]) << shift)
            key[word] |= np.uint64(t.knot[knots[f], HIGH_PIECE]) << shift
            other = table[place_of(packed, key, table)]
            if other == EMPTY:
                alone[region] = True
                continue
            edges[count, 0] = region
            edges[count, 1] = other
            sources[count] = knots[f]
            count += 1
    return count


def pair_ties(tie: Integers, keys: Words, alone: Flags) -> tuple[Integers, Integers]:
    """Edges across the facets with several knots, which both their sides have written down.

    Parameters
    ----------
    tie, keys
        See `polyspline.split.state.Results`.
    alone
        Result, (R,): set where a region has written down a facet that no other has.

    Returns
    -------
    edges : ndarray of int64
        (T, 2), the region of lower index first.
    sources : ndarray of int64
        (T,) the lowest knot on the facet as that region has it.
    """
    if not len(tie):
        return np.empty((0, 2), np.int64), np.empty(0, np.int64)
    region = tie[:, TIE_REGION]
    names = keys.reshape(len(keys), -1)
    order = np.lexsort((region, *names.T))
    same = (names[order[1:]] == names[order[:-1]]).all(axis=1)
    pairs = np.stack([order[:-1][same], order[1:][same]], axis=1)
    alone[region[np.setdiff1d(order, pairs)]] = True
    return region[pairs], tie[pairs[:, 0], TIE_KNOT]
