"""Rows of many regions at once, and their vertices by the rows that meet there: the hulls of dual points."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial import ConvexHull, QhullError

from polyspline.cpa.bounds import layer_bounds
from polyspline.cpa.exact import exact_network
from polyspline.cpa.knots import Knots, knots_of
from polyspline.inversion.region_maps import RegionMapper
from polyspline.manifold.maps import knot_rows_of_codes
from polyspline.manifold.regions import RegionSet
from polyspline.regions.exact import ExactDomain
from solvers.predicates.rounding import ROUNDOFF
from solvers.vertices import VRepresentation, v_representation

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_FAR = 10.0
"""Reach in an unbounded domain, in distances of a middling region from the origin."""

_OF_ROUNDING = 2e3
"""A row is one of rounding alone if it is at most half as many times as long as its rounding."""

_BATCH = 1024


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of B regions, padded with rows of zeros: those of region i are ``G[i, :count[i]]``.

    Attributes
    ----------
    G, h
        Outward and of unit length: (B, m, S) and (B, m), rounded.
    slack
        (B, m): points of the true region within reach violate no row by more than this.
    count
        (B,); 0 where floats may not tell the normal of some facet, so that rows would be missing.
    """

    G: Floats
    h: Floats
    slack: Floats
    count: Integers


class RegionRows:
    """Makes the rows of the regions of a set.

    Parameters
    ----------
    regions
        Rows are those of the facets where these are known, else all rows.
    """

    def __init__(self, regions: RegionSet) -> None:
        self.regions = regions
        low, high = regions.domain.bounds()
        if regions.domain.bounded:
            reach = np.maximum(np.abs(low), np.abs(high))
            self.limit = 2.0 * reach
        else:
            # Bounds of rounding grow with what they hold for: regions farther out come from exact rows.
            typical = np.median(np.abs(regions.points).max(axis=1, initial=0.0)) if len(regions) else 0.0
            reach = self.limit = np.full(len(low), _FAR * (1.0 + typical))
        self.mapper = RegionMapper(regions.net.layers, regions.domain, reach)
        ends = np.concatenate([regions.edges[:, 0], regions.edges[:, 1]])
        order = np.argsort(ends, kind="stable")
        self._knots = np.concatenate([regions.edge_sources, regions.edge_sources])[order].astype(np.int64)
        self._start = np.searchsorted(ends[order], np.arange(len(regions) + 1))

    def of(self, which: Integers) -> Rows:
        """Rows of some regions (B,)."""
        parts: list[tuple[Floats, Floats, Floats]] = []
        for low in range(0, len(which), self.mapper.chunk):
            some = which[low : low + self.mapper.chunk]
            maps = self.mapper.maps(self.regions.codes[some])
            usable = np.asarray(np.abs(maps.rows).sum(axis=2) > 0)
            n_knots = len(self._knots_of_net.unit)
            domain_rows = np.arange(n_knots, usable.shape[1])
            lost = self._may_lack_facets(some, usable[:, :n_knots])
            for i, region in enumerate(some.tolist()):
                if region < self.regions.expanded:
                    own = self._own_knots(region)
                    chosen, lost[i] = np.concatenate([own, domain_rows]), not usable[i, own].all()
                else:
                    chosen = np.flatnonzero(usable[i])
                chosen = chosen[:0] if lost[i] else chosen
                parts.append((maps.rows[i, chosen], maps.sides[i, chosen], maps.slack[i, chosen]))
        count = np.array([len(h) for _, h, _ in parts], dtype=np.int64)
        most = int(count.max(initial=1))
        G = np.zeros((len(which), most, self.regions.net.latent_dim))
        h, slack = np.ones((len(which), most)), np.zeros((len(which), most))
        for i, (row, side, wrong) in enumerate(parts):
            G[i, : len(side)], h[i, : len(side)], slack[i, : len(side)] = row, side, wrong
        return Rows(G, h, slack, count)

    def _may_lack_facets(self, which: Integers, usable: Flags) -> Flags:
        """Whether a knot's row of rounding alone may be a facet, (B,), of regions whose facets are not known.

        Such a row varies over the domain by a small multiple of its rounding: it is no facet if it
        is farther than that from its knot at the region's point, as those of dead units mostly are.
        """
        found = np.zeros(len(which), dtype=np.bool_)
        knots, codes = self._knots_of_net, self.regions.codes[which]
        pieces = codes[:, knots.unit]
        beside = (pieces == knots.low) | (pieces == knots.high)
        region, knot = np.nonzero(beside & ~usable & (which >= self.regions.expanded)[:, None])
        if len(region):
            rows, beta = knot_rows_of_codes(self.regions.net, codes[region], knot)
            away = np.abs(np.einsum("ps,ps->p", rows, self.regions.points[which[region]]) + beta)
            found[region[away <= self._knot_rounding[knot]]] = True
        return found

    @cached_property
    def _knots_of_net(self) -> Knots:
        return knots_of(self.regions.net.layers)

    @cached_property
    def _knot_rounding(self) -> Floats:
        """By how much a row of rounding alone may vary over the domain, (K,)."""
        net, reach, knots = self.regions.net, self.mapper.reach, self._knots_of_net
        magnitude = np.concatenate([one.magnitude for one in layer_bounds(net.layers, np.append(reach, 1.0))])
        sizes = magnitude[knots.upper] + np.where(knots.lower >= 0, magnitude[knots.lower], 0.0)
        terms = sum(one.n_in + 4 for one in net.layers)
        widest = 1.0 + 2.0 * np.sqrt(len(reach)) * float(reach.max() / reach.min())
        return np.asarray(_OF_ROUNDING * widest * terms * ROUNDOFF * sizes)

    def corners(self, which: Integers, rows: Rows) -> tuple[Integers, Integers]:
        """Vertices of some regions by their rows.

        Parameters
        ----------
        which
            (B,).
        rows
            Theirs.

        Returns
        -------
        owner : ndarray
            (V,) place in `which` of the region of each vertex, ascending; a region of which floats do
            not see a bounded polytope with its point well inside has none.
        tight : ndarray
            (V, S) rows that the vertex is on, ascending. One on more rows is there for every
            simplex that its dual facet is cut into.
        """
        owners, tights = [np.empty(0, dtype=np.int64)], [np.empty((0, rows.G.shape[2]), dtype=np.int64)]
        room = rows.h - np.einsum("bms,bs->bm", rows.G, self.regions.points[which])
        for i in range(len(which)):
            m = int(rows.count[i])
            tight = _vertex_rows(rows.G[i, :m], room[i, :m])
            owners.append(np.full(len(tight), i, dtype=np.int64))
            tights.append(tight)
        return np.concatenate(owners), np.concatenate(tights)

    def exact_polytope(self, region: int) -> VRepresentation:
        """Vertices of a region from its exact rows."""
        if region >= self.regions.expanded:
            return self.regions.region(region).v_representation
        net, own = self.regions.net, self._own_knots(region)
        code = np.asarray(self.regions.codes[region], dtype=np.int64)
        exact = exact_network(net.layers)
        values = exact.forward(code)
        rows = []
        for unit in np.unique(self._knots_of_net.unit[own]).tolist():
            first = int(np.searchsorted(self._knots_of_net.unit, unit))
            depth, neuron = (int(place) for place in net.unit_index[unit])
            beside = exact.knots_beside(depth, values[depth], neuron, int(code[unit]))
            rows += [row for k, _, row in beside if first + k in own]
        return v_representation([*rows, *self._exact_domain.rows], net.latent_dim)

    @cached_property
    def _exact_domain(self) -> ExactDomain:
        return ExactDomain(*self.regions.domain.rows())

    def _own_knots(self, region: int) -> Integers:
        """Lowest knot of each facet of an expanded region that is not on the domain's boundary."""
        return np.unique(self._knots[self._start[region] : self._start[region + 1]])


