"""``polyspline count``: how many regions and adjacencies there are, with none of them kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polyspline.cli.common import (
    BoxOption,
    JsonOption,
    domain_words,
    interrupted_at_once,
    number,
    print_json,
    print_table,
    read_domain,
    require_one_domain,
    whole_number,
)
from polyspline.cli.networks import DropOption, LimitsOption, NetworkArgument, read_network
from polyspline.cli.progress import count_progress
from polyspline.cli.status import ExitStatus, say
from polyspline.interrupts import load

_KEYS = (
    "regions",
    "adjacencies",
    "boundary_facets",
    "complete",
    "stop",
    "estimate",
    "seconds",
    "units",
    "latent_dim",
    "ambient_dim",
    "exact_fallbacks",
)


def count_command(
    net: NetworkArgument,
    box: BoxOption = None,
    domain: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The domain in an npz file: lo, hi (S,) or G (m, S), h (m,)."),
    ] = None,
    max_regions: Annotated[
        int | None,
        typer.Option(metavar="N", parser=whole_number, help="Stop once at least this many are counted."),
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(metavar="T", parser=number, help="Stop after this many seconds.")
    ] = None,
    workers: Annotated[
        int,
        typer.Option(metavar="K", parser=whole_number, help="Use this many cores, for the same result."),
    ] = 1,
    drop_output_activation: DropOption = False,
    read_limits: LimitsOption = 1.0,
    json: JsonOption = False,
) -> int:
    """Count the regions of a network over a bounded domain, and the pairs that share a facet.

    Nothing is kept, so that memory does not grow with their number. Exit status: 0 all are
    counted, 3 a limit stopped it, 130 Ctrl-C; what was counted is printed in all three cases.
    """
    require_one_domain(box, domain, False)

    try:
        load("polyspline.split")

        from polyspline.partition import StopReason
        from polyspline.split import count

        network = read_network(net, drop_output_activation, read_limits)
        chosen = read_domain(box, domain, network)
        with count_progress() as progress:
            found = count(
                network,
                chosen,
                max_regions=max_regions,
                max_seconds=max_seconds,
                workers=workers,
                progress=progress,
            )
    except KeyboardInterrupt:
        # It came while files and packages were being loaded.
        return interrupted_at_once(_KEYS, json=json)
    facts = {
        "regions": found.regions,
        "adjacencies": found.adjacencies,
        "boundary_facets": found.boundary_facets,
        "complete": found.complete,
        "stop": found.stop.key,
        "estimate": found.estimate,
        "seconds": found.seconds,
        "units": network.n_units,
        "latent_dim": network.latent_dim,
        "ambient_dim": network.ambient_dim,
        "exact_fallbacks": found.exact_fallbacks,
    }
    if json:
        print_json(facts)
    else:
        rows = [
            ("regions", f"{found.regions:,}"),
            ("adjacencies", f"{found.adjacencies:,}"),
            ("boundary facets", f"{found.boundary_facets:,}"),
            ("count", f"{'complete' if found.complete else 'partial'}: {found.stop.value}"),
            ("in all about", "" if found.complete else f"{found.estimate:,.0f} regions"),
            ("network", f"R^{network.latent_dim} to R^{network.ambient_dim}, {network.n_units:,} units"),
            ("domain", domain_words(chosen)),
            ("exact fallbacks", f"{found.exact_fallbacks:,}"),
            ("seconds", f"{found.seconds:.3f}"),
        ]
        print_table([row for row in rows if row[1]])
    if found.complete:
        return ExitStatus.DONE
    say(f"partial: {found.stop.value}.")
    return ExitStatus.INTERRUPTED if found.stop is StopReason.INTERRUPTED else ExitStatus.LIMIT
