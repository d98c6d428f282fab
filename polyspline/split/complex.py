"""The polyhedral complex of a network: its regions with all their faces, and the topology of parts of it.

References
----------
J. E. Grigsby and K. Lindsey, On transversality of bent hyperplane arrangements and the topological
expressiveness of ReLU neural networks, 2022 (the canonical polyhedral complex). M. Masden,
Algorithmic determination of the combinatorial structure of the linear regions of ReLU neural
networks, 2022 (faces named by sign vectors).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyspline.cpa.exact import ExactNetwork
from polyspline.cpa.knots import Knots, knots_of
from polyspline.cpa.layers import make_layer
from polyspline.cpa.matrices import as_float_array
from polyspline.domains import Domain, check_dimension
from polyspline.errors import ArgumentError, ShapeError
from polyspline.network import Network
from polyspline.split.cells import Point, RegionCell, region_cells
from polyspline.split.problem import make_problem
from solvers.rational import rank

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Face = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class PolyhedralComplex:
    """Polytopes of every dimension that meet in common faces.

    Attributes
    ----------
    vertices
        (V, S), rounded; no two are the same point.
    faces
        For each dimension d the faces, each as the ascending indices of its vertices; those of one
        dimension in lexicographic order.
    signs
        For each dimension the sign vectors, (F, K + m) int8: 1 where the face is above knot k, -1
        where it is below, 0 where it lies on it; and behind the K knots the m rows of the domain, 0
        where the face lies on the row's boundary, else 1. They name the faces: no two are the same.
    """

    vertices: NDArray[np.float64]
    faces: tuple[tuple[Face, ...], ...]
    signs: tuple[NDArray[np.int8], ...]

    @property
    def f_vector(self) -> tuple[int, ...]:
        """Number of faces of each dimension, vertices first."""
        return tuple(len(faces) for faces in self.faces)

    @property
    def euler_characteristic(self) -> int:
        """Alternating sum of the f-vector: 1 for the regions of a convex domain."""
        return sum((-1) ** d * count for d, count in enumerate(self.f_vector))

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

        columns = self._columns(dimension)
        rows = np.array([row for column in columns for row in column], np.int64)
        owners = np.repeat(np.arange(len(columns)), [len(column) for column in columns])
        shape = (len(self.faces[dimension - 1]), len(columns))
        return csr_array((np.ones(len(rows), np.int8), (rows, owners)), shape=shape)

    def _columns(self, dimension: int) -> list[list[int]]:
        """Facets of each face of a dimension, ascending."""
        by_vertex: dict[int, list[int]] = {}
        for index, face in enumerate(self.faces[dimension - 1]):
            by_vertex.setdefault(face[0], []).append(index)
        lower = [set(face) for face in self.faces[dimension - 1]]
        columns = []
        for face in self.faces[dimension]:
            here = set(face)
            beside = (index for vertex in face for index in by_vertex.get(vertex, ()))
            columns.append(sorted(index for index in beside if lower[index] <= here))
        return columns

    @cached_property
    def betti_numbers(self) -> tuple[int, ...]:
        """Betti numbers over the field of two elements: components, loops, voids, ...

        Notes
        -----
        Guarantee: exact. Algorithm: elimination of the boundary matrices' columns, up to the cube of
        the number of faces; for small complexes.
        """
        ranks = [0, *(_rank_mod_2(self._columns(d)) for d in range(1, len(self.faces))), 0]
        return tuple(count - ranks[d] - ranks[d + 1] for d, count in enumerate(self.f_vector))

    def on_knot(self, knot: int) -> PolyhedralComplex:
        """Return the part that lies on a knot.

        Parameters
        ----------
        knot
            Its number, a column of `signs`.
        """
        chosen = [np.flatnonzero(signs[:, knot] == 0) for signs in self.signs]
        top = max((d for d, rows in enumerate(chosen) if len(rows)), default=-1)
        used = chosen[0] if len(chosen) else np.empty(0, np.int64)
        place = {int(vertex): i for i, vertex in enumerate(used)}
        faces = [
            tuple(tuple(place[v] for v in self.faces[d][row]) for row in rows.tolist())
            for d, rows in enumerate(chosen[: top + 1])
        ]
        signs = tuple(self.signs[d][rows] for d, rows in enumerate(chosen[: top + 1]))
        return PolyhedralComplex(self.vertices[used], tuple(faces), signs)


def complex(net: Network, domain: Domain) -> PolyhedralComplex:
    """Regions of a network over a bounded domain, with all their faces.

    Parameters
    ----------
    net, domain
        S inputs, scalar units; a Box or Polytope of dimension S.

    Returns
    -------
    PolyhedralComplex
        Of dimension S.

    Raises
    ------
    DomainError
        If the domain is not bounded, or of another dimension.
    ArgumentError
        If the network has max groups.

    Notes
    -----
    Guarantee: which faces there are, their signs and their vertices are exact; the vertices'
    coordinates are rounded once.

    Algorithm: the faces of a region are the intersections of its facets; two regions' faces are one
    if they have the same vertices, in rationals. Some milliseconds per region, for small cases.
    """
    check_dimension(domain, net)
    if any(layer.has_groups for layer in net.layers):
        raise ArgumentError(
            "complex: the network has max groups, whose members have no signs on all regions; expected "
            "scalar units only."
        )
    numbers: dict[Point, int] = {}
    signs: list[list[int]] = []
    faces: list[set[Face]] = [set() for _ in range(net.latent_dim + 1)]
    measure = _Measure(ExactNetwork(net.layers), knots_of(net.layers), _exact_rows(*domain.rows()))
    for cell in region_cells(make_problem(net, domain)):
        fresh = [vertex for vertex in cell.vertices if vertex not in numbers]
        if fresh:
            signs.extend(measure.signs_at(cell.code, fresh))
            numbers.update({vertex: len(numbers) + i for i, vertex in enumerate(fresh)})
        mine = [numbers[vertex] for vertex in cell.vertices]
        for face, dimension in _faces(cell):
            faces[dimension].add(tuple(sorted(mine[i] for i in face)))
    vertices = np.array([[float(z) for z in vertex] for vertex in numbers]).reshape(-1, net.latent_dim)
    ordered = tuple(tuple(sorted(group)) for group in faces)
    table = np.array(signs, np.int8)
    return PolyhedralComplex(vertices, ordered, tuple(_face_signs(table, group) for group in ordered))


def level_set_complex(
    net: Network, domain: Domain, direction: ArrayLike, level: float = 0.0
) -> PolyhedralComplex:
    """Part of a bounded domain where a combination of a network's outputs has a given value.

    Parameters
    ----------
    net, domain
        S inputs, D outputs, scalar units; a Box or Polytope of dimension S.
    direction
        (D,) the combination; ``e_i - e_j`` and level 0 for the decision boundary of two classes.
    level
        The value.

    Returns
    -------
    PolyhedralComplex
        Of dimension S - 1, or S where the combination is constant on a region; empty if the value
        is not taken. Its `betti_numbers` are those of the level set.

    Raises
    ------
    ShapeError, DomainError, ArgumentError
        If an argument does not fit the network.
    """
    row = as_float_array(direction, "direction", 1)
    if len(row) != net.ambient_dim:
        raise ShapeError(
            f"direction has {len(row)} entries; expected {net.ambient_dim}, one for each output."
        )
    head = make_layer(row[None, :], [-float(level)], "relu")
    layers = (*net.layers, head)
    return complex(Network(layers), domain).on_knot(len(knots_of(layers).unit) - 1)


def _faces(cell: RegionCell) -> Iterable[tuple[list[int], int]]:
    """Faces of a polytope, itself included: the places of their vertices, and their dimensions."""
    everyone = (1 << len(cell.vertices)) - 1
    found = {everyone}
    edge = [everyone]
    while edge:
        edge = list({face & facet for face in edge for facet in cell.facets} - found - {0})
        found.update(edge)
    for face in found:
        places = [i for i in range(len(cell.vertices)) if face >> i & 1]
        yield places, rank([[*cell.vertices[i], 1] for i in places]) - 1


@dataclass(frozen=True, eq=False)
class _Measure:
    """Tells on which side of every knot and of the domain's rows a point is, exactly."""

    exact: ExactNetwork
    knots: Knots
    domain_rows: list[list[Fraction]]

    def signs_at(self, code: NDArray[np.int64], points: Sequence[Point]) -> list[list[int]]:
        """Signs (K + m,) at points of the closed region of a code."""
        rows: list[list[Fraction]] = []
        for values in self.exact.forward(code):
            rows.extend(values.to_fractions())
        functions = []
        for upper, position in zip(self.knots.upper.tolist(), self.knots.position.tolist(), strict=True):
            functions.append([*rows[upper][:-1], rows[upper][-1] - Fraction(position)])
        functions.extend(self.domain_rows)
        return [[_sign(function, point) for function in functions] for point in points]


def _sign(function: Sequence[Fraction], point: Point) -> int:
    value = sum((a * x for a, x in zip(function[:-1], point, strict=True)), function[-1])
    return (value > 0) - (value < 0)


def _exact_rows(normals: NDArray[np.float64], sides: NDArray[np.float64]) -> list[list[Fraction]]:
    """Rows of a domain ``G z <= h``, ``>= 0`` inside."""
    table = np.hstack([-normals, sides[:, None]]).tolist()
    return [[Fraction(entry) for entry in row] for row in table]


def _face_signs(table: NDArray[np.int8], faces: Sequence[Face]) -> NDArray[np.int8]:
    """Signs of faces from those of their vertices, none of which are on opposite sides."""
    found = np.zeros((len(faces), table.shape[1]), np.int8)
    for i, face in enumerate(faces):
        found[i] = np.sign(table[list(face)].sum(axis=0, dtype=np.int64))
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
