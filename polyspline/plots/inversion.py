"""The picture of an inversion: x, its reconstruction, and how the two bounds met."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import as_float_array
from polyspline.errors import PlotError, ShapeError
from polyspline.inversion.problem import MeasureLike
from polyspline.inversion.result import BoundSource, Inversion
from polyspline.plots.picture import draw_to_file
from polyspline.plots.style import FILLS, INK, LINES, STYLE, new_figure, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

Floats = npt.NDArray[np.float64]

_NORM_SIGNS = {"l2": "_2", "l1": "_1", "linf": r"_\infty"}
# More entries than this are drawn as a line; the dots of fewer are told apart.
_DOTS = 100
# Times that differ by a factor of more than this are told apart on a logarithmic axis only.
_LOG_TIMES = 20.0
# An early distance far above the last one would press both bounds into one line.
_HEADROOM = 2.0


def plot_inversion(
    inversion: Inversion,
    x: npt.ArrayLike,
    *,
    measure: MeasureLike | None = None,
    figure: Figure | SubFigure | None = None,
) -> Figure | SubFigure:
    """Draw x, its reconstruction, and the convergence of the distance and its lower bound.

    Vectors whose length is a square are drawn as grey images, row by row; others as
    values over their index, x as dots and the reconstruction as a line.

    Parameters
    ----------
    inversion
        The result of inverting x; it has a point.
    x
        What was inverted, (D,), or (T,) measurements.
    measure
        What was measured, as `invert` takes it: a matrix (T, D), or a pair of it and an offset (T,).
    figure
        Empty figure to draw into. Default: a new one.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure
        The figure that was drawn into.

    Raises
    ------
    PlotError
        If the inversion has no point.
    ShapeError, NonFiniteError
        If x or measure does not fit the inversion, or is not finite.
    MissingExtraError
        If matplotlib is not installed.

    Notes
    -----
    Both images have one grey scale, from the smallest entry of x to the largest. Distances of
    more than twice the last one lie above the view.
    """
    if inversion.x_hat is None:
        raise PlotError("the inversion has no point to draw: a limit stopped it before any was tried.")
    target = as_float_array(x, "x", 1)
    fit = inversion.x_hat if measure is None else _measured(measure, inversion.x_hat)
    if target.shape != fit.shape:
        raise ShapeError(f"x has length {len(target)}; this inversion was of an x of length {len(fit)}.")
    require_matplotlib()
    from matplotlib import rc_context

    with rc_context(STYLE):
        panels = _panels(target, fit, inversion.x_hat, measured=measure is not None)
        widths = [width for width, _ in panels]
        if figure is None:
            figure = new_figure(2.2 * sum(widths) + 3.6, 2.5)
        axes = figure.subplots(1, len(panels) + 1, width_ratios=[*widths, 1.6], squeeze=False)[0]
        for axis, (_, draw) in zip(axes, panels, strict=False):
            draw(axis)
        _draw_convergence(axes[-1], inversion, measured=measure is not None)
    return figure


def save_inversion_picture(
    inversion: Inversion,
    x: npt.ArrayLike,
    path: str | os.PathLike[str],
    *,
    measure: MeasureLike | None = None,
    overwrite: bool = True,
) -> Path:
    """Draw an inversion into a file, as `plot_inversion` does.

    The file appears whole or not at all.

    Parameters
    ----------
    inversion, x, measure
        As in `plot_inversion`.
    path
        File to write: ``.png``, ``.svg`` or ``.pdf``.
    overwrite
        Whether a file that is there is replaced; else it is refused.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ExportFormatError
        If the suffix is not one of those.
    PlotError, ShapeError, NonFiniteError, MissingExtraError
        As in `plot_inversion`.
    OutputError
        If the file cannot be written.
    """
    return draw_to_file(path, lambda: plot_inversion(inversion, x, measure=measure), overwrite=overwrite)


# ---- what is drawn

_Panel: TypeAlias = tuple[float, "Callable[[Axes], None]"]
"""Width of a panel, an image being 1, and what draws it."""


def _measured(measure: MeasureLike, x_hat: Floats) -> Floats:
    """Measurements ``M x_hat + offset``, (T,)."""
    matrix, offset = measure if isinstance(measure, tuple) else (measure, None)
    rows = as_float_array(matrix, "measure", 2)
    if rows.shape[1] != len(x_hat):
        raise ShapeError(
            f"measure has shape {rows.shape}; this inversion was of a network with {len(x_hat)} outputs."
        )
    values = rows @ x_hat
    return values if offset is None else values + as_float_array(offset, "offset of measure", 1)


def _side(values: Floats) -> int | None:
    """Side of the square image that a vector makes; None if it makes none."""
    side = math.isqrt(len(values))
    return side if side > 1 and side * side == len(values) else None


def _panels(target: Floats, fit: Floats, x_hat: Floats, *, measured: bool) -> list[_Panel]:
    """Choose the panels that compare x with its reconstruction."""
    name, image_of = ("y", r"M\,G(z)") if measured else ("x", "G(z)")
    span = float(target.min()), float(target.max())
    panels: list[_Panel]
    if _side(target) is None:
        panels = [(2.0, partial(_draw_values, target=target, fit=fit, names=(name, image_of)))]
    else:
        panels = [
            (1.0, partial(_draw_image, values=target, span=span, title=f"${name}$")),
            (1.0, partial(_draw_image, values=fit, span=span, title=f"${image_of}$")),
        ]
    if measured and _side(x_hat) is not None:
        own = float(x_hat.min()), float(x_hat.max())
        panels.append((1.0, partial(_draw_image, values=x_hat, span=own, title="$G(z)$")))
    elif measured:
        panels.append((2.0, partial(_draw_values, target=None, fit=x_hat, names=("", "G(z)"))))
    return panels


def _draw_image(axes: Axes, values: Floats, span: tuple[float, float], title: str) -> None:
    """Draw a vector as a grey image, row by row."""
    side = _side(values)
    assert side is not None
    axes.imshow(values.reshape(side, side), cmap="gray", vmin=span[0], vmax=span[1], interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title)


def _draw_values(axes: Axes, target: Floats | None, fit: Floats, names: tuple[str, str]) -> None:
    """Draw a reconstruction over its index, and what it is to meet as dots tied to it by stems."""
    from matplotlib.ticker import MaxNLocator

    index = np.arange(1, len(fit) + 1)
    few = len(fit) <= _DOTS
    axes.plot(
        index,
        fit,
        color=LINES[0],
        linewidth=1.2,
        marker="." if few else None,
        markersize=4.0,
        label=f"${names[1]}$",
        zorder=2,
    )
    if target is not None:
        if few:
            axes.vlines(index, fit, target, color=INK, linewidth=0.6, alpha=0.5, zorder=1)
        axes.plot(
            index,
            target,
            color=INK,
            linestyle="none",
            marker="o",
            markersize=4.0 if few else 1.5,
            markerfacecolor="none",
            markeredgewidth=0.7,
            label=f"${names[0]}$",
            zorder=3,
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.set_xlabel("entry")
    # Above the axes, where no value can be.
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, borderpad=0.2, handlelength=1.2)


def _draw_convergence(axes: Axes, inversion: Inversion, *, measured: bool) -> None:
    """Draw the distance and its lower bound over the seconds."""
    last = (inversion.seconds, inversion.distance, inversion.lower_bound)
    history = np.vstack([inversion.history, last])
    seconds, upper, lower = history[np.isfinite(history).all(axis=1)].T
    bounded = inversion.bound_source is not BoundSource.NONE
    if bounded:
        axes.fill_between(seconds, lower, upper, step="post", color=FILLS[0], alpha=0.25, linewidth=0.0)
    axes.step(seconds, upper, where="post", color=LINES[1], linewidth=1.4, label="distance")
    if bounded:
        # Dashed as well as blue: where both meet, each is still seen.
        axes.step(
            seconds,
            lower,
            where="post",
            color=LINES[0],
            linewidth=1.4,
            linestyle=(0, (4, 1.5)),
            label="lower bound",
        )
    first, end = float(seconds[0]), float(seconds[-1])
    if first > 0.0 and end > _LOG_TIMES * first:
        axes.set_xscale("log")
        axes.set_xlim(first, end)
    else:
        # A history without length is drawn from 0.
        axes.set_xlim(first if first < end else 0.0, end if end > 0.0 else 1.0)
    top = (
        min(float(upper.max()), _HEADROOM * inversion.distance)
        if inversion.distance > 0.0
        else float(upper.max())
    )
    axes.set_ylim(0.0, 1.08 * top if top > 0.0 else 1.0)
    axes.set_xlabel("seconds")
    inside = r"y - M\,G(z)" if measured else "x - G(z)"
    axes.set_ylabel(rf"$\|{inside}\|{_NORM_SIGNS[inversion.norm]}$")
    proof = f", gap {inversion.gap:.1g}" if bounded else ", no lower bound"
    axes.set_title(f"{inversion.status.key.replace('_', ' ')}{proof}")
    axes.legend(loc="best")
