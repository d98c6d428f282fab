from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from polyspline.domains import Box, WholeSpace
from polyspline.enumeration import enumerate_regions
from polyspline.manifold.angles import edge_angles, principal_angles
from polyspline.manifold.regions import sample_regions
from polyspline.network import Network, zoo
from polyspline.partition import Partition

CASES = [
    (zoo.random_network([3, 6, 5], "leaky_relu", seed=1), 2.0),
    (zoo.random_network([3, 6, 5], "relu", seed=1), 2.0),
    (zoo.random_network([2, 5, 5, 2], "relu", seed=1), 2.0),
    (zoo.random_network([3, 4, 2, 6], "relu", seed=1), 2.0),
    (zoo.random_network([2, 6, 1], "abs", seed=1), 2.0),
    (zoo.random_network([1, 5, 2], "relu", seed=1), 2.0),
    (zoo.random_network([4, 5, 2, 3], "relu", seed=1), 1.0),
    (zoo.random_network([3, 6, 3], "hardtanh", seed=1), 2.0),
]


def walked(case: tuple[Network, float]) -> Partition:
    net, reach = case
    return enumerate_regions(net, Box(-reach, reach, dim=net.latent_dim))


def both_sides(part: Partition) -> tuple[np.ndarray, np.ndarray]:
    slopes = np.array([region.A for region in part])
    return slopes[part.edges[:, 0]], slopes[part.edges[:, 1]]


def sheet(turn: float) -> Network:
    """z -> (z1, z2) bent up along z1 = 0 by an angle, where z1 > 0."""
    # (z1, z2) -> (z1 - relu(z1), 0, z2) + relu(z1) (cos, sin, 0)
    first = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    last = [[1.0, np.cos(turn) - 1.0, 0.0], [0.0, np.sin(turn), 0.0], [0.0, 0.0, 1.0]]
    return Network.from_layers([first, last], [None, None], ["identity|relu|identity", "identity"])


@pytest.mark.parametrize("turn", [1e-9, 0.1, 1.0, np.pi / 2, 3.0, np.pi - 1e-7])
def test_a_sheet_turns_by_the_angle_that_it_is_bent_by(turn: float) -> None:
    found = edge_angles(enumerate_regions(sheet(turn), Box(-1, 1, dim=2)))
    assert found.turning.shape == (1,)
    assert found.turning[0] == pytest.approx(turn, abs=1e-15, rel=1e-12)
    assert found.principal[0] == pytest.approx(min(turn, np.pi - turn), abs=1e-15, rel=1e-8)


def test_flat_and_folded_are_told_apart() -> None:
    fold = Network.from_layers([[[1.0]], [[1.0], [2.0]]], [None, None], "abs")
    bent = Network.from_layers([[[1.0]], [[1.0], [2.0]]], [None, None], "leaky_relu:0.5")
    for net, turning in ((fold, np.pi), (bent, 0.0)):
        found = edge_angles(enumerate_regions(net, Box(-1, 1, dim=1)))
        assert found.turning == pytest.approx([turning], abs=1e-15)
        assert found.principal == pytest.approx([0.0], abs=1e-15)


def test_bijective_looking_regions_may_fold() -> None:
    # lrelu(z) + lrelu(-z) = (1 - slope) abs(z) has rank 1 on both sides.
    net = Network.from_layers([[[1.0], [-1.0]], [[1.0, 1.0]]], [None, None], "leaky_relu:0.25")
    found = edge_angles(enumerate_regions(net, Box(-1, 1, dim=1)))
    assert found.ranks.tolist() == [[1, 1]]
    assert found.turning.tolist() == [np.pi]


@pytest.mark.parametrize("seed", range(4))
def test_in_three_dimensions_the_turning_angle_is_that_of_the_normals(seed: int) -> None:
    net = zoo.random_network([2, 6, 3], "leaky_relu", seed=seed)
    part = enumerate_regions(net, Box(-2, 2, dim=2))
    found = edge_angles(part)
    normals = [np.cross(region.A[:, 0], region.A[:, 1]) for region in part]
    for (i, j), turning in zip(part.edges, found.turning, strict=True):
        a, b = normals[i], normals[j]
        expected = np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b)
        assert turning == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case[0]))
def test_one_principal_angle_at_most_is_not_zero(case: tuple[Network, float]) -> None:
    part = walked(case)
    found = edge_angles(part)
    near, far = both_sides(part)
    angles = principal_angles(near, far)
    np.testing.assert_allclose(found.principal, angles[:, 0], atol=1e-11)
    assert angles[found.equal_ranks][:, 1:].max(initial=0.0) < 1e-11
    assert found.misfit.max() < 1e-12


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case[0]))
def test_slopes_of_neighbours_differ_by_rank_one(case: tuple[Network, float]) -> None:
    near, far = both_sides(walked(case))
    values = np.linalg.svd(far - near, compute_uv=False)
    size = np.abs(near).max(axis=(1, 2)) + np.abs(far).max(axis=(1, 2))
    assert (values[:, 1:] <= 1e-12 * size[:, None]).all()


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case[0]))
def test_the_sine_is_the_norm_of_the_difference_of_projections(case: tuple[Network, float]) -> None:
    part = walked(case)
    found = edge_angles(part)
    for index, (i, j) in enumerate(part.edges):
        a, b = part[i].A, part[j].A
        p, q = (one @ np.linalg.pinv(one, rcond=1e-12) for one in (a, b))
        assert np.sin(found.principal[index]) == pytest.approx(np.linalg.norm(p - q, 2), abs=1e-7)
        assert found.ranks[index].tolist() == [np.linalg.matrix_rank(a), np.linalg.matrix_rank(b)]


