"""Vertices, rays and volume of a polyhedron given by integer rows, by exact double description.

The polyhedron {z : a . z + beta >= 0} is the slice t = 1 of the cone {(z, t) : a . z + beta t >= 0,
t >= 0}: an extreme ray of the cone is a vertex where t > 0 and a ray where t = 0. All of it is
done in integers, so that no vertex is lost, invented or taken for a ray, however thin the
polyhedron and however dependent its rows.

Guarantee: which vertices, rays and lines there are is exact; coordinates are rounded once.

References
----------
K. Fukuda and A. Prodon, Double description method revisited, 1996. J. Lawrence, Polytope volume
computation, 1991. B. Büeler, A. Enge and K. Fukuda, Exact volume computation for polytopes, 2000.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import islice
from operator import mul
from random import Random

import numpy as np
from numpy.typing import NDArray

from solvers.errors import EmptyPolyhedronError, SolverFailedError, SolverInputError
from solvers.rational import (
    IntegerMatrix,
    integer_matrix,
    inverse_with_denominator,
    nullspace,
    pivot_columns,
)

__all__ = ["VRepresentation", "v_representation"]

_Vector = tuple[int, ...]
_Generator = tuple[_Vector, int]  # an extreme ray of a cone; bit k is set where row k vanishes on it

_FAT = 2.0  # the simplex that volumes are measured by is within this factor of a largest one
_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class VRepresentation:
    """A polyhedron as the sum of the hull of points, the cone of rays and the span of lines.

    Attributes
    ----------
    dim
        Number of variables S.
    corners
        Homogeneous integers (x ..., t), t > 0, coprime, of each point x / t. They are the
        vertices unless there are lines; then they are those of the slice at right angles to the
        lines, and the polyhedron has no vertices.
    extreme
        Coprime integers of each extreme direction; at right angles to the lines, if there are any.
    lines
        Integers of each of a basis of the lines.
    rows
        The rows (a ..., beta) that it was made from.
    incidence
        For each of them a number whose bit i says whether corner i is on the row.
    """

    dim: int
    corners: tuple[_Vector, ...]
    extreme: tuple[_Vector, ...]
    lines: tuple[_Vector, ...]
    rows: tuple[_Vector, ...]
    incidence: tuple[int, ...]

    @property
    def bounded(self) -> bool:
        """Whether there are neither rays nor lines."""
        return not self.extreme and not self.lines

    @cached_property
    def vertices(self) -> NDArray[np.float64]:
        """Vertices (k, S) in lexicographic order, rounded; none if there is a line.

        Each is there once. Two that differ by less than floats resolve may be rounded to one place.

        Raises
        ------
        SolverFailedError
            If a coordinate is beyond the range of float64.
        """
        corners = () if self.lines else self.corners
        points = [[_quotient(entry, corner[-1]) for entry in corner[:-1]] for corner in corners]
        return _sorted(np.array(points, dtype=np.float64).reshape(len(points), self.dim))

    @cached_property
    def rays(self) -> NDArray[np.float64]:
        """Extreme directions (r, S) of unit length in lexicographic order, rounded; of a line, both."""
        back = [tuple(-entry for entry in line) for line in self.lines]
        directions = [_unit_direction(ray) for ray in (*self.extreme, *self.lines, *back)]
        return _sorted(np.array(directions, dtype=np.float64).reshape(len(directions), self.dim))

    @cached_property
    def volume(self) -> float:
        """Volume (S-dimensional), rounded; infinite if unbounded.

        Raises
        ------
        SolverFailedError
            If the volume is finite and beyond the range of float64.

        Notes
        -----
        Algorithm: where every vertex is on S facets, Lawrence's sum over the vertices, with as many
        digits as its cancellation takes; the cost is that of a matrix inverse each. Elsewhere a
        triangulation, which grows with the number of simplices (up to S factorial for a cube).
        """
        if not self.bounded:
            return math.inf
        everyone = (1 << len(self.corners)) - 1
        facets = _facets(everyone, self.dim, self.incidence)
        sides = [self.rows[self.incidence.index(facet)][:-1] for facet in facets]
        tight = [
            [side for side, facet in zip(sides, facets, strict=True) if facet >> i & 1]
            for i in range(len(self.corners))
        ]
        if all(len(beside) == self.dim for beside in tight):
            return _volume_of_simple(self.corners, tight)
        return _volume_of_triangulated(self.corners, everyone, facets)


def v_representation(rows: Sequence[Sequence[int]], dim: int) -> VRepresentation:
    """Vertices, rays and lines of the full-dimensional polyhedron of integer rows.

    Parameters
    ----------
    rows
        Integers (a ..., beta), each of length ``dim + 1``, which say ``a . z + beta >= 0``;
        redundant and repeated ones do no harm.
    dim
        Number of variables, at least 1.

    Raises
    ------
    SolverInputError
        If a row has another length.
    EmptyPolyhedronError
        If the polyhedron has no interior.

    Notes
    -----
    Guarantee: exact. Cost: at most the cube of the number of vertices, in practice its square.
    """
    if dim < 1 or any(len(row) != dim + 1 for row in rows):
        raise SolverInputError(
            f"v_representation got dim {dim} and rows of lengths {sorted({len(row) for row in rows})}; "
            "expected dim >= 1 and rows (a ..., beta) of length dim + 1."
        )
    table = [(0,) * dim + (1,), *(tuple(int(entry) for entry in row) for row in rows)]
    matrix = integer_matrix(table, dim + 1)
    chosen = pivot_columns(matrix.transpose())
    lines = nullspace(matrix) if len(chosen) <= dim else []
    if lines:
        # In the span of the rows, at right angles to the lines, the cone is pointed.
        span = integer_matrix([table[k] for k in chosen], dim + 1)
        across = _extreme_rays(_table(matrix * span.transpose()), chosen)
        turned = _table(integer_matrix([vector for vector, _ in across], len(chosen)) * span)
        found = [(_primitive(vector), on) for vector, (_, on) in zip(turned, across, strict=True)]
    else:
        found = _extreme_rays(table, chosen)
    corners = [generator for generator in found if generator[0][-1] > 0]
    if not corners or any(
        any(table[k]) and _where(found, k) + 1 == 1 << len(found) for k in range(len(table))
    ):
        raise EmptyPolyhedronError(
            f"v_representation got {len(rows)} rows in {dim} dimensions that leave no interior; expected a "
            "full-dimensional polyhedron."
        )
    return VRepresentation(
        dim,
        tuple(vector for vector, _ in corners),
        tuple(vector[:-1] for vector, _ in found if vector[-1] == 0),
        tuple(_primitive(line[:-1]) for line in lines),
        tuple(table[1:]),
        tuple(_where(corners, k) for k in range(1, len(table))),
    )


def _where(generators: Sequence[_Generator], row: int) -> int:
    """Bits of the generators on which a row vanishes."""
    return sum(1 << i for i, (_, on) in enumerate(generators) if on >> row & 1)


def _extreme_rays(rows: Sequence[_Vector], chosen: Sequence[int]) -> list[_Generator]:
    """Extreme rays of the pointed cone ``{x : rows x >= 0}``; `chosen` are n independent rows.

    Double description: the cone of the chosen rows is cut by the others, one after the other; a
    cut makes a new ray of each two adjacent ones that it separates, which are adjacent if and
    only if no third one is on all the rows that both are on.
    """
    width = len(chosen)
    inverse = inverse_with_denominator(integer_matrix([rows[k] for k in chosen], width))
    assert inverse is not None  # they are independent
    start = sum(1 << k for k in chosen)
    rays = [
        (_primitive(column), start ^ 1 << k)
        for k, column in zip(chosen, _table(inverse[0].transpose()), strict=True)
    ]
    for k in sorted(set(range(len(rows))) - set(chosen)):
        bit = 1 << k
        inside: list[tuple[_Vector, int, int]] = []
        outside: list[tuple[_Vector, int, int]] = []
        kept: list[_Generator] = []
        for vector, on in rays:
            value = sum(map(mul, rows[k], vector))
            if value == 0:
                kept.append((vector, on | bit))
            else:
                (inside if value > 0 else outside).append((vector, on, value))
        kept += [(vector, on) for vector, on, _ in inside]
        everyone = [on for _, on in rays]
        for vector, on, value in inside:
            for other, beside, below in outside:
                common = on & beside
                if common.bit_count() >= width - 2 and _are_adjacent(common, everyone):
                    ray = [value * b - below * a for a, b in zip(vector, other, strict=True)]
                    kept.append((_primitive(ray), common | bit))
        rays = kept
    return rays


def _are_adjacent(common: int, everyone: Sequence[int]) -> bool:
    """Whether only two rays are on all the rows that two rays have in common."""
    count = 0
    for on in everyone:
        if common & on == common:
            count += 1
            if count > 2:
                return False
    return True


def _volume_of_simple(corners: Sequence[_Vector], tight: Sequence[Sequence[_Vector]]) -> float:
    """Volume of a polytope each of whose corners is on as many rows as there are dimensions."""
    terms: list[tuple[int, int]] = []
    random = Random(0)
    while len(terms) < len(corners):
        # A linear function that is constant on no edge; a generic one is not.
        function = [random.getrandbits(20) - (1 << 19) for _ in tight[0]]
        terms = []
        for corner, normals in zip(corners, tight, strict=True):
            term = _lawrence_term(function, corner, normals)
            if term is None:
                break
            terms.append(term)
    places = 256
    while True:
        total = sum((above << places) // below for above, below in terms)
        if total >> 60 > len(terms):  # each term is short by less than 1
            return _quotient(total, math.factorial(len(tight[0])) << places)
        places *= 2


def _lawrence_term(
    function: Sequence[int], corner: _Vector, normals: Sequence[_Vector]
) -> tuple[int, int] | None:
    """Numerator and denominator of a corner's term, but for the factorial; None where it has none."""
    width = len(normals)
    matrix = integer_matrix(normals, width)
    inverse = inverse_with_denominator(matrix)
    assert inverse is not None  # the rows of a corner are independent
    numerators, denominator = inverse
    shares = (integer_matrix([function], width) * numerators).entries()
    below = math.prod(-int(share) for share in shares) * abs(int(matrix.det())) * corner[-1] ** width
    above = (sum(map(mul, function, corner)) * denominator) ** width
    if below == 0:
        return None
    return (above, below) if below > 0 else (-above, -below)


