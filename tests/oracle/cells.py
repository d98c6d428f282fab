"""Convex cells carried with all their vertices, in integers, and how a hyperplane cuts one in two.

A cell is a full-dimensional bounded polytope of dimension d. Points are homogeneous integer vectors of
length d + 1 whose last entry is positive; a row r stands for the halfspace ``r · x <= 0``. An affine function
on a bounded polytope is largest and smallest at vertices, so the values at the vertices decide everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from tests.oracle.integers import Vector, dot, null_vector, primitive, rank


@dataclass(frozen=True)
class Cell:
    """A polytope: rows ``r · x <= 0`` (some may be redundant) and all vertices.

    ``tight[i]`` has bit k set iff vertex i lies on row k.
    """

    rows: tuple[Vector, ...]
    vertices: tuple[Vector, ...]
    tight: tuple[int, ...]

    @property
    def dimension(self) -> int:
        return len(self.vertices[0]) - 1

    def facets(self) -> list[tuple[Vector, frozenset[Vector]]]:
        """Row and vertices of every face of dimension d - 1."""
        found: dict[frozenset[Vector], Vector] = {}
        for k, row in enumerate(self.rows):
            on_row = [vertex for vertex, mask in zip(self.vertices, self.tight, strict=True) if mask >> k & 1]
            # d affinely independent points have homogeneous vectors of rank d.
            if len(on_row) >= self.dimension and rank(on_row) == self.dimension:
                found.setdefault(frozenset(on_row), row)
        return [(row, vertices) for vertices, row in found.items()]


def polytope(rows: Sequence[Vector]) -> Cell:
    """The bounded cell of these rows: every d rows are intersected, feasible points are kept."""
    rows = tuple(dict.fromkeys(primitive(row) for row in rows if any(row[:-1])))
    dimension = len(rows[0]) - 1
    vertices: list[Vector] = []
    for chosen in combinations(rows, dimension):
        point = null_vector(chosen)
        if point is None or point[-1] == 0:
            continue
        if point[-1] < 0:
            point = tuple(-entry for entry in point)
        if point not in vertices and all(dot(row, point) <= 0 for row in rows):
            vertices.append(point)
    assert rank(vertices) == dimension + 1, "the domain of the oracle must be bounded and full-dimensional"
    tight = [sum(1 << k for k, row in enumerate(rows) if dot(row, vertex) == 0) for vertex in vertices]
    return Cell(rows, tuple(vertices), tuple(tight))


def split(cell: Cell, row: Vector) -> tuple[Cell | None, Cell | None]:
    """The parts of a cell where ``row · x <= 0`` and where ``row · x >= 0``; None for a flat part.

    A function that is zero on the whole cell counts as "<= 0": the lower piece.
    """
    values = [dot(row, vertex) for vertex in cell.vertices]
    if max(values) <= 0:
        return cell, None
    if min(values) >= 0:
        return None, cell
    row = primitive(row)
    new = 1 << len(cell.rows)
    low: list[tuple[Vector, int]] = []
    high: list[tuple[Vector, int]] = []
    for vertex, mask, value in zip(cell.vertices, cell.tight, values, strict=True):
        if value == 0:
            low.append((vertex, mask | new))
            high.append((vertex, mask | new))
        else:
            (high if value > 0 else low).append((vertex, mask))
    for entry in _cut_edges(cell, values, new):
        low.append(entry)
        high.append(entry)
    return _cell(cell, row, low), _cell(cell, tuple(-entry for entry in row), high)


def _cell(parent: Cell, row: Vector, vertices: list[tuple[Vector, int]]) -> Cell:
    return Cell((*parent.rows, row), tuple(v for v, _ in vertices), tuple(mask for _, mask in vertices))


def _cut_edges(cell: Cell, values: Sequence[int], new: int) -> list[tuple[Vector, int]]:
    """Where the hyperplane crosses the edges of the cell.

    Two vertices are joined by an edge iff the smallest face that holds both (all rows tight at both) holds no
    third vertex.
    """
    crossings = []
    positive = [i for i, value in enumerate(values) if value > 0]
    negative = [i for i, value in enumerate(values) if value < 0]
    for p in positive:
        for n in negative:
            common = cell.tight[p] & cell.tight[n]
            if common.bit_count() < cell.dimension - 1:
                continue
            if sum(mask & common == common for mask in cell.tight) != 2:
                continue
            point = [
                values[p] * b - values[n] * a for a, b in zip(cell.vertices[p], cell.vertices[n], strict=True)
            ]
            crossings.append((primitive(point), common | new))
    return crossings
