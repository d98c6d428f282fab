"""Density of the generated distribution (Thm. 3, Cor. 2, eq. 6), and its singular mass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import as_points
from polyspline.cpa.pointwise import closed_pieces
from polyspline.errors import ShapeError
from polyspline.manifold.brief import Brief
from polyspline.manifold.covering import Cover, Preimages, refuse_partial
from polyspline.manifold.maps import affine_maps_of_codes
from polyspline.manifold.priors import Prior, PriorLike, as_prior
from polyspline.manifold.probability import Probabilities, ProbabilityMethod, probabilities
from polyspline.manifold.regions import RegionSet, Source, check_same_regions, region_set
from polyspline.manifold.spectrum import numerical_ranks, region_spectra, singular_values
from polyspline.partition.lookup import CodeIndex
from polyspline.partition.packing import CodePacking
from solvers.float_mode import gradual_underflow

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_CHUNK = 4096
_CHUNK_TARGETS = 1024


@dataclass(frozen=True, eq=False, repr=False)
class Density(Brief):
    """Density p_G at points, with respect to S-dimensional Hausdorff measure on the image.

    Attributes
    ----------
    regions
        What it was computed on.
    prior
        Distribution of z. Latent points outside the domain contribute nothing.
    log_values
        (B,) natural logarithms; minus infinity where no region reaches, and NaN where one of rank below
        S does: there is no density there, whatever regions of full rank contribute.
    n_preimages
        (B,) how many different latent points in regions of full rank were summed over.
    singular
        (B,) whether a region of rank below S reaches the point, its closed edge included: there the
        distribution has mass on a set of measure zero, an atom say, which no density shows (see
        `mass_by_rank`). It does not ask how much mass the prior has in that region.
    lower_bound
        Whether preimages may be missing, so that the values are lower bounds.
    sampled
        Whether the regions were met by sampling.
    """

    regions: RegionSet
    prior: Prior
    log_values: Floats
    n_preimages: Integers
    singular: Flags
    lower_bound: bool
    sampled: bool

    @cached_property
    def values(self) -> Floats:
        """Densities (B,), NaN where `singular`."""
        return np.asarray(np.exp(self.log_values))

    def __len__(self) -> int:
        """Return the number of points, B."""
        return len(self.log_values)


@gradual_underflow()
def density(
    source: Source, x: npt.ArrayLike, prior: PriorLike = None, *, tol: float | None = None
) -> Density:
    """Density of G(z) at points x, summed over all preimages.

    Parameters
    ----------
    source : Partition or RegionSet
        A partition must be complete; on regions met by sampling the values are lower bounds.
    x : array_like, shape (B, D) or (D,)
    prior : Prior, callable or str, optional
        See `as_prior`; uniform over a bounded domain, else standard normal.
    tol : float, optional
        Distance from x up to which an image counts as x; by default ``1e-9 (1 + norm(x))``. If D > S,
        points off the image have density 0.

    Returns
    -------
    Density

    Raises
    ------
    ArgumentError
        If the partition is partial, or `tol` is out of range.
    ShapeError, NonFiniteError
        If x or the prior does not fit.

    Notes
    -----
    Guarantee: rounded: ``p_G(x) = Σ p_z(z) / sqrt(det(AᵀA))`` over all z in regions of rank S with
    G(z) = x; one on a face that regions share counts once, with the first of these. Where a region of
    lower rank reaches, there is no density: the value is NaN and `singular` says so.

    Algorithm: see `Cover`.

    References
    ----------
    Max-affine spline insights, Thm. 3, which holds for injective G as printed, Cor. 2 and eq. (6), where
    a square root is missing in print.
    """
    return _with_gaps(_sums(region_set(source), x, prior, tol))


def _sums(regions: RegionSet, x: npt.ArrayLike, prior: PriorLike, tol: float | None) -> Density:
    """Sum over the regions of rank S, also where others reach."""
    refuse_partial(
        regions,
        "density",
        "; the density of generated points from their own latents alone is "
        "density_at_latents(..., others=False)",
    )
    given = as_prior(prior, regions.domain, "density")
    points = _targets(regions, x)
    cover = Cover(regions)
    logs, many, flags = np.empty(len(points)), np.empty(len(points), dtype=np.int64), []
    for low in range(0, len(points), _CHUNK_TARGETS):
        chunk = slice(low, low + _CHUNK_TARGETS)
        logs[chunk], many[chunk] = _summed(
            cover, given, cover.preimages(points[chunk], tol), len(points[chunk])
        )
        flags.append(cover.singular(points[chunk], tol))
    singular = np.concatenate([np.empty(0, dtype=np.bool_), *flags])
    return Density(regions, given, logs, many, singular, not regions.complete, regions.sampled)


def _with_gaps(found: Density) -> Density:
    """Take out the values where there is no density."""
    return replace(found, log_values=np.where(found.singular, np.nan, found.log_values))


@gradual_underflow()
def density_at_latents(
    source: Source,
    z: npt.ArrayLike,
    prior: PriorLike = None,
    *,
    others: bool = True,
    tol: float | None = None,
) -> Density:
    """Density of G(z) at generated points, whose latents are known.

    Parameters
    ----------
    source : Partition or RegionSet
    z : array_like, shape (B, S) or (S,)
    prior : Prior, callable or str, optional
    others : bool
        Whether to look for other preimages. If not, the partition may be partial, and the
        values are lower bounds, exact where G is injective; `singular` then tells of the regions only
        that contain z, and not of others whose images contain G(z).
    tol : float, optional
        See `density`.

    Returns
    -------
    Density

    Raises
    ------
    ArgumentError
        If others are looked for in a partial partition, or `tol` is out of range.
    ShapeError, NonFiniteError
        If z or the prior does not fit.
    """
    return _with_gaps(sums_at_latents(region_set(source), z, prior, others=others, tol=tol))


def sums_at_latents(
    regions: RegionSet, z: npt.ArrayLike, prior: PriorLike, *, others: bool = True, tol: float | None = None
) -> Density:
    """Density of the mass that is in regions of rank S, also where others reach."""
    given = as_prior(prior, regions.domain, "density_at_latents")
    latents, _ = as_points(z, "z")
    images = np.atleast_2d(regions.net(latents))
    own = own_terms(regions, given, latents)
    if not others:
        known = np.isfinite(own)
        many = np.ones(len(latents), dtype=np.int64) * known
        singular = _is_singular(regions, latents)
        return Density(regions, given, own, many, singular, True, regions.sampled)
    refuse_partial(regions, "density_at_latents with others=True", "; or take others=False")
    found = _sums(regions, images, given, tol)
    # Regions of a sampled set may miss the latent's own; its term is there all the same.
    logs = np.maximum(found.log_values, own)
    many = np.maximum(found.n_preimages, np.isfinite(own))
    singular = found.singular | _is_singular(regions, latents)
    return Density(regions, given, logs, many, singular, found.lower_bound, regions.sampled)


def own_terms(regions: RegionSet, prior: Prior, latents: Floats) -> Floats:
    """``log p_z(z) - log sqrt det(AᵀA)`` of latents (B, S), (B,); minus infinity below rank S."""
    terms = log_factors_at(regions, latents)
    inside = np.asarray(regions.domain.contains(latents))
    logs = prior.logpdf(latents)
    known = np.isfinite(terms) & inside
    return np.where(known, logs - np.where(known, terms, 0.0), -np.inf)


def log_factors_at(regions: RegionSet, latents: Floats) -> Floats:
    """``log sqrt det(AᵀA)`` of the piece of each of some latents (B, S), (B,); -inf below rank S."""
    net = regions.net
    found = np.empty(len(latents))
    for low in range(0, len(latents), _CHUNK):
        codes, place = np.unique(net.code(latents[low : low + _CHUNK]), axis=0, return_inverse=True)
        values = singular_values(affine_maps_of_codes(net, codes)[0])
        full = numerical_ranks(values, net.ambient_dim, net.latent_dim) == net.latent_dim
        logs = np.where(full, np.log(np.where(full[:, None], values, 1.0)).sum(axis=1), -np.inf)
        found[low : low + _CHUNK] = logs[place.reshape(-1)]
    return found


def _is_singular(regions: RegionSet, latents: Floats) -> Flags:
    """Whether each latent is in a closed region of rank below S."""
    found = np.asarray(np.isneginf(log_factors_at(regions, latents)))
    pieces = closed_pieces(regions.net.layers, latents)
    index: CodeIndex | None = None
    for place in np.flatnonzero(pieces.on_knot & ~found).tolist():
        # The map of a point on a knot is that of the lower pieces; the regions beside may have other ranks.
        if index is None:
            packing = CodePacking(regions.net.n_pieces)
            index = CodeIndex(packing, packing.pack(regions.codes))
        beside = index.all_within(pieces, place)
        slopes = affine_maps_of_codes(regions.net, regions.codes[beside])[0]
        ranks = numerical_ranks(singular_values(slopes), regions.net.ambient_dim, regions.net.latent_dim)
        found[place] = (ranks < regions.net.latent_dim).any()
    return np.asarray(found & np.asarray(regions.domain.contains(latents)))


def _targets(regions: RegionSet, x: npt.ArrayLike) -> Floats:
    points, _ = as_points(x, "x")
    if points.shape[1] != regions.net.ambient_dim:
        raise ShapeError(
            f"x: expected shape (B, {regions.net.ambient_dim}), as many as the network has outputs, got "
            f"{np.shape(x)}."
        )
    return points


def _summed(cover: Cover, prior: Prior, found: Preimages, count: int) -> tuple[Floats, Integers]:
    """Log of the sum of the terms of each target, and their number."""
    logs = np.full(count, -np.inf)
    if len(found.target):
        terms = prior.logpdf(found.z) - cover.log_factors[found.region]
        np.logaddexp.at(logs, found.target, terms)
    return logs, np.bincount(found.target, minlength=count).astype(np.int64)


@dataclass(frozen=True, eq=False, repr=False)
class RankMass(Brief):
    """Mass of the generated distribution by the dimension of what carries it.

    Attributes
    ----------
    probabilities
        Of the regions.
    masses
        (S + 1,) probability that z is in a region of rank 0 (atoms), 1, ..., S. Only the last has a
        density with respect to S-dimensional measure.
    standard_errors
        (S + 1,), None where probabilities only round.
    counts
        (S + 1,) number of regions.
    """

    probabilities: Probabilities
    masses: Floats
    standard_errors: Floats | None
    counts: Integers

    @property
    def singular(self) -> float:
        """Mass in regions of rank below S."""
        return float(self.masses[:-1].sum())


@gradual_underflow()
def mass_by_rank(source: Source, prior: PriorLike = None, *, known: Probabilities | None = None) -> RankMass:
    """Mass of the generated distribution by the rank of the regions it comes from.

    Parameters
    ----------
    source : Partition or RegionSet
    prior : Prior, callable or str, optional
    known : Probabilities, optional
        Of the same regions, instead of a prior.

    Returns
    -------
    RankMass

    Raises
    ------
    ArgumentError
        If the partition is partial, or `known` is of other regions.

    Notes
    -----
    Guarantee: as that of the probabilities; ranks are numerical.
    """
    regions = region_set(source)
    refuse_partial(regions, "mass_by_rank")
    found = probabilities(regions, prior) if known is None else known
    check_same_regions(found.regions, regions, "mass_by_rank", "the probabilities")
    ranks = region_spectra(regions).ranks
    width = regions.net.latent_dim + 1
    masses = np.bincount(ranks, weights=found.values, minlength=width)
    spread = None
    if found.standard_errors is not None:
        if found.method is ProbabilityMethod.DRAWS:
            careful = (masses * found.n_draws + 1.0) / (found.n_draws + 2.0)
            spread = np.sqrt(careful * (1.0 - careful) / found.n_draws)
        else:
            spread = np.sqrt(np.bincount(ranks, weights=found.standard_errors**2, minlength=width))
    counts = np.bincount(ranks, minlength=width).astype(np.int64)
    return RankMass(found, np.asarray(masses, dtype=np.float64), spread, counts)
