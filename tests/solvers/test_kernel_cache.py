"""Compiled kernels on disk: never older than a source, made once, and not needed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest
from numba.core.dispatcher import Dispatcher

import polyspline as ps
from solvers import clock
from solvers.kernel_sources import PACKAGES, sources_of

ROOT = Path(__file__).resolve().parents[2]


# ---- what a kernel is made of


def _modules_with_kernels() -> list[ModuleType]:
    names = []
    for package in PACKAGES:
        for source in sorted((ROOT / package).rglob("*.py")):
            if "from solvers.compiled import" in source.read_text(encoding="utf-8"):
                names.append(".".join(source.relative_to(ROOT).with_suffix("").parts))
    return [import_module(name) for name in names]


def kernels_by_name() -> dict[str, Any]:
    """Everything that has a file of machine code, by its place and name."""
    dispatchers: list[Any] = [
        value
        for module in _modules_with_kernels()
        for value in vars(module).values()
        if isinstance(value, Dispatcher)
    ]
    return {f"{one.__module__}.{one.__name__}": one for one in dispatchers if hasattr(one._cache, "stamp")}


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def _files_in(dispatcher: Any, found: set[Path]) -> set[Path]:
    """Sources of all that a kernel names: parts, records and functions, and what these name."""
    file = Path(dispatcher.py_func.__code__.co_filename)
    todo = {name: dispatcher.py_func.__globals__.get(name) for name in _names_in(dispatcher.py_func.__code__)}
    fresh = file not in found
    found.add(file)
    for value in todo.values():
        if isinstance(value, Dispatcher):
            if fresh or Path(value.py_func.__code__.co_filename) not in found:
                _files_in(value, found)
        elif isinstance(value, type) and value.__module__.split(".")[0] in PACKAGES:
            found.add(Path(str(sys.modules[value.__module__].__file__)))
    return found


def test_there_are_kernels() -> None:
    assert {"polyspline.split.kernel.split_cells", "solvers.qp.kinks.minimise_kinks"} <= set(
        kernels_by_name()
    )


def test_every_source_that_a_kernel_is_made_of_is_in_its_digest() -> None:
    for name, dispatcher in kernels_by_name().items():
        sources = sources_of(Path(dispatcher.py_func.__code__.co_filename))
        assert _files_in(dispatcher, set()) <= set(sources), name


def test_modules_are_imported_by_their_full_names_which_the_digest_follows() -> None:
    for package in PACKAGES:
        for source in (ROOT / package).rglob("*.py"):
            assert not re.search(r"^\s*from \.", source.read_text(encoding="utf-8"), re.MULTILINE), source


def test_every_module_of_parts_is_in_the_digest_of_a_kernel() -> None:
    sources = {
        source
        for dispatcher in kernels_by_name().values()
        for source in sources_of(Path(dispatcher.py_func.__code__.co_filename))
    }
    for module in _modules_with_kernels():
        if any(isinstance(value, Dispatcher) for value in vars(module).values()):
            assert Path(str(module.__file__)) in sources


def test_kernels_of_the_walk_are_made_of_the_parts_that_they_call() -> None:
    sources = sources_of(ROOT / "polyspline" / "regions" / "kernel.py")
    for part in ("polyspline/cpa/rows.py", "solvers/lp/simplex.py", "solvers/compiled.py"):
        assert ROOT / part in sources


def test_the_digest_takes_no_import() -> None:
    """Neither the modules whose sources it reads nor numba are loaded for it."""
    source = ROOT / "polyspline" / "split" / "kernel.py"
    loaded = _python(
        "import sys; from pathlib import Path; from solvers.kernel_sources import digest_of\n"
        f"digest_of(Path({str(source)!r}))\n"
        "heavy = {'numba', 'numpy', 'polyspline.split', 'solvers.lp', 'solvers.compiled'}\n"
        "print(*sorted(heavy & set(sys.modules)))",
        ROOT,
    )
    assert loaded.strip() == ""


# ---- a small pair of packages, with one kernel, one part and one constant

_PART = """
from polyspline.numbers import STEP
from solvers.compiled import compiled_part

