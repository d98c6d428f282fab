"""Laws of the least sum of kinked terms: its optimum, its multipliers, whatever it starts from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import linprog

from solvers.errors import SolverInputError
from solvers.qp.bounding import bounding_multipliers
from solvers.qp.kinks import minimise_kinks

Floats = npt.NDArray[np.float64]
Signs = npt.NDArray[np.int8]


def random_kinks(seed: int) -> tuple[Floats, Floats]:
    """Forms and kinks: absolute values, one side or two; for odd seeds small integers, which tie."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(1, 9)), int(rng.integers(1, 25))
    forms = rng.normal(size=(n, p))
    middle, reach = rng.normal(size=n + p), rng.exponential(0.5, n + p)
    if seed % 2:
        forms, middle, reach = np.round(forms), np.round(middle), np.ones(n + p)
    kinks = np.stack([middle - reach, middle + reach, rng.choice([1.0, 30.0], n + p)], axis=1)
    kind = rng.integers(0, 4, n + p)
    kinks[kind == 0, 1] = kinks[kind == 0, 0]
    kinks[kind == 1, 0] = -np.inf
    kinks[kind == 2, 1] = np.inf
    kinks[:n] = [-2.0, 2.0, 1e3]
    return np.ascontiguousarray(forms), kinks


def total(forms: Floats, kinks: Floats, w: Floats) -> float:
    values = np.concatenate([w, w @ forms])
    return float(kinks[:, 2] @ np.maximum(0.0, np.maximum(kinks[:, 0] - values, values - kinks[:, 1])))


def least_total(forms: Floats, kinks: Floats) -> float:
    """The optimum by a linear program: a variable for what each term is."""
    n, p = forms.shape
    rows = np.concatenate([np.eye(n), forms.T])
    matrix = np.block([[rows, -np.eye(n + p)], [-rows, -np.eye(n + p)]])
    sides = np.concatenate([kinks[:, 1], -kinks[:, 0]])
    kept = np.isfinite(sides)
    cost = np.concatenate([np.zeros(n), kinks[:, 2]])
    bounds = [(None, None)] * n + [(0, None)] * (n + p)
    solved = linprog(cost, A_ub=matrix[kept], b_ub=sides[kept], bounds=bounds)
    assert solved.fun is not None
    return float(solved.fun)


@pytest.mark.parametrize("seed", range(40))
def test_the_optimum_is_that_of_the_linear_program_from_wherever_it_starts(seed: int) -> None:
    forms, kinks = random_kinks(seed)
    n, p = forms.shape
    least = pytest.approx(least_total(forms, kinks), rel=1e-7, abs=1e-7)
    rng = np.random.default_rng(seed)
    starts: list[Signs] = [np.zeros(n + p, dtype=np.int8), rng.integers(-1, 2, n + p).astype(np.int8)]
    for start in starts:
        found, w, multipliers, active, _ = minimise_kinks(
            forms, kinks, start, rng.uniform(-1.0, 1.0, size=(n,))
        )
        assert found
        assert total(forms, kinks, w) == least
        # Slopes of the terms that add up to zero prove it.
        np.testing.assert_allclose(multipliers[:n] + forms @ multipliers[n:], 0.0, atol=1e-6)
        values = np.concatenate([w, w @ forms])
        assert (np.abs(multipliers) <= kinks[:, 2] + 1e-6).all()
        assert (multipliers[values < kinks[:, 1] - 1e-7] <= 1e-6).all()
        assert (multipliers[values > kinks[:, 0] + 1e-7] >= -1e-6).all()
        again, point, _, _, steps = minimise_kinks(forms, kinks, active, w)
        assert again
        assert steps == 0 or seed % 2  # ties leave a choice
        assert total(forms, kinks, point) == least


class Relaxation(NamedTuple):
    """What is bounded, in the order of the arguments."""

    F: Floats
    g: Floats
    low: Floats
    high: Floats
    C: Floats
    row_low: Floats
    row_high: Floats


def random_relaxation(seed: int) -> Relaxation:
    rng = np.random.default_rng(seed)
    n, m, outputs = 12, 20, 40
    C = rng.normal(size=(m, n))
    value = C @ rng.uniform(-0.5, 0.5, n)
    return Relaxation(
        rng.normal(size=(outputs, n)),
        rng.normal(size=outputs) * 3.0,
        -np.ones(n),
        np.ones(n),
        C,
        np.where(rng.random(m) < 0.5, -np.inf, value - 0.1),
        value + 0.1,
    )


def test_a_like_program_needs_fewer_steps_from_where_the_one_before_ended() -> None:
    warm, cold = 0, 0
    for seed in range(0, 40, 2):
        forms, kinks = random_kinks(seed)
        none = np.zeros(len(kinks), dtype=np.int8)
        start = np.zeros(len(forms))
        _, _, _, active, _ = minimise_kinks(forms, kinks, none, start)
        kinks[:, :2] += 0.01
        warm += minimise_kinks(forms, kinks, active, start)[4]
        cold += minimise_kinks(forms, kinks, none, start)[4]
    assert warm < cold / 3


def test_the_dual_value_of_an_l1_relaxation_is_its_optimum() -> None:
    program = random_relaxation(1)
    (found,) = bounding_multipliers(*program, order=1.0, scale=2.0)
    F, g, C = program.F, program.g, program.C
    pull = F.T @ found.output + C.T @ found.rows
    sides = np.where(found.rows > 0, program.row_high, np.maximum(program.row_low, -1e9))
    scale = np.max(np.abs(found.output))
    dual = -(g @ found.output + sides @ found.rows + np.abs(pull).sum()) / scale
    assert dual == pytest.approx(np.abs(F @ found.point - g).sum(), rel=1e-9)


def test_where_no_point_satisfies_the_rows_the_first_multipliers_prove_it() -> None:
    program = random_relaxation(2)
    program.C[0] = program.C[1]
    program.row_low[0] = program.row_high[1] + 1e-3
    program.row_high[0] = np.inf
    first, second = bounding_multipliers(*program, order=1.0, scale=2.0)
    assert not first.output.any()
    assert second.output.any()
    assert second.active is not None
    sides = np.where(first.rows > 0, program.row_high, program.row_low)
    used = first.rows != 0
    least = -np.abs(program.C.T @ first.rows).sum()
    assert least - sides[used] @ first.rows[used] > 0.0


def test_active_sides_that_are_too_few_are_refused() -> None:
    with pytest.raises(SolverInputError, match="72 sides got an active set of 3"):
        next(bounding_multipliers(*random_relaxation(3), order=1.0, scale=1.0, active=np.zeros(3, np.int8)))
