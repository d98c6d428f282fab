"""Compiled: which units of a layer may cut a cell at all, from their values at its vertices."""

from __future__ import annotations

import numpy as np

from polyspline.split.cutting import copy_header
from polyspline.split.state import (
    ACTIVE_UNIT,
    AT,
    AT_FIRST,
    ENTRIES,
    FIRST,
    FIRST_KNOT,
    HIGH,
    IS_GROUP,
    KNOT,
    LAYER,
    LEAST,
    LOW,
    MOST,
    N_OUT,
    NORM,
    PIECES,
    PLACE,
    ROW_OF,
    ROWS,
    SLACK,
    STACK,
    Cells,
    N,
    Net,
    Path,
    Pool,
    State,
)
from polyspline.split.words import put_piece
from solvers.compiled import inlined_part, larger
from solvers.predicates.rounding import ROUNDOFF


@inlined_part
def _range_of_values(
    layer: int, begin: int, end: int, cells: Cells, cell: int, path: Path, pool: Pool
) -> float:
    """Least and largest value of some rows at a cell's vertices; the farthest that one may be off."""
    dim = path.inputs.shape[0] - 1
    farthest = 0.0
    first = cells.number[cell, FIRST]
    # Slices from zero: their indices need no wrapping, and the loops become vector instructions.
    at = path.line[AT, begin:end]
    least = path.line[LEAST, begin:end]
    most = path.line[MOST, begin:end]
    constant = path.values[layer, dim, begin:end]
    for j in range(cells.number[cell, N]):
        v = cells.vertex[first + j]
        farthest = larger(farthest, pool.eps[v])
        for i in range(len(at)):
            at[i] = constant[i]
        for c in range(dim):
            x = pool.x[v, c]
            slope = path.values[layer, c, begin:end]
            for i in range(len(at)):
                at[i] += x * slope[i]
        if j == 0:
            for i in range(len(at)):
                least[i] = at[i]
                most[i] = at[i]
        else:
            for i in range(len(at)):
                least[i] = at[i] if at[i] < least[i] else least[i]
                most[i] = at[i] if at[i] > most[i] else most[i]
    return farthest


@inlined_part
def _settled_knots(t: Net, layer: int, unit: int, low: int, farthest: float, path: Path) -> tuple[int, int]:
    """Knots of a scalar unit that may cut a cell, from one on: the first, and the first that may not."""
    row = t.unit[unit, ROW_OF]
    error = path.bound[SLACK, layer, row] + path.bound[NORM, layer, row] * farthest
    high = t.unit[unit, PIECES] - 1
    for k in range(low, high):
        position = t.position[t.unit[unit, FIRST_KNOT] + k]
        doubt = error + 4.0 * ROUNDOFF * abs(position)
        if path.line[LEAST, row] - position > doubt:
            low = k + 1
        elif path.line[MOST, row] - position < -doubt:
            high = k
            break
    return low, high


@inlined_part
def mark_largest(t: Net, layer: int, unit: int, farthest: float, path: Path) -> tuple[int, int]:
    """Mark the members of a max group that may be the largest somewhere, in AT: how many, and the last.

    A member is left out only if all its values are proven to be below all values of another one.
    """
    first = t.unit[unit, ROW_OF]
    end = first + t.unit[unit, PIECES]
    floor = -np.inf
    for i in range(first, end):
        error = path.bound[SLACK, layer, i] + path.bound[NORM, layer, i] * farthest
        least = path.line[LEAST, i] - error
        if least > floor:  # a bound that is NaN bounds nothing
            floor = least
    found = 0
    last = 0
    for i in range(first, end):
        error = path.bound[SLACK, layer, i] + path.bound[NORM, layer, i] * farthest
        path.line[AT, i] = 0.0
        if not path.line[MOST, i] + error < floor:
            path.line[AT, i] = 1.0
            found += 1
            last = i - first
    return found, last


@inlined_part
def expand_group(t: Net, layer: int, unit: int, cell: int, s: State) -> int:
    """Put a copy of the top cell on the stack for each member of a max group that may be the largest.

    Returns the number of copies, 0 for want of room.
    """
    cells = s.cells
    size = t.unit[unit, PIECES]
    first_row = t.unit[unit, ROW_OF]
    farthest = _range_of_values(layer, first_row, first_row + size, cells, cell, s.path, s.pool)
    copies, _ = mark_largest(t, layer, unit, farthest, s.path)
    first = cells.number[cell, FIRST]
    n = cells.number[cell, N]
    if cell + copies > cells.share.shape[0] or first + copies * n > cells.vertex.shape[0]:
        return 0
    cells.share[cell] /= copies
    place = cell
    for back in range(size):
        member = size - 1 - back
        if s.path.line[AT, first_row + member] == 0.0:
            continue
        if place > cell:
            copy_header(cells, cell, place)
            start = first + (place - cell) * n
            cells.number[place, FIRST] = start
            for j in range(n):
                cells.vertex[start + j] = cells.vertex[first + j]
                for b in range(len(cells.spread)):
                    cells.on[start + j, b] = cells.on[first + j, b]
        cells.number[place, KNOT] = member * size + (1 if member == 0 else 0)
        place += 1
    s.level[STACK] = place
    s.level[ENTRIES] = first + copies * n
    return copies


@inlined_part
def enter_layer(
    t: Net, layer: int, cells: Cells, cell: int, row: int, knot: int, path: Path, pool: Pool
) -> None:
    """List the units of a layer that may cut a cell, from a row and its `knot` on; fix the others."""
    farthest = _range_of_values(layer, row, t.layer[layer, N_OUT], cells, cell, path, pool)
    count = 0
    i = row
    while i < t.layer[layer, N_OUT]:
        unit = t.row_unit[t.layer[layer, ROWS] + i]
        begun = knot if i == row else AT_FIRST
        if unit < 0:
            i += 1
            continue
        low = begun if begun > 0 else 0
        high = low
        if t.unit[unit, IS_GROUP] == 0:
            low, high = _settled_knots(t, layer, unit, low, farthest, path)
            i += 1
        else:
            found, last = mark_largest(t, layer, unit, farthest, path)
            high = last
            low = last
            if found > 1 or begun >= 0:
                low = begun
                high = t.unit[unit, PIECES] * t.unit[unit, PIECES]
            i += t.unit[unit, PIECES]
        if low < high:
            path.active[ACTIVE_UNIT, layer, count] = unit
            path.active[LOW, layer, count] = low
            path.active[HIGH, layer, count] = high
            count += 1
        else:
            put_piece(t, unit, low, cells.code[cell])
    path.active_count[layer] = count
    cells.number[cell, LAYER] = layer
    cells.number[cell, PLACE] = 0
    cells.number[cell, KNOT] = path.active[LOW, layer, 0]
