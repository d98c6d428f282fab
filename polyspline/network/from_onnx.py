"""Networks from ONNX models: reading the file, and what to say if it cannot be read."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polyspline.cpa.layers import Layer
from polyspline.errors import NetworkFileError, PolysplineError, ShapeError, UnsupportedLayerError, require
from polyspline.network.boundary import file_at_fault
from polyspline.network.graph import Graph
from polyspline.network.limits import DEFAULT, Budget, Limits
from polyspline.network.lowering import lower
from polyspline.network.onnx_check import complaint, count_operators
from polyspline.network.onnx_run import initial_values, run_nodes
from polyspline.network.tensors import Tensor, as_tensor

if TYPE_CHECKING:
    import onnx

OLDEST_OPSET = 13

_MOST_AXES = 32
# On a model that the checker refuses, whatever goes wrong is the model's fault; on another one it is ours.
_CAUSED_BY_THE_MODEL = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError
)  # fmt: skip


def lower_onnx(
    model: onnx.ModelProto | str | os.PathLike[str],
    drop_output_activation: bool = False,
    limits: Limits = DEFAULT,
) -> tuple[Layer, ...]:
    """Layers of an ONNX model; see `Network.from_onnx`.

    Parameters
    ----------
    model : onnx.ModelProto or path
    drop_output_activation : bool
        Whether a smooth function at the very end is left out.
    limits : Limits
        How much the model may ask for.

    Returns
    -------
    tuple of Layer
        See `polyspline.network.lowering.lower`.

    Raises
    ------
    NetworkFileError, UnsupportedLayerError, ShapeError, NonFiniteError, TooLargeError, MissingExtraError
        As `Network.from_onnx`.

    Notes
    -----
    The checker of onnx looks at the model first, with shape inference. Our own sentences about a model
    that it refuses say more, so they come first; but no such model is read.
    """
    onnx = require("onnx", extra="onnx", purpose="read ONNX models")
    if not isinstance(model, str | os.PathLike | onnx.ModelProto):
        raise NetworkFileError(f"expected an ONNX model or the path of one, got a {type(model).__name__}.")
    with file_at_fault("the ONNX model"):
        loaded = model if isinstance(model, onnx.ModelProto) else _read(Path(model), limits)
        opset = _checked_opset(loaded)
        budget = Budget(limits)
        count_operators(loaded, budget)
        refused = complaint(loaded)
        sentence = f"the ONNX model is refused by the checker of onnx: {refused}."
        try:
            layers = _lowered(loaded, opset, drop_output_activation, budget)
        except PolysplineError:
            raise
        except _CAUSED_BY_THE_MODEL as wrong:
            if refused is None:
                raise
            raise NetworkFileError(sentence) from wrong
        if refused is not None:
            raise NetworkFileError(sentence)
        return layers


def _lowered(
    loaded: onnx.ModelProto, opset: int, drop_output_activation: bool, budget: Budget
) -> tuple[Layer, ...]:
    """Layers of a model."""
    plain = _with_functions_written_out(loaded)
    constants = initial_values(plain.graph)
    name, shape = _input(plain, constants)
    graph = Graph(budget)
    ids = graph.inputs(prod(shape)).reshape(shape)
    values: dict[str, Any] = {**constants, name: Tensor(graph, ids)}
    output = run_nodes(
        plain.graph, values, opset, _output_name(plain), drop_output_activation=drop_output_activation
    )
    graph.place = "the output"
    if not isinstance(output, Tensor | np.ndarray) or (
        isinstance(output, np.ndarray) and output.dtype.kind not in "biuf"
    ):
        raise UnsupportedLayerError("the output of the ONNX model is no tensor of real numbers.")
    final = as_tensor(graph, output)
    if final.ids.size == 0:
        raise ShapeError("the model returns an empty tensor; expected at least one number.")
    return lower(graph, final.ids.ravel())


# ---- the file


def _read(path: Path, limits: Limits) -> onnx.ModelProto:
    """Model of a file, with its external data.

    Raises
    ------
    NetworkFileError
        If the file, or one that it refers to, is missing, damaged or of another format.
    """
    import onnx
    from google.protobuf.message import DecodeError
    from onnx.external_data_helper import load_external_data_for_model

    name = f"network file {os.fspath(path)!r}"
    if not path.exists():
        raise NetworkFileError(f"{name} does not exist.")
    if path.is_dir():
        raise NetworkFileError(f"{name} is a folder; expected an ONNX file.")
    try:
        content = path.read_bytes()
    except OSError as failure:
        raise NetworkFileError(f"{name} cannot be read: {failure.strerror or failure}.") from failure
    if not content:
        raise NetworkFileError(f"{name} is empty; expected an ONNX model.")
    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError) as damage:
        raise NetworkFileError(f"{name} is truncated, damaged, or no ONNX model: write it again.") from damage
    if not model.ir_version or not model.HasField("graph") or not model.graph.output:
        raise NetworkFileError(f"{name} is truncated, damaged, or no ONNX model: write it again.")
    _check_external_sizes(model, path.parent, limits)
    try:
        load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as missing:
        line = (str(missing).splitlines() or ["not readable"])[0].rstrip(". ")
        raise NetworkFileError(
            f"{name} keeps its weights in another file that cannot be read ({line}); put that file beside "
            "it, "
            "or save the model with its weights inside."
        ) from missing
    return model


def _check_external_sizes(model: onnx.ModelProto, folder: Path, limits: Limits) -> None:
    """Refuse external data that is larger than the limits allow; a file counts as often as it is named.

    Raises
    ------
    NetworkFileError
        If it is anything but a plain file: a device or a pipe may never end.
    TooLargeError
        If it is too large.
    """
    from onnx import TensorProto

    total = 0
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            told = {entry.key: entry.value for entry in tensor.external_data}
            file = folder / told.get("location", "")
            if not file.exists():
                continue  # which is told of by whoever loads it
            if not file.is_file():
                raise NetworkFileError(
                    f"the weights in {str(file)!r} are in no plain file; save the model again."
                )
            length = told.get("length", "")
            total += int(length) if length.isdecimal() and len(length) < 19 else file.stat().st_size
            limits.check("unpacked_bytes", total, "the external data of the ONNX model")


def _checked_opset(model: onnx.ModelProto) -> int:
    """Version of the operators that a model uses.

    Raises
    ------
    NetworkFileError
        If it is too old, newer than the installed package knows, or not given.
    """
    import onnx

    newest = int(onnx.defs.onnx_opset_version())
    found = [int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if not found or not OLDEST_OPSET <= found[0] <= newest:
        came = f"opset {found[0]}" if found else "no opset"
        raise NetworkFileError(
            f"the ONNX model has {came}; expected {OLDEST_OPSET} to {newest}: export it again with such an "
            "opset, "
            "or convert it with onnx.version_converter, or update the onnx package."
        )
    return found[0]


def _with_functions_written_out(model: onnx.ModelProto) -> onnx.ModelProto:
    import onnx.inliner

    try:
        return onnx.inliner.inline_local_functions(model) if model.functions else model
    except (
        RuntimeError,
        ValueError,
        TypeError,
        onnx.checker.ValidationError,
        onnx.defs.SchemaError,
    ) as wrong:
        line = (str(wrong).splitlines() or ["no reason given"])[0].rstrip(". ")
        raise NetworkFileError(f"the functions of the ONNX model cannot be written out ({line}).") from wrong


# ---- inputs, outputs and constants


def _input(model: onnx.ModelProto, constants: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    """Name and shape of the one input, with a batch of one.

    Raises
    ------
    UnsupportedLayerError
        If there is not one input of real numbers, or if a dimension other than the batch is dynamic.
    """
    from onnx import TensorProto

    given = [entry for entry in model.graph.input if entry.name not in constants]
    if len(given) != 1:
        names = ", ".join(repr(entry.name) for entry in given) or "none"
        raise UnsupportedLayerError(
            f"the ONNX model has {len(given)} inputs ({names}); expected exactly one."
        )
    name, kind = given[0].name, given[0].type.tensor_type
    floats = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
    if kind.elem_type not in floats:
        names_of_types = dict(TensorProto.DataType.items())
        came = next(
            (key for key, number in names_of_types.items() if number == kind.elem_type), "no known type"
        )
        came = came if kind.elem_type else "no tensor"
        raise UnsupportedLayerError(
            f"the input {name!r} of the ONNX model is of {came}; expected real numbers."
        )
    if not kind.HasField("shape"):
        raise UnsupportedLayerError(f"the input {name!r} of the ONNX model has no shape; export it with one.")
    sizes = [int(size.dim_value) if size.HasField("dim_value") else 0 for size in kind.shape.dim]
    if len(sizes) > _MOST_AXES:
        raise UnsupportedLayerError(f"the input {name!r} of the ONNX model has {len(sizes):,} axes.")
    shown = "(" + ", ".join(str(size) if size else "?" for size in sizes) + ")"
    if any(size < 1 for size in sizes[1:]) or (len(sizes) == 1 and not sizes[0]):
        raise UnsupportedLayerError(
            f"the input {name!r} of the ONNX model has the dynamic shape {shown}; only the batch (the first "
            "axis) may be dynamic: export it with the other sizes fixed."
        )
    if len(sizes) > 1 and sizes[0] > 1:
        raise UnsupportedLayerError(
            f"the input {name!r} of the ONNX model has shape {shown}, a fixed batch of {sizes[0]}; export it "
            "with "
            "a batch of one, or with a dynamic one."
        )
    return name, tuple([1, *sizes[1:]] if len(sizes) > 1 else sizes)


def _output_name(model: onnx.ModelProto) -> str:
    """Name of the one output that may be what is wanted.

    Raises
    ------
    UnsupportedLayerError
        If not exactly one is of real numbers (or a dictionary of them, as classifiers have).
    """
    from onnx import TensorProto

    floats = (0, TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
    names = [
        entry.name for entry in model.graph.output
        if not entry.type.HasField("tensor_type") or entry.type.tensor_type.elem_type in floats
    ]  # fmt: skip
    if len(names) != 1:
        shown = ", ".join(repr(name) for name in names) or "none"
        raise UnsupportedLayerError(
            f"the ONNX model has {len(names)} outputs of real numbers ({shown}); expected exactly one: cut "
            "the "
            "others off with onnx.utils.extract_model."
        )
    return str(names[0])
