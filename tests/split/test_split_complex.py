"""Laws of the polyhedral complex: Euler, boundaries of boundaries, names, and known topology."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polyspline as ps

CASES = {
    "line": (ps.zoo.random_network([1, 9, 9, 1], seed=0), ps.Box(-1.0, 1.0, dim=1)),
    "square": (ps.zoo.random_network([2, 7, 6, 1], seed=1), ps.Box(-1.0, 1.0, dim=2)),
    "hardtanh": (ps.zoo.random_network([2, 5, 4, 1], "hardtanh", seed=2), ps.Box(-1.0, 1.0, dim=2)),
    "cube": (ps.zoo.random_network([3, 5, 4, 1], seed=3), ps.Box(-1.0, 1.0, dim=3)),
    "concurrent": (
        ps.Network.from_layers([[[1, 0], [0, 1], [1, 1], [1, -1]], [[1, -1, 1, 2]]], [[0] * 4, [0]], "relu"),
        ps.Polytope([[-1, 0], [0, -1], [1, 1]], [1, 1, 1]),
    ),
}


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Any, Any, Any]:
    net, domain = CASES[request.param]
    return net, domain, ps.complex(net, domain)


def test_the_regions_of_a_convex_domain_have_euler_characteristic_one(case: tuple[Any, Any, Any]) -> None:
    _, _, found = case
    assert found.euler_characteristic == 1
    assert found.betti_numbers == (1,) + (0,) * (len(found.f_vector) - 1)


def test_its_top_faces_are_the_regions_and_its_ridges_the_adjacencies(case: tuple[Any, Any, Any]) -> None:
    net, domain, found = case
    part = ps.enumerate_regions(net, domain, method="split")
    assert found.f_vector[-1] == len(part)
    shared = np.asarray(found.boundary(len(found.f_vector) - 1).sum(axis=1))
    assert sorted(set(shared.tolist())) in ([1, 2], [1])
    assert int((shared == 2).sum()) == part.n_adjacencies


def test_the_boundary_of_a_boundary_is_nothing(case: tuple[Any, Any, Any]) -> None:
    _, _, found = case
    for dimension in range(2, len(found.f_vector)):
        product = found.boundary(dimension - 1).astype(int) @ found.boundary(dimension).astype(int)
        assert not (product.toarray() % 2).any()


def test_sign_vectors_name_the_faces(case: tuple[Any, Any, Any]) -> None:
    net, _, found = case
    everything = np.vstack(found.signs)
    assert len(np.unique(everything, axis=0)) == len(everything) == sum(found.f_vector)
    for faces, signs in zip(found.faces, found.signs, strict=True):
        for face, sign in list(zip(faces, signs, strict=True))[::7]:
            middle = found.vertices[list(face)].mean(axis=0)
            pieces = net.code(middle)
            if np.asarray(net.n_pieces).max() == 2 and np.all(sign[: len(pieces)]):
                np.testing.assert_array_equal(pieces, sign[: len(pieces)] > 0)


def test_a_sphere_has_the_topology_of_a_sphere() -> None:
    net = ps.Network.from_layers(
        [np.eye(3), np.ones((1, 3))], [np.zeros(3), np.zeros(1)], ["abs", "identity"]
    )
    box = ps.Box(-2.0, 2.0, dim=3)
    octahedron = ps.level_set_complex(net, box, [1.0], 1.0)
    assert octahedron.f_vector == (6, 12, 8)
    assert octahedron.betti_numbers == (1, 0, 1)
    assert ps.level_set_complex(net, box, [1.0], -1.0).f_vector == ()


def test_a_decision_boundary_of_two_circles_has_two_loops() -> None:
    # The lesser of the distances to two points, in the norm |x| + |y|, is 1/2 on two diamonds.
    first = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    lesser = np.array([[-1.0, 0.0, -1.0], [1.0, -1.0, 0.0]])  # max(-a, -b) = -a + relu(a - b)
    net = ps.Network.from_layers(
        [first, lesser, [[1.0, 1.0]]],
        [[-1.0, 1.0, 0.0], [0.0, 0.0], [0.0]],
        ["abs", "identity|relu", "identity"],
    )
    found = ps.level_set_complex(net, ps.Box(-2.0, 2.0, dim=2), [1.0], -0.5)
    assert found.betti_numbers == (2, 2)


def test_what_does_not_fit_is_refused() -> None:
    net, square = CASES["square"]
    with pytest.raises(ps.errors.ShapeError, match="direction has 2 entries"):
        ps.level_set_complex(net, square, [1.0, 0.0])
    with pytest.raises(ps.errors.ArgumentError, match="expected 1 to 2"):
        ps.complex(net, square).boundary(3)
    maxout = ps.Network.from_layers([np.eye(2), [[1.0]]], [[0, 0], [0]], ["max:2", "identity"])
    with pytest.raises(ps.errors.ArgumentError, match="max groups"):
        ps.complex(maxout, square)