@compiled_part
def add(a: float) -> float:
    return a + STEP
"""

_KERNEL = """
from __future__ import annotations
from typing import TYPE_CHECKING
from polyspline.part import (
    add,
)
from solvers.compiled import compiled

if TYPE_CHECKING:
    from polyspline.unrelated import Nothing

@compiled
def twice(a: float) -> float:
    return add(add(a))
"""

_RUN = """
import time
from polyspline.notices import compiling
from polyspline.kernel import twice
from solvers.clock import working_time
began, working = time.perf_counter(), working_time()
with compiling():
    value = twice(1.0)
spent, worked = time.perf_counter() - began, working_time() - working
print(value, sum(twice.stats.cache_misses.values()), worked < 0.5 * spent)
"""


def _python(code: str, path: Path, **variables: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True, cwd=path
    )
    assert "Traceback" not in run.stderr
    return run.stdout + run.stderr


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "solvers", tmp_path / "solvers", ignore=ignore)
    package = tmp_path / "polyspline"
    package.mkdir()
    for name in ("notices.py", "interrupts.py"):
        shutil.copy(ROOT / "polyspline" / name, package)
    files = {"__init__": "", "numbers": "STEP = 1.0\n", "part": _PART, "kernel": _KERNEL, "unrelated": ""}
    for name, text in files.items():
        (package / f"{name}.py").write_text(text, encoding="utf-8")
    return tmp_path


def test_a_kernel_is_compiled_anew_when_a_source_of_it_changes_and_only_then(packages: Path) -> None:
    package = packages / "polyspline"
    assert _python(_RUN, packages).split() == ["3.0", "1", "True"]
    assert _python(_RUN, packages).split()[:2] == ["3.0", "0"]
    (package / "part.py").write_text(_PART.replace("a + STEP", "a - STEP"), encoding="utf-8")
    assert _python(_RUN, packages).split()[:2] == ["-1.0", "1"]
    (package / "numbers.py").write_text("STEP = 2.0\n", encoding="utf-8")
    assert _python(_RUN, packages).split()[:2] == ["-3.0", "1"]
    (package / "unrelated.py").write_text("MORE = 1\n", encoding="utf-8")
    os.utime(package / "part.py")
    assert _python(_RUN, packages).split()[:2] == ["-3.0", "0"]


def test_a_kernel_is_compiled_anew_by_other_compilers(packages: Path) -> None:
    assert _python(_RUN, packages).split()[:2] == ["3.0", "1"]
    other = "import llvmlite\nllvmlite.__version__ = 'other'\n"
    assert _python(other + _RUN, packages).split()[:2] == ["3.0", "1"]


def test_the_digest_is_that_of_the_content_wherever_the_package_lies(packages: Path) -> None:
    code = (
        "from pathlib import Path; from solvers.kernel_sources import digest_of\n"
        "print(digest_of(Path('polyspline/kernel.py').resolve()))"
    )
    here = _python(code, packages)
    elsewhere = packages / "elsewhere"
    for name in PACKAGES:
        shutil.copytree(packages / name, elsewhere / name)
    assert _python(code, elsewhere) == here
    changed = elsewhere / "solvers" / "compiled.py"
    changed.write_text(changed.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert _python(code, elsewhere) != here


def test_processes_that_start_together_compile_a_kernel_once(packages: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        misses = Counter(run.split()[1] for run in pool.map(lambda _: _python(_RUN, packages), range(3)))
    assert misses == {"1": 1, "0": 2}


def test_a_kernel_is_not_waited_for_without_end(packages: Path) -> None:
    """The process that holds it may have been stopped."""
    impatient = (
        "import solvers.kernel_cache as cache\n"
        "cache._PATIENCE = 0.1\n"
        "def refuse(_): raise BlockingIOError\n"
        "cache._lock = refuse\n"
    )
    assert _python(impatient + _RUN, packages).split()[:2] == ["3.0", "1"]


def test_a_damaged_file_is_compiled_anew(packages: Path) -> None:
    assert _python(_RUN, packages).split()[:2] == ["3.0", "1"]
    (kept,) = (packages / "polyspline" / "__pycache__").glob("*.nbc")
    kept.write_bytes(kept.read_bytes()[:100])
    assert _python(_RUN, packages).split()[:2] == ["3.0", "1"]
    assert _python(_RUN, packages).split()[:2] == ["3.0", "0"]


def test_where_no_folder_can_be_written_to_kernels_live_in_memory_and_one_note_says_so(
    packages: Path,
) -> None:
    """Even the superuser writes no file into a file."""
    (packages / "polyspline" / "__pycache__").touch()
    nowhere = str(packages / "polyspline" / "kernel.py")
    printed = _python(_RUN + _RUN, packages, HOME=nowhere, XDG_CACHE_HOME=nowhere, NUMBA_CACHE_DIR="")
    assert printed.split("\n")[0].split() == ["3.0", "1", "True"]
    assert printed.count("polyspline: ") == 1
    assert printed.count("no folder for its compiled kernels can be written to") == 1


def test_where_a_disk_takes_no_more_a_kernel_runs_and_a_note_says_so(packages: Path) -> None:
    full = (
        "from numba.core import caching\n"
        "def refuse(*_): raise OSError(28, 'No space left on device')\n"
        "caching.IndexDataCacheFile._save_index = refuse\n"
    )
    printed = _python(full + _RUN, packages)
    assert printed.split()[:2] == ["3.0", "1"]
    assert printed.count("no folder for its compiled kernels can be written to") == 1


# ---- the seconds of results

_PAUSE = 0.3


def _net() -> ps.Network:
    return ps.zoo.random_network((2, 4, 3), "relu", seed=1)


BOX = ps.Box(-1, 1, dim=2)


@pytest.mark.parametrize(
    ("module", "name", "call"),
    [
        ("polyspline.walk.expander", "expand", lambda: ps.enumerate_regions(_net(), BOX, method="walk")),
        ("polyspline.split.kernel", "split_cells", lambda: ps.enumerate_regions(_net(), BOX, method="split")),
        ("polyspline.split.kernel", "split_cells", lambda: ps.count(_net(), BOX)),
        ("polyspline.split.kernel", "split_cells", lambda: ps.fold(_net(), BOX, lambda batch: None)),
        ("polyspline.inversion.node", "lay_out", lambda: ps.invert(_net(), [1.0, 2.0, 3.0], BOX)),
        ("polyspline.split.kernel", "split_cells", lambda: ps.invert(_net(), [1.0] * 3, BOX, method="scan")),
        ("polyspline.walk.expander", "expand", lambda: ps.injectivity(_net(), BOX)),
    ],
)
def test_the_seconds_of_a_result_leave_compiling_out(
    module: str, name: str, call: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel that is compiled, for some time, at its first call."""
    call()
    rooms = import_module(module)
    run = getattr(rooms, name)
    compiled: list[str] = []

    def compiled_first(*arguments: Any) -> Any:
        if not compiled:
            compiled.append(name)
            with clock.compiling():
                time.sleep(_PAUSE)
        return run(*arguments)

    monkeypatch.setattr(rooms, name, compiled_first)
    began = time.perf_counter()
    result = call()
    spent = time.perf_counter() - began
    assert compiled
    assert 0.0 < result.seconds <= spent - _PAUSE


def test_the_clock_stands_still_while_kernels_are_compiled_one_for_the_other() -> None:
    before = clock.working_time()
    with clock.compiling(), clock.compiling():
        time.sleep(0.05)
    began = time.perf_counter()
    after = clock.working_time()
    assert 0.0 <= after - before < 0.05 + (time.perf_counter() - began)
