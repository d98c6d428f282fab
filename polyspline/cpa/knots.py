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

    def shared(self, knot: IntArray, here: IntArray, beyond: IntArray) -> IntArray:
        """Lowest knot that the regions on both sides of a facet have on it.

        Up to the first unit that differs both have the same functions, so the lowest knot is the same
        from either side, but where it is of a max group whose piece changes: each side compares its own
        member with others, and what both have is the knot between their members.

        Parameters
        ----------
        knot
            (F,) lowest knot on each facet as the region on this side has it.
        here, beyond
            (F, N) codes of the regions on its sides.
        """
        found = knot.copy()
        sides = np.arange(len(knot))
        unit = self.unit[knot]
        mine, other = here[sides, unit].astype(np.int64), beyond[sides, unit].astype(np.int64)
        low, high = np.minimum(mine, other), np.maximum(mine, other)
        apart = (self.lower[knot] >= 0) & (low != high)
        first = np.searchsorted(self.unit, unit)
        members = self.high[np.searchsorted(self.unit, unit, side="right") - 1] + 1
        between = first + low * (2 * members - low - 1) // 2 + high - low - 1
        found[apart] = between[apart]
        return found


def knots_of(layers: Sequence[Layer]) -> Knots:
    """Lay out the knots of some layers, in the order of their numbers.

    Notes
    -----
    Algorithm: each kind of unit of a layer at once, every unit of it from one table.
    """
    counts = [np.zeros(0, dtype=np.int64)]
    for layer in layers:
        of_output = np.zeros(layer.n_out, dtype=np.int64)
        for kind, where in layer.kinds:
            of_output[where] = kind.n_knots
        counts.append(of_output[layer.unit_neurons])
    per_unit = np.concatenate(counts)
    starts = np.cumsum(per_unit) - per_unit  # of the knots of each unit
    total = int(per_unit.sum())
    upper, lower, low, high = (np.empty(total, dtype=np.int64) for _ in range(4))
    position = np.empty(total)
    first_row, first_unit = 0, 0
    for layer in layers:
        number = np.full(layer.n_out, -1, dtype=np.int64)
        number[layer.unit_neurons] = first_unit + np.arange(len(layer.unit_neurons), dtype=np.int64)
        for kind, where in layer.kinds:
            if not kind.is_unit:
                continue
            own = starts[number[where]][:, None] + np.arange(kind.n_knots, dtype=np.int64)
            row = (first_row + layer.row_start[where])[:, None]
            if isinstance(kind, MaxGroup):
                low[own], high[own] = kind.pairs.T
                lower[own], upper[own] = row + kind.pairs[:, 0], row + kind.pairs[:, 1]
                position[own] = 0.0
            else:
                low[own] = np.arange(kind.n_knots, dtype=np.int64)
                high[own] = low[own] + 1
                lower[own], upper[own] = -1, row
                position[own] = kind.knots
        first_row += layer.n_rows
        first_unit += len(layer.unit_neurons)
    unit = np.repeat(np.arange(len(per_unit), dtype=np.int64), per_unit)
    return Knots(unit, upper, lower, position, low, high)


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
