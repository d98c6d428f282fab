"""Machine code of kernels, kept on disk: never older than its sources, and made once for all processes."""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.compiler_lock import global_compiler_lock

from solvers.clock import compiling
from solvers.file_locks import lock as _lock
from solvers.file_locks import unlock as _unlock
from solvers.kernel_sources import digest_of

_PATIENCE = 300.0
"""Seconds to wait for another process that compiles the same kernel: it may have been stopped."""

_BETWEEN_LOOKS = 0.02


_not_kept: set[str] = set()

_kept: list[tuple[Any, KernelCache]] = []
"""Kernels of all modules that are loaded, and where they are kept."""


class _Kernels(threading.local):
    """Kernels that a thread compiles, one for the other, and whom it tells when it is done with them."""

    def __init__(self) -> None:
        self.depth = 0
        self.listeners: list[Callable[[], None]] = []


_kernels = _Kernels()


@contextmanager
def between_kernels(listener: Callable[[], None]) -> Iterator[None]:
    """Within it, have this thread call a function after each kernel, once its machine code is kept.

    It may raise an exception: nothing is half done then, and the next call finds the kernel.
    """
    _kernels.listeners.append(listener)
    try:
        yield
    finally:
        _kernels.listeners.remove(listener)


@contextmanager
def _one_kernel() -> Iterator[None]:
    """Compile a kernel, with those that it calls; the listeners are called at the end of the outermost."""
    _kernels.depth += 1
    try:
        yield
    finally:
        _kernels.depth -= 1
    if not _kernels.depth:
        for listener in tuple(_kernels.listeners):
            listener()


def missing_kernels() -> list[str]:
    """Name the kernels of the modules that are loaded which are not compiled, here or on disk."""
    return [
        dispatcher.py_func.__name__
        for dispatcher, cache in _kept
        if not dispatcher.overloads and not cache.has_any()
    ]


def not_kept() -> bool:
    """Whether kernels of this process have no folder to be kept in: each process compiles them anew."""
    return bool(_not_kept)


class KernelCache(FunctionCache):
    """Machine code of a kernel on disk.

    numba files it under the processor and the kernel's signature, and stamps it with the kernel's own
    file alone. Here the stamp is a digest of all sources that the kernel is made of, and the versions
    of the compilers.

    Raises
    ------
    RuntimeError, OSError
        If no folder can be written to, or a source cannot be read.
    """

    def __init__(self, kernel: Callable[..., Any]) -> None:
        super().__init__(kernel)
        digest = digest_of(Path(kernel.__code__.co_filename))
        self.stamp = (digest, numba.__version__, llvmlite.__version__)
        base = self._impl.filename_base
        self._cache_file = IndexDataCacheFile(self.cache_path, base, self.stamp)
        self._lock_path = os.path.join(self.cache_path, f"{base}.lock")
        self._held = False

    def has_any(self) -> bool:
        """Whether there is machine code of the present sources, for any signature."""
        try:
            return bool(self._cache_file._load_index())
        except (OSError, EOFError, pickle.UnpicklingError):
            return False

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Give the machine code that is kept; None where there is none, or it is damaged."""
        try:
            return super().load_overload(sig, target_context)
        except (OSError, EOFError, pickle.UnpicklingError):
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the machine code, if the disk takes it."""
        try:
            super().save_overload(sig, data)
        except OSError:
            _not_kept.add(self._name)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from compiling the kernel: they wait, and find it done.

        The caller holds numba's own lock, so one thread at most of this process is in here.
        """
        if self._held:
            yield
            return
        try:
            file = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            yield
            return
        self._held = True
        try:
            _wait_for(file)
            yield
        finally:
            self._held = False
            with suppress(OSError):
                _unlock(file)  # a process that was forked meanwhile has the file open, too
            os.close(file)


def _wait_for(file: int) -> None:
    """Lock a file; go on without where it takes too long, or there are no locks: work is done twice then."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            _lock(file)
        except (BlockingIOError, PermissionError):
            time.sleep(_BETWEEN_LOOKS)
        except OSError:
            return
        else:
            return


def keep(dispatcher: Any) -> None:
    """Have the machine code of a kernel kept on disk; where it cannot be, it lives in memory.

    Parameters
    ----------
    dispatcher
        The kernel as numba made it, without a cache.
    """
    compile_kernel = dispatcher.compile
    try:
        cache = KernelCache(dispatcher.py_func)
    except (RuntimeError, OSError):
        _not_kept.add(dispatcher.py_func.__qualname__)

        def compile_in_memory(signature: Any) -> Any:
            with _one_kernel(), compiling():
                return compile_kernel(signature)

        dispatcher.compile = compile_in_memory
        return

    def compile_once(signature: Any) -> Any:
        with _one_kernel(), compiling(), global_compiler_lock, cache.alone():
            return compile_kernel(signature)

    _kept.append((dispatcher, cache))
    dispatcher._cache = cache
    dispatcher.compile = compile_once
