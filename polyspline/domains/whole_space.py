"""The whole latent space R^S."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from polyspline.domains.base import BoolArray, Domain, FloatArray
from polyspline.errors import DomainError


@dataclass(frozen=True, eq=False, init=False)
class WholeSpace(Domain):
    """The whole space R^S; it has no rows.

    Parameters
    ----------
    dim : int
        Dimension S, at least 1.

    Raises
    ------
    DomainError
        If the dimension is not a positive integer.
    """

    size: int

    kind: ClassVar[str] = "whole_space"
    bounded: ClassVar[bool] = False

    def __init__(self, dim: int) -> None:
        if isinstance(dim, bool) or not isinstance(dim, int | np.integer) or dim < 1:
            raise DomainError(f"whole space: its dimension must be a positive integer, got {dim!r}.")
        object.__setattr__(self, "size", int(dim))

    @property
    def dim(self) -> int:
        """Dimension S."""
        return self.size

    def rows(self) -> tuple[FloatArray, FloatArray]:
        """No half-space: arrays of shape (0, S) and (0,)."""
        return np.zeros((0, self.dim)), np.zeros(0)

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Minus and plus infinity in every coordinate, each (S,)."""
        return np.full(self.dim, -np.inf), np.full(self.dim, np.inf)

    def default_start(self) -> FloatArray:
        """Return the origin (S,)."""
        return np.zeros(self.dim)

    def interior_point(self) -> FloatArray:
        """Return the origin (S,)."""
        return np.zeros(self.dim)

    def exact_interior_point(self) -> tuple[Fraction, ...]:
        """Return the origin, S rationals."""
        return (Fraction(0),) * self.dim

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Arrays ``kind``, ``dim``."""
        return {"kind": np.array(self.kind), "dim": np.array(self.dim)}

    def _contains(self, points: FloatArray) -> BoolArray:
        return np.ones(len(points), dtype=np.bool_)
