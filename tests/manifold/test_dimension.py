from __future__ import annotations

import numpy as np
import pytest

from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, NonFiniteError, ShapeError
from polyspline.manifold.dimension import dimension_bounds, intrinsic_dimension
from polyspline.manifold.regions import region_set, sample_regions
from polyspline.network import Network, zoo

NETS = [
    zoo.random_network([3, 5, 4, 6], seed=0),
    zoo.random_network([3, 2, 5, 4], seed=1),
    zoo.random_network([4, 5, 3, 4], "leaky_relu", seed=2),
    zoo.random_network([3, 6, 2], "hardtanh", seed=3),
    zoo.random_network([2, 6, 6], "abs", seed=4),
]


@pytest.mark.parametrize("net", NETS, ids=repr)
def test_the_rank_is_that_of_the_slope_and_at_most_the_bound(net: Network) -> None:
    part = enumerate_regions(net, Box(-1.5, 1.5, dim=net.latent_dim))
    found = intrinsic_dimension(part)
    for region, rank, bound in zip(part, found.ranks, found.bounds, strict=True):
        assert rank == np.linalg.matrix_rank(region.A)
        assert rank <= bound
    np.testing.assert_array_equal(found.dimensions, found.ranks)


@pytest.mark.parametrize("net", NETS, ids=repr)
def test_the_bound_is_the_least_rank_of_a_layer(net: Network) -> None:
    regions = region_set(enumerate_regions(net, Box(-1.5, 1.5, dim=net.latent_dim)))
    for code, bound in zip(regions.codes, dimension_bounds(net, regions.codes), strict=True):
        least, start = net.latent_dim, 0
        for layer in net.layers:
            pieces = np.zeros(layer.n_out, dtype=np.int64)
            stop = start + len(layer.unit_neurons)
            pieces[layer.unit_neurons] = code[start:stop]
            slopes = layer.unit_tables[0][np.arange(layer.n_out), pieces]
            rows = layer.weight[layer.chosen_rows(pieces)]
            least = min(least, int(np.linalg.matrix_rank(slopes[:, None] * rows)))
            start = stop
        assert bound == least


def test_the_bound_of_a_layer_of_low_rank_is_found() -> None:
    rng = np.random.default_rng(0)
    low = rng.standard_normal((8, 2)) @ rng.standard_normal((2, 9))
    net = Network.from_layers(
        [rng.standard_normal((9, 4)), low, rng.standard_normal((5, 8))], [None, None, None], "leaky_relu"
    )
    found = intrinsic_dimension(sample_regions(net, Box(-1, 1, dim=4), 100))
    assert (found.bounds == 2).all()
    assert (found.dimensions == 2).all()


def test_a_constant_network_has_dimension_zero() -> None:
    net = Network.from_layers([np.zeros((2, 2)), np.ones((2, 2))], [[0.0, 0.0], [1.0, 2.0]])
    found = intrinsic_dimension(enumerate_regions(net, Box(-1, 1, dim=2)))
    assert found.ranks.tolist() == found.bounds.tolist() == [0]
    np.testing.assert_array_equal(found.histogram().shares, [1.0, 0.0, 0.0])


def test_the_rank_may_be_below_the_bound() -> None:
    # relu(z) - relu(z) is 0 throughout, though every layer has rank 1 where z > 0.
    net = Network.from_layers(
        [[[1.0], [1.0]], [[1.0, -1.0]], [[1.0]]], [None, None, None], ["relu", "identity", "identity"]
    )
    part = enumerate_regions(net, Box(-1, 1, dim=1))
    found = intrinsic_dimension(part)
    right = int(part.locate([0.5]))
    assert (found.ranks[right], found.bounds[right]) == (0, 1)


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e150])
def test_the_rank_does_not_depend_on_the_scale_or_a_rotation_of_the_output(scale: float) -> None:
    net = NETS[0]
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((6, 6)))[0]
    last = net.layers[-1]
    weights = [*(layer.weight for layer in net.layers[:-1]), scale * turn @ last.weight]
    turned = Network.from_layers(weights, [*(layer.bias for layer in net.layers[:-1]), None])
    part = enumerate_regions(net, Box(-1, 1, dim=3))
    other = enumerate_regions(turned, Box(-1, 1, dim=3))
    np.testing.assert_array_equal(intrinsic_dimension(part).ranks, intrinsic_dimension(other).ranks)


def test_the_histogram_is_weighted_by_count_volume_or_probability() -> None:
    net = Network.from_layers([[[1.0]], [[1.0]]], [[-0.5], [0.0]])
    part = enumerate_regions(net, Box(-1, 1, dim=1))
    found = intrinsic_dimension(part)
    np.testing.assert_allclose(found.histogram().shares, [0.5, 0.5])
    by_volume = found.histogram([region.volume() for region in part])
    np.testing.assert_allclose(by_volume.shares, [0.75, 0.25])
    assert by_volume.by == "weights"
    assert by_volume.standard_errors is None
    assert by_volume.mean == pytest.approx(0.25)


def test_a_sampled_histogram_is_within_its_standard_errors() -> None:
    net = Network.from_layers([[[1.0]], [[1.0]]], [[-0.5], [0.0]])
    misses = []
    for seed in range(40):
        shares = intrinsic_dimension(sample_regions(net, Box(-1, 1, dim=1), 400, seed=seed)).histogram()
        assert shares.by == "draws"
        assert shares.standard_errors is not None
        assert shares.standard_errors[1] == pytest.approx(np.sqrt(0.25 * 0.75 / 400), rel=0.2)
        misses.append((shares.shares[1] - 0.25) / shares.standard_errors[1])
    assert np.sqrt(np.mean(np.square(misses))) == pytest.approx(1.0, abs=0.35)
    count = intrinsic_dimension(sample_regions(net, Box(-1, 1, dim=1), 400)).histogram("count")
    np.testing.assert_allclose(count.shares, [0.5, 0.5])
    assert count.standard_errors is not None


def test_bad_weights_are_refused() -> None:
    found = intrinsic_dimension(enumerate_regions(NETS[4], Box(-1, 1, dim=2), max_regions=3))
    with pytest.raises(ArgumentError, match="'draws'"):
        found.histogram("draws")
    with pytest.raises(ShapeError, match="3 regions"):
        found.histogram([1.0, 2.0])
    with pytest.raises(ArgumentError, match="at least 0"):
        found.histogram([1.0, -1.0, 1.0])
    with pytest.raises(ArgumentError, match="all of them 0"):
        found.histogram([0.0, 0.0, 0.0])
    with pytest.raises(NonFiniteError):
        found.histogram([1.0, np.inf, 1.0])
