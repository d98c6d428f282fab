"""Compiling: each kernel is kept when it is done, Ctrl-C is answered between two, a terminal sees which."""

from __future__ import annotations

import json
import os
import pty
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import polyspline as ps
from polyspline import cores
from polyspline.cli.app import run
from solvers.kernel_cache import missing_kernels
from tests.cli.conftest import COMMAND, ROOT
from tests.solvers.test_kernel_cache import kernels_by_name, packages

__all__ = ["packages"]  # a fixture

_KERNELS = """
from solvers.compiled import compiled

@compiled
def once(a: float) -> float:
    return a + 1.0

@compiled
def twice(a: float) -> float:
    return once(a) + 1.0

@compiled
def apart(a: float) -> float:
    return a - 1.0
"""

_INTERRUPTED = """
import signal, threading
from numba.core import event
from polyspline import notices
from polyspline.interrupts import on_interrupt
from polyspline.kernels import apart, twice
from solvers.kernel_cache import missing_kernels

class Press(event.Listener):
    def on_start(self, compilation):
        if compilation.data["dispatcher"] is twice: signal.raise_signal(signal.SIGINT)
    def on_end(self, _): pass

noted = []
assert missing_kernels() == ["once", "twice", "apart"]
try:
    with on_interrupt(lambda: noted.append("asked")), notices.compiling():
        with event.install_listener("numba:compile", Press()):
            twice(1.0)
        apart(1.0)
except KeyboardInterrupt:
    print("interrupted", *missing_kernels(), twice(1.0), sum(twice.stats.cache_misses.values()), noted)
"""

_SHOWN = """
from polyspline import notices
from polyspline.kernels import apart, twice
notices._AFTER_SECONDS = 0.0
import threading
from numba.core import event

class Wait(event.Listener):
    def on_start(self, _): threading.Event().wait(0.2)
    def on_end(self, _): pass

with event.install_listener("numba:compile", Wait()), notices.compiling():
    twice(1.0)
    apart(1.0)
"""


def _run(code: str, packages: Path, stderr: int = subprocess.PIPE) -> str:
    (packages / "polyspline" / "kernels.py").write_text(_KERNELS, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        cwd=packages,
    )
    return done.stdout + (done.stderr or "")


def test_ctrl_c_is_answered_after_the_kernel_which_is_kept(packages: Path) -> None:
    assert _run(_INTERRUPTED, packages).split() == ["interrupted", "apart", "3.0", "1", "[]"]
    kept = {path.name.split("-")[0] for path in packages.rglob("*.nbi")}
    assert kept == {"kernels.once", "kernels.twice"}


def test_a_terminal_is_shown_which_kernel_of_how_many(packages: Path) -> None:
    near, far = pty.openpty()
    try:
        assert _run(_SHOWN, packages, stderr=far) == ""
    finally:
        os.close(far)
    shown = os.read(near, 65536).decode()
    os.close(near)
    assert "compiling its kernels, once" in shown
    assert "kernel 2 of at most 3: once" in shown or "kernel 1 of at most 3: twice" in shown
    assert "kernel 3 of at most 3: apart" in shown


def test_a_pipe_is_not_shown_each_kernel(packages: Path) -> None:
    said = _run(_SHOWN, packages)
    assert said.count("\n") == 1
    assert "compiling its kernels, once" in said


def test_warmup_leaves_no_kernel_to_compile(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["warmup"]) == 0
    # Other tests of this process may have kernels of their own.
    ours = {kernel.__name__ for kernel in kernels_by_name().values()}
    assert ours.isdisjoint(missing_kernels())
    assert capfd.readouterr().out.startswith("compiled")
    assert run(["warmup", "--json"]) == 0
    facts = json.loads(capfd.readouterr().out)
    assert (facts["compiled"], facts["interrupted"]) == (0, False)


# ---- what a machine has


@pytest.mark.parametrize("workers", [64, 99_999])
def test_more_workers_than_cores_are_capped_for_the_same_result(workers: int) -> None:
    net, box = ps.zoo.random_network([3, 8, 8, 1], seed=0), ps.Box(-1, 1, dim=3)
    for method in ("walk", "split"):
        one = ps.enumerate_regions(net, box, method=method)
        many = ps.enumerate_regions(net, box, method=method, workers=workers)
        assert one.codes.tobytes() == many.codes.tobytes()
        assert one.edges.tobytes() == many.edges.tobytes()
    assert cores.usable_workers(workers) <= max(os.cpu_count() or 1, 4)
    assert cores.usable_workers(1) == 1


@pytest.mark.parametrize(
    ("megabytes", "workers"), [(150, 1), (250, 1), (400, 99_999), (600, 1), (3000, 99_999)]
)
def test_too_little_memory_is_one_sentence(megabytes: int, workers: int, tmp_path: Path) -> None:
    net = tmp_path / "net.npz"
    ps.zoo.random_network([2, 6, 6, 3], seed=4).save(net)

    def limit_memory() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))

    done = subprocess.run(
        [*COMMAND, "enumerate", str(net), "--box", "-1", "1", "--workers", str(workers), "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        preexec_fn=limit_memory,
        timeout=300,
    )
    assert done.returncode == (0 if megabytes > 1024 else 2), done.stderr
    if done.returncode:
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        assert "memory" in done.stderr
