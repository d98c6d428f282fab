"""Which rows of a cone's H-representation are facets: Clarkson's scheme, with proofs.

The cone is ``{x in R^C : rows[:, j] . x >= 0 for all j}``, one *column* per
inequality. A polytope ``a . z + beta >= 0`` enters as the cone over it, with
``x = (z, 1)``; an unbounded polyhedron with the extra row ``t >= 0``.

Each row carries `slack[j]`, a bound on the difference between the computed and the
true value of the row, and on the rounding of evaluating it, at any point of norm
one (sup norm; or any point of the bounded domain, when the frame is ``t = 1``).
Every outcome but UNDECIDED is a theorem about the true rows:

FACET
    A point was seen that is strictly inside for every row but this one, and
    strictly beyond this one.
REDUNDANT
    Multipliers ``>= 0`` were found whose residual, over a proven bounding box,
    leaves the row strictly positive on the whole cone but the apex.

References
----------
Clarkson, "More output-sensitive geometric algorithms", FOCS 1994.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.compiled import NOTHING, compiled, compiled_part, larger
from solvers.lp import simplex
from solvers.lp.ties import TieSpace, tie_is_redundant, tie_space

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

UNDECIDED = 0
FACET = 1
REDUNDANT = 2

DECIDED = 0
INTERIOR_UNPROVEN = 1
ROWS_UNDECIDED = 2

_SEPARATION = 1e-7
_TIE = 1e-8
_SUPPORT = 1e-9
_ROOMY = 1e4
_WARM = np.int64(0)
_CUT = np.int64(1)
_FRESH = np.int64(2)
_LONG = 100.0
_FRAMES = 4
_SAFETY = 1.0 + 1e-13


class System(NamedTuple):
    """The inequalities of one cone."""

    rows: Floats  # (C, >= n), one inequality ``rows[:, j] . x >= 0`` per column
    slack: Floats  # (>= n,) bound on the error of the row's value at points within `radius`
    flags: Integers  # (>= n,) INTEGRAL and CENTRAL of solvers.lp.ties
    spans: Integers  # (>= n,) dimension of the nested subspace that the row lives in, see solvers.lp.ties
    unit: float  # common factor that makes the INTEGRAL rows integer
    radius: Floats  # (C,) bound on the points
    bounded: bool  # True: x = (z, 1) with z in a bounded domain; False: a cone, radius one


class Workspace(NamedTuple):
    """Scratch arrays of one kernel call, sized for `n` rows, `C` coordinates and ``d = C - 1``."""

    value: Floats  # (n,) row values at the witness, the unit of each row
    rate: Floats  # (n,)
    polar: Floats  # (d, n) rows in the frame, scaled to ``g . u <= 1``
    found: Integers  # (n,) facets found so far
    found_polar: Floats  # (n, d) their polar rows
    state: Integers  # (n,)
    crossing: Floats  # (n, C) a point on each facet, in its relative interior
    frame: Floats  # (d, C) directions that span the cross-section
    point: Floats  # (C,)
    basis: Integers  # (d,)
    edges: Floats  # (d, d)
    vertex: Floats  # (d,)
    ray: Floats  # (d,)
    target: Floats  # (d,)
    lam: Floats  # (d,)
    low: Floats  # (d,)
    high: Floats  # (d,)
    aim: Floats  # (d,)
    support: Integers  # (d,)
    direction: Floats  # (C,)
    turned: Floats  # (d,)
    corners: Floats  # (2 d, d) where each side of the bounding box is met
    spread: Floats  # (d, d)
    ties: TieSpace


def workspace(n: int, coordinates: int) -> Workspace:
    """Allocate the scratch arrays for at most `n` rows."""
    d = coordinates - 1
    return Workspace(
        value=np.empty(n),
        rate=np.empty(n),
        polar=np.empty((d, n)),
        found=np.empty(n, np.int64),
        found_polar=np.empty((n, d)),
        state=np.empty(n, np.int64),
        crossing=np.empty((n, coordinates)),
        frame=np.empty((d, coordinates)),
        point=np.empty(coordinates),
        basis=np.empty(d, np.int64),
        edges=np.empty((d, d)),
        vertex=np.empty(d),
        ray=np.empty(d),
        target=np.empty(d),
        lam=np.empty(d),
        low=np.empty(d),
        high=np.empty(d),
        aim=np.empty(d),
        support=np.empty(d, np.int64),
        direction=np.empty(coordinates),
        turned=np.empty(d),
        corners=np.empty((2 * d, d)),
        spread=np.empty((d, d)),
        ties=tie_space(coordinates),
    )


@compiled_part
def row_values(rows: Floats, n: int, x: Floats, out: Floats) -> None:
    """Values of the first `n` rows at x (C,)."""
    for j in range(n):
        out[j] = x[0] * rows[0, j]
    for c in range(1, x.shape[0]):
        weight = x[c]
        for j in range(n):
            out[j] += weight * rows[c, j]


@compiled_part
def strictly_inside(rows: Floats, slack: Floats, n: int, x: Floats, scale: float, but: int, out: Floats) -> bool:
    """Whether every true row is positive at x, except row `but`, which must be negative (-1: none)."""
    row_values(rows, n, x, out)
    if but >= 0:
        out[but] = -out[but]
    good = True
    for j in range(n):
        good &= out[j] > slack[j] * scale
    return good


@compiled_part
def _size(x: Floats, bounded: bool) -> float:
    """Norm that scales the slack: the domain's own slack is for any of its points."""
    if bounded:
        return 1.0
    most = 0.0
    for c in range(x.shape[0]):
        most = larger(most, abs(x[c]))
    return most


