"""A cone's inequalities, the scratch arrays of the kernels over them, and their values at points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.compiled import compiled_part, larger
from solvers.lp.simplex import Program, program
from solvers.lp.ties import TieSpace, tie_space

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

UNDECIDED = 0
FACET = 1
REDUNDANT = 2


_LEAST = 2.0**-900
"""No row value below this proves a side: outweighs what underflow takes from a sum of products of floats."""

_MOST = 2.0**800
"""Nor one above this, so that nothing that is made of the values in proofs overflows."""

_FARTHEST = 2.0**64
"""Nor a point of a cone beyond this size, or below its reciprocal."""

_ROUNDED = 1.0 + 2.0**-50
"""Outweighs the roundings of a size and of its product with a slack."""


class System(NamedTuple):
    """The inequalities of one cone.

    The rows are computed; decisions are about the true ones, which differ. The slack of row j
    bounds, at every point x of the reach ``|x_c| <= radius_c``, both ``rows[:, j] . x`` less its
    true value and the value computed in floats, whatever its order, less the true one, but for
    underflow; and it is at least ``4 (C + 4) u`` times the sum of ``|rows[c, j]| radius_c``, `u`
    the unit roundoff: four times what rounding can add to such a sum. Points of a bounded domain
    are within half the reach. A cone is met within the unit cube, and the slack grows with the norm.
    """

    rows: Floats  # (C, >= n), one inequality ``rows[:, j] . x >= 0`` per column
    slack: Floats  # (>= n,)
    flags: Integers  # (>= n,) INTEGRAL and CENTRAL of solvers.lp.ties
    spans: Integers  # (>= n,) dimension of the nested subspace that the row lives in, see solvers.lp.ties
    unit: float  # common factor that makes the INTEGRAL rows integer
    radius: Floats  # (C,) the reach: twice a bound on the points; for a cone, ones
    bounded: bool  # True: x = (z, 1) with z in a bounded domain; False: a cone, radius one


class Workspace(NamedTuple):
    """Scratch arrays of one kernel call, sized for `n` rows, `C` coordinates and ``d = C - 1``."""

    value: Floats  # (n,) row values at the witness, the unit of each row
    rate: Floats  # (n,)
    polar: Floats  # (d, n) rows in the frame, scaled to ``g . u <= 1``
    found: Integers  # (n,) facets found so far
    state: Integers  # (n,)
    crossing: Floats  # (n, C) a point on each facet, in its relative interior
    frame: Floats  # (d, C) directions that span the cross-section
    point: Floats  # (C,)
    low: Floats  # (d,)
    high: Floats  # (d,)
    aim: Floats  # (d,)
    support: Integers  # (d,)
    direction: Floats  # (C,)
    corners: Floats  # (2 d, d) where each side of the bounding box is met
    spread: Floats  # (d, d)
    lp: Program  # over the polar rows of the facets found
    ties: TieSpace


def workspace(n: int, coordinates: int) -> Workspace:
    """Allocate the scratch arrays for at most `n` rows."""
    d = coordinates - 1
    return Workspace(
        value=np.empty(n),
        rate=np.empty(n),
        polar=np.empty((d, n)),
        found=np.empty(n, np.int64),
        state=np.empty(n, np.int64),
        crossing=np.empty((n, coordinates)),
        frame=np.empty((d, coordinates)),
        point=np.empty(coordinates),
        low=np.empty(d),
        high=np.empty(d),
        aim=np.empty(d),
        support=np.empty(d, np.int64),
        direction=np.empty(coordinates),
        corners=np.empty((2 * d, d)),
        spread=np.empty((d, d)),
        lp=program(n, d),
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
def strictly_inside(
    rows: Floats, slack: Floats, n: int, x: Floats, scale: float, but: int, out: Floats
) -> bool:
    """Whether every true row is positive at x, except row `but`, which must be negative (-1: none).

    Exact inputs: x and `scale`, at least the norm that scales the slack. The value computed at a
    point of the reach is off from the true one by ``slack * scale`` at most and by one smallest
    subnormal a product, which _LEAST outweighs together with an underflow of the bound. So a value
    beyond their sum has the true sign. Values from _MOST on, infinities and NaN prove nothing, nor
    does an infinite or NaN slack. That x is within the reach is for the caller to know.
    """
    row_values(rows, n, x, out)
    if but >= 0:
        out[but] = -out[but]
    good = True
    for j in range(n):
        good &= (out[j] > slack[j] * scale + _LEAST) & (out[j] < _MOST)
    return good


@compiled_part
def inside_of_proven(
    rows: Floats, slack: Floats, n: int, x: Floats, scale: float, but: int, out: Floats
) -> bool:
    """As `strictly_inside`, for rows that pass that at another point, before or after.

    Their values there, below _MOST, are larger than their slacks, which are larger than ``2**-49`` times
    ``sum |rows[c, j]| radius_c |p|``, p that point. So that is below ``2**849``, and no value within the
    reach overflows, the norm of either point being one, or within _FARTHEST: none is looked at for that.
    """
    row_values(rows, n, x, out)
    if but >= 0:
        out[but] = -out[but]
    good = True
    for j in range(n):
        good &= out[j] > slack[j] * scale + _LEAST
    return good


@compiled_part
def within_reach(x: Floats, radius: Floats, bounded: bool) -> bool:
    """Whether the slack holds at x: a point ``(z, 1)`` near the domain, or a cone's of usual size."""
    if not bounded:
        norm = size_of(x, bounded)
        return bool(1.0 / _FARTHEST < norm < _FARTHEST)
    last = x.shape[0] - 1
    good = bool(x[last] == 1.0)
    for c in range(last):
        good &= abs(x[c]) <= radius[c]
    return good


@compiled_part
def size_of(x: Floats, bounded: bool) -> float:
    """Norm that scales the slack, or more: the domain's own slack is for any of its points."""
    if bounded:
        return 1.0
    most = 0.0
    for c in range(x.shape[0]):
        most = larger(most, abs(x[c]))
    return most * _ROUNDED
