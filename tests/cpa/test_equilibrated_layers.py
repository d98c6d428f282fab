"""A scaled network is the network itself, in Fractions, but for powers of two; and what is left out says so."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import polyspline as ps
from polyspline.cpa.equilibrate import GATE, equilibrate
from polyspline.cpa.units import MaxGroup, ScalarUnit


def network(seed: int) -> ps.Network:
    """Layers of scalar units and of groups whose numbers are of all sizes."""
    rng = np.random.default_rng(seed)

    def numbers(*shape: int) -> Any:
        sizes = 2.0 ** rng.choice([-500, -150, 0, 0, 0, 150, 380], shape)
        return rng.uniform(0.5, 1.0, shape) * sizes

    weights = [numbers(4, 2), numbers(6, 4), numbers(4, 3)]
    biases = [numbers(4), numbers(6), numbers(4)]
    return ps.Network.from_layers(weights, biases, ["softshrink:0.3", "max:2", "hardtanh"])


@pytest.mark.parametrize("seed", range(40))
def test_scaled_rows_are_the_true_ones_times_a_power_of_two(seed: int) -> None:
    net = network(seed)
    column = np.array([3, -2])
    scaled = equilibrate(net.layers, column, np.array([1.5, 1.0]))
    inputs = column
    for true, layer, rows, beyond in zip(net.layers, scaled.layers, scaled.rows, scaled.beyond, strict=True):
        first = 0
        for unit, other in zip(true.units, layer.units, strict=True):
            mine = slice(first, first + unit.n_rows)
            assert len(set(rows[mine].tolist())) == len(set(beyond[mine].tolist())) == 1
            power = Fraction(2) ** int(rows[first])
            if isinstance(unit, ScalarUnit):
                assert isinstance(other, ScalarUnit)
                assert [Fraction(k) * power for k in unit.knots] == [Fraction(k) for k in other.knots]
                assert [Fraction(o) * power for o in unit.offsets] == [Fraction(o) for o in other.offsets]
                assert unit.slopes == other.slopes
            else:
                assert isinstance(unit, MaxGroup)
                assert unit == other
            first += unit.n_rows
        for i in range(true.n_rows):
            entries = [Fraction(w) for w in layer.weight[i].tolist()]
            assert all(entry == 0 or 2**-GATE <= abs(entry) <= 2**GATE for entry in entries)
            if beyond[i]:
                assert not any(entries)
                assert rows[i] == 0
                continue
            power = Fraction(2) ** int(rows[i])
            expected = [
                Fraction(w) * power * Fraction(2) ** int(shift)
                for w, shift in zip(true.weight[i].tolist(), inputs.tolist(), strict=True)
            ]
            assert entries == expected
            assert Fraction(float(layer.bias[i])) == Fraction(float(true.bias[i])) * power
        inputs = -rows[true.row_start[:-1]]


def test_some_rows_are_out_of_range_and_most_are_not() -> None:
    beyond = np.concatenate([row for seed in range(40) for row in _beyond(seed)])
    assert 0.01 < np.mean(beyond) < 0.9


def _beyond(seed: int) -> tuple[np.ndarray, ...]:
    return equilibrate(network(seed).layers, np.array([3, -2]), np.array([1.5, 1.0])).beyond
