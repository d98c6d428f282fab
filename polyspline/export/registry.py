"""The table of export formats, and the one function that writes any of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from polyspline.errors import ExportFormatError
from polyspline.export.arrays import write_npz
from polyspline.export.columns import Labels
from polyspline.export.graphs import write_gexf, write_graphml, write_json
from polyspline.export.parquet import require_parquet, write_parquet
from polyspline.files import check_writable, whole_file
from polyspline.partition import Partition, check_partition


def _nothing() -> None:
    """Ask for nothing: the format needs no optional package."""


@dataclass(frozen=True)
class ExportFormat:
    """One format that a partition can be written in.

    Attributes
    ----------
    name
        What the format is called.
    write
        Writes a partition to an open binary file, with the labels asked for.
    reader
        The usual call that opens such a file again.
    requirement
        Raises `MissingExtraError` if an optional package that `write` needs is not installed.
    """

    name: str
    write: Callable[[Partition, BinaryIO, Labels], None]
    reader: str
    requirement: Callable[[], None] = _nothing


FORMATS: dict[str, ExportFormat] = {
    ".graphml": ExportFormat("GraphML", write_graphml, "networkx.read_graphml(file, node_type=int)"),
    ".gexf": ExportFormat("GEXF", write_gexf, "networkx.read_gexf(file, node_type=int)"),
    ".json": ExportFormat(
        "node-link JSON", write_json, "networkx.node_link_graph(json.load(file), edges='edges')"
    ),
    ".npz": ExportFormat("NumPy archive", write_npz, "numpy.load(file)"),
    ".parquet": ExportFormat(
        "Parquet", write_parquet, "pyarrow.parquet.read_table(file)", requirement=require_parquet
    ),
}


def format_for(path: str | os.PathLike[str]) -> ExportFormat:
    """Look up the format that the suffix of a file name asks for.

    Parameters
    ----------
    path
        Name of the file to be written.

    Returns
    -------
    ExportFormat
        The row of `FORMATS` for the suffix, whatever its case.

    Raises
    ------
    ExportFormatError
        If the suffix is not in the table.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        came = f"suffix {suffix!r}" if suffix else "no suffix"
        raise ExportFormatError(
            f"cannot export to {os.fspath(path)}: {came} names no known format; "
            f"use one of {', '.join(FORMATS)}."
        )
    return FORMATS[suffix]


def export_partition(
    partition: Partition,
    path: str | os.PathLike[str],
    *,
    affine_regions: bool = False,
    bounded: bool = False,
    overwrite: bool = True,
) -> Path:
    """Write a partition in the format that the suffix of `path` names.

    The file appears whole or not at all.

    Parameters
    ----------
    partition
        The partition, complete or partial.
    path
        File to write: ``.graphml``, ``.gexf``, ``.json``, ``.npz`` or ``.parquet``.
    affine_regions
        Whether to label each region with its affine region.
    bounded
        Whether to decide, on an unbounded domain, which regions are bounded
        (milliseconds each; on a bounded domain all are, and the label is there anyway).
    overwrite
        Whether a file that is there is replaced; else it is refused.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ExportFormatError
        If the suffix is not one of those.
    MissingExtraError
        If the format needs an optional package that is not installed.
    OutputError
        If the file cannot be written.

    Notes
    -----
    The graph formats hold `Partition.graph` with all its attributes (the ``source`` of
    an edge under the name ``knot``, because node-link JSON calls its first end so).
    GraphML and GEXF know only scalars, so that lists are written there as JSON text.
    The array formats hold the codes and witnesses without building the graph.
    """
    check_partition(partition)
    target = Path(path)
    chosen = format_for(target)
    chosen.requirement()
    check_writable(target, overwrite=overwrite)
    with whole_file(target, overwrite=overwrite) as stream:
        chosen.write(partition, stream, Labels(affine_regions=affine_regions, bounded=bounded))
    return target
