"""Running the nodes of an ONNX model on the graph: each becomes nodes of ours, or a reason why it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from polyspline.cpa.matrices import exact_floats
from polyspline.errors import InvariantError, NetworkFileError, PolysplineError, UnsupportedLayerError
from polyspline.network.boundary import DATA_ERRORS
from polyspline.network.comparisons import JUMPS, Jumping, combined, jumped
from polyspline.network.graph import Graph
from polyspline.network.onnx_call import Call, call_of
from polyspline.network.onnx_ops import MOVING, OPERATORS, PASSING
from polyspline.network.onnx_reference import evaluated, takes
from polyspline.network.reasons import Refusal, accepted, reason_against, refused
from polyspline.network.tensors import Tensor

if TYPE_CHECKING:
    import onnx

_CONTROL_FLOW = frozenset({"If", "Loop", "Scan", "SequenceMap"})
_RANDOM = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"}
)
_REALS = frozenset(
    {
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16",
        "float32", "float64", "bfloat16",
    }
)  # fmt: skip
"""Types of numbers that an operator of ours computes with."""


def run_nodes(
    model: onnx.GraphProto,
    values: dict[str, Any],
    opset: int,
    output: str,
    *,
    drop_output_activation: bool,
) -> Any:
    """Value of the output of an ONNX graph.

    Parameters
    ----------
    model : onnx.GraphProto
    values : dict
        Arrays of the constants and the Tensor of the input, by name; the results are added.
    opset : int
        Version of the operators.
    output : str
        Its one output.
    drop_output_activation : bool
        Whether a smooth function at the very end is left out.

    Returns
    -------
    Tensor or ndarray

    Raises
    ------
    UnsupportedLayerError, ShapeError, NonFiniteError, NetworkFileError
        As `Network.from_onnx`.
    """
    (given,) = (value for value in values.values() if isinstance(value, Tensor))
    _Runner(given.graph, opset).run_all(model, values)
    if output not in values:
        raise NetworkFileError(f"nothing in the ONNX model makes its output {output!r}: the file is damaged.")
    found = values[output]
    if isinstance(found, Jumping):
        found = Refusal(found.place, found.reason)
    return accepted(found, drop_output_activation)


class _Runner:
    def __init__(self, graph: Graph, opset: int) -> None:
        self.graph = graph
        self.opset = opset

    def run_all(self, model: onnx.GraphProto, values: dict[str, Any]) -> None:
        """Run the nodes of a graph, and add their results to the values."""
        for number, node in enumerate(model.node):
            place = f"node {node.name or number!r} ({node.op_type})"
            missing = next((name for name in node.input if name and name not in values), None)
            if missing is not None:
                raise NetworkFileError(
                    f"{place} of the ONNX model reads {missing!r}, which nothing before it makes: the file "
                    "is "
                    "damaged, or its nodes are not in order."
                )
            found = self.run(node, place, values)
            results = list(found) if isinstance(found, list | tuple) else [found]
            if isinstance(found, Refusal):
                results = [found] * len(node.output)
            results += [None] * (len(node.output) - len(results))
            for count, (name, result) in enumerate(zip(node.output, results, strict=False), 1):
                if name:
                    unknown = Refusal(place, f"has a result number {count}, which is not supported")
                    values[name] = unknown if result is None else result

    def run(self, node: onnx.NodeProto, place: str, values: Mapping[str, Any]) -> Any:
        """Results of a node; a Refusal if it cannot be expressed."""
        self.graph.place = place
        inputs = [values[name] if name else None for name in node.input]
        while inputs and inputs[-1] is None:
            inputs.pop()
        try:
            call = call_of(node, self.opset, place)
            if node.op_type == "If" and isinstance(inputs[0], np.ndarray) and inputs[0].size == 1:
                return self._branch(call["then_branch" if inputs[0].all() else "else_branch"], place, values)
            if node.op_type in _CONTROL_FLOW:
                return Refusal(place, "is control flow; only straight programs are supported")
            stopped = next((value for value in inputs if isinstance(value, Refusal)), None)
            if stopped is not None:
                return self._refused(node, call, stopped, inputs)
            if not any(isinstance(value, Tensor | Jumping) for value in inputs):
                return self._constant(node, place, inputs)
            return self._simplified(self._dispatch(node, call, inputs))
        except UnsupportedLayerError as wrong:
            before = next((value for value in inputs if isinstance(value, Tensor)), None)
            return refused(place, node.op_type, wrong, before)
        except InvariantError:
            raise
        except DATA_ERRORS as wrong:
            if isinstance(wrong, PolysplineError):
                message = str(wrong)
                raise type(wrong)(message if message.startswith(place) else f"{place}: {message}") from wrong
            if takes(self.graph, node, [_zeros(value) for value in inputs], self.opset):
                raise  # a good model, and a defect of ours
            return Refusal(place, f"does not take what it gets ({wrong})")
        except PolysplineError as wrong:
            message = str(wrong)
            raise type(wrong)(message if message.startswith(place) else f"{place}: {message}") from wrong

    def _branch(self, branch: onnx.GraphProto, place: str, values: Mapping[str, Any]) -> list[Any]:
        """Results of a decision that does not depend on the input, which exporters leave now and then."""
        inside = {**values, **initial_values(branch)}
        self.run_all(branch, inside)
        for entry in branch.output:
            if entry.name not in inside:
                raise NetworkFileError(f"nothing in a branch of {place} makes its output {entry.name!r}.")
        return [inside[entry.name] for entry in branch.output]

    def _dispatch(self, node: onnx.NodeProto, call: Call, inputs: list[Any]) -> Any:
        name = node.op_type
        if node.domain not in ("", "ai.onnx") and (node.domain, name) != ("ai.onnx.ml", "ZipMap"):
            raise UnsupportedLayerError(
                f"is an operator of {node.domain!r}, not of ONNX itself (a custom operator)"
            )
        if name in PASSING:
            return PASSING[name](call, *inputs)
        if any(isinstance(value, list) for value in inputs):
            raise UnsupportedLayerError("works on a sequence of tensors, which is not supported")
        if any(isinstance(value, Jumping) for value in inputs):
            return combined(name, [_plain(value) for value in inputs])
        if name in JUMPS:
            return jumped(name, *(_plain(value) for value in inputs))
        if name == "Shape":
            shape = np.array(inputs[0].shape, dtype=np.int64)
            return shape[call.attributes.get("start", 0) : call.attributes.get("end", len(shape))]
        if name == "Size":
            return np.array(inputs[0].ids.size, dtype=np.int64)
        if name in MOVING:
            return self._moved(node, call, inputs)
        if name not in OPERATORS:
            raise UnsupportedLayerError(reason_against(name))
        return OPERATORS[name](call, *(_plain(value) for value in inputs))

    def _refused(self, node: onnx.NodeProto, call: Call, stopped: Refusal, inputs: list[Any]) -> Any:
        """Carry a refusal on, through what only moves numbers, together with what was before it."""
        if _is_two_classes(node, inputs):
            return stopped
        if stopped.before is not None and (node.op_type in MOVING or node.op_type in PASSING):
            uncovered = [value.before if isinstance(value, Refusal) else value for value in inputs]
            origins = {id(value.before) for value in inputs if isinstance(value, Refusal)}
            if len(origins) == 1 and not any(isinstance(value, Tensor) for value in inputs):
                found = self._dispatch(node, call, uncovered)
                results = found if isinstance(found, list) else [found]
                return [Refusal(stopped.place, stopped.reason, result) for result in results]
        return Refusal(stopped.place, stopped.reason)

    def _constant(self, node: onnx.NodeProto, place: str, inputs: list[Any]) -> Any:
        if node.op_type in _RANDOM:
            return Refusal(place, "draws random numbers, so it is no function of its input")
        if node.domain not in ("", "ai.onnx"):
            return Refusal(
                place, f"is an operator of {node.domain!r}, not of ONNX itself (a custom operator)"
            )
        return evaluated(self.graph, node, inputs, self.opset)

    def _simplified(self, found: Any) -> Any:
        """Tensors that turn out to be constant, as such."""
        if isinstance(found, list | tuple):
            return [self._simplified(entry) for entry in found]
        if isinstance(found, Tensor) and self.graph.is_constant(found.ids).all():
            return np.asarray(self.graph.values_of(found.ids))
        return found

    def _moved(self, node: onnx.NodeProto, call: Call, inputs: list[Any]) -> Any:
        """Operators that only move numbers around run on the ids themselves, counted from 1."""

        def covered(value: Any) -> Any:
            if isinstance(value, np.ndarray) and value.dtype.kind not in "biu":
                value = _plain(value)
                return np.asarray(self.graph.constants(value) + 1)
            return np.asarray(value.ids + 1) if isinstance(value, Tensor) else value

        if node.op_type.startswith("Scatter") and call["reduction"] not in (None, "none"):
            raise UnsupportedLayerError(
                f"puts the {call['reduction']} into entries that it chooses, which is not supported"
            )
        found = evaluated(self.graph, node, [covered(value) for value in inputs], self.opset)
        results = found if isinstance(found, list) else [found]
        return [Tensor(self.graph, self.graph.with_zeros(np.asarray(some, np.int64) - 1)) for some in results]


def initial_values(graph: onnx.GraphProto) -> dict[str, Any]:
    """Constants of a graph by name.

    Raises
    ------
    NetworkFileError
        If one is damaged.
    UnsupportedLayerError
        If one is sparse.
    """
    from onnx import TensorProto, numpy_helper

    if graph.sparse_initializer:
        raise UnsupportedLayerError("the ONNX model has sparse initializers; save its weights densely.")
    found = {}
    for tensor in graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            raise NetworkFileError(
                f"the constant {tensor.name!r} of the ONNX model is in another file, which is not loaded: "
                "pass "
                "the path of the model in place of the model."
            )
        try:
            if min(tensor.dims, default=0) < 0:
                raise ValueError(f"its shape is {tuple(tensor.dims)}")
            found[tensor.name] = np.asarray(numpy_helper.to_array(tensor))
        except (ValueError, TypeError, KeyError, OverflowError, RuntimeError, AttributeError) as damage:
            raise NetworkFileError(
                f"the constant {tensor.name!r} of the ONNX model is damaged: {damage}."
            ) from damage
    return found


def _zeros(value: Any) -> Any:
    """Zeros in place of what depends on the input of the network."""
    if isinstance(value, Tensor):
        return np.zeros(value.shape)
    return np.zeros(value.roots.shape) if isinstance(value, Jumping) else value


def _is_two_classes(node: onnx.NodeProto, inputs: list[Any]) -> bool:
    """Whether a node is of what binary classifiers end in: the concatenation of ``1 - p`` and ``p``."""
    if node.op_type == "Sub" and len(inputs) == 2:
        one, probability = inputs
        return isinstance(one, np.ndarray) and bool((one == 1).all()) and isinstance(probability, Refusal)
    origins = {id(value.before) if isinstance(value, Refusal) else None for value in inputs}
    return node.op_type == "Concat" and len(inputs) == 2 and len(origins) == 1 and None not in origins


def _plain(value: Any) -> Any:
    """Floating-point arrays in float64, all else as it is.

    Raises
    ------
    UnsupportedLayerError
        If an array is of other numbers than an operator of ours computes with, as complex ones.
    """
    if isinstance(value, np.ndarray) and value.dtype.name not in _REALS:
        raise UnsupportedLayerError(
            f"computes with constants of the type {value.dtype}; supported are floats, integers and "
            "truth values"
        )
    if isinstance(value, np.ndarray) and value.dtype.kind not in "iub":
        return exact_floats(value, "a constant of the model")
    return value
