"""Polygons and segments in axes of space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from polyspline.plots.cells import Polygons
from polyspline.plots.style import INK, line_width

if TYPE_CHECKING:
    from mpl_toolkits.mplot3d import Axes3D
    from mpl_toolkits.mplot3d.art3d import Line3DCollection, Poly3DCollection

Floats = npt.NDArray[np.float64]

_FLATTEST = 0.25
_ZOOM = 0.95
_HEIGHT = 0.75


View: TypeAlias = tuple[float, float]
"""Where space is looked at from: elevation and azimuth, in degrees."""

USUAL_VIEW: View = (24.0, -52.0)

_ELEVATIONS = (18.0, 30.0, 45.0)
_AZIMUTHS = tuple(float(angle) for angle in range(-172, 188, 15))


def towards_viewer(view: View = USUAL_VIEW) -> Floats:
    """Direction (3,) from a picture of space to the one who looks at it."""
    up, around = np.radians(view)
    return np.array([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)])


def best_view(polygons: Polygons) -> View:
    """Choose from where most of the area of polygons in space is seen, not counting what hides what."""
    arms = polygons.corners - polygons.corners[:, :1]
    areas = np.cross(arms[:, :-1], arms[:, 1:]).sum(axis=1)
    views = [(up, around) for up in _ELEVATIONS for around in _AZIMUTHS]
    seen = np.abs(areas @ np.array([towards_viewer(view) for view in views]).T).sum(axis=0)
    # Views that show about as much are told apart by how usual they are, whatever rounding does.
    good = np.flatnonzero(seen >= 0.98 * seen.max())
    unusual = [abs(views[i][1] - USUAL_VIEW[1]) for i in good.tolist()]
    return views[int(good[int(np.argmin(unusual))])]


def dress_solid(
    axes: Axes3D,
    lo: Floats,
    hi: Floats,
    names: Sequence[str],
    view: View = USUAL_VIEW,
    *,
    height: bool = False,
) -> None:
    """Set limits, proportions, few ticks, labels and the point of view of axes of space.

    Proportions are true unless one side is less than a quarter of the longest, or the last one is
    the `height` of a graph, which has a unit of its own.
    """
    from matplotlib.ticker import MaxNLocator

    span, middle = hi - lo, (lo + hi) / 2.0
    longest = float(span.max()) if span.max() > 0 else 1.0
    half = np.where(span > 0, span, _FLATTEST * longest) / 2.0
    low, high = middle - half, middle + half
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    sides = np.maximum(2.0 * half / longest, _FLATTEST)
    if height:
        sides[2] = _HEIGHT * sides[:2].max()
    axes.set_box_aspect(sides.tolist(), zoom=_ZOOM)
    for axis, name in zip((axes.xaxis, axes.yaxis, axes.zaxis), names, strict=True):
        axis.set_major_locator(MaxNLocator(4, prune="both"))
        axis.set_label_text(name)
        axis.set_pane_color((1.0, 1.0, 1.0, 0.0))
        axis.set_tick_params(labelsize=7.5, pad=0.0)
    axes.grid(False)
    axes.view_init(elev=view[0], azim=view[1])


def draw_solid_polygons(
    axes: Axes3D, polygons: Polygons, faces: Floats, *, edges: str | Floats = INK, width: float | None = None
) -> Poly3DCollection:
    """Add polygons of space to axes, as one collection.

    Parameters
    ----------
    axes
        What to draw into.
    polygons
        In space, (n, K, 3).
    faces
        (n, 4) their colours.
    edges
        Colour of the lines around them, or (n, 4) one for each.
    width
        Of these lines, in points; by default finer for more polygons.

    Returns
    -------
    Poly3DCollection
        What was added.
    """
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection

    drawn = Poly3DCollection(
        list(polygons.corners),
        facecolors=faces.tolist(),
        edgecolors=edges if isinstance(edges, str) else edges.tolist(),
        linewidths=line_width(len(polygons)) if width is None else width,
    )
    drawn.set_clip_on(False)
    axes.add_collection3d(drawn)
    return drawn


def draw_segments(
    axes: Axes3D, ends: Floats, colours: str | Floats, width: float | Floats
) -> Line3DCollection:
    """Add segments (n, 2, 3) of one colour, or (n, 4) of their own, to axes, as one collection."""
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    drawn = Line3DCollection(
        list(ends),
        colors=colours if isinstance(colours, str) else colours.tolist(),
        linewidths=width,
        capstyle="round",
    )
    drawn.set_clip_on(False)
    axes.add_collection3d(drawn)
    return drawn


def draw_dots(axes: Axes3D, points: Floats, faces: Floats, area: float, width: float) -> None:
    """Add dots at points (n, 3), of colours (n, 4), an area in square points, and lines around them."""
    x, y, z = points.T
    axes.scatter(x, y, z, s=area, c=faces.tolist(), edgecolors=INK, linewidths=width, depthshade=False)


def order_by_hand(axes: Axes3D) -> None:
    """Draw the collections of axes by their own order, not by their depth."""
    axes.computed_zorder = False
