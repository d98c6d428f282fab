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

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.compiled import NOTHING, compiled_part, larger, typed

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

OPTIMAL = 0
STALLED = 1
BEYOND = 2

_NONE = typed(-(2**40))
_TOLERANCE = 1e-11
_PIVOT = 1e-8
_VIOLATED = 1e-10
_BLAND_AFTER = 40
_GIVE_UP_AFTER = 400
_LEAST_ROOM = 1e-300
_TIED = 1e-9
"""Relative difference of places at infinity that rounding may make."""
_BLOCK = 4


class Program(NamedTuple):
    """A linear program and the vertex at hand, for at most n rows of d coordinates.

    Rows and edges lie in blocks of four, of which the c-th coordinates are side by side:
    number i is ``[i >> 2, :, i & 3]``. The last block may be filled up with anything finite.
    """

    rows: Floats  # (blocks, d, 4)
    room: Floats  # (n + 4,) ``1 - row . vertex``
    rate: Floats  # (n + 4,) ``row . edge`` for the edge at hand
    target: Floats  # (d,) the objective
    basis: Integers  # (d,) names of the tight rows
    edges: Floats  # (blocks, d, 4) edge i changes the value of the i-th tight row alone, at rate one
    lam: Floats  # (d + 4,) multipliers of the tight rows
    alpha: Floats  # (d + 4,) a row as a combination of the tight rows
    edge: Floats  # (d,) one edge
    vertex: Floats  # (d,)
    ray: Floats  # (d,)


