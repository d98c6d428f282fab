"""A network in exact arithmetic: the true affine functions of its pre-activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.layers import Layer, unit_starts
from polyspline.cpa.units import MaxGroup
from solvers.integers import as_fraction
from solvers.rational import DyadicMatrix, DyadicSparse

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
        self.unit_start = unit_starts(layers)
        self._weights: dict[int, DyadicMatrix | DyadicSparse] = {}

    def weight(self, depth: int) -> DyadicMatrix | DyadicSparse:
        """Weights of a layer, sparse where they are; made when first asked for, and kept."""
        if depth not in self._weights:
            self._weights[depth] = _exact_matrix(self.layers[depth])
        return self._weights[depth]

    @cached_property
    def _biases(self) -> list[DyadicMatrix]:
        """Biases as matrices of affine functions (out, S + 1), constant ones."""
        return [self._constants(layer.bias) for layer in self.layers]

    def _constants(self, values: NDArray[np.float64]) -> DyadicMatrix:
        padded = np.zeros((len(values), self.layers[0].n_in + 1))
        padded[:, -1] = values
        return DyadicMatrix.from_array(padded)

    def preactivations(self, depth: int, inputs: DyadicMatrix | None) -> DyadicMatrix:
        """Compute the pre-activations (rows, S + 1) of a layer; inputs None stand for z itself."""
        if inputs is None:
            layer = self.layers[depth]
            return DyadicMatrix.from_array(np.hstack([layer.weight, layer.bias[:, None]]))
        return self.weight(depth).matmul(inputs).add(self._biases[depth])

    def outputs(self, depth: int, values: DyadicMatrix, pieces: Integers) -> DyadicMatrix:
        """Apply the given pieces of a layer's units to its pre-activations, (rows, S + 1) -> (out, S + 1)."""
        layer = self.layers[depth]
        slopes, offsets = layer.unit_tables
        full = np.zeros(layer.n_out, np.int64)
        full[layer.unit_neurons] = pieces
        outputs = np.arange(layer.n_out)
        chosen = values.take_rows(layer.chosen_rows(full)) if layer.has_groups else values
        slope = slopes[outputs, full]
        scaled = chosen.scale_rows(slope) if np.any(slope != 1.0) else chosen
        shift = offsets[outputs, full]
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
            Called with the layer, its pre-activations (rows, S + 1) and its pieces in `code`;
            returns the pieces to go on with. None keeps the code.

        Returns
        -------
        list of DyadicMatrix
            (rows, S + 1) for each layer up to the last with units.
        """
        last = max((i for i, layer in enumerate(self.layers) if len(layer.unit_neurons)), default=-1)
        result: list[DyadicMatrix] = []
        inputs: DyadicMatrix | None = None
        for depth in range(last + 1):
            values = self.preactivations(depth, inputs)
            result.append(values)
            pieces = code[self.unit_start[depth] : self.unit_start[depth + 1]]
            if decide is not None:
                pieces = decide(depth, values, pieces)
            if depth < last:
                inputs = self.outputs(depth, values, pieces)
        return result

    def knots_beside(
        self, depth: int, values: DyadicMatrix, neuron: int, piece: int
    ) -> Iterator[tuple[int, int, Row]]:
        """Knots where a unit's piece meets another one.

        Parameters
        ----------
        depth, neuron
            The unit: its layer, and the output there.
        values
            (rows, S + 1) pre-activations of the layer, affine in z.
        piece
            The unit's piece.

        Yields
        ------
        knot : int
            Number of the knot within the unit.
        other : int
            The piece beyond it.
        row : Row
            Coprime integers of a function that is ``>= 0`` on this side of the knot, zero on it.
        """
        unit = self.layers[depth].units[neuron]
        first = int(self.layers[depth].row_start[neuron])
        if isinstance(unit, MaxGroup):
            mine = values.row(first + piece)
            for other in range(unit.n_pieces):
                if other != piece:
                    theirs = values.row(first + other)
                    apart = [a - b for a, b in zip(mine, theirs, strict=True)]
                    yield unit.knot_of(piece, other), other, primitive(apart)
            return
        head = values.row(first)
        for knot, other in ((piece - 1, piece - 1), (piece, piece + 1)):
            if 0 <= knot < unit.n_knots:
                row = self.above(head, values.exponent, unit.knots[knot])
                yield knot, other, row if knot < piece else tuple(-entry for entry in row)

    @staticmethod
    def above(head: list[int], exponent: int, position: float) -> Row:
        """Return ``v - position``, for a pre-activation over a power of two, as coprime integers."""
        if position == 0.0:
            return primitive(head)
        shift = as_fraction(position) / as_fraction(2) ** exponent
        scaled = [entry * shift.denominator for entry in head]
        scaled[-1] -= shift.numerator
        return primitive(scaled)

    def members(self, depth: int, values: DyadicMatrix, neuron: int) -> list[list[int]]:
        """Pre-activations of a max group as integer functions on one scale."""
        layer = self.layers[depth]
        return [values.row(row) for row in range(layer.row_start[neuron], layer.row_start[neuron + 1])]


def _exact_matrix(layer: Layer) -> DyadicMatrix | DyadicSparse:
    """Weights of a layer in exact arithmetic, sparse as they are."""
    if isinstance(layer.matrix, np.ndarray):
        return DyadicMatrix.from_array(layer.matrix)
    return DyadicSparse(layer.matrix.data, layer.matrix.indices, layer.matrix.indptr)


def primitive(row: list[int] | Row) -> Row:
    """Coprime integers in the same direction."""
    divisor = math.gcd(*row)
    return tuple(entry // divisor for entry in row) if divisor > 1 else tuple(row)


@lru_cache(maxsize=8)
def exact_network(layers: tuple[Layer, ...]) -> ExactNetwork:
    """Exact network of some layers; the last few are kept, for the integers take a while to make."""
    return ExactNetwork(layers)
