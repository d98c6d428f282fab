"""What rationals hand back to the kernel of splitting encloses the truth; witnesses are proven."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

import polyspline as ps
from polyspline.split.emission import _find_facets, _is_inside
from polyspline.split.problem import make_problem
from polyspline.split.referee import _enclosed
from polyspline.split.runner import Runner
from polyspline.split.state import FIRST, FRESH, UNKNOWN, N, Net, State
from solvers.compiled import compiled
from tests.exact_forms import GIVEN, holds, value_at
from tests.split.test_split_bounds import assert_vertices_are_near, exact_vertices, finished, source_form

EACH = pytest.mark.parametrize("name", GIVEN)


@compiled
def is_inside(t: Net, cell: int, s: State) -> bool:
    _find_facets(s.cells, cell, s.work)
    return _is_inside(t, s.path, s.cells, cell, s.work)


@pytest.mark.parametrize("size", [-1074, -1060, -900, 0, 900, 1023, 1024, 2000])
def test_a_value_comes_with_an_enclosure(size: int) -> None:
    rng = np.random.default_rng(abs(size))
    for numerator in rng.integers(-(2**62), 2**62, 200).tolist():
        value = Fraction(numerator, 3 * 2**60) * Fraction(2) ** size
        rounded, error = _enclosed(value)
        assert holds(abs(Fraction(rounded) - value), error)


@EACH
def test_vertices_from_rationals_are_off_by_their_rounding_at_most(name: str) -> None:
    for problem, state, cell, forms in finished(name):
        runner = Runner(problem)
        code = problem.packing.unpack(state.cells.code[cell][None, :])[0].astype(np.int64)
        for j in range(int(state.cells.number[cell, N])):
            v = int(state.cells.vertex[int(state.cells.number[cell, FIRST]) + j])
            state.pool.mark[v] = FRESH  # what the run's own referee knows is not known to this one
            point = runner._referee._vertex(state, cell, j, code)
            assert len(point) == problem.dim
            for computed, exact in zip(state.pool.x[v].tolist(), point, strict=True):
                assert holds(abs(Fraction(computed) - exact), state.pool.eps[v])
        assert_vertices_are_near(state, cell, exact_vertices(problem, state, cell, forms))
        break


def test_corners_of_a_polytope_at_thirds_are_rounded() -> None:
    domain = ps.Polytope([[3.0, 1.0], [-1.0, 3.0], [-1.0, -4.0]], [1.0, 1.0, 1.0])
    problem = make_problem(ps.Network.from_layers([[[1.0, 1.0]]], [[0.1]], ["relu"]), domain)
    root = problem.root
    rows = problem.arrays.domain_rows.T.tolist()
    inexact = 0
    for x, eps, on in zip(root.x.tolist(), root.eps.tolist(), root.on.tolist(), strict=True):
        mine = [rows[-1 - int(root.source[slot])] for slot in range(3) if on[0] >> slot & 1]
        (a, b, c), (d, e, f) = [[Fraction(entry) for entry in row] for row in mine]
        det = a * e - b * d
        exact = ((b * f - c * e) / det, (c * d - a * f) / det)
        for computed, true in zip(x, exact, strict=True):
            assert holds(abs(Fraction(computed) - true), eps)
            inexact += Fraction(computed) != true
    assert inexact > 0


def points_near(state: State, cell: int, rng: np.random.Generator) -> Sequence[np.ndarray]:
    """Points on the facets of a cell, but for some ulps."""
    first, n = state.cells.number[cell, [FIRST, N]].tolist()
    corners = state.pool.x[state.cells.vertex[first : first + n]]
    found = []
    for _ in range(12):
        i, j = rng.integers(0, n, 2)
        point = corners[i] + rng.random() * (corners[j] - corners[i])
        for _ in range(int(rng.integers(0, 5))):
            point = np.nextafter(point, rng.choice([-np.inf, np.inf], len(point)))
        found.append(point)
    return found


@EACH
def test_a_point_that_is_proven_inside_is_strictly_inside_all_facets(name: str) -> None:
    rng = np.random.default_rng(0)
    for problem, state, cell, forms in finished(name):
        code = problem.packing.unpack(state.cells.code[cell][None, :])[0].tolist()
        for point in [*points_near(state, cell, rng), rng.uniform(-1.5, 1.5, problem.dim)]:
            state.work.point[:] = point
            if not is_inside(problem.arrays, cell, state):
                continue
            used = [
                slot
                for slot in range(state.cells.source.shape[1])
                if int(state.work.slots[0, slot // 64]) >> (slot % 64) & 1
            ]
            for slot in used:
                source = int(state.cells.source[cell, slot])
                value = value_at(source_form(problem, forms, source), point.tolist())
                if source >= 0:
                    unit, low = problem.arrays.knot[source, [0, 3]].tolist()
                    value = -value if code[unit] == low else value
                assert value > 0
        state.work.whole[:] = UNKNOWN
