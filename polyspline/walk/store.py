"""The regions and edges found so far, in arrays that grow in place."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyspline.partition.code_table import EMPTY
from polyspline.regions.kernel import Neighbours
from polyspline.walk.merge import Found, index_codes, merge

_GROWTH = 1.25
_FIRST_ROOM = 1024


def grown(array: NDArray[Any], room: int) -> NDArray[Any]:
    """Give an array room for more rows; in place, so that the old and the new never stand side by side."""
    if len(array) < room:
        rows = max(room, int(_GROWTH * len(array)), _FIRST_ROOM)
        # No view outlives a merge: the walk hands out copies.
        array.resize((rows, *array.shape[1:]), refcheck=False)
    return array


class Store:
    """Regions in the order they were found, the edges among them, and how far they are expanded.

    Attributes
    ----------
    regions, edges
        Counts.
    expanded
        Regions ``0 .. expanded - 1`` are expanded: their row of `points` is a witness. That
        of the others is a point on the facet through which they were found.
    """

    def __init__(self, n_words: int, dim: int) -> None:
        self._packed: NDArray[np.uint64] = np.empty((0, n_words), np.uint64)
        self._points: NDArray[np.float64] = np.empty((0, dim))
        self._entries: NDArray[np.int32] = np.empty(0, np.int32)
        self._edges: NDArray[np.int32] = np.empty((0, 2), np.int32)
        self._edge_sources: NDArray[np.int32] = np.empty(0, np.int32)
        self._table: NDArray[np.int32] = np.full(4 * _FIRST_ROOM, EMPTY, np.int32)
        self.regions = 0
        self.edges = 0
        self.expanded = 0
        self.exact_witnesses: dict[int, tuple[Fraction, ...]] = {}

    def load(
        self,
        packed: NDArray[np.uint64],
        points: NDArray[np.float64],
        entries: NDArray[np.int32],
        edges: NDArray[np.int32],
        edge_sources: NDArray[np.int32],
        expanded: int,
    ) -> None:
        """Take over the state of an earlier walk."""
        self._packed, self._points, self._entries = packed.copy(), points.copy(), entries.copy()
        self._edges, self._edge_sources = edges.copy(), edge_sources.copy()
        self.regions, self.edges, self.expanded = len(packed), len(edges), expanded
        self._reindex(1 << (2 * max(self.regions, 2 * _FIRST_ROOM)).bit_length())

    def add_start(self, packed: NDArray[np.uint64], point: NDArray[np.float64]) -> None:
        """Note the first region."""
        self._make_room(1)
        self._packed[0], self._points[0], self._entries[0] = packed, point, -1
        self.regions = 1
        index_codes(self._packed, 1, self._table)

    def _make_room(self, more: int) -> None:
        self._packed = grown(self._packed, self.regions + more)
        self._points = grown(self._points, self.regions + more)
        self._entries = grown(self._entries, self.regions + more)
        self._edges = grown(self._edges, self.edges + more)
        self._edge_sources = grown(self._edge_sources, self.edges + more)
        size = len(self._table)
        while 3 * (self.regions + more) > 2 * size:
            size *= 2
        if size > len(self._table):
            self._reindex(size)

    def _reindex(self, size: int) -> None:
        self._table = np.empty(0, np.int32)
        self._table = np.full(size, EMPTY, np.int32)
        index_codes(self._packed, self.regions, self._table)

    def merge(self, first: int, neighbours: Neighbours, count: int, limit: int) -> int:
        """Take in the neighbours of some regions; the first region with one left out, or -1."""
        self._make_room(int(neighbours.start[count]))
        found = Found(self._packed, self._points, self._entries, self._table, self._edges, self._edge_sources)
        self.regions, self.edges, cut = merge(
            found, first, count, neighbours, self.regions, self.edges, limit
        )
        return cut

    def set_witnesses(self, first: int, witnesses: NDArray[np.float64]) -> None:
        """Replace the points of some regions by their witnesses."""
        self._points[first : first + len(witnesses)] = witnesses

    def pending(
        self, first: int, stop: int
    ) -> tuple[NDArray[np.uint64], NDArray[np.float64], NDArray[np.int32]]:
        """Copy the codes, points and entries of some regions."""
        part = slice(first, stop)
        return self._packed[part].copy(), self._points[part].copy(), self._entries[part].copy()

    def witnesses(self, first: int, stop: int) -> NDArray[np.float64]:
        """Copy of some rows of the points."""
        return self._points[first:stop].copy()

    def edge_rows(self, first: int, stop: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Copy some edges and their sources."""
        return self._edges[first:stop].copy(), self._edge_sources[first:stop].copy()

    def edges_before(self, region: int) -> int:
        """Count the edges whose lower region is before the given one."""
        return int(np.searchsorted(self._edges[: self.edges, 0], region))

    def sides_from(self, region: int) -> int:
        """Count the ends of edges that are the given region or a later one."""
        return int(np.count_nonzero(self._edges[: self.edges] >= region))

    def finished(
        self,
    ) -> tuple[NDArray[np.uint64], NDArray[np.float64], NDArray[np.int32], NDArray[np.int32]]:
        """Give up the arrays, cut to size: codes, points, edges, sources. The store is empty after."""
        self._table = np.empty(0, np.int32)
        self._entries = np.empty(0, np.int32)
        for array, rows in (
            (self._packed, self.regions),
            (self._points, self.regions),
            (self._edges, self.edges),
            (self._edge_sources, self.edges),
        ):
            array.resize((rows, *array.shape[1:]), refcheck=False)
        return self._packed, self._points, self._edges, self._edge_sources
