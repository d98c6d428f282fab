"""Convolutions and pools in any number of dimensions, as gathered windows of ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import FloatArray, IntArray
from polyspline.errors import ShapeError
from polyspline.network.graph import ABSENT
from polyspline.network.tensors import Tensor, combination


@dataclass(frozen=True)
class Window:
    """Size of a window and how it moves, one number for each spatial dimension.

    Attributes
    ----------
    kernel, stride, dilation : tuple of int
    before, after : tuple of int
        Padding on the two sides.
    ceil : bool
        Whether a last window that sticks out at the end counts, if it starts within the padded input.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    dilation: tuple[int, ...]
    ceil: bool = False

    def __post_init__(self) -> None:
        """Check that there is one number for each axis, and that all but the padding are positive."""
        numbers = (self.kernel, self.stride, self.dilation)
        sizes = {len(some) for some in (*numbers, self.before, self.after)}
        if len(sizes) != 1 or not self.kernel or min(map(min, numbers)) < 1:
            raise ShapeError(
                f"has a window of kernel {self.kernel}, strides {self.stride}, dilations {self.dilation} and "
                f"padding {self.before} and {self.after}; expected a number for each axis, and positive ones "
                "but for the padding."
            )

    def count(self, axis: int, size: int) -> int:
        """Return the number of windows along an axis.

        Raises
        ------
        ShapeError
            If not even one fits in.
        """
        reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
        room = size + self.before[axis] + self.after[axis] - reach
        stride = self.stride[axis]
        if room < 0:
            raise ShapeError(
                f"has a window of {reach} in an input of {size} padded by {self.before[axis]} and "
                f"{self.after[axis]}; expected an input at least as large."
            )
        count = room // stride + 1
        if self.ceil and room % stride and count * stride < size + self.before[axis]:
            count += 1
        return count

    def counts(self, sizes: Sequence[int]) -> list[int]:
        """Return the number of windows along every axis of an input."""
        return [self.count(axis, size) for axis, size in enumerate(sizes)]

    def positions(self, axis: int, size: int) -> IntArray:
        """Where each window looks along an axis, (windows, kernel); may lie outside of the input."""
        count, stride = self.count(axis, size), self.stride[axis]
        starts = stride * np.arange(count, dtype=np.int64) - self.before[axis]
        return starts[:, None] + self.dilation[axis] * np.arange(self.kernel[axis], dtype=np.int64)


def spread(value: int | Sequence[int], dims: int) -> tuple[int, ...]:
    """One number for each of several dimensions."""
    numbers = [value] if isinstance(value, int) else [int(number) for number in value]
    return tuple(numbers * dims if len(numbers) == 1 else numbers)


def _outside(positions: IntArray, size: int) -> IntArray:
    return np.where((positions >= 0) & (positions < size), positions, ABSENT)


def flat_windows(positions: Sequence[IntArray], sizes: Sequence[int]) -> tuple[IntArray, tuple[int, ...]]:
    """Flat spatial index of each member of each window, (windows, members), and the windows' shape.

    Parameters
    ----------
    positions : sequence of ndarray of int64, each (windows, kernel)
        For each axis; `ABSENT` where nothing is there.
    sizes : sequence of int
        Of the input.
    """
    dims = len(sizes)
    index: IntArray = np.zeros((1,) * (2 * dims), dtype=np.int64)
    missing: npt.NDArray[np.bool_] = np.zeros((1,) * (2 * dims), dtype=np.bool_)
    for axis, (place, size) in enumerate(zip(positions, sizes, strict=True)):
        shape = [1] * (2 * dims)
        shape[axis], shape[dims + axis] = place.shape
        index = index * size + place.reshape(shape)
        missing = missing | (place.reshape(shape) == ABSENT)
    windows = tuple(len(place) for place in positions)
    return np.where(missing, ABSENT, index).reshape(prod(windows), -1), windows


