"""Lowering of torch modules to layers.

Two tables say what is supported: modules that do nothing to a flat vector in
evaluation mode, and activations with how their unit is made. A further
activation is a further row (or `register_torch_activation`), not a branch.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from polyspline.cpa.layers import ActivationLike, Layer, make_layer
from polyspline.cpa.matrices import FloatArray
from polyspline.cpa.units import ScalarUnit
from polyspline.errors import (
    ArgumentError,
    NonFiniteError,
    ShapeError,
    UnsupportedLayerError,
    require,
)

if TYPE_CHECKING:
    import torch

ToUnit = Callable[[Any], ActivationLike]

_REGISTERED: dict[type, ToUnit] = {}

# What code that expects a tensor raises on a symbolic one (fx.proxy.TraceError is a ValueError).
_UNTRACEABLE = (TypeError, ValueError, RuntimeError, AttributeError, LookupError)


def register_torch_activation(module_class: type[torch.nn.Module], to_unit: ToUnit) -> None:
    """Make an activation module known to `Network.from_torch`.

    Parameters
    ----------
    module_class : type
        The class of the module. Subclasses that do not override ``forward`` are meant too.
    to_unit : callable
        Takes the module; returns what `Network.from_layers` takes as the activation of one layer:
        a spelling such as ``"abs"`` or ``"hardtanh:0,1"``, a `ScalarUnit`, or one `ScalarUnit` for each
        neuron. That the unit computes what the module does is for the caller to see to.

    Raises
    ------
    ArgumentError
        If ``module_class`` is not a class, or ``to_unit`` cannot be called.

    Examples
    --------
    >>> register_torch_activation(Abs, lambda module: "abs")  # doctest: +SKIP
    """
    if not isinstance(module_class, type) or not callable(to_unit):
        raise ArgumentError(
            f"register_torch_activation: expected a module class and a function, got {module_class!r} "
            f"and {to_unit!r}."
        )
    _REGISTERED[module_class] = to_unit


class _Tables(NamedTuple):
    """What torch modules are understood."""

    pass_through: frozenset[type]
    activations: dict[type, ToUnit]
    functions: dict[Any, str]


def _float(value: Any) -> str:
    return repr(float(value))


def _slopes(module: torch.nn.PReLU) -> str:
    return "prelu:" + ",".join(repr(slope) for slope in _to_float64(module.weight).ravel().tolist())


@cache
def _tables() -> _Tables:
    """Build the tables on first use, because they name classes of torch."""
    torch = require("torch", extra="torch", purpose="read torch modules")
    nn = torch.nn
    pass_through = {
        nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout,
        nn.FeatureAlphaDropout,
    }  # fmt: skip
    activations: dict[type, ToUnit] = {
        nn.ReLU: lambda _: "relu",
        nn.LeakyReLU: lambda m: f"leaky_relu:{_float(m.negative_slope)}",
        nn.RReLU: lambda m: f"leaky_relu:{_float((m.lower + m.upper) / 2)}",  # its mean, in evaluation mode
        nn.PReLU: _slopes,
        nn.Hardtanh: lambda m: f"hardtanh:{_float(m.min_val)},{_float(m.max_val)}",
        nn.ReLU6: lambda _: "relu6",
        nn.Softshrink: lambda m: f"softshrink:{_float(m.lambd)}",
    }
    # Functions of one tensor with nothing else to set; method names are strings.
    functions: dict[Any, str] = {
        abs: "abs", operator.abs: "abs", torch.abs: "abs", torch.absolute: "abs", "abs": "abs",
        "absolute": "abs", torch.relu: "relu", nn.functional.relu: "relu", "relu": "relu",
        nn.functional.relu6: "relu6",
    }  # fmt: skip
    return _Tables(frozenset(pass_through), activations, functions)


def _supported() -> str:
    tables = _tables()
    known = {cls.__name__ for cls in (*tables.pass_through, *tables.activations, *_REGISTERED)}
    return (
        f"Sequential, Linear, Flatten, {', '.join(sorted(known))}, a module whose forward pass is one call "
        "of abs or relu, and activations made known with polyspline.network.register_torch_activation"
    )


def _refusal(module: object, place: str, why: str = "is not supported") -> UnsupportedLayerError:
    return UnsupportedLayerError(
        f"{place} is a {type(module).__name__}, which {why}; supported are {_supported()}."
    )


def _place(name: str) -> str:
    return f"layer {name!r}" if name else "the module itself"


def _known_class(module: object, table: Any) -> type | None:
    """Find the class by which a table knows the module, if its forward pass is still that class's."""
    for cls in type(module).__mro__:
        if cls in table:
            return cls if getattr(type(module), "forward", None) is getattr(cls, "forward", None) else None
    return None


