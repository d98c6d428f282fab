"""Folders for the files of solvers, of which none stays for long."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from solvers.file_locks import lock, try_lock

_PREFIX = "polyspline-milp-"
_LOCK = "in-use"


@contextmanager
def solver_folder() -> Iterator[Path]:
    """Make a folder that is removed at the end of the block.

    A killed process leaves its folder behind, but not locked: the next one removes it.
    """
    remove_leftovers()
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        file = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with suppress(OSError):
                lock(file)
            yield folder
        finally:
            os.close(file)


def remove_leftovers() -> list[Path]:
    """Remove the folders that processes of this user left when they were killed; gives them."""
    removed = []
    with suppress(OSError):
        for entry in os.scandir(tempfile.gettempdir()):
            if entry.name.startswith(_PREFIX) and _is_left(entry):
                shutil.rmtree(entry.path, ignore_errors=True)
                removed.append(Path(entry.path))
    return removed


def _is_left(entry: os.DirEntry[str]) -> bool:
    """Whether a folder is ours, and no process holds it."""
    try:
        owner = entry.stat(follow_symlinks=False).st_uid
        if not entry.is_dir(follow_symlinks=False) or (hasattr(os, "getuid") and owner != os.getuid()):
            return False
        file = os.open(os.path.join(entry.path, _LOCK), os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return False  # not there yet, or not any more
    try:
        return try_lock(file)
    finally:
        os.close(file)
