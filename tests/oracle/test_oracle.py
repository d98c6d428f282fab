"""The oracle is held to account first: known counts, hand-made networks, a second oracle by exact LPs."""

from __future__ import annotations

import ast
from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import pytest

from tests.arrangements import Arrangement, generic_arrangement, named_arrangements
from tests.oracle import (
    OraclePartition,
    brute_partition,
    exact_affine,
    exact_sides,
    integer_layers,
    oracle_partition,
)
from tests.oracle.brute import intersection_dimension
from tests.oracle.cases import box_rows, integer_weights, oracle_layers, random_weights, tent_weights
from tests.oracle.simplex import maximum

SIZES = [(1, 6), (2, 2), (2, 9), (3, 3), (3, 8), (4, 7), (5, 6)]
ARRANGEMENTS = named_arrangements() + [generic_arrangement(dimension, m) for dimension, m in SIZES]
UNIT_SQUARE = box_rows([0, 0], [1, 1])


def of_arrangement(arrangement: Arrangement) -> OraclePartition:
    m = len(arrangement.offsets)
    weights = [arrangement.normals, np.ones((1, m))]
    biases = [-arrangement.offsets, np.zeros(1)]
    return oracle_partition(oracle_layers(weights, biases, ["relu", "identity"]), None, whole_space=True)


@pytest.mark.parametrize("arrangement", ARRANGEMENTS, ids=lambda arrangement: arrangement.name)
def test_arrangements_have_their_known_counts(arrangement: Arrangement) -> None:
    partition = of_arrangement(arrangement)
    assert (len(partition.codes), len(partition.edges)) == (arrangement.regions, arrangement.adjacencies)


@pytest.mark.parametrize(("dimension", "m"), SIZES)
def test_generic_arrangements_have_their_bounded_regions(dimension: int, m: int) -> None:
    partition = of_arrangement(generic_arrangement(dimension, m))
    assert sum(partition.bounded.values()) == comb(m - 1, dimension)


@pytest.mark.parametrize(("depth", "dimension"), [(1, 1), (3, 1), (6, 1), (2, 2), (3, 2), (2, 3)])
def test_tent_maps_have_their_known_pieces(depth: int, dimension: int) -> None:
    layers = oracle_layers(*tent_weights(depth, dimension), ["relu"] * depth + ["identity"])
    partition = oracle_partition(layers, box_rows([0] * dimension, [1] * dimension))
    side = 2**depth
    assert len(partition.codes) == partition.n_affine_regions == side**dimension
    assert len(partition.edges) == dimension * (side - 1) * side ** (dimension - 1)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("widths", "activation", "whole_space"),
    [
        ([1, 3, 2, 1], "relu", True),
        ([2, 3, 3, 1], "relu", False),
        ([2, 3, 3, 1], "leaky_relu:0.25", True),
        ([2, 2, 2, 1], "hardtanh", False),
        ([2, 3, 1], "hardtanh", True),
        ([3, 4, 1], "relu", True),
        ([3, 3, 2], "abs", False),
    ],
)
def test_cutting_cells_agrees_with_trying_every_code(
    widths: list[int], activation: str, whole_space: bool, seed: int
) -> None:
    activations = [activation] * (len(widths) - 2) + ["identity"]
    layers = oracle_layers(*integer_weights(widths, seed), activations)
    domain = None if whole_space else box_rows([-1] * widths[0], [2] * widths[0])
    codes, edges = brute_partition(layers, domain)
    partition = oracle_partition(layers, domain, whole_space)
    assert set(partition.codes) == codes
    assert partition.edges == edges


@pytest.mark.parametrize("whole_space", [False, True])
def test_interior_points_are_strictly_inside_their_region(whole_space: bool) -> None:
    layers = oracle_layers(*random_weights([2, 8, 8, 2], 3), ["relu", "hardtanh", "identity"])
    partition = oracle_partition(layers, None if whole_space else box_rows([-1, -1], [1, 1]), whole_space)
    assert len(partition.codes) > 20
    for code, point in partition.interior_points.items():
        sides, output = exact_sides(integer_layers(layers), point)
        assert sides == [(piece,) for piece in code]
        rows = exact_affine(layers, code)
        values = [sum(a * x for a, x in zip(row, point, strict=False)) + row[-1] for row in rows]
        assert values == output


def test_a_unit_on_its_knot_everywhere_is_on_the_lower_piece() -> None:
    # The second unit is 0 · z + 0; hard-tanh's is constant on its upper knot.
    weights = [np.array([[1.0], [0.0]])]
    relu = oracle_partition(oracle_layers(weights, [np.zeros(2)], ["relu"]), box_rows([-1], [1]))
    assert set(relu.codes) == {(0, 0), (1, 0)}
    hardtanh = oracle_partition(
        oracle_layers(weights, [np.array([0.0, 1.0])], ["hardtanh"]), None, whole_space=True
    )
    assert set(hardtanh.codes) == {(0, 1), (1, 1), (2, 1)}


