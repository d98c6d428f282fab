"""Regions of a plane as polygons (plain arrays, nothing is drawn here)."""

from __future__ import annotations

import networkx as nx
import numpy as np
import numpy.typing as npt

from polyspline.cpa.knots import knot_functions
from polyspline.errors import PlotError
from polyspline.partition import Partition

Floats = npt.NDArray[np.float64]


def clip(polygon: Floats, normal: Floats, offset: float) -> Floats:
    """Cut a convex polygon by the half-plane ``normal . z <= offset``.

    Parameters
    ----------
    polygon
        (k, 2) corners in order; k may be 0.
    normal
        (2,) outward normal of the half-plane.
    offset
        Its offset.

    Returns
    -------
    ndarray
        (k', 2) corners of the intersection, in the same order. Rounded: for pictures only.
    """
    excess = polygon @ normal - offset
    inside = excess <= 0.0
    if inside.all():
        return polygon
    corners: list[Floats] = []
    for here in range(len(polygon)):
        there = (here + 1) % len(polygon)
        if inside[here]:
            corners.append(polygon[here])
        if inside[here] != inside[there]:
            share = excess[here] / (excess[here] - excess[there])
            corners.append(polygon[here] + share * (polygon[there] - polygon[here]))
    return np.array(corners).reshape(-1, 2)


def rectangle(lo: Floats, hi: Floats) -> Floats:
    """Corners (4, 2) of the box from `lo` (2,) to `hi` (2,), counter-clockwise."""
    return np.array([[lo[0], lo[1]], [hi[0], lo[1]], [hi[0], hi[1]], [lo[0], hi[1]]])


def inequalities(partition: Partition) -> list[tuple[Floats, Floats]]:
    """Rows ``G z <= h`` of every region, of unit length: G (m, S) and h (m,), rounded.

    Which rows a region has is known exactly: its facets to neighbours from the adjacencies,
    and the rows of the domain. Only regions whose facets were not all crossed are asked for
    their H-representation, which takes longer.
    """
    bounds = _unit_length(*partition.domain.rows())
    ends = np.concatenate([partition.edges[:, 0], partition.edges[:, 1]])
    order = np.argsort(ends, kind="stable")
    starts = np.searchsorted(ends[order], np.arange(len(partition) + 1))
    sources = np.tile(partition.edge_sources, 2)[order]
    systems = []
    for index in range(len(partition)):
        if index < partition.expanded:
            crossed = sources[starts[index] : starts[index + 1]]
            facets = _knot_rows(partition, index, crossed)
            systems.append((np.vstack([facets[0], bounds[0]]), np.concatenate([facets[1], bounds[1]])))
        else:
            system = partition[index].hrep
            systems.append((system.G, system.h))
    return systems


def _knot_rows(partition: Partition, index: int, sources: npt.NDArray[np.int32]) -> tuple[Floats, Floats]:
    """Rows of one region for unit knots that its facets lie on, as `Partition.knot` numbers them."""
    net = partition.net
    alpha, beta = knot_functions(net.layers, net.knots, partition.code(index), sources.astype(np.int64))
    return _unit_length(-alpha, beta)


def _unit_length(normals: Floats, offsets: Floats) -> tuple[Floats, Floats]:
    """Scale rows to unit length, without overflow or underflow on the way."""
    size = np.abs(normals).max(axis=1, initial=0.0)
    scaled = normals / size[:, None]
    length = np.linalg.norm(scaled, axis=1)
    return scaled / length[:, None], offsets / size / length


def polygons(systems: list[tuple[Floats, Floats]], lo: Floats, hi: Floats) -> list[Floats]:
    """Cut every region to the view from `lo` (2,) to `hi` (2,); regions out of view are empty."""
    cells = []
    for normals, offsets in systems:
        cell = rectangle(lo, hi)
        for normal, offset in zip(normals, offsets, strict=True):
            cell = clip(cell, normal, float(offset))
            if len(cell) == 0:
                break
        cells.append(cell)
    return cells


def _corners(normals: Floats, offsets: Floats) -> Floats:
    """Corners (k, 2) of a planar region: where facets that follow each other by angle meet."""
    order = np.argsort(np.arctan2(normals[:, 1], normals[:, 0]))
    found = []
    for here, there in zip(order, np.roll(order, -1), strict=True):
        pair = normals[[here, there]]
        # Facets half a turn or more apart are the two ends of an unbounded region.
        if pair[0, 0] * pair[1, 1] - pair[0, 1] * pair[1, 0] > 1e-9:
            found.append(np.linalg.solve(pair, offsets[[here, there]]))
    return np.array(found).reshape(-1, 2)


def view_of_plane(partition: Partition, systems: list[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """Choose what to show of a partition: its domain or, of the whole plane, where the corners are."""
    if partition.domain.bounded:
        lo, hi = partition.domain.bounds()
        return np.asarray(lo), np.asarray(hi)
    found = [_corners(normals, offsets) for normals, offsets in systems if len(normals) > 1]
    points = np.concatenate([*found, np.zeros((0, 2))])
    if len(points) == 0:
        points = np.asarray(partition.witnesses)
    # A few corners lie very far away, where nearly parallel lines meet: leave those out of view.
    lo, hi = np.quantile(points, [0.02, 0.98], axis=0)
    centre, half = (lo + hi) / 2.0, 0.65 * float((hi - lo).max())
    half = half if half > 0.0 else 1.0
    return centre - half, centre + half


def checked_view(partition: Partition, box: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Check a view that the caller chose.

    Parameters
    ----------
    partition
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
    dim = partition.net.latent_dim
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
    outer_lo, outer_hi = partition.domain.bounds()
    if (np.asarray(outer_hi) <= lo).any() or (np.asarray(outer_lo) >= hi).any():
        raise PlotError(
            f"the box to draw, {given.tolist()}, lies outside the domain, which reaches from "
            f"{np.asarray(outer_lo).tolist()} to {np.asarray(outer_hi).tolist()}; choose one that meets it."
        )
    return lo, hi


def colour_classes(
    labels: npt.NDArray[np.integer], edges: npt.NDArray[np.integer], colours: int
) -> npt.NDArray[np.int64]:
    """Colour regions of the plane so that neighbours with different labels differ.

    Parameters
    ----------
    labels
        (R,) what is to have one colour: the region itself, or its affine region.
    edges
        (E, 2) adjacencies of regions.
    colours
        How many colours there are, at least 6; all are used about equally often.

    Returns
    -------
    ndarray
        (R,) numbers of colours from 0.

    Algorithm
    ---------
    Greedy, the smallest degree last, O(R + E). The adjacency graph of regions of the plane
    is planar, so that each in its turn meets at most 5 neighbours that have a colour.
    """
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(int(label) for label in np.unique(labels))
    ends = labels[np.asarray(edges, dtype=np.int64).reshape(-1, 2)]
    graph.add_edges_from((int(i), int(j)) for i, j in ends if i != j)
    chosen: dict[int, int] = {}
    uses = [0] * colours
    for label in nx.coloring.strategy_smallest_last(graph, chosen):
        taken = {chosen[other] for other in graph[label] if other in chosen}
        chosen[label] = min(set(range(colours)) - taken, key=uses.__getitem__)
        uses[chosen[label]] += 1
    return np.array([chosen[int(label)] for label in labels], dtype=np.int64)
