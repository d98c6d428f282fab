"""Many simple polytopes at once: volumes, facet areas and uniform points, from vertices and their rows.

A polytope is simple if each vertex is on exactly S facets; all its faces then are named by
sets of rows. Nothing here knows of networks.

References
----------
J. Cohen and T. Hickey, Two algorithms for determining volumes of convex polyhedra, 1979.
B. Büeler, A. Enge and K. Fukuda, Exact volume computation for polytopes, 2000.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class _Step(NamedTuple):
    """From the faces on k rows to their facets, on one row more; sorted by the larger face."""

    start: Integers  # (F + 1,) where the facets of each face begin
    child: Integers  # (P,) facet
    reached: Floats  # (P,) running sum of the facets' shares of their faces, each face's being 1


@dataclass(frozen=True, eq=False)
class SimplePolytopes:
    """A batch of simple polytopes of one dimension, ``G z <= h`` each.

    Attributes
    ----------
    volumes
        (B,).
    areas
        (K,) of the facet on each row; 0 for rows without one.
    closed
        (B,) whether every edge has two vertices: then no vertex is missing.
    centres
        (B, S) mean of the vertices.
    """

    volumes: Floats
    areas: Floats
    closed: Flags
    centres: Floats
    _steps: tuple[_Step, ...]
    _middles: tuple[Floats, ...]

    def sample(self, which: Integers, rng: np.random.Generator) -> Floats:
        """Uniform points (n, S), one in each of the polytopes `which` (n,).

        Notes
        -----
        Algorithm: a chain of faces, each a facet of the one before, with the probability of its share
        of the volume; then a uniform point of the simplex of the chain's centres.
        """
        weights = rng.standard_exponential((len(which), len(self._middles)))
        weights /= weights.sum(axis=1, keepdims=True)
        face = np.asarray(which, dtype=np.int64)
        found = weights[:, :1] * self._middles[0][face]
        for depth, step in enumerate(self._steps):
            first, last = step.start[face], step.start[face + 1] - 1
            before = np.where(first > 0, step.reached[np.maximum(first - 1, 0)], 0.0)
            goal = before + rng.random(len(face)) * (step.reached[last] - before)
            place = np.clip(np.searchsorted(step.reached, goal, side="right"), first, last)
            face = step.child[place]
            found += weights[:, depth + 1 : depth + 2] * self._middles[depth + 1][face]
        return np.asarray(found)


def simple_polytopes(
    owner: Integers, tight: Integers, points: Floats, normals: Floats, sides: Floats
) -> SimplePolytopes:
    """Measure simple polytopes that are given by their vertices.

    Parameters
    ----------
    owner
        (V,) polytope of each vertex, 0 … B - 1, each with vertices.
    tight
        (V, S) rows that each vertex is on, ascending; no row is of two polytopes.
    points
        (V, S) vertices.
    normals, sides
        (K, S) of unit length, and (K,).

    Notes
    -----
    Guarantee: rounded; nothing cancels.

    Algorithm: a face F on the rows I is the union of the cones from the mean c of its vertices
    over its facets, which are on one row j more. Divided by the root of the Gram determinant of its rows
    its volume is ``1/k · Σ_j (h_j - g_j · c) · (that of facet j)``, k its dimension, and that of a
    vertex is ``1 / |det|``. Cost: O(2^S) for each vertex.
    """
    dim = tight.shape[1]
    count = int(owner.max()) + 1 if len(owner) else 0
    faces, firsts = _faces(owner, tight, len(sides), count)
    sizes: Floats = 1.0 / np.abs(np.linalg.det(normals[tight]))[firsts[dim]]
    middles = [
        _middles(faces[k], points, max(len(firsts[k]), count if k == 0 else 0)) for k in range(dim + 1)
    ]
    steps: list[_Step] = []
    areas = np.zeros(len(sides))
    for k in range(dim - 1, -1, -1):
        if k == 0:
            areas[tight.reshape(-1)[firsts[1]]] = sizes
        parent, row = _parents(faces, firsts, tight, k)
        child = np.tile(np.arange(len(firsts[k + 1])), k + 1)
        slack = sides[row] - np.einsum("ij,ij->i", normals[row], middles[k][parent])
        share = np.maximum(slack, 0.0) * sizes[child] / (dim - k)
        sizes = np.asarray(np.bincount(parent, weights=share, minlength=len(middles[k])), dtype=np.float64)
        steps.append(_step(parent, child, share, sizes))
    edges = np.bincount(faces[dim - 1].reshape(-1))
    closed = np.ones(count, dtype=np.bool_)
    closed[owner[firsts[dim - 1] // faces[dim - 1].shape[1]][edges != 2]] = False
    return SimplePolytopes(sizes, areas, closed, middles[0], tuple(steps[::-1]), tuple(middles))


def _faces(owner: Integers, tight: Integers, rows: int, count: int) -> tuple[list[Integers], list[Integers]]:
    """Numbers of the faces on k rows of each vertex, (V, C(S, k)) for each k, and one place of each."""
    dim = tight.shape[1]
    faces = [owner[:, None].astype(np.int64)]
    firsts = [np.searchsorted(owner, np.arange(count)).astype(np.int64)]
    for k in range(1, dim + 1):
        shorter = {chosen: i for i, chosen in enumerate(combinations(range(dim), k - 1))}
        chosen = list(combinations(range(dim), k))
        prefix = [shorter[one[:-1]] for one in chosen]
        # A set of rows in ascending order is named by all but its last, and by its last.
        key = faces[k - 1][:, prefix] * rows + tight[:, [one[-1] for one in chosen]]
        _, first, name = np.unique(key, return_index=True, return_inverse=True)
        faces.append(name.reshape(key.shape).astype(np.int64))
        firsts.append(first.astype(np.int64))
    return faces, firsts


def _middles(faces: Integers, points: Floats, count: int) -> Floats:
    """Mean of the vertices of each face, (F, S)."""
    names = faces.reshape(-1)
    many = np.bincount(names, minlength=count)
    width = faces.shape[1]
    sums = [np.bincount(names, np.repeat(column, width), minlength=count) for column in points.T]
    return np.asarray(np.stack(sums, axis=1) / many[:, None])


def _parents(
    faces: list[Integers], firsts: list[Integers], tight: Integers, k: int
) -> tuple[Integers, Integers]:
    """Faces on k rows that have each face on k + 1 as a facet, and the row that makes it; k + 1 of each."""
    dim = tight.shape[1]
    place = {chosen: i for i, chosen in enumerate(combinations(range(dim), k))}
    chosen = list(combinations(range(dim), k + 1))
    vertex, column = np.divmod(firsts[k + 1], len(chosen))
    parents, rows = [], []
    for d in range(k + 1):
        without = np.array([place[one[:d] + one[d + 1 :]] for one in chosen])
        dropped = np.array([one[d] for one in chosen])
        parents.append(faces[k][vertex, without[column]])
        rows.append(tight[vertex, dropped[column]])
    return np.concatenate(parents), np.concatenate(rows)


def _step(parent: Integers, child: Integers, share: Floats, sizes: Floats) -> _Step:
    order = np.argsort(parent, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(parent, minlength=len(sizes)))]).astype(np.int64)
    whole = sizes[parent]
    # A face of size zero has one facet as good as any other.
    parts = np.where(whole > 0, share / np.where(whole > 0, whole, 1.0), 1.0)
    return _Step(start, child[order], np.cumsum(parts[order]))
