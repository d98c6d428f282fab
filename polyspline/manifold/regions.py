"""The regions that a quantity is computed on: those of a partition, or those met by sampling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from polyspline.cpa.knots import knots_of
from polyspline.cpa.matrices import as_float_array
from polyspline.domains import Box, Domain, check_dimension
from polyspline.errors import ArgumentError, DomainError, ShapeError
from polyspline.manifold.sampling import MetRegions, meet_regions
from polyspline.network import Network
from polyspline.partition import CodePacking, Partition, StopReason
from polyspline.regions.region import Region
from solvers.float_mode import gradual_underflow

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Sampler: TypeAlias = Callable[[np.random.Generator, int], npt.ArrayLike]

_MOST_ROUNDS = 1000


@dataclass(frozen=True, eq=False, repr=False)
class RegionSet:
    """Regions of a network over a domain: all of them, some of them, or those met by sampling.

    Attributes
    ----------
    net, domain
        What was partitioned.
    codes
        Activation codes, (R, N) int8 or int16.
    points
        A point inside each region, (R, S): the witness of a region of a partition, or of one with
        a neighbour known; else the first draw that met it.
    edges
        Pairs of these regions that share a facet, (E, 2) int32, the lower index first; proven.
        All such pairs with a region below `expanded`.
    edge_sources
        The lowest unit knot on the facet of each edge, (E,) int32, as `Partition.knot` numbers them.
    partition
        The partition that they are the regions of; None for regions met by sampling.
    sampled
        Whether they were met by sampling.
    draws
        How many draws met each region, (R,): 0 for neighbours that no draw met. Of a partition
        every region counts once.
    n_draws
        The sum of `draws`.
    expanded
        All neighbours of regions ``0 .. expanded - 1`` are there.
    complete
        Whether it is known that no region is missing.
    exact_points
        Rational interior points, by region, where no float64 point is known to be inside.
    """

    net: Network
    domain: Domain
    codes: npt.NDArray[Any]
    points: Floats
    edges: npt.NDArray[np.int32]
    edge_sources: npt.NDArray[np.int32]
    partition: Partition | None
    sampled: bool
    draws: Integers
    n_draws: int
    expanded: int
    complete: bool
    exact_points: dict[int, tuple[Fraction, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of regions, R."""
        return len(self.points)

    @property
    def how(self) -> str:
        """Where the regions come from, as words for a report."""
        if self.sampled:
            met = int(np.count_nonzero(self.draws))
            beside = f" and {len(self) - met} neighbours" if len(self) > met else ""
            return f"{met} regions met by {self.n_draws} draws{beside}"
        return f"all {len(self)} regions" if self.complete else f"{len(self)} regions of a partial partition"

    @cached_property
    def met(self) -> Integers:
        """Indices of the regions that a draw met (of a partition, of all), ascending."""
        return np.flatnonzero(self.draws).astype(np.int64)

    @property
    def edge_units(self) -> Integers:
        """Unit whose knot is on the facet of each edge, (E,)."""
        return knots_of(self.net.layers).unit[self.edge_sources]

    def region(self, index: int) -> Region:
        """Region of an index, ``0 <= index < R``; it knows its neighbours if it is of a partition.

        Raises
        ------
        IndexError
            If there is no such region.
        """
        if self.partition is not None:
            return self.partition[index]
        if not 0 <= index < len(self):
            raise IndexError(f"region {index} of a set of {len(self)} regions does not exist.")
        return Region(
            self.net,
            self.domain,
            self.codes[index],
            self.points[index],
            index,
            self.exact_points.get(index),
        )

    @cached_property
    def as_partition(self) -> Partition:
        """The same regions as a partition, for what needs one: a partial one, if met by sampling."""
        if self.partition is not None:
            return self.partition
        proven = np.ones(len(self), dtype=np.bool_)
        proven[list(self.exact_points)] = False
        return Partition(
            self.net,
            self.domain,
            CodePacking(self.net.n_pieces).pack(self.codes),
            self.points,
            proven,
            self.edges,
            self.edge_sources,
            StopReason.COMPLETE if self.complete else StopReason.MAX_REGIONS,
            self.expanded,
            exact_witnesses=self.exact_points,
        )

    def __repr__(self) -> str:
        """Show where the regions come from."""
        return f"RegionSet({self.how}, {len(self.edges)} adjacencies, {self.domain!r})"


Source: TypeAlias = Partition | RegionSet


def check_same_regions(found: RegionSet, regions: RegionSet, where: str, what: str) -> None:
    """Refuse what was computed on other regions than these.

    Parameters
    ----------
    found
        The regions that it was computed on.
    regions
        Those at hand.
    where, what
        Name of the function, and what is refused, for the message.

    Raises
    ------
    ArgumentError
        If the networks, the domains or the codes differ, or the codes come in another order.
    """
    if found is regions:
        return
    differs = None
    if found.net != regions.net:
        differs = "of another network"
    elif found.domain != regions.domain:
        differs = f"over {found.domain!r}, and these over {regions.domain!r}"
    elif found.codes is not regions.codes and not np.array_equal(found.codes, regions.codes):
        differs = f"{len(found)} others, and here are {len(regions)}, or they are in another order"
    if differs is not None:
        raise ArgumentError(
            f"{where}: {what} are of other regions ({differs}); expected those of these: measure them on the "
            "same source."
        )


