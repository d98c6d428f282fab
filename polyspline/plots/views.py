"""What part of a partition a picture shows (plain arrays, nothing is drawn here)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from polyspline.errors import PlotError
from polyspline.manifold.regions import RegionSet
from polyspline.plots.rows import FacetRows

Floats = npt.NDArray[np.float64]

_TURN = 1e-9
_SHOWN = (0.02, 0.98)


def view_of(regions: RegionSet, rows: FacetRows, box: npt.ArrayLike | None) -> tuple[Floats, Floats]:
    """Choose what to show: what the caller asks for, else the domain or, of the whole space, a part.

    Parameters
    ----------
    regions
        What is to be seen.
    rows
        Of these regions.
    box
        As `checked_view` takes it, or None.

    Returns
    -------
    lo, hi
        (S,) each. Of the whole plane, where the corners of the regions are, and of the whole space
        where their witnesses are, but for the outermost 2 % on each side.

    Raises
    ------
    PlotError
        If `box` is no box, or shows nothing of the domain.
    """
    if box is not None:
        return checked_view(regions, box)
    if regions.domain.bounded:
        lo, hi = regions.domain.bounds()
        return np.asarray(lo), np.asarray(hi)
    points = planar_corners(rows) if regions.net.latent_dim == 2 else regions.points
    if len(points) == 0:
        points = regions.points
    # A few corners lie very far away, where nearly parallel lines meet: leave those out of view.
    low, high = np.quantile(points, _SHOWN, axis=0)
    centre, half = (low + high) / 2.0, 0.65 * float((high - low).max())
    half = half if half > 0.0 else 1.0
    return centre - half, centre + half


def planar_corners(rows: FacetRows) -> Floats:
    """Corners (k, 2) of regions of the plane: where facets that follow each other by angle meet."""
    owner = np.repeat(np.arange(len(rows.start) - 1), np.diff(rows.start))
    order = np.lexsort([np.arctan2(rows.normals[:, 1], rows.normals[:, 0]), owner])
    following = np.arange(1, len(order) + 1)
    ends = rows.start[1:][np.diff(rows.start) > 0]
    following[ends - 1] = rows.start[:-1][np.diff(rows.start) > 0]
    here, there = rows.normals[order], rows.normals[order[following]]
    turn = here[:, 0] * there[:, 1] - here[:, 1] * there[:, 0]
    # Facets half a turn or more apart are the two ends of an unbounded region.
    met = turn > _TURN
    h, k = rows.offsets[order][met], rows.offsets[order[following]][met]
    a, b = here[met], there[met]
    points = np.stack([h * b[:, 1] - k * a[:, 1], k * a[:, 0] - h * b[:, 0]], axis=1)
    return np.asarray(points / turn[met, None])


def checked_view(regions: RegionSet, box: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Check a view that the caller chose.

    Parameters
    ----------
    regions
        What is to be seen.
    box
        (2,) bounds for every coordinate, or (S, 2) bounds of each.

    Returns
    -------
    lo, hi
        (S,) each.

    Raises
    ------
    PlotError
        If it is no box, or shows nothing of the domain.
    """
    dim = regions.net.latent_dim
    given = np.asarray(box, dtype=np.float64)
    if given.shape == (2,):
        given = np.tile(given, (dim, 1))
    if given.shape != (dim, 2):
        raise PlotError(
            f"the box to draw has shape {given.shape}; give (2,) or ({dim}, 2): lo, hi of each axis."
        )
    lo, hi = given[:, 0], given[:, 1]
    if not (np.isfinite(given).all() and (lo < hi).all()):
        raise PlotError(f"the box to draw is {given.tolist()}; every LO must be finite and less than its HI.")
    outer_lo, outer_hi = regions.domain.bounds()
    if (np.asarray(outer_hi) <= lo).any() or (np.asarray(outer_lo) >= hi).any():
        raise PlotError(
            f"the box to draw, {given.tolist()}, lies outside the domain, which reaches from "
            f"{np.asarray(outer_lo).tolist()} to {np.asarray(outer_hi).tolist()}; choose one that meets it."
        )
    return lo, hi
