"""The graph of a network on a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from polyspline.errors import PlotError
from polyspline.manifold.maps import affine_maps
from polyspline.manifold.region_rows import region_ends
from polyspline.manifold.regions import RegionSet, Source, region_set
from polyspline.plots.style import INK, LINES, STYLE, flat_axes, line_width, require_matplotlib
from polyspline.plots.views import Floats, checked_view

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More outputs than this are not told apart by their colours.
_OUTPUTS_SHOWN = len(LINES)


def _view(ends: Floats) -> tuple[float, float]:
    """Choose what to show: the domain or, of the whole line, the knots with a margin."""
    knots = ends[np.isfinite(ends)]
    if len(knots) == 0:
        return -1.0, 1.0
    lo, hi = float(knots.min()), float(knots.max())
    margin = 0.15 * (hi - lo) if hi > lo else 1.0
    unbounded_left, unbounded_right = bool((ends[:, 0] == -np.inf).any()), bool((ends[:, 1] == np.inf).any())
    return lo - margin * unbounded_left, hi + margin * unbounded_right


@dataclass(frozen=True, eq=False)
class Curves:
    """The graph of a network on a line, region by region from the left.

    Attributes
    ----------
    view
        Where it begins and ends.
    shown
        (n,) indices of the regions in view.
    reach
        (n, 2) the ends of what is in view of each.
    values
        (n, 2, K) the first K outputs there.
    title
        Title of the picture.
    """

    view: tuple[float, float]
    shown: npt.NDArray[np.int64]
    reach: Floats
    values: Floats
    title: str


def curves_of(regions: RegionSet, box: npt.ArrayLike | None) -> Curves:
    """Find the graph of a network on a line.

    Raises
    ------
    PlotError
        If the domain has not one dimension, or `box` shows nothing of it.
    """
    dim = regions.net.latent_dim
    if dim != 1:
        raise PlotError(f"the partition has {dim} dimensions; the graph of G is drawn only in 1.")
    ends = region_ends(regions)
    if box is None:
        lo, hi = _view(ends)
    else:
        view_lo, view_hi = checked_view(regions, box)
        lo, hi = float(view_lo[0]), float(view_hi[0])
    shown = np.flatnonzero((ends[:, 1] > lo) & (ends[:, 0] < hi))
    shown = shown[np.argsort(ends[shown, 0], kind="stable")].astype(np.int64)
    outputs = min(regions.net.ambient_dim, _OUTPUTS_SHOWN)
    reach = np.clip(ends[shown], lo, hi)
    values = np.empty((len(shown), 2, outputs))
    place = 0
    for maps in affine_maps(regions, shown):
        some = slice(place, place := place + len(maps))
        values[some] = reach[some][:, :, None] * maps.A[:, None, :outputs, 0] + maps.b[:, None, :outputs]
    omitted = "" if outputs == regions.net.ambient_dim else f", the first {outputs} outputs"
    partial = "" if regions.complete else " (sampled)" if regions.sampled else " (partial)"
    return Curves((lo, hi), shown, reach, values, f"{len(shown):,} regions{omitted}{partial}")


def plot_graph(source: Source, ax: Axes | None = None, *, box: npt.ArrayLike | None = None) -> Axes:
    """Draw the graph of a network on a line, with a rule at every knot between two regions.

    Parameters
    ----------
    source : Partition or RegionSet
        Of a one-dimensional domain, complete or partial.
    ax : Axes, optional
        Axes to draw into. Default: those of a new figure, ``axes.figure``.
    box : array_like, optional
        What to show, (2,) or (1, 2). Default: the domain or, of the whole line, all knots.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn into. Of a network with many outputs, the first 7 are drawn.

    Raises
    ------
    PlotError
        If the domain has not one dimension, or `box` shows nothing of it.
    MissingExtraError
        If matplotlib is not installed.
    """
    curves = curves_of(region_set(source), box)
    require_matplotlib()
    from matplotlib import rc_context
    from matplotlib.collections import LineCollection

    lo, hi = curves.view
    outputs = curves.values.shape[2]
    with rc_context(STYLE):
        axes = flat_axes(ax, 6.4, 3.6)
        knots = np.unique(curves.reach)
        for knot in knots[(knots > lo) & (knots < hi)]:
            axes.axvline(knot, color=INK, linewidth=line_width(len(knots)), alpha=0.25, zorder=0)
        for output in range(outputs):
            axes.add_collection(
                LineCollection(
                    list(np.stack([curves.reach, curves.values[:, :, output]], axis=2)),
                    colors=LINES[output],
                    linewidths=1.4,
                    capstyle="round",
                    label=f"$G_{{{output + 1}}}$",
                )
            )
        axes.autoscale_view()
        axes.set(xlim=(lo, hi), xlabel="$z$", ylabel="$G(z)$")
        if outputs > 1:
            axes.legend(ncols=outputs)
        axes.set_title(curves.title)
    return axes
