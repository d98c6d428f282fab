"""Uniformity on the manifold (Prop. 6): a test, and latents whose images are uniform."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyspline.errors import ArgumentError, DomainError
from polyspline.manifold.brief import Brief
from polyspline.manifold.covering import Cover, refuse_partial
from polyspline.manifold.density import log_factors_at
from polyspline.manifold.region_polytopes import region_polytopes
from polyspline.manifold.regions import (
    RegionSet,
    Source,
    check_same_regions,
    default_sampler,
    region_set,
)
from polyspline.manifold.volumes import MOST_DIMENSIONS, VolumeMethod, Volumes, volumes
from solvers.float_mode import gradual_underflow
from solvers.status import KeyedEnum

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_CHUNK_TARGETS = 1024


class UniformityVerdict(KeyedEnum):
    """Whether uniform latents have uniform images; the value is the sentence to show."""

    UNIFORM = "all regions are stretched alike and the network is injective: uniform on the manifold"
    EQUAL_STRETCH = "all regions are stretched alike: uniform on the manifold if the network is injective"
    UNEQUAL_STRETCH = (
        "regions are stretched differently: not uniform on the manifold if the network is injective"
    )
    NOT_UNIFORM = "regions are stretched differently and the network is injective: not uniform"
    SINGULAR = "some region is sent to lower dimension: not uniform in dimension S"


@dataclass(frozen=True, eq=False)
class Uniformity:
    """Outcome of `uniformity`.

    Attributes
    ----------
    regions
        What it was computed on.
    verdict
        What is known; for regions met by sampling, of these.
    log_factors
        (R,) log sqrt det(AᵀA); minus infinity below rank S.
    centre
        Their median.
    worst
        Region whose factor is farthest from the median, a singular one first.
    worst_ratio
        Its factor over the median one; 0 if singular.
    ratio
        Largest factor over the smallest; infinite if a region is singular, see `full_rank_ratio`.
    sampled
        Whether the regions were met by sampling.
    """

    regions: RegionSet
    verdict: UniformityVerdict
    log_factors: Floats
    centre: float
    worst: int
    worst_ratio: float
    ratio: float
    sampled: bool

    @property
    def full_rank_ratio(self) -> float:
        """Largest factor over the smallest among the regions of rank S; NaN if there are none."""
        logs = self.log_factors[np.isfinite(self.log_factors)]
        with np.errstate(over="ignore"):
            return float(np.exp(np.ptp(logs))) if len(logs) else float("nan")

    def __repr__(self) -> str:
        """Show the verdict, the ratio and the worst region."""
        return f"Uniformity({self.verdict.key}, ratio={self.ratio:.6g}, worst={self.worst})"


@gradual_underflow()
def uniformity(source: Source, *, injective: bool | None = None, tol: float = 1e-9) -> Uniformity:
    """Test whether uniform latents have images that are uniform on the manifold.

    Parameters
    ----------
    source : Partition or RegionSet
        A partition must be complete.
    injective : bool, optional
        Whether G is known to be injective on the domain.
    tol : float
        Relative difference of factors up to which they count as equal.

    Returns
    -------
    Uniformity

    Raises
    ------
    ArgumentError
        If the partition is partial, or `tol` is negative.

    Notes
    -----
    Guarantee: rounded. If G is not injective, equal factors are neither needed nor enough: the
    density is a sum over preimages, see `density`.

    References
    ----------
    Max-affine spline insights, Prop. 6, which needs that G is injective.
    """
    regions = region_set(source)
    refuse_partial(regions, "uniformity")
    if not tol >= 0:
        raise ArgumentError(f"uniformity: tol must be at least 0, got {tol}.")
    logs = Cover(regions).log_factors
    full = np.isfinite(logs)
    if not full.all():
        centre = float(np.median(logs[full])) if full.any() else -np.inf
        worst = int(np.flatnonzero(~full)[0])
        verdict = UniformityVerdict.SINGULAR
        return Uniformity(regions, verdict, logs, centre, worst, 0.0, np.inf, regions.sampled)
    centre = float(np.median(logs))
    worst = int(np.abs(logs - centre).argmax())
    spread = float(np.ptp(logs))
    if spread <= np.log1p(tol):
        verdict = UniformityVerdict.UNIFORM if injective else UniformityVerdict.EQUAL_STRETCH
    else:
        verdict = UniformityVerdict.NOT_UNIFORM if injective else UniformityVerdict.UNEQUAL_STRETCH
    with np.errstate(over="ignore"):
        ratio, off = float(np.exp(spread)), float(np.exp(logs[worst] - centre))
    return Uniformity(regions, verdict, logs, centre, worst, off, ratio, regions.sampled)


class ResamplingMethod(KeyedEnum):
    """How latents were resampled; the value is the sentence to show."""

    REGIONS = "a region by its weight, then a uniform point of it by triangulation: independent and exact"
    CANDIDATES = "uniform latents, chosen again by their weights with replacement: approximate, and repeated"


@dataclass(frozen=True, eq=False, repr=False)
class Resampling(Brief):
    """Latents whose images have a density on the manifold proportional to a power of the stretch.

    Attributes
    ----------
    z
        (n, S) latents.
    region
        (n,) region of each; -1 where it was not looked for.
    exponent
        ρ: 1 is uniform on the manifold, 0 uniform in the domain.
    method
        How they were made.
    effective_size
        How many independent draws the latents are worth, to first order.
    once
        Whether overlaps of the image count once; if not, once for each sheet.
    sampled
        Whether the regions were met by sampling.
    """

    z: Floats
    region: Integers
    exponent: float
    method: ResamplingMethod
    effective_size: float
    once: bool
    sampled: bool


@gradual_underflow()
def resample(
    source: Source,
    n: int,
    *,
    exponent: float = 1.0,
    latent: Volumes | None = None,
    once: bool = False,
    candidates: int | None = None,
    seed: int = 0,
) -> Resampling:
    """Draw latents so that their images are uniform on the manifold.

    Parameters
    ----------
    source : Partition or RegionSet
        A partition must be complete, over a bounded domain. For regions met by sampling, and if S > 8,
        latents are chosen among uniform candidates.
    n : int
        Number of latents, at least 1.
    exponent : float
        ρ: latents have a density proportional to ``sqrt(det(AᵀA))^ρ``. 1 makes images uniform, 0
        leaves latents uniform; more than 1 favours what is stretched, negative ones what is shrunk.
    latent : Volumes, optional
        Of the regions, if known already.
    once : bool
        Whether points of the image with several preimages count once. By default each sheet
        counts, which is the same if G is injective. Thinned by rejection: the exponent must be 1.
    candidates : int, optional
        Number of candidates, 20 n by default.
    seed : int

    Returns
    -------
    Resampling

    Raises
    ------
    ArgumentError
        If the partition is partial, an argument is out of its range, all regions have weight 0, or
        the exponent is negative while a region is sent to lower dimension.
    DomainError
        If the domain is unbounded.

    Notes
    -----
    Guarantee: by regions the draws are independent and exact up to the rounding of the weights
    ``vol(ω) sqrt(det(AᵀA))^ρ``; from candidates they converge as their number grows.

    References
    ----------
    Max-affine spline insights, Prop. 6.
    """
    regions = region_set(source)
    refuse_partial(regions, "resample")
    _check(regions, n, exponent, once, candidates)
    rng = np.random.default_rng(seed)
    by_regions = regions.net.latent_dim <= MOST_DIMENSIONS and regions.complete and candidates is None
    if not by_regions:
        z, size = _from_candidates(regions, n, exponent, 20 * n if candidates is None else candidates, rng)
        how, region = ResamplingMethod.CANDIDATES, np.full(n, -1, dtype=np.int64)
    else:
        chances = _chances(regions, exponent, latent)
        draw = _thinned if once else _from_regions
        z, region = draw(regions, chances, n, rng)
        how, size = ResamplingMethod.REGIONS, float(n)
    return Resampling(z, region, exponent, how, size, once, regions.sampled)


def _check(regions: RegionSet, n: int, exponent: float, once: bool, candidates: int | None) -> None:
    if n < 1 or (candidates is not None and candidates < 1):
        raise ArgumentError("resample: n and candidates must be at least 1.")
    if not np.isfinite(exponent):
        raise ArgumentError(f"resample: the exponent must be finite, got {exponent}.")
    if not regions.domain.bounded:
        raise DomainError(
            "resample: there are no uniform latents over an unbounded domain; enumerate over a Box or a "
            "Polytope."
        )
    if once and (exponent != 1.0 or candidates is not None or not regions.complete):
        raise ArgumentError(
            "resample: once=True needs exponent=1, no candidates and a complete partition, whose "
            "preimages can be counted."
        )


def _weights(logs: Floats, exponent: float) -> Floats:
    """``factor^ρ`` up to a constant; a factor of 0 to the power of 0 is 1."""
    if exponent == 0.0:
        return np.ones(len(logs))
    if exponent < 0 and np.isneginf(logs).any():
        raise ArgumentError(
            f"resample: the exponent is {exponent}, but some region is sent to lower dimension, whose weight "
            "would be infinite; expected an exponent of at least 0."
        )
    powers = exponent * logs
    top = float(powers.max(initial=-np.inf))
    if not np.isfinite(top):
        raise ArgumentError("resample: all regions are sent to lower dimension; expected one of rank S.")
    return np.asarray(np.exp(powers - top))


def _chances(regions: RegionSet, exponent: float, latent: Volumes | None) -> Floats:
    known = volumes(regions) if latent is None else latent
    check_same_regions(known.regions, regions, "resample", "the volumes")
    if known.method is not VolumeMethod.VERTICES:
        raise ArgumentError("resample: the volumes must be measured by vertices; or give candidates.")
    weights = known.values * _weights(Cover(regions).log_factors, exponent)
    return np.asarray(weights / weights.sum())


def _from_regions(
    regions: RegionSet, chances: Floats, n: int, rng: np.random.Generator
) -> tuple[Floats, Integers]:
    counts = rng.multinomial(n, chances)
    which = np.flatnonzero(counts)
    parts = [
        batch.sample(counts[batch.which].astype(np.int64), rng) for batch in region_polytopes(regions, which)
    ]
    order = rng.permutation(n)
    return np.concatenate(parts)[order], np.repeat(which, counts[which])[order].astype(np.int64)


def _thinned(
    regions: RegionSet, chances: Floats, n: int, rng: np.random.Generator
) -> tuple[Floats, Integers]:
    """Keep each latent with one chance in the number of preimages of its image."""
    cover = Cover(regions)
    points, places, have = [], [], 0
    while have < n:
        z, region = _from_regions(regions, chances, max(n - have, 64), rng)
        for low in range(0, len(z), _CHUNK_TARGETS):
            some = slice(low, low + _CHUNK_TARGETS)
            found = cover.preimages(np.asarray(regions.net(z[some])))
            many = np.maximum(np.bincount(found.target, minlength=len(z[some])), 1)
            kept = rng.random(len(many)) * many < 1.0
            points.append(z[some][kept])
            places.append(region[some][kept])
            have += int(kept.sum())
    return np.concatenate(points)[:n], np.concatenate(places)[:n]


def _from_candidates(
    regions: RegionSet, n: int, exponent: float, count: int, rng: np.random.Generator
) -> tuple[Floats, float]:
    pool = np.asarray(default_sampler(regions.domain)(rng, count), dtype=np.float64)
    weights = _weights(log_factors_at(regions, pool), exponent)
    weights /= weights.sum()
    chosen = rng.choice(count, size=n, p=weights)
    return pool[chosen], float(min(n, 1.0 / np.sum(weights**2)))
