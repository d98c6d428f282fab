"""What floats leave open, in rationals: signs at vertices, and points inside thin regions.

A vertex is the one point of the facets that it lies on, and each facet's row is known
exactly from the code above it. So is the row of the knot that is asked about.
"""

from __future__ import annotations

import math
import sys
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.exact import ExactNetwork, Row, primitive
from polyspline.errors import InvariantError
from polyspline.regions.exact import ExactDomain, unit_rows
from polyspline.split.problem import Problem
from polyspline.split.state import (
    ANSWER,
    ANSWER_BOUND,
    ANSWER_VALUE,
    ANSWERED,
    ASKED,
    EXACT,
    FIRST,
    LAYER_OF,
    LOW_PIECE,
    LOWER_ROW,
    OWNER,
    POINT_EXACT,
    SIGN,
    SLOTS_PER_WORD,
    STACK,
    UNKNOWN,
    UPPER_ROW,
    Floats,
    N,
    State,
    Words,
)
from solvers.integers import nearest_float, scaled_integer_rows
from solvers.lp.inside import rounded_inside
from solvers.predicates.rounding import ROUNDOFF, SAFETY, SMALLEST
from solvers.rational import DyadicMatrix, integer_matrix, pivot_columns, solve

_KEPT = 256

Point = tuple[Fraction, ...]
Integers = NDArray[np.int64]


