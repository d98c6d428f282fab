"""A method runs beside the thread that waits for it: limits and Ctrl-C are kept whatever it calls.

Programs, kernels and solvers that a method calls look at no clock, and Ctrl-C waits for them or is lost
in them. They let other threads run, though: the one that waits here keeps the time, and takes what was
found so far.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from polyspline.interrupts import on_interrupt
from polyspline.inversion.methods import Outcome
from polyspline.inversion.tracker import Tracker

_POLL_SECONDS = 0.05
_GRACE_SECONDS = 1.0
"""For a method to end by itself once it is to stop; after that it is left alone."""


def watched(work: Callable[[], Outcome], tracker: Tracker) -> Outcome | None:
    """Do work that tells a tracker, and wait until it ends or is overdue.

    Parameters
    ----------
    work
        Looks at the tracker's `out_of_time` now and then.
    tracker
        Told to stop at Ctrl-C. Closed to the work if that is given up.

    Returns
    -------
    Outcome or None
        None if the work did not end in time: what it still calls ends in the background, unheard.

    Raises
    ------
    BaseException
        What the work raised.
    """
    finished = threading.Event()
    outcomes: list[Outcome] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            outcomes.append(work())
        except BaseException as failure:
            # Whatever it is, it belongs to the thread that waits.
            failures.append(failure)
        finally:
            finished.set()

    with on_interrupt(tracker.stop):
        threading.Thread(target=run, daemon=True, name="polyspline inversion").start()
        try:
            while not finished.wait(_POLL_SECONDS):
                if tracker.seconds_overdue > _GRACE_SECONDS:
                    return None
        finally:
            tracker.close()
    if failures:
        raise failures[0]
    return outcomes[0]
