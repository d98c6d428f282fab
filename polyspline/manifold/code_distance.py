"""Code distance: how many units differ between two regions, against the dimension of what they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import as_float_array
from polyspline.errors import ArgumentError, ShapeError
from polyspline.manifold.brief import Brief
from polyspline.manifold.regions import RegionSet, Source, region_set
from solvers.float_mode import gradual_underflow
from solvers.rational import integer_matrix, pivot_columns

Integers = npt.NDArray[np.int64]
_Vector: TypeAlias = tuple[int, ...]

_CHUNK_EDGES = 1 << 16
_MOST_PAIRS = 20_000


@dataclass(frozen=True, eq=False, repr=False)
class CodeDistances(Brief):
    """Hamming distances of pairs of regions, and the dimension of the face that each pair shares.

    Attributes
    ----------
    regions
        What it was computed on.
    pairs
        (P, 2) indices of regions, the lower first.
    hamming
        (P,) number of units whose pieces differ.
    face_dimension
        (P,) dimension of the intersection of the two closed regions: S - 1 of neighbours, 0 of
        regions that touch at a vertex, -1 of regions that do not meet.
    sampled
        Whether the regions were met by sampling.
    """

    regions: RegionSet
    pairs: Integers
    hamming: Integers
    face_dimension: Integers
    sampled: bool

    def table(self) -> Integers:
        """Count pairs by face dimension and Hamming distance, (S + 1, largest distance + 1).

        Row d is of pairs that share a face of dimension d - 1; row 0 of those that do not meet.
        """
        counts = np.zeros((self.regions.net.latent_dim + 1, int(self.hamming.max(initial=0)) + 1), np.int64)
        np.add.at(counts, (self.face_dimension + 1, self.hamming), 1)
        return counts


@gradual_underflow()
def edge_distances(source: Source) -> CodeDistances:
    """Hamming distances of all neighbours; what they share is a facet, of dimension S - 1.

    Parameters
    ----------
    source : Partition or RegionSet

    Returns
    -------
    CodeDistances
        A distance of 1 is generic only: k units may share a knot hyperplane on a facet.

    Notes
    -----
    Guarantee: exact.

    References
    ----------
    Max-affine spline insights, App. G.
    """
    regions = region_set(source)
    pairs = regions.edges.astype(np.int64)
    dimension = np.full(len(pairs), regions.net.latent_dim - 1, dtype=np.int64)
    return CodeDistances(regions, pairs, _hamming(regions, pairs), dimension, regions.sampled)


@gradual_underflow()
def code_distances(source: Source, pairs: npt.ArrayLike | None = None) -> CodeDistances:
    """Hamming distances of pairs of regions, and the dimensions of the faces that they share.

    Parameters
    ----------
    source : Partition or RegionSet
    pairs : array_like of int, shape (P, 2), optional
        Indices of different regions; by default all pairs, of at most 200 regions.

    Returns
    -------
    CodeDistances

    Raises
    ------
    ArgumentError
        If a pair names a region that does not exist, or one region twice, or if there are too many
        pairs to take all by default.
    ShapeError
        If the pairs are not (P, 2).

    Notes
    -----
    Guarantee: exact.

    Algorithm: closed regions meet in common faces, and a common face is made of the vertices, rays
    and lines that are common to both; these are compared as integers. One double description for
    each region.

    References
    ----------
    Max-affine spline insights, App. G.
    """
    regions = region_set(source)
    chosen = _all_pairs(len(regions)) if pairs is None else _read_pairs(pairs, len(regions))
    generators: dict[int, tuple[frozenset[_Vector], frozenset[_Vector], tuple[_Vector, ...]]] = {}
    for index in np.unique(chosen).tolist():
        v = regions.region(index).v_representation
        generators[index] = frozenset(v.corners), frozenset(v.extreme), v.lines
    dimension = np.array([_shared(generators[i], generators[j]) for i, j in chosen.tolist()], dtype=np.int64)
    return CodeDistances(regions, chosen, _hamming(regions, chosen), dimension, regions.sampled)


def _shared(
    first: tuple[frozenset[_Vector], frozenset[_Vector], tuple[_Vector, ...]],
    second: tuple[frozenset[_Vector], frozenset[_Vector], tuple[_Vector, ...]],
) -> int:
    """Dimension of the common face of two regions, -1 if they have none."""
    corners = first[0] & second[0]
    if not corners:
        return -1
    # Regions that meet have the same lines: a common facet holds them, and so on along facets.
    directions = [*(first[1] & second[1]), *first[2]]
    rows = [*corners, *((*direction, 0) for direction in directions)]
    return len(pivot_columns(integer_matrix(rows, len(rows[0])))) - 1


def _hamming(regions: RegionSet, pairs: Integers) -> Integers:
    found = np.empty(len(pairs), dtype=np.int64)
    for low in range(0, len(pairs), _CHUNK_EDGES):
        some = pairs[low : low + _CHUNK_EDGES]
        found[low : low + len(some)] = np.count_nonzero(
            regions.codes[some[:, 0]] != regions.codes[some[:, 1]], axis=1
        )
    return found


def _all_pairs(count: int) -> Integers:
    if count * (count - 1) // 2 > _MOST_PAIRS:
        raise ArgumentError(
            f"code_distances: {count} regions have more than {_MOST_PAIRS} pairs: give the pairs to look at, "
            "or take edge_distances for neighbours alone."
        )
    return np.stack(np.triu_indices(count, 1), axis=1).astype(np.int64)


def _read_pairs(pairs: npt.ArrayLike, count: int) -> Integers:
    given = as_float_array(pairs, "code_distances: pairs", 2)
    chosen = np.sort(given.astype(np.int64), axis=1)
    if given.shape[1] != 2:
        raise ShapeError(f"code_distances: pairs must have shape (P, 2), got {given.shape}.")
    if chosen.size and (chosen.min() < 0 or chosen.max() >= count or (chosen[:, 0] == chosen[:, 1]).any()):
        raise ArgumentError(
            f"code_distances: each pair must name two different regions from 0 to {count - 1}."
        )
    return chosen
