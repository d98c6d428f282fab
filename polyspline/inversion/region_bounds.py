"""Lower bounds of the distance of a target from the images of many regions at once.

Guarantee: certified, by weak duality; whatever the multipliers are worth, the bound holds,
with the rounding of every operation accounted for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyspline.inversion.norms import Norm
from polyspline.inversion.region_maps import RegionMaps
from solvers.predicates.rounding import ROUNDOFF, SAFETY, SMALLEST

Floats = npt.NDArray[np.float64]

_RIDGE = 1e-11
_LEAST_TRACE = 2.0**-1000


@dataclass(frozen=True, eq=False)
class Goal:
    """What is to be met, where, and in which norm.

    Attributes
    ----------
    target
        (T,).
    norm
        Of the distance.
    lower, upper
        (S,) each, finite: a box that holds the regions.
    """

    target: Floats
    norm: Norm
    lower: Floats
    upper: Floats


def least_along(goal: Goal, maps: RegionMaps, y: Floats, multipliers: Floats) -> Floats:
    """Lower bounds of ``y . (target - G(z))`` over regions, from any multipliers.

    Parameters
    ----------
    goal, maps
        B regions.
    y
        (B, T).
    multipliers
        (B, M), at least 0, of the rows.

    Returns
    -------
    ndarray
        (B,); minus infinity or NaN where an operation overflows.

    Notes
    -----
    For z in a region, ``y . (x - A z - b) >= y . (x - b) - λ . h + (Gᵀ λ - Aᵀ y) . z``, and the
    last term is least at a corner of the box. What the rounded map and rows miss, and what the
    evaluation itself does, is subtracted.
    """
    size = np.abs(y)
    reach = np.maximum(np.abs(goal.lower), np.abs(goal.upper))
    with np.errstate(all="ignore"):
        rest = _transposed(maps.rows, multipliers) - _transposed(maps.slope, y)
        value = np.sum(y * (goal.target - maps.offset), axis=1)
        value -= np.sum(multipliers * (maps.sides + maps.slack), axis=1) + np.sum(size * maps.error, axis=1)
        value += np.sum(np.minimum(rest * goal.lower, rest * goal.upper), axis=1)
        largest = np.sum(size * (np.abs(goal.target) + np.abs(maps.offset) + maps.error), axis=1)
        largest += np.sum(multipliers * (np.abs(maps.sides) + maps.slack + np.abs(maps.rows) @ reach), axis=1)
        largest += _transposed(np.abs(maps.slope), size) @ reach
        return np.asarray(value - _terms(y, multipliers, reach) * largest - _underflow(y, multipliers, reach))


def _underflow(y: Floats, multipliers: Floats, reach: Floats) -> Floats:
    """Absolute error of the sums of a bound, (B,).

    Each product is off by a smallest subnormal if it underflows. No sum has more terms than are counted,
    and what is summed is multiplied by coordinates, by multipliers, or by entries of y at most.
    """
    count = y.shape[1] + multipliers.shape[1] + len(reach) + 16
    weights = 1.0 + np.sum(np.abs(y), axis=1) + np.sum(multipliers, axis=1)
    return np.asarray(8.0 * count * SMALLEST * (1.0 + np.sum(reach)) * weights)


def _terms(y: Floats, multipliers: Floats, reach: Floats) -> float:
    """Relative error of the sums of a bound."""
    count: int = y.shape[1] + multipliers.shape[1] + len(reach) + 16
    return 2.0 * count * ROUNDOFF * SAFETY


def weak_duality(goal: Goal, maps: RegionMaps, y: Floats, multipliers: Floats) -> Floats:
    """Lower bounds of the distance over regions, from any multipliers.

    Parameters
    ----------
    goal, maps, multipliers
        As in `least_along`.
    y
        (B, T), of any length: for every residual r, ``norm(r) >= y . r / dual norm(y)``.

    Returns
    -------
    ndarray
        (B,), at least 0; 0 where an operation overflows.
    """
    value = least_along(goal, maps, y, multipliers)
    with np.errstate(all="ignore"):
        length = goal.norm.dual.rows(y) * (1.0 + _terms(y, multipliers, goal.lower))
        bound = value / length * (1.0 - 8.0 * ROUNDOFF)
        return np.where((length > 0) & np.isfinite(bound), np.maximum(bound, 0.0), 0.0)


@dataclass(frozen=True, eq=False)
class Descent:
    """Where the dual ascent of B regions ended.

    Attributes
    ----------
    points
        (B, S), near the regions; maybe outside.
    bounds
        (B,) certified lower bounds of the distance.
    """

    points: Floats
    bounds: Floats


def dual_ascent(goal: Goal, maps: RegionMaps, centres: Floats, steps: int) -> Descent:
    """Bound the distance over each region by coordinate ascent on the dual of its least squares.

    Parameters
    ----------
    goal, maps
        B regions. Whatever the norm, the residual of least squares gives the multipliers.
    centres
        (B, S), points of the regions.
    steps
        Steps, each on the row that gains most.

    Notes
    -----
    Algorithm: Hildreth's method with the greedy choice of the row, all regions in step: without
    steps the bound is the distance from the affine hull, with one that from the hull cut by the
    best row. O(M S) per region and step.

    References
    ----------
    C. Hildreth, "A quadratic programming procedure", Naval Research Logistics Quarterly 4 (1957).
    """
    with np.errstate(all="ignore"):
        inverse = _inverses(maps.slope)
        residual = goal.target - maps.offset - _applied(maps.slope, centres)
        points = centres + _applied(inverse, _transposed(maps.slope, residual))
        multipliers = np.zeros_like(maps.sides)
        if steps:
            moves = maps.rows @ inverse
            curvature = np.einsum("bms,bms->bm", moves, maps.rows)
            curvature = np.where(curvature > 0, curvature, np.inf)
            every = np.arange(len(maps))
            violation = _applied(maps.rows, points) - maps.sides
            for _ in range(steps):
                step = np.maximum(violation / curvature, -multipliers)
                gain = step * (violation - 0.5 * step * curvature)
                best = np.argmax(np.where(step == 0.0, 0.0, gain), axis=1)
                chosen = step[every, best]
                multipliers[every, best] += chosen
                change = moves[every, best] * chosen[:, None]
                points = points - change
                violation = violation - _applied(maps.rows, change)
            # Rounding may leave a multiplier just below 0.
            multipliers = np.maximum(multipliers, 0.0)
        residual = goal.target - maps.offset - _applied(maps.slope, points)
        bounds = weak_duality(goal, maps, residual, multipliers)
    usable = np.asarray(np.isfinite(points).all(axis=1))
    return Descent(np.where(usable[:, None], points, centres), bounds)


def _applied(matrices: Floats, vectors: Floats) -> Floats:
    """Products (B, m, n) by (B, n)."""
    return np.asarray((matrices @ vectors[:, :, None])[:, :, 0])


def _transposed(matrices: Floats, vectors: Floats) -> Floats:
    """Products of the transposes of (B, m, n) by (B, m)."""
    return np.asarray((vectors[:, None, :] @ matrices)[:, 0, :])


def _inverses(slope: Floats) -> Floats:
    """Inverses of ``Aᵀ A``, with a ridge that keeps the inverse of a singular one finite."""
    gram = slope.transpose(0, 2, 1) @ slope
    trace = np.trace(gram, axis1=1, axis2=2)
    usable = np.isfinite(gram).all(axis=(1, 2)) & (trace > _LEAST_TRACE)
    diagonal = np.arange(slope.shape[2])
    gram = np.where(usable[:, None, None], gram / trace[:, None, None], np.eye(len(diagonal)))
    gram[:, diagonal, diagonal] += _RIDGE
    return np.asarray(np.linalg.inv(gram) / np.where(usable, trace, 1.0)[:, None, None])
