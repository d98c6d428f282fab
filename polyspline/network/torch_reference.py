"""What torch says of a call beforehand: whether it takes the arguments, and how large the results are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from polyspline.errors import UnsupportedLayerError
from polyspline.network.boundary import shortened
from polyspline.network.comparisons import Jumping
from polyspline.network.graph import Graph
from polyspline.network.tensors import Tensor, broadcast_shape
from polyspline.network.torch_names import NOT_LARGER, UNBOUNDED

if TYPE_CHECKING:
    pass

FAILURES = (
    RuntimeError, TypeError, ValueError, LookupError, ArithmeticError, AssertionError, AttributeError
)  # fmt: skip
"""What torch's own operators raise on arguments that they do not take; caught around their calls only."""


def told(wrong: BaseException) -> UnsupportedLayerError:
    """Turn into a sentence what an operator of torch raises."""
    line = (str(wrong).strip().splitlines() or [type(wrong).__name__])[0].rstrip(". ")
    return UnsupportedLayerError(f"does not take what it gets ({line})")


def called(target: Callable[..., Any], args: tuple[Any, ...] | list[Any], kwargs: dict[str, Any]) -> Any:
    """Call an operator of torch.

    Raises
    ------
    UnsupportedLayerError
        If it does not take its arguments.
    """
    try:
        return target(*args, **kwargs)
    except FAILURES as wrong:
        raise told(wrong) from wrong


def check_arguments(target: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Check the number of arguments, their names and their kinds, by what torch says of its operator.

    Raises
    ------
    UnsupportedLayerError
        If they are not as torch says, so that the call cannot have been exported.
    """
    schema: Any = getattr(target, "_schema", None)
    if schema is None:
        return
    names = [argument.name for argument in schema.arguments]
    if len(args) > len(names):
        raise UnsupportedLayerError(f"gets {len(args)} arguments; expected at most {len(names)}")
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    for name in kwargs:
        if name not in names or name in names[: len(args)]:
            raise UnsupportedLayerError(f"gets an argument {shortened(name)} that it does not take")
    for argument in schema.arguments:
        if argument.name not in given:
            if not argument.has_default_value():
                raise UnsupportedLayerError(f"does not get its argument {argument.name}")
        elif not _fits(argument.type, given[argument.name]) and not (
            argument.name == "other" and isinstance(given[argument.name], int | float)  # a number as a tensor
        ):
            raise UnsupportedLayerError(
                f"gets another kind of argument for {argument.name} than {argument.type}"
            )


def _fits(kind: Any, value: Any) -> bool:
    """Whether a value is of a type of torch's schemas; a list of a fixed length may be one number."""
    import torch

    name = kind.kind()
    if name == "OptionalType":
        return value is None or _fits(kind.getElementType(), value)
    if name == "ListType":
        element = kind.getElementType()
        if not isinstance(value, list | tuple):
            return element.kind() != "TensorType" and _fits(element, value)
        return all(_fits(element, each) for each in value)
    simple: dict[str, Any] = {
        "TensorType": Tensor | Jumping | torch.Tensor, "NumberType": int | float,
        "IntType": int | torch.dtype | torch.layout | torch.memory_format, "SymIntType": int,
        "FloatType": int | float, "BoolType": int, "StringType": str, "DeviceObjType": torch.device,
    }  # fmt: skip
    return name not in simple or isinstance(value, simple[name])


def why_not(
    graph: Graph, target: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str | None:
    """Reason that torch gives against a call that ours has failed on; None if it has none."""
    try:
        result_sizes(graph, target, args, kwargs)
    except UnsupportedLayerError as wrong:
        return str(wrong)
    return None


def result_sizes(
    graph: Graph, target: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[int] | None:
    """Numbers in each result of an operator of torch, without computing any.

    Parameters
    ----------
    graph : Graph
        Whose limits hold.
    target : operator of torch
    args, kwargs
        Its arguments: Tensors, tensors of torch, numbers, and lists of them.

    Returns
    -------
    list of int or None
        None if that depends on the numbers.

    Raises
    ------
    UnsupportedLayerError
        If the operator does not take the arguments.
    TooLargeError
        If a result alone is larger than the limits allow.

    Notes
    -----
    Algorithm: the operator runs on tensors of torch's device "meta", which have a shape and no numbers.
    All real numbers are float64 there, whatever the type that the model was traced with.
    """
    import torch

    if any(isinstance(value, Jumping) for value in _flat([*args, *kwargs.values()])):
        return None
    try:
        with torch.no_grad():
            found = target(*map(_bare, args), **{name: _bare(value) for name, value in kwargs.items()})
    except NotImplementedError:
        return None
    except FAILURES as wrong:
        raise told(wrong) from wrong
    sizes = [value.numel() for value in _flat([found]) if isinstance(value, torch.Tensor)]
    for size in sizes:
        graph.budget.limits.check("entries", size, graph.place)
    return sizes


def reserve_result(
    graph: Graph, name: str, target: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Ask for the results of an operator that is going to make them.

    Raises
    ------
    UnsupportedLayerError, TooLargeError
        As `result_sizes`, and if the size is not known beforehand, nor bounded by that of the arguments.
    """
    import torch

    given = [value for value in _flat([*args, *kwargs.values()]) if isinstance(value, torch.Tensor | Tensor)]
    counts = [value.ids.size if isinstance(value, Tensor) else value.numel() for value in given]
    if name in NOT_LARGER:
        graph.reserve((sum(counts),))
        return
    if torch.Tag.pointwise in getattr(target, "tags", ()):
        graph.reserve(broadcast_shape(*(tuple(value.shape) for value in given)))
        return
    sizes = result_sizes(graph, target, args, kwargs)
    if sizes is not None:
        graph.reserve((sum(sizes),))
        return
    if name == "repeat_interleave" and len(given) > 1 and isinstance(given[1], torch.Tensor):
        graph.reserve((max(1, counts[0]), int(given[1].double().abs().sum())))
    elif name in UNBOUNDED:
        raise UnsupportedLayerError(f"calls {name}, whose result has a size that cannot be told beforehand")
    else:
        axes = max((len(value.shape) for value in given), default=0)
        graph.reserve((sum(counts), max(1, axes)))


def _bare(value: Any) -> Any:
    """Argument without its numbers: real ones in float64, on the device "meta"."""
    import torch

    if isinstance(value, Tensor):
        return torch.empty(value.shape, dtype=torch.float64, device="meta")
    if isinstance(value, torch.Tensor):
        kind = torch.float64 if value.is_floating_point() else value.dtype
        return torch.empty_strided(value.shape, value.stride(), dtype=kind, device="meta")
    if isinstance(value, torch.device):
        return torch.device("meta")
    if isinstance(value, torch.dtype) and value.is_floating_point:
        return torch.float64
    if isinstance(value, list | tuple):
        return [_bare(entry) for entry in value]
    return value


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        else:
            yield value
