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

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.compiled import compiled_part, larger
from solvers.predicates.rounding import ROUNDOFF

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

INTEGRAL = 1
"""Flag: the row is exact, and integer after the common scaling."""

CENTRAL = 2
"""Flag: the row's last coefficient is exactly zero."""

_ROOM = 2.0**61
"""Bound on the sum of two products in the elimination, as rounded: they and their difference fit int64."""

_EXACT = 2.0**53
"""Up to here a float that is an integer is converted to one exactly."""

_LEAST = 2.0**-160
"""Outweighs the underflow of products with sizes about one, row values being above ``2**-900``."""


class TieSpace(NamedTuple):
    """Scratch arrays for one tie, sized for C coordinates."""

    integers: Integers  # (C, C + 1)
    columns: Floats  # (C, C)
    inverse: Floats  # (C, C)
    gram: Floats  # (C, 2 C)
    target: Floats  # (C,)
    errors: Floats  # (C,)
    lam: Floats  # (C,)


def tie_space(coordinates: int) -> TieSpace:
    """Allocate the scratch arrays."""
    c = coordinates
    return TieSpace(
        np.empty((c, c + 1), np.int64),
        np.empty((c, c)),
        np.empty((c, c)),
        np.empty((c, 2 * c)),
        np.empty(c),
        np.empty(c),
        np.empty(c),
    )


