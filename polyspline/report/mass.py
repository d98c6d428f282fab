"""Sections on what needs volumes, or all regions: volumes, injectivity, entropy, uniformity."""

from __future__ import annotations

import math

import numpy as np

from polyspline.manifold.entropy import entropy as measure_entropy
from polyspline.manifold.priors import GaussianPrior, UniformPrior
from polyspline.manifold.probability import from_volumes
from polyspline.manifold.uniformity import uniformity as test_uniformity
from polyspline.manifold.volumes import image_volumes
from polyspline.report.measured import Measured
from polyspline.report.section import Section, value_bars


def volumes(measured: Measured) -> Section:
    """Volumes of the regions and of their images, and the law that they add up."""
    found = measured.volumes
    if found is None:
        return Section("volumes", "Volumes", note=measured.no_volumes)
    images = image_volumes(measured.regions, latent=found)
    values, dim = found.values, measured.regions.net.latent_dim
    median = float(np.median(values))
    residual = found.residual if math.isfinite(found.residual) else None
    figures = {
        "total": found.total,
        "domain": found.domain_volume,
        "covered": found.covered,
        "residual": residual,
        "smallest": float(values.min()),
        "median": median,
        "largest": float(values.max()),
        "measured_exactly": found.n_exact,
        "image_total": images.total(),
    }
    law = "" if residual is None else f", residual of the sum law {residual:.2g}"
    rows = (
        ("total", f"{found.total:.9g} of {found.domain_volume:.9g}{law}"),
        ("region", f"{values.min():.4g} to {values.max():.4g}, median {median:.4g}"),
        ("images", f"{figures['image_total']:.6g} in dimension {dim}; overlaps count repeatedly"),
        ("from exact rows", f"{found.n_exact:,} regions, as floats did not settle them"),
    )
    note = None if measured.regions.complete else f"these regions cover {found.covered:.4%} of the domain."
    note = measured.with_bias(note)
    positive = values[values > 0]
    bars = (value_bars("log10 of the volume", "regions", np.log10(positive)),) if len(positive) else ()
    how = f"{found.method.value}, {measured.over}"
    return Section("volumes", "Volumes", how, note, rows, figures, bars)


def injectivity(measured: Measured) -> Section:
    """Tell whether different latent points have different images."""
    found = measured.injectivity
    if found is None:
        return Section("injectivity", "Injectivity", note=measured.no_injectivity)
    pair = None if found.pair is None else [point.tolist() for point in found.pair]
    figures = {
        "verdict": found.verdict.key,
        "pair": pair,
        "residual": found.residual,
        "separation": found.separation,
        "decided": found.decided,
        "excluded": found.excluded,
    }
    rows = [("verdict", f"{found.verdict.key}: {found.verdict.value}"), ("decided", found.decided)]
    if pair is not None:
        rows.append(("pair", f"{found.separation:.4g} apart, images {found.residual:.2g} apart"))
    how = f"exact: ranks and pairs of regions in rational arithmetic, {measured.over}"
    return Section("injectivity", "Injectivity", how, None, tuple(rows), figures)


def entropy(measured: Measured) -> Section:
    """Entropy of the generated distribution, and of its part of rank S."""
    missing = measured.needs_all("the entropy")
    if missing is not None:
        return Section("entropy", "Entropy", note=missing)
    regions = measured.regions
    prior, tell = measured.prior, measured.tell
    uniform = isinstance(prior, UniformPrior)
    known = None
    if measured.volumes is not None and uniform and not regions.sampled:
        known = from_volumes(measured.volumes, prior)

    def progress(done: int, of: int) -> None:
        if tell is not None:
            tell(f"Entropy: {done:,} of {of:,} draws")

    found = measure_entropy(
        regions,
        prior,
        injective=measured.injective,
        known=known,
        volume_draws=measured.draws,
        progress=progress,
    )
    words = "uniform over the domain" if uniform else "standard normal"
    if not isinstance(prior, UniformPrior | GaussianPrior):
        words = type(prior).__name__
    figures = {
        "value": found.value,
        "status": found.status.key,
        "exact": found.exact,
        "standard_error": found.standard_error,
        "full_rank_value": found.full_rank_value,
        "prior": words,
        "covered": found.covered,
        "prior_entropy": found.prior_entropy,
        "volume_term": found.volume_term,
        "singular_mass": found.singular_mass,
    }
    error = "" if found.standard_error is None else f" ± {found.standard_error:.2g}"
    rows = [
        ("E(p_G)", f"{found.value:.9g}{error} nats"),
        ("worth", f"{found.status.key}: {found.status.value}"),
        ("entropy of the prior", f"{found.prior_entropy:.6g}, {words}"),
        ("volume term", f"{found.volume_term:.6g}"),
        ("mass of rank below S", f"{found.singular_mass:.4%}"),
    ]
    if found.singular_mass > 0 and math.isfinite(found.full_rank_value):
        of = f"{found.full_rank_value:.9g} nats at most, given that z is in a region of rank S"
        rows.insert(1, ("of the part of rank S", of))
    if found.covered < 1.0 - 1e-9:
        rows.append(("mass of the prior here", f"{found.covered:.4%}, and the figures are of that part"))
    grade = "rounded" if found.standard_error is None else "estimated"
    return Section("entropy", "Entropy", f"{grade}: {found.how}; {measured.over}", None, tuple(rows), figures)


def uniformity(measured: Measured) -> Section:
    """Tell whether uniform latents have uniform images, and where they have not most."""
    missing = measured.needs_all("uniformity")
    if not measured.regions.domain.bounded:
        missing = "does not apply: uniformity is that of uniform latents, and the domain is unbounded."
    if missing is not None:
        return Section("uniformity", "Uniformity", note=missing)
    found = test_uniformity(measured.regions, injective=measured.injective or None)
    figures = {
        "verdict": found.verdict.key,
        "ratio": found.ratio,
        "full_rank_ratio": found.full_rank_ratio,
        "worst_region": found.worst,
        "worst_ratio": found.worst_ratio,
    }
    rows = [
        ("verdict", f"{found.verdict.key}: {found.verdict.value}"),
        ("largest over smallest", f"{found.ratio:.6g}"),
        ("worst region", f"{found.worst}, {found.worst_ratio:.4g} times the median"),
    ]
    if math.isinf(found.ratio) and math.isfinite(found.full_rank_ratio):
        rows.insert(2, ("of the regions of rank S", f"{found.full_rank_ratio:.6g}"))
    how = f"rounded: sqrt det(AᵀA) of every slope, {measured.over}"
    return Section("uniformity", "Uniformity", how, None, tuple(rows), figures)
