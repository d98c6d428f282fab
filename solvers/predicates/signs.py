"""Exact decisions about float data: a float filter with a proven bound, exact when undecided.

For the slow side, in NumPy.

Guarantee: exact. The answers are those of real arithmetic on the given floats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.errors import SolverInputError
from solvers.integers import exact_float64, exact_rows_to_integers, float_to_integers
from solvers.predicates.rounding import ROUNDOFF

__all__ = ["proportional", "sign_at"]

_FLUSHED = 2.0**-1022
"""An operation that underflows loses less, also in a thread that flushes subnormal results to zero."""


def _finite(name: str, array: ArrayLike) -> NDArray[np.float64]:
    values = exact_float64(name, array)
    if not np.isfinite(values).all():
        raise SolverInputError(
            f"{name} got an array of shape {values.shape} that holds NaN or an infinity; "
            "expected finite numbers: remove or replace the entries that are not finite."
        )
    return values


def sign_at(rows: ArrayLike, points: ArrayLike) -> NDArray[np.int8]:
    """Sign of the affine functions row[:-1]·point + row[-1] at points, exactly.

    Parameters
    ----------
    rows
        Finite floats: one function (n + 1,), or m of them (m, n + 1); the offset comes last.
    points
        Finite floats: one point (n,), or B of them (B, n).

    Returns
    -------
    ndarray of int8
        -1, 0 or 1, of shape (m,) for one point and (B, m) for several; the axis m is missing
        for a single row.

    Raises
    ------
    SolverInputError
        If the shapes do not fit, or a number is not finite or not one that float64 holds.

    Notes
    -----
    Algorithm: rows and points are exact. A sum of n + 1 products in floats is off by at most
    ``(n + 1) u / (1 - (n + 1) u)`` times the sum of their sizes, in whatever order and with or without
    fused operations (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2002, eq. 3.5), and
    by less than the smallest normal number for each operation that underflows. The sum of sizes errs
    as much; the filter takes four times the relative term, which outweighs that, and the absolute
    one ``4 n + 8`` times, which outweighs the operations of both sums and of the bound.
    Entries that it leaves open, NaN and overflow too, are summed in integers.
    """
    functions = _finite("sign_at", rows)
    places = _finite("sign_at", points)
    table, batch = np.atleast_2d(functions), np.atleast_2d(places)
    width = batch.shape[1]
    if functions.ndim not in (1, 2) or places.ndim not in (1, 2) or table.shape[1] != width + 1:
        raise SolverInputError(
            f"sign_at got rows of shape {functions.shape} and points of shape {places.shape}; "
            "expected rows (m, n + 1), the offset last, and points (B, n)."
        )
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        value = batch @ table[:, :-1].T + table[:, -1]
        size = np.abs(batch) @ np.abs(table[:, :-1]).T + np.abs(table[:, -1])
        decided = np.abs(value) > 4.0 * (width + 1) * ROUNDOFF * size + (4 * width + 8) * _FLUSHED
    decided &= np.isfinite(value) & np.isfinite(size)
    signs = np.where(decided, np.sign(np.where(decided, value, 0.0)), 0.0).astype(np.int8)
    for b, i in np.argwhere(~decided).tolist():
        signs[b, i] = _exact_sign(table[i], batch[b])
    if functions.ndim == 1:
        signs = signs[:, 0]
    return signs if places.ndim == 2 else signs[0]


def _exact_sign(row: NDArray[np.float64], point: NDArray[np.float64]) -> int:
    """Sign of row[:-1]·point + row[-1] in integers."""
    coefficients, _ = float_to_integers(row)
    homogeneous, _ = float_to_integers(np.append(point, 1.0))
    total = sum(a * b for a, b in zip(coefficients, homogeneous, strict=True))
    return (total > 0) - (total < 0)


def proportional(rows: ArrayLike, row: ArrayLike) -> NDArray[np.bool_]:
    """Tell which rows are positive multiples of a given row, exactly.

    Parameters
    ----------
    rows
        Finite floats (m, n).
    row
        Finite floats (n,).

    Returns
    -------
    ndarray of bool
        Shape (m,). A zero row is a multiple of a zero row only.

    Raises
    ------
    SolverInputError
        If the shapes do not fit, or a number is not finite or not one that float64 holds.

    Notes
    -----
    Algorithm: the rows are exact. Cross products of proportional rows are equal numbers, and equal
    numbers are rounded to equal floats, also where they underflow or overflow: rows whose rounded
    products differ are not proportional. The others are compared as coprime integers.
    """
    table, single = _finite("proportional", rows), _finite("proportional", row)
    if table.ndim != 2 or single.ndim != 1 or table.shape[1] != len(single):
        raise SolverInputError(
            f"proportional got rows of shape {table.shape} and a row of shape {single.shape}; "
            "expected (m, n) and (n,)."
        )
    answer: NDArray[np.bool_] = np.asarray((np.sign(table) == np.sign(single)).all(axis=1))
    if len(single) and answer.any():
        lead = int(np.abs(single).argmax())
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            # No NaN: finite times finite.
            apart = table * single[lead] != table[:, lead, None] * single
        answer &= ~apart.any(axis=1)
    open_rows = np.flatnonzero(answer)
    if len(open_rows):
        target = exact_rows_to_integers(single[None, :])[0]
        answer[open_rows] = [found == target for found in exact_rows_to_integers(table[open_rows])]
    return answer
