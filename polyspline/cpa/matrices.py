"""Matrices of layers: dense, or sparse where a convolution would be mostly zeros."""

from __future__ import annotations

from fractions import Fraction
from numbers import Rational
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from polyspline.errors import InexactError, NonFiniteError, PolysplineError, ShapeError, TooLargeError

if TYPE_CHECKING:
    from scipy.sparse import csr_array, sparray, spmatrix

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
SparseMatrix: TypeAlias = "csr_array[np.float64, tuple[int, int]]"
Matrix: TypeAlias = "FloatArray | SparseMatrix"
MatrixLike: TypeAlias = "npt.ArrayLike | sparray[Any, Any] | spmatrix[Any]"

DENSE_LIMIT = 2**25
"""Most entries of a sparse matrix that is ever written out densely (256 MiB of float64)."""


_EXACT_INTEGERS = 2**53
"""Integers up to this size are all float64 numbers."""


def exact_floats(
    values: npt.ArrayLike, what: str, *, error: type[PolysplineError] = InexactError
) -> FloatArray:
    """Copy an array of real numbers to float64, and refuse one that would be rounded.

    Integers above 2**53 and long doubles may be no float64 numbers; a network or a domain of rounded
    numbers is another one than was given.

    Parameters
    ----------
    values : array_like
        Real numbers or truth values, of any shape.
    what : str
        What it is, as it reads at the start of a message.
    error : exception class
        What to raise.

    Returns
    -------
    ndarray of float64
        C-contiguous. What is finite but beyond the largest float64 is infinite.

    Raises
    ------
    error
        If a finite number lies between two float64 numbers.
    """
    raw = np.asarray(values)
    with np.errstate(over="ignore"):
        array = np.array(raw, dtype=np.float64, order="C")
    wrong = _rounded_places(values, raw, array)
    if len(wrong):
        place = tuple(wrong[0].tolist())
        number = np.asarray(values, dtype=object)[place]
        where = f" at index {place}" if place else ""
        raise error(
            f"{what}: {number}{where} is no float64 number, the nearest one is {float(array[place])!r}; give "
            "numbers that float64 holds, rounded by you if that is what you mean."
        )
    return array


