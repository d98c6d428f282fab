"""Time that a computation takes, with the compiling of its kernels left out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class _Compiling(threading.local):
    """What this thread has spent on compiling kernels."""

    depth: int = 0  # kernels that are being compiled, one for the other
    seconds: float = 0.0


_compiling = _Compiling()


@contextmanager
def compiling() -> Iterator[None]:
    """Stop this thread's clock while a kernel is compiled, loaded, or waited for."""
    began = time.perf_counter()
    _compiling.depth += 1
    try:
        yield
    finally:
        _compiling.depth -= 1
        if not _compiling.depth:
            _compiling.seconds += time.perf_counter() - began


def working_time() -> float:
    """Read this thread's clock, in seconds, which stands still while kernels are compiled.

    Only differences of readings by one thread mean something. What a result calls its `seconds` is such
    a difference: it would else depend on whether the kernels were compiled before.
    """
    return time.perf_counter() - _compiling.seconds
