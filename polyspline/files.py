"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from polyspline.errors import OutputError


def check_writable(path: Path) -> None:
    """Refuse a path that no file can be written to, before any work is done for it.

    Raises
    ------
    OutputError
        If `path` is a directory, or its folder is missing or refuses new files.
    """
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a directory; name a file.")
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(f"cannot write {path}: there is no folder {folder}; create it or name another.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write {path}: no permission to write in {folder}; name another folder.")


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a binary file that takes the name `path` only once it is complete.

    The bytes go to a neighbour of `path` that replaces it, in one step, when
    the block ends. If the block fails, `path` is as it was before.

    Raises
    ------
    OutputError
        If the file cannot be created, written or put in its place.
    """
    check_writable(path)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with open(partial, "xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except OSError as failure:
        raise OutputError(f"cannot write {path}: {failure.strerror or failure}.") from failure
    finally:
        # After the replacement there is nothing left under this name.
        with suppress(OSError):
            partial.unlink(missing_ok=True)
