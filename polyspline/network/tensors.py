"""Tensors of a graph, and the linear maps and units of them that all readers share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from polyspline.cpa.activations import parse_activation
from polyspline.cpa.matrices import FloatArray, IntArray, exact_floats
from polyspline.cpa.units import ScalarUnit
from polyspline.errors import ArgumentError, ShapeError, UnsupportedLayerError
from polyspline.network.exact_sums import sparse
from polyspline.network.graph import ABSENT, Graph, numbered


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor whose entries depend on the inputs of the network.

    Attributes
    ----------
    graph : Graph
    ids : ndarray of int64, any shape
    """

    graph: Graph
    ids: IntArray

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor."""
        return self.ids.shape

    def like(self, ids: npt.NDArray[np.integer]) -> Tensor:
        """Another tensor of the graph."""
        return Tensor(self.graph, ids.astype(np.int64, copy=False))


_CONSTANT = "a constant of the model"

_Scalar = TypeVar("_Scalar", bound=np.generic)
Operand: TypeAlias = "Tensor | npt.ArrayLike"


def as_tensor(graph: Graph, value: Operand) -> Tensor:
    """Tensor of a graph, of constants if need be."""
    return value if isinstance(value, Tensor) else Tensor(graph, graph.constants(value))


def moved(operation: Callable[[IntArray], npt.NDArray[np.integer]], x: Tensor) -> Tensor:
    """Tensor whose entries are moved by an operation on arrays."""
    return x.like(operation(x.ids))


# ---- linear maps


def combination(ids: IntArray, factors: FloatArray, bias: FloatArray, graph: Graph) -> IntArray:
    """Make the sums ``factors[i] @ values[ids[i]] + bias[i]``; ids, (n,).

    Parameters
    ----------
    ids : ndarray of int64, shape (n, k)
        `ABSENT` where nothing is to be added.
    factors : ndarray of float64, shape (n, k)
    bias : ndarray of float64, shape (n,)
    graph : Graph
    """
    count, width = ids.shape
    flat = ids.ravel()
    there = flat != ABSENT
    sources, which = numbered(flat[there], graph.size)
    rows = np.repeat(np.arange(count, dtype=np.int64), width)[there]
    values = np.asarray(factors, dtype=np.float64).ravel()[there]
    shape = (count, max(1, len(sources)))
    if not len(sources):  # everything is padding
        sources = np.zeros(1, dtype=np.int64)
    return graph.affine(sources, sparse(rows, which, values, shape), bias)


def weighted_sum(terms: Sequence[tuple[Tensor, npt.ArrayLike]], bias: npt.ArrayLike = 0.0) -> Tensor:
    """Sum of tensors times constants, plus a constant, all broadcast against one another."""
    graph = terms[0][0].graph
    factors = [exact_floats(factor, _CONSTANT) for _, factor in terms]
    offset = exact_floats(bias, _CONSTANT)
    shape = broadcast_shape(*(t.shape for t, _ in terms), *(f.shape for f in factors), offset.shape)
    ids = [np.broadcast_to(tensor.ids, shape).ravel() for tensor, _ in terms]
    spread = [np.broadcast_to(factor, shape).ravel() for factor in factors]
    made = combination(
        np.stack(ids, axis=1), np.stack(spread, axis=1), np.broadcast_to(offset, shape).ravel(), graph
    )
    return Tensor(graph, made.reshape(shape))


def broadcast_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Shape that several shapes broadcast to.

    Raises
    ------
    ShapeError
        If they do not.
    """
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(
            f"shapes {' and '.join(map(str, shapes))} do not broadcast; expected equal sizes or ones."
        ) from None


def add(x: Operand, y: Operand, factor: float = 1.0) -> Tensor:
    """Sum ``x + factor * y``; at least one of the two is a Tensor."""
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return weighted_sum([(x, 1.0), (y, factor)])
    if isinstance(x, Tensor):
        return weighted_sum([(x, 1.0)], bias=factor * _plain(y))
    assert isinstance(y, Tensor)
    return weighted_sum([(y, factor)], bias=_plain(x))


