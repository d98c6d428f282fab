"""A method runs beside the thread that waits for it: limits and Ctrl-C are kept whatever it calls.

Programs, kernels and solvers that a method calls look at no clock, and Ctrl-C waits for them or is lost
in them. They let other threads run, though: the one that waits here keeps the time, and takes what was
found so far.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable

from polyspline.interrupts import on_interrupt
from polyspline.inversion.methods import Outcome
from polyspline.inversion.tracker import Tracker

_POLL_SECONDS = 0.05
_GRACE_SECONDS = 0.8
"""For a method to end by itself once it is to stop; then the Python code in it is broken off."""
_LAST_SECONDS = 1.3
"""After which it is left alone: it is in foreign code, and ends when that comes back."""

_workers: list[threading.Thread] = []


class OverdueError(SystemExit):
    """Raised in a method that goes on after its time; it ends its thread without a word."""


def still_running() -> bool:
    """Whether a method that was left alone is still in foreign code: then this process ends late."""
    _workers[:] = [worker for worker in _workers if worker.is_alive()]
    return bool(_workers)


def watched(work: Callable[[], Outcome], tracker: Tracker) -> Outcome | None:
    """Do work that tells a tracker, and wait until it ends or is overdue.

    Parameters
    ----------
    work
        Looks at the tracker's `out_of_time` now and then.
    tracker
        Told to stop at Ctrl-C. Closed to the work at the end.

    Returns
    -------
    Outcome or None
        None if the work did not end in time.

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
        except OverdueError:
            return
        except BaseException as failure:
            # Whatever it is, it belongs to the thread that waits.
            failures.append(failure)
        finally:
            finished.set()

    worker = threading.Thread(target=run, name="polyspline inversion")
    with on_interrupt(tracker.stop):
        worker.start()
        try:
            _wait(finished, worker, tracker)
        finally:
            tracker.close()
            if not finished.is_set():
                _break_off(worker)
                _workers.append(worker)
    if failures:
        raise failures[0]
    return outcomes[0] if outcomes else None


def _wait(finished: threading.Event, worker: threading.Thread, tracker: Tracker) -> None:
    """Wait for a worker until it ends, or is left alone."""
    broken_off = False
    while not finished.wait(_POLL_SECONDS):
        overdue = tracker.seconds_overdue
        if overdue > _LAST_SECONDS:
            return
        if overdue > _GRACE_SECONDS and not broken_off:
            broken_off = True
            _break_off(worker)


def _break_off(worker: threading.Thread) -> None:
    """Have an error raised in a thread as soon as it runs Python code."""
    if worker.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(worker.ident), ctypes.py_object(OverdueError)
        )
