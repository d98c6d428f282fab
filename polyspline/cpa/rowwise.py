"""Layers with a neuron for each row: max groups written as masked members.

A member of a max group passes its value on where it is the piece, and zero where it is not; the
next layer has the column of the group's output once for each member. On the region of a code this
is the same affine map, and every neuron has one row and a table of slopes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from polyspline.cpa.layers import Layer
from polyspline.cpa.matrices import FloatArray, IntArray, Matrix


@dataclass(frozen=True, eq=False)
class RowLayer:
    """One layer by rows.

    Attributes
    ----------
    matrix
        (rows, rows of the layer before).
    bias
        (rows,).
    slopes, offsets
        Of every row on every piece of its unit, (rows, pieces).
    unit
        Number of the unit of each row, through the network; -1 for identity neurons.
    """

    matrix: Matrix
    bias: FloatArray
    slopes: FloatArray
    offsets: FloatArray
    unit: IntArray


def rowwise(layers: Sequence[Layer], *, closed: bool = False) -> tuple[RowLayer, ...]:
    """Layers by rows.

    Parameters
    ----------
    layers
        The network, or its first layers.
    closed
        Whether to append a layer that adds up the members of the last layer's max groups, if it
        has any, so that the outputs are those of the network.
    """
    found: list[RowLayer] = []
    columns: IntArray | None = None
    units = 0
    for layer in layers:
        counts = np.diff(layer.row_start)
        slopes, offsets = (np.repeat(table, counts, axis=0) for table in layer.unit_tables)
        for group, _, members in layer.group_kinds:
            slopes[members, : group.n_pieces] = np.eye(group.n_pieces)
        unit = np.full(layer.n_out, -1, dtype=np.int64)
        unit[layer.unit_neurons] = units + np.arange(len(layer.unit_neurons))
        matrix = layer.matrix if columns is None else layer.matrix[:, columns]
        found.append(RowLayer(matrix, layer.bias, slopes, offsets, np.repeat(unit, counts)))
        columns = np.repeat(np.arange(layer.n_out), counts) if layer.has_groups else None
        units += len(layer.unit_neurons)
    if closed and columns is not None:
        size = layers[-1].n_out
        total = np.zeros((size, len(columns)))
        total[columns, np.arange(len(columns))] = 1.0
        one, nothing = np.ones((size, 1)), np.zeros((size, 1))
        found.append(RowLayer(total, np.zeros(size), one, nothing, np.full(size, -1, dtype=np.int64)))
    return tuple(found)
