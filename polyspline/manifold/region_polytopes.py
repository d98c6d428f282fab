"""Regions as polytopes: vertices, volumes and uniform points of many regions at once.

Guarantee: rounded, with an estimate of the error; where floats do not settle a region, its vertices
and its volume come from its exact rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError

from polyspline.errors import DomainError
from polyspline.manifold.polytopes import SimplePolytopes, simple_polytopes
from polyspline.manifold.region_rows import RegionRows, Rows
from polyspline.manifold.regions import RegionSet

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_EPS = float(np.finfo(np.float64).eps)

ACCURACY = 1e-9
"""Relative error of a volume above which it is taken from the exact rows."""

_BATCH = 1024
_BATCH_FACES = 4_000_000
"""Bounds the regions of a batch: each has about 5^S pairs of a vertex and a face."""

_HULLS_UP_TO = 6
_FLAT = 1e-12


class PolytopeSource(Enum):
    """Where the volume of a region comes from; the value is the sentence to show."""

    FACES = "from the faces of a simple polytope, in floats"
    HULL = "from the hull of its vertices, some of which are on more facets than dimensions, in floats"
    EXACT_ROWS = "from its exact rows, rounded once"


@dataclass(frozen=True, eq=False)
class PolytopeBatch:
    """Some regions as polytopes.

    Attributes
    ----------
    which
        Indices of the regions, (B,).
    volumes
        (B,); infinite for an unbounded region.
    errors
        (B,) estimates of the absolute errors of the volumes.
    sources
        Where each comes from.
    vertices
        Of each region, (k, S), in no order; none for an unbounded one.
    """

    which: Integers
    volumes: Floats
    errors: Floats
    sources: tuple[PolytopeSource, ...]
    vertices: tuple[Floats, ...]
    _simple: SimplePolytopes | None
    _place: Integers

    def sample(self, counts: Integers, rng: np.random.Generator) -> Floats:
        """Uniform points: `counts[i]` of region `which[i]`, one region after the other, (n, S).

        Raises
        ------
        DomainError
            If a region that a point is asked of is unbounded.

        Notes
        -----
        Guarantee: in the region up to rounding. By triangulation: see `SimplePolytopes.sample`; of
        other polytopes into the simplices of the facets of their hull and the mean of the vertices.
        """
        points = np.empty((int(counts.sum()), self.vertices[0].shape[1] if len(self.vertices) else 0))
        ends = np.cumsum(counts)
        asked = np.repeat(np.arange(len(counts)), counts)
        simple = self._place[asked] >= 0
        if self._simple is not None and simple.any():
            points[simple] = self._simple.sample(self._place[asked[simple]], rng)
        for i in np.flatnonzero((self._place < 0) & (counts > 0)).tolist():
            points[ends[i] - counts[i] : ends[i]] = sample_hull(self.vertices[i], int(counts[i]), rng)
        return points


def region_polytopes(regions: RegionSet, which: npt.ArrayLike | None = None) -> Iterator[PolytopeBatch]:
    """Regions as polytopes, some at a time, in the order asked for.

    Parameters
    ----------
    regions : RegionSet
    which : array_like of int, shape (B,), optional
        All by default.

    Yields
    ------
    PolytopeBatch

    Notes
    -----
    Guarantee: rounded. In floats: the vertices are those of the hull of the dual points; each is
    feasible up to rounding and each edge has two, so that none is missing; errors are
    estimated to first order, by the facets' areas times the bounds of the rounding of their rows. A region
    whose error may exceed 1e-9 of its volume comes from its exact rows, at some milliseconds.

    Algorithm: rows are those of the known facets, or all; one dual hull (Qhull) per region; the
    rest for all regions of a batch at once, see `simple_polytopes`.
    """
    wanted = np.arange(len(regions)) if which is None else np.asarray(which, dtype=np.int64).reshape(-1)
    maker = _Maker(regions)
    step = max(4, min(_BATCH, _BATCH_FACES // 5**regions.net.latent_dim))
    for low in range(0, len(wanted), step):
        yield maker.batch(wanted[low : low + step])


def sample_hull(vertices: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Uniform points (n, S) of the hull of points (k, S), by triangulation from their mean."""
    if not len(vertices):
        raise DomainError("an unbounded region has no uniform points; take a bounded domain.")
    simplices = _cones(vertices)
    sizes = np.abs(np.linalg.det(simplices[:, 1:] - simplices[:, :1]))
    chosen = rng.choice(len(sizes), size=count, p=sizes / sizes.sum())
    weights = rng.standard_exponential((count, simplices.shape[1]))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("nk,nks->ns", weights, simplices[chosen]))


def _cones(vertices: Floats) -> Floats:
    """Simplices (n, S + 1, S) that a polytope is cut into."""
    middle = vertices.mean(axis=0)
    if vertices.shape[1] == 1:
        return np.array([[[vertices.min()], [vertices.max()]]])
    # Coordinates in which the polytope is round keep Qhull from merging the facets of thin ones.
    _, spread, turn = np.linalg.svd(vertices - middle, full_matrices=False)
    round_ = (vertices - middle) @ turn.T / np.where(spread > 0, spread, 1.0)
    try:
        hull = ConvexHull(round_)
    except QhullError:
        hull = ConvexHull(round_, qhull_options="QJ")
    facets = vertices[hull.simplices]
    return np.concatenate([np.broadcast_to(middle, (len(facets), 1, len(middle))), facets], axis=1)


