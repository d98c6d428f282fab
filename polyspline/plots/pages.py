"""Pictures as interactive pages that need no other file and no network (plotly)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from polyspline.manifold.regions import Source, region_set
from polyspline.plots.adjacency import check_adjacency, graph_title, planar_places, seen_edges
from polyspline.plots.cells import Polygons
from polyspline.plots.colours import Colouring, Limits, colour_regions
from polyspline.plots.facets import solid_set
from polyspline.plots.graph import Curves, curves_of
from polyspline.plots.page_parts import (
    LATENTS_HTML,
    add_dots,
    add_lines,
    add_mesh,
    few_colours,
    hexes,
    new_page,
    plain,
    require_plotly,
    rings,
    scene,
    set_plane,
    words_of,
)
from polyspline.plots.partition import planar_set, regions_seen, view_cells
from polyspline.plots.quantities import Color
from polyspline.plots.solids import centres, moved_apart, solids
from polyspline.plots.style import FAINT, INK, LINES
from polyspline.plots.surface import Coordinates, surface_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Floats = npt.NDArray[np.float64]


MOST_SPEAKING = 4_000
"""So many polygons are traces of their own, each with its words."""


def page_text(figure: Figure) -> str:
    """HTML page of a figure, with all the code it needs inside; the same figure gives the same text."""
    return str(
        figure.to_html(
            full_html=True, include_plotlyjs=True, div_id="polyspline", config={"displaylogo": False}
        )
    )


def partition_page(
    source: Source,
    *,
    box: npt.ArrayLike | None = None,
    color: Color = "region",
    output: int = 0,
    label: str | None = None,
    limits: Limits | None = None,
) -> Figure:
    """Interactive `plot_partition`: it can be zoomed into, and the region under the pointer says what it is.

    Parameters
    ----------
    source, box, color, output, label, limits
        As in `plot_partition`.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    PlotError, ArgumentError
        As in `plot_partition`.
    MissingExtraError
        If plotly or matplotlib is not installed.

    Notes
    -----
    Each region is a polygon of its own that speaks for all of its places, also those that are nearer to the
    middle of another one. Beyond 4,000 polygons, which browsers are slow with, those of one colour are
    drawn as one, in at most 64 colours, and no region speaks: the title says so, and `box` shows fewer.
    """
    regions = planar_set(source, "the partition")
    require_plotly()
    colouring = colour_regions(regions, color, output=output, label=label, limits=limits)
    _, lo, hi, cells = view_cells(regions, box)
    cells = cells.kept
    speaks = len(cells) <= MOST_SPEAKING
    remark = "" if speaks else ", too many to say which is under the pointer: show fewer by a box"
    figure = new_page(regions_seen(regions, cells) + colouring.remark + remark, colouring, flat=True)
    parts: list[tuple[Polygons, str, str | None]]
    if speaks:
        colours = hexes(colouring.faces[cells.owner])
        words = words_of(regions, colouring, cells.owner)
        parts = [(cells.take(np.array([i])), colours[i], words[i]) for i in range(len(cells))]
    else:
        names, group = np.unique(few_colours(colouring.faces)[cells.owner], return_inverse=True)
        places = [np.flatnonzero(group.reshape(-1) == number) for number in range(len(names))]
        parts = [(cells.take(own), name, None) for name, own in zip(names.tolist(), places, strict=True)]
    figure.add_traces([_filled(*part) for part in parts])
    figure.update_layout(hovermode="closest")
    set_plane(figure, lo, hi)
    return figure


def _filled(cells: Polygons, colour: str, words: str | None) -> dict[str, Any]:
    """Polygons as one trace, which says its words wherever the pointer is within one, if it has words."""
    x, y = rings(cells).T
    return {
        "type": "scatter",
        "x": x,
        "y": y,
        "mode": "lines",
        "fill": "toself",
        "fillcolor": colour,
        "line": {"color": INK, "width": 0.5},
        "hoveron": "fills",
        **({"hoverinfo": "skip"} if words is None else {"hoverinfo": "text", "text": words}),
    }


def surface_page(
    source: Source,
    *,
    box: npt.ArrayLike | None = None,
    color: Color = "region",
    output: int = 0,
    coordinates: Coordinates = None,
    label: str | None = None,
    limits: Limits | None = None,
) -> Figure:
    """Interactive `plot_surface`: it can be turned, and each region says what it is.

    Parameters
    ----------
    source, box, color, output, coordinates, label, limits
        As in `plot_surface`; two outputs lie in a plane of space.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    PlotError, ArgumentError
        As in `plot_surface`.
    MissingExtraError
        If plotly or matplotlib is not installed.
    """
    regions = planar_set(source, "the generated surface")
    require_plotly()
    colouring = colour_regions(regions, color, output=output, label=label, limits=limits)
    surface = surface_of(regions, box, coordinates)
    names = [plain(name) for name in surface.shadow.labels]
    image = surface.image
    if len(names) == 2:
        level = np.zeros((*image.corners.shape[:2], 1))
        image = Polygons(np.concatenate([image.corners, level], axis=2), image.counts, image.owner)
        names.append("")
    figure = new_page(surface.title + colouring.remark, colouring, flat=False)
    add_mesh(figure, image, colouring, words_of(regions, colouring, image.owner))
    figure.update_layout(scene=scene(names, "cube" if surface.shadow.is_height else "data"))
    return figure


def solids_page(
    source: Source,
    *,
    box: npt.ArrayLike | None = None,
    color: Color = "region",
    output: int = 0,
    label: str | None = None,
    limits: Limits | None = None,
    explode: float = 0.3,
) -> Figure:
    """Interactive `plot_solids`: all solids whole, moved apart so that the inside is seen.

    Parameters
    ----------
    source, box, color, output, label, limits
        As in `plot_solids`.
    explode : float
        By how much the solids are moved apart.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    PlotError, ArgumentError
        As in `plot_solids`.
    MissingExtraError
        If plotly or matplotlib is not installed.
    """
    regions = solid_set(source, "a partition as solids")
    require_plotly()
    colouring = colour_regions(regions, color, output=output, label=label, limits=limits)
    polygons, _ = moved_apart(*solids(regions, box), explode)
    figure = new_page(regions_seen(regions, polygons) + colouring.remark, colouring, flat=False)
    add_mesh(figure, polygons, colouring, words_of(regions, colouring, polygons.owner))
    figure.update_layout(scene=scene(LATENTS_HTML, "data"))
    return figure


def adjacency_page(
    source: Source,
    *,
    box: npt.ArrayLike | None = None,
    color: Color = "degree",
    output: int = 0,
    label: str | None = None,
    limits: Limits | None = None,
) -> Figure:
    """Interactive `plot_adjacency`: each dot says which region it is.

    Parameters
    ----------
    source, box, color, output, label, limits
        As in `plot_adjacency`.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    PlotError, ArgumentError
        As in `plot_adjacency`.
    MissingExtraError
        If plotly or matplotlib is not installed.
    """
    regions = check_adjacency(source)
    require_plotly()
    colouring = colour_regions(regions, color, output=output, label=label, limits=limits)
    flat = regions.net.latent_dim == 2
    if flat:
        places, facets, lo, hi = planar_places(regions, box)
    else:
        places, facets = centres(solids(regions, box)[0], len(regions)), np.zeros((0, 2, 3))
        lo = hi = np.zeros(3)
    edges = seen_edges(regions, places)
    seen = np.flatnonzero(np.isfinite(places).all(axis=1))
    figure = new_page(graph_title(regions, places, edges) + colouring.remark, colouring, flat=flat)
    for ends, colour in ((facets, FAINT), (places[edges], INK)):
        add_lines(figure, ends, colour)
    add_dots(figure, places[seen], words_of(regions, colouring, seen), hexes(colouring.faces[seen]))
    if flat:
        set_plane(figure, lo, hi)
    else:
        figure.update_layout(scene=scene(LATENTS_HTML, "data"))
    return figure


def graph_page(source: Source, *, box: npt.ArrayLike | None = None) -> Figure:
    """Interactive `plot_graph`: each knot says which regions it is between.

    Parameters
    ----------
    source, box
        As in `plot_graph`.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    PlotError
        As in `plot_graph`.
    MissingExtraError
        If plotly or matplotlib is not installed.
    """
    regions = region_set(source)
    curves: Curves = curves_of(regions, box)
    require_plotly()
    figure = new_page(curves.title, Colouring(np.zeros((0, 4))), flat=True)
    gap = np.full((len(curves.shown), 1), np.nan)
    x = np.hstack([curves.reach, gap]).reshape(-1)
    words = np.repeat([f"region {index}" for index in curves.shown.tolist()], 3)
    for output in range(curves.values.shape[2]):
        y = np.hstack([curves.values[:, :, output], gap]).reshape(-1)
        name = f"G<sub>{output + 1}</sub>"
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines+markers",
            name=name,
            line={"color": LINES[output]},
            marker={"size": 4},
            text=words,
        )
    figure.update_layout(showlegend=curves.values.shape[2] > 1, xaxis_title="z", yaxis_title="G(z)")
    return figure