def _vertex_rows(G: Floats, room: Floats) -> Integers:
    """Rows of each vertex (V, S), ascending, of ``G y <= room``; none if 0 is not well inside."""
    dim = G.shape[1]
    nothing = np.empty((0, dim), dtype=np.int64)
    if len(room) <= dim or not room.min() > 0:
        return nothing
    dual = G / room[:, None]
    if not np.isfinite(dual).all():
        return nothing
    if dim == 1:
        ends = np.array([[int(np.argmin(dual[:, 0]))], [int(np.argmax(dual[:, 0]))]], dtype=np.int64)
        return ends if dual.min() < 0 < dual.max() else nothing
    try:
        hull = ConvexHull(dual)
    except QhullError:
        return nothing
    if not (hull.equations[:, -1] < 0).all():  # 0 is outside: the polyhedron is unbounded
        return nothing
    return np.sort(hull.simplices.astype(np.int64), axis=1)


def region_ends(regions: RegionSet) -> Floats:
    """Return the ends of the intervals that regions of a line are, (R, 2), rounded; maybe infinite."""
    maker = RegionRows(regions)
    parts = [np.empty((0, 2))]
    for low in range(0, len(regions), _BATCH):
        rows = maker.of(np.arange(low, min(low + _BATCH, len(regions))))
        G, h = rows.G[:, :, 0], rows.h
        lower = np.where(G < 0, -h, -np.inf).max(axis=1, initial=-np.inf)
        upper = np.where(G > 0, h, np.inf).min(axis=1, initial=np.inf)
        for i in np.flatnonzero(rows.count == 0).tolist():
            lower[i], upper[i] = _exact_ends(maker.exact_polytope(low + i))
        parts.append(np.stack([lower, upper], axis=1))
    return np.concatenate(parts)


def _exact_ends(interval: VRepresentation) -> tuple[float, float]:
    ends, directions = interval.vertices[:, 0], interval.rays[:, 0]
    return (
        -np.inf if (directions < 0).any() else float(ends.min()),
        np.inf if (directions > 0).any() else float(ends.max()),
    )
