"""Compiled: cut one cell in two by a hyperplane, combinatorially.

Two vertices span an edge if and only if no third one lies on all the facets that both lie on;
where every vertex of the cell is on S facets, S - 1 common ones are enough. All that
depends on floats are the signs, which are proven, and the coordinates of the new vertices.

References
----------
K. Fukuda and A. Prodon, Double description method revisited, 1996.
"""

from __future__ import annotations

import numpy as np

from polyspline.split.slots import tidy
from polyspline.split.state import (
    BOUND,
    COMMON,
    COPY,
    ENTRIES,
    FIRST,
    FRESH,
    NEW,
    POOL,
    POOL_END,
    SIGN,
    SIMPLE,
    STACK,
    VALUE,
    Cells,
    Integers,
    N,
    Pool,
    Work,
)
from polyspline.split.words import ONE, ONES, ZEROS
from solvers.compiled import inlined_part, larger, smaller
from solvers.predicates.rounding import ROUNDOFF, SAFETY, SMALLEST

DONE, NO_ROOM, NO_SLOT = 0, 1, 2

_MOST = 2.0**1000


@inlined_part
def _share_edge(cells: Cells, cell: int, j: int, k: int, dim: int, work: Work) -> bool:
    """Whether two vertices of a cell span an edge; the slots they share are left in COMMON."""
    first = cells.number[cell, FIRST]
    missing = dim - 1
    for b in range(len(cells.spread)):
        bits = cells.on[first + j, b] & cells.on[first + k, b]
        work.slots[COMMON, b] = bits
        while missing > 0 and bits != ZEROS:
            missing -= 1
            bits &= bits - ONE
    if missing > 0:
        return False
    if cells.number[cell, SIMPLE] != 0:
        return True
    for i in range(cells.number[cell, N]):
        if i != j and i != k:
            holds = True
            for b in range(len(cells.spread)):
                holds = holds and work.slots[COMMON, b] & ~cells.on[first + i, b] == ZEROS
            if holds:
                return False
    return True


@inlined_part
def _new_vertex(
    cells: Cells, low_entry: int, up_entry: int, j: int, k: int, v: int, reach: float, pool: Pool, work: Work
) -> None:
    """Vertex v of the pool: where the edge from vertex j (below) to k (above) meets the hyperplane.

    With true values b below and a above, computed B and A, off by at most BOUNDs, the share
    ``B / (A + B)`` of the edge is off by at most ``((1 - share) BOUND_b + share BOUND_a) / (a + b)``, and
    ``a + b`` is at least ``A + B`` less both bounds. Where that says nothing, or the sum may have
    overflowed, the true vertex is somewhere on the edge all the same. The computed vertex is a mean of
    computed vertices, so it is near the domain. Coordinates are of size one (`reach` at least), and five
    roundings of numbers of that size are few against the last term.
    """
    low = cells.vertex[low_entry]
    up = cells.vertex[up_entry]
    below = -work.real[VALUE, j]
    above = work.real[VALUE, k]
    total = below + above
    share = below / total
    error = (1.0 - share) * work.real[BOUND, j] + share * work.real[BOUND, k] + 2.0 * SMALLEST
    left = total - work.real[BOUND, j] - work.real[BOUND, k]
    slide = error / left if left > error else 1.0
    if not (total < _MOST and 0.0 <= share <= 1.0):
        share = 0.5
        slide = 1.0
    length = 0.0
    for c in range(pool.x.shape[1]):
        step = pool.x[up, c] - pool.x[low, c]
        length = larger(length, abs(step))
        pool.x[v, c] = pool.x[low, c] + share * step
    eps = (1.0 - share) * pool.eps[low] + share * pool.eps[up]
    eps += slide * (length + pool.eps[low] + pool.eps[up]) + 16.0 * ROUNDOFF * reach
    pool.eps[v] = eps * SAFETY
    pool.mark[v] = FRESH


@inlined_part
def _free_slot(cells: Cells, cell: int) -> int:
    """Lowest slot on which no vertex of the cell is; -1 if there is none."""
    first = cells.number[cell, FIRST]
    for b in range(len(cells.spread)):
        used = ZEROS
        for j in range(cells.number[cell, N]):
            used |= cells.on[first + j, b]
        if used != ONES:
            slot = 64 * b
            while used & ONE != ZEROS:
                used >>= ONE
                slot += 1
            return slot
    return -1


