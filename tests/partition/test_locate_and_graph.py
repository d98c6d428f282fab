"""Queries of a partition: which region, which neighbours, the graph, affine regions."""

from __future__ import annotations

from collections import defaultdict
from itertools import product

import numpy as np
import pytest

from polyspline.errors import DomainError, NonFiniteError, ShapeError
from polyspline.partition import Partition, StopReason, lookup
from tests.oracle.cases import Weights, integer_weights, random_weights
from tests.partition.from_oracle import Case, case, cut_off

CASES = {
    "generic": lambda: case(random_weights([2, 5, 4, 1], 1), "relu"),
    "lattice": lambda: case(integer_weights([2, 4, 3, 1], 4), "relu", 2.0),
    "lattice in 3-D": lambda: case(integer_weights([3, 4, 2, 1], 5), "relu", 2.0),
    "hardtanh lattice": lambda: case(integer_weights([2, 3, 2, 1], 6), "hardtanh", 2.0),
    "abs lattice": lambda: case(integer_weights([2, 3, 2, 1], 7), "abs", 2.0),
    "whole space": lambda: case(integer_weights([2, 4, 3, 2], 8), "leaky_relu:0.25", None),
    "dead units": lambda: case(dead_weights(), "relu", 2.0),
    "one dimension": lambda: case(random_weights([1, 5, 4, 2], 2), "relu"),
}


def dead_weights() -> Weights:
    """The second layer is on its knot wherever both units of the first are off."""
    first = np.array([[1.0, 0.0], [0.0, 1.0]])
    second = np.array([[1.0, 1.0], [1.0, -1.0], [-2.0, -2.0]])
    return [first, second, np.ones((1, 3))], [np.zeros(2), np.zeros(3), np.zeros(1)]


@pytest.fixture(params=sorted(CASES), scope="module")
def example(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]()


def test_locate_gives_the_lowest_closed_region(example: Case) -> None:
    dim = example.partition.net.latent_dim
    # A grid of integers and halves lies on many knots of a network of small integers.
    axis = [-3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0]
    grid = np.array(list(product(axis, repeat=dim)))
    random = np.random.default_rng(0).uniform(-1.5, 1.5, (40, dim))
    points = np.concatenate([grid, random, example.partition.witnesses])
    expected = [min(example.closed_regions_with(z), default=-1) for z in points]
    np.testing.assert_array_equal(example.partition.locate(points), expected)


def test_locate_finds_every_witness(example: Case) -> None:
    part = example.partition
    exact = np.flatnonzero(part.witness_exact)
    np.testing.assert_array_equal(np.asarray(part.locate(part.witnesses))[exact], exact)


def test_locate_agrees_with_contains(example: Case) -> None:
    part = example.partition
    points = np.random.default_rng(3).integers(-4, 5, (25, part.net.latent_dim)) / 2.0
    inside = np.array([region.contains(points) for region in part])
    expected = np.where(inside.any(axis=0), inside.argmax(axis=0), -1)
    np.testing.assert_array_equal(part.locate(points), expected)


