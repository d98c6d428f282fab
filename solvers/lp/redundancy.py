"""Which rows of a cone's H-representation are facets: Clarkson's scheme, with proofs.

The cone is ``{x in R^C : rows[:, j] . x >= 0 for all j}``, one *column* per
inequality. A polytope ``a . z + beta >= 0`` enters as the cone over it, with
``x = (z, 1)``; an unbounded polyhedron with the extra row ``t >= 0``.

Each row carries `slack[j]`, a bound on the difference between the computed and the
true value of the row, see `solvers.lp.cone.System`. Every outcome but UNDECIDED is a
theorem about the true rows:

FACET
    A point was seen that is strictly inside for every row but this one, and
    strictly beyond this one.
REDUNDANT
    Multipliers ``>= 0`` were found whose residual, over a proven bounding box,
    leaves the row strictly positive on the whole cone but the apex. Or it is exactly a
    positive combination of two rows or more, see `solvers.lp.ties`.

The section is the set of true points ``x = p + sum u_i f_i`` of the cone, p the witness and f_i
the frame. Bounds on it may presume ``|u| <= most`` and must then prove ``|u| < most``: the section is
convex and holds ``u = 0``, so if it had a point beyond `most` it would have one at `most`. A proven
bound shows also that the frame is independent (else the section would hold a line of u) and
that the section of a cone is met by all rays of the cone (else it would hold a ray).

References
----------
Clarkson, "More output-sensitive geometric algorithms", FOCS 1994.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.compiled import NOTHING, ZERO, compiled_part, larger, typed
from solvers.lp import simplex
from solvers.lp.cone import (
    FACET,
    REDUNDANT,
    UNDECIDED,
    System,
    Workspace,
    inside_of_proven,
    size_of,
    strictly_inside,
    within_reach,
)
from solvers.lp.frame import polarise, recentre, section_room, set_frame, stretch_frame
from solvers.lp.shooting import add_facet, shoot_around, sweep
from solvers.lp.simplex import Program
from solvers.lp.ties import tie_is_redundant
from solvers.predicates.rounding import ROUNDOFF

Floats = NDArray[np.float64]

DECIDED = 0
INTERIOR_UNPROVEN = 1
ROWS_UNDECIDED = 2

_SPARE = 1e-14
"""How far from equality a bound must be: outweighs the rounding of its last few sums."""

_LEAST = 2.0**-900
"""Outweighs the underflow of products of multipliers."""

_TIE = 1e-8
_SUPPORT = 1e-9
_ROOMY = 1e4
_WARM = typed(0)
_CUT = typed(1)
_FRESH = typed(2)
_LONG = 100.0
_FRAMES = 4
_FEW = 8
_BEYOND = 1.001
"""Value at which a vertex is surely beyond the row, and the ray to it meets a facet yet unknown."""


@compiled_part
def _solve(count: int, begin: int, enough: float, lp: Program) -> int:
    """Maximise `lp.target` over the facets found; the multipliers are left in `lp.lam`.

    The primal method goes on from the vertex at hand. After _CUT, when the last facet may
    cut that vertex off, the dual method mends it first; FRESH takes a corner of the
    artificial box to begin with.
    """
    for start in range(begin, _FRESH + 1):
        if start == _FRESH:
            simplex.corner(lp)
        outcome = simplex.OPTIMAL
        if start != _WARM:
            outcome = simplex.dual(count, lp)
        if outcome == simplex.OPTIMAL and (enough > 0.0 or start == _WARM):
            outcome = simplex.primal(count, enough, lp)
        if outcome != simplex.STALLED:
            return outcome
    return simplex.STALLED


@compiled_part
def _safety(d: int) -> float:
    """Outweighs the rounding of a sum of d positive terms, each of at most ten operations."""
    return 1.0 + (d + 16) * 4.0 * ROUNDOFF


@compiled_part
def _bound(slack: Floats, room: float, w: Workspace) -> tuple[float, float]:
    """Proven bound on the target over the cross-section: ``(value, residual)``.

    The target is at most ``value + residual * max|u|`` at every true point u of the section that
    `room` is for, see `section_room`. Exact are the target, the polar rows g and the multipliers, as the
    floats they are; only those above zero are taken. A true row is not negative, so
    ``g u <= 1 + room slack / value`` of it, which bounds the combination; the rest of the target is
    bounded by its coefficients and the rounding of these, d + 1 terms each. NaN or infinity makes either so.
    """
    lp = w.lp
    d = lp.vertex.shape[0]
    value = 0.0
    for i in range(d):
        if lp.basis[i] >= 0 and lp.lam[i] > 0.0:
            j = w.found[lp.basis[i]]
            value += lp.lam[i] * (1.0 + room * slack[j] / w.value[j])
    residual = 0.0
    for c in range(d):
        left = lp.target[c]
        size = abs(left)
        for i in range(d):
            if lp.basis[i] >= 0 and lp.lam[i] > 0.0:
                term = lp.lam[i] * lp.rows[lp.basis[i] >> 2, c, lp.basis[i] & 3]
                left -= term
                size += abs(term)
        residual += abs(left) + 8.0 * ROUNDOFF * (d + 2) * size
    return value * _safety(d) + _LEAST, residual * _safety(d) + _LEAST


@compiled_part
def _bounding_box(system: System, n: int, count: int, room: float, w: Workspace) -> tuple[int, float]:
    """Box around the cross-section, from the facets found and those that unbounded sides turn up.

    Returns the count of facets and a proven bound on ``max|u|``; infinity if there is none. Each
    ``+-u_c`` is at most a value and a residual times the largest of them, m: so m is at most
    ``value + spill m``, the largest of either. Low ends are not positive and high ends not negative, as
    multipliers are not.
    """
    d = w.lp.vertex.shape[0]
    most = 0.0
    spill = 0.0
    for side in range(2 * d):
        for c in range(d):
            w.lp.target[c] = 0.0
        axis = side // 2
        w.lp.target[axis] = 1.0 if side % 2 == 0 else -1.0
        if _solve(count, _FRESH if side == 0 else _WARM, np.inf, w.lp) == simplex.STALLED:
            return count, np.inf
        while True:
            value, residual = _bound(system.slack, room, w)
            if residual < 0.25:
                break
            before = count
            count = shoot_around(system, n, count, side, w)
            if count == before or _solve(count, _CUT, np.inf, w.lp) == simplex.STALLED:
                return count, np.inf
        for c in range(d):
            w.corners[side, c] = w.lp.vertex[c]
        if side % 2 == 0:
            w.high[axis] = value
        else:
            w.low[axis] = -value
        most = larger(most, value)
        spill = larger(spill, residual)
    most = most / (1.0 - spill) * _safety(d)
    for c in range(d):
        w.low[c] -= spill * most
        w.high[c] += spill * most
    return count, most


@compiled_part
def _discard_by_box(n: int, slack: Floats, room: float, w: Workspace) -> int:
    """Mark the rows that are strictly positive over the whole box; how many are left.

    The box holds the section, so a polar row is at most its largest value there: d terms that are not
    negative. The true row is positive where that and ``room slack / value`` stay below one. The ends of the
    box are finite, so a coefficient that is not makes a term infinite or NaN, whichever end is taken.
    """
    d = w.lp.vertex.shape[0]
    for j in range(n):
        w.rate[j] = 0.0
    for c in range(d):
        low = w.low[c]
        high = w.high[c]
        row = w.polar[c]
        for j in range(n):
            down, up = row[j] * low, row[j] * high
            w.rate[j] += down if down > up else up
    safety = _safety(d)
    left = 0
    for j in range(n):
        if w.state[j] == UNDECIDED:
            if w.rate[j] * safety + room * slack[j] / w.value[j] < 1.0 - _SPARE:
                w.state[j] = REDUNDANT
            else:
                left += 1
    return left


@compiled_part
def _touches_only(system: System, k: int, w: Workspace) -> bool:
    """Whether row `k`, met exactly at the optimum, is proven to be no facet."""
    count = ZERO
    for i in range(w.lp.basis.shape[0]):
        if w.lp.basis[i] >= 0 and w.lp.lam[i] > _SUPPORT:
            w.support[count] = w.found[w.lp.basis[i]]
            count += 1
    return tie_is_redundant(
        system.rows, system.slack, system.flags, system.spans, system.unit, system.radius,
        w.value, k, w.support, count, w.ties,
    )  # fmt: skip


@compiled_part
def _test_row(
    system: System, n: int, count: int, k: int, room: float, most: float, w: Workspace
) -> tuple[int, bool]:
    """Decide row `k` by Clarkson's scheme, if possible: the count of facets; False if the simplex broke.

    Redundant it is where its polar row is proven, by `_bound`, to be less than one by more than
    ``room slack / value`` on the section: the true row is positive there. The simplex, its tolerances
    and where it stops are guesses. NaN is not less than anything.
    """
    d = w.lp.vertex.shape[0]
    for c in range(d):
        w.lp.target[c] = w.polar[c, k]
    begin = _WARM
    enough = _BEYOND
    while True:
        outcome = _solve(count, begin, enough, w.lp)
        if outcome == simplex.STALLED:
            return count, False
        if w.state[k] != UNDECIDED:
            return count, True
        if outcome == simplex.OPTIMAL:
            value, residual = _bound(system.slack, room, w)
            margin = room * system.slack[k] / w.value[k]
            if value + residual * most + margin < 1.0 - _SPARE:
                w.state[k] = REDUNDANT
                return count, True
            reach = 0.0
            escape = 0.0
            for c in range(d):
                reach += w.lp.target[c] * w.lp.vertex[c]
                escape += w.lp.target[c] * w.lp.ray[c]
            if escape < 1e-12 and reach < 1.0 + _TIE:
                if _touches_only(system, k, w):
                    w.state[k] = REDUNDANT
                if w.state[k] == REDUNDANT or reach < 1.0 + 1e-11:
                    return count, True
        before = count
        count = shoot_around(system, n, count, k, w)
        begin = _CUT
        if count == before:
            if outcome == simplex.OPTIMAL:
                return count, True
            # Too many rows meet near this vertex: go on to the best one.
            begin = _WARM
            enough = np.inf
        elif w.state[k] != UNDECIDED:
            enough = 0.0


@compiled_part
def _test_rows(system: System, n: int, count: int, room: float, most: float, w: Workspace) -> int:
    """Decide the rows that are left: DECIDED or ROWS_UNDECIDED."""
    outcome = DECIDED
    for k in range(n):
        if w.state[k] == UNDECIDED:
            count, sound = _test_row(system, n, count, k, room, most, w)
            if not sound:
                return ROWS_UNDECIDED
            if w.state[k] == UNDECIDED:
                outcome = ROWS_UNDECIDED
    return outcome


@compiled_part
def _begin_in_domain(system: System, count: int, w: Workspace) -> float:
    """Begin the simplex; a bound on ``max|u|`` from the domain alone, for the frame along the axes.

    The witness and the section are within half the reach, so ``|u_c f_c|`` is at most the reach. With
    few rows for the dimension a bounding box would discard little and cost 2 d programs.
    """
    d = w.lp.vertex.shape[0]
    most = 0.0
    for c in range(d):
        most = larger(most, system.radius[c] / abs(w.frame[c, c]))
        w.lp.target[c] = 1.0 if c == 0 else 0.0
    return np.inf if _solve(count, _FRESH, np.inf, w.lp) == simplex.STALLED else most * _safety(d)


@compiled_part
def _witness_holds(system: System, n: int, w: Workspace) -> bool:
    """Whether `w.point` is proven to be strictly inside; the row values are left in `w.value`."""
    scale = size_of(w.point, system.bounded)
    return within_reach(w.point, system.radius, system.bounded) and strictly_inside(
        system.rows, system.slack, n, w.point, scale, NOTHING, w.value
    )


@compiled_part
def decide_rows(system: System, n: int, known: int, w: Workspace) -> int:
    """Decide which rows are facets.

    Parameters
    ----------
    system
        The inequalities.
    n
        Number of rows, duplicates (proportional rows) not among them.
    known
        A row known to be a facet, with `w.crossing[known]` on it, or -1.
    w
        Scratch; on entry `w.point` is (hoped to be) strictly inside. On return `w.point`
        is a centred witness, `w.state` the outcome per row and `w.crossing` a point on each facet.

    Returns
    -------
    int
        DECIDED, INTERIOR_UNPROVEN (nothing was done) or ROWS_UNDECIDED.
    """
    bounded = system.bounded
    # That the point is within the reach and the rows in range is asked of the witness below.
    scale = size_of(w.point, bounded)
    if not inside_of_proven(system.rows, system.slack, n, w.point, scale, NOTHING, w.value):
        return INTERIOR_UNPROVEN
    for j in range(n):
        w.state[j] = UNDECIDED
    if known >= 0:
        w.state[known] = FACET
    set_frame(system.rows, n, bounded, w.frame, w.direction)
    small = bounded and n < _FEW * w.frame.shape[0]
    longest = _LONG
    for attempt in range(_FRAMES):
        sweep(system, n, w)
        if not _witness_holds(system, n, w):
            return INTERIOR_UNPROVEN
        polarise(system.rows, n, w)
        count = ZERO
        for j in range(n):
            if w.state[j] == FACET:
                count = add_facet(j, count, w)
        # Presumed of the section's size; needless for a bounded domain in a frame along the axes.
        presumed = longest if bounded else _ROOMY
        room = section_room(system, presumed, w)
        if small:
            most = _begin_in_domain(system, count, w)
            break
        count, most = _bounding_box(system, n, count, room, w)
        if most < longest or not most < np.inf or attempt == _FRAMES - 1:
            break
        longest *= 10.0
        recentre(system, n, w)
        stretch_frame(w)
    if not most < (np.inf if bounded and attempt == 0 else presumed):
        return ROWS_UNDECIDED
    room = section_room(system, most, w)
    if not small and _discard_by_box(n, system.slack, room, w) == 0:
        return DECIDED
    return _test_rows(system, n, count, room, most, w)
