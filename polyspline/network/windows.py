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

    def positions(self, axis: int, size: int) -> IntArray:
        """Where each window looks along an axis, (windows, kernel); may lie outside of the input."""
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
    sizes = x.shape[2:]
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
    sizes = x.shape[2:]
    places = []
    for axis, size in enumerate(sizes):
        reach = window.dilation[axis] * (window.kernel[axis] - 1) + 1
        padded = window.before[axis] + window.after[axis]
        length = (size - 1) * window.stride[axis] - padded + reach + output_padding[axis]
        if length < 1:
            raise ShapeError(f"has an output of size {length}; make the padding smaller.")
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
    sizes = x.shape[-len(window.kernel) :]
    places = [_outside(window.positions(axis, size), size) for axis, size in enumerate(sizes)]
    members, shape = _pool_members(x, places)
    return Tensor(x.graph, x.graph.max_groups(members).reshape(shape))


def average_pool(x: Tensor, window: Window, *, count_padding: bool, divisor: int | None = None) -> Tensor:
    """Mean of every window, over its members, or with the padding counted, or with a given divisor."""
    sizes = x.shape[-len(window.kernel) :]
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
    sizes = x.shape[len(x.shape) - len(counts) :]
    places = [
        adaptive_positions(size, size if count is None else int(count))
        for size, count in zip(sizes, counts, strict=True)
    ]
    members, shape = _pool_members(x, places)
    if maximum:
        return Tensor(x.graph, x.graph.max_groups(members).reshape(shape))
    return _mean(x, members, (members != ABSENT).sum(axis=1).astype(np.float64), shape)
