"""The partition of a plane, coloured by region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from polyspline.errors import PlotError
from polyspline.partition import Partition
from polyspline.plots.cells import checked_view, colour_classes, inequalities, polygons, view_of_plane
from polyspline.plots.style import FILLS, INK, STYLE, new_axes, require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_partition(
    partition: Partition,
    ax: Axes | None = None,
    *,
    box: npt.ArrayLike | None = None,
    color: Literal["region", "affine_region"] = "region",
) -> Axes:
    """Draw the regions of a partition of the plane, so that neighbours differ in colour.

    Parameters
    ----------
    partition
        A partition of a two-dimensional domain, complete or partial.
    ax
        Axes to draw into. Default: those of a new figure, ``axes.figure``.
    box
        What to show: (2,) bounds for both axes or (2, 2) bounds of each. Default: the domain
        or, of the whole plane, where the corners of the regions are.
    color
        What has a colour of its own: every ``"region"``, or every ``"affine_region"``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that were drawn into.

    Raises
    ------
    PlotError
        If the domain has not two dimensions, or `box` shows nothing of it.
    MissingExtraError
        If matplotlib is not installed.

    Notes
    -----
    Colours are Paul Tol's light scheme, which colour-blind readers tell apart. A partial
    partition leaves the part of the view that it does not know white.
    """
    dim = partition.net.latent_dim
    if dim != 2:
        raise PlotError(
            f"the partition has {dim} dimensions; one is drawn only in 2, a graph of G only in 1."
        )
    if color not in ("region", "affine_region"):
        raise PlotError(f"cannot colour by {color!r}; choose 'region' or 'affine_region'.")
    require_matplotlib()
    from matplotlib import rc_context
    from matplotlib.collections import PolyCollection

    systems = inequalities(partition)
    lo, hi = view_of_plane(partition, systems) if box is None else checked_view(partition, box)
    labels = np.arange(len(partition)) if color == "region" else np.asarray(partition.affine_labels())
    colours = colour_classes(labels, partition.edges, len(FILLS))
    cells = [(cell, index) for index, cell in enumerate(polygons(systems, lo, hi)) if len(cell) >= 3]
    with rc_context(STYLE):
        axes = new_axes(5.2, 5.2) if ax is None else ax
        axes.add_collection(
            PolyCollection(
                [cell for cell, _ in cells],
                facecolors=[FILLS[colours[index]] for _, index in cells],
                edgecolors=INK,
                # Thousands of regions need finer lines than a dozen.
                linewidths=float(np.clip(8.0 / np.sqrt(max(len(cells), 1)), 0.1, 0.6)),
                joinstyle="round",
            )
        )
        axes.set(xlim=(lo[0], hi[0]), ylim=(lo[1], hi[1]), aspect="equal", xlabel="$z_1$", ylabel="$z_2$")
        seen = (
            f"{len(cells):,} of {len(partition):,}" if len(cells) < len(partition) else f"{len(partition):,}"
        )
        axes.set_title(f"{seen} regions" + ("" if partition.complete else " (partial)"))
    return axes