def test_a_knot_on_the_domains_boundary_makes_no_region_and_no_edge() -> None:
    layers = oracle_layers([np.array([[1.0, 0.0], [-1.0, 0.0]])], [np.array([-1.0, 1.0])], ["relu"])
    partition = oracle_partition(layers, UNIT_SQUARE)
    assert partition.codes == [(0, 1)]
    assert partition.edges == set()


def test_regions_that_share_only_a_vertex_are_no_neighbours() -> None:
    layers = oracle_layers([np.eye(2)], [np.zeros(2)], ["relu"])
    partition = oracle_partition(layers, None, whole_space=True)
    assert len(partition.codes) == 4
    assert partition.edges == {
        frozenset(pair) for pair in [((0, 0), (0, 1)), ((0, 0), (1, 0)), ((1, 1), (0, 1)), ((1, 1), (1, 0))]
    }


def test_identity_neurons_have_no_code_entry() -> None:
    layers = oracle_layers([np.eye(2), np.ones((1, 2))], [np.zeros(2), np.zeros(1)], ["identity", "relu"])
    partition = oracle_partition(layers, None, whole_space=True)
    assert sorted(partition.codes) == [(0,), (1,)]


def test_affine_regions_merge_only_neighbours_with_the_same_map() -> None:
    # relu(x) - relu(x) is zero everywhere; relu(x - 1) + relu(-x - 1) is flat in the middle only.
    layers = oracle_layers(
        [np.array([[1.0], [1.0]]), np.array([[1.0, -1.0]])], [np.zeros(2), np.zeros(1)], ["relu", "identity"]
    )
    assert oracle_partition(layers, None, whole_space=True).n_affine_regions == 1
    layers = oracle_layers(
        [np.array([[1.0], [1.0]]), np.array([[1.0, -1.0]])],
        [np.array([1.0, -1.0]), np.zeros(1)],
        ["relu", "identity"],
    )
    step = oracle_partition(layers, None, whole_space=True)
    assert (len(step.codes), step.n_affine_regions) == (3, 3)
    # |x| on one side and zero on two separated ones: equal maps that do not touch stay apart.
    hat = [np.array([[1.0], [1.0], [1.0]]), np.array([[1.0, -2.0, 1.0]])]
    layers = oracle_layers(hat, [np.array([1.0, 0.0, -1.0]), np.zeros(1)], ["relu", "identity"])
    partition = oracle_partition(layers, None, whole_space=True)
    assert (len(partition.codes), partition.n_affine_regions) == (4, 4)
    assert exact_affine(layers, (0, 0, 0)) == exact_affine(layers, (1, 1, 1)) == [(Fraction(0), Fraction(0))]


def test_facets_of_a_cut_square_are_counted() -> None:
    layers = oracle_layers([np.array([[1.0, 1.0]])], [np.array([-0.5])], ["relu"])
    partition = oracle_partition(layers, UNIT_SQUARE)
    assert partition.facet_counts == {(0,): 3, (1,): 5}
    whole = oracle_partition(layers, None, whole_space=True)
    assert whole.facet_counts == {(0,): 1, (1,): 1}


def test_the_linear_program_of_the_oracle_knows_simple_answers() -> None:
    assert maximum([1, 1], [[1, 0], [0, 1], [-1, -1]], [2, 3, 0]) == 5
    assert maximum([1], [[1], [-1]], [1, -3]) is None
    assert maximum([1, 0], [[1, 3], [1, -3]], [Fraction(1, 3), 1]) == Fraction(2, 3)
    with pytest.raises(ArithmeticError, match="unbounded"):
        maximum([1], [[-1]], [0])


def test_dimensions_of_intersections_are_exact() -> None:
    square = [(1, 0, -1), (-1, 0, 0), (0, 1, -1), (0, -1, 0)]
    assert intersection_dimension(square, 2) == 2
    assert intersection_dimension([*square, (-1, 0, 1)], 2) == 1
    assert intersection_dimension([*square, (-1, -1, 2)], 2) == 0
    assert intersection_dimension([*square, (-1, -1, 3)], 2) == -1


def test_the_oracle_imports_nothing_of_the_engine() -> None:
    allowed = {"__future__", "collections", "dataclasses", "fractions", "functools", "itertools", "math"}
    allowed |= {"numpy", "operator", "typing"}
    for path in Path(__file__).parent.glob("*.py"):
        if path.name.startswith("test_"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.split(".")[0] in allowed or name.startswith("tests.oracle")