def _to_float64(tensor: torch.Tensor) -> FloatArray:
    """Exact float64 copy of a tensor of real floating-point numbers of at most 64 bits."""
    import torch

    return np.array(tensor.detach().to(device="cpu", dtype=torch.float64).numpy(), dtype=np.float64)


def _leaves(module: torch.nn.Module, name: str) -> Iterator[tuple[str, torch.nn.Module]]:
    """Modules in the order of the forward pass, nested Sequentials opened up, with their dotted names."""
    from torch import nn

    # A hook can change what a module computes, so its class no longer tells.
    if module._forward_hooks or module._forward_pre_hooks:
        raise _refusal(module, _place(name), "carries forward hooks (remove them first)")
    if _known_class(module, (nn.Sequential,)) is None:
        yield name, module
        return
    # Not named_children(), which leaves out a module that is used for the second time.
    for key, child in module._modules.items():
        if child is not None:
            yield from _leaves(child, f"{name}.{key}" if name else key)


@contextmanager
def _evaluation_mode(module: torch.nn.Module) -> Iterator[None]:
    flags = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, flag in flags:
            part.training = flag


def _traced_activation(module: torch.nn.Module) -> str | None:
    """Spelling of the one function that a module's forward pass calls on its input, if it is known.

    The forward pass is traced symbolically, so it is known to be that call and nothing else.
    """
    from torch import fx

    if next(module.children(), None) is not None or next(module.parameters(), None) is not None:
        return None
    try:
        nodes = list(fx.Tracer().trace(module).nodes)
    except _UNTRACEABLE:
        return None
    if [node.op for node in nodes] not in (
        ["placeholder", "call_function", "output"],
        ["placeholder", "call_method", "output"],
    ):
        return None
    given, call, output = nodes
    plain = {"inplace": False}  # torch.nn.functional.relu says so when it is traced
    if call.args != (given,) or (call.kwargs and call.kwargs != plain) or output.args != (call,):
        return None
    return _tables().functions.get(call.target)


class _Builder:
    """Layers so far, and the shape of the vector between two modules."""

    def __init__(self, input_shape: tuple[int, ...] | None, width: int) -> None:
        self.shape = input_shape or (width,)
        self.parts: list[tuple[FloatArray, FloatArray, ActivationLike, str]] = []
        self.open = False  # whether the last layer still has no activation

    def add_linear(self, module: torch.nn.Linear, place: str) -> None:
        import torch

        if torch.nn.parameter.is_lazy(module.weight) or module.weight.is_meta:
            raise _refusal(module, place, "has no weights yet (run it once, or load its weights)")
        tensors = [module.weight] if module.bias is None else [module.weight, module.bias]
        for tensor in tensors:
            if not tensor.is_floating_point():
                raise _refusal(module, place, f"has {tensor.dtype} weights (real floats are needed)")
            if not bool(torch.isfinite(tensor).all()):
                raise NonFiniteError(
                    f"{place} (Linear) has a NaN or infinite weight or bias; expected finite numbers."
                )
        weight = _to_float64(module.weight)
        bias = np.zeros(len(weight)) if module.bias is None else _to_float64(module.bias)
        if len(self.shape) > 1:
            raise ShapeError(
                f"{place} (Linear) gets an input of shape {self.shape}; put an nn.Flatten before it, since "
                "only a flat vector is supported."
            )
        if weight.shape[1] != self.shape[0]:
            raise ShapeError(
                f"{place} (Linear) takes {weight.shape[1]} inputs, but gets {self.shape[0]} from "
                f"{self.parts[-1][3] if self.parts else 'the input'}."
            )
        self.parts.append((weight, bias, "identity", place))
        self.shape = (len(weight),)
        self.open = True

    def add_activation(self, activation: ActivationLike, place: str) -> None:
        width = prod(self.shape)
        if self.open:
            weight, bias, _, start = self.parts.pop()
            self.parts.append((weight, bias, activation, f"{start} with {place}"))
        else:  # an activation on the input, or upon another one
            self.parts.append((np.eye(width), np.zeros(width), activation, place))
        self.open = False

    def flatten(self, module: torch.nn.Flatten, place: str) -> None:
        last = module.end_dim if module.end_dim < 0 else module.end_dim - len(self.shape) - 1
        if module.start_dim not in (1, -len(self.shape)) or last != -1:
            raise _refusal(module, place, "must flatten all but the batch (start_dim=1, end_dim=-1)")
        self.shape = (prod(self.shape),)

    def layers(self) -> tuple[Layer, ...]:
        return tuple(make_layer(weight, bias, units, name=place) for weight, bias, units, place in self.parts)


