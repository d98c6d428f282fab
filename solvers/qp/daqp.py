"""A typed doorway to daqp: small dense convex quadratic programs by a dual active-set method.

Guarantee: heuristic. Answers hold up to the solver's tolerances; bounds that must be
trusted are evaluated from the multipliers by those who need them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import daqp
import numpy as np
import numpy.typing as npt

from solvers.errors import SolverInputError
from solvers.status import KeyedEnum

__all__ = ["QPSolution", "QPStatus", "minimise_linear", "minimise_quadratic"]

Floats = npt.NDArray[np.float64]

_ACTIVE, _LOWER, _SOFT = 1, 2, 8
_INFINITE = 1e30
"""What daqp takes for infinity."""

_MOST_STEPS = 10_000
_MOST_PREPARING, _MOST_WORK = 2e9, 2.5e9
"""Multiplications before the first step, and in all steps: nothing stops daqp for some seconds then."""


class QPStatus(KeyedEnum):
    """Outcome of a quadratic program; the value is the sentence to show."""

    OPTIMAL = "an optimal point was found"
    INFEASIBLE = "no point satisfies all the rows"
    LIMIT_PASSED = "no point satisfies all the rows, or the optimum is above the limit"
    UNBOUNDED = "the objective falls without bound over the rows"
    TOO_LONG = "the program is so large that it would take too long"
    FAILED = "the solver stopped without an answer"


# 2: optimal, some soft side being violated.
_STATUSES = {
    1: QPStatus.OPTIMAL,
    2: QPStatus.OPTIMAL,
    -1: QPStatus.INFEASIBLE,
    -3: QPStatus.UNBOUNDED,
    -4: QPStatus.TOO_LONG,
}


@dataclass(frozen=True, eq=False)
class QPSolution:
    """Outcome of a quadratic program.

    Attributes
    ----------
    status
        Why the solver stopped.
    value
        The optimum; NaN unless OPTIMAL.
    point
        (n,); None unless OPTIMAL.
    multipliers
        One for each side, the simple bounds first: positive where the upper side is active,
        negative where the lower one is, so that ``H x + f + [I; A].T @ multipliers = 0``.
        None unless OPTIMAL: a solve that stops early has none.
    iterations
        Changes of the active set.
    """

    status: QPStatus
    value: float
    point: Floats | None
    multipliers: Floats | None
    iterations: int


def minimise_quadratic(
    H: npt.ArrayLike,
    f: npt.ArrayLike,
    A: npt.ArrayLike,
    lower: npt.ArrayLike,
    upper: npt.ArrayLike,
    *,
    active: npt.ArrayLike | None = None,
    limit: float = np.inf,
    tolerance: float = 1e-9,
    softness: float | None = None,
) -> QPSolution:
    """Minimise ``x.H.x / 2 + f.x`` over ``lower <= [x; A x] <= upper``.

    Parameters
    ----------
    H
        (n, n), symmetric, positive semidefinite.
    f
        (n,).
    A
        (m, n); rows of unit length make the tolerance a distance.
    lower, upper
        (k + m,) each, infinite where there is no bound. The first k <= n are simple bounds of
        the first k variables.
    active
        (k + m,): the active set to start from, as signs or as multipliers of a like program:
        positive for the upper side, negative for the lower one, zero for neither.
    limit
        Stop as soon as the dual objective is above this value; not heeded where H is singular.
    tolerance
        How far a point may violate a side.
    softness
        Makes the rows of A soft: their violation costs, by the inverse of this, and is allowed.

    Returns
    -------
    QPSolution

    Raises
    ------
    SolverInputError
        If the shapes do not fit.

    Notes
    -----
    Algorithm: the dual active-set method of daqp; where H is singular, proximal steps with it.

    References
    ----------
    D. Arnström, A. Bemporad, D. Axehill, "A dual active-set solver for embedded quadratic
    programming using recursive LDL' updates", IEEE Trans. Automatic Control 67 (2022).
    """
    hessian, linear = np.ascontiguousarray(H, dtype=np.float64), _vector(f)
    if hessian.shape != (len(linear), len(linear)):
        raise SolverInputError(
            f"minimise_quadratic got H of shape {hessian.shape} and f of length {len(linear)}; "
            f"expected ({len(linear)}, {len(linear)})."
        )
    settings = {"primal_tol": tolerance}
    if limit < np.inf:
        shift = _completed_square(hessian, linear)
        if shift is not None:
            # Inside daqp the objective is that of a projection, which is larger by this shift.
            settings["fval_bound"] = limit + shift
    if softness is not None:
        settings["rho_soft"] = softness
    return _solve(hessian, linear, A, lower, upper, active, settings)


def minimise_linear(
    f: npt.ArrayLike,
    A: npt.ArrayLike,
    lower: npt.ArrayLike,
    upper: npt.ArrayLike,
    *,
    active: npt.ArrayLike | None = None,
    weight: float = 1e-3,
    tolerance: float = 1e-9,
) -> QPSolution:
    """Minimise ``f.x`` over ``lower <= [x; A x] <= upper`` by proximal steps.

    Parameters
    ----------
    f, A, lower, upper, active, tolerance
        As in `minimise_quadratic`.
    weight
        Weight of the squared distance from the point before in each step; positive. The
        smaller, the fewer steps; too small costs accuracy.

    Returns
    -------
    QPSolution

    Raises
    ------
    SolverInputError
        If the shapes do not fit.
    """
    settings = {"primal_tol": tolerance, "eps_prox": weight}
    return _solve(None, _vector(f), A, lower, upper, active, settings)


def _vector(values: npt.ArrayLike) -> Floats:
    vector = np.ascontiguousarray(values, dtype=np.float64)
    if vector.ndim != 1:
        raise SolverInputError(
            f"a quadratic program got a vector of shape {vector.shape}; expected one axis."
        )
    return vector


def _completed_square(hessian: Floats, linear: Floats) -> float | None:
    """``f.inv(H).f / 2``, by which the objective is above minus its smallest value; None if H is singular."""
    try:
        factor = np.linalg.cholesky(hessian)
    except np.linalg.LinAlgError:
        return None
    diagonal = np.abs(np.diagonal(factor))
    if diagonal.min(initial=np.inf) <= 1e-6 * diagonal.max(initial=0.0):
        return None  # daqp may take such a one for singular
    half = np.linalg.solve(factor, linear)
    return float(half @ half) / 2.0


def _usable(hessian: Floats | None, *arrays: Floats) -> bool:
    """Whether all numbers of a program are finite, and so small that their sums are."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = 0.0 if hessian is None else float(hessian.sum())
        return math.isfinite(total + sum(float(each.sum()) for each in arrays))


