"""Progress of a walk or an inversion on a terminal; silence in a pipe."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polyspline.enumeration import Progress
    from polyspline.inversion.tracker import InversionProgress


@contextmanager
def walk_progress(limit: int | None) -> Iterator[Callable[[Progress], None] | None]:
    """Show how a walk goes on, on stderr, while the block runs.

    Parameters
    ----------
    limit
        Regions at which the walk stops, if that is known: the bar then fills up to it.

    Yields
    ------
    callable or None
        To be called with the progress of the walk now and then; None where
        stderr is no terminal, so that nothing is shown.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Display

    display = Display(
        SpinnerColumn(),
        TextColumn("{task.completed:,} regions"),
        BarColumn(bar_width=20),
        TextColumn("frontier {task.fields[frontier]:,}"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with display:
        task = display.add_task("walk", total=limit, frontier=0, rate=0.0)

        def show(progress: Progress) -> None:
            display.update(task, completed=progress.regions, frontier=progress.frontier, rate=progress.rate)

        yield show


@contextmanager
def inversion_progress() -> Iterator[Callable[[InversionProgress], None] | None]:
    """Show how an inversion goes on, on stderr, while the block runs.

    Yields
    ------
    callable or None
        To be called with the progress of the inversion now and then; None where
        stderr is no terminal, so that nothing is shown.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Display
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    display = Display(
        SpinnerColumn(),
        TextColumn("upper {task.fields[upper]}"),
        TextColumn("lower {task.fields[lower]}"),
        TextColumn("gap {task.fields[gap]}"),
        TextColumn("nodes {task.fields[nodes]:,}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with display:
        task = display.add_task("invert", total=None, upper="-", lower="-", gap="-", nodes=0)

        def show(progress: InversionProgress) -> None:
            display.update(
                task,
                upper=_short(progress.distance),
                lower=_short(progress.lower_bound),
                gap=_short(progress.gap, digits=2),
                nodes=progress.nodes,
            )

        yield show


def _short(value: float, digits: int = 6) -> str:
    """Write a number in few letters; a dash while it is unknown."""
    return f"{value:.{digits}g}" if math.isfinite(value) else "-"
