"""A partition as a NumPy archive."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from polyspline.export.columns import Labels, expanded_regions, flipped_units, label_columns
from polyspline.partition import Partition


def partition_arrays(partition: Partition, labels: Labels) -> dict[str, npt.NDArray[Any]]:
    """Lay a partition out as named arrays.

    Returns
    -------
    dict
        ``codes`` (R, N), ``witnesses`` (R, S), ``witness_exact`` (R,), ``expanded`` (R,)
        and the labels asked for, ``bounded`` (R,) and ``affine_region`` (R,);
        ``edges`` (E, 2) with i < j, and the units that flip on edge e,
        ``edge_units[edge_unit_starts[e]:edge_unit_starts[e + 1]]``; ``complete`` and ``stop``;
        the network as ``network_weight_0`` and so on, as its own file has them, and the
        domain as ``domain_lo`` and so on.
    """
    units, starts = flipped_units(partition)
    arrays: dict[str, npt.NDArray[Any]] = {
        "codes": partition.codes,
        "witnesses": partition.witnesses,
        "witness_exact": partition.witness_exact,
        "expanded": expanded_regions(partition),
        "edges": np.asarray(partition.edges),
        "edge_units": units,
        "edge_unit_starts": starts,
        "complete": np.array(partition.complete),
        "stop": np.array(partition.stop.key),
    }
    arrays.update(label_columns(partition, labels))
    arrays.update({f"network_{name}": array for name, array in partition.net.to_arrays().items()})
    arrays.update({f"domain_{name}": array for name, array in partition.domain.to_arrays().items()})
    return arrays


def write_npz(partition: Partition, stream: BinaryIO, labels: Labels) -> None:
    """Write a partition as a compressed NumPy archive that loads with ``allow_pickle=False``."""
    arrays = partition_arrays(partition, labels)
    np.savez_compressed(stream, allow_pickle=False, **arrays)
