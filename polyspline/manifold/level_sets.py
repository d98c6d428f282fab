"""Level sets of a class or of the sign of an output, and their components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import exact_floats
from polyspline.errors import ArgumentError, NonFiniteError
from polyspline.inversion.region_maps import RegionMaps, mapper_of, maps_of
from polyspline.manifold.brief import Brief
from polyspline.manifold.graph_figures import components
from polyspline.manifold.regions import RegionSet, Source, region_set
from polyspline.manifold.value_ranges import value_ranges
from polyspline.network import Network
from solvers.float_mode import gradual_underflow
from solvers.lp.highs import maximise_float

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_TOLERANCE = 1e-9
_MOST_BOUNDS = 12


@dataclass(frozen=True, eq=False, repr=False)
class LevelSet(Brief):
    """The part of latent space where some functions of the output are positive.

    Attributes
    ----------
    regions
        What it was computed on.
    meets
        (R,) whether the set meets the region.
    through
        (E,) whether the set goes through the facet of an edge, from one region into the other.
    labels
        (R,) component of the part of the set that is in the region, from 0 on in the order of the
        lowest region; -1 where there is none. Within a region the set is convex.
    sampled
        Whether the regions were met by sampling.
    """

    regions: RegionSet
    meets: Flags
    through: Flags
    labels: Integers
    sampled: bool

    @property
    def n_components(self) -> int:
        """Number of components; parts of an incomplete set may be connected through unknown regions."""
        return int(self.labels.max(initial=-1)) + 1


@gradual_underflow()
def class_level_set(source: Source, label: int) -> LevelSet:
    """Where an output is larger than all others: the decision region of a class.

    Parameters
    ----------
    source : Partition or RegionSet
    label : int
        Index of the output.

    Returns
    -------
    LevelSet
        Of ``{z : G(z)[label] > G(z)[j] for all other j}``.

    Raises
    ------
    ArgumentError
        If there is no such output, or no other.

    Notes
    -----
    Guarantee: rounded (linear programs in floats).

    Algorithm: a region whose point is in the set meets it, a facet with a point in the set is
    crossed; one linear program for each other region, and each other edge of two regions that meet
    the set. The set is open, so that it is connected through facets if at all.
    """
    regions = region_set(source)
    rows, sides = class_margins(regions.net, label, "class_level_set")
    return _level_set(regions, rows, sides)


@gradual_underflow()
def sign_level_set(source: Source, *, output: int = 0, level: float = 0.0, above: bool = True) -> LevelSet:
    """Where an output is above (or below) a level.

    Parameters
    ----------
    source : Partition or RegionSet
    output : int
        Index of the output.
    level : float
    above : bool
        Whether the part above the level is meant, or that below.

    Returns
    -------
    LevelSet
        Of ``{z : G(z)[output] > level}``, or ``<``.

    Raises
    ------
    ArgumentError
        If there is no such output.
    NonFiniteError
        If the level is not finite.

    Notes
    -----
    As `class_level_set`.
    """
    regions = region_set(source)
    rows, sides = sign_margins(regions.net, output, level, "sign_level_set")
    sign = 1.0 if above else -1.0
    return _level_set(regions, sign * rows, sign * sides)


def class_margins(net: Network, label: int, where: str) -> tuple[Floats, Floats]:
    """Rows (K, D) and constants (K,) of functions of the output that are positive within a class."""
    dim = net.ambient_dim
    if not 0 <= label < dim or dim < 2:
        raise ArgumentError(f"{where}: class {label} does not exist, or is the only one, of {dim} outputs.")
    others = np.delete(np.arange(dim), label)
    return np.eye(dim)[label] - np.eye(dim)[others], np.zeros(dim - 1)


def sign_margins(net: Network, output: int, level: float, where: str) -> tuple[Floats, Floats]:
    """Row (1, D) and constant (1,) of the function of the output that is positive above a level."""
    if not 0 <= output < net.ambient_dim:
        raise ArgumentError(f"{where}: output {output} does not exist; there are {net.ambient_dim}.")
    if not np.isfinite(level):
        raise NonFiniteError(f"{where}: the level must be finite, got {level}.")
    value = float(exact_floats(level, f"{where}: level"))
    return np.eye(net.ambient_dim)[output : output + 1], np.array([-value])


def _level_set(regions: RegionSet, rows: Floats, sides: Floats) -> LevelSet:
    """Level set of the functions ``rows @ G(z) + sides``."""
    search = _Search(regions, rows, sides)
    meets = search.positive(regions.points)
    for index in _open(regions, np.flatnonzero(~meets), rows, sides).tolist():
        meets[index] = search.reached(index, None)
    edges = regions.edges.astype(np.int64)
    through = np.zeros(len(edges), dtype=np.bool_)
    for edge in np.flatnonzero(meets[edges].all(axis=1)).tolist():
        through[edge] = search.crosses(edge)
    return LevelSet(regions, meets, through, components(regions, meets, through), regions.sampled)


def _open(regions: RegionSet, which: Integers, rows: Floats, sides: Floats) -> Integers:
    """Regions that certified bounds do not exclude, where these are cheaper than linear programs."""
    if not regions.domain.bounded or len(rows) > _MOST_BOUNDS:
        return which
    ranges = value_ranges(regions, rows, which)
    return which[(ranges.upper + sides > 0).all(axis=1)]


class _Search:
    """Looks for points of the set in regions and on facets; remembers the maps of the last region."""

    def __init__(self, regions: RegionSet, rows: Floats, sides: Floats) -> None:
        self.regions = regions
        self._rows, self._sides = rows, sides
        self._partition = regions.as_partition
        self._mapper = mapper_of(self._partition, regions.net.layers)
        self._last: tuple[int, RegionMaps] | None = None

    def positive(self, points: Floats) -> Flags:
        """Whether points (B, S) are in the set."""
        values = self.regions.net(points) @ self._rows.T + self._sides
        return np.asarray((values > 0).all(axis=1))

    def _maps(self, index: int) -> RegionMaps:
        if self._last is None or self._last[0] != index:
            self._last = index, maps_of(self._partition, self._mapper, np.array([index]))
        return self._last[1]

    def reached(self, index: int, facet: tuple[Floats, float] | None) -> bool:
        """Whether the set has a point in a region, or on a facet of it, given by normal and offset."""
        maps = self._maps(index)
        slope = self._rows @ maps.slope[0]
        offset = self._rows @ maps.offset[0] + self._sides
        size = np.maximum(np.linalg.norm(slope, axis=1), np.abs(offset))
        size = np.where(size > 0, size, 1.0)
        inside = np.column_stack([maps.rows[0], np.zeros(len(maps.rows[0]))])
        above = np.column_stack([-slope / size[:, None], np.ones(len(slope))])
        matrix, side = [inside, above], [maps.sides[0], offset / size]
        if facet is not None:
            on = np.append(facet[0], 0.0)
            matrix.append(np.stack([on, -on]))
            side.append(np.array([facet[1], -facet[1]]))
        free: list[tuple[float | None, float | None]] = [(None, None)] * slope.shape[1]
        target = np.append(np.zeros(slope.shape[1]), 1.0)
        found = maximise_float(target, np.vstack(matrix), np.concatenate(side), [*free, (None, 1.0)])
        return bool(found.value > _TOLERANCE)

    def crosses(self, edge: int) -> bool:
        """Whether the set goes through the facet of an edge."""
        near, far = (int(index) for index in self.regions.edges[edge])
        maps = self._maps(near)
        ends = self.regions.points[[near, far]]
        # Of all rows of the region, the facet's is the one that the far region's point violates and
        # the source names; the rows are in the order of the knots.
        row = int(self.regions.edge_sources[edge])
        normal, side = maps.rows[0][row], float(maps.sides[0][row])
        values = ends @ normal - side
        if values[1] > 0 >= values[0]:
            share = values[0] / (values[0] - values[1])
            point = ends[0] + share * (ends[1] - ends[0])
            beside = maps.rows[0] @ point - maps.sides[0]
            beside[row] = -np.inf
            if (beside < 0).all() and self.positive(point[None])[0]:
                return True
        return self.reached(near, (normal, side))
