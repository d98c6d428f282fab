"""A partition as a Parquet table, one row per region."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from polyspline.errors import require
from polyspline.export.columns import Labels, expanded_regions, flipped_units, label_columns
from polyspline.partition import Partition


def require_parquet() -> None:
    """Refuse to begin without pyarrow.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    """
    require("pyarrow.parquet", extra="export", purpose="export to Parquet")


def _by_region(
    partition: Partition,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """List the neighbours of every region, and the units that flip towards each.

    Returns
    -------
    starts
        (R+1,) positions in `neighbours`.
    neighbours
        (2E,) indices of regions, ascending within a region.
    unit_starts
        (2E+1,) positions in `units`.
    units
        Units that flip towards each neighbour.
    """
    edges = np.asarray(partition.edges, dtype=np.int64).reshape(-1, 2)
    count = len(edges)
    flips, flip_starts = flipped_units(partition)
    here = np.concatenate([edges[:, 0], edges[:, 1]])
    there = np.concatenate([edges[:, 1], edges[:, 0]])
    edge = np.concatenate([np.arange(count), np.arange(count)])
    order = np.lexsort((there, here))
    starts = np.searchsorted(here[order], np.arange(len(partition) + 1))
    lengths = np.diff(flip_starts)[edge[order]]
    unit_starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    within = np.arange(unit_starts[-1]) - np.repeat(unit_starts[:-1], lengths)
    units = flips[np.repeat(flip_starts[:-1][edge[order]], lengths) + within]
    return starts.astype(np.int64), there[order].astype(np.int32), unit_starts, units


def _rows_as_lists(pyarrow: Any, rows: npt.NDArray[Any]) -> Any:
    """Make a column of lists of one length out of the rows of a matrix."""
    count, length = rows.shape
    offsets = np.arange(count + 1, dtype=np.int64) * length
    return pyarrow.LargeListArray.from_arrays(offsets, np.ascontiguousarray(rows).reshape(-1))


def write_parquet(partition: Partition, stream: BinaryIO, labels: Labels) -> None:
    """Write one row per region: its index, code, witness, flags and neighbours.

    The columns are ``region``, ``code``, ``witness``, ``witness_exact``, ``expanded``,
    the labels asked for (``bounded`` and ``affine_region``), ``neighbours`` and, for each
    neighbour, the ``flipped_units``. The key ``polyspline`` of the table's metadata holds,
    as JSON, the counts, why the walk stopped, and the fingerprints of the network and the
    domain.
    """
    import pyarrow
    import pyarrow.parquet

    starts, neighbours, unit_starts, units = _by_region(partition)
    flips = pyarrow.LargeListArray.from_arrays(unit_starts, units)
    table = pyarrow.table(
        {
            "region": np.arange(len(partition), dtype=np.int32),
            "code": _rows_as_lists(pyarrow, partition.codes),
            "witness": _rows_as_lists(pyarrow, partition.witnesses),
            "witness_exact": partition.witness_exact,
            "expanded": expanded_regions(partition),
            **label_columns(partition, labels),
            "neighbours": pyarrow.LargeListArray.from_arrays(starts, neighbours),
            "flipped_units": pyarrow.LargeListArray.from_arrays(starts, flips),
        }
    )
    facts = {
        "regions": len(partition),
        "adjacencies": int(partition.n_adjacencies),
        "complete": bool(partition.complete),
        "stop": partition.stop.key,
        "network": partition.net.fingerprint,
        "domain": partition.domain.fingerprint,
    }
    table = table.replace_schema_metadata({"polyspline": json.dumps(facts)})
    pyarrow.parquet.write_table(table, stream)
