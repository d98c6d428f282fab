"""Linear programs in rational arithmetic: exact, and always terminating.

``maximise c·y`` over free variables y with ``rows·y <= rhs``, all numbers
rational (floats are taken for the rationals they are). An active-set simplex on
integer rows: a vertex is the solution of n tight rows, one small integer inverse
per pivot. A guess of the basis (the caller's, else one in floating point) comes
first, so that mostly one vertex is solved and its signs are read.

Guarantee: exact. Termination by Bland's rule, which is in force from every
pivot of length zero until the next that makes progress.

References
----------
R. G. Bland, New finite pivoting rules for the simplex method, 1977.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from solvers.errors import SolverFailedError, SolverInputError
from solvers.lp.guess import guess_basis
from solvers.rational import (
    IntegerMatrix,
    Number,
    Scale,
    integer_matrix,
    inverse_with_denominator,
    nullspace,
    pivot_columns,
    scaled_integer_rows,
)
from solvers.status import LPStatus

__all__ = ["ExactSolution", "interior_point", "maximise", "minimise"]

Vector = NDArray[np.float64] | Sequence[Number]
Matrix = NDArray[np.float64] | Sequence[Sequence[Number]]


@dataclass(frozen=True)
class ExactSolution:
    """Outcome of an exact linear program, with its proof.

    Attributes
    ----------
    status
        OPTIMAL, UNBOUNDED or INFEASIBLE.
    value
        The optimum; None unless OPTIMAL.
    point
        A point (n,) that attains it, or a feasible point if UNBOUNDED; None if INFEASIBLE.
    multipliers
        Nonzero multipliers by row index, all > 0. OPTIMAL: they combine the rows into the
        objective (the negated one for `minimise`) and the right-hand sides into its optimum.
        INFEASIBLE: they combine the rows into zero and the right-hand sides into a negative number.
    ray
        If UNBOUNDED, a direction (n,) with ``rows·ray <= 0`` along which the objective improves.
    basis
        Indices of the independent tight rows at `point`: the hint for a similar program.
    """

    status: LPStatus
    value: Fraction | None = None
    point: tuple[Fraction, ...] | None = None
    multipliers: dict[int, Fraction] = field(default_factory=dict)
    ray: tuple[Fraction, ...] | None = None
    basis: tuple[int, ...] = ()


def maximise(
    objective: Vector, rows: Matrix, rhs: Vector, *, basis_hint: Sequence[int] | None = None
) -> ExactSolution:
    """Maximise objective·y over the free variables y with ``rows·y <= rhs``, exactly.

    Parameters
    ----------
    objective
        Numbers (n,): int, float or Fraction.
    rows, rhs
        Shapes (m, n) and (m,). Float arrays and lists of Python ints are the fast paths.
    basis_hint
        Indices of rows thought to be tight at the optimum, in any number; a wrong hint costs time only.

    Raises
    ------
    SolverInputError
        If the shapes do not fit or a number is not finite.

    Notes
    -----
    Algorithm: O(m n) integer operations for a right hint; as many again per pivot otherwise.
    """
    program, scales, factor = _integer_program(objective, rows, rhs)
    width = len(program.objective)
    start = program.start(basis_hint)
    columns = list(range(width))
    rays: list[list[int]] = []
    if start is None:
        # The rows leave some direction free: fix coordinates that the others determine to zero.
        rays = nullspace(integer_matrix([row[:-1] for row in program.rows], width))
        columns = pivot_columns(integer_matrix([row[:-1] for row in program.rows], width))
        program, target = program.restricted(columns), program.objective
        free = next((v for v in rays if sum(a * b for a, b in zip(v, target, strict=True))), None)
        if free is not None:
            ascent = sum(a * b for a, b in zip(free, target, strict=True))
            found = _Program(program.rows, [0] * len(columns)).run(program.independent_rows(()))
            found.ray = [entry if ascent > 0 else -entry for entry in free]
            return _solution(found, scales, factor, columns, width)
        start = program.independent_rows(basis_hint or ())
    return _solution(program.run(start), scales, factor, columns, width)


def minimise(
    objective: Vector, rows: Matrix, rhs: Vector, *, basis_hint: Sequence[int] | None = None
) -> ExactSolution:
    """Minimise objective·y over ``rows·y <= rhs``, exactly; see `maximise`."""
    found = maximise([-entry for entry in objective], rows, rhs, basis_hint=basis_hint)
    if found.value is None:
        return found
    return ExactSolution(found.status, -found.value, found.point, found.multipliers, found.ray, found.basis)


def interior_point(rows: Matrix, rhs: Vector) -> tuple[Fraction, ...] | None:
    """Return a point with ``rows·y < rhs`` in every row, exactly; None if there is none.

    The least slack, measured in units of each row's size, is made as large as possible up to 1.
    A row of zeros is satisfied strictly only if its right-hand side is positive.
    """
    count = len(rows)
    width = len(rows[0]) if count else 0
    integers, _ = scaled_integer_rows(_beside(rows, rhs))
    lifted = []
    for row in integers:
        # A power of two near the row's largest entry: slacks are then about distances.
        size = max((abs(entry) for entry in row[:-1]), default=0)
        lifted.append([*row[:-1], 1 << max(size.bit_length() - 1, 0), row[-1]])
    lifted.append([0] * width + [1, 1])
    best = maximise([0] * width + [1], [row[:-1] for row in lifted], [row[-1] for row in lifted])
    if best.value is None or best.point is None or best.value <= 0:
        return None
    return best.point[:-1]


# --- the program over integers --------------------------------------------------------------


@dataclass
class _Found:
    """Outcome over integer rows; numerators stand over `denominator` > 0."""

    status: LPStatus
    basis: list[int]
    point: list[int] = field(default_factory=list)
    denominator: int = 1
    value: Fraction = Fraction(0)
    multipliers: dict[int, Fraction] = field(default_factory=dict)
    ray: list[int] | None = None


@dataclass
class _Vertex:
    """The solution of n tight rows."""

    inverse: IntegerMatrix
    denominator: int
    point: IntegerMatrix  # (n, 1), over the denominator
    slacks: list[int]  # over the denominator


class _Program:
    """maximise objective·y over rows[:, :-1]·y <= rows[:, -1], all integers."""

    def __init__(self, rows: list[list[int]], objective: list[int]) -> None:
        self.rows = rows
        self.objective = objective
        self.width = len(objective)
        self.table = integer_matrix(rows, self.width + 1)
        self._last: tuple[list[int], _Vertex] | None = None
        self._refutation: _Found | None = None

    def restricted(self, columns: list[int]) -> _Program:
        """Keep some variables and set the others to zero."""
        rows = [[*(row[j] for j in columns), row[-1]] for row in self.rows]
        return _Program(rows, [self.objective[j] for j in columns])

    def vertex(self, basis: Sequence[int]) -> _Vertex | None:
        """Solve the rows of the basis as equations; None if they are dependent."""
        if self._last is not None and self._last[0] == list(basis):
            return self._last[1]
        solved = inverse_with_denominator(integer_matrix([self.rows[i][:-1] for i in basis], self.width))
        if solved is None:
            return None
        inverse, denominator = solved
        point = inverse * integer_matrix([self.rows[i][-1:] for i in basis], 1)
        against = integer_matrix([[-int(x)] for x in point.entries()] + [[denominator]], 1)
        slacks = [int(x) for x in (self.table * against).entries()]
        vertex = _Vertex(inverse, denominator, point, slacks)
        self._last = list(basis), vertex
        return vertex

    def known_vertex(self, basis: list[int]) -> _Vertex:
        """Solve the rows of a basis that is known to be independent."""
        vertex = self.vertex(basis)
        if vertex is None:
            raise SolverFailedError(
                f"the exact simplex reached dependent rows {basis}, which its pivots exclude: "
                "please report it."
            )
        return vertex

    def start(self, hint: Sequence[int] | None) -> list[int] | None:
        """Return a basis to start from: the hint, else a guess in floats; None if rows lack rank."""
        if hint is not None and len(hint) == self.width:
            vertex = self.vertex(hint) if all(0 <= i < len(self.rows) for i in hint) else None
            if vertex is not None and min(vertex.slacks, default=0) >= 0:
                return list(hint)
        matrix = _to_floats(self.rows, self.width + 1)
        guess = guess_basis(_to_floats([self.objective], self.width)[0], matrix[:, :-1], matrix[:, -1])
        if guess is not None:
            if guess.infeasible:
                self._refutation = self._refuted_by(guess.rows)
            square = len(guess.rows) == self.width
            if self._refutation is not None or (square and self.vertex(guess.rows) is not None):
                return list(guess.rows)
            hint = guess.rows
        basis = self.independent_rows(hint or ())
        return basis if len(basis) == self.width else None

    def independent_rows(self, preferred: Sequence[int]) -> list[int]:
        """Return a greedy choice of independent rows, the preferred ones first."""
        first = list(dict.fromkeys(i for i in preferred if 0 <= i < len(self.rows)))
        taken = set(first)
        order = first + [i for i in range(len(self.rows)) if i not in taken]
        stacked = integer_matrix([self.rows[i][:-1] for i in order], self.width)
        return [order[j] for j in pivot_columns(stacked.transpose())]

    def _refuted_by(self, rows: Sequence[int]) -> _Found | None:
        """Return multipliers that make 0 <= negative number of the rows, if there is one choice."""
        stacked = integer_matrix([self.rows[i][:-1] for i in rows], self.width)
        combinations = nullspace(stacked.transpose())
        if len(combinations) != 1:
            return None
        weights = combinations[0]
        if max(weights) <= 0:
            weights = [-weight for weight in weights]
        side = sum(weight * self.rows[i][-1] for weight, i in zip(weights, rows, strict=True))
        if min(weights) < 0 or side >= 0:
            return None
        multipliers = {i: Fraction(weight) for weight, i in zip(weights, rows, strict=True) if weight}
        return _Found(LPStatus.INFEASIBLE, sorted(multipliers), multipliers=multipliers)

    def run(self, basis: list[int]) -> _Found:
        """Solve from a basis of `width` independent rows."""
        if self._refutation is not None:
            return self._refutation
        if self.width == 0:
            return self._without_variables()
        vertex = self.known_vertex(basis)
        if min(vertex.slacks) < 0:
            found = self._phase_one(basis, vertex)
            if found.status is LPStatus.INFEASIBLE:
                return found
            basis = found.basis
        return self._primal(basis, stop_row=-1)

    def _without_variables(self) -> _Found:
        for i, row in enumerate(self.rows):
            if row[-1] < 0:
                return _Found(LPStatus.INFEASIBLE, [], multipliers={i: Fraction(1)})
        return _Found(LPStatus.OPTIMAL, [])

    def _phase_one(self, basis: list[int], vertex: _Vertex) -> _Found:
        """Find a feasible basis, or multipliers that show that there is none.

        The rows outside the basis are relaxed by a variable t <= 0 (row 0 of the lifted
        program): the vertex with t = its least slack is feasible there, and t is maximised.
        """
        tight = set(basis)
        lifted = [[0] * self.width + [1, 0]]
        lifted += [[*row[:-1], 0 if i in tight else 1, row[-1]] for i, row in enumerate(self.rows)]
        worst = min(range(len(self.rows)), key=vertex.slacks.__getitem__)
        program = _Program(lifted, [0] * self.width + [1])
        found = program._primal([i + 1 for i in basis] + [worst + 1], stop_row=0)
        if 0 in found.basis:
            return _Found(LPStatus.OPTIMAL, [i - 1 for i in found.basis if i != 0])
        multipliers = {i - 1: value for i, value in found.multipliers.items()}
        return _Found(LPStatus.INFEASIBLE, sorted(multipliers), multipliers=multipliers)

    def _primal(self, basis: list[int], *, stop_row: int) -> _Found:
        """Walk from a feasible vertex to an optimal one, or until `stop_row` becomes tight."""
        basis = list(basis)
        target = integer_matrix([self.objective], self.width)
        bland = False
        while True:
            vertex = self.known_vertex(basis)
            prices = (target * vertex.inverse).entries()
            falling = [k for k, price in enumerate(prices) if price < 0]
            if not falling or stop_row in basis:
                multipliers = {
                    basis[k]: Fraction(int(price), vertex.denominator)
                    for k, price in enumerate(prices)
                    if price > 0
                }
                value = Fraction(int((target * vertex.point)[0, 0]), vertex.denominator)
                point = [int(x) for x in vertex.point.entries()]
                return _Found(LPStatus.OPTIMAL, basis, point, vertex.denominator, value, multipliers)
            choose = basis.__getitem__ if bland else prices.__getitem__
            leaving = min(falling, key=choose)
            direction = [-int(vertex.inverse[i, leaving]) for i in range(self.width)]
            entering = self._blocking_row(vertex, direction)
            if entering is None:
                point = [int(x) for x in vertex.point.entries()]
                return _Found(LPStatus.UNBOUNDED, basis, point, vertex.denominator, ray=direction)
            bland = vertex.slacks[entering] == 0
            basis[leaving] = entering

    def _blocking_row(self, vertex: _Vertex, direction: list[int]) -> int | None:
        """Return the first row that a move along the direction meets, the lowest index of several."""
        column = integer_matrix([[x] for x in [*direction, 0]], 1)
        best, best_slack, best_rate = None, 0, 1
        for i, (slack, entry) in enumerate(zip(vertex.slacks, (self.table * column).entries(), strict=True)):
            if entry > 0:
                rate = int(entry)
                if best is None or slack * best_rate < best_slack * rate:
                    best, best_slack, best_rate = i, slack, rate
        return best


# --- in and out -------------------------------------------------------------------------------


def _beside(rows: Matrix, rhs: Vector) -> Matrix:
    """Put the right-hand sides beside the rows, and check that the shapes fit."""
    widths = {len(row) for row in rows}
    if len(rows) != len(rhs) or len(widths) > 1:
        raise SolverInputError(
            f"an exact linear program got {len(rows)} rows of widths {sorted(widths)} and {len(rhs)} "
            "right-hand sides; expected one width and as many right-hand sides as rows."
        )
    if isinstance(rows, np.ndarray) and isinstance(rhs, np.ndarray) and rows.dtype == rhs.dtype == np.float64:
        return np.column_stack([rows, rhs])
    plain = rows.tolist() if isinstance(rows, np.ndarray) else rows
    return [[*row, side] for row, side in zip(plain, rhs, strict=True)]


def _integer_program(objective: Vector, rows: Matrix, rhs: Vector) -> tuple[_Program, list[Scale], Scale]:
    """Scale everything to integers; the factors of the rows and of the objective come along."""
    if len(rows) and len(rows[0]) != len(objective):
        raise SolverInputError(
            f"an exact linear program got an objective of length {len(objective)} and rows of length "
            f"{len(rows[0])}; expected the same length."
        )
    integers, scales = scaled_integer_rows(_beside(rows, rhs))
    targets, factors = scaled_integer_rows([list(objective)])
    return _Program(integers, targets[0]), scales, factors[0]


def _to_floats(rows: list[list[int]], columns: int) -> NDArray[np.float64]:
    """Round every row, divided by its largest entry, to floats."""
    try:
        floats = np.array([[float(entry) for entry in row] for row in rows], dtype=np.float64)
    except OverflowError:
        shifts = [max(max(entry.bit_length() for entry in row) - 1000, 0) for row in rows]
        floats = np.array(
            [[float(entry >> shift) for entry in row] for row, shift in zip(rows, shifts, strict=True)]
        )
    floats = floats.reshape(len(rows), columns)
    size = np.abs(floats).max(axis=1, initial=0.0, keepdims=True)
    return floats / np.where(size > 0.0, size, 1.0)


def _solution(
    found: _Found, scales: list[Scale], factor: Scale, columns: list[int], width: int
) -> ExactSolution:
    """Undo the scaling to integers and put the fixed coordinates back."""
    basis = tuple(found.basis)
    multipliers = {
        i: value * Fraction(scales[i][0] * factor[1], scales[i][1] * factor[0])
        for i, value in found.multipliers.items()
    }
    if found.status is LPStatus.INFEASIBLE:
        return ExactSolution(found.status, multipliers=multipliers, basis=basis)
    point = [Fraction(0)] * width
    for j, numerator in zip(columns, found.point, strict=True):
        point[j] = Fraction(numerator, found.denominator)
    if found.ray is None:
        value = found.value * Fraction(factor[1], factor[0])
        return ExactSolution(found.status, value, tuple(point), multipliers, None, basis)
    ray = [Fraction(0)] * width
    for j, entry in zip(columns if len(found.ray) < width else range(width), found.ray, strict=True):
        ray[j] = Fraction(entry)
    return ExactSolution(LPStatus.UNBOUNDED, None, tuple(point), {}, tuple(ray), basis)