@compiled_part
def _set_frame(rows: Floats, n: int, bounded: bool, frame: Floats, normal: Floats) -> None:
    """Directions spanning a bounded cross-section of the cone.

    Bounded domain: the hyperplane t = 1. Else the hyperplane whose normal is the
    mean of the unit rows, which is inside the dual cone whatever the cone is; its
    complement is spanned by the columns of a Householder reflection.
    """
    d, size = frame.shape
    for i in range(d):
        for c in range(size):
            frame[i, c] = 0.0
        frame[i, i] = 1.0
    if bounded:
        return
    for c in range(size):
        normal[c] = 0.0
    for j in range(n):
        length = 0.0
        for c in range(size):
            length += rows[c, j] * rows[c, j]
        if length > 0.0:
            length = 1.0 / np.sqrt(length)
            for c in range(size):
                normal[c] += rows[c, j] * length
    length = 0.0
    for c in range(size):
        length += normal[c] * normal[c]
    length = np.sqrt(length)
    for c in range(size):
        normal[c] /= length
    # Reflect e_last onto the normal: v = normal + sign * e_last.
    sign = 1.0 if normal[d] >= 0.0 else -1.0
    normal[d] += sign
    twice = 0.0
    for c in range(size):
        twice += normal[c] * normal[c]
    twice = 2.0 / twice
    for i in range(d):
        factor = twice * normal[i]
        for c in range(size):
            frame[i, c] -= factor * normal[c]


@compiled_part
def _rates(rows: Floats, n: int, direction: Floats, value: Floats, out: Floats) -> None:
    """Relative rates ``-(row . direction) / value``: a row is met after ``1 / rate``."""
    for j in range(n):
        out[j] = 0.0
    for c in range(direction.shape[0]):
        weight = direction[c]
        if weight != 0.0:
            for j in range(n):
                out[j] -= weight * rows[c, j]
    for j in range(n):
        out[j] /= value[j]


@compiled_part
def _first_two(rate: Floats, n: int, sign: float) -> tuple[int, float, float]:
    """Row met first in the direction (or against it), its rate, and the rate of the second."""
    first = -1
    best = 0.0
    second = 0.0
    for j in range(n):
        r = sign * rate[j]
        if r > second:
            if r > best:
                second = best
                best = r
                first = j
            else:
                second = r
    return first, best, second


@compiled_part
def _between(best: float, second: float) -> float:
    """Step beyond the first row and short of the second."""
    if second * 3.0 <= best:
        return 2.0 / best
    return 0.5 / best + 0.5 / second


@compiled_part
def _try_facet(
    system: System, n: int, m: int, best: float, second: float, direction: Floats, w: Workspace
) -> bool:
    """Prove that row `m`, first on a ray from the witness, is a facet; note where the ray crosses it."""
    if second > best * (1.0 - _SEPARATION):
        return False
    size = w.point.shape[0]
    step = _between(best, second)
    probe = w.crossing[m]
    for c in range(size):
        probe[c] = w.point[c] + step * direction[c]
    if not strictly_inside(system.rows, system.slack, n, probe, _size(probe, system.bounded), m, w.rate):
        return False
    for c in range(size):
        probe[c] = w.point[c] + direction[c] / best
    w.state[m] = FACET
    return True