def program(n: int, d: int) -> Program:
    """Allocate a program."""
    return Program(
        rows=np.zeros((-(-n // _BLOCK), d, _BLOCK)),
        room=np.zeros(n + _BLOCK),
        rate=np.zeros(n + _BLOCK),
        target=np.zeros(d),
        basis=np.zeros(d, np.int64),
        edges=np.zeros((-(-d // _BLOCK), d, _BLOCK)),
        lam=np.zeros(d + _BLOCK),
        alpha=np.zeros(d + _BLOCK),
        edge=np.zeros(d),
        vertex=np.zeros(d),
        ray=np.zeros(d),
    )


@compiled_part
def _products(rows: Floats, count: int, x: Floats, out: Floats) -> None:
    """Dot products of the first `count` rows with x: four sums run side by side."""
    for b in range((count + _BLOCK - 1) // _BLOCK):
        first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
        for c in range(x.shape[0]):
            weight = x[c]
            first += weight * rows[b, c, 0]
            second += weight * rows[b, c, 1]
            third += weight * rows[b, c, 2]
            fourth += weight * rows[b, c, 3]
        out[_BLOCK * b] = first
        out[_BLOCK * b + 1] = second
        out[_BLOCK * b + 2] = third
        out[_BLOCK * b + 3] = fourth


@compiled_part
def corner(p: Program) -> None:
    """Start at the corner of the artificial box that maximises the objective."""
    d = p.target.shape[0]
    for i in range(d):
        sign = 1.0 if p.target[i] >= 0.0 else -1.0
        p.basis[i] = -1 - 2 * i if sign > 0.0 else -2 - 2 * i
        for c in range(d):
            p.edges[i >> 2, c, i & 3] = 0.0
        p.edges[i >> 2, i, i & 3] = sign


@compiled_part
def _refresh(count: int, p: Program) -> bool:
    """Compute the vertex from its tight rows, and the room of the rows; True if it lies at infinity."""
    d = p.vertex.shape[0]
    far = False
    for c in range(d):
        p.vertex[c] = 0.0
        p.ray[c] = 0.0
    for i in range(d):
        if p.basis[i] >= 0:
            for c in range(d):
                p.vertex[c] += p.edges[i >> 2, c, i & 3]
        else:
            far = True
            for c in range(d):
                p.ray[c] += p.edges[i >> 2, c, i & 3]
    _products(p.rows, count, p.vertex, p.room)
    for f in range(count):
        p.room[f] = 1.0 - p.room[f]
    return far


@compiled_part
def _pivot(entering: int, leaving: int, p: Program) -> None:
    """Replace the tight row at position `leaving`; `p.alpha` is the entering row's."""
    d = p.basis.shape[0]
    scale = 1.0 / p.alpha[leaving]
    for c in range(d):
        p.edge[c] = p.edges[leaving >> 2, c, leaving & 3] * scale
    for b in range(p.edges.shape[0]):
        first, second, third, fourth = (
            p.alpha[_BLOCK * b], p.alpha[_BLOCK * b + 1], p.alpha[_BLOCK * b + 2], p.alpha[_BLOCK * b + 3]
        )  # fmt: skip
        for c in range(d):
            share = p.edge[c]
            p.edges[b, c, 0] -= first * share
            p.edges[b, c, 1] -= second * share
            p.edges[b, c, 2] -= third * share
            p.edges[b, c, 3] -= fourth * share
    for c in range(d):
        p.edges[leaving >> 2, c, leaving & 3] = p.edge[c]
    share = p.lam[leaving] * scale
    for i in range(d):
        p.lam[i] -= p.alpha[i] * share
    p.lam[leaving] = share
    p.basis[leaving] = entering


@compiled_part
def _resolve(name: int, p: Program) -> None:
    """Express a row by the tight rows, in `p.alpha`."""
    d = p.basis.shape[0]
    if name >= 0:
        for c in range(d):
            p.edge[c] = p.rows[name >> 2, c, name & 3]
    else:
        for c in range(d):
            p.edge[c] = 0.0
        p.edge[(-1 - name) // 2] = 1.0 if (-1 - name) % 2 == 0 else -1.0
    _products(p.edges, d, p.edge, p.alpha)


@compiled_part
def _is_tight(basis: Integers, name: int) -> bool:
    for i in range(basis.shape[0]):
        if basis[i] == name:
            return True
    return False


@compiled_part
def _blocking(count: int, p: Program) -> int:
    """First row met on the edge of `p.rate`; _NONE if there is none."""
    best = _NONE
    best_step = np.inf
    for f in range(count):
        # Among rows without room the one met fastest comes first.
        rate = -p.rate[f]
        step = larger(_LEAST_ROOM, p.room[f]) / (rate if rate > _PIVOT else 0.0)
        if step < best_step:
            best, best_step = f, step
    return best


@compiled_part
def _blocking_far(count: int, leaving: int, p: Program) -> int:
    """First row met on an edge with the vertex or the end at infinity; _NONE if there is none."""
    d = p.vertex.shape[0]
    best = _NONE
    best_far = np.inf
    best_step = np.inf
    for f in range(count):
        rate = -p.rate[f]
        if not rate > _PIVOT:
            continue
        value_far = 0.0
        for c in range(d):
            value_far -= p.rows[f >> 2, c, f & 3] * p.ray[c]
        value_far = larger(0.0, value_far / rate)
        if value_far < _TOLERANCE:
            value_far = 0.0
        # The finite part of a point at infinity may be on either side of the row.
        step = (p.room[f] if value_far > 0.0 else larger(_LEAST_ROOM, p.room[f])) / rate
        if value_far < best_far * (1.0 - _TIED) or (
            value_far <= best_far * (1.0 + _TIED) and step < best_step
        ):
            best, best_far, best_step = f, value_far, step
    if best_far == 0.0:
        return best
    for c in range(d):
        rate = -p.edges[leaving >> 2, c, leaving & 3]
        name = -1 - 2 * c if rate > 0.0 else -2 - 2 * c
        if abs(rate) > _PIVOT and not _is_tight(p.basis, name):
            value_far = larger(0.0, 1.0 - (p.ray[c] if rate > 0.0 else -p.ray[c])) / abs(rate)
            if value_far < best_far:
                best, best_far = name, value_far
    return best


@compiled_part
def primal(count: int, enough: float, p: Program) -> int:
    """Maximise the objective from a feasible vertex: OPTIMAL, STALLED, or BEYOND at a value above `enough`.

    Dantzig's rule, and Bland's when the walk over the vertices takes long.
    """
    d = p.vertex.shape[0]
    far = _refresh(count, p)
    _products(p.edges, d, p.target, p.lam)
    for turn in range(_GIVE_UP_AFTER):
        bland = turn >= _BLAND_AFTER
        leaving = NOTHING
        worst = -_TOLERANCE
        value = 0.0
        for i in range(d):
            value += p.lam[i]
            if p.lam[i] < worst and not (bland and leaving >= 0 and p.basis[i] > p.basis[leaving]):
                leaving = i
                worst = -_TOLERANCE if bland else p.lam[i]
        if leaving < 0:
            if turn > 0:  # rid of the rounding of the pivots
                _products(p.edges, d, p.target, p.lam)
            return OPTIMAL
        if value > enough and not far:
            return BEYOND
        for c in range(d):
            p.edge[c] = p.edges[leaving >> 2, c, leaving & 3]
        _products(p.rows, count, p.edge, p.rate)
        for i in range(d):
            if p.basis[i] >= 0:
                p.rate[p.basis[i]] = 0.0
        entering = _NONE if far else _blocking(count, p)
        if entering == _NONE:
            entering = _blocking_far(count, leaving, p)
        if entering == _NONE:
            return STALLED
        if far or entering < 0:
            _resolve(entering, p)
            _pivot(entering, leaving, p)
            far = _refresh(count, p)
            continue
        step = larger(0.0, p.room[entering]) / -p.rate[entering]
        for c in range(d):
            p.vertex[c] -= step * p.edge[c]
        for f in range(count):
            p.room[f] += step * p.rate[f]
        p.room[entering] = 0.0
        _resolve(entering, p)
        p.room[p.basis[leaving]] = step
        _pivot(entering, leaving, p)
    return STALLED


@compiled_part
def _most_violated(count: int, far: bool, p: Program) -> int:
    """Row that the vertex violates most, one violated at infinity first; _NONE if there is none."""
    d = p.vertex.shape[0]
    entering = _NONE
    worst = -_VIOLATED
    if far:
        worst_far = _VIOLATED
        for f in range(count):
            value_far = 0.0
            for c in range(d):
                value_far += p.rows[f >> 2, c, f & 3] * p.ray[c]
            if value_far > worst_far and not _is_tight(p.basis, f):
                entering, worst_far = f, value_far
            elif (
                worst_far == _VIOLATED
                and value_far > -_VIOLATED
                and p.room[f] < worst
                and not _is_tight(p.basis, f)
            ):
                entering, worst = f, p.room[f]
        for c in range(d):
            sign = 1.0 if p.ray[c] > 0.0 else -1.0
            value_far = sign * p.ray[c] - 1.0
            name = -1 - 2 * c if sign > 0.0 else -2 - 2 * c
            if value_far > worst_far and not _is_tight(p.basis, name):
                entering, worst_far = name, value_far
        return entering
    for i in range(d):
        p.room[p.basis[i]] = 0.0
    for f in range(count):
        if p.room[f] < worst:
            entering, worst = f, p.room[f]
    return entering


@compiled_part
def _turned(p: Program) -> None:
    """Multipliers of the objective turned a little into the cone of the tight rows."""
    d = p.vertex.shape[0]
    _products(p.edges, d, p.target, p.lam)
    largest = 0.0
    for i in range(d):
        largest = larger(largest, abs(p.lam[i]))
    for i in range(d):
        p.lam[i] = larger(0.0, p.lam[i]) + largest * 1e-4 * (1.0 + 0.37 * ((i * 7) % 5))


@compiled_part
def dual(count: int, p: Program) -> int:
    """Restore feasibility of a vertex whose multipliers are not negative: OPTIMAL or STALLED.

    Objectives along an axis leave most multipliers at zero, and the method could cycle. So
    it works on an objective that is turned a little into the cone of the tight rows; the
    vertex reached is feasible, and the primal method goes on from there with the true one.
    """
    d = p.vertex.shape[0]
    _turned(p)
    for _ in range(_GIVE_UP_AFTER):
        far = _refresh(count, p)
        entering = _most_violated(count, far, p)
        if entering == _NONE:
            return OPTIMAL
        _resolve(entering, p)
        leaving = NOTHING
        best = np.inf
        leaving_alpha = 0.0
        for i in range(d):
            alpha = p.alpha[i]
            if alpha > _PIVOT:
                ratio = larger(0.0, p.lam[i]) / alpha
                if ratio < best or (ratio == best and alpha > leaving_alpha):
                    leaving, best, leaving_alpha = i, ratio, alpha
        if leaving < 0:
            return STALLED
        _pivot(entering, leaving, p)
    return STALLED
