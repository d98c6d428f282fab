"""Programs that are started for us: none is left running, and none holds a file open."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_POLL_SECONDS = 0.1


@dataclass
class _Record:
    """What one thread has started."""

    limit_seconds: float
    stopped: Callable[[], bool]
    processes: list[subprocess.Popen[Any]] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    def add(self, process: subprocess.Popen[Any], outputs: list[Any]) -> None:
        self.processes.append(process)
        self.outputs.extend(outputs)
        threading.Thread(target=self._watch, args=(process,), daemon=True).start()

    def _watch(self, process: subprocess.Popen[Any]) -> None:
        """End a process at the limit, or when it is to stop."""
        until = time.monotonic() + self.limit_seconds
        while not self.closed.wait(_POLL_SECONDS) and process.poll() is None:
            if time.monotonic() > until or self.stopped():
                process.kill()
                return

    def close(self) -> None:
        self.closed.set()
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
def children_end_with_us(limit_seconds: float, stopped: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Within it, the processes that this thread starts end when it is left, however it is left.

    Parameters
    ----------
    limit_seconds
        A process is also killed when it has run for longer than this: for solvers that do not
        keep to the limit that they were told. Infinite for no limit.
    stopped
        Asked ten times a second: once true, the processes are killed.

    Notes
    -----
    PuLP waits for the solvers that it starts, but on Ctrl-C it neither ends them nor closes their
    output. It holds them in local variables, so they are recorded as they start: `subprocess.Popen`
    is replaced by a subclass of itself while any thread is within.
    """
    me = threading.get_ident()
    with _lock:
        outer = _records.get(me)
        record = _records[me] = _Record(limit_seconds, stopped)
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
