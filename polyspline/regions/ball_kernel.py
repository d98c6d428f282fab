"""Whether regions meet a ball, compiled: proven in floats, or left open."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.row_space import RowSpace, row_space
from polyspline.cpa.rows import build_rows
from polyspline.cpa.tables import Tables
from polyspline.regions.kernel import Layout, unpack
from solvers.compiled import NOTHING, compiled, compiled_part, larger, smaller
from solvers.lp.cone import strictly_inside
from solvers.predicates.rounding import ROUNDOFF, SMALLEST
from solvers.qp.nearest import GAVE_UP, NEAREST, Nearest, find_nearest, nearest_room

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Words = NDArray[np.uint64]

OPEN = 0
"""Floats could not tell."""

MEETS = 1
"""A point is proven to be in the region and in the ball."""

APART = 2
"""A functional is proven to separate the region from the ball."""

_MARGIN = 1e-11
"""How far inside the rows the search stays, in units of the radius: wide of its own rounding."""

_SLACKS = 16.0


class BallScratch(NamedTuple):
    """Work arrays of one thread."""

    space: RowSpace
    search: Nearest
    point: Floats  # (C,)
    value: Floats  # (capacity,)
    largest: Floats  # (capacity,) size of the largest entry of each row's normal
    length: Floats  # (capacity,) length of the normal in units of that
    column: NDArray[np.int64]  # (capacity,) the row of each column of the search


def ball_scratch(tables: Tables) -> BallScratch:
    """Allocate the work arrays for a network on a bounded domain, or on a ball."""
    space = row_space(tables)
    dim = tables.size - 1
    capacity = space.knot.shape[0]
    return BallScratch(
        space=space,
        search=nearest_room(capacity + 2 * dim, dim),
        point=np.empty(tables.size),
        value=np.empty(capacity),
        largest=np.empty(capacity),
        length=np.empty(capacity),
        column=np.empty(capacity, np.int64),
    )


@compiled_part
def _pose(centre: Floats, scale: float, ratio: float, sup: bool, n: int, scr: BallScratch) -> int:
    """Write the rows about the ball's centre, in units of `scale`; how many there are, -1 if floats fail.

    They are moved inwards by a little, so that the nearest point is strictly inside. The
    radius is `ratio` units. Lengths are taken in units of the largest entry, whose square neither
    underflows nor overflows. Nothing here needs a bound: what is found is proven afterwards.
    """
    s = scr.space
    search = scr.search
    dim = centre.shape[0]
    m = 0
    for j in range(n):
        scr.value[j] = s.rows[dim, j]
        scr.largest[j] = 0.0
        scr.length[j] = 0.0
    for c in range(dim):
        for j in range(n):
            scr.value[j] += s.rows[c, j] * centre[c]
            scr.largest[j] = larger(scr.largest[j], abs(s.rows[c, j]))
    for c in range(dim):
        for j in range(n):
            share = s.rows[c, j] / larger(scr.largest[j], SMALLEST)
            scr.length[j] += share * share
    for j in range(n):
        if scr.largest[j] > 0.0:
            length = np.sqrt(scr.length[j])
            scr.length[j] = length
            unit = 1.0 / (length * scale)
            shift = _MARGIN + _SLACKS * (s.slack[j] / scr.largest[j]) * unit
            side = shift - scr.value[j] / scr.largest[j] * unit
            if not (abs(side) < np.inf and shift < np.inf):
                return NOTHING
            for c in range(dim):
                search.normals[c, m] = s.rows[c, j] / scr.largest[j] / length
            search.sides[m] = side
            search.margin[m] = 0.5 * shift
            scr.column[m] = j
            m += 1
    if sup:
        for c in range(dim):
            shift = _MARGIN + 8.0 * ROUNDOFF * abs(centre[c]) / scale
            for side in range(2):
                for other in range(dim):
                    search.normals[other, m] = 0.0
                search.normals[c, m] = 1.0 if side == 0 else -1.0
                search.sides[m] = shift - ratio
                search.margin[m] = 0.5 * shift
                m += 1
    return m


@compiled_part
def _point_proves(
    t: Tables, centre: Floats, radius: float, scale: float, sup: bool, n: int, scr: BallScratch
) -> bool:
    """Whether the float point that was found is strictly inside the region, and in the ball.

    The argument: the point is a float, and exact. A rounded distance of a coordinate below the radius is
    the distance's own proof, as rounding is monotone. Shares of the radius are at most 1, so that squares
    which underflow do not matter beside 1, and S + 8 roundings of the sum do not reach `4 (S + 8) u`.
    """
    s = scr.space
    dim = centre.shape[0]
    total = 0.0
    for c in range(dim):
        z = centre[c] + scale * scr.search.point[c]
        if not abs(z) <= t.radius[c]:
            return False
        scr.point[c] = z
        # Rounding is monotone, so a rounded distance below the radius is the distance's own proof.
        far = abs(z - centre[c])
        if not far < radius:
            return False
        far /= radius
        total += far * far
    if not sup and not total < 1.0 - 4.0 * (dim + 8.0) * ROUNDOFF:
        return False
    scr.point[dim] = 1.0
    return strictly_inside(s.rows, s.slack, n, scr.point, 1.0, NOTHING, scr.value)


@compiled_part
def _multipliers_prove(centre: Floats, radius: float, sup: bool, rows: int, scr: BallScratch) -> bool:
    """Whether the multipliers found combine the rows into a function that is negative on the ball.

    The argument: each true row is at least 0 on the region, so the computed one is at least minus its slack
    there; a sum of them with any weights of 0 or more is at least minus the sum of the slacks. On the
    ball that sum is at most its value at the centre plus the radius times the dual norm of its slope. If
    that, the slacks and all rounding together are below 0, the two have no point in common. The norm is
    taken in units of its largest entry. Each of fewer than 2 dim + 8 operations rounds by u of the
    sizes, and a product that underflows loses half of the smallest subnormal, times a coordinate at most.
    """
    s = scr.space
    search = scr.search
    dim = centre.shape[0]
    largest = 0.0
    for i in range(search.tight[0]):
        place = search.active[i]
        if place < rows and search.weights[i] > 0.0:
            weight = _weight(scr, i)
            largest = weight if weight > largest else largest
    if not (largest > 0.0 and largest < np.inf):
        return False
    for c in range(dim + 1):
        scr.point[c] = 0.0
    spread = 0.0
    size = 0.0
    reach = 1.0
    for c in range(dim):
        reach += abs(centre[c]) + radius
    for i in range(search.tight[0]):
        place = search.active[i]
        if place >= rows or not search.weights[i] > 0.0:
            continue
        j = scr.column[place]
        weight = _weight(scr, i) / largest
        spread += weight * s.slack[j]
        size += weight * abs(s.rows[dim, j])
        scr.point[dim] += weight * s.rows[dim, j]
        for c in range(dim):
            scr.point[c] += weight * s.rows[c, j]
            size += weight * abs(s.rows[c, j]) * (abs(centre[c]) + radius)
    highest = scr.point[dim] + spread
    top = 0.0
    steep = 0.0
    for c in range(dim):
        highest += scr.point[c] * centre[c]
        steep += abs(scr.point[c])
        top = larger(top, abs(scr.point[c]))
    if not sup and top > 0.0:
        total = 0.0
        for c in range(dim):
            share = scr.point[c] / top
            total += share * share
        steep = top * np.sqrt(total)
    highest += radius * steep
    terms = 2.0 * dim + 8.0
    rounding = 8.0 * terms * ROUNDOFF * (size + spread) + 8.0 * terms * terms * SMALLEST * reach
    return bool(highest + rounding < 0.0)


@compiled_part
def _weight(scr: BallScratch, i: int) -> float:
    """Weight of a tight row, of any length, from that of the row of unit length."""
    j = scr.column[scr.search.active[i]]
    return float(scr.search.weights[i] / scr.length[j] / scr.largest[j])


@compiled_part
def _scale(t: Tables, centre: Floats, radius: float) -> float:
    """Size in which to search: the radius, unless all of the domain is nearer."""
    total = 0.0
    for c in range(centre.shape[0]):
        total += abs(centre[c]) + t.radius[c]
    return smaller(radius, total)


@compiled_part
def _judge(t: Tables, centre: Floats, radius: float, sup: bool, n: int, scr: BallScratch) -> int:
    """Tell whether the region of the first n rows meets the ball."""
    scale = _scale(t, centre, radius)
    ratio = radius / scale
    m = _pose(centre, scale, ratio, sup, n, scr)
    if m < 0:
        return OPEN
    outcome = find_nearest(scr.search, m, np.inf if sup else ratio)
    if outcome == NEAREST:
        if _point_proves(t, centre, radius, scale, sup, n, scr):
            return MEETS
    elif outcome != GAVE_UP:
        rows = m - 2 * centre.shape[0] if sup else m
        if _multipliers_prove(centre, radius, sup, rows, scr):
            return APART
    return OPEN


@compiled
def judge_regions(
    t: Tables,
    groups: Integers | None,
    layout: Layout,
    packed: Words,
    centre: Floats,
    radius: float,
    sup: bool,
    scr: BallScratch,
    verdict: NDArray[np.int8],
) -> None:
    """Tell of each region whether it meets a ball, as far as floats can prove it.

    Parameters
    ----------
    t, groups, layout
        The network on a domain that bounds the ball or is bounded itself, its max groups (see
        `polyspline.cpa.tables.max_groups_of`), and the layout of codes.
    packed
        (B, words) codes of regions.
    centre, radius, sup
        The ball: (S,), above 0, and whether the norm is the maximum norm.
    scr
        Work arrays.
    verdict
        (B,) MEETS, APART or OPEN.

    Notes
    -----
    Algorithm: the point of the region nearest to the centre, by a dual active-set method: O(N S)
    for each row brought in, which is less than the forward product that gives the rows. The
    point proves that they meet, the multipliers that they do not.
    """
    for i in range(packed.shape[0]):
        unpack(packed[i], layout, scr.space.code)
        verdict[i] = OPEN
        for refined in (False, True):
            n, _ = build_rows(t, groups, refined, scr.space)
            verdict[i] = _judge(t, centre, radius, sup, n, scr)
            if verdict[i] != OPEN:
                break
