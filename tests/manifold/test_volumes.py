"""Laws of the volumes: they add up, agree with the exact ones, and follow the maps of their regions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial import Delaunay

from polyspline.domains import Box, Domain, Polytope, WholeSpace
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, DomainError
from polyspline.manifold.polytopes import simple_polytopes
from polyspline.manifold.probability import probabilities
from polyspline.manifold.region_polytopes import PolytopeSource, region_polytopes
from polyspline.manifold.regions import region_set, sample_regions
from polyspline.manifold.volumes import image_volumes, volumes
from polyspline.network import Network, zoo
from tests.oracle.cases import integer_weights

SIMPLEX = Polytope(np.vstack([-np.eye(3), np.ones(3)]), np.array([0.0, 0.0, 0.0, 2.0]))
"""The simplex of edge 2 at the origin, of volume 8/6."""

CASES: list[tuple[Network, Domain]] = [
    (zoo.random_network([1, 6, 4, 2], "relu", seed=1), Box(-1, 1, dim=1)),
    (zoo.random_network([2, 8, 8, 3], "relu", seed=1), Box(-1, 2, dim=2)),
    (zoo.random_network([3, 8, 5, 4], "hardtanh", seed=2), Box(-2, 2, dim=3)),
    (zoo.random_network([3, 9, 4], "abs", seed=3), SIMPLEX),
    (zoo.random_network([4, 6, 5, 4], "leaky_relu:0.1", seed=4), Box(-1, 1, dim=4)),
    (zoo.random_network([6, 5, 6], "relu", seed=5), Box(-1, 1, dim=6)),
    (zoo.tent_network(2, 3), Box(0, 1, dim=3)),
    (
        Network.from_layers(
            [np.random.default_rng(5).normal(size=(7, 2)), np.random.default_rng(6).normal(size=(4, 3))],
            [np.random.default_rng(7).normal(size=7), None],
            ["max:3|max:2*2", "max:2*2"],
        ),
        Box(-2, 2, dim=2),
    ),
]
LATTICE = Network.from_layers(
    [[[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, -1, 0], [0, 1, 1], [1, 1, 1]], np.ones((1, 7))],
    [np.zeros(7), np.zeros(1)],
)
"""Planes that meet in one point: its regions are cones with apexes on many facets."""


@pytest.mark.parametrize("case", [*CASES, (LATTICE, Box(-1, 1, dim=3))])
def test_volumes_add_up_to_the_domains(case: tuple[Network, Domain]) -> None:
    found = volumes(enumerate_regions(*case))
    assert abs(found.residual) < 1e-12
    assert (found.values > 0).all()
    assert found.standard_errors is None
    assert found.n_exact <= 0.05 * len(found.values)


@pytest.mark.parametrize("case", [*CASES, (LATTICE, Box(-1, 1, dim=3))])
def test_each_volume_is_within_its_error_of_the_exact_one(case: tuple[Network, Domain]) -> None:
    part = enumerate_regions(*case)
    found = volumes(part)
    for i in range(0, len(part), max(1, len(part) // 12)):
        exact = part[i].volume()
        assert abs(found.values[i] - exact) <= found.errors[i] + 1e-15 * exact
        assert found.errors[i] <= 1e-9 * exact


@pytest.mark.parametrize("seed", range(4))
def test_degenerate_networks_obey_both_laws(seed: int) -> None:
    net = Network.from_layers(*integer_weights([3, 6, 4, 2], seed))
    part = enumerate_regions(net, Box(-1, 1, dim=3))
    found = volumes(part)
    assert abs(found.residual) < 1e-12
    np.testing.assert_allclose(found.values, [region.volume() for region in part], rtol=1e-9)


def test_thin_regions_are_measured_from_their_exact_rows() -> None:
    width = 2.0**-40
    # Two knots 2^-40 apart, turned against the axes: floats do not resolve the strip between them.
    rows = [[1.0, 1.0], [1.0, 1.0], [1.0, -2.0]]
    net = Network.from_layers([rows, np.ones((1, 3))], [[0.5, 0.5 - width, 0.25], [0.0]])
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    found = volumes(part)
    assert found.n_exact >= 2
    thin = np.flatnonzero(found.values < 1e-10)
    assert len(thin) == 2
    # The strip x + y = -1/2 runs from (-1, 1/2) to (1/2, -1): of length 3/sqrt(2), cut once.
    assert found.values[thin].sum() == pytest.approx(width * 1.5, rel=1e-9)


@pytest.mark.parametrize("dim", [1, 2])
def test_a_facet_whose_row_floats_cannot_tell_is_not_lost(dim: int) -> None:
    # (2 + x) + (1 - e)(2 - x) - (4 - 2e) is e x: all but the rounding cancels, and the facet is x = 0.
    e, out = 2.0**-48, np.zeros((2, dim))
    out[:, 0] = 1.0, -1.0
    net = Network.from_layers([out, [[1.0, 1.0 - e]], [[1.0]]], [[2.0, 2.0], [2.0 * e - 4.0], [0.0]])
    domain = Box(-1, 1, dim=dim)
    part = enumerate_regions(net, domain)
    assert volumes(part).values == pytest.approx([2.0 ** (dim - 1)] * 2)
    met = sample_regions(net, domain, 8, neighbours=False)
    assert met.expanded == 0
    assert volumes(met).values == pytest.approx([2.0 ** (dim - 1)] * 2)
    normal = probabilities(enumerate_regions(net, WholeSpace(dim)), "gaussian", n_draws=2000)
    assert normal.total == pytest.approx(1.0)


def test_units_that_are_constant_cost_no_exact_arithmetic() -> None:
    # The units of the second layer are dead wherever those of the first are.
    net = Network.from_layers([np.eye(3), np.eye(3), np.eye(3)], [np.zeros(3), [1.0, 0.5, -0.25], None])
    met = sample_regions(net, Box(-1, 1, dim=3), 200, neighbours=False)
    found = volumes(met)
    assert found.covered == pytest.approx(1.0)
    assert found.n_exact == 0


def test_a_face_of_a_simple_polytope_is_measured_too() -> None:
    # The triangle (0, 0), (4, 0), (0, 3), and a copy of it.
    normals = np.array([[-1.0, 0.0], [0.0, -1.0], [0.6, 0.8]] * 2)
    sides = np.array([0.0, 0.0, 2.4] * 2)
    corners = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 3.0]] * 2)
    tight = np.array([[0, 1], [1, 2], [0, 2], [3, 4], [4, 5], [3, 5]])
    found = simple_polytopes(np.array([0, 0, 0, 1, 1, 1]), tight, corners, normals, sides)
    assert found.volumes == pytest.approx([6.0, 6.0])
    assert found.areas == pytest.approx([3.0, 4.0, 5.0] * 2)
    assert found.closed.all()
    missing = simple_polytopes(np.zeros(2, dtype=np.int64), tight[:2], corners[:2], normals[:3], sides[:3])
    assert not missing.closed.any()


@pytest.mark.parametrize("net", [CASES[3][0], LATTICE])
def test_points_of_regions_are_inside_and_their_mean_is_the_centroid(net: Network) -> None:
    part = enumerate_regions(net, Box(-1, 1, dim=3))
    rng = np.random.default_rng(0)
    for batch in region_polytopes(region_set(part), np.arange(0, len(part), 5)):
        points = batch.sample(np.full(len(batch.which), 400, dtype=np.int64), rng).reshape(-1, 400, 3)
        for index, mine, vertices in zip(batch.which.tolist(), points, batch.vertices, strict=True):
            G, h = part[index].hrep
            assert (mine @ G.T <= h + 1e-12).all()
            parts = vertices[Delaunay(vertices).simplices]
            sizes = np.abs(np.linalg.det(parts[:, 1:] - parts[:, :1]))
            centroid = sizes @ parts.mean(axis=1) / sizes.sum()
            error = mine.std(axis=0) / math.sqrt(len(mine))
            assert (np.abs(mine.mean(axis=0) - centroid) < 5 * error).all()


def test_uniform_points_of_a_partition_halve_as_volumes_do() -> None:
    net = Network.from_layers([[[1.0, 1.0, 0.3]], [[1.0]]], [[0.2], [0.0]])
    whole = region_set(enumerate_regions(Network.from_layers([np.eye(3)], [None]), SIMPLEX))
    points = next(region_polytopes(whole)).sample(np.array([40_000]), np.random.default_rng(1))
    cut = enumerate_regions(net, SIMPLEX)
    shares = np.bincount(np.asarray(cut.locate(np.clip(points, 1e-12, None))), minlength=len(cut)) / 40_000
    exact = volumes(cut).values / (8.0 / 6.0)
    assert np.abs(shares - exact).max() < 5.0 * math.sqrt(0.25 / 40_000)


def test_draws_agree_with_vertices_within_their_standard_errors() -> None:
    part = enumerate_regions(*CASES[1])
    exact, drawn = volumes(part), volumes(part, method="draws", n_draws=40_000, seed=3)
    assert drawn.standard_errors is not None
    away = (drawn.values - exact.values) / drawn.standard_errors
    assert np.abs(away).max() < 5.0
    assert 0.5 < np.mean(away**2) < 1.5
    assert abs(drawn.residual) < 1e-12


def test_regions_met_by_sampling_have_the_volumes_of_the_partition() -> None:
    net, domain = CASES[1]
    part = enumerate_regions(net, domain)
    met = sample_regions(net, domain, 60, seed=1)
    found, all_ = volumes(met), volumes(part)
    where = [part.index_of(code) for code in met.codes]
    np.testing.assert_allclose(found.values, all_.values[where], rtol=1e-8)
    assert found.sampled
    assert 0 < found.covered <= 1 + 1e-12


def test_unbounded_regions_have_infinite_volume_and_the_others_their_own() -> None:
    net = Network.from_layers([[[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]], np.ones((1, 3))], [[0, 0, 2.0], [0.0]])
    found = volumes(enumerate_regions(net, WholeSpace(2)))
    assert sorted(found.values)[:2] == [2.0, math.inf]
    assert math.isnan(found.residual)


def test_a_linear_image_has_the_determinant_times_the_volume() -> None:
    A = np.array([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0]])
    found = image_volumes(enumerate_regions(Network.from_layers([A], [None]), Box(-1, 1, dim=2)))
    assert found.values == pytest.approx([4.0 * math.sqrt(np.linalg.det(A.T @ A))])
    assert found.total() == pytest.approx(found.full.sum())


def test_images_of_low_rank_are_measured_in_their_own_dimension() -> None:
    # Rank 1: onto the line along (3, 4); the row space is along (1, 1), of which a box has 2 sqrt(2).
    A = np.outer([3.0, 4.0], [1.0, 1.0])
    line = image_volumes(enumerate_regions(Network.from_layers([A], [None]), Box(-1, 1, dim=2)))
    assert line.dimensions.tolist() == [1]
    assert line.values == pytest.approx([5.0 * 4.0])
    assert line.full.tolist() == [0.0]
    # Rank 2 of 3: a cube seen along its diagonal is a regular hexagon of area 4 sqrt(3).
    diagonal = np.eye(3) - np.ones((3, 3)) / 3.0
    turned = np.linalg.svd(diagonal)[2][:2]
    flat = image_volumes(enumerate_regions(Network.from_layers([turned], [None]), Box(-1, 1, dim=3)))
    assert flat.values == pytest.approx([4.0 * math.sqrt(3.0)])
    point = Network.from_layers([np.zeros((2, 2))], [[1.0, 2.0]])
    assert image_volumes(enumerate_regions(point, Box(-1, 1, dim=2))).values.tolist() == [1.0]


def test_images_do_not_change_under_rotation_of_the_output() -> None:
    net, domain = CASES[1]
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    last = net.layers[-1]
    weights = [layer.weight for layer in net.layers[:-1]] + [turn @ last.weight]
    biases = [layer.bias for layer in net.layers[:-1]] + [turn @ last.bias]
    turned = Network.from_layers(weights, biases, "relu")
    one, other = (image_volumes(enumerate_regions(n, domain)) for n in (net, turned))
    np.testing.assert_allclose(one.values, other.values, rtol=1e-9, atol=1e-14)
    assert one.dimensions.tolist() == other.dimensions.tolist()
    assert set(one.dimensions.tolist()) == {0, 1, 2}


def test_too_many_dimensions_are_refused_with_the_sampled_estimate() -> None:
    net = zoo.random_network([9, 3, 9], seed=1)
    part = enumerate_regions(net, Box(-1, 1, dim=9))
    with pytest.raises(ArgumentError, match=r"S = 9 is too large.*method='draws'"):
        volumes(part)
    drawn = volumes(part, method="draws", n_draws=2000)
    assert drawn.total == pytest.approx(2.0**9)


def test_bad_arguments_are_refused() -> None:
    part = enumerate_regions(*CASES[0])
    with pytest.raises(ArgumentError, match="'vertices' or 'draws'"):
        volumes(part, method="guess")
    with pytest.raises(ArgumentError, match="at least 1"):
        volumes(part, method="draws", n_draws=0)
    with pytest.raises(DomainError, match="bounded domain"):
        volumes(enumerate_regions(CASES[0][0], WholeSpace(1)), method="draws")
    other = volumes(enumerate_regions(*CASES[1]))
    with pytest.raises(ArgumentError, match="other regions"):
        image_volumes(part, latent=other)


@pytest.mark.parametrize(
    ("case", "source"),
    [(CASES[4], PolytopeSource.FACES), ((LATTICE, Box(-1, 1, dim=3)), PolytopeSource.HULL)],
)
def test_floats_settle_almost_all_regions(case: tuple[Network, Domain], source: PolytopeSource) -> None:
    found = [one for batch in region_polytopes(region_set(enumerate_regions(*case))) for one in batch.sources]
    assert np.mean([one is source for one in found]) > 0.9
