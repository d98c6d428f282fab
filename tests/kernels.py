"""Every compiled kernel, compiled ahead: ``python -m tests.kernels [PROCESSES]``.

Processes that run tests beside each other would each wait for the same kernels. Here they are compiled
before, each by one process, by the smallest of runs that needs them; where all are up to date
it takes the time that they take to load.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

import polyspline as ps

ROOT = Path(__file__).resolve().parent.parent

_NET = ps.zoo.random_network((2, 4, 4, 3), "relu", seed=0)
_BOX = ps.Box(-1, 1, dim=2)


def _split() -> None:
    ps.enumerate_regions(_NET, _BOX, method="split")


def _walk() -> None:
    part = ps.enumerate_regions(_NET, _BOX, method="walk")
    assert part.n_affine_regions > 0


def _balls() -> None:
    for norm in ("l2", "linf"):
        ps.local_complexity(_NET, np.zeros((2, 2)), 0.5, norm=norm, domain=_BOX)


def _search() -> None:
    for norm in ("l2", "linf", "l1"):
        ps.invert(_NET, np.array([0.3, -2.0, 1.5]), _BOX, norm=norm)


def _prove() -> None:
    assert ps.prove(ps.enumerate_regions(_NET, _BOX, method="walk")).check()[0] == 0


# The longest first, so that the processes end together.
RUNS: dict[str, Callable[[], None]] = {
    "walk": _walk,
    "split": _split,
    "search": _search,
    "balls": _balls,
    "prove": _prove,
}


def compile_kernels(processes: int) -> None:
    """Compile all kernels that are not up to date, in so many processes.

    Raises
    ------
    CalledProcessError
        If a run fails.
    """
    waiting = list(RUNS)
    working: dict[str, subprocess.Popen[bytes]] = {}
    while waiting or working:
        while waiting and len(working) < processes:
            name = waiting.pop(0)
            working[name] = subprocess.Popen([sys.executable, "-m", "tests.kernels", name], cwd=ROOT)
        for name, process in list(working.items()):
            try:
                status = process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            del working[name]
            if status:
                raise subprocess.CalledProcessError(status, process.args)


if __name__ == "__main__":
    asked = sys.argv[1:] or ["1"]
    if asked[0] in RUNS:
        RUNS[asked[0]]()
    else:
        compile_kernels(int(asked[0]))
