"""Runs the kernel on one cell at a time: gives it room, answers its questions, takes its regions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from fractions import Fraction

import numpy as np

from polyspline.notices import compiling
from polyspline.split import kernel
from polyspline.split.parts import Batch, Part, Tally
from polyspline.split.problem import Cell, Problem
from polyspline.split.referee import Point, Referee
from polyspline.split.state import (
    ACTIVE_UNIT,
    BOUNDARY,
    ENTRIES,
    FILLED,
    FIRST,
    INNER,
    KNOT,
    KNOTS_OUT,
    LAYER,
    LOADED,
    N_OUT,
    PAIRS,
    PLACE,
    POOL,
    POOL_END,
    REGIONS,
    ROW_OF,
    SIMPLE,
    STACK,
    TIES_OUT,
    TRAIL_END,
    Integers,
    N,
    Sizes,
    State,
    grown,
    new_state,
)
from solvers.integers import nearest_float

_COUNTED_AT_ONCE = 1 << 15

# Numbers of words per mask that the kernel has been compiled for in this process.
_compiled_for: set[int] = set()


class Runner:
    """Splits cells of one problem; one thread's work."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._sizes = Sizes()
        self._state: State | None = None
        self._exact: dict[int, tuple[Fraction, ...]] = {}
        self._referee = Referee(problem)

    # ---- cells in and out

    def _load(self, cell: Cell) -> State:
        """Put one cell on an empty stack."""
        words = cell.on.shape[1]
        n = len(cell.x)
        # Cuts make new vertices: leave room for some times as many as there are.
        wanted = Sizes(
            words=max(words, self._sizes.words),
            stack=self._sizes.stack,
            entries=max(self._sizes.entries, 16 * n),
            pool=max(self._sizes.pool, 8 * n),
            vertices=max(self._sizes.vertices, 4 * n),
        )
        if self._state is None or wanted != self._sizes:
            self._sizes = wanted
            self._state = self._fresh(wanted)
        state = self._state
        state.level[:] = 0
        state.done[:] = 0.0
        self._exact = {}
        cells = state.cells
        cells.number[0, [LAYER, PLACE, KNOT]] = [cell.layer, cell.row, cell.knot]
        cells.number[0, [FIRST, N, POOL_END]] = [0, n, n]
        cells.number[0, [TRAIL_END, SIMPLE]] = [cell.ties.shape[1], cell.simple]
        cells.share[0] = cell.share
        cells.code[0] = cell.code
        cells.source[0, : len(cell.source)] = cell.source
        cells.vertex[:n] = np.arange(n)
        cells.on[:n] = 0
        cells.on[:n, :words] = cell.on
        state.pool.x[:n], state.pool.eps[:n], state.pool.mark[:n] = cell.x, cell.eps, cell.mark
        self._referee.know(cell.points)
        state.trail[:, : cell.ties.shape[1]] = cell.ties
        state.level[[STACK, ENTRIES, POOL, LOADED]] = [1, n, n, 1]
        return state

    def _fresh(self, sizes: Sizes) -> State:
        return new_state(self.problem.arrays, self.problem.packing.n_words, sizes)

    def _unload(self, state: State) -> list[Cell]:
        """Take the cells that are left off the stack, in their order."""
        arrays, cells = self.problem.arrays, state.cells
        widths = arrays.layer[:, N_OUT].tolist()
        found = []
        for i in reversed(range(int(state.level[STACK]))):
            layer, place, knot, first, n = cells.number[i, [LAYER, PLACE, KNOT, FIRST, N]].tolist()
            row = widths[layer] if layer < len(widths) else 0
            if layer < len(widths) and place < state.path.active_count[layer]:
                row = int(arrays.unit[state.path.active[ACTIVE_UNIT, layer, place], ROW_OF])
            vertices = cells.vertex[first : first + n]
            found.append(
                Cell(
                    layer,
                    row,
                    knot,
                    cells.code[i].copy(),
                    cells.source[i].copy(),
                    state.pool.x[vertices],
                    state.pool.eps[vertices],
                    cells.on[first : first + n].copy(),
                    bool(cells.number[i, SIMPLE]),
                    float(cells.share[i]),
                    state.trail[:, : cells.number[i, TRAIL_END]].copy(),
                    state.pool.mark[vertices],
                    self._referee.known_points(vertices.tolist(), state),
                )
            )
        return found

    # ---- the loop

    def _go_on(self, *, keep: bool, most: int, one_cut: bool) -> int:
        """Run the kernel until it stops for a reason of interest to the caller."""
        while True:
            state = self._state
            assert state is not None
            with compiling() if self._sizes.words not in _compiled_for else nullcontext():
                why = kernel.split_cells(self.problem.arrays, keep, most, one_cut, self.problem.reach, state)
            _compiled_for.add(self._sizes.words)
            if why == kernel.NEEDS_SIGNS:
                self._referee.signs(state)
            elif why == kernel.NEEDS_WITNESS:
                point = self._referee.witness(state)
                if point is not None:
                    self._exact[int(state.level[FILLED])] = self.problem.embed_exact(point)
            elif why == kernel.NEEDS_ROOM:
                self._widen(state, 2, 1)
            elif why == kernel.NEEDS_SLOTS:
                self._widen(state, 1, 2)
            else:
                return why

    def _widen(self, state: State, room: int, words: int) -> None:
        """Move to larger arrays."""
        old = self._sizes
        self._sizes = old._replace(
            words=old.words * words,
            stack=old.stack * room,
            entries=old.entries * room,
            pool=old.pool * room,
            vertices=old.vertices * room,
        )
        self._state = grown(state, self.problem.arrays, self._sizes)

    def _take(self, state: State, *, keep: bool) -> Part:
        """Take what has been found since the last time."""
        level = state.level
        regions, inner, boundary = level[[REGIONS, INNER, BOUNDARY]].tolist()
        pairs = int(level[PAIRS])
        tally = Tally(regions, inner, boundary, self._referee.decisions, float(state.done[0]), pairs)
        level[[REGIONS, INNER, BOUNDARY, PAIRS]] = 0
        state.done[0] = 0.0
        self._referee.decisions = 0
        return Part(tally, self._take_batch(state) if keep else None)

    def _take_batch(self, state: State) -> Batch:
        """Copy the regions written down since the last time."""
        out, level = state.out, state.level
        r, f, ties = level[[FILLED, KNOTS_OUT, TIES_OUT]].tolist()
        level[[FILLED, KNOTS_OUT, TIES_OUT]] = 0
        exact, self._exact = self._exact, {}
        scaled, proven = out.witness[:r].copy(), out.proven[:r].copy()
        witness = self.problem.embed(scaled)
        for i, point in exact.items():
            witness[i] = [nearest_float(z) for z in point]
        for i in np.flatnonzero(proven & self.problem.is_rounded(scaled)).tolist():
            # Proven as it was computed, it is not where its embedding is rounded.
            self._referee.decisions += 1
            point = self._referee.embedded(out.packed[i], scaled[i])
            witness[i] = [nearest_float(z) for z in point]
            proven[i] = tuple(map(Fraction, witness[i].tolist())) == point
            if not proven[i]:
                exact[i] = point
        return Batch(
            out.packed[:r].copy(),
            witness,
            proven,
            exact,
            out.start[: r + 1].copy(),
            out.knot[:f].copy(),
            out.tie[:ties].copy(),
            out.tie_key[:ties].copy(),
        )

    # ---- what it is for

    def regions(self, cell: Cell, *, keep: bool, at_once: int = _COUNTED_AT_ONCE) -> Iterator[Part]:
        """Regions of a cell in their order, some thousands at a time.

        Parameters
        ----------
        cell
            Where to begin.
        keep
            Whether to hand out the regions themselves; else they are only counted.
        at_once
            How many at a time, at most.
        """
        self._state = self._load(cell)
        going_on = True
        while going_on:
            why = self._go_on(keep=keep, most=at_once, one_cut=False)
            going_on = why != kernel.FINISHED
            yield self._take(self._state, keep=keep)

    def left(self) -> list[Cell]:
        """Cells that `regions` has not come to yet, in their order."""
        return [] if self._state is None else self._unload(self._state)

    def halves(self, cell: Cell) -> tuple[list[Cell], Tally]:
        """Cut a cell once: the parts in their order, or the cell as it is if it is a region; and the cost."""
        self._state = self._load(cell)
        self._go_on(keep=False, most=0, one_cut=True)
        parts = self._unload(self._state)
        return parts, self._take(self._state, keep=False).tally

    def cells(self, cell: Cell) -> Iterator[tuple[Integers, list[Point], list[set[int]]]]:
        """Codes, vertices and the slots of the facets that each is on, of the regions of a cell."""
        self._state = self._load(cell)
        before = 0
        while self._go_on(keep=False, most=before, one_cut=False) == kernel.ENOUGH:
            yield self._referee.polytope(self._state)
            before += 1
