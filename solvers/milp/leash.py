"""A child process that does not outlive this one, however this one ends: also by SIGKILL.

Linux sends the child a signal itself; Windows ends all processes of a job whose last handle is closed; on
other systems a shell waits for the end of a pipe that only this process can write to.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

_PR_SET_PDEATHSIG = 1
_SIGKILL = 9

# As it is here: `processes` replaces it, to see the children of others.
_Popen = subprocess.Popen

Release = Callable[[], None]
"""Lets a child go that has ended; to be called once."""

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _KILL_ON_JOB_CLOSE = 0x2000
    _EXTENDED_LIMITS = 9

    class _Limits(ctypes.Structure):
        """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

        _fields_ = (
            ("process_time", ctypes.c_int64),
            ("job_time", ctypes.c_int64),
            ("flags", wintypes.DWORD),
            ("least_working_set", ctypes.c_size_t),
            ("most_working_set", ctypes.c_size_t),
            ("processes", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("priority", wintypes.DWORD),
            ("scheduling", wintypes.DWORD),
            ("io", ctypes.c_uint64 * 6),
            ("memory", ctypes.c_size_t * 4),
        )

    def before_exec() -> Callable[[], None] | None:
        """Nothing is to be done in the child."""
        return None

    def leash(process: subprocess.Popen[Any]) -> Release:
        """Put a child into a job that ends with this process."""
        kernel = ctypes.WinDLL("kernel32")
        kernel.CreateJobObjectW.restype = wintypes.HANDLE
        job = wintypes.HANDLE(kernel.CreateJobObjectW(None, None))
        limits = _Limits(flags=_KILL_ON_JOB_CLOSE)
        kernel.SetInformationJobObject(job, _EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits))
        kernel.AssignProcessToJobObject(job, wintypes.HANDLE(int(process._handle)))
        return lambda: kernel.CloseHandle(job)

elif sys.platform == "linux":
    import ctypes

    _prctl = ctypes.CDLL(None).prctl

    def before_exec() -> Callable[[], None] | None:
        """Give what the child does before it becomes the solver: ask for SIGKILL at the end of its parent."""
        parent = os.getpid()

        def ask() -> None:
            _prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
            if os.getppid() != parent:  # it has ended already
                os._exit(1)

        return ask

    def leash(process: subprocess.Popen[Any]) -> Release:
        """Nothing is left to be done: see `before_exec`."""
        return lambda: None

else:

    def before_exec() -> Callable[[], None] | None:
        """Nothing is to be done in the child."""
        return None

    def leash(process: subprocess.Popen[Any]) -> Release:
        """Have a child watched: see `watched`."""
        return watched(process)


def watched(process: subprocess.Popen[Any]) -> Release:
    """Have a shell kill a child once this process is gone, whose end of a pipe is closed then (POSIX)."""
    theirs, ours = os.pipe()
    shell = _Popen(
        ["/bin/sh", "-c", f"read nothing; kill -9 {process.pid}"],
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(theirs)

    def release() -> None:
        # The shell goes first: at the end of the pipe it would kill whoever has the number by then.
        shell.kill()
        shell.wait()
        os.close(ours)

    return release
