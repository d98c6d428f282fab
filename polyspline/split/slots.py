"""Compiled: which slots of a cell are facets, told by the vertices on them alone."""

from __future__ import annotations

import numpy as np

from polyspline.split.state import COMMON, FIRST, SIGN, SIMPLE, USED, Cells, N, Work
from polyspline.split.words import ONE, ONES, ZEROS, size_of
from solvers.compiled import inlined_part


@inlined_part
def _find_used(cells: Cells, cell: int, work: Work) -> None:
    """Find the slots that some vertex of a cell is on, USED, and for each those that all of them are on.

    A slot is a facet if and only if the vertices on it are on no other all together.
    """
    words = len(cells.spread)
    for b in range(words):
        work.slots[USED, b] = ZEROS
    first = cells.number[cell, FIRST]
    for j in range(cells.number[cell, N]):
        entry = first + j
        for b in range(words):
            bits = cells.on[entry, b]
            slot = 64 * b
            seen = work.slots[USED, b]
            work.slots[USED, b] = seen | bits
            while bits != ZEROS:
                if bits & ONE != ZEROS:
                    for d in range(words):
                        before = work.alone[slot, d] if seen & ONE != ZEROS else ONES
                        work.alone[slot, d] = before & cells.on[entry, d]
                bits >>= ONE
                seen >>= ONE
                slot += 1


@inlined_part
def tidy(cells: Cells, cell: int, dim: int, work: Work) -> None:
    """Take the slots that are no facets out of a cell's masks; note whether it is simple now."""
    _find_used(cells, cell, work)
    for b in range(len(cells.spread)):
        bits = work.slots[USED, b]
        slot = 64 * b
        mark = ONE
        while bits != ZEROS:
            if bits & ONE != ZEROS and size_of(work.alone[slot]) > 1:
                work.slots[USED, b] &= ~mark
            bits >>= ONE
            mark <<= ONE
            slot += 1
    simple = 1
    first = cells.number[cell, FIRST]
    for j in range(cells.number[cell, N]):
        for b in range(len(cells.spread)):
            cells.on[first + j, b] &= work.slots[USED, b]
        if size_of(cells.on[first + j]) != dim:
            simple = 0
    cells.number[cell, SIMPLE] = simple


@inlined_part
def touched_facet(cells: Cells, cell: int, work: Work) -> int:
    """Slot of the facet that the vertices of sign 0 make up; -1 if they make up a smaller face."""
    words = len(cells.spread)
    for b in range(words):
        work.slots[COMMON, b] = ONES
    first = cells.number[cell, FIRST]
    for j in range(cells.number[cell, N]):
        if work.whole[SIGN, j] == 0:
            for b in range(words):
                work.slots[COMMON, b] &= cells.on[first + j, b]
    found = -1
    for b in range(words):
        bits = work.slots[COMMON, b]
        slot = 64 * b
        while bits != ZEROS:
            if bits & ONE != ZEROS:
                if found >= 0:
                    return -1
                found = slot
            bits >>= ONE
            slot += 1
    if found < 0:
        return -1
    # They are on one facet alone: they are that facet if no other vertex is on it.
    word = found // 64
    mark = ONE << np.uint64(found - 64 * word)
    for j in range(cells.number[cell, N]):
        if work.whole[SIGN, j] != 0 and cells.on[first + j, word] & mark != ZEROS:
            return -1
    return found
