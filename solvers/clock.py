"""A clock that stands still while kernels are compiled."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class _Compiling:
    """What this process has spent on compiling kernels, in whatever threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.depth = 0  # kernels that are being compiled, in several threads or one for the other
        self.began = 0.0
        self.seconds = 0.0


_compiling = _Compiling()


@contextmanager
def compiling() -> Iterator[None]:
    """Stop the clock while a kernel is compiled, loaded, or waited for."""
    with _compiling.lock:
        if not _compiling.depth:
            _compiling.began = time.perf_counter()
        _compiling.depth += 1
    try:
        yield
    finally:
        with _compiling.lock:
            _compiling.depth -= 1
            if not _compiling.depth:
                _compiling.seconds += time.perf_counter() - _compiling.began


def working_time() -> float:
    """Read the clock, in seconds; it stands still while kernels are compiled, by any thread.

    Only differences of readings mean something. What a result calls its `seconds` is such a difference:
    it would else depend on whether the kernels were compiled before. A thread that works may wait in
    another one for what compiles, so there is one clock for all.
    """
    with _compiling.lock:
        now = _compiling.began if _compiling.depth else time.perf_counter()
        return now - _compiling.seconds
