"""A small dense simplex over rows ``g . u <= 1``, warm-started, for many objectives in turn.

The rows are normalised so that the origin is strictly inside and every right-hand
side is one (the polar form of a polytope around a witness). A vertex is kept as the
indices of its `d` tight rows and the inverse of their matrix. A new objective starts
the primal method from the vertex at hand; a new row that cuts the vertex off
continues by the dual method. Both cost ``O(m d)`` per pivot.

Nothing here is a proof: the caller checks the multipliers with its own error bounds.

Basis entries ``>= 0`` are positions in the list of rows; ``-1 - 2c`` and ``-2 - 2c``
stand for the artificial rows ``u_c <= FAR`` and ``-u_c <= FAR`` that make the first
vertex.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.compiled import compiled_part

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FAR = 1e5
"""Where the artificial rows stand, in units in which the polytope's size is about one."""

OPTIMAL = 0
STALLED = 1

_TOLERANCE = 1e-11
_BLAND_AFTER = 40
_GIVE_UP_AFTER = 400


@compiled_part
def corner(objective: Floats, basis: Integers, edges: Floats, vertex: Floats) -> None:
    """Start at the corner of the artificial box that maximises the objective."""
    d = objective.shape[0]
    for i in range(d):
        sign = 1.0 if objective[i] >= 0.0 else -1.0
        basis[i] = -1 - 2 * i if sign > 0.0 else -2 - 2 * i
        for c in range(d):
            edges[i, c] = 0.0
        edges[i, i] = sign
        vertex[i] = sign * FAR


@compiled_part
def multipliers(objective: Floats, edges: Floats, out: Floats) -> None:
    """Multipliers of the tight rows that combine to the objective."""
    d = objective.shape[0]
    for i in range(d):
        total = 0.0
        for c in range(d):
            total += edges[i, c] * objective[c]
        out[i] = total


@compiled_part
def _row_entry(rows: Floats, name: int, c: int) -> float:
    """Coefficient `c` of a row by its basis name."""
    if name >= 0:
        return float(rows[name, c])
    axis = (-1 - name) // 2
    if axis != c:
        return 0.0
    return 1.0 if (-1 - name) % 2 == 0 else -1.0


@compiled_part
def _pivot(
    rows: Floats, entering: int, leaving: int, step: float, basis: Integers, edges: Floats, vertex: Floats
) -> None:
    """Replace the tight row at position `leaving` and move the vertex by `step` along its edge."""
    d = vertex.shape[0]
    for c in range(d):
        vertex[c] -= step * edges[leaving, c]
    alpha = 0.0
    for c in range(d):
        alpha += edges[leaving, c] * _row_entry(rows, entering, c)
    for c in range(d):
        edges[leaving, c] /= alpha
    for i in range(d):
        if i != leaving:
            alpha = 0.0
            for c in range(d):
                alpha += edges[i, c] * _row_entry(rows, entering, c)
            if alpha != 0.0:
                for c in range(d):
                    edges[i, c] -= alpha * edges[leaving, c]
    basis[leaving] = entering


@compiled_part
def _is_tight(basis: Integers, name: int) -> bool:
    for i in range(basis.shape[0]):
        if basis[i] == name:
            return True
    return False


@compiled_part
def _blocking(
    rows: Floats, count: int, leaving: int, bland: bool, basis: Integers, edges: Floats, vertex: Floats
) -> tuple[int, float]:
    """First row met on the edge that frees the row at `leaving`: its name and the step."""
    d = vertex.shape[0]
    best = -(2**62)
    best_step = np.inf
    best_rate = 0.0
    for f in range(count):
        rate = 0.0
        value = 0.0
        for c in range(d):
            rate -= rows[f, c] * edges[leaving, c]
            value += rows[f, c] * vertex[c]
        if rate > _TOLERANCE and not _is_tight(basis, f):
            step = (1.0 - value) / rate
            if step < 0.0:
                step = 0.0
            better = step < best_step or (step == best_step and not bland and rate > best_rate)
            if better:
                best, best_step, best_rate = f, step, rate
    for c in range(d):
        rate = -edges[leaving, c]
        name = -1 - 2 * c if rate > 0.0 else -2 - 2 * c
        if abs(rate) > _TOLERANCE and not _is_tight(basis, name):
            value = vertex[c] if rate > 0.0 else -vertex[c]
            step = max(0.0, FAR - value) / abs(rate)
            if step < best_step:
                best, best_step = name, step
    return best, best_step


