"""Compiled: cells are split unit by unit, depth first, the lower side of every knot before the upper.

So regions come in lexicographic order of their codes. The kernel stops wherever it needs
something from outside (room, a sign that floats cannot tell) and goes on from its state.
"""

from __future__ import annotations

from polyspline.split.cutting import NO_ROOM, NO_SLOT, cut_cell
from polyspline.split.emission import FULL, NO_WITNESS, write_region
from polyspline.split.entering import enter_layer, expand_group
from polyspline.split.maps import make_map
from polyspline.split.signs import find_signs
from polyspline.split.slots import touched_facet
from polyspline.split.state import (
    ACTIVE_UNIT,
    ALL,
    ANSWER,
    ASKED,
    AT_FIRST,
    ENTRIES,
    FIRST,
    FIRST_KNOT,
    HIGH,
    IS_GROUP,
    KNOT,
    LAYER,
    LOADED,
    LOW,
    PIECES,
    PLACE,
    POOL,
    POOL_END,
    REGIONS,
    STACK,
    TRAIL_END,
    UNKNOWN,
    Cells,
    Integers,
    N,
    Net,
    Path,
    State,
)
from polyspline.split.words import put_piece
from solvers.compiled import compiled, inlined_part

# Why the kernel stopped.
FINISHED = 0
ENOUGH = 1  # as many regions as were asked for
CUT = 2  # the asked cut has been made
NEEDS_OUTPUT = 3  # the arrays of results are full
NEEDS_ROOM = 4
NEEDS_SLOTS = 5
NEEDS_SIGNS = 6
NEEDS_WITNESS = 7

GOING_ON = -1


@inlined_part
def _drop_top(cells: Cells, count: Integers) -> None:
    """Leave the top cell, and give back what only it used."""
    top = count[STACK] - 2
    count[STACK] = top + 1
    if top >= 0:
        count[ENTRIES] = cells.number[top, FIRST] + cells.number[top, N]
        count[POOL] = cells.number[top, POOL_END]


@inlined_part
def _next_unit(t: Net, path: Path, cells: Cells, cell: int, piece: int) -> None:
    """Set the piece of the unit at hand, and go on to the next one."""
    layer = cells.number[cell, LAYER]
    place = cells.number[cell, PLACE]
    put_piece(t, path.active[ACTIVE_UNIT, layer, place], piece, cells.code[cell])
    cells.number[cell, PLACE] = place + 1
    if place + 1 < path.active_count[layer]:
        cells.number[cell, KNOT] = path.active[LOW, layer, place + 1]


@inlined_part
def _note_tie(cells: Cells, cell: int, source: int, on_all: bool, s: State) -> None:
    """Note a knot that lies on a facet of another one, for this cell and all below it."""
    facet = ALL
    if not on_all:
        slot = touched_facet(cells, cell, s.work)
        if slot < 0 or cells.source[cell, slot] < 0:
            return
        facet = cells.source[cell, slot]
    top = cells.number[cell, TRAIL_END]
    s.trail[0, top] = facet
    s.trail[1, top] = source
    cells.number[cell, TRAIL_END] = top + 1


@inlined_part
def _knot_at_hand(t: Net, unit: int, knot: int) -> tuple[int, int]:
    """Knot that a cell has come to, and on which side of it the cell is to be kept: 1, -1, or 0 for both.

    For a max group the cell is where one member is the largest, and `knot` says which, and with
    which other member it is to be compared.
    """
    first = t.unit[unit, FIRST_KNOT]
    if t.unit[unit, IS_GROUP] == 0:
        return first + knot, 0
    size = t.unit[unit, PIECES]
    member = knot // size
    other = knot - member * size
    low = member if member < other else other
    high = other if member < other else member
    return first + low * (2 * size - low - 1) // 2 + high - low - 1, 1 if member == high else -1


@inlined_part
def _pass_member(t: Net, unit: int, cell: int, keeps: bool, s: State) -> None:
    """Go on to the next comparison of a member, or leave the cell if it is nowhere the largest."""
    cells = s.cells
    if not keeps:
        s.done[0] += cells.share[cell]
        _drop_top(cells, s.level)
        return
    size = t.unit[unit, PIECES]
    knot = cells.number[cell, KNOT]
    member = knot // size
    other = knot - member * size + 1
    if other == member:
        other += 1
    cells.number[cell, KNOT] = member * size + other
    if other >= size:
        _next_unit(t, s.path, cells, cell, member)


