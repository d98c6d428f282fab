"""The graph of a network on a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from polyspline.errors import PlotError
from polyspline.partition import Partition
from polyspline.plots.cells import Floats, checked_view, inequalities
from polyspline.plots.style import INK, LINES, STYLE, new_axes, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More outputs than this are not told apart by their colours.
_OUTPUTS_SHOWN = len(LINES)


def intervals(partition: Partition) -> Floats:
    """Find the ends (R, 2) of every region of a partition of the line; infinite where it is unbounded."""
    ends = np.tile([-np.inf, np.inf], (len(partition), 1))
    for index, (normals, offsets) in enumerate(inequalities(partition)):
        rising = normals[:, 0] > 0.0
        ends[index, 0] = -offsets[~rising].min(initial=np.inf)
        ends[index, 1] = offsets[rising].min(initial=np.inf)
    return ends


def _view(ends: Floats) -> tuple[float, float]:
    """Choose what to show: the domain or, of the whole line, the knots with a margin."""
    knots = ends[np.isfinite(ends)]
    if len(knots) == 0:
        return -1.0, 1.0
    lo, hi = float(knots.min()), float(knots.max())
    margin = 0.15 * (hi - lo) if hi > lo else 1.0
    unbounded_left, unbounded_right = bool((ends[:, 0] == -np.inf).any()), bool((ends[:, 1] == np.inf).any())
    return lo - margin * unbounded_left, hi + margin * unbounded_right


def plot_graph(partition: Partition, ax: Axes | None = None, *, box: npt.ArrayLike | None = None) -> Axes:
    """Draw the graph of a network on a line, with a rule at every knot between two regions.

    Parameters
    ----------
    partition
        A partition of a one-dimensional domain, complete or partial.
    ax
        Axes to draw into. Default: those of a new figure, ``axes.figure``.
    box
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
    dim = partition.net.latent_dim
    if dim != 1:
        raise PlotError(f"the partition has {dim} dimensions; the graph of G is drawn only in 1.")
    require_matplotlib()
    from matplotlib import rc_context

    ends = intervals(partition)
    if box is None:
        lo, hi = _view(ends)
    else:
        view_lo, view_hi = checked_view(partition, box)
        lo, hi = float(view_lo[0]), float(view_hi[0])
    shown = [index for index in np.argsort(ends[:, 0]) if ends[index, 1] > lo and ends[index, 0] < hi]
    outputs = min(partition.net.ambient_dim, _OUTPUTS_SHOWN)
    with rc_context(STYLE):
        axes = new_axes(6.4, 3.6) if ax is None else ax
        for knot in np.unique(np.clip(ends[shown], lo, hi)):
            if lo < knot < hi:
                axes.axvline(knot, color=INK, linewidth=0.4, alpha=0.25, zorder=0)
        for index in shown:
            region = partition[int(index)]
            reach = np.clip(ends[index], lo, hi)
            values = np.outer(reach, region.A[:outputs, 0]) + region.b[:outputs]
            for output in range(outputs):
                axes.plot(
                    reach, values[:, output], color=LINES[output], linewidth=1.4, solid_capstyle="round"
                )
        axes.set(xlim=(lo, hi), xlabel="$z$", ylabel="$G(z)$")
        if outputs > 1:
            handles = axes.lines[-outputs:]
            axes.legend(handles, [f"$G_{{{output + 1}}}$" for output in range(outputs)], ncols=outputs)
        omitted = "" if outputs == partition.net.ambient_dim else f", the first {outputs} outputs"
        partial = "" if partition.complete else " (partial)"
        axes.set_title(f"{len(shown):,} regions{omitted}{partial}")
    return axes
