"""Domains of a width of a few ulps are full-dimensional: their regions have rational witnesses."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import polyspline as ps
from polyspline.domains import Box, Domain, Polytope, WholeSpace
from polyspline.network import Network

LOW = -1e10
HIGH = float(np.nextafter(LOW, np.inf))
ULP = HIGH - LOW

SHIFTED: dict[str, Any] = {
    # u = z + 1e10 is between 0 and an ulp; the second unit bends at a quarter of it.
    "knot at a quarter": (
        [[[1.0]], [[1.0], [1.0]]], [[1e10], [0.0, -ULP / 4]], ["identity", "relu"], Box([LOW], [HIGH]), 2
    ),
    "no knot": ([[[1.0]]], [[0.0]], ["relu"], Box([LOW], [HIGH]), 1),
    "thin in one coordinate": (
        [[[1.0, 0.0], [0.0, 1.0]]], [[0.0, 0.0]], ["relu"], Box([LOW, -1.0], [HIGH, 1.0]), 2
    ),
    "subnormal": ([[[1.0]]], [[0.0]], ["relu"], Box([0.0], [5e-324]), 1),
    "thin in many coordinates": (
        [np.eye(7)], [[1e-3] * 7], ["relu"], Box([0.0] * 6 + [-1.0], [5e-324] * 6 + [1.0]), 2
    ),
}  # fmt: skip


@pytest.mark.parametrize("method", ["walk", "split", "count"])
@pytest.mark.parametrize("case", list(SHIFTED))
def test_a_box_of_one_ulp_is_full_dimensional(case: str, method: str) -> None:
    weights, biases, units, domain, count = SHIFTED[case]
    net = Network.from_layers(weights, biases, units)
    if method == "count":
        assert ps.count(net, domain).regions == count
        return
    part = ps.enumerate_regions(net, domain, method=method)
    assert part.complete
    assert len(part) == count
    assert len({tuple(code) for code in part.codes.tolist()}) == count


@pytest.mark.parametrize("case", ["knot at a quarter", "no knot", "thin in one coordinate"])
def test_witnesses_between_two_floats_are_rational_and_strictly_inside(case: str) -> None:
    weights, biases, units, domain, count = SHIFTED[case]
    part = ps.enumerate_regions(Network.from_layers(weights, biases, units), domain, method="walk")
    assert len(part.exact_witnesses) == count
    assert not part.witness_exact.any()
    low, high = domain.bounds()
    for witness in part.exact_witnesses.values():
        for z, a, b in zip(witness, low.tolist(), high.tolist(), strict=True):
            assert Fraction(a) < z < Fraction(b)


@pytest.mark.parametrize(
    "domain",
    [
        Box([LOW], [HIGH]),
        Box([0.0, -1.0], [5e-324, 3.0]),
        Box([-1.7e308], [1.7e308]),
        Polytope([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], [HIGH, -LOW, 1.0, 1.0]),
        Polytope([[3.0], [-3.0]], [1.0, -np.nextafter(1.0, 0.0)]),
        WholeSpace(3),
    ],
)
def test_every_domain_has_an_exact_point_strictly_inside(domain: Domain) -> None:
    point = domain.exact_interior_point()
    assert len(point) == domain.dim
    for row, side in zip(*domain.rows(), strict=True):
        assert sum((Fraction(float(a)) * z for a, z in zip(row, point, strict=True)), Fraction(0)) < side


@pytest.mark.parametrize("method", ["walk", "split"])
def test_a_start_in_the_corner_of_a_thin_box_has_its_region(method: str) -> None:
    net = Network.from_layers([np.eye(6)], [[0.0] * 6], ["relu"])
    domain = Box([0.0] * 6, [5e-324] * 6)
    for corner in (domain.lo, domain.hi):
        part = ps.enumerate_regions(net, domain, method=method, start=corner)
        assert part.codes.tolist() == [[1] * 6]
