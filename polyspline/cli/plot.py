"""``polyspline plot``: a picture of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polyspline.cli.common import JsonOption, RunArgument, number, print_json, print_table
from polyspline.cli.status import say
from polyspline.errors import ArgumentError


def plot_command(
    run: RunArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Picture to write: .png, .svg or .pdf.")],
    box: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="LO HI", help="Show only the box [LO, HI]^S of the domain."),
    ] = None,
    second: Annotated[
        tuple[str, str] | None,
        typer.Option("--box-2", metavar="LO HI", help="Other bounds than --box for the second coordinate."),
    ] = None,
    json: JsonOption = False,
) -> int:
    """Draw the regions of a run in the plane (S = 2), or the graph of G on a line (S = 1)."""
    if second is not None and box is None:
        raise ArgumentError("--box-2 needs the bounds of the first coordinate: give them with --box LO HI.")

    from polyspline.files import check_writable
    from polyspline.partition import load_partition
    from polyspline.plots import check_picture, save_picture

    suffix = check_picture(file)
    check_writable(file)
    partition = load_partition(run)
    if second is not None and partition.net.latent_dim != 2:
        raise ArgumentError(
            f"--box-2 is for S = 2, and this run has S = {partition.net.latent_dim}: leave it out."
        )
    view = [[number(bound) for bound in bounds] for bounds in (box, second or box) if bounds is not None]
    save_picture(partition, file, box=view[: partition.net.latent_dim] or None)
    if not partition.complete:
        say(f"note: the run is partial: {partition.stop.value}.")
    facts = {
        "file": str(file),
        "format": suffix[1:],
        "regions": len(partition),
        "complete": bool(partition.complete),
        "bytes": file.stat().st_size,
    }
    if json:
        print_json(facts)
    else:
        print_table([("wrote", str(file)), ("regions", f"{len(partition):,}")])
    return 0
