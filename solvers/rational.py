"""Floats as exact rationals: integer rows, dyadic matrices, solving, rank, rounding.

Every finite float64 is an integer times a power of two, so a matrix of floats
is an integer matrix times one power of two (`DyadicMatrix`), and a row that
matters only up to a positive factor is a row of coprime integers
(`exact_rows_to_integers`, from `solvers.integers`). This is the only module that
imports python-flint; others hold its matrices under the name `IntegerMatrix`.

Guarantee: everything here is exact, except the functions that say that they
round, and those round correctly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias, cast

import flint
import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.errors import SolverInputError
from solvers.integers import (
    Number,
    Scale,
    as_fraction,
    dyadic_to_float,
    exact_float64,
    exact_rows_to_integers,
    float_to_integers,
    round_outward,
    scaled_integer_rows,
)

__all__ = [
    "DyadicMatrix",
    "DyadicSparse",
    "IntegerMatrix",
    "Number",
    "Scale",
    "as_fraction",
    "dyadic_to_float",
    "exact_rows_to_integers",
    "float_to_integers",
    "integer_matrix",
    "inverse_with_denominator",
    "nullspace",
    "pivot_columns",
    "rank",
    "round_outward",
    "scaled_integer_rows",
    "solve",
]

IntegerMatrix: TypeAlias = flint.fmpz_mat


class DyadicMatrix:
    """A matrix of dyadic rationals: an integer matrix times one power of two.

    Sums and products are exact, so a network's forward product in this type has no rounding.

    Parameters
    ----------
    values
        Integer matrix (m, n).
    exponent
        The matrix stands for ``values * 2**exponent``.
    """

    __slots__ = ("exponent", "values")

    def __init__(self, values: IntegerMatrix, exponent: int) -> None:
        self.values = values
        self.exponent = exponent

    @classmethod
    def from_array(cls, array: ArrayLike) -> DyadicMatrix:
        """Take over a float matrix (m, n) exactly.

        Raises
        ------
        SolverInputError
            If the array is not 2-D or an entry is NaN or infinite.
        """
        matrix = exact_float64("DyadicMatrix.from_array", array)
        if matrix.ndim != 2:
            raise SolverInputError(
                f"DyadicMatrix.from_array got an array of shape {matrix.shape}; expected a matrix (m, n): "
                "pass one column as column[:, None]."
            )
        integers, exponent = float_to_integers(matrix)
        return cls(flint.fmpz_mat(matrix.shape[0], matrix.shape[1], integers), exponent)

    @classmethod
    def zeros(cls, rows: int, columns: int) -> DyadicMatrix:
        """Return the zero matrix (rows, columns)."""
        return cls(flint.fmpz_mat(rows, columns), 0)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return self.values.nrows(), self.values.ncols()

    def matmul(self, other: DyadicMatrix) -> DyadicMatrix:
        """Return the exact product (m, k) @ (k, n)."""
        return DyadicMatrix(self.values * other.values, self.exponent + other.exponent)

    def _over(self, exponent: int) -> IntegerMatrix:
        """Return the integer matrix of the same numbers over a lower (or equal) power of two."""
        gap = self.exponent - exponent
        return self.values * (1 << gap) if gap else self.values

    def add(self, other: DyadicMatrix) -> DyadicMatrix:
        """Return the exact sum of two matrices of one shape."""
        exponent = min(self.exponent, other.exponent)
        return DyadicMatrix(self._over(exponent) + other._over(exponent), exponent)

    __matmul__ = matmul
    __add__ = add

    def scale_rows(self, factors: ArrayLike) -> DyadicMatrix:
        """Multiply row i by the float factors[i], exactly.

        Parameters
        ----------
        factors
            Finite floats (m,).
        """
        rows, columns = self.shape
        vector = exact_float64("DyadicMatrix.scale_rows", factors)
        if vector.shape != (rows,):
            raise SolverInputError(
                f"DyadicMatrix.scale_rows got factors of shape {vector.shape}; "
                f"expected ({rows},), one per row."
            )
        integers, exponent = float_to_integers(vector)
        scaled: list[flint.fmpz | int] = []
        for factor, row in zip(integers, self.values.table(), strict=True):
            if factor == 1:
                scaled.extend(row)
            elif factor == 0:
                scaled.extend([0] * columns)
            else:
                scaled.extend(entry * factor for entry in row)
        return DyadicMatrix(flint.fmpz_mat(rows, columns, scaled), self.exponent + exponent)

    def take_rows(self, indices: Sequence[int] | NDArray[np.integer]) -> DyadicMatrix:
        """Return the rows of the given indices (0 ... m-1), in that order."""
        table = self.values.table()
        chosen = [entry for i in indices for entry in table[int(i)]]
        return DyadicMatrix(flint.fmpz_mat(len(indices), self.shape[1], chosen), self.exponent)

    def take_columns(self, indices: Sequence[int] | NDArray[np.integer]) -> DyadicMatrix:
        """Return the columns of the given indices (0 ... n-1), in that order."""
        columns = [int(j) for j in indices]
        chosen = [row[j] for row in self.values.table() for j in columns]
        return DyadicMatrix(flint.fmpz_mat(self.shape[0], len(columns), chosen), self.exponent)

    @staticmethod
    def vstack(parts: Sequence[DyadicMatrix]) -> DyadicMatrix:
        """Stack matrices of one width on top of each other."""
        exponent = min(part.exponent for part in parts)
        entries = [entry for part in parts for entry in part._over(exponent).entries()]
        rows = sum(part.shape[0] for part in parts)
        return DyadicMatrix(flint.fmpz_mat(rows, parts[0].shape[1], entries), exponent)

    @staticmethod
    def hstack(parts: Sequence[DyadicMatrix]) -> DyadicMatrix:
        """Put matrices of one height side by side."""
        exponent = min(part.exponent for part in parts)
        tables = [part._over(exponent).table() for part in parts]
        entries = [entry for rows in zip(*tables, strict=True) for row in rows for entry in row]
        columns = sum(part.shape[1] for part in parts)
        return DyadicMatrix(flint.fmpz_mat(parts[0].shape[0], columns, entries), exponent)

    def row(self, index: int) -> list[int]:
        """Return row `index` as integers over ``2**self.exponent``."""
        return [int(self.values[index, j]) for j in range(self.shape[1])]

    def row_integers(self, index: int) -> list[int]:
        """Return row `index` as coprime integers, up to a positive factor (a zero row stays zero)."""
        row = self.row(index)
        divisor = math.gcd(*row)
        return [entry // divisor for entry in row] if divisor > 1 else row

    def to_fractions(self) -> list[list[Fraction]]:
        """Return the entries as fractions."""
        unit = Fraction(2) ** self.exponent
        return [[int(entry) * unit for entry in row] for row in self.values.table()]

    def to_float(self) -> NDArray[np.float64]:
        """Round every entry to the nearest float64, ties to even (overflow gives an infinity)."""
        exponent = self.exponent
        rounded = [dyadic_to_float(int(entry), exponent) for entry in self.values.entries()]
        return np.array(rounded, dtype=np.float64).reshape(self.shape)


class DyadicSparse:
    """A sparse matrix of floats in exact arithmetic, to multiply others from the left.

    Parameters
    ----------
    data, indices, indptr
        Of a matrix in compressed rows, as scipy has them.
    """

    def __init__(
        self, data: NDArray[np.float64], indices: NDArray[np.integer], indptr: NDArray[np.integer]
    ) -> None:
        self._integers, self.exponent = float_to_integers(data)
        self._columns: list[int] = indices.tolist()
        self._starts: list[int] = indptr.tolist()

    def matmul(self, other: DyadicMatrix) -> DyadicMatrix:
        """Product with a dense matrix; each nonzero costs one integer product per column."""
        width = other.shape[1]
        rows = other.values.table()
        result: list[flint.fmpz] = []
        for start, stop in pairwise(self._starts):
            total = [flint.fmpz(0)] * width
            for place in range(start, stop):
                factor = self._integers[place]
                row = rows[self._columns[place]]
                total = [a + factor * b for a, b in zip(total, row, strict=True)]
            result.extend(total)
        product = flint.fmpz_mat(len(self._starts) - 1, width, result)
        return DyadicMatrix(product, self.exponent + other.exponent)


def integer_matrix(rows: Sequence[Sequence[int]], columns: int) -> IntegerMatrix:
    """Build an integer matrix from rows of Python ints (the width is given for the case of no rows)."""
    return flint.fmpz_mat(len(rows), columns, [entry for row in rows for entry in row])


def inverse_with_denominator(matrix: IntegerMatrix) -> tuple[IntegerMatrix, int] | None:
    """Invert a square integer matrix over one positive denominator.

    Returns
    -------
    (numerators, denominator) or None
        ``matrix @ numerators == denominator * identity``; None if the matrix is singular.
    """
    try:
        inverse = cast(flint.fmpq_mat, matrix.inv())
    except ZeroDivisionError:
        return None
    numerators, denominator = inverse.numer_denom()
    return numerators, int(denominator)


def _as_integer_matrix(rows: NDArray[np.float64] | Sequence[Sequence[Number]]) -> IntegerMatrix:
    integers, _ = scaled_integer_rows(rows)
    return integer_matrix(integers, len(integers[0]) if integers else 0)


def rank(rows: NDArray[np.float64] | Sequence[Sequence[Number]]) -> int:
    """Return the exact rank of a matrix of ints, floats or fractions."""
    return _as_integer_matrix(rows).rank()


def pivot_columns(matrix: IntegerMatrix) -> list[int]:
    """Return the greedy first set of independent columns, from the left."""
    reduced, _, size = matrix.rref()
    pivots: list[int] = []
    column = 0
    for i in range(size):
        while reduced[i, column] == 0:
            column += 1
        pivots.append(column)
        column += 1
    return pivots


def nullspace(matrix: IntegerMatrix) -> list[list[int]]:
    """Return integer vectors that form a basis of ``{x : matrix @ x = 0}``."""
    basis, dimension = matrix.nullspace()
    return [[int(basis[i, j]) for i in range(matrix.ncols())] for j in range(dimension)]


def solve(matrix: Sequence[Sequence[Number]], right: Sequence[Number]) -> list[Fraction] | None:
    """Solve a square system exactly.

    Parameters
    ----------
    matrix
        Square (n, n), of int, float or Fraction.
    right
        Right-hand side (n,).

    Returns
    -------
    list of Fraction or None
        The solution (n,); None if the matrix is singular.

    Raises
    ------
    SolverInputError
        If the matrix is not square, the lengths differ, or a number is not finite.
    """
    size = len(right)
    if len(matrix) != size or any(len(row) != size for row in matrix):
        raise SolverInputError(
            f"solve got {len(matrix)} rows and a right-hand side of length {size}; "
            f"expected a square matrix ({size}, {size})."
        )
    integers, _ = scaled_integer_rows([[*row, side] for row, side in zip(matrix, right, strict=True)])
    left = integer_matrix([row[:-1] for row in integers], size)
    try:
        solution = cast(flint.fmpq_mat, left.solve(integer_matrix([row[-1:] for row in integers], 1)))
    except ZeroDivisionError:
        return None
    return [Fraction(int(entry.p), int(entry.q)) for entry in solution.entries()]
