"""Locks on files, by which processes see that another one is at work; they end with the process."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    import msvcrt

    def lock(file: int) -> None:
        """Lock an open file. OSError: another process holds it, or there are no locks."""
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

    def unlock(file: int) -> None:
        """Let go of a file."""
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def lock(file: int) -> None:
        """Lock an open file. BlockingIOError: another process holds it; OSError: there are no locks."""
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def unlock(file: int) -> None:
        """Let go of a file."""
        fcntl.flock(file, fcntl.LOCK_UN)


def try_lock(file: int) -> bool:
    """Lock an open file; False where another process holds it, or there are no locks."""
    try:
        lock(file)
    except OSError:
        return False
    return True
