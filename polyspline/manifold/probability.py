"""Probability that the latent point is in each region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from polyspline.errors import ArgumentError
from polyspline.manifold.locating import Locator, shares_of
from polyspline.manifold.priors import GaussianPrior, Prior, PriorLike, UniformPrior, as_prior
from polyspline.manifold.region_polytopes import region_polytopes
from polyspline.manifold.region_rows import region_ends
from polyspline.manifold.regions import RegionSet, Source, region_set
from polyspline.manifold.volumes import MOST_DIMENSIONS, Volumes, check_few_dimensions, volumes
from solvers.float_mode import gradual_underflow
from solvers.status import KeyedEnum

Floats = npt.NDArray[np.float64]

_CHUNK_DRAWS = 65536
_CHUNK_POINTS = 500_000


class ProbabilityMethod(KeyedEnum):
    """How probabilities were obtained; the value is the sentence to show."""

    VOLUME = "shares of the volume of the uniform prior's domain, rounded"
    CDF = "differences of the normal distribution function at the ends of each interval, rounded"
    POLYTOPE = "volume of each region times the mean density at uniform points of it"
    DRAWS = "shares of draws of the prior"


@dataclass(frozen=True, eq=False)
class Probabilities:
    """P(z in ω) of every region.

    Attributes
    ----------
    regions
        What it was computed on.
    prior
        Distribution of z.
    values
        (R,) probabilities.
    standard_errors
        (R,) where the method draws; None where it only rounds.
    method
        How they were obtained.
    total
        Their sum: 1, less what the prior has outside these regions.
    total_error
        Standard error of the sum; None where the method only rounds.
    n_draws
        Draws of the prior, or points in each polytope; 0 where the method only rounds.
    sampled
        Whether the regions were met by sampling.
    """

    regions: RegionSet
    prior: Prior
    values: Floats
    standard_errors: Floats | None
    method: ProbabilityMethod
    total: float
    total_error: float | None
    n_draws: int
    sampled: bool

    def mean(self, values: npt.ArrayLike) -> tuple[float, float | None]:
        """Sum of P(ω) times a value of each region, and its standard error (None if only rounded).

        Values of regions of probability 0 are not looked at.
        """
        numbers = np.where(self.values > 0, np.asarray(values, dtype=np.float64), 0.0)
        mean = float(self.values @ numbers)
        if self.standard_errors is None:
            return mean, None
        if self.method is ProbabilityMethod.DRAWS:
            spread = float(self.values @ numbers**2) - mean**2
            return mean, float(np.sqrt(max(spread, 0.0) / self.n_draws))
        return mean, float(np.sqrt(np.sum((self.standard_errors * numbers) ** 2)))

    def __repr__(self) -> str:
        """Show the method and the sum."""
        return (
            f"Probabilities({len(self.values)} regions, by {self.method.key}, total={self.total:.6g}, "
            f"total_error={self.total_error})"
        )


@gradual_underflow()
def probabilities(
    source: Source,
    prior: PriorLike = None,
    *,
    method: ProbabilityMethod | str | None = None,
    n_draws: int | None = None,
    seed: int = 0,
) -> Probabilities:
    """P(z in ω) of every region under a prior.

    Parameters
    ----------
    source : Partition or RegionSet
    prior : Prior, callable or str, optional
        See `as_prior`; uniform over a bounded domain, else standard normal.
    method : ProbabilityMethod or str, optional
        ``"volume"`` (a uniform prior over the domain), ``"cdf"`` (a normal prior, S = 1),
        ``"polytope"`` (any prior; bounded domains, S <= 8), ``"draws"`` (any prior with a sampler).
        The first of these that can by default, but draws for a uniform prior if S > 8.
    n_draws : int, optional
        Draws of the prior (100,000 by default), or uniform points in each region (256).
    seed : int

    Returns
    -------
    Probabilities

    Raises
    ------
    ArgumentError
        If the method does not fit the prior or the domain, or `n_draws` is too small.
    ShapeError
        If the prior has another dimension.

    Notes
    -----
    Guarantee: by volume and by the distribution function rounded. By polytope and by draws
    unbiased, with standard errors: by polytope those of the mean of the density over independent
    uniform points of each region, which is small where the density varies little over regions; by
    draws those of a share, of ``(k + 1) / (n + 2)``, so that no region is called empty.
    """
    regions = region_set(source)
    given = as_prior(prior, regions.domain, "probabilities")
    chosen = _method_of(method, regions, given)
    if chosen is ProbabilityMethod.VOLUME:
        return from_volumes(volumes(regions), given)
    if chosen is ProbabilityMethod.CDF:
        return _by_cdf(regions, given)
    count = n_draws if n_draws is not None else 256 if chosen is ProbabilityMethod.POLYTOPE else 100_000
    if count < 2:
        raise ArgumentError(f"probabilities: n_draws must be at least 2, got {n_draws}.")
    if chosen is ProbabilityMethod.POLYTOPE:
        return _by_polytope(regions, given, count, seed)
    return _by_draws(regions, given, count, seed)


def from_volumes(latent: Volumes, prior: Prior) -> Probabilities:
    """Probabilities under the uniform prior over the regions' domain, from volumes known already.

    Raises
    ------
    ArgumentError
        If the prior is not that.
    """
    if not isinstance(prior, UniformPrior) or prior.domain != latent.regions.domain:
        raise ArgumentError(
            "probabilities by volume need the uniform prior over the domain of the regions; take "
            "method='polytope' or 'draws' for others."
        )
    whole = latent.domain_volume
    spread = None if latent.standard_errors is None else latent.standard_errors / whole
    values = latent.values / whole
    total = float(values.sum())
    # Regions that were drawn from share the draws: so does their sum.
    missed = None if spread is None else float(np.sqrt(max(total * (1.0 - total), 0.0) / latent.n_draws))
    how = ProbabilityMethod.VOLUME if spread is None else ProbabilityMethod.DRAWS
    return Probabilities(
        latent.regions, prior, values, spread, how, total, missed, latent.n_draws, latent.sampled
    )


def _method_of(method: ProbabilityMethod | str | None, regions: RegionSet, prior: Prior) -> ProbabilityMethod:
    dim = regions.net.latent_dim
    own_uniform = isinstance(prior, UniformPrior) and prior.domain == regions.domain
    fits = {
        ProbabilityMethod.VOLUME: own_uniform,
        ProbabilityMethod.CDF: isinstance(prior, GaussianPrior) and dim == 1,
        ProbabilityMethod.POLYTOPE: regions.domain.bounded,
        ProbabilityMethod.DRAWS: True,
    }
    if method is None:
        few = dim <= MOST_DIMENSIONS
        return next(one for one, fit in fits.items() if fit and (few or one is ProbabilityMethod.DRAWS))
    for one, fit in fits.items():
        if method in (one, one.key):
            if not fit:
                raise ArgumentError(
                    f"probabilities: method '{one.key}' does not fit {type(prior).__name__} over "
                    f"{regions.domain!r}; expected one of "
                    f"{', '.join(repr(other.key) for other in fits if fits[other])}."
                )
            return one
    raise ArgumentError(
        f"probabilities: method is {method!r}; expected one of "
        f"{', '.join(repr(one.key) for one in ProbabilityMethod)}."
    )


def _by_cdf(regions: RegionSet, prior: Prior) -> Probabilities:
    assert isinstance(prior, GaussianPrior)
    ends = (region_ends(regions) - prior.mean[0]) / prior.factor[0, 0]
    # In the upper tail the distribution function rounds to 1: take its mirror image there.
    mirrored = ends[:, :1] > 0
    ends = np.where(mirrored, -ends[:, ::-1], ends)
    values = np.asarray(ndtr(ends[:, 1]) - ndtr(ends[:, 0]))
    total = float(values.sum())
    how = ProbabilityMethod.CDF
    return Probabilities(regions, prior, values, None, how, total, None, 0, regions.sampled)


def _by_polytope(regions: RegionSet, prior: Prior, count: int, seed: int) -> Probabilities:
    check_few_dimensions(regions, "probabilities", "probabilities(source, prior, method='draws')")
    rng = np.random.default_rng(seed)
    values, spread = np.empty(len(regions)), np.empty(len(regions))
    step = max(1, _CHUNK_POINTS // count)
    for low in range(0, len(regions), step):
        for batch in region_polytopes(regions, np.arange(low, min(low + step, len(regions)))):
            points = batch.sample(np.full(len(batch.which), count, dtype=np.int64), rng)
            density = np.exp(prior.logpdf(points)).reshape(-1, count)
            values[batch.which] = batch.volumes * density.mean(axis=1)
            spread[batch.which] = batch.volumes * density.std(axis=1, ddof=1) / np.sqrt(count)
    total, missed = float(values.sum()), float(np.sqrt(np.sum(spread**2)))
    how = ProbabilityMethod.POLYTOPE
    return Probabilities(regions, prior, values, spread, how, total, missed, count, regions.sampled)


def _by_draws(regions: RegionSet, prior: Prior, n_draws: int, seed: int) -> Probabilities:
    rng, locator = np.random.default_rng(seed), Locator(regions)
    counts = np.zeros(len(regions), dtype=np.int64)
    for low in range(0, n_draws, _CHUNK_DRAWS):
        counts += locator.counts(prior.sample(rng, min(_CHUNK_DRAWS, n_draws - low)))
    shares = shares_of(counts, n_draws)
    total = float(counts.sum() / n_draws)
    missed = float(shares_of(counts.sum(keepdims=True), n_draws).standard_errors[0])
    how = ProbabilityMethod.DRAWS
    return Probabilities(
        regions, prior, shares.values, shares.standard_errors, how, total, missed, n_draws, regions.sampled
    )
