"""Exact answers for rows that touch the polytope without being a facet.

At the end of a redundancy test a row may be met exactly: the optimum equals the
row's side, because knots are concurrent. No margin is left for a residual to
hide in, so the identity ``row_k = sum lam_i row_i`` with ``lam_i > 0`` must hold
exactly. Two families are settled here without rational arithmetic: rows of small
integers (one elimination without fractions), and rows whose last coefficients are
exact zeros (the multipliers of an invertible system, positive by more than their
error). Whatever else comes is left to rationals.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.compiled import compiled_part

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

INTEGRAL = 1
"""Flag: the row is exact, and integer after the common scaling."""

CENTRAL = 2
"""Flag: the row's last coefficient is exactly zero."""

_SUPPORT = 1e-9
_ROOM = 2.0**61


@compiled_part
def _eliminate(matrix: Integers, unknowns: int) -> bool:
    """Gauss-Jordan without fractions on ``[A | b]``; True if b is a combination of the independent columns of A.

    On success row i reads ``pivot * lam_i = rhs`` with one common pivot. False also
    where the columns are dependent or a product would not fit.
    """
    height = matrix.shape[0]
    previous = 1
    for p in range(unknowns):
        chosen = -1
        for r in range(p, height):
            if matrix[r, p] != 0:
                chosen = r
                break
        if chosen < 0:
            return False
        if chosen != p:
            for c in range(unknowns + 1):
                held = matrix[p, c]
                matrix[p, c] = matrix[chosen, c]
                matrix[chosen, c] = held
        pivot = matrix[p, p]
        for r in range(height):
            if r == p:
                continue
            factor = matrix[r, p]
            for c in range(unknowns + 1):
                left = float(pivot) * float(matrix[r, c])
                right = float(factor) * float(matrix[p, c])
                if abs(left) + abs(right) > _ROOM:
                    return False
                matrix[r, c] = (pivot * matrix[r, c] - factor * matrix[p, c]) // previous
        previous = pivot
    for r in range(unknowns, height):
        if matrix[r, unknowns] != 0:
            return False
    return True


@compiled_part
def _integers_combine(rows: Floats, unit: float, k: int, support: Integers, count: int) -> bool:
    """Whether row `k` is exactly a combination, with positive multipliers, of at least two support rows."""
    size = rows.shape[0]
    if count < 2 or count > size:
        return False
    matrix = np.empty((size, count + 1), np.int64)
    for c in range(size):
        for i in range(count):
            matrix[c, i] = np.int64(rows[c, support[i]] * unit)
        matrix[c, count] = np.int64(rows[c, k] * unit)
    if not _eliminate(matrix, count):
        return False
    for i in range(count):
        if (matrix[i, count] > 0) != (matrix[i, i] > 0) or matrix[i, count] == 0:
            return False
    return True


@compiled_part
def _left_inverse(columns: Floats, out: Floats) -> bool:
    """Approximate left inverse (p, C) of independent columns (C, p), by the normal equations."""
    p = columns.shape[1]
    gram = np.empty((p, 2 * p))
    for i in range(p):
        for j in range(p):
            gram[i, j] = np.sum(columns[:, i] * columns[:, j])
            gram[i, p + j] = 1.0 if i == j else 0.0
    for i in range(p):
        chosen = i
        for r in range(i + 1, p):
            if abs(gram[r, i]) > abs(gram[chosen, i]):
                chosen = r
        if gram[chosen, i] == 0.0:
            return False
        for c in range(2 * p):
            held = gram[i, c]
            gram[i, c] = gram[chosen, c]
            gram[chosen, c] = held
        pivot = gram[i, i]
        for c in range(2 * p):
            gram[i, c] /= pivot
        for r in range(p):
            if r != i:
                factor = gram[r, i]
                for c in range(2 * p):
                    gram[r, c] -= factor * gram[i, c]
    for i in range(p):
        for c in range(columns.shape[0]):
            out[i, c] = np.sum(gram[i, p:] * columns[c, :])
    return True


