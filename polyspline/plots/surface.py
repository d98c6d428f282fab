"""The generated surface: the image of the plane, region by region (Fig. 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from polyspline.errors import PlotError
from polyspline.manifold.maps import affine_maps
from polyspline.manifold.regions import RegionSet, Source
from polyspline.plots.cells import Polygons
from polyspline.plots.colours import Colouring, Limits, add_colour_bar, colour_regions
from polyspline.plots.partition import draw_cells, planar_set, regions_seen, view_cells
from polyspline.plots.quantities import Color
from polyspline.plots.rows import FacetRows
from polyspline.plots.space import USUAL_VIEW, View, best_view, draw_solid_polygons, dress_solid
from polyspline.plots.style import (
    STYLE,
    flat_axes,
    new_figure,
    require_matplotlib,
    solid_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from mpl_toolkits.mplot3d import Axes3D

Floats = npt.NDArray[np.float64]

Coordinates: TypeAlias = Sequence[int] | None
"""Which outputs are drawn, from 0: two or three of them; None for all, or the principal directions."""


SHOWS_THROUGH = 0.75
"""Opacity of flat images, whose pieces may overlap."""


@dataclass(frozen=True, eq=False)
class Shadow:
    """How outputs become the coordinates of a picture: ``(x - origin) @ directions.T``.

    Attributes
    ----------
    directions
        (d, D), d being 2 or 3; (1, D) for a height over the latent plane.
    origin
        (D,).
    names
        What stands at the axes, d of them.
    remark
        What a title has to add; empty where all outputs are drawn.
    """

    directions: Floats
    origin: Floats
    names: tuple[str, ...]
    remark: str

    @property
    def is_height(self) -> bool:
        """Whether there is one output, drawn as a height over the latent plane."""
        return len(self.directions) == 1

    def of(self, latents: Floats, outputs: Floats) -> Floats:
        """Coordinates (..., 2 or 3) of outputs (..., D) and of their latents (..., 2)."""
        seen = (outputs - self.origin) @ self.directions.T
        return np.concatenate([latents, seen], axis=-1) if self.is_height else seen

    @property
    def labels(self) -> tuple[str, ...]:
        """What stands at the axes of the picture, two or three."""
        return ("$z_1$", "$z_2$", *self.names) if self.is_height else self.names


@dataclass(frozen=True, eq=False)
class Surface:
    """The image of the regions in view.

    Attributes
    ----------
    regions
        What was mapped.
    rows
        The rows of all regions.
    cells
        The regions cut to the view, in the latent plane.
    image
        Their images, in the coordinates of the picture; of the same corners, in the same order.
    shadow
        How outputs became these coordinates.
    view
        Lowest and highest latent coordinates in view, (2,) each.
    """

    regions: RegionSet
    rows: FacetRows
    cells: Polygons
    image: Polygons
    shadow: Shadow
    view: tuple[Floats, Floats]

    @property
    def title(self) -> str:
        """Title of the picture."""
        return "image of " + regions_seen(self.regions, self.cells) + self.shadow.remark

    @property
    def is_flat(self) -> bool:
        """Whether two outputs are drawn in a plane, and not three coordinates in space."""
        return bool(self.image.corners.shape[2] == 2)

    @cached_property
    def best_view(self) -> View:
        """From where a surface in space is looked at."""
        return USUAL_VIEW if self.shadow.is_height else best_view(self.image)


def surface_of(regions: RegionSet, box: npt.ArrayLike | None, coordinates: Coordinates) -> Surface:
    """Map the regions of a plane, cut to a view.

    Raises
    ------
    PlotError
        If nothing is in view, or the coordinates are not two or three outputs.

    Notes
    -----
    Guarantee: rounded; corners are mapped by A_ω and b_ω of their region.
    """
    check_coordinates(coordinates, regions.net.ambient_dim)
    rows, lo, hi, cells = view_cells(regions, box)
    outputs = outputs_at(regions, cells)
    weights = np.where(cells.valid, (cells.areas() / cells.counts)[:, None], 0.0)
    shadow = shadow_of(outputs.reshape(-1, outputs.shape[2]), weights.reshape(-1), coordinates)
    image = Polygons(shadow.of(cells.corners, outputs), cells.counts, cells.owner)
    return Surface(regions, rows, cells, image, shadow, (lo, hi))


def outputs_at(regions: RegionSet, cells: Polygons) -> Floats:
    """G at the corners of cells, (n, K, D), by the affine piece of the region that owns each."""
    outputs = np.empty((*cells.corners.shape[:2], regions.net.ambient_dim))
    place = 0
    for maps in affine_maps(regions, cells.owner):
        some = slice(place, place + len(maps))
        outputs[some] = cells.corners[some] @ maps.A.transpose(0, 2, 1) + maps.b[:, None]
        place += len(maps)
    return outputs


def check_coordinates(coordinates: Coordinates, count: int) -> None:
    """Refuse coordinates that are not two or three different outputs.

    Raises
    ------
    PlotError
        If they are not.
    """
    if coordinates is None:
        return
    given = list(coordinates)
    if len(given) not in (2, 3) or len(set(given)) < len(given) or not all(0 <= i < count for i in given):
        raise PlotError(
            f"the coordinates to draw are {given}; expected two or three different outputs, 0 to {count - 1}."
        )


def shadow_of(outputs: Floats, weights: Floats, coordinates: Coordinates) -> Shadow:
    """Choose how outputs (n, D) are drawn: as they are, some of them, or their principal directions.

    Notes
    -----
    The principal directions are those of the outputs given, by their weights (n,); each points so that
    its largest entry is positive.
    """
    count = outputs.shape[1]
    chosen = coordinates
    if chosen is None and count <= 3:
        chosen = range(count)
    if chosen is not None:
        names = tuple(f"$G_{{{i + 1}}}$" for i in chosen)
        listed = ", ".join(str(i + 1) for i in chosen)
        remark = "" if len(chosen) == count else f", outputs {listed} of {count}"
        return Shadow(np.eye(count)[list(chosen)], np.zeros(count), names, remark)
    origin = weights @ outputs / weights.sum()
    # The covariance of few points in many dimensions has the same directions as their small factor.
    factor = np.linalg.qr((outputs - origin) * np.sqrt(weights / weights.sum())[:, None], mode="r")
    _, sizes, directions = np.linalg.svd(factor, full_matrices=False)
    axes = np.zeros((3, count))
    axes[: min(3, len(directions))] = directions[:3]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    axes *= np.where(largest < 0, -1.0, 1.0)
    whole = float((sizes**2).sum())
    share = float((sizes[:3] ** 2).sum()) / whole if whole > 0 else 1.0
    names = ("first principal direction", "second", "third")
    return Shadow(axes, origin, names, f", principal directions of {count} outputs ({share:.0%} of variance)")


def plot_surface(
    source: Source,
    ax: Axes | None = None,
    *,
    box: npt.ArrayLike | None = None,
    color: Color = "region",
    output: int = 0,
    coordinates: Coordinates = None,
    label: str | None = None,
    limits: Limits | None = None,
) -> Axes:
    """Draw the image of the regions of the plane, in the colours that `plot_partition` gives them.

    Parameters
    ----------
    source : Partition or RegionSet
        Of a two-dimensional domain, complete or partial.
    ax : Axes, optional
        Axes to draw into: with ``projection="3d"``, or flat ones where two outputs are drawn. Default:
        those of a new figure, ``axes.figure``.
    box : array_like, optional
        Part of the latent plane to show: (2,) bounds for both axes or (2, 2) bounds of each.
    color, output, label, limits
        As in `plot_partition`.
    coordinates : sequence of int, optional
        Two or three outputs to draw, from 0. Default: one output is a height over the latent
        plane, two are a flat image, three a surface; of more, the first three principal directions
        of the surface, and the title says so.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn into; an ``Axes3D`` but for flat images.

    Raises
    ------
    PlotError
        If the domain has not two dimensions, `box` shows nothing of it, or the coordinates, the
        colour or the axes do not fit.
    ArgumentError
        If the quantity needs a complete partition, and this one is partial.
    MissingExtraError
        If matplotlib is not installed.

    Notes
    -----
    Guarantee: rounded. In a flat image pieces that overlap, where G folds, show through.

    References
    ----------
    Max-affine spline insights, Fig. 1.
    """
    regions = planar_set(source, "the generated surface")
    require_matplotlib()
    from matplotlib import rc_context

    colouring = colour_regions(regions, color, output=output, label=label, limits=limits)
    surface = surface_of(regions, box, coordinates)
    with rc_context(STYLE):
        return draw_surface(surface, colouring, ax)


def plot_pair(
    source: Source,
    figure: Figure | SubFigure | None = None,
    *,
    box: npt.ArrayLike | None = None,
    color: Color = "region",
    output: int = 0,
    coordinates: Coordinates = None,
    label: str | None = None,
    limits: Limits | None = None,
) -> Figure | SubFigure:
    """Draw the partition of the plane and, beside it, its image in the same colours (Fig. 1).

    Parameters
    ----------
    source, box, color, output, coordinates, label, limits
        As in `plot_surface`.
    figure : Figure or SubFigure, optional
        Empty figure to draw into. Default: a new one.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure
        The figure that was drawn into; the axes of the partition first.

    Raises
    ------
    PlotError, ArgumentError, MissingExtraError
        As in `plot_surface`.
    """
    regions = planar_set(source, "the partition and its image")
    require_matplotlib()
    from matplotlib import rc_context

    colouring = colour_regions(regions, color, output=output, label=label, limits=limits)
    surface = surface_of(regions, box, coordinates)
    with rc_context(STYLE):
        whole = new_figure(9.6, 4.4) if figure is None else figure
        left = whole.add_subplot(1, 2, 1)
        right = whole.add_subplot(1, 2, 2, projection=None if surface.is_flat else "3d")
        _draw_latent(surface, colouring, left)
        draw_surface(surface, colouring, right)
    return whole


def _draw_latent(surface: Surface, colouring: Colouring, axes: Axes) -> None:
    """Draw the latent plane of a surface; the colour bar is beside the surface."""
    lo, hi = surface.view
    draw_cells(axes, surface.cells, colouring.faces[surface.cells.owner])
    axes.set(xlim=(lo[0], hi[0]), ylim=(lo[1], hi[1]), aspect="equal", xlabel="$z_1$", ylabel="$z_2$")
    axes.set_title(regions_seen(surface.regions, surface.cells) + colouring.remark)


def draw_surface(surface: Surface, colouring: Colouring, ax: Axes | None, *, bar: bool = True) -> Axes:
    """Draw a surface into axes, or new ones, with a colour bar if there are values and one is asked for."""
    axes: Axes
    if surface.is_flat:
        axes = flat_axes(ax, 5.4, 4.8)
        _draw_flat(surface, colouring, axes)
    else:
        axes = solid_axes(ax, 5.8, 5.0)
        draw_solid_polygons(axes, surface.image, colouring.faces[surface.image.owner])
        dress_surface(axes, surface)
    axes.set_title(surface.title + colouring.remark)
    if bar:
        add_colour_bar(axes, colouring, pad=0.03 if surface.is_flat else 0.1)
    return axes


def dress_surface(axes: Axes3D, surface: Surface, image: Polygons | None = None) -> None:
    """Set up axes of space for a surface, or for another image that is seen from the same place."""
    shown = surface.image if image is None else image
    corners = shown.corners.reshape(-1, 3)
    dress_solid(
        axes,
        corners.min(axis=0),
        corners.max(axis=0),
        surface.shadow.labels,
        surface.best_view,
        height=surface.shadow.is_height,
    )


def dress_flat(axes: Axes, surface: Surface) -> None:
    """Set up flat axes for an image of two outputs."""
    axes.set(xlabel=surface.shadow.labels[0], ylabel=surface.shadow.labels[1])
    axes.set_aspect("equal", adjustable="datalim")
    axes.autoscale_view()


def _draw_flat(surface: Surface, colouring: Colouring, axes: Axes) -> None:
    """Draw an image of two outputs; what lies below shows through."""
    faces = colouring.faces[surface.image.owner].copy()
    faces[:, 3] = SHOWS_THROUGH
    draw_cells(axes, surface.image, faces)
    dress_flat(axes, surface)