class _Maker:
    """Makes the polytopes of the regions of one set."""

    def __init__(self, regions: RegionSet) -> None:
        self.dim = regions.net.latent_dim
        self._rows = RegionRows(regions)

    def batch(self, which: Integers) -> PolytopeBatch:
        """Polytopes of some regions."""
        count, dim = len(which), self.dim
        rows = self._rows.of(which)
        volumes, errors = np.full(count, np.nan), np.full(count, np.nan)
        vertices: list[Floats] = [np.empty((0, dim))] * count
        sources = [PolytopeSource.EXACT_ROWS] * count
        place = np.full(count, -1, dtype=np.int64)
        owner, tight = self._rows.corners(which, rows)
        points, near, sound = _corners(owner, tight, rows, self._rows.limit)
        bad = np.bincount(owner, ~sound, minlength=count) > 0
        many = np.bincount(owner, near.sum(axis=1) > dim, minlength=count) > 0
        met = np.bincount(owner, minlength=count) > 0
        simple = None
        fit = np.flatnonzero(met & ~bad & ~many)
        if len(fit):
            simple, own, sizes, wrong = _measured(fit, owner, tight, points, rows)
            good = simple.closed & (wrong <= ACCURACY * sizes) & (sizes > 0)
            for j in np.flatnonzero(good).tolist():
                i = int(fit[j])
                volumes[i], errors[i], place[i] = sizes[j], wrong[j], j
                vertices[i], sources[i] = points[own[j, 0] : own[j, 1]], PolytopeSource.FACES
        starts = np.searchsorted(owner, np.arange(count + 1))
        for i in np.flatnonzero(np.isnan(volumes)).tolist():
            mine = slice(starts[i], starts[i + 1])
            found = None
            if met[i] and 1 < dim <= _HULLS_UP_TO:
                found = _by_hull(points[mine][sound[mine]], near[mine][sound[mine]], rows, i)
            if found is None:
                vertices[i], volumes[i], errors[i] = self._exactly(int(which[i]))
            else:
                vertices[i], volumes[i], errors[i] = found
                sources[i] = PolytopeSource.HULL
        return PolytopeBatch(which, volumes, errors, tuple(sources), tuple(vertices), simple, place)

    def _exactly(self, region: int) -> tuple[Floats, float, float]:
        """Vertices, volume and error from the exact rows."""
        found = self._rows.exact_polytope(region)
        if not found.bounded:
            return np.empty((0, found.dim)), float("inf"), 0.0
        return found.vertices, found.volume, _EPS * found.volume


def _corners(owner: Integers, tight: Integers, rows: Rows, limit: Floats) -> tuple[Floats, Flags, Flags]:
    """Vertices (V, S), which rows each is on (V, m) up to rounding, and whether each is sound (V,)."""
    G, h = rows.G[owner[:, None], tight], rows.h[owner[:, None], tight]
    size = np.abs(np.linalg.det(G))
    clear = size > _FLAT
    square = np.where(clear[:, None, None], G, np.eye(G.shape[2]))
    points = np.asarray(np.linalg.solve(square, h[..., None])[..., 0], dtype=np.float64)
    slack = rows.h[owner] - np.einsum("vms,vs->vm", rows.G[owner], points)
    rounding = 32.0 * _EPS * G.shape[2] * (np.abs(h).max(axis=1, initial=0.0) + np.abs(points).sum(axis=1))
    rounding = (rounding + 4.0 * rows.slack[owner].max(axis=1, initial=0.0)) / np.where(clear, size, 1.0)
    near = np.abs(slack) <= rounding[:, None]
    near[np.arange(len(owner))[:, None], tight] = True
    sound = clear & (slack >= -rounding[:, None]).all(axis=1) & (np.abs(points) <= limit).all(axis=1)
    return points, np.asarray(near), np.asarray(sound)


def _measured(
    fit: Integers, owner: Integers, tight: Integers, points: Floats, rows: Rows
) -> tuple[SimplePolytopes, Integers, Floats, Floats]:
    """Volumes and errors of the regions `fit`, and where the vertices of each begin among all."""
    mine = np.flatnonzero(np.isin(owner, fit))
    small = np.searchsorted(fit, owner[mine])
    width = rows.h.shape[1]
    dim = tight.shape[1]
    normals, sides = rows.G[fit].reshape(-1, dim), rows.h[fit].reshape(-1)
    named = small[:, None] * width + tight[mine]
    simple = simple_polytopes(small, named, points[mine], normals, sides)
    missed = (simple.areas * rows.slack[fit].reshape(-1)).reshape(len(fit), width).sum(axis=1)
    flat = np.full(len(fit), np.inf)
    np.minimum.at(flat, small, np.abs(np.linalg.det(normals[named])))
    errors = 2.0 * missed + 8.0 * dim * _EPS * simple.volumes / flat
    starts = mine[np.searchsorted(small, np.arange(len(fit)))]
    ends = starts + np.bincount(small, minlength=len(fit))
    return simple, np.stack([starts, ends], axis=1), simple.volumes, errors


def _by_hull(points: Floats, near: Flags, rows: Rows, i: int) -> tuple[Floats, float, float] | None:
    """Vertices, volume and error from the hull of vertices; None if a facet of it is on no row."""
    dim = points.shape[1]
    if len(points) <= dim:
        return None
    try:
        hull = ConvexHull(points)
    except QhullError:
        return None
    on_a_row = np.asarray(near[hull.simplices].all(axis=1))
    if not on_a_row.any(axis=1).all():
        return None
    volume = float(hull.volume)
    rounding = 64.0 * _EPS * dim * float(np.abs(points).max()) + float(rows.slack[i].max())
    error = 2.0 * float(hull.area) * rounding
    if not error <= ACCURACY * volume:
        return None
    return points[hull.vertices], volume, error