def convolution(
    x: Tensor, weight: FloatArray, bias: FloatArray | None, window: Window, groups: int
) -> Tensor:
    """Convolution, (B, C, ...) with weights (out, C / groups, ...) -> (B, out, ...)."""
    _check(x, weight, bias, window, groups, weight.shape[:1])
    sizes = x.shape[2:]
    _reserve(x, weight.shape[0] // groups * groups, weight.shape[1], window, window.counts(sizes))
    places = [_outside(window.positions(axis, size), size) for axis, size in enumerate(sizes)]
    return _applied(x, weight.reshape(*weight.shape[:2], -1), bias, *flat_windows(places, sizes), groups)


def transposed_convolution(
    x: Tensor,
    weight: FloatArray,
    bias: FloatArray | None,
    window: Window,
    output_padding: tuple[int, ...],
    groups: int,
) -> Tensor:
    """Transposed convolution, (B, C, ...) with weights (C, out / groups, ...) -> (B, out, ...)."""
    _check(x, weight, bias, window, groups, (weight.shape[1] * groups,) if weight.ndim > 1 else ())
    sizes = x.shape[2:]
    if len(output_padding) != len(sizes) or min(output_padding) < 0 or weight.shape[0] % groups:
        raise ShapeError(
            f"has weights of shape {weight.shape} in {groups} groups and the output padding "
            f"{output_padding}; "
            "expected channels that fall into the groups, and a padding for each axis."
        )
    lengths = []
    for axis, size in enumerate(sizes):
        reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1
        padded = window.before[axis] + window.after[axis]
        lengths.append((size - 1) * window.stride[axis] - padded + reach + output_padding[axis])
        if lengths[-1] < 1:
            raise ShapeError(f"has an output of size {lengths[-1]}; make the padding smaller.")
    _reserve(x, weight.shape[1] * groups, weight.shape[0] // groups, window, lengths)
    places = []
    for axis, (size, length) in enumerate(zip(sizes, lengths, strict=True)):
        # Output o gets input i through weight k where o = i * stride - padding + k * dilation.
        shifted = (
            np.arange(length, dtype=np.int64)[:, None] + window.before[axis]
            - window.dilation[axis] * np.arange(window.kernel[axis], dtype=np.int64)
        )  # fmt: skip
        hit = np.where(shifted % window.stride[axis] == 0, shifted // window.stride[axis], ABSENT)
        places.append(_outside(hit, size))
    flat = weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], -1)
    turned = np.swapaxes(flat, 1, 2).reshape(groups * weight.shape[1], weight.shape[0] // groups, -1)
    return _applied(x, turned, bias, *flat_windows(places, sizes), groups)


def _check(
    x: Tensor,
    weight: FloatArray,
    bias: FloatArray | None,
    window: Window,
    groups: int,
    outputs: tuple[int, ...],
) -> None:
    """Check that weights, bias and window fit the input, and that the outputs fall into the groups.

    Raises
    ------
    ShapeError
        If they do not.
    """
    if x.ids.ndim < 3 or weight.ndim != x.ids.ndim or len(window.kernel) != x.ids.ndim - 2:
        raise ShapeError(
            f"has weights of shape {weight.shape} for an input of shape {x.shape}; expected a "
            "batch, channels "
            "and at least one further axis, and as many axes for the weights."
        )
    if groups < 1 or outputs[0] % groups:
        raise ShapeError(
            f"has {groups} groups for {outputs[0]} outputs; expected a positive number that divides them."
        )
    if bias is not None and bias.shape != outputs:
        raise ShapeError(f"has a bias of shape {bias.shape}; expected {outputs}, one for each channel.")


def _reserve(x: Tensor, out: int, inner: int, window: Window, counts: Sequence[int]) -> None:
    """Ask for the entries of a convolution."""
    x.graph.reserve((x.shape[0], out, *counts))
    x.graph.reserve_weights(x.shape[0], out, *counts, inner, *window.kernel)


def _reserve_pool(x: Tensor, counts: Sequence[int], kernel: Sequence[int]) -> None:
    """Ask for the members of the windows of a pool over the last axes."""
    leading = x.shape[: max(0, x.ids.ndim - len(counts))]
    x.graph.reserve((*leading, *counts))
    x.graph.reserve_weights(*leading, *counts, *kernel)


def _last_sizes(x: Tensor, dims: int) -> tuple[int, ...]:
    """Sizes of the last axes, that a pool goes over.

    Raises
    ------
    ShapeError
        If there are not so many, and one of channels.
    """
    if x.ids.ndim <= dims:
        raise ShapeError(
            f"pools over {dims} axes of an input of shape {x.shape}; expected one more of channels."
        )
    return x.shape[x.ids.ndim - dims :]


def _applied(
    x: Tensor,
    weight: FloatArray,
    bias: FloatArray | None,
    index: IntArray,
    windows: tuple[int, ...],
    groups: int,
) -> Tensor:
    """Weights (out, C / groups, members) applied to every window."""
    batch, channels = x.shape[:2]
    out, inner, _ = weight.shape
    if inner * groups != channels:
        raise ShapeError(f"takes {inner * groups} channels, but gets {channels}; the two must be equal.")
    spatial = x.ids.reshape(batch, groups, inner, -1)
    # (batch, group, channel, window, member)
    members = np.where(index == ABSENT, ABSENT, spatial[..., index])
    members = np.moveaxis(members, 2, 3).reshape(batch, groups, 1, len(index), -1)
    factors = weight.reshape(1, groups, out // groups, 1, -1)
    shape = (batch, groups, out // groups, len(index), members.shape[-1])
    offset = np.zeros(out) if bias is None else bias
    made = combination(
        np.broadcast_to(members, shape).reshape(-1, shape[-1]),
        np.broadcast_to(factors, shape).reshape(-1, shape[-1]),
        np.broadcast_to(offset.reshape(1, groups, -1, 1), shape[:-1]).ravel(),
        x.graph,
    )
    return Tensor(x.graph, made.reshape(batch, out, *windows))


def _pool_members(x: Tensor, positions: Sequence[IntArray]) -> tuple[IntArray, tuple[int, ...]]:
    """Ids of the members of every window over the last axes, (n, members), and the result's shape."""
    dims = len(positions)
    sizes = x.shape[len(x.shape) - dims :]
    index, windows = flat_windows(positions, sizes)
    leading = x.shape[: len(x.shape) - dims]
    members = np.where(index == ABSENT, ABSENT, x.ids.reshape(*leading, -1)[..., index])
    return members.reshape(-1, index.shape[1]), (*leading, *windows)


def max_pool(x: Tensor, window: Window) -> Tensor:
    """Maximum of every window; what lies in the padding is no member."""
    sizes = _last_sizes(x, len(window.kernel))
    _reserve_pool(x, window.counts(sizes), window.kernel)
    places = [_outside(window.positions(axis, size), size) for axis, size in enumerate(sizes)]
    members, shape = _pool_members(x, places)
    return Tensor(x.graph, x.graph.max_groups(members).reshape(shape))


def average_pool(x: Tensor, window: Window, *, count_padding: bool, divisor: int | None = None) -> Tensor:
    """Mean of every window, over its members, or with the padding counted, or with a given divisor."""
    sizes = _last_sizes(x, len(window.kernel))
    _reserve_pool(x, window.counts(sizes), window.kernel)
    places, counts = [], []
    for axis, size in enumerate(sizes):
        position = window.positions(axis, size)
        places.append(_outside(position, size))
        inside = position < size + window.after[axis] if count_padding else places[axis] != ABSENT
        counts.append(inside.sum(axis=1))
    members, shape = _pool_members(x, places)
    each = np.array([prod(some) for some in product(*counts)], dtype=np.float64)
    if divisor is not None:
        each = np.full(len(each), float(divisor))
    return _mean(x, members, np.tile(each, len(members) // len(each)), shape)


def _mean(x: Tensor, members: IntArray, counts: FloatArray, shape: tuple[int, ...]) -> Tensor:
    factors = np.broadcast_to((1.0 / counts)[:, None], members.shape)
    return Tensor(x.graph, combination(members, factors, np.zeros(len(members)), x.graph).reshape(shape))


def adaptive_positions(size: int, count: int) -> IntArray:
    """Members of the windows that part an axis into a number of parts, (count, longest)."""
    starts = (np.arange(count, dtype=np.int64) * size) // count
    ends = -((-(np.arange(1, count + 1, dtype=np.int64)) * size) // count)
    longest = int((ends - starts).max())
    positions = starts[:, None] + np.arange(longest, dtype=np.int64)
    return np.where(positions < ends[:, None], positions, ABSENT)


def adaptive_pool(x: Tensor, counts: Sequence[int | None], *, maximum: bool) -> Tensor:
    """Maximum or mean over windows that part the last axes into the given numbers of parts."""
    sizes = _last_sizes(x, len(counts))
    wanted = [size if count is None else int(count) for size, count in zip(sizes, counts, strict=True)]
    if min((*wanted, *sizes)) < 1:
        raise ShapeError(f"pools the sizes {sizes} into {wanted}; expected positive numbers.")
    longest = [min(size, size // count + 2) for size, count in zip(sizes, wanted, strict=True)]
    _reserve_pool(x, wanted, longest)
    places = [adaptive_positions(size, count) for size, count in zip(sizes, wanted, strict=True)]
    members, shape = _pool_members(x, places)
    if maximum:
        return Tensor(x.graph, x.graph.max_groups(members).reshape(shape))
    return _mean(x, members, (members != ABSENT).sum(axis=1).astype(np.float64), shape)
