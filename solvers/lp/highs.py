"""Linear programs in floating point by HiGHS, through SciPy.

Guarantee: heuristic. The answers hold up to the solver's tolerances (about 1e-7 on
rows of unit length); exact decisions are made in `solvers.lp.exact`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.errors import (
    EmptyPolyhedronError,
    SolverFailedError,
    SolverInputError,
    UnboundedError,
)
from solvers.status import LPStatus

__all__ = ["FloatSolution", "chebyshev_centre", "maximise_float"]

_STATUSES = {0: LPStatus.OPTIMAL, 2: LPStatus.INFEASIBLE, 3: LPStatus.UNBOUNDED}


@dataclass(frozen=True, eq=False)
class FloatSolution:
    """Outcome of a linear program in floating point.

    Attributes
    ----------
    status
        Why the solver stopped.
    value
        The optimum; NaN unless OPTIMAL.
    point
        Shape (n,); None unless OPTIMAL.
    multipliers
        Shape (m,), nonnegative, one per row of G; None unless OPTIMAL.
    message
        The solver's own words.
    """

    status: LPStatus
    value: float
    point: NDArray[np.float64] | None
    multipliers: NDArray[np.float64] | None
    message: str


def _checked(
    matrix: ArrayLike, rhs: ArrayLike, where: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows, side = np.asarray(matrix, dtype=np.float64), np.asarray(rhs, dtype=np.float64)
    if rows.ndim != 2 or side.shape != rows.shape[:1]:
        raise SolverInputError(
            f"{where} got G of shape {rows.shape} and h of shape {side.shape}; expected (m, n) and (m,)."
        )
    if not (np.isfinite(rows).all() and np.isfinite(side).all()):
        raise SolverInputError(
            f"{where} got NaN or an infinity in G or h; expected finite numbers: drop rows that never bind."
        )
    return rows, side


def _unit_rows(
    rows: NDArray[np.float64], side: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Scale rows to unit length (zero rows stay); the lengths come along."""
    largest = np.abs(rows).max(axis=1, initial=0.0)
    largest[largest == 0.0] = 1.0
    length = largest * np.linalg.norm(rows / largest[:, None], axis=1)
    length[length == 0.0] = 1.0
    return rows / length[:, None], side / length, length


def maximise_float(
    objective: ArrayLike,
    matrix: ArrayLike,
    rhs: ArrayLike,
    bounds: Sequence[tuple[float | None, float | None]] | None = None,
) -> FloatSolution:
    """Maximise objective·y over ``matrix @ y <= rhs`` by HiGHS.

    Parameters
    ----------
    objective
        Shape (n,).
    matrix, rhs
        Shapes (m, n) and (m,).
    bounds
        Pairs (low, high), one per variable, None for no bound; all variables are free by default.

    Raises
    ------
    SolverInputError
        If the shapes do not fit or a number is not finite.

    Notes
    -----
    Rows are scaled to unit length and the coordinates by one power of two, so that the solver's
    absolute tolerances act alike at every scale of the data.
    """
    from scipy.optimize import linprog  # a heavy import, paid by those who solve in floats

    rows, side = _checked(matrix, rhs, "maximise_float")
    target = np.asarray(objective, dtype=np.float64)
    if target.shape != rows.shape[1:] or not np.isfinite(target).all():
        raise SolverInputError(
            f"maximise_float got an objective of shape {target.shape}; "
            f"expected {rows.shape[1:]} finite numbers."
        )
    rows, side, length = _unit_rows(rows, side)
    reach = _power_of_two(side)
    steep = _power_of_two(target)
    limits = [
        (None if low is None else low / reach, None if high is None else high / reach)
        for low, high in (bounds if bounds is not None else [(None, None)] * len(target))
    ]
    found = linprog(-target / steep, A_ub=rows, b_ub=side / reach, bounds=limits, method="highs")
    status = _STATUSES.get(int(found.status), LPStatus.FAILED)
    if status is not LPStatus.OPTIMAL:
        return FloatSolution(status, float("nan"), None, None, str(found.message))
    point = np.asarray(found.x, dtype=np.float64) * reach
    multipliers = np.maximum(-np.asarray(found.ineqlin.marginals, dtype=np.float64), 0.0) * steep / length
    return FloatSolution(status, float(target @ point), point, multipliers, str(found.message))


def _power_of_two(values: NDArray[np.float64]) -> float:
    """Power of two near the largest size (1 if all vanish)."""
    largest = float(np.abs(values).max(initial=0.0))
    return float(2.0 ** np.clip(np.frexp(largest)[1], -1000, 1000)) if largest > 0.0 else 1.0


def chebyshev_centre(matrix: ArrayLike, rhs: ArrayLike) -> tuple[NDArray[np.float64], float]:
    """Centre and radius of a largest ball in ``{y : matrix @ y <= rhs}``, rounded.

    Parameters
    ----------
    matrix, rhs
        Shapes (m, n) and (m,).

    Returns
    -------
    centre : ndarray
        Shape (n,).
    radius : float
        Not negative; zero (or about the tolerance) if the polyhedron has no interior.

    Raises
    ------
    EmptyPolyhedronError
        If no point satisfies the rows.
    UnboundedError
        If balls of any size fit.
    SolverFailedError
        If HiGHS gives up.
    """
    rows, side, _ = _unit_rows(*_checked(matrix, rhs, "chebyshev_centre"))
    width = rows.shape[1]
    lifted = np.column_stack([rows, (np.abs(rows).max(axis=1, initial=0.0) > 0.0).astype(np.float64)])
    target = np.append(np.zeros(width), 1.0)
    bounds: list[tuple[float | None, float | None]] = [(None, None)] * width + [(0.0, None)]
    found = maximise_float(target, lifted, side, bounds)
    if found.point is not None:
        return found.point[:width], float(found.point[width])
    if found.status is LPStatus.INFEASIBLE:
        raise EmptyPolyhedronError(
            f"chebyshev_centre got {len(rows)} rows that no point satisfies; expected a non-empty polyhedron."
        )
    if found.status is LPStatus.UNBOUNDED:
        raise UnboundedError(
            f"chebyshev_centre got a polyhedron of {len(rows)} rows that holds balls of any size; "
            "expected a bounded one: add bounds."
        )
    raise SolverFailedError(f"HiGHS found no Chebyshev centre of {len(rows)} rows: {found.message}.")
