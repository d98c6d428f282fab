"""A priori bounds on the rounding of a network's forward product, once per network.

For every neuron, over all activation codes and all points of the domain: how large its
pre-activation can be, and how far the computed affine function can be from the true
one. Layers whose weights are few-bit numbers are found to be computed without any
rounding.

The points are ``x = (z, t)`` with ``|x_c| <= radius_c``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.layers import Layer
from polyspline.cpa.matrices import nonzeros, times

Floats = NDArray[np.float64]

ROUNDOFF = 2.0**-53
SAFETY = 1.0 + 1e-6
"""The bounds are themselves computed in floats: this outweighs their rounding."""

TINY = 2.0**-1000
"""Outweighs every underflow."""

_EXACT_BITS = 52
_SMALL_BITS = 20
_MOST_BITS = 200


@dataclass(frozen=True)
class LayerBound:
    """Bounds of one layer's pre-activations over the domain.

    Attributes
    ----------
    magnitude
        (rows,) bound on the absolute value, computed or true.
    error
        (rows,) bound on computed minus true, of the affine function and not of its evaluation.
    grain
        All coefficients are integer multiples of ``2**-grain``; None where that is of no use.
    central
        Whether the offset of every pre-activation is exactly zero.
    """

    magnitude: Floats
    error: Floats
    grain: int | None
    central: bool

    @property
    def integral(self) -> bool:
        """Whether the rows are exact, and small integers once scaled by ``2**grain``."""
        return self.grain is not None and bool(np.max(self.magnitude) * 2.0**self.grain < 2.0**_SMALL_BITS)


def grain_of(values: NDArray[np.float64]) -> int:
    """Least g >= 0 with every value a multiple of ``2**-g``, capped."""
    mantissa, exponent = np.frexp(values[values != 0.0])
    if mantissa.size == 0:
        return 0
    integers = np.ldexp(mantissa, 53).astype(np.int64)
    trailing = np.log2((integers & -integers).astype(np.float64)).astype(np.int64)
    return int(min(_MOST_BITS, max(0, int(np.max(53 - exponent - trailing)))))


def layer_bounds(layers: tuple[Layer, ...], radius: Floats) -> tuple[LayerBound, ...]:
    """Bound each layer in turn.

    Parameters
    ----------
    layers
        The network.
    radius
        (S + 1,) of the points: per coordinate, and 1 for the offset.

    Returns
    -------
    tuple of LayerBound

    Notes
    -----
    The usual bound for sums of products: n products summed in any order, with or
    without fused multiply-add, err by at most ``n u / (1 - n u)`` of the sum of sizes.
    """
    size = np.append(radius[:-1], 0.0)[:-1]
    error = np.zeros_like(size)
    grain: int | None = 0
    central = True
    bounds = []
    for depth, layer in enumerate(layers):
        weight = layer.sizes
        total = times(weight, size) + np.abs(layer.bias)
        terms = 0 if depth == 0 else layer.n_in + 1
        rounding = terms * ROUNDOFF * SAFETY * total
        spread = (times(weight, error) + rounding) * SAFETY
        grain = _layer_grain(layer, grain, float(np.max(total)) + float(np.max(spread)))
        if grain is not None:
            spread = np.zeros_like(spread)
        central = central and not np.any(layer.bias)
        magnitude = (total + spread) * SAFETY
        bounds.append(LayerBound(magnitude, spread, grain, central))
        slopes, offsets = layer.unit_tables
        steepest = np.max(np.abs(slopes), axis=1)
        shift = np.max(np.abs(offsets), axis=1)
        size = (steepest * layer.largest_of_rows(magnitude) + shift) * SAFETY
        error = (steepest * layer.largest_of_rows(spread) + 2.0 * ROUNDOFF * size) * SAFETY
        central = central and not np.any(offsets)
        if grain is not None:
            grain = grain + grain_of(slopes)
            grain = max(grain, grain_of(offsets))
            if math.log2(max(float(np.max(size)), 1.0)) + grain > _EXACT_BITS:
                grain = None
            else:
                error = np.zeros_like(error)
    return tuple(bounds)


def _layer_grain(layer: Layer, grain: int | None, largest: float) -> int | None:
    """Grain of a layer's pre-activations, None if a sum may be rounded."""
    if grain is None:
        return None
    grain = max(grain + grain_of(nonzeros(layer.matrix)), grain_of(layer.bias))
    return grain if math.log2(max(largest, 1.0)) + grain <= _EXACT_BITS else None
