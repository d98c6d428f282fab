"""Every compiled kernel, compiled ahead: ``python -m tests.kernels [PROCESSES]``.

Processes that run tests beside each other would each wait for the same kernels. Here they are compiled
before, each by one process, by the smallest of runs that needs them; where all are up to date
it takes the time that they take to load.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from polyspline.cli.warmup import RUNS

ROOT = Path(__file__).resolve().parent.parent


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
