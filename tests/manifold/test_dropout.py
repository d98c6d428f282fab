from __future__ import annotations

import numpy as np
import pytest

from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, NonFiniteError, ShapeError
from polyspline.manifold.dimension import intrinsic_dimension
from polyspline.manifold.dropout import Noise, noisy_dimensions, noisy_network, point_dimensions
from polyspline.manifold.regions import sample_regions
from polyspline.network import Network, zoo

NET = zoo.random_network([3, 6, 5, 4], seed=0)
BOX = Box(-2, 2, dim=3)


def relu(v: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(v, 0.0))


def test_dropout_masks_feature_maps_and_dropconnect_weights() -> None:
    rng = np.random.default_rng(0)
    z = rng.uniform(-2, 2, (50, 3))
    masks = [rng.integers(0, 2, 6).astype(float), 2.0 * rng.integers(0, 2, 5)]
    (w0, b0), (w1, b1), (w2, b2) = ((layer.weight, layer.bias) for layer in NET.layers)
    hidden = relu(z @ w0.T + b0) * masks[0]
    hidden = relu(hidden @ w1.T + b1) * masks[1]
    dropped = NET.with_dropout(masks)
    np.testing.assert_allclose(dropped(z), hidden @ w2.T + b2, atol=1e-13)
    assert dropped.n_units == NET.n_units
    entries = [rng.integers(0, 2, layer.weight.shape) for layer in NET.layers]
    hidden = relu(relu(z @ (w0 * entries[0]).T + b0) @ (w1 * entries[1]).T + b1)
    expected = hidden @ (w2 * entries[2]).T + b2
    np.testing.assert_allclose(NET.with_dropconnect(entries)(z), expected, atol=1e-13)


def test_masks_of_ones_and_none_change_nothing() -> None:
    assert NET.with_dropout([None, np.ones(5)]) == NET
    assert NET.with_dropconnect([None, np.ones((5, 6)), None]) == NET
    assert NET.with_dropout([None, np.zeros(5)]) != NET


def test_a_realisation_has_a_partition_of_its_own() -> None:
    net = zoo.random_network([2, 4, 3, 2], seed=1).with_dropout([[1, 0, 1, 1], [1, 1, 0]])
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    for region in part:
        np.testing.assert_allclose(region.A @ region.witness + region.b, net(region.witness), atol=1e-12)


def test_masks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="got 3 masks; expected 2"):
        NET.with_dropout([None, None, None])
    with pytest.raises(ShapeError, match=r"mask of layer 1: expected shape \(5,\)"):
        NET.with_dropout([None, np.ones(6)])
    with pytest.raises(ShapeError, match="expected 3, one for each layer"):
        NET.with_dropconnect([None, None])
    with pytest.raises(ShapeError, match="mask of layer 0"):
        NET.with_dropconnect([np.ones((3, 6)), None, None])
    with pytest.raises(NonFiniteError):
        NET.with_dropout([None, np.full(5, np.nan)])


def test_dropout_can_raise_the_dimension() -> None:
    # relu(relu(z) - 2 relu(z)) has dimension 0; without its second unit it is relu(relu(z)).
    net = Network.from_layers([[[1.0], [1.0]], [[1.0, -2.0]], [[1.0]]], [None, None, None])
    part = enumerate_regions(net, Box(-1, 1, dim=1))
    assert intrinsic_dimension(part).dimensions.max() == 0
    dropped = enumerate_regions(net.with_dropout([[1, 0], [1]]), Box(-1, 1, dim=1))
    assert intrinsic_dimension(dropped).dimensions.max() == 1
    found = noisy_dimensions(part, "dropout", 0.4, n_draws=60, seed=0)
    assert found.shares[1] > 0