def _volume_of_triangulated(corners: Sequence[_Vector], everyone: int, facets: Sequence[int]) -> float:
    """Volume of any polytope, summed over the simplices of a triangulation."""
    dim = len(corners[0]) - 1
    places, size = _round_coordinates(corners)
    total = 0.0
    simplices = _simplices(everyone, dim, facets, {})
    while chunk := list(islice(simplices, _CHUNK)):
        ends = places[np.array(chunk)]
        total += float(np.abs(np.linalg.det(ends[:, 1:] - ends[:, :1])).sum())
    value = Fraction(total) * size / math.factorial(dim)
    return _quotient(value.numerator, value.denominator)


def _round_coordinates(corners: Sequence[_Vector]) -> tuple[NDArray[np.float64], Fraction]:
    """Corners of a polytope in coordinates of size one, and how much larger volumes are in space.

    The coordinates are barycentric with respect to a simplex of corners that is as large as any
    with one other corner, up to a factor: none is larger than the factor, none is cancelled away.
    """
    width = len(corners[0])
    matrix = integer_matrix(corners, width)
    basis = pivot_columns(matrix.transpose())
    while True:
        frame = integer_matrix([corners[i] for i in basis], width)
        inverse = inverse_with_denominator(frame)
        assert inverse is not None  # they are affinely independent
        numerators, denominator = inverse
        places = np.array(
            [
                [
                    entry * corners[j][-1] / (denominator * corner[-1])
                    for entry, j in zip(row, basis, strict=True)
                ]
                for row, corner in zip(_table(matrix * numerators), corners, strict=True)
            ]
        )
        sizes = np.abs(places)
        i, j = divmod(int(sizes.argmax()), width)
        if sizes[i, j] <= _FAT:
            break
        basis[j] = i
    size = Fraction(abs(int(frame.det())), math.prod(corners[j][-1] for j in basis))
    return places[:, 1:], size


