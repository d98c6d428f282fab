"""The adjacency graph, drawn on the middles of the regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from polyspline.errors import PlotError
from polyspline.manifold.regions import RegionSet, Source, region_set
from polyspline.plots.cells import facet_segments
from polyspline.plots.colours import Colouring, Limits, add_colour_bar, colour_regions
from polyspline.plots.partition import view_cells
from polyspline.plots.quantities import Color
from polyspline.plots.solids import LATENTS, centres, solids
from polyspline.plots.space import draw_dots, draw_segments, dress_solid
from polyspline.plots.style import FAINT, INK, STYLE, flat_axes, line_width, require_matplotlib, solid_axes
from polyspline.plots.views import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_adjacency(
    source: Source,
    ax: Axes | None = None,
    *,
    box: npt.ArrayLike | None = None,
    color: Color = "degree",
    output: int = 0,
    label: str | None = None,
    limits: Limits | None = None,
) -> Axes:
    """Draw the adjacency graph: a dot for each region, a line for each facet that two share.

    Parameters
    ----------
    source : Partition or RegionSet
        Of a domain of two or three dimensions, complete or partial.
    ax : Axes, optional
        Axes to draw into, for S = 3 with ``projection="3d"``. Default: those of a new figure.
    box : array_like, optional
        What to show: (2,) bounds for every axis or (S, 2) bounds of each.
    color, output, label, limits
        Of the dots, as in `plot_partition`; by default the number of neighbours.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn into.

    Raises
    ------
    PlotError
        If the domain has neither two nor three dimensions, `box` shows nothing of it, or the
        colour or the axes do not fit.
    ArgumentError
        If the quantity needs a complete partition, and this one is partial.
    MissingExtraError
        If matplotlib is not installed.

    Notes
    -----
    Guarantee: every line is a proven adjacency; where the dots are is rounded: the mean of the corners
    of what is in view of a region (S = 2), and that of the means of its facets (S = 3).
    """
    regions = check_adjacency(source)
    require_matplotlib()
    from matplotlib import rc_context

    colouring = colour_regions(regions, color, output=output, label=label, limits=limits)
    with rc_context(STYLE):
        draw = _draw_flat if regions.net.latent_dim == 2 else _draw_solid
        return draw(regions, ax, box, colouring)


def check_adjacency(source: Source) -> RegionSet:
    """Check that the adjacency graph can be drawn.

    Raises
    ------
    PlotError
        If the domain has neither two nor three dimensions.
    """
    regions = region_set(source)
    dim = regions.net.latent_dim
    if dim not in (2, 3):
        raise PlotError(
            f"the adjacency graph is drawn in 2 and 3 dimensions, and this domain has {dim} "
            "dimensions; enumerate a slice of more, see Network.restrict, or export the graph to a file."
        )
    return regions


def seen_edges(regions: RegionSet, places: Floats) -> npt.NDArray[np.int64]:
    """Edges (n, 2) both of whose regions have a place, (R, S); NaN where they have none."""
    seen = np.isfinite(places).all(axis=1)
    edges = regions.edges.astype(np.int64)
    return edges[np.asarray(seen)[edges].all(axis=1)]


def planar_places(regions: RegionSet, box: npt.ArrayLike | None) -> tuple[Floats, Floats, Floats, Floats]:
    """Places of the regions (R, 2), NaN out of view; facets (n, 2, 2); the view (2,), (2,)."""
    rows, lo, hi, cells = view_cells(regions, box)
    places = np.full((len(regions), 2), np.nan)
    places[cells.owner] = cells.means()
    return places, facet_segments(rows, regions.edges, lo, hi)[0], lo, hi


def graph_title(regions: RegionSet, places: Floats, edges: npt.NDArray[np.int64]) -> str:
    """How many regions and adjacencies a picture shows."""
    seen = int(np.isfinite(places).all(axis=1).sum())
    partial = "" if regions.complete else " (sampled)" if regions.sampled else " (partial)"
    return f"{seen:,} regions, {len(edges):,} adjacencies{partial}"


def _dot_area(count: int) -> float:
    """Area of a dot, in square points: smaller for more of them."""
    return float(np.clip(4000.0 / max(count, 1), 2.0, 40.0))


def _draw_flat(regions: RegionSet, ax: Axes | None, box: npt.ArrayLike | None, colouring: Colouring) -> Axes:
    from matplotlib.collections import LineCollection

    axes = flat_axes(ax, 5.2 if colouring.mappable is None else 5.8, 5.2)
    places, facets, lo, hi = planar_places(regions, box)
    edges = seen_edges(regions, places)
    seen = np.isfinite(places).all(axis=1)
    width = line_width(len(regions))
    axes.add_collection(LineCollection(list(facets), colors=FAINT, linewidths=1.5 * width, zorder=1))
    axes.add_collection(LineCollection(list(places[edges]), colors=INK, linewidths=1.5 * width, zorder=2))
    x, y = places[seen].T
    axes.scatter(
        x,
        y,
        s=_dot_area(len(regions)),
        c=colouring.faces[seen].tolist(),
        edgecolors=INK,
        linewidths=width,
        zorder=3,
    )
    axes.set(xlim=(lo[0], hi[0]), ylim=(lo[1], hi[1]), aspect="equal", xlabel="$z_1$", ylabel="$z_2$")
    axes.set_title(graph_title(regions, places, edges) + colouring.remark)
    add_colour_bar(axes, colouring)
    return axes


def _draw_solid(regions: RegionSet, ax: Axes | None, box: npt.ArrayLike | None, colouring: Colouring) -> Axes:
    axes: Axes = solid_axes(ax, 5.8, 5.0)
    facets, _ = solids(regions, box)
    places = centres(facets, len(regions))
    edges = seen_edges(regions, places)
    seen = np.isfinite(places).all(axis=1)
    width = line_width(len(regions))
    draw_segments(axes, places[edges], INK, width).set_alpha(0.45)
    draw_dots(axes, places[seen], colouring.faces[seen], _dot_area(len(regions)), 0.5 * width)
    corners = facets.corners.reshape(-1, 3)
    dress_solid(axes, corners.min(axis=0), corners.max(axis=0), LATENTS)
    axes.set_title(graph_title(regions, places, edges) + colouring.remark)
    add_colour_bar(axes, colouring, pad=0.1)
    return axes
