"""Floats as integers times powers of two, and back: plain Python and NumPy.

Every finite float64 is an integer times a power of two. A row that matters only
up to a positive factor is a row of coprime integers. The way back, a rational
rounded to a float, is rounded once and correctly.

Guarantee: exact, but for the functions that say that they round.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.errors import SolverInputError

__all__ = [
    "Number",
    "Scale",
    "as_fraction",
    "dyadic_to_float",
    "exact_float64",
    "exact_rows_to_integers",
    "float_to_integers",
    "nearest_float",
    "round_outward",
    "scaled_integer_rows",
]

Number: TypeAlias = int | float | Fraction  # NumPy's scalars too
Scale: TypeAlias = tuple[int, int]  # a positive rational: numerator, denominator

_INT64_HEADROOM = 10  # a 53-bit mantissa shifted left by this much still fits a signed 64-bit word


# --- numbers to floats, unchanged ----------------------------------------------------------


def exact_float64(where: str, numbers: ArrayLike) -> NDArray[np.float64]:
    """Take numbers over as float64, and refuse those that would be rounded on the way.

    Raises
    ------
    SolverInputError
        If a number is not one that float64 holds, as most integers of more than 53 bits, fractions
        and long doubles are not. NaN and infinities pass.
    """
    given = np.asarray(numbers)
    if given.dtype == np.float64 and isinstance(numbers, (np.ndarray, float)):
        return cast(NDArray[np.float64], given)
    if given.dtype.kind in "fiub" and (
        given.dtype.itemsize <= 4 or (given.dtype.kind == "i" and np.abs(given >> 53).max(initial=0) == 0)
    ):
        return given.astype(np.float64)  # 24 bits of a float, 32 or 53 of an integer
    if given.dtype.kind == "f" and not isinstance(numbers, np.ndarray):
        given = np.asarray(numbers, dtype=object)  # beside floats, integers in a list have been rounded
    try:
        floats = given.astype(np.float64)
    except (OverflowError, TypeError, ValueError):
        floats = np.full(given.shape, np.nan)
    for number, value in zip(given.ravel(), floats.ravel().tolist(), strict=True):
        if not _is_held(number, value):
            raise SolverInputError(
                f"{where} got the number {number!r}, which float64 does not hold; expected numbers that are "
                "floats: round it yourself, or pass it where rationals are taken."
            )
    return floats


def _is_held(number: Any, value: float) -> bool:
    """Whether a finite float is exactly a number, or the number is NaN or infinite itself."""
    if isinstance(number, (float, np.floating)) and not np.isfinite(number):
        return True
    if not math.isfinite(value) or not isinstance(number, (int, float, Fraction, np.integer, np.floating)):
        return False
    return as_fraction(cast(Number, number)) == Fraction(value)


# --- floats to integers ---------------------------------------------------------------------


def _mantissas(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Split finite floats into integers below 2^53 in size and exponents: value = m * 2**e."""
    if not np.isfinite(values).all():
        raise SolverInputError(
            f"exact arithmetic got an array of shape {values.shape} that holds NaN or an infinity; "
            "only finite numbers are rationals: remove or replace the entries that are not finite."
        )
    fraction, exponent = np.frexp(values)
    return np.ldexp(fraction, 53).astype(np.int64), exponent.astype(np.int64) - 53


