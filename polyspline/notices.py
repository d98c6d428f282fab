"""What the library itself says on stderr: that something takes long, and why."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from polyspline.interrupts import interrupt_held_back

_AFTER_SECONDS = 2.0


# Taken by whoever says it first, and never given back: once in the life of a process.
_unsaid = threading.Lock()
_not_kept_unsaid = threading.Lock()


def _tell() -> None:
    if not _kept_nowhere() and _unsaid.acquire(blocking=False):
        print("polyspline: compiling its kernels, once; this takes about half a minute", file=sys.stderr)


def _tell_not_kept() -> None:
    if _kept_nowhere() and _not_kept_unsaid.acquire(blocking=False):
        print(
            "polyspline: no folder for its compiled kernels can be written to, so each process compiles them "
            "anew, for about half a minute; set NUMBA_CACHE_DIR to a folder that can",
            file=sys.stderr,
        )


def _kept_nowhere() -> bool:
    """Whether compiled kernels live in memory alone."""
    from solvers.kernel_cache import not_kept

    return not_kept()


@contextmanager
def compiling() -> Iterator[None]:
    """Mark the first use of kernels: say on stderr that they are compiled, if they are and it takes long.

    It is also said if no folder can keep them, and they will be compiled again.

    Ctrl-C waits for the end: the compiler calls back through C, where the exception would be lost.
    """
    from numba.core import event

    notice = threading.Timer(_AFTER_SECONDS, _tell)
    notice.daemon = True

    class Compilation(event.Listener):  # type: ignore[misc]  # numba has no types
        """Starts the clock at the first kernel that is not in the cache."""

        def on_start(self, _event: object) -> None:
            if notice.ident is None:
                _tell_not_kept()
                notice.start()

        def on_end(self, _event: object) -> None:
            """Nothing: other kernels may follow."""

    try:
        with event.install_listener("numba:compile", Compilation()), interrupt_held_back():
            yield
    finally:
        notice.cancel()
        _tell_not_kept()
