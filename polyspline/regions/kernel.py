"""One region, compiled: from its code and a point near it to its witness, facets and neighbours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.copies import piece_beyond
from polyspline.cpa.row_space import RowSpace, row_space
from polyspline.cpa.rows import build_rows
from polyspline.cpa.tables import Tables
from solvers.compiled import NOTHING, compiled, compiled_part, larger, smaller
from solvers.lp.cone import (
    FACET,
    UNDECIDED,
    System,
    Workspace,
    inside_of_proven,
    row_values,
    size_of,
    strictly_inside,
    within_reach,
    workspace,
)
from solvers.lp.redundancy import DECIDED, INTERIOR_UNPROVEN, decide_rows

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Words = NDArray[np.uint64]

PROVEN = 0
"""Status: witness, facets and neighbours are proven."""

NEEDS_EXACT = 1
"""Status: floats could not decide everything."""


class Layout(NamedTuple):
    """Where each unit's piece lies in the packed words of a code."""

    word: Integers  # (N,)
    shift: Words  # (N,)
    mask: Words  # (N,)


class Neighbours(NamedTuple):
    """Facets of a run of regions, those of one region after those of the one before, by source."""

    start: Integers  # (B + 1,)
    knot: NDArray[np.int32]  # (F,) lowest knot on the facet
    packed: Words  # (F, words) code beyond it
    point: Floats  # (F, S) a point of the facet


class Expansion(NamedTuple):
    """What is found of a run of regions, besides their neighbours."""

    witness: Floats  # (B, S)
    status: Integers  # (B,)


class Scratch(NamedTuple):
    """Work arrays of one thread."""

    space: RowSpace
    work: Workspace


def scratch(tables: Tables) -> Scratch:
    """Allocate the work arrays for a network."""
    space = row_space(tables)
    return Scratch(space, workspace(space.rows.shape[1], tables.size))


def decide_bare(tables: Tables, point: Floats) -> tuple[Integers, Floats]:
    """Decide which rows of a bare domain are facets, as far as floats can.

    Parameters
    ----------
    tables
        From `polyspline.cpa.tables.make_row_tables`, m rows.
    point
        (S,) a point strictly inside.

    Returns
    -------
    state : ndarray of int64
        (m,) of solvers.lp.cone.
    points : ndarray of float64
        (m, S) a point in the relative interior of each facet found.
    """
    scr = scratch(tables)
    scr.work.state[:] = UNDECIDED
    nothing = np.empty(0, np.uint64)
    out = Expansion(np.empty((1, len(point))), np.empty(1, np.int64))
    room = scr.space.knot.shape[0]
    neighbours = Neighbours(
        np.empty(2, np.int64),
        np.empty(room, np.int32),
        np.empty((room, 1), np.uint64),
        np.empty((room, len(point))),
    )
    expand(
        tables,
        None,
        Layout(np.empty(0, np.int64), nothing, nothing),
        np.zeros((1, 1), np.uint64),
        point[None, :],
        np.array([-1], np.int32),
        False,
        scr,
        out,
        neighbours,
    )
    count = tables.domain_rows.shape[1]
    state = scr.work.state[:count].copy()
    points = np.zeros((count, len(point)))
    for j in np.flatnonzero(state == FACET):
        crossing = scr.work.crossing[j]
        if crossing[-1] > 0.0:  # a facet of the sky has no point at a finite place
            points[j] = crossing[: len(point)] / crossing[-1]
    return state, points


@compiled_part
def unpack(packed: Words, layout: Layout, code: Integers) -> None:
    """Pieces of all units from the packed words of one code."""
    for k in range(code.shape[0]):
        code[k] = np.int64((packed[layout.word[k]] >> layout.shift[k]) & layout.mask[k])


@compiled_part
def put_piece(packed: Words, layout: Layout, unit: int, piece: int) -> None:
    """Set one unit's piece in the packed words of a code."""
    shift = layout.shift[unit]
    word = layout.word[unit]
    cleared = packed[word] & ~(layout.mask[unit] << shift)
    packed[word] = cleared | (np.uint64(piece) << shift)


