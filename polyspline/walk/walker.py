"""The walk: breadth-first over the regions, across every facet, within limits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from polyspline.errors import InvariantError
from polyspline.partition.stop import StopReason
from polyspline.regions.exact import ExactRegion
from polyspline.regions.kernel import PROVEN, Neighbours
from polyspline.walk.expander import Chunk, Expander
from polyspline.walk.problem import Problem
from polyspline.walk.sieve import Sieve
from polyspline.walk.store import Store
from solvers.clock import working_time

Floats = NDArray[np.float64]

_CHUNK = 512
_CHUNKS_AHEAD = 3
_REPORT_SECONDS = 0.2
_UNLIMITED = 2**31 - 2


@dataclass(frozen=True)
class Progress:
    """How far a walk is.

    Attributes
    ----------
    regions, expanded
        Regions found, and those of them all of whose facets are crossed.
    frontier
        Regions found and not yet expanded.
    rate
        Regions expanded per second of this run.
    seconds
        Time since the walk began, earlier runs of the same file included.
    """

    regions: int
    expanded: int
    frontier: int
    rate: float
    seconds: float


@dataclass(frozen=True)
class Limits:
    """When to stop before the end."""

    regions: int | None = None
    seconds: float | None = None
    workers: int = 1


@dataclass(frozen=True)
class Reach:
    """How far from its start a walk may go: radius and norm of a closed ball."""

    radius: float
    norm: str = "l2"


class Journal(Protocol):
    """Where a walk notes what it has done."""

    def note(self, walk: Walk) -> None:
        """Take down what is new since the last note."""


class Walk:
    """A walk in progress.

    Parameters
    ----------
    problem
        What is walked.
    store
        The regions found so far, at least the first.
    limits
        When to stop early.
    report
        Called a few times a second.
    journal
        Told after every chunk; None without a run file.
    sieve
        What a region must pass to be taken in; None if all do.
    expander
        Of the problem.
    left_out_at
        First region with a neighbour that did not pass the sieve in an earlier run.
    fallbacks, seconds
        Counters of the earlier runs that this one continues.

    Notes
    -----
    Regions are expanded in the order in which they were found, and a region's neighbours are
    taken in by their facets' sources, so the order of all arrays is a property of the
    partition and of the start, whatever the number of workers and of runs.
    """

    def __init__(
        self,
        problem: Problem,
        store: Store,
        limits: Limits,
        *,
        report: Callable[[Progress], None] | None = None,
        journal: Journal | None = None,
        sieve: Sieve | None = None,
        expander: Expander,
        left_out_at: int | None = None,
        fallbacks: int = 0,
        seconds: float = 0.0,
    ) -> None:
        self.problem = problem
        self.store = store
        self.limits = limits
        self.sieve = sieve
        self.interrupted = False
        self._fallbacks = fallbacks
        self._expander = expander
        self._pool: ThreadPoolExecutor | None = None
        self._report = report
        self._journal = journal
        self._began = working_time()
        self._seconds_before = seconds
        self._expanded_before = store.expanded
        self._last_report = self._began
        self._most = min(limits.regions if limits.regions is not None else _UNLIMITED, _UNLIMITED)
        self.closed_at: int | None = None
        """First region with a neighbour that was left out for the limit on regions; None if there is none."""
        self.left_out_at = left_out_at
        """First region with a neighbour that did not pass the sieve; None if there is none."""
        self._sides = 0

    def interrupt(self) -> None:
        """Stop between two chunks, as after Ctrl-C."""
        self.interrupted = True

    @property
    def fallbacks(self) -> int:
        """Decisions that took rational arithmetic, earlier runs included."""
        return self._fallbacks + (0 if self.sieve is None else self.sieve.exact_decisions)

    @property
    def surrounded(self) -> int:
        """How many regions, from the first on, are expanded and have all their neighbours in the store."""
        ends = (self.store.expanded, self.closed_at, self.left_out_at)
        return min(end for end in ends if end is not None)

    @property
    def seconds(self) -> float:
        """Time since the walk began, earlier runs included."""
        return self._seconds_before + working_time() - self._began

    def run(self) -> StopReason:
        """Walk until all is done or a limit is met; why it stopped.

        On return `store.expanded` regions are expanded. Where the limit on regions cut
        neighbours off, all regions are, as far as the edges among them go.

        Raises
        ------
        InvariantError
            If a facet was seen from one side only: a decision was wrong.
        """
        if self._journal is not None:
            self._journal.note(self)  # the start, before its point is replaced by a witness
        workers = self.limits.workers
        if workers == 1:
            return self._loop()
        with ThreadPoolExecutor(workers, thread_name_prefix="polyspline") as pool:
            self._pool = pool
            return self._loop()

    def _loop(self) -> StopReason:
        pool = self._pool
        ahead: deque[Future[Chunk]] = deque()
        asked = self.store.expanded
        try:
            while self.store.expanded < self.store.regions:
                if self.interrupted:
                    return StopReason.INTERRUPTED
                if self.limits.seconds is not None and self.seconds >= self.limits.seconds:
                    return StopReason.MAX_SECONDS
                if pool is None:
                    chunk = self._expand(self.store.expanded, self._chunk_end(self.store.expanded, 1))
                else:
                    asked = self._ask_ahead(pool, ahead, asked)
                    chunk = ahead.popleft().result()
                self._take(chunk)
                self._tell()
        finally:
            for future in ahead:
                future.cancel()
        if self.closed_at is not None:
            return StopReason.MAX_REGIONS
        self._check_symmetry()
        return StopReason.COMPLETE if self.left_out_at is None else StopReason.RADIUS

    def _chunk_end(self, first: int, workers: int) -> int:
        waiting = self.store.regions - first
        return first + min(_CHUNK, max(1, waiting // workers))

    def _ask_ahead(self, pool: ThreadPoolExecutor, ahead: deque[Future[Chunk]], asked: int) -> int:
        """Keep the pool busy with the next regions; the first that is not asked for."""
        while asked < self.store.regions and len(ahead) < _CHUNKS_AHEAD * self.limits.workers:
            stop = self._chunk_end(asked, self.limits.workers)
            packed, points, entries = self.store.pending(asked, stop)
            ahead.append(pool.submit(self._expander.chunk, asked, packed, points, entries))
            asked = stop
        return asked

    def _expand(self, first: int, stop: int) -> Chunk:
        return self._expander.chunk(first, *self.store.pending(first, stop))

    def _take(self, chunk: Chunk) -> None:
        """Merge a chunk; regions that the kernel left open are decided exactly on the way."""
        self.store.set_witnesses(chunk.first, chunk.witnesses)
        for start, stop, neighbours in chunk.parts:
            open_regions = np.flatnonzero(chunk.status[start:stop] != PROVEN) + start
            begin = start
            for region in open_regions.tolist():
                self._merge(chunk, start, begin, region, neighbours)
                self._merge_exactly(chunk, region)
                begin = region + 1
            self._merge(chunk, start, begin, stop, neighbours)
        self.store.expanded = chunk.first + len(chunk)

    def _merge(self, chunk: Chunk, start: int, begin: int, stop: int, neighbours: Neighbours) -> None:
        if begin < stop:
            part = Neighbours(
                neighbours.start[begin - start : stop - start + 1],
                neighbours.knot,
                neighbours.packed,
                neighbours.point,
            )
            self._take_in(chunk.first + begin, part, stop - begin)

    def _merge_exactly(self, chunk: Chunk, index: int) -> None:
        region = self._decide_exactly(chunk, index)
        neighbours, flips = self._expander.exact_neighbours(chunk.packed[index], region)
        self._fallbacks += flips if region.dead else 0
        self._take_in(chunk.first + index, neighbours, 1)

    def _decide_exactly(self, chunk: Chunk, index: int) -> ExactRegion:
        """Decide one region of a chunk in exact arithmetic, and note its witness."""
        region = self._expander.exactly(chunk.packed[index], chunk.points[index], chunk.witnesses[index])
        self._fallbacks += region.decisions
        number = chunk.first + index
        scaled = self.problem.scale(region.witness[None, :])
        self.store.set_witnesses(number, scaled)
        if region.exact_witness is not None:
            self.store.exact_witnesses[number] = region.exact_witness
        elif not np.array_equal(self.problem.unscale(scaled)[0], region.witness):
            self.store.exact_witnesses[number] = tuple(map(Fraction, region.witness.tolist()))
        return region

    def _take_in(self, first: int, neighbours: Neighbours, count: int) -> None:
        if self.sieve is not None:
            neighbours = self._sieved(self.sieve, first, neighbours, count)
        self._sides += int(neighbours.start[count] - neighbours.start[0])
        cut = self.store.merge(first, neighbours, count, self._most)
        if cut >= 0 and self.closed_at is None:
            self.closed_at = cut

    def _sieved(self, sieve: Sieve, first: int, neighbours: Neighbours, count: int) -> Neighbours:
        """Leave out the neighbours that do not pass."""
        part = slice(int(neighbours.start[0]), int(neighbours.start[count]))
        passing = sieve.passes(neighbours.packed[part], self._pool, self.limits.workers)
        kept_before = np.concatenate([[0], np.cumsum(passing)])
        if self.left_out_at is None and not passing.all():
            place = part.start + int(np.argmin(passing))
            self.left_out_at = first - 1 + int(np.searchsorted(neighbours.start, place, side="right"))
        return Neighbours(
            kept_before[neighbours.start[: count + 1] - part.start],
            neighbours.knot[part][passing],
            neighbours.packed[part][passing],
            neighbours.point[part][passing],
        )

    def _tell(self) -> None:
        if self._journal is not None:
            self._journal.note(self)
        now = working_time()
        if self._report is not None and now - self._last_report >= _REPORT_SECONDS:
            self._last_report = now
            self._report(self.progress())

    def progress(self) -> Progress:
        """How far the walk is now."""
        store = self.store
        here = max(working_time() - self._began, 1e-9)
        return Progress(
            store.regions,
            store.expanded,
            store.regions - store.expanded,
            (store.expanded - self._expanded_before) / here,
            self.seconds,
        )

    def settle_frontier(self) -> None:
        """Give the regions that are not expanded a proven witness, too."""
        store = self.store
        for first in range(store.expanded, store.regions, _CHUNK):
            stop = min(first + _CHUNK, store.regions)
            chunk = self._expander.chunk(first, *store.pending(first, stop), only_witness=True)
            store.set_witnesses(first, chunk.witnesses)
            for index in np.flatnonzero(chunk.status != PROVEN).tolist():
                self._decide_exactly(chunk, index)

    def _check_symmetry(self) -> None:
        """Every facet of the regions that this run expanded is seen from both sides, as the edges have it."""
        expected = self.store.sides_from(self._expanded_before)
        if self._sides != expected:
            raise InvariantError(
                f"{self._sides} sides of facets were seen of the regions from number {self._expanded_before} "
                f"on, and the edges have {expected}; please report the network."
            )
