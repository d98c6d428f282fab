"""Solve a mixed-integer program by any solver that PuLP knows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pulp

from solvers.errors import SolverFailedError
from solvers.milp.backends import Backend, find_backend
from solvers.milp.drivers import driver_of
from solvers.milp.folders import solver_folder
from solvers.milp.processes import children_end_with_us
from solvers.milp.program import Floats, MixedProgram, MixedSolution, MixedStatus
from solvers.milp.scaling import scale

_GRACE_SECONDS = 5.0
_LARGEST = 1e30


def solve_mixed(
    program: MixedProgram,
    backend: Backend | None = None,
    *,
    max_seconds: float = math.inf,
    stopped: Callable[[], bool] = lambda: False,
    start: Floats | None = None,
    typical_cost: float = 0.0,
) -> MixedSolution:
    """Minimise a mixed-integer linear program.

    Parameters
    ----------
    program : MixedProgram
    backend : Backend, optional
        From `find_backend`; CBC by default.
    max_seconds : float
        Wall time.
    stopped : callable
        Asked now and then, from other threads too: once true, the solver is ended, and what it has
        found by then is given where it says so.
    start : ndarray (n,), optional
        A point to begin from, given to the solvers that take one.
    typical_cost : float
        Size of the objective that is expected (see `scale`).

    Raises
    ------
    SolverMissingError
        If no solver is given and CBC is not installed.
    SolverFailedError
        If the solver breaks down.

    Notes
    -----
    Guarantee: none beyond the solver's own. The program is scaled, and the solver is asked
    for one thread, no gap and tolerances of 1e-9 where it lets us.
    """
    began = time.perf_counter()
    driver = driver_of(find_backend() if backend is None else backend)
    scaled = scale(program, typical_cost)
    problem, variables = _pulp_problem(scaled.program)
    if start is not None:
        for variable, value in zip(variables, _within(scaled.program, scaled.inward(start)), strict=True):
            variable.setInitialValue(float(value), check=False)
    with solver_folder() as folder:
        log = folder / "log"
        solver = driver.solver(max_seconds, log, start is not None, stopped)
        solver.tmpDir = str(folder)
        try:
            with children_end_with_us(max_seconds + _GRACE_SECONDS, stopped):
                problem.solve(solver)
        except pulp.PulpSolverError as broken:
            if not (stopped() or _time_is_up(began, max_seconds)):
                raise _broken(driver.backend, str(broken)) from broken
            # Past the limit, or once it was to stop, it was ended by us.
            return MixedSolution(MixedStatus.NO_POINT, None, math.inf, -math.inf, str(broken))
        text = log.read_text(errors="replace") if log.exists() else ""
    if driver.interrupted(problem):
        raise KeyboardInterrupt
    status = _status(problem, driver.has_point(problem))
    words = driver.words(problem, text)
    if status is MixedStatus.NO_POINT and not (stopped() or _time_is_up(began, max_seconds)):
        raise _broken(driver.backend, words)
    values = None
    if status in (MixedStatus.OPTIMAL, MixedStatus.FEASIBLE):
        found = [0.0 if variable.varValue is None else float(variable.varValue) for variable in variables]
        values = scaled.outward(_within(scaled.program, np.array(found)))
    objective = math.inf if values is None else float(program.objective @ values)
    bound = math.inf if status is MixedStatus.INFEASIBLE else driver.bound(problem, text) * scaled.cost
    if status is MixedStatus.OPTIMAL and not math.isfinite(bound):
        bound = objective
    if status in (MixedStatus.FEASIBLE, MixedStatus.NO_POINT) and bound > _LARGEST:
        bound = -math.inf  # some print a huge number before they have a bound
    return MixedSolution(status, values, objective, bound, words)


def _pulp_problem(program: MixedProgram) -> tuple[Any, list[Any]]:
    """Program in PuLP's terms, and its variables in the order of the columns."""
    problem = pulp.LpProblem("program", pulp.LpMinimize)
    kinds = np.where(program.integer, pulp.LpInteger, pulp.LpContinuous).tolist()
    variables = [
        # PuLP sorts by name: the digits keep the order of the columns.
        problem.add_variable(f"x{i:07d}", _side(low), _side(high), kind)
        for i, (low, high, kind) in enumerate(
            zip(program.lower.tolist(), program.upper.tolist(), kinds, strict=True)
        )
    ]
    problem += pulp.LpAffineExpression(
        {v: c for v, c in zip(variables, program.objective.tolist(), strict=True) if c != 0.0}
    )
    for index, row in enumerate(program.rows):
        terms = {
            variables[j]: c for j, c in zip(row.columns.tolist(), row.coefficients.tolist(), strict=True)
        }
        for suffix, sense, side in _sides(row.lower, row.upper):
            expression = pulp.LpAffineExpression(terms)
            problem += pulp.LpConstraint(expression, sense, f"r{index:07d}{suffix}", side)
    return problem, variables


def _side(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None


def _sides(lower: float, upper: float) -> list[tuple[str, int, float]]:
    """Constraints of a row: PuLP knows one side each, or equality."""
    if lower == upper:
        return [("", pulp.LpConstraintEQ, lower)]
    sides = []
    if math.isfinite(lower):
        sides.append(("l", pulp.LpConstraintGE, lower))
    if math.isfinite(upper):
        sides.append(("u", pulp.LpConstraintLE, upper))
    return sides


def _within(program: MixedProgram, point: Floats) -> Floats:
    """Point moved into the bounds, whole numbers rounded."""
    inside = np.clip(point, program.lower, program.upper)
    return np.where(program.integer, np.round(inside), inside)


def _status(problem: Any, has_point: bool) -> MixedStatus:
    """Outcome of a run, from PuLP's two.

    A run that a limit stopped has PuLP's status "Optimal" with some solvers, and its solution
    status "infeasible" with others: each is believed only where it is plain.
    """
    if problem.status == pulp.LpStatusInfeasible:
        return MixedStatus.INFEASIBLE
    if problem.status == pulp.LpStatusUnbounded:
        return MixedStatus.UNBOUNDED
    if problem.status == pulp.LpStatusOptimal and problem.sol_status == pulp.LpSolutionOptimal:
        return MixedStatus.OPTIMAL
    return MixedStatus.FEASIBLE if has_point else MixedStatus.NO_POINT


def _time_is_up(began: float, max_seconds: float) -> bool:
    """Whether a solver that has no point may have been stopped by the limit."""
    return time.perf_counter() - began >= 0.5 * max_seconds


def _broken(backend: Backend, words: str) -> SolverFailedError:
    return SolverFailedError(
        f"solver {backend.key} broke down on a mixed-integer program ({words.rstrip('.')}): try another one."
    )
