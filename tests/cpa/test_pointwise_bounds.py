"""The code of a point is the exact one where a knot is nearer than the rounding of a value."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import polyspline as ps
from polyspline.cpa.pointwise import closed_pieces, code_of, code_of_exactly
from polyspline.cpa.units import MaxGroup
from tests.exact_forms import GIVEN, exact_forms, value_at


def beside_knots(net: ps.Network, domain: ps.Box, rng: np.random.Generator) -> np.ndarray:
    """Points next to where codes change on random segments, found by halving."""
    ends = rng.uniform(*domain.bounds(), (2, 12, net.latent_dim))
    one, other = ends
    for _ in range(54):
        middle = one / 2.0 + other / 2.0
        same = (code_of(net.layers, middle) == code_of(net.layers, one)).all(axis=1)
        one, other = np.where(same[:, None], middle, one), np.where(same[:, None], other, middle)
    found = np.concatenate([one, other])
    return np.concatenate([found, np.nextafter(found, np.inf), np.nextafter(found, -np.inf)])


@pytest.mark.parametrize("name", GIVEN)
def test_codes_beside_knots_are_the_exact_ones(name: str) -> None:
    given = GIVEN[name]
    points = beside_knots(given.net, given.domain, np.random.default_rng(0))
    found = code_of(given.net.layers, points)
    for point, code in zip(points, found, strict=True):
        np.testing.assert_array_equal(code_of_exactly(given.net.layers, point), code)


@pytest.mark.parametrize("name", ["decimal", "decimal, max groups", "cancelling"])
def test_codes_beside_knots_have_the_values_that_fractions_have(name: str) -> None:
    """The exact pass of the product is one more body of code: here it is not asked."""
    given = GIVEN[name]
    points = beside_knots(given.net, given.domain, np.random.default_rng(1))[:30]
    for point, code in zip(points, code_of(given.net.layers, points), strict=True):
        forms = exact_forms(given.net.layers, code.tolist())
        pieces = iter(code.tolist())
        for layer, rows in zip(given.net.layers, forms, strict=True):
            values = [value_at(row, point.tolist()) for row in rows]
            first = 0
            for unit in layer.units:
                mine = values[first : first + unit.n_rows]
                first += unit.n_rows
                if unit.n_pieces == 1:
                    continue
                piece = next(pieces)
                if isinstance(unit, MaxGroup):
                    assert mine.index(max(mine)) == piece
                else:
                    assert sum(mine[0] > Fraction(knot) for knot in unit.knots) == piece


def test_a_member_that_is_behind_by_less_than_its_rounding_is_behind() -> None:
    rng = np.random.default_rng(2)
    weight = rng.uniform(-1, 1, (2, 8))
    net = ps.Network.from_layers(
        [np.vstack([weight[0], np.nextafter(weight[0], 1.0)])], [[0.0, 0.0]], ["max:2"]
    )
    points = rng.uniform(-1, 1, (300, 8))
    found = closed_pieces(net.layers, points)
    for place, point in enumerate(points.tolist()):
        values = [
            sum((Fraction(a) * Fraction(x) for a, x in zip(row, point, strict=True)), Fraction(0))
            for row in net.layers[0].weight.tolist()
        ]
        assert found.low[place, 0] == values.index(max(values))
        assert found.high[place, 0] == (1 if values[1] >= values[0] else 0)
