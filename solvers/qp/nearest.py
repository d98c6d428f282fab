"""The point of a polyhedron nearest to the origin, compiled.

Guarantee: heuristic. Points, multipliers and outcomes are computed in floats, without tolerance
for ties; who needs certainty proves it from the point or from the multipliers.

References
----------
D. Goldfarb, A. Idnani, A numerically stable dual method for solving strictly convex quadratic
programs, 1983.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.compiled import compiled_part, typed

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NEAREST = typed(0)
"""The point is the nearest one."""

EMPTY = typed(1)
"""No point satisfies the rows: the multipliers combine their normals into zero."""

FAR = typed(2)
"""Every point is farther than the limit: the multipliers combine the normals into `point`."""

GAVE_UP = typed(3)
"""Too many steps."""

_DEPENDENT = 1e-10
_BLOCKING = 1e-13
_STEPS_PER_DIMENSION = 16
_FIRST_STEPS = 32


class Nearest(NamedTuple):
    """Room for one search among at most `n` rows in `d` dimensions, and its outcome."""

    normals: Floats  # (d, n) of unit length, by column
    sides: Floats  # (n,) rows ``normal . y >= side``
    margin: Floats  # (n,) by how much a row may be missed
    point: Floats  # (d,)
    active: Integers  # (d + 1,) tight rows
    weights: Floats  # (d + 1,) their multipliers
    tight: Integers  # (1,) how many they are
    value: Floats  # (n,)
    basis: Floats  # (d, d) orthonormal, spans the tight rows' normals
    triangle: Floats  # (d, d) the normals in that basis, by column
    direction: Floats  # (d,)
    shares: Floats  # (d,)


def nearest_room(rows: int, dim: int) -> Nearest:
    """Allocate room for at most `rows` rows in `dim` dimensions."""
    return Nearest(
        normals=np.empty((dim, rows)),
        sides=np.empty(rows),
        margin=np.empty(rows),
        point=np.empty(dim),
        active=np.empty(dim + 1, np.int64),
        weights=np.empty(dim + 1),
        tight=np.zeros(1, np.int64),
        value=np.empty(rows),
        basis=np.empty((dim, dim)),
        triangle=np.empty((dim, dim)),
        direction=np.empty(dim),
        shares=np.empty(dim),
    )


@compiled_part
def _orthogonalise(s: Nearest, place: int, k: int, column: int) -> float:
    """Part of a row's normal that is at right angles to the first k basis vectors: its length.

    It is left in `direction`, and the rest in column `column` of `triangle`, or in `shares`
    if that is -1.
    """
    dim = s.point.shape[0]
    for c in range(dim):
        s.direction[c] = s.normals[c, place]
    for i in range(k):
        if column >= 0:
            s.triangle[i, column] = 0.0
        else:
            s.shares[i] = 0.0
    for _ in range(2):  # twice is enough
        for i in range(k):
            along = 0.0
            for c in range(dim):
                along += s.basis[i, c] * s.direction[c]
            for c in range(dim):
                s.direction[c] -= along * s.basis[i, c]
            if column >= 0:
                s.triangle[i, column] += along
            else:
                s.shares[i] += along
    square = 0.0
    for c in range(dim):
        square += s.direction[c] * s.direction[c]
    return float(np.sqrt(square))


@compiled_part
def _factorise(s: Nearest, k: int) -> None:
    """Orthonormal basis of the first k tight rows' normals."""
    for i in range(k):
        length = _orthogonalise(s, s.active[i], i, i)
        s.triangle[i, i] = length
        for c in range(s.point.shape[0]):
            s.basis[i, c] = s.direction[c] / length


@compiled_part
def _divide(s: Nearest, k: int) -> None:
    """Turn `shares` in the basis into shares of the tight rows' normals."""
    for step in range(k):
        i = k - 1 - step
        for j in range(i + 1, k):
            s.shares[i] -= s.triangle[i, j] * s.shares[j]
        s.shares[i] /= s.triangle[i, i]


@compiled_part
def _drop(s: Nearest, place: int) -> None:
    """Let go of one tight row."""
    k = s.tight[0] - 1
    for i in range(place, k):
        s.active[i] = s.active[i + 1]
        s.weights[i] = s.weights[i + 1]
    s.tight[0] = k


@compiled_part
def _append(s: Nearest, place: int, weight: float) -> None:
    """Make a row tight."""
    k = s.tight[0]
    s.active[k] = place
    s.weights[k] = weight
    s.tight[0] = k + 1


@compiled_part
def _bring_in(s: Nearest, place: int) -> int:
    """Make a violated row tight; NEAREST if that was possible, else EMPTY or GAVE_UP."""
    dim = s.point.shape[0]
    own = 0.0
    for _ in range(dim + 2):
        k = s.tight[0]
        _factorise(s, k)
        length = _orthogonalise(s, place, k, -1)
        _divide(s, k)
        independent = length > _DEPENDENT and k < dim
        leaving = -1
        step = np.inf
        for i in range(k):
            if s.shares[i] > _BLOCKING and s.weights[i] / s.shares[i] < step:
                step = s.weights[i] / s.shares[i]
                leaving = i
        if independent:
            short = s.sides[place]
            for c in range(dim):
                short -= s.normals[c, place] * s.point[c]
            full = short / (length * length)
            if full <= step:
                step = full
                leaving = -1
        if leaving < 0 and not independent:
            # The others' normals combine into the opposite of this one.
            for i in range(k):
                s.weights[i] = -s.shares[i]
            _append(s, place, 1.0)
            return EMPTY
        for i in range(k):
            s.weights[i] -= step * s.shares[i]
        own += step
        if independent:
            for c in range(dim):
                s.point[c] += step * s.direction[c]
        if leaving < 0:
            _append(s, place, own)
            return NEAREST
        _drop(s, leaving)
    return GAVE_UP


@compiled_part
def find_nearest(s: Nearest, n: int, limit: float) -> int:
    """Find the point nearest to the origin of ``normal . y >= side`` for the first `n` rows.

    Parameters
    ----------
    s
        Holds normals, sides and margins on entry; point, tight rows and multipliers on return.
    n
        Number of rows.
    limit
        Distance above which the search may stop.

    Returns
    -------
    int
        NEAREST, EMPTY, FAR or GAVE_UP.

    Notes
    -----
    Algorithm: the dual active-set method; O(n d) for each row that is brought in.
    """
    dim = s.point.shape[0]
    for c in range(dim):
        s.point[c] = 0.0
    s.tight[0] = 0
    for _ in range(_FIRST_STEPS + _STEPS_PER_DIMENSION * dim):
        for j in range(n):
            s.value[j] = -s.sides[j]
        for c in range(dim):
            at = s.point[c]
            for j in range(n):
                s.value[j] += at * s.normals[c, j]
        worst = -1
        most = 0.0
        for j in range(n):
            if s.value[j] + s.margin[j] < most:
                most = s.value[j] + s.margin[j]
                worst = j
        if worst < 0:
            return NEAREST
        outcome = _bring_in(s, worst)
        if outcome != NEAREST:
            return outcome
        square = 0.0
        for c in range(dim):
            square += s.point[c] * s.point[c]
        if square > limit * limit:
            return FAR
    return GAVE_UP
