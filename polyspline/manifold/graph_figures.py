"""Figures of the adjacency graph: degrees, diameter, components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from polyspline.errors import ArgumentError
from polyspline.manifold.brief import Brief
from polyspline.manifold.regions import RegionSet, Source, region_set
from solvers.float_mode import gradual_underflow

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_EXACT_REGIONS = 2000
_SWEEPS = 16
_CHUNK = 64


@dataclass(frozen=True, eq=False, repr=False)
class Degrees(Brief):
    """How many neighbours regions have.

    Attributes
    ----------
    degrees
        (K,) of the regions all of whose neighbours are known: on a complete partition all.
    mean, largest, smallest
        Of these; NaN and 0 if there is none.
    counts
        (largest + 1,) how many have each degree.
    bound
        2 S, if all units are scalar: the mean is at most that, whatever their number. None for
        networks with max groups, which have no such bound.
    standard_error
        Of the mean over draws, of a sampled set; else None.
    sampled
        Whether the regions were met by sampling: then the mean is over draws.
    """

    degrees: Integers
    mean: float
    largest: int
    smallest: int
    counts: Integers
    bound: int | None
    standard_error: float | None
    sampled: bool


@dataclass(frozen=True)
class Diameter:
    """Longest of the shortest paths between regions, in facets crossed.

    Attributes
    ----------
    lower, upper
        The diameter is between these, and equal to both if they agree. Of a graph that is not
        connected, of its largest component.
    mean_distance
        Mean distance of two different regions; over the regions swept from only, where not all were.
    n_components
        Number of components; 1 of a complete partition.
    swept
        Number of regions from which all distances were computed.
    sampled
        Whether the regions were met by sampling: then the graph is that of what was met.
    """

    lower: int
    upper: int
    mean_distance: float
    n_components: int
    swept: int
    sampled: bool

    @property
    def exact(self) -> bool:
        """Whether the two bounds agree."""
        return self.lower == self.upper


@gradual_underflow()
def degrees(source: Source) -> Degrees:
    """Degrees of the adjacency graph.

    Parameters
    ----------
    source : Partition or RegionSet

    Returns
    -------
    Degrees

    Notes
    -----
    Guarantee: exact.
    """
    regions = region_set(source)
    everyone = np.bincount(regions.edges.reshape(-1), minlength=len(regions))
    known = everyone[: regions.expanded].astype(np.int64)
    net = regions.net
    bound = None if any(layer.has_groups for layer in net.layers) else 2 * net.latent_dim
    if not len(known):
        return Degrees(known, float("nan"), 0, 0, np.zeros(1, np.int64), bound, None, regions.sampled)
    mean, error = float(known.mean()), None
    if regions.sampled:
        shares = regions.draws[: regions.expanded] / regions.n_draws
        mean = float(shares @ known)
        error = float(np.sqrt(shares @ (known - mean) ** 2 / regions.n_draws))
    return Degrees(
        known,
        mean,
        int(known.max()),
        int(known.min()),
        np.bincount(known).astype(np.int64),
        bound,
        error,
        regions.sampled,
    )


def adjacency_matrix(regions: RegionSet, kept: npt.NDArray[np.bool_] | None = None) -> csr_array:
    """Symmetric adjacency matrix (R, R) of ones, maybe of some edges (E,) only."""
    edges = regions.edges if kept is None else regions.edges[kept]
    ones = np.ones(2 * len(edges), dtype=np.int8)
    rows = np.concatenate([edges[:, 0], edges[:, 1]])
    columns = np.concatenate([edges[:, 1], edges[:, 0]])
    return coo_array((ones, (rows, columns)), shape=(len(regions), len(regions))).tocsr()


def components(regions: RegionSet, inside: npt.NDArray[np.bool_], kept: npt.NDArray[np.bool_]) -> Integers:
    """Label regions by component of a part of the graph.

    Parameters
    ----------
    regions : RegionSet
    inside : ndarray of bool, shape (R,)
        Regions that belong to the part.
    kept : ndarray of bool, shape (E,)
        Edges that do; both ends are inside.

    Returns
    -------
    ndarray of int64
        (R,) labels from 0 on in the order of the lowest region, -1 outside.
    """
    _, labels = connected_components(adjacency_matrix(regions, kept), directed=False)
    found = np.full(len(regions), -1, dtype=np.int64)
    chosen = np.flatnonzero(inside)
    _, first, inverse = np.unique(labels[chosen], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    found[chosen] = rank[inverse.reshape(-1)]
    return found


@gradual_underflow()
def diameter(source: Source, *, exact_up_to: int = _EXACT_REGIONS, sweeps: int = _SWEEPS) -> Diameter:
    """Diameter of the adjacency graph: exact for small graphs, bounds for large ones.

    Parameters
    ----------
    source : Partition or RegionSet
    exact_up_to : int
        Up to so many regions all distances are computed.
    sweeps : int
        Else, the number of regions from which they are, at least 1.

    Returns
    -------
    Diameter

    Raises
    ------
    ArgumentError
        If there is no region, or `sweeps` is less than 1.

    Notes
    -----
    Guarantee: exact bounds; of a partial partition or a sampled set, those of the graph known.

    Algorithm: breadth-first sweeps. Each starts at a region farthest from those before, or at
    the middle of the longest path found; the largest eccentricity met is a lower bound, twice the
    smallest an upper one.
    """
    regions = region_set(source)
    if not len(regions):
        raise ArgumentError("diameter: there is no region.")
    if sweeps < 1:
        raise ArgumentError(f"diameter: sweeps must be at least 1, got {sweeps}.")
    matrix = adjacency_matrix(regions)
    count, labels = connected_components(matrix, directed=False)
    largest = np.flatnonzero(labels == np.argmax(np.bincount(labels)))
    graph = matrix[largest][:, largest]
    size = len(largest)
    if size <= exact_up_to:
        far, total = 0, 0.0
        for low in range(0, size, _CHUNK):
            distances = _distances(graph, np.arange(low, min(low + _CHUNK, size)))
            far = max(far, int(distances.max()))
            total += float(distances.sum())
        mean = total / max(1, size * (size - 1))
        return Diameter(far, far, mean, int(count), size, regions.sampled)
    lower, upper, mean, swept = _sweep(graph, sweeps)
    return Diameter(lower, upper, mean, int(count), swept, regions.sampled)


def _distances(graph: csr_array, sources: Integers) -> Floats:
    """Distances (B, size) from some nodes."""
    return np.asarray(dijkstra(graph, directed=False, indices=sources, unweighted=True))


def _sweep(graph: csr_array, sweeps: int) -> tuple[int, int, float, int]:
    """Lower and upper bound of the diameter, mean distance, and number of sweeps done."""
    size = graph.shape[0]
    nearest = np.full(size, np.inf)
    lower, upper, total, done = 0, 2 * size, 0.0, 0
    node = 0
    before: Floats | None = None
    while done < sweeps and lower < upper:
        distances = _distances(graph, np.array([node]))[0]
        eccentricity = int(distances.max())
        lower, upper = max(lower, eccentricity), min(upper, 2 * eccentricity)
        total += float(distances.sum())
        nearest = np.minimum(nearest, distances)
        done += 1
        if before is not None and done % 3 == 0:
            # A region in the middle between the last two ends has a small eccentricity.
            node = int(np.argmin(np.maximum(before, distances)))
            before = None
        else:
            node = int(np.argmax(distances if before is None else nearest))
            before = distances
    return lower, upper, total / (done * max(1, size - 1)), done
