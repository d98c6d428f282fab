"""Planted faults: ``python -m tests.mutants [--only TEXT] [--list] [--workers K] [--table] [--compiled]``.

Each fault is planted alone in a copy of the tree, and the tests that should see it run there. Kernels
run by the interpreter (see `tests.mutants.interpreted`); with ``--compiled`` they are compiled, from the
kernels at hand where a fault leaves them as they are. A test that fails must pass with nothing planted.
The exit status is 0 if every fault is seen or equivalent.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from queue import SimpleQueue

import pytest

from tests.mutants.mutant import ROOT, Mutant
from tests.mutants.table import MUTANTS, Outcome, update_table

_SECONDS = 240.0
"""Time after which a target is given up: a fault that makes it hang is seen."""

_SHARED = ("numpy", "scipy.optimize", "scipy.sparse", "numba", "flint", "networkx")
"""What is imported once, before the tests run."""

_healthy: set[str] = set()  # tests that pass with nothing planted

_FIRST_STAMP = int(time.time()) + 10
_stamps = count()

_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)


def copy_tree(to: Path, *, compiled: bool) -> None:
    """Copy the files that git knows or would add; with `compiled`, the compiled kernels too."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    kernels = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*.nb[ic]")] if compiled else []
    for name in [*filter(None, names.split("\0")), *kernels]:
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)


def _run_in_child(tree: Path, targets: Sequence[str], compiled: bool, log: Path) -> None:
    """Run pytest in a tree, with nothing imported that is of the tree this runner came from."""
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree)
    sys.path[:] = [str(tree), *(entry for entry in sys.path if Path(entry).resolve() != ROOT)]
    for name in [name for name in sys.modules if name.split(".")[0] in ("polyspline", "solvers", "tests")]:
        del sys.modules[name]
    with log.open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    options = ["-x", "-q", "-n", "0", "--tb=no", "-rfE", "-p", "no:cacheprovider"]
    if not compiled:
        options += ["-p", "tests.mutants.interpreted", "-W", "ignore::RuntimeWarning"]
    status = pytest.main([*options, *targets])
    sys.stdout.flush()
    os._exit(int(status))


def run_tests(tree: Path, targets: Sequence[str], *, compiled: bool) -> tuple[int, str]:
    """Run targets in a tree until one fails: the exit status of pytest (-1: out of time), and the test.

    A child of this process does, so that what all need is imported once.
    """
    log = tree.with_suffix(".log")
    child = get_context("fork").Process(target=_run_in_child, args=(tree, targets, compiled, log))
    child.start()
    child.join(_SECONDS)
    if child.is_alive():
        child.kill()
        child.join()
        return -1, ""
    printed = log.read_text(encoding="utf-8")
    found = _FAILED.search(printed)
    return int(child.exitcode or 0), found.group(1) if found else printed[-2000:]


def judge(mutant: Mutant, tree: Path, *, compiled: bool) -> Outcome:
    """Plant a fault in a tree, run its tests, and take it out again."""
    file = tree / mutant.file
    text = file.read_text(encoding="utf-8")
    _write(file, mutant.planted(text))
    began = time.perf_counter()
    seen, broken = "", ""
    try:
        for target in mutant.tests:
            status, name = run_tests(tree, [target], compiled=compiled)
            if status == -1:
                seen = f"{target} (does not end)"
            elif status == 1:
                seen = name
            elif status != 0:
                broken = f"broken: pytest ends with {status}: {name}"
            if seen or broken:
                break
    finally:
        _write(file, text)
    spent = time.perf_counter() - began
    if broken:
        return Outcome(mutant.name, broken, "", spent)
    if not seen:
        verdict = "equivalent" if mutant.equivalent else "survived"
        return Outcome(mutant.name, verdict, mutant.why if mutant.equivalent else "", spent)
    test = seen.removesuffix(" (does not end)")
    if test not in _healthy:
        status, _ = run_tests(tree, [test], compiled=compiled)
        if status != 0:
            return Outcome(mutant.name, f"broken: {test} fails with nothing planted", "", spent)
        _healthy.add(test)
    short = seen.rsplit("/", 1)[-1].replace("|", "\\|")
    return Outcome(mutant.name, "killed", f"`{short}`", spent)


def _write(file: Path, text: str) -> None:
    """Write a source with a time of its own, by which Python tells that its bytecode is old."""
    file.write_text(text, encoding="utf-8")
    stamp = _FIRST_STAMP + next(_stamps)
    os.utime(file, (stamp, stamp))


def main() -> int:
    """Run the faults that were asked for; 0 if all are seen or equivalent."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", default="", help="faults whose name or file holds this text")
    parser.add_argument("--list", action="store_true", help="name the faults and stop")
    parser.add_argument("--workers", type=int, default=1, help="how many are planted at a time")
    parser.add_argument("--table", action="store_true", help="write the outcomes to tests/README.md")
    parser.add_argument("--compiled", action="store_true", help="compile the kernels")
    asked = parser.parse_args()
    chosen = [one for one in MUTANTS if asked.only in one.name or asked.only in one.file]
    if asked.list:
        for one in chosen:
            print(f"{one.name}: {one.file}: {one.why}")
        return 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: SimpleQueue[Path] = SimpleQueue()
        for worker in range(asked.workers):
            tree = Path(folder) / str(worker)
            copy_tree(tree, compiled=asked.compiled)
            trees.put(tree)
        if not asked.compiled:
            os.environ["NUMBA_DISABLE_JIT"] = "1"
        for module in _SHARED:
            import_module(module)

        def work(one: Mutant) -> Outcome:
            mine = trees.get()
            try:
                found = judge(one, mine, compiled=asked.compiled)
            finally:
                trees.put(mine)
            print(f"{found.verdict:10} {one.name} ({found.seconds:.1f} s) {found.seen_by}", flush=True)
            return found

        with ThreadPoolExecutor(asked.workers) as pool:
            outcomes = list(pool.map(work, chosen))
    if asked.table:
        update_table(outcomes)
    left = [one for one in outcomes if one.verdict not in ("killed", "equivalent")]
    print(f"{len(outcomes)} faults, {len(left)} not seen")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
