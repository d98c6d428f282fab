"""``polyspline plot``: a picture of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyspline.cli.common import (
    ForceOption,
    JsonOption,
    RunArgument,
    number,
    print_json,
    print_table,
    whole_number,
)
from polyspline.cli.status import say
from polyspline.errors import ArgumentError

if TYPE_CHECKING:
    from polyspline.partition import Partition

_WHAT = (
    "The picture: partition, graph, surface, pair, solids, adjacency, angles, surface-angles or smoothing; "
    "or a histogram: log-det, rank, volume, image-volume, density, value, degree, stretch, angle or "
    "principal-angle. Default: graph if S = 1, partition if S = 2, solids if S = 3."
)
_COLOR = (
    "What regions are coloured by: region, affine-region, log-det, rank, volume, image-volume, density, "
    "value, degree, stretch or angle."
)


def plot_command(
    run: RunArgument,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Picture to write: .png, .svg, .pdf, or a page, .html.")
    ],
    what: Annotated[str | None, typer.Option(metavar="NAME", help=_WHAT)] = None,
    color: Annotated[str | None, typer.Option(metavar="NAME", help=_COLOR)] = None,
    output: Annotated[
        str | None, typer.Option("--output", metavar="I", help="Which output value is, from 0.")
    ] = None,
    coordinates: Annotated[
        list[str] | None,
        typer.Option(metavar="I,J[,K]", help="Two or three outputs that the surface is drawn in, from 0."),
    ] = None,
    beta: Annotated[
        list[str] | None,
        typer.Option(metavar="B[,B...]", help="Each beta of the smoothing strip, in [0, 1]."),
    ] = None,
    explode: Annotated[
        str | None, typer.Option(metavar="X", help="How far solids are moved apart; 0 cuts one octant away.")
    ] = None,
    bins: Annotated[str | None, typer.Option(metavar="N", help="Bars of a histogram.")] = None,
    box: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="LO HI", help="Show only the box [LO, HI]^S of the domain."),
    ] = None,
    second: Annotated[
        tuple[str, str] | None,
        typer.Option("--box-2", metavar="LO HI", help="Other bounds than --box for the second coordinate."),
    ] = None,
    third: Annotated[
        tuple[str, str] | None,
        typer.Option("--box-3", metavar="LO HI", help="Other bounds than --box for the third coordinate."),
    ] = None,
    force: ForceOption = False,
    json: JsonOption = False,
) -> int:
    """Draw a run: its regions, its surface, its graph, a histogram, and more.

    Without --what: the regions in the plane (S = 2), the graph of G on a line (S = 1), solids (S = 3).
    """
    if box is None and (second is not None or third is not None):
        option = "--box-2" if second is not None else "--box-3"
        raise ArgumentError(f"{option} needs the bounds of the first coordinate: give them with --box LO HI.")
    options: dict[str, Any] = {
        "color": color,
        "output": None if output is None else whole_number(output),
        "coordinates": None if not coordinates else [whole_number(one) for one in _listed(coordinates)],
        "betas": None if not beta else [number(one) for one in _listed(beta)],
        "explode": None if explode is None else number(explode),
        "bins": None if bins is None else whole_number(bins),
    }

    from polyspline.files import check_writable
    from polyspline.partition import load_partition
    from polyspline.plots import check_format, check_options, kind_of, save_picture

    check_format(kind_of(what, 2), file)
    check_writable(file, overwrite=force, inputs=[run])
    partition = load_partition(run)
    name = kind_of(what, partition.net.latent_dim)
    suffix = check_format(name, file)
    options["box"] = _view(partition, box, second, third)
    check_options(name, {key: value for key, value in options.items() if value is not None})
    save_picture(partition, file, what=name, overwrite=force, **options)
    if not partition.complete:
        say(f"note: the run is partial: {partition.stop.value}.")
    facts = {
        "file": str(file),
        "what": name,
        "format": suffix[1:],
        "regions": len(partition),
        "complete": bool(partition.complete),
        "bytes": file.stat().st_size,
    }
    if json:
        print_json(facts)
    else:
        print_table([("wrote", str(file)), ("picture", name), ("regions", f"{len(partition):,}")])
    return 0


def _listed(given: list[str]) -> list[str]:
    """Entries of an option that takes several, separated by commas or given again and again."""
    return [entry.strip() for one in given for entry in one.split(",")]


def _view(
    partition: Partition,
    box: tuple[str, str] | None,
    second: tuple[str, str] | None,
    third: tuple[str, str] | None,
) -> list[list[float]] | None:
    """Bounds of each coordinate to show; None for all that there is."""
    dim = partition.net.latent_dim
    for option, bounds, least in (("--box-2", second, 2), ("--box-3", third, 3)):
        if bounds is not None and dim < least:
            raise ArgumentError(f"{option} is for S >= {least}, and this run has S = {dim}: leave it out.")
    if box is None:
        return None
    chosen = [box, second or box, third or box, *([box] * dim)][:dim]
    return [[number(bound) for bound in bounds] for bounds in chosen]
