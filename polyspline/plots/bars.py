"""Histograms, and figures as bytes for pages that hold their pictures."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from polyspline.errors import PlotError
from polyspline.manifold.angles import edge_angles
from polyspline.manifold.regions import Source, region_set
from polyspline.manifold.weighting import Weights, region_weights
from polyspline.plots.colours import has_value
from polyspline.plots.quantities import QUANTITIES, Scale, check_output, values_of
from polyspline.plots.style import FILLS, INK, LINES, STYLE, flat_axes, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


Floats = npt.NDArray[np.float64]

_MOST_TICKS = 12
"""Up to so many whole numbers, each has a tick of its own."""

_DASHES = ("-", (0, (5, 1.5)), (0, (2, 1.2)), "-.", (0, (1, 1)), (0, (7, 2, 2, 2)), (0, (4, 1, 1, 1)))


def value_bins(values: Floats, bins: int = 30, weights: Floats | None = None) -> tuple[Floats, Floats]:
    """Bins of equal width of finite values, and the share of each.

    Parameters
    ----------
    values : ndarray, shape (n,), n >= 1
    bins : int
        How many; values that differ by rounding only are one.
    weights : ndarray, shape (n,), optional
        How much each counts.

    Returns
    -------
    ends : ndarray, shape (B + 1,)
        Ascending.
    shares : ndarray, shape (B,)
        Of sum 1.
    """
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-300):
        reach = max(0.5 * abs(low), 0.5)
        return np.array([low - reach, low + reach]), np.ones(1)
    ends = np.linspace(low, high, bins + 1)
    return ends, bin_shares(values, ends, weights)


def whole_bins(
    values: Floats, weights: Floats | None = None, most: int | None = None
) -> tuple[Floats, Floats]:
    """Bins of whole numbers, from the least to the greatest or from 0 to `most`, and their shares."""
    low, high = (int(values.min()), int(values.max())) if most is None else (0, most)
    ends = np.arange(low, high + 2, dtype=np.float64) - 0.5
    return ends, bin_shares(values, ends, weights)


def bin_shares(values: Floats, ends: Floats, weights: Floats | None = None) -> Floats:
    """Share of finite values (n,) in each bin, (B,)."""
    counts, _ = np.histogram(values, bins=ends, weights=weights)
    return np.asarray(counts / max(float(counts.sum()), 1e-300), dtype=np.float64)


def plot_shares(
    ends: npt.ArrayLike,
    shares: npt.ArrayLike,
    ax: Axes | None = None,
    *,
    label: str = "",
    of: str = "",
    whole: bool = False,
) -> Axes:
    """Draw a histogram whose bins are known.

    Parameters
    ----------
    ends : array_like, shape (B + 1,)
        Ascending ends of the bins.
    shares : array_like, shape (B,)
        Height of each bar.
    ax : Axes, optional
        Axes to draw into. Default: those of a new figure, ``axes.figure``.
    label : str
        What is on the horizontal axis.
    of : str
        What the shares are of.
    whole : bool
        Whether each bin stands for the whole number in its middle: bars are then apart.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn into.

    Raises
    ------
    PlotError
        If the shapes do not fit.
    MissingExtraError
        If matplotlib is not installed.
    """
    limits = np.asarray(ends, dtype=np.float64)
    heights = np.asarray(shares, dtype=np.float64)
    if heights.ndim != 1 or not len(heights) or limits.shape != (len(heights) + 1,):
        raise PlotError(
            f"a histogram of {heights.shape} shares needs one more end of bins, got {limits.shape}."
        )
    require_matplotlib()
    from matplotlib import rc_context
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    with rc_context(STYLE):
        axes = flat_axes(ax, 4.2, 2.6)
        axes.bar(
            0.5 * (limits[1:] + limits[:-1]),
            heights,
            width=np.diff(limits) * (0.8 if whole else 1.0),
            facecolor=FILLS[0],
            edgecolor=INK,
            linewidth=0.4,
        )
        if whole and len(heights) <= _MOST_TICKS:
            axes.set_xticks(np.round(0.5 * (limits[1:] + limits[:-1])))
        elif whole:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1.0))
        axes.set(xlim=(limits[0], limits[-1]), xlabel=label, ylabel=f"share of {of}" if of else "share")
        axes.spines[["top", "right"]].set_visible(False)
    return axes


ANGLES = ("angle", "principal_angle")
"""Angles of facets that a histogram may show, beside the quantities of regions."""


def plot_histogram(
    source: Source,
    quantity: str,
    ax: Axes | None = None,
    *,
    output: int = 0,
    bins: int = 30,
    weights: Weights = None,
) -> Axes:
    """Draw how a quantity is distributed over regions, or an angle over facets (Figs 2, 7, 8, 10).

    Parameters
    ----------
    source : Partition or RegionSet
    quantity : str
        ``"rank"``, ``"log_det"`` or another name of `polyspline.plots.QUANTITIES`; or ``"angle"``, the
        turning angle at each facet, or ``"principal_angle"``, in degrees.
    ax : Axes, optional
        Axes to draw into. Default: those of a new figure, ``axes.figure``.
    output : int
        Which output ``"value"`` is, from 0.
    bins : int
        How many, at least 1; whole numbers have one each.
    weights : None, str or array_like
        How much each region counts, as `region_weights` takes it: by default each once, or by the
        draws that met it. Facets count once each.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn into.

    Raises
    ------
    PlotError
        If there is no such quantity, no region or facet has it, or `bins` is less than 1.
    ArgumentError
        If the quantity needs a complete partition, and this one is partial.
    MissingExtraError
        If matplotlib is not installed.

    Notes
    -----
    Regions without the quantity, such as those of a rank below S with a log-determinant, are left
    out, and the title says how many.
    """
    regions = region_set(source)
    name = quantity.replace("-", "_")
    if bins < 1:
        raise PlotError(f"a histogram needs at least 1 bin, got {bins}.")
    if name in ANGLES:
        return _plot_angles_of_facets(source, name, ax, bins)
    if name not in QUANTITIES:
        raise PlotError(
            f"no histogram of {quantity!r}; choose one of {', '.join(sorted({*QUANTITIES, *ANGLES}))}."
        )
    check_output(name, output)
    values = values_of(regions, name, output=output)
    known = has_value(values)
    if not known.any():
        raise PlotError(f"no region has a {values.plain} to draw a histogram of.")
    shares = region_weights(regions, weights, "plot_histogram").shares[known]
    numbers, label = values.numbers[known], values.label
    if values.scale is Scale.LOGARITHMIC:
        numbers, label = np.log10(numbers), f"decimal logarithm of {label}"
    whole = values.scale is Scale.WHOLE
    most = regions.net.latent_dim if name == "rank" else None
    ends, heights = whole_bins(numbers, shares, most) if whole else value_bins(numbers, bins, shares)
    axes = plot_shares(
        ends, heights, ax, label=label, of="draws" if regions.sampled else "regions", whole=whole
    )
    missing = int(np.count_nonzero(~known))
    return _titled(axes, f"{len(numbers):,} regions", missing, regions.complete)


def _plot_angles_of_facets(source: Source, name: str, ax: Axes | None, bins: int) -> Axes:
    found = edge_angles(source)
    turning = name == "angle"
    count = int(found.known.sum()) if turning else len(found.edges)
    if not count:
        raise PlotError("no facet has an angle to draw a histogram of.")
    shares, ends = found.histogram(bins, turning=turning)
    label = "turning angle, degrees" if turning else "largest principal angle, degrees"
    axes = plot_shares(ends, shares, ax, label=label, of="facets")
    axes.set_xticks(np.arange(0.0, ends[-1] + 1.0, 30.0 if turning else 15.0))
    return _titled(axes, f"{count:,} facets", len(found.edges) - count, found.regions.complete)


def _titled(axes: Axes, what: str, missing: int, complete: bool) -> Axes:
    """Say above a histogram what it is of."""
    from matplotlib import rc_context

    without = f", {missing:,} without value left out" if missing else ""
    with rc_context(STYLE):
        axes.set_title(f"{what}{without}{'' if complete else ' (partial)'}")
    return axes


def plot_distributions(
    values: Mapping[str, npt.ArrayLike],
    ax: Axes | None = None,
    *,
    bins: int | npt.ArrayLike = 40,
    label: str = "",
    of: str = "",
) -> Axes:
    """Draw several distributions over each other, as outlines in lines and colours of their own.

    Parameters
    ----------
    values : mapping of str to array_like, shape (n,)
        Name of each distribution, for the legend, and its values; those that are not finite are
        left out.
    ax : Axes, optional
        Axes to draw into. Default: those of a new figure, ``axes.figure``.
    bins : int or array_like, shape (B + 1,)
        How many from the least to the greatest value of all, or their ascending ends.
    label : str
        What is on the horizontal axis.
    of : str
        What the shares are of.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn into.

    Raises
    ------
    PlotError
        If there is no distribution, more than 7, or one without a finite value.
    MissingExtraError
        If matplotlib is not installed.
    """
    if not 0 < len(values) <= len(LINES):
        raise PlotError(f"got {len(values)} distributions; expected 1 to {len(LINES)}, to be told apart.")
    numbers = {name: np.asarray(given, dtype=np.float64).reshape(-1) for name, given in values.items()}
    numbers = {name: given[np.isfinite(given)] for name, given in numbers.items()}
    for name, given in numbers.items():
        if not len(given):
            raise PlotError(f"the distribution {name!r} has no finite value.")
    everything = np.concatenate(list(numbers.values()))
    ends = value_bins(everything, int(bins))[0] if isinstance(bins, int) else np.asarray(bins, np.float64)
    require_matplotlib()
    from matplotlib import rc_context
    from matplotlib.ticker import PercentFormatter

    with rc_context(STYLE):
        axes = flat_axes(ax, 4.8, 3.0)
        for (name, given), colour, dashes in zip(numbers.items(), LINES, _DASHES, strict=False):
            axes.stairs(
                bin_shares(given, ends), ends, color=colour, linestyle=dashes, linewidth=1.4, label=name
            )
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1.0))
        axes.set(xlim=(ends[0], ends[-1]), xlabel=label, ylabel=f"share of {of}" if of else "share")
        axes.set_ylim(bottom=0.0)
        axes.spines[["top", "right"]].set_visible(False)
        if len(numbers) > 1:
            axes.legend(handlelength=2.6)
    return axes


def png_bytes(figure: Figure) -> bytes:
    """Draw a figure as a PNG; the same figure gives the same bytes."""
    from matplotlib import rc_context

    stream = io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(stream, format="png", dpi=144, metadata={"Software": "polyspline"})
    return stream.getvalue()
