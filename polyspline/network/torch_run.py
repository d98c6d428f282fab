"""Running a torch program on the graph: every operator becomes nodes, or a reason why it cannot."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from polyspline.cpa.matrices import IntArray
from polyspline.errors import (
    InvariantError,
    NetworkFileError,
    PolysplineError,
    ShapeError,
    UnsupportedLayerError,
)
from polyspline.network.boundary import DATA_ERRORS, shortened
from polyspline.network.comparisons import JUMPS, Jumping, combined, jumped
from polyspline.network.graph import Graph
from polyspline.network.limits import Budget
from polyspline.network.reasons import Refusal, accepted, reason_against, refused
from polyspline.network.tensors import Tensor
from polyspline.network.torch_names import (
    CONSTANTS,
    DROPOUTS,
    LINEAR,
    MOVING,
    NOTHING,
    PASSING,
    SHAPE_ONLY,
    UNINITIALISED,
)
from polyspline.network.torch_ops import OPERATORS, probed_linear
from polyspline.network.torch_program import Program, Ref, Step, references, replaced
from polyspline.network.torch_reference import called, check_arguments, reserve_result, why_not

if TYPE_CHECKING:
    import torch

_IGNORED = frozenset({"dtype", "layout", "device", "pin_memory", "memory_format", "non_blocking", "copy"})
_SCALARS = frozenset({"value", "self", "other"})  # of operators that move numbers, those that are moved
_FORBIDDEN = frozenset({"from_file"})  # opens a file, which no model needs

_INTEGERS = 2**63
_Known = Tensor | np.ndarray | int | float | str

UnitMaker = Callable[[int, Tensor], Tensor]


def run_program(
    program: Program, *, drop_output_activation: bool, registered: UnitMaker, budget: Budget | None = None
) -> tuple[Graph, IntArray]:
    """Graph of a program, and the ids of its outputs.

    Parameters
    ----------
    program : Program
    drop_output_activation : bool
        Whether a smooth function at the very end is left out.
    registered : callable
        Takes the number of a registered module and its input, and returns its output.
    budget : Budget, optional
        How much the program may ask for.

    Returns
    -------
    graph : Graph
    outputs : ndarray of int64, shape (D,)

    Raises
    ------
    UnsupportedLayerError, ShapeError, NonFiniteError, ArgumentError, TooLargeError
        As `Network.from_torch`.
    NetworkFileError
        If a step uses what none before it has made, or has not as many results as it names.
    """
    import torch

    graph = Graph(budget)
    ids = graph.inputs(prod(program.input_shape)).reshape(program.input_shape)
    values: dict[str, Any] = {**program.constants, program.input_name: Tensor(graph, ids)}
    runner = _Runner(graph, registered)
    for step in program.steps:
        found = runner.run(step, values)
        if isinstance(found, Refusal) and (step.several or len(step.outputs) > 1):
            found = [found] * len(step.outputs)
        results = found if step.several else [found]
        if not step.outputs:
            continue
        if not isinstance(results, list | tuple) or len(results) != len(step.outputs):
            raise NetworkFileError(
                f"{step.place}: {step.target} has other results than the {len(step.outputs)} that "
                "the program "
                "names: it is damaged."
            )
        values |= dict(zip(step.outputs, results, strict=True))
    _require_made([program.output], values, "the output")
    output = values[program.output.name]
    if isinstance(output, Jumping):
        output = Refusal(output.place, output.reason)
    output = accepted(output, drop_output_activation)
    graph.place = "the output"
    if not isinstance(output, Tensor | torch.Tensor):
        raise UnsupportedLayerError("the output of the program is no tensor.")
    final = output if isinstance(output, Tensor) else runner.as_moving(output)
    if final.ids.size == 0:
        raise ShapeError("the model returns an empty tensor; expected at least one number.")
    return graph, final.ids.ravel()


class _Runner:
    def __init__(self, graph: Graph, registered: UnitMaker) -> None:
        self.graph = graph
        self.registered = registered

    def run(self, step: Step, values: dict[str, Any]) -> Any:
        """Value of one step: a Tensor, a tensor of torch, a number, a list of them, or a Refusal."""
        self.graph.place = step.place
        schema = getattr(step.target, "_schema", None)
        name = "" if schema is None else schema.name.removeprefix("aten::")
        if name in NOTHING:
            return None
        used = list(references([*step.args, *step.kwargs.values()]))
        _require_made(used, values, step.place)
        given = [values[ref.name] for ref in used]
        args, kwargs = replaced(step.args, values), {k: replaced(v, values) for k, v in step.kwargs.items()}
        if schema is None:
            return self._number(step, args, given)
        refusal = next((value for value in _flat(given) if isinstance(value, Refusal)), None)
        if refusal is not None:
            return self._refused(refusal, step, name, args, kwargs)
        try:
            check_arguments(step.target, args, kwargs)
            if not any(isinstance(value, Tensor | Jumping) for value in _flat(given)):
                return self._constant(step, name, args, kwargs)
            return self._simplified(self._call(step, name, args, kwargs))
        except (InvariantError, MemoryError):
            raise
        except UnsupportedLayerError as wrong:
            before = next((value for value in _flat(given) if isinstance(value, Tensor)), None)
            return refused(step.place, name, wrong, before)
        except PolysplineError as wrong:
            message = str(wrong)
            raise type(wrong)(
                message if message.startswith(step.place) else f"{step.place}: {message}"
            ) from wrong
        except DATA_ERRORS:
            reason = why_not(self.graph, step.target, args, kwargs)
            if reason is None:
                raise  # torch takes the arguments: a good model, and a defect of ours
            return Refusal(step.place, reason)

    def _call(self, step: Step, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        written = name in OPERATORS or name.endswith("__")
        plain = name if written else name.removesuffix("_")
        if name == "polyspline::unit":
            return self.registered(int(args[1]), args[0])
        if name in PASSING:
            return self._passed(name, _bound(step.target, args, kwargs))
        if any(isinstance(value, Jumping) for value in _flat([args, *kwargs.values()])):
            return combined("" if kwargs else plain, [_plain(value) for value in args])
        if plain in JUMPS:
            return jumped(plain, *(_plain(value) for value in args))
        if plain in MOVING:
            return self._moved(step.target, args, kwargs)
        if plain in SHAPE_ONLY:
            reserve_result(self.graph, plain, step.target, args, kwargs)
            return called(step.target, _blank(args), _blank(kwargs))
        if plain in LINEAR:
            return self._probed(step.target, args, kwargs)
        if plain not in OPERATORS:
            raise UnsupportedLayerError(reason_against(plain))
        bound = {k: _plain(v) for k, v in _bound(step.target, args, kwargs).items() if k not in _IGNORED}
        positional, named = _split(step.target, bound)
        if any(
            value is not None and not isinstance(value, _Known)
            for value in _flat([*positional, *named.values()])
        ):
            raise UnsupportedLayerError("gets an argument of a kind that is not supported")
        return OPERATORS[plain](*positional, **named)

    def _number(self, step: Step, args: tuple[Any, ...], given: list[Any]) -> Any:
        """Functions of sizes, and choosing from several results."""
        wrong = next((value for value in given if isinstance(value, Refusal)), None)
        if wrong is not None:
            return wrong
        if step.target is operator.getitem and len(args) == 2:
            several, number = args
            fits = isinstance(several, list | tuple) and isinstance(number, int)
            if fits and -len(several) <= number < len(several):
                return several[number]
        elif all(isinstance(value, int | float) for value in args) and _small_power(step.target, args):
            found = called(step.target, args, {})
            if not isinstance(found, int) or abs(found) < _INTEGERS:
                return found
        return Refusal(step.place, f"calls {step.target}, which is not supported for what it gets")

    def _refused(
        self, refusal: Refusal, step: Step, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Carry a refusal on, through what only moves numbers, together with what was before it."""
        if refusal.before is None or name not in MOVING | PASSING:
            return Refusal(refusal.place, refusal.reason)
        uncovered = [
            value.before if isinstance(value, Refusal) else value for value in (*args, *kwargs.values())
        ]
        found = self._call(
            step, name, tuple(uncovered[: len(args)]), dict(zip(kwargs, uncovered[len(args) :], strict=True))
        )
        if isinstance(found, Tensor):
            return Refusal(refusal.place, refusal.reason, found)
        return Refusal(refusal.place, refusal.reason)

    def _constant(self, step: Step, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        import torch

        if name in _FORBIDDEN or not isinstance(step.target, torch._ops.OpOverload) or "::" in name:
            return Refusal(step.place, f"calls {name}, an operator that is not part of torch")
        if torch.Tag.nondeterministic_seeded in step.target.tags:
            return Refusal(step.place, f"draws random numbers ({name}), so it is no function of its input")
        plain = name if name in OPERATORS or name.endswith("__") else name.removesuffix("_")
        if {name, plain} & UNINITIALISED:
            return Refusal(step.place, f"reads memory that nothing has written to ({name}); use zeros")
        known = (
            plain in MOVING | SHAPE_ONLY | LINEAR | PASSING | JUMPS | CONSTANTS or plain in OPERATORS
            or {torch.Tag.pointwise, torch.Tag.core} & set(step.target.tags)
        )  # fmt: skip
        if not known:
            return Refusal(step.place, f"computes a constant by {name}, which is not supported")
        reserve_result(self.graph, plain, step.target, args, kwargs)
        # Wherever the model was traced, its constants are computed on the processor.
        here = {name: torch.device("cpu") if name == "device" else value for name, value in kwargs.items()}
        return called(step.target, args, here)

    def _simplified(self, found: Any) -> Any:
        """Tensors that turn out to be constant, as such."""
        import torch

        if isinstance(found, list | tuple):
            return [self._simplified(entry) for entry in found]
        if isinstance(found, Tensor) and self.graph.is_constant(found.ids).all():
            return torch.from_numpy(np.asarray(self.graph.values_of(found.ids)))
        return found

    # ---- operators that only move numbers around run on the ids themselves

    def as_moving(self, value: Any) -> Tensor:
        """Tensor of constants."""
        import torch

        array = value.detach().double().cpu().numpy() if isinstance(value, torch.Tensor) else value
        return Tensor(self.graph, self.graph.constants(array))

    def _moved(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        import torch

        # Ids are counted from 1 meanwhile: a zero in the result is one that the operator put there.
        def covered(name: str, value: Any) -> Any:
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                value = self.as_moving(value)
            if isinstance(value, Tensor):
                return torch.from_numpy(
                    np.array(value.ids + 1.0, order="C")
                )  # so that any view of it can be made
            if isinstance(value, list | tuple):
                return type(value)(covered(name, entry) for entry in value)
            if name in _SCALARS and isinstance(value, int | float) and value != 0:
                return float(self.graph.constants(float(value))[()] + 1)
            return value

        name = target._schema.name.removeprefix("aten::")
        reserve_result(self.graph, name, target, args, kwargs)
        bound = {k: v for k, v in _bound(target, args, kwargs).items() if k not in _IGNORED}
        if bound.get("accumulate") or bound.get("reduce"):
            raise UnsupportedLayerError(
                "adds to entries that it chooses (accumulate or reduce), which is not supported"
            )
        positional, named = _split(target, {key: covered(key, value) for key, value in bound.items()})
        return self._uncovered(called(target, positional, named))

    def _uncovered(self, found: Any) -> Any:
        import torch

        if isinstance(found, torch.Tensor):
            return Tensor(self.graph, self.graph.with_zeros(found.numpy().astype(np.int64) - 1))
        return [self._uncovered(entry) for entry in found]

    def _passed(self, name: str, bound: dict[str, Any]) -> Any:
        """Operators that do nothing to real numbers: copies, casts to floats, dropout in evaluation mode."""
        import torch

        if name in DROPOUTS and bound.get("train"):
            raise UnsupportedLayerError("drops out at random (training mode); export it in evaluation mode")
        for value in bound.values():
            if isinstance(value, torch.dtype) and not value.is_floating_point:
                raise UnsupportedLayerError(
                    f"casts to {value}, which jumps: only continuous functions are supported"
                )
        return bound["self"] if "self" in bound else bound["input"]

    def _probed(self, target: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """Linear operators that are known by what they do to the unit vectors."""
        import torch

        found = [value for value in _flat([args, *kwargs.values()]) if isinstance(value, Tensor)]
        if len(found) > 1:
            raise UnsupportedLayerError(
                "multiplies two things that depend on the input, which is not piecewise affine"
            )

        def of(x: torch.Tensor) -> torch.Tensor:
            def put(value: Any) -> Any:
                if isinstance(value, Tensor):
                    return x
                if isinstance(value, torch.Tensor) and value.is_floating_point():
                    return value.double()
                return [put(entry) for entry in value] if isinstance(value, list | tuple) else value

            laid = {k: put(v) for k, v in kwargs.items()}
            out: torch.Tensor = called(target, [put(a) for a in args], laid)
            return out

        return probed_linear(found[0], of)


def _require_made(used: list[Ref], values: Mapping[str, Any], place: str) -> None:
    """Check that all names stand for something.

    Raises
    ------
    NetworkFileError
        If one does not.
    """
    for ref in used:
        if ref.name not in values:
            raise NetworkFileError(
                f"{place}: uses {shortened(ref.name)}, which nothing before it makes: the program is damaged."
            )


def _small_power(target: Callable[..., Any], args: tuple[Any, ...]) -> bool:
    """Whether a function of numbers is no power of whole numbers that may have any number of digits."""
    return target is not operator.pow or all(isinstance(value, float) or abs(value) < 64 for value in args)


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        else:
            yield value


def _plain(value: Any) -> Any:
    """Tensors of torch as arrays: float64, or integers as they are."""
    import torch

    if isinstance(value, torch.Tensor):
        return (value.double() if value.is_floating_point() else value).detach().cpu().numpy()
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def _blank(arguments: Any) -> Any:
    """Arguments with zeros in place of tensors, for operators that read shapes only."""
    import torch

    if isinstance(arguments, Tensor):
        return torch.zeros(arguments.shape, dtype=torch.float64)
    if isinstance(arguments, list | tuple):
        return type(arguments)(_blank(value) for value in arguments)
    return {k: _blank(v) for k, v in arguments.items()} if isinstance(arguments, dict) else arguments


def _bound(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments by name."""
    names = [argument.name for argument in target._schema.arguments]
    return {**dict(zip(names, args, strict=False)), **kwargs}


def _split(target: Any, bound: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Arguments by position, as far as they go without a gap, and the rest by name."""
    positional: list[Any] = []
    for argument in target._schema.arguments:
        if argument.kwarg_only or argument.name not in bound:
            break
        positional.append(bound.pop(argument.name))
    return positional, bound
