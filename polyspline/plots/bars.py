"""Histograms, and figures as bytes for pages that hold their pictures."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from polyspline.errors import PlotError
from polyspline.plots.style import FILLS, INK, STYLE, new_axes, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_MOST_TICKS = 12
"""Up to so many whole numbers, each has a tick of its own."""


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
        axes = new_axes(4.2, 2.6) if ax is None else ax
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


def png_bytes(figure: Figure) -> bytes:
    """Draw a figure as a PNG; the same figure gives the same bytes."""
    from matplotlib import rc_context

    stream = io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(stream, format="png", dpi=144, metadata={"Software": "polyspline"})
    return stream.getvalue()
