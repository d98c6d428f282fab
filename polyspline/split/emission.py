"""Compiled: a finished cell is a region: its tallies, its witness, its facets."""

from __future__ import annotations

import numpy as np

from polyspline.split.signs import facet_row
from polyspline.split.state import (
    ALL,
    ANSWERED,
    BOUNDARY,
    FILLED,
    FIRST,
    FIRST_KNOT,
    INNER,
    IS_GROUP,
    KEY,
    KEY_MASK,
    KNOTS_OUT,
    LAYER_OF,
    LOW_PIECE,
    LOWER_ROW,
    MASK,
    MISS,
    OFFSET,
    OWNER,
    PAIRS,
    POINT_EXACT,
    REGIONS,
    ROW_OF,
    ROWS,
    SHIFT,
    TIE_KNOT,
    TIE_REGION,
    TIES_OUT,
    TRAIL_END,
    UPPER_ROW,
    USED,
    WORD,
    Cells,
    Indices,
    Integers,
    N,
    Net,
    Path,
    Pool,
    Results,
    State,
    Words,
    Work,
)
from polyspline.split.words import ONE, ZEROS, fingerprint, is_below, size_of
from solvers.compiled import ZERO, compiled_part, inlined_part

WRITTEN, FULL, NO_WITNESS = 0, 1, 2


@inlined_part
def _find_facets(cells: Cells, cell: int, work: Work) -> int:
    """Slots of a cell's facets, USED; how many there are."""
    first = cells.number[cell, FIRST]
    for b in range(len(cells.spread)):
        used = ZEROS
        for j in range(cells.number[cell, N]):
            used |= cells.on[first + j, b]
        work.slots[USED, b] = used
    return size_of(work.slots[USED])


@inlined_part
def _take_mean(cells: Cells, cell: int, pool: Pool, work: Work) -> None:
    """Mean of a cell's vertices, in the work point."""
    first = cells.number[cell, FIRST]
    n = cells.number[cell, N]
    for c in range(pool.x.shape[1]):
        total = 0.0
        for j in range(n):
            total += pool.x[cells.vertex[first + j], c]
        work.point[c] = total / n


@inlined_part
def _is_inside(t: Net, path: Path, cells: Cells, cell: int, work: Work) -> bool:
    """Whether the work point is proven to be strictly on the inner side of every facet."""
    for b in range(len(cells.spread)):
        bits = work.slots[USED, b]
        slot = 64 * b
        while bits != ZEROS:
            if bits & ONE != ZEROS:
                source = cells.source[cell, slot]
                facet_row(t, path, source, ZERO, work)
                value = work.side[OFFSET, 0]
                for c in range(work.point.shape[0]):
                    value += work.matrix[0, c] * work.point[c]
                if source >= 0 and is_below(t, source, cells.code[cell]):
                    value = -value
                if not value > work.side[MISS, 0]:
                    return False
            bits >>= ONE
            slot += 1
    return True


