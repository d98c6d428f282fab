"""Inversion by branch and bound over the pieces of the units, with proven bounds."""

from __future__ import annotations

import heapq
from itertools import count

import numpy as np
import numpy.typing as npt

from polyspline.inversion.local import improve
from polyspline.inversion.methods import Options, Outcome
from polyspline.inversion.node import Node, Relaxer
from polyspline.inversion.result import BoundSource
from polyspline.inversion.tracker import Tracker

Floats = npt.NDArray[np.float64]

_CANDIDATES = 8
_RELIABLE = 4
_STARTS = 8


def run(tracker: Tracker, options: Options) -> Outcome:
    """Search until the gap is closed, a limit is reached, or nothing is left."""
    Search(tracker, options).go()
    return Outcome(BoundSource.RIGOROUS, "daqp")


class Search:
    """The open nodes, and what branching has taught so far."""

    def __init__(self, tracker: Tracker, options: Options) -> None:
        self.tracker = tracker
        self.options = options
        self.relaxer = Relaxer(tracker.problem)
        self.open: list[tuple[float, int, Node]] = []
        self.order = count()
        self.leaf_bound = np.inf
        self.gains: dict[tuple[int, int, bool], tuple[float, int]] = {}

    @property
    def stopped(self):
        limit = self.options.max_nodes
        return self.tracker.closed or self.tracker.out_of_time or (limit is not None and self.tracker.nodes >= limit)

    @property
    def cutoff(self):
        t = self.tracker
        return t.problem.cutoff(t.distance, 0.999 * t.asked_gap) if t.z is not None else np.inf

    def descend(self, z):
        self.tracker.offer(improve(self.tracker.problem, z, seconds_left=self.tracker.seconds_left))

    def settle(self, ranges, known):
        self.tracker.nodes += 1
        node = self.relaxer.settle(ranges, known, self.cutoff, self.tracker.z)
        if node is not None:
            if self.tracker.offer(node.z):
                self.descend(node.z)
        return node

    def go(self):
        t = self.tracker
        if t.out_of_time:
            return
        self.descend(t.problem.domain.default_start())
        rng = np.random.default_rng(self.options.seed)
        lo, hi = t.problem.domain.bounds()
        root = self.settle(self.relaxer.root.copy(), 0.0)
        if root is not None:
            self.descend(root.z)
            for z in rng.uniform(lo, hi, (_STARTS, len(lo))):
                if self.stopped: break
                self.descend(z)
            root = self.settle(root.ranges.copy(), root.bound)
        if root is not None:
            t.raise_bound(root.bound)
            root = self.probe(root)
        if root is not None:
            self.push(root)
        self.loop()

    def push(self, node):
        heapq.heappush(self.open, (node.bound, next(self.order), node))

    def lower(self, current=np.inf):
        least = min(self.open[0][0] if self.open else np.inf, current, self.leaf_bound)
        return min(least, self.cutoff)

    def probe(self, root):
        while True:
            fixed = 0
            done=set()
            for k in list(root.neuron):
                if self.stopped: return root
                w = np.flatnonzero(root.neuron == k)
                if not len(w): continue
                i = int(w[0])
                kids = [self.settle(self.relaxer.child(root, i, above), root.bound) for above in (False, True)]
                alive = [n for n in kids if n is not None]
                if not alive: return None
                if len(alive) == 1:
                    root = alive[0]; fixed += 1
                else:
                    b = min(n.bound for n in alive)
                    for n, above in zip(kids, (False, True)):
                        self.learn(k, above, n.bound - root.bound)
            root2 = self.settle(root.ranges.copy(), root.bound)
            if root2 is None: return None
            root = root2
            self.tracker.raise_bound(min(root.bound, self.cutoff))
            if VERBOSE: print('probe fixed', fixed, 'left', len(root.neuron), 'bound', root.bound, 'dist', self.tracker.distance, 'nodes', self.tracker.nodes, 't', self.tracker.seconds)
            if fixed < 3: return root

    def learn(self, k, above, gain):
        total, n = self.gains.get((k, above), (0.0, 0))
        self.gains[(k, above)] = (total + max(gain, 0.0), n + 1)

    def loop(self):
        while self.open and not self.stopped:
            bound, _, node = heapq.heappop(self.open)
            self.tracker.raise_bound(self.lower(bound))
            while node is not None and not self.stopped:
                if node.bound >= self.cutoff:
                    node = None; break
                if node.decided:
                    self.leaf_bound = min(self.leaf_bound, node.bound); node = None; break
                kids = self.branch(node)
                kids.sort(key=lambda n: n.bound)
                node = None
                for n in kids[1:]:
                    self.push(n)
                if kids:
                    if PLUNGE and (not self.open or kids[0].bound <= self.open[0][0] + PLUNGE*(self.cutoff-self.open[0][0])): node = kids[0]
                    else: self.push(kids[0])
                self.tracker.raise_bound(self.lower(node.bound if node is not None else np.inf))
                self.tracker.tell()
            if node is not None: self.push(node)
        if not self.open and not self.stopped or (not self.open and not self.tracker.closed and self.leaf_bound<np.inf):
            self.tracker.raise_bound(self.lower())

    def branch(self, node):
        gains = []
        for k in node.neuron:
            g = [self.gains.get((k, a), (0.0, 0)) for a in (False, True)]
            gains.append(g)
        order = np.argsort(-node.score, kind="stable")
        est = []
        rel = []
        for i in order:
            g = gains[i]
            n = min(g[0][1], g[1][1])
            rel.append(n)
            avg = [a / m if m else 0.0 for a, m in g]
            est.append((max(avg[0], 1e-9) * max(avg[1], 1e-9)) if n else -1)
        # candidates: unreliable ones by score first, plus best reliable by pseudo-cost
        best = None
        cand = [int(i) for j, i in enumerate(order) if rel[j] < _RELIABLE][:_CANDIDATES]
        if len(cand) < 2:
            known = sorted(((e * (1e-12 + node.score[i]) if SCOREW else e), i) for e, i in zip(est, order) if e >= 0)[::-1]
            cand += [int(i) for _, i in known[:1 if not cand else 2]]
        if len(cand) == 1:
            i = cand[0]
            return self.kids(node, i)
        results = []
        for i in cand:
            kids = self.kids(node, i, rounds=1)
            if len(kids) < 2:
                return [m for n in kids if (m := self.settle(n.ranges.copy(), n.bound)) is not None]
            gain = [max(n.bound - node.bound, 1e-9) for n in kids]
            results.append((gain[0] * gain[1], i, kids))
        _, i, kids = max(results, key=lambda r: r[0])
        return [m for n in kids if (m := self.settle(n.ranges.copy(), n.bound)) is not None]

    def kids(self, node, i, rounds=None):
        k = int(node.neuron[i])
        out = []
        for above in (False, True):
            r = self.relaxer.child(node, i, above)
            self.tracker.nodes += 1
            n = self.relaxer.settle(r, node.bound, self.cutoff, self.tracker.z, rounds or 5)
            self.learn(k, above, (n.bound if n is not None else self.cutoff) - node.bound)
            if n is not None:
                self.tracker.offer(n.z) and self.descend(n.z)
                out.append(n)
        return out

VERBOSE=False
PLUNGE=0.0
SCOREW=True
