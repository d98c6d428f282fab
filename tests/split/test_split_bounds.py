"""What splitting knows of rows and vertices is off by no more than it says: in Fractions, no tolerance."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from polyspline.partition.packing import CodePacking
from polyspline.split import kernel
from polyspline.split.problem import Problem, make_problem
from polyspline.split.runner import Runner
from polyspline.split.signs import find_signs, knot_row, measure_vertex
from polyspline.split.state import (
    BOUND,
    ERROR,
    EXACT_ROW,
    FIRST,
    FRESH,
    IS_CENTRAL,
    LAYER_OF,
    LOWER_ROW,
    NORM,
    OWNER,
    SIGN,
    SIZE,
    SLACK,
    SLOTS_PER_WORD,
    STACK,
    UNKNOWN,
    UPPER_ROW,
    VALUE,
    Cells,
    Floats,
    N,
    Net,
    Path,
    Pool,
    State,
    Work,
)
from solvers.compiled import compiled
from solvers.rational import solve
from tests.exact_forms import GIVEN, Form, apart, exact_forms, float_value, holds, value_at

EACH = pytest.mark.parametrize("name", GIVEN)
Point = tuple[Fraction, ...]


@compiled
def row_of_knot(t: Net, path: Path, knot: int, row: Floats) -> tuple[float, float]:
    return knot_row(t, path, knot, row)


@compiled
def signs_at(
    t: Net, path: Path, cells: Cells, cell: int, source: int, pool: Pool, work: Work
) -> tuple[int, int, int]:
    return find_signs(t, path, cells, cell, source, pool, work)


@compiled
def measure(t: Net, path: Path, cells: Cells, cell: int, pool: Pool, work: Work) -> None:
    for j in range(cells.number[cell, N]):
        measure_vertex(t, path, cells, cell, cells.number[cell, FIRST] + j, pool, work)


def finished(name: str) -> Iterator[tuple[Problem, State, int, list[list[Form]]]]:
    """Regions of a network as the kernel holds them when it comes to them: the cell, and its exact forms."""
    given = GIVEN[name]
    problem = make_problem(given.net, given.domain)
    runner = Runner(problem)
    runner._state = runner._load(problem.root)
    packing: CodePacking = problem.packing
    for before in range(given.most):
        if runner._go_on(keep=False, most=before, one_cut=False) != kernel.ENOUGH:
            break
        state = runner._state
        cell = int(state.level[STACK]) - 1
        code = packing.unpack(state.cells.code[cell][None, :])[0].tolist()
        yield problem, state, cell, exact_forms(problem.scaled.layers, code)


def knot_form(problem: Problem, forms: list[list[Form]], knot: int) -> Form:
    """Exact function that is zero on a knot and positive above it."""
    unit, upper, lower = problem.arrays.knot[knot, [OWNER, UPPER_ROW, LOWER_ROW]].tolist()
    rows = forms[int(problem.arrays.unit[unit, LAYER_OF])]
    form = list(rows[upper]) if lower < 0 else [a - b for a, b in zip(rows[upper], rows[lower], strict=True)]
    form[-1] -= Fraction(float(problem.arrays.position[knot]))
    return form


def source_form(problem: Problem, forms: list[list[Form]], source: int) -> Form:
    """Exact row of a facet's source."""
    if source >= 0:
        return knot_form(problem, forms, source)
    return [Fraction(a) for a in problem.arrays.domain_rows[:, -1 - source].tolist()]


def exact_vertices(problem: Problem, state: State, cell: int, forms: list[list[Form]]) -> list[Point]:
    """Vertices of a cell, from the exact rows of the facets that each lies on."""
    found = []
    first = int(state.cells.number[cell, FIRST])
    for entry in range(first, first + int(state.cells.number[cell, N])):
        slots = [
            SLOTS_PER_WORD * word + bit
            for word, bits in enumerate(state.cells.on[entry].tolist())
            for bit in range(SLOTS_PER_WORD)
            if bits >> bit & 1
        ]
        rows = [source_form(problem, forms, int(state.cells.source[cell, slot])) for slot in slots]
        point = None
        for i, one in enumerate(rows):  # two rows that are not parallel
            for other in rows[i + 1 :]:
                point = point or solve([one[:-1], other[:-1]], [-one[-1], -other[-1]])
        assert point is not None
        assert all(value_at(row, point) == 0 for row in rows)
        found.append(tuple(point))
    return found


def assert_vertices_are_near(state: State, cell: int, true: list[Point]) -> None:
    first = int(state.cells.number[cell, FIRST])
    for j, point in enumerate(true):
        v = int(state.cells.vertex[first + j])
        for computed, exact in zip(state.pool.x[v].tolist(), point, strict=True):
            assert holds(abs(Fraction(computed) - exact), state.pool.eps[v])


