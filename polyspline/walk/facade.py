"""One call that walks a partition from its start to a `Partition`."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.exact import exact_network
from polyspline.domains import Domain
from polyspline.errors import ArgumentError, RunFileError
from polyspline.network import Network
from polyspline.notices import told_if_slow
from polyspline.partition.partition import Partition
from polyspline.partition.run_file import RunWriter
from polyspline.partition.run_state import WalkState
from polyspline.partition.save import load_partition
from polyspline.walk.expander import Expander
from polyspline.walk.journal import RunJournal, restore
from polyspline.walk.problem import Problem, make_problem
from polyspline.walk.start import start_code
from polyspline.walk.store import Store
from polyspline.walk.walker import Limits, Progress, Walk

Floats = NDArray[np.float64]


def walk_regions(
    net: Network,
    domain: Domain,
    start: Floats | None,
    limits: Limits,
    *,
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
    options = {"start": [float(z) for z in origin]}
    if run_file is not None and resume:
        writer, state = RunWriter.open_for_resume(run_file, net, domain, options)
    elif run_file is not None:
        writer = RunWriter.create(run_file, net, domain, options)
    try:
        if run_file is not None and state is not None and state.complete:
            return load_partition(run_file)
        fresh = state is None or state.regions == 0
        if state is not None:
            _check_resumed(state, start, limits)
            # A run killed before its first note holds no region, but it has its start.
            origin = origin if state.start is None else state.start
        if state is not None and not fresh:
            restore(problem, store, state)
        else:
            _begin(problem, store, net, domain, origin)
        journal = RunJournal(writer, problem, store, fresh=fresh) if writer is not None else None
        walk = Walk(
            problem,
            store,
            limits,
            report=report,
            journal=journal,
            fallbacks=0 if state is None else state.exact_fallbacks,
            seconds=0.0 if state is None else state.seconds,
        )
        return _run(walk, journal, net, domain)
    finally:
        if writer is not None:
            writer.close()


def _begin(problem: Problem, store: Store, net: Network, domain: Domain, start: Floats) -> None:
    """Find the region of the start point, and have the kernels compiled on the way."""
    code = start_code(exact_network(net.layers), problem.exact_domain, start, domain.interior_point())
    point = problem.slide(start)
    packed = problem.packing.pack(code[None, :])
    with told_if_slow():
        store.add_start(packed[0], point)
        Expander(problem).chunk(0, packed, point[None, :], np.array([-1], np.int32))


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


@contextmanager
def _interruptible(walk: Walk) -> Iterator[None]:
    """Let Ctrl-C end the walk between two chunks; a second one raises as usual.

    Only the main thread receives signals; elsewhere nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        walk.interrupted = True
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _run(walk: Walk, journal: RunJournal | None, net: Network, domain: Domain) -> Partition:
    store = walk.store
    with _interruptible(walk):
        stop = walk.run()
        walk.settle_frontier()
        if journal is not None:
            journal.finish(walk, stop)
    expanded = store.expanded if walk.closed_at is None else walk.closed_at
    exact = {i: walk.problem.embed_exact(z) for i, z in store.exact_witnesses.items()}
    packed, points, edges, sources = store.finished()
    proven = np.ones(len(packed), np.bool_)
    proven[list(exact)] = False
    return Partition(
        net,
        domain,
        packed,
        walk.problem.embed(points),
        proven,
        edges,
        sources,
        stop,
        expanded,
        exact_fallbacks=walk.fallbacks,
        seconds=walk.seconds,
        exact_witnesses=exact,
    )
