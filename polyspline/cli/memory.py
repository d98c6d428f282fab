"""Memory that a command needs at the least: too little ends it with a sentence, not in the compiler.

The compiler of the kernels ends the whole process where it is given no memory, and there is no way to say
anything after that.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress
from pathlib import Path

from polyspline.errors import TooLargeError

ADDRESSES = 1 << 30
"""Bytes of address space: compiling takes some 0.9 GB, most of it never touched."""

RESIDENT = 450 * 10**6
"""Bytes in use: compiling takes some 0.4 GB."""

_CGROUP_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def check_memory() -> None:
    """Refuse to begin where this process is allowed less memory than the least run takes.

    Raises
    ------
    TooLargeError
        It says how much is allowed, by what, and how much is needed.
    """
    for what, allowed, needed in [*_resource_limits(), *_cgroup_limits()]:
        if allowed < needed:
            raise TooLargeError(
                f"the memory of this process is limited to {allowed / 1e9:.2f} GB ({what}), and polyspline "
                f"takes at least {needed / 1e9:.2f} GB: raise the limit."
            )


def _resource_limits() -> list[tuple[str, int, int]]:
    """Limits of the process itself, which POSIX has."""
    if sys.platform == "win32":
        return []
    resource = importlib.import_module("resource")
    found = []
    for name, option, needed in (("RLIMIT_AS", "v", ADDRESSES), ("RLIMIT_DATA", "d", RESIDENT)):
        soft = resource.getrlimit(getattr(resource, name))[0] if hasattr(resource, name) else -1
        if soft not in (resource.RLIM_INFINITY, -1):
            found.append((f"ulimit -{option}", int(soft), needed))
    return found


def _cgroup_limits() -> list[tuple[str, int, int]]:
    """Limit of the container, on Linux."""
    found = []
    for name in _CGROUP_FILES:
        with suppress(OSError, ValueError):
            found.append(("its control group", int(Path(name).read_text()), RESIDENT))
    return found
