"""How each solver is told what we want of it, and where it tells its bound.

PuLP hides most differences. Those that remain are here, one small class a solver: the
tolerances, the point to begin from, the log, Ctrl-C, and the bound, for which PuLP has no name.
"""

from __future__ import annotations

import inspect
import math
import re
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pulp

from solvers.errors import SolverFailedError
from solvers.milp.backends import Backend, cbc_path, solver_class

TOLERANCE = 1e-9
"""Feasibility and wholeness that the solvers are asked for, in scaled columns and rows."""

_CBC_BOUND = re.compile(r"^Lower bound:\s+(\S+)", re.MULTILINE)
_CBC_OPTIMUM = re.compile(r"^Result - Optimal solution found\s+Objective value:\s+(\S+)", re.MULTILINE)
_CBC_PRINTED = 1e-8
"""Rounding of the numbers in CBC's log: nine digits, or eight decimals, as the version has it."""

_CBC_RESULT = re.compile(r"^Result - (.*)$", re.MULTILINE)


class Driver:
    """A solver through PuLP, told nothing but the limits that PuLP has a word for."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    def solver(self, max_seconds: float, log: Path, warm: bool, stopped: Callable[[], bool]) -> Any:
        """Return PuLP's solver object.

        Parameters
        ----------
        max_seconds
            Wall time; infinite for no limit.
        log
            Where a log may be written.
        warm
            Whether the variables hold a point to begin from.
        stopped
            Asked by those that run beside us: once true, they are ended.
        """
        kind = solver_class(self.backend.pulp_name)
        wanted: dict[str, Any] = {"msg": False, "threads": 1, "gapRel": 0.0, "gapAbs": 0.0, "warmStart": warm}
        if math.isfinite(max_seconds):
            wanted["timeLimit"] = max_seconds
        wanted |= self.options(log)
        signature = inspect.signature(kind.__init__).parameters
        open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.values())
        known = {
            key: value
            for key, value in wanted.items()
            if key in signature or (open_ended and key in self.options(log))
        }
        with warnings.catch_warnings():
            # CBC as PuLP itself ships it is on its way out; it is used only where there is no other.
            warnings.simplefilter("ignore", DeprecationWarning)
            return kind(**known)

    def options(self, log: Path) -> dict[str, Any]:
        """Further arguments of PuLP's class, the solver's own parameters among them."""
        return {}

    def bound(self, problem: Any, log: str) -> float:
        """Return the solver's lower bound; minus infinity where it tells none."""
        return -math.inf

    def words(self, problem: Any, log: str) -> str:
        """Return what the solver said of its run."""
        return f"{pulp.LpStatus[problem.status]}; {pulp.LpSolution[problem.sol_status]}"

    def has_point(self, problem: Any) -> bool:
        """Whether the variables hold a point that the solver found."""
        return problem.sol_status in (pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible)

    def interrupted(self, problem: Any) -> bool:
        """Whether the solver caught a Ctrl-C and went back to us."""
        return False


class Cbc(Driver):
    """CBC, a program of its own: everything it knows is in its log.

    Cuts are off: on inversions they take three to five times the seconds that they save. So
    is preprocessing, which gains nothing there and leaves points that miss rows by 1e-6.
    """

    def options(self, log: Path) -> dict[str, Any]:
        """Tolerances and what else it has words for."""
        return {
            "path": cbc_path() if self.backend.pulp_name == "COIN_CMD" else None,
            "logPath": str(log),
            "options": ["cuts off", "preprocess off", f"integerT {TOLERANCE}", f"primalT {TOLERANCE}"],
        }

    def bound(self, problem: Any, log: str) -> float:
        """Return the bound that it tells."""
        # At the optimum the log has no bound but the objective; the point in the solution file
        # misses rows, so that its own objective may be beyond the optimum.
        found = _CBC_BOUND.findall(log) or _CBC_OPTIMUM.findall(log)
        return _number(found[-1]) - _CBC_PRINTED if found else -math.inf

    def words(self, problem: Any, log: str) -> str:
        """Return its own words."""
        found = _CBC_RESULT.findall(log)
        return str(found[-1]).strip() if found else super().words(problem, log)