@compiled_part
def _eliminate(matrix: Integers, unknowns: int) -> bool:
    """Gauss-Jordan without fractions on ``[A | b]``; True if independent columns of A combine to b.

    On success row i reads ``pivot * lam_i = rhs`` with one common pivot. False also
    where the columns are dependent or a product would not fit. Entries are minors of the given
    matrix, so the division by the pivot before is exact. The two products of a step are
    measured in floats first, each off by three roundings: a sum of their sizes of at most
    ``2**61`` is below ``2**62`` in truth, so neither product nor the difference wraps in int64.
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
def _integers_combine(
    rows: Floats, unit: float, k: int, support: Integers, count: int, matrix: Integers
) -> bool:
    """Whether row `k` is exactly a combination, with positive multipliers, of at least two support rows.

    Exact are the rows, by their flag, and their product with the unit, a power of two, where it is an
    integer below ``2**53`` in size: else nothing is decided, so the conversion neither rounds nor wraps.
    The support is independent, so what is zero on the facet of row k would be a face of codimension two.
    """
    size = rows.shape[0]
    if count < 2 or count > size:
        return False
    for c in range(size):
        for i in range(count + 1):
            entry = rows[c, support[i] if i < count else k] * unit
            if not abs(entry) < _EXACT or np.floor(entry) != entry:
                return False
            matrix[c, i] = np.int64(entry)
    if not _eliminate(matrix, count):
        return False
    for i in range(count):
        if (matrix[i, count] > 0) != (matrix[i, i] > 0) or matrix[i, count] == 0:
            return False
    return True


@compiled_part
def _left_inverse(p: int, s: TieSpace) -> bool:
    """Approximate left inverse (p, C) of the first p of the independent columns, by the normal equations."""
    size = s.columns.shape[0]
    gram = s.gram
    for i in range(p):
        for j in range(p):
            total = 0.0
            for c in range(size):
                total += s.columns[c, i] * s.columns[c, j]
            gram[i, j] = total
            gram[i, p + j] = 1.0 if i == j else 0.0
    for i in range(p):
        chosen = i
        for r in range(i + 1, p):
            if abs(gram[r, i]) > abs(gram[chosen, i]):
                chosen = r
        pivot = gram[chosen, i]
        if pivot == 0.0:
            return False
        for c in range(2 * p):
            held = gram[i, c]
            gram[i, c] = gram[chosen, c] / pivot
            if chosen != i:
                gram[chosen, c] = held
        for r in range(p):
            if r != i:
                factor = gram[r, i]
                for c in range(2 * p):
                    gram[r, c] -= factor * gram[i, c]
    for i in range(p):
        for c in range(size):
            total = 0.0
            for j in range(p):
                total += gram[i, p + j] * s.columns[c, j]
            s.inverse[i, c] = total
    return True


@compiled_part
def _surely_positive(p: int, target_error: float, s: TieSpace) -> bool:
    """Whether the true target is a combination of p true columns with positive multipliers.

    The true columns differ from `s.columns` (C, p) by at most `s.errors` (p,) in every entry,
    the true target from `s.target` by at most `target_error`; that the target is in their
    span, if they are independent, is for the caller to know. Source: the usual bound for a
    linear system with an approximate (left) inverse L: with ``q = |L H - 1| < 1`` the columns
    are independent, and the multipliers err by at most ``|L| |residual| / (1 - q)``. L and the
    multipliers are exact, as the floats they are; each sum has its rounding, `unit` times the sum of
    sizes, and 1.001 outweighs that of the norms. Sticky maxima: NaN anywhere makes the answer False.
    """
    if not _left_inverse(p, s):
        return False
    size = s.columns.shape[0]
    unit = 8.0 * ROUNDOFF * (size + 2)
    deviation = 0.0
    norm = 0.0
    spread = target_error
    for i in range(p):
        row_norm = 0.0
        s.lam[i] = 0.0
        for c in range(size):
            row_norm += abs(s.inverse[i, c])
            s.lam[i] += s.inverse[i, c] * s.target[c]
        spread += abs(s.lam[i]) * s.errors[i]
        row_deviation = 0.0
        for j in range(p):
            product = -1.0 if i == j else 0.0
            room = 1.0
            for c in range(size):
                term = s.inverse[i, c] * s.columns[c, j]
                product += term
                room += abs(term)
            row_deviation += abs(product) + unit * room + row_norm * s.errors[j] + _LEAST
        deviation = larger(deviation, row_deviation)
        norm = larger(norm, row_norm)
    if not (deviation < 0.5 and norm < _ROOM):
        return False
    residual = 0.0
    for c in range(size):
        left = s.target[c]
        room = abs(left)
        for i in range(p):
            term = s.lam[i] * s.columns[c, i]
            left -= term
            room += abs(term)
        residual = larger(residual, abs(left) + unit * room + spread + _LEAST)
    bound = 1.001 * norm * residual / (1.0 - deviation)
    for i in range(p):
        if not s.lam[i] > bound:
            return False
    return True


@compiled_part
def _spans(rows: Floats, spans: Integers, flags: Integers, k: int, support: Integers, count: int) -> bool:
    """Whether that many independent support rows must span row `k`, by the dimension they all live in."""
    central = flags[k] & CENTRAL != 0
    dimension = spans[k]
    for i in range(count):
        central &= flags[support[i]] & CENTRAL != 0
        if spans[support[i]] > dimension:
            dimension = spans[support[i]]
    if not central:
        dimension += 1
    return count >= 2 and (count == dimension or count == rows.shape[0])


@compiled_part
def tie_is_redundant(
    rows: Floats, slack: Floats, flags: Integers, spans: Integers, unit: float, radius: Floats,
    value: Floats, k: int, support: Integers, count: int, s: TieSpace,
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
    s
        Scratch.

    Notes
    -----
    On the facet of such a row all its support vanishes, so it is no facet. In integers the identity is
    checked as it stands. Else rows are scaled to size one by positive floats: a coefficient times its
    radius is off by the slack at most, as the error at the points ``+-radius_c`` of axis c is, and by
    two roundings of it, less than an eighth of the slack; twice the slack is taken for both.
    """
    integral = flags[k] & INTEGRAL != 0
    for i in range(count):
        integral &= flags[support[i]] & INTEGRAL != 0
    if integral and _integers_combine(rows, unit, k, support, count, s.integers):
        return True
    if not _spans(rows, spans, flags, k, support, count):
        return False
    for c in range(rows.shape[0]):
        s.target[c] = rows[c, k] * radius[c] / value[k]
        for i in range(count):
            s.columns[c, i] = rows[c, support[i]] * radius[c] / value[support[i]]
    for i in range(count):
        s.errors[i] = 2.0 * slack[support[i]] / value[support[i]] + _LEAST
    return _surely_positive(count, 2.0 * slack[k] / value[k] + _LEAST, s)
