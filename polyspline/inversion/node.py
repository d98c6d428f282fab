"""One node of the search: its ranges, its relaxation, its certified bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from polyspline.cpa.affine import layer_values
from polyspline.cpa.layers import make_layer
from polyspline.domains import Box
from polyspline.inversion.bounds import root_ranges, tighten
from polyspline.inversion.chain import Floats, Integers
from polyspline.inversion.dual import branching, certify_layers, exclude_beyond
from polyspline.inversion.last_units import exclude_far, see_last_units
from polyspline.inversion.norms import Norm
from polyspline.inversion.problem import InversionProblem, make_problem
from polyspline.inversion.relaxation import lay_out, most_rows
from polyspline.inversion.tightening import FEW
from polyspline.network import Network
from polyspline.notices import compiling
from solvers.predicates.rounding import ROUNDOFF, TINY
from solvers.qp.bounding import Signs, bounding_multipliers

_ROUNDS = 5
_SHRINK = 0.9
"""A round that leaves more than this share of the ranges is the last one."""
_WEIGHTS = (1.0, 0.1, 0.01)
"""Of the term that makes a relaxation strictly convex: less and less where that decides."""
_NEARLY = 1e-3
"""Relative distance from the cutoff at which it may decide."""
_SURELY = 1e-9
"""Relative distance below the cutoff at which a relaxed point is below it for certain."""


@dataclass(frozen=True, eq=False)
class Node:
    """A part of the problem that is left: where it is, and what is known of it.

    Attributes
    ----------
    ranges
        Where z and the pre-activations of its points are, (S + neurons, 2).
    bound
        None of them is nearer than this.
    z
        (S,) latent point of the relaxation.
    place, knot, score
        Of every undecided unit, (M,): its row in the ranges, the knot to branch at, and how far
        the relaxation is from the graph, weighted.
    active
        Sides that are active in its relaxation, see `Solved`.
    """

    ranges: Floats
    bound: float
    z: Floats
    place: Integers
    knot: Floats
    score: Floats
    active: Signs | None

    @property
    def decided(self) -> bool:
        """Whether nothing is left to branch on."""
        return len(self.place) == 0

    def index_of(self, place: int) -> int | None:
        """Index of a row of the ranges among those that can be branched on, None if it cannot."""
        found = np.flatnonzero(self.place == place)
        return int(found[0]) if len(found) else None

    def part(self, index: int, above: bool) -> Floats:
        """Ranges of the part on one side of the knot of an undecided unit, a copy."""
        ranges = self.ranges.copy()
        ranges[self.place[index], 0 if above else 1] = self.knot[index]
        return ranges

    def cut_to(self, parts: Sequence[Node]) -> None:
        """Tighten the ranges, in place, to those of parts that hold all that is left."""
        lower = np.min([part.ranges[:, 0] for part in parts], axis=0)
        upper = np.max([part.ranges[:, 1] for part in parts], axis=0)
        np.maximum(self.ranges[:, 0], lower, out=self.ranges[:, 0])
        np.minimum(self.ranges[:, 1], upper, out=self.ranges[:, 1])


@dataclass(frozen=True, eq=False)
class Certificate:
    """A certified bound over ranges: ``scale`` times the distance is at least ``total``.

    Attributes
    ----------
    total
        Sum of all terms, rounded down.
    scale
        Dual norm of the output multipliers, rounded up.
    output, coefficients, nu
        What the terms were made of, see `certify_layers`.
    """

    total: float
    scale: float
    output: Floats
    coefficients: Floats
    nu: Floats

    @property
    def proves_none(self) -> bool:
        """Whether no point is within the ranges at all: the bound holds without the target."""
        return self.scale == 0.0 and 0.0 < self.total < np.inf

    @property
    def bound(self) -> float:
        """Lower bound on the distance; at least 0."""
        if not (0.0 < self.total < np.inf and 0.0 < self.scale < np.inf):
            return 0.0
        bound = self.total / self.scale * (1.0 - FEW) - TINY
        return bound if 0.0 < bound < np.inf else 0.0

    def room(self, cutoff: float) -> float:
        """How far the terms may exceed their minima below a cutoff, rounded up."""
        room = cutoff * self.scale - self.total
        return room + FEW * (abs(cutoff) * self.scale + abs(self.total)) + TINY


@dataclass(frozen=True, eq=False)
class Solved:
    """A solved relaxation.

    Attributes
    ----------
    certificate
        The bound of its multipliers.
    point
        (n,) z, and the values of the undecided units.
    column
        (neurons,) column of each neuron's unit in the point, -1 of those that are decided.
    active
        The sides that are active, kept for relaxations over parts of the ranges; None if none are known.
    """

    certificate: Certificate
    point: Floats
    column: Integers
    active: Signs | None


@cache
def compile_kernels(norm: Norm) -> None:
    """Have the kernels for a norm compiled, on the smallest of problems, and say so if that takes long."""
    layers = (make_layer([[1.0]], [0.0], "relu"), make_layer([[1.0]], [0.0], "identity"))
    with compiling():
        relaxer = Relaxer(make_problem(Network(layers), [2.0], Box(-1, 1, dim=1), norm))
        relaxer.settle(relaxer.root.copy(), None, 10.0, None)


class Relaxer:
    """Bounds the distance over ranges, for one problem."""

    def __init__(self, problem: InversionProblem) -> None:
        self.problem = problem
        self.chain, self.root = root_ranges(problem.scalar_layers, problem.domain)
        self.last = see_last_units(problem.scalar_layers, self.chain, self.root, problem.target)
        dim = problem.domain.dim
        box = isinstance(problem.domain, Box)
        self.G, self.h = (np.zeros((0, dim)), np.zeros(0)) if box else problem.domain.rows()
        self._near: Floats | None = None
        self._near_values = np.zeros(0)

    def settle(
        self,
        ranges: Floats,
        before: Node | None,
        cutoff: float,
        near: Floats | None,
        rounds: int | None = None,
    ) -> Node | None:
        """Bound what is within ranges, and cut off what cannot be nearer than a cutoff, in turn.

        Parameters
        ----------
        ranges
            Where the points are; overwritten.
        before
            A node that these ranges are part of: its bound holds here too, and its relaxation is where
            to start from. None at the root.
        cutoff
            Distances from here on are of no interest.
        near
            (S,) the incumbent, towards which the relaxation is made strictly convex.
        rounds
            At most so many relaxations while units are undecided; None for as many as pay.

        Returns
        -------
        Node or None
            None if nothing there is nearer than the cutoff.
        """
        left = _ROUNDS if rounds is None else rounds
        known, active = (0.0, None) if before is None else (before.bound, before.active)
        while True:
            if not tighten(self.chain, ranges):
                return None
            solved = self.solve(ranges, cutoff, near, active)
            if solved is None:
                return self._blind(ranges, known)
            certificate, active = solved.certificate, solved.active
            known = max(known, certificate.bound)
            if certificate.proves_none or known >= cutoff:
                return None
            knots = branching(*self.chain, ranges, certificate.coefficients, solved.column, solved.point)
            widths = ranges[:, 1] - ranges[:, 0]
            if np.isfinite(cutoff):
                self._exclude(ranges, certificate, cutoff)
            after = ranges[:, 1] - ranges[:, 0]
            if after.min() < 0:
                return None
            node = self._node(ranges, known, solved, knots)
            left -= 1
            wide = (widths > 0) & np.isfinite(widths)
            if (solved.column < 0).all():
                return node
            if not node.decided and (left <= 0 or np.mean(after[wide] / widths[wide]) > _SHRINK):
                return node

    def _exclude(self, ranges: Floats, certificate: Certificate, cutoff: float) -> None:
        """Tighten ranges in place to where a point can be nearer than a cutoff, by a certificate."""
        table, last = self.chain.table, self.last
        room = certificate.room(cutoff)
        exclude_beyond(table, ranges, certificate.coefficients, certificate.nu, room)
        if last is not None:
            order = self.problem.norm.order
            exclude_far(table, ranges, *last, certificate.output, certificate.total, cutoff, order)

    def solve(
        self, ranges: Floats, cutoff: float, near: Floats | None, active: Signs | None
    ) -> Solved | None:
        """Solve the relaxation over ranges, from the sides that are active in a like one."""
        value, ends, C, sides, owner, column = lay_out(*self.chain, ranges, self.G, self.h)
        F, g = np.ascontiguousarray(value[:, :-1]), self.problem.target - value[:, -1]
        centre = None if near is None else self._variables(near, column)
        places = self._places(owner, column)
        best: Solved | None = None
        for weight in _WEIGHTS:
            for solution in bounding_multipliers(
                F,
                g,
                ends[:, 0],
                ends[:, 1],
                C,
                sides[:, 0],
                sides[:, 1],
                order=self.problem.norm.order,
                scale=cutoff if 0.0 < cutoff < np.inf else 1.0,
                centre=centre,
                weight=weight,
                active=None if active is None else self._picked(active, places),
            ):
                certificate = self.certify(ranges, solution.output, solution.rows, owner)
                if best is None or certificate.proves_none or certificate.bound > best.certificate.bound:
                    if solution.active is not None:
                        active = self._spread(solution.active, places)
                    best = Solved(certificate, solution.point, column, active)
                if certificate.proves_none:
                    return best
            # Short of the cutoff by no more than what strict convexity costs: again, with less of it, and
            # about the optimum itself.
            bound = 0.0 if best is None else best.certificate.bound
            if best is None or not bound < cutoff < bound * (1.0 + _NEARLY):
                break
            if self.problem.norm.of(F @ best.point - g) < cutoff * (1.0 - _SURELY):
                break  # the optimum itself does not reach it
            centre = best.point
        return best

    def _places(self, owner: Floats, column: Integers) -> Integers:
        """Where the active sides of variables and rows are kept, whatever else is undecided."""
        dim, neurons = self.problem.domain.dim, len(column)
        most = most_rows(self.chain.table)
        own = len(owner) - len(self.h)
        whose, number = owner[:, 0].astype(np.int64), owner[:, 2].astype(np.int64)
        rows = dim + neurons + whose[:own] * most + number[:own]
        last = dim + neurons * (1 + most) + number[own:]
        return np.concatenate([np.arange(dim), dim + np.flatnonzero(column >= 0), rows, last])

    def _spread(self, active: Signs, places: Integers) -> Signs:
        """Active sides of a relaxation, as they are kept for another: all that is fixed, then the norm's."""
        dim, neurons = self.problem.domain.dim, len(self.chain.table)
        kept = np.zeros(dim + neurons * (1 + most_rows(self.chain.table)) + len(self.h), dtype=np.int8)
        kept[places] = active[: len(places)]
        return np.concatenate([kept, active[len(places) :]])

    def _picked(self, active: Signs, places: Integers) -> Signs:
        """Active sides of a relaxation, out of those that were kept."""
        dim, neurons = self.problem.domain.dim, len(self.chain.table)
        most = most_rows(self.chain.table)
        return np.concatenate([active[places], active[dim + neurons * (1 + most) + len(self.h) :]])

    def certify(self, ranges: Floats, output: Floats, rows: Floats, owner: Floats) -> Certificate:
        """Evaluate the bound of multipliers on the residual and on the rows of a relaxation.

        The error of a slope, over the largest z, and a rounding of each of the ``terms`` sums relative to
        all sizes are subtracted, and TINY for each product that underflows. Where a number is past the
        largest float the total is not finite, or NaN, and proves nothing.

        Parameters
        ----------
        ranges
            (S + neurons, 2).
        output
            (T,).
        rows, owner
            (m,) multipliers of the rows, and (m, 2) whose they are.
        """
        neurons = len(self.chain.table)
        own = len(rows) - len(self.h)
        nu = np.zeros(neurons)
        np.subtract.at(nu, owner[:own, 0].astype(np.int64), rows[:own] * owner[:own, 1])
        coefficients = np.empty((len(ranges), 2))
        total, size = certify_layers(*self.chain, ranges, self.problem.target, output, nu, coefficients)
        dim = self.problem.domain.dim
        slope, error = coefficients[:dim, 0], coefficients[:dim, 1]
        if len(self.h):
            multipliers = np.maximum(rows[own:], 0.0)
            moved = self.G.T @ multipliers
            error += (len(self.h) + 8) * ROUNDOFF * (np.abs(self.G.T) @ multipliers + np.abs(slope))
            error += (len(self.h) + 1) * TINY
            slope += moved
            total -= float(multipliers @ self.h)
            size += (len(self.h) + 1) * float(multipliers @ np.abs(self.h))
        least = np.minimum(slope * ranges[:dim, 0], slope * ranges[:dim, 1])
        largest = np.max(np.abs(ranges[:dim]), axis=1)
        total += float(np.sum(least))
        size += float(np.sum(np.abs(least)))
        terms = 3 * neurons + dim + len(self.h) + 16
        total -= 1.01 * (terms * ROUNDOFF * size + float(error @ largest)) + terms * TINY
        scale = self.problem.norm.dual.of(output) * (1.0 + (len(output) + 8) * ROUNDOFF)
        return Certificate(total, scale, output, coefficients, nu)

    def _node(self, ranges: Floats, bound: float, solved: Solved, knots: Floats) -> Node:
        dim, scale = self.problem.domain.dim, solved.certificate.scale
        own = ranges[dim:]
        neuron = np.flatnonzero((own[:, 0] < knots[:, 0]) & (knots[:, 0] < own[:, 1]))
        score = knots[neuron, 1] / scale if scale > 0 else knots[neuron, 1]
        return Node(ranges, bound, solved.point[:dim], dim + neuron, knots[neuron, 0], score, solved.active)

    def _blind(self, ranges: Floats, bound: float) -> Node:
        """Node of ranges whose relaxation the solver gave up on: the widest is branched on."""
        dim = self.problem.domain.dim
        count = (self.chain.table.shape[1] - 3) // 3
        own = ranges[dim:]
        knots = self.chain.table[:, 1 : 1 + count]
        inside = (knots > own[:, :1]) & (knots < own[:, 1:])
        neuron = np.flatnonzero(inside.any(axis=1))
        knot = np.array([knots[place, np.argmax(inside[place])] for place in neuron], dtype=np.float64)
        z = ranges[:dim, 0] / 2.0 + ranges[:dim, 1] / 2.0
        return Node(ranges, bound, z, dim + neuron, knot, own[neuron, 1] - own[neuron, 0], None)

    def _variables(self, z: Floats, column: Integers) -> Floats:
        """Variables of a relaxation at a latent point: z, and the values of the undecided units in order."""
        if z is not self._near:  # one incumbent serves many nodes
            values = [u[0] for _, u in layer_values(self.problem.scalar_layers, z[None])]
            self._near, self._near_values = z, np.concatenate(values)
        return np.concatenate([z, self._near_values[column >= 0]])