@compiled_part
def _sweep(system: System, n: int, w: Workspace) -> None:
    """Shoot along both ways of every axis: facets for a start, and a witness amid its chords."""
    d, size = w.frame.shape
    for i in range(d):
        axis = w.frame[i]
        _rates(system.rows, n, axis, w.value, w.rate)
        ahead, best, second = _first_two(w.rate, n, 1.0)
        behind, best_back, second_back = _first_two(w.rate, n, -1.0)
        if ahead < 0 or behind < 0:
            continue
        if w.state[ahead] != FACET:
            _try_facet(system, n, ahead, best, second, axis, w)
        if w.state[behind] != FACET:
            for c in range(size):
                axis[c] = -axis[c]
            _try_facet(system, n, behind, best_back, second_back, axis, w)
            for c in range(size):
                axis[c] = -axis[c]
        move = 0.5 / best - 0.5 / best_back
        half = 0.5 / best + 0.5 / best_back
        for c in range(size):
            w.point[c] += move * axis[c]
            axis[c] *= half
        row_values(system.rows, n, w.point, w.value)
        for j in range(n):
            if w.value[j] <= 0.0:
                w.value[j] = 0.0


@compiled_part
def _polarise(rows: Floats, n: int, w: Workspace) -> None:
    """Rows in the frame, scaled so that the witness is the origin and every side is one."""
    d, size = w.frame.shape
    for j in range(n):
        w.rate[j] = -1.0 / w.value[j]
    for i in range(d):
        out = w.polar[i]
        for j in range(n):
            out[j] = 0.0
        for c in range(size):
            weight = w.frame[i, c]
            if weight != 0.0:
                for j in range(n):
                    out[j] += weight * rows[c, j]
        for j in range(n):
            out[j] *= w.rate[j]


@compiled_part
def _stretch_frame(w: Workspace) -> None:
    """Turn and scale the frame to a long and thin cross-section, by the spread of its known corners.

    The new axes are the columns of the Cholesky factor of the corners' covariance.
    """
    d, size = w.frame.shape
    for i in range(d):
        w.aim[i] = 0.0
        for k in range(2 * d):
            w.aim[i] += w.corners[k, i] / (2 * d)
    for i in range(d):
        for j in range(i + 1):
            total = 0.0
            for k in range(2 * d):
                total += (w.corners[k, i] - w.aim[i]) * (w.corners[k, j] - w.aim[j])
            if i == j:
                total += 1.0  # the section reaches to about one along every axis of the old frame
            for m in range(j):
                total -= w.spread[i, m] * w.spread[j, m]
            w.spread[i, j] = np.sqrt(larger(total, 1e-6)) if i == j else total / w.spread[j, j]
    # Column i of the factor has entries from row i on, so the axes may be replaced from the first on.
    for i in range(d):
        for c in range(size):
            total = 0.0
            for j in range(i, d):
                total += w.spread[j, i] * w.frame[j, c]
            w.frame[i, c] = total


@compiled_part
def _add_facet(j: int, count: int, w: Workspace) -> int:
    w.found[count] = j
    for c in range(w.polar.shape[0]):
        w.found_polar[count, c] = w.polar[c, j]
    return count + 1


@compiled_part
def _solve(count: int, begin: int, w: Workspace) -> bool:
    """Maximise `w.target` over the facets found; the multipliers are left in `w.lam`.

    The primal method goes on from the vertex at hand. After _CUT, when the last facet may
    cut that vertex off, the dual method mends it first; FRESH takes a corner of the
    artificial box to begin with.
    """
    for start in range(begin, _FRESH + 1):
        if start == _FRESH:
            simplex.corner(w.target, w.basis, w.edges)
        outcome = simplex.OPTIMAL
        if start != _WARM:
            outcome = simplex.dual(
                w.found_polar, count, w.target, w.basis, w.edges, w.vertex, w.ray, w.lam, w.turned
            )
        if outcome == simplex.OPTIMAL:
            outcome = simplex.primal(
                w.found_polar, count, w.target, w.basis, w.edges, w.vertex, w.ray, w.lam
            )
        if outcome == simplex.OPTIMAL:
            return True
    return False


