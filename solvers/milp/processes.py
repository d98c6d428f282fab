"""Programs that are started for us: none is left running, and none holds a file open."""

from __future__ import annotations

import math
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Record:
    """What one thread has started."""

    limit_seconds: float
    processes: list[subprocess.Popen[Any]] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    timers: list[threading.Timer] = field(default_factory=list)

    def add(self, process: subprocess.Popen[Any], outputs: list[Any]) -> None:
        self.processes.append(process)
        self.outputs.extend(outputs)
        if math.isfinite(self.limit_seconds):
            timer = threading.Timer(self.limit_seconds, process.kill)
            timer.daemon = True
            timer.start()
            self.timers.append(timer)

    def close(self) -> None:
        for timer in self.timers:
            timer.cancel()
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        for output in self.outputs:
            if hasattr(output, "close"):
                output.close()


_records: dict[int, _Record] = {}
"""By thread."""

_lock = threading.Lock()

_POPEN = "Popen"
_ORIGINAL = subprocess.Popen


class _RecordedProcess(subprocess.Popen[Any]):
    """A process that is known to its thread's record, if it has one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        record = _records.get(threading.get_ident())
        if record is not None:
            record.add(self, [kwargs.get("stdout"), kwargs.get("stderr")])


@contextmanager
def children_end_with_us(limit_seconds: float) -> Iterator[None]:
    """Within it, the processes that this thread starts end when it is left, however it is left.

    Parameters
    ----------
    limit_seconds
        A process is also killed when it has run for longer than this: for solvers that do not
        keep to the limit that they were told. Infinite for no limit.

    Notes
    -----
    PuLP waits for the solvers that it starts, but on Ctrl-C it neither ends them nor closes their
    output. It holds them in local variables, so they are recorded as they start: `subprocess.Popen`
    is replaced by a subclass of itself while any thread is within.
    """
    me = threading.get_ident()
    with _lock:
        outer = _records.get(me)
        record = _records[me] = _Record(limit_seconds)
        setattr(subprocess, _POPEN, _RecordedProcess)
    try:
        yield
    finally:
        with _lock:
            if outer is None:
                del _records[me]
            else:
                _records[me] = outer
            if not _records:
                setattr(subprocess, _POPEN, _ORIGINAL)
        record.close()
