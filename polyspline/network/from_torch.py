"""Networks from torch modules: tracing, and what to say when that fails."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from polyspline.cpa.activations import parse_activation
from polyspline.cpa.layers import ActivationLike, Layer
from polyspline.cpa.units import ScalarUnit
from polyspline.errors import ArgumentError, ShapeError, UnsupportedLayerError, require
from polyspline.network.limits import Budget
from polyspline.network.lowering import lower
from polyspline.network.tensors import Tensor, each_unit
from polyspline.network.torch_program import Program, place_of, program_of
from polyspline.network.torch_run import run_program

if TYPE_CHECKING:
    import torch

ToUnit = Callable[[Any], ActivationLike]

_REGISTERED: dict[type, ToUnit] = {}

# What code that expects numbers raises on a traced tensor, or on one of another shape.
_FAILURES = (TypeError, ValueError, RuntimeError, AttributeError, LookupError, AssertionError)
_MIXED = 1e-2
"""Relative difference that shows that the samples of a batch are mixed ..."""
_MIXED_STEPS = 30.0
"""... and at least so many steps of the floating-point type; far above rounding."""


def register_torch_activation(module_class: type[torch.nn.Module], to_unit: ToUnit) -> None:
    """Make an activation module known to `Network.from_torch`.

    This is for modules that cannot be traced, or whose operators are not known; a module that is
    made of known ones needs no registration.

    Parameters
    ----------
    module_class : type
        The class of the module. Subclasses that do not override ``forward`` are meant too.
    to_unit : callable
        Takes the module; returns a spelling such as ``"abs"`` or ``"hardtanh:0,1"``, a `ScalarUnit`,
        or one `ScalarUnit` for each neuron. That the unit computes what the module does is for the
        caller to see to.

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


def lower_module(
    module: torch.nn.Module, input_shape: Sequence[int] | None = None, drop_output_activation: bool = False
) -> tuple[Layer, ...]:
    """Layers of a torch module in evaluation mode; see `Network.from_torch`.

    Parameters
    ----------
    module : torch.nn.Module
    input_shape : sequence of int, optional
        Shape of one input without its batch dimension.
    drop_output_activation : bool
        Whether a smooth function at the very end is left out.

    Returns
    -------
    tuple of Layer
        See `polyspline.network.lowering.lower`.

    Raises
    ------
    UnsupportedLayerError, ShapeError, NonFiniteError, ArgumentError, MissingExtraError
        As `Network.from_torch`.

    Notes
    -----
    Algorithm: ``torch.export`` writes the forward pass down as a list of calls of torch's own
    operators, whatever Python it is made of, for a batch of one.
    """
    require("torch", extra="torch", purpose="read torch modules")
    from torch import nn

    if not isinstance(module, nn.Module):
        raise UnsupportedLayerError(f"expected a torch.nn.Module, got a {type(module).__name__}.")
    shape = _checked_shape(input_shape) or (_input_width(module),)
    _check_parameters(module)
    known = [(name, part) for name, part in module.named_modules() if _registered_class(part) is not None]

    def registered(number: int, x: Tensor) -> Tensor:
        name, part = known[number]
        return _registered_unit(part, place_of(name, type(part).__name__), x)

    with _prepared(module, [part for _, part in known]):
        program = _traced(module, shape)
        graph, outputs = run_program(
            program, drop_output_activation=drop_output_activation, registered=registered
        )
    with _prepared(module, []):
        _check_samples_apart(module, shape)
    return lower(graph, outputs)


def lower_program(
    program: Program, drop_output_activation: bool = False, budget: Budget | None = None
) -> tuple[Layer, ...]:
    """Layers of a torch program that was read from a file.

    Parameters, result and errors are those of `lower_module`; ``budget`` is what the program may ask for.
    """

    def registered(number: int, x: Tensor) -> Tensor:
        raise UnsupportedLayerError("is an activation that was registered where the program was exported")

    graph, outputs = run_program(
        program, drop_output_activation=drop_output_activation, registered=registered, budget=budget
    )
    return lower(graph, outputs)


