"""What is looked at in an ONNX model before any of it is run: its size, and what onnx itself says of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from polyspline.errors import NetworkFileError
from polyspline.network.limits import Budget

if TYPE_CHECKING:
    import onnx

_DEEPEST = 100
"""How deep functions may call one another, and branches lie in one another."""
_LARGEST = 2**31 - 1
"""Bytes that a message of protobuf may have; larger models cannot be checked as a whole."""


def count_operators(model: onnx.ModelProto, budget: Budget) -> None:
    """Ask for the operators of a model, with those of functions written out at each call.

    Raises
    ------
    NetworkFileError
        If a function calls itself, or functions or branches are nested too deeply.
    TooLargeError
        If there are more operators than the limits allow.
    """
    bodies = {(each.domain, each.name): each.node for each in model.functions}
    known: dict[tuple[str, str], int] = {}
    running: set[tuple[str, str]] = set()

    def of(nodes: Iterable[onnx.NodeProto], depth: int) -> int:
        if depth > _DEEPEST:
            raise NetworkFileError(
                f"functions or branches of the ONNX model are nested deeper than {_DEEPEST}: write them out."
            )
        total = 0
        for node in nodes:
            called = (node.domain, node.op_type)
            total += expanded(called, depth + 1) if called in bodies else 1
            for attribute in node.attribute:
                for graph in (attribute.g, *attribute.graphs) if attribute.type in (5, 10) else ():
                    total += of(graph.node, depth + 1)
        return total

    def expanded(called: tuple[str, str], depth: int) -> int:
        if called in running:
            raise NetworkFileError(f"the function {called[1]!r} of the ONNX model calls itself.")
        if called not in known:
            running.add(called)
            known[called] = of(bodies[called], depth)
            running.remove(called)
        return known[called]

    for called in bodies:  # also those that nobody calls: onnx itself goes through them
        expanded(called, 1)
    budget.spend("operators", of(model.graph.node, 0), "the ONNX model")


def complaint(model: onnx.ModelProto) -> str | None:
    """Sentence in which the checker of onnx, with shape inference, refuses a model; None if it does not."""
    import onnx
    import onnx.shape_inference

    if model.ByteSize() > _LARGEST:
        return None
    try:
        if any(not each.type.tensor_type.HasField("shape") for each in model.graph.output):
            # The checker wants shapes of the outputs, which models need not have and which tell nothing new.
            model = onnx.shape_inference.infer_shapes(model)
        onnx.checker.check_model(model, full_check=True)
    except (
        onnx.checker.ValidationError, onnx.shape_inference.InferenceError, onnx.defs.SchemaError,
        RuntimeError, ValueError, TypeError,
    ) as wrong:  # fmt: skip
        lines = [line.strip() for line in str(wrong).splitlines() if line.strip()]
        return " ".join(lines).rstrip(". ") or type(wrong).__name__
    return None
