"""Solvers that run as programs of their own: none outlives us, and no folder of theirs stays."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from solvers.milp import folders
from tests.cli.conftest import ROOT

_CHILD = """
import subprocess, sys
from solvers.milp import leash, processes
if sys.argv[1] == "watched":  # as on systems that have no death signal
    processes.before_exec, processes.leash = (lambda: None), leash.watched
with processes.children_end_with_us(100.0):
    child = subprocess.Popen(["sleep", "100"])
    print(child.pid, flush=True)
    child.wait()
"""

_PROGRAM = """
import numpy as np
import polyspline as ps
net = ps.zoo.random_network([6, 40, 40, 8], seed=0)
ps.invert(net, np.full(8, 0.3), ps.Box(-1, 1, dim=6), method="milp", max_seconds=100.0)
"""


def is_alive(pid: int) -> bool:
    """Whether a process runs; a dead one that nobody has asked after does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ended(pid: int, seconds: float = 20.0) -> bool:
    until = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_alive(pid)


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(stat[1]) == pid:
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("how", ["native", "watched"])
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_does_not_outlive_its_parent(how: str, end: signal.Signals) -> None:
    command = [sys.executable, "-c", _CHILD, how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        others = children_of(parent.pid)
        assert is_alive(child)
        assert len(others) == (2 if how == "watched" else 1)
        parent.send_signal(end)
    assert ended(child)
    assert all(ended(other) for other in others)


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_cbc_ends_with_us_and_its_folder_is_removed_by_the_next(end: signal.Signals, tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", _PROGRAM], cwd=ROOT, env=environment) as parent:
        until = time.monotonic() + 120.0
        solvers: list[int] = []
        while not solvers and parent.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
            solvers = children_of(parent.pid)
        assert solvers
        parent.send_signal(end)
    assert all(ended(pid) for pid in solvers)
    assert len(list(tmp_path.glob("polyspline-milp-*"))) == 1
    code = (
        "from solvers.milp.folders import solver_folder\n"
        "with solver_folder() as folder: print(*folder.parent.iterdir())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert len(done.stdout.split()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_or_of_others_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "in-use").touch()
    (tmp_path / "polyspline-milp-link").symlink_to(precious)
    (tmp_path / "polyspline-milp-starting").mkdir()
    with folders.solver_folder() as folder:
        assert folders.remove_leftovers() == []
        assert folder.is_dir()
    assert (precious / "in-use").exists()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "polyspline-milp-link",
        "polyspline-milp-starting",
        "precious",
    ]
    shutil.rmtree(precious)
