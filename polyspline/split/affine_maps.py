"""Affine maps of many regions at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.layers import Layer
from polyspline.cpa.rowwise import rowwise

Floats = NDArray[np.float64]


def affine_maps(layers: Sequence[Layer], codes: NDArray[np.integer]) -> tuple[Floats, Floats]:
    """Slopes (B, D, S) and offsets (B, D) of a network on the regions of codes (B, N); rounded."""
    size = layers[0].n_in
    inputs = np.broadcast_to(np.eye(size, size + 1), (len(codes), size, size + 1))
    for layer in rowwise(layers, closed=True):
        flat = inputs.transpose(1, 0, 2).reshape(inputs.shape[1], -1)
        values = np.asarray(layer.matrix @ flat).reshape(-1, len(codes), size + 1).transpose(1, 0, 2).copy()
        values[:, :, size] += layer.bias
        has_piece = layer.unit >= 0
        pieces = np.zeros((len(codes), len(layer.unit)), np.int64)
        pieces[:, has_piece] = codes[:, layer.unit[has_piece]]
        rows = np.arange(len(layer.unit))
        inputs = layer.slopes[rows, pieces][:, :, None] * values
        inputs[:, :, size] += layer.offsets[rows, pieces]
    return np.ascontiguousarray(inputs[:, :, :size]), np.ascontiguousarray(inputs[:, :, size])
