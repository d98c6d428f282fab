"""The boundary around what a reader meets in a file: what is the file's fault, and how it is told.

Three kinds of errors are told apart.

- What bytes raise in a parser that is not ours (zip, JSON, protobuf, npy): `ARCHIVE_DAMAGE` and the like,
  caught where that parser is called, so that nothing of ours is within reach.
- What values of the wrong kind lead to: they are looked at one by one where they enter, each with a
  sentence of its own (`polyspline.network.json_values`, `polyspline.network.onnx_call`), so that
  AttributeError, TypeError and KeyError further in are defects of ours, and are raised as such.
- What operators raise on shapes that do not fit, `DATA_ERRORS`: the framework's own operator is asked. If it
  does not take the inputs either, the file is at fault; if it does, ours fails on a good model, which is a
  defect and stays one.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from lzma import LZMAError

from polyspline.errors import NetworkFileError, TooLargeError
from polyspline.text import cut

ARCHIVE_DAMAGE = (
    # Names that are no UTF-8 are ValueErrors; encrypted members RuntimeErrors, unknown compression a
    # NotImplementedError, which is one; a member that the directory has and the file has not, a KeyError.
    ValueError, OSError, EOFError, KeyError, RuntimeError, OverflowError, IndexError,
    zipfile.BadZipFile, zlib.error, LZMAError, struct.error,
)  # fmt: skip
"""What zipfile raises on damaged bytes. It is caught around calls of zipfile only."""

DATA_ERRORS = (ValueError, IndexError, ArithmeticError, MemoryError)
"""What numpy, and arithmetic with sizes, raise on shapes and numbers that do not fit one another."""


def shortened(name: str) -> str:
    """Name out of a file as it is shown in a message: printable, in quotes, and not longer than a line."""
    return repr(cut(name, 80))


@contextmanager
def file_at_fault(what: str) -> Iterator[None]:
    """Mark the reading of a model file: what can come of its bytes alone becomes a sentence.

    Parameters
    ----------
    what : str
        What is read, as it reads at the start of a message.

    Raises
    ------
    NetworkFileError
        For a name that is no UTF-8: nothing but names out of files is decoded. For content that is nested
        deeper than the interpreter goes: nothing of ours recurses but along a file's own structure.
    TooLargeError
        If the memory is used up while it is read.

    Notes
    -----
    All other errors pass: they are sentences already, or defects.
    """
    try:
        yield
    except UnicodeError as wrong:
        raise NetworkFileError(f"{what} holds a name that is no UTF-8: it is damaged.") from wrong
    except RecursionError as deep:
        raise NetworkFileError(f"{what} is nested too deeply: it is damaged.") from deep
    except MemoryError as full:
        raise TooLargeError(f"{what} needs more memory to be read than there is.") from full
