"""The colours of regions: of their own, or those of a quantity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
import numpy.typing as npt

from polyspline.errors import PlotError
from polyspline.manifold.regions import RegionSet
from polyspline.plots.quantities import LABELS, Color, Scale, Values, check_output, checked_name, values_of
from polyspline.plots.style import DIVERGING, FILLS, NOTHING, RISING, SEQUENTIAL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable

Floats = npt.NDArray[np.float64]
Limits = tuple[float, float]

_LOG_RATIO = 30.0
"""Values that differ by less than this are told apart on a linear scale, too."""

_WHOLE_COLOURS = 12

_USUAL = (0.02, 0.98)
_FAR_OFF = 1.5
_MANY = 50
"""The scale of many values ends at these shares of them if all would make it so many times as long."""


@dataclass(frozen=True, eq=False)
class Colouring:
    """A colour for each region.

    Attributes
    ----------
    faces
        (R, 4) red, green, blue and opacity.
    values
        What the colours stand for; None where they only tell regions apart.
    mappable
        What a colour bar is made of; None without values.
    ticks
        Where the colour bar is labelled; None to leave it to matplotlib.
    """

    faces: Floats
    values: Values | None = None
    mappable: ScalarMappable | None = None
    ticks: tuple[int, ...] | None = None

    @property
    def remark(self) -> str:
        """What a title has to add: that some regions have no value."""
        if self.mappable is None or self.values is None:
            return ""
        missing = int(np.count_nonzero(~has_value(self.values)))
        return f", {missing:,} without value grey" if missing else ""


def has_value(values: Values) -> npt.NDArray[np.bool_]:
    """Whether each region has a value that a colour can stand for, (R,)."""
    finite = np.isfinite(values.numbers)
    if values.scale is Scale.LOGARITHMIC:
        finite &= values.numbers > 0
    return np.asarray(finite)


def colour_regions(
    regions: RegionSet,
    color: Color,
    *,
    output: int = 0,
    label: str | None = None,
    limits: Limits | None = None,
) -> Colouring:
    """Choose the colours of regions.

    Parameters
    ----------
    regions
        Regions of a partition or of a sampled set.
    color
        ``"region"`` or ``"affine_region"``: neighbours differ. The name of a quantity, or (R,)
        numbers: by value.
    output
        Which output ``"value"`` is, from 0.
    label
        What stands at the colour bar.
    limits
        Values of the ends of the colour bar, so that several pictures share one.

    Returns
    -------
    Colouring

    Raises
    ------
    PlotError, ArgumentError
        See `values_of`; also if `limits` are no interval.
    """
    check_output(color, output)
    if isinstance(color, str) and checked_name(color) in LABELS:
        return _told_apart(regions, checked_name(color))
    return colour_values(values_of(regions, color, output=output, label=label), limits)


def _told_apart(regions: RegionSet, name: str) -> Colouring:
    from matplotlib.colors import to_rgba_array

    labels = np.arange(len(regions)) if name == "region" else np.asarray(regions.as_partition.affine_labels())
    return Colouring(to_rgba_array(FILLS)[colour_classes(labels, regions.edges, len(FILLS))])


def colour_values(values: Values, limits: Limits | None = None, *, on_white: bool = False) -> Colouring:
    """Colours of values on a scale that fits them; grey where there is none.

    Parameters
    ----------
    values
        Of some regions, or of some facets.
    limits
        Values of the ends of the scale.
    on_white
        Whether great values are dark, for lines on white.

    Returns
    -------
    Colouring

    Raises
    ------
    PlotError
        If `limits` are no interval.

    Notes
    -----
    The maps are ordered by lightness alone where all values have one sign, and diverge from zero
    where a signed quantity has both; colour-blind readers tell both.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import BoundaryNorm, Colormap, LinearSegmentedColormap, LogNorm, Normalize, to_rgba

    known = has_value(values)
    low, high = _ends(values, values.numbers[known], limits)
    name, ticks = SEQUENTIAL, None
    map_: Colormap
    norm: Normalize = Normalize(*_widened(low, high))
    if values.scale is Scale.WHOLE and 0 <= high - low < _WHOLE_COLOURS:
        first, last = round(low), round(high)
        ticks = tuple(range(first, last + 1))
        map_ = colormaps[name].resampled(len(ticks))
        norm = BoundaryNorm(np.arange(first, last + 2) - 0.5, len(ticks))
    else:
        if values.scale is Scale.LOGARITHMIC and low > 0 and high > _LOG_RATIO * low:
            norm = LogNorm(low, high)
        elif values.scale is Scale.SIGNED and low < 0 < high:
            name, norm = DIVERGING, Normalize(-max(-low, high), max(-low, high))
        map_ = LinearSegmentedColormap.from_list("rising", RISING) if on_white else colormaps[name]
    faces = np.tile(to_rgba(NOTHING), (len(values.numbers), 1))
    mappable = ScalarMappable(norm, map_)
    faces[known] = mappable.to_rgba(values.numbers[known])
    return Colouring(faces, values, mappable, ticks)