@EACH
def test_maps_of_layers_are_off_by_their_error_at_most(name: str) -> None:
    regions = 0
    for problem, state, _, forms in finished(name):
        regions += 1
        radius = problem.arrays.radius
        rows = 0
        for layer, found in enumerate(forms[: len(state.path.values)]):
            for i, form in enumerate(found):
                computed = state.path.values[layer, :, i].copy()
                missed = apart(computed, form, radius)
                bound = state.path.bound[:, layer, i]
                assert holds(missed, bound[ERROR])
                if problem.arrays.row_real[EXACT_ROW, rows + i]:
                    assert missed == 0
                for one in (computed.tolist(), form):
                    sizes = [abs(Fraction(a)) for a in one]
                    assert holds(
                        sum(
                            (a * Fraction(r) for a, r in zip(sizes, radius.tolist(), strict=True)),
                            Fraction(0),
                        ),
                        bound[SIZE],
                    )
                assert holds(
                    sum((abs(Fraction(a)) for a in computed[:-1].tolist()), Fraction(0)), bound[NORM]
                )
                for x in np.random.default_rng(i).uniform(-1, 1, (4, len(radius) - 1)) * radius[:-1]:
                    off = abs(Fraction(float_value(computed, x)) - value_at(form, x.tolist()))
                    assert holds(off, bound[SLACK])
            rows += len(found)
    assert regions > 0


@EACH
def test_rows_of_knots_and_of_the_domain_are_off_by_their_slack_at_most(name: str) -> None:
    for problem, state, _, forms in finished(name):
        arrays, row = problem.arrays, np.zeros(problem.dim + 1)
        points = np.random.default_rng(0).choice([-1.0, 0.3, 0.7, 1.0], (8, problem.dim)) * arrays.radius[:-1]
        for knot in range(len(arrays.knot)):
            form = knot_form(problem, forms, knot)
            slack, error = row_of_knot(arrays, state.path, knot, row)
            for x in points:
                assert holds(abs(Fraction(float_value(row, x)) - value_at(form, x.tolist())), slack)
            if arrays.knot[knot, IS_CENTRAL]:
                assert form[-1] == 0
            if error == 0.0:  # the pre-activations are exact, and their difference is rounded
                upper, lower = arrays.knot[knot, [UPPER_ROW, LOWER_ROW]].tolist()
                values = state.path.values[arrays.unit[arrays.knot[knot, OWNER], LAYER_OF]]
                own = [Fraction(a) for a in values[:, upper].tolist()]
                if lower >= 0:
                    own = [a - Fraction(b) for a, b in zip(own, values[:, lower].tolist(), strict=True)]
                own[-1] -= Fraction(float(arrays.position[knot]))
                assert own == form
        for i in range(arrays.domain_rows.shape[1]):
            given = arrays.domain_rows[:, i].copy()
            for x in points:
                missed = abs(
                    Fraction(float_value(given, x)) - value_at(list(map(Fraction, given)), x.tolist())
                )
                assert holds(missed, arrays.domain_slack[i])


def assert_moved_vertices_are_measured(problem: Problem, state: State, cell: int, true: list[Point]) -> None:
    """Vertices that are far from their facets say so once they are measured."""
    kept = state.pool.x.copy()
    state.pool.x[:] += np.random.default_rng(0).uniform(-1e-7, 1e-7, state.pool.x.shape)
    state.pool.eps[:] = np.inf
    measure(problem.arrays, state.path, state.cells, cell, state.pool, state.work)
    assert_vertices_are_near(state, cell, true)
    state.pool.x[:] = kept


@EACH
def test_vertices_are_off_by_what_they_say_at_most(name: str) -> None:
    """As they are found, and once more by the facets that they lie on."""
    for problem, state, cell, forms in finished(name):
        true = exact_vertices(problem, state, cell, forms)
        assert_vertices_are_near(state, cell, true)
        before = state.pool.eps.copy()
        state.pool.eps[:] = np.where(before == 0.0, 0.0, np.inf)
        measure(problem.arrays, state.path, state.cells, cell, state.pool, state.work)
        assert_vertices_are_near(state, cell, true)
        assert_moved_vertices_are_measured(problem, state, cell, true)
        state.pool.eps[:] = np.minimum(before, state.pool.eps)


@EACH
def test_values_of_knots_at_vertices_are_off_by_their_bound_and_signs_are_true(name: str) -> None:
    told = 0
    for problem, state, cell, forms in finished(name):
        true = exact_vertices(problem, state, cell, forms)
        first, n = state.cells.number[cell, [FIRST, N]].tolist()
        vertices = state.cells.vertex[first : first + n]
        eps, mark = state.pool.eps.copy(), state.pool.mark.copy()
        for source in range(len(problem.arrays.knot)):
            state.pool.mark[vertices] = FRESH
            state.work.whole[:] = UNKNOWN
            signs_at(problem.arrays, state.path, state.cells, cell, source, state.pool, state.work)
            form = knot_form(problem, forms, source)
            for j, point in enumerate(true):
                value, sign = value_at(form, point), int(state.work.whole[SIGN, j])
                missed = abs(Fraction(float(state.work.real[VALUE, j])) - value)
                assert holds(missed, state.work.real[BOUND, j])
                if sign != UNKNOWN:
                    told += 1
                    assert sign == (value > 0) - (value < 0)
            state.pool.eps[:], state.pool.mark[:] = eps, mark
        state.work.whole[:] = UNKNOWN
    assert told > 0
