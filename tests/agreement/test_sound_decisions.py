"""Decisions at the edge of float64: knots an ulp from a vertex, products out of range, lost cancellations.

The counts stand here as numbers; codes, edges, facets and witnesses are compared with the rational oracle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

import polyspline as ps
from tests.agreement.support import (
    Problem,
    Where,
    assert_agrees,
    assert_identical,
    box,
    code_set,
    cube,
    problem,
    walked,
)
from tests.oracle import oracle_partition

TINY = 1e-200
ULP = 2.0**-53
SQUARE = box([-1.0, -1.0], [1.0, 1.0])
STRIP = box([-1.0, -1.0], [0.25, 1.0])


class Decision(NamedTuple):
    """A network over a domain, and how many regions and adjacencies it has."""

    name: str
    weights: Sequence[Any]
    biases: Sequence[Any]
    activations: Sequence[str]
    where: Where
    regions: int
    edges: int

    @property
    def problem(self) -> Problem:
        arrays = [np.array(w, dtype=float) for w in self.weights], [np.array(b, float) for b in self.biases]
        return problem(arrays, self.activations)


DECISIONS = [
    Decision("max-group-left-end", [[[-0.5], [0]]], [[0.1, 0.6]], ["max:2"], cube(1), 2, 1),
    Decision("max-group-right-end", [[[0.9], [-0.1]]], [[0.5, -0.5]], ["max:2"], cube(1), 2, 1),
    Decision("upper-knot-by-half-an-ulp", [[[1]]], [[1 - ULP]], ["hardtanh"], cube(1, 2.0), 3, 2),
    Decision(
        "knots-through-one-point-but-for-an-ulp",
        [[[1, 0], [1, 1], [0, 1]], [[1, 1, 1]]],
        [[1 - ULP, 0.25, 0], [0]],
        ["hardtanh", "identity"],
        box([-2.0, -1.0], [2.0, 1.0]),
        7,
        8,
    ),
    Decision(
        "two-knots-half-an-ulp-apart",
        [[[1], [1]]],
        [[2, 1 - ULP]],
        ["relu|hardtanh"],
        cube(1, 4.0),
        4,
        3,
    ),
    Decision("subnormal-weight", [[[-5e-324], [1]]], [[0, 0.5]], ["relu"], box([-1.0], [0.25]), 3, 2),
    Decision(
        "products-below-the-range",
        [[[-TINY, TINY], [0.5, -1]], [[TINY, 0], [0, 1]]],
        [[0, 0], [0, 0]],
        ["identity", "relu"],
        STRIP,
        4,
        4,
    ),
    Decision(
        "products-below-the-range-of-three-units",
        [[[TINY, TINY / 2], [-1, -1], [0.5, 1]], [[TINY, 0, 0], [0, 1, 0], [0, 0, 1]]],
        [[0] * 3, [0, 0.5, 0.25]],
        ["identity", "relu"],
        STRIP,
        5,
        5,
    ),
    Decision(
        "products-above-the-range",
        [[[1e200], [-1e200]], [[1e200, 0], [0, 1e200]]],
        [[0, 1e200], [0, 0]],
        ["identity", "max:2"],
        box([0.0], [1.0]),
        2,
        1,
    ),
    Decision("sums-above-the-range", [[[1e308], [1]]], [[0, 0.5]], ["relu"], cube(1), 3, 2),
    Decision(
        "values-whose-sum-overflows",
        [[[1e308], [3], [0]]],
        [[0.1, 0, 0.3]],
        ["softshrink:1.0"],
        cube(1),
        5,
        4,
    ),
    Decision(
        "values-whose-sum-overflows-in-space",
        [[[1e308, -1e308, 1e308], [0.5, -1.0, 0.5], [-0.9, 0.25, 0.0]]],
        [[-0.1, 0.0, 0.1]],
        ["relu6"],
        cube(3),
        12,
        20,
    ),
    Decision(
        "squares-below-the-range", [[[TINY]], [[TINY]]], [[0], [0]], ["identity", "relu"], cube(1), 2, 1
    ),
    Decision(
        "underflow-scaled-back",
        [[[TINY]], [[1e300]]],
        [[0], [5e-101]],
        ["leaky_relu:1e-200", "relu"],
        cube(1),
        3,
        2,
    ),
    Decision(
        "subnormal-products",
        [[[1e-160], [1]], [[1.95e-162, 0], [0, 1]]],
        [[0, 0], [-1e-322, -0.51]],
        ["identity", "relu"],
        cube(1),
        3,
        2,
    ),
    Decision(
        "bias-far-below-the-knot",
        [[[-0.5], [0.9]]],
        [[-8.673617379884035e-19, 0]],
        ["softshrink:0.5"],
        cube(1),
        4,
        3,
    ),
    Decision(
        "domain-of-five-subnormals",
        [[[1], [1]]],
        [[0, -5e-324]],
        ["relu"],
        box([-1.5e-323], [1e-323]),
        3,
        2,
    ),
    Decision(
        "coefficients-that-cancel",
        [[[139], [139], [8]], [[1 + 3 * 2**-46, -1, 0], [0, 0, 1]]],
        [[0, 0, 0], [-3.126388037344441e-13, -0.4225696365984106]],
        ["identity", "relu"],
        cube(1, 0.0625),
        3,
        2,
    ),
    Decision(
        "domain-of-one-ulp",
        [[[1]], [[1], [1]]],
        [[1e10], [-(2.0**-20), 0.5]],
        ["identity", "relu"],
        box([-1e10], [math.nextafter(-1e10, 0.0)]),
        2,
        1,
    ),
]
EACH = pytest.mark.parametrize("case", DECISIONS, ids=[case.name for case in DECISIONS])


@EACH
def test_the_oracle_counts_what_is_stated(case: Decision) -> None:
    expected = oracle_partition(case.problem.layers, case.where.rows)
    assert (len(expected.codes), len(expected.edges)) == (case.regions, case.edges)


@EACH
def test_the_count_is_the_stated_one(case: Decision) -> None:
    counted = ps.count(case.problem.net, case.where.domain)
    assert counted.complete
    assert (counted.regions, counted.adjacencies) == (case.regions, case.edges)


@EACH
@pytest.mark.parametrize("method", ["split", "walk"])
def test_the_partition_is_that_of_the_oracle(case: Decision, method: str) -> None:
    partition, _ = assert_agrees(case.problem, case.where, method=method)
    assert (len(partition), partition.n_adjacencies) == (case.regions, case.edges)


@EACH
@pytest.mark.parametrize("method", ["split", "walk"])
def test_the_code_of_a_float64_witness_is_its_regions(case: Decision, method: str) -> None:
    partition = ps.enumerate_regions(case.problem.net, case.where.domain, method=method)
    proven = partition.witness_exact
    found = case.problem.net.code(partition.witnesses[proven])
    np.testing.assert_array_equal(found, partition.codes[proven])


def test_coefficients_that_cancel_leave_the_right_codes() -> None:
    (case,) = (one for one in DECISIONS if one.name == "coefficients-that-cancel")
    for method in ("split", "walk"):
        partition = ps.enumerate_regions(case.problem.net, case.where.domain, method=method)
        assert code_set(partition) == {(0, 0), (1, 0), (1, 1)}


@pytest.mark.parametrize(("centre", "count"), [(0.052884615384615384, 1), (0.05275779376498801, 2)])
def test_a_small_ball_meets_the_regions_of_coefficients_that_cancel(centre: float, count: int) -> None:
    net = ps.Network.from_layers(
        [[[139.0], [139.0]], [[1 + 3 * 2**-46, -1.0]]],
        [[0.0, 0.0], [-3.126388037344441e-13]],
        ["identity", "relu"],
    )
    assert ps.local_complexity(net, [centre], 1e-6).counts.tolist() == [count]
    assert len(walked(net, ps.WholeSpace(1), start=[centre], radius=1e-6)) == count


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_a_region_that_touches_the_ball_meets_it_where_squares_underflow(norm: str) -> None:
    net = ps.Network.from_layers([[[2.71e-162]]], [[0.0]], ["relu"])
    found = walked(net, ps.Box([-10.0], [10.0]), start=[-1.0], radius=1.0, norm=norm)
    assert code_set(found) == {(0,), (1,)}


@pytest.mark.parametrize("method", ["split", "walk"])
@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_finds_the_same_witnesses_in_a_long_box(method: str, workers: int) -> None:
    net = ps.Network.from_layers(
        [[[1.3429543907546975, -0.41858622307165065]], [[1.0]]], [[0.0], [0.0]], ["softshrink:1.0", "relu"]
    )
    domain = ps.Box([-1.0, -1.0], [1.0, 1e10])
    one, more = (ps.enumerate_regions(net, domain, method=method, workers=k) for k in (1, workers))
    assert_identical(one, more)
    assert one.exact_fallbacks == more.exact_fallbacks


@pytest.mark.parametrize("method", ["split", "walk"])
@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_any_number_of_workers_finds_the_same_witnesses_of_half_integers(
    seed: int, workers: int, method: str
) -> None:
    rng = np.random.default_rng(seed)
    weights = [rng.integers(-4, 5, (4, 2)) / 2, rng.integers(-4, 5, (3, 4)) / 2]
    net = ps.Network.from_layers(weights, [np.zeros(4), np.zeros(3)], ["softshrink:1.0", "relu"])
    domain = ps.Box([-1.0, -1.0], [1.0, 1e10])
    one, more = (ps.enumerate_regions(net, domain, method=method, workers=k) for k in (1, workers))
    assert_identical(one, more)
    assert one.exact_fallbacks == more.exact_fallbacks


@pytest.mark.parametrize("start", [-0.5, 0.0, 0.5])
def test_a_facet_of_a_max_group_has_its_lowest_knot_from_any_start(start: float) -> None:
    net = ps.Network.from_layers([[[2.0], [1.0], [0.0]]], [[0.0] * 3], ["max:3"])
    domain = ps.Box([-1.0], [1.0])
    sources = {
        method: ps.enumerate_regions(net, domain, method=method, start=[start]).edge_sources.tolist()
        for method in ("split", "walk")
    }
    default = walked(net, domain).edge_sources.tolist()
    assert sources == {"split": default, "walk": default}
    assert code_set(walked(net, domain, start=[start])) == {(0,), (2,)}


def test_a_domain_of_one_ulp_is_full_dimensional_in_the_plane() -> None:
    given_problem = problem(
        ([np.eye(2), np.array([[1.0, 1.0], [1.0, -1.0]])], [np.array([1e10, 0.0]), np.array([-0.25, 0.125])]),
        ["identity", "relu"],
    )
    where = box([-1e10, -1.0], [math.nextafter(-1e10, 0.0), 1.0])
    for method in ("split", "walk"):
        assert_agrees(given_problem, where, method=method)
