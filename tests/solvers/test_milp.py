"""Laws of the mixed-integer programs: every solver here agrees with counting; none is left running."""

from __future__ import annotations

import itertools
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from solvers.errors import SolverInputError
from solvers.milp import (
    Backend,
    MixedProgram,
    MixedStatus,
    ProgramBuilder,
    SolverMissingError,
    available_backends,
    find_backend,
    solve_mixed,
)
from solvers.milp.scaling import power_of_two, scale

ROOT = Path(__file__).resolve().parents[2]
BACKENDS = available_backends()

every_backend = pytest.mark.parametrize("backend", BACKENDS, ids=[b.pulp_name for b in BACKENDS])


def partition_program(weights: list[int]) -> MixedProgram:
    """Split weights into two heaps as equal as can be: minimise the difference."""
    builder = ProgramBuilder()
    chosen = builder.columns(np.zeros(len(weights)), np.ones(len(weights)), integer=True)
    difference = builder.columns([0.0], [float(sum(weights))], cost=1.0)
    signs = 2.0 * np.array(weights, dtype=np.float64)
    for sign in (1.0, -1.0):
        builder.row([*chosen, *difference], [*(sign * signs), -1.0], upper=sign * float(sum(weights)))
    return builder.program()


def least_difference(weights: list[int]) -> float:
    total = sum(weights)
    sums = (
        sum(w for w, taken in zip(weights, mask, strict=True) if taken)
        for mask in itertools.product((0, 1), repeat=len(weights))
    )
    return float(min(abs(2 * s - total) for s in sums))