@compiled_part
def _own_knot(t: Net, code: Words, source: int, trail: Indices, end: int, work: Work) -> int:
    """Lowest knot on a facet with several that is one of the region's, given the facet's key.

    Where three members of a max group are equal, the facet may come from a cut between two that
    the region is below: its own knots are those of the member that is its largest.
    """
    unit = t.knot[source, OWNER]
    if t.unit[unit, IS_GROUP] == 0:
        return source
    piece = np.int64(code[t.unit[unit, WORD]] >> np.uint64(t.unit[unit, SHIFT])) & t.unit[unit, MASK]
    largest = t.unit[unit, ROW_OF] + piece
    first_row = t.layer[t.unit[unit, LAYER_OF], ROWS]
    for knot in range(t.unit[unit, FIRST_KNOT], t.knot.shape[0]):
        if t.knot[knot, OWNER] != unit:
            break
        other = t.knot[knot, UPPER_ROW]
        if other == largest:
            other = t.knot[knot, LOWER_ROW]
        elif t.knot[knot, LOWER_ROW] != largest:
            continue
        place = first_row + other
        on_facet = work.key[KEY_MASK, place // 64] >> np.uint64(place - 64 * (place // 64)) & ONE != ZEROS
        for i in range(end):
            # A member equal to the largest in all of the region is no knot of its.
            if trail[0, i] == ALL and trail[1, i] == knot:
                on_facet = False
        if on_facet:
            return knot
    return source


@inlined_part
def _find_tie(t: Net, cells: Cells, cell: int, source: int, trail: Indices, work: Work) -> bool:
    """Whether a facet has several knots; KEY is then the code but for their units, KEY_MASK their rows."""
    words = work.key.shape[1]
    tied = False
    for i in range(-1, cells.number[cell, TRAIL_END]):
        knot = source
        if i >= 0:
            if trail[0, i] != source and trail[0, i] != ALL:
                continue
            knot = trail[1, i]
            tied = True
        else:
            for c in range(words):
                work.key[KEY, c] = cells.code[cell, c] if c < cells.code.shape[1] else ZEROS
                work.key[KEY_MASK, c] = ZEROS
        unit = t.knot[knot, OWNER]
        word = t.unit[unit, WORD]
        shift = np.uint64(t.unit[unit, SHIFT])
        piece = 0 if t.unit[unit, IS_GROUP] != 0 else t.knot[knot, LOW_PIECE]
        bits = np.uint64(t.unit[unit, MASK]) << shift
        work.key[KEY, word] = (work.key[KEY, word] & ~bits) | (np.uint64(piece) << shift)
        for row in (t.knot[knot, UPPER_ROW], t.knot[knot, LOWER_ROW]):
            if row >= 0:
                place = t.layer[t.unit[unit, LAYER_OF], ROWS] + row
                work.key[KEY_MASK, place // 64] |= ONE << np.uint64(place - 64 * (place // 64))
    return tied


@inlined_part
def _write_tie(
    t: Net, cells: Cells, cell: int, source: int, trail: Indices, work: Work, out: Results, count: Integers
) -> None:
    """Write a facet with several knots down, whose key has been found."""
    place = count[TIES_OUT]
    out.tie[place, TIE_REGION] = count[FILLED]
    out.tie[place, TIE_KNOT] = _own_knot(
        t, cells.code[cell], source, trail, cells.number[cell, TRAIL_END], work
    )
    for i in range(2):
        for c in range(work.key.shape[1]):
            out.tie_key[place, i, c] = work.key[i, c]
    count[TIES_OUT] = place + 1


@inlined_part
def _mark_of_code(cells: Cells, cell: int) -> np.uint64:
    """Fingerprint of a region's code: the sum of those of its words."""
    found = ZEROS
    for c in range(cells.code.shape[1]):
        found += fingerprint(cells.code[cell, c], c)
    return found


@inlined_part
def _mark_of_facet(t: Net, cells: Cells, cell: int, source: int, code: np.uint64) -> np.uint64:
    """Fingerprint of a facet with one knot, the same from both its sides."""
    unit = t.knot[source, OWNER]
    word = t.unit[unit, WORD]
    shift = np.uint64(t.unit[unit, SHIFT])
    mine = cells.code[cell, word]
    low = np.uint64(t.knot[source, LOW_PIECE]) << shift
    lower = (mine & ~(np.uint64(t.unit[unit, MASK]) << shift)) | low
    return fingerprint(code - fingerprint(mine, word) + fingerprint(lower, word), source)


@inlined_part
def _mark_of_tie(work: Work) -> np.uint64:
    """Fingerprint of a facet with several knots, whose key has been found."""
    found = ZEROS
    words = work.key.shape[1]
    for c in range(words):
        found += fingerprint(work.key[KEY, c], c) + fingerprint(work.key[KEY_MASK, c], words + c)
    return found


@inlined_part
def _tally(t: Net, cell: int, keep: bool, s: State) -> None:
    """Count the facets of a region by their side, and write them down if they are to be kept.

    Where they are not, PAIRS takes in a fingerprint of each: those of its two sides cancel.
    """
    begin = s.level[KNOTS_OUT]
    code = ZEROS if keep else _mark_of_code(s.cells, cell)
    for b in range(len(s.cells.spread)):
        bits = s.work.slots[USED, b]
        slot = 64 * b
        while bits != ZEROS:
            if bits & ONE != ZEROS:
                source = s.cells.source[cell, slot]
                if source < 0:
                    s.level[BOUNDARY] += 1
                else:
                    s.level[INNER] += 1
                    tied = False
                    if s.cells.number[cell, TRAIL_END] > 0:
                        tied = _find_tie(t, s.cells, cell, source, s.trail, s.work)
                    if not keep:
                        mark = _mark_of_facet(t, s.cells, cell, source, code)
                        if tied:
                            mark = _mark_of_tie(s.work)
                        s.level[PAIRS] ^= np.int64(mark)
                    elif tied:
                        _write_tie(t, s.cells, cell, source, s.trail, s.work, s.out, s.level)
                    elif is_below(t, source, s.cells.code[cell]):
                        place = s.level[KNOTS_OUT]
                        s.level[KNOTS_OUT] = place + 1
                        while place > begin and s.out.knot[place - 1] > source:
                            s.out.knot[place] = s.out.knot[place - 1]
                            place -= 1
                        s.out.knot[place] = source
            bits >>= ONE
            slot += 1


@inlined_part
def write_region(t: Net, cell: int, keep: bool, s: State) -> int:
    """Take down the region of a cell that is decided by all layers: WRITTEN, FULL or NO_WITNESS."""
    facets = _find_facets(s.cells, cell, s.work)
    place = s.level[FILLED]
    if keep:
        if (
            place == s.out.proven.shape[0]
            or s.level[KNOTS_OUT] + facets > s.out.knot.shape[0]
            or s.level[TIES_OUT] + facets > s.out.tie.shape[0]
        ):
            return FULL
        s.out.proven[place] = True
        if s.level[ANSWERED] != 0:
            s.out.proven[place] = s.level[POINT_EXACT] != 0
            s.level[ANSWERED] = 0
        else:
            _take_mean(s.cells, cell, s.pool, s.work)
            if not _is_inside(t, s.path, s.cells, cell, s.work):
                return NO_WITNESS
        for c in range(s.cells.code.shape[1]):
            s.out.packed[place, c] = s.cells.code[cell, c]
        for c in range(s.pool.x.shape[1]):
            s.out.witness[place, c] = s.work.point[c]
    _tally(t, cell, keep, s)
    s.level[REGIONS] += 1
    s.done[0] += s.cells.share[cell]
    if keep:
        s.level[FILLED] = place + 1
        s.out.start[place + 1] = s.level[KNOTS_OUT]
    return WRITTEN