# ---- before the trace


def _checked_shape(input_shape: Sequence[int] | None) -> tuple[int, ...] | None:
    if input_shape is None:
        return None
    shape = tuple(int(size) for size in np.atleast_1d(input_shape))
    if not shape or min(shape) < 1:
        raise ShapeError(f"input_shape: expected positive integers, got {input_shape!r}.")
    return shape


def _input_width(module: torch.nn.Module) -> int:
    """Find the number of inputs: of the first layer with weights, if that is a Linear."""
    from torch import nn

    for part in module.modules():
        if isinstance(part, nn.Linear):
            return part.in_features
        if next(part.parameters(recurse=False), None) is not None:
            break
    raise ShapeError(
        "the module does not start with a Linear layer that tells the number of its inputs; pass "
        "input_shape, the shape of one input without the batch, e.g. input_shape=(2,) or (1, 28, 28)."
    )


def _check_parameters(module: torch.nn.Module) -> None:
    import torch

    for name, part in module.named_modules():
        place = place_of(name, type(part).__name__)
        for tensor in part.parameters(recurse=False):
            if torch.nn.parameter.is_lazy(tensor) or tensor.is_meta:
                raise UnsupportedLayerError(
                    f"{place} has no weights yet; run it once, or load its weights, before it is read."
                )
            if not tensor.is_floating_point():
                raise UnsupportedLayerError(f"{place} has {tensor.dtype} weights; real floats are needed.")


@contextmanager
def _prepared(module: torch.nn.Module, replaced: list[torch.nn.Module]) -> Iterator[None]:
    """Set evaluation mode without gradients, warnings and logs, and with marks in place of some modules."""
    import torch

    flags = [(part, part.training) for part in module.modules()]
    silent = logging.root.manager.disable
    operator = _unit_operator() if replaced else None
    module.eval()
    logging.disable(logging.CRITICAL)  # torch logs what goes wrong in a trace; we say it in a sentence
    try:
        for number, part in enumerate(replaced):
            part.__dict__["forward"] = _mark(operator, number)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(silent)
        for part in replaced:
            part.__dict__.pop("forward", None)
        for part, flag in flags:
            part.training = flag


# ---- registered activations


def _mark(operator: Any, number: int) -> Callable[[torch.Tensor], torch.Tensor]:
    def forward(x: torch.Tensor) -> torch.Tensor:
        marked: torch.Tensor = operator(x, number)
        return marked

    return forward


_LIBRARIES: list[Any] = []  # torch forgets the operators of a library that nobody holds


@cache
def _unit_operator() -> Any:
    """Operator of torch that stands for a registered activation in a trace."""
    import torch

    library: Any = torch.library.Library("polyspline", "DEF")  # type: ignore[no-untyped-call]
    library.define("unit(Tensor x, int number) -> Tensor")
    library.impl("unit", lambda x, number: x.clone(), "CompositeExplicitAutograd")
    _LIBRARIES.append(library)
    return torch.ops.polyspline.unit


def _registered_class(module: object) -> type | None:
    """Class by which a module is registered, if its forward pass is still that class's."""
    for cls in type(module).__mro__:
        if cls in _REGISTERED:
            return cls if getattr(type(module), "forward", None) is getattr(cls, "forward", None) else None
    return None


def _registered_unit(module: object, place: str, x: Tensor) -> Tensor:
    cls = _registered_class(module)
    assert cls is not None
    activation = _REGISTERED[cls](module)
    units: Sequence[Any] = ()
    if isinstance(activation, str):
        units = parse_activation(activation, x.ids.size)
    elif isinstance(activation, ScalarUnit):
        units = [activation] * x.ids.size
    elif isinstance(activation, Sequence):
        units = activation
    if len(units) != x.ids.size or not all(isinstance(unit, ScalarUnit) for unit in units):
        raise ArgumentError(
            f"{place}: its registered function returned {activation!r}; expected a spelling, a ScalarUnit, "
            f"or one ScalarUnit for each of its {x.ids.size} neurons."
        )
    return each_unit(x, units)


