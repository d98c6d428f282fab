"""A process that reads files one after the other, with little memory: ``python -m tests.fuzz.readers_child``.

A line on its standard input is the path of a file; the answer is a line of JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import resource
import sys
import time
import traceback
from pathlib import Path

MEMORY = 4 * 2**30
"""Bytes of address space that reading a file may take."""


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def answer(path: str) -> dict[str, object]:
    """Read a file as the command line does: its exit status, and what it says."""
    from polyspline.cli.app import run
    from polyspline.cli.status import refuse
    from polyspline.domains import load_domain
    from polyspline.errors import InvariantError, PolysplineError

    out, err = io.StringIO(), io.StringIO()
    began = time.perf_counter()
    status = 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            if path.endswith(".domain.npz"):
                try:
                    load_domain(path)
                except InvariantError:
                    raise
                except PolysplineError as wrong:
                    status = refuse(str(wrong))
            else:
                status = run(["info", path])
    except MemoryError:
        status, err = 1, io.StringIO("MemoryError")
    except BaseException as defect:  # whatever it is, the command would end with 1
        last = traceback.extract_tb(defect.__traceback__)[-1]
        status, err = (
            1,
            io.StringIO(f"{type(defect).__name__}: {str(defect)[:300]} ({last.filename}:{last.lineno})"),
        )
    return {"status": int(status), "said": err.getvalue()[:20_000], "seconds": time.perf_counter() - began}


def main() -> None:
    """Answer until there are no more lines."""
    import torch

    torch.zeros(1, device="meta").add(1)
    answer("nothing.npz")
    limit = _address_space() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(line.rstrip("\n"))), flush=True)


if __name__ == "__main__":
    main()
