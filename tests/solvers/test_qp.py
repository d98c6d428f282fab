"""Laws of the quadratic programs: optimality conditions, early stops, starts from an active set."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from solvers.errors import SolverInputError
from solvers.qp.bounding import bounding_multipliers
from solvers.qp.daqp import QPSolution, QPStatus, minimise_linear, minimise_quadratic

Floats = npt.NDArray[np.float64]
Program = tuple[Floats, Floats, Floats, Floats, Floats]


def random_program(seed: int, rank: int | None = None) -> Program:
    """H, f, A and both sides of a feasible program; some sides infinite, some rows twice."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(1, 8)), int(rng.integers(0, 30))
    root = rng.normal(size=(n if rank is None else min(rank, n), n))
    A = rng.normal(size=(m, n))
    if m > 2:
        A[1] = A[0]
    inside = rng.uniform(-0.5, 0.5, n)
    value = np.concatenate([inside, A @ inside])
    lower = np.where(rng.random(n + m) < 0.3, -np.inf, value - rng.exponential(0.3, n + m))
    upper = value + rng.exponential(0.3, n + m)
    upper[n + m // 2 :] = np.where(rng.random(m - m // 2) < 0.5, np.inf, upper[n + m // 2 :])
    lower[:n] = np.maximum(lower[:n], -3.0)
    return root.T @ root, 2.0 * rng.normal(size=n), A, lower, upper


def assert_optimal(program: Program, found: QPSolution, tolerance: float = 1e-7) -> None:
    """The conditions that prove a point of a convex program optimal."""
    H, f, A, lower, upper = program
    assert found.status is QPStatus.OPTIMAL
    assert found.point is not None
    assert found.multipliers is not None
    x, y = found.point, found.multipliers
    all_rows = np.concatenate([np.eye(len(x))[: len(lower) - len(A)], A])
    value = all_rows @ x
    np.testing.assert_allclose(H @ x + f + all_rows.T @ y, 0.0, atol=tolerance * (1 + np.abs(f).max()))
    assert (value <= upper + 1e-7).all()
    assert (value >= lower - 1e-7).all()
    np.testing.assert_allclose(value[y > 0], upper[y > 0], atol=1e-7)
    np.testing.assert_allclose(value[y < 0], lower[y < 0], atol=1e-7)
    assert found.value == pytest.approx(x @ H @ x / 2 + f @ x, abs=1e-9)


@pytest.mark.parametrize("seed", range(40))
def test_the_answer_satisfies_the_optimality_conditions(seed: int) -> None:
    program = random_program(seed)
    assert_optimal(program, minimise_quadratic(*program))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("rank", [0, 1, 3])
def test_a_singular_hessian_is_no_obstacle(seed: int, rank: int) -> None:
    program = random_program(seed, rank)
    assert_optimal(program, minimise_quadratic(*program), tolerance=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_a_linear_program_is_a_quadratic_one_without_a_hessian(seed: int) -> None:
    H, f, A, lower, upper = random_program(seed)
    program = np.zeros_like(H), f, A, lower, upper
    assert_optimal(program, minimise_linear(f, A, lower, upper), tolerance=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_a_limit_below_the_optimum_stops_early_and_one_above_changes_nothing(seed: int) -> None:
    program = random_program(seed)
    free = minimise_quadratic(*program)
    above = minimise_quadratic(*program, limit=free.value + 1e-3)
    assert above.status is QPStatus.OPTIMAL
    assert above.value == pytest.approx(free.value, abs=1e-9)
    H, f, *_ = program
    least = -float(f @ np.linalg.solve(H, f)) / 2
    if free.value > least + 1e-6:  # something holds the point back, so that the dual has to rise
        below = minimise_quadratic(*program, limit=(least + free.value) / 2)
        assert below.status is QPStatus.LIMIT_PASSED
        assert below.point is None
        assert below.multipliers is None
        assert below.iterations <= free.iterations


@pytest.mark.parametrize("seed", range(20))
def test_a_start_from_the_active_set_gives_the_same_answer_sooner(seed: int) -> None:
    program = random_program(seed)
    cold = minimise_quadratic(*program)
    assert cold.point is not None
    assert cold.multipliers is not None
    warm = minimise_quadratic(*program, active=cold.multipliers)
    assert_optimal(program, warm)
    assert warm.value == pytest.approx(cold.value, abs=1e-9)
    assert warm.iterations <= cold.iterations


@pytest.mark.parametrize("seed", range(20))
def test_any_start_gives_the_same_answer(seed: int) -> None:
    program = random_program(seed)
    cold = minimise_quadratic(*program)
    signs = np.random.default_rng(seed).integers(-1, 2, len(program[3]))
    warm = minimise_quadratic(*program, active=signs)
    assert_optimal(program, warm)
    assert warm.value == pytest.approx(cold.value, abs=1e-8)


def test_rows_that_exclude_each_other_are_infeasible() -> None:
    row = np.array([[1.0, 1.0], [1.0, 1.0]])
    found = minimise_quadratic(np.eye(2), np.zeros(2), row, [-np.inf, 1.0], [0.0, np.inf])
    assert found.status is QPStatus.INFEASIBLE
    assert found.point is None
    crossed = minimise_quadratic(np.eye(1), np.zeros(1), np.zeros((0, 1)), [1.0], [0.0])
    assert crossed.status is QPStatus.INFEASIBLE


def test_fewer_simple_bounds_than_variables_leave_the_others_free() -> None:
    found = minimise_quadratic(np.eye(2), [-3.0, -4.0], np.zeros((0, 2)), [-1.0], [1.0])
    assert found.point is not None
    np.testing.assert_allclose(found.point, [1.0, 4.0])


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        (((3, 2), (2,), (1, 2), (3,), (3,)), "H of shape"),
        (((2, 2), (2,), (1, 3), (3,), (3,)), "A of shape"),
        (((2, 2), (2,), (1, 2), (3,), (2,)), "sides of lengths 3 and 2"),
        (((2, 2), (2,), (1, 2), (4,), (4,)), "got 4 sides"),
        (((2, 2), (2, 1), (1, 2), (3,), (3,)), "one axis"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(shapes: tuple[tuple[int, ...], ...], expected: str) -> None:
    with pytest.raises(SolverInputError, match=expected):
        minimise_quadratic(*(np.ones(shape) for shape in shapes))


def test_an_active_set_of_another_program_is_refused() -> None:
    with pytest.raises(SolverInputError, match="active set of 2"):
        minimise_quadratic(np.eye(1), [0.0], np.ones((2, 1)), -np.ones(3), np.ones(3), active=[1.0, 0.0])


@pytest.mark.parametrize("order", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("side", [0.5, -5.0])
def test_active_sides_that_bounding_multipliers_tell_are_a_start_for_a_like_program(
    order: float, side: float
) -> None:
    rng = np.random.default_rng(3)
    F, g, C = rng.normal(size=(6, 4)), rng.normal(size=6), np.ones((1, 4))
    ends = np.ones(4)
    # With the side at -5 no point satisfies the row.
    rows = C, np.array([-np.inf]), np.array([side])
    solutions = list(bounding_multipliers(F, g, -ends, ends, *rows, order=order, scale=1.0))
    assert solutions
    for solution in solutions:
        again = bounding_multipliers(
            F, g + 0.01, -ends, ends, *rows, order=order, scale=1.0, active=solution.active
        )
        afresh = bounding_multipliers(F, g + 0.01, -ends, ends, *rows, order=order, scale=1.0)
        for one, other in zip(again, afresh, strict=True):
            np.testing.assert_allclose(one.output, other.output, atol=1e-4)
