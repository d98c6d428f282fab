"""Which closed pieces hold a point: the exact test of membership in closed regions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.layers import Layer
from solvers.rational import DyadicMatrix

_ROUNDOFF = 2.0**-53
_TINY = 2.0**-1074
# Covers the rounding of the error bounds themselves (layers have far fewer than 2**30 inputs).
_INFLATE = 1.0 + 2.0**-20

Floats = NDArray[np.float64]
Pieces = NDArray[np.int64]
Flags = NDArray[np.bool_]


def piece_ranges(layers: Sequence[Layer], z: Floats) -> tuple[Pieces, Pieces]:
    """Lowest and highest piece of every unit whose closure holds the unit's pre-activation at z.

    The two differ, by one, exactly where the pre-activation is on a knot. The
    closed region of a code holds z if and only if z is in the domain and every
    entry of the code is between the two: as units are continuous, a forward
    pass with the pieces of the code forced passes through the same values as an
    unforced one for as long as the forced pieces hold these values.

    Parameters
    ----------
    layers
        Layers of the network.
    z
        Points (B, S), finite.

    Returns
    -------
    low, high : ndarray of int64
        (B, N) each, in code order.

    Notes
    -----
    Guarantee: exact, for the network whose weights are the float64 numbers as given.

    Algorithm: a forward pass in float64 with a running bound of its error; the
    points with a unit that it leaves undecided are evaluated again in dyadic
    rationals, at some milliseconds each.
    """
    with np.errstate(all="ignore"):  # an overflow shows as a bound that decides nothing
        low, high, decided = _filtered(layers, z)
    undecided = np.flatnonzero(~decided)
    if len(undecided):
        weights = [DyadicMatrix.from_array(layer.weight) for layer in layers]
        for point in undecided:
            low[point], high[point] = _exactly(layers, weights, z[point])
    return low, high


def _filtered(layers: Sequence[Layer], z: Floats) -> tuple[Pieces, Pieces, Flags]:
    """Ranges from float64, and for each point whether all of them are proven."""
    value = z
    error = np.zeros_like(z)
    decided = np.ones(len(z), dtype=np.bool_)
    lows: list[Pieces] = []
    highs: list[Pieces] = []
    for layer in layers:
        before, bound = _affine_step(layer, value, error)
        value, error = np.empty_like(before), np.empty_like(before)
        low = np.zeros(before.shape, dtype=np.int64)
        high = np.zeros(before.shape, dtype=np.int64)
        for unit, where in layer.groups:
            v, e = before[:, where], bound[:, where]
            sure = np.isfinite(v) & np.isfinite(e)
            below = np.zeros(v.shape, dtype=np.int64)
            upto = np.zeros(v.shape, dtype=np.int64)
            for knot in unit.knots:
                sure &= (np.abs(v - knot) > _INFLATE * e) | (e == 0)
                below += v > knot
                upto += v >= knot
            decided &= sure.all(axis=1)
            low[:, where], high[:, where] = below, upto
            slope, offset = np.asarray(unit.slopes)[below], np.asarray(unit.offsets)[below]
            value[:, where] = slope * v + offset
            # Where the piece is not proven the steepest slope bounds the change of the function.
            steep = np.where(sure, np.abs(slope), max(abs(s) for s in unit.slopes))
            rounding = 4 * _ROUNDOFF * (np.abs(slope * v) + np.abs(offset)) + 8 * _TINY
            exact = sure & ((slope == 0) | ((e == 0) & (np.abs(slope) == 1) & (offset == 0)))
            error[:, where] = np.where(exact, 0.0, _INFLATE * (steep * e + rounding))
        lows.append(low[:, layer.unit_neurons])
        highs.append(high[:, layer.unit_neurons])
    return np.concatenate(lows, axis=1), np.concatenate(highs, axis=1), decided


def _affine_step(layer: Layer, value: Floats, error: Floats) -> tuple[Floats, Floats]:
    """Pre-activations of a layer and bounds of their error.

    A product with a zero factor is exact, and so is a sum of zeros and the bias
    alone: this keeps dead units, which are common, out of the exact path.
    """
    live = ((value != 0) | (error != 0)).astype(np.float64)
    terms = live @ (layer.weight.T != 0).astype(np.float64)
    unit_error = (layer.n_in + 4) * _ROUNDOFF
    bound = (error + unit_error * np.abs(value)) @ np.abs(layer.weight).T + unit_error * np.abs(layer.bias)
    bound = np.where(terms > 0, _INFLATE * bound + (4 * layer.n_in + 8) * _TINY, 0.0)
    return value @ layer.weight.T + layer.bias, bound


def _exactly(layers: Sequence[Layer], weights: Sequence[DyadicMatrix], z: Floats) -> tuple[Pieces, Pieces]:
    """Ranges (N,) of one point in dyadic rationals alone."""
    value = DyadicMatrix.from_array(z[:, None])
    lows: list[Pieces] = []
    highs: list[Pieces] = []
    for layer, weight in zip(layers, weights, strict=True):
        before = weight.matmul(value).add(DyadicMatrix.from_array(layer.bias[:, None]))
        low = np.zeros(layer.n_out, dtype=np.int64)
        high = np.zeros(layer.n_out, dtype=np.int64)
        for unit, where in layer.groups:
            mine = before.take_rows(where)
            for knot in unit.knots:
                shifted = mine.add(DyadicMatrix.from_array(np.full((len(where), 1), -knot)))
                signs = np.array([shifted.row(i)[0] for i in range(len(where))], dtype=object)
                low[where] += (signs > 0).astype(np.int64)
                high[where] += (signs >= 0).astype(np.int64)
        slopes, offsets = layer.unit_tables
        neurons = np.arange(layer.n_out)
        value = before.scale_rows(slopes[neurons, low]).add(
            DyadicMatrix.from_array(offsets[neurons, low][:, None])
        )
        lows.append(low[layer.unit_neurons])
        highs.append(high[layer.unit_neurons])
    return np.concatenate(lows), np.concatenate(highs)
