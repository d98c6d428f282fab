"""Every picture of a partition by name: one table, from which files are drawn."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from polyspline.errors import ArgumentError, ExportFormatError, PlotError
from polyspline.files import check_writable, whole_file
from polyspline.manifold.regions import RegionSet, Source, region_set
from polyspline.plots import pages
from polyspline.plots.adjacency import plot_adjacency
from polyspline.plots.angles import plot_angles
from polyspline.plots.bars import plot_histogram
from polyspline.plots.graph import plot_graph
from polyspline.plots.page_parts import require_plotly
from polyspline.plots.partition import plot_partition
from polyspline.plots.picture import PAGE, PICTURES, check_picture, draw_to_file
from polyspline.plots.quantities import QUANTITIES, Color
from polyspline.plots.smoothing import plot_smoothing
from polyspline.plots.solids import plot_solids
from polyspline.plots.surface import plot_pair, plot_surface

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from plotly.graph_objects import Figure as Page


@dataclass(frozen=True)
class Kind:
    """A picture of a partition.

    Attributes
    ----------
    shows
        What it shows, for a person.
    dims
        Latent dimensions S that it can be drawn in; empty for all.
    draw
        Draws it with matplotlib, from the regions and the options that it takes.
    takes
        Names of these options.
    page
        Makes its interactive page; None if it has none.
    """

    shows: str
    dims: tuple[int, ...]
    draw: Callable[..., Axes | Figure | SubFigure]
    takes: tuple[str, ...]
    page: Callable[..., Page] | None = None


_COLOURS = ("box", "color", "output")


def _histogram(name: str) -> Callable[..., Any]:
    def draw(regions: RegionSet, **options: Any) -> Any:
        return plot_histogram(regions, name, **options)

    return draw


def _angles_on(place: Any) -> Callable[..., Any]:
    def draw(regions: RegionSet, **options: Any) -> Any:
        return plot_angles(regions, on=place, **options)

    return draw


KINDS: dict[str, Kind] = {
    "partition": Kind(
        "the coloured regions of the plane", (2,), plot_partition, _COLOURS, pages.partition_page
    ),
    "graph": Kind("the graph of G on a line", (1,), plot_graph, ("box",), pages.graph_page),
    "surface": Kind(
        "the generated surface", (2,), plot_surface, (*_COLOURS, "coordinates"), pages.surface_page
    ),
    "pair": Kind("the partition beside the surface (Fig. 1)", (2,), plot_pair, (*_COLOURS, "coordinates")),
    "solids": Kind("the regions as solids", (3,), plot_solids, (*_COLOURS, "explode"), pages.solids_page),
    "adjacency": Kind(
        "the adjacency graph on the middles of the regions",
        (2, 3),
        plot_adjacency,
        _COLOURS,
        pages.adjacency_page,
    ),
    "angles": Kind("the facets coloured by angle (Fig. 12)", (2, 3), _angles_on("partition"), ("box",)),
    "surface-angles": Kind("the same on the surface", (2,), _angles_on("surface"), ("box", "coordinates")),
    "smoothing": Kind(
        "a strip of smoothed surfaces (Fig. 6)",
        (1, 2),
        plot_smoothing,
        (*_COLOURS, "coordinates", "betas"),
    ),
    **{
        name.replace("_", "-"): Kind(
            f"histogram: {row.plain.replace('{number}', ' of --output')} of the regions",
            (),
            _histogram(name),
            ("output", "bins") if name == "value" else ("bins",),
        )
        for name, row in QUANTITIES.items()
    },
    "angle": Kind("histogram: turning angle of the facets", (), _histogram("angle"), ("bins",)),
    "principal-angle": Kind(
        "histogram: largest principal angle of the facets", (), _histogram("principal_angle"), ("bins",)
    ),
}
"""Every picture of a partition by name. A row is all that a new one needs."""

_USUAL = {1: "graph", 2: "partition", 3: "solids"}


def kind_of(what: str | None, dim: int) -> str:
    """Look up a picture: the name of one, or None for the usual one of a latent dimension.

    Raises
    ------
    PlotError
        If there is no such picture; the message lists those that there are, of this dimension.
    """
    if what is None:
        if dim not in _USUAL:
            raise PlotError(
                f"no picture of the regions in {dim} dimensions: S = 1 (the graph of G), S = 2 "
                "(the plane) and S = 3 (solids) can be drawn; enumerate a slice of the network, see "
                "Network.restrict, or draw a histogram."
            )
        return _USUAL[dim]
    name = what.replace("_", "-")
    if name not in KINDS:
        raise PlotError(f"no picture is called {what!r}; choose one of {', '.join(KINDS)}.")
    return name


def save_picture(
    source: Source,
    path: str | os.PathLike[str],
    *,
    what: str | None = None,
    box: npt.ArrayLike | None = None,
    color: Color | None = None,
    output: int | None = None,
    coordinates: Sequence[int] | None = None,
    explode: float | None = None,
    betas: Sequence[float] | None = None,
    bins: int | None = None,
    overwrite: bool = True,
) -> Path:
    """Draw a picture of a partition into a file, or make an interactive page of it.

    The file appears whole or not at all.

    Parameters
    ----------
    source : Partition or RegionSet
        Complete or partial.
    path : path-like
        File to write: ``.png``, ``.svg`` or ``.pdf``; ``.html`` for a page that needs no other file and no
        network, where the picture has one.
    what : str, optional
        Name of the picture, of `KINDS`. Default: the graph of G if S = 1, the coloured regions of the
        plane if S = 2, solids if S = 3.
    box, color, output, coordinates, explode, betas, bins
        As the functions that draw take them; only those that the picture has a use for.
    overwrite : bool
        Whether a file that is there is replaced; else it is refused.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ExportFormatError
        If the suffix is not one of those, or the picture has no page.
    PlotError
        If there is no such picture, or S or an option does not fit it.
    ArgumentError
        If an option is given that the picture does not take, or a quantity needs a complete partition.
    MissingExtraError
        If matplotlib is not installed, plotly for a page, or torch for smoothing.
    OutputError
        If the file cannot be written.
    """
    regions = region_set(source)
    dim = regions.net.latent_dim
    name = kind_of(what, dim)
    kind = KINDS[name]
    given = {
        "box": box,
        "color": color,
        "output": output,
        "coordinates": coordinates,
        "explode": explode,
        "betas": betas,
        "bins": bins,
    }
    options = {key: value for key, value in given.items() if value is not None}
    check_options(name, options)
    if kind.dims and dim not in kind.dims:
        wanted = " or ".join(str(one) for one in kind.dims)
        fit = [other for other, row in KINDS.items() if not row.dims or dim in row.dims]
        slice_ = "; or enumerate a slice, see Network.restrict" if dim > max(kind.dims) else ""
        raise PlotError(
            f"{name!r} is drawn in {wanted} dimensions, and this domain has {dim} dimensions: choose one of "
            f"{', '.join(fit)}{slice_}."
        )
    if check_format(name, path) != PAGE:
        return draw_to_file(path, lambda: kind.draw(regions, **options), overwrite=overwrite)
    return _save_page(kind, regions, Path(path), options, overwrite)


def check_options(name: str, options: Mapping[str, object]) -> None:
    """Refuse options that a picture of `KINDS` does not take.

    Raises
    ------
    ArgumentError
        If there is one; it says which picture takes it. An output too, unless it is one that is shown.
    """
    for key in options:
        if key not in KINDS[name].takes:
            able = [other for other, row in KINDS.items() if key in row.takes]
            raise ArgumentError(f"{name!r} takes no {key}; these pictures do: {', '.join(able)}.")
    colour = options.get("color")
    if "output" in options and name != "value" and not (isinstance(colour, str) and _is_value(colour)):
        shown = "its usual one" if colour is None else repr(colour) if isinstance(colour, str) else "given"
        raise ArgumentError(
            f"output {options['output']} is of use to the colour 'value' only, and the colour of {name!r} is "
            f"{shown}: give the colour value, too, or leave the output out."
        )


def _is_value(colour: str) -> bool:
    return colour.replace("_", "-") == "value"


def check_format(name: str, path: str | os.PathLike[str]) -> str:
    """Look up the format of a file for a picture of `KINDS`; gives its suffix in lower case.

    Raises
    ------
    ExportFormatError
        If the suffix names no format, or a page that the picture does not have.
    """
    if Path(path).suffix.lower() != PAGE:
        return check_picture(path)
    if KINDS[name].page is None:
        able = [other for other, row in KINDS.items() if row.page is not None]
        raise ExportFormatError(
            f"cannot draw {os.fspath(path)}: {name!r} has no interactive page ({PAGE}); use one of "
            f"{', '.join(PICTURES)}, or draw one of {', '.join(able)}."
        )
    return PAGE


def _save_page(kind: Kind, regions: RegionSet, path: Path, options: dict[str, Any], overwrite: bool) -> Path:
    """Write the interactive page of a picture."""
    assert kind.page is not None
    require_plotly()
    check_writable(path, overwrite=overwrite)
    text = pages.page_text(kind.page(regions, **options)).encode("utf-8")
    with whole_file(path, overwrite=overwrite) as stream:
        stream.write(text)
    return path
