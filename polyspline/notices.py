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


def _tell() -> None:
    if _unsaid.acquire(blocking=False):
        print("polyspline: compiling its kernels, once; this takes about half a minute", file=sys.stderr)


@contextmanager
def compiling() -> Iterator[None]:
    """Mark the first use of kernels: say on stderr that they are compiled, if they are and it takes long.

    Ctrl-C waits for the end: the compiler calls back through C, where the exception would be lost.
    """
    from numba.core import event

    notice = threading.Timer(_AFTER_SECONDS, _tell)
    notice.daemon = True

    class Compilation(event.Listener):  # type: ignore[misc]  # numba has no types
        """Starts the clock at the first kernel that is not in the cache."""

        def on_start(self, _event: object) -> None:
            if notice.ident is None:
                notice.start()

        def on_end(self, _event: object) -> None:
            """Nothing: other kernels may follow."""

    try:
        with event.install_listener("numba:compile", Compilation()), interrupt_held_back():
            yield
    finally:
        notice.cancel()
