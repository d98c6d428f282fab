"""What the array formats have in common: a partition as plain columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from polyspline.partition import Partition

# Edges whose two codes are compared at once: bounds the memory of the comparison.
_EDGES_AT_ONCE = 65_536


@dataclass(frozen=True)
class Labels:
    """Labels of regions that take a while, and are written only if asked for.

    Attributes
    ----------
    affine_regions
        Whether to say which affine region each region belongs to.
    bounded
        Whether to decide, on an unbounded domain, which regions are bounded. On a
        bounded domain all are, and the label is there anyway.
    """

    affine_regions: bool = False
    bounded: bool = False


def label_columns(partition: Partition, labels: Labels) -> dict[str, npt.NDArray[Any]]:
    """Make the columns that were asked for: ``bounded`` (R,) bool, ``affine_region`` (R,) int64."""
    columns: dict[str, npt.NDArray[Any]] = {}
    if partition.domain.bounded:
        columns["bounded"] = np.ones(len(partition), dtype=bool)
    elif labels.bounded:
        flags = (region.bounded for region in partition)
        columns["bounded"] = np.fromiter(flags, dtype=bool, count=len(partition))
    if labels.affine_regions:
        columns["affine_region"] = partition.affine_labels()
    return columns


def expanded_regions(partition: Partition) -> npt.NDArray[np.bool_]:
    """Tell which regions had all their facets crossed, (R,) bool: all of them when complete."""
    return np.arange(len(partition)) < partition.expanded


def flipped_units(partition: Partition) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """List the units that change their piece on every edge.

    Returns
    -------
    units
        (K,) indices of units, edge after edge, ascending within an edge.
    starts
        (E+1,) positions in `units`: edge e has ``units[starts[e]:starts[e + 1]]``.
    """
    edges = np.asarray(partition.edges)
    codes = partition.codes
    starts = np.zeros(len(edges) + 1, dtype=np.int64)
    found: list[npt.NDArray[Any]] = [np.zeros(0, dtype=np.int32)]
    for begin in range(0, len(edges), _EDGES_AT_ONCE):
        chunk = edges[begin : begin + _EDGES_AT_ONCE]
        rows, units = np.nonzero(codes[chunk[:, 0]] != codes[chunk[:, 1]])
        found.append(units.astype(np.int32))
        starts[begin + 1 : begin + 1 + len(chunk)] = np.bincount(rows, minlength=len(chunk))
    return np.concatenate(found), np.cumsum(starts)
