"""The one style of every picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polyspline.errors import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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