class Highs(Driver):
    """HiGHS as a library: run beside us, so that Ctrl-C reaches us, and begun from a point."""

    def solver(self, max_seconds: float, log: Path, warm: bool, stopped: Callable[[], bool]) -> Any:
        """Return PuLP's solver object, with the solver's own tolerances."""
        solver = pulp.HiGHS(
            msg=False,
            threads=1,
            gapRel=0.0,
            gapAbs=0.0,
            timeLimit=max_seconds if math.isfinite(max_seconds) else None,
            mip_feasibility_tolerance=TOLERANCE,
            primal_feasibility_tolerance=TOLERANCE,
            dual_feasibility_tolerance=TOLERANCE,
        )
        solver.callSolver = partial(_run_highs, warm, stopped)
        return solver

    def bound(self, problem: Any, log: str) -> float:
        """Return the bound that it tells."""
        info = problem.solverModel.getInfo()
        return float(info.mip_dual_bound)

    def words(self, problem: Any, log: str) -> str:
        """Return its own words."""
        model = problem.solverModel
        return str(model.modelStatusToString(model.getModelStatus()))


class Scip(Driver):
    """SCIP as a library."""

    def options(self, log: Path) -> dict[str, Any]:
        """Tolerances and what else it has words for."""
        return {"options": [f"numerics/feastol={TOLERANCE}", f"numerics/dualfeastol={TOLERANCE}"]}

    def bound(self, problem: Any, log: str) -> float:
        """Return the bound that it tells."""
        return float(problem.solverModel.getDualbound())

    def words(self, problem: Any, log: str) -> str:
        """Return its own words."""
        return str(problem.solverModel.getStatus())

    def interrupted(self, problem: Any) -> bool:
        """Whether it caught a Ctrl-C."""
        return str(problem.solverModel.getStatus()) == "userinterrupt"


class Gurobi(Driver):
    """Gurobi as a library."""

    def options(self, log: Path) -> dict[str, Any]:
        """Tolerances and what else it has words for."""
        return {
            "manageEnv": True,  # or it greets on standard output
            "OutputFlag": 0,
            "Threads": 1,
            "MIPGap": 0.0,
            "MIPGapAbs": 0.0,
            "FeasibilityTol": TOLERANCE,
            "IntFeasTol": TOLERANCE,
            "OptimalityTol": TOLERANCE,
        }

    def bound(self, problem: Any, log: str) -> float:
        """Return the bound that it tells."""
        return float(problem.solverModel.ObjBound)

    def words(self, problem: Any, log: str) -> str:
        """Return its own words."""
        return f"status {problem.solverModel.Status}"

    def has_point(self, problem: Any) -> bool:
        """Whether it holds a point."""
        return int(problem.solverModel.SolCount) > 0

    def interrupted(self, problem: Any) -> bool:
        """Whether it caught a Ctrl-C."""
        return int(problem.solverModel.Status) == 11  # GRB.INTERRUPTED


_DRIVERS: dict[str, type[Driver]] = {
    "COIN_CMD": Cbc,
    "PULP_CBC_CMD": Cbc,
    "HiGHS": Highs,
    "SCIP_PY": Scip,
    "GUROBI": Gurobi,
}


def driver_of(backend: Backend) -> Driver:
    """Return the driver of a solver; the plain one for those that need no more."""
    return _DRIVERS.get(backend.pulp_name, Driver)(backend)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -math.inf


def _run_highs(warm: bool, stopped: Callable[[], bool], lp: Any) -> None:
    """Run the HiGHS of a PuLP problem beside us, where no Ctrl-C can reach it, and stop it on one."""
    import highspy

    model = lp.solverModel
    model.HandleUserInterrupt = True  # or it does not heed `cancelSolve`
    if warm:
        point = highspy.HighsSolution()
        point.col_value = [variable.varValue or 0.0 for variable in lp.variables()]
        model.setSolution(point)

    finished = Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            if model.run() == highspy.HighsStatus.kError:
                # It then has no status at all. Once more, from nothing.
                model.clearSolver()
                if model.run() == highspy.HighsStatus.kError:
                    raise SolverFailedError(
                        "solver highs broke down on a mixed-integer program: try another one."
                    )
        except BaseException as failure:
            # It belongs to the thread that waits: here nobody would hear of it.
            failures.append(failure)
        finally:
            finished.set()

    Thread(target=run, daemon=True).start()
    try:
        # Not the thread's own `join`: interrupted, it would take the thread for ended.
        while not finished.wait(0.1):
            if stopped():
                model.cancelSolve()
    except BaseException:
        model.cancelSolve()
        finished.wait()
        raise
    if failures:
        raise failures[0]
