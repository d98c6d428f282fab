"""The norms that a distance is measured in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from polyspline.errors import ArgumentError
from solvers.status import KeyedEnum

Floats = npt.NDArray[np.float64]


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
        """Norm of one vector, rounded.

        Parameters
        ----------
        residual : array_like, shape (D,)
        """
        return float(np.linalg.norm(np.asarray(residual, dtype=np.float64), self.order))

    def rows(self, residuals: npt.ArrayLike) -> Floats:
        """Norm of each row, rounded.

        Parameters
        ----------
        residuals : array_like, shape (B, D)

        Returns
        -------
        ndarray of float64, shape (B,)
        """
        rows = np.asarray(residuals, dtype=np.float64)
        return np.asarray(np.linalg.norm(rows, self.order, axis=1), dtype=np.float64)


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
