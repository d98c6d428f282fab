"""Pairs of regions whose images may meet: all others are proven apart, in floats.

Guarantee: certified; no pair whose images meet is lost. Pairs that are kept may be apart.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from polyspline.inversion.norms import Norm
from polyspline.inversion.region_bounds import Goal, dual_ascent, least_along
from polyspline.inversion.region_maps import RegionMapper, RegionMaps, mapper_of, maps_of
from polyspline.partition import Partition
from solvers.predicates.rounding import ROUNDOFF, SAFETY
from solvers.qp.daqp import minimise_linear

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_MOST_DIRECTIONS = 8
_STEPS = 24
_PAIRS = 256
_WEIGHT = 1e-4


def meeting_pairs(partition: Partition) -> Iterator[Integers]:
    """Pairs of regions that do not share a facet and whose images may meet, some at a time.

    Parameters
    ----------
    partition
        The regions; all pairs are kept if the domain is unbounded.

    Yields
    ------
    ndarray of int64
        (P, 2), the lower index first; maybe empty, so that a caller can look at the clock.

    Notes
    -----
    Algorithm: ranges of the images along their principal axes, by linear programs, and a sweep
    over them; then for the pairs whose boxes meet, the distance of the two images from each
    other, by dual ascent over the product of the two regions.
    """
    known = {(int(i), int(j)) for i, j in partition.edges}
    if not partition.domain.bounded:
        for first in range(len(partition)):
            rest = [j for j in range(first + 1, len(partition)) if (first, j) not in known]
            yield np.array([(first, j) for j in rest], dtype=np.int64).reshape(-1, 2)
        return
    mapper = mapper_of(partition, partition.net.layers)
    boxes: list[tuple[Floats, Floats]] = []
    directions = _axes(partition)
    for low in range(0, len(partition), mapper.chunk):
        which = np.arange(low, min(low + mapper.chunk, len(partition)))
        boxes.append(image_ranges(partition, mapper, which, directions))
        yield np.empty((0, 2), dtype=np.int64)
    lower = np.concatenate([box[0] for box in boxes])
    upper = np.concatenate([box[1] for box in boxes])
    waiting = np.empty((0, 2), dtype=np.int64)
    for found in _sweep(lower, upper):
        new = [pair for pair in map(tuple, found.tolist()) if pair not in known]
        waiting = np.concatenate([waiting, np.array(new, dtype=np.int64).reshape(-1, 2)])
        while len(waiting) >= _PAIRS:
            yield _not_apart(partition, mapper, waiting[:_PAIRS])
            waiting = waiting[_PAIRS:]
    if len(waiting):
        yield _not_apart(partition, mapper, waiting)


def _axes(partition: Partition) -> Floats:
    """Directions (K, D) of length about 1 along which the images of the witnesses spread most."""
    with np.errstate(all="ignore"):
        values = partition.net(partition.witnesses)
    size = float(np.max(np.abs(values), initial=0.0)) or 1.0
    values = values / size
    axes = np.eye(values.shape[1])
    if np.isfinite(values).all():
        _, _, found = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
        axes = axes if len(found) < min(values.shape[1], _MOST_DIRECTIONS) else found
    return np.asarray(axes[:_MOST_DIRECTIONS])


def image_ranges(
    partition: Partition, mapper: RegionMapper, which: Integers, directions: Floats
) -> tuple[Floats, Floats]:
    """Ranges of ``directions @ G(z)`` over regions, rounded outward.

    Parameters
    ----------
    partition, mapper, which
        B regions.
    directions
        (K, D).

    Returns
    -------
    lower, upper : ndarray
        (B, K) each.
    """
    maps = maps_of(partition, mapper, which)
    low, high = partition.domain.bounds()
    # Multipliers come from plain floats; whatever they are, the ranges hold.
    goal = Goal(np.zeros(directions.shape[1]), Norm.L2, low, high)
    ends = []
    for sign in (-1.0, 1.0):
        found = np.empty((len(which), len(directions)))
        for k, direction in enumerate(directions):
            y = np.tile(sign * direction, (len(which), 1))
            with np.errstate(all="ignore"):
                each = [_multipliers(goal, maps, b, sign * direction) for b in range(len(which))]
            multipliers = np.array(each)
            # The least of y . (0 - G) is minus the largest of y . G.
            least = least_along(goal, maps, y, multipliers)
            found[:, k] = -np.where(np.isnan(least), -np.inf, least)
        ends.append(found)
    return -ends[0], ends[1]


def _multipliers(goal: Goal, maps: RegionMaps, region: int, y: Floats) -> Floats:
    """Multipliers of the rows that bound ``y . A z`` from above over a region, as solved in floats.

    Zeros, which prove less but no wrong thing, where floats fail.
    """
    half = goal.upper / 2.0 - goal.lower / 2.0
    middle = goal.upper / 2.0 + goal.lower / 2.0
    cost = -(y @ maps.slope[region]) * half
    steep = float(np.max(np.abs(cost), initial=0.0))
    rows = maps.rows[region] * half
    length = np.linalg.norm(rows, axis=1)
    usable = length > 0
    multipliers = np.zeros(len(rows))
    if not 0.0 < steep < np.inf:
        return multipliers
    scaled = rows[usable] / length[usable, None]
    sides = (maps.sides[region][usable] - maps.rows[region][usable] @ middle) / length[usable]
    box = np.ones(len(half))
    solution = minimise_linear(
        cost / steep,
        scaled,
        np.concatenate([-box, np.full(len(sides), -np.inf)]),
        np.concatenate([box, sides]),
        weight=_WEIGHT,
    )
    if solution.multipliers is not None:
        found = np.maximum(solution.multipliers[len(box) :], 0.0)
        multipliers[usable] = found * (steep / length[usable])
    return multipliers


def _sweep(lower: Floats, upper: Floats) -> Iterator[Integers]:
    """Pairs of boxes that meet, those of one box at a time."""
    with np.errstate(all="ignore"):  # the axis is a matter of speed alone
        spread = np.median(upper - lower, axis=0) / np.maximum(np.ptp(lower, axis=0), 1e-300)
    axis = int(np.argmin(np.where(np.isnan(spread), np.inf, spread)))
    order = np.argsort(lower[:, axis], kind="stable")
    low, high = lower[order], upper[order]
    ends = np.searchsorted(low[:, axis], high[:, axis], side="right")
    for place, first in enumerate(order):
        beyond = slice(place + 1, max(int(ends[place]), place + 1))
        meets = ((low[beyond] <= high[place]) & (high[beyond] >= low[place])).all(axis=1)
        others = order[beyond][meets]
        yield np.column_stack([np.minimum(first, others), np.maximum(first, others)]).astype(np.int64)


def _not_apart(partition: Partition, mapper: RegionMapper, pairs: Integers) -> Integers:
    """Keep the pairs whose images are not proven to be apart."""
    low, high = partition.domain.bounds()
    goal = Goal(np.zeros(partition.net.ambient_dim), Norm.L2, np.tile(low, 2), np.tile(high, 2))
    kept = []
    step = max(16, mapper.chunk // 4)
    for start in range(0, len(pairs), step):
        some = pairs[start : start + step]
        maps = _joined(maps_of(partition, mapper, some[:, 0]), maps_of(partition, mapper, some[:, 1]))
        centres = np.hstack([partition.witnesses[some[:, 0]], partition.witnesses[some[:, 1]]])
        kept.append(some[dual_ascent(goal, maps, centres, _STEPS).bounds <= 0.0])
    return np.concatenate(kept)


def _joined(first: RegionMaps, second: RegionMaps) -> RegionMaps:
    """Return the maps ``(z, z') -> G(z) - G(z')`` over products of regions."""
    empty = np.zeros_like(first.rows)
    rows = np.concatenate(
        [np.concatenate([first.rows, empty], axis=2), np.concatenate([empty, second.rows], axis=2)], axis=1
    )
    return RegionMaps(
        np.concatenate([first.slope, -second.slope], axis=2),
        first.offset - second.offset,
        # The difference of the offsets rounds, and so does this sum.
        (first.error + second.error + 2.0 * ROUNDOFF * (np.abs(first.offset) + np.abs(second.offset)))
        * SAFETY,
        rows,
        np.concatenate([first.sides, second.sides], axis=1),
        np.concatenate([first.slack, second.slack], axis=1),
    )
