"""Sections on the affine pieces and on how they meet; they apply to partial runs too."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from polyspline.manifold import graph_figures
from polyspline.manifold.angles import edge_angles
from polyspline.manifold.dimension import intrinsic_dimension
from polyspline.manifold.disentanglement import disentanglement as measure_disentanglement
from polyspline.manifold.log_det import LEVELS
from polyspline.manifold.log_det import log_determinants as measure_log_determinants
from polyspline.manifold.weighting import Estimate
from polyspline.report.measured import Measured
from polyspline.report.section import Bars, Section, value_bars, whole_bars

_FLAT_DEGREES = 1e-6
_ANGLE_LEVELS = (0.5, 0.95, 1.0)


def with_error(found: Estimate) -> str:
    """Write an average for a person, with its standard error if it has one."""
    error = "" if found.standard_error is None else f" ± {found.standard_error:.2g}"
    return f"{found.value:.6g}{error}"


def _percentages(levels: npt.ArrayLike, shares: npt.ArrayLike) -> str:
    """Write the shares of whole numbers for a person; numbers that do not occur are left out."""
    pairs = zip(np.asarray(levels).tolist(), np.asarray(shares).tolist(), strict=True)
    return ", ".join(f"{level}: {100.0 * share:.4g} %" for level, share in pairs if share > 0)


def counts(measured: Measured) -> Section:
    """Count the regions and adjacencies."""
    regions = measured.regions
    part, net = regions.partition, regions.net
    stop = None if part is None else part.stop
    note = None if regions.complete else f"not all regions: {'sampled' if stop is None else stop.value}."
    rows = (
        ("regions", f"{len(regions):,}"),
        ("adjacencies", f"{len(regions.edges):,}"),
        ("complete", "yes" if regions.complete else "no"),
        ("network", f"R^{net.latent_dim} to R^{net.ambient_dim}, {net.n_units:,} units"),
        ("domain", regions.domain.kind.replace("_", " ")),
    )
    figures = {
        "regions": len(regions),
        "adjacencies": len(regions.edges),
        "complete": bool(regions.complete),
        "stop": None if stop is None else stop.key,
        "sampled": regions.sampled,
        "units": int(net.n_units),
        "latent_dim": int(net.latent_dim),
        "ambient_dim": int(net.ambient_dim),
        "bounded": bool(regions.domain.bounded),
    }
    return Section("counts", "Regions", f"exact: {regions.how}", note, rows, figures)


def dimension(measured: Measured) -> Section:
    """Tell the dimensions of the images of the regions, and their bound."""
    found = intrinsic_dimension(measured.regions)
    by_count = found.histogram()
    of = "draws" if by_count.by == "draws" else "regions"
    rows = [
        (
            f"share of {of}",
            _percentages(by_count.dimensions, by_count.shares),
        ),
        ("mean", f"{by_count.mean:.6g}"),
        ("bound", f"at most {found.bounds.max(initial=0)} (Prop. 1), S = {measured.regions.net.latent_dim}"),
        ("regions at their bound", f"{np.mean(found.dimensions == found.bounds):.2%}"),
    ]
    figures = {
        "dimensions": by_count.dimensions.tolist(),
        "shares": by_count.shares.tolist(),
        "by": by_count.by,
        "mean": by_count.mean,
        "bound": int(found.bounds.max(initial=0)),
        "share_at_bound": float(np.mean(found.dimensions == found.bounds)),
        "volume_shares": None,
    }
    if measured.volumes is not None:
        by_volume = found.histogram(measured.volumes.values)
        rows.insert(1, ("share of volume", _percentages(by_volume.dimensions, by_volume.shares)))
        figures["volume_shares"] = by_volume.shares.tolist()
    ends = np.arange(len(by_count.dimensions) + 1, dtype=np.float64) - 0.5
    bars = Bars("dimension of the image", of, ends, by_count.shares, whole=True)
    how = f"rounded: numerical rank of every slope, and the ranks of its layers, {measured.over}"
    return Section("dimension", "Intrinsic dimension", how, measured.bias, tuple(rows), figures, (bars,))


def log_determinants(measured: Measured) -> Section:
    """Summarise log sqrt det(AᵀA)."""
    found = measure_log_determinants(measured.regions)
    summary, full = found.summary(), found.values[found.full_rank]
    note: str | None = None
    bars: tuple[Bars, ...] = ()
    title = "Log-determinants"
    if len(full) < len(found.values):
        low = len(found.values) - len(full)
        note = f"{low:,} of {len(found.values):,} regions have a rank below S: minus infinity, and left out."
    if not len(full):
        note = "no region has rank S: log sqrt det is minus infinity everywhere."
    else:
        bars = (value_bars("log sqrt det(AᵀA)", "regions of rank S", full),)
    shown = ", ".join(
        f"{100 * level:g} %: {q:.5g}" for level, q in zip(LEVELS, summary.quantiles, strict=True)
    )
    rows = (
        ("mean", with_error(summary.mean)),
        ("standard deviation", f"{summary.standard_deviation:.6g}"),
        ("quantiles", shown),
        ("share of rank S", with_error(summary.full_rank_share)),
    )
    figures = {
        "mean": summary.mean.value,
        "standard_error": summary.mean.standard_error,
        "standard_deviation": summary.standard_deviation,
        "quantile_levels": list(LEVELS),
        "quantiles": summary.quantiles.tolist(),
        "full_rank_share": summary.full_rank_share.value,
        "by": summary.by,
    }
    how = f"rounded: singular values of every slope, {measured.over}"
    note = measured.with_bias(note)
    return Section("log_determinants", title, how, note, rows if len(full) else rows[-1:], figures, bars)


def disentanglement(measured: Measured) -> Section:
    """Average and maximum of the three figures of Q - I."""
    title = "Disentanglement"
    if measured.regions.net.latent_dim == 1:
        note = "does not apply: with S = 1 there is one column, and nothing to compare it with."
        return Section("disentanglement", title, note=note)
    found = measure_disentanglement(measured.regions)
    summary = found.summary()
    names = ("spectral", "frobenius", "pair_sum")
    words = ("spectral norm of Q - I", "Frobenius norm", "sum of cosines over pairs")
    means: list[Estimate] = [getattr(summary, name) for name in names]
    worst: list[float] = [getattr(summary, f"worst_{name}") for name in names]
    zero = int(np.count_nonzero(found.zero_columns))
    rows = tuple(
        (word, f"mean {with_error(mean)}, maximum {most:.6g}")
        for word, mean, most in zip(words, means, worst, strict=True)
    )
    figures: dict[str, object] = {
        name: {"mean": mean.value, "standard_error": mean.standard_error, "maximum": most}
        for name, mean, most in zip(names, means, worst, strict=True)
    }
    figures |= {"regions_with_zero_columns": zero, "by": summary.by}
    limits = f"{zero:,} regions have a zero column, which counts as orthogonal." if zero else None
    how = f"rounded: abs(cosines) Q between the columns of every slope, {measured.over}"
    return Section("disentanglement", title, how, measured.with_bias(limits), rows, figures)


def angles(measured: Measured) -> Section:
    """Summarise the angles across the facets."""
    title = "Angles between neighbours"
    if not len(measured.regions.edges):
        return Section("angles", title, note="does not apply: no two regions are known to share a facet.")
    found = edge_angles(measured.regions)
    turning = np.degrees(found.turning[found.known])
    missing, unequal = int(np.count_nonzero(~found.known)), int(np.count_nonzero(~found.equal_ranks))
    quantiles = np.quantile(turning, _ANGLE_LEVELS) if len(turning) else np.full(len(_ANGLE_LEVELS), np.nan)
    mean = float(turning.mean()) if len(turning) else float("nan")
    flat = float(np.mean(turning <= _FLAT_DEGREES)) if len(turning) else float("nan")
    shares, ends = found.histogram(18)
    principal, principal_ends = found.histogram(18, turning=False)
    figures = {
        "facets": len(found.turning),
        "without_turning_angle": missing,
        "unequal_ranks": unequal,
        "mean_degrees": mean,
        "median_degrees": float(quantiles[0]),
        "percentile_95_degrees": float(quantiles[1]),
        "largest_degrees": float(quantiles[2]),
        "flat_share": flat,
        "turning": {"ends_degrees": ends.tolist(), "shares": shares.tolist()},
        "principal": {"ends_degrees": principal_ends.tolist(), "shares": principal.tolist()},
        "largest_misfit": float(found.misfit.max()),
    }
    rows: tuple[tuple[str, str], ...] = (
        ("facets", f"{len(found.turning):,}"),
        ("turning angle", f"mean {mean:.5g}°, median {quantiles[0]:.5g}°, 95 % {quantiles[1]:.5g}°"),
        ("sharpest", f"{quantiles[2]:.6g}° (180° is a complete fold)"),
        ("flat", f"{flat:.2%} of the facets"),
        ("misfit along facets", f"{figures['largest_misfit']:.2g} at most, relative"),
    )
    note = None
    if missing:
        note = (
            f"{missing:,} facets have no turning angle, {unequal:,} of them between unequal ranks "
            "(principal angle 90°)."
        )
        rows = rows if len(turning) else (rows[0], rows[-1])
    bars = (Bars("turning angle (degrees)", "facets", ends, shares),) if len(turning) else ()
    how = f"rounded: outward conormals of both images at every facet known, {measured.over}"
    return Section("angles", title, how, measured.with_bias(note), rows, figures, bars)


def graph(measured: Measured) -> Section:
    """Degrees and diameter of the adjacency graph."""
    degree, far = graph_figures.degrees(measured.regions), graph_figures.diameter(measured.regions)
    error = degree.standard_error
    figures = {
        "mean_degree": degree.mean,
        "mean_degree_standard_error": error,
        "smallest_degree": degree.smallest,
        "largest_degree": degree.largest,
        "degree_counts": degree.counts.tolist(),
        "degree_bound": degree.bound,
        "diameter_lower": far.lower,
        "diameter_upper": far.upper,
        "mean_distance": far.mean_distance,
        "components": far.n_components,
    }
    span = f"{far.lower}" if far.exact else f"between {far.lower} and {far.upper}"
    rows = (
        ("degree", f"mean {with_error(Estimate(degree.mean, error))}, {degree.smallest} to {degree.largest}"),
        ("bound of the mean", "none, with max groups" if degree.bound is None else f"2 S = {degree.bound}"),
        ("diameter", f"{span} facets"),
        ("mean distance", f"{far.mean_distance:.6g} facets"),
        ("components", f"{far.n_components:,}"),
    )
    note = None
    if not measured.regions.complete:
        note = (
            f"of the graph known so far; degrees of the {len(degree.degrees):,} regions all of whose "
            "neighbours are known."
        )
    bars = (whole_bars("neighbours", "regions", degree.counts),) if len(degree.degrees) else ()
    sweeps = "all distances" if far.swept == len(measured.regions) else f"sweeps from {far.swept} regions"
    how = f"exact: proven adjacencies, {sweeps}, {measured.over}"
    return Section("graph", "Adjacency graph", how, measured.with_bias(note), rows, figures, bars)
