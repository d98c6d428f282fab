"""Regression over single regions: a nearest point, and multipliers that prove how near it is.

Guarantee: points are rounded; bounds are certified, by weak duality.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyspline.inversion.norms import Norm
from polyspline.inversion.region_bounds import Goal, weak_duality
from polyspline.inversion.region_maps import RegionMaps
from solvers.qp.bounding import bounding_multipliers
from solvers.qp.regression import fit_over_polyhedron

Floats = npt.NDArray[np.float64]

_EDGE = 1e-9
"""How far a point may be outside its region, in widths of the box."""

_TIGHT = (1e-9, 1e-7, 1e-5)
"""Relative tolerances at which rows and residuals are taken for active, one after the other."""


@dataclass(frozen=True, eq=False)
class RegionFit:
    """Outcome of the regression over one region.

    Attributes
    ----------
    point
        (S,), in the box of the goal, maybe outside the region by the solver's tolerance; None if
        the solver found none.
    value
        Norm of ``target - A point - b``, rounded; infinite without a point.
    bound
        Certified lower bound of the distance over the region.
    """

    point: Floats | None
    value: float
    bound: float


def fit_region(goal: Goal, maps: RegionMaps, *, gap: float = 1e-9, known: float = 0.0) -> RegionFit:
    """Find the point of one region whose image is nearest to the target, with a bound.

    Parameters
    ----------
    goal
        What is to be met.
    maps
        Of one region, rows included.
    gap
        Absolute gap between value and bound that is good enough.
    known
        A lower bound that is known already.
    """
    slope, offset, rows, sides = maps.slope[0], maps.offset[0], maps.rows[0], maps.sides[0]
    fit = fit_over_polyhedron(
        slope, offset - goal.target, rows, sides, goal.lower, goal.upper, goal.norm.order
    )
    bound, point, value = known, fit.point, fit.value
    if point is not None:
        point, value = _polished(goal, maps, point, value)
        for tolerance in _TIGHT:
            if value - bound <= gap:
                break
            y, multipliers = _multipliers(goal, maps, point, tolerance)
            bound = max(bound, float(weak_duality(goal, maps, y[None], multipliers[None])[0]))
    if value - bound > gap:
        bound = max(bound, _bound_of_a_nearby_program(goal, maps, value))
    return RegionFit(point, value, bound)


def _polished(goal: Goal, maps: RegionMaps, point: Floats, value: float) -> tuple[Floats, float]:
    """Take a step of least squares, if it stays in the region and gets nearer.

    The solver squares the condition of the slope; where the target is met, this step mends that.
    """
    slope, aim = maps.slope[0], goal.target - maps.offset[0]
    try:
        moved = point + np.linalg.lstsq(slope, aim - slope @ point, rcond=None)[0]
    except np.linalg.LinAlgError:
        return point, value
    moved = np.clip(moved, goal.lower, goal.upper)
    room = maps.sides[0] - maps.rows[0] @ moved
    nearer = goal.norm.of(aim - slope @ moved)
    if nearer < value and (room >= -_EDGE * np.max(goal.upper - goal.lower)).all():
        return moved, nearer
    return point, value


def _bound_of_a_nearby_program(goal: Goal, maps: RegionMaps, value: float) -> float:
    """Bound from the multipliers of a program that is made strictly convex."""
    slope, aim = maps.slope[0], goal.target - maps.offset[0]
    sides = maps.sides[0]
    below = np.full(len(sides), -np.inf)
    scale = value if 0.0 < value < np.inf else goal.norm.of(aim) or 1.0
    candidates = bounding_multipliers(
        slope, aim, goal.lower, goal.upper, maps.rows[0], below, sides, order=goal.norm.order, scale=scale
    )
    best = 0.0
    for found in candidates:
        y, multipliers = -found.output[None], np.maximum(found.rows, 0.0)[None]
        best = max(best, float(weak_duality(goal, maps, y, multipliers)[0]))
    return best


def _multipliers(goal: Goal, maps: RegionMaps, point: Floats, tolerance: float) -> tuple[Floats, Floats]:
    """Multipliers (T,) and (M,) that belong to a nearest point: ``Aᵀ y = Gᵀ λ`` as nearly as can be.

    y is a subgradient of the norm at the residual, λ is zero but on the active rows; what
    that leaves open is a least squares problem over nonnegative numbers.
    """
    from scipy.optimize import nnls  # a heavy import, paid by those who fit

    slope, rows = maps.slope[0], maps.rows[0]
    residual = goal.target - maps.offset[0] - slope @ point
    size = np.abs(residual)
    largest = float(size.max(initial=0.0))
    reach = float(np.max(np.abs(goal.upper) + np.abs(goal.lower)))
    active = np.flatnonzero(maps.sides[0] - rows @ point <= tolerance * reach)
    fixed, free = _subgradients(goal.norm, residual, size, tolerance * max(largest, 1e-300))
    # Columns: choices within the subgradients, then the active rows; the sides of the box are
    # among the rows of a box, and those of a polytope are left to its rows.
    columns = np.hstack([slope.T @ free, -rows[active].T])
    aim = -(slope.T @ fixed)
    unit = np.max(np.abs(slope), initial=0.0) or 1.0
    columns[:, : free.shape[1]] /= unit
    aim = aim / unit
    if goal.norm is Norm.LINF:
        # The weights of the largest residuals sum to 1.
        columns = np.vstack([columns, np.append(np.ones(free.shape[1]), np.zeros(len(active)))])
        aim = np.append(aim, 1.0)
    found = np.zeros(columns.shape[1])
    if columns.shape[1] and np.isfinite(columns).all() and np.isfinite(aim).all():
        try:
            found = np.asarray(nnls(columns, aim)[0])
        except RuntimeError:  # too many iterations: multipliers of zero prove less, but no wrong thing
            found = np.zeros(columns.shape[1])
    weights = found[: free.shape[1]]
    multipliers = np.zeros(len(rows))
    multipliers[active] = found[free.shape[1] :] * unit
    return fixed + free @ weights, multipliers


def _subgradients(norm: Norm, residual: Floats, size: Floats, zero: float) -> tuple[Floats, Floats]:
    """Subgradients of a norm at a residual: ``fixed + free @ w`` for some w >= 0."""
    signs = np.sign(residual)
    unit = np.eye(len(residual))
    if norm is Norm.L2:
        return residual / max(float(np.linalg.norm(residual)), 1e-300), unit[:, :0]
    if norm is Norm.L1:
        open_ = size <= zero
        return np.where(open_, 0.0, signs), np.hstack([unit[:, open_], -unit[:, open_]])
    top = size >= size.max(initial=0.0) - zero
    return np.zeros(len(residual)), unit[:, top] * signs[top]
