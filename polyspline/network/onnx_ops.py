"""The operators of ONNX that become nodes of the graph: tables from their names to small functions.

A function gets the call (attributes, opset) and the inputs in order: a Tensor, an array, or None
for one that is left out. The names of attributes are those of ONNX.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import exact_floats
from polyspline.errors import ShapeError, UnsupportedLayerError
from polyspline.network import tensors
from polyspline.network.contractions import cumulated, einsum
from polyspline.network.onnx_call import Call
from polyspline.network.onnx_ops_windows import WINDOW_OPERATORS
from polyspline.network.tensors import Operand, Tensor

Array = npt.NDArray[Any]


Function = Callable[..., Any]

MOVING = frozenset(
    {
        "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Gather", "GatherElements",
        "GatherND",
        "Concat", "Split", "Expand", "Tile", "DepthToSpace", "SpaceToDepth", "Where", "Pad",
        "ScatterElements",
        "ScatterND", "Compress", "Trilu",
    }
)  # fmt: skip
"""Operators that only move numbers around."""

_FLOATS = frozenset({1, 10, 11, 16})  # FLOAT, FLOAT16, DOUBLE, BFLOAT16


def _cast(call: Call, x: Tensor, *_: Any) -> Tensor:
    if call["to"] is not None and int(call["to"]) not in _FLOATS:
        raise UnsupportedLayerError(
            "casts to whole numbers, which jumps: only continuous functions are supported"
        )
    return x


def _dropout(call: Call, x: Tensor, ratio: Any = None, training: Any = None) -> list[Tensor | None]:
    if training is not None and bool(np.any(training)):
        raise UnsupportedLayerError("drops out at random (training mode); export it in evaluation mode")
    return [x, None]


def _itself(call: Call, x: Tensor, *_: Any) -> Tensor:
    return x


PASSING: dict[str, Function] = {
    "Identity": _itself, "Cast": _cast, "CastLike": _itself, "Dropout": _dropout, "ZipMap": _itself,
}  # fmt: skip
"""Operators that change no real number."""


# ---- arithmetic


def _folded(function: Callable[[Operand, Operand], Tensor]) -> Function:
    """Make a function of any number of inputs, taken two at a time, what depends on the input first."""

    def of(call: Call, *inputs: Operand) -> Operand:
        return reduce(lambda x, y: function(x, y), sorted(inputs, key=lambda x: not isinstance(x, Tensor)))

    return of


def _mean_of(call: Call, *inputs: Operand) -> Tensor:
    total = reduce(lambda x, y: tensors.add(x, y), sorted(inputs, key=lambda x: not isinstance(x, Tensor)))
    return tensors.divide(total, float(len(inputs)))


def _power(call: Call, x: Operand, exponent: Operand) -> Tensor:
    if isinstance(x, Tensor) and not isinstance(exponent, Tensor) and bool(np.all(np.asarray(exponent) == 1)):
        return x
    raise UnsupportedLayerError("applies a power, which is not piecewise affine")


def _gemm(call: Call, a: Operand, b: Operand, c: Operand | None = None) -> Tensor:
    left = _transposed(a) if call["transA"] else a
    right = _transposed(b) if call["transB"] else b
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    if isinstance(left, Tensor) and not isinstance(right, Tensor) and not isinstance(c, Tensor):
        weight = np.asarray(right) if alpha == 1 else alpha * np.asarray(right)
        bias = None if c is None else (np.asarray(c) if beta == 1 else beta * np.asarray(c))
        if bias is None or bias.ndim <= 1:
            spread = None if bias is None else np.broadcast_to(bias, weight.shape[1:])
            return tensors.linear(left, weight.T, spread)
    product = tensors.matmul(left, right)
    product = product if alpha == 1 else tensors.multiply(product, alpha)
    if c is None:
        return product
    return tensors.add(product, c, beta)


def _transposed(x: Operand) -> Operand:
    return tensors.moved(np.transpose, x) if isinstance(x, Tensor) else np.transpose(np.asarray(x))


def _matmul(call: Call, x: Operand, y: Operand) -> Tensor:
    return tensors.matmul(x, y)


def _axes(call: Call, x: Tensor, given: Array | None) -> list[int] | None:
    """Axes that a reduction is over: an attribute once, an input later; None is all."""
    axes = call["axes"] if given is None else np.asarray(given).ravel().tolist()
    return None if axes is None or len(axes) == 0 else [int(axis) for axis in axes]


def _reduction(function: Callable[[Tensor, list[int] | None, bool], Tensor]) -> Function:
    def of(call: Call, x: Tensor, given: Array | None = None) -> Tensor:
        axes = _axes(call, x, given)
        if axes is None and call["noop_with_empty_axes"]:
            return x
        return function(x, axes, bool(call.number("keepdims", 1)))

    return of


def _einsum(call: Call, *operands: Operand) -> Tensor:
    return einsum(str(call["equation"]), operands)


def _cumulated(call: Call, x: Tensor, axis: Array) -> Tensor:
    return cumulated(x, int(axis), exclusive=bool(call["exclusive"]), reverse=bool(call["reverse"]))


# ---- units


def _named(spelling: str) -> Function:
    return lambda call, x: tensors.units(x, spelling)


def _leaky_relu(call: Call, x: Tensor) -> Tensor:
    return tensors.units(x, f"leaky_relu:{call.number('alpha', 0.01)!r}")


def _prelu(call: Call, x: Tensor, slope: Operand) -> Tensor:
    if isinstance(slope, Tensor):
        raise UnsupportedLayerError("has slopes that depend on the input, which is not piecewise affine")
    slopes = exact_floats(slope, "slopes")
    if tensors.broadcast_shape(x.shape, slopes.shape) != x.shape:
        raise ShapeError(
            f"has slopes of shape {slopes.shape} for an input of shape {x.shape}; expected ones to fit."
        )
    return tensors.leaky(x, slopes)


def _clip(call: Call, x: Tensor, low: Operand | None = None, high: Operand | None = None) -> Tensor:
    found = x
    if not isinstance(low, Tensor) and not isinstance(high, Tensor):
        bounds = [None if bound is None else exact_floats(bound, "bounds") for bound in (low, high)]
        if all(bound is None or bound.size == 1 for bound in bounds):
            return tensors.clamp(x, *(None if bound is None else float(bound.ravel()[0]) for bound in bounds))
    if low is not None:
        found = tensors.extreme(found, low, 1)
    return found if high is None else tensors.extreme(found, high, -1)


def _hard_sigmoid(call: Call, x: Tensor) -> Tensor:
    slope, offset = call.number("alpha", 0.2), call.number("beta", 0.5)
    if np.float32(slope) == np.float32(1 / 6) and offset == 0.5:  # what torch exports: relu6(x + 3) / 6
        return tensors.hard_sigmoid(x)
    return tensors.clamp(tensors.weighted_sum([(x, slope)], bias=offset), 0.0, 1.0)


def _shrink(call: Call, x: Tensor) -> Tensor:
    width, bias = call.number("lambd", 0.5), call.number("bias", 0.0)
    if width != bias:
        raise UnsupportedLayerError(
            f"jumps by {width - bias!r} (Shrink with lambd {width!r} and bias {bias!r}): only continuous "
            "functions "
            "are supported"
        )
    return tensors.units(x, f"softshrink:{width!r}")


def _thresholded(call: Call, x: Tensor) -> Tensor:
    return tensors.threshold(x, call.number("alpha", 1.0), 0.0)


def _batch_norm(
    call: Call, x: Tensor, scale: Array, bias: Array, mean: Array, variance: Array
) -> list[Tensor | None]:
    if call["training_mode"]:
        raise UnsupportedLayerError(
            "normalises by the statistics of its input, which is not piecewise affine; export it in "
            "evaluation mode"
        )
    return [tensors.normalised(x, mean, variance, scale, bias, call.number("epsilon", 1e-5)), *[None] * 4]


OPERATORS: dict[str, Function] = {
    "Add": lambda call, x, y: tensors.add(x, y), "Sub": lambda call, x, y: tensors.add(x, y, -1.0),
    "Mul": lambda call, x, y: tensors.multiply(x, y), "Div": lambda call, x, y: tensors.divide(x, y),
    "Neg": lambda call, x: tensors.negated(x), "Sum": _folded(tensors.add), "Mean": _mean_of, "Pow": _power,
    "MatMul": _matmul, "Gemm": _gemm,
    "ReduceSum": _reduction(lambda x, axes, keep: tensors.total(x, axes, keep, mean=False)),
    "ReduceMean": _reduction(lambda x, axes, keep: tensors.total(x, axes, keep, mean=True)),
    "ReduceMax": _reduction(lambda x, axes, keep: tensors.reduced_extreme(x, axes, keep, 1)),
    "ReduceMin": _reduction(lambda x, axes, keep: tensors.reduced_extreme(x, axes, keep, -1)),
    "Max": _folded(lambda x, y: tensors.extreme(x, y, 1)),
    "Min": _folded(lambda x, y: tensors.extreme(x, y, -1)),
    "ReduceL1": _reduction(
        lambda x, axes, keep: tensors.total(tensors.units(x, "abs"), axes, keep, mean=False)
    ),
    "Einsum": _einsum, "CumSum": _cumulated,
    "Relu": _named("relu"), "Abs": _named("abs"), "LeakyRelu": _leaky_relu, "PRelu": _prelu, "Clip": _clip,
    "HardSigmoid": _hard_sigmoid, "Shrink": _shrink, "ThresholdedRelu": _thresholded,
    "BatchNormalization": _batch_norm, **WINDOW_OPERATORS,
}  # fmt: skip
"""Every other operator by name."""
