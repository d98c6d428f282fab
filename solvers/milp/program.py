"""A mixed-integer linear program as arrays, and what is known of it once solved.

Minimise ``objective @ x`` over ``lower <= x <= upper``, ``row_lower <= A x <= row_upper``,
some of the columns being whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from solvers.errors import SolverInputError
from solvers.status import KeyedEnum

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]
_Scalar = TypeVar("_Scalar", np.float64, np.bool_)


@dataclass(frozen=True, eq=False)
class Row:
    """One linear row, ``lower <= coefficients @ x[columns] <= upper``; a side may be infinite."""

    columns: Integers
    coefficients: Floats
    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class MixedProgram:
    """A mixed-integer linear program, to be minimised.

    Attributes
    ----------
    objective
        Cost of each column, (n,).
    lower, upper
        Bounds of each column, (n,); infinite for none.
    integer
        Which columns are whole numbers, (n,).
    rows
        The linear rows.
    """

    objective: Floats
    lower: Floats
    upper: Floats
    integer: Booleans
    rows: tuple[Row, ...]

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return len(self.objective)

    def violation(self, point: npt.ArrayLike) -> float:
        """Largest violation of a bound, of a row or of wholeness at a point (n,), rounded."""
        x = np.asarray(point, dtype=np.float64)
        worst = max(float(np.max(self.lower - x, initial=0.0)), float(np.max(x - self.upper, initial=0.0)))
        whole = x[self.integer]
        worst = max(worst, float(np.max(np.abs(whole - np.round(whole)), initial=0.0)))
        for row in self.rows:
            value = float(row.coefficients @ x[row.columns])
            worst = max(worst, row.lower - value, value - row.upper)
        return worst


class ProgramBuilder:
    """Collects columns and rows, and makes a `MixedProgram` of them."""

    def __init__(self) -> None:
        self._objective: list[Floats] = []
        self._lower: list[Floats] = []
        self._upper: list[Floats] = []
        self._integer: list[Booleans] = []
        self._rows: list[Row] = []
        self._n_columns = 0

    @property
    def n_columns(self) -> int:
        """Number of columns so far."""
        return self._n_columns

    def columns(
        self, lower: npt.ArrayLike, upper: npt.ArrayLike, *, cost: float = 0.0, integer: bool = False
    ) -> Integers:
        """Add columns, one for each pair of bounds, and return their indices.

        Parameters
        ----------
        lower, upper : array_like, shape (k,)
            Infinite for no bound.
        cost : float
            Of every one of them in the objective.
        integer : bool
            Whether they are whole numbers.

        Raises
        ------
        SolverInputError
            If a bound is NaN, or a lower one is above its upper one.
        """
        low = np.atleast_1d(np.array(lower, dtype=np.float64))
        high = np.atleast_1d(np.array(upper, dtype=np.float64))
        if low.shape != high.shape or not (low <= high).all():
            raise SolverInputError(
                f"columns got bounds of shapes {low.shape} and {high.shape}; expected pairs of a lower bound "
                "and an upper one that is not below it."
            )
        first = self._n_columns
        self._n_columns += len(low)
        self._lower.append(low)
        self._upper.append(high)
        self._objective.append(np.full(len(low), float(cost)))
        self._integer.append(np.full(len(low), integer, dtype=np.bool_))
        return np.arange(first, self._n_columns, dtype=np.int64)

    def row(
        self,
        columns: npt.ArrayLike,
        coefficients: npt.ArrayLike,
        *,
        lower: float = -np.inf,
        upper: float = np.inf,
    ) -> None:
        """Add the row ``lower <= coefficients @ x[columns] <= upper``; zero coefficients are dropped.

        Raises
        ------
        SolverInputError
            If the lengths do not fit, a column comes twice or is not known, or a number is NaN.
        """
        where = np.atleast_1d(np.array(columns, dtype=np.int64))
        values = np.atleast_1d(np.array(coefficients, dtype=np.float64))
        if where.shape != values.shape or not np.isfinite(values).all() or not lower <= upper:
            raise SolverInputError(
                f"row got {where.shape} columns, {values.shape} coefficients and sides {lower}, {upper}; "
                "expected as many finite coefficients as columns, and the lower side not above the upper one."
            )
        known = not len(where) or 0 <= where.min() <= where.max() < self._n_columns
        if len(np.unique(where)) != len(where) or not known:
            raise SolverInputError("row got a column twice, or one that was never added; expected each once.")
        kept = values != 0.0
        self._rows.append(Row(where[kept], values[kept], float(lower), float(upper)))

    def program(self) -> MixedProgram:
        """Return what was collected so far; more may be added afterwards."""
        return MixedProgram(
            _joined(self._objective, np.zeros(0)),
            _joined(self._lower, np.zeros(0)),
            _joined(self._upper, np.zeros(0)),
            _joined(self._integer, np.zeros(0, dtype=np.bool_)),
            tuple(self._rows),
        )


def _joined(parts: Sequence[npt.NDArray[_Scalar]], empty: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    return np.concatenate([empty, *parts])


class MixedStatus(KeyedEnum):
    """Why a solver stopped and what it holds; the value is the sentence to show."""

    OPTIMAL = "an optimal point was found, up to the solver's tolerances"
    FEASIBLE = "a limit stopped the solver; it holds a point that may not be optimal"
    NO_POINT = "a limit stopped the solver before it held a point"
    INFEASIBLE = "no point satisfies the rows, the bounds and wholeness, up to the solver's tolerances"
    UNBOUNDED = "the objective falls without bound"
    FAILED = "the solver stopped without an answer"


@dataclass(frozen=True, eq=False)
class MixedSolution:
    """What a solver says of a mixed-integer linear program.

    Attributes
    ----------
    status
        Why it stopped and what it holds.
    values
        The point (n,); None unless `status` is OPTIMAL or FEASIBLE. It satisfies the program
        up to the solver's tolerances only.
    objective
        Objective at the point, recomputed; infinite without one.
    bound
        The solver's own lower bound on the optimum, as it came; minus infinity where the solver
        tells none, infinite if it found the program infeasible.
    words
        The solver's own words.
    """

    status: MixedStatus
    values: Floats | None
    objective: float
    bound: float
    words: str

    @property
    def infeasible(self) -> bool:
        """Whether the solver found that no point satisfies the program."""
        return self.status is MixedStatus.INFEASIBLE
