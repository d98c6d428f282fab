"""Laws of the exact linear programs: proofs that hold with equality, and HiGHS as a witness."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers.errors import EmptyPolyhedronError, SolverInputError, UnboundedError
from solvers.lp import exact
from solvers.lp.exact import ExactSolution, interior_point, maximise, minimise
from solvers.lp.highs import chebyshev_centre, maximise_float
from solvers.lp.shape import is_bounded, is_empty, is_full_dimensional, strict_point
from solvers.status import LPStatus

LAW = settings(deadline=None, max_examples=60)  # timings differ between machines
Numbers = Sequence[int | float | Fraction]


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[int], list[list[int]], list[int]]:
    """Small integers: degenerate, infeasible, unbounded and rank-deficient programs are common."""
    width, count = draw(st.integers(1, 4)), draw(st.integers(0, 9))
    entry = st.integers(-3, 3)
    rows = draw(st.lists(st.lists(entry, min_size=width, max_size=width), min_size=count, max_size=count))
    rhs = draw(st.lists(st.integers(-2, 5), min_size=count, max_size=count))
    return draw(st.lists(entry, min_size=width, max_size=width)), rows, rhs


def dot(a: Numbers, b: Numbers) -> Fraction:
    return sum((Fraction(x) * Fraction(y) for x, y in zip(a, b, strict=True)), Fraction(0))


def assert_proven(objective: Numbers, rows: Sequence[Numbers], rhs: Numbers, found: ExactSolution) -> None:
    """Check the certificate that comes with every status, in rationals."""
    assert all(value > 0 for value in found.multipliers.values())
    combined = [
        sum((value * Fraction(rows[i][j]) for i, value in found.multipliers.items()), Fraction(0))
        for j in range(len(objective))
    ]
    side = sum((value * Fraction(rhs[i]) for i, value in found.multipliers.items()), Fraction(0))
    if found.status is LPStatus.INFEASIBLE:
        assert found.point is None
        assert not any(combined)
        assert side < 0
        return
    assert found.point is not None
    assert all(dot(row, found.point) <= h for row, h in zip(rows, rhs, strict=True))
    if found.status is LPStatus.OPTIMAL:
        assert combined == list(objective)
        assert side == found.value == dot(objective, found.point)
    else:
        assert found.ray is not None
        assert all(dot(row, found.ray) <= 0 for row in rows)
        assert dot(objective, found.ray) > 0


@LAW
@given(programs())
def test_every_outcome_carries_its_proof(program: tuple[list[int], list[list[int]], list[int]]) -> None:
    objective, rows, rhs = program
    assert_proven(objective, rows, rhs, maximise(objective, rows, rhs))


@LAW
@given(programs())
def test_without_a_guess_the_pivots_alone_arrive(
    program: tuple[list[int], list[list[int]], list[int]],
) -> None:
    objective, rows, rhs = program
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "guess_basis", lambda *_: None)
        found = maximise(objective, rows, rhs)
    assert_proven(objective, rows, rhs, found)
    guided = maximise(objective, rows, rhs)
    assert (found.status, found.value) == (guided.status, guided.value)


@LAW
@given(programs(), st.lists(st.integers(-2, 12), max_size=6))
def test_a_hint_changes_the_time_only(
    program: tuple[list[int], list[list[int]], list[int]], hint: list[int]
) -> None:
    objective, rows, rhs = program
    hinted = maximise(objective, rows, rhs, basis_hint=hint)
    assert_proven(objective, rows, rhs, hinted)
    plain = maximise(objective, rows, rhs)
    assert (hinted.status, hinted.value) == (plain.status, plain.value)
    again = maximise(objective, rows, rhs, basis_hint=plain.basis)
    assert (again.status, again.value) == (plain.status, plain.value)


@LAW
@given(programs())
def test_scaling_rows_by_positive_numbers_scales_the_multipliers(
    program: tuple[list[int], list[list[int]], list[int]],
) -> None:
    objective, rows, rhs = program
    factors = [Fraction(i + 1, 7) for i in range(len(rows))]
    scaled = [[f * x for x in row] for f, row in zip(factors, rows, strict=True)]
    sides = [f * h for f, h in zip(factors, rhs, strict=True)]
    found = maximise([Fraction(c, 3) for c in objective], scaled, sides)
    assert_proven([Fraction(c, 3) for c in objective], scaled, sides, found)
    plain = maximise(objective, rows, rhs)
    assert found.status is plain.status
    assert found.value == (None if plain.value is None else plain.value / 3)


@LAW
@given(programs())
def test_minimise_is_maximise_of_the_negative(
    program: tuple[list[int], list[list[int]], list[int]],
) -> None:
    objective, rows, rhs = program
    low, high = minimise(objective, rows, rhs), maximise([-c for c in objective], rows, rhs)
    assert low.status is high.status
    assert low.value == (None if high.value is None else -high.value)


@LAW
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from([1e-6, 1.0, 1e6]))
def test_highs_agrees_on_random_programs(seed: int, width: int, scale: float) -> None:
    random = np.random.default_rng(seed)
    rows = np.vstack([random.normal(size=(12, width)), np.eye(width), -np.eye(width)]) * scale
    rhs = random.uniform(0.1, 1.0, size=len(rows))
    objective = random.normal(size=width)
    found = maximise(objective, rows, rhs)
    assert_proven(objective.tolist(), rows.tolist(), rhs.tolist(), found)
    by_highs = maximise_float(objective, rows, rhs)
    assert by_highs.status is found.status is LPStatus.OPTIMAL
    assert found.value is not None
    assert by_highs.value == pytest.approx(float(found.value), rel=1e-6)
    assert by_highs.multipliers is not None
    assert by_highs.multipliers @ rhs == pytest.approx(float(found.value), rel=1e-6)


@pytest.mark.parametrize("guess", [True, False])
def test_many_concurrent_rows_do_not_cycle(guess: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not guess:
        monkeypatch.setattr(exact, "guess_basis", lambda *_: None)
    signs = [[1 if i >> j & 1 else -1 for j in range(5)] for i in range(32)]
    rhs = [0] * 32
    found = maximise([1, 2, 3, 4, 5], signs, rhs)
    assert found.value == 0
    assert_proven([1, 2, 3, 4, 5], signs, rhs, found)


def test_a_difference_below_float_resolution_is_seen() -> None:
    tiny = Fraction(1, 10**60)
    rows: list[list[int]] = [[1, 1], [-1, -1], [1, 0], [0, 1]]
    narrow = [Fraction(1) + tiny, Fraction(-1), Fraction(2), Fraction(2)]
    assert maximise([1, 1], rows, narrow).value == 1 + tiny
    assert is_full_dimensional(rows, narrow)
    crossed = [Fraction(1) - tiny, Fraction(-1), Fraction(2), Fraction(2)]
    assert maximise([1, 1], rows, crossed).status is LPStatus.INFEASIBLE
    assert is_empty(rows, crossed)


def test_huge_and_tiny_numbers_pass() -> None:
    rows = np.array([[1e300, 0.0], [0.0, 5e-324], [-1.0, -1.0]])
    rhs = np.array([1e-300, 5e-324, 0.0])
    found = maximise(np.array([1.0, 1.0]), rows, rhs)
    assert_proven([1.0, 1.0], rows.tolist(), rhs.tolist(), found)
    assert found.value == Fraction(1e-300) / Fraction(1e300) + 1
    big = [[2**2000, 1], [-1, 3**900], [0, -1]]
    assert_proven([1, 0], big, [2**1500, 0, 1], maximise([1, 0], big, [2**1500, 0, 1]))


@LAW
@given(programs())
def test_interior_points_are_strict_and_their_absence_is_proven(
    program: tuple[list[int], list[list[int]], list[int]],
) -> None:
    _, rows, rhs = program
    point = interior_point(rows, rhs)
    if point is not None:
        assert all(dot(row, point) < h for row, h in zip(rows, rhs, strict=True))
    elif not is_empty(rows, rhs):
        # No interior and not empty: some row is an equation on the polyhedron.
        assert any(minimise(row, rows, rhs).value == h for row, h in zip(rows, rhs, strict=True))


@LAW
@given(programs())
def test_bounded_means_that_every_coordinate_is(
    program: tuple[list[int], list[list[int]], list[int]],
) -> None:
    objective, rows, rhs = program
    width = len(objective)
    matrix = np.array(rows, dtype=np.float64).reshape(len(rows), width)
    reaches = []
    for j in range(width):
        axis = [int(i == j) for i in range(width)]
        reaches += [maximise(axis, rows, rhs).status, minimise(axis, rows, rhs).status]
    assert is_bounded(matrix, np.array(rhs, dtype=np.float64)) == (LPStatus.UNBOUNDED not in reaches)


def test_zero_rows_take_nothing_from_the_interior() -> None:
    assert strict_point([[0, 0], [1, 0]], [0, 1]) is not None
    assert interior_point([[0, 0], [1, 0]], [0, 1]) is None
    assert not is_full_dimensional([[0, 0]], [-1])
    assert strict_point(np.zeros((0, 3)), np.zeros(0)) == (Fraction(0),) * 3
    assert not is_bounded(np.zeros((0, 3)), np.zeros(0))


def test_chebyshev_centre_of_a_box_and_its_refusals() -> None:
    box = np.vstack([np.eye(3), -np.eye(3)])
    centre, radius = chebyshev_centre(1e6 * box, np.array([3e6, 5e6, 5e6, 1e6, 5e6, 5e6]))
    assert radius == pytest.approx(2.0)
    assert centre[0] == pytest.approx(1.0)
    with pytest.raises(EmptyPolyhedronError, match="no point satisfies"):
        chebyshev_centre([[1.0], [-1.0]], [0.0, -1.0])
    with pytest.raises(UnboundedError, match="any size"):
        chebyshev_centre([[1.0, 0.0]], [0.0])


def test_highs_takes_bounds_and_names_its_outcomes() -> None:
    assert maximise_float([1.0], [[-1.0]], [0.0]).status is LPStatus.UNBOUNDED
    bounded = maximise_float([1.0, 1.0], [[1.0, 0.0]], [3.0], bounds=[(None, None), (0.0, 7.0)])
    assert bounded.value == pytest.approx(10.0)
    assert maximise_float([1.0], [[1.0], [-1.0]], [0.0, -1.0]).status is LPStatus.INFEASIBLE
    assert LPStatus.INFEASIBLE.key == "infeasible"


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SolverInputError, match="right-hand sides"):
        maximise([1], [[1]], [1, 2])
    with pytest.raises(SolverInputError, match="objective of length 2"):
        maximise([1, 2], [[1]], [1])
    with pytest.raises(SolverInputError, match="only finite"):
        maximise(np.ones(1), np.array([[np.nan]]), np.ones(1))
    with pytest.raises(SolverInputError, match="expected"):
        maximise_float([1.0, 2.0], [[1.0]], [1.0])
    with pytest.raises(SolverInputError, match="NaN"):
        chebyshev_centre([[np.inf]], [1.0])


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.longdouble, np.int64])
def test_arrays_of_any_type_are_taken_for_what_they_are(kind: Any) -> None:
    """An objective of halves is no objective of zeros, and 2^53 + 1 is not rounded beside floats."""
    big = 2**53 + 1
    objective: Any = np.array([1, 0] if kind is np.int64 else [0.5, 0.25]).astype(kind)
    sides: list[Any] = [np.array(side, np.int64) for side in ([big, big], [big, -big], [big - 1, -big])]
    found = maximise(objective, np.eye(2), sides[0])
    total = sum((Fraction(*entry.as_integer_ratio()) for entry in objective.tolist()), Fraction(0))
    assert found.value == total * big
    pair = np.array([[1.0], [-1.0]])
    assert not is_empty(pair, sides[1])
    assert is_empty(pair, sides[2])
