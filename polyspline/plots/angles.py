"""Facets coloured by how much the generated surface bends at them (Fig. 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from polyspline.errors import PlotError
from polyspline.manifold.angles import EdgeAngles, edge_angles
from polyspline.manifold.maps import affine_maps
from polyspline.manifold.regions import RegionSet, Source, region_set
from polyspline.plots.cells import Polygons, facet_segments
from polyspline.plots.colours import Colouring, Limits, add_colour_bar, colour_values
from polyspline.plots.facets import inner_facets, seen_box
from polyspline.plots.partition import planar_set, view_cells
from polyspline.plots.quantities import Scale, Values
from polyspline.plots.rows import facet_rows
from polyspline.plots.solids import LATENTS
from polyspline.plots.space import (
    draw_solid_polygons,
    dress_solid,
    towards_viewer,
)
from polyspline.plots.style import FAINT, PALE, STYLE, flat_axes, require_matplotlib, solid_axes
from polyspline.plots.surface import Coordinates, Surface, dress_flat, dress_surface, surface_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from mpl_toolkits.mplot3d import Axes3D

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_LIFT = 0.004
"""Of the size of a surface: how far its edges are drawn in front of it."""


def plot_angles(
    source: Source,
    ax: Axes | None = None,
    *,
    on: Literal["partition", "surface"] = "partition",
    box: npt.ArrayLike | None = None,
    coordinates: Coordinates = None,
    turning: bool = True,
    limits: Limits | None = None,
) -> Axes:
    """Draw the facets coloured by the angle at which the generated surface bends there (Fig. 12).

    Parameters
    ----------
    source : Partition or RegionSet
        Of a domain of two dimensions, or of three on the partition; complete or partial.
    ax : Axes, optional
        Axes to draw into; with ``projection="3d"`` for S = 3 and for surfaces in space. Default: those
        of a new figure, ``axes.figure``.
    on : str
        ``"partition"``: the facets in latent space. ``"surface"``: their images on the surface.
    box : array_like, optional
        Part of latent space to show: (2,) bounds for every axis or (S, 2) bounds of each.
    coordinates : sequence of int, optional
        Outputs to draw, as in `plot_surface`.
    turning : bool
        Whether the angle is the turning angle (0 to 180 degrees, 180 being a complete fold), or the
        largest principal angle (0 to 90 degrees, as in the paper).
    limits : tuple of float, optional
        Degrees at the ends of the colour bar; by default all that there can be.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn into.

    Raises
    ------
    PlotError
        If the dimensions do not allow the picture, `box` shows nothing of the domain, or `on` is
        neither of the two.
    MissingExtraError
        If matplotlib is not installed.

    Notes
    -----
    Great angles are dark, and wide but on surfaces in space. Facets without a turning angle, such as
    those between pieces of different rank, are grey.

    References
    ----------
    Max-affine spline insights, Thm. 4 and Fig. 12.
    """
    if on not in ("partition", "surface"):
        raise PlotError(f"angles are drawn on the 'partition' or on the 'surface', not on {on!r}.")
    regions = region_set(source)
    if on == "surface" or regions.net.latent_dim != 3:
        regions = planar_set(regions, "this picture of angles")
    require_matplotlib()
    from matplotlib import rc_context

    found = edge_angles(regions)
    colouring = angle_colours(found, turning=turning, limits=limits)
    with rc_context(STYLE):
        if on == "surface":
            return _draw_surface(surface_of(regions, box, coordinates), found, colouring, ax)
        if regions.net.latent_dim == 3:
            return _draw_space(regions, colouring, ax, box)
        return _draw_plane(regions, colouring, ax, box)


def angle_colours(found: EdgeAngles, *, turning: bool = True, limits: Limits | None = None) -> Colouring:
    """Colours of the facets (E, 4) by their angles, on a scale of all that there can be."""
    degrees = np.degrees(found.turning if turning else found.principal)
    name = "turning angle, degrees" if turning else "largest principal angle, degrees"
    whole = (0.0, 180.0 if turning else 90.0)
    return colour_values(Values(degrees, name, name, Scale.LINEAR), limits or whole, on_white=True)


def _widths(colouring: Colouring, which: Integers) -> Floats:
    """Widths of lines, in points: from fine ones where it is flat to wide ones."""
    assert colouring.values is not None
    assert colouring.mappable is not None
    low, high = colouring.mappable.get_clim()
    share = np.clip((np.nan_to_num(colouring.values.numbers[which]) - low) / (high - low), 0.0, 1.0)
    scale = float(np.clip(20.0 / np.sqrt(max(len(which), 1)), 0.3, 1.0))
    return scale * (0.6 + 2.4 * share)


def _title(colouring: Colouring, which: Integers, regions: RegionSet) -> str:
    assert colouring.values is not None
    missing = int(np.isnan(colouring.values.numbers[which]).sum())
    without = f", {missing:,} without an angle grey" if missing else ""
    return f"{len(which):,} facets{without}{'' if regions.complete else ' (partial)'}"


def _in_order(colouring: Colouring, which: Integers) -> Integers:
    """Order in which facets are drawn: the greatest angles last, on top."""
    assert colouring.values is not None
    return np.argsort(np.nan_to_num(colouring.values.numbers[which], nan=-1.0), kind="stable")


def _draw_plane(regions: RegionSet, colouring: Colouring, ax: Axes | None, box: npt.ArrayLike | None) -> Axes:
    from matplotlib.collections import LineCollection

    rows, lo, hi, _ = view_cells(regions, box)
    ends, which = facet_segments(rows, regions.edges, lo, hi)
    order = _in_order(colouring, which)
    axes = flat_axes(ax, 5.8, 5.2)
    axes.add_collection(
        LineCollection(
            list(ends[order]),
            colors=colouring.faces[which[order]].tolist(),
            linewidths=_widths(colouring, which[order]).tolist(),
            capstyle="round",
        )
    )
    axes.set(xlim=(lo[0], hi[0]), ylim=(lo[1], hi[1]), aspect="equal", xlabel="$z_1$", ylabel="$z_2$")
    axes.set_title(_title(colouring, which, regions))
    add_colour_bar(axes, colouring)
    return axes


def _draw_space(regions: RegionSet, colouring: Colouring, ax: Axes | None, box: npt.ArrayLike | None) -> Axes:
    rows = facet_rows(regions)
    lo, hi = seen_box(regions, rows, box)
    polygons, which = inner_facets(rows, regions.edges, lo, hi)
    faces = colouring.faces[which].copy()
    # Flat facets are nearly clear, so that the others are seen through them.
    share = _widths(colouring, which)
    faces[:, 3] = np.interp(share, [share.min(initial=0.0), share.max(initial=1.0)], [0.04, 0.9])
    axes: Axes = solid_axes(ax, 5.8, 5.0)
    draw_solid_polygons(axes, polygons, faces, edges=FAINT, width=0.2)
    dress_solid(axes, lo, hi, LATENTS)
    axes.set_title(_title(colouring, which, regions))
    add_colour_bar(axes, colouring, pad=0.1)
    return axes


def facet_images(surface: Surface) -> tuple[Floats, Integers]:
    """Images (n, 2, d) of the facets in view, in the coordinates of a surface, and their edges (n,)."""
    regions = surface.regions
    ends, which = facet_segments(surface.rows, regions.edges, *surface.view)
    outputs = np.empty((len(ends), 2, regions.net.ambient_dim))
    place = 0
    for maps in affine_maps(regions, regions.edges[which, 0]):
        some = slice(place, place := place + len(maps))
        outputs[some] = ends[some] @ maps.A.transpose(0, 2, 1) + maps.b[:, None]
    return surface.shadow.of(ends, outputs), which


def _draw_surface(surface: Surface, found: EdgeAngles, colouring: Colouring, ax: Axes | None) -> Axes:
    from matplotlib.collections import LineCollection, PolyCollection

    ends, which = facet_images(surface)
    order = _in_order(colouring, which)
    ends, which = ends[order], which[order]
    lines, widths = colouring.faces[which], _widths(colouring, which)
    axes: Axes
    if surface.is_flat:
        axes = flat_axes(ax, 5.8, 4.8)
        axes.add_collection(PolyCollection(list(surface.image.corners), facecolors=PALE, edgecolors=PALE))
        axes.add_collection(LineCollection(list(ends), colors=lines.tolist(), linewidths=widths.tolist()))
        dress_flat(axes, surface)
    else:
        axes = solid_axes(ax, 5.8, 5.0)
        _draw_with_edges(axes, surface.image, ends + _lift(surface), lines)
        dress_surface(axes, surface)
    axes.set_title(_title(colouring, which, found.regions) + surface.shadow.remark)
    add_colour_bar(axes, colouring, pad=0.03 if surface.is_flat else 0.1)
    return axes


def _lift(surface: Surface) -> Floats:
    """Shift (3,) towards the viewer that keeps edges in front of the surface they are on."""
    corners = surface.image.corners.reshape(-1, 3)
    size = float(np.linalg.norm(corners.max(axis=0) - corners.min(axis=0)))
    return _LIFT * size * towards_viewer(surface.best_view)


def _draw_with_edges(axes: Axes3D, polygons: Polygons, ends: Floats, colours: Floats) -> None:
    """Draw a pale surface and segments (n, 2, 3) on it, in one collection that is sorted by depth.

    By the farthest corner: then a side of a polygon is always drawn after the polygon.
    """
    from matplotlib.colors import to_rgba
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    nothing = (0.0, 0.0, 0.0, 0.0)
    count = len(polygons)
    drawn = Poly3DCollection(
        [*polygons.corners, *ends[:, [0, 1, 1]]],
        facecolors=[to_rgba(PALE)] * count + [nothing] * len(ends),
        edgecolors=[to_rgba(PALE)] * count + colours.tolist(),
        # Sorting takes the colours along, but no widths.
        linewidths=float(np.clip(24.0 / np.sqrt(len(ends) + 1.0), 0.4, 1.4)),
        zsort="max",
    )
    drawn.set_clip_on(False)
    axes.add_collection3d(drawn)