def hard_program(size: int = 60, seed: int = 0) -> MixedProgram:
    """Market split, which no solver finishes soon."""
    rng = np.random.default_rng(seed)
    builder = ProgramBuilder()
    chosen = builder.columns(np.zeros(size), np.ones(size), integer=True)
    slack = builder.columns(np.zeros(10), np.full(10, 1e5), cost=1.0)
    for k in range(5):
        weights = rng.integers(1, 1000, size)
        half = float(weights.sum() // 2)
        builder.row([*chosen, slack[2 * k], slack[2 * k + 1]], [*weights, 1.0, -1.0], lower=half, upper=half)
    return builder.program()


# ---- answers


@every_backend
@pytest.mark.parametrize("weights", [[7, 9, 12, 31, 5], [100, 3, 41, 17, 17, 60, 9], [8]])
def test_the_optimum_is_that_of_counting(backend: Backend, weights: list[int]) -> None:
    program = partition_program(weights)
    found = solve_mixed(program, backend)
    assert found.status is MixedStatus.OPTIMAL
    assert found.values is not None
    assert program.violation(found.values) < 1e-6
    assert found.objective == pytest.approx(least_difference(weights), abs=1e-6)
    assert found.bound == pytest.approx(least_difference(weights), abs=1e-5)


@every_backend
def test_a_start_changes_nothing_but_the_way(backend: Backend) -> None:
    weights = [31, 14, 15, 92, 65, 35]
    program = partition_program(weights)
    start = np.array([1.0, 0.0, 1.0, 0.0, 1.0, 0.0, float(abs(2 * (31 + 15 + 65) - sum(weights)))])
    assert program.violation(start) == 0.0
    found = solve_mixed(program, backend, start=start, typical_cost=100.0)
    assert found.objective == pytest.approx(least_difference(weights), abs=1e-6)


@every_backend
def test_a_program_without_points_is_infeasible_and_its_bound_infinite(backend: Backend) -> None:
    builder = ProgramBuilder()
    x = builder.columns([0.0, 0.0], [1.0, 1.0], cost=1.0, integer=True)
    builder.row(x, [2.0, 2.0], lower=1.0, upper=1.0)  # even on the left, odd on the right
    found = solve_mixed(builder.program(), backend)
    assert found.status is MixedStatus.INFEASIBLE
    assert found.infeasible
    assert found.values is None
    assert found.bound == math.inf


@every_backend
def test_a_time_limit_is_never_called_optimal(backend: Backend) -> None:
    program = hard_program()
    found = solve_mixed(program, backend, max_seconds=0.5)
    assert found.status in (MixedStatus.FEASIBLE, MixedStatus.NO_POINT)
    assert found.bound <= 1.0  # a split with almost no difference exists, and no bound may exclude it
    if found.values is not None:
        assert program.violation(found.values) < 1e-3
        assert found.objective >= found.bound
    assert found.words


@every_backend
@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_answer_does_not_depend_on_the_scale(backend: Backend, factor: float) -> None:
    builder = ProgramBuilder()
    steps = builder.columns(np.zeros(3), np.ones(3), integer=True)
    rest = builder.columns([0.0], [10.0 * factor], cost=1.0)
    builder.row([*steps, *rest], [3.0 * factor, 4.0 * factor, 6.0 * factor, 1.0], lower=12.5 * factor)
    found = solve_mixed(builder.program(), backend)
    assert found.values is not None
    assert found.objective == pytest.approx(0.0, abs=1e-6 * factor)
    assert found.values[:3].tolist() == [1.0, 1.0, 1.0]


def test_scaling_rounds_nothing_and_makes_columns_and_rows_of_size_one() -> None:
    rng = np.random.default_rng(1)
    builder = ProgramBuilder()
    ends = 10.0 ** rng.uniform(-8, 8, 6)
    columns = builder.columns(-ends, ends, cost=3.0)
    for _ in range(4):
        builder.row(columns, rng.normal(size=6) * 10.0 ** rng.uniform(-6, 6, 6), lower=-1.0, upper=2.0)
    program = builder.program()
    scaled = scale(program)
    assert np.array_equal(scaled.outward(scaled.inward(ends)), ends)
    assert np.array_equal(scaled.program.upper * scaled.columns, program.upper)
    assert np.array_equal(scaled.program.objective * scaled.cost / scaled.columns, program.objective)
    assert (np.abs(scaled.program.upper) <= 1.0).all()
    assert (np.abs(scaled.program.upper) >= 0.5).all()
    for before, after in zip(program.rows, scaled.program.rows, strict=True):
        assert 0.5 <= np.max(np.abs(after.coefficients)) <= 1.0
        ratio = after.coefficients / (before.coefficients * scaled.columns)
        assert np.ptp(ratio) == 0.0
        assert after.upper == before.upper * ratio[0]


def test_powers_of_two_are_just_above_and_one_where_there_is_no_size() -> None:
    assert power_of_two(np.array([0.75, 3.0, 0.0, np.inf])).tolist() == [1.0, 4.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("lower", "upper"),
    [([0.0], [0.0, 1.0]), ([1.0], [0.0]), ([np.nan], [1.0])],
    ids=["shape", "order", "nan"],
)
def test_bounds_that_do_not_fit_are_refused(lower: list[float], upper: list[float]) -> None:
    with pytest.raises(SolverInputError, match="columns got bounds"):
        ProgramBuilder().columns(lower, upper)


@pytest.mark.parametrize(
    ("columns", "coefficients", "words"),
    [
        ([0], [1.0, 2.0], "row got"),
        ([0], [np.nan], "row got"),
        ([0, 0], [1.0, 1.0], "twice"),
        ([7], [1.0], "never"),
    ],
)
def test_rows_that_do_not_fit_are_refused(columns: list[int], coefficients: list[float], words: str) -> None:
    builder = ProgramBuilder()
    builder.columns([0.0], [1.0])
    with pytest.raises(SolverInputError, match=words):
        builder.row(columns, coefficients, upper=1.0)


# ---- names


@pytest.mark.parametrize("name", [None, "cbc", "CBC", " Coin_Cmd "])
def test_cbc_is_the_default_and_found_by_any_of_its_names(name: str | None) -> None:
    assert find_backend(name) == Backend("cbc", "COIN_CMD")


@every_backend
def test_every_available_solver_is_found_by_its_names(backend: Backend) -> None:
    assert find_backend(backend.pulp_name.upper()) == backend
    assert find_backend(backend.key).key == backend.key


def test_an_unknown_solver_is_refused_with_those_that_are_here() -> None:
    with pytest.raises(SolverInputError, match=r"'oracle' is not known.*available here: cbc"):
        find_backend("oracle")


def test_a_solver_that_is_not_installed_is_named_with_what_to_install() -> None:
    here = {backend.pulp_name for backend in BACKENDS}
    assert "MIPCL_CMD" not in here  # nobody installs it
    with pytest.raises(SolverMissingError, match=r"'mipcl_cmd' is not installed.*available here: cbc"):
        find_backend("MIPCL_CMD")
    if not here & {"CPLEX_PY", "CPLEX_CMD"}:
        with pytest.raises(SolverMissingError, match="pip install cplex"):
            find_backend("cplex")


# ---- Ctrl-C

_SCRIPT = """
import sys
from solvers.milp import find_backend, solve_mixed
from tests.solvers.test_milp import hard_program
print("ready", flush=True)
try:
    solve_mixed(hard_program(), find_backend(sys.argv[1]))
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


@every_backend
def test_ctrl_c_ends_the_solver_and_leaves_no_file(backend: Backend, tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, backend.pulp_name],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(1.5)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGINT)  # to us alone: a terminal would tell the solver too
    output, errors = process.communicate(timeout=240)
    assert output.splitlines()[-1] == "stopped"  # some say on their own that they were interrupted
    assert errors == ""
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
