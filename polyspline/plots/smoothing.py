"""The generated surface as soft gates smooth it (Fig. 6)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from polyspline.errors import PlotError, require
from polyspline.manifold.regions import RegionSet, Source, region_set
from polyspline.manifold.smoothing import module_of, outputs_of, smooth
from polyspline.plots.cells import Polygons, clip, joined
from polyspline.plots.colours import Colouring, Limits, colour_regions
from polyspline.plots.quantities import Color
from polyspline.plots.rows import facet_rows
from polyspline.plots.space import draw_solid_polygons
from polyspline.plots.style import (
    LINES,
    STYLE,
    flat_axes,
    new_figure,
    require_matplotlib,
    solid_axes,
)
from polyspline.plots.surface import (
    SHOWS_THROUGH,
    Coordinates,
    Surface,
    draw_surface,
    dress_flat,
    dress_surface,
    surface_of,
)
from polyspline.plots.views import view_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from mpl_toolkits.mplot3d import Axes3D

    from polyspline.manifold.smoothing import Module

Floats = npt.NDArray[np.float64]

PAPER_BETAS = (0.5, 0.9, 0.999)
"""Those of Fig. 6."""

_PIECES = 40
_POINTS_ON_LINE = 801


def plot_smoothed(
    source: Source,
    beta: float,
    ax: Axes | None = None,
    *,
    module: Module | None = None,
    box: npt.ArrayLike | None = None,
    color: Color = "region",
    output: int = 0,
    coordinates: Coordinates = None,
    limits: Limits | None = None,
) -> Axes:
    """Draw the surface that a network with soft gates generates, in the colours of the network's regions.

    Parameters
    ----------
    source : Partition or RegionSet
        Of the network itself, over a domain of one or two dimensions.
    beta : float
        In [0, 1], as `smooth` takes it: 1 is the network itself, 0 makes it affine.
    ax : Axes, optional
        Axes to draw into: with ``projection="3d"``, or flat ones for curves (S = 1) and where two
        outputs are drawn. Default: those of a new figure.
    module : torch.nn.Module, optional
        The network as a torch module. Default: it is built from the network, see `module_of`.
    box, coordinates
        As in `plot_surface`; the principal directions are those of the network itself.
    color, output, limits
        As in `plot_partition`; of the region that the latent point is in. Curves (S = 1) have the colours of
        their outputs, and take neither these nor coordinates.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn into.

    Raises
    ------
    PlotError
        If the domain has more than two dimensions, `box` shows nothing of it, the module has other
        dimensions, or the colour or the axes do not fit.
    ArgumentError
        If `beta` is not in [0, 1].
    UnsupportedLayerError
        If the network, or the module, has units that cannot be smoothed.
    MissingExtraError
        If matplotlib or torch is not installed.

    References
    ----------
    Max-affine spline insights, section 4.3 and Fig. 6.
    """
    regions, gates = _smoothable(source, module)
    _check_curves(regions, color, output, coordinates, limits)
    soft = smooth(gates, beta)
    if regions.net.latent_dim == 1:
        return _draw_curves(regions, soft, beta, ax, box)
    surface = surface_of(regions, box, coordinates)
    colouring = colour_regions(regions, color, output=output, limits=limits)
    cells = diced(surface.cells, _PIECES)
    return _draw_smoothed(surface, cells, soft, beta, colouring, ax)


def plot_smoothing(
    source: Source,
    betas: Sequence[float] = PAPER_BETAS,
    figure: Figure | SubFigure | None = None,
    *,
    module: Module | None = None,
    box: npt.ArrayLike | None = None,
    color: Color = "region",
    output: int = 0,
    coordinates: Coordinates = None,
    limits: Limits | None = None,
) -> Figure | SubFigure:
    """Draw a strip of surfaces for several beta, and the surface of the network itself last (Fig. 6).

    Parameters
    ----------
    source, module, box, color, output, coordinates, limits
        As in `plot_smoothed`.
    betas : sequence of float
        In [0, 1], at least one.
    figure : Figure or SubFigure, optional
        Empty figure to draw into. Default: a new one.

    Returns
    -------
    matplotlib.figure.Figure or SubFigure
        The figure that was drawn into, one axes for each beta and one for the network.

    Raises
    ------
    PlotError, ArgumentError, UnsupportedLayerError, MissingExtraError
        As in `plot_smoothed`; also if there is no beta.
    """
    if not len(betas):
        raise PlotError("a strip of smoothed surfaces needs at least one beta, from 0 to 1.")
    regions, gates = _smoothable(source, module)
    _check_curves(regions, color, output, coordinates, limits)
    from matplotlib import rc_context
    from mpl_toolkits.mplot3d import Axes3D

    softened = [smooth(gates, beta) for beta in betas]
    panels = len(betas) + 1
    with rc_context(STYLE):
        if regions.net.latent_dim == 1:
            whole = new_figure(2.9 * panels, 2.6) if figure is None else figure
            axes = whole.subplots(1, panels, squeeze=False, sharey=True)[0]
            for beta, soft, axis in zip((*betas, 1.0), (*softened, gates), axes, strict=True):
                _draw_curves(regions, soft, beta, axis, box)
            axes[-1].set_title("the network itself")
            return whole
        surface = surface_of(regions, box, coordinates)
        colouring = colour_regions(regions, color, output=output, limits=limits)
        cells = diced(surface.cells, _PIECES)
        whole = new_figure(3.2 * panels, 3.6) if figure is None else figure
        for place, (beta, soft) in enumerate(zip(betas, softened, strict=True)):
            axis = whole.add_subplot(1, panels, place + 1, projection=None if surface.is_flat else "3d")
            _draw_smoothed(surface, cells, soft, beta, colouring, axis)
        last = whole.add_subplot(1, panels, panels, projection=None if surface.is_flat else "3d")
        draw_surface(surface, colouring, last, bar=False)
        last.set_title("the network itself")
        for axis in whole.axes:
            if isinstance(axis, Axes3D):
                _make_room(axis, names=axis is last)
    return whole


def _make_room(axes: Axes3D, *, names: bool) -> None:
    """Draw a panel of a strip smaller, for labels run beyond axes of space; name its sides or not."""
    axes.set_box_aspect(axes.get_box_aspect(), zoom=0.76)
    if not names:
        axes.set(xlabel="", ylabel="", zlabel="")


def _check_curves(
    regions: RegionSet, color: Color, output: int, coordinates: Coordinates, limits: Limits | None
) -> None:
    """Refuse, over a line, the options that curves of all outputs have no use for."""
    if regions.net.latent_dim > 1:
        return
    usual = isinstance(color, str) and color == "region"
    given = {
        "color": not usual,
        "output": output != 0,
        "coordinates": coordinates is not None,
        "limits": limits is not None,
    }
    for name, is_given in given.items():
        if is_given:
            raise PlotError(
                f"smoothed curves over a line (S = 1) take no {name}: each output is a curve of its own "
                f"colour; leave {name} out."
            )


def _smoothable(source: Source, module: Module | None) -> tuple[RegionSet, Module]:
    """Check what is to be smoothed, and what with."""
    regions = region_set(source)
    dim = regions.net.latent_dim
    if dim not in (1, 2):
        raise PlotError(
            f"smoothed surfaces are drawn in 1 and 2 dimensions, and this domain has {dim} dimensions; "
            "enumerate a slice, see Network.restrict."
        )
    require_matplotlib()
    require("torch", extra="torch", purpose="smooth a network")
    return regions, module_of(regions.net) if module is None else module


def _draw_curves(
    regions: RegionSet, module: Module, beta: float, ax: Axes | None, box: npt.ArrayLike | None
) -> Axes:
    """Draw the outputs over a line."""
    from matplotlib import rc_context

    lo, hi = view_of(regions, facet_rows(regions), box)
    z = np.linspace(lo[0], hi[0], _POINTS_ON_LINE)
    values = outputs_of(module, z[:, None], regions.net.ambient_dim)
    with rc_context(STYLE):
        axes = flat_axes(ax, 4.2, 2.8)
        for column, colour in zip(values.T, LINES, strict=False):
            axes.plot(z, column, color=colour, linewidth=1.4)
        axes.set(xlim=(z[0], z[-1]), xlabel="$z$", ylabel=r"$G_\beta(z)$")
        axes.set_title(rf"$\beta = {beta:g}$")
    return axes


def diced(cells: Polygons, pieces: int) -> Polygons:
    """Cut polygons of the plane by a grid of so many squares along each axis of what they cover."""
    for axis, normal in enumerate(np.eye(2)):
        low, high = cells.corners[..., axis].min(axis=1), cells.corners[..., axis].max(axis=1)
        parts = []
        for start, end in pairwise(np.linspace(low.min(), high.max(), pieces + 1)):
            met = np.flatnonzero((low < end) & (high > start))
            parts.append(clip(clip(cells.take(met), normal, end), -normal, -start))
        cells = joined(parts).kept
    return cells


def _draw_smoothed(
    surface: Surface,
    cells: Polygons,
    module: Module,
    beta: float,
    colouring: Colouring,
    ax: Axes | None,
) -> Axes:
    """Draw the surface of a module, each region in pieces (cells) small enough to bend."""
    from matplotlib import rc_context
    from matplotlib.collections import PolyCollection

    outputs = outputs_of(module, cells.corners, surface.regions.net.ambient_dim)
    image = Polygons(surface.shadow.of(cells.corners, outputs), cells.counts, cells.owner)
    faces = colouring.faces[cells.owner]
    with rc_context(STYLE):
        if surface.is_flat:
            axes = flat_axes(ax, 4.2, 4.0)
            faces[:, 3] = SHOWS_THROUGH
            axes.add_collection(
                PolyCollection(list(image.corners), facecolors=faces.tolist(), edgecolors="none")
            )
            dress_flat(axes, surface)
        else:
            axes = solid_axes(ax, 4.2, 4.0)
            draw_solid_polygons(axes, image, faces, edges=faces, width=0.2)
            dress_surface(axes, surface, image)
        axes.set_title(rf"$\beta = {beta:g}$")
    return axes