def _solve(
    hessian: Floats | None,
    linear: Floats,
    A: npt.ArrayLike,
    lower: npt.ArrayLike,
    upper: npt.ArrayLike,
    active: npt.ArrayLike | None,
    settings: dict[str, float],
) -> QPSolution:
    rows = np.ascontiguousarray(A, dtype=np.float64)
    low = np.clip(_vector(lower), -_INFINITE, _INFINITE)
    high = np.clip(_vector(upper), -_INFINITE, _INFINITE)
    simple = len(low) - len(rows)
    if rows.ndim != 2 or rows.shape[1] != len(linear) or high.shape != low.shape:
        raise SolverInputError(
            f"a quadratic program of {len(linear)} variables got A of shape {rows.shape} and sides of "
            f"lengths {len(low)} and {len(high)}; expected (m, {len(linear)}) and equal lengths."
        )
    if not 0 <= simple <= len(linear):
        raise SolverInputError(
            f"a quadratic program of {len(linear)} variables and {len(rows)} rows got {len(low)} sides; "
            f"expected {len(rows)} to {len(rows) + len(linear)}, simple bounds first."
        )
    if (low > high).any():
        return QPSolution(QPStatus.INFEASIBLE, np.nan, None, None, 0)
    if not _usable(hessian, linear, rows, low, high):
        # daqp takes such numbers for numbers, and may never come back.
        return QPSolution(QPStatus.FAILED, np.nan, None, None, 0)
    sense = np.zeros(len(low), dtype=np.int32)
    if "rho_soft" in settings:
        sense[simple:] = _SOFT
    if active is not None:
        signs = _vector(active)
        if signs.shape != low.shape:
            raise SolverInputError(
                f"a quadratic program of {len(low)} sides got an active set of {len(signs)}; expected one "
                "sign for each side."
            )
        sense[(signs > 0) & (high < _INFINITE)] |= _ACTIVE
        sense[(signs < 0) & (low > -_INFINITE)] |= _ACTIVE | _LOWER
    n, m = len(linear), len(rows)
    if n * n * (n / 3.0 + m) > _MOST_PREPARING:
        return QPSolution(QPStatus.TOO_LONG, np.nan, None, None, 0)
    steps = int(min(_MOST_STEPS, _MOST_WORK / (n * (n + m) + 1.0)))
    settings = {"iter_limit": steps, **settings}
    point, _, flag, info = daqp.solve(hessian, linear, rows, high, low, sense, **settings)
    if flag == -6 and active is not None:  # more sides than fit together: start from none
        return _solve(hessian, linear, rows, low, high, None, settings)
    status = _STATUSES.get(int(flag), QPStatus.FAILED)
    if status is QPStatus.INFEASIBLE and "fval_bound" in settings:
        status = QPStatus.LIMIT_PASSED
    x = np.asarray(point, dtype=np.float64)
    # Its own value has the proximal term in it.
    value = float(linear @ x) + (0.0 if hessian is None else float(x @ hessian @ x) / 2.0)
    if status is QPStatus.OPTIMAL and not np.isfinite(value):
        status = QPStatus.FAILED
    iterations = int(info["iterations"])
    if status is not QPStatus.OPTIMAL:
        return QPSolution(status, np.nan, None, None, iterations)
    return QPSolution(status, value, x, np.asarray(info["lam"], dtype=np.float64), iterations)
