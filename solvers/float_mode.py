"""Arithmetic mode of the processor: gradual underflow, which every decision counts on.

A thread may have been set to flush subnormal numbers to zero: by ``torch.set_flush_denormal(True)``,
or by a library that was built for fast arithmetic and sets it where it is loaded. A product that
underflows is then off by up to 2**-1022 and a weight below that is taken for zero, where error bounds
allow 2**-1074 and none. The mode is the thread's, and threads inherit it from those that start them.

So do the threads of numpy's BLAS, which OpenBLAS starts where numpy is first imported and never ends:
if that thread flushed, large matrix products flush for good, whatever is set later. They cannot be
reached, so BLAS is then held to one thread, the caller's, for the rest of the process.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from solvers.errors import FlushToZeroError

_SMALLEST = sys.float_info.min
_HALF = 0.5
_TWO = 2.0


def underflows_gradually() -> bool:
    """Tell whether this thread's arithmetic has subnormal numbers, as results and as operands.

    Half of the smallest normal number is subnormal and exact, and so is its double: each product is
    exact under gradual underflow. The first is zero if results are flushed, the second if operands are.
    """
    return _SMALLEST * _HALF * _TWO == _SMALLEST


@contextmanager
def gradual_underflow() -> Iterator[None]:
    """Give this thread gradual underflow for the length of the block, and then the mode that it had.

    Also a decorator. Where the mode is as it should be, the cost is one comparison.

    Raises
    ------
    FlushToZeroError
        If subnormal numbers are flushed to zero and it is not known how to change it here.
    """
    if underflows_gradually():
        _check_blas()
        yield
        return
    before = _exchange(None)
    try:
        if not underflows_gradually():
            raise FlushToZeroError(_REFUSED)
        _check_blas()
        yield
    finally:
        _exchange(before)


_REFUSED = (
    "this thread's arithmetic flushes subnormal numbers to zero, so no decision would be exact, and on "
    f"{platform.system()} {platform.machine()} it is not known how to change that: turn it off before the "
    "call, as with torch.set_flush_denormal(False)."
)

# The 32-bit words of fenv_t, which holds the control register, and the bits that flush: of results and of
# operands on x86-64, of both on arm64.
_PLACES = {
    ("Linux", "x86_64"): (7, 0x8040),
    ("Darwin", "x86_64"): (1, 0x8040),
    ("Linux", "aarch64"): (0, 1 << 24),
    ("Darwin", "arm64"): (2, 1 << 24),
}
_WORDS = 32  # room for any fenv_t


def _exchange(flushing: int | None) -> int:
    """Set the bits that flush to those given, or clear them; those that were set before."""
    here = (platform.system(), platform.machine())
    if here[0] == "Windows":
        return _exchange_on_windows(flushing)
    if here not in _PLACES:
        raise FlushToZeroError(_REFUSED)
    place, mask = _PLACES[here]
    get, put = _fenv()
    words = (ctypes.c_uint32 * _WORDS)()
    get(words)
    before = words[place] & mask
    words[place] = (words[place] & ~mask) | (flushing or 0)
    put(words)
    return int(before)


def _fenv() -> tuple[Callable[..., int], Callable[..., int]]:
    """C's functions that read and write the floating-point environment of a thread."""
    library = ctypes.CDLL(None)
    try:
        return library.fegetenv, library.fesetenv
    except AttributeError as missing:
        raise FlushToZeroError(_REFUSED) from missing


_DENORMAL_CONTROL = 0x03000000  # _MCW_DN of the C runtime


def _exchange_on_windows(flushing: int | None) -> int:
    """Set or clear the bits that flush, by the C runtime's own names for them."""
    control = ctypes.CDLL("ucrtbase")._controlfp_s
    word = ctypes.c_uint32()
    control(ctypes.byref(word), 0, 0)
    before = word.value & _DENORMAL_CONTROL
    control(ctypes.byref(word), flushing or 0, _DENORMAL_CONTROL)
    return before


# ---- the threads of BLAS

_BLAS_SIZE = 256
"""Matrices of this size are multiplied by several threads, if there are."""

_SETTERS = (
    "scipy_openblas_set_num_threads64_",
    "scipy_openblas_set_num_threads",
    "openblas_set_num_threads64_",
    "openblas_set_num_threads",
    "MKL_Set_Num_Threads",
)
"""What sets the number of threads, in the builds of numpy that there are."""

_blas_checked = False


def _forget() -> None:
    """Have BLAS checked again: a process that was forked starts threads of its own."""
    global _blas_checked
    _blas_checked = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _check_blas() -> None:
    """Hold BLAS to one thread if its threads flush to zero; this thread's arithmetic is as it should be.

    Raises
    ------
    FlushToZeroError
        If they flush and it is not known how to hold it to one.
    """
    global _blas_checked
    if _blas_checked:
        return
    if not blas_underflows_gradually():
        _use_one_thread()
        if not blas_underflows_gradually():
            raise FlushToZeroError(
                "numpy was imported while subnormal numbers were flushed to zero, and the threads of its "
                "BLAS still flush them, so no decision would be exact: import numpy before what turns "
                "flushing on, or run BLAS in one thread, as with OPENBLAS_NUM_THREADS=1."
            )
    _blas_checked = True


def blas_underflows_gradually() -> bool:
    """Tell whether a large matrix product has subnormal numbers in all its entries.

    Each entry is a sum of products 2**-600 * 2**-450, which are subnormal and exact.
    """
    import numpy as np

    shape = (_BLAS_SIZE, _BLAS_SIZE)
    return bool((np.full(shape, 2.0**-600) @ np.full(shape, 2.0**-450)).all())


def _use_one_thread() -> None:
    """Hold numpy's BLAS to one thread, if it is known how to."""
    core = importlib.import_module("numpy._core._multiarray_umath")
    library = ctypes.CDLL(str(core.__file__))  # finds what it is linked with, too
    for name in _SETTERS:
        if hasattr(library, name):
            getattr(library, name)(1)
            return
