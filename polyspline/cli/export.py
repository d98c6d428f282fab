"""``polyspline export``: a run in the formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polyspline.cli.common import ForceOption, JsonOption, RunArgument, print_json, print_table
from polyspline.cli.status import say


def export_command(
    run: RunArgument,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="File to write: .graphml, .gexf, .json, .npz or .parquet."),
    ],
    affine_regions: Annotated[
        bool, typer.Option("--affine-regions", help="Label each region with its affine region.")
    ] = False,
    bounded: Annotated[
        bool, typer.Option("--bounded", help="Label which regions of the whole space are bounded.")
    ] = False,
    force: ForceOption = False,
    json: JsonOption = False,
) -> int:
    """Write the regions and the adjacency graph of a run; the suffix of FILE names the format."""
    from polyspline.export import export_partition, format_for
    from polyspline.files import check_writable
    from polyspline.partition import load_partition

    chosen = format_for(file)
    check_writable(file, overwrite=force, inputs=[run])
    partition = load_partition(run)
    export_partition(partition, file, affine_regions=affine_regions, bounded=bounded, overwrite=force)
    if not partition.complete:
        say(f"note: the run is partial: {partition.stop.value}.")
    facts = {
        "file": str(file),
        "format": chosen.name,
        "regions": len(partition),
        "adjacencies": int(partition.n_adjacencies),
        "complete": bool(partition.complete),
        "bytes": file.stat().st_size,
    }
    if json:
        print_json(facts)
    else:
        print_table(
            [
                ("wrote", str(file)),
                ("format", chosen.name),
                ("regions", f"{facts['regions']:,}"),
                ("adjacencies", f"{facts['adjacencies']:,}"),
                ("open with", chosen.reader),
            ]
        )
    return 0
