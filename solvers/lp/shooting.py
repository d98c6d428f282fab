"""Rays from the witness: the first row that a ray meets is a facet, and a point beyond it proves so."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.compiled import compiled_part, smaller
from solvers.lp.cone import (
    FACET,
    UNDECIDED,
    System,
    Workspace,
    inside_of_proven,
    row_values,
    size_of,
    within_reach,
)

Floats = NDArray[np.float64]

_SEPARATION = 1e-7

_FAR = 1.49
"""How far beyond a facet to look for its proof: half the way to it again, so as to stay within the reach."""


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
    """Step beyond the first row and short of the second, at most _FAR times that to the first."""
    if second * 2.0 <= best:
        return _FAR / best
    return smaller(_FAR / best, 0.5 / best + 0.5 / second)


@compiled_part
def _try_facet(
    system: System, n: int, m: int, best: float, second: float, direction: Floats, w: Workspace
) -> bool:
    """Prove that row `m`, first on a ray from the witness, is a facet; note where the ray crosses it.

    Rates and step are guesses; the proof is the probe, a float point within the reach (else the slack
    says nothing there) at which all true rows are positive but row `m`, which is negative. The
    segment from any interior point to it crosses row `m` alone. That there is one is proven before
    and after: the point at hand, the mean of chords in `sweep`, need not be one. NaN is not within reach.
    """
    if second > best * (1.0 - _SEPARATION):
        return False
    size = w.point.shape[0]
    step = _between(best, second)
    probe = w.crossing[m]
    for c in range(size):
        probe[c] = w.point[c] + step * direction[c]
    if not within_reach(probe, system.radius, system.bounded):
        return False
    scale = size_of(probe, system.bounded)
    if not inside_of_proven(system.rows, system.slack, n, probe, scale, m, w.rate):
        return False
    for c in range(size):
        probe[c] = w.point[c] + direction[c] / best
    w.state[m] = FACET
    return True


@compiled_part
def sweep(system: System, n: int, w: Workspace) -> None:
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
def add_facet(j: int, count: int, w: Workspace) -> int:
    """Append a row to the facets found; the new count."""
    w.found[count] = j
    for c in range(w.polar.shape[0]):
        w.lp.rows[count >> 2, c, count & 3] = w.polar[c, j]
    return count + 1


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
def shoot_around(system: System, n: int, count: int, k: int, w: Workspace) -> int:
    """Shoot at the optimum, then near it while row `k` stays the violated one; the new count of facets.

    A ray at a vertex may meet several rows at once; a slight turn separates them. The turns are
    those of a generator of integers below ``2**31``: its products stay below ``2**62``, and the
    first one does while k is below ``10**8``.
    """
    d = w.lp.vertex.shape[0]
    # An optimum at infinity is aimed at along its ray, another one directly.
    value = 0.0
    for c in range(d):
        value += w.lp.ray[c] * w.lp.target[c]
    optimum = w.lp.ray if value > 1e-12 else w.lp.vertex
    turn = 0.0
    state = 12345 + 77 * k
    for _ in range(7):
        value = 0.0
        for c in range(d):
            state = (state * 1103515245 + 12345) % 2147483648
            w.aim[c] = optimum[c] + turn * (state / 1073741824.0 - 1.0)
            value += w.aim[c] * w.lp.target[c]
        if value > 1e-12:
            m = _shoot(system, n, w)
            if m >= 0:
                return add_facet(m, count, w)
        turn = 0.05 if turn == 0.0 else 0.5 * turn
    return count
