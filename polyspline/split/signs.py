"""Compiled: on which side of a knot the vertices of a cell are.

A sign is taken from floats only where it is larger than the error of the row's value and
what the vertex itself may be off by. How far that is grows from cut to cut much faster as a
bound than in truth, so a vertex that is in doubt is measured anew by the facets it lies on.
"""

from __future__ import annotations

import numpy as np

from polyspline.cpa.bounds import ROUNDOFF, SAFETY
from polyspline.split.state import (
    ANSWER,
    ANSWER_VALUE,
    BOUND,
    CHECKED,
    ERROR,
    FIRST,
    FRESH,
    IS_CENTRAL,
    LAYER_OF,
    LOWER_ROW,
    MISS,
    OFFSET,
    OWNER,
    SIGN,
    SLACK,
    UNKNOWN,
    UPPER_ROW,
    VALUE,
    Cells,
    Floats,
    N,
    Net,
    Path,
    Pool,
    Work,
)
from polyspline.split.words import ONE, ZEROS
from solvers.compiled import inlined_part, larger


@inlined_part
def knot_row(t: Net, path: Path, knot: int, row: Floats) -> tuple[float, float]:
    """Row that is zero on a knot and positive above it, its offset last.

    Returns
    -------
    slack : float
        Bound of the error of its value at a point of the domain.
    error : float
        The same but for the evaluation.
    """
    last = path.inputs.shape[0] - 1
    layer = t.unit[t.knot[knot, OWNER], LAYER_OF]
    upper = t.knot[knot, UPPER_ROW]
    lower = t.knot[knot, LOWER_ROW]
    # The differences are rounded by less than the slack counts for the evaluation.
    slack = path.bound[SLACK, layer, upper] + 4.0 * ROUNDOFF * abs(t.position[knot])
    error = path.bound[ERROR, layer, upper]
    for c in range(last + 1):
        row[c] = path.values[layer, c, upper]
    row[last] -= t.position[knot]
    if lower >= 0:
        slack += path.bound[SLACK, layer, lower]
        error += path.bound[ERROR, layer, lower]
        for c in range(last + 1):
            row[c] -= path.values[layer, c, lower]
    return slack, error


@inlined_part
def facet_row(t: Net, path: Path, source: int, k: int, work: Work) -> None:
    """Row of a facet, to row k of the matrix; its OFFSET, and by how much its value may MISS."""
    last = path.inputs.shape[0] - 1
    if source < 0:
        for c in range(last + 1):
            work.row[c] = t.domain_rows[c, -1 - source]
        work.side[MISS, k] = t.domain_slack[-1 - source]
    else:
        work.side[MISS, k], _ = knot_row(t, path, source, work.row)
    for c in range(last):
        work.matrix[k, c] = work.row[c]
    work.side[OFFSET, k] = work.row[last]


@inlined_part
def _tight_rows(t: Net, path: Path, cells: Cells, cell: int, entry: int, work: Work) -> bool:
    """Rows of the facets that a vertex lies on; False unless they are S."""
    dim = path.inputs.shape[0] - 1
    k = 0
    for b in range(len(cells.spread)):
        bits = cells.on[entry, b]
        slot = 64 * b
        while bits != ZEROS:
            if bits & ONE != ZEROS:
                if k == dim:
                    return False
                facet_row(t, path, cells.source[cell, slot], k, work)
                k += 1
            bits >>= ONE
            slot += 1
    return bool(k == dim)


@inlined_part
def _invert(m: Floats, n: int) -> bool:
    """Invert the left half of a matrix into its right half; False if a pivot is zero."""
    for i in range(n):
        for c in range(n):
            m[i, n + c] = 0.0
        m[i, n + i] = 1.0
    for k in range(n):
        best = k
        for i in range(k + 1, n):
            if abs(m[i, k]) > abs(m[best, k]):
                best = i
        if m[best, k] == 0.0:
            return False
        for c in range(2 * n):
            kept = m[k, c]
            m[k, c] = m[best, c]
            m[best, c] = kept
        factor = 1.0 / m[k, k]
        for c in range(2 * n):
            m[k, c] *= factor
        for i in range(n):
            if i != k:
                share = m[i, k]
                for c in range(2 * n):
                    m[i, c] -= share * m[k, c]
    return True