@compiled_part
def _surely_positive(columns: Floats, errors: Floats, target: Floats, target_error: float) -> bool:
    """Whether the true target is a combination of the true columns with positive multipliers.

    The true columns differ from `columns` (C, p) by at most `errors` (p,) in every entry,
    the true target by at most `target_error`; that the target is in their span, if they are
    independent, is for the caller to know. Source: the usual bound for a linear system
    with an approximate (left) inverse L: with ``q = |L H - 1| < 1`` the columns are
    independent, and the multipliers err by at most ``|L| |residual| / (1 - q)``.
    """
    size, p = columns.shape
    inverse = np.empty((p, size))
    if not _left_inverse(columns, inverse):
        return False
    lam = np.empty(p)
    deviation = 0.0
    norm = 0.0
    for i in range(p):
        lam[i] = np.sum(inverse[i] * target)
        row_norm = np.sum(np.abs(inverse[i]))
        row_deviation = 0.0
        for j in range(p):
            product = np.sum(inverse[i] * columns[:, j]) - (1.0 if i == j else 0.0)
            room = np.sum(np.abs(inverse[i] * columns[:, j])) + 1.0
            row_deviation += abs(product) + 1e-15 * (size + 2) * room + row_norm * errors[j]
        deviation = max(deviation, row_deviation)
        norm = max(norm, row_norm)
    if not deviation < 0.5:
        return False
    residual = 0.0
    spread = target_error + np.sum(np.abs(lam) * errors)
    for c in range(size):
        left = target[c] - np.sum(lam * columns[c])
        room = abs(target[c]) + np.sum(np.abs(lam * columns[c]))
        residual = max(residual, abs(left) + 1e-15 * (p + 2) * room + spread)
    bound = 1.001 * norm * residual / (1.0 - deviation)
    return bool(np.min(lam) > bound)


@compiled_part
def _spans(rows: Floats, spans: Integers, flags: Integers, k: int, support: Integers, count: int) -> bool:
    """Whether that many independent support rows must span row `k`, by the dimension they all live in."""
    central = flags[k] & CENTRAL != 0
    dimension = spans[k]
    for i in range(count):
        central &= flags[support[i]] & CENTRAL != 0
        dimension = max(dimension, spans[support[i]])
    if not central:
        dimension += 1
    return count >= 2 and count == min(dimension, rows.shape[0])


@compiled_part
def tie_is_redundant(
    rows: Floats, slack: Floats, flags: Integers, spans: Integers, unit: float, radius: Floats,
    value: Floats, k: int, support: Integers, count: int,
) -> bool:  # fmt: skip
    """Whether row `k` is exactly a positive combination of two or more of the support rows.

    Parameters
    ----------
    rows, slack
        Rows (C, n) by column and their errors, see `solvers.lp.redundancy`.
    flags, unit
        INTEGRAL and CENTRAL of each row, and the common scaling to integers.
    spans
        (n,), dimension of a subspace that holds the row but for its last coefficient;
        these subspaces are nested, the smaller in the larger.
    radius
        (C,) of the points for which `slack` holds.
    value
        Row values at the witness, the natural unit of each row.
    k, support, count
        The row, and the first `count` entries of `support`: the rows that the simplex combined it from.
    """
    size = rows.shape[0]
    integral = flags[k] & INTEGRAL != 0
    for i in range(count):
        integral &= flags[support[i]] & INTEGRAL != 0
    if integral and _integers_combine(rows, unit, k, support, count):
        return True
    if not _spans(rows, spans, flags, k, support, count):
        return False
    columns = np.empty((size, count))
    errors = np.empty(count)
    target = np.empty(size)
    for c in range(size):
        target[c] = rows[c, k] * radius[c] / value[k]
        for i in range(count):
            columns[c, i] = rows[c, support[i]] * radius[c] / value[support[i]]
    for i in range(count):
        errors[i] = 2.0 * slack[support[i]] / value[support[i]]
    return _surely_positive(columns, errors, target, 2.0 * slack[k] / value[k])