@compiled_part
def _bound(slack: Floats, scale: float, w: Workspace) -> tuple[float, float]:
    """Proven bound on the target over the cross-section: ``(value, residual)``.

    The target is at most ``value + residual * max|u|`` at every true point u.
    """
    d = w.vertex.shape[0]
    value = 0.0
    for i in range(d):
        if w.basis[i] >= 0 and w.lam[i] > 0.0:
            j = w.found[w.basis[i]]
            value += w.lam[i] * (1.0 + 3.0 * slack[j] * scale / w.value[j])
    residual = 0.0
    for c in range(d):
        left = w.target[c]
        room = abs(left)
        for i in range(d):
            if w.basis[i] >= 0 and w.lam[i] > 0.0:
                term = w.lam[i] * w.found_polar[w.basis[i], c]
                left -= term
                room += abs(term)
        residual += abs(left) + 1e-15 * (d + 2) * room
    return value * _SAFETY, residual * _SAFETY


@compiled_part
def _shoot(system: System, n: int, w: Workspace) -> int:
    """Shoot from the witness along `w.aim`: the facet that it proves, or -1."""
    d, size = w.frame.shape
    for j in range(n):
        w.rate[j] = 0.0
    for c in range(d):
        weight = w.aim[c]
        for j in range(n):
            w.rate[j] += weight * w.polar[c, j]
    m, best, second = _first_two(w.rate, n, 1.0)
    if m < 0 or w.state[m] != UNDECIDED:
        return -1
    for c in range(size):
        w.direction[c] = 0.0
        for i in range(d):
            w.direction[c] += w.aim[i] * w.frame[i, c]
    return m if _try_facet(system, n, m, best, second, w.direction, w) else -1


@compiled_part
def _shoot_around(system: System, n: int, count: int, k: int, w: Workspace) -> int:
    """Shoot at the optimum, then near it while row `k` stays the violated one; the new count of facets.

    A ray at a vertex may meet several rows at once; a slight turn separates them.
    """
    d = w.vertex.shape[0]
    # An optimum at infinity is aimed at along its ray, another one directly.
    value = 0.0
    for c in range(d):
        value += w.ray[c] * w.target[c]
    optimum = w.ray if value > 1e-12 else w.vertex
    turn = 0.0
    state = 12345 + 77 * k
    for _ in range(7):
        value = 0.0
        for c in range(d):
            state = (state * 1103515245 + 12345) % 2147483648
            w.aim[c] = optimum[c] + turn * (state / 1073741824.0 - 1.0)
            value += w.aim[c] * w.target[c]
        if value > 1e-12:
            m = _shoot(system, n, w)
            if m >= 0:
                return _add_facet(m, count, w)
        turn = 0.05 if turn == 0.0 else 0.5 * turn
    return count


@compiled_part
def _bounding_box(system: System, n: int, count: int, scale: float, w: Workspace) -> tuple[int, float]:
    """Box around the cross-section, from the facets found and those that unbounded sides turn up.

    Returns the count of facets and a proven bound on ``max|u|``; infinity if there is none.
    """
    d = w.vertex.shape[0]
    most = 0.0
    spill = 0.0
    for side in range(2 * d):
        for c in range(d):
            w.target[c] = 0.0
        axis = side // 2
        w.target[axis] = 1.0 if side % 2 == 0 else -1.0
        if not _solve(count, _FRESH if side == 0 else _WARM, w):
            return count, np.inf
        while True:
            value, residual = _bound(system.slack, scale, w)
            if residual < 0.25:
                break
            before = count
            count = _shoot_around(system, n, count, side, w)
            if count == before or not _solve(count, _CUT, w):
                return count, np.inf
        for c in range(d):
            w.corners[side, c] = w.vertex[c]
        if side % 2 == 0:
            w.high[axis] = value
            w.aim[axis] = residual
        else:
            w.low[axis] = -value
            w.aim[axis] = larger(residual, w.aim[axis])
        most = larger(most, value)
        spill = larger(spill, residual)
    most = most / (1.0 - spill) * _SAFETY
    for c in range(d):
        w.low[c] -= spill * most
        w.high[c] += spill * most
    return count, most


