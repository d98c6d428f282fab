"""Rows of many regions at once, and the facets between them (plain arrays, nothing is drawn here)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from polyspline.inversion.region_maps import mapper_of
from polyspline.manifold.regions import RegionSet

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FacetRows:
    """Half-spaces ``normals @ z <= offsets`` of many regions, one region after the other, rounded.

    Attributes
    ----------
    start
        (R + 1,): the rows of region i are ``start[i]`` to ``start[i + 1] - 1``.
    normals
        (M, S) of unit length.
    offsets
        (M,).
    edge_rows
        (E,): the row that each edge's facet lies on, among those of its lower region; -1 where
        rounding leaves none.
    """

    start: Integers
    normals: Floats
    offsets: Floats
    edge_rows: Integers

    def of(self, region: int) -> tuple[Floats, Floats]:
        """Rows of one region: normals (m, S) and offsets (m,)."""
        own = slice(self.start[region], self.start[region + 1])
        return self.normals[own], self.offsets[own]


def facet_rows(regions: RegionSet) -> FacetRows:
    """Collect the rows that bound each region.

    Parameters
    ----------
    regions
        Regions of a partition or of a sampled set.

    Returns
    -------
    FacetRows
        Of a region whose facets were all crossed, the rows of its facets to neighbours and those of
        the domain; of the others, the rows of all knots.

    Notes
    -----
    Guarantee: rounded, for pictures only. A facet whose normal floats do not tell has no edge row.

    Algorithm: one product of matrices for each layer and chunk of regions, see `RegionMapper`.
    """
    partition = regions.as_partition
    mapper = mapper_of(partition, regions.net.layers)
    n_knots = mapper.n_rows - len(regions.domain.rows()[1])
    owner, knots, edge = _known_facets(regions, n_knots)
    first = np.searchsorted(owner, np.arange(len(regions) + 1))
    parts: list[_Lot] = []
    for low in range(0, len(regions), mapper.chunk):
        high = min(low + mapper.chunk, len(regions))
        maps = mapper.maps(regions.codes[low:high])
        some = slice(first[low], first[high])
        chosen, number = owner[some] - low, knots[some]
        found = _Lot(owner[some], edge[some], maps.rows[chosen, number], maps.sides[chosen, number])
        parts.append(_usable(regions, found))
    owners = np.concatenate([np.zeros(0, dtype=np.int64), *(part.owner for part in parts)])
    edges = np.concatenate([np.zeros(0, dtype=np.int64), *(part.edge for part in parts)])
    edge_rows = np.full(len(regions.edges), -1, dtype=np.int64)
    known = np.flatnonzero(edges >= 0)
    known = known[owners[known] == regions.edges[edges[known], 0]]
    edge_rows[edges[known]] = known
    return FacetRows(
        np.searchsorted(owners, np.arange(len(regions) + 1)).astype(np.int64),
        np.concatenate([np.zeros((0, regions.net.latent_dim)), *(part.normals for part in parts)]),
        np.concatenate([np.zeros(0), *(part.offsets for part in parts)]),
        edge_rows,
    )


class _Lot(NamedTuple):
    """Rows of some regions: region, edge (-1 if none), normal and offset of each."""

    owner: Integers
    edge: Integers
    normals: Floats
    offsets: Floats

    def take(self, which: Integers) -> _Lot:
        """Return some of the rows."""
        return _Lot(self.owner[which], self.edge[which], self.normals[which], self.offsets[which])


def _usable(regions: RegionSet, found: _Lot) -> _Lot:
    """Leave out rows of zeros; regions that lack a facet for it have their exact rows, rounded, instead."""
    zero = np.abs(found.normals).sum(axis=1) == 0.0
    lacking = np.unique(found.owner[zero & (found.owner < regions.expanded)])
    lots = [found.take(np.flatnonzero(~zero & ~np.isin(found.owner, lacking)))]
    for region in lacking.tolist():
        exact = regions.region(region).hrep
        lots.append(_Lot(np.full(len(exact), region), np.full(len(exact), -1), exact.G, exact.h))
    owners = np.concatenate([lot.owner for lot in lots])
    joined = _Lot(
        owners,
        np.concatenate([lot.edge for lot in lots]),
        np.concatenate([lot.normals for lot in lots]),
        np.concatenate([lot.offsets for lot in lots]),
    )
    return joined.take(np.argsort(owners, kind="stable"))


def _known_facets(regions: RegionSet, n_knots: int) -> tuple[Integers, Integers, Integers]:
    """Region, knot and edge (-1 if none) of every row to collect, by region; domain rows follow the knots."""
    count, n_domain = len(regions), len(regions.domain.rows()[1])
    known = regions.edges.astype(np.int64)
    numbers = np.arange(len(known))
    frontier = np.arange(regions.expanded, count)
    owner = [known[:, 0], known[:, 1], np.repeat(np.arange(count), n_domain), np.repeat(frontier, n_knots)]
    knot = [
        regions.edge_sources.astype(np.int64),
        regions.edge_sources.astype(np.int64),
        np.tile(np.arange(n_knots, n_knots + n_domain), count),
        np.tile(np.arange(n_knots), len(frontier)),
    ]
    edge = [numbers, numbers, np.full(count * n_domain, -1), np.full(len(frontier) * n_knots, -1)]
    owners = np.concatenate(owner)
    order = np.argsort(owners, kind="stable")
    return owners[order], np.concatenate(knot)[order], np.concatenate(edge)[order]
