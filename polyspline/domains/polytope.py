"""Polytopes ``G z <= h``, bounded and full-dimensional."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import exact_floats
from polyspline.domains.base import BoolArray, Domain, FloatArray
from polyspline.errors import DomainError, InvariantError
from solvers.float_mode import gradual_underflow
from solvers.integers import nearest_float, round_outward, scaled_integer_rows


def _array(values: npt.ArrayLike, what: str, ndim: int, shape: str) -> FloatArray:
    try:
        raw = np.asarray(values)
    except (ValueError, TypeError) as wrong:
        raise DomainError(f"polytope: {what} must be an array of real numbers of shape {shape}.") from wrong
    if raw.dtype.kind not in "iuf" or raw.ndim != ndim:
        raise DomainError(
            f"polytope: {what} must be an array of real numbers of shape {shape}, got shape {raw.shape} of "
            f"{raw.dtype}."
        )
    array = (
        exact_floats(values if raw.dtype.kind == "f" else raw, f"polytope: {what}", error=DomainError) + 0.0
    )
    if not np.isfinite(array).all():
        raise DomainError(f"polytope: {what} must be finite, got NaN or an infinity.")
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False, init=False)
class Polytope(Domain):
    """The polytope ``G z <= h``.

    Parameters
    ----------
    G : array_like, shape (m, S)
        Finite, no row zero. Rows need be neither normalised nor irredundant.
    h : array_like, shape (m,)
        Finite.

    Raises
    ------
    DomainError
        If the shapes do not fit, a number is not finite, a row is zero, or the polytope is empty,
        lower-dimensional or unbounded.

    Notes
    -----
    Guarantee: that the polytope is bounded and full-dimensional is decided exactly.
    """

    G: FloatArray
    h: FloatArray

    kind: ClassVar[str] = "polytope"
    bounded: ClassVar[bool] = True

    @gradual_underflow()
    def __init__(self, G: npt.ArrayLike, h: npt.ArrayLike) -> None:
        normals = _array(G, "G", 2, "(m, S)")
        offsets = _array(h, "h", 1, "(m,)")
        if len(normals) != len(offsets) or 0 in normals.shape:
            raise DomainError(
                f"polytope: expected G of shape (m, S) and h of shape (m,) with m, S >= 1, got "
                f"{normals.shape} and {offsets.shape}."
            )
        zero = np.flatnonzero(~normals.any(axis=1))
        if len(zero):
            raise DomainError(f"polytope: row {zero[0]} of G is zero, so it bounds nothing; leave it out.")
        object.__setattr__(self, "G", normals)
        object.__setattr__(self, "h", offsets)
        self._check()

    def _check(self) -> None:
        # Here and below the solvers are loaded on first use, so that a box never loads them.
        from solvers.lp.shape import is_bounded, is_empty, is_full_dimensional

        if not is_full_dimensional(self.G, self.h):
            empty = is_empty(self.G, self.h)
            defect = (
                "empty (no point satisfies all rows)" if empty else "lower-dimensional (it has no interior)"
            )
            raise DomainError(f"polytope: G z <= h is {defect}; drop or loosen rows.")
        if not is_bounded(self.G, self.h):
            raise DomainError("polytope: G z <= h is unbounded; add rows that bound it, or use WholeSpace.")

    @property
    def dim(self) -> int:
        """Dimension S."""
        return int(self.G.shape[1])

    def rows(self) -> tuple[FloatArray, FloatArray]:
        """Half-spaces ``G z <= h`` as given: G (m, S), h (m,)."""
        return self.G, self.h

    @gradual_underflow()
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper corner, each (S,), of the smallest enclosing box, rounded outward."""
        lower, upper = self._bounds
        return lower, upper

    @cached_property
    def _bounds(self) -> tuple[FloatArray, FloatArray]:
        lower, upper = np.empty(self.dim), np.empty(self.dim)
        for i in range(self.dim):
            for corner, sign in ((lower, -1), (upper, 1)):
                value = self._largest(i, sign) * sign
                corner[i] = round_outward(value, up=sign > 0)
        lower.setflags(write=False)
        upper.setflags(write=False)
        return lower, upper

    def _largest(self, coordinate: int, sign: int) -> Fraction:
        """Exact maximum of ``sign * z[coordinate]``."""
        from solvers.lp.exact import maximise

        objective = [0] * self.dim
        objective[coordinate] = sign
        value = maximise(objective, self.G, self.h).value
        if value is None:
            raise InvariantError("a polytope that was proven bounded has no largest coordinate.")
        return value

    @cached_property
    def _centre(self) -> tuple[FloatArray, bool, bool]:
        """A central point, and whether it is proven to be in the domain, and strictly inside."""
        centre = self._chebyshev_centre()
        if centre is None or not self._holds(centre[None], strict=True)[0]:
            centre = self._rounded_interior_point()
        centre = centre + 0.0
        centre.setflags(write=False)
        if not np.isfinite(centre).all():
            return centre, False, False
        batch = centre[None]
        return centre, bool(self._holds(batch, strict=False)[0]), bool(self._holds(batch, strict=True)[0])

    def _chebyshev_centre(self) -> FloatArray | None:
        from solvers.errors import SolverError
        from solvers.lp.highs import chebyshev_centre

        try:
            centre, _ = chebyshev_centre(self.G, self.h)
        except SolverError:  # floats may fail on a polytope that exact arithmetic has shown to be sound
            return None
        return centre if np.isfinite(centre).all() else None

    def _rounded_interior_point(self) -> FloatArray:
        """Floats near a point strictly inside, and strictly inside if such are found."""
        from solvers.lp.inside import rounded_inside

        integers, _ = scaled_integer_rows(np.hstack([-self.G, self.h[:, None]]))
        point, _ = rounded_inside(integers, self._strict_point())
        return np.array([nearest_float(entry) for entry in point])

    def _strict_point(self) -> tuple[Fraction, ...]:
        from solvers.lp.shape import strict_point

        inside = strict_point(self.G, self.h)
        if inside is None:
            raise InvariantError("a polytope that was proven full-dimensional has no interior point.")
        return inside

    @gradual_underflow()
    def default_start(self) -> FloatArray:
        """Chebyshev centre (S,), rounded; in the domain.

        Raises
        ------
        DomainError
            If the polytope is so thin that no float64 point of it is known.
        """
        centre, inside, _ = self._centre
        if not inside:
            raise self._too_thin()
        return centre

    @gradual_underflow()
    def interior_point(self) -> FloatArray:
        """Chebyshev centre (S,), rounded; strictly inside.

        Raises
        ------
        DomainError
            If the polytope is so thin that no float64 point strictly inside is known.
        """
        centre, _, strictly_inside = self._centre
        if not strictly_inside:
            raise self._too_thin()
        return centre

    def exact_interior_point(self) -> tuple[Fraction, ...]:
        """Chebyshev centre, rounded, if that is strictly inside, else another point; S rationals."""
        centre, _, strictly_inside = self._centre
        return tuple(map(Fraction, centre.tolist())) if strictly_inside else self._strict_point()

    def _too_thin(self) -> DomainError:
        return DomainError(
            "polytope: G z <= h is too thin for float64: no float64 point inside it is known; rescale or "
            "shift the coordinates so that it is fatter near the origin."
        )

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays ``kind``, ``G``, ``h``."""
        return {"kind": np.array(self.kind), "G": self.G, "h": self.h}

    def _contains(self, points: FloatArray) -> BoolArray:
        return self._holds(points, strict=False)

    def _holds(self, points: FloatArray, *, strict: bool) -> BoolArray:
        """Whether all rows hold, (B,): float64 where its error bound decides, else rationals."""
        with np.errstate(all="ignore"):
            slack = self.h - points @ self.G.T
            size = np.abs(self.h) + np.abs(points) @ np.abs(self.G.T)
            bound = (self.dim + 4) * 2.0**-52 * size + (4 * self.dim + 4) * 2.0**-1074
        holds = np.asarray(slack > bound)
        open_ = ~(holds | (slack < -bound))
        for b, i in np.argwhere(open_ | ~np.isfinite(slack) | ~np.isfinite(bound)):
            exact = Fraction(float(self.h[i])) - sum(
                Fraction(x) * Fraction(g) for x, g in zip(points[b].tolist(), self.G[i].tolist(), strict=True)
            )
            holds[b, i] = exact > 0 if strict else exact >= 0
        return np.asarray(holds.all(axis=1))