# ---- the trace


def _example(module: torch.nn.Module, shape: tuple[int, ...], batch: int) -> torch.Tensor:
    import torch

    held = (*module.parameters(), *module.buffers())
    like = next((tensor for tensor in held if tensor.is_floating_point()), torch.zeros(1))
    drawn = torch.randn((batch, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return drawn.to(dtype=like.dtype, device=like.device)


def _traced(module: torch.nn.Module, shape: tuple[int, ...]) -> Program:
    example = _example(module, shape, 1)
    try:
        return program_of(_exported(module, example))
    except UnsupportedLayerError:
        raise
    except _FAILURES as failure:
        _explain(module, example, failure)


def _exported(module: torch.nn.Module, example: torch.Tensor) -> Any:
    import torch

    # What torch prints about a trace that fails, we say in a sentence.
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        return torch.export.export(module, (example,), strict=False)


def _explain(module: torch.nn.Module, example: torch.Tensor, failure: Exception) -> NoReturn:
    """Say why a module cannot be traced: it does not even run, or it does what a trace cannot hold.

    Raises
    ------
    ShapeError, UnsupportedLayerError
        One of them, always.
    """
    shape = tuple(example.shape[1:])
    with _places(module) as entered:
        try:
            module(example)
        except (TypeError, NotImplementedError, AttributeError) as wrong:
            raise UnsupportedLayerError(
                f"{entered[-1]}: cannot be run on one tensor ({_first_line(wrong)})."
            ) from wrong
        except _FAILURES as wrong:
            raise ShapeError(
                f"{entered[-1]}: does not run on what an input of shape {shape} becomes "
                f"({_first_line(wrong)}); "
                "pass the input_shape that the module takes, without the batch."
            ) from wrong
        del entered[1:]
        with suppress(*_FAILURES):
            _exported(module, example)
        place = entered[-1]
    raise UnsupportedLayerError(
        f"{place}: cannot be traced ({_first_line(failure)}); only straight programs without decisions that "
        "depend on the values are supported, or activations made known with "
        "polyspline.network.register_torch_activation."
    ) from failure


def _first_line(failure: BaseException) -> str:
    return (str(failure).strip().splitlines() or [type(failure).__name__])[0].rstrip(". ")


@contextmanager
def _places(module: torch.nn.Module) -> Iterator[list[str]]:
    """Places of the modules that are being run, outermost first; a failure leaves them as they are."""
    entered = [place_of("", type(module).__name__)]
    handles = []
    for name, part in module.named_modules():
        place = place_of(name, type(part).__name__)
        handles.append(part.register_forward_pre_hook(lambda *_, place=place: entered.append(place)))
        handles.append(part.register_forward_hook(lambda *_: entered.__delitem__(-1)))
    try:
        yield entered
    finally:
        for handle in handles:
            handle.remove()


def _check_samples_apart(module: torch.nn.Module, shape: tuple[int, ...]) -> None:
    """Check that a sample of a batch does not depend on the others, which a trace of one cannot tell.

    Raises
    ------
    UnsupportedLayerError
        If one does.
    """
    import torch

    pair = _example(module, shape, 2)
    try:
        together = module(pair)
    except _FAILURES:
        return  # a module that takes one sample only
    alone = torch.stack([module(sample[None]).reshape(-1) for sample in pair]).double()
    if together.numel() != alone.numel():
        apart = float("inf")
    else:
        apart = float((together.double().reshape(alone.shape) - alone).abs().max())
    if apart > max(_MIXED, _MIXED_STEPS * torch.finfo(pair.dtype).eps) * float(alone.abs().max()):
        raise UnsupportedLayerError(
            "the module mixes the samples of a batch: its output for one of them depends on the others; "
            "expected "
            "a function of one input (see its operations along axis 0)."
        )