def test_unequal_ranks_are_reported_as_such() -> None:
    net = Network.from_layers([np.eye(2), np.eye(2)], [None, None], "relu")
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    found = edge_angles(part)
    assert not found.equal_ranks.any()
    assert (found.principal == np.pi / 2).all()
    assert np.isnan(found.turning).all()
    assert not found.known.any()
    assert sorted(found.ranks.sum(axis=1).tolist()) == [1, 1, 3, 3]


def test_deficient_sides_of_equal_rank_have_an_angle() -> None:
    # The sheet bent by 1, with a third latent coordinate that nothing depends on.
    net = sheet(1.0)
    first = np.hstack([net.layers[0].weight, np.zeros((3, 1))])
    padded = Network.from_layers(
        [first, net.layers[1].weight], [None, None], ["identity|relu|identity", "identity"]
    )
    found = edge_angles(enumerate_regions(padded, Box(-1, 1, dim=3)))
    assert found.ranks.tolist() == [[2, 2]]
    assert found.turning[0] == pytest.approx(1.0, rel=1e-12)


def test_images_without_room_to_turn_have_no_turning_angle() -> None:
    # Both sides map onto the line, and so does the facet.
    net = Network.from_layers([np.eye(2), [[1.0, 1.0]]], [None, None], "leaky_relu")
    found = edge_angles(enumerate_regions(net, Box(-1, 1, dim=2)))
    assert np.isnan(found.turning).all()
    assert (found.principal == 0).all()
    assert found.equal_ranks.all()


def test_rotation_and_scale_of_the_output_do_not_matter() -> None:
    net, reach = CASES[0]
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((5, 5)))[0]
    first, last = net.layers
    for scale in (1e-150, 1.0, 1e150):
        other = Network.from_layers(
            [first.weight, scale * turn @ last.weight], [first.bias, None], "leaky_relu"
        )
        found = edge_angles(walked((other, reach)))
        np.testing.assert_allclose(found.turning, edge_angles(walked(CASES[0])).turning, atol=1e-8)


def test_one_latent_dimension_turns_by_the_angle_of_its_segments() -> None:
    part = enumerate_regions(zoo.random_network([1, 6, 3], "leaky_relu", seed=2), WholeSpace(1))
    found = edge_angles(part)
    order = np.argsort(part.witnesses[:, 0])
    directions = np.array([part[i].A[:, 0] / np.linalg.norm(part[i].A) for i in order])
    expected = {
        frozenset(pair): np.arccos(np.clip(a @ b, -1, 1))
        for pair, a, b in zip(pairwise(order), directions, directions[1:], strict=False)
    }
    for edge, turning in zip(part.edges.tolist(), found.turning, strict=True):
        assert turning == pytest.approx(expected[frozenset(edge)], abs=1e-7)


def test_principal_angles_of_known_planes() -> None:
    plane = np.eye(4)[:, :2]
    tilted = np.stack([np.cos(0.3) * np.eye(4)[0] + np.sin(0.3) * np.eye(4)[2], np.eye(4)[3]], axis=1)
    np.testing.assert_allclose(principal_angles(plane, tilted), [np.pi / 2, 0.3], atol=1e-15)
    tiny = plane + 1e-12 * np.eye(4)[:, 2:]
    np.testing.assert_allclose(principal_angles(plane, tiny), [1e-12, 1e-12], rtol=1e-3)
    line = np.column_stack([np.eye(4)[0], np.eye(4)[0]])
    np.testing.assert_allclose(principal_angles(plane, line), [np.pi / 2, 0.0], atol=1e-15)
    batch = principal_angles(np.stack([plane, line]), np.stack([line, tilted]))
    np.testing.assert_allclose(batch, [[np.pi / 2, 0.0], [np.pi / 2, 0.3]], atol=1e-15)
    np.testing.assert_array_equal(principal_angles(0 * plane, 0 * plane), [0.0, 0.0])


def test_the_histogram_holds_every_angle_once() -> None:
    found = edge_angles(walked(CASES[1]))
    shares, ends = found.histogram(18)
    assert shares.sum() == pytest.approx(1.0)
    assert (ends[0], ends[-1]) == (0.0, 180.0)
    shares, ends = found.histogram(9, turning=False)
    assert shares[-1] == pytest.approx(np.mean(found.principal >= np.radians(80.0)))
    assert ends[-1] == 90.0


def test_a_sampled_set_has_the_angles_of_its_facets() -> None:
    part = walked(CASES[0])
    regions = sample_regions(part.net, part.domain, 6, seed=0)
    found = edge_angles(regions)
    assert found.sampled
    place = np.array([part.index_of(code) for code in regions.codes])
    whole = {
        frozenset(edge): t for edge, t in zip(part.edges.tolist(), edge_angles(part).turning, strict=True)
    }
    for edge, turning in zip(found.edges, found.turning, strict=True):
        assert turning == pytest.approx(whole[frozenset(place[edge].tolist())], abs=1e-9)


def test_no_edges_have_no_angles() -> None:
    net = Network.from_layers([np.eye(2)], [None], ["identity"])
    found = edge_angles(enumerate_regions(net, Box(-1, 1, dim=2)))
    assert found.turning.shape == (0,)
    assert found.histogram(4)[0].tolist() == [0.0] * 4
