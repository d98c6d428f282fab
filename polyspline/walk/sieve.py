"""Which of the regions found meet a ball: a walk that is limited to it goes no further."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.exact import exact_network
from polyspline.cpa.tables import make_tables, max_groups_of
from polyspline.network import Network
from polyspline.partition.code_table import EMPTY
from polyspline.regions.ball import Ball
from polyspline.regions.ball_kernel import MEETS, OPEN, BallScratch, ball_scratch, judge_regions
from polyspline.walk.merge import enter_codes, index_codes
from polyspline.walk.problem import Problem
from polyspline.walk.store import grown
from solvers.float_mode import gradual_underflow

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]
Flags = NDArray[np.bool_]

_FIRST_ROOM = 1024
_WORTH_A_THREAD = 64


def bound_of(balls: Sequence[Ball]) -> Floats:
    """Bound (S,) on the sizes of the coordinates of all points of some balls, rounded up."""
    sizes = np.abs(np.array([ball.centre for ball in balls])).max(axis=0)
    with np.errstate(over="ignore"):
        return np.asarray((sizes + max(ball.radius for ball in balls)) * (1.0 + 1e-12))


class Judge:
    """Decides whether regions of one problem meet balls; may be called from several threads.

    Parameters
    ----------
    net, problem
        What is walked.
    reach
        (S,) bound on the coordinates of all points of the balls.

    Notes
    -----
    Guarantee: exact. A point or a separating functional proves it in floats; what they leave
    open is decided in rational arithmetic. The answer, and whether it took that, depend on the
    region and the ball alone.
    """

    def __init__(self, net: Network, problem: Problem, reach: Floats) -> None:
        self.problem = problem
        # The walk may be over fewer coordinates, the ball is in all of them.
        self._exact = exact_network(net.layers)
        self._tables = problem.tables
        if problem.radius is None or problem.tables.column.any():
            # Balls are balls in the network's own coordinates.
            nothing = np.zeros((0, net.latent_dim)), np.zeros(0)
            with np.errstate(all="ignore"):  # what overflows bounds nothing, and is decided exactly
                self._tables = make_tables(net.layers, *nothing, reach, scale_inputs=False)
        self._spare: SimpleQueue[BallScratch] = SimpleQueue()

    @gradual_underflow()
    def meets(self, packed: Words, ball: Ball) -> tuple[Flags, int]:
        """Tell which regions meet a ball, and for how many that took rational arithmetic.

        Parameters
        ----------
        packed
            (B, words) codes of regions.
        ball
            Within the reach.
        """
        verdict = np.full(len(packed), OPEN, np.int8)
        if ball.radius > 0.0 and self.problem.packing.n_units:
            work = ball_scratch(self._tables) if self._spare.empty() else self._spare.get()
            sup = ball.norm == "linf"
            judge_regions(
                self._tables,
                max_groups_of(self._tables),
                self.problem.layout,
                packed,
                ball.centre,
                ball.radius,
                sup,
                work,
                verdict,
            )
            self._spare.put(work)
        meets = np.asarray(verdict == MEETS)
        undecided = np.flatnonzero(verdict == OPEN)
        for index in undecided.tolist():
            code = self.problem.packing.unpack(packed[index]).astype(np.int64)
            meets[index] = ball.meets_region(self._exact, self.problem.exact_domain, code)
        return meets, len(undecided)


class Sieve:
    """Lets those regions through that meet a ball, and judges none twice.

    Parameters
    ----------
    judge
        Decides.
    ball
        The ball.

    Attributes
    ----------
    exact_decisions
        How many regions took rational arithmetic.
    """

    def __init__(self, judge: Judge, ball: Ball) -> None:
        self.ball = ball
        self.exact_decisions = 0
        self._judge = judge
        self._count = 0
        words = judge.problem.packing.n_words
        self._packed: Words = np.empty((0, words), np.uint64)
        self._meets: Flags = np.empty(0, np.bool_)
        self._table: NDArray[np.int32] = np.full(4 * _FIRST_ROOM, EMPTY, np.int32)

    def passes(self, packed: Words, pool: ThreadPoolExecutor | None = None, workers: int = 1) -> Flags:
        """Tell which regions pass.

        Parameters
        ----------
        packed
            (B, words) their codes.
        pool, workers
            Threads that may help.

        Returns
        -------
        ndarray of bool
            (B,).
        """
        self._make_room(len(packed))
        number = np.empty(len(packed), np.int64)
        before = self._count
        self._count = enter_codes(self._packed, self._table, before, packed, number)
        fresh = self._packed[before : self._count].copy()
        if len(fresh):
            self._meets[before : self._count] = self._judged(fresh, pool, workers)
        return np.asarray(self._meets[number])

    def _judged(self, packed: Words, pool: ThreadPoolExecutor | None, workers: int) -> Flags:
        parts = [packed]
        if pool is not None and len(packed) >= _WORTH_A_THREAD:
            parts = np.array_split(packed, workers)
        judge = map if pool is None else pool.map
        outcomes = list(judge(lambda part: self._judge.meets(part, self.ball), parts))
        self.exact_decisions += sum(exact for _, exact in outcomes)
        return np.concatenate([meets for meets, _ in outcomes])

    def _make_room(self, more: int) -> None:
        self._packed = grown(self._packed, self._count + more)
        self._meets = grown(self._meets, self._count + more)
        size = len(self._table)
        while 3 * (self._count + more) > 2 * size:
            size *= 2
        if size > len(self._table):
            self._table = np.full(size, EMPTY, np.int32)
            index_codes(self._packed, self._count, self._table)
