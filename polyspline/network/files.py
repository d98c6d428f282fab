"""Networks from files: one reader for each suffix."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from polyspline.errors import InvariantError, MissingExtraError, NetworkFileError, PolysplineError
from polyspline.network.boundary import file_at_fault
from polyspline.network.limits import DEFAULT, Budget, Limits
from polyspline.network.network import Network
from polyspline.network.npz import read_arrays
from polyspline.text import LONGEST_SENTENCE, LONGEST_WORD, cut
from solvers.float_mode import gradual_underflow


def _read_npz(path: Path, drop_output_activation: bool, limits: Limits) -> Network:
    return Network.from_arrays(read_arrays(path, limits=limits), source=f"network file {str(path)!r}")


def _read_onnx(path: Path, drop_output_activation: bool, limits: Limits) -> Network:
    return Network.from_onnx(path, drop_output_activation, limits)


def _read_torch(path: Path, drop_output_activation: bool, limits: Limits) -> Network:
    from polyspline.network.from_torch import lower_program
    from polyspline.network.torch_archive import read_program

    budget = Budget(limits)
    return Network(lower_program(read_program(path, budget), drop_output_activation, budget))


READERS: dict[str, Callable[[Path, bool, Limits], Network]] = {
    ".npz": _read_npz, ".onnx": _read_onnx, ".pt2": _read_torch, ".pt": _read_torch, ".pth": _read_torch,
}  # fmt: skip
"""Reader by suffix."""


@gradual_underflow()
def load_network(
    path: str | os.PathLike[str], drop_output_activation: bool = False, limits: Limits = DEFAULT
) -> Network:
    """Network from a file.

    Parameters
    ----------
    path : path
        An ``.npz`` file with ``weight_0``, ``bias_0``, ``weight_1``, ``bias_1`` … (weights (out, in),
        as torch has them) and ``activation``, an array of strings, one for each layer; or an ONNX
        model, ``.onnx``; or an exported program of torch, ``.pt2`` or ``.pt`` (``torch.export.save``).
    drop_output_activation : bool
        Whether a smooth function at the very end of a model is left out, see `Network.from_torch`.
    limits : Limits
        How much a file may ask for; ``Limits() * 10`` is ten times as much as by default.

    Returns
    -------
    Network

    Raises
    ------
    NetworkFileError
        If the file is missing, damaged or of another format.
    UnsupportedLayerError
        If something in the model is not piecewise affine and continuous.
    ShapeError, NonFiniteError, UnknownActivationError, ArgumentError
        If its content is no network; the message names the file and the layer.
    TooLargeError
        If the file asks for more than the limits.
    MissingExtraError
        If the package that reads the format is not installed.

    Notes
    -----
    A file never runs code: pickled content is refused. It need not be trusted: what it makes the reader
    allocate and compute is limited, see `polyspline.network.limits`.
    """
    name = os.fspath(path)
    suffix = Path(path).suffix.lower()
    if suffix not in READERS:
        raise NetworkFileError(
            f"network file {cut(name, LONGEST_WORD)!r} has an unknown suffix {cut(suffix, 40)!r}; "
            f"expected {', '.join(READERS)}."
        )
    source = f"network file {str(Path(path))!r}"
    try:
        with file_at_fault(source):
            return READERS[suffix](Path(path), drop_output_activation, limits)
    except (MissingExtraError, InvariantError):
        raise
    except PolysplineError as wrong:
        message = cut(str(wrong), LONGEST_SENTENCE)
        raise type(wrong)(message if message.startswith(source) else f"{source}: {message}") from wrong