def test_dropconnect_can_raise_the_rank_of_a_weight() -> None:
    net = Network.from_layers([np.ones((2, 2))], [None], ["identity"])
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    assert intrinsic_dimension(part).dimensions.tolist() == [1]
    masked = net.with_dropconnect([np.eye(2)])
    assert intrinsic_dimension(enumerate_regions(masked, Box(-1, 1, dim=2))).dimensions.tolist() == [2]
    assert noisy_dimensions(part, "dropconnect", 0.5, n_draws=60, seed=0).shares[2] > 0


@pytest.mark.parametrize("noise", list(Noise))
def test_the_dimension_is_at_most_the_ranks_of_the_masked_layers(noise: Noise) -> None:
    regions = sample_regions(NET, BOX, 60, neighbours=False)
    for seed in range(12):
        net = noisy_network(NET, noise, 0.4, np.random.default_rng(seed))
        dimensions, bounds = point_dimensions(net, regions.points)
        for z, dimension, bound in zip(regions.points, dimensions, bounds, strict=True):
            code = net.code(z)
            slope, _ = net.affine(code)
            assert dimension == np.linalg.matrix_rank(slope)
            live = [code[:6], code[6:], np.ones(4)]
            ranks = [
                np.linalg.matrix_rank(s[:, None] * x.weight) for s, x in zip(live, net.layers, strict=True)
            ]
            assert bound == min(3, *ranks)
            assert dimension <= bound


def test_no_noise_leaves_the_dimensions_and_full_noise_leaves_points() -> None:
    part = enumerate_regions(NET, BOX)
    expected = np.bincount(intrinsic_dimension(part).dimensions, minlength=4)
    for noise in Noise:
        found = noisy_dimensions(part, noise.key, 0.0, n_draws=2)
        np.testing.assert_array_equal(found.counts, [expected, expected])
        np.testing.assert_array_equal(found.standard_errors, np.zeros(4))
        assert noisy_dimensions(part, noise, 1.0, n_draws=1).shares.tolist() == [1.0, 0.0, 0.0, 0.0]


def test_dropconnect_costs_a_narrow_network_fewer_dimensions_than_dropout() -> None:
    net = zoo.random_network([6, 8, 8, 10], "leaky_relu", seed=0)
    regions = sample_regions(net, Box(-1, 1, dim=6), 40, neighbours=False)
    means = [noisy_dimensions(regions, noise, 0.3, n_draws=30, seed=1).mean for noise in Noise]
    assert means[1] > means[0]
    wide = zoo.random_network([6, 40, 40, 10], "leaky_relu", seed=0)
    regions = sample_regions(wide, Box(-1, 1, dim=6), 20, neighbours=False)
    assert noisy_dimensions(regions, "dropout", 0.1, n_draws=10).mean == 6.0


def test_points_are_those_of_the_regions_met_and_the_seed_decides() -> None:
    regions = sample_regions(NET, BOX, 20, neighbours=True)
    runs = [noisy_dimensions(regions, "dropout", 0.5, n_draws=8, seed=seed) for seed in (0, 0, 1)]
    assert (runs[0].counts.sum(axis=1) == len(regions.met)).all()
    assert (runs[0].bounds.sum(axis=1) == len(regions.met)).all()
    assert runs[0].sampled
    np.testing.assert_array_equal(runs[0].counts, runs[1].counts)
    assert not np.array_equal(runs[0].counts, runs[2].counts)
    assert (runs[0].standard_errors > 0).any()


def test_bad_input_is_refused() -> None:
    part = enumerate_regions(NET, BOX, max_regions=2)
    with pytest.raises(ArgumentError, match="'dropout' or 'dropconnect', got 'drop'"):
        noisy_dimensions(part, "drop", 0.1)
    with pytest.raises(ArgumentError, match="from 0 to 1"):
        noisy_dimensions(part, "dropout", 1.5)
    with pytest.raises(ArgumentError, match="from 0 to 1"):
        noisy_dimensions(part, "dropconnect", float("nan"))
    with pytest.raises(ArgumentError, match="n_draws"):
        noisy_dimensions(part, "dropout", 0.1, n_draws=0)
