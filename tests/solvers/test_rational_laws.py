"""Laws of exact arithmetic: against fractions.Fraction, at every scale of float64."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from solvers.errors import SolverInputError
from solvers.rational import (
    DyadicMatrix,
    as_fraction,
    dyadic_to_float,
    exact_rows_to_integers,
    float_to_integers,
    integer_matrix,
    inverse_with_denominator,
    nullspace,
    pivot_columns,
    rank,
    round_outward,
    scaled_integer_rows,
    solve,
)

LAW = settings(deadline=None, max_examples=60)  # timings differ between machines
FINITE = st.floats(allow_nan=False, allow_infinity=False)  # subnormals and huge numbers included
MATRICES = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=4), elements=FINITE)
SMALL = st.integers(-4, 4)


def correctly_rounded(value: Fraction) -> float:
    try:
        return float(value)  # one correctly rounded division
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def fractions_of(matrix: np.ndarray) -> list[list[Fraction]]:
    return [[Fraction(x) for x in row] for row in matrix.tolist()]


@LAW
@given(st.integers(-(2**200), 2**200), st.integers(-1300, 1100))
def test_dyadic_numbers_round_as_fractions_do(integer: int, exponent: int) -> None:
    assert dyadic_to_float(integer, exponent) == correctly_rounded(integer * Fraction(2) ** exponent)


@LAW
@given(st.integers(-(2**60), 2**60), st.integers(-1140, -1015))
def test_subnormal_results_are_rounded_once(integer: int, exponent: int) -> None:
    assert dyadic_to_float(integer, exponent) == correctly_rounded(integer * Fraction(2) ** exponent)


def test_overflow_and_underflow_round_as_ieee_has_it() -> None:
    largest = 2**53 - 1
    assert dyadic_to_float(2 * largest, 970) == np.finfo(np.float64).max
    assert dyadic_to_float(2 * largest + 1, 970) == math.inf  # a tie, to even
    assert dyadic_to_float(-(2 * largest + 1), 970) == -math.inf
    assert dyadic_to_float(1, -1075) == 0.0  # a tie, to even
    assert dyadic_to_float(3, -1076) == 5e-324
    assert math.copysign(1.0, dyadic_to_float(-1, -2000)) == -1.0
    assert dyadic_to_float(2**5000 + 1, -5000) == 1.0


@LAW
@given(MATRICES)
def test_floats_come_back_from_a_dyadic_matrix(matrix: np.ndarray) -> None:
    there = DyadicMatrix.from_array(matrix)
    assert there.to_fractions() == fractions_of(matrix)
    assert np.array_equal(there.to_float(), matrix)


@LAW
@given(MATRICES, st.data())
def test_dyadic_products_and_sums_are_exact(left: np.ndarray, data: st.DataObject) -> None:
    k = left.shape[1]
    right = data.draw(arrays(np.float64, (k, 2), elements=FINITE))
    other = data.draw(arrays(np.float64, (left.shape[0], 2), elements=FINITE))
    a, b, c = fractions_of(left), fractions_of(right), fractions_of(other)
    expected = [
        [sum((row[i] * b[i][j] for i in range(k)), Fraction(0)) + c[r][j] for j in range(2)]
        for r, row in enumerate(a)
    ]
    product = DyadicMatrix.from_array(left) @ DyadicMatrix.from_array(right) + DyadicMatrix.from_array(other)
    assert product.to_fractions() == expected
    rounded = [[correctly_rounded(x) for x in row] for row in expected]
    assert np.array_equal(product.to_float(), np.array(rounded))


@LAW
@given(MATRICES, st.data())
def test_rows_are_scaled_exactly(matrix: np.ndarray, data: st.DataObject) -> None:
    factors = data.draw(
        arrays(np.float64, len(matrix), elements=st.sampled_from([0.0, 1.0, 0.1, -2.5, 5e-324]))
    )
    scaled = DyadicMatrix.from_array(matrix).scale_rows(factors)
    expected = [
        [Fraction(f) * x for x in row] for f, row in zip(factors.tolist(), fractions_of(matrix), strict=True)
    ]
    assert scaled.to_fractions() == expected


@LAW
@given(MATRICES)
def test_stacks_and_choices_keep_the_numbers(matrix: np.ndarray) -> None:
    whole, half = DyadicMatrix.from_array(matrix), DyadicMatrix.from_array(matrix / 2**10)
    expected = fractions_of(matrix)
    halved = half.to_fractions()
    assert DyadicMatrix.vstack([whole, half]).to_fractions() == expected + halved
    beside = [a + b for a, b in zip(expected, halved, strict=True)]
    assert DyadicMatrix.hstack([whole, half]).to_fractions() == beside
    assert whole.take_rows([0, 0]).to_fractions() == [expected[0], expected[0]]
    assert whole.take_columns([0]).to_fractions() == [[row[0]] for row in expected]
    assert DyadicMatrix.zeros(2, 3).to_fractions() == [[0] * 3] * 2


@LAW
@given(MATRICES)
def test_primitive_rows_are_positive_multiples_with_gcd_one(matrix: np.ndarray) -> None:
    rows = exact_rows_to_integers(matrix)
    dyadic = DyadicMatrix.from_array(matrix)
    for i, (integers, exact) in enumerate(zip(rows, fractions_of(matrix), strict=True)):
        assert math.gcd(*integers) == (1 if any(exact) else 0)
        lead = max(range(len(exact)), key=lambda j: abs(exact[j]))
        factor = integers[lead] / exact[lead] if exact[lead] else Fraction(1)
        assert factor > 0
        assert [factor * x for x in exact] == integers
        assert dyadic.row_integers(i) == integers


@LAW
@given(MATRICES)
def test_scaled_rows_tell_their_factor(matrix: np.ndarray) -> None:
    for source in (matrix, fractions_of(matrix)):
        integers, scales = scaled_integer_rows(source)
        for row, (over, under), exact in zip(integers, scales, fractions_of(matrix), strict=True):
            assert over > 0
            assert under > 0
            assert [Fraction(over, under) * x for x in exact] == row


@LAW
@given(st.fractions(), st.integers(-1200, 1200))
def test_outward_rounding_is_the_nearest_float_on_its_side(value: Fraction, exponent: int) -> None:
    value *= Fraction(2) ** exponent
    above, below = round_outward(value, up=True), round_outward(value, up=False)
    assert below == -math.inf or Fraction(below) <= value
    assert above == math.inf or Fraction(above) >= value
    assert above in (below, math.nextafter(below, math.inf))


@LAW
@given(st.integers(1, 4), st.data())
def test_solving_inverting_and_rank_agree(size: int, data: st.DataObject) -> None:
    matrix = data.draw(st.lists(st.lists(SMALL, min_size=size, max_size=size), min_size=size, max_size=size))
    right = data.draw(st.lists(st.fractions(max_denominator=9), min_size=size, max_size=size))
    held = integer_matrix(matrix, size)
    solution, inverse = solve(matrix, right), inverse_with_denominator(held)
    regular = rank(matrix) == size
    assert (solution is not None) == (inverse is not None) == regular
    assert len(pivot_columns(held)) == rank(matrix)
    kernel = nullspace(held)
    assert len(kernel) == size - rank(matrix)
    for vector in kernel:
        assert all(sum(a * x for a, x in zip(row, vector, strict=True)) == 0 for row in matrix)
    if solution is not None and inverse is not None:
        for row, side in zip(matrix, right, strict=True):
            assert sum(a * x for a, x in zip(row, solution, strict=True)) == side
        numerators, denominator = inverse
        assert denominator > 0
        assert held * numerators == integer_matrix(
            [[denominator * (i == j) for j in range(size)] for i in range(size)], size
        )


def test_numpy_numbers_are_shed() -> None:
    assert type(as_fraction(np.float64(0.5))) is Fraction
    assert as_fraction(np.int64(7)) == 7  # type: ignore[arg-type]
    assert float_to_integers([0.0, 6.0, 0.5]) == ([0, 12, 1], -1)


def test_empty_shapes_are_fine() -> None:
    assert exact_rows_to_integers(np.zeros((0, 3))) == []
    assert exact_rows_to_integers(np.zeros((2, 0))) == [[], []]
    assert DyadicMatrix.from_array(np.zeros((0, 3))).to_float().shape == (0, 3)
    assert float_to_integers([]) == ([], 0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(SolverInputError, match="only finite numbers"):
        DyadicMatrix.from_array([[bad]])
    with pytest.raises(SolverInputError, match="only finite numbers"):
        exact_rows_to_integers([[bad]])
    with pytest.raises(SolverInputError, match="only finite numbers"):
        as_fraction(bad)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(SolverInputError, match="expected a matrix"):
        DyadicMatrix.from_array([1.0])
    with pytest.raises(SolverInputError, match="expected a matrix"):
        exact_rows_to_integers([1.0])
    with pytest.raises(SolverInputError, match="one per row"):
        DyadicMatrix.zeros(2, 2).scale_rows([1.0])
    with pytest.raises(SolverInputError, match="square"):
        solve([[1, 2]], [1])


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
def test_floats_of_any_width_are_the_fractions_they_are(kind: Any) -> None:
    number = kind(1) / kind(3)
    assert as_fraction(number) == Fraction(*number.as_integer_ratio())
    assert as_fraction(kind(-0.5)) == Fraction(-1, 2)
    with pytest.raises(SolverInputError):
        as_fraction(kind(np.nan))
    integers, scales = scaled_integer_rows(np.array([[number, kind(1)]]))
    assert Fraction(integers[0][0], integers[0][1]) == Fraction(*number.as_integer_ratio())
    assert Fraction(*scales[0]) > 0


@pytest.mark.parametrize("span", range(8, 14))
def test_rows_at_the_edge_of_int64_are_scaled_exactly(span: int) -> None:
    """Mantissas of 53 bits that are moved by ten fit 64-bit integers, and by eleven do not."""
    top = float(2**53 - 1) * 2.0**span
    for row in ([top, 1.0], [-top, 2.0**52 + 1], [top, -top, 2.0**53 - 1]):
        rows, _ = scaled_integer_rows(np.array([row]))
        scale = Fraction(rows[0][0]) / Fraction(row[0])
        assert scale > 0
        assert [Fraction(entry) * scale for entry in row] == rows[0]
        integers, exponent = float_to_integers(row)
        assert [Fraction(n) * Fraction(2) ** exponent for n in integers] == [Fraction(x) for x in row]