@gradual_underflow()
def region_set(source: Source) -> RegionSet:
    """Return the regions of a partition, or a set of regions as it is.

    Parameters
    ----------
    source : Partition or RegionSet

    Returns
    -------
    RegionSet
        Sharing the arrays of a partition, whose regions count once each.

    Raises
    ------
    ArgumentError
        If it is neither; a network needs a sampler first, see `sample_regions`.
    """
    if isinstance(source, RegionSet):
        return source
    if not isinstance(source, Partition):
        raise ArgumentError(
            f"expected a Partition or a RegionSet, got a {type(source).__name__}: enumerate the regions "
            "of a network with enumerate_regions, or meet some with sample_regions."
        )
    return RegionSet(
        source.net,
        source.domain,
        source.codes,
        source.witnesses,
        source.edges,
        source.edge_sources,
        source,
        False,
        np.ones(len(source), dtype=np.int64),
        len(source),
        source.expanded,
        source.complete,
        source.exact_witnesses,
    )


@gradual_underflow()
def sample_regions(
    net: Network,
    domain: Domain,
    n_draws: int,
    *,
    sampler: Sampler | None = None,
    seed: int = 0,
    neighbours: bool = True,
) -> RegionSet:
    """Regions that random latent points meet, and their facet neighbours.

    For networks with too many regions to enumerate.

    Parameters
    ----------
    net : Network
    domain : Domain
        Draws outside are left out.
    n_draws : int
        How many draws are asked for, at least 1.
    sampler : callable, optional
        ``sampler(rng, n)`` returns n points, (n, S). By default uniform on a bounded domain, and
        standard normal on the whole space.
    seed : int
        Seed of the generator that the sampler gets.
    neighbours : bool
        Whether to add all facet neighbours of the regions met.

    Returns
    -------
    RegionSet
        The regions met, in the order of their first draw, then the neighbours.

    Raises
    ------
    ArgumentError
        If `n_draws` is less than 1, or no draw is inside the domain.
    ShapeError, NonFiniteError
        If the sampler returns another shape, or numbers that are not finite.
    DomainError
        If the domain has not the network's latent dimension.

    Notes
    -----
    Guarantee: the codes, and which neighbours there are, are exact. A draw on a knot counts for one of
    the regions that it is on the boundary of. A region is met with its probability, so
    large regions come first: figures that count each region once are those of the regions met.

    Algorithm: one forward pass for each draw; one step of the walk for each region met.
    """
    inside = _drawn(net, domain, n_draws, sampler, seed)
    return _as_set(net, domain, meet_regions(net, domain, inside, neighbours=neighbours), len(inside))


def _drawn(net: Network, domain: Domain, n_draws: int, sampler: Sampler | None, seed: int) -> Floats:
    """Draws (B, S) that are inside the domain, at least one."""
    if n_draws < 1:
        raise ArgumentError(f"sample_regions: n_draws must be at least 1, got {n_draws}.")
    check_dimension(domain, net)
    sampler = default_sampler(domain) if sampler is None else sampler
    drawn = as_float_array(sampler(np.random.default_rng(seed), n_draws), "points of the sampler", 2)
    if drawn.shape != (n_draws, net.latent_dim):
        raise ShapeError(
            f"sample_regions: the sampler returned shape {drawn.shape}; expected "
            f"({n_draws}, {net.latent_dim})."
        )
    inside: Floats = drawn[np.asarray(domain.contains(drawn))]
    if not len(inside):
        raise ArgumentError(
            f"sample_regions: none of {n_draws} draws is inside the domain {domain!r}: take a sampler whose "
            "points are."
        )
    return inside


def _as_set(net: Network, domain: Domain, met: MetRegions, n_draws: int) -> RegionSet:
    return RegionSet(
        net,
        domain,
        CodePacking(net.n_pieces).unpack(met.packed),
        met.points,
        met.edges,
        met.edge_sources,
        None,
        True,
        met.draws,
        n_draws,
        met.expanded,
        # The domain is connected: regions all of whose neighbours are among them are all there are.
        met.expanded == len(met.packed),
        met.exact_points,
    )


def default_sampler(domain: Domain) -> Sampler:
    """Return the sampler of `sample_regions`: uniform on a bounded domain, else standard normal.

    Parameters
    ----------
    domain : Domain

    Returns
    -------
    callable
        ``sampler(rng, n)`` returns an array (n, S).

    Notes
    -----
    A polytope is sampled by rejection from the box around it; where that is hopeless, the sampler
    raises a `DomainError`, which says so.
    """

    def normal(rng: np.random.Generator, count: int) -> Floats:
        return rng.standard_normal((count, domain.dim))

    def uniform(rng: np.random.Generator, count: int) -> Floats:
        low, high = domain.bounds()
        found: list[Floats] = []
        have = 0
        for _ in range(_MOST_ROUNDS):
            # The two products keep wide boxes from overflowing.
            share = rng.random((max(count, 256), domain.dim))
            points = np.clip(low * (1.0 - share) + high * share, low, high)
            points = points if isinstance(domain, Box) else points[np.asarray(domain.contains(points))]
            found.append(points)
            have += len(points)
            if have >= count:
                return np.concatenate(found)[:count]
        raise DomainError(
            f"only {have} of {_MOST_ROUNDS * max(count, 256)} points of the box around the domain are inside "
            "it: give a sampler of its points."
        )

    return uniform if domain.bounded else normal
