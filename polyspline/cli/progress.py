"""Progress of a walk or an inversion on a terminal; silence in a pipe."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polyspline.enumeration import Progress
    from polyspline.inversion.tracker import InversionProgress
    from polyspline.split import SplitProgress

_BAR = "bar"


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
    with _display(
        "walk",
        [
            "{task.completed:,} regions",
            _BAR,
            "frontier {task.fields[frontier]:,}",
            "{task.fields[rate]:,.0f}/s",
        ],
        total=limit,
        frontier=0,
        rate=0.0,
    ) as update:
        if update is None:
            yield None
            return

        def show(progress: Progress) -> None:
            update(completed=progress.regions, frontier=progress.frontier, rate=progress.rate)

        yield show


@contextmanager
def count_progress() -> Iterator[Callable[[SplitProgress], None] | None]:
    """Show how a count goes on, on stderr, while the block runs.

    Yields
    ------
    callable or None
        To be called with the progress of the splitting now and then; None where
        stderr is no terminal, so that nothing is shown.
    """
    columns = [
        "{task.completed:,} regions",
        _BAR,
        "of about {task.fields[estimate]}",
        "{task.fields[rate]:,.0f}/s",
    ]
    with _display("count", columns, estimate="-", rate=0.0) as update:
        if update is None:
            yield None
            return

        def show(now: SplitProgress) -> None:
            known = math.isfinite(now.estimate)
            whole = max(now.estimate, now.regions) if known else None
            estimate = _short(now.estimate, digits=3)
            update(completed=now.regions, total=whole, estimate=estimate, rate=now.rate)

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
    columns = [f"{name} {{task.fields[{name}]}}" for name in ("upper", "lower", "gap")]
    columns.append("nodes {task.fields[nodes]:,}")
    with _display("invert", columns, upper="-", lower="-", gap="-", nodes=0) as update:
        if update is None:
            yield None
            return

        def show(progress: InversionProgress) -> None:
            update(
                upper=_short(progress.distance),
                lower=_short(progress.lower_bound),
                gap=_short(progress.gap, digits=2),
                nodes=progress.nodes,
            )

        yield show


@contextmanager
def _display(
    name: str, columns: list[str], total: int | None = None, **fields: Any
) -> Iterator[Callable[..., None] | None]:
    """Show one line with a spinner, some columns and the time that has passed; nothing off a terminal.

    Parameters
    ----------
    name
        Of the task.
    columns
        Templates of what is shown, in order; `_BAR` stands for a bar.
    total
        At which number completed the bar is full, if that is known.
    **fields
        What the templates name, to begin with.

    Yields
    ------
    callable or None
        Takes new values, as keywords.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    display = Progress(
        SpinnerColumn(),
        *(BarColumn(bar_width=20) if column == _BAR else TextColumn(column) for column in columns),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with display:
        task = display.add_task(name, total=total, **fields)
        yield partial(display.update, task)


def _short(value: float, digits: int = 6) -> str:
    """Write a number in few letters; a dash while it is unknown."""
    return f"{value:.{digits}g}" if math.isfinite(value) else "-"
