"""Inversion by a scan: the nearest point over every region of a partition, pruned by bounds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from polyspline.errors import ArgumentError
from polyspline.inversion.methods import Options, Outcome
from polyspline.inversion.norms import Norm
from polyspline.inversion.problem import InversionProblem
from polyspline.inversion.region_bounds import Goal, dual_ascent
from polyspline.inversion.region_fits import fit_region
from polyspline.inversion.region_maps import RegionMapper, mapper_of, maps_of
from polyspline.inversion.result import BoundSource, Ending
from polyspline.inversion.tracker import Tracker
from polyspline.notices import compiling
from polyspline.partition import Partition
from solvers.qp.bounding import bounding_multipliers

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_ROUND = 32
"""Regressions between two looks at the least bound of all regions."""


@cache
def _compile_kernels(norm: Norm) -> None:
    """Have the kernel of a norm that has one compiled, and say so if that takes long."""
    if norm is Norm.L1:
        one = np.ones((1, 1))
        with compiling():
            list(
                bounding_multipliers(
                    one, 0 * one[0], -one[0], one[0], one, -one[0], one[0], order=1.0, scale=1.0
                )
            )


@dataclass(eq=False)
class _Scan:
    """A scan that goes on.

    Attributes
    ----------
    bounds
        Certified lower bounds of the distance over every region, (R,).
    """

    tracker: Tracker
    partition: Partition
    mapper: RegionMapper
    goal: Goal
    bounds: Floats

    def raise_bound(self) -> None:
        """Tell the tracker the least bound of all regions, if none is missing."""
        if self.partition.complete:
            self.tracker.raise_bound(float(self.bounds.min()))

    def first_look(self) -> None:
        """Offer the witnesses, and bound every region by the distance from its affine hull."""
        tracker, step = self.tracker, self.mapper.chunk
        problem = tracker.problem
        hull_tells = len(self.goal.target) > problem.net.latent_dim
        for low in range(0, len(self.partition), step):
            which = np.arange(low, min(low + step, len(self.partition)))
            witnesses = self.partition.witnesses[which]
            distances = problem.distances(witnesses)
            tracker.offer(witnesses[int(np.argmin(distances))])
            if hull_tells:
                maps = maps_of(self.partition, self.mapper, which, with_rows=False)
                self.bounds[which] = dual_ascent(self.goal, maps, witnesses, 0).bounds
            tracker.tell()
            if tracker.out_of_time:
                return

    def second_look(self) -> None:
        """Bound those regions better that could hold a nearer point, by their rows."""
        tracker = self.tracker
        steps = 4 * tracker.problem.net.latent_dim
        order = self._open_regions()
        for low in range(0, len(order), self.mapper.chunk):
            which = order[low : low + self.mapper.chunk]
            which = which[self.bounds[which] < tracker.cutoff]
            if tracker.out_of_time or not len(which):
                return
            maps = maps_of(self.partition, self.mapper, which)
            found = dual_ascent(self.goal, maps, self.partition.witnesses[which], steps)
            self.bounds[which] = np.maximum(self.bounds[which], found.bounds)
            points = np.clip(found.points, self.goal.lower, self.goal.upper)
            tracker.offer(points[int(np.argmin(tracker.problem.distances(points)))])
            tracker.tell()

    def last_look(self) -> None:
        """Solve the regression over the regions that are left, the most promising ones first."""
        tracker = self.tracker
        for region in self._open_regions():
            if tracker.out_of_time or not self.bounds[region] < tracker.cutoff:
                return
            maps = maps_of(self.partition, self.mapper, np.array([region]))
            # A value above the cutoff needs no better bound than the cutoff.
            allowed = 0.1 * (tracker.distance - tracker.cutoff)
            fit = fit_region(self.goal, maps, gap=allowed, known=float(self.bounds[region]))
            tracker.nodes += 1
            self.bounds[region] = max(self.bounds[region], fit.bound)
            if fit.point is not None:
                tracker.offer(fit.point)
            if tracker.nodes % _ROUND == 0:
                self.raise_bound()
            tracker.tell()

    def _open_regions(self) -> Integers:
        """Regions that could hold a nearer point, the most promising ones first."""
        open_ = np.flatnonzero(self.bounds < self.tracker.cutoff)
        return open_[np.argsort(self.bounds[open_], kind="stable")]


def prepare(problem: InversionProblem) -> None:
    """Compile what scans in the problem's norm call."""
    _compile_kernels(problem.norm)


def run(tracker: Tracker, options: Options) -> Outcome:
    """Scan the regions of a partition for the point whose image is nearest to the target.

    Parameters
    ----------
    tracker
        Takes points and the bound; its `nodes` count the regressions that were solved.
    options
        With the partition, of the problem's network and domain.

    Returns
    -------
    Outcome
        There is a bound only if the partition is complete.

    Raises
    ------
    ArgumentError
        If there is no partition.

    Notes
    -----
    Guarantee: on a complete partition the bound is certified: a dual solution proves it for
    every region, with the rounding of the region's map, of its rows and of the evaluation
    accounted for.

    Algorithm: affine maps of all regions, a chunk at a time, and with them the distance of the
    target from each affine hull; regions that this leaves are cut by their rows, in a few steps
    of dual ascent; and what that leaves is solved region by region, in order of the bounds.

    References
    ----------
    Max-affine spline insights, Prop. 4, with least squares over the polytope in the place of the
    projection onto its affine hull.
    """
    partition = options.partition
    if partition is None:
        raise ArgumentError("the method scan goes through a partition, and got none: give partition=.")
    problem = tracker.problem
    prepare(problem)
    lower, upper = problem.domain.bounds()
    scan = _Scan(
        tracker,
        partition,
        mapper_of(partition, problem.layers),
        Goal(problem.target, problem.norm, lower, upper),
        np.zeros(len(partition)),
    )
    for look in (scan.first_look, scan.second_look, scan.last_look):
        look()
        scan.raise_bound()
        if tracker.closed or tracker.out_of_time:
            break
    if not partition.complete:
        return Outcome(BoundSource.NONE, problem.norm.solver, Ending.REGIONS)
    return Outcome(BoundSource.RIGOROUS, problem.norm.solver, Ending.PRECISION)
