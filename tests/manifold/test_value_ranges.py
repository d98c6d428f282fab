"""Laws of the ranges of values: they enclose, they end at vertices, however they are found."""

from __future__ import annotations

import numpy as np
import pytest

from polyspline.domains import Box, Domain, Polytope, WholeSpace
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, ShapeError
from polyspline.inversion.image_pairs import image_ranges
from polyspline.inversion.region_maps import mapper_of
from polyspline.manifold.regions import sample_regions
from polyspline.manifold.value_ranges import value_ranges
from polyspline.network import Network, zoo
from polyspline.partition import Partition

NET = zoo.random_network([2, 7, 6, 3], "leaky_relu:0.2", seed=4)
BOX = Box(-1, 1, dim=2)
GROUPS = Network.from_layers(
    [np.random.default_rng(5).normal(size=(5, 2)), np.random.default_rng(6).normal(size=(4, 2))],
    [np.random.default_rng(7).normal(size=5), None],
    ["max:3|max:2", "max:2*2"],
)
LATTICE = Network.from_layers(
    [[[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, -1, 0], [0, 1, 1], [1, 1, 1]], np.ones((2, 7))],
    [np.zeros(7), np.zeros(2)],
)
"""Planes that meet in one point: its regions are cones with apexes on many facets."""

CASES: list[tuple[Network, Domain]] = [
    (NET, BOX),
    (zoo.random_network([1, 5, 4, 2], "relu", seed=1), Box(-2, 1, dim=1)),
    (zoo.random_network([3, 6, 2], "hardtanh", seed=2), Box(-1, 1, dim=3)),
    (zoo.random_network([2, 5, 3], "abs", seed=3), Polytope([[-1, 0], [0, -1], [1, 1]], [0, 0, 2])),
    (LATTICE, Box(-1, 1, dim=3)),
    (GROUPS, BOX),
    (Network.from_layers([np.zeros((2, 2))], [[1.0, 2.0]]), BOX),
]


def _by_programs(part: Partition, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return image_ranges(part, mapper_of(part, part.net.layers), np.arange(len(part)), directions)


@pytest.mark.parametrize(("net", "domain"), CASES, ids=range(len(CASES)))
def test_ranges_enclose_the_values_and_end_at_vertices(net: Network, domain: Domain) -> None:
    part = enumerate_regions(net, domain)
    found = value_ranges(part)
    assert found.certified
    for region in part:
        values = region.vertices() @ region.A.T + region.b
        np.testing.assert_allclose(found.lower[region.index], values.min(axis=0), atol=1e-11)
        np.testing.assert_allclose(found.upper[region.index], values.max(axis=0), atol=1e-11)
        assert (found.lower[region.index] <= values.min(axis=0) + 1e-14).all()
        assert (found.upper[region.index] >= values.max(axis=0) - 1e-14).all()


def test_vertices_and_linear_programs_give_the_same_ranges() -> None:
    net = zoo.random_network([5, 6, 4], "relu", seed=1)
    part = enumerate_regions(net, Box(-1, 1, dim=5))
    # One function takes programs in five dimensions, many take vertices.
    single, many = value_ranges(part, np.eye(4)[:1]), value_ranges(part)
    for found, directions in ((single, np.eye(4)[:1]), (many, np.eye(4))):
        lower, upper = _by_programs(part, directions)
        np.testing.assert_allclose(found.lower, lower, atol=1e-7)
        np.testing.assert_allclose(found.upper, upper, atol=1e-7)
    assert (single.lower == _by_programs(part, np.eye(4)[:1])[0]).all()
    assert (many.upper - many.lower <= np.subtract(*_by_programs(part, np.eye(4))[::-1]) + 1e-12).all()


def test_regions_too_thin_for_floats_have_ranges_too() -> None:
    width = 2.0**-50
    rows = [[1.0, 1.0], [1.0, 1.0], [1.0, -2.0]]
    net = Network.from_layers([rows, np.ones((1, 3))], [[0.5, 0.5 - width, 0.25], [0.0]])
    part = enumerate_regions(net, BOX)
    found = value_ranges(part)
    for region in part:
        values = net(region.vertices())
        assert (found.lower[region.index] <= values.min(axis=0) + 1e-14).all()
        assert (found.upper[region.index] >= values.max(axis=0) - 1e-14).all()
        assert (found.upper - found.lower)[region.index] <= np.ptp(values, axis=0) + 1e-6


def test_ranges_of_directions_and_of_some_regions() -> None:
    regions = sample_regions(NET, BOX, 12, seed=1)
    direction = np.array([[1.0, -2.0, 0.5]])
    found = value_ranges(regions, direction, [3, 0])
    assert found.sampled
    for row, index in enumerate([3, 0]):
        region = regions.region(index)
        values = (region.vertices() @ region.A.T + region.b) @ direction[0]
        assert found.lower[row, 0] == pytest.approx(values.min(), abs=1e-7)
        assert found.upper[row, 0] == pytest.approx(values.max(), abs=1e-7)


def test_ranges_on_the_whole_space_may_be_infinite() -> None:
    net = Network.from_layers([[[1.0, 0.0]], [[1.0]]], [[0.0], [3.0]])
    part = enumerate_regions(net, WholeSpace(2))
    found = value_ranges(part)
    left = int(part.locate([-1.0, 0.0]))
    assert not found.certified
    assert (found.lower[left, 0], found.upper[left, 0]) == (3.0, 3.0)
    assert (found.lower[1 - left, 0], found.upper[1 - left, 0]) == (3.0, np.inf)
    with pytest.raises(ShapeError):
        value_ranges(part, np.eye(2))
    with pytest.raises(ArgumentError, match="0 to 1"):
        value_ranges(part, which=[2])
