"""Vertices, rays and volume of a polyhedron {y : G y <= h}, by double description.

The only module that uses pycddlib (cddlib is GPL), which is imported when asked for. cddlib's
float arithmetic merges what lies closer than about 1e-7, so the polyhedron is made round first:
coordinates around an analytic centre in which a unit ball lies inside and, if it is bounded, a
ball of radius m (the number of rows) outside.

Guarantee: rounded. A vertex on exactly n rows is solved exactly and rounded once.

References
----------
K. Fukuda and A. Prodon, Double description method revisited, 1996. For the rounding by the
analytic centre: S. Boyd and L. Vandenberghe, Convex Optimization, 2004, section 8.5.3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.errors import SolverFailedError, SolverInputError
from solvers.rational import (
    DyadicMatrix,
    Number,
    as_fraction,
    integer_matrix,
    scaled_integer_rows,
    solve,
)

__all__ = ["vertices", "volume"]

_TIGHT = 1e-7  # a row is on a vertex if it misses it by less, in round coordinates
_NEWTON_STEPS = 40
_ROUNDS = 8  # two or three do unless the shape is thinner than floats resolve
_ATTEMPTS = 6
_ROUND = 10.0  # the rows' singular values within this factor of 1: the polyhedron counts as round


@dataclass(frozen=True, eq=False)
class _Rounded:
    """A polyhedron in round coordinates w: y = centre + transform @ w, rows @ w <= 1."""

    centre: list[Fraction]
    transform: NDArray[np.float64]
    rows: NDArray[np.float64]
    kept: NDArray[np.intp]  # index of each row in the input
    bounded: bool


def vertices(
    matrix: ArrayLike, rhs: ArrayLike, inside: Sequence[Number], *, bounded: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Vertices and rays of the full-dimensional polyhedron ``{y : matrix @ y <= rhs}``.

    `solvers.polyhedron.HPolyhedron.vertices` finds the last two arguments by itself.

    Parameters
    ----------
    matrix, rhs
        Finite floats (m, n) and (m,), n >= 1; redundant rows do no harm.
    inside
        A point (n,) strictly inside: int, float or Fraction.
    bounded
        Whether the polyhedron is bounded.

    Returns
    -------
    points : ndarray
        Vertices (k, n) in lexicographic order; none if the polyhedron contains a line.
    rays : ndarray
        Extreme directions (r, n) of unit length in lexicographic order; none if bounded; of a
        line, both directions.

    Raises
    ------
    SolverInputError
        If the shapes do not fit, a number is not finite, or the point is not strictly inside.
    SolverFailedError
        If cddlib gives up or contradicts `bounded`.
    """
    table, side = _checked(matrix, rhs)
    rounded = _rounded(table, side, inside, bounded)
    corners, directions = _generators(rounded)
    points = np.array([_vertex(rounded, table, side, corner) for corner in corners])
    rays = directions @ rounded.transform.T
    rays = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    return _sorted(points.reshape(len(corners), table.shape[1])), _sorted(rays)


def volume(matrix: ArrayLike, rhs: ArrayLike, inside: Sequence[Number]) -> float:
    """Volume (n-dimensional) of the bounded polyhedron ``{y : matrix @ y <= rhs}``.

    `solvers.polyhedron.HPolyhedron.volume` finds the last argument by itself.

    Parameters
    ----------
    matrix, rhs
        Finite floats (m, n) and (m,), n >= 1.
    inside
        A point (n,) strictly inside: int, float or Fraction.

    Raises
    ------
    SolverInputError
        If the shapes do not fit, a number is not finite, or the point is not strictly inside.
    SolverFailedError
        If cddlib or Qhull gives up, or the polyhedron is not bounded.
    """
    table, side = _checked(matrix, rhs)
    rounded = _rounded(table, side, inside, bounded=True)
    corners, _ = _generators(rounded)
    # In floats the determinant of a thin shape's transform would have no correct digit.
    scale = abs(float(DyadicMatrix.from_array(rounded.transform).determinant()))
    if table.shape[1] == 1:
        return float(np.ptp(corners)) * scale
    from scipy.spatial import ConvexHull, QhullError  # a heavy import, paid by those who ask for volumes

    try:
        return float(ConvexHull(corners).volume) * scale
    except QhullError as failure:
        raise SolverFailedError(
            f"Qhull found no volume of {len(corners)} vertices in {table.shape[1]} dimensions: "
            f"{str(failure).splitlines()[0]}"
        ) from failure