def test_scanning_and_hashing_find_the_same(example: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    part = example.partition
    points = np.random.default_rng(4).integers(-4, 5, (40, part.net.latent_dim)) / 2.0
    hashed = part.locate(points)
    monkeypatch.setattr(lookup, "_MOST_CANDIDATES", 0)
    np.testing.assert_array_equal(part.locate(points), hashed)


def test_codes_of_one_hash_are_told_apart(example: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "_hashes", lambda packed: np.zeros(len(packed), dtype=np.uint64))
    part = example.partition
    index = lookup.CodeIndex(part.packing, part.packed)
    np.testing.assert_array_equal(index.find(part.packed), np.arange(len(part)))


def test_a_partial_partition_locates_in_kept_regions_only(example: Case) -> None:
    whole = example.partition
    part = cut_off(whole, 0, len(whole) // 2)
    points = np.random.default_rng(5).integers(-4, 5, (25, whole.net.latent_dim)) / 2.0
    kept = [[i for i in example.closed_regions_with(z) if i < len(part)] for z in points]
    np.testing.assert_array_equal(part.locate(points), [min(found, default=-1) for found in kept])
    assert not part.complete


def test_affine_regions_are_those_of_the_oracle(example: Case) -> None:
    part = example.partition
    theirs = example.oracle.affine_labels()
    labels = part.affine_labels()
    assert part.n_affine_regions == example.oracle.n_affine_regions
    pairs = {(theirs[code], int(labels[i])) for i, code in enumerate(example.codes)}
    assert len(pairs) == part.n_affine_regions
    # Numbered by the lowest region of each.
    first = [int(np.flatnonzero(labels == label)[0]) for label in range(part.n_affine_regions)]
    assert first == sorted(first)


def test_the_graph_is_that_of_the_oracle(example: Case) -> None:
    part = example.partition
    graph = part.graph(affine_regions=True, normals=True)
    assert graph.number_of_nodes() == len(part)
    edges = {frozenset((example.codes[i], example.codes[j])) for i, j in graph.edges}
    assert edges == example.oracle.edges
    assert part.n_adjacencies == len(edges)
    for i, node in graph.nodes(data=True):
        digits = tuple(int(digit) for digit in node["code"])
        assert digits == example.codes[i]
        assert node["witness"] == tuple(part.witnesses[i])
        assert node["expanded"] is True
        assert node["affine_region"] == part.affine_labels()[i]
        assert ("bounded" in node) == part.domain.bounded
    for i, j, edge in graph.edges(data=True):
        low, high = min(i, j), max(i, j)
        flips = np.flatnonzero(part.code(low) != part.code(high))
        assert edge["units"] == tuple(flips)
        assert edge["source"][0] in edge["units"]
        step = part.witnesses[high] - part.witnesses[low]
        assert np.dot(edge["normal"], step) > 0
        assert np.linalg.norm(edge["normal"]) == pytest.approx(1.0)


def test_neighbours_are_those_of_the_edges(example: Case) -> None:
    part = example.partition
    expected: dict[int, list[int]] = defaultdict(list)
    for i, j in part.edges.tolist():
        expected[i].append(j)
        expected[j].append(i)
    for i in range(len(part)):
        assert part.neighbours(i).tolist() == sorted(expected[i])
    assert part.adjacency.degrees.sum() == 2 * part.n_adjacencies


def test_codes_lead_to_their_region(example: Case) -> None:
    part = example.partition
    assert part.codes.dtype == part.net.code_dtype
    for i in (0, len(part) // 2, len(part) - 1):
        assert part.index_of(part.code(i)) == i
        assert tuple(part.codes[i]) == example.codes[i] == tuple(part[i].code)
    every = set(example.codes)
    n_pieces = part.packing.n_pieces.tolist()
    missing = next((code for code in product(*map(range, n_pieces)) if code not in every), None)
    if missing is not None:
        assert part.index_of(np.array(missing)) == -1
        with pytest.raises(IndexError, match="no region"):
            part[part.index_of(np.array(missing))]


def test_indices_behave_like_those_of_a_list() -> None:
    part = CASES["generic"]().partition
    assert part[-1].index == len(part) - 1
    assert part[np.int64(0)].index == 0
    for wrong in (len(part), -len(part) - 1):
        with pytest.raises(IndexError, match="does not exist"):
            part[wrong]
    assert [region.index for region in part] == list(range(len(part)))


def test_one_point_gives_an_int_and_wrong_points_are_refused() -> None:
    part = CASES["generic"]().partition
    assert type(part.locate([0.1, 0.2])) is int
    assert np.asarray(part.locate(np.zeros((0, 2)))).shape == (0,)
    with pytest.raises(ShapeError):
        part.locate([0.0, 0.0, 0.0])
    with pytest.raises(NonFiniteError):
        part.locate([0.0, np.nan])


def test_a_point_outside_is_no_region() -> None:
    part = CASES["generic"]().partition
    outside = [5.0, 0.0]
    with pytest.raises(DomainError, match="outside the domain"):
        part.locate(outside)
    with pytest.raises(DomainError, match="outside the domain"):
        part.region_at(outside)
    found = np.asarray(part.locate([outside, [0.1, 0.2]]))
    assert found.dtype == np.int64
    assert found[0] == -1
    # The -1 of a batch, or of a code that no region has, is refused as an index, whatever is asked.
    for index in (found[0], found[:1].reshape(()), np.int8(-1)):
        for ask in (part.__getitem__, part.code, part.neighbours):
            with pytest.raises(IndexError, match="no region"):
                ask(index)
    assert part[found[1]].index == part.region_at([0.1, 0.2]).index == part.locate([0.1, 0.2])
    with pytest.raises(ShapeError, match="one point"):
        part.region_at([[0.1, 0.2]])


def test_a_point_in_no_kept_region_is_no_region() -> None:
    whole = CASES["generic"]().partition
    part = cut_off(whole, 0, len(whole) // 2)
    with pytest.raises(DomainError, match="partial partition"):
        part.locate(whole.witnesses[-1])
    assert np.asarray(part.locate(whole.witnesses[-1:])).tolist() == [-1]


def test_cancelling_columns_are_recognised_exactly() -> None:
    # Two equal units whose contributions cancel in exact arithmetic, though not by any zero weight.
    weight = np.array([[1.0, 0.3], [1.0, 0.3], [0.7, -1.0]])
    bias = np.array([0.1, 0.1, 0.0])
    out = np.array([[0.3, -0.3, 1.0]])
    example = case(([weight, out], [bias, np.zeros(1)]), "relu")
    assert len(example.partition) == 4
    assert example.partition.n_affine_regions == 2 == example.oracle.n_affine_regions
    # Equal only in exact sums: 3 * 0.1 is not 0.3, so this one does not cancel.
    out = np.array([[0.3, -0.1, -0.1, -0.1, 1.0]])
    weight = np.array([[1.0, 0.3]] * 4 + [[0.7, -1.0]])
    example = case(([weight, out], [np.array([0.1] * 4 + [0.0]), np.zeros(1)]), "relu")
    assert example.partition.n_affine_regions == example.oracle.n_affine_regions == 4


def test_affine_regions_of_a_column_that_cancels_deeper() -> None:
    # One unit in the first layer; its two paths through the second cancel where both are on.
    first = np.array([[1.0, 0.0], [0.0, 1.0]])
    second = np.array([[0.1, 0.0], [0.1, 0.0], [0.0, 1.0]])
    third = np.array([[0.7, -0.7, 1.0]])
    biases = [np.zeros(2), np.array([0.3, 0.5, -0.5]), np.zeros(1)]
    example = case(([first, second, third], biases), "relu", 2.0)
    assert example.partition.n_affine_regions == example.oracle.n_affine_regions


def test_a_network_without_units_has_one_region() -> None:
    example = case(([np.array([[1.0, 2.0]])], [np.zeros(1)]), ["identity"])
    part = example.partition
    assert len(part) == 1 == part.n_affine_regions
    assert part.locate([0.5, 0.5]) == 0
    assert part.graph().number_of_edges() == 0


def test_an_empty_partial_partition_answers_too() -> None:
    part: Partition = cut_off(CASES["generic"]().partition, 0, 0)
    assert len(part) == 0 == part.n_affine_regions
    assert np.asarray(part.locate([[0.0, 0.0]])).tolist() == [-1]
    assert part.graph().number_of_nodes() == 0


@pytest.mark.parametrize("reason", list(StopReason))
def test_stop_reasons_come_back_from_their_key(reason: StopReason) -> None:
    assert StopReason.from_key(reason.key) is reason
    with pytest.raises(ValueError, match="no stop reason"):
        StopReason.from_key("bored")
