"""Reading the arrays that ``polyspline invert`` takes: targets and measurements."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from polyspline.errors import ArgumentError, NonFiniteError, ShapeError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

_FORMATS = "expected a .npy, .csv or .json file with numbers"
# All that damaged bytes raise in numpy's reader, in that of JSON and in plain text.
_DAMAGE = (ValueError, TypeError, SyntaxError, EOFError, OSError, RecursionError, MemoryError)


def read_targets(path: Path, length: int) -> tuple[Floats, bool]:
    """Read one target or several from a file: ``.npy``, ``.csv`` or ``.json``.

    An array that holds as many numbers as one target is one target, whatever
    its shape: an image need not be flattened first, nor a column turned.

    Parameters
    ----------
    path
        The file; ``.json`` is a list of numbers, or lists of them.
    length
        Numbers in one target, T.

    Returns
    -------
    targets
        (B, T), finite.
    several
        False if the file holds one target and no list of targets; B is 1 then.

    Raises
    ------
    ArgumentError
        If the file is missing, damaged, or of another format.
    ShapeError, NonFiniteError
        If its shape fits no target, or a number in it is not finite.
    """
    import numpy as np

    values = _read(path, "x")
    several = values.size != length
    if several and (values.ndim < 2 or values.size != len(values) * length or not len(values)):
        raise ShapeError(
            f"x in {path} has {_shape(values)}; expected {length} numbers, or a row of {length} for each x."
        )
    _require_finite(values, path, "x")
    return np.ascontiguousarray(values.reshape(-1, length)), several


def read_measure(path: Path, ambient_dim: int) -> tuple[Floats, Floats | None]:
    """Read a measurement ``x -> matrix @ x + offset`` from a file: ``.npz``, ``.npy``, ``.csv`` or ``.json``.

    Parameters
    ----------
    path
        The file; ``.npz`` holds ``matrix`` and, if there is one, ``offset``, the others the matrix.
    ambient_dim
        Outputs of the network, D.

    Returns
    -------
    matrix
        (T, D), finite.
    offset
        (T,), finite, or None.

    Raises
    ------
    ArgumentError
        If the file is missing, damaged, or of another format.
    ShapeError, NonFiniteError
        If an array has another shape, or a number in it is not finite.
    """
    import numpy as np

    offset: Floats | None = None
    if path.suffix.lower() == ".npz":
        from polyspline.network.npz import read_arrays

        arrays = read_arrays(path, error=ArgumentError, what="measure")
        if "matrix" not in arrays or not arrays.keys() <= {"matrix", "offset"}:
            raise ArgumentError(
                f"measure file {str(path)!r} holds {', '.join(sorted(arrays)) or 'nothing'}; expected matrix "
                f"(T, {ambient_dim}) and, if there is one, offset (T,)."
            )
        matrix = _as_numbers(arrays["matrix"], path, "measure")
        if "offset" in arrays:
            offset = _as_numbers(arrays["offset"], path, "measure")
    else:
        matrix = _read(path, "measure")
    if matrix.ndim != 2 or matrix.shape[1] != ambient_dim or not len(matrix):
        raise ShapeError(
            f"measure in {path} has {_shape(matrix)}; expected a matrix (T, {ambient_dim}), a column for "
            "each output of the network."
        )
    if offset is not None and offset.shape != (len(matrix),):
        raise ShapeError(
            f"the offset of measure in {path} has {_shape(offset)}; expected ({len(matrix)},), a number for "
            "each row of the matrix."
        )
    for array in (matrix, *(() if offset is None else (offset,))):
        _require_finite(array, path, "measure")
    return np.ascontiguousarray(matrix), offset


def _read(path: Path, what: str) -> Floats:
    """Read an array of real numbers of any shape."""
    if not path.is_file():
        came = "it is a folder" if path.is_dir() else "there is no such file"
        raise ArgumentError(f"cannot read {what} from {path}: {came}; {_FORMATS}.")
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        came = f"suffix {suffix!r} names no format that is read" if suffix else "its name has no suffix"
        raise ArgumentError(f"cannot read {what} from {path}: {came}; {_FORMATS}.")
    try:
        # numpy leaves a file that it opened itself open when it fails.
        with path.open("rb") as stream:
            return _as_numbers(_READERS[suffix](stream), path, what)
    except (ArgumentError, ShapeError):
        raise
    except _DAMAGE as wrong:
        raise ArgumentError(f"cannot read {what} from {path}: {wrong}; {_FORMATS}.") from wrong


def _read_npy(stream: BinaryIO) -> Any:
    from numpy.lib.format import read_array

    return read_array(stream, allow_pickle=False)


def _read_json(stream: BinaryIO) -> Any:
    import json

    return json.load(stream)


def _read_csv(stream: BinaryIO) -> Any:
    return _rows(stream.read().decode("utf-8-sig"))


_READERS: dict[str, Callable[[BinaryIO], Any]] = {".npy": _read_npy, ".csv": _read_csv, ".json": _read_json}


def _rows(text: str) -> list[list[float]]:
    """Numbers of a text, line by line, between commas, semicolons or blanks; ``#`` begins a remark."""
    lines = (line.partition("#")[0].replace(",", " ").replace(";", " ").split() for line in text.splitlines())
    return [[float(word) for word in words] for words in lines if words]


def _as_numbers(content: Any, path: Path, what: str) -> Floats:
    """Array of float64 from what a file held, if that is numbers in a regular shape."""
    import numpy as np

    from polyspline.cpa.matrices import exact_floats

    try:
        values = np.asarray(content)
    except ValueError as ragged:
        raise ShapeError(f"{what} in {path} has rows of different lengths; {_FORMATS}.") from ragged
    if values.dtype.kind not in "iuf" or values.ndim == 0:
        raise ArgumentError(
            f"cannot read {what} from {path}: it does not hold a list of numbers; {_FORMATS}."
        )
    return exact_floats(content, f"{what} in {path}")


def _require_finite(values: Floats, path: Path, what: str) -> None:
    """Refuse NaN and infinities."""
    import numpy as np

    if not np.isfinite(values).all():
        first = np.argwhere(~np.isfinite(values))[0]
        place = ", ".join(map(str, first.tolist()))
        raise NonFiniteError(
            f"{what} in {path}: entry {place} is {values[tuple(first)]}; expected finite numbers."
        )


def _shape(values: Floats) -> str:
    return f"shape {values.shape}" if values.ndim != 1 else f"length {len(values)}"
