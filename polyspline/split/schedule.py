"""Subtrees one after the other, on threads or on other machines; their results in one order always.

The tree is cut into subtrees in the order of their regions. Some ahead of the one whose
results are wanted next are worked on at the same time. A subtree that turns out large hands
back what is left of it as subtrees of their own, so that no result is large.

Where the tree is cut does not depend on the number of workers. So every vertex is computed from
the same ones, in the same order, and not only the regions but all floats are the same.
"""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass
from functools import lru_cache
from queue import SimpleQueue
from typing import Any

from polyspline.domains import Domain
from polyspline.errors import ArgumentError, PolysplineError
from polyspline.network import Network
from polyspline.split.parts import UNFINISHED, Part, Tally
from polyspline.split.problem import Cell, Problem, make_problem
from polyspline.split.runner import Runner
from polyspline.split.watch import estimate_of
from solvers.float_mode import gradual_underflow

_FIRST_REGIONS = 1 << 12
"""So many are found in one go, before what is left is cut for several workers."""

_MOST_SUBTREES = 64
_SUBTREE_ESTIMATE = 1 << 11
_SUBTREE_REGIONS = 1 << 15
_AHEAD_PER_WORKER = 3
_TRIES = 3
_WORKERS_OF_AN_EXECUTOR = 8
"""As many are kept busy, whether there are more or fewer: an executor does not say."""

_ASKED_SECONDS = 0.05
"""Who waits for a worker looks so often whether to stop."""

Result = tuple[list[Part], list[Cell]]
Submit = Callable[[Cell], "Future[Any]"]


