"""A polyhedron by its rows: {y : G y <= h}."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.errors import EmptyPolyhedronError, SolverInputError
from solvers.float_mode import gradual_underflow
from solvers.integers import exact_float64
from solvers.lp import exact, shape
from solvers.predicates import sign_at
from solvers.rational import exact_rows_to_integers, round_outward
from solvers.status import LPStatus
from solvers.vertices import VRepresentation, v_representation

__all__ = ["HPolyhedron"]


@dataclass(frozen=True, eq=False)
class HPolyhedron:
    """The closed polyhedron ``{y : G y <= h}``.

    Attributes
    ----------
    G
        Outward rows, read-only float64 (m, n).
    h
        Right-hand sides, read-only float64 (m,).

    Raises
    ------
    SolverInputError
        If the shapes do not fit, or a number is not finite or not one that float64 holds.

    Notes
    -----
    Guarantee: `contains`, `is_bounded`, `is_empty` and `is_full_dimensional` are exact for the
    floats stored here, and so is which vertices and rays there are; `bounds` enclose and are the
    tightest floats that do; `witness`, the coordinates of `vertices`, and `volume` are rounded.
    """

    G: NDArray[np.float64]
    h: NDArray[np.float64]

    @gradual_underflow()
    def __post_init__(self) -> None:
        """Take read-only float64 copies and check them."""
        rows = np.array(exact_float64("HPolyhedron", self.G), order="C")
        side = np.array(exact_float64("HPolyhedron", self.h), order="C")
        if rows.ndim != 2 or side.shape != rows.shape[:1] or rows.shape[1] == 0:
            raise SolverInputError(
                f"HPolyhedron got G of shape {rows.shape} and h of shape {side.shape}; "
                "expected (m, n) and (m,) with n >= 1."
            )
        if not (np.isfinite(rows).all() and np.isfinite(side).all()):
            raise SolverInputError(
                "HPolyhedron got NaN or an infinity in G or h; expected finite numbers: "
                "drop rows that never bind."
            )
        rows.flags.writeable = False
        side.flags.writeable = False
        object.__setattr__(self, "G", rows)
        object.__setattr__(self, "h", side)

    @property
    def dim(self) -> int:
        """Number of variables n."""
        return int(self.G.shape[1])

    def __len__(self) -> int:
        """Return the number of rows m."""
        return len(self.G)

    def __repr__(self) -> str:
        """Return the sizes."""
        return f"HPolyhedron({len(self)} rows, dim={self.dim})"

    @gradual_underflow()
    def contains(self, z: ArrayLike) -> bool | NDArray[np.bool_]:
        """Tell whether points satisfy every row, exactly (the boundary belongs).

        Parameters
        ----------
        z
            One point (n,), or B of them (B, n).

        Returns
        -------
        bool or ndarray of bool
            For one point; shape (B,) for several.
        """
        points = exact_float64("HPolyhedron.contains", z)
        if points.ndim not in (1, 2) or points.shape[-1] != self.dim:
            raise SolverInputError(
                f"HPolyhedron.contains got an array of shape {points.shape}; "
                f"expected ({self.dim},) or (B, {self.dim})."
            )
        inside = (sign_at(np.column_stack([self.G, -self.h]), points) <= 0).all(axis=-1)
        return np.asarray(inside) if points.ndim == 2 else bool(inside)

    @cached_property
    @gradual_underflow()
    def is_bounded(self) -> bool:
        """Whether the polyhedron is bounded (the empty set is)."""
        return shape.is_bounded(self.G, self.h)

    @cached_property
    @gradual_underflow()
    def is_empty(self) -> bool:
        """Whether no point satisfies the rows."""
        return shape.is_empty(self.G, self.h)

    @cached_property
    @gradual_underflow()
    def is_full_dimensional(self) -> bool:
        """Whether the polyhedron has an interior."""
        return self._strict_point is not None

    @cached_property
    def _strict_point(self) -> tuple[Fraction, ...] | None:
        return shape.strict_point(self.G, self.h)

    @gradual_underflow()
    def witness(self) -> NDArray[np.float64]:
        """Return an interior point (n,), well away from the rows, rounded to floats.

        Raises
        ------
        EmptyPolyhedronError
            If the polyhedron has no interior.
        """
        if self._strict_point is None:
            raise EmptyPolyhedronError(
                f"HPolyhedron.witness got {len(self)} rows in {self.dim} dimensions that leave no interior; "
                "expected a full-dimensional polyhedron."
            )
        return np.array([float(entry) for entry in self._strict_point])

    @gradual_underflow()
    def bounds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the tightest float box (lo, hi), each (n,), that encloses the polyhedron.

        A coordinate that is unbounded on a side has an infinity there.

        Raises
        ------
        EmptyPolyhedronError
            If no point satisfies the rows.
        """
        low, high = np.empty(self.dim), np.empty(self.dim)
        for axis in range(self.dim):
            high[axis] = self._reach(axis, 1)
            low[axis] = 0.0 - self._reach(axis, -1)  # no negative zeros
        return low, high

    def _reach(self, axis: int, sign: int) -> float:
        """Largest value of sign * y[axis], rounded up."""
        objective = [0] * self.dim
        objective[axis] = sign
        best = exact.maximise(objective, self.G, self.h)
        if best.status is LPStatus.INFEASIBLE:
            raise EmptyPolyhedronError(
                f"HPolyhedron.bounds got {len(self)} rows that no point satisfies; "
                "expected a non-empty polyhedron."
            )
        return math.inf if best.value is None else round_outward(best.value, up=True)

    @gradual_underflow()
    def vertices(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Vertices (k, n) and unit rays (r, n), rounded; see `solvers.vertices.VRepresentation`.

        Raises
        ------
        EmptyPolyhedronError
            If the polyhedron has no interior.
        SolverFailedError
            If a coordinate is beyond the range of float64.
        """
        return self.v_representation.vertices, self.v_representation.rays

    @gradual_underflow()
    def volume(self) -> float:
        """Volume, rounded; infinite if unbounded; see `solvers.vertices.VRepresentation`.

        Raises
        ------
        EmptyPolyhedronError
            If the polyhedron has no interior.
        SolverFailedError
            If the volume is finite and beyond the range of float64.
        """
        return self.v_representation.volume

    @cached_property
    @gradual_underflow()
    def v_representation(self) -> VRepresentation:
        """Vertices, rays and lines, exact.

        Raises
        ------
        EmptyPolyhedronError
            If the polyhedron has no interior.
        """
        rows = exact_rows_to_integers(np.column_stack([-self.G, self.h]))
        return v_representation(rows, self.dim)