def _simplices(
    face: int, dim: int, rows: Sequence[int], known: dict[int, list[int]]
) -> Iterator[tuple[int, ...]]:
    """Triangulate a face by pulling: join its lowest corner to the simplices of the facets without it.

    Parameters
    ----------
    face
        Bits of the corners of the face.
    dim
        Its dimension.
    rows
        Bits of the corners of faces whose intersections with the face include all its facets.
    known
        Facets of the faces so far.
    """
    if face.bit_count() == dim + 1:
        yield tuple(i for i in range(face.bit_length()) if face >> i & 1)
        return
    facets = known.get(face)
    if facets is None:
        facets = known[face] = _facets(face, dim, rows)
    apex = face & -face
    for facet in facets:
        if not facet & apex:
            for simplex in _simplices(facet, dim - 1, facets, known):
                yield (apex.bit_length() - 1, *simplex)


def _facets(face: int, dim: int, rows: Sequence[int]) -> list[int]:
    """Return the largest of the proper parts of a face that rows cut out."""
    parts = {face & row for row in rows} - {face}
    facets: list[int] = []
    for part in sorted(parts, key=lambda bits: (-bits.bit_count(), bits)):
        if part.bit_count() >= dim and not any(part & facet == part for facet in facets):
            facets.append(part)
    return facets


def _table(matrix: IntegerMatrix) -> list[_Vector]:
    return [tuple(int(entry) for entry in row) for row in matrix.table()]


def _primitive(vector: Sequence[int]) -> _Vector:
    """Coprime integers in the same direction."""
    divisor = math.gcd(*vector)
    return tuple(entry // divisor for entry in vector) if divisor > 1 else tuple(vector)


def _quotient(numerator: int, denominator: int) -> float:
    """Round a quotient once."""
    try:
        return numerator / denominator
    except OverflowError:
        raise SolverFailedError(
            "a polyhedron has a vertex or a volume beyond the range of float64 (1.8e308); "
            "scale its rows, or bound it by a smaller domain."
        ) from None


def _unit_direction(direction: Sequence[int]) -> list[float]:
    # Integers of any size: first to floats of ordinary size, by one power of two.
    unit = 1 << max(entry.bit_length() for entry in direction)
    scaled = [entry / unit for entry in direction]
    length = math.hypot(*scaled)
    return [entry / length for entry in scaled]


def _sorted(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return rows[np.lexsort(rows.T[::-1])] + 0.0 if len(rows) else rows  # + 0.0: no negative zeros
