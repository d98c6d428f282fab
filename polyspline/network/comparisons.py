"""Functions that are spelled as a choice: ``where(x > c, f(x), g(x))`` with affine f and g that meet at c."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import FloatArray
from polyspline.cpa.units import ScalarUnit
from polyspline.errors import UnsupportedLayerError
from polyspline.network.graph import AffineNode, ConstantNode, Graph
from polyspline.network.reasons import reason_against
from polyspline.network.tensors import Operand, Tensor, as_tensor, broadcast_shape, each_unit

_ABOVE = {
    "gt": True, "ge": True, "lt": False, "le": False,
    "Greater": True, "GreaterOrEqual": True, "Less": False, "LessOrEqual": False,
}  # fmt: skip
COMPARISONS = frozenset(_ABOVE)
"""Comparisons in the names of torch and of ONNX."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Where a tensor is above (or below) constants; on equality it does not matter what is chosen.

    Attributes
    ----------
    x : Tensor
    bounds : ndarray of float64, same shape
    above : bool
    """

    x: Tensor
    bounds: FloatArray
    above: bool


def compared(operator: str, x: Operand, y: Operand) -> Comparison:
    """Compare a Tensor with constants.

    Raises
    ------
    UnsupportedLayerError
        If both sides depend on the input.
    """
    above = _ABOVE[operator]
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        raise UnsupportedLayerError(reason_against(operator))
    if isinstance(y, Tensor):
        x, y, above = y, x, not above
    assert isinstance(x, Tensor)
    assert not isinstance(y, Tensor)
    bounds = np.asarray(y, dtype=np.float64)
    shape = broadcast_shape(x.shape, bounds.shape)
    return Comparison(x.like(np.broadcast_to(x.ids, shape)), np.broadcast_to(bounds, shape), above)


def chosen(condition: Comparison, yes: Operand, no: Operand) -> Tensor:
    """One of two operands, entry by entry, as units.

    Raises
    ------
    UnsupportedLayerError
        If an operand is not an affine function of the number that is compared, or if the two do
        not meet where the choice changes.
    """
    graph = condition.x.graph
    low, high = (no, yes) if condition.above else (yes, no)
    low, high = as_tensor(graph, low), as_tensor(graph, high)
    shape = broadcast_shape(condition.x.shape, low.shape, high.shape)
    columns = [np.broadcast_to(a, shape).ravel().tolist() for a in (condition.x.ids, low.ids, high.ids)]
    bounds = np.broadcast_to(condition.bounds, shape).ravel().tolist()
    made: dict[tuple[object, ...], ScalarUnit] = {}
    units = []
    for x, below, above, bound in zip(*columns, bounds, strict=True):
        key = (bound, *_affine_in(graph, below, x), *_affine_in(graph, above, x))
        if key not in made:
            made[key] = _unit(*key)
        units.append(made[key])
    return each_unit(condition.x.like(np.broadcast_to(condition.x.ids, shape)), units)


def _unit(
    bound: float, low: Fraction, low_offset: Fraction, high: Fraction, high_offset: Fraction
) -> ScalarUnit:
    jump = (high - low) * Fraction(bound) + high_offset - low_offset
    if jump != 0:
        raise UnsupportedLayerError(
            f"jumps by {float(jump)!r} at {bound!r}: only continuous functions are supported"
        )
    slopes, offsets = (float(low), float(high)), (float(low_offset), float(high_offset))
    if (bound, slopes, offsets) == (0.0, (0.0, 1.0), (0.0, 0.0)):
        return ScalarUnit("relu", (0.0,), slopes, offsets)
    name = "piecewise:" + "/".join(",".join(map(repr, row)) for row in ((bound,), slopes, offsets))
    return ScalarUnit(name, (bound,), slopes, offsets)


def _affine_in(graph: Graph, value: int, x: int) -> tuple[Fraction, Fraction]:
    """Slope and offset of a scalar as a function of another one.

    Raises
    ------
    UnsupportedLayerError
        If it is no affine function of that one alone.
    """
    if value == x:
        return Fraction(1), Fraction(0)
    ids: npt.NDArray[np.int64] = np.array([value])
    node = graph.nodes[int(graph.owners(ids)[0])]
    if isinstance(node, ConstantNode):
        return Fraction(0), Fraction(float(node.values[value - node.first]))
    if isinstance(node, AffineNode):
        row = value - node.first
        start, end = node.matrix.indptr[row : row + 2]
        slope, offset = Fraction(0), Fraction(float(node.bias[row]))
        for factor, source in zip(node.matrix.data[start:end], node.matrix.indices[start:end], strict=True):
            inner, inner_offset = _affine_in(graph, int(node.sources[source]), x)
            slope += Fraction(float(factor)) * inner
            offset += Fraction(float(factor)) * inner_offset
        return slope, offset
    raise UnsupportedLayerError(
        "chooses by a comparison between things that are not affine functions of the number compared, which "
        "jumps"
    )
