"""Convolutions, norms and pools of torch: a table from their names to small functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt

from polyspline.errors import ShapeError, UnsupportedLayerError
from polyspline.network import tensors, windows
from polyspline.network.tensors import Tensor
from polyspline.network.windows import Window, spread

Array = npt.NDArray[Any]


# ---- convolutions and norms


def _convolution(
    x: Tensor,
    weight: Array,
    bias: Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    if isinstance(weight, Tensor) or isinstance(bias, Tensor):
        raise UnsupportedLayerError("has weights that depend on the input, which is not piecewise affine")
    dims = weight.ndim - 2
    kernel = weight.shape[2:]
    steps = spread(dilation, dims)
    if isinstance(padding, str):
        # As torch pads: an odd one out goes behind.
        room = [
            0 if padding == "valid" else step * (size - 1) for step, size in zip(steps, kernel, strict=True)
        ]
        before = tuple(some // 2 for some in room)
        after = tuple(some - some // 2 for some in room)
    else:
        before = after = spread(padding, dims)
    window = Window(kernel, spread(stride, dims), before, after, steps)
    return _batched(x, dims, lambda some: windows.convolution(some, weight, bias, window, groups))


def _transposed(
    x: Tensor,
    weight: Array,
    bias: Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Tensor:
    dims = weight.ndim - 2
    pads = spread(padding, dims)
    window = Window(weight.shape[2:], spread(stride, dims), pads, pads, spread(dilation, dims))
    extra = spread(output_padding, dims)
    return _batched(
        x, dims, lambda some: windows.transposed_convolution(some, weight, bias, window, extra, groups)
    )


def _any_convolution(
    x: Tensor, weight: Array, bias: Array | None, stride: Sequence[int], padding: Sequence[int],
    dilation: Sequence[int], transposed: bool, output_padding: Sequence[int], groups: int,
) -> Tensor:  # fmt: skip
    if transposed:
        return _transposed(x, weight, bias, stride, padding, output_padding, groups, dilation)
    return _convolution(x, weight, bias, stride, padding, dilation, groups)


def _batched(x: Tensor, dims: int, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply a function that needs a batch axis, also where there is none."""
    if x.ids.ndim == dims + 2:
        return function(x)
    found = function(x.like(x.ids[None]))
    return found.like(found.ids[0])


def _batch_norm(
    x: Tensor, weight: Array | None, bias: Array | None, running_mean: Array | None,
    running_var: Array | None, batch_statistics: bool, momentum: float, eps: float, cudnn: bool = False,
) -> Tensor:  # fmt: skip
    if batch_statistics or running_mean is None or running_var is None:
        raise UnsupportedLayerError(
            "normalises by the statistics of its input, which is not piecewise affine; use running "
            "statistics "
            "in evaluation mode"
        )
    return tensors.normalised(x, running_mean, running_var, weight, bias, eps)


def _running_norm(
    x: Tensor, weight: Array | None, bias: Array | None, running_mean: Array, running_var: Array,
    momentum: float, eps: float,
) -> list[Tensor | None]:  # fmt: skip
    return [tensors.normalised(x, running_mean, running_var, weight, bias, eps), None, None]


# ---- pools


def _window(
    dims: int, kernel: Any, stride: Any, padding: Any, dilation: Any = 1, ceil: bool = False
) -> Window:
    size = spread(kernel, dims)
    if len(size) != dims:
        raise ShapeError(f"has a kernel of {len(size)} sizes; expected {dims}.")
    pads = spread(padding, dims)
    empty = stride is None or (not isinstance(stride, int) and len(stride) == 0)
    return Window(size, size if empty else spread(stride, dims), pads, pads, spread(dilation, dims), ceil)


def _max_pool(dims: int, several: bool) -> Callable[..., Any]:
    def of(
        x: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> Any:
        found = windows.max_pool(x, _window(dims, kernel_size, stride, padding, dilation, ceil_mode))
        return [found, None] if several else found

    return of


def _average_pool(dims: int) -> Callable[..., Tensor]:
    def of(
        x: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Tensor:
        window = _window(dims, kernel_size, stride, padding, 1, ceil_mode)
        return windows.average_pool(x, window, count_padding=count_include_pad, divisor=divisor_override)

    return of


def _adaptive(dims: int, maximum: bool) -> Callable[..., Any]:
    def of(x: Tensor, output_size: Any) -> Any:
        counts = [output_size] * dims if isinstance(output_size, int) else list(output_size)
        if len(counts) != dims:
            raise ShapeError(f"pools into {counts}; expected {dims} numbers.")
        found = windows.adaptive_pool(x, counts, maximum=maximum)
        return [found, None] if maximum else found

    return of


WINDOW_OPERATORS: dict[str, Callable[..., Any]] = {
    "conv1d": _convolution, "conv2d": _convolution, "conv3d": _convolution, "convolution": _any_convolution,
    "conv_transpose1d": _transposed, "conv_transpose2d": _transposed, "conv_transpose3d": _transposed,
    "batch_norm": _batch_norm, "instance_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _running_norm,
    "max_pool1d": _max_pool(1, False), "max_pool2d": _max_pool(2, False), "max_pool3d": _max_pool(3, False),
    "max_pool1d_with_indices": _max_pool(1, True), "max_pool2d_with_indices": _max_pool(2, True),
    "max_pool3d_with_indices": _max_pool(3, True),
    "avg_pool1d": _average_pool(1), "avg_pool2d": _average_pool(2), "avg_pool3d": _average_pool(3),
    "adaptive_avg_pool1d": _adaptive(1, False), "adaptive_avg_pool2d": _adaptive(2, False),
    "adaptive_avg_pool3d": _adaptive(3, False), "_adaptive_avg_pool2d": _adaptive(2, False),
    "_adaptive_avg_pool3d": _adaptive(3, False), "adaptive_max_pool1d": _adaptive(1, True),
    "adaptive_max_pool2d": _adaptive(2, True), "adaptive_max_pool3d": _adaptive(3, True),
}  # fmt: skip
"""Every one of these operators by name; arguments are called and placed as there."""
