"""Knots: where two pieces of a unit meet, numbered through the network, unit after unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyspline.cpa.affine import preactivations
from polyspline.cpa.layers import Layer
from polyspline.cpa.matrices import FloatArray, IntArray
from polyspline.cpa.units import MaxGroup


@dataclass(frozen=True, eq=False)
class Knots:
    """All knots of some layers, as arrays (K,).

    Knot k is where ``v[upper[k]] - v[lower[k]] - position[k]`` is zero, v the pre-activations of all
    layers one after another; its unit is on piece ``high[k]`` where that is positive, on ``low[k]``
    where it is negative.

    Attributes
    ----------
    unit
        The unit.
    upper, lower
        Rows; `lower` is -1, and its term absent, for scalar units.
    position
        Zero for max groups.
    low, high
        The two pieces, low < high.
    """

    unit: IntArray
    upper: IntArray
    lower: IntArray
    position: FloatArray
    low: IntArray
    high: IntArray


def knots_of(layers: Sequence[Layer]) -> Knots:
    """Lay out the knots of some layers, in the order of their numbers."""
    parts: list[tuple[IntArray, IntArray, IntArray, FloatArray, IntArray, IntArray]] = []
    first, unit = 0, 0
    for layer in layers:
        for neuron in layer.unit_neurons:
            kind = layer.units[neuron]
            row = first + int(layer.row_start[neuron])
            count = kind.n_knots
            if isinstance(kind, MaxGroup):
                low, high = kind.pairs.T
                upper, lower, position = row + high, row + low, np.zeros(count)
            else:
                low = np.arange(count, dtype=np.int64)
                high = low + 1
                upper, lower = np.full(count, row), np.full(count, -1)
                position = np.array(kind.knots)
            parts.append((np.full(count, unit), upper, lower, position, low, high))
            unit += 1
        first += layer.n_rows
    if not parts:
        nothing = np.empty(0, dtype=np.int64)
        return Knots(nothing, nothing, nothing, np.empty(0), nothing, nothing)
    unit_of, upper, lower, position, low, high = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Knots(unit_of, upper, lower, position, low, high)


def knot_functions(
    layers: Sequence[Layer], knots: Knots, code: npt.NDArray[np.integer], numbers: npt.NDArray[np.integer]
) -> tuple[FloatArray, FloatArray]:
    """Affine functions that are zero on some knots and positive on the code's side of them.

    Parameters
    ----------
    layers, knots
        The network and its knots.
    code
        (N,) pieces of a region.
    numbers
        (K,) knots next to the pieces of the code.

    Returns
    -------
    alpha : ndarray of float64, shape (K, S)
    beta : ndarray of float64, shape (K,)
        ``alpha @ z + beta``; rounded.
    """
    slopes, offsets = preactivations(layers, code)
    upper, lower = knots.upper[numbers], knots.lower[numbers]
    has_lower = (lower >= 0).astype(np.float64)
    alpha = slopes[upper] - has_lower[:, None] * slopes[lower]
    beta = offsets[upper] - has_lower * offsets[lower] - knots.position[numbers]
    sign = np.where(code[knots.unit[numbers]] == knots.low[numbers], -1.0, 1.0)
    return sign[:, None] * alpha, sign * beta
