"""Faces of every dimension: those of the oracle, with its names, in a complex that closes up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyspline as ps
from tests.agreement.support import Problem, Where, cube, polytope, problem
from tests.agreement.test_max_groups import maxout_weights, spelled
from tests.agreement.zoo import dying, families, zero_biases
from tests.oracle import integer_layers, oracle_partition
from tests.oracle.cases import integer_weights, random_weights, simplex_with_cuts
from tests.oracle.faces import Face, faces_of_cells, sides_of_face
from tests.oracle.integers import over_common_denominator

HERE = settings(derandomize=True, deadline=None, database=None)

Corners = frozenset[tuple[float, ...]]


def assert_faces_agree(given_: Problem, where: Where) -> Any:
    """Enumerate with faces, and compare with the oracle's all that there is to compare."""
    assert where.rows is not None
    part = ps.enumerate_regions(given_.net, where.domain, method="split", faces=True)
    found = part.faces
    assert found is not None
    oracle = oracle_partition(given_.layers, where.rows)
    expected = faces_of_cells(oracle.cells)
    assert found.f_vector == tuple(len(faces) for faces in expected)
    assert_closes_up(part)
    assert_names_are_those_of_the_oracle(given_, where, found, expected)
    return part


def assert_closes_up(part: Any) -> None:
    """Euler, boundaries of boundaries; the two highest dimensions are the regions and adjacencies."""
    found, top = part.faces, part.net.latent_dim
    assert found.euler_characteristic == 1
    for dimension in range(2, top + 1):
        product = found.boundary(dimension - 1).astype(int) @ found.boundary(dimension).astype(int)
        assert not (product.toarray() % 2).any()
    around = found.boundary(top).tolil().rows
    assert {len(regions) for regions in around} <= {1, 2}
    assert sorted(tuple(regions) for regions in around if len(regions) == 2) == sorted(
        map(tuple, part.edges.tolist())
    )
    outside = (found.signs[top - 1][:, found.units < 0] == 0).any(axis=1)
    np.testing.assert_array_equal(outside, [len(regions) == 1 for regions in around])


def assert_names_are_those_of_the_oracle(
    given_: Problem, where: Where, found: Any, expected: list[set[Face]]
) -> None:
    """Every face has the oracle's vertices, rounded, and the signs of its middle."""
    everything = np.vstack(found.signs)
    assert len(np.unique(everything, axis=0)) == len(everything)
    assert where.rows is not None
    chain = integer_layers(given_.layers)
    rows = [
        tuple(over_common_denominator([*normal, -offset])[0])
        for normal, offset in zip(where.rows[0].tolist(), where.rows[1].tolist(), strict=True)
    ]
    for faces, signs, theirs in zip(found.faces, found.signs, expected, strict=True):
        names: dict[Corners, list[tuple[int, ...]]] = {}
        for face in theirs:
            sides, on_row = sides_of_face(chain, rows, face)
            corners = frozenset(tuple(x / vertex[-1] for x in vertex[:-1]) for vertex in face)
            names.setdefault(corners, []).append((*signs_of_sides(given_, sides), *(1 - on for on in on_row)))
        mine: dict[Corners, list[tuple[int, ...]]] = {}
        for face, sign in zip(faces, signs.tolist(), strict=True):
            mine.setdefault(frozenset(map(tuple, found.vertices[list(face)].tolist())), []).append(
                tuple(sign)
            )
        assert {corners: sorted(some) for corners, some in mine.items()} == {
            corners: sorted(some) for corners, some in names.items()
        }


def signs_of_sides(given_: Problem, sides: list[tuple[int, ...]]) -> list[int]:
    """The sign vector of a point that these pieces hold."""
    signs: list[int] = []
    places = iter(sides)
    for _, _, units in given_.layers:
        for unit in units:
            if isinstance(unit, int) and unit > 1:
                held = next(places)
                signs.extend(0 if member in held else -1 for member in range(unit))
            elif not isinstance(unit, int) and unit[0]:
                held = next(places)
                # Knot k is between the pieces k and k + 1.
                signs.extend((held[0] > k) - (held[-1] <= k) for k in range(len(unit[0])))
    return signs


ZOO = families()
NAMES = [name for name in ZOO if ZOO[name][0][0].shape[1] < 3] + ["nearly_proportional-3", "integers-3"]


@pytest.mark.parametrize("name", NAMES)
def test_faces_of_degenerate_networks_are_the_oracles(name: str) -> None:
    given_ = problem(ZOO[name], "relu")
    assert_faces_agree(given_, cube(given_.dimension))


@pytest.mark.parametrize(
    ("weights", "activation"),
    [
        (random_weights([3, 5, 3, 1], 1), "leaky_relu:0.1"),
        (random_weights([2, 4, 3, 1], 2), "hardtanh"),
        (integer_weights([2, 4, 3, 1], 3), "relu6"),
        (random_weights([4, 5, 1], 4), "relu"),
        (zero_biases([4, 3, 2, 1], 5), "abs"),
        (dying([3, 4, 3, 1], 6), "relu"),
    ],
)
def test_faces_over_a_polytope_are_the_oracles(weights: Any, activation: str) -> None:
    given_ = problem(weights, activation)
    assert_faces_agree(given_, polytope(simplex_with_cuts(given_.dimension, 2, 0)))


@given(seed=st.integers(0, 10**6), dimension=st.integers(1, 3), integers=st.booleans())
@settings(HERE, max_examples=10)
def test_faces_of_max_groups_are_the_oracles(seed: int, dimension: int, integers: bool) -> None:
    members = [3, 2, 1] if seed % 2 else [1, 3, 1]
    weights = maxout_weights([dimension, 3, 2, 1], members, seed, integers=integers)
    assert_faces_agree(problem(weights, spelled(members)), cube(dimension))


@given(seed=st.integers(0, 10**6), dimension=st.integers(1, 2))
@settings(HERE, max_examples=6)
def test_faces_of_a_pool_over_relus_are_the_oracles(seed: int, dimension: int) -> None:
    # Where two of a window's units are off, its members are zero together: ties on whole regions.
    (first, _), (bias, end) = random_weights([dimension, 5, 1], seed)
    windows = np.eye(5)[[0, 1, 2, 1, 2, 3, 2, 3, 4]]
    head = np.random.default_rng(seed).normal(size=(1, 3))
    given_ = problem(([first, windows, head], [bias, np.zeros(9), end]), ["relu", "max:3", "identity"])
    assert_faces_agree(given_, cube(dimension))


def test_faces_of_groups_beside_scalar_units_are_the_oracles() -> None:
    (first,), (bias,) = random_weights([2, 8], 5)
    (last,), (end,) = random_weights([5, 4], 6)
    activations = ["max:2|relu|identity|max:3|abs", "max:2"]
    assert_faces_agree(problem(([first, last], [bias, end]), activations), cube(2))


def test_faces_in_four_dimensions_are_the_oracles() -> None:
    assert_faces_agree(problem(maxout_weights([4, 2, 2], [3, 2], 7), ["max:3", "max:2"]), cube(4))
