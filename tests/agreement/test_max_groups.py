"""Max groups: the engine finds the regions and adjacencies that the oracle finds, ties included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyspline as ps
from tests.agreement.support import assert_agrees, code_set, cube, edge_set, problem, walked, whole_space
from tests.oracle.brute import brute_partition
from tests.oracle.cases import Weights, integer_weights, random_weights

HERE = settings(derandomize=True, deadline=None, database=None)


def maxout_weights(widths: list[int], members: list[int], seed: int, *, integers: bool = False) -> Weights:
    """Weights of layers with groups of so many members each."""
    make = integer_weights if integers else random_weights
    rows = [
        make([before, after * group], seed + depth)
        for depth, (before, after, group) in enumerate(zip(widths[:-1], widths[1:], members, strict=True))
    ]
    return [weights[0] for weights, _ in rows], [biases[0] for _, biases in rows]


def spelled(members: list[int]) -> list[str]:
    return ["identity" if group == 1 else f"max:{group}" for group in members]


@pytest.mark.parametrize(
    ("widths", "members"),
    [
        ([1, 4, 3, 1], [3, 2, 1]),
        ([2, 5, 4, 2], [2, 3, 1]),
        ([2, 4, 3], [4, 3]),
        ([3, 4, 3, 1], [2, 3, 1]),
        ([4, 4, 2, 1], [2, 2, 1]),
    ],
)
@pytest.mark.parametrize("where", ["box", "everywhere"])
def test_generic_maxout_networks_agree_with_the_oracle(
    widths: list[int], members: list[int], where: str
) -> None:
    domain = cube(widths[0]) if where == "box" else whole_space(widths[0])
    part, _ = assert_agrees(problem(maxout_weights(widths, members, 3), spelled(members)), domain)
    assert part.exact_fallbacks == 0 or where == "everywhere"


@given(seed=st.integers(0, 10**6), dimension=st.integers(1, 3), everywhere=st.booleans())
@settings(HERE, max_examples=20)
def test_integer_maxout_networks_agree_with_the_oracle(seed: int, dimension: int, everywhere: bool) -> None:
    members = [3, 2, 1]
    weights = maxout_weights([dimension, 3, 2, 1], members, seed, integers=True)
    domain = whole_space(dimension) if everywhere else cube(dimension)
    assert_agrees(problem(weights, spelled(members)), domain)


@given(seed=st.integers(0, 10**6), dimension=st.integers(1, 3))
@settings(HERE, max_examples=12)
def test_a_pool_over_relus_agrees_with_the_oracle(seed: int, dimension: int) -> None:
    # Where two of a window's units are off, its members are zero together: ties on whole regions.
    (first, _), (bias, end) = random_weights([dimension, 5, 1], seed)
    windows = np.eye(5)[[0, 1, 2, 1, 2, 3, 2, 3, 4]]  # they overlap: the same difference in two groups
    head = np.random.default_rng(seed).normal(size=(1, 3))
    given_ = problem(([first, windows, head], [bias, np.zeros(9), end]), ["relu", "max:3", "identity"])
    assert_agrees(given_, cube(dimension))


@pytest.mark.parametrize("activation", ["max:2|relu|identity|max:3|abs", "relu|max:3|max:2|identity|max:2"])
def test_groups_and_scalar_units_mix_in_one_layer(activation: str) -> None:
    rows = sum(
        int(name.removeprefix("max:")) if name.startswith("max:") else 1 for name in activation.split("|")
    )
    (first,), (bias,) = random_weights([2, rows], 5)
    (last,), (end,) = random_weights([5, 4], 6)
    assert_agrees(problem(([first, last], [bias, end]), [activation, "max:2"]), cube(2))


def test_a_maximum_of_two_has_the_regions_of_a_relu() -> None:
    # max(a, b) = a + relu(b - a): the pieces are those of the relu of the difference.
    (rows,), (bias,) = random_weights([3, 10], 8)
    maxout = ps.Network.from_layers([rows, np.ones((1, 5))], [bias, [0.0]], ["max:2", "identity"])
    relu = ps.Network.from_layers(
        [rows[1::2] - rows[::2], np.ones((1, 5))], [bias[1::2] - bias[::2], [0.0]], ["relu", "identity"]
    )
    box = ps.Box(-1, 1, dim=3)
    left, right = walked(maxout, box), walked(relu, box)
    assert code_set(left) == code_set(right)
    assert edge_set(left) == edge_set(right)


@pytest.mark.parametrize("seed", range(3))
def test_both_oracles_know_max_groups(seed: int) -> None:
    given_ = problem(maxout_weights([2, 2, 2], [3, 2], seed, integers=True), ["max:3", "max:2"])
    part = walked(given_.net, ps.Box(-1, 1, dim=2))
    codes, edges = brute_partition(given_.layers, cube(2).rows)
    assert code_set(part) == codes
    assert edge_set(part) == edges


def test_three_members_that_are_equal_on_one_facet_are_told_apart() -> None:
    # On z_1 = 0 all three are equal, and the steepest wins on either side.
    rows = np.array([[1.0, 0.0], [-1.0, 0.0], [2.0, 0.0]])
    given_ = problem(([rows, np.ones((1, 1))], [np.zeros(3), np.zeros(1)]), ["max:3", "identity"])
    part, _ = assert_agrees(given_, cube(2))
    assert sorted(part.codes.ravel().tolist()) == [1, 2]


def test_points_of_several_closed_regions_are_located_in_the_lowest() -> None:
    net = ps.Network.from_layers(
        [np.array([[1.0], [-1.0], [0.0]]), [[1.0]]], [np.zeros(3), [0.0]], ["max:3", "identity"]
    )
    part = walked(net, ps.Box(-1, 1, dim=1))
    assert part.locate([0.0]) == 0
    assert [bool(region.contains([0.0])) for region in part] == [True, True]
    assert net.code([0.0]).tolist() == [0]
    np.testing.assert_array_equal(part.locate([[-0.5], [0.5], [2.0]]) >= 0, [True, True, False])


@pytest.mark.parametrize("activation", ["relu", "hardtanh"])
@pytest.mark.parametrize("stride", [1, 2])
def test_ties_of_a_pool_over_flat_pieces_take_no_rationals(activation: str, stride: int) -> None:
    # Copies of units are followed from row to row: equal constants, and chains a >= b >= 0.
    (first,), (bias,) = random_weights([2, 8], 4)
    windows = np.eye(8)[[i + j for i in range(0, 6, stride) for j in range(3)]]
    (last,), (end,) = random_weights([len(windows) // 3, 1], 5)
    layers = ([first, windows, last], [bias, np.zeros(len(windows)), end])
    part, _ = assert_agrees(problem(layers, [activation, "max:3", "identity"]), cube(2))
    assert len(part) > 40
    assert part.exact_fallbacks == 0
