"""Angles between the images of neighbours: how sharply the generated surface bends at each facet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from polyspline.manifold.brief import Brief
from polyspline.manifold.maps import affine_maps_of_codes, batch_of, knot_rows_of_codes
from polyspline.manifold.regions import RegionSet, Source, region_set
from solvers.float_mode import gradual_underflow

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_EPS = float(np.finfo(np.float64).eps)
_CLEAR = 1e-6
"""Ranks are clearly full if no pivot is less than this, relative to the largest entry."""

_KEPT_BYTES = 2**28
"""Slopes of all regions are kept if they take no more than this."""


@dataclass(frozen=True, eq=False, repr=False)
class EdgeAngles(Brief):
    """Angles across every facet.

    Attributes
    ----------
    regions
        What it was computed on; the edges are ``regions.edges``, (E, 2).
    turning
        (E,) in [0, π]: by how much the surface turns as it crosses the facet; 0 is flat, π a
        complete fold. NaN where a side has no outward conormal: where the ranks differ, and where the
        facet's image has the dimension of the two images themselves.
    principal
        (E,) in [0, π/2]: the largest principal angle between the ranges of the two slopes, whose
        sine is ``norm(P - P')`` for P = A A⁺; all others are 0. π/2 where the ranks differ.
    equal_ranks
        (E,) whether the two slopes have the same numerical rank.
    ranks
        (E, 2) the two ranks.
    misfit
        (E,) largest entry of the difference of the slopes along the facet, relative to their
        largest: what rounding leaves of the law that A' - A has rank 1 at most.
    sampled
        Whether the regions were met by sampling; then these are the facets known between them.
    """

    regions: RegionSet
    turning: Floats
    principal: Floats
    equal_ranks: Flags
    ranks: Integers
    misfit: Floats
    sampled: bool

    @property
    def edges(self) -> npt.NDArray[np.int32]:
        """Pairs of neighbours, (E, 2)."""
        return self.regions.edges

    @cached_property
    def known(self) -> Flags:
        """Whether the turning angle is defined, (E,)."""
        return np.asarray(np.isfinite(self.turning))

    def histogram(self, bins: int = 36, *, turning: bool = True) -> tuple[Floats, Floats]:
        """Shares of the facets by angle, and the edges of the bins in degrees.

        Parameters
        ----------
        bins : int
            At least 1, of equal width.
        turning : bool
            Whether of the turning angles (0 to 180) or of the principal ones (0 to 90, as in Fig. 8).

        Returns
        -------
        shares : ndarray
            (bins,) of sum 1; facets without an angle are left out.
        ends : ndarray
            (bins + 1,) in degrees.
        """
        angles = self.turning[self.known] if turning else self.principal
        top = 180.0 if turning else 90.0
        counts, ends = np.histogram(np.degrees(angles), bins=bins, range=(0.0, top))
        return counts / max(1, counts.sum()), ends


@gradual_underflow()
def principal_angles(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Principal angles between the ranges of two slopes, or of many pairs.

    Parameters
    ----------
    first, second : array_like, shape (D, S) or (B, D, S)

    Returns
    -------
    ndarray of float64
        (min(D, S),) or (B, min(D, S)), descending, in [0, π/2]. Where the ranks are r and r', there are
        ``min(r, r')`` principal angles, and ``abs(r - r')`` more are π/2, as the ranges differ by so
        many dimensions; the rest are 0. So the sine of the first is ``norm(P - P')``.

    Notes
    -----
    Guarantee: rounded, small angles too: sines tell them, cosines the large ones.

    Algorithm: orthonormal bases from singular value decompositions, whose ranks are numerical
    ones; then the singular values of ``QᵀQ'`` and of ``Q' - Q QᵀQ'``.

    References
    ----------
    Max-affine spline insights, Thm. 4. A. Björck and G. Golub, Numerical methods for computing angles
    between linear subspaces, 1973.
    """
    a, b = (np.asarray(one, dtype=np.float64) for one in (first, second))
    single = a.ndim == 2
    bases = [range_bases(one[None] if single else one) for one in (a, b)]
    # The basis of lower rank first: all its directions have an angle with the other range.
    swap = bases[0][1] > bases[1][1]
    small = np.where(swap[:, None, None], bases[1][0], bases[0][0])
    large = np.where(swap[:, None, None], bases[0][0], bases[1][0])
    low = np.minimum(bases[0][1], bases[1][1])
    high = np.maximum(bases[0][1], bases[1][1])
    overlap = large.transpose(0, 2, 1) @ small
    cosines = np.linalg.svd(overlap, compute_uv=False)
    sines = np.linalg.svd(small - large @ overlap, compute_uv=False)
    width = cosines.shape[1]
    place = np.arange(width)
    # Cosines descend and sines ascend together along the low directions; zero columns come last in both.
    angles = np.zeros((len(low), width))
    for column in range(width):
        sine = sines[np.arange(len(low)), np.maximum(low - 1 - column, 0)]
        angle = np.arctan2(sine, cosines[:, column])
        angles[:, column] = np.where(column < low, angle, 0.0)
    extra = (place >= low[:, None]) & (place < high[:, None])
    angles = -np.sort(-np.where(extra, np.pi / 2, angles), axis=1)
    return angles[0] if single else angles


def range_bases(slopes: Floats) -> tuple[Floats, Integers]:
    """Orthonormal bases of the ranges of slopes (B, D, S), and the numerical ranks.

    Returns
    -------
    bases : ndarray
        (B, D, min(D, S)); columns behind the rank are zero.
    ranks : ndarray of int64
        (B,).
    """
    left, values, _ = np.linalg.svd(slopes, full_matrices=False)
    counted = values > _EPS * max(slopes.shape[1:]) * values[:, :1]
    return left * counted[:, None, :], np.count_nonzero(counted, axis=1).astype(np.int64)


@gradual_underflow()
def edge_angles(source: Source) -> EdgeAngles:
    """Principal and turning angle across every facet.

    Parameters
    ----------
    source : Partition or RegionSet

    Returns
    -------
    EdgeAngles

    Notes
    -----
    Guarantee: rounded.

    Let n be normal to the facet, from ω to ω'. The slopes agree along the facet, whose image spans T, so
    ``A' = A + w nᵀ``. The outward conormal of the image of ω at the facet's image is the part of ``A n``
    at right angles to T, that of the image of ω' the part of ``-A' n``. The surface turns by the
    angle between the first and the opposite of the second: 0 if the conormals are opposite (flat), π
    if they are one (a complete fold, which no principal angle tells from flat). The ranges are T and
    these conormals, so one principal angle is ``min(turning, π - turning)`` and all others are 0.

    Algorithm: one QR factorisation of ``[A F, A n, A' n]`` for each edge, with F an orthonormal
    basis of the facet's directions; where ``A F`` has not full rank a singular value decomposition of it
    takes its place. O(D S²) per edge.

    References
    ----------
    Max-affine spline insights, Thm. 4, with P = A A⁺ at any rank.
    """
    regions = region_set(source)
    count = len(regions.edges)
    turning, misfit = np.full(count, np.nan), np.zeros(count)
    ranks = np.zeros((count, 2), dtype=np.int64)
    for some, near, far, normals in _edge_slopes(regions):
        found = _angles_across(near, far, normals)
        turning[some], ranks[some, 0], ranks[some, 1], misfit[some] = found
    equal = ranks[:, 0] == ranks[:, 1]
    # Equal ranks without conormals: both ranges are that of the facet.
    principal = np.where(
        np.isnan(turning), np.where(equal, 0.0, np.pi / 2), np.minimum(turning, np.pi - turning)
    )
    return EdgeAngles(regions, turning, principal, equal, ranks, misfit, regions.sampled)


def _edge_slopes(regions: RegionSet) -> Iterator[tuple[Integers, Floats, Floats, Floats]]:
    """Edges some at a time, with the slopes (B, D, S) on both sides and the facets' normals (B, S)."""
    net, edges = regions.net, regions.edges
    order = np.argsort(edges[:, 0], kind="stable")
    size = 8 * len(regions) * net.ambient_dim * net.latent_dim
    kept = affine_maps_of_codes(net, regions.codes)[0] if size <= _KEPT_BYTES else None
    step = max(1, batch_of(net, arrays=16))
    for low in range(0, len(order), step):
        some = order[low : low + step]
        pair = edges[some].astype(np.int64)
        rows, _ = knot_rows_of_codes(net, regions.codes[pair[:, 0]], regions.edge_sources[some])
        sides = []
        for which in pair.T:
            if kept is None:
                own, place = np.unique(which, return_inverse=True)
                sides.append(affine_maps_of_codes(net, regions.codes[own])[0][place.reshape(-1)])
            else:
                sides.append(kept[which])
        across = regions.points[pair[:, 1]] - regions.points[pair[:, 0]]
        yield some, sides[0], sides[1], _unit_normals(rows, across)


def _unit_normals(rows: Floats, across: Floats) -> Floats:
    """Rows scaled to length one, pointing along `across`."""
    largest = np.abs(rows).max(axis=1, keepdims=True)
    scaled = rows / np.where(largest > 0, largest, 1.0)
    length = np.linalg.norm(scaled, axis=1, keepdims=True)
    towards = np.where((scaled * across).sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    return np.asarray(scaled * towards / np.where(length > 0, length, 1.0))


def _reflections(normals: Floats) -> Floats:
    """Orthogonal symmetric matrices (B, S, S) whose last column is the normal, up to its sign."""
    mirror = normals.copy()
    away = np.where(normals[:, -1] < 0, -1.0, 1.0)
    mirror[:, -1] += away
    scale = 1.0 + np.abs(normals[:, -1])
    return np.asarray(np.eye(normals.shape[1]) - mirror[:, :, None] * (mirror / scale[:, None])[:, None, :])


def _angles_across(near: Floats, far: Floats, normals: Floats) -> tuple[Floats, Integers, Integers, Floats]:
    """Find turning angles (B,), ranks of both sides, and misfits along the facet."""
    count, rows, size = near.shape
    along = near @ (facet := _reflections(normals)[:, :, : size - 1])
    largest = np.maximum(np.abs(near).max(axis=(1, 2)), np.abs(far).max(axis=(1, 2)))
    apart = np.abs(far @ facet - along).max(axis=(1, 2), initial=0.0)
    misfit = apart / np.where(largest > 0, largest, 1.0)
    crossing = np.stack([near, far], axis=1) @ normals[:, None, :, None]
    turning = np.full(count, np.nan)
    ranks = np.full((2, count), size, dtype=np.int64)
    clear = np.zeros(count, dtype=np.bool_)
    if rows >= size:
        table = np.concatenate([along, crossing[:, 0], crossing[:, 1]], axis=2)
        turning, clear = _by_factor(np.asarray(np.linalg.qr(table, mode="r")), largest)
    hard = np.flatnonzero(~clear)
    if len(hard):
        found = _by_projection(near[hard], far[hard], along[hard], crossing[hard][..., 0])
        turning[hard], ranks[0, hard], ranks[1, hard] = found
    return turning, ranks[0], ranks[1], misfit


def _by_factor(factor: Floats, largest: Floats) -> tuple[Floats, Flags]:
    """Read turning angles off the factor R of ``[A F, A n, A' n]``, and whether ranks are clearly full."""
    size = factor.shape[2] - 1
    beyond = factor[:, size, size] if factor.shape[1] > size else np.zeros(len(factor))
    first, second = factor[:, size - 1, size - 1], factor[:, size - 1, size]
    diagonal = np.abs(factor[:, np.arange(size), np.arange(size)]).min(axis=1)
    clear = np.minimum(diagonal, np.hypot(second, beyond)) > _CLEAR * largest
    return np.arctan2(np.abs(beyond), np.where(first < 0, -second, second)), clear & (largest > 0)


def _by_projection(
    near: Floats, far: Floats, along: Floats, crossing: Floats
) -> tuple[Floats, Integers, Integers]:
    """Find turning angles and both ranks where one may be deficient; `crossing` is (B, 2, D)."""
    cut = _EPS * max(near.shape[1:])
    values = [np.linalg.svd(slope, compute_uv=False) for slope in (near, far)]
    ranks = [np.count_nonzero(one > cut * one[:, :1], axis=1).astype(np.int64) for one in values]
    shared = np.zeros(len(near), dtype=np.int64)
    if along.shape[2]:
        left, spread, _ = np.linalg.svd(along, full_matrices=False)
        counted = spread > cut * np.maximum(values[0], values[1])[:, :1]
        shared = np.count_nonzero(counted, axis=1)
        basis = left * counted[:, None, :]
        for _ in range(2):  # what the first pass leaves of the range is rounding, relative to the vector
            crossing = crossing - (crossing @ basis) @ basis.transpose(0, 2, 1)
    length = np.linalg.norm(crossing, axis=2)
    known = (ranks[0] > shared) & (ranks[1] > shared) & (length > 0).all(axis=1)
    unit = crossing / np.where(length > 0, length, 1.0)[:, :, None]
    apart = np.linalg.norm(unit[:, 1] - unit[:, 0], axis=1)
    together = np.linalg.norm(unit[:, 1] + unit[:, 0], axis=1)
    return np.where(known, 2.0 * np.arctan2(apart, together), np.nan), ranks[0], ranks[1]
