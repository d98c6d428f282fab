"""The compiled redundancy kernel against one linear program for each row."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

from polyspline.cpa.tables import Tables, make_row_tables
from polyspline.domains import Box, Domain, WholeSpace
from polyspline.enumeration import enumerate_regions
from polyspline.network import zoo
from polyspline.regions.kernel import decide_bare
from solvers.lp.cone import FACET, REDUNDANT, UNDECIDED

Floats = NDArray[np.float64]


def random_polytope(dim: int, count: int, seed: int) -> tuple[Floats, Floats]:
    """Rows (dim + 1, m) of a box with random rows through it, and a point inside."""
    rng = np.random.default_rng(seed)
    point = rng.uniform(-0.5, 0.5, dim)
    slopes = rng.normal(size=(dim, count))
    offsets = rng.uniform(0.2, 2.0, count) - point @ slopes
    box = np.hstack([np.eye(dim), -np.eye(dim)])
    return np.vstack([np.hstack([box, slopes]), np.append(np.ones(2 * dim), offsets)]), point


def tables(rows: Floats, *, bounded: bool) -> Tables:
    count = rows.shape[1]
    radius = np.full(len(rows), 2.0) if bounded else np.ones(len(rows))
    return make_row_tables(rows, np.full(count, 1e-13), np.zeros(count, np.int64), radius, bounded=bounded)


def facets_by_programs(rows: Floats) -> NDArray[np.bool_]:
    found = []
    for k in range(rows.shape[1]):
        sides = rows[-1] + (np.arange(rows.shape[1]) == k)
        outcome = linprog(rows[:-1, k], A_ub=-rows[:-1].T, b_ub=sides, bounds=(None, None))
        found.append(outcome.fun < -rows[-1, k] - 1e-9)
    return np.array(found)


@pytest.mark.parametrize("dim", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("seed", [0, 1])
def test_facets_are_those_that_linear_programs_find(dim: int, bounded: bool, seed: int) -> None:
    rows, point = random_polytope(dim, 30, seed)
    sky = np.append(np.zeros(dim), 1.0)[:, None]
    given = rows if bounded else np.hstack([rows, sky])
    state, points = decide_bare(tables(given, bounded=bounded), point)
    state, points = state[: rows.shape[1]], points[: rows.shape[1]]
    assert UNDECIDED not in state
    np.testing.assert_array_equal(state == FACET, facets_by_programs(rows))
    for j in np.flatnonzero(state == FACET):
        values = np.append(points[j], 1.0) @ rows
        assert abs(values[j]) < 1e-9
        assert np.all(np.delete(values, j) > 0)


def test_a_row_that_only_touches_is_not_called_a_facet() -> None:
    # The diagonal row meets the square in one corner: floats cannot prove it redundant, and must not guess.
    rows = np.array([[1.0, -1.0, 0.0, 0.0, -1.0], [0.0, 0.0, 1.0, -1.0, -1.0], [1.0, 1.0, 1.0, 1.0, 2.0]])
    state, _ = decide_bare(tables(rows, bounded=True), np.array([0.1, 0.05]))
    assert list(state[:4]) == [FACET] * 4
    assert state[4] in (UNDECIDED, REDUNDANT)


def test_a_point_outside_decides_nothing() -> None:
    rows, _ = random_polytope(2, 5, 0)
    state, _ = decide_bare(tables(rows, bounded=True), np.array([9.0, 9.0]))
    assert set(state.tolist()) == {UNDECIDED}


@pytest.mark.parametrize("domain", [Box(-1, 1, dim=8), WholeSpace(8)], ids=["box", "whole space"])
def test_generic_regions_of_many_dimensions_need_no_rationals(domain: Domain) -> None:
    net = zoo.random_network([8, 8, 8, 1])
    assert enumerate_regions(net, domain, max_regions=3000).exact_fallbacks == 0
