"""``polyspline prove``: a certificate that proves what a run says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polyspline.cli.common import JsonOption, RunArgument, print_json, print_table
from polyspline.cli.status import say
from polyspline.errors import ArgumentError

WorkersOption = Annotated[int, typer.Option("--workers", min=1, metavar="K", help="Processes.")]


def prove_command(
    run: RunArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Certificate to write; default: RUN.proof."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an older certificate.")] = False,
    workers: WorkersOption = 1,
    json: JsonOption = False,
) -> int:
    """Prove a run: write a certificate that ``polyspline check`` verifies, or Python alone.

    If it is stopped, the same command goes on where it was.
    """
    from polyspline.partition import load_partition
    from polyspline.proof.writer import prove_to_file

    file = run.with_name(f"{run.name}.proof") if output is None else output
    if file.exists() and not force:
        raise ArgumentError(f"{file} exists already: name another file, or give --force.")
    partition = load_partition(run)
    if not len(partition):
        raise ArgumentError(f"{run} holds no region, so there is nothing to prove.")
    expanded = prove_to_file(partition, file, workers=workers)
    if expanded < len(partition):
        say(f"note: the run is partial: {partition.stop.value}.")
    facts = {
        "file": str(file),
        "regions": len(partition),
        "adjacencies": int(partition.n_adjacencies),
        "expanded": expanded,
        "bytes": file.stat().st_size,
    }
    if json:
        print_json(facts)
    else:
        print_table(
            [
                ("wrote", str(file)),
                ("regions", f"{len(partition):,}"),
                ("adjacencies", f"{partition.n_adjacencies:,}"),
                ("bytes", f"{file.stat().st_size:,}"),
                ("check with", f"polyspline check {file}, or python -m polyspline.proof.check {file}"),
            ]
        )
    return 0
