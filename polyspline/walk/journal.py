"""A walk and its run file: what is noted while it runs, and where it is taken up again."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyspline.partition.run_file import RunWriter
from polyspline.partition.run_state import WalkState
from polyspline.partition.stop import StopReason
from polyspline.walk.problem import Problem
from polyspline.walk.store import Store
from polyspline.walk.walker import Walk

Floats = NDArray[np.float64]


class RunJournal:
    """Notes a walk in a run file.

    Only what a walk without a limit would do is noted as it happens. What belongs to the
    stop (edges among kept regions beyond the limit, witnesses of the frontier) is written at
    the end and forgotten on resuming, so that a resumed run comes to the same result.
    """

    def __init__(self, writer: RunWriter, problem: Problem, store: Store, *, fresh: bool) -> None:
        self._writer = writer
        self._problem = problem
        self._regions = 0 if fresh else store.regions
        self._expanded = 0 if fresh else store.expanded
        self._edges = 0 if fresh else store.edges

    def note(self, walk: Walk) -> None:
        """Append what is new since the last note."""
        store = walk.store
        expanded = store.expanded if walk.closed_at is None else max(walk.closed_at, self._expanded)
        edges = store.edges if walk.closed_at is None else store.edges_before(expanded)
        if (store.regions, expanded, edges) == (self._regions, self._expanded, self._edges):
            return
        packed, points, entries = store.pending(self._regions, store.regions)
        rows, sources = store.edge_rows(self._edges, edges)
        exact = {i: z for i, z in store.exact_witnesses.items() if self._expanded <= i < expanded}
        self._writer.append(
            packed,
            self._problem.embed(points),
            entries,
            self._witnesses(store, exact, expanded),
            [i not in exact for i in range(self._expanded, expanded)],
            rows,
            sources,
            expanded=expanded,
            exact_fallbacks=walk.fallbacks,
            seconds=walk.seconds,
            exact_witnesses={i: self._problem.embed_exact(z) for i, z in exact.items()},
            left_out=walk.left_out_at,
        )
        self._regions, self._expanded, self._edges = store.regions, expanded, edges

    def _witnesses(self, store: Store, exact: dict[int, tuple[Fraction, ...]], stop: int) -> Floats:
        """Witnesses of the regions from the first that is not expanded in the notes."""
        first = self._expanded
        rationals = {i - first: z for i, z in exact.items()}
        return self._problem.embed(store.witnesses(first, stop), rationals)

    def finish(self, walk: Walk, stop: StopReason) -> None:
        """Note why the walk stopped, and what it kept beyond the notes."""
        self.note(walk)
        store = walk.store
        rows, sources = store.edge_rows(self._edges, store.edges)
        exact = {i: z for i, z in store.exact_witnesses.items() if i >= self._expanded}
        self._writer.finish(
            stop,
            rows,
            sources,
            self._witnesses(store, exact, store.regions),
            [i not in exact for i in range(self._expanded, store.regions)],
            exact_fallbacks=walk.fallbacks,
            seconds=walk.seconds,
            exact_witnesses={i: self._problem.embed_exact(z) for i, z in exact.items()},
        )


def restore(problem: Problem, store: Store, state: WalkState) -> None:
    """Take up the state of a run file."""
    points = np.array(state.points)
    points[: state.expanded] = state.witnesses
    store.load(
        state.packed, problem.project(points), state.entries, state.edges, state.edge_sources, state.expanded
    )
    for region, witness in state.exact_witnesses.items():
        store.exact_witnesses[region] = tuple(witness[int(c)] for c in problem.coordinates)
