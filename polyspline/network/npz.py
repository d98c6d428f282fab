"""Files of plain arrays, ``.npz``: read and written without ever running code from a file."""

from __future__ import annotations

import os
import re
import warnings
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from numpy.lib import format as npy_format

from polyspline.cpa.matrices import Matrix, SparseMatrix, exact_floats
from polyspline.errors import NetworkFileError, PolysplineError, TooLargeError
from polyspline.files import whole_file
from polyspline.network.boundary import ARCHIVE_DAMAGE, shortened
from polyspline.network.limits import DEFAULT, Limits

Arrays = dict[str, npt.NDArray[Any]]

_MOST_AXES = 32
"""Axes that an array of a file may have."""

_NUMBERED = re.compile(r"(weight|bias)_(0|[1-9][0-9]*)")
_SPARSE = ("data", "indices", "indptr", "shape")
_FORMAT = "weight_0, bias_0, weight_1, bias_1, ... and activation"
# What numpy's parser of headers raises on text that is none: it is Python's own parser, behind a tokenizer.
_HEADER_DAMAGE = (
    ValueError,
    TypeError,
    SyntaxError,
    TokenError,
    OverflowError,
    RecursionError,
    KeyError,
    MemoryError,
)
_HEADERS = {
    (1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0,
    (3, 0): npy_format.read_array_header_2_0,
}  # fmt: skip
"""Readers of headers by version; 3 is 2 with names of fields in UTF-8, and fields are refused."""


def read_arrays(
    path: str | os.PathLike[str],
    *,
    error: type[PolysplineError] = NetworkFileError,
    what: str = "network",
    limits: Limits = DEFAULT,
) -> Arrays:
    """All arrays of an ``.npz`` file.

    Parameters
    ----------
    path : path
    error : exception class
        What to raise if the file cannot be read.
    what : str
        What the file is, for messages.
    limits : Limits
        What the file may unpack to.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    error
        If the file is missing, a folder, not readable, empty, not a zip archive, truncated or
        otherwise damaged, or holds pickled objects (which are never loaded).
    TooLargeError
        If its members, the unused ones too, unpack to more than the limits allow.
    """
    place = Path(path)
    name = f"{what} file {os.fspath(path)!r}"
    if not place.exists():
        raise error(f"{name} does not exist.")
    if place.is_dir():
        raise error(f"{name} is a folder; expected an .npz file.")
    try:
        with place.open("rb") as stream:
            start = stream.read(4)
    except OSError as failure:
        raise error(f"{name} cannot be read: {failure.strerror or failure}.") from failure
    if not start:
        raise error(f"{name} is empty; expected an .npz archive.")
    if start not in (b"PK\x03\x04", b"PK\x05\x06"):
        raise error(f"{name} is not an .npz (zip) archive: write it with numpy.savez.")
    arrays: Arrays = {}
    try:
        with zipfile.ZipFile(place) as archive:
            members = archive.infolist()
            limits.check("unpacked_bytes", sum(member.file_size for member in members), name)
            for member in members:
                with archive.open(member) as stream:
                    key = member.filename.removesuffix(".npy")
                    arrays[key] = read_npy(stream, member.file_size, f"{name}: {shortened(key)}", error)
    except PolysplineError:
        raise
    except ARCHIVE_DAMAGE as damage:
        raise error(f"{name} is truncated or damaged ({type(damage).__name__}): write it again.") from damage
    except MemoryError as full:
        raise TooLargeError(f"{name} does not fit into memory.") from full
    return arrays


def read_npy(stream: IO[bytes], size: int, name: str, error: type[PolysplineError]) -> npt.NDArray[Any]:
    """Array in numpy's own format; no more is allocated than there are bytes.

    Parameters
    ----------
    stream : binary stream
    size : int
        Bytes that it has.
    name : str
        What it is, as it reads at the start of a message.
    error : exception class
        What to raise if it cannot be read.

    Returns
    -------
    ndarray

    Raises
    ------
    error
        If the header is none, the array has pickled objects or anything but numbers and strings, or the
        member has other than the bytes that the header tells of.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old headers, and of Python that no header holds
            version = npy_format.read_magic(stream)
            shape, by_columns, dtype = _HEADERS[version](stream)
    except _HEADER_DAMAGE as damage:
        raise error(
            f"{name} is no array, or its header is damaged ({type(damage).__name__}); write it again with "
            "numpy.savez."
        ) from damage
    if dtype.hasobject:
        raise error(
            f"{name} holds pickled objects, which are never loaded because they can run code: "
            "save plain arrays of numbers and strings."
        )
    if dtype.kind not in "biufcUS" or dtype.itemsize < 1 or min(shape, default=0) < 0:
        raise error(f"{name} has shape {shape} of {dtype}; expected an array of numbers or strings.")
    if prod(shape) * dtype.itemsize > size or len(shape) > _MOST_AXES:
        raise error(f"{name} has the shape {shape} in its header, but only {size:,} bytes; write it again.")
    content = stream.read()
    if len(content) != prod(shape) * dtype.itemsize:
        raise error(
            f"{name} has {len(content):,} bytes of numbers, but its header tells of "
            f"{prod(shape) * dtype.itemsize:,}; write it again."
        )
    flat = (
        np.frombuffer(bytearray(content), dtype=dtype, count=prod(shape)) if content else np.empty(0, dtype)
    )
    return flat.reshape(shape, order="F" if by_columns else "C")


def write_arrays(
    path: str | os.PathLike[str], arrays: Mapping[str, npt.NDArray[Any]], *, overwrite: bool = True
) -> None:
    """Write an ``.npz`` file that appears at once and whole.

    Parameters
    ----------
    path : path
    arrays : mapping of str to ndarray
    overwrite : bool
        Whether a file that is there is replaced; else it is refused.

    Raises
    ------
    OutputError
        If the file cannot be written; nothing is left behind.
    """
    with whole_file(Path(path), overwrite=overwrite) as stream:
        np.savez(stream, allow_pickle=False, **arrays)


def _numbering(arrays: Mapping[str, npt.NDArray[Any]], source: str) -> int:
    """Count the layers; the weights and the biases must be numbered without a gap."""
    numbers: dict[str, set[int]] = {"weight": set(), "bias": set()}
    for key in arrays:
        match = _NUMBERED.fullmatch(key.removesuffix("_data"))
        if match:
            numbers[match.group(1)].add(int(match.group(2)))
    count = max((number + 1 for found in numbers.values() for number in found), default=0)
    if count == 0:
        raise NetworkFileError(f"{source} holds no weight_0; expected {_FORMAT}.")
    for kind, found in numbers.items():
        for number in range(count):
            if number not in found:
                raise NetworkFileError(
                    f"{source} holds no {kind}_{number}, though it has layers up to {count - 1}; "
                    f"expected {_FORMAT}."
                )
    return count


def _activations(arrays: Mapping[str, npt.NDArray[Any]], count: int, source: str) -> list[str]:
    if "activation" not in arrays:
        raise NetworkFileError(
            f"{source} holds no activation; expected an array of {count} strings, one for each layer."
        )
    spellings = arrays["activation"]
    if spellings.dtype.kind not in "US" or spellings.ndim != 1 or len(spellings) != count:
        raise NetworkFileError(
            f"{source}: activation must be an array of {count} strings, one for each layer, "
            f"got shape {spellings.shape} of {spellings.dtype}."
        )
    if spellings.dtype.kind == "S":
        spellings = np.char.decode(spellings, "latin-1")
    return [str(text) for text in spellings]


def network_parts(
    arrays: Mapping[str, npt.NDArray[Any]], source: str
) -> tuple[list[npt.NDArray[Any] | SparseMatrix], list[npt.NDArray[Any]], list[str]]:
    """Weights, biases and activations out of the arrays of a network file.

    Parameters
    ----------
    arrays : mapping of str to ndarray
    source : str
        Where they come from, for messages.

    Returns
    -------
    weights : list of ndarray or scipy.sparse.csr_array
        Real, of two dimensions.
    biases : list of ndarray
        Real, of one dimension.
    activations : list of str

    Raises
    ------
    NetworkFileError
        If a key is missing, the numbering has a gap, an array is not real or has another number
        of dimensions, or the activations are not one string for each layer.
    """
    count = _numbering(arrays, source)
    weights = [
        _sparse(arrays, number, source)
        if f"weight_{number}_data" in arrays
        else _real(arrays, f"weight_{number}", 2, source)
        for number in range(count)
    ]
    biases = [_real(arrays, f"bias_{number}", 1, source) for number in range(count)]
    return weights, biases, _activations(arrays, count, source)


def _real(arrays: Mapping[str, npt.NDArray[Any]], key: str, dimensions: int, source: str) -> npt.NDArray[Any]:
    array = arrays[key]
    if array.dtype.kind not in "iuf" or array.ndim != dimensions:
        raise NetworkFileError(
            f"{source}: {key} must be an array of real numbers with {dimensions} dimension(s), "
            f"got shape {array.shape} of {array.dtype}."
        )
    return array


def _sparse(arrays: Mapping[str, npt.NDArray[Any]], number: int, source: str) -> SparseMatrix:
    """Sparse weights of a layer: compressed rows, as scipy has them."""
    missing = [part for part in _SPARSE if f"weight_{number}_{part}" not in arrays]
    if missing:
        raise NetworkFileError(
            f"{source} holds weight_{number}_data, but no weight_{number}_{missing[0]}; a sparse weight "
            f"has {', '.join(_SPARSE)}."
        )
    indices, indptr, shape = (arrays[f"weight_{number}_{part}"] for part in _SPARSE[1:])
    for part, array in zip(_SPARSE[1:], (indices, indptr, shape), strict=True):
        if array.dtype.kind not in "iu" or array.ndim != 1:
            raise NetworkFileError(
                f"{source}: weight_{number}_{part} must be an array of whole numbers with 1 dimension, "
                f"got shape {array.shape} of {array.dtype}."
            )
    # scipy has no sparse matrices of float16.
    data = exact_floats(_real(arrays, f"weight_{number}_data", 1, source), f"{source}: weight_{number}_data")
    from scipy.sparse import csr_array

    try:
        matrix: SparseMatrix = csr_array((data, indices, indptr), shape=tuple(shape.tolist()))
        matrix.check_format(full_check=True)
    except (ValueError, TypeError, OverflowError) as wrong:
        raise NetworkFileError(
            f"{source}: weight_{number} is not a matrix in compressed rows ({wrong}); save the network again."
        ) from wrong
    return matrix


def matrix_arrays(number: int, matrix: Matrix) -> Arrays:
    """Arrays that hold the weights of one layer in a network file."""
    if isinstance(matrix, np.ndarray):
        return {f"weight_{number}": matrix}
    return {
        f"weight_{number}_data": matrix.data,
        f"weight_{number}_indices": matrix.indices,
        f"weight_{number}_indptr": matrix.indptr,
        f"weight_{number}_shape": np.array(matrix.shape, dtype=np.int64),
    }
