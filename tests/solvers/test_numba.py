"""What is used of numba beyond its public face is as it was when it was tested.

If this fails with a new numba: try the suite with it, look at each name below in numba's sources, then
move the bound in pyproject.toml and here.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path
from typing import Any

import numba
import pytest
from numba.core import caching, codegen, compiler, compiler_lock, compiler_machinery, event
from numba.core.dispatcher import Dispatcher

from polyspline.split import kernel
from solvers.compiled import larger
from solvers.kernel_cache import KernelCache

FIRST_UNTESTED = (0, 69)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:2])


def test_numba_is_one_that_was_tested() -> None:
    assert _version(numba.__version__) < FIRST_UNTESTED


def test_an_installation_takes_no_numba_that_was_not_tested() -> None:
    project = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text(encoding="utf-8"))
    (pin,) = (entry for entry in project["project"]["dependencies"] if entry.startswith("numba"))
    assert _version(pin.partition("<")[2]) == FIRST_UNTESTED


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (codegen.JITCodeLibrary, ["finalize", "_raise_if_finalized", "_get_module_for_linking"]),
        (compiler.Compiler, ["define_pipelines"]),
        (compiler_machinery.LoweringPass, ["run_pass"]),
        (compiler_machinery.PassManager, ["add_pass_after", "finalize"]),
        (caching.FunctionCache, ["load_overload", "save_overload", "cache_path"]),
        (Dispatcher, ["compile", "enable_caching", "stats"]),
        (event.Listener, ["on_start", "on_end"]),
        (compiler_lock.global_compiler_lock, ["acquire", "release", "__enter__", "__exit__"]),
    ],
)
def test_the_private_names_are_there(owner: Any, names: list[str]) -> None:
    assert [name for name in names if not hasattr(owner, name)] == []


def test_the_private_functions_take_what_they_took() -> None:
    def parameters(function: Any) -> list[str]:
        return list(inspect.signature(function).parameters)

    assert parameters(caching.IndexDataCacheFile) == ["cache_path", "filename_base", "source_stamp"]
    assert parameters(caching.FunctionCache.load_overload) == ["self", "sig", "target_context"]
    assert parameters(caching.FunctionCache.save_overload) == ["self", "sig", "data"]
    assert parameters(Dispatcher.compile) == ["self", "sig"]


def test_numba_asks_the_cache_that_it_is_given() -> None:
    """A kernel's cache is ours, with our stamp in its index; numba's own has neither."""
    dispatcher: Any = kernel.split_cells
    cache = dispatcher._cache
    assert isinstance(cache, KernelCache)
    assert cache._cache_file._source_stamp == cache.stamp
    assert Path(cache._lock_path).parent == Path(cache.cache_path)
    assert dispatcher.compile.__name__ == "compile_once"
    before = sum(dispatcher.stats.cache_hits.values()) + sum(dispatcher.stats.cache_misses.values())
    assert before == len(dispatcher.overloads)


def test_a_part_has_no_entry_of_machine_code() -> None:
    """It is only ever linked into kernels."""
    part: Any = larger
    part.compile((numba.float64, numba.float64))
    (result,) = (one for one in part.overloads.values() if one.signature.args == (numba.float64,) * 2)
    assert len(result.library._linking_libraries) <= 1  # the reference counts, of which it has none
    assert "larger" in str(result.library._final_module)
    assert result.entry_point.__name__ == "append"
