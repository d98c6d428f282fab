"""Networks from files: one reader for each suffix."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from polyspline.errors import (
    ArgumentError,
    NetworkFileError,
    NonFiniteError,
    ShapeError,
    UnknownActivationError,
)
from polyspline.network.network import Network
from polyspline.network.npz import read_arrays


def _read_npz(path: Path) -> Network:
    source = f"network file {str(path)!r}"
    arrays = read_arrays(path)
    try:
        return Network.from_arrays(arrays, source=source)
    except (ShapeError, NonFiniteError, UnknownActivationError, ArgumentError) as wrong:
        raise type(wrong)(f"{source}: {wrong}") from wrong


READERS: dict[str, Callable[[Path], Network]] = {".npz": _read_npz}
"""Reader by suffix."""

_NOT_READABLE_YET = {".onnx": "ONNX", ".pt": "torch", ".pt2": "torch", ".pth": "torch"}


def load_network(path: str | os.PathLike[str]) -> Network:
    """Network from a file.

    Parameters
    ----------
    path : path
        An ``.npz`` file with ``weight_0``, ``bias_0``, ``weight_1``, ``bias_1`` … (weights (out, in),
        as torch has them) and ``activation``, an array of strings, one for each layer.

    Returns
    -------
    Network

    Raises
    ------
    NetworkFileError
        If the file is missing, damaged or of another format.
    ShapeError, NonFiniteError, UnknownActivationError, ArgumentError
        If its content is no network; the message names the file and the layer.

    Notes
    -----
    A file never runs code: pickled content is refused.
    """
    name = os.fspath(path)
    suffix = Path(path).suffix.lower()
    if suffix in _NOT_READABLE_YET:
        raise NetworkFileError(
            f"network file {name!r}: {_NOT_READABLE_YET[suffix]} files are not readable yet; load the model "
            "and save it with Network.from_torch(module).save('model.npz')."
        )
    if suffix not in READERS:
        raise NetworkFileError(
            f"network file {name!r} has an unknown suffix {suffix!r}; expected {', '.join(READERS)}."
        )
    return READERS[suffix](Path(path))
