"""The two engines give the same arrays: regions, adjacencies, facet sources, and their order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import polyspline as ps
from tests.agreement.support import (
    Problem,
    Where,
    assert_agrees,
    assert_proven_witnesses,
    assert_well_formed,
    code_set,
    cube,
    edge_set,
    polytope,
    problem,
)
from tests.agreement.test_degenerate_zoo import ZOO, places
from tests.agreement.test_engine_against_oracle import degenerate_problems
from tests.agreement.test_max_groups import maxout_weights, spelled
from tests.oracle.cases import integer_weights, random_weights, simplex_with_cuts

HERE = settings(derandomize=True, deadline=None, database=None)


def assert_engines_agree(given_problem: Problem, where: Where) -> Any:
    """Same regions, same edges, same sources, in the same order."""
    walked = ps.enumerate_regions(given_problem.net, where.domain, method="walk")
    split = ps.enumerate_regions(given_problem.net, where.domain, method="split")
    assert_well_formed(split)
    assert split.complete
    assert split.expanded == len(split)
    assert code_set(split) == code_set(walked)
    assert edge_set(split) == edge_set(walked)
    np.testing.assert_array_equal(split.codes, walked.codes)
    np.testing.assert_array_equal(split.edges, walked.edges)
    np.testing.assert_array_equal(split.edge_sources, walked.edge_sources)
    return split


@pytest.mark.parametrize("place", ["cube", "corner-at-the-origin", "simplex"])
@pytest.mark.parametrize("family", ZOO)
def test_degenerate_relu_networks_agree(family: str, place: str) -> None:
    weights = ZOO[family]
    assert_engines_agree(problem(weights, "relu"), places(weights[0][0].shape[1])[place])


@pytest.mark.parametrize("activation", ["leaky_relu:0.1", "hardtanh", "abs"])
@pytest.mark.parametrize(
    "family", ["duplicate-2", "parallel-2", "lattice-2", "dying-2", "integers-3", "folded", "knots-on-sides"]
)
def test_degenerate_networks_of_other_units_agree(family: str, activation: str) -> None:
    weights = ZOO[family]
    assert_engines_agree(problem(weights, activation), cube(weights[0][0].shape[1]))


@pytest.mark.parametrize(
    ("widths", "activation"),
    [
        ([1, 20, 20, 1], "relu"),
        ([2, 16, 16, 1], "relu"),
        ([2, 6, 6, 6, 6, 6, 6, 2], "relu"),
        ([2, 8, 8, 3], "hardtanh"),
        ([3, 10, 10, 1], "leaky_relu:0.1"),
        ([4, 8, 8, 1], "relu"),
        ([5, 7, 6, 1], "relu"),
        ([6, 6, 5, 1], "abs"),
    ],
)
def test_generic_networks_agree(widths: list[int], activation: str) -> None:
    given_problem = problem(random_weights(widths, sum(widths)), activation)
    assert_engines_agree(given_problem, cube(widths[0]))
    if widths[0] > 1:
        assert_engines_agree(given_problem, polytope(simplex_with_cuts(widths[0], 3, 1)))


@settings(HERE, max_examples=30)
@given(
    st.integers(1, 5),
    st.lists(st.integers(1, 6), min_size=1, max_size=3),
    st.sampled_from(["relu", "hardtanh", "abs", "leaky_relu:0.1"]),
    st.integers(0, 10**6),
    st.booleans(),
)
def test_random_networks_agree(
    dimension: int, hidden: list[int], activation: str, seed: int, integral: bool
) -> None:
    widths = [dimension, *(hidden if dimension < 4 else hidden[:2]), 1]
    make = integer_weights if integral else random_weights
    assert_engines_agree(problem(make(widths, seed), activation), cube(dimension))


@settings(HERE, max_examples=50)
@given(degenerate_problems())
def test_networks_full_of_ties_agree(case: tuple[Problem, Where]) -> None:
    given_problem, where = case
    assume(where.rows is not None)
    split = assert_engines_agree(given_problem, where)
    assert_proven_witnesses(split, given_problem, where)


@settings(HERE, max_examples=10)
@given(degenerate_problems())
def test_the_oracle_agrees_with_splitting(case: tuple[Problem, Where]) -> None:
    given_problem, where = case
    assume(where.rows is not None)
    assert_agrees(given_problem, where, regions=False, method="split")


@settings(HERE, max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 3), st.booleans())
def test_max_groups_agree(seed: int, dimension: int, integral: bool) -> None:
    members = [3, 2, 1]
    weights = maxout_weights([dimension, 3, 2, 1], members, seed, integers=integral)
    assert_engines_agree(problem(weights, spelled(members)), cube(dimension))


def test_members_of_a_max_group_that_are_equal_go_to_the_lowest() -> None:
    rows = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    given_problem = problem(([rows, np.ones((1, 1))], [np.zeros(4), np.zeros(1)]), ["max:4", "identity"])
    split = assert_engines_agree(given_problem, cube(2))
    assert split.codes.tolist() == [[0], [2]]


@pytest.mark.parametrize("exponent", [-300, -60, 60, 300])
def test_small_and_large_domains_agree(exponent: int) -> None:
    size = 2.0**exponent
    weights, biases = random_weights([2, 6, 5, 1], 8)
    moved = [biases[0] * size, *biases[1:]] if abs(exponent) == 300 else [bias * size for bias in biases]
    assert_engines_agree(problem((weights, moved), "relu"), cube(2, size))


def test_more_facets_than_a_word_has_bits_agree() -> None:
    # A polygon of 90 sides, and the cells of a fine grid in it.
    angles = np.linspace(0.0, 2.0 * np.pi, 90, endpoint=False)
    rows = np.column_stack([np.cos(angles), np.sin(angles)])
    given_problem = problem(random_weights([2, 12, 6, 1], 5), "relu")
    assert_engines_agree(given_problem, polytope((rows, np.ones(90))))


def test_cells_thinner_than_floats_resolve_have_rational_witnesses() -> None:
    third = 1.0 / 3.0
    weights = ([np.array([[1.0], [3.0]]), np.ones((1, 2))], [np.array([-third, -1.0]), np.zeros(1)])
    given_problem = problem(weights, "relu")
    split = assert_engines_agree(given_problem, cube(1))
    assert sorted(split.witness_exact.tolist()) == [False, True, True]
    assert_proven_witnesses(split, given_problem, cube(1))
