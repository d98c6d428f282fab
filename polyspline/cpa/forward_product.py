"""From activation codes to affine maps, for many regions at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from polyspline.cpa.layers import Layer, unit_starts

Floats = npt.NDArray[np.float64]

_CHUNK_BYTES = 2**20
"""What the arrays of a chunk take together: they stay in the processor's cache."""


class ForwardProduct:
    """The layers' affine functions on the regions of many codes, as arrays (B, S + 1, rows).

    The last of the S + 1 is that of the constant terms.

    Parameters
    ----------
    layers
        First to last.

    Attributes
    ----------
    chunk
        How many codes to take at a time.

    Notes
    -----
    Guarantee: rounded.

    Algorithm: one product of matrices for each layer, the regions and the columns of the slopes
    side by side. O(sum of n_in n_out (S + 1)) per region.

    References
    ----------
    Max-affine spline insights, eq. (3)-(4); units with offsets add their own constants.
    """

    def __init__(self, layers: tuple[Layer, ...]) -> None:
        self.layers = layers
        widest = max(layer.n_rows for layer in layers)
        self.chunk = max(16, _CHUNK_BYTES // (8 * (layers[0].n_in + 1) * widest))
        self._weights = [
            layer.matrix.T if layer.is_sparse else np.ascontiguousarray(layer.matrix.T) for layer in layers
        ]
        self._ends = unit_starts(layers)

    def maps(self, codes: npt.NDArray[Any]) -> tuple[Floats, Floats]:
        """Slopes A_ω (B, D, S) and offsets b_ω (B, D) of codes (B, N)."""
        count, size, width = len(codes), self.layers[0].n_in, self.layers[-1].n_out
        slope, offset = np.empty((count, width, size)), np.empty((count, width))
        for low in range(0, count, self.chunk):
            values = self.outputs(codes[low : low + self.chunk])
            slope[low : low + self.chunk] = values[:, :size].transpose(0, 2, 1)
            offset[low : low + self.chunk] = values[:, size]
        return slope, offset

    def preactivations(self, codes: npt.NDArray[Any]) -> Iterator[Floats]:
        """Pre-activations of each layer in turn."""
        first = self.layers[0]
        start = np.vstack([first.weight.T, first.bias])[None]
        values: Floats = np.broadcast_to(start, (len(codes), *start.shape[1:]))
        yield values
        for depth, layer in enumerate(self.layers[1:], start=1):
            inputs = self.activated(depth - 1, values, codes)
            product = np.asarray(inputs.reshape(-1, layer.n_in) @ self._weights[depth])
            values = product.reshape(len(codes), -1, layer.n_rows)
            values[:, -1] += layer.bias
            yield values

    def outputs(self, codes: npt.NDArray[Any]) -> Floats:
        """Output of the last layer."""
        *_, values = self.preactivations(codes)
        return self.activated(len(self.layers) - 1, values, codes)

    def activated(self, depth: int, values: Floats, codes: npt.NDArray[Any]) -> Floats:
        """Apply the pieces of the codes to a layer's pre-activations."""
        layer = self.layers[depth]
        slopes, offsets = layer.unit_tables
        if slopes.shape[1] == 1 and np.all(slopes == 1.0) and not np.any(offsets):
            return values
        pieces = np.zeros((len(codes), layer.n_out), dtype=np.int64)
        pieces[:, layer.unit_neurons] = codes[:, self._ends[depth] : self._ends[depth + 1]]
        if layer.has_groups:
            values = np.take_along_axis(values, layer.chosen_rows(pieces)[:, None, :], axis=2)
        pieces += slopes.shape[1] * np.arange(layer.n_out)
        found = values * slopes.reshape(-1)[pieces][:, None, :]
        if np.any(offsets):
            found[:, -1] += offsets.reshape(-1)[pieces]
        return found
