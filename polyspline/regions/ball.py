"""Balls of the latent space, and whether a closed region meets one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyspline.cpa.exact import ExactNetwork, Row
from polyspline.cpa.matrices import as_float_array, exact_floats
from polyspline.errors import ArgumentError
from polyspline.regions.exact import ExactDomain, unit_rows
from solvers.float_mode import gradual_underflow
from solvers.integers import as_fraction
from solvers.lp.exact import maximise
from solvers.qp.exact import nearest_point
from solvers.status import LPStatus

Floats = NDArray[np.float64]

NORMS = ("l2", "linf")


@dataclass(frozen=True, eq=False)
class Ball:
    """The closed ball of all points within `radius` of `centre`.

    Attributes
    ----------
    centre
        (S,), finite.
    radius
        Finite, 0 or more; the ball of radius 0 is its centre alone.
    norm
        ``"l2"`` or ``"linf"``.

    Raises
    ------
    ShapeError, NonFiniteError
        If the centre is no finite point.
    ArgumentError
        If the radius is negative or not finite, or the norm another one.
    """

    centre: Floats
    radius: float
    norm: str = "l2"

    @gradual_underflow()
    def __init__(self, centre: ArrayLike, radius: float, norm: str = "l2") -> None:
        object.__setattr__(self, "centre", as_float_array(centre, "centre", 1))
        object.__setattr__(self, "radius", as_radius(radius))
        object.__setattr__(self, "norm", checked_norm(norm))

    def __repr__(self) -> str:
        """Show the numbers."""
        return f"Ball({self.centre.tolist()}, {self.radius:g}, norm={self.norm!r})"

    @gradual_underflow()
    def meets(self, rows: Sequence[Row]) -> bool:
        """Whether the polyhedron of some rows ``>= 0`` has a point in the ball.

        Notes
        -----
        Guarantee: exact; touching in one point is meeting.

        Algorithm: the maximum norm asks an exact linear program whether it has a point; the
        2-norm takes the exact nearest point and compares squared distances.
        """
        centre = [as_fraction(z) for z in self.centre.tolist()]
        reach = as_fraction(self.radius)
        if self.norm == "l2":
            return nearest_point(rows, centre, limit=reach * reach) is not None
        dim = len(centre)
        matrix: list[list[int]] = [[-entry for entry in row[:-1]] for row in rows]
        sides = [as_fraction(row[-1]) for row in rows]
        for axis, z in enumerate(centre):
            for sign in (1, -1):
                matrix.append([sign * int(c == axis) for c in range(dim)])
                sides.append(sign * z + reach)
        return maximise([0] * dim, matrix, sides).status is not LPStatus.INFEASIBLE

    @gradual_underflow()
    def meets_region(self, net: ExactNetwork, domain: ExactDomain, code: NDArray[np.int64]) -> bool:
        """Whether the closed region of a code (N,) meets the ball; exact, see `meets`."""
        rows, _ = unit_rows(net, code)
        return self.meets(list(dict.fromkeys([*rows, *domain.rows])))


def as_radius(radius: float) -> float:
    """Check the radius of a ball.

    Raises
    ------
    ArgumentError
        If it is not a finite number of at least 0.
    InexactError
        If float64 cannot hold it.
    """
    try:
        size = float(radius)
    except (TypeError, ValueError):
        size = math.nan
    if not (math.isfinite(size) and size >= 0.0):
        raise ArgumentError(f"radius is {radius!r}; expected a finite number of at least 0.")
    exact_floats(radius, "radius")  # refuses what float64 cannot hold
    return size


def checked_norm(norm: str) -> str:
    """Check the norm of a ball.

    Raises
    ------
    ArgumentError
        If it is none of `NORMS`.
    """
    if norm not in NORMS:
        raise ArgumentError(f"norm is {norm!r}; expected one of {', '.join(NORMS)}.")
    return norm
