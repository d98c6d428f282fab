"""What the library itself says on stderr: that something takes long, and why."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_AFTER_SECONDS = 2.0


# Taken by whoever says it first, and never given back: once in the life of a process.
_unsaid = threading.Lock()


def _tell() -> None:
    if _unsaid.acquire(blocking=False):
        print("polyspline: compiling its kernels, once; this takes about half a minute", file=sys.stderr)


@contextmanager
def told_if_slow() -> Iterator[None]:
    """Say on stderr that kernels are being compiled, if the block takes long (that is, the first time)."""
    notice = threading.Timer(_AFTER_SECONDS, _tell)
    notice.daemon = True
    notice.start()
    try:
        yield
    finally:
        notice.cancel()
