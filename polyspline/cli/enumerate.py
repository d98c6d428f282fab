"""``polyspline enumerate``: every region of a network and its adjacency graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polyspline.cli.common import (
    PARTITION_KEYS,
    BoxOption,
    JsonOption,
    describe_partition,
    interrupted_at_once,
    number,
    partition_rows,
    print_json,
    print_table,
    read_domain,
    read_point,
    require_one_domain,
    whole_number,
)
from polyspline.cli.networks import DropOption, LimitsOption, NetworkArgument, read_network
from polyspline.cli.progress import walk_progress
from polyspline.cli.slicing import sliced_network
from polyspline.cli.status import ExitStatus, keeps_a_run, say
from polyspline.errors import ArgumentError
from polyspline.interrupts import load

if TYPE_CHECKING:
    from polyspline.partition import Partition


def enumerate_command(
    net: NetworkArgument,
    box: BoxOption = None,
    domain: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The domain in an npz file: lo, hi (S,) or G (m, S), h (m,)."),
    ] = None,
    whole_space: Annotated[bool, typer.Option("--whole-space", help="The whole space R^S.")] = False,
    slice_file: Annotated[
        Path | None,
        typer.Option(
            "--slice",
            metavar="FILE",
            help="Only the slice origin + directions @ t, from an npz file: origin (S,), directions (S, k). "
            "The domain and --start are then of the k coordinates t.",
        ),
    ] = None,
    through: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="A B [C]",
            help="Only the line through two points of R^S, or the plane through three, each in a file; "
            "A is the slice's origin, and B is on its first axis.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="RUN", help="Keep the run in this file while it goes on."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in RUN if it exists.")] = False,
    method: Annotated[
        str,
        typer.Option(
            metavar="walk|split|auto",
            help="Walk across facets, or split the domain (bounded, small S); auto takes the faster.",
        ),
    ] = "auto",
    start: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Start at the point in a .npy, .npz or text file."),
    ] = None,
    radius: Annotated[
        float | None,
        typer.Option(
            metavar="R",
            parser=number,
            help="Only the regions that meet the ball of radius R around the start.",
        ),
    ] = None,
    norm: Annotated[
        str | None, typer.Option(metavar="l2|linf", help="What the radius is measured in (l2).")
    ] = None,
    max_regions: Annotated[
        int | None, typer.Option(metavar="N", parser=whole_number, help="Stop at exactly this many regions.")
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(metavar="T", parser=number, help="Stop after this many seconds.")
    ] = None,
    workers: Annotated[
        int,
        typer.Option(metavar="K", parser=whole_number, help="Use this many cores, for the same result."),
    ] = 1,
    affine_regions: Annotated[
        bool, typer.Option("--affine-regions", help="Count the regions merged by equal affine maps, too.")
    ] = False,
    drop_output_activation: DropOption = False,
    read_limits: LimitsOption = 1.0,
    json: JsonOption = False,
) -> int:
    """Find every region of a network over a domain, and which regions share a facet.

    Exit status: 0 every region was found (with --radius: every one that meets the ball), 3 a
    limit stopped the walk, 130 Ctrl-C; what was found is kept in RUN and counted in all three cases.
    """
    require_one_domain(box, domain, whole_space)
    if norm is not None and radius is None:
        raise ArgumentError("--norm says what a radius is measured in: give --radius R as well.")
    if resume and output is None:
        raise ArgumentError("--resume needs the run to go on with: give its file with -o RUN.")

    try:
        load("polyspline.enumeration")

        from polyspline.enumeration import enumerate_regions

        whole = read_network(net, drop_output_activation, read_limits)
        network, slice_facts = sliced_network(whole, slice_file, through or [])
        chosen = read_domain(box, domain, network)
        point = None if start is None else read_point(start)
        if output is not None:
            keeps_a_run(output)
        with walk_progress(max_regions) as progress:
            partition = enumerate_regions(
                network,
                chosen,
                method=method,
                start=point,
                radius=radius,
                norm=norm or "l2",
                max_regions=max_regions,
                max_seconds=max_seconds,
                workers=workers,
                run_file=output,
                resume=resume,
                progress=progress,
            )
    except KeyboardInterrupt:
        # It came while files and packages were being loaded.
        return interrupted_at_once((*PARTITION_KEYS, "run", "slice"), json=json)
    facts = describe_partition(partition, affine_regions=affine_regions)
    if json:
        print_json(facts | {"run": None if output is None else str(output), "slice": slice_facts})
    else:
        rows = partition_rows(partition, facts)
        if slice_facts is not None:
            rows.append(("slice", f"of R^{slice_facts['of_dim']}, by {', '.join(slice_facts['files'])}"))
        print_table([*rows, ("run file", str(output))] if output is not None else rows)
    return _ending(partition, output)


def _ending(partition: Partition, output: Path | None) -> ExitStatus:
    """Say that a walk stopped early, if it did, and give the exit status."""
    from polyspline.partition import StopReason

    if partition.stop.finished:
        return ExitStatus.DONE
    kept = "" if output is None else f"; go on with the same command, --resume and -o {output}"
    say(f"partial: {partition.stop.value}{kept}.")
    return ExitStatus.INTERRUPTED if partition.stop is StopReason.INTERRUPTED else ExitStatus.LIMIT
