"""The regions of a splitting one by one, each as a polytope: its vertices and which facets they are on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyspline.split.problem import Problem
from polyspline.split.runner import Runner

Point = tuple[Fraction, ...]


@dataclass(frozen=True, eq=False)
class RegionCell:
    """A region as a polytope, exactly.

    Attributes
    ----------
    code
        (N,) pieces.
    vertices
        Its vertices, rational, in the coordinates of the domain.
    facets
        For each facet a number whose bit i says whether vertex i is on it.
    """

    code: NDArray[np.int64]
    vertices: tuple[Point, ...]
    facets: tuple[int, ...]

    def proper_faces(self) -> Iterator[tuple[list[int], int]]:
        """Faces but the region itself: the places of their vertices, and their dimensions.

        Notes
        -----
        Guarantee: exact. Algorithm: the facets of a face are the largest of its intersections with
        the region's facets, and of one dimension less.
        """
        level = {(1 << len(self.vertices)) - 1}
        for dimension in reversed(range(len(self.vertices[0]))):
            level = {facet for face in level for facet in self._facets_of(face)}
            for face in level:
                yield [i for i in range(len(self.vertices)) if face >> i & 1], dimension

    def _facets_of(self, face: int) -> list[int]:
        """Facets of a face, all as bits of vertices."""
        found = {face & facet for facet in self.facets} - {face, 0}
        return [one for one in found if not any(one & other == one != other for other in found)]


def region_cells(problem: Problem) -> Iterator[RegionCell]:
    """Regions in lexicographic order of their codes, each with its vertices."""
    runner = Runner(problem)
    for code, vertices, incidence in runner.cells(problem.root):
        facets = {
            slot: sum(1 << i for i, slots in enumerate(incidence) if slot in slots)
            for slot in set().union(*incidence)
        }
        yield RegionCell(
            code,
            tuple(problem.embed_exact(vertex) for vertex in vertices),
            tuple(facets[slot] for slot in sorted(facets)),
        )
