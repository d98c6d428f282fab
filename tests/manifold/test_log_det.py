from __future__ import annotations

import numpy as np
import pytest

from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.manifold.log_det import log_determinants
from polyspline.manifold.regions import sample_regions
from polyspline.network import Network, zoo

NET = zoo.random_network([3, 6, 5], "leaky_relu:0.3", seed=2)
BOX = Box(-1, 1, dim=3)


def test_a_linear_map_has_its_closed_form() -> None:
    matrix = np.random.default_rng(0).standard_normal((5, 3))
    part = enumerate_regions(Network.from_layers([matrix], [None], ["identity"]), BOX)
    found = log_determinants(part)
    assert found.values[0] == pytest.approx(0.5 * np.linalg.slogdet(matrix.T @ matrix)[1], rel=1e-12)
    summary = found.summary()
    assert summary.mean.value == found.values[0]
    assert summary.mean.standard_error is None
    assert summary.standard_deviation == 0.0
    assert (summary.quantiles == found.values[0]).all()


def test_every_region_has_half_the_log_determinant_of_its_gram_matrix() -> None:
    part = enumerate_regions(NET, BOX)
    found = log_determinants(part)
    for region, value, pseudo, values in zip(
        part, found.values, found.pseudo_values, found.singular_values, strict=True
    ):
        sign, expected = np.linalg.slogdet(region.A.T @ region.A)
        assert sign > 0
        assert value == pytest.approx(0.5 * expected, abs=1e-8)
        assert pseudo == value
        np.testing.assert_allclose(values, np.linalg.svd(region.A, compute_uv=False), rtol=1e-9)


def test_it_shifts_with_the_scale_and_stays_under_rotations() -> None:
    part = enumerate_regions(NET, BOX)
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((5, 5)))[0]
    first, last = NET.layers
    for scale in (1.0, 2.0**-300, 2.0**200):
        other = Network.from_layers(
            [first.weight, scale * turn @ last.weight], [first.bias, None], "leaky_relu:0.3"
        )
        found = log_determinants(enumerate_regions(other, BOX))
        expected = log_determinants(part).values + 3 * np.log(scale)
        np.testing.assert_allclose(found.values, expected, rtol=1e-10, atol=1e-9)


def test_a_lower_rank_has_no_volume_and_a_pseudo_determinant() -> None:
    # G(z) = (relu(z1), 2 z2, 0): rank 1 to the left.
    net = Network.from_layers(
        [np.eye(2), [[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]], [None, None], ["relu|identity", "identity"]
    )
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    found = log_determinants(part)
    left, right = int(part.locate([-0.5, 0.0])), int(part.locate([0.5, 0.0]))
    assert found.values[left] == -np.inf
    assert found.pseudo_values[left] == pytest.approx(np.log(2.0))
    assert found.values[right] == pytest.approx(np.log(2.0))
    assert found.ranks[[left, right]].tolist() == [1, 2]
    summary = found.summary([0.75 if i == left else 0.25 for i in range(2)])
    assert summary.full_rank_share.value == pytest.approx(0.25)
    assert summary.mean.value == pytest.approx(np.log(2.0))


def test_a_constant_network_has_an_empty_product() -> None:
    part = enumerate_regions(Network.from_layers([np.zeros((2, 2))], [None], ["identity"]), Box(0, 1, dim=2))
    found = log_determinants(part)
    assert found.values.tolist() == [-np.inf]
    assert found.pseudo_values.tolist() == [0.0]
    assert np.isnan(found.summary().mean.value)
    assert np.isnan(found.summary().quantiles).all()


def test_fewer_outputs_than_inputs_have_no_volume() -> None:
    net = zoo.random_network([3, 4, 2], seed=0)
    assert (log_determinants(enumerate_regions(net, BOX)).values == -np.inf).all()


def test_quantiles_are_those_of_the_weighted_values() -> None:
    part = enumerate_regions(NET, BOX)
    found = log_determinants(part)
    quantiles = found.summary().quantiles
    assert quantiles[0] == found.values.min()
    assert quantiles[-1] == found.values.max()
    assert np.mean(found.values <= quantiles[3]) >= 0.5
    assert np.mean(found.values < quantiles[3]) <= 0.5
    one = found.summary(np.eye(len(part))[4]).quantiles
    assert (one == found.values[4]).all()


def test_a_sampled_mean_is_the_volume_average_within_its_error() -> None:
    part = enumerate_regions(NET, BOX)
    exact = log_determinants(part).summary([region.volume() for region in part]).mean.value
    misses = []
    for seed in range(12):
        mean = log_determinants(sample_regions(NET, BOX, 300, seed=seed)).summary().mean
        assert mean.standard_error is not None
        misses.append((mean.value - exact) / mean.standard_error)
    assert 0.4 < np.sqrt(np.mean(np.square(misses))) < 1.8
