"""Exceptions of polyspline.

Every exception inherits from `PolysplineError` and from the builtin that fits,
so that callers may catch either. A message says where, what came, what was
expected and how to fix it, in one sentence.
"""

from __future__ import annotations

import importlib
from types import ModuleType


class PolysplineError(Exception):
    """Base class of every exception that polyspline raises on purpose."""


class ShapeError(PolysplineError, ValueError):
    """An array has the wrong number of dimensions or the wrong length."""


class NonFiniteError(PolysplineError, ValueError):
    """An array holds NaN or an infinity where finite numbers are needed."""


class InexactError(PolysplineError, ValueError):
    """A number is given that float64 cannot hold: rounded, it would be another one."""


class UnknownActivationError(PolysplineError, ValueError):
    """An activation is named that is not in the table of scalar units."""


class UnsupportedLayerError(PolysplineError, ValueError):
    """A module of a model cannot be expressed as a piecewise-affine layer."""


class NetworkFileError(PolysplineError, ValueError):
    """A network file is missing, damaged, or of a format that cannot be read."""


class DomainError(PolysplineError, ValueError):
    """A domain is empty, unbounded, flat, or of the wrong dimension."""


class StartError(PolysplineError, ValueError):
    """The start point of a walk is not a point of the domain."""


class TooLargeError(PolysplineError, ValueError):
    """Something is too large for what is asked of it; the message says what works instead."""


class ArgumentError(PolysplineError, ValueError):
    """An argument is out of its range."""


class RunFileError(PolysplineError, ValueError):
    """A run file is not ours, damaged, newer, or of another network or domain."""


class RunFileExistsError(RunFileError, FileExistsError):
    """A run file exists already and was not asked to be resumed."""


class OutputError(PolysplineError, OSError):
    """A file cannot be written where it was asked for."""


class ExportFormatError(PolysplineError, ValueError):
    """The suffix of an export or a picture names no known format."""


class PlotError(PolysplineError, ValueError):
    """A picture is asked for that the dimensions do not allow."""


class MissingExtraError(PolysplineError, ImportError):
    """An optional package is needed that is not installed."""


class InvariantError(PolysplineError, RuntimeError):
    """A law of the partition is broken: a defect of polyspline, please report it."""


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional package, or say which extra brings it.

    Parameters
    ----------
    module
        Dotted name of the module to import.
    extra
        Extra of the polyspline distribution that installs it.
    purpose
        What it is needed for, as it reads after "is needed to".

    Returns
    -------
    ModuleType
        The imported module (the leaf of the dotted name).

    Raises
    ------
    MissingExtraError
        If the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        root = module.partition(".")[0]
        raise MissingExtraError(
            f"{root} is needed to {purpose} and is not installed: pip install 'polyspline[{extra}]'."
        ) from missing
