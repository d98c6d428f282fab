"""The norms that a distance is measured in."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from polyspline.errors import ArgumentError
from solvers.status import KeyedEnum

Floats = npt.NDArray[np.float64]

_SMALL_SQUARE, _LARGE_SQUARE = 2.0**-800, 2.0**800
"""Sums of squares between which neither underflow nor overflow counts."""


class Norm(KeyedEnum):
    """A norm on the ambient space; the value is the sentence to show."""

    L2 = "the Euclidean norm, the square root of the sum of squares"
    L1 = "the sum of absolute values"
    LINF = "the largest absolute value"

    @property
    def order(self) -> float:
        """Order of the norm, as numpy counts: 2, 1 or infinity."""
        return {Norm.L2: 2.0, Norm.L1: 1.0, Norm.LINF: np.inf}[self]

    @property
    def dual(self) -> Norm:
        """The norm of the multipliers: ``y . r <= ‖y‖_dual ‖r‖``."""
        return {Norm.L2: Norm.L2, Norm.L1: Norm.LINF, Norm.LINF: Norm.L1}[self]

    @property
    def solver(self) -> str:
        """Program that proposes the multipliers of relaxations, see `solvers.qp.bounding`."""
        return {Norm.L2: "daqp", Norm.L1: "simplex", Norm.LINF: "daqp"}[self]

    def of(self, residual: npt.ArrayLike) -> float:
        """Norm of one vector, rounded; neither too small nor too large entries are lost on the way.

        Parameters
        ----------
        residual : array_like, shape (D,)

        Notes
        -----
        Guarantee: relative to the norm, off by less than (D + 4) u; zero only if every entry is. The sum
        of squares is taken as it is where it is far from underflow and overflow, else of the entries over
        a power of two.
        """
        row = np.asarray(residual, dtype=np.float64)
        if self is not Norm.L2:
            return float(np.linalg.norm(row, self.order))
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            square = float(np.dot(row, row))
        if _SMALL_SQUARE < square < _LARGE_SQUARE:
            return math.sqrt(square)
        return float(self.rows(row[None])[0])

    def rows(self, residuals: npt.ArrayLike) -> Floats:
        """Norm of each row, rounded as in `of`.

        Parameters
        ----------
        residuals : array_like, shape (B, D)

        Returns
        -------
        ndarray of float64, shape (B,)
        """
        rows = np.asarray(residuals, dtype=np.float64)
        if self is not Norm.L2:
            return np.asarray(np.linalg.norm(rows, self.order, axis=1), dtype=np.float64)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            largest = np.max(np.abs(rows), axis=1, initial=0.0)
            usable = np.isfinite(largest) & (largest > 0.0)
            # Subnormal numbers have no reciprocal: the exponent is kept within bounds.
            exponent = np.where(usable, np.clip(np.frexp(largest)[1], -1000, 1000), 0)
            scaled = np.ldexp(rows, -exponent[:, None])
            lengths = np.ldexp(np.sqrt(np.einsum("ij,ij->i", scaled, scaled)), exponent)
        return np.asarray(np.where(usable, lengths, largest), dtype=np.float64)


def norm_of(name: str | Norm) -> Norm:
    """Norm of a name, ``"l2"``, ``"l1"`` or ``"linf"``.

    Raises
    ------
    ArgumentError
        If there is no such norm.
    """
    if isinstance(name, Norm):
        return name
    for norm in Norm:
        if norm.key == name:
            return norm
    names = ", ".join(norm.key for norm in Norm)
    raise ArgumentError(f"norm {name!r} is not known; choose one of {names}.")
