"""All full-rank preimages of many points at once, and which points singular pieces reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from polyspline.errors import ArgumentError
from polyspline.inversion.norms import Norm
from polyspline.inversion.region_bounds import Goal
from polyspline.inversion.region_fits import fit_region
from polyspline.inversion.region_maps import RegionMapper
from polyspline.manifold.maps import affine_maps
from polyspline.manifold.regions import RegionSet
from polyspline.manifold.spectrum import region_spectra

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_EPS = float(np.finfo(np.float64).eps)
_RELATIVE_TOLERANCE = 1e-9
_EDGE = 1e-9
_FAR = 1e3
_NUMBERS = 4_000_000
"""Entries of the largest array that is held at one time."""


def refuse_partial(regions: RegionSet, where: str, instead: str = "") -> None:
    """Raise if the regions are those of a partial partition, where all are needed.

    Regions met by sampling pass: what is computed on them says that it is sampled.

    Raises
    ------
    ArgumentError
        If they are; it says which function needs them, and how to go on.
    """
    if not regions.complete and not regions.sampled:
        stop = "partial" if regions.partition is None else regions.partition.stop.value
        raise ArgumentError(
            f"{where} needs all regions, and this partition has {len(regions)} of them ({stop}): enumerate "
            "with higher limits, or resume its run file; or give regions met by sampling "
            f"(sample_regions), which makes it an estimate{instead}."
        )


class Preimages(NamedTuple):
    """Preimages in regions of full rank, sorted by target and region; equal ones counted once."""

    target: Integers  # (P,) index of the point x
    region: Integers  # (P,)
    z: Floats  # (P, S)


class Cover:
    """Finds the latent points that the regions of a set send to given points.

    Parameters
    ----------
    regions
        The set.

    Attributes
    ----------
    ranks, log_factors
        (R,) numerical rank of each slope, and log sqrt det(AᵀA); minus infinity below rank S.

    Notes
    -----
    Guarantee: rounded. A point counts as sent to x if its image is within the tolerance of x and it is
    within 1e-9 of the size of the domain of the region, and two as equal if they are within 4e-9.

    Algorithm: for every region of full rank the least squares solution of all targets at once; the rows
    of the region are looked at for those whose residual is small. O(R B D S).
    """

    def __init__(self, regions: RegionSet) -> None:
        self.regions = regions
        low, high = regions.domain.bounds()
        if regions.domain.bounded:
            self._reach = np.maximum(np.abs(low), np.abs(high))
            self._size = float(np.max(high - low))
        else:
            self._reach = np.full(len(low), _FAR * (1.0 + np.max(np.abs(regions.points), initial=0.0)))
            self._size = 1.0 + float(np.max(np.abs(regions.points), initial=0.0))
        self._low, self._high = np.maximum(low, -self._reach), np.minimum(high, self._reach)
        self._mapper = RegionMapper(regions.net.layers, regions.domain, self._reach)
        spectra = region_spectra(regions)
        self.ranks = spectra.ranks
        full = self.ranks == regions.net.latent_dim
        values = np.where(full[:, None], spectra.values, 1.0)
        self.log_factors = np.where(full, np.log(values).sum(axis=1), -np.inf)

    def tolerances(self, x: Floats, tol: float | None) -> Floats:
        """Distance from each point (B, D) up to which an image counts as it, (B,)."""
        if tol is None:
            return np.asarray(_RELATIVE_TOLERANCE * (1.0 + np.linalg.norm(x, axis=1)))
        if not (np.isfinite(tol) and tol >= 0):
            raise ArgumentError(f"tol must be a number of at least 0, got {tol}.")
        return np.full(len(x), float(tol))

    def preimages(self, x: Floats, tol: float | None = None) -> Preimages:
        """All preimages of points (B, D) in regions of full rank."""
        allowed = self.tolerances(x, tol)
        full = np.flatnonzero(np.isfinite(self.log_factors))
        dim = self.regions.net.latent_dim
        step = max(1, _NUMBERS // max(1, len(x) * (len(x[0]) if len(x) else 1)))
        parts = [Preimages(full[:0].astype(np.int64), full[:0].astype(np.int64), np.empty((0, dim)))]
        for maps in affine_maps(self.regions, full, batch=step):
            for part in self._in_regions(maps.which, maps.A, maps.b, x, allowed):
                parts.append(part)
        found = Preimages(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        order = np.lexsort((found.region, found.target))
        return self.distinct(Preimages(found.target[order], found.region[order], found.z[order]))

    def distinct(self, found: Preimages) -> Preimages:
        """Keep the first of equal preimages of one target; `found` is sorted by target."""
        keep = np.ones(len(found.target), dtype=np.bool_)
        ends = np.searchsorted(found.target, np.unique(found.target), side="right")
        starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
        near = 4.0 * _EDGE * self._size
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            for i in range(start + 1, end):
                earlier = found.z[start:i][keep[start:i]]
                keep[i] = not (np.abs(earlier - found.z[i]).max(axis=1) <= near).any()
        return Preimages(found.target[keep], found.region[keep], found.z[keep])

    def _in_regions(
        self, which: Integers, A: Floats, b: Floats, x: Floats, allowed: Floats
    ) -> Iterator[Preimages]:
        """Preimages in some regions, whose maps are given."""
        away = x.T[None] - b[:, :, None]
        left, values, right = np.linalg.svd(A, full_matrices=False)
        z = right.transpose(0, 2, 1) @ ((left.transpose(0, 2, 1) @ away) / values[:, :, None])
        rounding = 16.0 * _EPS * np.linalg.norm(away, axis=1) / values[:, -1:]
        edge = _EDGE * self._size + rounding
        inside = (z >= self._low[None, :, None] - edge[:, None]) & (
            z <= self._high[None, :, None] + edge[:, None]
        )
        residual = np.linalg.norm(away - A @ z, axis=1)
        region, target = np.nonzero(inside.all(axis=1) & (residual <= allowed))
        points = z[region, :, target]
        slack = edge[region, target]
        met, place = np.unique(region, return_inverse=True)
        for low in range(0, len(met), self._mapper.chunk):
            some = met[low : low + self._mapper.chunk]
            maps = self._mapper.maps(self.regions.codes[which[some]])
            mine = np.flatnonzero((place >= low) & (place < low + len(some)))
            step = max(1, _NUMBERS // max(1, maps.rows[0].size))
            for first in range(0, len(mine), step):
                pairs = mine[first : first + step]
                local = place[pairs] - low
                room = maps.sides[local] - np.einsum("pms,ps->pm", maps.rows[local], points[pairs])
                held = pairs[(room >= -(maps.slack[local] + slack[pairs, None])).all(axis=1)]
                yield Preimages(
                    target[held].astype(np.int64), which[region[held]].astype(np.int64), points[held]
                )

    def singular(self, x: Floats, tol: float | None = None) -> Flags:
        """Whether each point (B, D) is in the image of a region of rank below S, (B,)."""
        allowed = self.tolerances(x, tol)
        reached = np.zeros(len(x), dtype=np.bool_)
        low = np.flatnonzero(~np.isfinite(self.log_factors))
        step = max(1, _NUMBERS // max(1, x.size))
        for maps in affine_maps(self.regions, low, batch=step):
            left, _, _ = np.linalg.svd(maps.A, full_matrices=False)
            left = left * (np.arange(left.shape[2]) < self.ranks[maps.which, None])[:, None, :]
            away = x.T[None] - maps.b[:, :, None]
            apart = np.linalg.norm(away - left @ (left.transpose(0, 2, 1) @ away), axis=1)
            for region, target in np.argwhere(apart <= allowed).tolist():
                if not reached[target]:
                    goal = Goal(x[target], Norm.L2, self._low, self._high)
                    own = self._mapper.maps(self.regions.codes[maps.which[region]][None])
                    reached[target] = fit_region(goal, own, gap=np.inf).value <= allowed[target]
        return reached