@inlined_part
def _pass_knot(t: Net, layer: int, cell: int, above: bool, s: State) -> None:
    """Go on above a knot to the next one, below it or after the last to the next unit."""
    knot = s.cells.number[cell, KNOT]
    if above:
        knot += 1
        s.cells.number[cell, KNOT] = knot
    if not above or knot == s.path.active[HIGH, layer, s.cells.number[cell, PLACE]]:
        _next_unit(t, s.path, s.cells, cell, knot)


@inlined_part
def _step(t: Net, cell: int, layer: int, unit: int, reach: float, s: State) -> int:
    """Decide on which side of the knot at hand the top cell is, or cut it; go on from there."""
    cells = s.cells
    source, side = _knot_at_hand(t, unit, cells.number[cell, KNOT])
    above, below, unknown = find_signs(t, s.path, cells, cell, source, s.pool, s.work)
    if unknown > 0:
        s.level[ASKED] = source
        return NEEDS_SIGNS
    n = cells.number[cell, N]
    outcome = GOING_ON
    if above > 0 and below > 0:
        done = cut_cell(cells, cell, source, side, reach, s.pool, s.work, s.level)
        if done == NO_ROOM:
            return NEEDS_ROOM
        if done == NO_SLOT:
            return NEEDS_SLOTS
        if side == 0:
            outcome = CUT
    elif above + below < n:
        _note_tie(cells, cell, source, above + below == 0, s)
    for j in range(n):
        s.work.whole[ANSWER, j] = UNKNOWN
    if side != 0:
        # Where the two are equal throughout, the lower member is the piece.
        mine = above if side > 0 else below
        tied = above + below == 0 and side < 0
        _pass_member(t, unit, cell, mine > 0 or tied, s)
        return outcome
    for part in range(cell, s.level[STACK]):
        _pass_knot(t, layer, part, part == cell and above > 0, s)
    return outcome


@compiled
def split_cells(t: Net, keep: bool, most: int, one_cut: bool, reach: float, s: State) -> int:
    """Split the cells on the stack until all is done or something is wanted.

    Parameters
    ----------
    t
        The network on its domain.
    keep
        Whether to write the regions down; else they are only counted.
    most
        Stop when so many regions are counted.
    one_cut
        Whether to stop after the next cut.
    reach
        Bound on the coordinates of the domain.
    s
        All else; the kernel goes on from it. A cell from outside (LOADED) is decided below its
        KNOT of the row PLACE.

    Returns
    -------
    int
        Why it stopped.
    """
    layers = t.layer.shape[0]
    while s.level[STACK] > 0:
        cell = s.level[STACK] - 1
        layer = s.cells.number[cell, LAYER]
        loaded = s.level[LOADED] != 0
        if layer < layers and s.cells.number[cell, PLACE] < s.path.active_count[layer] and not loaded:
            unit = s.path.active[ACTIVE_UNIT, layer, s.cells.number[cell, PLACE]]
            if s.cells.number[cell, KNOT] == AT_FIRST:
                copies = expand_group(t, layer, unit, cell, s)
                outcome = NEEDS_ROOM if copies == 0 else (CUT if copies > 1 else GOING_ON)
            else:
                outcome = _step(t, cell, layer, unit, reach, s)
            if outcome == CUT and not one_cut:
                continue
            if outcome != GOING_ON:
                return outcome
        elif layer + 1 < layers or (loaded and layer < layers):
            begin = 0 if loaded else layer + 1
            end = layer if loaded else layer + 1
            for depth in range(begin, end + 1):
                make_map(t, depth, s.cells.code[cell], s.path)
            row = s.cells.number[cell, PLACE] if loaded else 0
            knot = s.cells.number[cell, KNOT] if loaded else AT_FIRST
            s.level[LOADED] = 0
            enter_layer(t, end, s.cells, cell, row, knot, s.path, s.pool)
        else:
            s.level[LOADED] = 0
            if s.level[REGIONS] >= most:
                return ENOUGH
            written = write_region(t, cell, keep, s)
            if written == FULL:
                return NEEDS_OUTPUT
            if written == NO_WITNESS:
                return NEEDS_WITNESS
            _drop_top(s.cells, s.level)
    return FINISHED
