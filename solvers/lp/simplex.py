"""A small dense simplex over rows ``g . u <= 1``, warm-started, for many objectives in turn.

The rows are normalised so that the origin is strictly inside and every right-hand
side is one (the polar form of a polytope around a witness). A vertex is kept as the
indices of its `d` tight rows and the inverse of their matrix. A new objective starts
the primal method from the vertex at hand; a new row that cuts the vertex off
continues by the dual method. Both cost ``O(m d)`` per pivot.

Nothing here is a proof: the caller checks the multipliers with its own error bounds.

Basis entries ``>= 0`` are positions in the list of rows; ``-1 - 2c`` and ``-2 - 2c``
stand for the artificial rows ``u_c <= M`` and ``-u_c <= M`` that make the first
vertex. M is infinite: where an artificial row is tight, the vertex is
``vertex + M * ray``, and comparisons are lexicographic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.compiled import NOTHING, compiled_part, larger, typed

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

OPTIMAL = 0
STALLED = 1

_NONE = typed(-(2**40))
_TOLERANCE = 1e-11
_PIVOT = 1e-8
_VIOLATED = 1e-10
_BLAND_AFTER = 40
_GIVE_UP_AFTER = 400


@compiled_part
def corner(objective: Floats, basis: Integers, edges: Floats) -> None:
    """Start at the corner of the artificial box that maximises the objective."""
    d = objective.shape[0]
    for i in range(d):
        sign = 1.0 if objective[i] >= 0.0 else -1.0
        basis[i] = -1 - 2 * i if sign > 0.0 else -2 - 2 * i
        for c in range(d):
            edges[i, c] = 0.0
        edges[i, i] = sign


@compiled_part
def refresh(basis: Integers, edges: Floats, vertex: Floats, ray: Floats) -> bool:
    """Compute the vertex from its tight rows; True if it lies at infinity."""
    d = vertex.shape[0]
    far = False
    for c in range(d):
        vertex[c] = 0.0
        ray[c] = 0.0
    for i in range(d):
        if basis[i] >= 0:
            for c in range(d):
                vertex[c] += edges[i, c]
        else:
            far = True
            for c in range(d):
                ray[c] += edges[i, c]
    return far


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
def _pivot(rows: Floats, entering: int, leaving: int, basis: Integers, edges: Floats) -> None:
    """Replace the tight row at position `leaving`."""
    d = basis.shape[0]
    for turn in range(d):
        # The leaving position comes first, for the others are reduced by its new edge.
        i = leaving if turn == 0 else (turn - 1 if turn <= leaving else turn)
        alpha = 0.0
        for c in range(d):
            alpha += edges[i, c] * _row_entry(rows, entering, c)
        if i == leaving:
            for c in range(d):
                edges[i, c] /= alpha
        elif alpha != 0.0:
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
    rows: Floats,
    count: int,
    leaving: int,
    far: bool,
    basis: Integers,
    edges: Floats,
    vertex: Floats,
    ray: Floats,
) -> int:
    """First row met on the edge that frees the row at `leaving`; _NONE if there is none."""
    d = vertex.shape[0]
    best = _NONE
    best_far = np.inf
    best_step = np.inf
    best_rate = 0.0
    for f in range(count):
        rate = 0.0
        value = 0.0
        value_far = 0.0
        for c in range(d):
            rate -= rows[f, c] * edges[leaving, c]
            value += rows[f, c] * vertex[c]
        if not rate > _PIVOT or _is_tight(basis, f):
            continue
        if far:
            for c in range(d):
                value_far -= rows[f, c] * ray[c]
            value_far = larger(0.0, value_far / rate)
            if value_far < _TOLERANCE:
                value_far = 0.0
        step = larger(0.0, 1.0 - value) / rate
        if value_far < best_far or (
            value_far == best_far and (step < best_step or (step == best_step and rate > best_rate))
        ):
            best, best_far, best_step, best_rate = f, value_far, step, rate
    if best_far == 0.0:
        return best
    for c in range(d):
        rate = -edges[leaving, c]
        name = -1 - 2 * c if rate > 0.0 else -2 - 2 * c
        if abs(rate) > _PIVOT and not _is_tight(basis, name):
            value_far = larger(0.0, 1.0 - (ray[c] if rate > 0.0 else -ray[c])) / abs(rate)
            if value_far < best_far:
                best, best_far = name, value_far
    return best


@compiled_part
def primal(
    rows: Floats,
    count: int,
    objective: Floats,
    basis: Integers,
    edges: Floats,
    vertex: Floats,
    ray: Floats,
    lam: Floats,
) -> int:
    """Maximise the objective from a feasible vertex: OPTIMAL or STALLED.

    Dantzig's rule, and Bland's when the walk over the vertices takes long.
    """
    d = vertex.shape[0]
    far = refresh(basis, edges, vertex, ray)
    for turn in range(_GIVE_UP_AFTER):
        multipliers(objective, edges, lam)
        bland = turn >= _BLAND_AFTER
        leaving = NOTHING
        worst = -_TOLERANCE
        for i in range(d):
            if lam[i] < worst and not (bland and leaving >= 0 and basis[i] > basis[leaving]):
                leaving = i
                worst = -_TOLERANCE if bland else lam[i]
        if leaving < 0:
            return OPTIMAL
        entering = _blocking(rows, count, leaving, far, basis, edges, vertex, ray)
        if entering == _NONE:
            return STALLED
        _pivot(rows, entering, leaving, basis, edges)
        far = refresh(basis, edges, vertex, ray)
    return STALLED


@compiled_part
def _most_violated(rows: Floats, count: int, far: bool, basis: Integers, vertex: Floats, ray: Floats) -> int:
    """Row that the vertex violates most, one violated at infinity first; _NONE if there is none."""
    d = vertex.shape[0]
    entering = _NONE
    worst = _VIOLATED
    worst_far = _VIOLATED
    for f in range(count):
        value = -1.0
        value_far = 0.0
        for c in range(d):
            value += rows[f, c] * vertex[c]
        if far:
            for c in range(d):
                value_far += rows[f, c] * ray[c]
        if value_far > worst_far and not _is_tight(basis, f):
            entering, worst_far = f, value_far
        elif worst_far == _VIOLATED and value_far > -_VIOLATED and value > worst and not _is_tight(basis, f):
            entering, worst = f, value
    if far:
        for c in range(d):
            sign = 1.0 if ray[c] > 0.0 else -1.0
            value_far = sign * ray[c] - 1.0
            name = -1 - 2 * c if sign > 0.0 else -2 - 2 * c
            if value_far > worst_far and not _is_tight(basis, name):
                entering, worst_far = name, value_far
    return entering


@compiled_part
def dual(
    rows: Floats, count: int, objective: Floats, basis: Integers, edges: Floats, vertex: Floats, ray: Floats,
    lam: Floats, turned: Floats,
) -> int:  # fmt: skip
    """Restore feasibility of a vertex whose multipliers are not negative: OPTIMAL or STALLED.

    Objectives along an axis leave most multipliers at zero, and the method could cycle. So
    it works on an objective that is turned a little into the cone of the tight rows; the
    vertex reached is feasible, and the primal method goes on from there with the true one.
    """
    d = vertex.shape[0]
    multipliers(objective, edges, lam)
    largest = 0.0
    for i in range(d):
        largest = larger(largest, abs(lam[i]))
    for c in range(d):
        turned[c] = objective[c]
        for i in range(d):
            share = larger(0.0, -lam[i]) + largest * 1e-4 * (1.0 + 0.37 * ((i * 7) % 5))
            turned[c] += share * _row_entry(rows, basis[i], c)
    for _ in range(_GIVE_UP_AFTER):
        far = refresh(basis, edges, vertex, ray)
        entering = _most_violated(rows, count, far, basis, vertex, ray)
        if entering == _NONE:
            return OPTIMAL
        multipliers(turned, edges, lam)
        leaving = NOTHING
        best = np.inf
        leaving_alpha = 0.0
        for i in range(d):
            alpha = 0.0
            for c in range(d):
                alpha += edges[i, c] * _row_entry(rows, entering, c)
            if alpha > _PIVOT:
                ratio = larger(0.0, lam[i]) / alpha
                if ratio < best or (ratio == best and alpha > leaving_alpha):
                    leaving, best, leaving_alpha = i, ratio, alpha
        if leaving < 0:
            return STALLED
        _pivot(rows, entering, leaving, basis, edges)
    return STALLED
