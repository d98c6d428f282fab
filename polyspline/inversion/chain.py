"""The layers of a problem as plain arrays for the kernels, and ranges of all its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from polyspline.cpa.layers import Layer

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Chain(NamedTuple):
    """Layers ``v = W u + b``, ``u' = units(v)``, laid out flat; neurons are numbered through them all.

    Attributes
    ----------
    widths
        (L + 1,) S, and the number of neurons of each layer.
    weights
        All weights, layer after layer, row by row.
    table
        (neurons, 3 K + 3): bias, K knots, K + 1 slopes, K + 1 offsets of each neuron; knots
        padded with infinity, pieces with zeros.
    """

    widths: Integers
    weights: Floats
    table: Floats


def make_chain(layers: Sequence[Layer]) -> Chain:
    """Lay out layers of scalar units flat."""
    count = max(layer.knot_table.shape[1] for layer in layers)
    widths = np.array([layers[0].n_in, *(layer.n_out for layer in layers)], dtype=np.int64)
    table = np.zeros((int(widths[1:].sum()), 3 * count + 3))
    first = 0
    for layer in layers:
        rows = table[first : first + layer.n_out]
        rows[:, 0] = layer.bias
        knots, *pieces = np.split(rows[:, 1:], [count, 2 * count + 1], axis=1)
        knots[:] = np.inf
        knots[:, : layer.knot_table.shape[1]] = layer.knot_table
        for part, own in zip(pieces, layer.unit_tables, strict=True):
            part[:, : own.shape[1]] = own
        first += layer.n_out
    weights = np.concatenate([layer.weight.ravel() for layer in layers])
    return Chain(widths, weights, table)


def unbounded_ranges(chain: Chain, lower: Floats, upper: Floats) -> Floats:
    """Ranges (S + neurons, 2) that say nothing but where z is."""
    ranges = np.empty((len(lower) + len(chain.table), 2))
    ranges[:] = -np.inf, np.inf
    ranges[: len(lower), 0], ranges[: len(lower), 1] = lower, upper
    return ranges
