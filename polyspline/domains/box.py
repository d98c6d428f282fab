"""Boxes: a lower and an upper bound for each coordinate."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import exact_floats
from polyspline.domains.base import BoolArray, Domain, FloatArray
from polyspline.errors import DomainError
from solvers.float_mode import gradual_underflow


def _corner(values: npt.ArrayLike, what: str) -> FloatArray:
    try:
        corner = exact_floats(values, f"box: {what}", error=DomainError)
    except DomainError:
        raise
    except (ValueError, TypeError) as wrong:
        raise DomainError(f"box: {what} must be a real number or one for each coordinate.") from wrong
    if corner.ndim > 1:
        raise DomainError(
            f"box: {what} must be a real number or one for each coordinate, got shape {corner.shape}."
        )
    if not np.isfinite(corner).all():
        raise DomainError(
            f"box: {what} must be finite, got {corner.tolist()}; use WholeSpace for no "
            "bounds, or Polytope for some."
        )
    return corner


@dataclass(frozen=True, eq=False, init=False)
class Box(Domain):
    """The box ``lo <= z <= hi``.

    Parameters
    ----------
    lo, hi : float or array_like, shape (S,)
        Finite, each ``lo`` below its ``hi``.
    dim : int, optional
        Dimension S; needed where both bounds are single numbers, which then hold for all coordinates.

    Raises
    ------
    DomainError
        If the bounds are not finite, a ``lo`` is not below its ``hi``, or the lengths do not fit.

    Examples
    --------
    >>> Box(-1, 1, dim=2).default_start()
    array([0., 0.])
    """

    lo: FloatArray
    hi: FloatArray

    kind: ClassVar[str] = "box"
    bounded: ClassVar[bool] = True

    @gradual_underflow()
    def __init__(self, lo: npt.ArrayLike, hi: npt.ArrayLike, dim: int | None = None) -> None:
        corners = [_corner(lo, "lo"), _corner(hi, "hi")]
        sizes = {len(corner) for corner in corners if corner.ndim} | (set() if dim is None else {int(dim)})
        if not sizes:
            raise DomainError(
                "box: lo and hi are single numbers, so its dimension is needed too, e.g. Box(-1, 1, dim=2)."
            )
        if len(sizes) > 1 or min(sizes) < 1:
            raise DomainError(
                f"box: lo, hi and dim must agree on one dimension of at least 1, got {sorted(sizes)}."
            )
        for name, corner in zip(("lo", "hi"), corners, strict=True):
            full = np.ascontiguousarray(np.broadcast_to(corner, (next(iter(sizes)),))) + 0.0
            full.setflags(write=False)
            object.__setattr__(self, name, full)
        if not (self.lo < self.hi).all():
            i = int(np.flatnonzero(~(self.lo < self.hi))[0])
            raise DomainError(f"box: lo must be below hi in every coordinate, got {self._side(i)}.")

    def _side(self, i: int) -> str:
        """Bounds of a coordinate, to the last bit."""
        return f"lo {float(self.lo[i])!r} and hi {float(self.hi[i])!r} in coordinate {i}"

    @property
    def dim(self) -> int:
        """Dimension S."""
        return len(self.lo)

    def rows(self) -> tuple[FloatArray, FloatArray]:
        """Half-spaces ``G z <= h``: rows 0 to S-1 are ``-z_i <= -lo_i``, rows S to 2S-1 ``z_i <= hi_i``.

        Returns
        -------
        G : ndarray of float64, shape (2 S, S)
        h : ndarray of float64, shape (2 S,)
        """
        eye = np.eye(self.dim)
        return np.concatenate([0.0 - eye, eye]), np.concatenate([0.0 - self.lo, self.hi])

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper corner, each (S,)."""
        return self.lo, self.hi

    @gradual_underflow()
    def default_start(self) -> FloatArray:
        """Centre of the box (S,), rounded, never outside."""
        return np.clip(self.lo / 2 + self.hi / 2, self.lo, self.hi)

    @gradual_underflow()
    def interior_point(self) -> FloatArray:
        """Centre of the box (S,), strictly inside.

        Raises
        ------
        DomainError
            If two bounds have no float64 between them; see `exact_interior_point`.
        """
        centre = self.default_start()
        # Halving is not exact for subnormal bounds: step inside where the centre hits a bound.
        centre = np.where(centre <= self.lo, np.nextafter(self.lo, self.hi), centre)
        centre = np.where(centre >= self.hi, np.nextafter(self.hi, self.lo), centre)
        if not ((self.lo < centre) & (centre < self.hi)).all():
            i = int(np.flatnonzero(~((self.lo < centre) & (centre < self.hi)))[0])
            raise DomainError(
                f"box: it is too thin for a float64 point strictly inside, got {self._side(i)}; "
                "exact_interior_point gives a rational one."
            )
        return centre

    def exact_interior_point(self) -> tuple[Fraction, ...]:
        """Centre of the box, S rationals."""
        corners = zip(self.lo.tolist(), self.hi.tolist(), strict=True)
        return tuple((Fraction(low) + Fraction(high)) / 2 for low, high in corners)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays ``kind``, ``lo``, ``hi``."""
        return {"kind": np.array(self.kind), "lo": self.lo, "hi": self.hi}

    def _contains(self, points: FloatArray) -> BoolArray:
        return np.asarray(((self.lo <= points) & (points <= self.hi)).all(axis=1))
