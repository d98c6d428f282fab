"""Volumes of the regions and of their images (Lemma 1), and the law that they add up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError

from polyspline.domains import Box, Domain
from polyspline.errors import ArgumentError, DomainError
from polyspline.manifold.brief import Brief
from polyspline.manifold.locating import Locator, shares_of
from polyspline.manifold.log_det import log_determinants
from polyspline.manifold.maps import affine_maps
from polyspline.manifold.region_polytopes import PolytopeSource, region_polytopes
from polyspline.manifold.regions import (
    RegionSet,
    Source,
    check_same_regions,
    default_sampler,
    region_set,
)
from solvers.float_mode import gradual_underflow
from solvers.polyhedron import HPolyhedron
from solvers.status import KeyedEnum

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MOST_DIMENSIONS = 8
"""Largest latent dimension in which polytopes are measured by their vertices."""

_CHUNK_DRAWS = 65536


class VolumeMethod(KeyedEnum):
    """How volumes were obtained; the value is the sentence to show."""

    VERTICES = "the polytope of each region was measured, rounded"
    DRAWS = "shares of uniform draws from the domain, times its volume"


@dataclass(frozen=True, eq=False)
class Volumes:
    """Volume of every region.

    Attributes
    ----------
    regions
        What it was computed on.
    values
        (R,) S-dimensional; infinite for unbounded regions.
    errors
        (R,) estimates of the absolute errors by rounding; zeros if by draws.
    standard_errors
        (R,) if by draws, else None.
    method
        How they were obtained.
    domain_volume
        Volume of the domain.
    n_draws
        Number of draws; 0 if by vertices.
    n_exact
        How many regions were measured from their exact rows, as floats did not settle them.
    sampled
        Whether the regions were met by sampling (their volumes need not be).
    """

    regions: RegionSet
    values: Floats
    errors: Floats
    standard_errors: Floats | None
    method: VolumeMethod
    domain_volume: float
    n_draws: int
    n_exact: int
    sampled: bool

    @property
    def total(self) -> float:
        """Sum of the volumes."""
        return float(self.values.sum())

    @property
    def covered(self) -> float:
        """Share of the domain that these regions fill; NaN for an unbounded domain."""
        return self.total / self.domain_volume if np.isfinite(self.domain_volume) else float("nan")

    @property
    def residual(self) -> float:
        """Relative error of the law that the volumes add up to the domain's.

        NaN where there is no such law: some regions are missing, or the domain is unbounded.
        """
        return self.covered - 1.0 if self.regions.complete else float("nan")

    def __repr__(self) -> str:
        """Show the counts, the method and what the sum law leaves."""
        return (
            f"Volumes({len(self.values)} regions, by {self.method.key}, covered={self.covered:.6g}, "
            f"residual={self.residual:.2g})"
        )


def domain_volume(domain: Domain) -> float:
    """Volume of a domain, rounded; infinite if it is unbounded."""
    if not domain.bounded:
        return float("inf")
    if isinstance(domain, Box):
        return float(np.prod(domain.hi - domain.lo))
    return HPolyhedron(*domain.rows()).volume()


@gradual_underflow()
def volumes(
    source: Source, *, method: VolumeMethod | str | None = None, n_draws: int = 100_000, seed: int = 0
) -> Volumes:
    """Volume of every region.

    Parameters
    ----------
    source : Partition or RegionSet
    method : VolumeMethod or str, optional
        ``"vertices"`` (the default) or ``"draws"``.
    n_draws : int
        Number of draws, if by draws.
    seed : int
        Of these draws.

    Returns
    -------
    Volumes
        With `residual`: by how much the law that they add up to the domain's volume is missed.

    Raises
    ------
    ArgumentError
        If the method is unknown, if by vertices in more than 8 dimensions, or if `n_draws` is
        less than 1.
    DomainError
        If by draws from an unbounded domain.

    Notes
    -----
    Guarantee: by vertices rounded, with an error estimated below 1e-9 of each volume (regions that floats
    do not settle are measured from their exact rows); by draws unbiased, with standard errors.

    Algorithm: by vertices see `region_polytopes`: about 0.4 ms a region for S = 4 and 30 ms for S = 8, as
    both the vertices and the faces of each grow by S; by draws one forward pass each.

    References
    ----------
    Max-affine spline insights, Lemma 1.
    """
    regions = region_set(source)
    chosen = _method_of(method)
    whole = domain_volume(regions.domain)
    if chosen is VolumeMethod.DRAWS:
        return _by_draws(regions, whole, n_draws, seed)
    check_few_dimensions(regions, "volumes", "volumes(source, method='draws')")
    values, errors, exact = np.empty(len(regions)), np.empty(len(regions)), 0
    for batch in region_polytopes(regions):
        values[batch.which], errors[batch.which] = batch.volumes, batch.errors
        exact += sum(one is PolytopeSource.EXACT_ROWS for one in batch.sources)
    return Volumes(regions, values, errors, None, chosen, whole, 0, exact, regions.sampled)


def check_few_dimensions(regions: RegionSet, where: str, instead: str) -> None:
    """Raise unless the polytopes of the regions can be measured by their vertices."""
    dim = regions.net.latent_dim
    if dim > MOST_DIMENSIONS:
        raise ArgumentError(
            f"{where}: S = {dim} is too large for exact volumes, whose cost grows exponentially: expected "
            f"S <= {MOST_DIMENSIONS}; take the sampled estimate, {instead}."
        )


def _method_of(method: VolumeMethod | str | None) -> VolumeMethod:
    if method is None:
        return VolumeMethod.VERTICES
    for one in VolumeMethod:
        if method in (one, one.key):
            return one
    raise ArgumentError(f"volumes: method is {method!r}; expected 'vertices' or 'draws'.")


def _by_draws(regions: RegionSet, whole: float, n_draws: int, seed: int) -> Volumes:
    if n_draws < 1:
        raise ArgumentError(f"volumes: n_draws must be at least 1, got {n_draws}.")
    if not regions.domain.bounded:
        raise DomainError(
            "volumes: draws need a bounded domain; enumerate over a Box or a Polytope, or measure the "
            "bounded regions with method='vertices'."
        )
    rng, locator = np.random.default_rng(seed), Locator(regions)
    sampler = default_sampler(regions.domain)
    counts = np.zeros(len(regions), dtype=np.int64)
    for low in range(0, n_draws, _CHUNK_DRAWS):
        drawn = sampler(rng, min(_CHUNK_DRAWS, n_draws - low))
        counts += locator.counts(np.asarray(drawn, dtype=np.float64))
    shares = shares_of(counts, n_draws)
    return Volumes(
        regions,
        shares.values * whole,
        np.zeros(len(regions)),
        shares.standard_errors * whole,
        VolumeMethod.DRAWS,
        whole,
        n_draws,
        0,
        regions.sampled,
    )


@dataclass(frozen=True, eq=False, repr=False)
class ImageVolumes(Brief):
    """Volume of the image of every region, in the dimension that the image has.

    Attributes
    ----------
    latent
        Volumes of the regions themselves.
    dimensions
        (R,) dimension r of each image: the numerical rank of A_ω.
    values
        (R,) r-dimensional volume of G(ω); 1 for a point (r = 0). NaN at a rank below S if the
        latent volumes are by draws, which do not tell it.
    standard_errors
        (R,) at full rank if by draws, else None.
    """

    latent: Volumes
    dimensions: Integers
    values: Floats
    standard_errors: Floats | None

    @cached_property
    def full(self) -> Floats:
        """S-dimensional volumes (R,): 0 where the rank is below S."""
        return np.where(self.dimensions == self.latent.regions.net.latent_dim, self.values, 0.0)

    @property
    def sampled(self) -> bool:
        """Whether the regions were met by sampling."""
        return self.latent.sampled

    def total(self, dimension: int | None = None) -> float:
        """Sum of the volumes of the images of one dimension, S by default; overlaps count repeatedly."""
        wanted = self.latent.regions.net.latent_dim if dimension is None else dimension
        return float(self.values[self.dimensions == wanted].sum())


@gradual_underflow()
def image_volumes(source: Source, *, latent: Volumes | None = None) -> ImageVolumes:
    """Volume of the image G(ω) of every region.

    Parameters
    ----------
    source : Partition or RegionSet
    latent : Volumes, optional
        Of the same regions; measured by vertices if not given.

    Returns
    -------
    ImageVolumes

    Raises
    ------
    ArgumentError
        If `latent` is of other regions, or in more than 8 dimensions if it is not given.

    Notes
    -----
    Guarantee: rounded. At rank S the volume is ``sqrt(det(AᵀA)) vol(ω)``. At a rank r < S the
    S-dimensional one is 0, and the r-dimensional one is the product of the r singular values and the
    r-volume of the projection of ω on the row space of A: of the hull of its projected vertices.

    References
    ----------
    Max-affine spline insights, Lemma 1, which holds at full rank as printed.
    """
    regions = region_set(source)
    known = volumes(regions) if latent is None else latent
    check_same_regions(known.regions, regions, "image_volumes", "the latent volumes")
    found = log_determinants(regions)
    with np.errstate(over="ignore", invalid="ignore"):
        factors = np.exp(found.values)
        values = np.where(found.full_rank, factors * known.values, np.nan)
    low = np.flatnonzero(~found.full_rank)
    values[low[found.ranks[low] == 0]] = 1.0
    flat = low[found.ranks[low] > 0]
    if len(flat) and known.method is VolumeMethod.VERTICES:
        sizes = _projected(regions, flat.astype(np.int64), found.ranks[flat])
        values[flat] = sizes * np.exp(found.pseudo_values[flat])
    spread = known.standard_errors
    return ImageVolumes(known, found.ranks, values, None if spread is None else factors * spread)


def _projected(regions: RegionSet, which: Integers, ranks: Integers) -> Floats:
    """r-volumes of the projections of some regions on the row spaces of their slopes, (B,)."""
    found = np.empty(len(which))
    start = 0
    for batch in region_polytopes(regions, which):
        stop = start + len(batch.which)
        slopes = np.concatenate([maps.A for maps in affine_maps(regions, batch.which)])
        turns = np.linalg.svd(slopes, full_matrices=False)[2]
        for i, (vertices, turn) in enumerate(zip(batch.vertices, turns, strict=True)):
            bounded = np.isfinite(batch.volumes[i])
            found[start + i] = hull_volume(vertices @ turn[: ranks[start + i]].T) if bounded else np.nan
        start = stop
    return found


def hull_volume(points: Floats) -> float:
    """Volume of the hull of points (k, r), rounded; 0 if it is flat as far as floats tell."""
    spread = np.ptp(points, axis=0)
    if points.shape[1] == 1:
        return float(spread[0])
    middle = points.mean(axis=0)
    # Coordinates in which the hull is round keep Qhull from merging the facets of thin ones.
    _, sizes, turn = np.linalg.svd(points - middle, full_matrices=False)
    if len(points) <= points.shape[1] or not sizes[-1] > 0:
        return 0.0
    try:
        return float(ConvexHull((points - middle) @ turn.T / sizes).volume * np.prod(sizes))
    except QhullError:
        return 0.0
