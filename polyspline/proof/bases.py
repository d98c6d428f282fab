"""Vertices of a small polytope at which linear functions are largest, in floating point."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from solvers.compiled import compiled
from solvers.lp import simplex
from solvers.lp.simplex import Program

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_LEAST_SHARE = 1e-9
"""A multiplier below this part of the largest one is taken for zero."""


@compiled
def _tight_rows(rows: Floats, targets: Floats, lp: Program, names: Integers, vertices: Floats) -> None:
    """Fill in `names` (t, S, 2) and `vertices` (t, S); see `tight_rows`."""
    n, d = rows.shape
    for f in range(n):
        for c in range(d):
            lp.rows[f >> 2, c, f & 3] = rows[f, c]
    for f in range(n, 4 * (-(-n // 4))):
        for c in range(d):
            lp.rows[f >> 2, c, f & 3] = 0.0
    warm = False
    for t in range(targets.shape[0]):
        for c in range(d):
            lp.target[c] = targets[t, c]
        outcome = simplex.STALLED
        if warm:
            outcome = simplex.primal(n, np.inf, lp)
        if outcome != simplex.OPTIMAL:
            simplex.corner(lp)
            outcome = simplex.dual(n, lp)
            if outcome == simplex.OPTIMAL:
                outcome = simplex.primal(n, np.inf, lp)
        warm = outcome == simplex.OPTIMAL
        largest = 0.0
        for i in range(d):
            largest = max(largest, abs(lp.lam[i]))
        for i in range(d):
            vertices[t, i] = lp.vertex[i]
            if not warm:
                continue
            if lp.basis[i] >= 0:
                names[t, i, 1] = lp.basis[i]
                if lp.lam[i] > _LEAST_SHARE * largest:
                    names[t, i, 0] = lp.basis[i]
            elif lp.lam[i] > _LEAST_SHARE * largest:
                names[t, 0, 0] = -2
                break


@lru_cache(maxsize=64)
def _program(blocks: int, d: int) -> Program:
    return simplex.program(4 * blocks, d)


def tight_rows(rows: Floats, targets: Floats) -> tuple[Integers, Floats]:
    """Rows that are tight where each target is largest subject to ``rows . y <= 1``.

    Parameters
    ----------
    rows
        (n, S), n >= 1.
    targets
        (t, S).

    Returns
    -------
    names : ndarray of int64, shape (t, S, 2)
        Rows with a multiplier that is not about zero, and all tight rows, each filled up with -1;
        the first one is -2 where the target has no largest value.
    vertices : ndarray of float64, shape (t, S)

    Notes
    -----
    Guarantee: none; who uses it proves what it needs.
    """
    scale = np.abs(rows).max(axis=0)
    scale[~((scale > 0.0) & np.isfinite(scale))] = 1.0
    scaled = np.ascontiguousarray(rows / scale)
    aims = targets / scale
    size = np.abs(aims).max(axis=1, keepdims=True)
    aims = np.ascontiguousarray(aims / np.where(size > 0.0, size, 1.0))
    count, d = len(targets), rows.shape[1]
    names, vertices = np.full((count, d, 2), -1, np.int64), np.empty((count, d))
    _tight_rows(scaled, aims, _program(-(-len(rows) // 4) + 1, d), names, vertices)
    return names, vertices / scale
