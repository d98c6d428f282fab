"""All preimages of a point: one for each region whose image contains it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import as_float_array
from polyspline.domains import Domain
from polyspline.errors import ArgumentError, ShapeError
from polyspline.inversion.collisions import ExactRegions
from polyspline.inversion.norms import Norm
from polyspline.inversion.region_bounds import Goal, dual_ascent
from polyspline.inversion.region_fits import fit_region
from polyspline.inversion.region_maps import RegionMapper, RegionMaps, mapper_of, maps_of
from polyspline.network import Network
from polyspline.partition import Partition
from solvers.float_mode import gradual_underflow
from solvers.integers import as_fraction, nearest_float
from solvers.lp.exact import maximise
from solvers.lp.highs import maximise_float

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_RELATIVE_TOLERANCE = 1e-9
_EDGE = 1e-9


@dataclass(frozen=True, eq=False)
class Preimage:
    """A latent point that one region sends to the target.

    Attributes
    ----------
    z
        (S,) in the closed region, up to 1e-9 of the size of the domain.
    region
        Index of the region in the partition.
    distance
        Euclidean distance of G(z) from the target, recomputed from the network; from its exact map
        where the values of the network leave the range of floats on the way.
    dimension
        Dimension of the set of all preimages within the closed region: 0 if z is the only one.
    """

    z: Floats
    region: int
    distance: float
    dimension: int

    @property
    def unique(self) -> bool:
        """Whether the region has no other preimage."""
        return self.dimension == 0

    def __repr__(self) -> str:
        """Show the point, its region and the dimension."""
        return f"Preimage(z={self.z}, region={self.region}, dimension={self.dimension})"


@gradual_underflow()
def preimages(
    net: Network, x: npt.ArrayLike, partition: Partition, *, tol: float | None = None
) -> list[Preimage]:
    """All preimages of x in a partition: one for each closed region whose image contains x.

    Parameters
    ----------
    net : Network
    x : array_like, shape (D,)
    partition : Partition
        Of the same network. Of a partial one, the regions that it has.
    tol : float, optional
        Euclidean distance from x up to which an image counts as containing it; by default
        ``1e-9 (1 + norm(x))``.

    Returns
    -------
    list of Preimage
        By region. A point on a face that several regions share is in each of them, and so is
        there once for each; where a region sends a whole set to x, one point stands for it, and
        `dimension` tells.

    Raises
    ------
    ShapeError, NonFiniteError
        If x has not the network's ambient dimension, or is not finite.
    ArgumentError
        If the partition is of another network, or the tolerance is negative or not finite.

    Notes
    -----
    Guarantee: rounded. On a bounded domain regions are left out by certified bounds only, unless
    the regression over them ends farther from x than `tol`; on an unbounded one the bounds hold
    for points up to a thousand times as far as the farthest witness. A region whose slope no float
    holds is decided by an exact linear program, with `tol` in the maximum norm.

    Algorithm: as the scan of `invert`, with the tolerance in the place of the nearest distance.

    References
    ----------
    Max-affine spline insights, Thm. 3: the density of G(z) at x is a sum over all preimages.
    """
    target = as_float_array(x, "x", 1)
    if len(target) != net.ambient_dim:
        raise ShapeError(
            f"x has length {len(target)}; expected {net.ambient_dim}, as many as the network has outputs."
        )
    if partition.net != net:
        raise ArgumentError("the partition is of another network; enumerate the regions of this one.")
    allowed = _RELATIVE_TOLERANCE * (1.0 + math.hypot(*target)) if tol is None else float(tol)
    if not (math.isfinite(allowed) and allowed >= 0):
        raise ArgumentError(f"tol must be a number of at least 0, got {tol}.")
    mapper = mapper_of(partition, net.layers)
    lower, upper = partition.domain.bounds()
    goal = Goal(target, Norm.L2, np.maximum(lower, -mapper.reach), np.minimum(upper, mapper.reach))
    exact = ExactRegions.of_partition(partition)
    found = []
    for region in _candidates(partition, mapper, goal, allowed).tolist():
        maps = maps_of(partition, mapper, np.array([region]))
        if np.isfinite(maps.slope).all() and np.isfinite(maps.offset).all():
            fit = fit_region(goal, maps, gap=math.inf)
            point = fit.point if fit.value <= allowed else None
        else:
            maps = replace(maps, slope=_in_range(exact, region))
            point = _exact_point(exact, region, target, allowed)
        if point is not None:
            distance = _distance(net, partition.domain, target, point, allowed)
            found.append(Preimage(point, region, distance, _dimension(goal, maps, point)))
    return found


def _in_range(exact: ExactRegions, region: int) -> Floats:
    """Slope (1, D, S) of a region, each row by a power of two of its own."""
    table, _ = exact.maps(region).rows
    rows = []
    for row in table:
        longest = max(entry.bit_length() for entry in row[:-1])
        rows.append([entry / (1 << longest) for entry in row[:-1]])
    return np.array([rows])


def _exact_point(exact: ExactRegions, region: int, target: Floats, allowed: float) -> Floats | None:
    """Point of a region whose exact image is within the tolerance in each entry, rounded; None if none."""
    table, exponent = exact.maps(region).rows
    unit, near = Fraction(2) ** exponent, as_fraction(allowed)
    matrix: list[list[Fraction | int]] = []
    sides: list[Fraction | int] = []
    for row, x in zip(table, target.tolist(), strict=True):
        away = as_fraction(x) - unit * row[-1]
        for sign in (1, -1):
            matrix.append([sign * unit * entry for entry in row[:-1]])
            sides.append(sign * away + near)
    for inside in exact.rows(region):
        matrix.append([-entry for entry in inside[:-1]])
        sides.append(inside[-1])
    best = maximise([0] * len(table[0][:-1]), matrix, sides)
    return None if best.point is None else np.array([nearest_float(entry) for entry in best.point])


def _distance(net: Network, domain: Domain, target: Floats, point: Floats, allowed: float) -> float:
    """Distance of the image of a point from the target, rounded."""
    with np.errstate(all="ignore"):
        distance = math.hypot(*(target - net(point)))
    if distance <= 2.0 * allowed:
        return distance
    # Maybe the network's values left the range of floats on the way: its image again, exactly.
    here = ExactRegions(net, domain, lambda _: net.code(point), lambda _: point)
    table, exponent = here.maps(0).rows
    unit, z = Fraction(2) ** exponent, [as_fraction(entry) for entry in point.tolist()]
    images = [
        unit * (row[-1] + sum((a * c for a, c in zip(row, z, strict=False)), Fraction(0))) for row in table
    ]
    away = [as_fraction(x) - image for x, image in zip(target.tolist(), images, strict=True)]
    return math.hypot(*map(nearest_float, away))


def _candidates(partition: Partition, mapper: RegionMapper, goal: Goal, allowed: float) -> Integers:
    """Regions that bounds do not exclude, ascending."""
    kept: list[Integers] = []
    steps = 4 * len(goal.lower)
    hull_tells = len(goal.target) > len(goal.lower)
    for low in range(0, len(partition), mapper.chunk):
        which = np.arange(low, min(low + mapper.chunk, len(partition)))
        if hull_tells:
            maps = maps_of(partition, mapper, which, with_rows=False)
            which = which[dual_ascent(goal, maps, partition.witnesses[which], 0).bounds <= allowed]
        if len(which):
            maps = maps_of(partition, mapper, which)
            which = which[dual_ascent(goal, maps, partition.witnesses[which], steps).bounds <= allowed]
        kept.append(which)
    return np.concatenate([*kept, np.empty(0, dtype=np.int64)])


def _dimension(goal: Goal, maps: RegionMaps, z: Floats) -> int:
    """Dimension of the points of a region that have the same image as z, rounded."""
    slope = maps.slope[0]
    _, values, directions = np.linalg.svd(slope)
    cut = np.finfo(np.float64).eps * max(slope.shape) * float(values.max(initial=0.0))
    free = directions[int(np.sum(values > cut)) :].T
    width = int(free.shape[1])
    if not width:
        return 0
    rows = maps.rows[0] @ free
    size = np.linalg.norm(rows, axis=1)
    met = size > _EDGE
    # What parallel rows leave is of no interest; the box keeps the programs bounded.
    rows, size = rows[met] / size[met, None], size[met]
    room = np.maximum(maps.sides[0][met] - maps.rows[0][met] @ z, 0.0) / size
    reach = float(np.max(goal.upper - goal.lower))
    edge = 10.0 * _EDGE * reach
    lifted = np.column_stack([rows, np.ones(len(rows))])
    box: list[tuple[float | None, float | None]] = [(-reach, reach)] * width
    widest = maximise_float(np.append(np.zeros(width), 1.0), lifted, room, [*box, (0.0, reach)])
    if widest.value > edge:
        return width
    flat = [i for i in np.flatnonzero(room <= edge) if _is_flat(rows, room, int(i), box, edge)]
    return width - (int(np.linalg.matrix_rank(rows[flat], tol=1e-6)) if flat else 0)


def _is_flat(
    rows: Floats, room: Floats, i: int, box: list[tuple[float | None, float | None]], edge: float
) -> bool:
    """Whether a row holds with equality wherever all rows hold."""
    inward = maximise_float(-rows[i], rows, room, box)
    return not inward.value + room[i] > edge
