"""Laws of regression over a polyhedron: HiGHS and weak duality as witnesses, scales, degenerate data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import linprog

from solvers.errors import SolverInputError
from solvers.qp.daqp import QPStatus
from solvers.qp.regression import Fit, fit_over_polyhedron

Floats = npt.NDArray[np.float64]

ORDERS = [2.0, 1.0, np.inf]


@dataclass(frozen=True)
class Case:
    """One regression over a polyhedron with a point."""

    A: Floats
    b: Floats
    G: Floats
    g: Floats
    h: Floats
    lo: Floats
    hi: Floats

    def fit(self, order: float, start: Fit | None = None) -> Fit:
        return fit_over_polyhedron(
            self.A, self.b, self.G, self.h, self.lo, self.hi, order, g=self.g, start=start
        )

    def scaled(self, output: float, latent: float) -> Case:
        return Case(
            self.A * (output / latent),
            self.b * output,
            self.G,
            self.g * latent,
            self.h * latent,
            self.lo * latent,
            self.hi * latent,
        )


def random_case(seed: int, count: int | None = None) -> Case:
    """Dependent columns, rows that are repeated, opposite or zero, and flat polyhedra are common."""
    rng = np.random.default_rng(seed)
    width, rows = int(rng.integers(1, 7)), int(rng.integers(0, 30))
    outputs = int(rng.integers(1, 25)) if count is None else count
    A = rng.normal(size=(outputs, width)) if seed % 3 else rng.integers(-2, 3, (outputs, width)).astype(float)
    if seed % 4 == 0:
        A[:, -1] = A[:, 0]
    G = rng.normal(size=(rows, width))
    if rows > 3 and seed % 2:
        G[1], G[2], G[3] = G[0], -2.0 * G[0], 0.0
    lo, hi = -rng.uniform(0.5, 2.0, width), rng.uniform(0.5, 2.0, width)
    inside = rng.uniform(lo, hi)
    room = np.where(rng.random((2, rows)) < 0.15, 0.0, rng.exponential(size=(2, rows)))
    g = np.where(rng.random(rows) < 0.4, -np.inf, G @ inside - room[0])
    noise = rng.choice([0.0, 1e-3, 1.0])
    b = noise * rng.normal(size=outputs) - A @ rng.uniform(lo, hi)
    return Case(A, b, G, g, G @ inside + room[1], lo, hi)


def reference(case: Case, order: float) -> float:
    """Optimum of order 1 or infinity by HiGHS, as a linear program in the latent point and the sizes."""
    count, width = case.A.shape
    spread = np.eye(count) if order == 1.0 else np.ones((count, 1))
    rows, sides = np.concatenate([case.G, -case.G]), np.concatenate([case.h, -case.g])
    rows, sides = rows[np.isfinite(sides)], sides[np.isfinite(sides)]
    matrix = np.block([[case.A, -spread], [-case.A, -spread], [rows, np.zeros((len(rows), spread.shape[1]))]])
    found = linprog(
        np.concatenate([np.zeros(width), np.ones(spread.shape[1])]),
        A_ub=matrix,
        b_ub=np.concatenate([-case.b, case.b, sides]),
        bounds=[*zip(case.lo, case.hi, strict=True), *[(0, None)] * spread.shape[1]],
    )
    assert found.status == 0
    assert found.fun is not None
    return float(found.fun)


def bound_by_duality(case: Case, fit: Fit) -> float:
    """Lower bound of the least squares from its multipliers alone: no point of the polyhedron is below."""
    assert fit.point is not None
    residual = case.A @ fit.point + case.b
    rows = fit.multipliers[len(case.lo) :]
    # norm(A z + b)^2 / 2 >= y.(A z + b) - norm(y)^2 / 2 with y the residual at the answer.
    constant = residual @ case.b - residual @ residual / 2.0
    slope = case.A.T @ residual + case.G.T @ rows
    constant -= rows[rows > 0] @ case.h[rows > 0] + rows[rows < 0] @ case.g[rows < 0]
    half_square = constant + np.minimum(slope * case.lo, slope * case.hi).sum()
    return float(np.sqrt(max(2.0 * half_square, 0.0)))


def assert_inside(case: Case, point: Floats | None, tolerance: float = 1e-7) -> None:
    assert point is not None
    assert (point >= case.lo).all()
    assert (point <= case.hi).all()
    assert (case.G @ point <= case.h + tolerance).all()
    assert (case.G @ point >= case.g - tolerance).all()


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("order", [1.0, np.inf])
def test_absolute_values_are_as_small_as_highs_makes_them(seed: int, order: float) -> None:
    case = random_case(seed)
    fit = case.fit(order)
    assert fit.status is QPStatus.OPTIMAL
    assert_inside(case, fit.point)
    assert fit.value == pytest.approx(reference(case, order), abs=1e-6)


@pytest.mark.parametrize("seed", range(60))
def test_least_squares_meets_the_bound_of_its_own_multipliers(seed: int) -> None:
    case = random_case(seed)
    fit = case.fit(2.0)
    assert fit.status is QPStatus.OPTIMAL
    assert_inside(case, fit.point)
    assert fit.value == pytest.approx(bound_by_duality(case, fit), abs=3e-4)
    assert fit.value**2 == pytest.approx(bound_by_duality(case, fit) ** 2, abs=1e-6)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("order", ORDERS)
def test_multipliers_name_sides_that_are_met(seed: int, order: float) -> None:
    case = random_case(seed)
    fit = case.fit(order)
    assert fit.point is not None
    value = np.concatenate([fit.point, case.G @ fit.point])
    upper, lower = np.concatenate([case.hi, case.h]), np.concatenate([case.lo, case.g])
    pushed = 1e-5
    np.testing.assert_allclose(value[fit.multipliers > pushed], upper[fit.multipliers > pushed], atol=1e-6)
    np.testing.assert_allclose(value[fit.multipliers < -pushed], lower[fit.multipliers < -pushed], atol=1e-6)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("output", "latent"), [(1e-6, 1.0), (1e6, 1.0), (1.0, 1e-5), (1.0, 1e5), (1e-4, 1e4)]
)
def test_the_scale_of_the_data_changes_nothing(seed: int, order: float, output: float, latent: float) -> None:
    case = random_case(seed)
    plain, fit = case.fit(order), case.scaled(output, latent).fit(order)
    assert fit.status is QPStatus.OPTIMAL
    assert fit.value / output == pytest.approx(plain.value, abs=1e-6)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("order", [1.0, np.inf])
def test_many_absolute_values_are_as_small_as_highs_makes_them(seed: int, order: float) -> None:
    case = random_case(seed, count=150)
    fit = case.fit(order)
    assert_inside(case, fit.point)
    assert fit.value == pytest.approx(reference(case, order), abs=1e-6)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("order", ORDERS)
def test_a_start_changes_nothing(seed: int, order: float) -> None:
    case = random_case(seed)
    rng = np.random.default_rng(seed)
    like = Case(
        case.A + 0.1 * rng.normal(size=case.A.shape), case.b, case.G, case.g, case.h, case.lo, case.hi
    )
    warm = like.fit(order, start=case.fit(order))
    assert warm.value == pytest.approx(like.fit(order).value, abs=1e-6)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("count", [5, 150])
def test_a_polyhedron_without_a_point_is_infeasible(order: float, count: int) -> None:
    rng = np.random.default_rng(0)
    A, b = rng.normal(size=(count, 2)), rng.normal(size=count)
    box = -np.ones(2), np.ones(2)
    apart = fit_over_polyhedron(A, b, [[1.0, 1.0], [-1.0, -1.0]], [-0.5, -0.5], *box, order)
    outside = fit_over_polyhedron(A, b, [[-1.0, 0.0]], [-3.0], *box, order)
    zero = fit_over_polyhedron(A, b, [[0.0, 0.0]], [-1.0], *box, order)
    for fit in (apart, outside, zero):
        assert fit.status is QPStatus.INFEASIBLE
        assert fit.point is None
        assert fit.value == np.inf


@pytest.mark.parametrize("order", ORDERS)
def test_a_constant_map_takes_any_point_of_the_polyhedron(order: float) -> None:
    fit = fit_over_polyhedron(
        np.zeros((3, 2)), [3.0, -4.0, 0.0], [[1.0, 1.0]], [-0.5], -np.ones(2), np.ones(2), order
    )
    assert fit.point is not None
    assert fit.point.sum() <= -0.5 + 1e-9
    assert fit.value == pytest.approx(np.linalg.norm([3.0, -4.0, 0.0], order))
    assert not fit.multipliers.any()


def test_bad_input_is_refused() -> None:
    A, b, G, h, lo, hi = np.ones((3, 2)), np.ones(3), np.ones((1, 2)), np.ones(1), -np.ones(2), np.ones(2)
    with pytest.raises(SolverInputError, match="expected \\(T, S\\)"):
        fit_over_polyhedron(A, np.ones(4), G, h, lo, hi)
    with pytest.raises(SolverInputError, match="finite lo and hi"):
        fit_over_polyhedron(A, b, G, h, lo, [np.inf, 1.0])
    with pytest.raises(SolverInputError, match="order 3"):
        fit_over_polyhedron(A, b, G, h, lo, hi, 3.0)
