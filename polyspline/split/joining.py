"""From the facets of each region to the edges between regions.

The regions on the two sides of a facet have the same code but for the units whose knots the
facet lies on. So the neighbour above a knot is looked up by its code; and where several
knots lie on a facet, the code with all their units put to the piece below, together with
the set of these units, names the facet from either side.
"""

from __future__ import annotations

import numpy as np

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
) -> tuple[int, int]:
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
        Results, as many as there are knots.

    Returns
    -------
    count : int
        Number of edges.
    missing : int
        First region with a neighbour that is not there; R if there is none.
    """
    count = 0
    regions = packed.shape[0]
    missing = regions
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
                if missing == regions:
                    missing = region
                continue
            edges[count, 0] = region
            edges[count, 1] = other
            sources[count] = knots[f]
            count += 1
    return count, missing


def pair_ties(tie: Integers, keys: Words) -> tuple[Indices, Indices, int | None]:
    """Edges across the facets with several knots, which both their sides have written down.

    Parameters
    ----------
    tie, keys
        See `polyspline.split.state.Results`.

    Returns
    -------
    edges : ndarray of int32
        (T, 2), the region of lower index first.
    sources : ndarray of int32
        (T,) the lowest knot as that region has it.
    missing : int or None
        First region with a facet that only it has written down.
    """
    if not len(tie):
        return np.empty((0, 2), np.int32), np.empty(0, np.int32), None
    region = tie[:, TIE_REGION]
    names = keys.reshape(len(keys), -1)
    order = np.lexsort((region, *names.T))
    same = (names[order[1:]] == names[order[:-1]]).all(axis=1)
    first, second = order[:-1][same], order[1:][same]
    edges = np.stack([region[first], region[second]], axis=1).astype(np.int32)
    alone = np.ones(len(order), np.bool_)
    alone[first] = alone[second] = False
    missing = int(region[alone].min()) if alone.any() else None
    return edges, tie[first, TIE_KNOT].astype(np.int32), missing
