"""Convex polygons and segments cut by half-spaces, many at once (plain arrays, nothing is drawn here)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyspline.plots.rows import FacetRows

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_SAME_PLANE = 1e-9


@dataclass(frozen=True, eq=False)
class Polygons:
    """Convex polygons in the plane or in space.

    Attributes
    ----------
    corners
        (n, K, d) in their order; behind the last corner of a polygon, that corner is repeated.
    counts
        (n,) how many corners each has, at most K; less than 3 if there is nothing left of it.
    owner
        (n,) region that each is of.
    """

    corners: Floats
    counts: Integers
    owner: Integers

    def __len__(self) -> int:
        """Return the number of polygons, n."""
        return len(self.counts)

    def take(self, which: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> Polygons:
        """Return some of the polygons."""
        return Polygons(self.corners[which], self.counts[which], self.owner[which])

    @property
    def kept(self) -> Polygons:
        """The polygons of which something is left."""
        return self.take(self.counts >= 3)

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """Which entries are corners, (n, K); the others repeat the last one."""
        return np.asarray(np.arange(self.corners.shape[1]) < self.counts[:, None])

    def areas(self) -> Floats:
        """Areas (n,)."""
        arms = self.corners - self.corners[:, :1]
        here, there = arms[:, :-1], arms[:, 1:]
        if self.corners.shape[2] == 2:
            turns = here[..., 0] * there[..., 1] - here[..., 1] * there[..., 0]
            return np.asarray(0.5 * np.abs(turns.sum(axis=1)))
        return np.asarray(0.5 * np.linalg.norm(np.cross(here, there).sum(axis=1), axis=1))

    def means(self) -> Floats:
        """Mean of the corners of each, (n, d): a point inside."""
        weights = self.valid[..., None]
        return np.asarray((self.corners * weights).sum(axis=1) / np.maximum(self.counts, 1)[:, None])


def _widened(corners: Floats, width: int) -> Floats:
    """Copy corners (n, K, d) into (n, width, d), the last one repeated; ``width >= K``."""
    more = np.repeat(corners[:, -1:], width - corners.shape[1], axis=1)
    return np.concatenate([corners, more], axis=1)


def joined(parts: list[Polygons]) -> Polygons:
    """Put polygons of several lots, at least one, into one lot, in their order."""
    width = max(part.corners.shape[1] for part in parts)
    return Polygons(
        np.concatenate([_widened(part.corners, width) for part in parts]),
        np.concatenate([part.counts for part in parts]),
        np.concatenate([part.owner for part in parts]),
    )


def clip(polygons: Polygons, normals: Floats, offsets: Floats) -> Polygons:
    """Cut each polygon by a half-space ``normal . z <= offset`` of its own.

    Parameters
    ----------
    polygons
        Convex.
    normals
        (n, d), or (d,) for all.
    offsets
        (n,), or one for all.

    Returns
    -------
    Polygons
        As many, in the same order; rounded, for pictures only.

    Notes
    -----
    Algorithm: Sutherland and Hodgman's, for all polygons that are cut at once.
    """
    count = len(polygons)
    sides = np.broadcast_to(normals, (count, polygons.corners.shape[2]))
    excess = np.einsum("nkd,nd->nk", polygons.corners, sides) - np.broadcast_to(offsets, (count,))[:, None]
    valid = polygons.valid
    touched = np.flatnonzero(((excess > 0.0) & valid).any(axis=1))
    if not len(touched):
        return polygons
    corners, numbers = _cut(
        polygons.corners[touched], polygons.counts[touched], excess[touched], valid[touched]
    )
    width = corners.shape[1]
    whole = _widened(polygons.corners, max(polygons.corners.shape[1], width))
    whole[touched, :width] = corners
    whole[touched, width:] = corners[:, -1:]
    kept = polygons.counts.copy()
    kept[touched] = numbers
    return Polygons(whole, kept, polygons.owner)


def _cut(
    corners: Floats, counts: Integers, excess: Floats, valid: npt.NDArray[np.bool_]
) -> tuple[Floats, Integers]:
    """Corners (m, K', d), the last one repeated, and their numbers (m,), of polygons that are cut."""
    count, width, dim = corners.shape
    following = (np.arange(width) + 1) % np.maximum(counts, 1)[:, None]
    next_excess = np.take_along_axis(excess, following, axis=1)
    next_corner = np.take_along_axis(corners, following[..., None], axis=1)
    inside = (excess <= 0.0) & valid
    crossed = ((excess <= 0.0) != (next_excess <= 0.0)) & valid
    rise = excess - next_excess
    share = excess / np.where(crossed, rise, 1.0)
    points = corners + np.where(crossed, share, 0.0)[..., None] * (next_corner - corners)
    # Each corner gives itself, if inside, and then the crossing on the side to the next one.
    emitted = np.stack([inside, crossed], axis=2).reshape(count, 2 * width)
    given = np.stack([corners, points], axis=2).reshape(count, 2 * width, dim)
    numbers = emitted.sum(axis=1).astype(np.int64)
    most = max(3, int(numbers.max()))
    order = np.argsort(~emitted, axis=1, kind="stable")[:, :most]
    last = np.maximum(numbers - 1, 0)[:, None]
    place = np.take_along_axis(order, np.minimum(np.arange(order.shape[1]), last), axis=1)
    return np.take_along_axis(given, place[..., None], axis=1), numbers


def clip_by_regions(polygons: Polygons, rows: FacetRows, *, within: bool = False) -> Polygons:
    """Cut each polygon to the region that owns it.

    Parameters
    ----------
    polygons
        In the plane, or in space.
    rows
        Of all regions.
    within
        Whether each polygon lies in a plane that may be one of the region's rows, which rounding
        then keeps from cutting it.

    Returns
    -------
    Polygons
        As many, in the same order; rounded.
    """
    counts = np.diff(rows.start)[polygons.owner]
    planes = _planes(polygons) if within else None
    corners, numbers = polygons.corners.copy(), polygons.counts.copy()
    for place in range(int(counts.max(initial=0))):
        live = np.flatnonzero((counts > place) & (numbers > 0))
        row = rows.start[polygons.owner[live]] + place
        normals, offsets = rows.normals[row], rows.offsets[row]
        if planes is not None:
            other = ~same_plane(normals, offsets, planes[0][live], planes[1][live])
            live, normals, offsets = live[other], normals[other], offsets[other]
        cut = clip(Polygons(corners[live], numbers[live], polygons.owner[live]), normals, offsets)
        if cut.corners.shape[1] > corners.shape[1]:
            corners = _widened(corners, cut.corners.shape[1])
        corners[live], numbers[live] = cut.corners, cut.counts
    return Polygons(corners, numbers, polygons.owner)


def same_plane(
    normals: Floats, offsets: Floats, others: Floats, their_offsets: Floats
) -> npt.NDArray[np.bool_]:
    """Whether planes (n, d), (n,) are one up to rounding, whichever way their normals point."""
    along = np.einsum("nd,nd->n", normals, others)
    apart = np.abs(normals - along[:, None] * others).max(axis=1, initial=0.0)
    shift = np.abs(offsets - along * their_offsets) / (1.0 + np.abs(offsets))
    return np.asarray(np.maximum(apart, shift) <= _SAME_PLANE)


def _planes(polygons: Polygons) -> tuple[Floats, Floats]:
    """Plane of each polygon in space: unit normals (n, 3) and offsets (n,)."""
    arms = polygons.corners[:, 1:3] - polygons.corners[:, :1]
    normals = np.cross(arms[:, 0], arms[:, 1])
    normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    return normals, np.einsum("nd,nd->n", normals, polygons.corners[:, 0])


def rectangle(lo: Floats, hi: Floats) -> Floats:
    """Corners (4, 2) of the box from `lo` (2,) to `hi` (2,), counter-clockwise."""
    return np.array([[lo[0], lo[1]], [hi[0], lo[1]], [hi[0], hi[1]], [lo[0], hi[1]]])


def planar_cells(rows: FacetRows, lo: Floats, hi: Floats) -> Polygons:
    """Cut every region of the plane to the view from `lo` (2,) to `hi` (2,), and drop those out of view."""
    count = len(rows.start) - 1
    view = Polygons(
        np.repeat(rectangle(lo, hi)[None], count, axis=0),
        np.full(count, 4, dtype=np.int64),
        np.arange(count, dtype=np.int64),
    )
    return clip_by_regions(view, rows).kept


def facet_segments(
    rows: FacetRows, edges: npt.NDArray[np.integer], lo: Floats, hi: Floats
) -> tuple[Floats, Integers]:
    """Facets between regions of the plane, cut to the view.

    Parameters
    ----------
    rows
        Of all regions.
    edges
        (E, 2) pairs of neighbours, the lower index first.
    lo, hi
        (2,) each: the view.

    Returns
    -------
    ends
        (n, 2, 2) both ends of each.
    which
        (n,) edge of each; those out of view are left out.
    """
    which = np.flatnonzero(rows.edge_rows >= 0)
    own = rows.edge_rows[which]
    normals, owner = rows.normals[own], np.asarray(edges, dtype=np.int64)[which, 0]
    middle = (lo + hi) / 2.0
    reach = float(np.linalg.norm(hi - lo))
    points = middle + (rows.offsets[own] - normals @ middle)[:, None] * normals
    along = np.stack([-normals[:, 1], normals[:, 0]], axis=1)
    first, last = np.full(len(which), -reach), np.full(len(which), reach)
    for axis in range(2):
        for sign, bound in ((1.0, hi[axis]), (-1.0, -lo[axis])):
            _shorten(first, last, sign * along[:, axis], bound - sign * points[:, axis])
    counts = np.diff(rows.start)[owner]
    for place in range(int(counts.max(initial=0))):
        live = np.flatnonzero((counts > place) & (rows.start[owner] + place != own))
        row = rows.start[owner[live]] + place
        speed = np.einsum("nd,nd->n", rows.normals[row], along[live])
        room = rows.offsets[row] - np.einsum("nd,nd->n", rows.normals[row], points[live])
        low, high = first[live], last[live]
        _shorten(low, high, speed, room)
        first[live], last[live] = low, high
    seen = last > first
    ends = points[:, None] + np.stack([first, last], axis=1)[..., None] * along[:, None]
    return ends[seen], which[seen]


def _shorten(first: Floats, last: Floats, speed: Floats, room: Floats) -> None:
    """Keep of each segment, from `first` to `last`, in place, what has ``speed * t <= room``."""
    steep = np.abs(speed) > 1e-14
    limit = room / np.where(steep, speed, 1.0)
    np.minimum(last, limit, out=last, where=steep & (speed > 0))
    np.maximum(first, limit, out=first, where=steep & (speed < 0))
    last[~steep & (room < -1e-9)] = -np.inf
