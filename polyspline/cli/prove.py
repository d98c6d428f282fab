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
    """Prove a run: write a certificate that ``polyspline check`` verifies, or Python alone."""
    from polyspline.files import check_writable, whole_file
    from polyspline.partition import load_partition
    from polyspline.proof.writer import prove

    file = run.with_name(f"{run.name}.proof") if output is None else output
    if file.exists() and not force:
        raise ArgumentError(f"{file} exists already: name another file, or give --force.")
    check_writable(file)
    partition = load_partition(run)
    if not len(partition):
        raise ArgumentError(f"{run} holds no region, so there is nothing to prove.")
    certificate = prove(partition, workers=workers)
    with whole_file(file) as stream:
        stream.write(certificate.data)
    if certificate.expanded < certificate.regions:
        say(f"note: the run is partial: {partition.stop.value}.")
    facts = {
        "file": str(file),
        "regions": certificate.regions,
        "adjacencies": int(partition.n_adjacencies),
        "expanded": certificate.expanded,
        "bytes": len(certificate.data),
    }
    if json:
        print_json(facts)
    else:
        print_table(
            [
                ("wrote", str(file)),
                ("regions", f"{certificate.regions:,}"),
                ("adjacencies", f"{partition.n_adjacencies:,}"),
                ("bytes", f"{len(certificate.data):,}"),
                ("check with", f"polyspline check {file}, or python -m polyspline.proof.check {file}"),
            ]
        )
    return 0
