"""Polyhedral complexes: faces of every dimension, which of them bound which, and their topology.

References
----------
J. E. Grigsby and K. Lindsey, On transversality of bent hyperplane arrangements and the topological
expressiveness of ReLU neural networks, 2022 (the canonical polyhedral complex). M. Masden,
Algorithmic determination of the combinatorial structure of the linear regions of ReLU neural
networks, 2022 (faces named by sign vectors).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyspline.errors import ArgumentError, ShapeError
from solvers.float_mode import gradual_underflow

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Face = tuple[int, ...]


@dataclass(frozen=True, eq=False, repr=False)
class PolyhedralComplex:
    """Polytopes of every dimension that meet in common faces.

    Attributes
    ----------
    vertices
        (V, S), rounded; no two are the same point.
    faces
        For each dimension d the faces, each as the ascending indices of its vertices. The regions
        come in the order of their partition, else of their codes; the faces of a lower dimension in
        lexicographic order.
    signs
        For each dimension the sign vectors, (F, C + m) int8. The first C columns are those of the
        units, one after the other. A scalar unit has a column for each of its knots: 1 where the
        face is above the knot, -1 where it is below, 0 where it lies on it. A max group has one for
        each member: 0 where the member attains the maximum all over the face, else -1. Behind
        them are the m rows of the domain: 0 where the face lies on the row's boundary, else 1.
        They name the faces: no two are the same.
    units
        (C + m,) unit that each column is of, -1 for the rows of the domain.

    Notes
    -----
    Where two members of a max group are equal below the maximum there is no face. Any two faces
    meet in a common face of theirs, or not at all; so a facet between two regions is one face of
    dimension S - 1, never a union of several, and there are as many of these as adjacencies.
    """

    vertices: NDArray[np.float64]
    faces: tuple[tuple[Face, ...], ...]
    signs: tuple[NDArray[np.int8], ...]
    units: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Freeze the arrays."""
        self.vertices.setflags(write=False)
        self.units.setflags(write=False)
        for signs in self.signs:
            signs.setflags(write=False)

    @property
    def f_vector(self) -> tuple[int, ...]:
        """Number of faces of each dimension, vertices first."""
        return tuple(len(faces) for faces in self.faces)

    @property
    def euler_characteristic(self) -> int:
        """Alternating sum of the f-vector: 1 for the regions of a convex domain."""
        return sum((-1) ** d * count for d, count in enumerate(self.f_vector))

    @cached_property
    def _facets(self) -> tuple[list[list[int]], ...]:
        """For each dimension the facets of each of its faces, ascending; none of the vertices."""
        nothing: list[list[int]] = [[] for _ in self.vertices]
        return (nothing, *map(_incidences, self.faces, self.faces[1:]))

    def boundary(self, dimension: int) -> csr_array[np.int8, tuple[int, int]]:
        """Boundary matrix over the field of two elements.

        Parameters
        ----------
        dimension
            d, from 1 to the complex's.

        Returns
        -------
        scipy.sparse.csr_array of int8
            (faces of dimension d - 1, faces of dimension d), 1 where the one is a facet of the other.

        Raises
        ------
        ArgumentError
            If there are no faces of that dimension.
        """
        if not 1 <= dimension < len(self.faces):
            raise ArgumentError(
                f"boundary: got dimension {dimension}; expected 1 to {len(self.faces) - 1}, the complex's."
            )
        from scipy.sparse import csr_array

        columns = self._facets[dimension]
        rows = np.array([row for column in columns for row in column], np.int64)
        owners = np.repeat(np.arange(len(columns)), [len(column) for column in columns])
        shape = (len(self.faces[dimension - 1]), len(columns))
        return csr_array((np.ones(len(rows), np.int8), (rows, owners)), shape=shape)

    @cached_property
    def betti_numbers(self) -> tuple[int, ...]:
        """Betti numbers over the field of two elements: components, loops, voids, ...

        Notes
        -----
        Guarantee: exact. Algorithm: elimination of the boundary matrices' columns, up to the cube of
        the number of faces; for small complexes.
        """
        ranks = [0, *(_rank_mod_2(columns) for columns in self._facets[1:]), 0]
        return tuple(count - ranks[d] - ranks[d + 1] for d, count in enumerate(self.f_vector))

    def subcomplex(self, chosen: Sequence[ArrayLike]) -> PolyhedralComplex:
        """Keep some of the faces, with all faces of theirs.

        Parameters
        ----------
        chosen
            For each dimension, which faces, (F,) bool.

        Raises
        ------
        ShapeError
            If they are not one truth value for each face.
        """
        kept = [np.array(which, np.bool_) for which in chosen]
        if [which.shape for which in kept] != [(count,) for count in self.f_vector]:
            raise ShapeError(
                f"subcomplex: got choices of shapes {[which.shape for which in kept]}; expected one truth "
                f"value for each face, of each dimension: {[(count,) for count in self.f_vector]}."
            )
        for dimension in range(len(kept) - 1, 0, -1):
            for face in np.flatnonzero(kept[dimension]):
                kept[dimension - 1][self._facets[dimension][face]] = True
        places = [np.flatnonzero(which) for which in kept if which.any()]
        number = {int(vertex): i for i, vertex in enumerate(places[0])} if places else {}
        faces = tuple(
            tuple(tuple(number[v] for v in self.faces[d][i]) for i in which.tolist())
            for d, which in enumerate(places)
        )
        signs = tuple(self.signs[d][which] for d, which in enumerate(places))
        return PolyhedralComplex(self.vertices[list(number)], faces, signs, self.units)

    @gradual_underflow()
    def where_zero(self, column: int) -> PolyhedralComplex:
        """Keep the part on a knot, or where a member is the maximum, or on a row of the domain.

        Parameters
        ----------
        column
            Of `signs`; negative ones count from the end.

        Raises
        ------
        ArgumentError
            If there is no such column.
        """
        count = len(self.units)
        if not -count <= column < count:
            raise ArgumentError(f"where_zero: got column {column}; the sign vectors have {count} columns.")
        return self.subcomplex([signs[:, column] == 0 for signs in self.signs])

    def __repr__(self) -> str:
        """Show the f-vector."""
        return f"PolyhedralComplex(f_vector={self.f_vector})"


def _incidences(lower: Sequence[Face], upper: Sequence[Face]) -> list[list[int]]:
    """Which faces of one dimension are facets of each of the next one, ascending."""
    by_vertex: dict[int, list[int]] = {}
    for index, face in enumerate(lower):
        by_vertex.setdefault(face[0], []).append(index)
    corners = [frozenset(face) for face in lower]
    found = []
    for face in upper:
        here = frozenset(face)
        beside = (index for vertex in face for index in by_vertex.get(vertex, ()))
        found.append(sorted(index for index in beside if corners[index] <= here))
    return found


def _rank_mod_2(columns: Sequence[Sequence[int]]) -> int:
    """Rank of a matrix over the field of two elements, given the rows of the ones in each column."""
    pivots: dict[int, int] = {}
    for column in columns:
        bits = sum(1 << row for row in column)
        while bits:
            lead = bits.bit_length() - 1
            if lead not in pivots:
                pivots[lead] = bits
                break
            bits ^= pivots[lead]
    return len(pivots)