def _ends(values: Values, numbers: Floats, limits: Limits | None) -> Limits:
    """Choose the ends of the scale: the least and greatest value, but for a few that are far off."""
    if limits is not None:
        low, high = float(limits[0]), float(limits[1])
        if not (np.isfinite([low, high]).all() and low < high):
            raise PlotError(
                f"the limits of the colours are {limits}; expected two finite numbers, the lower first."
            )
        return low, high
    if not len(numbers):
        return 0.0, 1.0
    whole = float(numbers.min()), float(numbers.max())
    if values.scale is Scale.WHOLE or len(numbers) < _MANY:
        return whole
    middle = np.quantile(numbers, _USUAL)
    lay = np.log if values.scale is Scale.LOGARITHMIC else np.asarray
    if np.ptp(lay(whole)) < _FAR_OFF * np.ptp(lay(middle)) or not np.ptp(middle) > 0:
        return whole
    return float(middle[0]), float(middle[1])


def _widened(low: float, high: float) -> Limits:
    """Widen an interval that rounding alone keeps from being a point."""
    size = max(abs(low), abs(high))
    if high - low > 1e-9 * size:
        return low, high
    margin = 0.5 * size if size > 0 else 0.5
    return low - margin, high + margin


def add_colour_bar(axes: Axes, colouring: Colouring, *, pad: float = 0.03) -> None:
    """Draw the colour bar of a quantity at the right of some axes; nothing where there is none."""
    if colouring.mappable is None or colouring.values is None:
        return
    figure = axes.get_figure()
    assert figure is not None
    known = colouring.values.numbers[has_value(colouring.values)]
    low, high = colouring.mappable.get_clim()
    beyond = bool((known < low).any()), bool((known > high).any())
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    bar = figure.colorbar(colouring.mappable, ax=axes, shrink=0.8, aspect=24, pad=pad, extend=extend[beyond])
    bar.outline.set_linewidth(0.6)
    bar.set_label(colouring.values.label)
    if colouring.ticks is not None:
        bar.set_ticks(list(colouring.ticks))
        bar.ax.minorticks_off()


def colour_classes(
    labels: npt.NDArray[np.integer], edges: npt.NDArray[np.integer], colours: int
) -> npt.NDArray[np.int64]:
    """Colour regions so that neighbours with different labels differ.

    Parameters
    ----------
    labels
        (R,) what is to have one colour: the region itself, or its affine region.
    edges
        (E, 2) adjacencies of regions.
    colours
        How many colours there are, at least 6; all are used about equally often.

    Returns
    -------
    ndarray
        (R,) numbers of colours from 0.

    Notes
    -----
    Guarantee: in the plane neighbours differ. In more dimensions no number of colours is enough for
    all partitions, and a region whose neighbours have all the colours has that of one of them.

    Algorithm: greedy, the smallest degree last, O(R + E). The adjacency graph of regions of the
    plane is planar, so that each in its turn meets at most 5 neighbours that have a colour.
    """
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(int(label) for label in np.unique(labels))
    ends = labels[np.asarray(edges, dtype=np.int64).reshape(-1, 2)]
    graph.add_edges_from((int(i), int(j)) for i, j in ends if i != j)
    chosen: dict[int, int] = {}
    uses = [0] * colours
    everyone = set(range(colours))
    for label in nx.coloring.strategy_smallest_last(graph, chosen):
        taken = {chosen[other] for other in graph[label] if other in chosen}
        chosen[label] = min(everyone - taken or everyone, key=uses.__getitem__)
        uses[chosen[label]] += 1
    return np.array([chosen[int(label)] for label in labels], dtype=np.int64)
