"""Which sources a kernel is made of, and their digest.

A kernel's machine code holds the code of the parts that it calls, and the constants and the record types
that it names, wherever they are defined. All of them come into its module by import, directly or
through other modules, so the kernel is made of nothing but its own module and what that imports
when it is loaded.
"""

from __future__ import annotations

import functools
import hashlib
import re
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("polyspline", "solvers")
"""The packages whose sources a kernel can be made of."""

_PREFIXES = tuple(package.encode() for package in PACKAGES)

# Imports at the start of a line: what is imported within functions, or for types alone, is in no kernel.
_IMPORT = re.compile(
    rb"^(?:from[ \t]+([\w.]+)[ \t]+import[ \t]*(\([^)]*\)|[^\n#]*)|import[ \t]+([^\n#]+))", re.MULTILINE
)
_NAME = re.compile(rb"[A-Za-z_]\w*")


@functools.cache
def _roots() -> dict[str, Path]:
    """Folder of each package; it is found without being imported."""
    roots = {}
    for package in PACKAGES:
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            roots[package] = Path(spec.origin).parent
    return roots


@functools.cache
def _file_of(module: str) -> Path | None:
    """Source of a module of the packages; None for what is no such module."""
    package, *parts = module.split(".")
    root = _roots().get(package)
    if root is None:
        return None
    place = root.joinpath(*parts)
    source = place.with_name(place.name + ".py")
    if parts and source.is_file():
        return source
    package_source = place / "__init__.py"
    return package_source if package_source.is_file() else None


@functools.cache
def _read(source: Path) -> tuple[bytes, tuple[Path, ...]]:
    """Digest of a source, and the sources of the modules that it imports when it is loaded."""
    text = source.read_bytes()
    found: list[Path | None] = []
    for start, imported, modules in _IMPORT.findall(text):
        names = [start] if start else [part.split()[0] for part in modules.split(b",") if part.split()]
        for name in (name.decode() for name in names if name.startswith(_PREFIXES)):
            file = _file_of(name)
            found.append(file)
            if file is None or file.name == "__init__.py":  # the names of a package may be modules
                found.extend(_file_of(f"{name}.{one.decode()}") for one in _NAME.findall(imported))
    return hashlib.sha256(text).digest(), tuple(file for file in found if file is not None)


def sources_of(source: Path) -> list[Path]:
    """List the sources that the kernels of a module are made of, its own included, by their path.

    Parameters
    ----------
    source
        Source of the module.

    Returns
    -------
    list of Path

    Raises
    ------
    OSError
        If one of them cannot be read.
    """
    found: set[Path] = set()
    waiting = [source]
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting.extend(_read(file)[1])
    return sorted(found)


def digest_of(source: Path) -> str:
    """SHA-256 (hexadecimal) over all sources that the kernels of a module are made of.

    It depends on what they hold and on their place in the package, not on when they were written or
    where the package lies, so an installation by any other way has the same.

    Parameters
    ----------
    source
        Source of the module.

    Returns
    -------
    str

    Raises
    ------
    OSError
        If one of them cannot be read.
    """
    digest = hashlib.sha256()
    for name, content in sorted((_name_of(file), _read(file)[0]) for file in sources_of(source)):
        digest.update(name.encode() + b"\0" + content)
    return digest.hexdigest()


def _name_of(file: Path) -> str:
    """Path of a source from its package on."""
    for package, root in _roots().items():
        if file.is_relative_to(root):
            return f"{package}/{file.relative_to(root).as_posix()}"
    return file.name
