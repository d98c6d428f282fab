"""Scaling by powers of two changes nothing, and brings every row it keeps to size one."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import polyspline as ps
from polyspline.cpa.equilibrate import GATE, column_exponents, equilibrate, scaled_rows, shifted
from polyspline.cpa.layers import Layer
from polyspline.cpa.units import MaxGroup, ScalarUnit

ACTIVATIONS = ("relu", "leaky_relu:0.25", "hardtanh:-0.5,1", "softshrink:0.5", "max:2", "identity")


def wild_network(seed: int) -> ps.Network:
    """Layers whose entries are of sizes far apart, from row to row and from column to column."""
    rng = np.random.default_rng(seed)
    widths = [2, 4, 4, 2]
    weights, biases, names = [], [], []
    for n_in, n_out in pairwise(widths):
        name = ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
        rows = n_out * (2 if name == "max:2" else 1)
        scale = 2.0 ** rng.integers(-160, 160, (rows, 1)).astype(float)
        weights.append(rng.normal(size=(rows, n_in)) * scale * (rng.random((rows, n_in)) < 0.8))
        biases.append(rng.normal(size=rows) * scale[:, 0] * (rng.random(rows) < 0.7))
        names.append(name)
    return ps.Network.from_layers(weights, biases, names)


def exact_row(layer: Layer, row: int, columns: list[Fraction]) -> list[Fraction]:
    return [
        *(Fraction(float(w)) * k for w, k in zip(layer.weight[row], columns, strict=True)),
        Fraction(float(layer.bias[row])),
    ]


def power(exponent: int) -> Fraction:
    return Fraction(2) ** int(exponent)


@pytest.mark.parametrize("seed", range(40))
def test_rows_and_units_are_the_true_ones_times_powers_of_two(seed: int) -> None:
    net = wild_network(seed)
    radius = 2.0 ** np.random.default_rng(seed).integers(-200, 200, 2).astype(float)
    column = column_exponents(radius)
    scaled = equilibrate(net.layers, column, np.ldexp(radius, -column.astype(np.int32)))
    columns = [power(k) for k in column]
    kept = 0
    for layer, made, rows, beyond in zip(net.layers, scaled.layers, scaled.rows, scaled.beyond, strict=True):
        for row in range(layer.n_rows):
            if beyond[row]:
                assert rows[row] == 0
                assert not made.weight[row].any()
                assert made.bias[row] == 0.0
                continue
            kept += 1
            expected = [entry * power(rows[row]) for entry in exact_row(layer, row, columns)]
            assert exact_row(made, row, [Fraction(1)] * layer.n_in) == expected
            sizes = [abs(entry) for entry in expected if entry]
            assert all(power(-GATE - 1) <= size <= power(GATE) for size in sizes)
        for output, (unit, other) in enumerate(zip(layer.units, made.units, strict=True)):
            first = int(layer.row_start[output])
            if isinstance(unit, MaxGroup):
                members = slice(first, first + unit.n_rows)
                assert other == unit
                assert len(set(rows[members].tolist())) == 1
                continue
            assert isinstance(other, ScalarUnit)
            shift = power(rows[first])
            assert list(other.slopes) == list(unit.slopes)
            assert [Fraction(k) for k in other.knots] == [Fraction(k) * shift for k in unit.knots]
            assert [Fraction(k) for k in other.offsets] == [Fraction(k) * shift for k in unit.offsets]
        columns = [power(-rows[row]) for row in layer.row_start[:-1]]
    assert kept


def test_a_network_of_ordinary_numbers_is_left_as_it_is() -> None:
    net = ps.zoo.random_network([3, 8, 8, 2], seed=0)
    scaled = equilibrate(net.layers, np.zeros(3, np.int64), np.ones(3))
    assert scaled.layers is net.layers
    assert not any(rows.any() for rows in scaled.rows)


def test_values_that_would_leave_the_range_on_the_way_are_no_ordinary_network() -> None:
    weights = [np.full((1, 1), 2.0**-90)] * 6
    net = ps.Network.from_layers(weights, [np.zeros(1)] * 6, ["relu"] * 6)
    scaled = equilibrate(net.layers, np.zeros(1, np.int64), np.ones(1))
    assert [rows.tolist() for rows in scaled.rows] != [[0]] * 6
    assert not any(beyond.any() for beyond in scaled.beyond)
    assert all(2.0**-4 <= layer.weight[0, 0] <= 1.0 for layer in scaled.layers)


def test_a_row_that_spans_the_range_is_out_of_it() -> None:
    net = ps.Network.from_layers([[[1e-300, 1e300], [1.0, 1.0]]], [[0.0, 0.0]], ["relu"])
    scaled = equilibrate(net.layers, np.zeros(2, np.int64), np.ones(2))
    assert scaled.beyond[0].tolist() == [True, False]


def test_shifts_to_within_the_gate_round_nothing() -> None:
    values = np.array([5e-324, 3.0 * 5e-324, 1.7e308, -1.0 / 3.0, 0.0, 2.0**-1022])
    wanted = np.array([1074, 1000, -1020, 399, 7, 1022])
    moved, out = shifted(values, wanted)
    assert not out.any()
    for value, shift, result in zip(values.tolist(), wanted.tolist(), moved.tolist(), strict=True):
        assert Fraction(result) == Fraction(value) * power(shift)
    assert shifted(np.array([1.0, 1.0]), np.array([GATE, -GATE - 2]))[1].tolist() == [True, True]


def test_rows_of_a_domain_are_scaled_exactly() -> None:
    rows = np.array([[1.0, 0.0], [0.0, -1e-200], [3e-100, 1e-130]])
    column = np.array([-300, 500])
    moved, beyond = scaled_rows(rows, column, np.ones(2))
    assert not beyond.any()
    assert ((moved == 0.0) == (rows == 0.0)).all()
    for j in range(2):
        exact = [Fraction(float(rows[c, j])) * power(k) for c, k in enumerate([*column.tolist(), 0])]
        shares = {Fraction(float(moved[c, j])) / entry for c, entry in enumerate(exact) if entry}
        assert len(shares) == 1
