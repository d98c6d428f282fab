"""One call that walks a partition from its start to a `Partition`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyspline.domains import Domain
from polyspline.errors import ArgumentError, RunFileError
from polyspline.interrupts import on_interrupt
from polyspline.network import Network
from polyspline.notices import compiling
from polyspline.partition.partition import Partition
from polyspline.partition.run_file import RunWriter
from polyspline.partition.run_state import WalkState
from polyspline.partition.save import load_partition
from polyspline.partition.stop import StopReason
from polyspline.regions.ball import Ball
from polyspline.regions.start import start_regions
from polyspline.walk.expander import Expander
from polyspline.walk.journal import RunJournal, restore
from polyspline.walk.problem import Problem, make_problem
from polyspline.walk.sieve import Judge, Sieve, bound_of
from polyspline.walk.store import Store
from polyspline.walk.walker import Limits, Progress, Reach, Walk

Floats = NDArray[np.float64]


def walk_regions(
    net: Network,
    domain: Domain,
    start: Floats | None,
    limits: Limits,
    *,
    reach: Reach | None = None,
    run_file: str | os.PathLike[str] | None = None,
    resume: bool = False,
    report: Callable[[Progress], None] | None = None,
) -> Partition:
    """Walk the partition of a network over a domain; arguments are checked by the caller.

    Parameters
    ----------
    net, domain
        What to walk.
    start
        (S,) a point of the domain; None for the domain's default, or the start of the run resumed.
    limits
        When to stop early, and with how many threads.
    reach
        Radius and norm of the ball around the start that the walk is limited to.
    run_file, resume
        File that keeps the run; with `resume` it may exist and is continued.
    report
        Called with the progress a few times a second.

    Returns
    -------
    Partition
    """
    problem = make_problem(net, domain)
    store = Store(problem.packing.n_words, len(problem.coordinates))
    writer: RunWriter | None = None
    state: WalkState | None = None
    origin = domain.default_start() if start is None else start
    options: dict[str, Any] = {"start": origin}
    if reach is not None:
        options |= {"radius": reach.radius, "norm": reach.norm}
    if run_file is not None and resume:
        writer, state = RunWriter.open_for_resume(run_file, net, domain, options)
    elif run_file is not None:
        writer = RunWriter.create(run_file, net, domain, options)
    try:
        if run_file is not None and state is not None:
            _check_same_ball(run_file, state.within, reach)
            if state.complete:
                return load_partition(run_file)
        fresh = state is None or state.regions == 0
        if state is not None:
            _check_resumed(state, start, limits)
            # A run killed before its first note holds no region, but it has its start.
            origin = origin if state.start is None else state.start
        expander = Expander(problem)
        sieve = None if reach is None else _sieve_around(net, problem, origin, reach)
        if state is not None and not fresh:
            restore(problem, store, state)
        else:
            (code,) = start_regions(net, domain, origin[None, :])
            store.add_start(problem.packing.pack(code), problem.slide(origin))
        journal = RunJournal(writer, problem, store, fresh=fresh) if writer is not None else None
        walk = Walk(
            problem,
            store,
            limits,
            report=report,
            journal=journal,
            sieve=sieve,
            expander=expander,
            left_out_at=None if state is None else state.left_out,
            fallbacks=0 if state is None else state.exact_fallbacks,
            seconds=0.0 if state is None else state.seconds,
        )
        with on_interrupt(walk.interrupt):
            compile_kernels(store, expander, sieve)
            return finished_partition(walk, net, domain, walk.run(), journal)
    finally:
        if writer is not None:
            writer.close()


def _sieve_around(net: Network, problem: Problem, centre: Floats, reach: Reach) -> Sieve:
    ball = Ball(centre, reach.radius, reach.norm)
    return Sieve(Judge(net, problem, bound_of([ball])), ball)


def compile_kernels(store: Store, expander: Expander, sieve: Sieve | None) -> None:
    """Have the kernels compiled, by their work on the first region."""
    packed, points, entries = store.pending(0, 1)
    with compiling():
        expander.chunk(0, packed, points, entries)
        if sieve is not None:
            sieve.passes(packed)


def _check_same_ball(run_file: str | os.PathLike[str], ball: Ball | None, reach: Reach | None) -> None:
    """Refuse to go on with a walk that is limited to another ball, or not limited."""
    found = None if ball is None else Reach(ball.radius, ball.norm)
    if found != reach:
        raise RunFileError(
            f"{run_file}: holds a walk {_words(found)}, not one {_words(reach)}; give the radius and the "
            "norm it was started with, or take another run file."
        )


def _words(reach: Reach | None) -> str:
    return "without a radius" if reach is None else f"within radius {reach.radius!r} in the norm {reach.norm}"


def _check_resumed(state: WalkState, start: Floats | None, limits: Limits) -> None:
    if start is not None and state.start is not None and not np.array_equal(state.start, start):
        raise RunFileError(
            f"the run file was started at {state.start.tolist()}, not at {start.tolist()}: "
            "leave the start out when resuming, or take another run file."
        )
    if limits.regions is not None and limits.regions < state.regions:
        raise ArgumentError(
            f"max_regions is {limits.regions}, but the run file to resume holds {state.regions} regions: "
            "ask for at least as many."
        )


def finished_partition(
    walk: Walk, net: Network, domain: Domain, stop: StopReason, journal: RunJournal | None = None
) -> Partition:
    """Close a walk that has stopped, and hand over what it found; its store is empty afterwards."""
    store = walk.store
    walk.settle_frontier()
    if journal is not None:
        journal.finish(walk, stop)
    exact = {i: walk.problem.embed_exact(z) for i, z in store.exact_witnesses.items()}
    rationals = dict(store.exact_witnesses)
    packed, points, edges, sources = store.finished()
    proven = np.ones(len(packed), np.bool_)
    proven[list(exact)] = False
    return Partition(
        net,
        domain,
        packed,
        walk.problem.embed(points, rationals),
        proven,
        edges,
        sources,
        stop,
        walk.surrounded,
        exact_fallbacks=walk.fallbacks,
        seconds=walk.seconds,
        exact_witnesses=exact,
        within=None if walk.sieve is None else walk.sieve.ball,
    )
