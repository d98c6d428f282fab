"""Scaling by powers of two, so that a solver's absolute tolerances mean the same everywhere.

Guarantee: no number is rounded (barring underflow), so the scaled program has the same
solutions as the one that came, up to the factors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solvers.milp.program import Floats, MixedProgram, Row

_MOST = 900.0
_OBJECTIVE = 1024.0


def power_of_two(sizes: Floats) -> Floats:
    """Powers of two just above each size; 1 where it is zero or infinite."""
    usable = np.isfinite(sizes) & (sizes > 0.0)
    exponents = np.frexp(np.where(usable, sizes, 0.5))[1]
    return np.asarray(2.0 ** np.clip(exponents, -_MOST, _MOST), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class ScaledProgram:
    """A program whose columns reach to about 1 and whose rows have coefficients up to about 1.

    Attributes
    ----------
    program
        The scaled program.
    columns
        Factors (n,): ``x = columns * scaled x``; 1 for whole numbers.
    cost
        Factor of the objective: ``objective = cost * scaled objective``.
    """

    program: MixedProgram
    columns: Floats
    cost: float

    def inward(self, point: Floats) -> Floats:
        """Scaled point of a point (n,) of the program that came."""
        return point / self.columns

    def outward(self, point: Floats) -> Floats:
        """Point of the program that came, of a scaled point (n,)."""
        return point * self.columns


def scale(program: MixedProgram, typical_cost: float = 0.0) -> ScaledProgram:
    """Scale columns by their bounds, rows by their largest coefficient, the objective by its size.

    Parameters
    ----------
    program : MixedProgram
    typical_cost : float
        Size of the objective that is expected; it becomes about 1000, so that absolute tolerances
        of solvers are small beside it. If 0, the largest cost becomes about 1.
    """
    reach = np.maximum(np.abs(program.lower), np.abs(program.upper))
    columns = np.where(program.integer, 1.0, power_of_two(reach))
    rows = tuple(_scaled_row(row, columns[row.columns]) for row in program.rows)
    objective = program.objective * columns
    size = abs(typical_cost) / _OBJECTIVE if typical_cost else float(np.max(np.abs(objective), initial=0.0))
    cost = float(power_of_two(np.array([size]))[0])
    scaled = MixedProgram(
        objective / cost, program.lower / columns, program.upper / columns, program.integer, rows
    )
    return ScaledProgram(scaled, columns, cost)


def _scaled_row(row: Row, columns: Floats) -> Row:
    coefficients = row.coefficients * columns
    factor = float(power_of_two(np.array([np.max(np.abs(coefficients), initial=0.0)]))[0])
    return Row(row.columns, coefficients / factor, row.lower / factor, row.upper / factor)
