"""Bounds of the steps of a forward product, checked in Fractions and without tolerance."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from solvers.predicates.steps import Enclosed, affine_step, unit_step

SCALES = {
    "ordinary": (-3, 3),
    "tiny": (-320, -280),
    "products underflow": (-170, -150),
    "wild": (-300, 150),
    "huge": (250, 300),
    "underflow and back": (-200, 200),
}


def random_floats(rng: np.random.Generator, scale: str, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of a scale: full mantissas, few bits, subnormals, and zeros."""
    low, high = SCALES[scale]
    with np.errstate(all="ignore"):
        found = rng.normal(size=shape) * 10.0 ** rng.uniform(low, high, size=shape)
        found = np.where(rng.random(shape) < 0.15, 2.0 ** rng.integers(low * 3, high * 3 + 1, shape), found)
    found = np.where(rng.random(shape) < 0.1, 5e-324 * rng.integers(-9, 9, size=shape), found)
    found = np.where(rng.random(shape) < 0.2, 0.0, found)
    return np.asarray(np.where(np.isfinite(found), found, 0.0))


def exact(values: np.ndarray) -> Any:
    return np.vectorize(lambda x: Fraction(float(x)), otypes=[object])(values)


def check_numbers(found: Enclosed, true: Any) -> None:
    for place in np.ndindex(true.shape):
        value, error = found.value[place], found.error[place]
        if np.isfinite(value) and np.isfinite(error):
            assert abs(Fraction(float(value)) - true[place]) <= Fraction(float(error))
        if not found.live[place]:
            assert true[place] == 0


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("scale", list(SCALES))
def test_the_error_of_chained_steps_holds_exactly(scale: str, sparse: bool) -> None:
    rng = np.random.default_rng([list(SCALES).index(scale), sparse])
    for _ in range(40):
        widths = rng.integers(1, 7, size=4)
        z = random_floats(rng, scale, (int(widths[0]), 3))
        state = Enclosed(z, np.zeros_like(z), np.asarray(z != 0.0))
        true = exact(z)
        for n_in, n_out in pairwise(widths):
            matrix = random_floats(rng, scale, (n_out, n_in))
            bias = random_floats(rng, scale, (int(n_out),))
            given = csr_array(matrix) if sparse else matrix
            slope = rng.choice([0.0, 1.0, -1.0, 0.1, 1e-200, 1e200], size=(n_out, 3))
            offset = np.where(rng.random((n_out, 3)) < 0.5, 0.0, random_floats(rng, scale, (n_out, 3)))
            with np.errstate(all="ignore"):
                state = affine_step(given, bias, state)
                true = exact(matrix).dot(true) + exact(bias)[:, None]
                check_numbers(state, true)
                state = unit_step(state, slope, offset)
            true = exact(slope) * true + exact(offset)
            check_numbers(state, true)


@pytest.mark.parametrize("scale", list(SCALES))
def test_the_error_of_functions_holds_at_every_corner(scale: str) -> None:
    rng = np.random.default_rng([list(SCALES).index(scale), 7])
    for _ in range(40):
        width, dim = int(rng.integers(1, 5)), int(rng.integers(1, 4))
        reach = np.append(np.abs(random_floats(rng, scale, (dim,))), 1.0)
        start = random_floats(rng, scale, (width, 2, dim + 1))
        state = Enclosed(start, np.zeros((width, 2)), np.asarray(start.any(axis=2)))
        true = exact(start)
        for _ in range(3):
            matrix, bias = random_floats(rng, scale, (width, width)), random_floats(rng, scale, (width,))
            slope = rng.choice([0.0, 1.0, 0.1, 1e-200, 1e200], size=(width, 2))
            offset = np.where(rng.random((width, 2)) < 0.5, 0.0, random_floats(rng, scale, (width, 2)))
            with np.errstate(all="ignore"):
                state = affine_step(matrix, bias, state, reach)
                state = unit_step(state, slope, offset, reach)
            true = np.tensordot(exact(matrix), true, axes=1)
            true[:, :, -1] += exact(bias)[:, None]
            true = exact(slope)[:, :, None] * true
            true[:, :, -1] += exact(offset)
            for i, b in np.ndindex(width, 2):
                value, error = state.value[i, b], state.error[i, b]
                if np.isfinite(value).all() and np.isfinite(error):
                    far = [abs(Fraction(float(v)) - t) for v, t in zip(value, true[i, b], strict=True)]
                    total = sum(
                        (d * Fraction(float(r)) for d, r in zip(far, reach, strict=True)), Fraction(0)
                    )
                    assert total <= Fraction(float(error))


