"""Inversion by branch and bound over the pieces of the units, with proven bounds."""

from __future__ import annotations

import heapq
from functools import cached_property
from itertools import count

import numpy as np

from polyspline.inversion.chain import Floats
from polyspline.inversion.local import improve
from polyspline.inversion.methods import Options, Outcome
from polyspline.inversion.node import Node, Relaxer, compile_kernels
from polyspline.inversion.problem import InversionProblem
from polyspline.inversion.pseudo_costs import PseudoCosts
from polyspline.inversion.result import BoundSource, Ending
from polyspline.inversion.tracker import Tracker

_STARTS = 8
"""Random starts of the local search before the tree."""
_MOST_GAP_USED = 0.999
"""Share of the gap asked for that pruning may use up: the rest is for rounding."""
_MOST_FINISHES = 20
"""Relaxations of a node without undecided units, each from the optimum of the one before."""
_RISEN = 1.0 + 1e-10
"""Factor by which a bound must rise for another one of these to be worth while."""
_FEW_FIXED = 3
"""A round of probing that decides fewer units is the last one."""


def prepare(problem: InversionProblem) -> None:
    """Compile what searches in the problem's norm call."""
    compile_kernels(problem.norm)


def run(tracker: Tracker, options: Options) -> Outcome:
    """Search until the gap is closed, a limit is reached, or nothing is left.

    Parameters
    ----------
    tracker
        Takes the points and the bounds.
    options
        `max_nodes` and `seed` concern this method.

    Notes
    -----
    Guarantee: certified. Bounds are evaluated from dual multipliers with rounding accounted
    for; a part is dropped only where such a bound reaches the cutoff.

    Algorithm: best-first branch and bound. A node has a range for each pre-activation; its relaxation
    puts each undecided unit into the convex hull of its graph, and is solved by a dual active-set method
    (L1: from vertex to vertex of a sum of kinked terms), from the sides that were active in the node
    above. The multipliers give the bound, and cut the ranges down to where a nearer point can be; those
    of the last units also by how far the outputs may be from the target (`last_units`). At the root
    every undecided unit is probed; below, a unit is chosen by trial branching among those that promise
    most, until its pseudo-costs are reliable. Branching splits a range at a knot, so that no big
    constants are needed. Incumbents come from a local search. Max groups are written out as comparisons
    of two members, exactly, and are branched on one by one.

    References
    ----------
    R. Bunel et al., "Branch and bound for piecewise linear neural network verification", JMLR 21
    (2020); T. Achterberg, T. Koch, A. Martin, "Branching rules revisited", Oper. Res. Lett. 33 (2005).
    """
    ending = Ending.SECONDS
    if not tracker.out_of_time:
        prepare(tracker.problem)
        ending = _Search(tracker, options).go()
    return Outcome(BoundSource.RIGOROUS, tracker.problem.norm.solver, ending)


