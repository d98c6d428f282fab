from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from polyspline.domains import Box, Domain, Polytope, WholeSpace
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, DomainError, NonFiniteError, ShapeError
from polyspline.manifold.regions import RegionSet, default_sampler, region_set, sample_regions
from polyspline.network import Network, zoo

NET = zoo.random_network([2, 6, 5, 3], seed=3)
BOX = Box(-2, 2, dim=2)


def lattice(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    return rng.integers(-2, 3, size=(count, 2)).astype(np.float64)


def test_a_partition_becomes_a_set_without_copying_and_a_set_passes() -> None:
    part = enumerate_regions(NET, BOX)
    regions = region_set(part)
    assert regions.partition is part
    assert np.shares_memory(regions.codes, part.codes)
    assert np.shares_memory(regions.points, part.witnesses)
    assert (regions.draws == 1).all()
    assert regions.n_draws == len(part)
    assert regions.complete
    assert not regions.sampled
    assert region_set(regions) is regions
    assert regions.region(1).neighbours == part[1].neighbours
    assert regions.how == f"all {len(part)} regions"


def test_a_network_is_no_source() -> None:
    with pytest.raises(ArgumentError, match="sample_regions"):
        region_set(NET)  # type: ignore[arg-type]


@pytest.mark.parametrize("domain", [BOX, WholeSpace(2), Polytope([[1, 1], [-1, 0], [0, -1]], [2, 1, 1])])
def test_the_regions_met_are_those_of_the_draws(domain: Domain) -> None:
    points = default_sampler(domain)(np.random.default_rng(5), 50)
    regions = sample_regions(NET, domain, 50, seed=5)
    codes, counts = np.unique(NET.code(points), axis=0, return_counts=True)
    met = {code.tobytes(): count for code, count in zip(regions.codes, regions.draws, strict=True) if count}
    assert met == {code.tobytes(): count for code, count in zip(codes, counts, strict=True)}
    assert regions.n_draws == 50
    np.testing.assert_array_equal(NET.code(regions.points), regions.codes)
    assert np.asarray(domain.contains(regions.points)).all()


@pytest.mark.parametrize("count", [1, 7, 300])
def test_neighbours_of_what_is_met_are_all_there_and_all_edges_are_proven(count: int) -> None:
    part = enumerate_regions(NET, BOX)
    regions = sample_regions(NET, BOX, count, seed=1)
    place = np.array([part.index_of(code) for code in regions.codes])
    assert len(set(place.tolist())) == len(place)
    assert place.min() >= 0
    assert regions.expanded == len(regions.met)
    met = set(place[regions.met].tolist())
    expected = {tuple(edge) for edge in part.edges.tolist() if met & set(edge)}
    found = {tuple(sorted(place[edge].tolist())) for edge in regions.edges}
    assert found == expected
    assert set(place.tolist()) == met | {i for edge in expected for i in edge}
    sources = {
        tuple(edge): source for edge, source in zip(part.edges.tolist(), part.edge_sources, strict=True)
    }
    for edge, source in zip(regions.edges, regions.edge_sources, strict=True):
        assert sources[tuple(sorted(place[edge].tolist()))] == source
    assert regions.complete == (len(met) == len(part))


def test_the_set_is_complete_once_every_region_is_met() -> None:
    net = zoo.tent_network(2, 2)
    regions = sample_regions(net, Box(0, 1, dim=2), 400, seed=0)
    assert len(regions) == 16
    assert regions.complete
    assert len(regions.edges) == 24
    assert "complete" in repr(regions.as_partition)


def test_without_neighbours_only_the_regions_of_draws_are_there() -> None:
    regions = sample_regions(NET, BOX, 30, neighbours=False)
    assert (regions.draws > 0).all()
    assert not len(regions.edges)
    assert not regions.complete
    assert regions.expanded == 0


def test_draws_on_knots_count_for_a_region_that_they_are_on_the_boundary_of() -> None:
    net = Network.from_layers([np.eye(2), [[1.0, 1.0], [1.0, -1.0]], np.eye(2)], [None, None, None], "abs")
    part = enumerate_regions(net, Box(-2, 2, dim=2))
    regions = sample_regions(net, Box(-2, 2, dim=2), 200, sampler=lattice)
    assert regions.draws.sum() == regions.n_draws == 200
    assert all(part.index_of(code) >= 0 for code in regions.codes)
    drawn = lattice(np.random.default_rng(0), 200)
    for index in regions.met:
        held = np.asarray(regions.region(int(index)).contains(drawn))
        assert held.sum() >= regions.draws[index]


def test_dead_units_do_not_make_more_regions() -> None:
    net = Network.from_layers([[[1.0], [1.0]], [[1.0, 1.0]], [[1.0]]], [None, None, None], "relu")
    part = enumerate_regions(net, Box(-1, 1, dim=1))
    regions = sample_regions(net, Box(-1, 1, dim=1), 50)
    assert {code.tobytes() for code in regions.codes} == {code.tobytes() for code in part.codes}


def test_draws_outside_the_domain_are_left_out() -> None:
    regions = sample_regions(NET, Box(0, 1, dim=2), 500, sampler=lambda rng, n: rng.uniform(-1, 1, (n, 2)))
    assert 80 < regions.n_draws < 170
    assert regions.draws.sum() == regions.n_draws
    with pytest.raises(ArgumentError, match="none of 5 draws"):
        sample_regions(NET, Box(5, 6, dim=2), 5, sampler=lambda rng, n: np.zeros((n, 2)))


def test_a_region_of_a_sampled_set_has_its_facets_and_no_neighbours() -> None:
    part = enumerate_regions(NET, BOX)
    regions = sample_regions(NET, BOX, 3, seed=2)
    region = regions.region(0)
    same = part[part.index_of(regions.codes[0])]
    assert region.neighbours == ()
    np.testing.assert_array_equal(region.vertices(), same.vertices())
    with pytest.raises(IndexError):
        regions.region(len(regions))


def test_a_sampled_set_is_a_partial_partition() -> None:
    regions = sample_regions(NET, BOX, 5, seed=2)
    part = regions.as_partition
    assert not part.complete
    np.testing.assert_array_equal(part.locate(regions.points), np.arange(len(regions)))
    assert region_set(part).partition is part


def test_the_seed_decides() -> None:
    sets = [sample_regions(NET, BOX, 20, seed=seed) for seed in (4, 4, 5)]
    np.testing.assert_array_equal(sets[0].points, sets[1].points)
    assert not np.array_equal(sets[0].points[:5], sets[2].points[:5])


def test_large_regions_are_met_first() -> None:
    net = Network.from_layers([[[1.0]], [[1.0]]], [[-0.8], [0.0]])
    regions: RegionSet = sample_regions(net, Box(-1, 1, dim=1), 4000, seed=0)
    share = regions.draws[np.argmax(regions.draws)] / regions.n_draws
    assert share == pytest.approx(0.9, abs=0.02)


def test_bad_input_is_refused() -> None:
    with pytest.raises(ArgumentError, match="n_draws"):
        sample_regions(NET, BOX, 0)
    with pytest.raises(ShapeError, match="expected \\(4, 2\\)"):
        sample_regions(NET, BOX, 4, sampler=lambda rng, n: np.zeros((n, 3)))
    with pytest.raises(NonFiniteError):
        sample_regions(NET, BOX, 1, sampler=lambda rng, n: [[np.nan, 0.0]])
    with pytest.raises(DomainError):
        sample_regions(NET, Box(0, 1, dim=3), 4)
    sliver = Polytope([[1.0, -1.0], [-1.0, 1.0], [1.0, 0.0], [-1.0, 0.0]], [1e-9, 0.0, 1.0, 1.0])
    with pytest.raises(DomainError, match="give a sampler"):
        sample_regions(NET, sliver, 5)
