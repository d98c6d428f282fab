"""Errors of the compiled affine and unit steps are at least the true ones, in fractions, to the last bit."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from solvers.compiled import compiled
from solvers.predicates.rounding import ROUNDOFF
from solvers.predicates.steps_kernel import (
    evaluation_error,
    spread_underflow,
    sum_error,
    unit_step,
)

Floats = NDArray[np.float64]


@compiled
def unit(slope: float, offset: float, value: float, size: float, error: float) -> tuple[float, float, float]:
    """Value, size and error of ``slope * v + offset`` as the kernels compute them."""
    reach, bound = unit_step(slope, offset, size, error)
    made = 0.0 if slope == 0.0 else slope * value
    return made + offset, reach, bound


@compiled
def summed(
    weights: Floats, inputs: Floats, sizes: Floats, errors: Floats, bias: float
) -> tuple[float, float]:
    """Value and error of ``sum w u + b``, added up in order."""
    value, size, carried = bias, abs(bias), 0.0
    for j in range(len(weights)):
        value += inputs[j] * weights[j]
        size += sizes[j] * abs(weights[j])
        carried += errors[j] * abs(weights[j])
    return value, sum_error(carried, size, float(len(weights)))


@compiled
def evaluated(row: Floats, less: Floats, position: float, point: Floats) -> tuple[float, float]:
    """Value and error at a point of the difference of two exact rows and a position."""
    last = len(point)
    size = abs(row[last]) + abs(less[last]) + abs(position)
    value = row[last] - position - less[last]
    for c in range(last):
        value += (row[c] - less[c]) * point[c]
        size += (abs(row[c]) + abs(less[c])) * abs(point[c])
    return value, evaluation_error(0.0, size, last + 1)


@compiled
def function_error(terms: float, radius: Floats) -> tuple[float, float]:
    """Error of one coefficient whose products are below all floats, and that of the function."""
    error = sum_error(0.0, 0.0, terms)
    return error, spread_underflow(error, terms, radius)


def wide(rng: np.random.Generator, count: int, spread: int) -> Floats:
    return rng.normal(size=count) * 2.0 ** rng.integers(-spread, spread + 1, count).astype(float)


@pytest.mark.parametrize("spread", [0, 8, 500])
def test_a_unit_is_off_by_its_error_at_most(spread: int) -> None:
    rng = np.random.default_rng(spread)
    for _ in range(2000):
        slope, offset, value, moved = wide(rng, 4, spread).tolist()
        slope = float(rng.choice([slope, 0.0, 1.0, -1.0, 0.1]))
        offset = float(rng.choice([offset, 0.0]))
        error = abs(moved) * float(rng.choice([0.0, 2.0**-50]))
        true = Fraction(value) + Fraction(error) * rng.integers(-1, 2).item()
        found, reach, bound = unit(
            slope, offset, value, max(abs(value), float(abs(true))) * (1 + 1e-15), error
        )
        exact = Fraction(slope) * true + Fraction(offset)
        assert abs(Fraction(found) - exact) <= Fraction(bound)
        assert abs(exact) <= Fraction(reach)
        if slope == 0.0:
            assert bound == 0.0


def test_a_unit_whose_product_underflows_is_off_by_its_error_at_most() -> None:
    for value in (2.0**-537 * 0.7, 2.0**-500, 2.0**-535 * 0.3):
        found, _, bound = unit(2.0**-538 * 0.9, 0.0, value, value, 0.0)
        lost = abs(Fraction(found) - Fraction(2.0**-538 * 0.9) * Fraction(value))
        assert 0 < lost <= Fraction(bound)


def test_a_piece_without_slope_is_its_offset_whatever_comes_in() -> None:
    for value in (np.inf, np.nan, 1e308):
        found, reach, bound = unit(0.0, 0.25, value, np.inf, np.inf)
        assert (found, reach, bound) == (0.25, 0.25, 0.0)


@pytest.mark.parametrize("spread", [0, 8, 500])
def test_a_sum_is_off_by_its_error_at_most(spread: int) -> None:
    rng = np.random.default_rng(spread)
    for _ in range(500):
        count = int(rng.integers(1, 12))
        weights, inputs = wide(rng, count, spread), wide(rng, count, spread)
        errors = np.abs(inputs) * rng.choice([0.0, 2.0**-50], count)
        bias = float(rng.choice([0.0, 1.0])) * float(weights @ inputs)
        true = [
            Fraction(u) + Fraction(e) * rng.integers(-1, 2).item()
            for u, e in zip(inputs.tolist(), errors.tolist(), strict=True)
        ]
        found, bound = summed(weights, inputs, np.abs(inputs) * (1.0 + 1e-14), errors, -bias)
        exact = sum((Fraction(w) * u for w, u in zip(weights.tolist(), true, strict=True)), -Fraction(bias))
        assert abs(Fraction(found) - exact) <= Fraction(bound)


@pytest.mark.parametrize("count", [1, 2, 30, 300])
def test_sums_that_round_the_same_way_every_time_stay_within_their_error(count: int) -> None:
    """Each term is a little more than half a unit in the last place of the sum so far."""
    weights = np.full(count, ROUNDOFF * (1.0 + 2.0**-20))
    ones = np.ones(count)
    found, bound = summed(weights, ones, ones, np.zeros(count), 1.0)
    exact = 1 + sum(map(Fraction, weights.tolist()))
    lost = abs(Fraction(found) - exact)
    assert lost <= Fraction(bound)
    assert lost >= Fraction(count) * Fraction(ROUNDOFF) * Fraction(9, 10)


def test_products_that_underflow_stay_within_the_absolute_term() -> None:
    for count in (1, 5, 100):
        weights, inputs = np.full(count, 2.0**-540), np.full(count, 2.0**-535 * 0.99)
        found, bound = summed(weights, inputs, inputs, np.zeros(count), 0.0)
        exact = sum(Fraction(w) * Fraction(u) for w, u in zip(weights.tolist(), inputs.tolist(), strict=True))
        assert abs(Fraction(found) - exact) <= Fraction(bound)
        assert bound > 0.0


def test_a_sum_of_nothing_is_the_bias_itself() -> None:
    assert summed(np.empty(0), np.empty(0), np.empty(0), np.empty(0), 0.1) == (0.1, 0.0)


@pytest.mark.parametrize("spread", [0, 8, 500])
def test_the_value_of_a_difference_of_rows_is_off_by_its_error_at_most(spread: int) -> None:
    rng = np.random.default_rng(spread)
    for _ in range(500):
        dim = int(rng.integers(1, 6))
        row, point = wide(rng, dim + 1, spread), wide(rng, dim, spread)
        less = row * (1.0 + rng.choice([0.0, 2.0**-52, 0.3], dim + 1)) * rng.choice([0.0, 1.0])
        position = float(rng.choice([0.0, row[-1], 0.1]))
        found, bound = evaluated(row, less, position, point)
        rows = [Fraction(a) - Fraction(b) for a, b in zip(row.tolist(), less.tolist(), strict=True)]
        exact = rows[-1] - Fraction(position)
        exact += sum((a * Fraction(z) for a, z in zip(rows[:-1], point.tolist(), strict=True)), Fraction(0))
        assert abs(Fraction(found) - exact) <= Fraction(bound)


def test_the_value_of_a_row_whose_products_underflow_is_off_by_its_error_at_most() -> None:
    for dim in (1, 3):
        row, point = np.append(np.full(dim, 2.0**-540 * 0.9), 0.0), np.full(dim, 2.0**-535 * 0.7)
        found, bound = evaluated(row, np.zeros(dim + 1), 0.0, point)
        lost = abs(Fraction(found) - dim * Fraction(row[0].item()) * Fraction(point[0].item()))
        assert 0 < lost <= Fraction(bound)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_so(bad: float) -> None:
    assert not np.isfinite(unit(0.5, 0.0, 1.0, bad, 0.0)[2])
    assert not np.isfinite(unit(0.5, 0.0, 1.0, 1.0, bad)[2])
    assert not np.isfinite(summed(np.ones(1), np.ones(1), np.array([bad]), np.zeros(1), 0.0)[1])
    assert not np.isfinite(summed(np.ones(1), np.ones(1), np.ones(1), np.array([bad]), 0.0)[1])


@pytest.mark.parametrize("radius", [[1.0, 1.0], [2.0**60, 2.0**60, 1.0], [1e-300, 1.0], [1e300, 1.0]])
def test_a_function_whose_coefficients_underflow_is_off_by_its_error_at_most(radius: list[float]) -> None:
    weight, value = 2.0**-540, 2.0**-534 * 0.9  # 0.9 of a smallest subnormal, which is what it becomes
    lost = abs(Fraction(weight * value) - Fraction(weight) * Fraction(value))
    for terms in (1, 40):
        worst = terms * lost * sum(map(Fraction, radius))
        one, whole = function_error(float(terms), np.array(radius))
        assert 0 < terms * lost <= Fraction(one)
        assert worst <= Fraction(whole)
    assert function_error(0.0, np.array(radius)) == (0.0, 0.0)
