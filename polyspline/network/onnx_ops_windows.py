"""Convolutions, pools and resizing of ONNX: a table from their names to small functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import FloatArray, IntArray
from polyspline.errors import ShapeError, UnsupportedLayerError
from polyspline.network import tensors, windows
from polyspline.network.onnx_call import Call
from polyspline.network.tensors import Tensor
from polyspline.network.windows import Window

Array = npt.NDArray[Any]

_PADDINGS = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")


def _window(call: Call, sizes: Sequence[int], kernel: Sequence[int]) -> Window:
    """Window of a convolution or a pool over an input of the given sizes.

    Raises
    ------
    ShapeError
        If it has not a number for each axis, a padding is negative, or the kind of padding is unknown.
    """
    dims = len(sizes)
    if tuple(kernel) != call.numbers("kernel_shape", kernel) or len(kernel) != dims:
        raise ShapeError(
            f"has a kernel of shape {tuple(kernel)} (kernel_shape {call['kernel_shape']}) over {dims} axes; "
            "expected a size for each."
        )
    stride, dilation = call.numbers("strides", [1] * dims), call.numbers("dilations", [1] * dims)
    mode = call["auto_pad"] or "NOTSET"
    pads = call.numbers("pads", [0] * 2 * dims)
    before, after = pads[:dims], pads[dims:]
    if min(pads, default=0) < 0 or len(pads) != 2 * dims or mode not in _PADDINGS:
        raise ShapeError(
            f"is padded by {list(pads)} ({mode}); expected two numbers >= 0 for each of {dims} "
            "axes, and one of "
            f"{', '.join(_PADDINGS)}."
        )
    window = Window(tuple(kernel), stride, before, after, dilation, bool(call["ceil_mode"]))
    if mode == "VALID":
        before = after = (0,) * dims
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        room = [
            max(0, (-(-size // step) - 1) * step + wide * (width - 1) + 1 - size)
            for size, step, width, wide in zip(sizes, stride, kernel, dilation, strict=True)
        ]
        half, rest = tuple(some // 2 for some in room), tuple(some - some // 2 for some in room)
        before, after = (half, rest) if mode == "SAME_UPPER" else (rest, half)
    return replace(window, before=before, after=after)


def _fixed(x: Any, *weights: Any) -> None:
    if not isinstance(x, Tensor) or any(isinstance(weight, Tensor) for weight in weights):
        raise UnsupportedLayerError("has weights that depend on the input, which is not piecewise affine")


def _convolution(call: Call, x: Tensor, weight: Array, bias: Array | None = None) -> Tensor:
    _fixed(x, weight, bias)
    window = _window(call, x.shape[2:], weight.shape[2:])
    return windows.convolution(x, weight, bias, window, call.whole("group", 1))


def _transposed(call: Call, x: Tensor, weight: Array, bias: Array | None = None) -> Tensor:
    _fixed(x, weight, bias)
    dims = weight.ndim - 2
    extra = call.numbers("output_padding", [0] * dims)
    window = _window(call, x.shape[2:], weight.shape[2:])
    mode, wanted = call["auto_pad"] or "NOTSET", call["output_shape"]
    if len(extra) != dims or (wanted is not None and len(wanted) != dims):
        raise ShapeError(
            f"has the output padding {extra} and the output shape {wanted}; expected a number for "
            f"each of {dims} "
            "axes."
        )
    if wanted is not None or mode in ("SAME_UPPER", "SAME_LOWER"):
        sizes = zip(x.shape[2:], window.stride, window.kernel, window.dilation, extra, strict=True)
        target = wanted or [size * step for size, step in zip(x.shape[2:], window.stride, strict=True)]
        room = [
            step * (size - 1) + more + (width - 1) * wide + 1 - int(goal)
            for (size, step, width, wide, more), goal in zip(sizes, target, strict=True)
        ]
        half, rest = tuple(some // 2 for some in room), tuple(some - some // 2 for some in room)
        before, after = (half, rest) if mode == "SAME_UPPER" else (rest, half)
        window = Window(window.kernel, window.stride, before, after, window.dilation)
    return windows.transposed_convolution(x, weight, bias, window, extra, call.whole("group", 1))


def _max_pool(call: Call, x: Tensor) -> list[Tensor | None]:
    return [windows.max_pool(x, _window(call, x.shape[2:], call.numbers("kernel_shape", []))), None]


def _average_pool(call: Call, x: Tensor) -> Tensor:
    window = _window(call, x.shape[2:], call.numbers("kernel_shape", []))
    return windows.average_pool(x, window, count_padding=bool(call["count_include_pad"]))


def _global_average(call: Call, x: Tensor) -> Tensor:
    return tensors.total(x, range(2, x.ids.ndim), True, mean=True)


def _global_max(call: Call, x: Tensor) -> Tensor:
    return tensors.reduced_extreme(x, range(2, x.ids.ndim), True, 1)


# ---- resizing


def _coordinates(count: int, size: int, scale: float, mode: str) -> FloatArray:
    """Where in the input each entry of the output looks, by the rules of ONNX."""
    at = np.arange(count, dtype=np.float64)
    if mode == "asymmetric":
        return at / scale
    if mode == "align_corners":
        return at * (size - 1) / (count - 1) if count > 1 else np.zeros(count)
    if mode == "pytorch_half_pixel" and count == 1:
        return np.zeros(count)
    if mode == "half_pixel_symmetric":
        return size / 2 * (1 - count / (scale * size)) + (at + 0.5) / scale - 0.5
    if mode in ("half_pixel", "pytorch_half_pixel"):
        return (at + 0.5) / scale - 0.5
    raise UnsupportedLayerError(f"resizes with the coordinates {mode!r}, which are not supported")


_ROUNDINGS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _resize(
    call: Call, x: Tensor, roi: Array | None = None, scales: Array | None = None, sizes: Array | None = None
) -> Tensor:
    mode = call["mode"] or "nearest"
    if mode not in ("nearest", "linear") or call["antialias"] or call["exclude_outside"]:
        raise UnsupportedLayerError(
            f"resizes with mode {mode!r}; supported are nearest and linear, without antialias"
        )
    if (call["keep_aspect_ratio_policy"] or "stretch") != "stretch":
        raise UnsupportedLayerError("resizes by keeping the aspect ratio; export it with fixed sizes")
    axes = tensors.normalised_axes(call.numbers("axes", range(x.ids.ndim)), x.ids.ndim)
    given = sizes if sizes is not None and sizes.size else scales
    if given is not None and (given.size != len(axes) or not (np.isfinite(given) & (given > 0)).all()):
        raise ShapeError(
            f"resizes {len(axes)} axes by {given.ravel().tolist()}; expected a positive number for each."
        )
    found = x
    for place, axis in enumerate(axes):
        size = x.shape[axis]
        if sizes is not None and sizes.size:
            count = int(sizes.ravel()[place])
            scale = count / size
        elif scales is not None and scales.size:
            scale = float(scales.ravel()[place])
            count = int(np.floor(size * scale))
        else:
            raise UnsupportedLayerError("resizes to a size that is not given")
        if count < 1:
            raise ShapeError(f"resizes an axis of {size} to {count}; expected at least one entry.")
        x.graph.reserve((*found.shape[:axis], count, *found.shape[axis + 1 :]))
        coordinates = call["coordinate_transformation_mode"] or "half_pixel"
        if count != size or coordinates == "tf_crop_and_resize":
            where = _coordinates(count, size, scale, coordinates)
            found = _resized(found, axis, where, size, call["nearest_mode"], mode == "linear")
    return found


def _resized(
    x: Tensor, axis: int, where: FloatArray, size: int, rounding: str | None, linear: bool
) -> Tensor:
    if not linear:
        if (rounding or "round_prefer_floor") not in _ROUNDINGS:
            raise UnsupportedLayerError(f"resizes with the rounding {rounding!r}, which is not supported")
        nearest = _ROUNDINGS[rounding or "round_prefer_floor"](where)
        index: IntArray = np.clip(nearest, 0, size - 1).astype(np.int64)
        return tensors.moved(lambda ids: np.take(ids, index, axis=axis), x)
    low = np.floor(where)
    share = (where - low).reshape([-1 if place == axis else 1 for place in range(x.ids.ndim)])
    ends = [np.clip(low + step, 0, size - 1).astype(np.int64) for step in (0, 1)]
    parts = [x.like(np.take(x.ids, end, axis=axis)) for end in ends]
    return tensors.weighted_sum([(parts[0], 1.0 - share), (parts[1], share)])


WINDOW_OPERATORS: dict[str, Callable[..., Any]] = {
    "Conv": _convolution, "ConvTranspose": _transposed, "MaxPool": _max_pool, "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average, "GlobalMaxPool": _global_max, "Resize": _resize,
}  # fmt: skip
"""Every one of these operators by name."""
