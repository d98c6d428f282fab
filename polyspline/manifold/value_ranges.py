"""Ranges of the outputs over each region."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import as_float_array
from polyspline.errors import ArgumentError, ShapeError
from polyspline.inversion.image_pairs import image_ranges
from polyspline.inversion.region_maps import mapper_of
from polyspline.manifold.brief import Brief
from polyspline.manifold.maps import affine_maps
from polyspline.manifold.regions import RegionSet, Source, region_set

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_FLAT = 1e-12


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

    Algorithm: on a bounded domain two linear programs for each region and function; their
    multipliers give bounds by weak duality, evaluated with all rounding accounted for. On an
    unbounded one the vertices and rays of each region.
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
    partition = regions.as_partition
    mapper = mapper_of(partition, regions.net.layers)
    for low in range(0, len(chosen), mapper.chunk):
        some = slice(low, low + mapper.chunk)
        lower[some], upper[some] = image_ranges(partition, mapper, chosen[some], rows)
    return ValueRanges(chosen, lower, upper, True, regions.sampled)


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
