"""Maps and rows of many regions miss no more than they say, checked in Fractions and without tolerance."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import polyspline as ps
from polyspline.cpa.exact import exact_network
from polyspline.cpa.knots import knots_of
from polyspline.domains import Box, Domain, Polytope
from polyspline.inversion.image_pairs import image_ranges
from polyspline.inversion.region_maps import RegionMapper, RegionMaps, mapper_of
from polyspline.network import Network
from tests.inversion.support import maxout
from tests.solvers.test_steps import SCALES, random_floats

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def fractions(values: Floats) -> list[Fraction]:
    return [Fraction(float(value)) for value in values]


def random_codes(net: Network, rng: np.random.Generator, count: int) -> Codes:
    pieces = [unit.n_pieces for layer in net.layers for unit in layer.units if unit.is_unit]
    return rng.integers(0, pieces, size=(count, len(pieces)))


def check_maps(net: Network, codes: Codes, maps: RegionMaps, reach: Floats) -> int:
    """Check the maps against exact ones over the whole box of the reach; how many were finite."""
    exact = exact_network(net.layers)
    far = [*fractions(reach), Fraction(1)]
    checked = 0
    for b, code in enumerate(codes):
        values = exact.preactivations(0, None)
        for depth in range(len(net.layers)):
            pieces = code[exact.unit_start[depth] : exact.unit_start[depth + 1]]
            values = exact.outputs(depth, values, pieces)
            if depth + 1 < len(net.layers):
                values = exact.preactivations(depth + 1, values)
        for i, row in enumerate(values.to_fractions()):
            computed = np.append(maps.slope[b, i], maps.offset[b, i])
            if np.isfinite(computed).all() and np.isfinite(maps.error[b, i]):
                missed = sum(
                    (abs(a - c) * r for a, c, r in zip(row, fractions(computed), far, strict=True)),
                    Fraction(0),
                )
                assert missed <= Fraction(float(maps.error[b, i]))
                checked += 1
    return checked


def check_rows(net: Network, codes: Codes, maps: RegionMaps, domain: Domain, reach: Floats) -> int:
    """Check that true rows imply the computed ones up to their slack, anywhere within reach."""
    exact, knots = exact_network(net.layers), knots_of(net.layers)
    normals, sides = domain.rows()
    far = [*fractions(reach), Fraction(1)]
    checked = 0
    for b, code in enumerate(codes):
        before: list[list[Fraction]] = []
        values = exact.preactivations(0, None)
        for depth in range(len(net.layers)):
            before += values.to_fractions()
            pieces = code[exact.unit_start[depth] : exact.unit_start[depth + 1]]
            values = exact.outputs(depth, values, pieces)
            if depth + 1 < len(net.layers):
                values = exact.preactivations(depth + 1, values)
        true = []
        for k, unit in enumerate(knots.unit.tolist()):
            row = list(before[knots.upper[k]])
            if knots.lower[k] >= 0:
                row = [a - c for a, c in zip(row, before[knots.lower[k]], strict=True)]
            row[-1] -= Fraction(float(knots.position[k]))
            sign = -1 if code[unit] >= knots.high[k] else 1
            true.append([sign * entry for entry in row])
        true += [[*fractions(a), -Fraction(float(c))] for a, c in zip(normals, sides, strict=True)]
        for m, row in enumerate(true):
            computed = [*fractions(maps.rows[b, m]), -Fraction(float(maps.sides[b, m]))]
            if not any(computed[:-1]):
                continue
            # Is it a positive multiple of the true row, up to its slack? The least of a convex function
            # of the factor, with a kink for each entry, is at a kink.
            factors = [c / a for c, a in zip(computed, row, strict=True) if a and c / a > 0]
            missed = min(
                sum(
                    (abs(c - factor * a) * r for c, a, r in zip(computed, row, far, strict=True)), Fraction(0)
                )
                for factor in factors
            )
            assert missed <= Fraction(float(maps.slack[b, m]))
            checked += 1
    return checked


@pytest.mark.parametrize("scale", list(SCALES))
@pytest.mark.parametrize("activation", ["relu", "leaky_relu:1e-200", "hardtanh", "max:2"])
def test_maps_and_rows_of_wild_scales_miss_no_more_than_they_say(activation: str, scale: str) -> None:
    rng = np.random.default_rng([list(SCALES).index(scale), len(activation)])
    checked = [0, 0]
    for trial in range(12):
        dim, width = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        rows = 2 * width if activation == "max:2" else width
        shapes = [(rows, dim), (rows, width), (2, width)]
        weights: list[Any] = [random_floats(rng, scale, shape) for shape in shapes]
        biases = [
            np.where(rng.random(n) < 0.5, 0.0, random_floats(rng, scale, (n,))) for n in (rows, rows, 2)
        ]
        if trial % 2:
            from scipy.sparse import csr_array

            weights = [csr_array(weight) for weight in weights]
        net = Network.from_layers(weights, biases, [activation, activation, "identity"])
        high: Floats = np.ldexp(1.0, rng.integers(-10, 10, size=dim))
        domain = Box(-0.5 * high, high)
        mapper = RegionMapper(net.layers, domain, high)
        codes = random_codes(net, rng, 4)
        maps = mapper.maps(codes)
        checked[0] += check_maps(net, codes, maps, high)
        checked[1] += check_rows(net, codes, maps, domain, high)
    assert checked[0] > 0
    assert checked[1] > 0


def test_maps_and_rows_of_ordinary_networks_miss_no_more_than_they_say() -> None:
    for net in (
        ps.zoo.random_network((2, 6, 6, 3), "leaky_relu:0.1", seed=1),
        maxout([3, 4, 3, 2], [3, 2, 1], seed=2),
    ):
        rng = np.random.default_rng(3)
        domain = Box(-1.0, 1.0, dim=net.latent_dim)
        reach = np.ones(net.latent_dim)
        codes = random_codes(net, rng, 20)
        maps = RegionMapper(net.layers, domain, reach).maps(codes)
        assert check_maps(net, codes, maps, reach) == 20 * net.ambient_dim
        assert check_rows(net, codes, maps, domain, reach)
        assert np.max(maps.error) < 1e-11


@pytest.mark.parametrize("scale", [1e-170, 1.0, 1e150])
@pytest.mark.parametrize("activation", ["relu", "max:2"])
def test_rows_that_cancel_miss_no_more_than_they_say(activation: str, scale: float) -> None:
    rng = np.random.default_rng(len(activation))
    checked = 0
    for _ in range(20):
        dim, gap = int(rng.integers(1, 4)), 2.0 ** -rng.integers(25, 42)
        first = np.repeat(rng.normal(size=(2, dim)), 2, axis=0)
        first[1::2] += gap * rng.normal(size=(2, dim))
        second = rng.normal(size=(4, 4))
        # Neighbours cancel in a row of a scalar unit, and rows do so in a max group.
        second[:, 1::2] = -second[:, ::2]
        kind = int(rng.integers(3)) if activation == "max:2" else 0
        if kind == 1:
            second = np.abs(second)
            second[1::2] = second[::2] * (1.0 + gap)
        elif kind == 2:
            # Of the two errors, only that of the first member, or of the second, is of any size.
            second[rng.integers(2) :: 2] = gap * np.eye(4)[:2]
        net = Network.from_layers([first * scale, second], [np.zeros(4), np.zeros(4)], ["relu", activation])
        domain, reach = Box(-1.0, 1.0, dim=dim), np.ones(dim)
        codes = random_codes(net, rng, 4)
        codes[:, :4] = 1
        maps = RegionMapper(net.layers, domain, reach).maps(codes)
        checked += check_rows(net, codes, maps, domain, reach)
    assert checked > 20 * 4 * 4


def test_rows_of_a_domain_whose_squares_underflow_are_of_unit_length() -> None:
    net = Network.from_layers([[[1.0]]], [[0.0]], ["relu"])
    domain = Polytope([[2.71e-162], [-3e200]], [2.71e-162, 6e200])
    maps = RegionMapper(net.layers, domain, np.array([2.0])).maps(np.array([[1]]))
    np.testing.assert_allclose(maps.rows[0, 1:, 0], [1.0, -1.0])
    np.testing.assert_allclose(maps.sides[0, 1:], [1.0, 2.0])


def part_of(weights: list[list[list[float]]], activation: Any, domain: Domain) -> ps.Partition:
    net = Network.from_layers(weights, [[0.0]] * len(weights), activation)
    return ps.enumerate_regions(net, domain, method="walk")


def test_a_product_that_underflows_and_comes_back_has_its_range_and_its_distance() -> None:
    weights = [[[1e-200]], [[1e-200]], [[1e200]], [[1e200]]]
    part = part_of(weights, ["identity"] * 4, Box([-1.0], [-0.1]))
    ranges = ps.value_ranges(part)
    assert ranges.certified
    assert -1.0 - 1e-12 < ranges.lower[0, 0] <= -1.0
    assert -0.1 <= ranges.upper[0, 0] < -0.1 + 1e-12
    mapper = mapper_of(part, part.net.layers)
    low, high = image_ranges(part, mapper, np.arange(1), np.eye(1))
    assert -1.0 - 1e-12 < low[0, 0] <= -1.0
    assert -0.1 <= high[0, 0] < -0.1 + 1e-12
    found = ps.invert(part.net, [-0.5], part.domain, method="scan", partition=part)
    assert isinstance(found, ps.Inversion)
    assert found.lower_bound <= 1e-12


def test_a_slope_that_underflows_and_comes_back_leaves_no_preimage_out() -> None:
    units = ["leaky_relu:1e-200", "leaky_relu:1e-200", "identity", "identity"]
    net = Network.from_layers([[[1.0]], [[1.0]], [[1e300]], [[1e100]]], [[0.0]] * 4, units)
    part = ps.enumerate_regions(net, Box([-1.0], [1.0]), method="walk")
    codes = [tuple(region.code) for region in part]
    assert sorted(codes) == [(0, 0), (1, 1)]
    for x in (-0.5, -1e-3):
        found = ps.preimages(net, [x], part)
        assert [codes[one.region] for one in found] == [(0, 0)]
        assert found[0].z[0] == pytest.approx(x)
        assert found[0].distance <= 1e-9
        assert found[0].dimension == 0
