"""What a torch model does, as plain steps: the form that modules and files are brought to."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from polyspline.errors import UnsupportedLayerError

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram


@dataclass(frozen=True)
class Ref:
    """The result of an earlier step, an input or a constant, by name."""

    name: str


@dataclass(frozen=True)
class Step:
    """One call of an operator.

    Attributes
    ----------
    outputs : tuple of str
        Names of the results; a call that returns several has them all.
    several : bool
        Whether the call returns a tuple or list.
    target : callable
        An operator of torch, or a function of numbers.
    args : tuple
    kwargs : dict
        May hold `Ref`, also within lists.
    place : str
        Module that makes the call, for messages.
    """

    outputs: tuple[str, ...]
    several: bool
    target: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    place: str


@dataclass(frozen=True)
class Program:
    """Steps from one input to one output.

    Attributes
    ----------
    input_name : str
    input_shape : tuple of int
        With the batch axis, if it has one.
    constants : dict of str to tensor
        Parameters, buffers and constants.
    steps : list of Step
    output : Ref
    """

    input_name: str
    input_shape: tuple[int, ...]
    constants: dict[str, torch.Tensor]
    steps: list[Step] = field(repr=False)
    output: Ref


NUMBER_FUNCTIONS: dict[str, Callable[..., Any]] = {
    f"_operator.{name}": getattr(operator, name)
    for name in (
        "add", "sub", "mul", "truediv", "floordiv", "mod", "neg", "pow", "eq", "ne", "lt", "le", "gt", "ge",
        "and_", "or_", "not_", "getitem",
    )
}  # fmt: skip
"""Functions of numbers (of sizes, mostly) that a program may call."""


def single(items: list[Any], what: str) -> Any:
    """Return the only item of a list.

    Raises
    ------
    UnsupportedLayerError
        If there is not exactly one.
    """
    if len(items) != 1:
        raise UnsupportedLayerError(
            f"the model has {len(items)} {what}s; expected exactly one tensor as its {what}: wrap it in a "
            "module that takes and returns one."
        )
    return items[0]


def place_of(path: str, class_name: str) -> str:
    """Name of a module in a model, for messages."""
    name = class_name.rpartition(".")[2]
    return f"layer {path!r} ({name})" if path else f"the module itself ({name})"


# ---- from an exported program


def program_of(exported: ExportedProgram) -> Program:
    """Write down the steps of an exported program.

    Raises
    ------
    UnsupportedLayerError
        If it does not take one tensor and return one, or runs another graph inside.
    """
    program = _written_down(exported)
    if changes_what_is_read_later(program) is None:
        return program
    return _written_down(exported.run_decompositions({}))  # which does away with changes in place


def _written_down(exported: ExportedProgram) -> Program:
    signature = exported.graph_signature
    constants: dict[str, torch.Tensor] = {}
    tensors = {**exported.constants, **exported.state_dict}
    for table in (
        signature.inputs_to_parameters, signature.inputs_to_buffers,
        signature.inputs_to_lifted_tensor_constants,
    ):  # fmt: skip
        constants |= {name: tensors[target].detach().cpu().clone() for name, target in table.items()}
    given = single(list(signature.user_inputs), "input")
    output = single(list(signature.user_outputs), "output")
    if not isinstance(given, str) or not isinstance(output, str):
        raise UnsupportedLayerError(
            f"the model takes {given!r} and returns {output!r}; expected one tensor each."
        )
    shape: tuple[int, ...] = ()
    steps: list[Step] = []
    for node in exported.graph.nodes:
        if node.op == "placeholder" and node.name == given:
            shape = tuple(int(size) for size in node.meta["val"].shape)
        elif node.op == "call_function":
            steps.append(_step(node))
        elif node.op == "get_attr":
            raise UnsupportedLayerError(
                "the model runs a graph inside another one (control flow); only straight programs are "
                "supported."
            )
    refuse_changed_buffers(steps, signature.inputs_to_buffers)
    return Program(given, shape, constants, steps, Ref(output))


def refuse_changed_buffers(steps: list[Step], buffers: Mapping[str, str]) -> None:
    """Check that no step changes a buffer in place.

    Parameters
    ----------
    steps : list of Step
    buffers : mapping of str to str
        Names in the model of the constants that are buffers.

    Raises
    ------
    UnsupportedLayerError
        If one does.
    """
    for step in steps:
        schema = getattr(step.target, "_schema", None)
        first = step.args[0] if step.args else None
        if schema is not None and schema.is_mutable and isinstance(first, Ref) and first.name in buffers:
            raise UnsupportedLayerError(
                f"{step.place}: changes its buffer {buffers[first.name]!r} when it runs, so it is no "
                "function of "
                "its input alone."
            )


def _step(node: torch.fx.Node) -> Step:
    import torch

    def plain(value: Any) -> Any:
        return Ref(value.name) if isinstance(value, torch.fx.Node) else value

    args = torch.fx.node.map_aggregate(node.args, plain)
    kwargs = torch.fx.node.map_aggregate(dict(node.kwargs), plain)
    assert callable(node.target)
    assert isinstance(args, tuple)
    assert isinstance(kwargs, dict)
    return Step((node.name,), False, node.target, args, kwargs, _fx_place(node))


def _fx_place(node: torch.fx.Node) -> str:
    stack = list((node.meta.get("nn_module_stack") or {"": ("", "model")}).values())
    path, owner = stack[-1]
    return place_of(path.partition("@")[0], owner if isinstance(owner, str) else owner.__name__)


def changes_what_is_read_later(program: Program) -> str | None:
    """Place of a step that changes in place a tensor that a later step reads by another name, if any.

    The result of any other change in place is read by the name of the result, and so is that of
    the same operator without the change.
    """
    roots: dict[str, str] = {}
    last_use: dict[str, int] = {}
    changes: list[tuple[int, str, Step]] = []
    dependent = {program.input_name}
    for number, step in enumerate(program.steps):
        sources = [ref.name for ref in references([*step.args, *step.kwargs.values()])]
        for source in sources:
            last_use[roots.get(source, source)] = number
        if dependent & set(sources):
            dependent |= set(step.outputs)
        schema = getattr(step.target, "_schema", None)
        aliases = schema is not None and any(each.alias_info is not None for each in schema.arguments)
        mutable = schema is not None and schema.is_mutable
        if sources and (aliases or schema is None) and not mutable:
            roots |= {name: roots.get(sources[0], sources[0]) for name in step.outputs}
        if mutable and dependent & set(sources):
            root = roots.get(sources[0], sources[0])
            changes.append((number if sources[0] in dependent else -1, root, step))
    return next((step.place for number, root, step in changes if last_use[root] > number), None)


def references(value: Any) -> Iterator[Ref]:
    """All references in the arguments of a step."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from references(entry)


def replaced(value: Any, values: Mapping[str, Any]) -> Any:
    """Arguments with the references replaced by what they stand for."""
    if isinstance(value, Ref):
        return values[value.name]
    if isinstance(value, list | tuple):
        return type(value)([replaced(entry, values) for entry in value])
    return value
