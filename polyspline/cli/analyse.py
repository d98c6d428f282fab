"""``polyspline analyse``: what a run tells of the surface that the network generates."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polyspline.cli.common import ForceOption, JsonOption, RunArgument, print_json, print_table
from polyspline.cli.status import ExitStatus, say
from polyspline.errors import OutputError
from polyspline.interrupts import load

if TYPE_CHECKING:
    from polyspline.report import Report


def analyse_command(
    run: RunArgument,
    prior: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Distribution of z that the entropy is of: uniform or gaussian (standard). Default: uniform "
            "over a bounded domain, else gaussian.",
        ),
    ] = None,
    json: JsonOption = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the report with its pictures as one page (.html), too."),
    ] = None,
    force: ForceOption = False,
) -> int:
    """Tell what a run says of the generated surface: dimension, volumes, angles, entropy and more.

    Every part says how it was obtained; a part that does not apply to the run says why.
    """
    try:
        load("polyspline.report.analyse")
        if html is not None:
            from polyspline.report.page import check_page

            check_page(html, overwrite=force, inputs=[run])

        from polyspline.partition import load_partition
        from polyspline.report.analyse import analyse

        partition = load_partition(run)
        with _steps() as progress:
            report = analyse(partition, prior=prior, progress=progress)
    except KeyboardInterrupt:
        # It came while files and packages were being loaded: there is no section yet.
        say("interrupted: nothing was analysed yet.")
        return ExitStatus.INTERRUPTED
    if not partition.complete:
        say(f"note: the run is partial: {partition.stop.value}.")
    if json:
        print_json(
            {
                "file": str(run),
                "html": None if html is None else str(html),
                "interrupted": report.interrupted,
                **report.facts(),
            }
        )
    else:
        print_table(report_rows(report, run))
    if report.interrupted:
        say("partial: interrupted; the parts that were done are printed.")
    if html is not None:
        from polyspline.report.page import save_page

        try:
            save_page(report, html, name=run.name, overwrite=force)
        except OutputError as failure:
            # It was checked before: the disk is full, say. The figures are printed all the same.
            say(f"error: {failure}")
            return ExitStatus.BAD_INPUT
    return ExitStatus.INTERRUPTED if report.interrupted else ExitStatus.DONE


def report_rows(report: Report, run: Path) -> list[tuple[str, str]]:
    """Put a report into rows for a person: a heading for each section, its figures below."""
    rows = [("run file", str(run))]
    for section in report.sections:
        note = section.note or ""
        rows += [("", ""), (section.title, "" if section.applies else note)]
        rows += [(f"  {name}", value) for name, value in section.rows]
        if section.applies and note:
            rows.append(("  note", note))
        if section.how:
            rows.append(("  how", section.how))
    return rows


@contextmanager
def _steps() -> Iterator[Callable[[str], None] | None]:
    """Show on stderr which section is being made; nothing where it is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("Reading") as status:
        yield lambda title: status.update(f"{title} ...")
