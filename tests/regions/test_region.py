"""Laws of a region: its map, its H-representation, its facets, vertices, volume and membership."""

from __future__ import annotations

import numpy as np
import pytest

from polyspline.cpa.pointwise import closed_pieces
from polyspline.domains import Box
from polyspline.errors import NonFiniteError, ShapeError
from polyspline.network import Network
from polyspline.regions.region import Region
from tests.oracle.cases import integer_weights, random_weights
from tests.partition.from_oracle import Case, case

CASES = {
    "generic": lambda: case(random_weights([2, 5, 4, 3], 1), "relu"),
    "generic in 3-D": lambda: case(random_weights([3, 5, 3, 1], 2), "leaky_relu:0.1"),
    "hardtanh": lambda: case(random_weights([2, 3, 2, 1], 3), "hardtanh", 2.0),
    "whole space": lambda: case(random_weights([2, 4, 3, 1], 4), "relu", None),
    "whole space lattice": lambda: case(integer_weights([2, 4, 1], 8), "relu", None),
    "one dimension": lambda: case(random_weights([1, 5, 4, 2], 5), "relu"),
}


@pytest.fixture(params=sorted(CASES), scope="module")
def example(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]()


def test_the_map_is_the_network_on_the_region(example: Case) -> None:
    for region in example.partition:
        assert region.A.shape == (region.net.ambient_dim, region.net.latent_dim)
        value = region.A @ region.witness + region.b
        np.testing.assert_allclose(value, region.net(region.witness), atol=1e-12)


def test_the_h_representation_has_a_unit_row_for_each_facet(example: Case) -> None:
    for region, code in zip(example.partition, example.codes, strict=True):
        G, h = region.hrep
        assert len(region.hrep) == len(h) == len(region.facets) == example.oracle.facet_counts[code]
        np.testing.assert_allclose(np.linalg.norm(G, axis=1), 1.0)
        assert np.all(G @ region.witness < h)
        assert region.hrep.sources == tuple(facet.sources for facet in region.facets)
        assert all(sources for sources in region.hrep.sources)


def test_facets_lead_to_the_neighbours(example: Case) -> None:
    part = example.partition
    for region in part:
        across = [index for index in region.facet_neighbours if index is not None]
        assert tuple(sorted(across)) == region.neighbours == tuple(part.neighbours(region.index))
        for facet, index in zip(region.facets, region.facet_neighbours, strict=True):
            assert (index is None) == (facet.across is None)
            if index is not None:
                assert part[index].contains(facet.point + 1e-7 * facet.normal)


def test_neighbours_agree_on_their_facet_to_the_last_bit(example: Case) -> None:
    part = example.partition
    regions = list(part)
    for i, j in part.edges.tolist():
        here = regions[i].facet_neighbours.index(j)
        there = regions[j].facet_neighbours.index(i)
        np.testing.assert_array_equal(regions[i].hrep.G[here], -regions[j].hrep.G[there])
        assert regions[i].hrep.h[here] == -regions[j].hrep.h[there]


def test_regions_know_whether_they_are_bounded(example: Case) -> None:
    for region, code in zip(example.partition, example.codes, strict=True):
        assert region.bounded == example.oracle.bounded[code]
        assert (len(region.rays()) == 0) == region.bounded
        assert (region.volume() < np.inf) == region.bounded


def test_volumes_sum_to_that_of_the_domain(example: Case) -> None:
    domain = example.partition.domain
    if isinstance(domain, Box):
        lo, hi = domain.bounds()
        total = sum(region.volume() for region in example.partition)
        assert total == pytest.approx(float(np.prod(hi - lo)))


def test_vertices_lie_on_the_facets(example: Case) -> None:
    for region in example.partition:
        points = region.vertices()
        assert points.shape[1] == region.net.latent_dim
        G, h = region.hrep
        slack = h - points @ G.T
        assert np.all(slack > -1e-7)
        if len(region.rays()) == 0:
            assert np.all(np.count_nonzero(np.abs(slack) < 1e-7, axis=1) >= region.net.latent_dim)


def test_membership_is_that_of_the_closed_cell(example: Case) -> None:
    part = example.partition
    dim = part.net.latent_dim
    points = np.concatenate(
        [
            np.random.default_rng(0).integers(-3, 4, (15, dim)) / 2.0,
            np.random.default_rng(1).uniform(-1, 1, (15, dim)),
        ]
    )
    found = np.array([region.contains(points) for region in part])
    for column, z in zip(found.T, points, strict=True):
        assert np.flatnonzero(column).tolist() == example.closed_regions_with(z)


def test_a_region_alone_has_no_neighbours() -> None:
    part = CASES["generic"]().partition
    region = Region(part.net, part.domain, part.code(0), part.witnesses[0])
    assert region.neighbours == ()
    assert region.index == -1
    assert "n_units=9" in repr(region)


def test_one_point_gives_a_bool_and_wrong_points_are_refused() -> None:
    region = CASES["generic"]().partition[0]
    assert region.contains(region.witness) is True
    assert region.contains([7.0, 7.0]) is False
    with pytest.raises(ShapeError):
        region.contains([0.0])
    with pytest.raises(NonFiniteError):
        region.contains([0.0, np.inf])


def test_a_pre_activation_on_a_knot_has_two_pieces() -> None:
    net = Network.from_layers([[[1.0], [-1.0], [0.1]], [[1.0, 1.0, 1.0]]], [[0.0, 1.0, -0.3], [0.0]])
    pieces = closed_pieces(net.layers, np.array([[0.0], [1.0], [3.0], [0.5]]))
    low, high = pieces.low, pieces.high
    assert low.tolist() == [[0, 1, 0], [1, 0, 0], [1, 0, 1], [1, 1, 0]]
    assert (high - low).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_knots_are_decided_where_floats_round() -> None:
    # In floats 0.1 + 0.2 is 0.30000000000000004; the exact sum of the two is less, by 2**-55 or so.
    weights = [[[1.0], [1.0]], [[1.0, 1.0]], [[1.0]]]
    for threshold, pieces in ((0.30000000000000004, (0, 0)), (0.3, (1, 1))):
        net = Network.from_layers(weights, [[0.1, 0.2], [-threshold], [0.0]])
        found = closed_pieces(net.layers, np.array([[0.0]]))
        assert (found.low[0, -1], found.high[0, -1]) == pieces
        assert net.code(np.array([0.0]))[-1] == pieces[0]


def test_both_ends_agree_with_the_code_of_the_network() -> None:
    for seed in range(5):
        net = Network.from_layers(*integer_weights([2, 4, 3, 1], seed))
        points = np.random.default_rng(seed).integers(-4, 5, (30, 2)) / 2.0
        pieces = closed_pieces(net.layers, points)
        low, high = pieces.low, pieces.high
        np.testing.assert_array_equal(low, net.code(points))
        assert set(np.unique(high - low)) <= {0, 1}