@inlined_part
def measure_vertex(t: Net, path: Path, cells: Cells, cell: int, entry: int, pool: Pool, work: Work) -> None:
    """Bound how far a vertex is from the true one by the facets that it lies on.

    With rows ``r(z) = A z + b`` known up to errors d at any point of the domain, and any matrix
    B, the true vertex P and the computed p satisfy ``P - p = B (d - r(p)) + (I - B A)(P - p)``.
    """
    dim = path.inputs.shape[0] - 1
    v = cells.vertex[entry]
    pool.mark[v] = CHECKED
    m = work.matrix
    for again in range(2):  # the inverse takes the place of the rows
        if not _tight_rows(t, path, cells, cell, entry, work):
            return
        if again == 0 and not _invert(m, dim):
            return
    worst = 0.0
    defect = 0.0
    for c in range(dim):
        off = 0.0
        for d in range(dim):
            total = -1.0 if c == d else 0.0
            size = 1.0 if c == d else 0.0
            for k in range(dim):
                product = m[c, dim + k] * m[k, d]
                total += product
                size += abs(product)
            off += abs(total) + 2.0 * (dim + 2) * ROUNDOFF * size
        defect = larger(defect, off)
        miss = 0.0
        for k in range(dim):
            value = work.side[OFFSET, k]
            for d in range(dim):
                value += m[k, d] * pool.x[v, d]
            miss += abs(m[c, dim + k]) * (abs(value) + work.side[MISS, k])
        worst = larger(worst, miss)
    if defect < 0.5:
        eps = worst / (1.0 - defect) * SAFETY
        if eps < pool.eps[v]:
            pool.eps[v] = eps


@inlined_part
def _evaluate(v: int, j: int, slack: float, norm: float, pool: Pool, work: Work) -> int:
    """Value of the work row at a vertex, and its bound; the sign that this proves, or UNKNOWN."""
    dim = work.point.shape[0]
    value = work.row[dim]
    for c in range(dim):
        value += work.row[c] * pool.x[v, c]
    error = slack + norm * pool.eps[v]
    work.real[VALUE, j] = value
    work.real[BOUND, j] = error
    if value > error:
        return 1
    return -1 if value < -error else UNKNOWN


@inlined_part
def _is_origin(v: int, pool: Pool) -> bool:
    """Whether a vertex is the origin, exactly."""
    if pool.eps[v] != 0.0:
        return False
    largest = 0.0
    for c in range(pool.x.shape[1]):
        largest = larger(largest, abs(pool.x[v, c]))
    return largest == 0.0


@inlined_part
def _is_plain(number: float) -> bool:
    """Whether a number is a small multiple of 1/1024: sums of products of a few such are not rounded."""
    scaled = 1024.0 * number
    return abs(scaled) < 1048576.0 and scaled == np.floor(scaled)


@inlined_part
def _value_is_exact(v: int, pool: Pool, work: Work) -> bool:
    """Whether the value of the work row at a vertex is not rounded, if row and vertex are exact."""
    dim = work.point.shape[0]
    plain = _is_plain(float(work.row[dim]))
    for c in range(dim):
        plain = plain and _is_plain(float(work.row[c])) and _is_plain(float(pool.x[v, c]))
    return plain


@inlined_part
def find_signs(
    t: Net, path: Path, cells: Cells, cell: int, source: int, pool: Pool, work: Work
) -> tuple[int, int, int]:
    """Signs of ``pre-activation - knot`` at the vertices of a cell: how many are > 0, < 0, unknown."""
    slack, error = knot_row(t, path, source, work.row)
    norm = 0.0
    for c in range(work.point.shape[0]):
        norm += abs(work.row[c])
    norm *= SAFETY
    if norm == 0.0 and error == 0.0:
        slack = 0.0  # a constant, known without error
    above = 0
    below = 0
    unknown = 0
    first = cells.number[cell, FIRST]
    for j in range(cells.number[cell, N]):
        v = cells.vertex[first + j]
        sign = _evaluate(v, j, slack, norm, pool, work)
        if sign == UNKNOWN:
            if slack == 0.0 and norm == 0.0:
                sign = 0
            elif work.whole[ANSWER, j] != UNKNOWN:
                sign = work.whole[ANSWER, j]
                work.real[VALUE, j] = work.real[ANSWER_VALUE, j]
                work.real[BOUND, j] = 4.0 * ROUNDOFF * abs(work.real[ANSWER_VALUE, j])
            elif t.knot[source, IS_CENTRAL] != 0 and _is_origin(v, pool):
                sign = 0
            elif error == 0.0 and pool.eps[v] == 0.0 and _value_is_exact(v, pool, work):
                value = work.real[VALUE, j]
                sign = 1 if value > 0.0 else (-1 if value < 0.0 else 0)
                work.real[BOUND, j] = 0.0
            elif pool.mark[v] == FRESH:
                measure_vertex(t, path, cells, cell, first + j, pool, work)
                knot_row(t, path, source, work.row)
                sign = _evaluate(v, j, slack, norm, pool, work)
        work.whole[SIGN, j] = sign
        if sign == 1:
            above += 1
        elif sign == -1:
            below += 1
        elif sign == UNKNOWN:
            unknown += 1
    return above, below, unknown