class _Runners:
    """Runners of one problem, lent to one thread each."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._spare: SimpleQueue[Runner] = SimpleQueue()

    @gradual_underflow()
    def work(
        self, cell: Cell, keep: bool, most: int = _SUBTREE_REGIONS, stop: Callable[[], bool] | None = None
    ) -> Result:
        """Do a subtree, or as much of it as one result may hold or as is done when it is to stop."""
        if stop is not None and stop():
            return [], [cell]
        runner = Runner(self._problem) if self._spare.empty() else self._spare.get()
        parts: list[Part] = []
        done = 0
        for part in runner.regions(cell, keep=keep, at_once=most, stop=stop):
            parts.append(part)
            done += part.tally.regions
            if done >= most:
                break
        left = runner.left()
        self._spare.put(runner)
        return parts, left


@lru_cache(maxsize=4)
def _runners_of(problem: bytes) -> _Runners:
    net, domain = pickle.loads(problem)
    return _Runners(make_problem(net, domain))


@gradual_underflow()
def work_elsewhere(problem: bytes, cell: bytes, keep: bool) -> bytes:
    """Do a subtree in a worker's process.

    Parameters
    ----------
    problem
        The pickled network and domain; the worker keeps what it makes of the last few.
    cell
        The pickled cell.
    keep
        Whether the regions are wanted; else they are only counted.

    Returns
    -------
    bytes
        The pickled parts and the cells that are left.
    """
    return pickle.dumps(_runners_of(problem).work(pickle.loads(cell), keep))


def cut_into(problem: Problem, cells: list[Cell], wanted: int) -> tuple[list[Cell], Tally]:
    """Cut cells into about that many, in their order, the one with the largest share first; and the cost."""
    runner = Runner(problem)
    cells = list(cells)
    cost = Tally()
    whole: set[int] = set()
    while len(cells) < wanted:
        open_ = [i for i, cell in enumerate(cells) if id(cell) not in whole]
        if not open_:
            break
        place = max(open_, key=lambda i: cells[i].share)
        halves, spent = runner.halves(cells[place])
        cost += spent
        cells[place : place + 1] = halves
        if len(halves) == 1:
            whole.add(id(halves[0]))
    return cells, cost


@dataclass
class _Task:
    """A subtree that is worked on."""

    cell: Cell
    future: Future[Any] | None = None
    tries: int = 0


class _Crew:
    """Hands subtrees to an executor and sees to it that each comes back done."""

    def __init__(
        self,
        submit: Submit,
        unpack: Callable[[Any], Result],
        here: Callable[[Cell], Result],
        stop: Callable[[], bool],
    ) -> None:
        self._stop = stop
        self._submit = submit
        self._unpack = unpack
        self._here = here
        self._broken = False

    def start(self, task: _Task) -> None:
        """Have a subtree worked on, if nobody does yet."""
        if task.future is not None or self._broken:
            return
        try:
            task.future = self._submit(task.cell)
        except (BrokenExecutor, RuntimeError):  # the latter says that it has been shut down
            self._broken = True

    def finish(self, task: _Task) -> Result:
        """Wait for the result of a subtree; where a worker fails it is done again, at last in this process.

        Raises
        ------
        ArgumentError
            If the executor fails at it again and again.
        """
        while True:
            self.start(task)
            if task.future is None:
                return self._here(task.cell)
            while not wait([task.future], timeout=_ASKED_SECONDS).done:
                if self._stop():  # a worker elsewhere goes on with it; nobody waits for that
                    return [], [task.cell]
            failure = CancelledError() if task.future.cancelled() else task.future.exception()
            if failure is None:
                return self._unpack(task.future.result())
            if isinstance(failure, PolysplineError | MemoryError):
                raise failure
            task.future = None
            task.tries += 1
            self._broken = self._broken or isinstance(failure, BrokenExecutor)
            if task.tries == _TRIES and not self._broken:
                raise ArgumentError(
                    f"executor: it failed {_TRIES} times at one subtree, last with {type(failure).__name__}: "
                    f"{failure}; expected an executor whose workers can import polyspline and take pickled "
                    "arguments: leave it out, and give workers= for threads."
                ) from failure


def _ordered(crew: _Crew, cells: list[Cell], ahead: int, stop: Callable[[], bool]) -> Generator[Part]:
    """Parts of all subtrees in their order, `ahead` of them worked on at a time."""
    tasks = deque(_Task(cell) for cell in cells)
    try:
        while tasks:
            if stop():
                yield UNFINISHED
                return
            for task, _ in zip(tasks, range(ahead), strict=False):
                crew.start(task)
            parts, left = crew.finish(tasks.popleft())
            tasks.extendleft(_Task(cell) for cell in reversed(left))
            yield from parts
    finally:
        for task in tasks:
            if task.future is not None:
                task.future.cancel()


def parts_in_order(
    net: Network,
    domain: Domain,
    problem: Problem,
    *,
    keep: bool,
    stop: Callable[[], bool],
    workers: int = 1,
    executor: Executor | None = None,
) -> Generator[Part]:
    """Regions of a network over a domain in lexicographic order of their codes, some thousands at a time.

    Parameters
    ----------
    net, domain, problem
        What to split.
    keep
        Whether the regions are wanted; else they are only counted.
    stop
        Asked many times a second, by every thread, whether to stop: then what is done is handed out, and
        last `UNFINISHED` if that is not all.
    workers
        Number of threads.
    executor
        Runs the subtrees instead of threads.

    Notes
    -----
    Guarantee: nothing that is found depends on who does the work.
    """
    runners = _Runners(problem)
    parts, left = runners.work(problem.root, keep, _FIRST_REGIONS, stop)
    yield from parts
    if not left:
        return
    if stop():
        yield UNFINISHED
        return
    found = sum((part.tally for part in parts), Tally())
    remaining = estimate_of(found) - found.regions
    cells, cost = cut_into(problem, left, int(min(remaining / _SUBTREE_ESTIMATE, _MOST_SUBTREES)))
    yield Part(cost, None)

    def here(cell: Cell) -> Result:
        return runners.work(cell, keep, stop=stop)

    if executor is not None:
        pool, payload = executor, pickle.dumps((net, domain))
        crew = _Crew(
            lambda cell: pool.submit(work_elsewhere, payload, pickle.dumps(cell), keep),
            pickle.loads,
            here,
            stop,
        )
        yield from _ordered(crew, cells, _AHEAD_PER_WORKER * max(workers, _WORKERS_OF_AN_EXECUTOR), stop)
    elif workers == 1:
        waiting = deque(cells)
        while waiting:
            if stop():
                yield UNFINISHED
                return
            parts, left = here(waiting.popleft())
            waiting.extendleft(reversed(left))
            yield from parts
    else:
        with ThreadPoolExecutor(workers) as threads:
            crew = _Crew(lambda cell: threads.submit(here, cell), lambda found: found, here, stop)
            yield from _ordered(crew, cells, _AHEAD_PER_WORKER * workers, stop)
