"""One place for the options of every compiled kernel.

A typed doorway to numba, so that the kernels agree on their options and the
rest of the code is checked by types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.compiler_machinery import LoweringPass, register_pass
from numba.core.dispatcher import Dispatcher
from numba.core.typed_passes import NativeLowering

from solvers.kernel_cache import keep

F = TypeVar("F", bound=Callable[..., Any])


def typed(number: int) -> int:
    """Give an integer constant its machine type: numba compiles a function anew for every literal."""
    return cast(int, np.int64(number))


NOTHING = typed(-1)
"""No index."""

ZERO = typed(0)

ONE = typed(1)


_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
_PART_OPTIONS: dict[str, Any] = {
    **_OPTIONS,
    "_nrt": False,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


def compiled(function: F) -> F:
    """Compile a kernel over plain arrays: kept on disk, releasing the interpreter lock.

    What is kept is used for as long as all its sources and the compilers are the same; where no
    folder can be written to, the kernel is compiled in memory (see `solvers.kernel_cache`).

    Divisions follow IEEE 754 (no exception on zero). Only reassociation-free
    arithmetic is allowed, because the error bounds of the predicates count on
    the rounding of every operation; contraction to fused multiply-add only
    lessens the rounding and is allowed.
    """
    kernel = numba.njit(no_cfunc_wrapper=True, **_OPTIONS)(function)
    if isinstance(kernel, Dispatcher):  # not where NUMBA_DISABLE_JIT is set
        keep(kernel)
    return cast(F, kernel)


class _PartLibrary(JITCodeLibrary):
    """Code of a part just as it was lowered, to be linked into kernels.

    Only the kernels are optimised, each as a whole, and turned into machine code: numba
    would do both anew for every part together with all that it calls.
    """

    def finalize(self) -> None:
        self._raise_if_finalized()
        for library in self._linking_libraries:
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True


@register_pass(mutates_CFG=False, analysis_only=True)
class _NoEntry(LoweringPass):
    """Give a part the entry point that its dispatcher insists on; nothing ever enters there."""

    _name = "no_entry"

    def __init__(self) -> None:
        LoweringPass.__init__(self)

    def run_pass(self, state: Any) -> bool:
        # Any builtin will do, but numba files the part under it: one of its own for each.
        nothing: list[Any] = []
        entry = nothing.append
        state.targetctx.insert_user_function(entry, state["cr"].fndesc, [state.library])
        state["cr"] = state["cr"]._replace(cfunc=entry)
        return True


class _PartCompiler(Compiler):
    """Stops before machine code: a part is only ever linked into the kernels that call it."""

    def define_pipelines(self) -> list[Any]:
        state = self.state
        state.flags.no_compile = True
        state.library = _PartLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        pipelines = super().define_pipelines()
        for pipeline in pipelines:
            pipeline.add_pass_after(_NoEntry, NativeLowering)
            pipeline.finalize()
        return cast(list[Any], pipelines)


def compiled_part(function: F) -> F:
    """Compile a part of a kernel, to be called by other compiled functions only.

    It has no doorway from Python, no machine code and no cache file of its own, which saves
    much of the time that compiling takes; and it may not allocate.
    """
    return cast(F, numba.njit(pipeline_class=_PartCompiler, **_PART_OPTIONS)(function))


def inlined_part(function: F) -> F:
    """Compile a part, as `compiled_part` does, that becomes one with each kernel that calls it.

    For parts that do little and are handed many arrays: a call would push each of them on the
    stack, seven numbers an array, and take longer than the work.
    """
    return cast(F, numba.njit(pipeline_class=_PartCompiler, forceinline=True, **_PART_OPTIONS)(function))


def strict_part(function: F) -> F:
    """Compile a part, as `inlined_part` does, none of whose operations may be fused with another."""
    options = {name: value for name, value in _PART_OPTIONS.items() if name != "fastmath"}
    return cast(F, numba.njit(pipeline_class=_PartCompiler, forceinline=True, **options)(function))


@compiled_part
def larger(a: float, b: float) -> float:
    """Maximum of two floats, NaN if either is (the builtin drops one, and takes numba seconds to compile)."""
    return a if a > b or a != a else b


@compiled_part
def smaller(a: float, b: float) -> float:
    """Minimum of two floats, NaN if either is."""
    return a if a < b or a != a else b
