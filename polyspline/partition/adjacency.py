"""The edges of a partition, seen from each region."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Adjacency:
    """Compressed rows of the adjacency matrix: the neighbours of each region, ascending.

    Parameters
    ----------
    edges
        Pairs of neighbours (E, 2), each pair once.
    count
        Number of regions, R.

    Notes
    -----
    Takes 8 bytes per edge and 8 per region.
    """

    def __init__(self, edges: NDArray[np.int32], count: int) -> None:
        degrees = np.bincount(edges[:, 0], minlength=count) + np.bincount(edges[:, 1], minlength=count)
        self._start = np.concatenate([[0], np.cumsum(degrees)])
        heads = np.concatenate([edges[:, 0], edges[:, 1]])
        tails = np.concatenate([edges[:, 1], edges[:, 0]])
        self._neighbours = tails[np.lexsort((tails, heads))]

    def neighbours(self, region: int) -> NDArray[np.int64]:
        """Return the indices of the neighbours of a region, ascending."""
        found = self._neighbours[self._start[region] : self._start[region + 1]]
        return np.array(found, dtype=np.int64)

    @property
    def degrees(self) -> NDArray[np.int64]:
        """Number of neighbours of every region, (R,)."""
        return np.array(np.diff(self._start), dtype=np.int64)
