"""What every domain can do."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import exact_floats
from polyspline.errors import ShapeError
from solvers.float_mode import gradual_underflow

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


class Domain(ABC):
    """A closed, convex, full-dimensional set of latent points, ``{z : G z <= h}``.

    Domains are immutable; two are equal if they are of one kind and have the same numbers.

    Attributes
    ----------
    kind : str
        ``"box"``, ``"polytope"`` or ``"whole_space"``.
    bounded : bool
        Whether the domain is bounded.
    """

    kind: ClassVar[str]
    bounded: ClassVar[bool]

    @property
    @abstractmethod
    def dim(self) -> int:
        """Dimension of the space that the domain lies in."""

    @abstractmethod
    def rows(self) -> tuple[FloatArray, FloatArray]:
        """Half-spaces ``G z <= h`` of the domain, as given (not normalised).

        Returns
        -------
        G : ndarray of float64, shape (m, S)
        h : ndarray of float64, shape (m,)
        """

    @abstractmethod
    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper corner, each (S,), of a box that encloses the domain; never too small."""

    @abstractmethod
    def default_start(self) -> FloatArray:
        """Point (S,) of the domain from which a walk starts if nothing else is asked for."""

    @abstractmethod
    def interior_point(self) -> FloatArray:
        """Point (S,) strictly inside the domain.

        Raises
        ------
        DomainError
            If the domain is so thin that no float64 point is known to be inside.
        """

    @abstractmethod
    def exact_interior_point(self) -> tuple[Fraction, ...]:
        """Point strictly inside the domain as S rationals; there always is one, however thin it is."""

    @abstractmethod
    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Content of the domain as arrays, for `domain_from_arrays`."""

    @abstractmethod
    def _contains(self, points: FloatArray) -> BoolArray:
        """Exact closed membership of finite points, (B, S) -> (B,)."""

    @gradual_underflow()
    def contains(self, z: npt.ArrayLike) -> bool | BoolArray:
        """Whether points lie in the domain, its boundary included.

        Parameters
        ----------
        z : array_like, shape (S,) or (B, S)

        Returns
        -------
        bool, or ndarray of bool, shape (B,)
            False for points that are not finite.

        Raises
        ------
        ShapeError, InexactError
            If z has another shape, or float64 cannot hold it.

        Notes
        -----
        Guarantee: exact for the float64 numbers as given.
        """
        points = exact_floats(z, "z")
        if points.ndim not in (1, 2) or points.shape[-1] != self.dim:
            raise ShapeError(f"z: expected shape ({self.dim},) or (B, {self.dim}), got {points.shape}.")
        batch = points.reshape(-1, self.dim)
        inside: BoolArray = np.asarray(np.isfinite(batch).all(axis=1))
        inside[inside] = self._contains(batch[inside])
        return bool(inside[0]) if points.ndim == 1 else inside

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hexadecimal) over the kind and the numbers of the domain."""
        digest = hashlib.sha256(f"polyspline domain 1\n{self.kind}\n{self.dim}\n".encode())
        for part in self.rows():
            digest.update(np.array(part.shape, dtype="<i8").tobytes())
            digest.update(part.astype("<f8").tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        """Whether kind and numbers are the same."""
        return self.fingerprint == other.fingerprint if isinstance(other, Domain) else NotImplemented

    def __hash__(self) -> int:
        """Hash of the fingerprint."""
        return hash(self.fingerprint)
