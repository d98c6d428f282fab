"""A guess of the optimal basis of a linear program, in plain floats.

The active-set simplex of `solvers.lp.exact`, run in floating point: it proves
nothing, may stop anywhere, and only spares the exact solver its pivots.

Guarantee: heuristic. Whoever uses a guess checks it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BasisGuess", "guess_basis"]

_TOLERANCE = 1e-10
_PIVOT = 1e-9  # a rate or a pivot below this is taken for zero (rows have unit length)


@dataclass(frozen=True)
class BasisGuess:
    """A guessed set of rows that are tight at the optimum, or that contradict each other.

    Attributes
    ----------
    rows
        Indices of rows: as many as there are variables, or a few more if `infeasible`.
    infeasible
        True if the rows are thought to admit no common point.
    """

    rows: tuple[int, ...]
    infeasible: bool


def guess_basis(
    objective: NDArray[np.float64], rows: NDArray[np.float64], rhs: NDArray[np.float64]
) -> BasisGuess | None:
    """Guess the basis at which ``max objective·y, rows·y <= rhs`` stops.

    Parameters
    ----------
    objective
        Shape (n,).
    rows, rhs
        Shapes (m, n) and (m,).

    Returns
    -------
    BasisGuess or None
        None if no n independent rows are found in floating point.
    """
    if len(rows) < rows.shape[1]:
        return None
    length = np.sqrt((rows * rows).sum(axis=1))
    length[length == 0.0] = 1.0
    unit = rows / length[:, None]
    side = rhs / length
    reach = float(np.abs(side).max(initial=0.0))
    if reach > 0.0:
        side = side / reach
    if not (np.isfinite(unit).all() and np.isfinite(side).all() and np.isfinite(objective).all()):
        return None
    size = float(np.abs(objective).max(initial=0.0))
    target = objective / size if size > 0.0 else objective
    start = _independent_rows(unit)
    if start is None:
        return None
    slack = _slacks(unit, side, start)
    if slack is None:
        return None
    if slack.min() < -_TOLERANCE:
        feasible = _phase_one(unit, side, start, slack)
        if feasible.infeasible or len(feasible.rows) < rows.shape[1]:
            return feasible
        start = list(feasible.rows)
    return BasisGuess(tuple(_primal(unit, side, target, start, stop_row=-1)), infeasible=False)


def _independent_rows(unit: NDArray[np.float64]) -> list[int] | None:
    """Choose n rows far from dependent, by elimination with complete pivoting."""
    left = unit.copy()
    chosen: list[int] = []
    for _ in range(unit.shape[1]):
        row, column = divmod(int(np.abs(left).argmax()), unit.shape[1])
        pivot = left[row, column]
        if abs(pivot) < _PIVOT:
            return None
        chosen.append(row)
        left = left - np.outer(left[:, column] / pivot, left[row])
        left[chosen] = 0.0
    return chosen


def _slacks(
    unit: NDArray[np.float64], side: NDArray[np.float64], basis: list[int]
) -> NDArray[np.float64] | None:
    """Slack of every row at the vertex of the basis, zero on the basis itself."""
    try:
        slack = side - unit @ np.linalg.solve(unit[basis], side[basis])
    except np.linalg.LinAlgError:
        return None
    slack[basis] = 0.0
    return slack


def _phase_one(
    unit: NDArray[np.float64], side: NDArray[np.float64], basis: list[int], slack: NDArray[np.float64]
) -> BasisGuess:
    """Lift the rows outside the basis by t <= 0 and raise t to zero."""
    count, size = unit.shape
    lifted = np.zeros((count + 1, size + 1))
    lifted[:count, :size] = unit
    lifted[:, size] = 1.0
    lifted[basis, size] = 0.0
    bound = np.append(side, 0.0)
    target = np.zeros(size + 1)
    target[size] = 1.0
    end = _primal(lifted, bound, target, [*basis, int(slack.argmin())], stop_row=count)
    kept = tuple(row for row in end if row != count)
    return BasisGuess(kept, infeasible=count not in end)


def _primal(
    rows: NDArray[np.float64],
    rhs: NDArray[np.float64],
    objective: NDArray[np.float64],
    basis: list[int],
    *,
    stop_row: int,
) -> list[int]:
    """Walk from vertex to vertex while the objective grows; stop where it does not, or at `stop_row`."""
    basis = list(basis)
    for _ in range(20 + 4 * len(rows)):
        try:
            inverse = np.linalg.inv(rows[basis])
        except np.linalg.LinAlgError:
            return basis
        multipliers = objective @ inverse
        leaving = int(multipliers.argmin())
        if multipliers[leaving] >= -_TOLERANCE:
            return basis
        rates = rows @ -inverse[:, leaving]
        rates[basis] = 0.0
        slack = np.maximum(rhs - rows @ (inverse @ rhs[basis]), 0.0)
        blocking = np.flatnonzero(rates > _PIVOT)
        if len(blocking) == 0:
            return basis
        steps = slack[blocking] / rates[blocking]
        nearest = blocking[steps <= steps.min() + _TOLERANCE]
        basis[leaving] = int(nearest[rates[nearest].argmax()])
        if stop_row in nearest:
            basis[leaving] = stop_row
            return basis
    return basis
