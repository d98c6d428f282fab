"""Nodes of an ONNX model on arrays, as the reference implementation of onnx computes them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from polyspline.errors import UnsupportedLayerError
from polyspline.network.boundary import DATA_ERRORS
from polyspline.network.graph import Graph

if TYPE_CHECKING:
    import onnx

_FAILURES = (
    *DATA_ERRORS, TypeError, RuntimeError, AttributeError, LookupError, AssertionError, NotImplementedError
)  # fmt: skip
"""What the reference implementation of an operator raises on inputs that it does not take."""

_FEW = 4096
"""Entries of an array that may say how large a result is: sizes, repeats, axes, scalars."""
_BOUNDED = frozenset(
    {
        "Compress", "NonZero", "Unique", "SequenceConstruct", "SequenceAt", "SequenceEmpty",
        "SequenceErase", "SequenceInsert", "SequenceLength", "SplitToSequence", "ConcatFromSequence",
        "Constant",
        "ArrayFeatureExtractor", "Optional", "OptionalGetElement", "OptionalHasElement", "LabelEncoder",
    }
)  # fmt: skip
"""Operators whose results are no larger than their inputs, times the number of axes, or are in the file."""
_LOOPING = frozenset(
    {
        "AveragePool", "AffineGrid", "Col2Im", "Conv", "ConvInteger", "ConvTranspose", "DFT", "DeformConv",
        "GRU", "GridSample", "LSTM", "LpPool", "MaxPool", "MaxRoiPool", "MaxUnpool", "MelWeightMatrix",
        "NonMaxSuppression", "QLinearConv", "RNN", "Resize", "RoiAlign", "STFT", "TfIdfVectorizer",
        "Upsample",
    }
)  # fmt: skip
_LOOP_WEIGHTS = 256
"""What the reference implementation goes through entry by entry, and how many weights an entry counts for."""


def evaluated(graph: Graph, node: onnx.NodeProto, inputs: list[Any], opset: int) -> list[Any]:
    """Results of a node on arrays, as ONNX defines them.

    Parameters
    ----------
    graph : Graph
        Whose limits hold.
    node : onnx.NodeProto
    inputs : list
        Arrays, sequences of them, or None.
    opset : int

    Raises
    ------
    UnsupportedLayerError
        If the inputs do not fit it, or the size of its result cannot be told before it is computed.
    TooLargeError
        If the result is larger than the limits allow.
    """
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    if node.op_type in _BOUNDED:
        graph.reserve((sum(_size(value) * max(1, np.ndim(value)) for value in inputs),))
    else:
        _reserve_results(graph, node, inputs, opset)
    names = [name for name in node.input if name]
    arrays = dict(zip(node.input, inputs, strict=False))
    anything = helper.make_tensor_type_proto(1, None)  # the reference implementation does not check types
    made = helper.make_graph(
        [node], "node",
        [helper.make_value_info(name, anything) for name in dict.fromkeys(names)],
        [helper.make_value_info(name, anything) for name in node.output if name],
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)])
    try:
        with np.errstate(all="ignore"):  # what is not finite is refused where it is used
            found = iter(
                ReferenceEvaluator(model).run(None, {name: arrays[name] for name in dict.fromkeys(names)})
            )
            return [next(found) if name else None for name in node.output]
    except _FAILURES as wrong:
        line = (str(wrong).strip().splitlines() or [type(wrong).__name__])[0].rstrip(". ")
        raise UnsupportedLayerError(f"does not take what it gets ({line})") from wrong


def takes(graph: Graph, node: onnx.NodeProto, shapes: list[Any], opset: int) -> bool:
    """Whether the reference implementation takes inputs that ours fails on.

    Parameters
    ----------
    graph, node, opset
        As of `evaluated`.
    shapes : list
        Inputs, with zeros for those that depend on the input of the network.
    """
    try:
        evaluated(graph, node, shapes, opset)
    except UnsupportedLayerError:
        return False
    return True


def _size(value: Any) -> int:
    return sum(map(_size, value)) if isinstance(value, list) else int(np.size(value))


def _reserve_results(graph: Graph, node: onnx.NodeProto, inputs: list[Any], opset: int) -> None:
    """Ask for the results of a node, whose shapes onnx infers from its inputs.

    Raises
    ------
    UnsupportedLayerError
        If it cannot.
    """
    shapes = _inferred(node, inputs, opset)
    if any(shape is None for shape in shapes):
        raise UnsupportedLayerError(
            f"makes a constant by {node.op_type}, whose size cannot be told before it is made"
        )
    for shape in shapes:
        graph.reserve(shape or ())
    if node.op_type in _LOOPING:
        each = max((prod(np.shape(value)[1:]) for value in inputs[1:2]), default=1)
        steps = sum(prod(shape or ()) for shape in shapes) * (max(1, each) if "Conv" in node.op_type else 1)
        graph.reserve_weights(steps, _LOOP_WEIGHTS)


def _inferred(node: onnx.NodeProto, inputs: list[Any], opset: int) -> list[tuple[int, ...] | None]:
    """Shapes of the results of a node, None for one that is not known."""
    from onnx import helper, numpy_helper, shape_inference

    given, constants, seen = [], [], set()
    for name, value in zip(node.input, inputs, strict=False):
        if not name or name in seen or not isinstance(value, np.ndarray):
            continue
        seen.add(name)
        plain = value.dtype.kind in "biuf"
        kind = (
            helper.np_dtype_to_tensor_dtype(value.dtype) if plain else 8 if value.dtype.kind in "OUS" else 1
        )
        given.append(helper.make_tensor_value_info(name, kind, value.shape))
        if plain and value.size <= _FEW:
            constants.append(numpy_helper.from_array(np.array(value, order="C"), name))
    outputs = [name for name in node.output if name]
    made = helper.make_graph(
        [node], "node", given, [helper.make_empty_tensor_value_info(name) for name in outputs], constants
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)])
    try:
        found = shape_inference.infer_shapes(model, data_prop=True)
    except (shape_inference.InferenceError, RuntimeError, ValueError, TypeError) as wrong:
        line = (str(wrong).strip().splitlines() or [type(wrong).__name__])[0].rstrip(". ")
        raise UnsupportedLayerError(f"does not take what it gets ({line})") from wrong
    known = {each.name: each.type.tensor_type for each in (*found.graph.output, *found.graph.value_info)}
    shapes: list[tuple[int, ...] | None] = []
    for name in outputs:
        told = known.get(name)
        if (
            told is None
            or not told.HasField("shape")
            or not all(s.HasField("dim_value") for s in told.shape.dim)
        ):
            shapes.append(None)
        else:
            shapes.append(tuple(int(size.dim_value) for size in told.shape.dim))
    return shapes
