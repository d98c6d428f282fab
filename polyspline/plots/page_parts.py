"""What interactive pages are made of (plotly)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from polyspline.errors import require
from polyspline.manifold.regions import RegionSet
from polyspline.plots.cells import Polygons
from polyspline.plots.colours import Colouring, has_value
from polyspline.plots.quantities import Scale
from polyspline.plots.solids import outlines
from polyspline.plots.style import INK, require_matplotlib

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LATENTS_HTML = ("z<sub>1</sub>", "z<sub>2</sub>", "z<sub>3</sub>")

_LEVELS = 64
"""Flat pages have so many colours at most: each is a trace of its own."""


def require_plotly() -> None:
    """Refuse to begin without plotly, or without matplotlib, whose colours the pages share.

    Raises
    ------
    MissingExtraError
        If one of them is not installed.
    """
    require("plotly", extra="plot", purpose="make interactive pages")
    require_matplotlib()


def new_page(title: str, colouring: Colouring, *, flat: bool) -> Figure:
    """Begin a page: its title, and the colour bar if there is one."""
    from plotly import graph_objects

    figure = graph_objects.Figure()
    figure.update_layout(
        title={"text": title, "font": {"size": 14}},
        template="simple_white",
        showlegend=False,
        margin={"l": 40, "r": 20, "t": 50, "b": 40},
    )
    bar = colour_bar(colouring)
    if bar is not None:
        nowhere: dict[str, Any] = (
            {"x": [None], "y": [None]} if flat else {"x": [None], "y": [None], "z": [None]}
        )
        (figure.add_scatter if flat else figure.add_scatter3d)(
            **nowhere, mode="markers", marker=bar, hoverinfo="skip"
        )
    return figure


def colour_bar(colouring: Colouring) -> dict[str, Any] | None:
    """Marker that carries the colour bar of a quantity."""
    if colouring.mappable is None or colouring.values is None:
        return None
    from matplotlib.colors import to_hex

    low, high = colouring.mappable.get_clim()
    shares = np.linspace(0.0, 1.0, 33)
    title = colouring.values.plain
    if colouring.ticks is not None:
        low, high = colouring.ticks[0] - 0.5, colouring.ticks[-1] + 0.5
        # Each whole number has a step of its own.
        steps = np.arange(len(colouring.ticks) + 1) / len(colouring.ticks)
        shares = np.repeat(steps, 2)[1:-1]
        levels = np.repeat(np.array(colouring.ticks, dtype=np.float64), 2)
    elif _is_logarithmic(colouring):
        low, high = float(np.log10(low)), float(np.log10(high))
        levels = 10.0 ** (low + shares * (high - low))
        title = f"log<sub>10</sub> {title}"
    else:
        levels = low + shares * (high - low)
    colours = [to_hex(one) for one in np.asarray(colouring.mappable.to_rgba(levels))]
    ticks = {} if colouring.ticks is None else {"tickvals": list(colouring.ticks)}
    return {
        "color": [low],
        "cmin": low,
        "cmax": high,
        "colorscale": [[float(share), colour] for share, colour in zip(shares, colours, strict=True)],
        "showscale": True,
        "colorbar": {"title": {"text": title, "side": "right"}, "thickness": 14, **ticks},
    }


def _is_logarithmic(colouring: Colouring) -> bool:
    from matplotlib.colors import LogNorm

    return colouring.mappable is not None and isinstance(colouring.mappable.norm, LogNorm)


def words_of(regions: RegionSet, colouring: Colouring, which: Integers) -> list[str]:
    """Tell what there is to say of each of some regions."""
    degrees = np.bincount(regions.edges.reshape(-1), minlength=len(regions))
    words = [f"region {i}<br>{degrees[i]} neighbours" for i in range(len(regions))]
    values = colouring.values
    if values is not None:
        known = has_value(values)
        form = "{:.0f}" if values.scale is Scale.WHOLE else "{:.6g}"
        words = [
            f"{text}<br>{values.plain}: {form.format(number) if has else 'none'}"
            for text, number, has in zip(words, values.numbers, known, strict=True)
        ]
    return [words[i] for i in which.tolist()]


def hexes(faces: Floats) -> list[str]:
    """Colours (n, 4) as text."""
    from matplotlib.colors import to_hex

    return [to_hex(face) for face in faces]


def few_colours(faces: Floats) -> npt.NDArray[np.str_]:
    """Colours (n, 4) as text, of which there are not too many: the nearest of some of them."""
    names = np.array(hexes(faces), dtype=np.str_)
    different, first = np.unique(names, return_index=True)
    if len(different) <= _LEVELS:
        return names
    # The colours of a map lie on a curve; its lightness orders them.
    light = faces[:, :3] @ np.array([0.2126, 0.7152, 0.0722])
    order = first[np.argsort(light[first], kind="stable")]
    kept = order[np.linspace(0, len(order) - 1, _LEVELS).round().astype(np.int64)]
    nearest = [int(((faces[kept, :3] - face[:3]) ** 2).sum(axis=1).argmin()) for face in faces]
    return names[kept[nearest]]


def rings(polygons: Polygons) -> Floats:
    """Outlines one after the other, (k, d), each closed and with NaN behind it."""
    corners = polygons.corners
    gap = np.full((len(polygons), 1, corners.shape[2]), np.nan)
    return np.concatenate([corners, corners[:, :1], gap], axis=1).reshape(-1, corners.shape[2])


def add_lines(figure: Figure, ends: Floats, colour: str) -> None:
    """Add segments (n, 2, d) as one trace."""
    gap = np.full((len(ends), 1, ends.shape[2]), np.nan)
    columns = np.concatenate([ends, gap], axis=1).reshape(-1, ends.shape[2]).T
    places = dict(zip("xyz", columns, strict=False))
    add = figure.add_scatter if ends.shape[2] == 2 else figure.add_scatter3d
    add(**places, mode="lines", line={"color": colour, "width": 1}, hoverinfo="skip")


def add_dots(figure: Figure, points: Floats, words: list[str], colours: list[str]) -> None:
    """Add points (n, d) that say words."""
    places = dict(zip("xyz", points.T, strict=False))
    marker: dict[str, Any] = {"size": 6, "color": colours, "line": {"color": INK, "width": 0.5}}
    if points.shape[1] == 3:
        marker["size"] = 4
    add = figure.add_scatter if points.shape[1] == 2 else figure.add_scatter3d
    add(**places, mode="markers", marker=marker, text=words, hoverinfo="text")


def triangles(polygons: Polygons) -> tuple[Floats, Integers, Integers]:
    """Cut polygons into triangles: corners (V, d), triangles (T, 3) of them, and their polygons (T,)."""
    starts = np.cumsum(polygons.counts) - polygons.counts
    corners = polygons.corners[polygons.valid]
    width = polygons.corners.shape[1]
    steps = np.arange(1, max(width - 1, 1))
    polygon, step = np.nonzero(steps < (polygons.counts - 1)[:, None])
    first = starts[polygon]
    return corners, np.stack([first, first + steps[step], first + steps[step] + 1], axis=1), polygon


def add_mesh(figure: Figure, polygons: Polygons, colouring: Colouring, words: list[str]) -> None:
    """Add polygons of space as one mesh, and their outlines."""
    corners, faces, polygon = triangles(polygons)
    colours = hexes(colouring.faces[polygons.owner])
    figure.add_mesh3d(
        **dict(zip("xyz", corners.T, strict=True)),
        **dict(zip("ijk", faces.T, strict=True)),
        facecolor=[colours[i] for i in polygon.tolist()],
        flatshading=True,
        # The colours stand for values: light must not change them.
        lighting={"ambient": 1.0, "diffuse": 0.0, "specular": 0.0, "fresnel": 0.0},
        text=np.repeat(words, polygons.counts),
        hoverinfo="text",
    )
    add_lines(figure, outlines(polygons, None), INK)


def plain(name: str) -> str:
    """Name of an axis in HTML, from one in matplotlib's mathematics."""
    return re.sub(r"_\{?(\d+)\}?", r"<sub>\1</sub>", name.strip("$"))


def scene(names: Sequence[str], aspect: str) -> dict[str, Any]:
    """Axes of space."""
    axes = {f"{axis}axis": {"title": {"text": name}} for axis, name in zip("xyz", names, strict=True)}
    return {**axes, "aspectmode": aspect}


def set_plane(figure: Figure, lo: Floats, hi: Floats) -> None:
    """Axes of the latent plane, one unit as long on both."""
    figure.update_xaxes(range=[float(lo[0]), float(hi[0])], title_text=LATENTS_HTML[0], constrain="domain")
    figure.update_yaxes(
        range=[float(lo[1]), float(hi[1])], title_text=LATENTS_HTML[1], scaleanchor="x", constrain="domain"
    )
