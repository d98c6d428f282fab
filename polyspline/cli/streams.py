"""Standard streams of a command: closed, full, cut off or of few letters, a command ends as it would anyway.

`prepare` replaces `sys.stdout` and `sys.stderr` once, at the start of a process. A reader that goes away
(``polyspline ... | head``) is no error; a letter that the terminal's encoding does not have is spelt out.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
import unicodedata
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_SPELT = {
    "\u1d40": "^T",
    "\u00b0": " deg",
    "\u00d7": "x",
    "\u00b7": "*",
    "\u22c5": "*",
    "\u2212": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u2264": "<=",
    "\u2265": ">=",
    "\u2248": "~",
    "\u2192": "->",
    "\u221e": "inf",
    "\u2211": "sum",
    "\u221a": "sqrt",
    "\u03c3": "sigma",
    "\u03c9": "omega",
    "\u03a9": "Omega",
    "\u03b2": "beta",
    "\u03bb": "lambda",
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
}
"""Signs of the mathematics, spelt for an encoding that does not have them."""

_ERRORS = "polyspline.spelt"

_GONE = {errno.EPIPE, errno.ECONNRESET} | ({errno.EINVAL} if sys.platform == "win32" else set())
"""What a pipe says whose reader is gone."""


def spelt(text: str) -> str:
    """Spell out letters in ASCII: signs by their names, letters without their accents, else as escapes."""
    return "".join(_spelt_letter(letter) for letter in text)


def _spelt_letter(letter: str) -> str:
    if letter in _SPELT:
        return _SPELT[letter]
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    raised = {"<super>": "^", "<sub>": "_"}.get(unicodedata.decomposition(letter).split(" ")[0], "")
    return raised + plain if plain else letter.encode("ascii", "backslashreplace").decode()


def _spell(failure: UnicodeError) -> tuple[str, int]:
    """Handle what an encoding cannot show (see `codecs.register_error`)."""
    if not isinstance(failure, UnicodeEncodeError):
        raise failure
    return spelt(failure.object[failure.start : failure.end]), failure.end


class _Patient(io.FileIO):
    """The file under a standard stream: once it takes no more, what is written to it is dropped.

    A reader that is gone is not told of. Another failure is raised once, or not at all on stderr, where
    nothing could be said of it.
    """

    def __init__(self, file: int, *, silent: bool) -> None:
        super().__init__(file, "w", closefd=False)
        self._silent = silent
        self._over = False

    def write(self, data: ReadableBuffer, /) -> int:
        """Write as much as the file takes; all, where it takes no more."""
        size = memoryview(data).nbytes
        if self._over:
            return size
        try:
            return super().write(data)
        except OSError as failure:
            self._over = True
            if self._silent or failure.errno in _GONE:
                return size
            raise OSError(failure.errno, f"cannot write to stdout: {failure.strerror}") from failure


def prepare() -> None:
    """Make the standard streams of this process bear what a terminal or a pipe may do."""
    _open_closed()
    codecs.register_error(_ERRORS, _spell)
    sys.stdout = _patient(sys.stdout, 1, silent=False)
    sys.stderr = _patient(sys.stderr, 2, silent=True)


def _open_closed() -> None:
    """Open standard streams that were closed by whoever started us, so that no file takes their numbers."""
    for file in (0, 1, 2):
        try:
            os.fstat(file)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def _patient(stream: TextIO | None, file: int, *, silent: bool) -> TextIO:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    if stream is not None:
        try:
            if stream.fileno() != file:
                return stream
        except (OSError, ValueError):
            return stream  # it is no file: whoever put it there reads what we say
    raw = _Patient(file, silent=silent)
    lines = raw.isatty() or silent
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors=_ERRORS, line_buffering=lines, write_through=silent
    )
