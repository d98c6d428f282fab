"""What the library itself says on stderr: that something takes long, and why."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_AFTER_SECONDS = 2.0


@cache
def _tell() -> None:
    """Say it once in the life of a process."""
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
