"""Functions that are spelled by ones that jump: comparisons, signs, and choices between affine functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import IntArray, exact_floats
from polyspline.cpa.units import ScalarUnit
from polyspline.errors import UnsupportedLayerError
from polyspline.network import piecewise
from polyspline.network.graph import AffineNode, ConstantNode, Graph, UnitNode
from polyspline.network.piecewise import IDENTITY, Piecewise
from polyspline.network.reasons import reason_against
from polyspline.network.tensors import Operand, Tensor, broadcast_shape, each_unit


@dataclass(frozen=True, eq=False)
class Jumping:
    """A tensor in the making: each entry is a function, with a jump, of one scalar of the graph.

    Attributes
    ----------
    graph : Graph
    roots : ndarray of int64, any shape
        Ids of the scalars.
    functions : ndarray of Piecewise, same shape
    place, reason : str
        Where it jumped first, and why it is refused if it goes on jumping.
    """

    graph: Graph
    roots: IntArray
    functions: npt.NDArray[np.object_]
    place: str
    reason: str


Value: TypeAlias = "Operand | Jumping"

_STEPS = {
    "gt": (0, 0, 1), "ge": (0, 1, 1), "lt": (1, 0, 0), "le": (1, 1, 0),
    "Greater": (0, 0, 1), "GreaterOrEqual": (0, 1, 1), "Less": (1, 0, 0), "LessOrEqual": (1, 1, 0),
}  # fmt: skip
"""Value of a comparison below its bound, on it, and above it."""
_SIGNS = frozenset({"sign", "sgn", "Sign"})
JUMPS = frozenset(_STEPS) | _SIGNS
"""What makes a `Jumping` out of a Tensor, in the names of torch and of ONNX."""


def jumped(operator: str, x: Operand, bound: Operand = 0.0) -> Value:
    """Compare a Tensor with constants, or take its sign.

    Raises
    ------
    UnsupportedLayerError
        If both sides depend on the input.
    """
    levels = (-1, 0, 1) if operator in _SIGNS else _STEPS[operator]
    if isinstance(x, Tensor) and isinstance(bound, Tensor):
        raise UnsupportedLayerError(reason_against(operator))
    if isinstance(bound, Tensor):
        x, bound, levels = bound, x, levels[::-1]
    assert isinstance(x, Tensor)
    assert not isinstance(bound, Tensor)
    bounds = exact_floats(bound, "a constant of the model")
    steps = {at: piecewise.step(at, *levels) for at in np.unique(bounds).tolist()}
    shape = broadcast_shape(x.shape, bounds.shape)
    functions = np.empty(shape, dtype=np.object_)
    functions.ravel()[:] = [steps[at] for at in np.broadcast_to(bounds, shape).ravel().tolist()]
    return Jumping(x.graph, np.broadcast_to(x.ids, shape), functions, x.graph.place, reason_against(operator))


def _chosen(condition: Piecewise, yes: Piecewise, no: Piecewise) -> Piecewise:
    return piecewise.selected(condition, yes, no)


def _either(f: Piecewise, g: Piecewise) -> Piecewise:
    return piecewise.summed(piecewise.summed(f, g), piecewise.multiplied(f, g), -1)


def _not(f: Piecewise) -> Piecewise:
    return piecewise.summed(piecewise.line(0.0, 1.0), f, -1)


_COMBINING: dict[str, tuple[int, Callable[..., Piecewise]]] = {
    **dict.fromkeys(("where", "Where"), (3, _chosen)),
    **dict.fromkeys(
        ("mul", "Mul", "logical_and", "bitwise_and", "__and__", "And"), (2, piecewise.multiplied)
    ),
    **dict.fromkeys(("add", "Add"), (2, piecewise.summed)),
    **dict.fromkeys(("sub", "Sub"), (2, lambda f, g: piecewise.summed(f, g, -1))),
    **dict.fromkeys(("logical_or", "bitwise_or", "__or__", "Or"), (2, _either)),
    **dict.fromkeys(("logical_not", "bitwise_not", "Not"), (1, _not)),
    **dict.fromkeys(("neg", "Neg"), (1, lambda f: piecewise.summed(piecewise.line(0.0, 0.0), f, -1))),
}
"""What may be done with a `Jumping`, in the names of torch and of ONNX: number of operands, function."""


def combined(operator: str, operands: list[Value]) -> Value:
    """Put functions of the same scalars together, entry by entry.

    Parameters
    ----------
    operator : str
    operands : list
        At least one is `Jumping`.

    Returns
    -------
    Tensor or Jumping
        A Tensor as soon as no entry jumps.

    Raises
    ------
    UnsupportedLayerError
        If the operator is none of those, or the operands do not depend on the same scalars.
    """
    first = next(operand for operand in operands if isinstance(operand, Jumping))
    count, function = _COMBINING.get(operator, (0, _not))
    if count != len(operands):
        raise UnsupportedLayerError(first.reason)
    graph = first.graph
    shape = broadcast_shape(*(_shape(operand) for operand in operands))
    entries = zip(*(_entries(operand, shape) for operand in operands), strict=True)
    roots: list[int] = []
    functions: list[Piecewise] = []
    for some in entries:
        root, parts = _over_one_root(graph, some, first.reason)
        roots.append(root)
        functions.append(function(*parts))
    jumps = next((each.jump for each in dict.fromkeys(functions) if each.jump), None)
    x = Tensor(graph, np.array(roots, dtype=np.int64).reshape(shape))
    if jumps is None:
        units: dict[Piecewise, ScalarUnit] = {each: piecewise.to_unit(each) for each in set(functions)}
        return each_unit(x, [units[each] for each in functions])
    table = np.empty(shape, dtype=np.object_)
    table.ravel()[:] = functions
    reason = first.reason
    if count == 3:  # a choice, whose two sides do not meet
        place, height = map(float, jumps)
        reason = f"jumps by {height!r} at {place!r}: only continuous functions are supported"
    return Jumping(graph, x.ids, table, first.place if count < 3 else graph.place, reason)


def _shape(operand: Value) -> tuple[int, ...]:
    if isinstance(operand, Jumping):
        return operand.roots.shape
    return operand.shape if isinstance(operand, Tensor) else np.shape(operand)


_TERMS, _DEPTH = 2, 8
"""How far functions are followed: sums of so many terms, so deep. Beyond, a model is no mere spelling."""

Entry: TypeAlias = tuple[int | None, Piecewise]
"""A scalar of the graph, and a function of it; None for a constant."""


def _entries(operand: Value, shape: tuple[int, ...]) -> list[Entry]:
    if isinstance(operand, Jumping):
        roots = np.broadcast_to(operand.roots, shape).ravel().tolist()
        return list(zip(roots, np.broadcast_to(operand.functions, shape).ravel(), strict=True))
    if isinstance(operand, Tensor):
        return [(root, IDENTITY) for root in np.broadcast_to(operand.ids, shape).ravel().tolist()]
    values: Any = np.broadcast_to(exact_floats(operand, "a constant of the model"), shape).ravel().tolist()
    return [(None, piecewise.line(0.0, value)) for value in values]


def _over_one_root(graph: Graph, entries: tuple[Entry, ...], reason: str) -> tuple[int, list[Piecewise]]:
    """Write functions of different scalars as functions of one: one of them, or what the first is made of."""
    roots = dict.fromkeys(root for root, _ in entries if root is not None)
    for root in (*roots, *_sources(graph, next(iter(roots), None))):
        parts = []
        for own, function in entries:
            inner = IDENTITY if own in (root, None) else _function_of(graph, own, root)
            if inner is None:
                break
            parts.append(piecewise.composed(function, inner))
        else:
            return root, parts
    raise UnsupportedLayerError(reason)


def _sources(graph: Graph, value: int | None) -> Iterator[int]:
    """Scalars that a scalar is a function of, as long as it is one of a single one."""
    while value is not None:
        node = graph.nodes[int(graph.owners(np.array([value], dtype=np.int64))[0])]
        place = value - node.first
        value = None
        if isinstance(node, UnitNode) and len(node.members) == len(node.units):
            value = int(node.members[place])
        elif isinstance(node, AffineNode) and node.matrix.indptr[place + 1] - node.matrix.indptr[place] == 1:
            value = int(node.sources[node.matrix.indices[node.matrix.indptr[place]]])
        if value is not None:
            yield value


def _function_of(graph: Graph, value: int | None, root: int, depth: int = _DEPTH) -> Piecewise | None:
    """Write a scalar as a function of another one alone, if it is one that the graph shows."""
    if value == root:
        return IDENTITY
    if value is None or not depth:
        return None
    number = int(graph.owners(np.array([value], dtype=np.int64))[0])
    node = graph.nodes[number]
    place = value - node.first
    if isinstance(node, ConstantNode):
        return piecewise.line(0.0, float(node.values[place]))
    if isinstance(node, UnitNode) and isinstance(unit := node.units[place], ScalarUnit):
        scalar = len(node.members) == len(node.units)
        member = place if scalar else sum(each.n_rows for each in node.units[:place])
        inner = _function_of(graph, int(node.members[member]), root, depth - 1)
        return None if inner is None else piecewise.composed(piecewise.of_unit(unit), inner)
    if isinstance(node, AffineNode):
        found = piecewise.line(0.0, float(node.bias[place]))
        start, end = node.matrix.indptr[place : place + 2]
        if end - start > _TERMS:
            return None
        for factor, source in zip(node.matrix.data[start:end], node.matrix.indices[start:end], strict=True):
            inner = _function_of(graph, int(node.sources[source]), root, depth - 1)
            if inner is None:
                return None
            found = piecewise.summed(found, piecewise.multiplied(piecewise.line(0.0, float(factor)), inner))
        return found
    return None
