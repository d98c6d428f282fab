"""Laws of the search: the scan's optimum, bounds that hold, and an end in every case."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import polyspline as ps
from polyspline.domains import Domain
from polyspline.inversion import BoundSource, Inversion, InversionStatus, invert
from polyspline.network import zoo

NORMS = ("l2", "l1", "linf")
UNITS = ("relu", "leaky_relu:0.1", "hardtanh", "abs", "softshrink:0.3", "leaky_relu:-0.5")


def one(*args: Any, **options: Any) -> Inversion:
    found = invert(*args, **options)
    assert isinstance(found, Inversion)
    return found


def target_near(net: ps.Network, domain: Domain, rng: np.random.Generator, noise: float) -> np.ndarray:
    lo, hi = domain.bounds()
    value: np.ndarray = net(rng.uniform(lo, hi)) + noise * rng.standard_normal(net.ambient_dim)
    return value


def skewed(dim: int, rng: np.random.Generator) -> ps.Polytope:
    rows = np.vstack([np.eye(dim), -np.eye(dim), rng.standard_normal((3, dim))])
    return ps.Polytope(rows, np.concatenate([np.ones(2 * dim), np.full(3, 0.5)]))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("seed", "unit"), list(enumerate(UNITS)))
def test_the_search_finds_what_the_scan_of_all_regions_finds(norm: str, seed: int, unit: str) -> None:
    rng = np.random.default_rng(seed)
    dim = 1 + seed % 3
    net = zoo.random_network([dim, 6, 5, 4], unit, seed=seed)
    for domain in (ps.Box(-1, 1, dim=dim), skewed(dim, rng)):
        part = ps.enumerate_regions(net, domain)
        for noise in (0.1, 3.0):
            x = target_near(net, domain, rng, noise)
            scanned = one(net, x, domain, norm=norm, method="scan", partition=part)
            found = one(net, x, domain, norm=norm)
            assert found.status is InversionStatus.OPTIMAL
            assert found.bound_source is BoundSource.RIGOROUS
            assert found.distance == pytest.approx(scanned.distance, rel=2e-6)
            assert found.lower_bound <= scanned.distance
            assert found.z is not None
            assert domain.contains(found.z)


@pytest.mark.parametrize("norm", NORMS)
def test_no_bound_exceeds_the_optimum_however_early_the_search_stops(norm: str) -> None:
    net = zoo.random_network([3, 12, 12, 6], "leaky_relu:0.1", seed=5)
    domain = ps.Box(-2, 2, dim=3)
    x = target_near(net, domain, np.random.default_rng(5), 0.5)
    best = one(net, x, domain, norm=norm).distance
    for nodes in (1, 2, 5, 20, 60):
        early = one(net, x, domain, norm=norm, max_nodes=nodes)
        assert early.lower_bound <= best * (1 + 1e-12)
        assert early.distance >= best * (1 - 2e-6)
        assert early.status is (InversionStatus.OPTIMAL if early.gap <= 1e-6 else InversionStatus.FEASIBLE)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("unit", ["relu", "leaky_relu:0.1", "hardtanh"])
def test_an_image_of_the_network_is_at_distance_zero(norm: str, unit: str) -> None:
    net = zoo.random_network([2, 10, 10, 8], unit, seed=2)
    domain = ps.Box(-1, 1, dim=2)
    for z in np.random.default_rng(2).uniform(-1, 1, (4, 2)):
        found = one(net, net(z), domain, norm=norm)
        assert found.distance <= 1e-13
        assert found.lower_bound <= found.distance


@pytest.mark.parametrize("norm", NORMS)
def test_every_minimiser_of_a_rank_deficient_network_will_do(norm: str) -> None:
    net = zoo.random_network([3, 6, 5], "relu", seed=4)
    weights = [net.layers[0].weight, np.repeat(net.layers[1].weight[:1], 5, axis=0)]
    flat = ps.Network.from_layers(weights, [layer.bias for layer in net.layers])
    domain = ps.Box(-1, 1, dim=3)
    x = np.array([1.0, -1.0, 0.5, 2.0, 0.0])
    scanned = one(flat, x, domain, norm=norm, method="scan")
    found = one(flat, x, domain, norm=norm)
    assert found.status is InversionStatus.OPTIMAL
    assert found.distance == pytest.approx(scanned.distance, rel=2e-6)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scaling_a_layer_up_and_the_next_one_down_changes_nothing(scale: float) -> None:
    net = zoo.random_network([2, 8, 8, 5], "relu", seed=6)
    weights = [layer.weight for layer in net.layers]
    biases = [layer.bias for layer in net.layers]
    scaled = ps.Network.from_layers(
        [weights[0] * scale, weights[1] / scale, weights[2]], [biases[0] * scale, biases[1], biases[2]]
    )
    domain = ps.Box(-1, 1, dim=2)
    x = target_near(net, domain, np.random.default_rng(6), 0.3)
    plain, other = one(net, x, domain), one(scaled, x, domain)
    assert other.status is InversionStatus.OPTIMAL
    assert other.distance == pytest.approx(plain.distance, rel=3e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_a_target_far_outside_is_as_far_as_the_nearest_output(norm: str) -> None:
    net = zoo.random_network([2, 6, 4], "leaky_relu:0.1", seed=7)
    domain = ps.Box(-1, 1, dim=2)
    x = np.full(4, 1e5)
    scanned = one(net, x, domain, norm=norm, method="scan")
    found = one(net, x, domain, norm=norm)
    assert found.status is InversionStatus.OPTIMAL
    assert found.distance == pytest.approx(scanned.distance, rel=2e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_a_constant_network_has_its_constant(norm: str) -> None:
    net = ps.Network.from_layers([np.zeros((3, 2)), np.ones((2, 3))], [[-1.0, -2.0, -3.0], [0.5, 0.25]])
    found = one(net, [1.5, 0.25], ps.Box(-1, 1, dim=2), norm=norm)
    assert (found.distance, found.status) == (1.0, InversionStatus.OPTIMAL)


def test_a_network_without_units_is_a_regression() -> None:
    rng = np.random.default_rng(8)
    matrix, offset, x = rng.standard_normal((5, 3)), rng.standard_normal(5), rng.standard_normal(5)
    net = ps.Network.from_layers([matrix], [offset])
    found = one(net, x, ps.Box(-100, 100, dim=3))
    expected = np.linalg.lstsq(matrix, x - offset, rcond=None)[0]
    assert found.z is not None
    np.testing.assert_allclose(found.z, np.asarray(expected), atol=1e-6)
    assert found.status is InversionStatus.OPTIMAL


def test_what_is_measured_is_what_is_met() -> None:
    rng = np.random.default_rng(9)
    net = zoo.random_network([2, 8, 8, 6], "relu", seed=9)
    domain = ps.Box(-1, 1, dim=2)
    matrix, offset = rng.standard_normal((3, 6)), rng.standard_normal(3)
    y = matrix @ net([0.3, -0.4]) + offset + 0.2 * rng.standard_normal(3)
    scanned = one(net, y, domain, method="scan", measure=(matrix, offset))
    found = one(net, y, domain, measure=(matrix, offset))
    assert found.status is InversionStatus.OPTIMAL
    assert found.distance == pytest.approx(scanned.distance, rel=2e-6)
    assert found.z is not None
    assert found.x_hat is not None
    np.testing.assert_allclose(found.x_hat, net(found.z))
    assert np.linalg.norm(y - matrix @ found.x_hat - offset) == pytest.approx(found.distance, rel=1e-9)


def test_the_result_is_that_of_the_network_at_its_point() -> None:
    net = zoo.random_network([3, 10, 8], "hardtanh", seed=10)
    domain = ps.Box(-1, 1, dim=3)
    x = target_near(net, domain, np.random.default_rng(10), 0.2)
    found = one(net, x, domain)
    assert found.z is not None
    assert found.A is not None
    assert found.b is not None
    assert found.distance == pytest.approx(np.linalg.norm(x - net(found.z)), rel=1e-12)
    np.testing.assert_array_equal(found.code, net.code(found.z))
    np.testing.assert_allclose(found.A @ found.z + found.b, net(found.z), atol=1e-12)
    assert found.gap == pytest.approx((found.distance - found.lower_bound) / found.distance)


def test_the_history_only_ever_improves() -> None:
    net = zoo.random_network([3, 12, 12, 8], "relu", seed=11)
    domain = ps.Box(-2, 2, dim=3)
    found = one(net, target_near(net, domain, np.random.default_rng(11), 0.3), domain)
    for earlier, later in itertools.pairwise(found.history):
        assert later[0] >= earlier[0]
        assert later[1] <= earlier[1]
        assert later[2] >= earlier[2] or later[2] == later[1]
    assert found.history[-1, 1] == found.distance
    assert found.history[-1, 2] == found.lower_bound


def test_the_same_search_twice_is_the_same() -> None:
    net = zoo.random_network([3, 12, 12, 8], "relu", seed=12)
    domain = ps.Box(-2, 2, dim=3)
    x = target_near(net, domain, np.random.default_rng(12), 0.3)
    first, second = one(net, x, domain), one(net, x, domain)
    np.testing.assert_array_equal(first.z, second.z)
    assert (first.nodes, first.lower_bound) == (second.nodes, second.lower_bound)
