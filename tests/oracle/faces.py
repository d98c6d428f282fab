"""Faces of every dimension of the oracle's cells, and their names."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tests.oracle.cells import Cell
from tests.oracle.forms import IntegerLayer, exact_sides
from tests.oracle.integers import Vector, rank

Face = frozenset[Vector]


def faces_of_cells(cells: Sequence[Cell]) -> list[set[Face]]:
    """Faces of all cells by dimension, each as its vertices; those that cells have in common once."""
    found: list[set[Face]] = [set() for _ in range(cells[0].dimension + 1)]
    for cell in cells:
        whole = frozenset(cell.vertices)
        on_row = [
            frozenset(vertex for vertex, mask in zip(cell.vertices, cell.tight, strict=True) if mask >> k & 1)
            for k in range(len(cell.rows))
        ]
        # The faces of a polytope are the intersections of its facets; d + 1 points in general position
        # have homogeneous vectors of rank d + 1.
        known, fresh = {whole}, {whole}
        while fresh:
            fresh = {face & other for face in fresh for other in on_row if face & other} - known
            known |= fresh
        for face in known:
            found[rank(list(face)) - 1].add(face)
    return found


def sides_of_face(
    chain: Sequence[IntegerLayer], domain_rows: Sequence[Vector], face: Face
) -> tuple[list[tuple[int, ...]], list[bool]]:
    """Pieces of every unit that hold a point inside the face, and which rows of the domain it lies on."""
    corners = [[Fraction(x, vertex[-1]) for x in vertex[:-1]] for vertex in face]
    middle = [sum(column, Fraction(0)) / len(corners) for column in zip(*corners, strict=True)]
    sides, _ = exact_sides(chain, middle)
    on_row = [
        sum((a * x for a, x in zip(row, middle, strict=False)), Fraction(row[-1])) == 0 for row in domain_rows
    ]
    return sides, on_row