@compiled_part
def _cross_groups(
    t: Tables, groups: Integers, layout: Layout, family: int, s: RowSpace, packed: Words
) -> bool:
    """Flip the max groups whose members copy what flips; False if one is not told by that."""
    for index in range(groups.shape[0]):
        group = groups[index]
        piece = piece_beyond(t, group, family, s)
        if piece < 0:
            return False
        if piece != s.code[group]:
            # What copies this group's output is another function beyond.
            if t.is_copied[group]:
                return False
            put_piece(packed, layout, group, piece)
    return True


@compiled_part
def cross(t: Tables, groups: Integers | None, layout: Layout, knot: int, s: RowSpace, packed: Words) -> bool:
    """Flip every unit with a knot on the hyperplane of `knot`; False if one is not next to its knot."""
    code = s.code
    family = t.family[knot]
    crossed = np.int64(-1)
    for index in range(t.twin_start[family], t.twin_start[family + 1]):
        twin = t.twins[index]
        unit = t.knot_unit[twin]
        low = t.knot_low[twin]
        high = t.knot_high[twin]
        if code[unit] == low or code[unit] == high:
            # Three members of a group that are equal here: which one is next is not told by the code.
            if unit == crossed or (t.is_group[unit] and t.is_copied[unit]):
                return False
            put_piece(packed, layout, unit, high if code[unit] == low else low)
            crossed = unit
        elif not t.is_group[unit]:
            return False
    if groups is not None:
        return _cross_groups(t, groups, layout, family, s, packed)
    return True


@compiled_part
def _enter(t: Tables, s: RowSpace, n: int, entry: int, work: Workspace) -> int:
    """Step from a point on the entry facet into the region: `work.point`; the row of the entry or -1."""
    size = t.size
    known = NOTHING
    for j in range(n):
        if s.knot[j] == entry:
            known = j
    if known < 0:
        return -1
    direction = work.direction
    for c in range(size):
        direction[c] = 0.0
    coordinates = size - 1 if t.bounded else size
    for c in range(coordinates):
        direction[c] = s.rows[c, known]
    row_values(s.rows, n, work.point, work.value)
    row_values(s.rows, n, direction, work.rate)
    work.value[known] = larger(work.value[known], 0.0)
    nearest = 0.0
    farthest = np.inf
    for j in range(n):
        if work.rate[j] < 0.0:
            farthest = smaller(farthest, work.value[j] / -work.rate[j])
        elif work.value[j] < 0.0:
            nearest = larger(nearest, work.value[j] / -work.rate[j])
    if not nearest < farthest:
        return -1
    step = 0.5 * (nearest + farthest)
    if farthest == np.inf:
        length = 0.0
        for c in range(size):
            length = larger(length, abs(direction[c]))
        step = nearest + 1.0 / length
    for c in range(size):
        work.crossing[known, c] = work.point[c]
        work.point[c] += step * direction[c]
    return known


@compiled_part
def lift(t: Tables, z: Floats, out: Floats) -> None:
    """Homogeneous coordinates of a point: (z, 1), and scaled to sup norm one on the whole space."""
    n_inputs = z.shape[0]
    largest = 1.0 if t.size > n_inputs else 0.0
    for c in range(n_inputs):
        out[c] = z[c]
        largest = larger(largest, abs(z[c]))
    if t.size > n_inputs:
        out[n_inputs] = 1.0
    if not t.bounded and largest > 0.0:
        for c in range(t.size):
            out[c] /= largest


@compiled_part
def lower(t: Tables, x: Floats, out: Floats) -> None:
    """Write the point z of homogeneous coordinates into `out`."""
    n_inputs = out.shape[0]
    scale = 1.0
    if t.size > n_inputs and not t.bounded:
        scale = float(x[n_inputs])
    for c in range(n_inputs):
        out[c] = x[c] / scale