class Referee:
    """Answers the kernel's questions about one splitting.

    Attributes
    ----------
    decisions
        Number of questions answered in rational arithmetic.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.decisions = 0
        self._networks: dict[int, ExactNetwork] = {}
        self._maps: OrderedDict[tuple[int, bytes], DyadicMatrix] = OrderedDict()
        self._rows: OrderedDict[tuple[int, bytes], Row] = OrderedDict()
        self._points: dict[int, Point] = {}

    def signs(self, state: State) -> None:
        """Decide the unknown signs of the knot at hand at the vertices of the top cell."""
        cell = int(state.level[STACK]) - 1
        cells, work = state.cells, state.work
        n = int(cells.number[cell, N])
        code = self._code(state, cell)
        function = self._function(int(state.level[ASKED]), code)
        for j in np.flatnonzero(work.whole[SIGN, :n] == UNKNOWN).tolist():
            self.decisions += 1
            point = self._vertex(state, cell, j, code)
            value = sum((a * x for a, x in zip(function[:-1], point, strict=True)), function[-1])
            sign = (value > 0) - (value < 0)
            work.whole[ANSWER, j] = sign
            work.real[ANSWER_VALUE, j], work.real[ANSWER_BOUND, j] = _enclosed(value)

    def witness(self, state: State) -> Point | None:
        """Find a point inside the region of the top cell; the point itself where it is not of floats."""
        self.decisions += 1
        cell = int(state.level[STACK]) - 1
        code = self._code(state, cell)
        n = int(state.cells.number[cell, N])
        corners = [self._vertex(state, cell, j, code) for j in range(n)]
        mean = tuple(sum(column, Fraction(0)) / n for column in zip(*corners, strict=True))
        slots = {slot for j in range(n) for slot in _slots(state, cell, j)}
        rows = [self._inner_row(int(state.cells.source[cell, slot]), code) for slot in sorted(slots)]
        point, is_float = rounded_inside(rows, mean)
        state.work.point[:] = [nearest_float(z) for z in point]
        state.level[POINT_EXACT] = int(is_float)
        state.level[ANSWERED] = 1
        return None if is_float else point

    def embedded(self, packed: Words, point: Floats) -> Point:
        """Point of the domain inside the region of a code, of floats if it may be, near a point inside."""
        normals, sides = self.problem.domain.rows()
        code = self.problem.packing.unpack(packed[None, :])[0].astype(np.int64)
        rows, _ = unit_rows(ExactNetwork(self.problem.net.layers), code)
        exact = self.problem.embed_exact(tuple(map(Fraction, point.tolist())))
        return rounded_inside([*rows, *ExactDomain(normals, sides).rows], exact)[0]

    def polytope(self, state: State) -> tuple[Integers, list[Point], list[set[int]]]:
        """Code of the top cell, its vertices, and the slots of the facets that each is on."""
        cell = int(state.level[STACK]) - 1
        code = self._code(state, cell)
        places = range(int(state.cells.number[cell, N]))
        vertices = [self._vertex(state, cell, j, code) for j in places]
        return code, vertices, [set(_slots(state, cell, j)) for j in places]

    def _code(self, state: State, cell: int) -> Integers:
        """Pieces decided so far, (N,)."""
        return np.asarray(self.problem.packing.unpack(state.cells.code[cell][None, :])[0], np.int64)

    def _map(self, layer: int, code: Integers) -> DyadicMatrix:
        """Exact pre-activations of a layer on the cells with a code."""
        if layer not in self._networks:
            self._networks[layer] = self.problem.exact_up_to(layer)
        network = self._networks[layer]
        key = (layer, code[: network.unit_start[layer]].tobytes())
        found = self._maps.get(key)
        if found is None:
            found = network.forward(code)[layer]
            self._maps[key] = found
            if len(self._maps) > _KEPT:
                self._maps.popitem(last=False)
        return found

    def _function(self, knot: int, code: Integers) -> list[Fraction]:
        """Affine function that is zero on a knot and positive above it."""
        arrays = self.problem.arrays
        unit, upper, lower = arrays.knot[knot, [OWNER, UPPER_ROW, LOWER_ROW]].tolist()
        layer = int(arrays.unit[unit, LAYER_OF])
        values = self._map(layer, code)
        row = values.row(upper)
        if lower >= 0:
            row = [a - b for a, b in zip(row, values.row(lower), strict=True)]
        function = self.problem.scaled_function(layer, upper, row, values.exponent)
        function[-1] -= Fraction(float(arrays.position[knot]))
        return function

    def _source_row(self, source: int, code: Integers) -> Row:
        """Row of a facet's source, ``>= 0`` above the knot or inside the domain."""
        if source < 0:
            return self.problem.domain_rows[-1 - source]
        arrays = self.problem.arrays
        layer = int(arrays.unit[arrays.knot[source, OWNER], LAYER_OF])
        self._map(layer, code)
        key = (source, code[: self._networks[layer].unit_start[layer]].tobytes())
        found = self._rows.get(key)
        if found is None:
            found = primitive(scaled_integer_rows([self._function(source, code)])[0][0])
            self._rows[key] = found
            if len(self._rows) > 16 * _KEPT:
                self._rows.popitem(last=False)
        return found

    def _inner_row(self, source: int, code: Integers) -> Row:
        """Row of a facet, ``>= 0`` on the region."""
        row = self._source_row(source, code)
        if source < 0:
            return row
        unit, low = self.problem.arrays.knot[source, [OWNER, LOW_PIECE]].tolist()
        below = int(code[unit]) == low
        return tuple(-entry for entry in row) if below else row

    def _vertex(self, state: State, cell: int, j: int, code: Integers) -> Point:
        """Vertex of a cell; the pool gets its coordinates, rounded once."""
        entry = int(state.cells.number[cell, FIRST]) + j
        index = int(state.cells.vertex[entry])
        if state.pool.mark[index] == EXACT:
            return self._points[index]
        sources = [int(state.cells.source[cell, slot]) for slot in _slots(state, cell, j)]
        rows = [self._source_row(source, code) for source in sources]
        point = _meeting_point(rows, self.problem.dim)
        self._points[index] = point
        rounded = [nearest_float(z) for z in point]
        state.pool.x[index] = rounded
        exact = all(Fraction(a) == z for a, z in zip(rounded, point, strict=True))
        state.pool.eps[index] = 0.0 if exact else 2.0**-52 * max(map(abs, rounded)) + 2.0**-1000
        state.pool.mark[index] = EXACT
        return point

    def known_points(self, vertices: Sequence[int], state: State) -> dict[int, Point]:
        """Those of some vertices of the pool that are known exactly, by their place among them."""
        return {
            place: self._points[index]
            for place, index in enumerate(vertices)
            if state.pool.mark[index] == EXACT
        }

    def know(self, points: dict[int, Point]) -> None:
        """Take over exact vertices of the pool, by their number in it."""
        self._points = dict(points)


def _enclosed(value: Fraction) -> tuple[float, float]:
    """Round a value, and bound the error: half a unit in the last place, more if it overflows."""
    rounded = nearest_float(value)
    if abs(rounded) == sys.float_info.max:
        return rounded, math.inf
    return rounded, SAFETY * ROUNDOFF * abs(rounded) + SMALLEST


def _slots(state: State, cell: int, j: int) -> Iterator[int]:
    """Slots of the facets that a vertex lies on."""
    entry = int(state.cells.number[cell, FIRST]) + j
    for word, bits in enumerate(state.cells.on[entry].tolist()):
        while bits:
            yield SLOTS_PER_WORD * word + (bits & -bits).bit_length() - 1
            bits &= bits - 1


def _meeting_point(rows: list[Row], dim: int) -> Point:
    """Return the one point at which all rows vanish."""
    if len(rows) > dim:
        normals = integer_matrix([row[:-1] for row in rows], dim)
        rows = [rows[k] for k in pivot_columns(normals.transpose())]
    point = solve([row[:-1] for row in rows], [-row[-1] for row in rows]) if len(rows) == dim else None
    if point is None:
        raise InvariantError("the facets at a vertex meet in no single point; please report the network.")
    return tuple(point)
