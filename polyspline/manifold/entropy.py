"""Entropy of the generated distribution (Cor. 1), its correction, and what it is worth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from polyspline.errors import ArgumentError
from polyspline.inversion.injectivity import InjectivityVerdict, injectivity
from polyspline.manifold.covering import Cover, refuse_partial
from polyspline.manifold.density import log_factors_at, mass_by_rank, own_terms, sums_at_latents
from polyspline.manifold.locating import Locator
from polyspline.manifold.priors import GivenPrior, Prior, PriorLike, UniformPrior, as_prior, same_prior
from polyspline.manifold.probability import Probabilities, ProbabilityMethod, probabilities
from polyspline.manifold.regions import (
    RegionSet,
    Source,
    check_same_regions,
    default_sampler,
    region_set,
)
from solvers.float_mode import gradual_underflow
from solvers.status import KeyedEnum

Floats = npt.NDArray[np.float64]

_MOST_ROUNDS = 1000
_FEWEST_TOLD = 64
_TIMES_TOLD = 20

Mask = Callable[[Floats], npt.NDArray[np.bool_]]


class EntropyStatus(KeyedEnum):
    """What the value of an entropy is worth; the value is the sentence to show."""

    EXACT = "the network is injective: the value is the entropy"
    CORRECTED = "the value has the estimated entropy of the latent given the image taken off"
    UPPER_BOUND = "the network may be, or is, not injective: the value is an upper bound of the entropy"
    SINGULAR = "some mass is on pieces of lower dimension: there is no density, and the entropy is -inf"


@dataclass(frozen=True, eq=False)
class Entropy:
    """Differential entropy of G(z) in nats, with respect to S-dimensional Hausdorff measure.

    Attributes
    ----------
    regions
        What it was computed on.
    value
        ``prior_entropy + volume_term - correction``; minus infinity if there is singular mass.
    status
        What the value is worth.
    standard_error
        Of the value; None where all parts only round.
    prior_entropy
        E(p_z), of the prior given that z is in the domain.
    volume_term
        ``Σ P(ω) log sqrt det(AᵀA)`` over the regions of rank S, divided by their mass.
    correction
        Estimate of H(Z given X), at least 0 but for noise; None if it was not asked for.
    covered
        Mass of the prior in these regions; the rest is outside the domain and left out.
    singular_mass
        Share of it in regions of rank below S.
    how
        How each part was obtained.
    sampled
        Whether the volume term is a mean over draws of z rather than a sum over regions.
    full_rank_value
        Entropy of G(z) given that z is in a region of rank S: `value` where there is no singular mass, else
        an upper bound, and finite though `value` is not. NaN if there is no region of rank S.
    """

    regions: RegionSet
    value: float
    status: EntropyStatus
    standard_error: float | None
    prior_entropy: float
    volume_term: float
    correction: float | None
    covered: float
    singular_mass: float
    how: str
    sampled: bool
    full_rank_value: float

    @property
    def exact(self) -> bool:
        """Whether the value is the entropy itself (up to its error), not an upper bound."""
        return self.status in (EntropyStatus.EXACT, EntropyStatus.CORRECTED, EntropyStatus.SINGULAR)

    def __repr__(self) -> str:
        """Show the value, its error and its status."""
        return f"Entropy({self.value:.6g}, {self.status.key}, standard_error={self.standard_error})"


class _Part(NamedTuple):
    """A part of the sum, its variance (None where it only rounds), and how it was obtained."""

    value: float
    variance: float | None
    how: str


@gradual_underflow()
def entropy(
    source: Source,
    prior: PriorLike = None,
    *,
    injective: bool | str | None = None,
    known: Probabilities | None = None,
    correction_draws: int = 0,
    n_draws: int = 100_000,
    volume_draws: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Entropy:
    """Entropy of the generated distribution, and whether it is exact or an upper bound.

    Parameters
    ----------
    source : Partition or RegionSet
        A partition must be complete. On regions met by sampling, the volume term is a mean
        over draws of the prior.
    prior : Prior, callable or str, optional
        See `as_prior`. What it has outside the domain is left out: the prior is that given that z
        is in the domain.
    injective : bool or str, optional
        Whether G is known to be injective on the domain; ``"decide"`` has it decided (exactly, see
        `polyspline.inversion.injectivity`). By default not known.
    known : Probabilities, optional
        Of the regions under the prior, if they are known already.
    correction_draws : int
        Number of draws of z from which H(Z given X) is estimated and taken off; 0 leaves it.
    n_draws : int
        Draws of the prior, where the prior's entropy or the volume term needs them.
    volume_draws : int, optional
        Draws of the volume term on regions met by sampling, if not `n_draws`: each costs a slope and its
        singular values.
    seed : int
    progress : callable, optional
        ``progress(done, of)`` is called between chunks of the draws of the volume term.

    Returns
    -------
    Entropy

    Raises
    ------
    ArgumentError
        If the partition is partial, or an argument is out of its range.
    ShapeError
        If the prior has another dimension.

    Notes
    -----
    Guarantee: with a uniform prior over the domain, and with the standard normal on the whole
    line, rounded; else estimated, with a standard error to first order.

    ``E(p_G) = E(p_z) + Σ P(ω) log sqrt det(AᵀA) - H(Z given X)``; the last term is zero if and only if
    G is injective almost everywhere. With it estimated (the mean of ``log Σ terms - log own
    term`` over preimages) the value is exact up to its error.

    References
    ----------
    Max-affine spline insights, Cor. 1, which holds for injective G as printed.
    """
    regions = region_set(source)
    refuse_partial(regions, "entropy")
    given = as_prior(known.prior if prior is None and known is not None else prior, regions.domain, "entropy")
    if known is not None:
        check_same_regions(known.regions, regions, "entropy", "the probabilities")
        if not same_prior(given, known.prior):
            raise ArgumentError(
                f"entropy: the probabilities are those of another prior, a {type(known.prior).__name__}, and "
                f"not of the {type(given).__name__} that is given; expected one prior: leave one of them out."
            )
    many = n_draws if volume_draws is None else volume_draws
    if min(n_draws, many) < 2 or correction_draws < 0 or correction_draws == 1:
        raise ArgumentError(
            "entropy: n_draws must be at least 2, volume_draws too, and correction_draws 0 or at least 2."
        )
    one_to_one = _is_injective(regions, injective)
    rng = np.random.default_rng(seed)
    if regions.sampled:
        term, covered, singular = _by_draws(regions, given, many, rng, progress)
    else:
        found = probabilities(regions, given, seed=seed) if known is None else known
        term, covered, singular = _by_regions(regions, found)
    latent = _prior_entropy(regions, given, n_draws, rng)
    correction = None
    if singular > 0:
        status = EntropyStatus.SINGULAR
    elif correction_draws and not one_to_one:
        correction = _correction(regions, given, correction_draws, rng)
        status = EntropyStatus.CORRECTED if regions.complete else EntropyStatus.UPPER_BOUND
    else:
        status = EntropyStatus.EXACT if one_to_one else EntropyStatus.UPPER_BOUND
    parts = [latent, term] if correction is None else [latent, term, correction]
    variances = [part.variance for part in parts if part.variance is not None]
    value = latent.value + term.value - (0.0 if correction is None else correction.value)
    within = value
    if singular > 0:
        within = _within_full_rank(regions, given, singular, many if regions.sampled else n_draws, rng)
        within += term.value
    return Entropy(
        regions,
        -math.inf if singular > 0 else value,
        status,
        math.sqrt(sum(variances)) if variances else None,
        latent.value,
        term.value,
        None if correction is None else correction.value,
        covered,
        singular,
        "; ".join(part.how for part in parts),
        regions.sampled,
        within,
    )


def _is_injective(regions: RegionSet, asked: bool | str | None) -> bool:
    if asked is None or isinstance(asked, bool):
        return bool(asked)
    if asked != "decide":
        raise ArgumentError(f"entropy: injective is {asked!r}; expected True, False, None or 'decide'.")
    if regions.partition is None:
        raise ArgumentError(
            "entropy: that G is injective can be decided on a complete partition only; give injective=True "
            "or False, or a partition."
        )
    verdict = injectivity(regions.net, regions.domain, regions.partition).verdict
    return verdict is InjectivityVerdict.INJECTIVE


def _by_regions(regions: RegionSet, found: Probabilities) -> tuple[_Part, float, float]:
    """Volume term, mass of all regions and share of the singular ones, from probabilities."""
    logs = Cover(regions).log_factors
    masses = mass_by_rank(regions, known=found)
    full = np.isfinite(logs)
    whole = float(found.values[full].sum())
    how = f"volume term: {found.method.value}"
    if not whole > 0:
        return _Part(math.nan, None, how), found.total, 1.0
    mean = float(found.values[full] @ logs[full]) / whole
    variance = None
    if found.standard_errors is not None:
        away = logs[full] - mean
        if found.method is ProbabilityMethod.DRAWS:
            variance = float(found.values[full] @ away**2) / (whole**2 * found.n_draws)
        else:
            variance = float(np.sum((found.standard_errors[full] * away) ** 2)) / whole**2
    return _Part(mean, variance, how), found.total, masses.singular / found.total


def _by_draws(
    regions: RegionSet,
    prior: Prior,
    n_draws: int,
    rng: np.random.Generator,
    progress: Callable[[int, int], None] | None,
) -> tuple[_Part, float, float]:
    """Volume term, mass of the domain and share of singular pieces, from draws of the prior."""
    latents = prior.sample(rng, n_draws)
    inside = latents[np.asarray(regions.domain.contains(latents))]
    parts = [np.empty(0)]
    step = max(_FEWEST_TOLD, len(inside) // _TIMES_TOLD)
    for low in range(0, len(inside), step):
        if progress is not None:
            progress(low, len(inside))
        parts.append(log_factors_at(regions, inside[low : low + step]))
    logs = np.concatenate(parts)
    full = logs[np.isfinite(logs)]
    how = f"volume term: mean over {len(full)} draws of the prior"
    covered = len(inside) / n_draws
    if len(full) < 2:
        return _Part(math.nan, None, how), covered, 1.0
    singular = 1.0 - len(full) / len(inside)
    return _Part(float(full.mean()), float(full.var(ddof=1)) / len(full), how), covered, singular


def _prior_entropy(regions: RegionSet, prior: Prior, n_draws: int, rng: np.random.Generator) -> _Part:
    """Entropy of the prior given that z is in the domain."""
    domain = regions.domain
    whole = not domain.bounded or (isinstance(prior, UniformPrior) and prior.domain == domain)
    if whole and prior.entropy is not None:
        return _Part(prior.entropy, None, "prior's entropy: in closed form")
    if isinstance(prior, GivenPrior) and prior.sampler is None:
        return _entropy_by_points(regions, prior, n_draws, rng)
    latents = prior.sample(rng, n_draws)
    logs = prior.logpdf(latents[np.asarray(domain.contains(latents))])
    if len(logs) < 2:
        raise ArgumentError(
            f"entropy: {len(logs)} of {n_draws} draws of the prior are inside {domain!r}: take a domain that "
            "holds it, or more draws."
        )
    share = len(logs) / n_draws
    variance = float(logs.var(ddof=1)) / len(logs) + (1.0 - share) / (share * n_draws)
    how = f"prior's entropy: mean over {len(logs)} draws in the domain"
    return _Part(math.log(share) - float(logs.mean()), variance, how)


def _within_full_rank(
    regions: RegionSet, prior: Prior, singular: float, n_draws: int, rng: np.random.Generator
) -> float:
    """Entropy of the prior given that z is in a region of rank S; NaN if it cannot be told."""
    if singular >= 1.0:
        return math.nan
    if isinstance(prior, UniformPrior) and prior.domain == regions.domain:
        return prior.entropy + math.log1p(-singular)
    if regions.sampled:

        def full(points: Floats) -> npt.NDArray[np.bool_]:
            return np.isfinite(log_factors_at(regions, points))

    else:
        ranks = np.isfinite(Cover(regions).log_factors)
        locator = Locator(regions)

        def full(points: Floats) -> npt.NDArray[np.bool_]:
            place = locator.locate(points)
            return np.asarray((place >= 0) & ranks[place])

    if isinstance(prior, GivenPrior) and prior.sampler is None:
        return _entropy_by_points(regions, prior, n_draws, rng, full).value
    latents = prior.sample(rng, n_draws)
    latents = latents[np.asarray(regions.domain.contains(latents))]
    logs = prior.logpdf(latents[full(latents)])
    return math.log(len(logs) / n_draws) - float(logs.mean()) if len(logs) else math.nan


def _entropy_by_points(
    regions: RegionSet, prior: Prior, count: int, rng: np.random.Generator, among: Mask | None = None
) -> _Part:
    """Entropy of a prior without a sampler, from uniform points of a bounded domain; among some of them."""
    if not regions.domain.bounded:
        raise ArgumentError(
            "entropy: over an unbounded domain the prior needs a sampler: GivenPrior(..., sampler=...)."
        )
    points = np.asarray(default_sampler(regions.domain)(rng, count), dtype=np.float64)
    logs = prior.logpdf(points)
    if among is not None:
        logs = np.where(among(points), logs, -np.inf)
    volume = UniformPrior(regions.domain).volume
    density = np.exp(logs)
    mean = float(density.mean())
    weighted = np.where(density > 0, density * np.where(density > 0, logs, 0.0), 0.0)
    ratio = float(weighted.mean()) / mean
    # -ratio + log(volume * mean), to first order in both means.
    away = (weighted - ratio * density) / mean - (density / mean - 1.0)
    variance = float(np.mean(away**2)) / count
    how = f"prior's entropy: {count} uniform points of the domain"
    return _Part(math.log(volume * mean) - ratio, variance, how)


def _correction(regions: RegionSet, prior: Prior, count: int, rng: np.random.Generator) -> _Part:
    """Entropy of the latent given its image, from draws."""
    latents = np.empty((0, regions.net.latent_dim))
    for _ in range(_MOST_ROUNDS):
        drawn = prior.sample(rng, count)
        latents = np.concatenate([latents, drawn[np.asarray(regions.domain.contains(drawn))]])
        if len(latents) >= count:
            break
    latents = latents[:count]
    found = sums_at_latents(regions, latents, prior)
    gains = found.log_values - own_terms(regions, prior, latents)
    how = f"correction: mean over {len(gains)} draws of all preimages' terms over the own one"
    return _Part(float(gains.mean()), float(gains.var(ddof=1)) / len(gains), how)
