"""The partition of a plane, coloured by region or by a quantity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from polyspline.errors import PlotError
from polyspline.manifold.regions import RegionSet, Source, region_set
from polyspline.plots.cells import Polygons, planar_cells
from polyspline.plots.colours import Limits, add_colour_bar, colour_regions
from polyspline.plots.quantities import Color
from polyspline.plots.rows import FacetRows, facet_rows
from polyspline.plots.style import INK, STYLE, flat_axes, line_width, require_matplotlib
from polyspline.plots.views import Floats, view_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_partition(
    source: Source,
    ax: Axes | None = None,
    *,
    box: npt.ArrayLike | None = None,
    color: Color = "region",
    output: int = 0,
    label: str | None = None,
    limits: Limits | None = None,
) -> Axes:
    """Draw the regions of the plane, coloured so that neighbours differ, or by a quantity.

    Parameters
    ----------
    source : Partition or RegionSet
        Of a two-dimensional domain, complete or partial.
    ax : Axes, optional
        Axes to draw into. Default: those of a new figure, ``axes.figure``.
    box : array_like, optional
        What to show: (2,) bounds for both axes or (2, 2) bounds of each. Default: the domain
        or, of the whole plane, where the corners of the regions are.
    color : str or array_like, shape (R,)
        What has a colour of its own: every ``"region"``, or every ``"affine_region"``. Or a
        quantity, with a colour bar: a name of `polyspline.plots.QUANTITIES`, e.g. ``"log_det"``,
        ``"rank"``, ``"volume"``, ``"density"``, ``"value"``, ``"degree"``; or numbers.
    output : int
        Which output ``"value"`` is, from 0.
    label : str, optional
        What stands at the colour bar.
    limits : tuple of float, optional
        Values at the ends of the colour bar, so that several pictures share one.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn into.

    Raises
    ------
    PlotError
        If the domain has not two dimensions, `box` shows nothing of it, or `color` is neither a
        known name nor one number for each region.
    ArgumentError
        If the quantity needs a complete partition, and this one is partial.
    MissingExtraError
        If matplotlib is not installed.

    Notes
    -----
    Colours are Paul Tol's light scheme, or the map cividis (diverging red and blue where a quantity
    has both signs); colour-blind readers tell them apart. Regions without a value are grey. A partial
    partition leaves the part of the view that it does not know white.
    """
    regions = planar_set(source, "the partition")
    require_matplotlib()
    from matplotlib import rc_context

    colouring = colour_regions(regions, color, output=output, label=label, limits=limits)
    _, lo, hi, cells = view_cells(regions, box)
    with rc_context(STYLE):
        axes = flat_axes(ax, 5.2 if colouring.mappable is None else 5.8, 5.2)
        draw_cells(axes, cells, colouring.faces[cells.owner])
        axes.set(xlim=(lo[0], hi[0]), ylim=(lo[1], hi[1]), aspect="equal", xlabel="$z_1$", ylabel="$z_2$")
        axes.set_title(regions_seen(regions, cells) + colouring.remark)
        add_colour_bar(axes, colouring)
    return axes


def draw_cells(axes: Axes, cells: Polygons, faces: Floats) -> None:
    """Add polygons of the plane, and their colours (n, 4), to axes, as one collection."""
    from matplotlib.collections import PolyCollection

    axes.add_collection(
        PolyCollection(
            list(cells.corners),
            facecolors=faces.tolist(),
            edgecolors=INK,
            linewidths=line_width(len(cells)),
            joinstyle="round",
        )
    )


def planar_set(source: Source, what: str) -> RegionSet:
    """Check that regions are of a plane.

    Raises
    ------
    PlotError
        If not; `what` names the picture.
    """
    regions = region_set(source)
    dim = regions.net.latent_dim
    if dim != 2:
        raise PlotError(
            f"{what} is drawn in 2 dimensions, and this domain has {dim} dimensions: S = 3 has solids, S = 1 "
            "the graph of G; enumerate a slice of more, see Network.restrict."
        )
    return regions


def view_cells(regions: RegionSet, box: npt.ArrayLike | None) -> tuple[FacetRows, Floats, Floats, Polygons]:
    """Rows of the regions of a plane, the view (lo, hi), and the regions cut to it."""
    rows = facet_rows(regions)
    lo, hi = view_of(regions, rows, box)
    return rows, lo, hi, planar_cells(rows, lo, hi)


def regions_seen(regions: RegionSet, cells: Polygons) -> str:
    """How many regions a picture shows, as its title says it."""
    shown, count = len(np.unique(cells.owner)), len(regions)
    seen = f"{shown:,} of {count:,}" if shown < count else f"{count:,}"
    partial = " (sampled)" if regions.sampled else " (partial)"
    return f"{seen} regions" + ("" if regions.complete else partial)