def _checked(matrix: ArrayLike, rhs: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    table, side = np.asarray(matrix, dtype=np.float64), np.asarray(rhs, dtype=np.float64)
    if table.ndim != 2 or side.shape != table.shape[:1] or table.shape[1] == 0:
        raise SolverInputError(
            f"vertices got G of shape {table.shape} and h of shape {side.shape}; "
            "expected (m, n) and (m,) with n >= 1."
        )
    return table, side


def _rounded(
    table: NDArray[np.float64], side: NDArray[np.float64], inside: Sequence[Number], bounded: bool
) -> _Rounded:
    """Make the polyhedron round: whiten about a point, move to the analytic centre, and again."""
    kept = np.flatnonzero(np.abs(table).max(axis=1, initial=0.0) > 0.0)
    rows, right = table[kept], side[kept]
    centre = [as_fraction(entry) for entry in inside]
    slacks = _slacks(rows, right, centre)
    if slacks.min(initial=1.0) <= 0.0:
        raise SolverInputError(
            f"vertices got a point that misses or touches row {int(kept[slacks.argmin()])}; "
            "expected a point strictly inside."
        )
    transform = np.eye(table.shape[1])
    turned = rows / slacks[:, None]
    for _ in range(_ROUNDS if bounded else 1):
        transform = transform @ _whitening(turned, spans=bounded)
        turned = _turned(rows, slacks, transform)
        if bounded:
            centre, slacks = _moved(rows, right, centre, transform @ _analytic_step(turned))
            turned = _turned(rows, slacks, transform)
            sizes = np.linalg.svd(turned, compute_uv=False)
            if sizes.max() < _ROUND and sizes.min() > 1.0 / _ROUND:
                break
    return _Rounded(centre, transform, turned, kept, bounded)


def _turned(
    rows: NDArray[np.float64], slacks: NDArray[np.float64], transform: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Rows in coordinates w, scaled to slack 1.

    On a thin shape the product cancels nearly all digits, so it is rounded once, at its end.
    """
    product = DyadicMatrix.from_array(rows) @ DyadicMatrix.from_array(transform)
    return product.to_float() / slacks[:, None]


def _moved(
    rows: NDArray[np.float64],
    right: NDArray[np.float64],
    centre: list[Fraction],
    step: NDArray[np.float64],
) -> tuple[list[Fraction], NDArray[np.float64]]:
    """Take a step that stays inside; the new centre and its slacks."""
    moved = [a + Fraction(b) for a, b in zip(centre, step.tolist(), strict=True)]
    # A float centre keeps the numbers short; the exact one serves where floats are too coarse.
    for candidate in ([Fraction(float(entry)) for entry in moved], moved):
        slacks = _slacks(rows, right, candidate)
        if slacks.min() > 0.0:
            return candidate, slacks
    return centre, _slacks(rows, right, centre)


def _slacks(
    rows: NDArray[np.float64], right: NDArray[np.float64], centre: Sequence[Fraction]
) -> NDArray[np.float64]:
    """Slacks of the rows at a rational point, each rounded once: no cancellation, exact signs."""
    (place,), ((scale, _),) = scaled_integer_rows([[*(-entry for entry in centre), 1]])
    column = DyadicMatrix(integer_matrix([[entry] for entry in place], 1), 0)
    product = DyadicMatrix.from_array(np.column_stack([rows, right])) @ column
    return np.array([float(row[0] / scale) for row in product.to_fractions()])


def _analytic_step(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move from the origin to (about) the analytic centre of rows @ u <= 1, by damped Newton steps."""
    place = np.zeros(rows.shape[1])
    for _ in range(_NEWTON_STEPS):
        local = rows / (1.0 - rows @ place)[:, None]
        # Least squares in place of the normal equations: half the digits lost on thin shapes.
        step = -np.linalg.lstsq(local, np.ones(len(rows)), rcond=None)[0]
        decrement = float(np.linalg.norm(local @ step))
        place = place + step / (1.0 + decrement)
        if decrement < 1e-3:
            break
    return place


def _whitening(rows: NDArray[np.float64], *, spans: bool) -> NDArray[np.float64]:
    """Return a linear map T such that (rows @ T).T @ (rows @ T) is about the identity.

    Unless the rows span the space, directions that they leave free are only scaled.
    """
    width = rows.shape[1]
    _, sizes, axes = np.linalg.svd(rows, full_matrices=True)
    largest = float(sizes.max(initial=0.0)) or 1.0
    padded = np.full(width, largest)
    padded[: len(sizes)] = np.where(sizes > (0.0 if spans else 1e-14) * largest, sizes, largest)
    return np.asarray(axes.T / padded)


def _generators(rounded: _Rounded) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Vertices and rays in round coordinates, by cddlib, checked.

    cddlib at times loses vertices without a word where entries are near its own zero (1e-7), so
    the coordinates are turned by a generic rotation first; what `_closed` does not prove counts
    when two rotations agree.
    """
    width = rounded.rows.shape[1]
    sizes: set[tuple[int, int]] = set()
    for attempt in range(_ATTEMPTS):
        turn = np.linalg.qr(np.random.default_rng(attempt).normal(size=(width, width)))[0]
        corners, rays = _double_description(rounded.rows @ turn)
        corners, rays = corners @ turn.T, rays @ turn.T
        if rounded.bounded and (len(rays) or len(corners) <= width):
            continue
        closed = _closed(rounded.rows, corners) if rounded.bounded else None
        size = len(corners), len(rays)
        if closed or (closed is None and size in sizes):
            return corners, rays
        sizes.add(size)
    raise SolverFailedError(
        f"cddlib found no consistent vertices of {len(rounded.rows)} rows in {width} dimensions: "
        "its float arithmetic does not suffice here, or the polyhedron is not bounded as was said."
    )


def _double_description(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Vertices and rays of rows @ w <= 1 as cddlib has them; nothing at all if it gives up."""
    import cdd  # GPL, and needed here only

    width = rows.shape[1]
    # cddlib reads b - A w >= 0 as [b, -A]; the row of ones alone says 1 >= 0, for the case of no rows.
    inequalities = [[1.0] + [0.0] * width, *([1.0, *(-row)] for row in rows)]
    try:
        polyhedron = cdd.polyhedron_from_matrix(
            cdd.matrix_from_array(inequalities, rep_type=cdd.RepType.INEQUALITY)
        )
        found = cdd.copy_generators(polyhedron)
    except RuntimeError:
        return np.zeros((0, width)), np.zeros((0, width))  # refused as inconsistent: another try follows
    table = np.array(found.array, dtype=np.float64).reshape(-1, width + 1)
    lines = table[sorted(found.lin_set), 1:]
    free = np.ones(len(table), dtype=bool)
    free[list(found.lin_set)] = False
    corner = table[:, 0] != 0.0
    corners = table[free & corner, 1:] / table[free & corner, :1]
    rays = np.concatenate([table[free & ~corner, 1:], lines, -lines])
    return (corners[:0] if len(lines) else corners), rays  # where lines are contained there is no vertex


def _closed(rows: NDArray[np.float64], corners: NDArray[np.float64]) -> bool | None:
    """Tell whether these are all the vertices of a bounded polyhedron; None if it is not simple.

    If each lies on exactly n rows, any n - 1 of these give an edge, and an edge has two ends:
    vertices with that property are all, because the graph of a polytope is connected.
    """
    width = rows.shape[1]
    tight = np.abs(1.0 - corners @ rows.T) < _TIGHT
    on = tight.sum(axis=1)
    if (on != width).any():
        return None if (on >= width).all() else False
    ends = Counter(edge for row in tight for edge in combinations(np.flatnonzero(row).tolist(), width - 1))
    return all(count == 2 for count in ends.values())


def _vertex(
    rounded: _Rounded, table: NDArray[np.float64], side: NDArray[np.float64], corner: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the vertex in the coordinates of the input, solved exactly from its rows if they are n."""
    width = len(corner)
    tight = rounded.kept[np.flatnonzero(np.abs(1.0 - rounded.rows @ corner) < _TIGHT)]
    if len(tight) == width:
        exact = solve(table[tight].tolist(), side[tight].tolist())
        if exact is not None:
            return np.array([float(entry) for entry in exact])
    moved = (rounded.transform @ corner).tolist()
    return np.array([float(a + as_fraction(b)) for a, b in zip(rounded.centre, moved, strict=True)])


def _sorted(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows[np.lexsort(rows.T[::-1])] + 0.0 if len(rows) else rows  # + 0.0: no negative zeros
