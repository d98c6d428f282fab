"""Ranges of the outputs over each region."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import as_float_array
from polyspline.errors import ArgumentError, ShapeError
from polyspline.inversion.image_pairs import image_ranges
from polyspline.inversion.norms import Norm
from polyspline.inversion.region_bounds import Goal, least_along
from polyspline.inversion.region_maps import RegionMaps, mapper_of
from polyspline.manifold.brief import Brief
from polyspline.manifold.maps import affine_maps
from polyspline.manifold.region_rows import RegionRows, Rows
from polyspline.manifold.regions import RegionSet, Source, region_set
from solvers.float_mode import gradual_underflow

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_FLAT = 1e-12
_BATCH = 256

_HULL_LIKE_A_PROGRAM = 4
"""Latent dimension in which the vertices of a region take as long as two linear programs."""

_HULL_GROWTH = 3.0
"""What one dimension more multiplies that by, about."""


@dataclass(frozen=True, eq=False, repr=False)
class ValueRanges(Brief):
    """Lowest and highest value of some linear functions of the output, on each region.

    Attributes
    ----------
    which
        Indices of the regions, (B,).
    lower, upper
        (B, K); infinite where a function is unbounded on an unbounded region.
    certified
        Whether they enclose the true ranges, rounding included; else they are rounded.
    sampled
        Whether the regions were met by sampling.
    """

    which: Integers
    lower: Floats
    upper: Floats
    certified: bool
    sampled: bool


@gradual_underflow()
def value_ranges(
    source: Source, directions: npt.ArrayLike | None = None, which: npt.ArrayLike | None = None
) -> ValueRanges:
    """Ranges of the outputs, or of linear functions of them, over each region.

    Parameters
    ----------
    source : Partition or RegionSet
    directions : array_like, shape (K, D), optional
        Functions ``directions @ G(z)``; by default each output.
    which : array_like of int, shape (B,), optional
        Indices of regions; all by default.

    Returns
    -------
    ValueRanges

    Raises
    ------
    ShapeError, NonFiniteError
        If the directions are not (K, D), or not finite.
    ArgumentError
        If an index names no region.

    Notes
    -----
    Guarantee: on a bounded domain certified; each range holds the true one, and is wider by little
    more than rounding. On an unbounded domain rounded.

    Algorithm: on a bounded domain multipliers give bounds by weak duality, evaluated with all
    rounding accounted for. Where vertices are cheap (S small, or K large) the multipliers of each
    vertex are those of its S rows, for all functions by one product, and the vertex with none below 0
    is the best; elsewhere, and where floats find no such vertex, they come from two linear programs for
    each region and function. On an unbounded domain the vertices and rays of each region.
    """
    regions = region_set(source)
    dim = regions.net.ambient_dim
    rows = np.eye(dim) if directions is None else as_float_array(directions, "value_ranges: directions", 2)
    if rows.shape[1] != dim:
        raise ShapeError(f"value_ranges: directions must have shape (K, {dim}), got {rows.shape}.")
    chosen = np.arange(len(regions)) if which is None else np.asarray(which, dtype=np.int64).reshape(-1)
    if len(chosen) and (chosen.min() < 0 or chosen.max() >= len(regions)):
        raise ArgumentError(f"value_ranges: indices of regions must be 0 to {len(regions) - 1}.")
    lower = np.empty((len(chosen), len(rows)))
    upper = np.empty((len(chosen), len(rows)))
    if not regions.domain.bounded:
        for maps in affine_maps(regions, chosen, batch=1):
            place = np.flatnonzero(chosen == maps.which[0])
            lower[place], upper[place] = _from_vertices(
                regions, int(maps.which[0]), rows @ maps.A[0], rows @ maps.b[0]
            )
        return ValueRanges(chosen, lower, upper, False, regions.sampled)
    by_programs: Flags = np.ones(len(chosen), dtype=np.bool_)
    if len(rows) >= _HULL_GROWTH ** (regions.net.latent_dim - _HULL_LIKE_A_PROGRAM):
        maker = RegionRows(regions)
        for low_end in range(0, len(chosen), _BATCH):
            some = slice(low_end, low_end + _BATCH)
            lower[some], upper[some] = _by_corners(maker, chosen[some], rows)
        by_programs = np.asarray(np.isnan(lower + upper).any(axis=1))
    partition = regions.as_partition
    mapper = mapper_of(partition, regions.net.layers)
    left = np.flatnonzero(by_programs)
    for first in range(0, len(left), mapper.chunk):
        places = left[first : first + mapper.chunk]
        lower[places], upper[places] = image_ranges(partition, mapper, chosen[places], rows)
    return ValueRanges(chosen, lower, upper, True, regions.sampled)


def _by_corners(maker: RegionRows, which: Integers, directions: Floats) -> tuple[Floats, Floats]:
    """Ranges (B, K) from the rows of the best vertices; NaN where floats find none."""
    rows = maker.of(which)
    owner, tight = maker.corners(which, rows)
    maps = maker.mapper.maps(maker.regions.codes[which], with_rows=False)
    maps = RegionMaps(maps.slope, maps.offset, maps.error, rows.G, rows.h, rows.slack)
    low, high = maker.regions.domain.bounds()
    goal = Goal(np.zeros(directions.shape[1]), Norm.L2, low, high)
    ends = []
    for sign in (-1.0, 1.0):
        found = np.full((len(which), len(directions)), np.nan)
        slopes = np.einsum("kt,bts->bks", sign * directions, maps.slope)
        best, multipliers = _best_corners(owner, tight, rows, slopes)
        for k, direction in enumerate(directions):
            weights = np.zeros_like(rows.h)
            np.put_along_axis(weights, best[:, k], multipliers[:, k], axis=1)
            # The least of y . (0 - G) is minus the largest of y . G.
            found[:, k] = -least_along(goal, maps, np.tile(sign * direction, (len(which), 1)), weights)
        found[np.isnan(multipliers).any(axis=(1, 2))] = np.nan
        ends.append(np.where(np.isfinite(found), found, np.nan))
    return -ends[0], ends[1]


def _best_corners(owner: Integers, tight: Integers, rows: Rows, slopes: Floats) -> tuple[Integers, Floats]:
    """Rows (B, K, S) of the vertices where ``slopes @ z`` is largest, and their multipliers, at least 0.

    A vertex is that if the slope is a sum of its outward rows with no negative share. Multipliers are
    NaN for a region of which no vertex is.
    """
    count, width, dim = slopes.shape
    square = rows.G[owner[:, None], tight]
    clear = np.abs(np.linalg.det(square)) > _FLAT
    inverse = np.linalg.inv(np.where(clear[:, None, None], square, np.eye(dim)))
    starts = np.searchsorted(owner, np.arange(count + 1))
    best = np.zeros((count, width, dim), dtype=np.int64)
    multipliers = np.full((count, width, dim), np.nan)
    for i in range(count):
        mine = slice(starts[i], starts[i + 1])
        if starts[i] < starts[i + 1] and clear[mine].any():
            shares = np.einsum("ks,vsr->vkr", slopes[i], inverse[mine])
            least = np.where(clear[mine, None], shares.min(axis=2), -np.inf)
            chosen = np.argmax(least, axis=0)
            each = np.arange(width)
            best[i], multipliers[i] = tight[mine][chosen], np.maximum(shares[chosen, each], 0.0)
            if (least[chosen, each] < -_FLAT * np.abs(shares[chosen, each]).max(axis=1)).any():
                multipliers[i] = np.nan
    return best, multipliers


def _from_vertices(regions: RegionSet, index: int, slope: Floats, offset: Floats) -> tuple[Floats, Floats]:
    """Lowest and highest of ``slope @ z + offset``, (K,) each, over one region."""
    v = regions.region(index).v_representation
    points = np.array([[float(Fraction(x, corner[-1])) for x in corner[:-1]] for corner in v.corners])
    values = points @ slope.T + offset
    low, high = values.min(axis=0), values.max(axis=0)
    for ray in v.rays:
        speed = slope @ ray
        moving = np.abs(speed) > _FLAT * (np.abs(slope) @ np.abs(ray))
        low = np.where(moving & (speed < 0), -np.inf, low)
        high = np.where(moving & (speed > 0), np.inf, high)
    return low, high
