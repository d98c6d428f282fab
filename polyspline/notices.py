"""What the library itself says on stderr: that something takes long, and why."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from polyspline.interrupts import interrupt_held_back

if TYPE_CHECKING:
    from numba.core import event

_AFTER_SECONDS = 2.0


# Taken by whoever says it first, and never given back: once in the life of a process.
_unsaid = threading.Lock()
_not_kept_unsaid = threading.Lock()


def _tell() -> None:
    if not _kept_nowhere() and _unsaid.acquire(blocking=False):
        print("polyspline: compiling its kernels, once; this takes about half a minute", file=sys.stderr)
        _kernels.tell()


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


class _Kernels:
    """Kernels that this process compiles; of each it is said which of how many, once it takes long."""

    def __init__(self) -> None:
        self.begun = 0
        self._name = ""
        self._last: object = None

    def begin(self, compilation: event.Event) -> None:
        """Take note of a compilation, which several listeners may tell of."""
        dispatcher = (compilation.data or {}).get("dispatcher")
        if dispatcher is None or compilation is self._last or not hasattr(dispatcher._cache, "stamp"):
            return
        self._last = compilation
        self._name = dispatcher.py_func.__name__
        self.begun += 1
        if _unsaid.locked():
            self.tell()

    def tell(self) -> None:
        """Say on a terminal which kernel is being compiled, of how many that are missing."""
        if not self.begun or sys.stderr is None or not sys.stderr.isatty():
            return
        from solvers.kernel_cache import missing_kernels

        # The one that is being compiled is among those that are missing.
        total = self.begun - 1 + max(len(missing_kernels()), 1)
        print(
            f"polyspline: kernel {self.begun} of at most {total}: {self._name}", file=sys.stderr, flush=True
        )


_kernels = _Kernels()


@contextmanager
def compiling() -> Iterator[None]:
    """Mark the first use of kernels: say on stderr that they are compiled, if they are and it takes long.

    On a terminal it says which of how many. It is also said if no folder can keep them, and they will be
    compiled again.

    Ctrl-C waits for the end of a kernel: the compiler calls back through C, where the exception would be
    lost. It is raised between two, where the first is kept already, or else at the end of the block.
    """
    from numba.core import event

    from solvers.kernel_cache import between_kernels

    notice = threading.Timer(_AFTER_SECONDS, _tell)
    notice.daemon = True

    class Compilation(event.Listener):  # type: ignore[misc]  # numba has no types
        """Starts the clock at the first kernel that is not in the cache."""

        def on_start(self, compilation: event.Event) -> None:
            if notice.ident is None:
                _tell_not_kept()
                notice.start()
            _kernels.begin(compilation)

        def on_end(self, _event: object) -> None:
            """Nothing: other kernels may follow."""

    try:
        with event.install_listener("numba:compile", Compilation()), interrupt_held_back() as asked:

            def answer() -> None:
                if asked.is_set():
                    raise KeyboardInterrupt

            with between_kernels(answer):
                yield
    finally:
        notice.cancel()
        _tell_not_kept()
