"""In which region of a set random points are: the counts that estimates by draws rest on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyspline.manifold.regions import RegionSet
from polyspline.partition import CodePacking
from polyspline.partition.lookup import CodeIndex

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_CHUNK = 8192


class Locator:
    """Finds the regions of points among those of a set.

    Parameters
    ----------
    regions
        The set.

    Notes
    -----
    Guarantee: exact for points on no knot. Of a point on one, the lowest region of a partition that
    contains it is given; of other sets, one that does or none.
    """

    def __init__(self, regions: RegionSet) -> None:
        self._regions = regions
        self._packing = CodePacking(regions.net.n_pieces)
        self._index = (
            None if regions.partition else CodeIndex(self._packing, self._packing.pack(regions.codes))
        )

    def locate(self, points: Floats) -> Integers:
        """Index of the region of each point (B, S), (B,); -1 outside the domain and where none is known."""
        if self._regions.partition is not None:
            return np.asarray(self._regions.partition.locate(points), dtype=np.int64)
        assert self._index is not None
        found = np.full(len(points), -1, dtype=np.int64)
        for low in range(0, len(points), _CHUNK):
            chunk = points[low : low + _CHUNK]
            inside = np.flatnonzero(np.asarray(self._regions.domain.contains(chunk)))
            if len(inside):
                codes = self._regions.net.code(chunk[inside])
                found[low + inside] = self._index.find(self._packing.pack(codes))
        return found

    def counts(self, points: Floats) -> Integers:
        """How many of the points are in each region, (R,)."""
        found = self.locate(points)
        return np.bincount(found[found >= 0], minlength=len(self._regions)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Shares:
    """Probabilities estimated by counts of draws.

    Attributes
    ----------
    values
        (R,) shares of the draws.
    standard_errors
        (R,) of each.
    """

    values: Floats
    standard_errors: Floats


def shares_of(counts: Integers, n_draws: int) -> Shares:
    """Estimate probabilities from how many of `n_draws` independent draws met each of several sets.

    Notes
    -----
    Standard errors are those of ``(k + 1) / (n + 2)``: a set that no draw met is not known to be empty.
    """
    careful = (counts + 1.0) / (n_draws + 2.0)
    return Shares(counts / n_draws, np.sqrt(careful * (1.0 - careful) / n_draws))
