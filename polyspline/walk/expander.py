"""Expanding regions: the compiled kernel first, exact arithmetic for what it leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.tables import max_groups_of
from polyspline.regions.exact import ExactRegion, decide_exactly, flip
from polyspline.regions.kernel import (
    NEEDS_EXACT,
    Expansion,
    Neighbours,
    Scratch,
    expand,
    scratch,
)
from polyspline.walk.problem import Problem
from solvers.float_mode import gradual_underflow

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]
Indices = NDArray[np.int32]

_FACETS_PER_REGION = 24


@dataclass(frozen=True)
class Chunk:
    """Some regions in their order, with what the kernel found of them."""

    first: int
    packed: Words
    points: Floats
    entries: Indices
    witnesses: Floats
    status: NDArray[np.int64]
    parts: tuple[tuple[int, int, Neighbours], ...]
    """Runs of regions ``start .. stop - 1`` of the chunk, with their neighbours."""

    def __len__(self) -> int:
        """Return the number of regions."""
        return len(self.packed)


class Expander:
    """Expands regions of one problem; may be called from several threads.

    Guarantee: what it returns for a region depends on that region's code, point and entry
    alone, so the number of threads does not show.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._spare: SimpleQueue[Scratch] = SimpleQueue()

    def _scratch(self) -> Scratch:
        return scratch(self.problem.tables) if self._spare.empty() else self._spare.get()

    @gradual_underflow()
    def chunk(
        self, first: int, packed: Words, points: Floats, entries: Indices, *, only_witness: bool = False
    ) -> Chunk:
        """Run the kernel on some regions; with `only_witness` it does not look for their neighbours."""
        problem = self.problem
        rows, words = packed.shape
        dim = points.shape[1]
        work = self._scratch()
        most = work.space.knot.shape[0]
        witnesses = np.full((rows, dim), np.nan)  # what the kernel leaves open stays unknown
        status = np.empty(rows, np.int64)
        parts = []
        start = 0
        while start < rows:
            left = rows - start
            room = most + (0 if only_witness else _FACETS_PER_REGION * left)
            neighbours = Neighbours(
                np.empty(left + 1, np.int64),
                np.empty(room, np.int32),
                np.empty((room, words), np.uint64),
                np.empty((room, dim)),
            )
            done = expand(
                problem.tables,
                max_groups_of(problem.tables),
                problem.layout,
                packed[start:],
                points[start:],
                entries[start:],
                only_witness,
                work,
                Expansion(witnesses[start:], status[start:]),
                neighbours,
            )
            parts.append((start, start + done, neighbours))
            start += done
        self._spare.put(work)
        # A witness that is rounded on its way to the network's coordinates is not proven there.
        status[~problem.is_kept(witnesses)] = NEEDS_EXACT
        return Chunk(first, packed, points, entries, witnesses, status, tuple(parts))

    def exactly(self, packed: Words, point: Floats, witness: Floats) -> ExactRegion:
        """Decide a region in exact arithmetic, in the coordinates of the network."""
        problem = self.problem
        code = problem.packing.unpack(packed[None, :])[0].astype(np.int64)
        guesses = [witness, point] if np.all(np.isfinite(witness)) else [point]
        return decide_exactly(
            problem.exact,
            problem.exact_domain,
            code,
            problem.radius,
            [problem.unscale(guess[None, :])[0] for guess in guesses],
        )

    def exact_neighbours(self, packed: Words, region: ExactRegion) -> tuple[Neighbours, int]:
        """Neighbours of an exactly decided region, and how many flips took rational arithmetic."""
        problem = self.problem
        code = problem.packing.unpack(packed[None, :])[0].astype(np.int64)
        inner = [facet for facet in region.facets if not facet.domain_rows]
        flips = [flip(problem.exact, code, facet.row) for facet in inner]
        codes = np.array(flips, np.int64).reshape(len(inner), len(code))
        here = np.broadcast_to(code, codes.shape)
        lowest = np.array([facet.knots[0] for facet in inner], np.int64)
        sources = problem.knots.shared(lowest, here, codes)
        order = np.argsort(sources)
        points = np.array([facet.point for facet in inner]).reshape(len(inner), len(region.witness))
        neighbours = Neighbours(
            np.array([0, len(inner)], np.int64),
            sources[order].astype(np.int32),
            problem.packing.pack(codes[order]),
            problem.scale(points[order]),
        )
        return neighbours, len(inner)
