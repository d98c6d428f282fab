"""From an activation code to affine maps, and from a point to its value.

Plain numpy over a sequence of layers. These are constructions: their results
are rounded. The code of a point, a predicate, is in `pointwise`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from polyspline.cpa.layers import Layer
from polyspline.cpa.matrices import FloatArray, IntArray, through, times
from polyspline.cpa.pointwise import code_of, code_of_exactly
from polyspline.errors import ArgumentError, ShapeError

__all__ = [
    "affine_map",
    "code_of",
    "code_of_exactly",
    "forward",
    "layer_pieces",
    "layer_values",
    "preactivations",
]


def layer_pieces(layers: Sequence[Layer], code: npt.ArrayLike) -> list[IntArray]:
    """Piece of every neuron, layer by layer, from an activation code.

    Parameters
    ----------
    layers : sequence of Layer
    code : array_like of int, shape (N,)
        Piece of every unit, layers first to last.

    Returns
    -------
    list of ndarray of int64
        One array of length ``n_out`` for each layer; 0 for outputs without a code entry.

    Raises
    ------
    ShapeError
        If the code is not an array of N integers.
    ArgumentError
        If an entry names a piece that its unit does not have.
    """
    entries = np.asarray(code)
    n_units = sum(len(layer.unit_neurons) for layer in layers)
    if entries.shape != (n_units,) or (n_units and entries.dtype.kind not in "iu"):
        raise ShapeError(
            f"activation code: expected {n_units} integers, got shape {entries.shape} of {entries.dtype}."
        )
    pieces = []
    start = 0
    for number, layer in enumerate(layers):
        where = layer.unit_neurons
        found = np.zeros(layer.n_out, dtype=np.int64)
        found[where] = entries[start : start + len(where)]
        counts = layer.n_pieces
        if (found < 0).any() or (found >= counts).any():
            neuron = int(np.flatnonzero((found < 0) | (found >= counts))[0])
            raise ArgumentError(
                f"activation code: piece {found[neuron]} of neuron {neuron} in layer {number} does not "
                f"exist; its pieces are 0 to {counts[neuron] - 1}."
            )
        pieces.append(found)
        start += len(where)
    return pieces


def _chain(
    layers: Sequence[Layer], code: npt.ArrayLike
) -> tuple[list[tuple[FloatArray, FloatArray]], FloatArray, FloatArray]:
    """Pre-activations of every layer as affine functions of z, and the map of the last layer's output."""
    slope = np.eye(layers[0].n_in)
    offset = np.zeros(layers[0].n_in)
    before = []
    for layer, pieces in zip(layers, layer_pieces(layers, code), strict=True):
        slope = times(layer.matrix, slope)
        offset = times(layer.matrix, offset) + layer.bias
        before.append((slope, offset))
        slopes, offsets = layer.unit_tables
        outputs = np.arange(layer.n_out)
        rows = layer.chosen_rows(pieces)
        chosen = slopes[outputs, pieces]
        slope = chosen[:, None] * slope[rows]
        offset = chosen * offset[rows] + offsets[outputs, pieces]
    return before, slope, offset


def preactivations(layers: Sequence[Layer], code: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Pre-activations of all layers as affine functions ``alpha @ z + beta`` on the region of a code.

    Parameters
    ----------
    layers : sequence of Layer
    code : array_like of int, shape (N,)
        Piece of every unit, layers first to last.

    Returns
    -------
    alpha : ndarray of float64, shape (P, S)
    beta : ndarray of float64, shape (P,)
        One for each row of each layer's affine map, layers first to last.

    Raises
    ------
    ShapeError, ArgumentError
        If the code does not fit the layers.

    Notes
    -----
    Guarantee: rounded. Cost: one product of matrices for each layer with S columns.

    References
    ----------
    Max-affine spline insights, eq. (3)-(4), cut off before each activation.
    """
    before, _, _ = _chain(layers, code)
    return np.concatenate([slope for slope, _ in before]), np.concatenate([offset for _, offset in before])


def affine_map(layers: Sequence[Layer], code: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Slope A and offset b of the network on the region of a code: ``G(z) = A @ z + b`` there.

    Parameters
    ----------
    layers : sequence of Layer
    code : array_like of int, shape (N,)
        Piece of every unit, layers first to last.

    Returns
    -------
    A : ndarray of float64, shape (D, S)
    b : ndarray of float64, shape (D,)

    Raises
    ------
    ShapeError, ArgumentError
        If the code does not fit the layers.

    Notes
    -----
    Guarantee: rounded.

    References
    ----------
    Max-affine spline insights, eq. (3)-(4).
    """
    _, slope, offset = _chain(layers, code)
    return slope, offset


def forward(layers: Sequence[Layer], z: FloatArray) -> FloatArray:
    """Values of the network at points.

    Parameters
    ----------
    layers : sequence of Layer
    z : ndarray of float64, shape (B, S)

    Returns
    -------
    ndarray of float64, shape (B, D)

    Notes
    -----
    Guarantee: rounded (an ordinary forward pass in float64).
    """
    ((_, values),) = deque(layer_values(layers, z), maxlen=1)
    return values


def layer_values(layers: Sequence[Layer], z: FloatArray) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Pre-activations and values of each layer in turn at points, (B, S) -> (B, rows), (B, out); rounded."""
    u = z
    for layer in layers:
        v = through(u, layer.matrix) + layer.bias
        u = np.empty((len(v), layer.n_out))
        for unit, where, rows in layer.scalar_kinds:
            u[:, where] = unit(v[:, rows])
        for group, where, rows in layer.group_kinds:
            u[:, where] = group(v[:, rows])
        yield v, u
