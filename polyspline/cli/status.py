"""How a command ends: its exit status, and the sentence for what went wrong."""

from __future__ import annotations

import enum
import os
import sys
import traceback
from pathlib import Path
from types import TracebackType

from polyspline.text import one_line, visible

# Set to anything to see where an internal error came from.
TRACEBACK_VARIABLE = "POLYSPLINE_TRACEBACK"


class ExitStatus(enum.IntEnum):
    """Exit statuses of every sub-command."""

    DONE = 0
    INTERNAL_ERROR = 1
    BAD_INPUT = 2
    LIMIT = 3
    INTERRUPTED = 130


_run_files: list[Path] = []


def keeps_a_run(file: Path) -> None:
    """Note that a command keeps what it finds in a run file, from which it can be resumed."""
    _run_files.append(file)


def say(sentence: str) -> None:
    """Print a note on stderr, where it never mixes with a result."""
    print(visible(sentence), file=sys.stderr, flush=True)


def refuse(sentence: str) -> ExitStatus:
    """Print what is wrong with the input, on one line, and give the status for it."""
    say(f"error: {one_line(sentence)}")
    return ExitStatus.BAD_INPUT


def file_sentence(failure: OSError) -> str:
    """Say which file failed and how, for errors that come from the operating system."""
    named = f"{failure.filename}: " if failure.filename else ""
    return f"{named}{failure.strerror or failure}."


def report_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say in one sentence that polyspline failed and how to report it (a `sys.excepthook`).

    The interpreter exits with status 1 after this.
    """
    if os.environ.get(TRACEBACK_VARIABLE):
        traceback.print_exception(kind, error, trace)
    if issubclass(kind, MemoryError):
        kept = "; a run file keeps what was found, see --resume" if any(map(Path.is_file, _run_files)) else ""
        say(f"internal error: the memory is used up{kept}.")
        return
    described = one_line(str(error)) or "no message"
    say(
        f"internal error: {kind.__name__}: {described}; this is a defect of polyspline, please report it "
        f"with this line and what the same command prints under {TRACEBACK_VARIABLE}=1."
    )
