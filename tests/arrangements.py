"""The hyperplane arrangements of ``reference/arrangements.json``: their rows, and their known counts.

A network with one hidden ReLU layer whose units are these rows has exactly the arrangement's regions
and adjacencies.
"""

from __future__ import annotations

import json
from itertools import combinations, product
from math import comb
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

REFERENCE = Path(__file__).parent / "reference" / "arrangements.json"


class Arrangement(NamedTuple):
    """Hyperplanes ``normals · x = offsets``, and their counts in the whole space."""

    name: str
    normals: npt.NDArray[np.float64]
    offsets: npt.NDArray[np.float64]
    regions: int
    adjacencies: int


def _differences(n: int, offsets: tuple[int, ...]) -> list[tuple[list[int], int]]:
    rows: list[tuple[list[int], int]] = []
    for i, j in combinations(range(n), 2):
        normal = [0] * n
        normal[i], normal[j] = 1, -1
        rows.extend((normal, offset) for offset in offsets)
    return rows


def family_rows(family: str, n: int) -> list[tuple[list[int], int]]:
    """Normal and offset of every hyperplane of a named family."""
    if family == "braid":
        return _differences(n, (0,))
    if family == "catalan":
        return _differences(n, (-1, 0, 1))
    if family == "linial":
        return _differences(n, (1,))
    if family == "type_B":
        axes = [([int(j == i) for j in range(n)], 0) for i in range(n)]
        sums = [([abs(entry) for entry in normal], 0) for normal, _ in _differences(n, (0,))]
        return axes + _differences(n, (0,)) + sums
    if family == "resonance":
        return [(list(normal), 0) for normal in product((0, 1), repeat=n) if any(normal)]
    if family == "threshold":
        return [([1, *corner], 0) for corner in product((0, 1), repeat=n)]
    raise KeyError(family)


def _arrangement(name: str, rows: list[tuple[list[int], int]], regions: int, adjacencies: int) -> Arrangement:
    normals = np.array([normal for normal, _ in rows], dtype=np.float64)
    offsets = np.array([offset for _, offset in rows], dtype=np.float64)
    return Arrangement(name, normals, offsets, regions, adjacencies)


def named_arrangements() -> list[Arrangement]:
    """Every family and size with counts in the reference file."""
    families = json.loads(REFERENCE.read_text())["families"]
    return [
        _arrangement(f"{family}-{n}", family_rows(family, int(n)), *counts)
        for family, entry in families.items()
        if isinstance(entry, dict)
        for n, counts in entry["n"].items()
    ]


def generic_arrangement(dimension: int, m: int) -> Arrangement:
    """m hyperplanes in general position: rows on the moment curve, any d + 1 of which are independent.

    Counts: regions sum C(m, i), i <= d; adjacencies m · sum C(m-1, i), i < d; bounded regions C(m-1, d).
    """
    parameters = [(-1) ** i * (i // 2 + 1) for i in range(m)]
    rows = [([t**k for k in range(dimension)], t**dimension) for t in parameters]
    regions = sum(comb(m, i) for i in range(dimension + 1))
    adjacencies = m * sum(comb(m - 1, i) for i in range(dimension))
    return _arrangement(f"generic-{dimension}-{m}", rows, regions, adjacencies)
