"""Files that appear whole or not at all, and replace nothing unless they are asked to."""

from __future__ import annotations

import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from polyspline.errors import OutputError
from solvers.file_locks import try_lock

_LEFT_SECONDS = 3600.0
"""Age from which a temporary file counts as left behind on Windows, where none is locked."""

if sys.platform == "win32":

    def _claim(file: int) -> bool:
        """Whether no process holds the file: where an open file has no other name, only its age tells."""
        return time.time() - os.fstat(file).st_mtime > _LEFT_SECONDS

    def _hold(file: int) -> bool:
        """Let go of the file: an open one cannot be given its name."""
        os.close(file)
        return True

    def _release(file: int) -> None:
        """Nothing: it was let go of."""

else:
    _claim = _hold = try_lock
    _release = os.close


_PARTIAL = re.compile(r"\..*\.[0-9a-f]{16}\.polyspline\.partial(-journal)?", re.DOTALL)
"""Names of files that are being written; SQLite adds a journal to its own."""

_NAME_KEPT = 60
"""Characters of a file's name that the name of its temporary one begins with: long names stay possible."""

_TRIES = 20


def check_writable(path: Path, *, overwrite: bool = True, inputs: Sequence[Path] = ()) -> None:
    """Refuse a path that no file can be written to, before any work is done for it.

    Parameters
    ----------
    path
        The file to write. A symbolic link is a name that is taken; where overwriting is asked for, it
        is followed, and what it points at is written.
    overwrite
        Whether a file that is there may be replaced.
    inputs
        Files that are read for it: none of them is replaced, whatever is asked for.

    Raises
    ------
    OutputError
        If `path` is taken and not to be overwritten, is an input, a directory or no regular file, or if
        its folder is missing or refuses new files.
    """
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a directory; name a file.")
    if any(_same_file(path, source) for source in inputs):
        raise OutputError(f"cannot write {path}: it is the file that is read; name another.")
    if os.path.lexists(path):
        _check_replaceable(path, overwrite)
    target = _followed(path)
    folder = target.parent
    if not folder.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {folder}; create it or name another.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write {path}: no permission to write in {folder}; name another folder.")


def _same_file(one: Path, other: Path) -> bool:
    """Whether two names are of one file."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _check_replaceable(path: Path, overwrite: bool) -> None:
    """Refuse to replace what has the name already, unless it is a file that may be replaced."""
    if path.exists() and not path.is_file():
        raise OutputError(f"cannot write {path}: it is no regular file; name another.")
    if not overwrite:
        raise OutputError(
            f"{path}: exists already and is not overwritten; give --force (overwrite=True), or name another."
        )
    if path.exists() and not os.access(path, os.W_OK):
        raise OutputError(f"cannot write {path}: it may not be written to; name another.")


def _followed(path: Path) -> Path:
    """Where a file of this name is written: at the end of a symbolic link, also of one that leads nowhere."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


@contextmanager
def reserved_beside(path: Path) -> Iterator[Path]:
    """Reserve a temporary name beside `path` while the block runs; an empty file has it at first.

    The file is locked for as long: what a killed process leaves behind is not, and is removed here.
    Whatever has the name at the end is removed, and so is a journal beside it.

    Raises
    ------
    OSError
        If no file can be made there.
    """
    remove_leftovers(path.parent)
    temporary, file = _reserve(path)
    try:
        yield temporary
    finally:
        with suppress(OSError):
            _release(file)
        for leftover in (temporary, _journal_of(temporary)):
            # After it has been given its own name there is nothing left under this one.
            with suppress(OSError):
                leftover.unlink(missing_ok=True)


def _reserve(path: Path) -> tuple[Path, int]:
    """Make and lock an empty file beside `path`."""
    for attempt in range(_TRIES):
        kept = path.name[:_NAME_KEPT].encode("utf-8", "surrogateescape")[: 2 * _NAME_KEPT]
        name = f".{os.fsdecode(kept)}.{secrets.token_hex(8)}.polyspline.partial"
        temporary = path.with_name(name)
        file = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o666)
        # Between these two, another process may have taken the file for a leftover and removed it. Where
        # there are no locks at all, none is removed, and the last attempt goes on without.
        if (_hold(file) or attempt == _TRIES - 1) and temporary.exists():
            return temporary, file
        _release(file)
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    raise OSError(f"no temporary file could be kept beside {path}")


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove the temporary files that processes which were killed have left in a folder.

    Returns
    -------
    list of Path
        What was removed. A file that a process still writes is locked by it, and stays.
    """
    removed = []
    with suppress(OSError):
        names = [entry.name for entry in os.scandir(folder) if _PARTIAL.fullmatch(entry.name)]
        for path in (folder / name for name in names if not name.endswith("-journal")):
            if _remove_unclaimed(path):
                removed.append(path)
        for journal in (folder / name for name in names if name.endswith("-journal")):
            if not journal.with_name(journal.name.removesuffix("-journal")).exists():
                journal.unlink(missing_ok=True)
                removed.append(journal)
    return removed


def _remove_unclaimed(path: Path) -> bool:
    """Remove a file unless a process holds it."""
    try:
        file = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return False
    try:
        if not _claim(file):
            return False
        # Elsewhere than on Windows the lock is kept until the name is gone.
        if sys.platform != "win32":
            path.unlink(missing_ok=True)
    except OSError:
        return False
    finally:
        os.close(file)
    with suppress(OSError):
        path.unlink(missing_ok=True)
    return not path.exists()


def _journal_of(path: Path) -> Path:
    """Name that SQLite gives the journal of a database."""
    return path.with_name(f"{path.name}-journal")


def publish(temporary: Path, path: Path) -> None:
    """Give a whole file its final name; never replace what has the name.

    Raises
    ------
    FileExistsError
        If something has it, a symbolic link included.
    """
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links: claim the name first, then move onto our own claim.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        temporary.replace(path)


@contextmanager
def whole_file(path: Path, *, overwrite: bool = True) -> Iterator[BinaryIO]:
    """Open a binary file that takes the name `path` only once it is complete.

    The bytes go to a neighbour of `path` that takes its name, in one step, when
    the block ends. If the block fails, `path` is as it was before.

    Parameters
    ----------
    path, overwrite
        As `check_writable` takes them.

    Raises
    ------
    OutputError
        If the file cannot be created, written or put in its place.
    """
    check_writable(path, overwrite=overwrite)
    target = _followed(path)
    try:
        with reserved_beside(target) as temporary:
            with open(temporary, "r+b") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            if overwrite:
                with suppress(OSError):
                    os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
                os.replace(temporary, target)
            else:
                publish(temporary, target)
    except FileExistsError:
        _check_replaceable(path, overwrite)
        raise
    except OutputError:
        raise
    except OSError as failure:
        raise OutputError(f"cannot write {path}: {failure.strerror or failure}.") from failure