@compiled_part
def _discard_by_box(n: int, slack: Floats, scale: float, w: Workspace) -> int:
    """Mark the rows that are strictly positive over the whole box; how many are left."""
    d = w.vertex.shape[0]
    for j in range(n):
        w.rate[j] = 0.0
    for c in range(d):
        low = w.low[c]
        high = w.high[c]
        row = w.polar[c]
        for j in range(n):
            w.rate[j] += larger(row[j] * low, row[j] * high)
    left = 0
    for j in range(n):
        if w.state[j] == UNDECIDED:
            if w.rate[j] * _SAFETY + 3.0 * slack[j] * scale / w.value[j] < 1.0 - 1e-13:
                w.state[j] = REDUNDANT
            else:
                left += 1
    return left


@compiled_part
def _touches_only(system: System, k: int, w: Workspace) -> bool:
    """Whether row `k`, met exactly at the optimum, is proven to be no facet."""
    count = np.int64(0)
    for i in range(w.basis.shape[0]):
        if w.basis[i] >= 0 and w.lam[i] > _SUPPORT:
            w.support[count] = w.found[w.basis[i]]
            count += 1
    return tie_is_redundant(
        system.rows, system.slack, system.flags, system.spans, system.unit, system.radius,
        w.value, k, w.support, count, w.ties,
    )  # fmt: skip


@compiled_part
def _test_row(
    system: System, n: int, count: int, k: int, scale: float, most: float, w: Workspace
) -> tuple[int, bool]:
    """Decide row `k` by Clarkson's scheme, or leave it undecided: the count of facets; False if the simplex broke."""
    d = w.vertex.shape[0]
    for c in range(d):
        w.target[c] = w.polar[c, k]
    if not _solve(count, _WARM, w):
        return count, False
    while True:
        value, residual = _bound(system.slack, scale, w)
        margin = 3.0 * system.slack[k] * scale / w.value[k]
        if value + residual * most + margin < 1.0 - 1e-14:
            w.state[k] = REDUNDANT
            return count, True
        reach = 0.0
        for c in range(d):
            reach += w.target[c] * w.vertex[c]
        if reach < 1.0 + _TIE:
            if _touches_only(system, k, w):
                w.state[k] = REDUNDANT
            if w.state[k] == REDUNDANT or reach < 1.0 + 1e-11:
                return count, True
        before = count
        count = _shoot_around(system, n, count, k, w)
        if count == before:
            return count, True
        if not _solve(count, _CUT, w):
            return count, False
        if w.state[k] != UNDECIDED:
            return count, True


@compiled_part
def _reach_of_frame(w: Workspace, most: float) -> float:
    """Sup norm of the cross-section's points, given ``max|u|``."""
    d, size = w.frame.shape
    reach = 0.0
    for c in range(size):
        reach = larger(reach, abs(w.point[c]))
    for i in range(d):
        longest = 0.0
        for c in range(size):
            longest = larger(longest, abs(w.frame[i, c]))
        reach += longest * most
    return reach


@compiled
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
    if not strictly_inside(system.rows, system.slack, n, w.point, _size(w.point, bounded), NOTHING, w.value):
        return INTERIOR_UNPROVEN
    for j in range(n):
        w.state[j] = UNDECIDED
    if known >= 0:
        w.state[known] = FACET
    _set_frame(system.rows, n, bounded, w.frame, w.direction)
    for attempt in range(_FRAMES):
        _sweep(system, n, w)
        if not strictly_inside(system.rows, system.slack, n, w.point, _size(w.point, bounded), NOTHING, w.value):
            return INTERIOR_UNPROVEN
        _polarise(system.rows, n, w)
        count = np.int64(0)
        for j in range(n):
            if w.state[j] == FACET:
                count = _add_facet(j, count, w)
        # The slack is for points of norm up to `scale`. That no point of the section is larger
        # follows from the bounds themselves: the section is convex and holds the witness.
        scale = 1.0 if bounded else _reach_of_frame(w, _ROOMY)
        count, most = _bounding_box(system, n, count, scale, w)
        if most < _LONG or not most < np.inf or attempt == _FRAMES - 1:
            break
        _stretch_frame(w)
    if not most < (np.inf if bounded else _ROOMY):
        return ROWS_UNDECIDED
    if _discard_by_box(n, system.slack, scale, w) == 0:
        return DECIDED
    outcome = DECIDED
    for k in range(n):
        if w.state[k] == UNDECIDED:
            count, sound = _test_row(system, n, count, k, scale, most, w)
            if not sound:
                return ROWS_UNDECIDED
            if w.state[k] == UNDECIDED:
                outcome = ROWS_UNDECIDED
    return outcome
