"""Bounded cross-sections of a cone: directions that span them, and the rows in their coordinates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.compiled import NOTHING, compiled_part, larger
from solvers.lp.cone import System, Workspace, row_values, size_of, strictly_inside

Floats = NDArray[np.float64]

_SHARES = 4
"""How often the way to the new witness is halved."""

_ROUNDED = 1.0 + 1e-9
"""Outweighs the rounding of the bounds on a section."""


@compiled_part
def set_frame(rows: Floats, n: int, bounded: bool, frame: Floats, normal: Floats) -> None:
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
def recentre(system: System, n: int, w: Workspace) -> None:
    """Move the witness towards the mean of the known corners, left in `w.aim`, while it is surely inside."""
    d, size = w.frame.shape
    for i in range(d):
        w.aim[i] = 0.0
        for k in range(2 * d):
            w.aim[i] += w.corners[k, i] / (2 * d)
    for c in range(size):
        w.direction[c] = 0.0
        for i in range(d):
            w.direction[c] += w.aim[i] * w.frame[i, c]
    share = 1.0
    for _ in range(_SHARES):
        for c in range(size):
            w.point[c] += share * w.direction[c]
        scale = size_of(w.point, system.bounded)
        if strictly_inside(system.rows, system.slack, n, w.point, scale, NOTHING, w.value):
            return
        for c in range(size):
            w.point[c] -= share * w.direction[c]
        share *= 0.5
    row_values(system.rows, n, w.point, w.value)


@compiled_part
def stretch_frame(w: Workspace) -> None:
    """Turn and scale the frame to a long and thin cross-section, by the spread of its known corners.

    The new axes are the columns of the Cholesky factor of the corners' covariance; their
    mean is in `w.aim`.
    """
    d, size = w.frame.shape
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
def polarise(rows: Floats, n: int, w: Workspace) -> None:
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
def section_room(system: System, most: float, w: Workspace) -> float:
    """How many slacks a row in the frame may be off by on the section, given ``|u| <= most``.

    A row with computed coefficients a, true ones a', slack s, computed value v at the witness p and
    polar row g gives at ``x = p + sum u_i f_i``, which is exact as floats f_i are,
    ``a' x - v (1 - g u) = (a' - a) x + (a p - v) + sum u_i (a f_i + v g_i)``. The first is at most
    ``s |x|``, the second ``C u sum |a_c p_c|``, a quarter of ``s |p|``. In the third g_i has the rounding
    of C products, of a reciprocal and of a product: the sum over i is at most ``(C + 3) u sum |a_c| q_c``
    with ``q_c = sum |u_i f_ic|``, a quarter of ``s q`` if all q_c are at most ``q radius_c``. Both
    quarters are not full, which outweighs second order; underflow is below ``2**-160 v``.

    On a bounded domain the norms count as one, which makes ``1.25 + q / 4``; in a frame along the axes
    q_c is ``|x_c - p_c|``, so q is one whatever `most` is. On a cone it makes 1.5 times the reach.
    """
    d = w.frame.shape[0]
    if not system.bounded:
        return 1.5 * reach_of_frame(w, most) * _ROUNDED
    q = 0.0
    along = True
    for c in range(d):
        total = 0.0
        for i in range(d):
            total += abs(w.frame[i, c])
            along &= i == c or w.frame[i, c] == 0.0
        q = larger(q, total * most / system.radius[c])
    return (1.5 if along else 1.25 + 0.25 * q) * _ROUNDED


@compiled_part
def reach_of_frame(w: Workspace, most: float) -> float:
    """Sup norm of the cross-section's points, given ``max|u|``, or more; no ``sum |u_i f_ic|`` is larger."""
    d, size = w.frame.shape
    reach = 0.0
    for c in range(size):
        reach = larger(reach, abs(w.point[c]))
    for i in range(d):
        longest = 0.0
        for c in range(size):
            longest = larger(longest, abs(w.frame[i, c]))
        reach += longest * most
    return reach * _ROUNDED
