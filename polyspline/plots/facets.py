"""Facets of regions of space as polygons, and solids made of them (plain arrays, nothing is drawn here)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from polyspline.errors import PlotError
from polyspline.manifold.regions import RegionSet, Source, region_set
from polyspline.plots.cells import Polygons, clip, clip_by_regions, joined, same_plane
from polyspline.plots.rows import FacetRows
from polyspline.plots.views import view_of

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_SHIFT = 1e-7
"""Of the length of the view: how far a cut is moved so that it lies on no facet."""


def solid_set(source: Source, what: str) -> RegionSet:
    """Check that regions are of space.

    Raises
    ------
    PlotError
        If not; `what` names the picture.
    """
    regions = region_set(source)
    dim = regions.net.latent_dim
    if dim != 3:
        raise PlotError(
            f"{what} is drawn in 3 dimensions, and this domain has {dim} dimensions: S = 2 has the "
            "partition of the plane, S = 1 the graph of G; enumerate a slice of more, see Network.restrict."
        )
    return regions


def seen_box(regions: RegionSet, rows: FacetRows, box: npt.ArrayLike | None) -> tuple[Floats, Floats]:
    """Corners of the part of the domain's bounds that is in view, (3,) each."""
    lo, hi = view_of(regions, rows, box)
    outer_lo, outer_hi = regions.domain.bounds()
    return np.maximum(lo, outer_lo), np.minimum(hi, outer_hi)


def plane_square(normals: Floats, offsets: Floats, lo: Floats, hi: Floats) -> Floats:
    """Squares (n, 4, 3) on planes (n, 3), (n,), that are larger than what the box holds of them."""
    middle = (lo + hi) / 2.0
    reach = float(np.linalg.norm(hi - lo))
    points = middle + (offsets - normals @ middle)[:, None] * normals
    # The axis that is the farthest from the normal is never parallel to it.
    away = np.eye(3)[np.abs(normals).argmin(axis=1)]
    first = np.cross(normals, away)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(normals, first)
    turns = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    arms = turns[None, :, :1] * first[:, None] + turns[None, :, 1:] * second[:, None]
    return np.asarray(points[:, None] + reach * arms)


def clip_to_box(polygons: Polygons, lo: Floats, hi: Floats, *, but: int | None = None) -> Polygons:
    """Cut polygons of space to a box; not by the two sides that are normal to the axis `but`."""
    for axis, normal in enumerate(np.eye(3)):
        if axis != but:
            polygons = clip(clip(polygons, normal, hi[axis]), -normal, -lo[axis])
    return polygons


def inner_facets(
    rows: FacetRows, edges: npt.NDArray[np.integer], lo: Floats, hi: Floats
) -> tuple[Polygons, Integers]:
    """Facets between regions of space, cut to a box.

    Parameters
    ----------
    rows
        Of all regions.
    edges
        (E, 2) pairs of neighbours, the lower index first.
    lo, hi
        (3,) each.

    Returns
    -------
    facets
        Each owned by the lower of its two regions.
    which
        (n,) edge of each; those out of view are left out.
    """
    which = np.flatnonzero(rows.edge_rows >= 0)
    own = rows.edge_rows[which]
    squares = plane_square(rows.normals[own], rows.offsets[own], lo, hi)
    owner = np.asarray(edges, dtype=np.int64)[which, 0]
    found = Polygons(squares, np.full(len(which), 4, dtype=np.int64), owner)
    found = clip_by_regions(clip_to_box(found, lo, hi), rows, within=True)
    seen = found.counts >= 3
    return found.take(seen), which[seen]


def sections(rows: FacetRows, normal: Floats, offset: float, lo: Floats, hi: Floats) -> Polygons:
    """Cut every region of space, within a box, by the plane ``normal . z = offset``; one polygon of each.

    A plane that a facet lies on gives that facet to the regions on both sides.
    """
    count = len(rows.start) - 1
    square = plane_square(normal[None], np.array([offset]), lo, hi)
    axis = int(np.abs(normal).argmax()) if np.count_nonzero(normal) == 1 else None
    start = clip_to_box(
        Polygons(square, np.array([4], dtype=np.int64), np.zeros(1, dtype=np.int64)), lo, hi, but=axis
    )
    start = Polygons(
        np.repeat(start.corners, count, axis=0), np.repeat(start.counts, count), np.arange(count)
    )
    return clip_by_regions(start, rows, within=True).kept


def outer_planes(regions: RegionSet, lo: Floats, hi: Floats) -> tuple[Floats, Floats]:
    """Planes that bound what is in view: unit outward normals (m, 3) and offsets (m,), each once."""
    normals, offsets = [*np.eye(3), *-np.eye(3)], [*hi, *-lo]
    given, sides = regions.domain.rows()
    for row, side in zip(given, sides, strict=True):
        length = float(np.linalg.norm(row))
        unit, offset = row / length, float(side) / length
        known = same_plane(
            np.array(normals),
            np.array(offsets),
            np.tile(unit, (len(normals), 1)),
            np.full(len(offsets), offset),
        )
        outside = (np.where(unit > 0, hi, lo) @ unit) < offset - 1e-12 * (1.0 + abs(offset))
        if not known.any() and not outside:
            normals.append(unit)
            offsets.append(offset)
    return np.array(normals), np.array(offsets)


def outer_facets(regions: RegionSet, rows: FacetRows, lo: Floats, hi: Floats) -> tuple[Polygons, Floats]:
    """Facets of regions on the boundary of what is in view, and their outward normals (n, 3)."""
    parts: list[Polygons] = []
    outward: list[Floats] = []
    for normal, offset in zip(*outer_planes(regions, lo, hi), strict=True):
        part = sections(rows, normal, float(offset), lo, hi)
        parts.append(part)
        outward.append(np.repeat(normal[None], len(part), axis=0))
    return joined(parts), np.concatenate(outward)


def carve(polygons: Polygons, middle: Floats, corner: Floats) -> Polygons:
    """Take from polygons what lies in the octant at `middle` (3,) on the sides of the signs `corner` (3,)."""
    parts, rest = [], polygons
    for axis, sign in enumerate(corner):
        normal = sign * np.eye(3)[axis]
        offset = sign * middle[axis]
        parts.append(clip(rest, normal, offset))
        rest = clip(rest, -normal, -offset)
    return joined(parts).kept


def carved_faces(rows: FacetRows, middle: Floats, corner: Floats, lo: Floats, hi: Floats) -> Polygons:
    """Cut regions by the three faces that carving an octant lays open."""
    parts = []
    inward = _SHIFT * float((hi - lo).max())
    for axis, sign in enumerate(corner):
        # Where the face lies on facets, the regions behind it are seen, not those carved away.
        part = sections(rows, sign * np.eye(3)[axis], float(sign * middle[axis]) - inward, lo, hi)
        for other in range(3):
            if other != axis:
                normal = corner[other] * np.eye(3)[other]
                part = clip(part, -normal, -corner[other] * middle[other])
        parts.append(part)
    return joined(parts).kept