def _plain(value: Operand) -> FloatArray:
    assert not isinstance(value, Tensor)
    return exact_floats(value, _CONSTANT)


def multiply(x: Operand, y: Operand) -> Tensor:
    """Product of a Tensor and a constant, entry by entry.

    Raises
    ------
    UnsupportedLayerError
        If both depend on the input.
    """
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        raise UnsupportedLayerError(_PRODUCT)
    if isinstance(y, Tensor):
        x, y = y, x
    assert isinstance(x, Tensor)
    return weighted_sum([(x, _plain(y))])


def divide(x: Operand, y: Operand) -> Tensor:
    """Quotient of a Tensor by a constant, entry by entry.

    Raises
    ------
    UnsupportedLayerError
        If the divisor depends on the input.
    """
    if isinstance(y, Tensor):
        raise UnsupportedLayerError(
            "divides by something that depends on the input, which is not piecewise affine"
        )
    assert isinstance(x, Tensor)
    with np.errstate(divide="ignore"):
        return weighted_sum([(x, 1.0 / exact_floats(y, _CONSTANT))])


_PRODUCT = "multiplies two things that depend on the input, which is not piecewise affine"


def matmul(x: Operand, y: Operand) -> Tensor:
    """Matrix product of a Tensor and a constant, with the shapes of ``numpy.matmul``.

    Raises
    ------
    UnsupportedLayerError
        If both depend on the input.
    ShapeError
        If the shapes do not fit.
    """
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        raise UnsupportedLayerError(_PRODUCT)
    if isinstance(x, Tensor):
        weight = _plain(y)
        rows = x.ids[None] if x.ids.ndim == 1 else x.ids
        matrix = weight[:, None] if weight.ndim == 1 else weight
        found = _rows_times(x.graph, rows, matrix)
        found = found[..., 0, :] if x.ids.ndim == 1 else found
        return Tensor(x.graph, found[..., 0] if weight.ndim == 1 else found)
    assert isinstance(y, Tensor)
    # (x y)^T = y^T x^T, with vectors left as they are.
    left = _plain(x)
    turned = matmul(moved(_swapped, y), _swapped(left))
    return moved(_swapped, turned) if left.ndim > 1 and y.ids.ndim > 1 else turned


def _swapped(array: npt.NDArray[_Scalar]) -> npt.NDArray[_Scalar]:
    return np.swapaxes(array, -1, -2) if array.ndim > 1 else array


def _rows_times(graph: Graph, rows: IntArray, matrix: FloatArray) -> IntArray:
    """Ids of ``rows @ matrix``, (..., m, k) and (..., k, n) -> (..., m, n)."""
    if rows.shape[-1] != matrix.shape[-2]:
        raise ShapeError(
            f"takes {matrix.shape[-2]} inputs, but gets {rows.shape[-1]}; the sizes of a matrix product must "
            "fit."
        )
    ids, factors = rows[..., :, None, :], np.swapaxes(matrix, -1, -2)[..., None, :, :]
    shape = broadcast_shape(ids.shape, factors.shape)
    width = shape[-1]
    made = combination(
        np.broadcast_to(ids, shape).reshape(-1, width), np.broadcast_to(factors, shape).reshape(-1, width),
        np.zeros(int(np.prod(shape[:-1]))), graph,
    )  # fmt: skip
    return made.reshape(shape[:-1])


def linear(x: Tensor, weight: npt.ArrayLike, bias: npt.ArrayLike | None) -> Tensor:
    """Linear layer ``x @ weight.T + bias``, as one affine map."""
    w = exact_floats(weight, _CONSTANT)
    if x.shape[-1] != w.shape[-1]:
        raise ShapeError(f"takes {w.shape[-1]} inputs, but gets {x.shape[-1]}; the two must be equal.")
    shape = (*x.shape[:-1], len(w), w.shape[1])
    offset = np.zeros(len(w)) if bias is None else exact_floats(bias, _CONSTANT)
    made = combination(
        np.broadcast_to(x.ids[..., None, :], shape).reshape(-1, w.shape[1]),
        np.broadcast_to(w, shape).reshape(-1, w.shape[1]),
        np.broadcast_to(offset, shape[:-1]).ravel(),
        x.graph,
    )
    return Tensor(x.graph, made.reshape(shape[:-1]))