@inlined_part
def _make_vertices(cells: Cells, cell: int, top: int, reach: float, pool: Pool, work: Work) -> int:
    """Make a vertex on every edge that is cut, above the pool's top; how many, or -1 for want of room."""
    n = cells.number[cell, N]
    first = cells.number[cell, FIRST]
    dim = pool.x.shape[1]
    room = pool.eps.shape[0] - top
    if work.vertex.shape[0] - n < room:
        room = work.vertex.shape[0] - n
    made = 0
    for j in range(n):
        if work.whole[SIGN, j] != -1:
            continue
        for k in range(n):
            if work.whole[SIGN, k] == 1 and _share_edge(cells, cell, j, k, dim, work):
                if made >= room:
                    return -1
                _new_vertex(cells, first + j, first + k, j, k, top + made, reach, pool, work)
                for b in range(len(cells.spread)):
                    work.on[NEW, made, b] = work.slots[COMMON, b]
                made += 1
    return made


@inlined_part
def _write_part(
    cells: Cells, cell: int, side: int, n: int, made: int, slot: int, top: int, work: Work
) -> None:
    """Write the vertices of one side from the copy of the parent's, and the new ones."""
    word = slot // 64
    mark = ONE << np.uint64(slot - 64 * word)
    first = cells.number[cell, FIRST]
    count = 0
    for j in range(n):
        sign = work.whole[SIGN, j]
        if sign == -side:
            continue
        cells.vertex[first + count] = work.vertex[j]
        for b in range(len(cells.spread)):
            cells.on[first + count, b] = work.on[COPY, j, b]
        if sign == 0:
            cells.on[first + count, word] |= mark
            cells.number[cell, SIMPLE] = 0
        count += 1
    for j in range(made):
        cells.vertex[first + count] = top + j
        for b in range(len(cells.spread)):
            cells.on[first + count, b] = work.on[NEW, j, b]
        cells.on[first + count, word] |= mark
        count += 1
    cells.number[cell, N] = count


@inlined_part
def copy_header(cells: Cells, cell: int, to: int) -> None:
    """Copy all of a cell but its vertices to another place of the stack."""
    for c in range(cells.number.shape[1]):
        cells.number[to, c] = cells.number[cell, c]
    for c in range(cells.code.shape[1]):
        cells.code[to, c] = cells.code[cell, c]
    for c in range(cells.source.shape[1]):
        cells.source[to, c] = cells.source[cell, c]
    cells.share[to] = cells.share[cell]


@inlined_part
def _share_above(n: int, work: Work) -> float:
    """How much of a cell lies above the knot at hand, as far as its extent tells."""
    least = 0.0
    most = 0.0
    for j in range(n):
        least = smaller(least, work.real[VALUE, j])
        most = larger(most, work.real[VALUE, j])
    share = most / (most - least)
    return share if 0.0 <= share <= 1.0 else 0.5


@inlined_part
def cut_cell(
    cells: Cells, cell: int, source: int, side: int, reach: float, pool: Pool, work: Work, level: Integers
) -> int:
    """Cut the top cell by a knot whose signs are known.

    Of side 0 the upper part stays and the lower one goes on top; of side 1 or -1 only the upper
    or the lower part stays. Returns DONE; or NO_ROOM or NO_SLOT, and then nothing has changed.
    """
    n = cells.number[cell, N]
    slot = _free_slot(cells, cell)
    if slot < 0:
        return NO_SLOT
    top = level[POOL]
    made = _make_vertices(cells, cell, top, reach, pool, work)
    first = cells.number[cell, FIRST]
    if made < 0 or cell + 1 == cells.share.shape[0] or 2 * (n + made) > cells.vertex.shape[0] - first:
        return NO_ROOM
    cells.source[cell, slot] = source
    share = _share_above(n, work)
    for j in range(n):
        work.vertex[j] = cells.vertex[first + j]
        for b in range(len(cells.spread)):
            work.on[COPY, j, b] = cells.on[first + j, b]
    if side == 0:
        copy_header(cells, cell, cell + 1)
        cells.share[cell + 1] *= 1.0 - share
        cells.share[cell] *= share
    end = first
    part = cell
    for lower in range(2):
        mine = 1 - 2 * lower
        if side == -mine:
            continue
        cells.number[part, FIRST] = end
        cells.number[part, POOL_END] = top + made
        _write_part(cells, part, mine, n, made, slot, top, work)
        if cells.number[part, SIMPLE] == 0:
            tidy(cells, part, pool.x.shape[1], work)
        end += cells.number[part, N]
        part += 1
    level[POOL] = top + made
    level[ENTRIES] = end
    level[STACK] = part
    return DONE
