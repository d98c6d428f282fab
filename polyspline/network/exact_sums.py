"""Sparse matrices whose entries are sums of products, each rounded once."""

from __future__ import annotations

from math import fsum, nan
from typing import cast

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import FloatArray, IntArray, SparseMatrix

_SPLIT = 2.0**27 + 1.0


def sparse(rows: IntArray, columns: IntArray, values: FloatArray, shape: tuple[int, int]) -> SparseMatrix:
    """Sparse matrix from its entries; those of one place are added up.

    Parameters
    ----------
    rows, columns : ndarray of int64, shape (n,)
    values : ndarray of float64, shape (n,)
    shape : tuple of int

    Returns
    -------
    csr_array
        Canonical: sorted, no duplicates, no stored zeros.

    Notes
    -----
    Guarantee: each entry is the exact sum, rounded once.
    """
    from scipy.sparse import csr_array

    places, totals = _totals(rows * shape[1] + columns, values, None)
    kept = totals != 0.0
    places, totals = places[kept], totals[kept]
    starts = np.searchsorted(places, np.arange(shape[0] + 1) * shape[1])
    return cast("SparseMatrix", csr_array((totals, places % shape[1], starts), shape=shape))


def product(left: SparseMatrix, right: SparseMatrix) -> SparseMatrix:
    """Product of two sparse matrices, (n, k) and (k, m).

    Notes
    -----
    Guarantee: each entry is the exact one, rounded once (barring underflow and overflow).
    Algorithm: products of entries with their rounding errors (Dekker), added up exactly where more
    than one falls on a place; as many steps as there are products.
    """
    ones_left, ones_right = left.copy(), right.copy()
    ones_left.data = np.ones_like(left.data)
    ones_right.data = np.ones_like(right.data)
    shape = (int(left.shape[0]), int(right.shape[1]))
    if np.max((ones_left @ ones_right).data, initial=0.0) <= 1.0:
        simple: SparseMatrix = left @ right  # one product for each entry
        simple.eliminate_zeros()
        simple.sort_indices()
        return simple
    entry, partner = _pairs(left.indices, right.indptr)
    rows = np.repeat(np.arange(shape[0], dtype=np.int64), np.diff(left.indptr))[entry]
    values, errors = two_product(left.data[entry], right.data[partner])
    places, totals = _totals(rows * shape[1] + right.indices[partner], values, errors)
    return sparse(places // shape[1], places % shape[1], totals, shape)


def product_with_vector(left: SparseMatrix, right: FloatArray, added: FloatArray) -> FloatArray:
    """Return ``left @ right + added``, (n, k), (k,) and (n,).

    Notes
    -----
    Guarantee: each entry is the exact one, rounded once (barring underflow and overflow).
    """
    used = right[left.indices] != 0.0
    if not used.any():
        return added
    rows = np.repeat(np.arange(left.shape[0], dtype=np.int64), np.diff(left.indptr))[used]
    values, errors = two_product(left.data[used], right[left.indices[used]])
    where = np.unique(rows)
    places, totals = _totals(
        np.concatenate([rows, where]),
        np.concatenate([values, added[where]]),
        np.concatenate([errors, np.zeros(len(where))]),
    )
    found = added.copy()
    found[places] = totals
    return found


def two_product(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> tuple[FloatArray, FloatArray]:
    """Products and their rounding errors: ``a * b`` is exactly the sum of the two (T. J. Dekker, 1971)."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = a * b
        a_high = _SPLIT * a - (_SPLIT * a - a)
        b_high = _SPLIT * b - (_SPLIT * b - b)
        a_low, b_low = a - a_high, b - b_high
        errors = ((a_high * b_high - values) + a_high * b_low + a_low * b_high) + a_low * b_low
    return values, np.where(np.isfinite(errors), errors, 0.0)


def _pairs(indices: npt.NDArray[np.integer], starts: npt.NDArray[np.integer]) -> tuple[IntArray, IntArray]:
    """Each entry of the left matrix with each entry of the row of the right one that it meets."""
    counts = np.diff(starts)[indices].astype(np.int64)
    entry = np.repeat(np.arange(len(indices), dtype=np.int64), counts)
    ends = np.cumsum(counts)
    within = np.arange(len(entry), dtype=np.int64) - np.repeat(ends - counts, counts)
    return entry, np.asarray(starts[indices[entry]] + within, dtype=np.int64)


def _totals(places: IntArray, values: FloatArray, errors: FloatArray | None) -> tuple[IntArray, FloatArray]:
    """Places in ascending order, each once, and the exact sum of what falls on it, rounded once."""
    if (np.diff(places) > 0).all():
        return places, values
    order = np.argsort(places, kind="stable")
    places, values = places[order], values[order]
    starts = np.flatnonzero(np.concatenate([[True], places[1:] != places[:-1]]))
    totals = values[starts].copy()
    ends = np.append(starts[1:], len(places))
    several = np.flatnonzero(ends - starts > 1)
    if len(several):
        parts = [values] if errors is None else [values, errors[order]]
        for group, start, end in zip(several, starts[several], ends[several], strict=True):
            totals[group] = _sum([number for part in parts for number in part[start:end].tolist()])
    return places[starts], totals


def _sum(numbers: list[float]) -> float:
    try:
        return fsum(numbers)
    except (OverflowError, ValueError):  # an infinity, which is refused as a weight
        return nan
