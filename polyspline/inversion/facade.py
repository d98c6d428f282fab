"""The doorway of inversion: checks the arguments, runs a method, and says what the result is worth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from types import ModuleType

import numpy as np
import numpy.typing as npt

from polyspline.cpa.pointwise import code_of_exactly
from polyspline.domains import Domain
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, ShapeError
from polyspline.inversion.methods import Options, Outcome
from polyspline.inversion.norms import Norm
from polyspline.inversion.problem import InversionProblem, MeasureLike, check_target, make_problem
from polyspline.inversion.result import BoundSource, Ending, Inversion, InversionStatus
from polyspline.inversion.tracker import InversionProgress, Tracker
from polyspline.inversion.watched import watched
from polyspline.network import Network
from polyspline.partition import Partition, StopReason
from solvers.clock import working_time
from solvers.float_mode import gradual_underflow

Report = Callable[[InversionProgress], None]

METHODS = {
    "search": BoundSource.RIGOROUS,
    "milp": BoundSource.SOLVER,
    "scan": BoundSource.RIGOROUS,
    "gradient": BoundSource.NONE,
}
"""The methods, each a module of this room, and who vouches for their bounds while they go on."""

_SOLVERS = {"milp": "cbc", "gradient": "torch"}
"""Who solves the subproblems, where a method was broken off before it said so; else as the norm has it."""

_ENUMERATION_SHARE = 0.9
_LEAST_SECONDS = 1e-3

_MANY_WEIGHTS = 100_000
"""Weights from which the exact network takes more than a moment to be laid out."""


@gradual_underflow()
def invert(
    net: Network,
    x: npt.ArrayLike,
    domain: Domain,
    *,
    norm: str | Norm = "l2",
    method: str = "search",
    measure: MeasureLike | None = None,
    gap: float = 1e-6,
    max_seconds: float | None = None,
    max_nodes: int | None = None,
    solver: str | None = None,
    partition: Partition | None = None,
    starts: int = 16,
    seed: int = 0,
    progress: Report | None = None,
) -> Inversion | tuple[Inversion, ...]:
    """Find the latent z of a domain whose image is nearest to x, and bound how near any can be.

    Parameters
    ----------
    net : Network
        G, from R^S to R^D.
    x : array_like, shape (D,), or (B, D) for a batch
        Target, or its measurements, (T,) or (B, T), if something is measured.
    domain : Box or Polytope
        Where z may be; bounded.
    norm : {"l2", "l1", "linf"}
        Distance to minimise.
    method : {"search", "milp", "scan", "gradient"}
        ``search``: branch and bound over the pieces of the units, with proven bounds.
        ``milp``: a mixed-integer program, solved by a back-end.
        ``scan``: every region of a partition in turn.
        ``gradient``: descent from many starts, as is usual today; no bound.
    measure : array_like (T, D), or a pair of it and an offset (T,), optional
        What is seen of G(z): minimises ``norm(x - (M @ G(z) + offset))``.
    gap : float
        Relative gap between distance and bound at which a method stops.
    max_seconds : float, optional
        Limit on the wall time of each point, compiling left out; for ``scan`` without a partition the
        first includes the enumeration. What was found by then is the result, whatever solver still runs:
        that ends in the background, after some seconds, and a process that ends before waits for it.
    max_nodes : int, optional
        Limit on the nodes of ``search``.
    solver : str, optional
        Back-end of ``milp``, by name: ``"cbc"`` (the default), ``"highs"``, and all that PuLP knows.
    partition : Partition, optional
        Of the same network and domain, for ``scan``; it enumerates one if there is none.
    starts, seed : int
        Number and seed of the random starts of ``gradient``.
    progress : callable, optional
        Called with an `InversionProgress` now and then, from another thread.

    Returns
    -------
    Inversion, or tuple of Inversion for a batch
        After Ctrl-C what was found so far; of a batch, the points up to there.

    Raises
    ------
    ShapeError, NonFiniteError
        If x or measure has another shape, or is not finite.
    DomainError
        If the domain is unbounded or of another dimension.
    ArgumentError
        If a name is not known, a number is out of its range, or an option is given to a method
        that has no use for it.
    TooLargeError
        If x, or what the network may reach over the domain, is beyond 2^400.
    MissingExtraError
        If the back-end, or torch for ``gradient``, is not installed.
    KeyboardInterrupt
        If Ctrl-C stops the enumeration for ``scan``: there is no point yet.

    Notes
    -----
    Guarantee: the distance is that of the network at z, rounded. What vouches for the lower
    bound is in the result's `bound_source`.

    References
    ----------
    Max-affine spline insights, section 4.1 and Prop. 4. The region-wise problem is least
    squares over the polytope ω, not a projection onto its affine hull.
    """
    module = _module(method)
    _check_numbers(gap, max_seconds, max_nodes, starts)
    targets, single = _targets(x)
    first = make_problem(net, targets[0], domain, norm, measure)
    # The others share the layers of the first, and with them the bounds of the units.
    problems = [first, *(first.with_target(check_target(first, row)) for row in targets[1:])]
    _check_options(method, solver, partition, first)
    if max_seconds == math.inf:
        max_seconds = None
    module.prepare(first)
    began = working_time()
    if method == "scan" and partition is None:
        partition = _enumerate(net, domain, max_seconds)
    options = Options(solver, partition, starts, seed, max_nodes)
    results: list[Inversion] = []
    for problem in problems:
        tracker = Tracker(problem, gap=gap, max_seconds=max_seconds, report=progress, began=began)
        results.append(_run(module, tracker, options, method))
        if results[-1].interrupted:
            break
        began = working_time()
    return results[0] if single else tuple(results)


def _enumerate(net: Network, domain: Domain, max_seconds: float | None) -> Partition:
    """Enumerate the regions for a scan, which is left some of the time."""
    if max_seconds is not None:
        max_seconds = max(_ENUMERATION_SHARE * max_seconds, _LEAST_SECONDS)
    partition = enumerate_regions(net, domain, max_seconds=max_seconds)
    if partition.stop is StopReason.INTERRUPTED:
        raise KeyboardInterrupt
    return partition


def _module(name: str) -> ModuleType:
    """Import the module of a method, with `prepare` (what is loaded and compiled, once) and `run`."""
    if name not in METHODS:
        raise ArgumentError(f"method {name!r} is not known; choose one of {', '.join(METHODS)}.")
    return import_module(f"polyspline.inversion.{name}")


def _targets(x: npt.ArrayLike) -> tuple[list[npt.ArrayLike], bool]:
    """Targets one by one, and whether there is a single one."""
    try:
        array = np.asarray(x)
    except ValueError as ragged:
        raise ShapeError("x: expected one vector, or a batch (B, D), got uneven rows.") from ragged
    if array.ndim == 2:
        if not len(array):
            raise ShapeError("x: expected at least one point, got an empty batch.")
        return list(array), False
    return [array], True


def _check_numbers(gap: float, max_seconds: float | None, max_nodes: int | None, starts: int) -> None:
    if not (math.isfinite(gap) and gap >= 0):
        raise ArgumentError(f"gap must be a number of at least 0, got {gap}.")
    if max_seconds is not None and not max_seconds >= 0:
        raise ArgumentError(f"max_seconds must be at least 0, got {max_seconds}.")
    if max_nodes is not None and max_nodes < 1:
        raise ArgumentError(f"max_nodes must be at least 1, got {max_nodes}.")
    if starts < 1:
        raise ArgumentError(f"starts must be at least 1, got {starts}.")


def _check_options(
    method: str, solver: str | None, partition: Partition | None, problem: InversionProblem
) -> None:
    if solver is not None and method != "milp":
        raise ArgumentError(f"solver {solver!r} is given, but only the method milp takes one, not {method}.")
    if partition is None:
        return
    if method != "scan":
        raise ArgumentError(f"a partition is given, but only the method scan goes through one, not {method}.")
    if partition.net != problem.net:
        raise ArgumentError("the partition is of another network; enumerate the regions of this one.")
    if partition.domain != problem.domain:
        raise ArgumentError(
            f"the partition is over {partition.domain!r}, but the domain is {problem.domain!r}; "
            "use the partition's domain, or enumerate over this one."
        )


def _run(module: ModuleType, tracker: Tracker, options: Options, method: str) -> Inversion:
    """Run a method to its end, or until a limit or Ctrl-C stops it."""

    def work() -> Outcome:
        _warm_up(tracker)
        outcome: Outcome = module.run(tracker, options)
        return outcome

    try:
        outcome = watched(work, tracker)
    except KeyboardInterrupt:
        tracker.stop()
        outcome = None
    if outcome is None:
        solver = options.solver or _SOLVERS.get(method, tracker.problem.norm.solver)
        return _result(tracker, METHODS[method], solver, Ending.SECONDS, method)
    return _result(tracker, outcome.bound_source, outcome.solver, outcome.ending, method)


def _warm_up(tracker: Tracker) -> None:
    """Have a point, and what its exact code needs, before the time of a large network is used up."""
    problem = tracker.problem
    weights = sum(int(np.prod(layer.matrix.shape)) for layer in problem.net.layers)
    if weights >= _MANY_WEIGHTS and not tracker.out_of_time:
        start = problem.domain.default_start()
        tracker.offer(start)
        code_of_exactly(problem.net.layers, start)


def _ending(tracker: Tracker, otherwise: Ending) -> Ending:
    """Why an inversion ended, the plainest reason first."""
    if tracker.interrupted:
        return Ending.INTERRUPTED
    if tracker.closed:
        return Ending.CLOSED
    return Ending.SECONDS if tracker.out_of_time else otherwise


def _status(tracker: Tracker, method: str) -> InversionStatus:
    if tracker.z is None:
        return InversionStatus.NO_SOLUTION
    if method == "gradient":
        return InversionStatus.LOCAL
    return InversionStatus.OPTIMAL if tracker.closed else InversionStatus.FEASIBLE


def _result(
    tracker: Tracker, bound_source: BoundSource, solver: str, ending: Ending, method: str
) -> Inversion:
    problem = tracker.problem
    found = Inversion(
        z=None,
        x_hat=None,
        distance=float("inf"),
        lower_bound=tracker.lower_bound,
        gap=float("inf"),
        status=_status(tracker, method),
        ending=_ending(tracker, ending),
        bound_source=bound_source,
        code=None,
        A=None,
        b=None,
        norm=problem.norm.key,
        method=method,
        solver=solver,
        nodes=tracker.nodes,
        seconds=tracker.seconds,
        history=tracker.history,
        interrupted=tracker.interrupted,
    )
    if tracker.z is None:
        return found
    code = problem.net.code(tracker.z)
    slope, offset = problem.net.affine(code)
    return replace(
        found,
        z=tracker.z,
        x_hat=problem.net(tracker.z),
        distance=tracker.distance,
        gap=tracker.gap,
        code=code,
        A=slope,
        b=offset,
    )
