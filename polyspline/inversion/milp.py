"""Inversion by a mixed-integer linear program, solved by any solver that PuLP knows.

Guarantee: the lower bound is the solver's own, lowered by its tolerances; the distance is
that of the network.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from polyspline.errors import InvariantError, require
from polyspline.inversion.bounds import compile_bounds, preactivation_bounds
from polyspline.inversion.local import improve
from polyspline.inversion.methods import Options, Outcome
from polyspline.inversion.norms import Norm
from polyspline.inversion.problem import InversionProblem
from polyspline.inversion.result import BoundSource, Ending
from polyspline.inversion.tracker import Tracker
from solvers.errors import SolverFailedError

if TYPE_CHECKING:
    from solvers.milp import Backend, MixedSolution

Floats = npt.NDArray[np.float64]

_STARTS = 16
"""Local searches for the first incumbent."""

_LATEST = 0.6
"""Seconds past the limit after which a solver is ended that does not keep to it."""

_CUTOFF_SLACK = 1e-6
"""How far beyond the incumbent, relatively, the program still looks: it must hold the incumbent itself."""

_NEAREST = 1e-9
"""Least distance, relative to the target's size, that the program is laid out for."""

_TOLERANCE = 1e-7
"""Relative amount by which a solver's bound is lowered."""


def prepare(problem: InversionProblem) -> None:
    """Load PuLP, and compile the bounds of the units."""
    require("pulp", extra="milp", purpose="invert by a mixed-integer program")
    compile_bounds()


def run(tracker: Tracker, options: Options) -> Outcome:
    """Invert by mixed-integer linear programs until the gap is closed or no program helps further.

    Parameters
    ----------
    tracker
        Of the problem.
    options
        `solver` names the back-end, `seed` the random starts of the first local searches.

    Raises
    ------
    ArgumentError
        If the back-end is not known; the message names those that are available.
    MissingExtraError
        If PuLP or the back-end is not installed.

    Notes
    -----
    Guarantee: the bound rests on the solver (`BoundSource.SOLVER`): its own bound, lowered by
    1e-7 relative. An asked gap below that is not reached.

    Algorithm: local searches give the incumbent, and with it a row that cuts off all that is
    farther, and the point that the solver begins from. L1 and L∞ take one program. For L2 the
    squares are approximated by tangents: program and local search in turn, each adding the
    tangents at the residuals it found, until the bound meets the incumbent. A region's optimum
    is met exactly by the tangents there, so the turns are finite. If the back-end breaks down, they end.

    References
    ----------
    Max-affine spline insights, section 4.1.
    """
    require("pulp", extra="milp", purpose="invert by a mixed-integer program")
    from polyspline.inversion.milp_model import backend_of

    backend = backend_of(options.solver)
    outcome = Outcome(BoundSource.SOLVER, backend.key, Ending.SOLVER)
    _first_incumbent(tracker, options.seed)
    if tracker.z is None or tracker.closed or tracker.out_of_time:
        return outcome
    try:
        _Turns(tracker, backend).go()
    except SolverFailedError:
        # What the local searches and the turns before have found is kept.
        return replace(outcome, ending=Ending.FAILED)
    return outcome


def _first_incumbent(tracker: Tracker, seed: int) -> None:
    """Local searches from the domain's centre and from random points."""
    domain = tracker.problem.domain
    lo, hi = domain.bounds()
    starts = np.random.default_rng(seed).uniform(lo, hi, (_STARTS - 1, domain.dim))
    for z in [domain.default_start(), *starts]:
        if tracker.out_of_time or tracker.closed:
            return
        tracker.offer(improve(tracker.problem, z, seconds_left=tracker.seconds_left))


class _Turns:
    """Programs and local searches in turn."""

    def __init__(self, tracker: Tracker, backend: Backend) -> None:
        self.tracker = tracker
        self.backend = backend
        problem = tracker.problem
        self.ranges = preactivation_bounds(problem.scalar_layers, problem.domain)
        self.cuts: list[Floats] = []
        self._lay_out()

    def _lay_out(self) -> None:
        """Lay out the program for the incumbent that there is, with all cuts so far."""
        from polyspline.inversion.milp_model import InversionProgram

        problem = self.tracker.problem
        reach = self.tracker.distance * (1.0 + _CUTOFF_SLACK)
        # Nearer than this the rounding of the network itself is as large as what is to be told apart.
        reach = max(reach, _NEAREST * problem.norm.of(problem.target))
        self.model = InversionProgram(problem, self.ranges, reach)
        for residual in self.cuts:
            self.model.cut(residual)

    def go(self) -> None:
        """Take turns until the gap is closed, time is up, or a turn changed nothing."""
        tracker = self.tracker
        while not (tracker.closed or tracker.out_of_time):
            before = tracker.distance
            solution = self._solve()
            tracker.nodes += 1
            self._take_bound(solution)
            tracker.tell()
            if solution.values is None:
                return
            sharper = self._take_point(solution.values)
            nearer = tracker.problem.gap(before, tracker.distance) > max(tracker.asked_gap, _TOLERANCE)
            if not (nearer or sharper):
                return
            if nearer:
                self._lay_out()

    def _solve(self) -> MixedSolution:
        from solvers.milp import solve_mixed

        tracker, model = self.tracker, self.model
        return solve_mixed(
            model.program(),
            self.backend,
            max_seconds=tracker.seconds_left,
            stopped=lambda: tracker.interrupted or tracker.seconds_overdue > _LATEST,
            start=model.point_of(self._incumbent()),
            typical_cost=model.objective_cutoff,
        )

    def _incumbent(self) -> Floats:
        if self.tracker.z is None:
            raise InvariantError("a mixed-integer program is laid out before there is an incumbent.")
        return self.tracker.z

    def _take_bound(self, solution: MixedSolution) -> None:
        """Raise the bound by the solver's, lowered by its tolerances."""
        model = self.model
        if solution.infeasible and not self._holds_incumbent():
            return
        # No point is within the cutoff, if there is none in the program.
        bound = min(solution.bound, model.objective_cutoff) - _TOLERANCE * model.objective_cutoff
        if self.tracker.problem.norm is Norm.L2:
            bound = float(np.sqrt(max(bound, 0.0)))
        self.tracker.raise_bound(bound, proven=False)

    def _holds_incumbent(self) -> bool:
        """Whether the incumbent satisfies the program, as it must if that is sound."""
        from solvers.milp.scaling import scale

        scaled = scale(self.model.program())
        point = scaled.inward(self.model.point_of(self._incumbent()))
        return scaled.program.violation(point) <= _TOLERANCE

    def _take_point(self, values: Floats) -> bool:
        """Offer the program's point and a local optimum; for L2 cut at both, and tell whether that helps."""
        tracker, model = self.tracker, self.model
        problem = tracker.problem
        z = model.latent(values)
        tracker.offer(z)
        better = improve(problem, z, seconds_left=tracker.seconds_left)
        tracker.offer(better)
        if problem.norm is not Norm.L2:
            return False
        missing = model.missing(values)
        for residual in (model.residual(values), problem.target - problem.image(better)):
            self.cuts.append(residual)
            model.cut(residual)
        return missing > 0.1 * _TOLERANCE * model.objective_cutoff
