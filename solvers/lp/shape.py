"""Shape of a polyhedron {y : G y <= h}: empty, bounded, full-dimensional or not.

Guarantee: exact decisions for the floats (or integers, or fractions) given. The
exact simplex decides, from a basis guessed in floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from solvers.errors import SolverInputError
from solvers.lp.exact import interior_point, maximise
from solvers.rational import Number, integer_matrix, scaled_integer_rows
from solvers.status import LPStatus

__all__ = ["is_bounded", "is_empty", "is_full_dimensional", "strict_point"]

Vector = NDArray[np.float64] | Sequence[Number]
Matrix = NDArray[np.float64] | Sequence[Sequence[Number]]


def _integers(matrix: Matrix, rhs: Vector, where: str) -> tuple[list[list[int]], list[int], int]:
    """Scale the rows to integers; the number of variables comes along."""
    if len(matrix) != len(rhs):
        raise SolverInputError(
            f"{where} got {len(matrix)} rows and {len(rhs)} right-hand sides; expected as many."
        )
    width = len(matrix[0]) if len(matrix) else 0
    if isinstance(matrix, np.ndarray) and matrix.ndim == 2:
        width = matrix.shape[1]
    if (
        isinstance(matrix, np.ndarray)
        and isinstance(rhs, np.ndarray)
        and matrix.dtype == rhs.dtype == np.float64
    ):
        integers, _ = scaled_integer_rows(np.column_stack([matrix, rhs]))
    else:
        integers, _ = scaled_integer_rows([[*row, side] for row, side in zip(matrix, rhs, strict=True)])
    return [row[:-1] for row in integers], [row[-1] for row in integers], width


def is_empty(matrix: Matrix, rhs: Vector) -> bool:
    """Tell whether no point satisfies ``matrix @ y <= rhs``, exactly.

    Parameters
    ----------
    matrix, rhs
        Shapes (m, n) and (m,).
    """
    rows, side, width = _integers(matrix, rhs, "is_empty")
    return maximise([0] * width, rows, side).status is LPStatus.INFEASIBLE


def is_bounded(matrix: Matrix, rhs: Vector) -> bool:
    """Tell whether ``{y : matrix @ y <= rhs}`` is bounded, exactly; the empty set is.

    Parameters
    ----------
    matrix, rhs
        Shapes (m, n) and (m,); without rows, pass an array so that n is known.

    Notes
    -----
    Algorithm: a non-empty polyhedron is bounded iff its recession cone ``matrix @ d <= 0`` is the
    origin alone, that is iff the rows span the space and the sum of ``-matrix @ d`` is zero on the
    cone. One exact linear program, and a second one for emptiness if the cone is larger.
    """
    rows, side, width = _integers(matrix, rhs, "is_bounded")
    if width == 0:
        return True
    if integer_matrix(rows, width).rank() == width:
        fall = [-sum(column) for column in zip(*rows, strict=True)]
        # The row fall·d <= 1 keeps the program bounded: its optimum is 0 or 1.
        best = maximise(fall, [*rows, fall], [0] * len(rows) + [1])
        if best.value == 0:
            return True
    return maximise([0] * width, rows, side).status is LPStatus.INFEASIBLE


def strict_point(matrix: Matrix, rhs: Vector) -> tuple[Fraction, ...] | None:
    """Return an interior point (n,) of ``{y : matrix @ y <= rhs}``, exact; None if there is none.

    Rows of zeros are conditions on the right-hand side alone: ``0 <= 0`` takes nothing from the interior.

    Parameters
    ----------
    matrix, rhs
        Shapes (m, n) and (m,); without rows, pass an array so that n is known.
    """
    rows, side, width = _integers(matrix, rhs, "strict_point")
    if any(h < 0 for row, h in zip(rows, side, strict=True) if not any(row)):
        return None
    kept = [(row, h) for row, h in zip(rows, side, strict=True) if any(row)]
    if not kept:
        return (Fraction(0),) * width
    return interior_point([row for row, _ in kept], [h for _, h in kept])


def is_full_dimensional(matrix: Matrix, rhs: Vector) -> bool:
    """Tell whether ``{y : matrix @ y <= rhs}`` has an interior, exactly.

    Parameters
    ----------
    matrix, rhs
        Shapes (m, n) and (m,); without rows, pass an array so that n is known.
    """
    return strict_point(matrix, rhs) is not None
