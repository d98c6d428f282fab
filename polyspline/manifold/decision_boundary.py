"""Decision boundaries as points, segments or polygons, one for each region that they cross."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from polyspline.errors import ArgumentError
from polyspline.manifold.brief import Brief
from polyspline.manifold.level_sets import sign_margins
from polyspline.manifold.maps import affine_maps
from polyspline.manifold.regions import RegionSet, Source, region_set
from polyspline.manifold.value_ranges import value_ranges
from polyspline.regions.region import Region
from solvers.float_mode import gradual_underflow

Floats = npt.NDArray[np.float64]

_NEAR = 1e-12
_MOST_DIMENSIONS = 3
_MOST_BOUNDS = 12


@dataclass(frozen=True, eq=False, repr=False)
class BoundaryPiece(Brief):
    """The part of a decision boundary within one region.

    Attributes
    ----------
    region
        Index of the region.
    classes
        The two outputs that are equal and largest there, the first two if there are more; None for
        the level of one output.
    points
        (k, S): a point (S = 1), the two ends of a segment (S = 2), or the corners of a convex
        polygon in their order (S = 3).
    """

    region: int
    classes: tuple[int, int] | None
    points: Floats

    @property
    def measure(self) -> float:
        """Length of a segment, area of a polygon; 1 for a point."""
        if self.points.shape[1] == 1:
            return 1.0
        if self.points.shape[1] == 2:
            return float(np.linalg.norm(self.points[1] - self.points[0]))
        sides = self.points[1:] - self.points[0]
        return 0.5 * float(np.linalg.norm(np.cross(sides[:-1], sides[1:]).sum(axis=0)))


@dataclass(frozen=True, eq=False, repr=False)
class DecisionBoundary(Brief):
    """A decision boundary, region by region.

    Attributes
    ----------
    regions
        What it was computed on.
    pieces
        By region. Where the boundary runs along a facet, the first of its two regions has the piece, so
        that no part of the boundary is there twice.
    flat
        Indices of regions throughout which the two functions are equal up to rounding: there the
        boundary is no surface, and no piece.
    sampled
        Whether the regions were met by sampling: then the boundary has gaps.
    """

    regions: RegionSet
    pieces: tuple[BoundaryPiece, ...]
    flat: tuple[int, ...]
    sampled: bool

    @property
    def measure(self) -> float:
        """Total length (S = 2) or area (S = 3), or the number of points (S = 1)."""
        return float(sum(piece.measure for piece in self.pieces))


@gradual_underflow()
def level_boundary(source: Source, *, output: int = 0, level: float = 0.0) -> DecisionBoundary:
    """Where an output is equal to a level: its zero set, by default.

    Parameters
    ----------
    source : Partition or RegionSet
        On a bounded domain of at most 3 dimensions.
    output : int
        Index of the output.
    level : float

    Returns
    -------
    DecisionBoundary

    Raises
    ------
    ArgumentError
        If there is no such output, the domain is not bounded, or S > 3 (restrict the network to a slice).
    NonFiniteError
        If the level is not finite.

    Notes
    -----
    Guarantee: rounded. A piece that rounding cannot tell from nothing may be missing.

    Algorithm: regions that certified bounds of the output exclude are left out; of the others, the
    hyperplane where the output has the level cuts the polytope, from its exact vertices, rounded.
    """
    regions = _checked(source, "level_boundary")
    row, side = sign_margins(regions.net, output, level, "level_boundary")
    pieces = _Pieces()
    flat: list[int] = []
    ranges = value_ranges(regions, row)
    crossed = (ranges.lower[:, 0] + side <= 0) & (ranges.upper[:, 0] + side >= 0)
    for maps in affine_maps(regions, np.flatnonzero(crossed)):
        for place, index in enumerate(maps.which.tolist()):
            region = regions.region(index)
            corners = region.vertices()
            values = (corners @ maps.A[place].T + maps.b[place]) @ row[0] + side[0]
            size = float(np.abs(maps.A[place]).sum() + np.abs(maps.b[place]).sum() + abs(side[0]))
            if np.abs(values).max() <= _NEAR * size:
                flat.append(index)
                continue
            points = _section(corners, values, _NEAR * size)
            if points is not None:
                pieces.add(region, (), points)
    return DecisionBoundary(regions, tuple(pieces.kept), tuple(flat), regions.sampled)


@gradual_underflow()
def class_boundary(source: Source) -> DecisionBoundary:
    """Where the largest output changes: two outputs are equal, and no other is larger.

    Parameters
    ----------
    source : Partition or RegionSet
        On a bounded domain of at most 3 dimensions.

    Returns
    -------
    DecisionBoundary

    Raises
    ------
    ArgumentError
        If there is one output only, the domain is not bounded, or S > 3 (restrict the network to a slice).

    Notes
    -----
    As `level_boundary`; each pair of outputs that are largest somewhere in a region is cut out, and
    then clipped by the others.
    """
    regions = _checked(source, "class_boundary")
    if regions.net.ambient_dim < 2:
        raise ArgumentError("class_boundary: the network has one output; take level_boundary.")
    pieces = _Pieces()
    flat: set[int] = set()
    for maps in affine_maps(regions, _contested(regions)):
        for place, index in enumerate(maps.which.tolist()):
            region = regions.region(index)
            found, even = _class_pieces(region.vertices(), maps.A[place], maps.b[place])
            for equal, points in found:
                pieces.add(region, equal, points)
            flat |= {index} if even else set()
    return DecisionBoundary(regions, tuple(pieces.kept), tuple(sorted(flat)), regions.sampled)


def _checked(source: Source, where: str) -> RegionSet:
    regions = region_set(source)
    if not regions.domain.bounded:
        raise ArgumentError(f"{where}: the domain is not bounded; enumerate on a box.")
    if regions.net.latent_dim > _MOST_DIMENSIONS:
        raise ArgumentError(
            f"{where}: S is {regions.net.latent_dim}; pieces are drawn for S up to {_MOST_DIMENSIONS}: take "
            "net.restrict(origin, directions) and enumerate the slice."
        )
    return regions


def _contested(regions: RegionSet) -> npt.NDArray[np.int64]:
    """Regions where certified bounds do not prove one output the largest throughout."""
    everyone = np.arange(len(regions))
    if regions.net.ambient_dim > _MOST_BOUNDS:
        return everyone
    ranges = value_ranges(regions)
    best = np.argmax(ranges.lower, axis=1)
    rest = ranges.upper.copy()
    rest[everyone, best] = -np.inf
    return np.flatnonzero(ranges.lower[everyone, best] <= rest.max(axis=1)).astype(np.int64)


class _Pieces:
    """Pieces of a boundary, those along a facet once.

    Both regions of a facet give the outputs the same values on it. So if the boundary runs along it, both
    have the same pieces there, and a piece is known by the facet and by the outputs that are equal on it.
    """

    def __init__(self) -> None:
        self._met: set[tuple[frozenset[bytes], tuple[int, ...]]] = set()
        self.kept: list[BoundaryPiece] = []

    def add(self, region: Region, equal: tuple[int, ...], points: Floats) -> None:
        """Keep the piece of a region, unless the region across a facet that it runs along has it."""
        facet = self._facet(region, points)
        if facet is not None:
            if (facet, equal) in self._met:
                return
            self._met.add((facet, equal))
        self.kept.append(BoundaryPiece(region.index, (equal[0], equal[1]) if equal else None, points))

    def _facet(self, region: Region, points: Floats) -> frozenset[bytes] | None:
        """Codes of both sides of the facet that points are on; None if none is, or nothing is beyond it."""
        reach = float(np.abs(region.vertices()).max())
        best, nearest = None, np.inf
        for facet in region.facets:
            size = reach * float(np.abs(facet.normal).sum()) + abs(facet.offset)
            away = float(np.abs(points @ facet.normal - facet.offset).max())
            if away <= _NEAR * size and away < nearest:
                best, nearest = facet, away
        if best is None or best.across is None:
            return None
        return frozenset((_key(region.code), _key(best.across)))


def _key(code: npt.NDArray[Any]) -> bytes:
    return np.asarray(code, dtype=np.int16).tobytes()


def _class_pieces(
    corners: Floats, slope: Floats, offset: Floats
) -> tuple[list[tuple[tuple[int, ...], Floats]], bool]:
    """Pieces of one region, the outputs equal on each, and whether two are equal and largest throughout."""
    values = corners @ slope.T + offset
    near = _NEAR * float(np.abs(slope).sum() + np.abs(offset).sum())
    # An output that is below the least of another at every corner is never largest.
    candidates = np.flatnonzero(values.max(axis=0) >= values.min(axis=0).max() - near)
    pieces: list[tuple[tuple[int, ...], Floats]] = []
    even = False
    for i, a in enumerate(candidates.tolist()):
        for b in candidates[i + 1 :].tolist():
            apart = values[:, a] - values[:, b]
            others = [c for c in candidates.tolist() if c not in (a, b)]
            if np.abs(apart).max() <= near:
                even = even or bool(
                    (values[:, a] >= values[:, others].max(axis=1, initial=-np.inf) - near).any()
                )
                continue
            points = _section(corners, apart, near)
            for c in others:
                if points is not None:
                    points = _clipped(points, points @ (slope[a] - slope[c]) + offset[a] - offset[c], near)
            if points is None:
                continue
            there = points @ slope.T + offset
            equal = tuple(c for c in candidates.tolist() if np.abs(there[:, c] - there[:, a]).max() <= near)
            # Where more than two are equal, each pair of them has the same piece.
            if equal not in [others for others, _ in pieces]:
                pieces.append((equal, points))
    return pieces, even


def _section(corners: Floats, values: Floats, near: float) -> Floats | None:
    """Cut a polytope by the zero set of an affine function, given at its corners; None if it is thinner.

    Crossings of all chords between corners on both sides are taken: those of the edges are among
    them, and their hull is the section.
    """
    above, below = np.flatnonzero(values > near), np.flatnonzero(values < -near)
    on = corners[np.abs(values) <= near]
    high, low = values[above][:, None], values[below][None, :]
    share = high / (high - low)
    chords = corners[above][:, None, :] + share[:, :, None] * (corners[below][None] - corners[above][:, None])
    points = np.concatenate([on, chords.reshape(-1, corners.shape[1])])
    return _hull(points)


def _hull(points: Floats) -> Floats | None:
    """Extreme points, in their order, of points on a hyperplane; None if they span less than it."""
    size = points.shape[1]
    if len(points) < size:
        return None
    if size == 1:
        return points[:1]
    middle = points.mean(axis=0)
    _, spread, axes = np.linalg.svd(points - middle, full_matrices=False)
    reach = float(np.abs(points).max()) + float(spread[0])
    if len(spread) < size - 1 or spread[size - 2] <= _NEAR * reach:
        return None
    flat = (points - middle) @ axes[: size - 1].T
    if size == 2:
        return points[[int(np.argmin(flat[:, 0])), int(np.argmax(flat[:, 0]))]]
    from scipy.spatial import ConvexHull  # a heavy import, paid by those who draw in three dimensions

    return points[ConvexHull(flat).vertices]


def _clipped(points: Floats, values: Floats, near: float) -> Floats | None:
    """Keep the part of a point, segment or polygon where an affine function is not negative."""
    if points.shape[1] == 1:
        return points if values[0] >= -near else None
    if (values >= -near).all():
        return points
    if (values <= near).all():
        return None
    kept: list[Floats] = []
    for i in range(len(points)):
        j = (i + 1) % len(points)
        if values[i] >= 0:
            kept.append(points[i])
        if values[i] * values[j] < 0:
            kept.append(points[i] + values[i] / (values[i] - values[j]) * (points[j] - points[i]))
    return _hull(np.array(kept)) if len(kept) >= points.shape[1] else None
