"""The one style of every picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from polyspline.errors import PlotError, require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d import Axes3D


# Of Paul Tol's "light" scheme: made for filling areas, told apart by colour-blind readers; dark
# lines and text stay readable on every one.
FILLS: tuple[str, ...] = (
    "#77AADD",
    "#EE8866",
    "#EEDD88",
    "#FFAABB",
    "#99DDFF",
    "#44BB99",
    "#BBCC33",
)

# Paul Tol's "bright" scheme, for lines.
LINES: tuple[str, ...] = ("#4477AA", "#EE6677", "#228833", "#CCBB44", "#66CCEE", "#AA3377", "#BBBBBB")

INK = "#222222"

# Maps of values: the first is ordered by lightness and made for colour-blind readers (Nuñez, Anderton
# and Renslow, 2018), the second is ColorBrewer's red and blue, which they tell apart.
SEQUENTIAL = "cividis"
DIVERGING = "RdBu_r"

RISING: tuple[str, ...] = ("#C4C4C4", "#CC6677", "#661144")
"""Colours of lines on white, from little to much: each is darker than the one before."""

FAINT = "#BBBBBB"
"""Colour of lines that only say where things are."""

PALE = "#EEEEEE"
"""Colour of areas that only carry lines."""

NOTHING = "#DDDDDD"
"""Colour of what has no value."""

# The keys are matplotlib's own words, which its types list one by one.
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.titlesize": 9.0,
    "axes.titlelocation": "left",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    # Text stays text, and the same picture gives the same bytes.
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "polyspline",
}


def require_matplotlib() -> None:
    """Refuse to begin without matplotlib.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    require("matplotlib", extra="plot", purpose="draw pictures")


def new_figure(width: float, height: float) -> Figure:
    """Make a figure, in inches, outside any global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def new_axes(width: float, height: float) -> Axes:
    """Make a figure of its own, in inches, outside any global state, and give its axes."""
    return new_figure(width, height).add_subplot()


def flat_axes(ax: Axes | None, width: float, height: float) -> Axes:
    """Axes of the plane to draw into: those given, or new ones.

    Raises
    ------
    PlotError
        If the given ones are of three dimensions.
    """
    if ax is None:
        return new_axes(width, height)
    if hasattr(ax, "get_zlim"):
        raise PlotError("this picture is flat: give axes without projection='3d', or none.")
    return ax


def solid_axes(ax: Axes | None, width: float, height: float) -> Axes3D:
    """Axes of space to draw into: those given, or new ones.

    Raises
    ------
    PlotError
        If the given ones are of two dimensions.
    """
    from mpl_toolkits.mplot3d import Axes3D

    if ax is None:
        made = new_figure(width, height).add_subplot(projection="3d")
        assert isinstance(made, Axes3D)
        return made
    if not isinstance(ax, Axes3D):
        raise PlotError("this picture has three dimensions: give axes made with projection='3d', or none.")
    return ax


def line_width(count: int) -> float:
    """Width of the lines between so many regions: thousands need finer ones than a dozen."""
    return float(np.clip(8.0 / np.sqrt(max(count, 1)), 0.1, 0.6))
