"""From the edges between regions to the breadth-first order of a Partition."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polyspline.split.state import Indices, Integers
from solvers.compiled import compiled

UNSEEN = -1


@compiled
def _fill_rows(
    edges: Indices, sources: Indices, start: Integers, filled: Integers, ends: Indices, keys: Indices
) -> None:
    """List the neighbours of every region by the facet's source; `filled` is a copy of `start`."""
    for e in range(edges.shape[0]):
        for side in range(2):
            region = edges[e, side]
            source = sources[e]
            place = filled[region]
            filled[region] = place + 1
            while place > start[region] and keys[place - 1] > source:
                keys[place] = keys[place - 1]
                ends[place] = ends[place - 1]
                place -= 1
            keys[place] = source
            ends[place] = edges[e, 1 - side]


@compiled
def _visit(
    root: int,
    start: Integers,
    ends: Indices,
    keys: Indices,
    order: Indices,
    number: Indices,
    edges: Indices,
    sources: Indices,
) -> None:
    """Visit the regions breadth first: their numbers, and the edges in that order."""
    regions = order.shape[0]
    found = 0
    written = 0
    unseen = 0
    for i in range(regions):
        if i == found:
            # Nothing is left to go on from: at the beginning, or the regions are not connected.
            first = root
            if i > 0:
                while number[unseen] != UNSEEN:
                    unseen += 1
                first = unseen
            order[found] = first
            number[first] = found
            found += 1
        region = order[i]
        for place in range(start[region], start[region + 1]):
            other = ends[place]
            if number[other] == UNSEEN:
                order[found] = other
                number[other] = found
                found += 1
            if number[other] > i:
                edges[written, 0] = i
                edges[written, 1] = number[other]
                sources[written] = keys[place]
                written += 1


def breadth_first(
    regions: int, root: int, edges: Indices, sources: Indices
) -> tuple[Indices, Indices, Indices]:
    """Order the regions as a walk from one of them finds them.

    Parameters
    ----------
    regions
        How many.
    root
        Which is the first.
    edges
        (E, 2) pairs of regions.
    sources
        (E,) the lowest knot that both have on the facet.

    Returns
    -------
    order : ndarray of int32
        (R,) the regions in breadth-first order, neighbours by facet source. If some are not
        connected to the root, the lowest of these follows as if it were another root.
    edges : ndarray of int32
        (E, 2) between the places in that order, the lower first; by the lower, then by source.
    sources : ndarray of int32
        (E,) in that order.
    """
    start = np.zeros(regions + 1, np.int64)
    np.cumsum(np.bincount(edges.ravel(), minlength=regions), out=start[1:])
    ends = np.empty(2 * len(edges), np.int32)
    keys = np.empty(2 * len(edges), np.int32)
    _fill_rows(edges, sources, start, start.copy(), ends, keys)
    order = np.empty(regions, np.int32)
    number: NDArray[np.int32] = np.full(regions, UNSEEN, np.int32)
    new_edges = np.empty((len(edges), 2), np.int32)
    new_sources = np.empty(len(edges), np.int32)
    _visit(root, start, ends, keys, order, number, new_edges, new_sources)
    return order, new_edges, new_sources
