"""One place for the options of every compiled kernel.

A typed doorway to numba, so that the kernels agree on their options and the
rest of the code is checked by types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


def compiled(function: F) -> F:
    """Compile a kernel over plain arrays: cached on disk, releasing the interpreter lock.

    Divisions follow IEEE 754 (no exception on zero). Only reassociation-free
    arithmetic is allowed, because the error bounds of the predicates count on
    the rounding of every operation; contraction to fused multiply-add only
    lessens the rounding and is allowed.
    """
    return cast(F, numba.njit(cache=True, no_cfunc_wrapper=True, **_OPTIONS)(function))


def compiled_part(function: F) -> F:
    """Compile a part of a kernel, to be called by other compiled functions only.

    It has no doorway from Python and no file of its own in the cache, which halves the
    time that compiling takes.
    """
    return cast(F, numba.njit(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)(function))
