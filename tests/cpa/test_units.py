from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyspline.cpa import ACTIVATIONS, ScalarUnit, parse_activation, spell_activation
from polyspline.errors import ArgumentError, NonFiniteError, ShapeError, UnknownActivationError

SPELLINGS = [
    "relu", "leaky_relu", "leaky_relu:0.1", "leaky_relu:-0.3", "prelu:0.25", "hardtanh", "hardtanh:-2,0.5",
    "relu6", "abs", "softshrink", "softshrink:0.7", "identity", "piecewise:-1,1/0,1,0/-1,0,1",
]  # fmt: skip

REFERENCE: dict[str, Callable[[Any], Any]] = {
    "relu": lambda v: np.maximum(v, 0),
    "leaky_relu:0.1": lambda v: np.where(v > 0, v, 0.1 * v),
    "hardtanh": lambda v: np.clip(v, -1, 1),
    "hardtanh:-2,0.5": lambda v: np.clip(v, -2, 0.5),
    "relu6": lambda v: np.clip(v, 0, 6),
    "abs": np.abs,
    "softshrink:0.7": lambda v: np.sign(v) * np.maximum(np.abs(v) - 0.7, 0),
    "identity": lambda v: v,
    "piecewise:-1,1/0,1,0/-1,0,1": lambda v: np.clip(v, -1, 1),
}


@pytest.mark.parametrize("spelling", list(REFERENCE))
def test_a_unit_computes_its_activation(spelling: str) -> None:
    v = np.concatenate([np.linspace(-8, 8, 161), [-0.7, 0.7, 0.5, -2.0, 6.0]])
    (unit,) = parse_activation(spelling, 1)
    np.testing.assert_allclose(unit(v), REFERENCE[spelling](v), rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_unit_is_continuous_in_rationals(spelling: str) -> None:
    (unit,) = parse_activation(spelling, 1)
    assert isinstance(unit, ScalarUnit)
    for k, knot in enumerate(unit.knots):
        values = {Fraction(unit.slopes[p]) * Fraction(knot) + Fraction(unit.offsets[p]) for p in (k, k + 1)}
        assert len(values) == 1


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_spelling_reads_back_to_equal_units(spelling: str) -> None:
    units = parse_activation(spelling, 3)
    assert parse_activation(spell_activation(units), 3) == units


def test_the_table_covers_the_spellings_that_are_tested() -> None:
    assert set(ACTIVATIONS) <= {spelling.partition(":")[0] for spelling in SPELLINGS}


def test_on_a_knot_the_lower_piece_is_taken() -> None:
    (unit,) = parse_activation("hardtanh", 1)
    assert unit.pieces([-1.5, -1.0, np.nextafter(-1, 0), 0.0, 1.0, 1.5]).tolist() == [0, 0, 1, 1, 1, 2]


def test_equal_units_are_one_object() -> None:
    a, b, c = parse_activation("prelu:0.1,0.2,0.1", 3)
    assert a is c
    assert a != b


def test_units_compare_by_their_tables_not_by_name() -> None:
    assert ScalarUnit("mine", (0.0,), (0.0, 1.0), (0.0, 0.0)) == parse_activation("relu", 1)[0]


@pytest.mark.parametrize("spelling", ["leaky_relu:1", "prelu:1", "identity", "softshrink:0"])
def test_a_unit_without_a_kink_has_one_piece(spelling: str) -> None:
    (unit,) = parse_activation(spelling, 1)
    assert unit.n_pieces == 1
    assert not unit.is_unit


def test_neighbouring_pieces_of_one_slope_are_merged() -> None:
    unit = ScalarUnit("merged", (-1.0, 0.0, 2.0), (0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 0.0, 0.0))
    assert unit.knots == (0.0,)
    assert unit.slopes == (0.0, 1.0)


@pytest.mark.parametrize(
    "spelling", ["tanh", "", "relu:1", "leaky_relu:x", "hardtanh:1", "prelu", "piecewise:0/1"]
)
def test_an_unknown_spelling_is_refused(spelling: str) -> None:
    with pytest.raises(UnknownActivationError):
        parse_activation(spelling, 1)


def test_the_message_for_an_unknown_activation_lists_what_is_supported() -> None:
    with pytest.raises(UnknownActivationError, match=r"'gelu'.*relu.*hardtanh\[:lo,hi\].*abs"):
        parse_activation("gelu", 1)


@pytest.mark.parametrize(
    ("knots", "slopes", "offsets", "error"),
    [
        ((0.0,), (0.0, 1.0), (0.0, 1.0), ArgumentError),  # jumps
        ((0.1,), (0.0, 1.0), (0.0, -0.1000000000000001), ArgumentError),  # jumps by one rounding
        ((1.0, 1.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0), ArgumentError),
        ((1.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 0.0), ArgumentError),
        ((0.0,), (1.0,), (0.0,), ShapeError),
        ((0.0,), (0.0, np.nan), (0.0, 0.0), NonFiniteError),
        ((np.inf,), (0.0, 1.0), (0.0, 0.0), NonFiniteError),
    ],
)
def test_a_table_that_is_no_continuous_unit_is_refused(
    knots: tuple[float, ...], slopes: tuple[float, ...], offsets: tuple[float, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        ScalarUnit("wrong", knots, slopes, offsets)


@pytest.mark.parametrize("spelling", ["hardtanh:1,1", "hardtanh:2,1", "softshrink:-1"])
def test_parameters_out_of_range_are_refused(spelling: str) -> None:
    with pytest.raises(ArgumentError):
        parse_activation(spelling, 1)


@pytest.mark.parametrize("spelling", ["prelu:0.1,0.2", "relu|abs"])
def test_as_many_units_as_neurons_are_needed(spelling: str) -> None:
    with pytest.raises(ShapeError):
        parse_activation(spelling, 3)


def test_neurons_of_a_layer_may_differ() -> None:
    units = parse_activation("relu|abs|identity", 3)
    assert [unit.name for unit in units if isinstance(unit, ScalarUnit)] == ["relu", "abs", "identity"]
    assert spell_activation(units) == "relu|abs|identity"


def test_a_unit_of_too_many_pieces_is_refused() -> None:
    knots = tuple(float(k) for k in range(32768))
    slopes = tuple(float(k % 2) for k in range(32769))
    offsets = [0.0]
    for k, knot in enumerate(knots):
        offsets.append(offsets[-1] - (slopes[k + 1] - slopes[k]) * knot)
    with pytest.raises(ArgumentError, match="32769 pieces"):
        ScalarUnit("saw", knots, slopes, tuple(offsets))


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_any_slope_is_spelled_exactly(first: float, second: float) -> None:
    units = parse_activation(f"prelu:{first!r},{second!r}", 2)
    assert parse_activation(spell_activation(units), 2) == units
