"""Sums of products without error: the sign is the exact one or none, the value within its error."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from solvers.compiled import compiled
from solvers.predicates.exact_kernel import UNKNOWN, add_exactly, sign_of, two_product
from tests.exact_forms import holds

Floats = NDArray[np.float64]


@compiled
def sum_of_products(left: Floats, right: Floats, total: Floats) -> tuple[int, float, float]:
    total[:] = 0.0
    for i in range(left.shape[0]):
        product, rest = two_product(left[i], right[i])
        add_exactly(total, product, rest)
    return sign_of(total)


def check(left: Floats, right: Floats) -> tuple[int, int]:
    """Check one sum; its sign as told and as it is."""
    exact = sum(
        (Fraction(a) * Fraction(b) for a, b in zip(left.tolist(), right.tolist(), strict=True)), Fraction(0)
    )
    sign, value, error = sum_of_products(left, right, np.zeros(3))
    if np.isfinite(value) and not np.isnan(error):
        assert holds(abs(Fraction(value) - exact), error)
    true = (exact > 0) - (exact < 0)
    assert sign in (UNKNOWN, true)
    return sign, true


@pytest.mark.parametrize("spread", [0, 20, 60, 120])
def test_signs_of_sums_that_cancel_are_exact_or_unknown(spread: int) -> None:
    rng = np.random.default_rng(spread)
    told = 0
    for _ in range(600):
        left = rng.normal(size=4) * 2.0 ** rng.integers(-spread, spread + 1, 4)
        right = rng.normal(size=4) * 2.0 ** rng.integers(-spread, spread + 1, 4)
        # What is left of the first products, to within some bits, with the other sign.
        rest = sum(
            (Fraction(a) * Fraction(b) for a, b in zip(left[:3].tolist(), right[:3].tolist(), strict=True)),
            Fraction(0),
        )
        left[3], right[3] = -float(rest), 1.0
        told += check(left, right)[0] != UNKNOWN
        second = np.append(left, -float(rest + Fraction(left[3])))
        told += check(second, np.append(right, 1.0))[0] != UNKNOWN
        third = np.append(second, -float(rest + Fraction(left[3]) + Fraction(second[4])))
        told += check(third, np.append(right, [1.0, 1.0]))[0] != UNKNOWN
    assert told >= 600


def test_products_beyond_the_range_tell_no_sign() -> None:
    rng = np.random.default_rng(0)
    for size in (-540, -520, -500, -470, -450, -400, 400, 450, 500, 511):
        for _ in range(200):
            a, b = rng.uniform(1.0, 2.0, 2) * 2.0**size
            product = Fraction(a) * Fraction(b)
            nearest = float(product) if abs(size) < 511 else 0.0
            check(np.array([a, -nearest]), np.array([b, 1.0]))


def test_sums_of_few_bits_are_told_always() -> None:
    rng = np.random.default_rng(1)
    zeros = 0
    for _ in range(300):
        left, right = rng.integers(-8, 9, (2, 4)) / 8
        sign, true = check(left, right)
        assert sign == true
        zeros += true == 0
    assert zeros > 0