def normalised_axes(axes: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """Axes as numbers from 0; all of them for None or an empty sequence."""
    if axes is None or (not isinstance(axes, int) and len(axes) == 0):
        return tuple(range(ndim))
    given = [axes] if isinstance(axes, int) else list(axes)
    return tuple(sorted(int(axis) % max(1, ndim) for axis in given)) if ndim else ()


def gathered(x: Tensor, axes: int | Sequence[int] | None, keep: bool) -> tuple[IntArray, tuple[int, ...]]:
    """Members of each reduced entry, (n, k), and the shape of the result."""
    reduced = normalised_axes(axes, x.ids.ndim)
    others = [axis for axis in range(x.ids.ndim) if axis not in reduced]
    width = int(np.prod([x.shape[axis] for axis in reduced]))
    members = np.transpose(x.ids, [*others, *reduced]).reshape(-1, width)
    if keep:
        return members, tuple(1 if axis in reduced else size for axis, size in enumerate(x.shape))
    return members, tuple(x.shape[axis] for axis in others)


def total(x: Tensor, axes: int | Sequence[int] | None, keep: bool, mean: bool) -> Tensor:
    """Sum or mean over some axes."""
    members, shape = gathered(x, axes, keep)
    factor = 1.0 / members.shape[1] if mean else 1.0
    made = combination(members, np.full(members.shape, factor), np.zeros(len(members)), x.graph)
    return Tensor(x.graph, made.reshape(shape))


def normalised(
    x: Tensor,
    mean: npt.ArrayLike,
    variance: npt.ArrayLike,
    weight: npt.ArrayLike | None,
    bias: npt.ArrayLike | None,
    epsilon: float,
) -> Tensor:
    """Batch norm by running statistics, one for each channel (axis 1): one factor and one offset each."""
    with np.errstate(invalid="ignore", divide="ignore"):  # a negative variance makes NaN, which is refused
        factor = 1.0 / np.sqrt(exact_floats(variance, _CONSTANT) + epsilon)
        factor = factor if weight is None else factor * exact_floats(weight, _CONSTANT)
        offset = -exact_floats(mean, _CONSTANT) * factor
        offset = offset if bias is None else offset + exact_floats(bias, _CONSTANT)
    shape = (-1, *[1] * (x.ids.ndim - 2))
    return weighted_sum([(x, factor.reshape(shape))], bias=offset.reshape(shape))


# ---- units


def units(x: Tensor, spelling: str | ScalarUnit) -> Tensor:
    """One scalar unit for each entry."""
    unit = parse_activation(spelling, 1)[0] if isinstance(spelling, str) else spelling
    assert isinstance(unit, ScalarUnit)
    return each_unit(x, [unit] * x.ids.size)


def each_unit(x: Tensor, each: Sequence[ScalarUnit]) -> Tensor:
    """Scalar units, one for each entry in the order of memory."""
    return Tensor(x.graph, x.graph.scalar_units(x.ids.ravel(), each).reshape(x.shape))


def leaky(x: Tensor, slopes: FloatArray, name: str = "prelu") -> Tensor:
    """Leaky rectifier with slopes that broadcast to the tensor."""
    spread = np.broadcast_to(slopes, x.shape).ravel().tolist()
    table = {slope: _scalar(f"{name}:{slope!r}") for slope in dict.fromkeys(spread)}
    return each_unit(x, [table[slope] for slope in spread])


def _scalar(spelling: str) -> ScalarUnit:
    (unit,) = parse_activation(spelling, 1)
    assert isinstance(unit, ScalarUnit)
    return unit


def clamp(x: Tensor, low: float | None, high: float | None) -> Tensor:
    """Clamp every entry; None (or an infinity) is no bound, and the upper bound wins if they cross."""
    if low is not None and high is not None and low >= high:
        return x.like(x.graph.constants(np.full(x.shape, float(high))))
    if low is not None and np.isneginf(low):
        low = None
    if high is not None and np.isposinf(high):
        high = None
    if low is None and high is None:
        return x
    if high is None:
        return units(x, "relu" if low == 0 else _one_kink(float(low or 0), 0.0, 1.0))
    if low is None:
        return units(x, _one_kink(float(high), 1.0, 0.0))
    if (low, high) == (0, 6):
        return units(x, "relu6")
    return units(x, f"hardtanh:{float(low)!r},{float(high)!r}")


def _one_kink(at: float, below: float, above: float) -> ScalarUnit:
    """Make a unit that is constant on one side of a knot and the identity on the other."""
    offsets = (at if below == 0 else 0.0, at if above == 0 else 0.0)
    name = f"piecewise:{at!r}/{below!r},{above!r}/{offsets[0]!r},{offsets[1]!r}"
    return ScalarUnit(name, (at,), (below, above), offsets)


def reduced_extreme(x: Tensor, axes: int | Sequence[int] | None, keep: bool, sign: int) -> Tensor:
    """Maximum (sign 1) or minimum (sign -1) over some axes."""
    if sign < 0:
        return negated(reduced_extreme(negated(x), axes, keep, 1))
    members, shape = gathered(x, axes, keep)
    return Tensor(x.graph, x.graph.max_groups(members).reshape(shape))


def extreme(x: Operand, y: Operand, sign: int) -> Tensor:
    """Maximum (sign 1) or minimum (sign -1) of two operands, entry by entry."""
    if isinstance(x, Tensor) and not isinstance(y, Tensor):
        return _against_constants(x, _plain(y), sign)
    if isinstance(y, Tensor) and not isinstance(x, Tensor):
        return _against_constants(y, _plain(x), sign)
    assert isinstance(x, Tensor)
    assert isinstance(y, Tensor)
    if sign < 0:
        return negated(extreme(negated(x), negated(y), 1))
    shape = broadcast_shape(x.shape, y.shape)
    members = np.stack([np.broadcast_to(x.ids, shape).ravel(), np.broadcast_to(y.ids, shape).ravel()], axis=1)
    return Tensor(x.graph, x.graph.max_groups(members).reshape(shape))


def _against_constants(x: Tensor, bounds: FloatArray, sign: int) -> Tensor:
    shape = broadcast_shape(x.shape, bounds.shape)
    spread = np.broadcast_to(bounds, shape).ravel().tolist()
    if not np.isfinite(spread).all():
        raise ArgumentError("takes the maximum or minimum with NaN or an infinity; expected finite numbers.")
    slopes = (0.0, 1.0) if sign > 0 else (1.0, 0.0)
    table = {
        bound: _scalar("relu") if bound == 0 and sign > 0 else _one_kink(bound, *slopes)
        for bound in dict.fromkeys(spread)
    }
    return each_unit(x.like(np.broadcast_to(x.ids, shape)), [table[bound] for bound in spread])


def negated(x: Tensor) -> Tensor:
    """Return ``-x``."""
    return weighted_sum([(x, -1.0)])


def hard_sigmoid(x: Tensor) -> Tensor:
    """Return ``relu6(x + 3) / 6``."""
    return weighted_sum([(units(weighted_sum([(x, 1.0)], bias=3.0), "relu6"), 1.0 / 6.0)])


def threshold(x: Tensor, at: float, otherwise: float) -> Tensor:
    """Return ``x`` where it is above a number, else another number.

    Raises
    ------
    UnsupportedLayerError
        If the two numbers differ, so that the function jumps.
    """
    if at != otherwise:
        raise UnsupportedLayerError(
            f"jumps from {otherwise!r} to {at!r}: only continuous functions are piecewise affine here"
        )
    return clamp(x, at, None)
