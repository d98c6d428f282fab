"""Compiled: on which side of a knot the vertices of a cell are.

A sign is taken from floats only where it is larger than the error of the row's value and
what the vertex itself may be off by. How far that is grows from cut to cut much faster as a
bound than in truth, so a vertex that is in doubt is measured anew by the facets it lies on.
Where neither the rows' coefficients nor the vertex are rounded, the value is summed without error.
"""

from __future__ import annotations

from polyspline.split.state import (
    ANSWER,
    ANSWER_BOUND,
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
from solvers.predicates.exact_kernel import add_exactly, sign_of, two_product
from solvers.predicates.rounding import ROUNDOFF, SAFETY, SMALLEST

_TINY = 2.0**-1000


@inlined_part
def knot_row(t: Net, path: Path, knot: int, row: Floats) -> tuple[float, float]:
    """Row that is zero on a knot and positive above it, its offset last.

    Returns
    -------
    slack : float
        Bound of the error of its value at a point of the domain.
    error : float
        Bound of the error of the pre-activations that it is made of; zero if these are not rounded, and
        yet their differences here may be.

    Notes
    -----
    The slack of a pre-activation is for its own size; that of the difference takes in their rounding,
    see `solvers.predicates.steps_kernel.evaluation_error`. To it comes what the position adds.
    """
    last = path.inputs.shape[0] - 1
    layer = t.unit[t.knot[knot, OWNER], LAYER_OF]
    upper = t.knot[knot, UPPER_ROW]
    lower = t.knot[knot, LOWER_ROW]
    slack = path.bound[SLACK, layer, upper] + 4.0 * (last + 6.0) * ROUNDOFF * abs(t.position[knot])
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
    B, the true vertex P and the computed p satisfy ``P - p = B (d - r(p)) + (I - B A)(P - p)``, so in
    the maximum norm ``|P - p| <= max |B| (|r(p)| + d) / (1 - |I - B A|)``. MISS holds d and the rounding
    of r(p). The entries of ``I - B A`` are sums of S products, rounded by ``(S + 1) u`` of their sizes.
    What the products lose to underflow is far below the last term: coordinates are of size one, and a
    bound that was computed is never zero.
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
        eps = worst / (1.0 - defect) * SAFETY + _TINY
        if eps < pool.eps[v]:
            pool.eps[v] = eps


@inlined_part
def _evaluate(v: int, j: int, slack: float, norm: float, pool: Pool, work: Work) -> int:
    """Value of the work row at a vertex, and its bound; the sign that this proves, or UNKNOWN.

    The row is off by `slack` at the computed vertex, its evaluation included; from there to the true
    vertex it changes by at most the sum of its coefficients' sizes times how far that is.
    """
    dim = work.point.shape[0]
    value = work.row[dim]
    for c in range(dim):
        value += work.row[c] * pool.x[v, c]
    error = (slack + norm * pool.eps[v]) * SAFETY + SMALLEST
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
def _add_row(values: Floats, row: int, sign: float, v: int, pool: Pool, total: Floats) -> None:
    """Add the value of a pre-activation at a vertex, or take it away, without error."""
    dim = pool.x.shape[1]
    add_exactly(total, sign * values[dim, row], 0.0)
    for c in range(dim):
        product, rest = two_product(sign * values[c, row], pool.x[v, c])
        add_exactly(total, product, rest)


@inlined_part
def _exact_sign(t: Net, path: Path, knot: int, v: int, j: int, pool: Pool, work: Work) -> int:
    """Sign at a vertex of a knot's row, from pre-activations and a vertex that are not rounded."""
    layer = t.unit[t.knot[knot, OWNER], LAYER_OF]
    work.total[:] = 0.0
    add_exactly(work.total, -t.position[knot], 0.0)
    _add_row(path.values[layer], t.knot[knot, UPPER_ROW], 1.0, v, pool, work.total)
    if t.knot[knot, LOWER_ROW] >= 0:
        _add_row(path.values[layer], t.knot[knot, LOWER_ROW], -1.0, v, pool, work.total)
    sign, value, bound = sign_of(work.total)
    if sign != UNKNOWN:
        work.real[VALUE, j] = value
        work.real[BOUND, j] = bound
    return sign


@inlined_part
def _doubtful_sign(
    t: Net, path: Path, cells: Cells, cell: int, source: int, j: int, error: float, pool: Pool, work: Work
) -> int:
    """Sign at a vertex where the row's value does not tell: from outside, or where nothing is rounded."""
    v = cells.vertex[cells.number[cell, FIRST] + j]
    if work.whole[ANSWER, j] != UNKNOWN:
        work.real[VALUE, j] = work.real[ANSWER_VALUE, j]
        work.real[BOUND, j] = work.real[ANSWER_BOUND, j]
        return int(work.whole[ANSWER, j])
    if t.knot[source, IS_CENTRAL] != 0 and _is_origin(v, pool):
        return 0
    if error == 0.0 and pool.eps[v] == 0.0:
        return _exact_sign(t, path, source, v, j, pool, work)
    return UNKNOWN


@inlined_part
def find_signs(
    t: Net, path: Path, cells: Cells, cell: int, source: int, pool: Pool, work: Work
) -> tuple[int, int, int]:
    """Signs of ``pre-activation - knot`` at the vertices of a cell: how many are > 0, < 0, unknown."""
    dim = work.point.shape[0]
    slack, error = knot_row(t, path, source, work.row)
    norm = 0.0
    for c in range(dim):
        norm += abs(work.row[c])
    norm *= SAFETY
    # Without slope or error the row is a difference of two known numbers, and has the sign of that.
    constant = norm == 0.0 and error == 0.0
    above = 0
    below = 0
    unknown = 0
    first = cells.number[cell, FIRST]
    for j in range(cells.number[cell, N]):
        v = cells.vertex[first + j]
        if constant:
            sign = 1 if work.row[dim] > 0.0 else (-1 if work.row[dim] < 0.0 else 0)
            work.real[VALUE, j] = work.row[dim]
            work.real[BOUND, j] = slack
        else:
            sign = _evaluate(v, j, slack, norm, pool, work)
        if sign == UNKNOWN:
            sign = _doubtful_sign(t, path, cells, cell, source, j, error, pool, work)
            if sign == UNKNOWN and pool.mark[v] == FRESH:
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