def _activation_of(module: torch.nn.Module, place: str) -> ActivationLike:
    for table in (_REGISTERED, _tables().activations):
        known = _known_class(module, table)
        if known is not None:
            return _checked(table[known](module), module, place)
    traced = _traced_activation(module)
    if traced is None:
        raise _refusal(module, place)
    return traced


def _checked(activation: ActivationLike, module: object, place: str) -> ActivationLike:
    if isinstance(activation, str | ScalarUnit | Sequence):
        return activation
    raise ArgumentError(
        f"{place} ({type(module).__name__}): its registered function returned {activation!r}; expected a "
        "spelling, a ScalarUnit, or one ScalarUnit for each neuron."
    )


def _input_width(leaves: list[tuple[str, torch.nn.Module]]) -> int:
    from torch import nn

    for _, module in leaves:
        if isinstance(module, nn.Linear):
            return module.in_features
    raise ShapeError(
        "the module has no Linear layer that tells the number of its inputs; pass input_shape, e.g. "
        "input_shape=(2,)."
    )


def lower_module(module: torch.nn.Module, input_shape: Sequence[int] | None = None) -> tuple[Layer, ...]:
    """Layers of a torch module in evaluation mode; see `Network.from_torch`.

    Parameters
    ----------
    module : torch.nn.Module
    input_shape : sequence of int, optional
        Shape of one input without its batch dimension.

    Returns
    -------
    tuple of Layer
        One for each Linear (nothing is folded, so nothing is rounded), and one with an identity
        weight for an activation that does not follow a Linear.

    Raises
    ------
    UnsupportedLayerError, ShapeError, NonFiniteError, MissingExtraError
        As `Network.from_torch`.
    """
    tables = _tables()
    from torch import nn

    if not isinstance(module, nn.Module):
        raise UnsupportedLayerError(f"expected a torch.nn.Module, got a {type(module).__name__}.")
    shape = None if input_shape is None else tuple(int(size) for size in np.atleast_1d(input_shape))
    if shape is not None and (not shape or min(shape) < 1):
        raise ShapeError(f"input_shape: expected positive integers, got {input_shape!r}.")
    with _evaluation_mode(module):
        leaves = list(_leaves(module, ""))
        builder = _Builder(shape, 0 if shape else _input_width(leaves))
        for name, leaf in leaves:
            _lower_leaf(builder, leaf, _place(name), tables)
    if not builder.parts:
        builder.add_activation("identity", "the input")
    return builder.layers()


def _lower_leaf(builder: _Builder, leaf: torch.nn.Module, place: str, tables: _Tables) -> None:
    from torch import nn

    if isinstance(leaf, nn.Linear) and _known_class(leaf, (nn.Linear,)):
        builder.add_linear(leaf, place)
    elif isinstance(leaf, nn.Flatten) and _known_class(leaf, (nn.Flatten,)):
        builder.flatten(leaf, place)
    elif _known_class(leaf, tables.pass_through) is None:
        builder.add_activation(_activation_of(leaf, place), place)