def _lowest_exponents(
    mantissa: NDArray[np.int64], exponent: NDArray[np.int64], axis: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lowest exponent of the nonzero entries along an axis (0 where all vanish), and the shifts to it."""
    nonzero = mantissa != 0
    high = np.int64(1 << 30)
    lowest = np.min(np.where(nonzero, exponent, high), axis=axis, keepdims=True, initial=high)
    lowest = np.where(lowest == high, 0, lowest)
    return lowest, np.where(nonzero, exponent - lowest, 0)


def _shifted(mantissa: NDArray[np.int64], shift: NDArray[np.int64]) -> list[int]:
    """Return the integers mantissa * 2**shift of two flat arrays, in one list.

    Below ``2**53`` in size, a mantissa moved by up to ten bits is below ``2**63``; others are moved as
    integers of any size.
    """
    if mantissa.size == 0 or int(shift.max()) <= _INT64_HEADROOM:
        return cast(list[int], (mantissa << shift).tolist())
    return [m << s for m, s in zip(mantissa.tolist(), shift.tolist(), strict=True)]


def float_to_integers(values: ArrayLike) -> tuple[list[int], int]:
    """Write floats as integers over one common power of two.

    Parameters
    ----------
    values
        Finite floats of any shape; they are read in C order.

    Returns
    -------
    integers : list of int
    exponent : int
        ``values.flat[i] == integers[i] * 2**exponent``; the exponent is the largest one possible.

    Raises
    ------
    SolverInputError
        If an entry is NaN or infinite.
    """
    array = exact_float64("float_to_integers", values)
    mantissa, exponent = _mantissas(array.ravel())
    # Drop trailing zero bits first, so that small whole numbers stay small integers.
    twos = np.where(mantissa == 0, 0, np.frexp((mantissa & -mantissa).astype(np.float64))[1] - 1)
    mantissa, exponent = mantissa >> twos, exponent + twos
    lowest, shift = _lowest_exponents(mantissa, exponent, axis=None)
    return _shifted(mantissa, shift), int(lowest.ravel()[0])


def _float_rows(rows: NDArray[np.float64]) -> tuple[list[list[int]], list[Scale]]:
    """Primitive integers of every row of a float matrix, and the positive factors used.

    Rows that span up to ten bits fit int64, see `_shifted`; in a wide one the mantissas stay in place there,
    and integers of any size take over.
    """
    mantissa, exponent = _mantissas(rows)
    lowest, shift = _lowest_exponents(mantissa, exponent, axis=1)
    narrow = shift.max(axis=1, initial=0) <= _INT64_HEADROOM
    fixed = mantissa << np.where(narrow[:, None], shift, 0)
    divisor = np.maximum(np.gcd.reduce(fixed, axis=1), 1) if rows.shape[1] else np.ones(len(rows), np.int64)
    integers: list[list[int]] = (fixed // divisor[:, None]).tolist()
    divisors: list[int] = divisor.tolist()
    for i in np.flatnonzero(~narrow).tolist():
        wide = [m << s for m, s in zip(mantissa[i].tolist(), shift[i].tolist(), strict=True)]
        divisors[i] = math.gcd(*wide)
        integers[i] = [w // divisors[i] for w in wide]
    scales = [
        (1, g << e) if e >= 0 else (1 << -e, g)
        for g, e in zip(divisors, lowest.ravel().tolist(), strict=True)
    ]
    return integers, scales


def _general_row(row: Iterable[Number]) -> tuple[list[int], Scale]:
    """Clear the denominators of one row of ints, floats and fractions."""
    entries = [as_fraction(entry) for entry in row]
    common = math.lcm(*(entry.denominator for entry in entries))
    return [entry.numerator * (common // entry.denominator) for entry in entries], (common, 1)


def as_fraction(number: Number) -> Fraction:
    """Return an int, a finite float (NumPy's of any width included) or a Fraction as the Fraction it is.

    Raises
    ------
    SolverInputError
        If the number is NaN or infinite.
    """
    if isinstance(number, (float, np.floating)) and not np.isfinite(number):
        raise SolverInputError(
            f"exact arithmetic got the number {number}; only finite numbers are rationals: "
            "remove or replace it."
        )
    if isinstance(number, Fraction):
        return number
    if isinstance(number, (float, np.floating)):
        return Fraction(*number.as_integer_ratio())  # exact for every width; float() rounds a long double
    return Fraction(int(number))  # int() sheds NumPy's types, which Fraction would keep as its numerator


def scaled_integer_rows(
    rows: NDArray[np.float64] | Sequence[Sequence[Number]],
) -> tuple[list[list[int]], list[Scale]]:
    """Scale every row by a positive rational so that it becomes integer.

    Parameters
    ----------
    rows
        Matrix (m, n): a float array, or sequences of int, float and Fraction. Rows of Python
        ints are taken as they are (the fast path).

    Returns
    -------
    integers : list of list of int
    scales : list of (int, int)
        Numerator and denominator of the factor: ``integers[i] == rows[i] * scales[i]``.

    Raises
    ------
    SolverInputError
        If an entry is NaN or infinite.
    """
    if isinstance(rows, np.ndarray):
        if rows.dtype.kind == "f" and rows.dtype.itemsize <= 8:
            return _float_rows(np.asarray(rows, dtype=np.float64))
        # Long doubles one by one: tolist() leaves them as they are.
        rows = cast(Sequence[Sequence[Number]], rows.tolist())
    integers: list[list[int]] = []
    scales: list[Scale] = []
    for row in rows:
        if all(type(entry) is int for entry in row):
            integers.append(cast(list[int], list(row)))
            scales.append((1, 1))
        else:
            cleared, scale = _general_row(row)
            integers.append(cleared)
            scales.append(scale)
    return integers, scales


def exact_rows_to_integers(rows: ArrayLike) -> list[list[int]]:
    """Write every row of a float matrix as coprime integers, up to a positive factor.

    Parameters
    ----------
    rows
        Finite floats (m, n).

    Returns
    -------
    list of list of int
        Row i is the multiple of ``rows[i]`` by a positive rational whose entries are integers
        with greatest common divisor 1 (a zero row stays zero): two rows are positively
        proportional iff their integers are equal.

    Raises
    ------
    SolverInputError
        If the array is not 2-D or an entry is NaN or infinite.
    """
    array = exact_float64("exact_rows_to_integers", rows)
    if array.ndim != 2:
        raise SolverInputError(
            f"exact_rows_to_integers got an array of shape {array.shape}; expected a matrix (m, n): "
            "pass one row as row[None, :]."
        )
    return _float_rows(array)[0]


# --- rounding back to floats ------------------------------------------------------------------


def dyadic_to_float(integer: int, exponent: int) -> float:
    """Round integer * 2**exponent to the nearest float64, ties to even.

    Subnormal results are rounded once and overflow gives an infinity, as IEEE 754 has it.
    """
    bits = integer.bit_length()
    if bits < 1024 and -1021 <= bits + exponent < 1024:
        return math.ldexp(integer, exponent)  # normal: rounded once, on the way to a float
    if bits == 0:
        return 0.0
    sign = -1.0 if integer < 0 else 1.0  # a long integer is no argument for math.copysign
    if bits + exponent > 1024:
        return sign * math.inf
    # Bits that the result can hold: 53, fewer where it is subnormal (last place 2**-1074).
    drop = max(bits - 53, -1074 - exponent)
    if drop <= 0:
        return math.ldexp(integer, exponent)  # at most 53 bits: exact
    if drop > bits:
        return sign * 0.0  # below half of the smallest subnormal
    size = abs(integer)
    kept, rest, half = size >> drop, size & ((1 << drop) - 1), 1 << (drop - 1)
    if rest > half or (rest == half and kept & 1):
        kept += 1
    if kept.bit_length() + exponent + drop > 1024:
        return sign * math.inf
    return sign * math.ldexp(kept, exponent + drop)


def round_outward(value: Fraction, *, up: bool) -> float:
    """Round a rational to the nearest float64 on one side: above (or equal) if `up`, else below."""
    try:
        nearest = float(value)
    except OverflowError:
        nearest = math.inf if value > 0 else -math.inf
    if math.isinf(nearest):
        on_side = (nearest > 0) == up
    else:
        on_side = Fraction(nearest) >= value if up else Fraction(nearest) <= value
    return nearest if on_side else math.nextafter(nearest, math.inf if up else -math.inf)


def nearest_float(number: Fraction) -> float:
    """Round a rational to float64; what is beyond the largest float becomes that, with its sign."""
    try:
        return float(number)
    except OverflowError:
        return sys.float_info.max if number > 0 else -sys.float_info.max
