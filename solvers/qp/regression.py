"""Regression over a polyhedron: the point whose affine image is nearest to the origin.

Guarantee: rounded. The point is optimal up to the solver's tolerances, and it may violate
a side by as much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solvers.errors import SolverInputError
from solvers.qp.daqp import QPSolution, QPStatus, minimise_linear, minimise_quadratic

__all__ = ["Fit", "fit_over_polyhedron"]

Floats = npt.NDArray[np.float64]

_PROXIMAL = 1e-6

_MANY = 128
"""Number of absolute values in a sum from which the dual of its program is solved instead."""


@dataclass(frozen=True, eq=False)
class Fit:
    """Outcome of a regression.

    Attributes
    ----------
    status
        Why the solver stopped.
    point
        (S,), within ``lo`` and ``hi``; None unless OPTIMAL.
    value
        Norm of ``A @ point + b``, recomputed; infinite unless OPTIMAL.
    multipliers
        (S + m,), those of the bounds first: positive where the upper side is active, negative
        where the lower one is; in units of the norm, for l2 of half its square. Zeros unless
        OPTIMAL.
    active
        What the solver ended with, to start a like regression from; None unless OPTIMAL, and where the
        dual program was solved, which has other sides.
    """

    status: QPStatus
    point: Floats | None
    value: float
    multipliers: Floats
    active: Floats | None


def fit_over_polyhedron(
    A: npt.ArrayLike,
    b: npt.ArrayLike,
    G: npt.ArrayLike,
    h: npt.ArrayLike,
    lo: npt.ArrayLike,
    hi: npt.ArrayLike,
    order: float = 2.0,
    *,
    g: npt.ArrayLike | None = None,
    start: Fit | None = None,
    tolerance: float = 1e-9,
) -> Fit:
    """Minimise ``norm(A z + b)`` over the z of a polyhedron: ``g <= G z <= h``, ``lo <= z <= hi``.

    Parameters
    ----------
    A, b
        (T, S) and (T,), finite. To meet a target x by ``A z + c``, give ``b = c - x``.
    G, h
        (m, S) and (m,); sides may be infinite. Rows need be neither scaled nor irredundant.
    lo, hi
        (S,) each, finite: a box that encloses the polyhedron, which sets the scale too.
    order
        Order of the norm as numpy counts: 2 (least squares), 1 or infinity.
    g
        (m,); no lower sides if left out.
    start
        Outcome of a like regression, of the same shapes and order, from whose active set to start.
    tolerance
        How far a point may violate a side, where the box has half-width 1 and rows have unit
        length.

    Returns
    -------
    Fit

    Raises
    ------
    SolverInputError
        If the shapes do not fit, the box is not finite, or the order is not known.

    Notes
    -----
    Algorithm: coordinates, rows and objective are scaled, so that tolerances act alike at every
    scale of the data. Least squares is a convex quadratic program of S variables; order 1 a
    linear program of S + T variables, and infinity one of S + 1, by proximal steps of the same
    solver. Where T is large for order 1, or that fails, the dual program by HiGHS.
    """
    slope, offset, rows = _matrix(A), np.asarray(b, dtype=np.float64), _matrix(G)
    above = np.asarray(h, dtype=np.float64)
    below = np.full(len(above), -np.inf) if g is None else np.asarray(g, dtype=np.float64)
    low, high = np.asarray(lo, dtype=np.float64), np.asarray(hi, dtype=np.float64)
    _check(slope, offset, rows, below, above, low, high, order)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return _fit(slope, offset, rows, below, above, low, high, order, start, tolerance)


def _fit(
    slope: Floats,
    offset: Floats,
    rows: Floats,
    below: Floats,
    above: Floats,
    low: Floats,
    high: Floats,
    order: float,
    start: Fit | None,
    tolerance: float,
) -> Fit:
    """Solve a regression of arrays that fit together; FAILED if a number is past the largest float."""
    given_slope, given_offset = slope, offset
    middle, half = low / 2.0 + high / 2.0, high / 2.0 - low / 2.0
    # In units t of the box: z = middle + half * t.
    offset = offset + slope @ middle
    slope = slope * half
    shift = rows @ middle
    rows = rows * half
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    kept = length > 0.0
    inverse = 1.0 / np.where(kept, length, 1.0)
    rows, below, above = rows * inverse[:, None], (below - shift) * inverse, (above - shift) * inverse
    missed = ~kept & ((below > tolerance) | (above < -tolerance))
    if missed.any():
        return _nothing(QPStatus.INFEASIBLE, len(low) + len(rows))
    below, above = np.where(kept, below, -np.inf), np.where(kept, above, np.inf)
    largest = float(np.abs(slope).max(initial=0.0))
    steep = largest or 1.0
    box = np.ones(len(low))
    sides = np.concatenate([-box, below]), np.concatenate([box, above])
    active = None if start is None else start.active
    scaled = slope / steep, offset / steep, rows, sides
    # Sides are infinite where there are none, but never NaN.
    if not all(np.isfinite(part).all() for part in scaled[:3]) or np.isnan(np.concatenate(sides)).any():
        return _nothing(QPStatus.FAILED, len(low) + len(rows))
    primal = True
    if order == 2.0:
        solution = _least_squares(*scaled, active, tolerance)
    else:
        solution, primal = _least_linear(*scaled, active, tolerance, order)
    if solution.point is None or solution.multipliers is None:
        return _nothing(solution.status, len(low) + len(rows))
    z = np.clip(middle + half * np.clip(solution.point[: len(low)], -1.0, 1.0), low, high)
    value = float(np.linalg.norm(given_slope @ z + given_offset, order))
    last = len(solution.multipliers) - len(rows)
    found = np.concatenate([solution.multipliers[: len(low)], solution.multipliers[last:]])
    found *= 0.0 if largest == 0.0 else steep * steep if order == 2.0 else steep
    found[: len(low)] /= np.where(half > 0.0, half, 1.0)
    found[len(low) :] *= inverse
    return Fit(solution.status, z, value, found, solution.multipliers if primal else None)


def _nothing(status: QPStatus, count: int) -> Fit:
    return Fit(status, None, np.inf, np.zeros(count), None)


Sides = tuple[Floats, Floats]


def _least_squares(
    slope: Floats, offset: Floats, rows: Floats, sides: Sides, active: Floats | None, tolerance: float
) -> QPSolution:
    hessian, linear = slope.T @ slope, slope.T @ offset
    return minimise_quadratic(hessian, linear, rows, *sides, active=active, tolerance=tolerance)


def _least_linear(
    slope: Floats,
    offset: Floats,
    rows: Floats,
    sides: Sides,
    active: Floats | None,
    tolerance: float,
    order: float,
) -> tuple[QPSolution, bool]:
    """Order 1 or infinity, by whichever program is small; and whether it is the primal one."""
    if order == 1.0 and len(offset) > _MANY:
        return _dual(slope, offset, rows, sides, order), False
    spread = np.eye(len(offset)) if order == 1.0 else np.ones((len(offset), 1))
    if active is None and order == 1.0:
        active = _signs(slope, offset, len(sides[0]) + 3 * len(offset))
    solution = _primal(slope, offset, rows, sides, active, tolerance, spread)
    if solution.status in (QPStatus.OPTIMAL, QPStatus.INFEASIBLE):
        return solution, True
    return _dual(slope, offset, rows, sides, order), False


def _primal(
    slope: Floats,
    offset: Floats,
    rows: Floats,
    sides: Sides,
    active: Floats | None,
    tolerance: float,
    spread: Floats,
) -> QPSolution:
    """Minimise ``sum(s)`` over ``|slope t + offset| <= spread s`` and the sides."""
    count, width, extra = len(offset), slope.shape[1], spread.shape[1]
    free = np.full(count, np.inf)
    matrix = np.zeros((2 * count + len(rows), width + extra))
    matrix[:count, :width] = matrix[count : 2 * count, :width] = slope
    matrix[:count, width:], matrix[count : 2 * count, width:] = -spread, spread
    matrix[2 * count :, :width] = rows
    lower = np.concatenate([sides[0][:width], np.zeros(extra), -free, -offset, sides[0][width:]])
    upper = np.concatenate([sides[1][:width], np.full(extra, np.inf), -offset, free, sides[1][width:]])
    cost = np.concatenate([np.zeros(width), np.ones(extra)])
    return minimise_linear(cost, matrix, lower, upper, active=active, weight=_PROXIMAL, tolerance=tolerance)


def _dual(slope: Floats, offset: Floats, rows: Floats, sides: Sides, order: float) -> QPSolution:
    """Maximise ``offset.y - h.p + g.q`` over ``slope.T y + G.T (p - q) = 0`` and multipliers y of the norm.

    As few rows as there are coordinates, however many absolute values there are. For order 1 no
    y is above 1 in size, for infinity their sizes sum to at most 1.
    """
    from scipy.optimize import linprog  # a heavy import, paid by those who need it

    count, width = slope.shape
    normals = np.concatenate([np.eye(width), rows])
    low, high = np.isfinite(sides[0]), np.isfinite(sides[1])
    sign = (1.0, -1.0) if order == np.inf else (1.0,)
    balance = [k * slope.T for k in sign] + [normals[high].T, -normals[low].T]
    cost = np.concatenate([*(-k * offset for k in sign), sides[1][high], -sides[0][low]])
    heads = len(sign) * count
    bound = (-1.0, 1.0) if order == 1.0 else (0.0, None)
    total = None if order == 1.0 else (np.arange(len(cost)) < heads).astype(np.float64)[None]
    found = linprog(
        cost,
        A_eq=np.concatenate(balance, axis=1),
        b_eq=np.zeros(width),
        A_ub=total,
        b_ub=None if total is None else np.ones(1),
        bounds=[bound] * heads + [(0.0, None)] * (len(cost) - heads),
        method="highs",
    )
    if found.status == 3:  # the dual is unbounded
        return QPSolution(QPStatus.INFEASIBLE, np.nan, None, None, int(found.nit))
    if found.status != 0 or found.x is None or found.fun is None:
        return QPSolution(QPStatus.FAILED, np.nan, None, None, int(found.nit))
    multipliers = np.zeros(len(normals))
    multipliers[high] += found.x[heads : heads + int(high.sum())]
    multipliers[low] -= found.x[heads + int(high.sum()) :]
    point = np.asarray(found.eqlin.marginals, dtype=np.float64)
    return QPSolution(QPStatus.OPTIMAL, -float(found.fun), point, multipliers, int(found.nit))


def _signs(slope: Floats, offset: Floats, sides: int) -> Floats:
    """Active set in which each residual has the sign that it has at the least squares."""
    count, width = slope.shape
    residual = slope @ np.linalg.lstsq(slope, -offset, rcond=None)[0] + offset
    active = np.zeros(sides)
    first = width + count
    active[first : first + count] = residual > 0
    active[first + count : first + 2 * count] = -(residual <= 0).astype(np.float64)
    return active


def _matrix(values: npt.ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _check(
    slope: Floats,
    offset: Floats,
    rows: Floats,
    below: Floats,
    above: Floats,
    low: Floats,
    high: Floats,
    order: float,
) -> None:
    width = len(low)
    shapes = (slope.shape, rows.shape, below.shape, above.shape, high.shape)
    if shapes != ((len(offset), width), (len(above), width), (len(above),), (len(above),), (width,)):
        raise SolverInputError(
            f"fit_over_polyhedron got A {slope.shape}, b {offset.shape}, G {rows.shape}, g {below.shape}, "
            f"h {above.shape}, lo {low.shape}, hi {high.shape}; expected (T, S), (T,), (m, S), (m,), (m,), "
            "(S,), (S,)."
        )
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise SolverInputError("fit_over_polyhedron got a box that is not finite; expected finite lo and hi.")
    if order not in (1.0, 2.0, np.inf):
        raise SolverInputError(
            f"fit_over_polyhedron got the norm of order {order}; expected 1, 2 or infinity."
        )
