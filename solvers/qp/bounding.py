"""Multipliers for lower bounds: the norm of a residual over a polyhedron, whether or not it has a point.

The rows of the polyhedron are soft, so that a program without a feasible point has an
answer too: multipliers so large that they prove it.

Guarantee: heuristic. The multipliers are those of a nearby strictly convex program; bounds are
to be evaluated from them by weak duality, with rounding accounted for.
"""

from __future__ import annotations

from dataclasses import dataclass

import daqp
import numpy as np
import numpy.typing as npt

__all__ = ["BoundingSolution", "bounding_multipliers"]

Floats = npt.NDArray[np.float64]

_SOFT = 8
_INFINITE = 1e30
_SOLVED = (1, 2)
# Weight that makes the program strictly convex, relative to the scaled objective, by order of the norm.
_WEIGHTS = {2.0: 1e-9, 1.0: 1e-5, np.inf: 1e-5}
_SOFTNESS = {2.0: 1e-7, 1.0: 1e-10, np.inf: 1e-10}


@dataclass(frozen=True, eq=False)
class BoundingSolution:
    """A nearly optimal point and multipliers.

    Attributes
    ----------
    point
        (n,), within the bounds of the variables; it may violate the rows.
    output
        (T,) multipliers of the residual.
    rows
        (m,) multipliers of the rows, positive where the upper side holds.
    """

    point: Floats
    output: Floats
    rows: Floats


def bounding_multipliers(
    F: Floats,
    g: Floats,
    low: Floats,
    high: Floats,
    C: Floats,
    row_low: Floats,
    row_high: Floats,
    *,
    order: float,
    scale: float,
    centre: Floats | None = None,
) -> BoundingSolution | None:
    """Minimise ``norm(F w - g)`` over ``low <= w <= high`` and soft ``row_low <= C w <= row_high``.

    Parameters
    ----------
    F, g
        (T, n), (T,).
    low, high
        (n,) each, finite.
    C, row_low, row_high
        (m, n), (m,), (m,); infinite where there is no side.
    order
        Of the norm: 2, 1 or infinity.
    scale
        Size of the residuals of interest, above 0.
    centre
        (n,) point towards which the program is made strictly convex; None for the middle.

    Returns
    -------
    BoundingSolution or None
        None if the solver gave up.
    """
    middle, radius = low / 2.0 + high / 2.0, high / 2.0 - low / 2.0
    unit = np.where(radius > 0, radius, 1.0)
    matrix = F * (unit / scale)
    rhs = (g - F @ middle) / scale
    shift = C @ middle
    rows = C * unit
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    length = np.where(length > 0, length, 1.0)
    rows = rows / length[:, None]
    ends = radius / unit
    below = np.maximum((row_low - shift) / length, -_INFINITE)
    above = np.minimum((row_high - shift) / length, _INFINITE)
    towards = np.zeros(len(unit)) if centre is None else np.clip((centre - middle) / unit, -ends, ends)
    weight = _WEIGHTS[order]
    if order == 2.0:
        hessian = matrix.T @ matrix
        hessian[np.diag_indices_from(hessian)] += weight
        linear = -(rhs @ matrix) - weight * towards
        sides = rows, np.concatenate([-ends, below]), np.concatenate([ends, above])
    else:
        hessian, linear, sides = _epigraph(matrix, rhs, rows, (ends, below, above), towards, order, weight)
    sense = np.zeros(len(sides[1]), dtype=np.int32)
    first = len(linear)
    sense[first : first + len(rows)] = _SOFT
    point, _, flag, info = daqp.solve(
        hessian, linear, sides[0], sides[2], sides[1], sense, primal_tol=1e-9, rho_soft=_SOFTNESS[order]
    )
    if flag not in _SOLVED:
        return None
    multipliers = info["lam"]
    own = point[: len(unit)]
    if order == 2.0:
        output = matrix @ own - rhs
    else:
        on_output = multipliers[first + len(rows) :]
        output = on_output[: len(rhs)] - on_output[len(rhs) :]
    return BoundingSolution(
        middle + unit * own, output / scale, multipliers[first : first + len(rows)] / length
    )


def _epigraph(
    matrix: Floats,
    rhs: Floats,
    rows: Floats,
    ends: tuple[Floats, Floats, Floats],
    towards: Floats,
    order: float,
    weight: float,
) -> tuple[Floats, Floats, tuple[Floats, Floats, Floats]]:
    """Write the 1-norm or the maximum norm with bounds ``t`` on the residuals, as further variables."""
    radius, below, above = ends
    n, outputs = len(radius), len(rhs)
    count = outputs if order == 1.0 else 1
    cover = np.eye(outputs) if order == 1.0 else np.ones((outputs, 1))
    largest = np.abs(rhs) + np.abs(matrix) @ radius
    most = largest if order == 1.0 else np.array([np.max(largest)])
    full = np.zeros((len(rows) + 2 * outputs, n + count))
    full[: len(rows), :n] = rows
    full[len(rows) :] = np.block([[matrix, -cover], [-matrix, -cover]])
    lower = np.concatenate([-radius, np.zeros(count), below, np.full(2 * outputs, -_INFINITE)])
    upper = np.concatenate([radius, most, above, rhs, -rhs])
    linear = np.concatenate([-weight * towards, np.ones(count)])
    return weight * np.eye(n + count), linear, (full, lower, upper)