@compiled_part
def primal(
    rows: Floats, count: int, objective: Floats, basis: Integers, edges: Floats, vertex: Floats, lam: Floats
) -> int:
    """Maximise the objective from a feasible vertex: OPTIMAL or STALLED.

    Dantzig's rule, and Bland's when the walk over the vertices takes long.
    """
    d = vertex.shape[0]
    for turn in range(_GIVE_UP_AFTER):
        multipliers(objective, edges, lam)
        bland = turn >= _BLAND_AFTER
        leaving = -1
        worst = -_TOLERANCE
        for i in range(d):
            if lam[i] < worst and not (bland and leaving >= 0 and basis[i] > basis[leaving]):
                leaving = i
                worst = -_TOLERANCE if bland else lam[i]
        if leaving < 0:
            return OPTIMAL
        entering, step = _blocking(rows, count, leaving, bland, basis, edges, vertex)
        if step == np.inf:
            return STALLED
        _pivot(rows, entering, leaving, step, basis, edges, vertex)
    return STALLED


@compiled_part
def _most_violated(rows: Floats, count: int, basis: Integers, vertex: Floats) -> tuple[int, float]:
    """Row that the vertex violates most, in units of the row's side: its name and the excess (0: none)."""
    worst = 1e-10
    entering = 0
    excess = 0.0
    for f in range(count):
        value = -1.0
        for c in range(vertex.shape[0]):
            value += rows[f, c] * vertex[c]
        if value > worst and not _is_tight(basis, f):
            entering, worst, excess = f, value, value
    for c in range(vertex.shape[0]):
        value = abs(vertex[c]) / FAR - 1.0
        name = -1 - 2 * c if vertex[c] > 0.0 else -2 - 2 * c
        if value > worst and not _is_tight(basis, name):
            entering, worst, excess = name, value, value * FAR
    return entering, excess


@compiled_part
def dual(
    rows: Floats, count: int, objective: Floats, basis: Integers, edges: Floats, vertex: Floats, lam: Floats
) -> int:
    """Restore feasibility of a vertex whose multipliers are not negative: OPTIMAL or STALLED.

    Objectives along an axis leave most multipliers at zero, and the method could cycle. So
    it works on an objective that is turned a little into the cone of the tight rows; the
    vertex reached is feasible, and the primal method goes on from there with the true one.
    """
    d = vertex.shape[0]
    turned = np.empty(d)
    multipliers(objective, edges, lam)
    largest = 0.0
    for i in range(d):
        largest = max(largest, abs(lam[i]))
    for c in range(d):
        turned[c] = objective[c]
        for i in range(d):
            share = max(0.0, -lam[i]) + largest * 1e-4 * (1.0 + 0.37 * ((i * 7) % 5))
            turned[c] += share * _row_entry(rows, basis[i], c)
    for _ in range(_GIVE_UP_AFTER):
        entering, excess = _most_violated(rows, count, basis, vertex)
        if excess == 0.0:
            return OPTIMAL
        multipliers(turned, edges, lam)
        leaving = -1
        best = np.inf
        leaving_alpha = 0.0
        for i in range(d):
            alpha = 0.0
            for c in range(d):
                alpha += edges[i, c] * _row_entry(rows, entering, c)
            if alpha > _TOLERANCE:
                ratio = max(0.0, lam[i]) / alpha
                if ratio < best or (ratio == best and alpha > leaving_alpha):
                    leaving, best, leaving_alpha = i, ratio, alpha
        if leaving < 0:
            return STALLED
        _pivot(rows, entering, leaving, excess / leaving_alpha, basis, edges, vertex)
    return STALLED


@compiled_part
def refresh(basis: Integers, edges: Floats, vertex: Floats) -> bool:
    """Recompute the vertex from its tight rows; False while an artificial row is tight."""
    d = vertex.shape[0]
    real = True
    for c in range(d):
        vertex[c] = 0.0
    for i in range(d):
        side = 1.0
        if basis[i] < 0:
            side = FAR
            real = False
        for c in range(d):
            vertex[c] += side * edges[i, c]
    return real