def test_a_subnormal_input_behind_a_large_weight_has_its_rounding_in_the_error() -> None:
    z = np.array([[3 * 2.0**-1074], [1.0]])
    weight = 1e300 * (1 + 2.0**-52)
    product = weight * z[0, 0]
    assert Fraction(product) != Fraction(weight) * 3 * Fraction(2) ** -1074
    found = affine_step(
        np.array([[weight, -product]]), np.zeros(1), Enclosed(z, np.zeros_like(z), np.ones((2, 1), np.bool_))
    )
    true = Fraction(weight) * 3 * Fraction(2) ** -1074 - Fraction(product)
    assert 0 < abs(Fraction(float(found.value[0, 0])) - true) <= Fraction(float(found.error[0, 0]))


def test_what_underflowed_is_live_and_what_is_zero_by_structure_is_exact() -> None:
    one = np.ones((1, 1))
    start = Enclosed(one, np.zeros((1, 1)), np.ones((1, 1), np.bool_))
    small = affine_step(np.array([[1e-200]]), np.zeros(1), start)
    gone = affine_step(np.array([[1e-200]]), np.zeros(1), small)
    assert gone.value[0, 0] == 0.0
    assert gone.error[0, 0] > 0.0
    assert gone.live[0, 0]
    dead = unit_step(small, 0.0 * one, 0.0 * one)
    after = affine_step(np.array([[1e300]]), np.array([0.5]), dead)
    assert not dead.live[0, 0]
    assert after.error[0, 0] == 0.0
    assert after.value[0, 0] == 0.5
    hidden = affine_step(np.array([[0.0]]), np.zeros(1), gone)
    assert hidden.error[0, 0] == 0.0
    assert not hidden.live[0, 0]


def test_nan_and_infinity_stay_in_the_value_or_the_error() -> None:
    start = Enclosed(np.full((2, 1), 1e300), np.zeros((2, 1)), np.ones((2, 1), np.bool_))
    with np.errstate(all="ignore"):
        state = affine_step(np.array([[1e300, 1.0], [1.0, 1.0]]), np.zeros(2), start)
        state = affine_step(np.array([[1.0, -1.0]]), np.zeros(1), state)
        state = unit_step(state, np.zeros((1, 1)), np.ones((1, 1)))
        state = affine_step(np.ones((1, 1)), np.zeros(1), state)
    assert not (np.isfinite(state.value[0, 0]) and np.isfinite(state.error[0, 0]))


def test_a_piece_that_is_not_proven_takes_the_steepest_slope_to_the_error() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        true, far = rng.normal() * 1e-3, rng.normal() * 1e-2
        value = np.array([[true + far]])
        before = Enclosed(value, np.array([[abs(far) * 1.01]]), np.ones((1, 1), np.bool_))
        slope = np.where(value > 0, 1.0, 0.1)
        found = unit_step(before, slope, np.zeros((1, 1)), proven=np.zeros((1, 1), np.bool_), steepest=1.0)
        output = Fraction(true) * (1 if true > 0 else Fraction(0.1))
        assert abs(Fraction(float(found.value[0, 0])) - output) <= Fraction(float(found.error[0, 0]))