class _Search:
    """The open nodes, and what branching has taught so far."""

    def __init__(self, tracker: Tracker, options: Options) -> None:
        self.tracker = tracker
        self.max_nodes = options.max_nodes
        self.seed = options.seed
        self.open: list[tuple[float, int, Node]] = []
        self.order = count()
        self.least_decided = float("inf")

    # ---- what is known

    @cached_property
    def relaxer(self) -> Relaxer:
        """Bounds of parts; made after the first descent, as large networks take a while."""
        return Relaxer(self.tracker.problem)

    @cached_property
    def costs(self) -> PseudoCosts:
        """Gains of all branchings."""
        return PseudoCosts(len(self.relaxer.root))

    @property
    def cutoff(self) -> float:
        """Parts with a bound from here on are dropped."""
        tracker = self.tracker
        if tracker.z is None:
            return float("inf")
        return tracker.problem.cutoff(tracker.distance, _MOST_GAP_USED * tracker.asked_gap)

    @property
    def full(self) -> bool:
        """Whether the limit on nodes is reached."""
        return self.max_nodes is not None and self.tracker.nodes >= self.max_nodes

    @property
    def stopped(self) -> bool:
        """Whether there is a reason to end."""
        return self.full or self.tracker.closed or self.tracker.out_of_time

    def note_bound(self, *others: float) -> None:
        """Raise the tracker's bound to the least of all that is open, decided, dropped or given."""
        waiting = self.open[0][0] if self.open else float("inf")
        self.tracker.raise_bound(min(waiting, self.least_decided, self.cutoff, *others))
        self.tracker.tell()

    # ---- the tree

    def go(self) -> Ending:
        """Search the tree, and say why that ended."""
        root = self.root()
        if root is not None:
            self.push(root)
        while self.open and not self.stopped:
            _, _, node = heapq.heappop(self.open)
            self.note_bound(node.bound)
            if node.bound >= self.cutoff:
                continue
            if node.decided:
                self.finish(node)
                continue
            for part in self.branch(node):
                self.push(part)
            self.note_bound()
        if not self.open:
            self.note_bound()
        if self.full:
            return Ending.NODES
        return Ending.SECONDS if self.tracker.out_of_time else Ending.PRECISION

    def push(self, node: Node) -> None:
        self.follow(node)
        heapq.heappush(self.open, (node.bound, next(self.order), node))

    def settle(
        self,
        ranges: Floats,
        before: Node | None = None,
        rounds: int | None = None,
        near: Floats | None = None,
    ) -> Node | None:
        """Bound a part of a node, its relaxation made strictly convex towards a point or the incumbent."""
        self.tracker.nodes += 1
        centre = self.tracker.z if near is None else near
        return self.relaxer.settle(ranges, before, self.cutoff, centre, rounds)

    def finish(self, node: Node) -> None:
        """Bound a decided node as well as rounding allows: from its own optimum, until that is no help.

        The relaxation over it is the problem itself but for a term that makes it strictly convex, and
        that costs the less the nearer the centre is to the optimum.
        """
        for _ in range(_MOST_FINISHES):
            again = self.settle(node.ranges.copy(), node, near=node.z)
            if again is None or again.bound >= self.cutoff:
                return
            nearer = self.tracker.distance
            self.follow(again)
            helped = self.tracker.distance < nearer or again.bound > node.bound * _RISEN
            node = again
            if self.stopped or not helped:
                break
        self.least_decided = min(self.least_decided, node.bound)

    def follow(self, node: Node) -> None:
        """Follow the relaxed point of a node downhill if it is the nearest yet."""
        if self.tracker.offer(node.z):
            self.descend(node.z)

    def descend(self, z: Floats) -> None:
        """Offer a point, and the one that the local search comes to from there."""
        self.tracker.offer(z)
        self.tracker.offer(improve(self.tracker.problem, z, seconds_left=self.tracker.seconds_left))

    def root(self) -> Node | None:
        """Bound the whole problem, find an incumbent, and probe every unit."""
        domain = self.tracker.problem.domain
        self.descend(domain.default_start())
        root = self.settle(self.relaxer.root.copy())
        if root is None:
            return None
        self.note_bound(root.bound)
        self.descend(root.z)
        for z in np.random.default_rng(self.seed).uniform(*domain.bounds(), (_STARTS, domain.dim)):
            if self.stopped:
                return root
            self.descend(z)
        decided = len(root.place) + 1
        again = self.settle(root.ranges, root)
        while again is not None and decided >= _FEW_FIXED and not self.stopped:
            root = again
            self.note_bound(root.bound)
            before = len(root.place)
            probed = self.probe(root)
            if probed is None:
                return None
            again = self.settle(probed.ranges, probed)
            decided = before - len(probed.place)
        return again

    def probe(self, root: Node) -> Node | None:
        """Try both sides of every undecided unit in turn, and keep what either leaves."""
        for place in root.place.tolist():
            index = root.index_of(place)
            if index is None:
                continue
            if self.stopped:
                break
            parts, _ = self.try_both(root, index)
            if not parts:
                return None
            if len(parts) == 1:
                root = parts[0]
                self.note_bound(root.bound)
            else:
                root.cut_to(parts)
        return root

    def branch(self, node: Node) -> list[Node]:
        """Split a node at a knot of the unit that promises most."""
        best: tuple[float, list[Node]] | None = None
        candidates = self.costs.candidates(node, self.cutoff)
        for index in candidates:
            parts, worth = self.try_both(node, index, rounds=1 if len(candidates) > 1 else None)
            if len(parts) < 2:
                settled = [self.settle(part.ranges, part) for part in parts]
                return [part for part in settled if part is not None]
            if best is None or worth > best[0]:
                best = worth, parts
            node.cut_to(parts)
            if self.stopped:
                break
        assert best is not None  # an undecided node has candidates
        for part in best[1]:
            part.cut_to([node])
        return best[1]

    def try_both(self, node: Node, index: int, rounds: int | None = None) -> tuple[list[Node], float]:
        """Bound both sides of a knot; those that are left, and what the branching is worth."""
        parts = [self.settle(node.part(index, above), node, rounds) for above in (False, True)]
        worth = self.costs.learn(node, index, parts, self.cutoff)
        return [part for part in parts if part is not None], worth