@compiled_part
def _witness_holds(t: Tables, s: RowSpace, n: int, z: Floats, proven: bool, work: Workspace) -> bool:
    """Whether the float point z itself is proven to be strictly inside.

    Of a bounded domain only points within the reach of the slack are; over the whole space the
    slack grows with the norm of (z, 1), which is bounded with its rounding by `size_of`. `proven` says
    that the rows were proven to be positive at another point.
    """
    n_inputs = z.shape[0]
    for c in range(n_inputs):
        work.point[c] = z[c]
    if t.size > n_inputs:
        work.point[n_inputs] = 1.0
    if not within_reach(work.point, t.radius, t.bounded):
        return False
    scale = size_of(work.point, t.bounded)
    if proven:
        return inside_of_proven(s.rows, s.slack, n, work.point, scale, NOTHING, work.value)
    return strictly_inside(s.rows, s.slack, n, work.point, scale, NOTHING, work.value)


@compiled_part
def decide_region(
    t: Tables,
    groups: Integers | None,
    point: Floats,
    entry: int,
    refined: bool,
    only_witness: bool,
    scr: Scratch,
    witness: Floats,
) -> tuple[int, int, bool]:
    """Decide the rows of the region of `scr.space.code`: outcome, number of rows, dead units or not.

    `point` is on the facet with knot `entry`, or in the interior if `entry` is -1.
    """
    s = scr.space
    work = scr.work
    n, dead = build_rows(t, groups, refined, s)
    lift(t, point, work.point)
    known = NOTHING
    if entry >= 0:
        known = _enter(t, s, n, entry, work)
        if known < 0:
            return INTERIOR_UNPROVEN, n, dead
    if only_witness:
        lower(t, work.point, witness)
        holds = _witness_holds(t, s, n, witness, False, work)
        return (DECIDED if holds else INTERIOR_UNPROVEN), 0, False
    system = System(s.rows, s.slack, s.flags, s.spans, t.unit, t.radius, t.bounded)
    outcome = decide_rows(system, n, known, work)
    if outcome != INTERIOR_UNPROVEN:
        lower(t, work.point, witness)
        if not t.bounded and not _witness_holds(t, s, n, witness, True, work):
            return INTERIOR_UNPROVEN, n, dead
    return outcome, n, dead


@compiled
def expand(
    t: Tables,
    groups: Integers | None,
    layout: Layout,
    packed: Words,
    points: Floats,
    entries: NDArray[np.int32],
    only_witness: bool,
    scr: Scratch,
    out: Expansion,
    neighbours: Neighbours,
) -> int:
    """Expand regions in turn, as many as there is room for.

    Parameters
    ----------
    t, groups, layout
        The network on its domain, its max groups (see `max_groups_of`), and the layout of packed codes.
    packed, points, entries
        (B, words), (B, S) and (B,): code, point on the entry facet, knot of the entry
        facet (-1: the point is in the interior).
    only_witness
        Whether to stop at a proven witness and leave the facets alone.
    scr
        Work arrays.
    out, neighbours
        Results; a region with status NEEDS_EXACT has no neighbours here.

    Returns
    -------
    int
        Number of regions done: fewer than B only for want of room in `neighbours`.
    """
    s = scr.space
    room = neighbours.knot.shape[0]
    filled = 0
    neighbours.start[0] = 0
    for i in range(packed.shape[0]):
        if room - filled < s.knot.shape[0]:
            return i
        unpack(packed[i], layout, s.code)
        for refined in (False, True):
            outcome, n, dead = decide_region(
                t, groups, points[i], entries[i], refined, only_witness, scr, out.witness[i]
            )
            if outcome == DECIDED:
                break
        out.status[i] = PROVEN
        if outcome != DECIDED or dead:
            out.status[i] = NEEDS_EXACT
        before = filled
        if out.status[i] == PROVEN:
            for j in range(n):
                if scr.work.state[j] != FACET:
                    continue
                if s.knot[j] >= 0:
                    neighbours.knot[filled] = s.knot[j]
                    lower(t, scr.work.crossing[j], neighbours.point[filled])
                    for c in range(packed.shape[1]):
                        neighbours.packed[filled, c] = packed[i, c]
                    if not cross(t, groups, layout, s.knot[j], s, neighbours.packed[filled]):
                        out.status[i] = NEEDS_EXACT
                    filled += 1
        if out.status[i] != PROVEN:
            filled = before
        neighbours.start[i + 1] = filled
    return len(packed)
