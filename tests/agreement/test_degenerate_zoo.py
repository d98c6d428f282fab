"""Degenerate networks and domains: the engine agrees with the oracle on every one of them."""

from __future__ import annotations

import numpy as np
import pytest

import polyspline as ps
from tests.agreement.support import (
    Where,
    assert_agrees,
    assert_same_partition,
    box,
    code_set,
    cube,
    edge_set,
    polytope,
    problem,
    walked,
    whole_space,
)
from tests.agreement.zoo import families, related_units, single_layer
from tests.oracle import oracle_partition
from tests.oracle.cases import random_weights
from tests.oracle.forms import FloatArray

ZOO = families()


def simplex_rows(dimension: int) -> tuple[FloatArray, FloatArray]:
    return np.vstack([-np.eye(dimension), np.ones((1, dimension))]), np.append(np.zeros(dimension), 1.0)


def places(dimension: int) -> dict[str, Where]:
    return {
        "cube": cube(dimension),
        "corner-at-the-origin": box([0.0] * dimension, [1.0] * dimension),
        "simplex": polytope(simplex_rows(dimension)),
        "whole-space": whole_space(dimension),
    }


@pytest.mark.parametrize("place", ["cube", "corner-at-the-origin", "simplex", "whole-space"])
@pytest.mark.parametrize("family", ZOO)
def test_relu_networks_agree(family: str, place: str) -> None:
    weights = ZOO[family]
    assert_agrees(problem(weights, "relu"), places(weights[0][0].shape[1])[place])


@pytest.mark.parametrize("activation", ["leaky_relu:0.1", "hardtanh", "abs"])
@pytest.mark.parametrize(
    "family",
    [
        *(
            "duplicate-2",
            "negated-2",
            "parallel-2",
            "proportional-2",
            "lattice-2",
            "zero-biases-2",
            "dying-2",
        ),
        *("integers-2", "dead-units", "constant", "folded", "knots-on-sides", "flat-directions-3"),
        *("one-unit-layers-2", "scaled-apart"),
    ],
)
def test_other_units_agree(family: str, activation: str) -> None:
    weights = ZOO[family]
    given = problem(weights, activation)
    assert_agrees(given, cube(given.dimension))
    assert_agrees(given, whole_space(given.dimension))


@pytest.mark.parametrize("family", ["constant", "all-dead", "no-hidden-layer"])
def test_networks_without_a_knot_have_one_region(family: str) -> None:
    for where in places(2).values():
        partition, _ = assert_agrees(problem(ZOO[family], "relu"), where)
        assert len(partition) == partition.n_affine_regions == 1
        assert partition.n_adjacencies == 0


def test_a_unit_on_its_knot_is_on_the_lower_piece_whatever_the_walk_comes_from() -> None:
    # relu(relu(x)): the second unit is zero on x <= 0 and must be 0 there from either side.
    weights = ([np.eye(1), np.eye(1), np.eye(1)], [np.zeros(1), np.zeros(1), np.zeros(1)])
    for start in (-0.5, 0.0, 0.5):
        partition, _ = assert_agrees(problem(weights, "relu"), cube(1), start=np.array([start]))
        assert code_set(partition) == {(0, 0), (1, 1)}


def test_knots_equal_to_domain_rows_make_no_region_and_no_edge() -> None:
    rows, offsets = simplex_rows(2)
    for factor in (1.0, -1.0, 2.0, -0.25):
        weights = single_layer([*(factor * rows).tolist(), [1.0, -1.0]], [*(-factor * offsets).tolist(), 0.0])
        partition, _ = assert_agrees(problem(weights, "relu"), polytope((rows, offsets)))
        assert len(partition) == 2
        assert partition.n_adjacencies == 1


def test_facets_on_the_boundary_name_the_knots_that_lie_on_them() -> None:
    weights = single_layer([[1.0, 0.0], [0.0, 1.0]], [-1.0, 0.0])
    net = ps.Network.from_layers(*weights)
    partition = walked(net, ps.Box(-1, 1, dim=2))
    assert len(partition) == 2
    for region in partition:
        right = [facet for facet in region.facets if facet.normal.tolist() == [1.0, 0.0]]
        assert len(right) == 1
        assert right[0].across is None
        assert {source.kind for source in right[0].sources} == {"unit", "domain"}