def _rounded_places(values: npt.ArrayLike, raw: npt.NDArray[Any], array: FloatArray) -> IntArray:
    """Find the indices (n, ndim) of finite numbers that have been rounded to float64."""
    if raw.dtype.kind == "f" and raw.dtype.itemsize > 8:
        differs = np.isfinite(array) & (array.astype(raw.dtype) != raw)
        return np.argwhere(differs)
    if raw.dtype.kind in "iu" and raw.dtype.itemsize == 8:
        with np.errstate(over="ignore"):  # of the lowest int64, and of what wraps around at 0
            sizes = np.abs(raw).astype(np.uint64)
            lowest = np.where(sizes == 0, np.uint64(1), sizes & (~sizes + np.uint64(1)))
        # An integer is a float64 number if its odd part has at most 53 bits.
        return np.argwhere(sizes // lowest > _EXACT_INTEGERS)
    if raw.dtype.kind == "O":
        pairs: Any = zip(np.ndindex(raw.shape), raw.ravel().tolist(), array.ravel().tolist(), strict=True)
        wrong = [
            place
            for place, number, near in pairs
            if isinstance(number, Rational) and Fraction(near) != number
        ]
        return np.array(wrong, dtype=np.int64).reshape(len(wrong), array.ndim)
    if raw.dtype.kind == "f" and not isinstance(values, np.ndarray | np.generic):
        # Integers among floats in a sequence have been rounded by numpy already.
        large = np.argwhere(np.abs(array) >= _EXACT_INTEGERS)
        if len(large):
            given: Any = np.asarray(values, dtype=object)
            wrong = [
                place
                for place in map(tuple, large.tolist())
                if isinstance(given[place], int | np.integer) and int(array[place]) != int(given[place])
            ]
            return np.array(wrong, dtype=np.int64).reshape(len(wrong), array.ndim)
    return np.zeros((0, array.ndim), dtype=np.int64)


def as_float_array(values: npt.ArrayLike, what: str, ndim: int) -> FloatArray:
    """Read-only float64 copy of an array of real numbers.

    Parameters
    ----------
    values : array_like
        Real numbers; float32 and narrower are upcast exactly.
    what : str
        What it is, as it reads at the start of a message.
    ndim : int
        Number of dimensions that is needed.

    Returns
    -------
    ndarray of float64
        C-contiguous, read-only, without negative zeros.

    Raises
    ------
    ShapeError
        If it is ragged, not numeric (complex numbers, objects), or of another number of dimensions.
    NonFiniteError
        If it holds NaN or an infinity.
    InexactError
        If it holds a number that float64 cannot hold.
    """
    try:
        raw = np.asarray(values)
    except (ValueError, TypeError) as ragged:
        raise ShapeError(f"{what}: expected an array of real numbers, got uneven rows.") from ragged
    if raw.dtype.kind not in "iuf":
        raise ShapeError(f"{what}: expected an array of real numbers, got dtype {raw.dtype}.")
    if raw.ndim != ndim:
        raise ShapeError(f"{what}: expected {ndim} dimension(s), got shape {raw.shape}.")
    array = exact_floats(values if raw.dtype.kind == "f" else raw, what)
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise NonFiniteError(f"{what}: expected finite numbers, got {array[place]} at index {place}.")
    array += 0.0  # no negative zeros: equal networks are equal byte for byte
    array.setflags(write=False)
    return array


def as_matrix(values: MatrixLike, what: str) -> Matrix:
    """Read-only float64 copy of a matrix; sparse stays sparse.

    Parameters
    ----------
    values : array_like or scipy.sparse array or matrix
        Real numbers.
    what : str
        What it is, as it reads at the start of a message.

    Returns
    -------
    ndarray or scipy.sparse.csr_array of float64
        A sparse one is canonical: sorted indices, no duplicates, no stored zeros.

    Raises
    ------
    ShapeError
        If it is not a matrix of real numbers.
    NonFiniteError
        If it holds NaN or an infinity.
    InexactError
        If it holds a number that float64 cannot hold, or duplicates whose sum is rounded.
    """
    given: Any = values  # the types of scipy tell sparse from dense less well than it does
    if not hasattr(given, "tocsr"):
        return as_float_array(given, what, 2)
    from scipy.sparse import csr_array  # here, so that reading a dense network does not load it

    came: Any = cast(Any, given).tocoo(copy=True)
    if came.dtype.kind not in "iuf" or came.ndim != 2:
        raise ShapeError(
            f"{what}: expected a matrix of real numbers, got shape {came.shape} of dtype {came.dtype}."
        )
    data = exact_floats(came.data, f"{what}, entries")
    _refuse_rounded_sums(data, came.row, came.col, what)
    matrix: SparseMatrix = csr_array((data, (came.row, came.col)), shape=came.shape)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    matrix.sort_indices()
    if not np.isfinite(matrix.data).all():
        raise NonFiniteError(f"{what}: expected finite numbers, got NaN or an infinity.")
    for array in (matrix.data, matrix.indices, matrix.indptr):
        array.setflags(write=False)
    return matrix


def _refuse_rounded_sums(data: FloatArray, row: IntArray, column: IntArray, what: str) -> None:
    """Raise if entries of one place, which are added up, have a sum that float64 cannot hold."""
    order = np.lexsort((column, row))
    same = (row[order][1:] == row[order][:-1]) & (column[order][1:] == column[order][:-1])
    if not same.any() or not np.isfinite(data).all():
        return
    for group in np.split(order, np.flatnonzero(~same) + 1):
        parts = data[group].tolist()
        total = sum(map(Fraction, parts), Fraction(0))
        if len(parts) > 1 and (added := sum(parts)) != total:
            place = f"row {row[group[0]]}, column {column[group[0]]}"
            raise InexactError(
                f"{what}: entries at {place} add up to about {added!r}, but to no float64 number; give one "
                "entry for each place."
            )


def written_out(matrix: Matrix) -> FloatArray:
    """Dense read-only form of a matrix (itself if it is dense).

    Raises
    ------
    TooLargeError
        If it is sparse and has more than `DENSE_LIMIT` entries.
    """
    if isinstance(matrix, np.ndarray):
        return matrix
    rows, columns = matrix.shape
    if rows * columns > DENSE_LIMIT:
        raise TooLargeError(
            f"a sparse layer of {rows:,} x {columns:,} weights would have to be written out densely, and at "
            f"most {DENSE_LIMIT:,} entries are; enumeration, values and codes work on it as it is."
        )
    dense = np.asarray(matrix.toarray(), dtype=np.float64)
    dense.setflags(write=False)
    return dense


def times(matrix: Matrix, columns: FloatArray) -> FloatArray:
    """Product ``matrix @ columns``, (rows, in) and (in,) or (in, B)."""
    return np.asarray(matrix @ columns, dtype=np.float64)


def through(points: FloatArray, matrix: Matrix) -> FloatArray:
    """Product ``points @ matrix.T``, (B, in) and (rows, in) -> (B, rows)."""
    return np.asarray(points @ matrix.T, dtype=np.float64)


def absolute(matrix: Matrix) -> Matrix:
    """Absolute values, dense or sparse as the matrix is."""
    if isinstance(matrix, np.ndarray):
        return np.abs(matrix)
    return _with_data(matrix, np.abs(matrix.data))


def pattern(matrix: Matrix) -> Matrix:
    """One where the matrix is not zero, else zero; dense or sparse as it is."""
    if isinstance(matrix, np.ndarray):
        return np.asarray(matrix != 0, dtype=np.float64)
    return _with_data(matrix, np.ones_like(matrix.data))


def nonzeros(matrix: Matrix) -> FloatArray:
    """Entries that may be other than zero, flat."""
    return matrix.ravel() if isinstance(matrix, np.ndarray) else matrix.data


def entries_of(matrix: Matrix) -> tuple[IntArray, IntArray, FloatArray]:
    """Row, column and value of every entry that is not zero."""
    if isinstance(matrix, np.ndarray):
        places = np.argwhere(matrix).astype(np.int64)
        return places[:, 0], places[:, 1], matrix[places[:, 0], places[:, 1]]
    by_entry = matrix.tocoo()
    row, column = (np.asarray(places, dtype=np.int64) for places in by_entry.coords)
    return row, column, np.asarray(by_entry.data, dtype=np.float64)


def with_entries(like: Matrix, row: IntArray, column: IntArray, value: FloatArray) -> Matrix:
    """Matrix of the given entries, of the shape of another one and dense or sparse as it is."""
    if isinstance(like, np.ndarray):
        found = np.zeros(like.shape)
        found[row, column] = value
        return found
    from scipy.sparse import csr_array

    sparse: SparseMatrix = csr_array((value, (row, column)), shape=like.shape)
    sparse.sort_indices()
    return sparse


def _with_data(matrix: SparseMatrix, data: FloatArray) -> SparseMatrix:
    from scipy.sparse import csr_array

    found: SparseMatrix = csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)
    return found
