"""A network in exact arithmetic: the true affine functions of its pre-activations."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.layers import Layer
from solvers.integers import as_fraction
from solvers.rational import DyadicMatrix

Integers = NDArray[np.int64]
Row = tuple[int, ...]
"""An affine function ``a . z + beta`` up to a positive factor: coprime integers (a ..., beta)."""


class ExactNetwork:
    """The rational network behind the floats.

    Parameters
    ----------
    layers
        The network.

    Notes
    -----
    Guarantee: exact. Cost: one integer matrix product per layer and code.
    """

    def __init__(self, layers: tuple[Layer, ...]) -> None:
        self.layers = layers
        starts = np.cumsum([0, *(len(layer.unit_neurons) for layer in layers)])
        self.unit_start: list[int] = starts.tolist()

    @cached_property
    def _weights(self) -> list[DyadicMatrix]:
        return [DyadicMatrix.from_array(layer.weight) for layer in self.layers]

    @cached_property
    def _biases(self) -> list[DyadicMatrix]:
        """Biases as matrices of affine functions (out, S + 1), constant ones."""
        return [self._constants(layer.bias) for layer in self.layers]

    def _constants(self, values: NDArray[np.float64]) -> DyadicMatrix:
        padded = np.zeros((len(values), self.layers[0].n_in + 1))
        padded[:, -1] = values
        return DyadicMatrix.from_array(padded)

    def _outputs(self, depth: int, values: DyadicMatrix, pieces: Integers) -> DyadicMatrix:
        """Apply the given pieces of a layer's units."""
        layer = self.layers[depth]
        slopes, offsets = layer.unit_tables
        full = np.zeros(layer.n_out, np.int64)
        full[layer.unit_neurons] = pieces
        rows = np.arange(layer.n_out)
        scaled = values.scale_rows(slopes[rows, full])
        shift = offsets[rows, full]
        return scaled.add(self._constants(shift)) if np.any(shift) else scaled

    def forward(
        self, code: Integers, decide: Callable[[int, DyadicMatrix, Integers], Integers] | None = None
    ) -> list[DyadicMatrix]:
        """Pre-activations of every layer with units, as affine functions of z.

        Parameters
        ----------
        code
            (N,) pieces.
        decide
            Called with the layer, its pre-activations (out, S + 1) and its pieces in `code`;
            returns the pieces to go on with. None keeps the code.

        Returns
        -------
        list of DyadicMatrix
            (out, S + 1) for each layer up to the last with units.
        """
        last = max((i for i, layer in enumerate(self.layers) if len(layer.unit_neurons)), default=-1)
        result: list[DyadicMatrix] = []
        inputs: DyadicMatrix | None = None
        for depth in range(last + 1):
            if inputs is None:
                layer = self.layers[depth]
                values = DyadicMatrix.from_array(np.hstack([layer.weight, layer.bias[:, None]]))
            else:
                values = self._weights[depth].matmul(inputs).add(self._biases[depth])
            result.append(values)
            pieces = code[self.unit_start[depth] : self.unit_start[depth + 1]]
            if decide is not None:
                pieces = decide(depth, values, pieces)
            if depth < last:
                inputs = self._outputs(depth, values, pieces)
        return result

    def knot_rows(self, depth: int, values: DyadicMatrix, neuron: int, knots: list[int]) -> list[Row]:
        """Rows ``v - knot`` of a neuron, for some of its knots, as coprime integers."""
        head = values.row(neuron)
        exponent = values.exponent
        rows: list[Row] = []
        for knot in knots:
            position = self.layers[depth].units[neuron].knots[knot]
            if position == 0.0:
                rows.append(primitive(head))
                continue
            shift = as_fraction(position) / as_fraction(2) ** exponent
            scaled = [entry * shift.denominator for entry in head]
            scaled[-1] -= shift.numerator
            rows.append(primitive(scaled))
        return rows


def primitive(row: list[int] | Row) -> Row:
    """Coprime integers in the same direction."""
    divisor = math.gcd(*row)
    return tuple(entry // divisor for entry in row) if divisor > 1 else tuple(row)


@lru_cache(maxsize=8)
def exact_network(layers: tuple[Layer, ...]) -> ExactNetwork:
    """Exact network of some layers; the last few are kept, for the integers take a while to make."""
    return ExactNetwork(layers)