def test_redundant_and_repeated_domain_rows_change_nothing() -> None:
    rows, offsets = simplex_rows(2)
    more = np.vstack([rows, rows[:1] * 3.0, [[1.0, 1.0]], [[1.0, 0.0]]])
    bounds = np.concatenate([offsets, offsets[:1] * 3.0, [5.0, 1.0]])
    given = problem(random_weights([2, 6, 5, 1], 3), "relu")
    partition, _ = assert_agrees(given, polytope((more, bounds)), regions=False)
    plain = walked(given.net, ps.Polytope(rows, offsets))
    assert code_set(partition) == code_set(plain)
    assert edge_set(partition) == edge_set(plain)


@pytest.mark.parametrize("seed", range(6))
def test_cells_thinner_than_floats_resolve_are_found(seed: int) -> None:
    given = problem(related_units("nearly_proportional", 1, seed), "relu")
    assert_agrees(given, cube(1))
    given = problem(related_units("nearly_proportional", 2, seed), "leaky_relu:0.1")
    assert_agrees(given, cube(2))


def test_a_region_without_a_float_inside_has_a_rational_witness() -> None:
    # Between 1/3 rounded and 1/3 itself there is no float64.
    third = 1.0 / 3.0
    partition, _ = assert_agrees(problem(single_layer([[1.0], [3.0]], [-third, -1.0]), "relu"), cube(1))
    assert len(partition) == 3
    assert sorted(partition.witness_exact.tolist()) == [False, True, True]


def test_knots_beyond_the_largest_float_agree() -> None:
    tiny = 5e-324
    given = problem(single_layer([[tiny, 0.0], [1.0, tiny], [0.0, 1.0]], [1.0, 2.0, 0.0]), "relu")
    partition = walked(given.net, ps.WholeSpace(2))
    assert_same_partition(partition, oracle_partition(given.layers, None, whole_space=True))


@pytest.mark.parametrize("scale", [2.0**-300, 2.0**-60, 2.0**60, 2.0**300])
def test_a_region_with_floats_inside_has_a_float_for_its_witness(scale: float) -> None:
    net = ps.Network.from_layers(*single_layer([[scale]], [1.0]))
    assert walked(net, ps.WholeSpace(1)).witness_exact.all()


@pytest.mark.parametrize("exponent", [-300, -60, 60, 300])
def test_small_and_large_domains_agree(exponent: int) -> None:
    size = 2.0**exponent
    weights, biases = random_weights([2, 6, 5, 1], 8)
    moved = [biases[0] * size, *biases[1:]]
    if abs(exponent) < 300:
        moved = [bias * size for bias in biases]
    assert_agrees(problem((weights, moved), "relu"), cube(2, size), regions=abs(exponent) < 300)


def test_a_box_far_from_the_origin_agrees() -> None:
    weights, biases = random_weights([2, 6, 6, 1], 2)
    shift = np.array([2.0**30, -(2.0**30)])
    biases = [biases[0] - weights[0] @ shift, *biases[1:]]
    assert_agrees(problem((weights, biases), "relu"), box((shift - 1.0).tolist(), (shift + 1.0).tolist()))


def test_a_thin_box_agrees() -> None:
    given = problem(random_weights([3, 6, 5, 1], 4), "relu")
    assert_agrees(given, box([-1.0, -1.0, 0.1], [1.0, 1.0, 0.1 + 2.0**-40]))
    assert_agrees(given, box([-1.0, 0.25, 0.1], [1.0, 0.25 + 2.0**-53, 0.1 + 2.0**-55]))


def test_a_box_without_a_float_inside_agrees() -> None:
    given = problem(random_weights([2, 3, 1], 4), "relu")
    part, _ = assert_agrees(given, box([0.0, 0.1], [1.0, float(np.nextafter(0.1, 1.0))]))
    assert not part.witness_exact.any()
