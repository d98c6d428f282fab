"""The partition of space as solids, cut open or moved apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from polyspline.errors import PlotError
from polyspline.manifold.regions import RegionSet, Source
from polyspline.plots.cells import Polygons, joined
from polyspline.plots.colours import Limits, add_colour_bar, colour_regions
from polyspline.plots.facets import (
    carve,
    carved_faces,
    inner_facets,
    outer_facets,
    seen_box,
    solid_set,
)
from polyspline.plots.partition import regions_seen
from polyspline.plots.quantities import Color
from polyspline.plots.rows import facet_rows
from polyspline.plots.space import (
    draw_segments,
    draw_solid_polygons,
    dress_solid,
    order_by_hand,
    towards_viewer,
)
from polyspline.plots.style import INK, STYLE, line_width, require_matplotlib, solid_axes
from polyspline.plots.views import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LATENTS = ("$z_1$", "$z_2$", "$z_3$")


def plot_solids(
    source: Source,
    ax: Axes | None = None,
    *,
    box: npt.ArrayLike | None = None,
    color: Color = "region",
    output: int = 0,
    label: str | None = None,
    limits: Limits | None = None,
    cut: bool = True,
    explode: float = 0.0,
) -> Axes:
    """Draw the regions of a partition of space as solids.

    Parameters
    ----------
    source : Partition or RegionSet
        Of a three-dimensional domain, complete or partial.
    ax : Axes, optional
        Axes with ``projection="3d"`` to draw into. Default: those of a new figure, ``axes.figure``.
    box : array_like, optional
        What to show: (2,) bounds for every axis or (3, 2) bounds of each. Default: the domain or, of the
        whole space, where the witnesses are.
    color, output, label, limits
        As in `plot_partition`.
    cut : bool
        Whether the octant in front is cut away, so that the inside is seen.
    explode : float
        By how much the solids are moved apart: each by so many times its distance from the centre.
        Above 0 nothing is cut away.

    Returns
    -------
    mpl_toolkits.mplot3d.axes3d.Axes3D
        The axes that were drawn into.

    Raises
    ------
    PlotError
        If the domain has not three dimensions, `box` shows nothing of it, `explode` is negative, or
        the colour or the axes do not fit.
    ArgumentError
        If the quantity needs a complete partition, and this one is partial.
    MissingExtraError
        If matplotlib is not installed.

    Notes
    -----
    Guarantee: rounded. More regions than there are colours may meet in space, so that some
    neighbours may have the same one; their facets are drawn all the same.
    """
    regions = solid_set(source, "a partition as solids")
    if not (np.isfinite(explode) and explode >= 0.0):
        raise PlotError(f"explode is {explode}; expected a number of at least 0: how far solids move apart.")
    require_matplotlib()
    from matplotlib import rc_context

    colouring = colour_regions(regions, color, output=output, label=label, limits=limits)
    if explode > 0.0:
        polygons, outward = moved_apart(*solids(regions, box), explode)
    else:
        polygons, outward = skin(regions, box, cut=cut)
    corners = polygons.corners.reshape(-1, 3)
    lo, hi = corners.min(axis=0), corners.max(axis=0)
    # What faces away is hidden from the usual point of view, and is drawn below for any other.
    front = outward @ towards_viewer() > 0
    with rc_context(STYLE):
        axes: Axes = solid_axes(ax, 5.8, 5.0)
        if explode > 0.0:
            draw_solid_polygons(axes, polygons, colouring.faces[polygons.owner])
        else:
            order_by_hand(axes)
            octant = middle_of(lo, hi) if cut else None
            for level, side in enumerate((~front, front)):
                part = polygons.take(side)
                faces = colouring.faces[part.owner]
                drawn = draw_solid_polygons(axes, part, faces, edges=faces, width=0.3)
                drawn.set_zorder(2 * level + 1)
                lines = draw_segments(axes, outlines(part, octant), INK, line_width(len(part)))
                lines.set_zorder(2 * level + 2)
        dress_solid(axes, lo, hi, LATENTS)
        axes.set_title(regions_seen(regions, polygons) + colouring.remark)
        add_colour_bar(axes, colouring, pad=0.1)
    return axes


def middle_of(lo: Floats, hi: Floats) -> tuple[Floats, Floats]:
    """Corner (3,) and signs (3,) of the octant in front of a box."""
    return (lo + hi) / 2.0, np.sign(towards_viewer())


def outlines(polygons: Polygons, octant: tuple[Floats, Floats] | None) -> Floats:
    """Sides (n, 2, 3) of polygons of space, but for those that carving the octant has made elsewhere."""
    following = (np.arange(polygons.corners.shape[1]) + 1) % polygons.counts[:, None]
    ends = np.take_along_axis(polygons.corners, following[..., None], axis=1)
    sides = np.stack([polygons.corners, ends], axis=2)[polygons.valid]
    if octant is None:
        return sides
    beyond = (sides - octant[0]) * octant[1]
    near = 1e-6 * float(np.abs(beyond).max(initial=0.0))
    on_plane = np.abs(beyond).max(axis=1).min(axis=1) <= near
    rim = beyond.mean(axis=1).min(axis=1) >= -near
    return np.asarray(sides[~on_plane | rim])


def skin(regions: RegionSet, box: npt.ArrayLike | None, *, cut: bool) -> tuple[Polygons, Floats]:
    """Surface of all that is in view, by region: polygons, and their outward normals (n, 3).

    Raises
    ------
    PlotError
        If `box` is no box, or shows nothing of the domain.
    """
    rows = facet_rows(regions)
    lo, hi = seen_box(regions, rows, box)
    outside, outward = outer_facets(regions, rows, lo, hi)
    if not cut:
        return outside, outward
    middle, corner = middle_of(lo, hi)
    numbered = Polygons(outside.corners, outside.counts, np.arange(len(outside)))
    left = carve(numbered, middle, corner)
    kept = Polygons(left.corners, left.counts, outside.owner[left.owner])
    inside = carved_faces(rows, middle, corner, lo, hi)
    facing = np.cross(
        inside.corners[:, 1] - inside.corners[:, 0], inside.corners[:, 2] - inside.corners[:, 0]
    )
    facing *= np.sign(facing @ towards_viewer())[:, None]
    return joined([kept, inside]), np.concatenate([outward[left.owner], facing])


def solids(regions: RegionSet, box: npt.ArrayLike | None) -> tuple[Polygons, Floats]:
    """All facets of all regions in view: polygons, and their normals (n, 3) outward of their region.

    A facet between two regions is there twice, with the same corners, once for each of them.
    """
    rows = facet_rows(regions)
    lo, hi = seen_box(regions, rows, box)
    between, which = inner_facets(rows, regions.edges, lo, hi)
    normals = rows.normals[rows.edge_rows[which]]
    others = Polygons(between.corners, between.counts, regions.edges[which, 1].astype(np.int64))
    outside, outward = outer_facets(regions, rows, lo, hi)
    return joined([between, others, outside]), np.concatenate([normals, -normals, outward])


def centres(polygons: Polygons, count: int) -> Floats:
    """Middle of each of so many solids, (count, 3): the mean of the means of their facets; NaN if unseen."""
    many = np.bincount(polygons.owner, minlength=count).astype(np.float64)
    sums = [np.bincount(polygons.owner, weights=column, minlength=count) for column in polygons.means().T]
    return np.asarray(np.stack(sums, axis=1) / np.where(many > 0, many, np.nan)[:, None])


def moved_apart(polygons: Polygons, outward: Floats, by: float) -> tuple[Polygons, Floats]:
    """Move each solid away from the middle of all by so many times its distance from it."""
    corners = polygons.corners.reshape(-1, 3)
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2.0
    own = centres(polygons, int(polygons.owner.max()) + 1)[polygons.owner]
    moved = polygons.corners + by * (own - middle)[:, None]
    return Polygons(moved, polygons.counts, polygons.owner), outward
