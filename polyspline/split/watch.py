"""What goes on around a splitting: limits, progress, Ctrl-C."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from polyspline.interrupts import on_interrupt
from polyspline.partition.stop import StopReason
from polyspline.split.parts import UNFINISHED, Part, Tally
from solvers.clock import working_time

_REPORT_SECONDS = 0.2


@dataclass(frozen=True)
class SplitProgress:
    """How far a splitting is.

    Attributes
    ----------
    regions
        Regions found.
    share
        Share of the tree that is done, a guess.
    estimate
        How many regions there are in all, if the share is right.
    rate
        Regions found per second.
    seconds
        Time since it began.
    """

    regions: int
    share: float
    estimate: float
    rate: float
    seconds: float


def estimate_of(tally: Tally) -> float:
    """Guess the number of all regions from the share of the tree that is done."""
    return tally.regions / tally.share if tally.share > 0.0 else math.inf


class Watch:
    """Tells how a splitting goes, and when it has to stop.

    Attributes
    ----------
    interrupted
        Whether Ctrl-C was pressed, once.
    """

    def __init__(self, max_seconds: float | None, report: Callable[[SplitProgress], None] | None) -> None:
        self._began = working_time()
        self._last_report = self._began
        self._max_seconds = max_seconds
        self._report = report
        self.interrupted = False

    @property
    def seconds(self) -> float:
        """Time since it began."""
        return working_time() - self._began

    @property
    def reason(self) -> StopReason | None:
        """Why it is to stop now; None if it is not."""
        if self.interrupted:
            return StopReason.INTERRUPTED
        late = self._max_seconds is not None and self.seconds >= self._max_seconds
        return StopReason.MAX_SECONDS if late else None

    def to_stop(self) -> bool:
        """Whether it is to stop now; any thread may ask."""
        return self.reason is not None

    def stop_after(self, part: Part, tally: Tally, rest: Iterator[Part]) -> StopReason | None:
        """Report how far it is, a few times a second; the reason if it is to stop now, with parts left.

        Parameters
        ----------
        part
            The part that came last.
        tally
            All parts so far.
        rest
            Those to come, which know `to_stop`.
        """
        self._tell(tally)
        reason = self.reason
        if reason is None or part is UNFINISHED:
            return reason
        # Where nothing is left, the limit came too late to matter: all regions are there.
        return None if next(rest, None) is None else reason

    def _tell(self, tally: Tally) -> None:
        now = working_time()
        if self._report is None or now - self._last_report < _REPORT_SECONDS:
            return
        self._last_report = now
        seconds = max(now - self._began, 1e-9)
        estimate = estimate_of(tally)
        self._report(SplitProgress(tally.regions, tally.share, estimate, tally.regions / seconds, seconds))

    def listening(self) -> AbstractContextManager[None]:
        """Let Ctrl-C end the splitting in good order; a second one raises as usual."""
        return on_interrupt(self._interrupt)

    def _interrupt(self) -> None:
        self.interrupted = True
