"""The operators of torch that become nodes of the graph: tables from their names to small functions.

Names are those of torch's own operator library, without ``aten::``; arguments are called as there.
The first argument is always the tensor that is worked on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import DENSE_LIMIT, exact_floats
from polyspline.errors import TooLargeError, UnsupportedLayerError
from polyspline.network import tensors
from polyspline.network.contractions import cumulated, einsum
from polyspline.network.reasons import reason_against
from polyspline.network.tensors import Operand, Tensor
from polyspline.network.torch_ops_windows import WINDOW_OPERATORS

if TYPE_CHECKING:
    import torch

Array = npt.NDArray[Any]


def probed_linear(x: Tensor, function: Callable[[torch.Tensor], torch.Tensor]) -> Tensor:
    """Tensor that a linear function makes, known by what it does to the unit vectors.

    Raises
    ------
    TooLargeError
        If the matrix would have more than `DENSE_LIMIT` entries.
    """
    import torch

    size = x.ids.size
    with torch.no_grad():
        shape = tuple(function(torch.zeros(x.shape, dtype=torch.float64)).shape)
        if size * int(np.prod(shape)) > DENSE_LIMIT:
            raise TooLargeError(
                f"is a linear map of {size:,} to {int(np.prod(shape)):,} numbers, which would have to be "
                "written out "
                f"densely; at most {DENSE_LIMIT:,} weights are."
            )
        rows = [function(unit.reshape(x.shape)).reshape(-1) for unit in torch.eye(size, dtype=torch.float64)]
        weight = torch.stack(rows, dim=1).numpy()
    return x.like(tensors.linear(x.like(x.ids.ravel()), weight, None).ids.reshape(shape))


# ---- arithmetic


def _add(x: Operand, other: Operand, alpha: float = 1.0) -> Tensor:
    return tensors.add(x, other, float(alpha))


def _subtract(x: Operand, other: Operand, alpha: float = 1.0) -> Tensor:
    return tensors.add(x, other, -float(alpha))


def _reverse_subtract(x: Operand, other: Operand, alpha: float = 1.0) -> Tensor:
    return _subtract(other, x if alpha == 1 else tensors.multiply(x, float(alpha)))


def _divide(x: Operand, other: Operand, rounding_mode: str | None = None) -> Tensor:
    if rounding_mode is not None:
        raise UnsupportedLayerError("rounds a quotient, which jumps: only continuous functions are supported")
    return tensors.divide(x, other)


def _power(x: Tensor, exponent: Any) -> Tensor:
    if isinstance(exponent, int | float) and exponent == 1:
        return x
    raise UnsupportedLayerError("applies a power, which is not piecewise affine")


def _affine_product(
    x: Operand, mat1: Operand, mat2: Operand, beta: float = 1.0, alpha: float = 1.0
) -> Tensor:
    found = (
        tensors.matmul(mat1, mat2)
        if isinstance(mat1, Tensor) or isinstance(mat2, Tensor)
        else np.matmul(mat1, mat2)
    )
    scaled: Operand = (
        x if beta == 1 else (tensors.multiply(x, beta) if isinstance(x, Tensor) else beta * np.asarray(x))
    )
    return tensors.add(scaled, found, float(alpha))


def _linear(x: Operand, weight: Operand, bias: Operand | None = None) -> Tensor:
    if isinstance(weight, Tensor) or isinstance(bias, Tensor) or not isinstance(x, Tensor):
        raise UnsupportedLayerError("has weights that depend on the input, which is not piecewise affine")
    return tensors.linear(x, weight, bias)


def _sum(x: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    return tensors.total(x, dim, keepdim, mean=False)


def _mean(x: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    return tensors.total(x, dim, keepdim, mean=True)


def _einsum(equation: str, operands: Sequence[Operand], path: object = None) -> Tensor:
    return einsum(equation, operands)


def _bilinear(x: Operand, other: Operand, weight: Array, bias: Operand | None = None) -> Tensor:
    found = einsum("...i,oij,...j->...o", [x, weight, other])
    return found if bias is None else tensors.add(found, bias)


def _difference(
    x: Tensor, n: int = 1, dim: int = -1, prepend: Operand | None = None, append: Operand | None = None
) -> Tensor:
    ends = [tensors.as_tensor(x.graph, end).ids for end in (prepend, x, append) if end is not None]
    found = x.like(np.moveaxis(np.concatenate(ends, axis=dim), dim, -1))
    for _ in range(n):
        found = tensors.add(found.like(found.ids[..., 1:]), found.like(found.ids[..., :-1]), -1.0)
    return found.like(np.moveaxis(found.ids, -1, dim))


def _between(x: Operand, end: Operand, weight: Operand) -> Tensor:
    if isinstance(weight, Tensor):
        raise UnsupportedLayerError(
            "interpolates by something that depends on the input, which is not piecewise affine"
        )
    share = exact_floats(weight, "weights")
    graph = next(value.graph for value in (x, end) if isinstance(value, Tensor))
    return tensors.weighted_sum(
        [(tensors.as_tensor(graph, x), 1.0 - share), (tensors.as_tensor(graph, end), share)]
    )


def _plus(function: Callable[[Operand, Operand], Any]) -> Callable[..., Tensor]:
    def of(x: Operand, first: Operand, second: Operand, value: float = 1.0) -> Tensor:
        return tensors.add(x, function(first, second), float(value))

    return of


def _times(x: Operand, y: Operand) -> Operand:
    return tensors.multiply(x, y) if isinstance(x, Tensor) or isinstance(y, Tensor) else np.multiply(x, y)


def _over(x: Operand, y: Operand) -> Operand:
    return tensors.divide(x, y) if isinstance(x, Tensor) or isinstance(y, Tensor) else np.divide(x, y)


def _norm(x: Tensor, order: float = 2, dim: Any = None, keepdim: bool = False) -> Tensor:
    if order == 1:
        return tensors.total(tensors.units(x, "abs"), dim, keepdim, mean=False)
    if order == float("inf"):
        return tensors.reduced_extreme(tensors.units(x, "abs"), dim, keepdim, 1)
    raise UnsupportedLayerError(reason_against("linalg_vector_norm"))


# ---- extremes


def _extreme(sign: int) -> Callable[..., Any]:
    def of(x: Operand, other: Any = None, keepdim: bool = False, *, dim: int | None = None) -> Any:
        if isinstance(other, int) and not isinstance(other, bool):  # max(x, dim), by position
            dim = other
        elif other is not None:
            return tensors.extreme(x, other, sign)
        assert isinstance(x, Tensor)
        found = tensors.reduced_extreme(x, dim, keepdim, sign)
        return found if dim is None else [found, None]

    return of


def _extreme_of_axes(sign: int) -> Callable[..., Tensor]:
    def of(x: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
        return tensors.reduced_extreme(x, dim, keepdim, sign)

    return of


def _both_extremes(x: Tensor, dim: int | None = None, keepdim: bool = False) -> list[Tensor]:
    return [tensors.reduced_extreme(x, dim, keepdim, sign) for sign in (-1, 1)]


# ---- units


def _named(spelling: str) -> Callable[..., Tensor]:
    def of(x: Tensor) -> Tensor:
        return tensors.units(x, spelling)

    return of


def _leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    return tensors.units(x, f"leaky_relu:{float(negative_slope)!r}")


def _rrelu(
    x: Tensor, lower: float = 0.125, upper: float = 1 / 3, training: bool = False, generator: object = None
) -> Tensor:
    if training:
        raise UnsupportedLayerError("draws slopes at random (training mode); export it in evaluation mode")
    return _leaky_relu(x, (lower + upper) / 2)


def _prelu(x: Tensor, weight: Array) -> Tensor:
    slopes = exact_floats(weight, "slopes")
    if slopes.size > 1 and slopes.ndim == 1 and len(x.shape) > 1:
        slopes = slopes.reshape(-1, *[1] * (len(x.shape) - 2))
    return tensors.leaky(x, slopes)


def _clamp(x: Tensor, min: Any = None, max: Any = None) -> Tensor:
    if isinstance(min, Tensor | np.ndarray) or isinstance(max, Tensor | np.ndarray):
        lifted = x if min is None else tensors.extreme(x, min, 1)
        return lifted if max is None else tensors.extreme(lifted, max, -1)
    return tensors.clamp(x, min, max)


def _hardtanh(x: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    return tensors.clamp(x, min_val, max_val)


def _softshrink(x: Tensor, lambd: float = 0.5) -> Tensor:
    return tensors.units(x, f"softshrink:{float(lambd)!r}")


def _threshold(x: Tensor, threshold: float, value: float) -> Tensor:
    return tensors.threshold(x, float(threshold), float(value))


OPERATORS: dict[str, Callable[..., Any]] = {
    "add": _add, "sub": _subtract, "subtract": _subtract, "rsub": _reverse_subtract, "mul": tensors.multiply,
    "multiply": tensors.multiply, "div": _divide, "divide": _divide, "true_divide": tensors.divide,
    "einsum": _einsum, "bilinear": _bilinear, "diff": _difference, "lerp": _between,
    "cumsum": lambda x, dim: cumulated(x, dim), "linalg_vector_norm": _norm,
    "addcmul": _plus(_times), "addcdiv": _plus(_over),
    "neg": tensors.negated, "negative": tensors.negated, "pow": _power, "sum": _sum, "mean": _mean,
    "matmul": tensors.matmul, "mm": tensors.matmul, "bmm": tensors.matmul, "mv": tensors.matmul,
    "dot": tensors.matmul, "linear": _linear, "addmm": _affine_product, "baddbmm": _affine_product,
    "addmv": _affine_product, "max": _extreme(1), "min": _extreme(-1), "maximum": _extreme(1),
    "minimum": _extreme(-1), "fmax": _extreme(1), "fmin": _extreme(-1), "amax": _extreme_of_axes(1),
    "amin": _extreme_of_axes(-1), "aminmax": _both_extremes, "relu": _named("relu"), "relu6": _named("relu6"),
    "abs": _named("abs"), "absolute": _named("abs"), "leaky_relu": _leaky_relu, "rrelu": _rrelu,
    "prelu": _prelu, "_prelu_kernel": tensors.leaky, "clamp": _clamp,
    "clip": _clamp, "clamp_min": lambda x, min: _clamp(x, min, None),
    "clamp_max": lambda x, max: _clamp(x, None, max),
    "hardtanh": _hardtanh, "hardsigmoid": tensors.hard_sigmoid, "softshrink": _softshrink,
    "threshold": _threshold, **WINDOW_OPERATORS,
}  # fmt: skip
"""Every other operator by name."""
