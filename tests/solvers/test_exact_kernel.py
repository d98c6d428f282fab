"""Sums of products that are told to be exact are, and their signs are those of the true sums."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from solvers.compiled import compiled
from solvers.predicates.exact_kernel import UNKNOWN, add_exactly, sign_of, two_product, two_sum

Floats = NDArray[np.float64]


@compiled
def product_of(a: float, b: float) -> tuple[float, float]:
    return two_product(a, b)


@compiled
def sum_of(a: float, b: float) -> tuple[float, float]:
    return two_sum(a, b)


@compiled
def sign_of_products(a: Floats, b: Floats) -> tuple[int, float, float]:
    total = np.zeros(3)
    for i in range(len(a)):
        product, rest = two_product(a[i], b[i])
        add_exactly(total, product, rest)
    return sign_of(total)


@compiled
def sign_of_parts(total: Floats) -> tuple[int, float, float]:
    return sign_of(total)


def numbers(rng: np.random.Generator, count: int, spread: int) -> Floats:
    return rng.normal(size=count) * 2.0 ** rng.integers(-spread, spread + 1, count).astype(float)


@pytest.mark.parametrize("spread", [0, 40, 300])
def test_a_sum_and_a_product_are_two_floats(spread: int) -> None:
    rng = np.random.default_rng(spread)
    for a, b in numbers(rng, 4000, spread).reshape(-1, 2).tolist():
        total, rest = sum_of(a, b)
        assert Fraction(total) + Fraction(rest) == Fraction(a) + Fraction(b)
        product, rest = product_of(a, b)
        assert Fraction(product) + Fraction(rest) == Fraction(a) * Fraction(b)


def test_products_whose_rest_may_be_lost_have_none() -> None:
    for a, b in (
        (2.0**-500, 2.0**-401),
        (2.0**500, 2.0**401),
        (2.0**901, 1.0),
        (1e-200, 1e-200),
        (1e300, 1e300),
    ):
        assert np.isnan(product_of(a * 1.1, b * 1.1)[1])
    assert product_of(0.0, 2.0**1000) == (0.0, 0.0)


@pytest.mark.parametrize("seed", range(6))
def test_signs_and_errors_hold_for_sums_that_cancel(seed: int) -> None:
    rng = np.random.default_rng(seed)
    told = 0
    for _ in range(400):
        count = int(rng.integers(1, 7))
        a, b = numbers(rng, count, 30), numbers(rng, count, 30)
        exact = sum((Fraction(x) * Fraction(y) for x, y in zip(a, b, strict=True)), Fraction(0))
        # The last products take away most of the others.
        a = np.append(a, [-1.0, float(rng.choice([0.0, 2.0**-60, -(2.0**-90)]))])
        b = np.append(b, [float(exact), 1.0])
        exact = sum((Fraction(x) * Fraction(y) for x, y in zip(a, b, strict=True)), Fraction(0))
        sign, value, error = sign_of_products(a, b)
        assert abs(Fraction(value) - exact) <= Fraction(error)
        if sign != UNKNOWN:
            told += 1
            assert sign == (exact > 0) - (exact < 0)
    assert told > 300


def test_a_sum_of_small_numbers_that_is_zero_is_told_to_be() -> None:
    third = np.array([0.1, 0.2, -0.1, -0.2, 3.0, -3.0])
    assert sign_of_products(third, np.ones(6))[0] == 0
    assert sign_of_products(np.array([np.nan, 1.0]), np.ones(2))[0] == UNKNOWN
    assert sign_of_products(np.array([np.inf, 1.0]), np.ones(2))[0] == UNKNOWN


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_sum_that_lost_as_much_as_it_has_tells_no_sign(side: float) -> None:
    """What was lost may be twice what was added up of it."""
    for leading, following in ((0.0, 2.0**-60), (2.0**-60, 0.0), (1.0, -1.0 + 2.0**-53)):
        value = abs(leading + following)
        parts = np.array([side * leading, side * following, value])
        assert sign_of_parts(parts)[0] == UNKNOWN
        parts[2] = value / 8.0
        assert sign_of_parts(parts)[0] == side
