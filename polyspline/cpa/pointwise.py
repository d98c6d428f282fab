"""The activation code of a point, decided exactly.

Float64 with a running error bound decides almost every unit; points where it
cannot are evaluated again in exact dyadic arithmetic on Python integers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from polyspline.cpa.layers import FloatArray, IntArray, Layer
from polyspline.cpa.units import ScalarUnit
from solvers.integers import float_to_integers

_ROUNDOFF = 2.0**-53
_TINY = 2.0**-1074
# Covers the rounding of the error bounds themselves (layers have far fewer than 2**30 inputs).
_INFLATE = 1.0 + 2.0**-20


def code_of(layers: Sequence[Layer], z: FloatArray) -> IntArray:
    """Activation codes of points; on a knot, the lower piece.

    Parameters
    ----------
    layers : sequence of Layer
    z : ndarray of float64, shape (B, S)
        Finite.

    Returns
    -------
    ndarray of int64, shape (B, N)

    Notes
    -----
    Guarantee: exact, for the network whose weights are the float64 numbers as given.

    Algorithm: a forward pass in float64 carries, for every neuron, a bound of its error; a
    point with a unit whose distance from a knot does not exceed its bound is evaluated again,
    exactly. The cost is some three forward passes, and milliseconds for each undecided point.
    """
    with np.errstate(all="ignore"):  # overflow shows as a bound that decides nothing
        codes, decided = _filtered(layers, z)
    for point in np.flatnonzero(~decided):
        codes[point] = code_of_exactly(layers, z[point])
    return codes


def _filtered(layers: Sequence[Layer], z: FloatArray) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Codes from float64, and for each point whether all of its entries are proven."""
    value = z
    error = np.zeros_like(z)
    decided = np.ones(len(z), dtype=np.bool_)
    codes: list[IntArray] = []
    for layer in layers:
        size = np.abs(layer.weight).T
        # A product with a zero factor is exact, and so is a sum of zeros and the bias alone:
        # this keeps dead units, which are common, out of the exact path.
        terms = ((value != 0) | (error != 0)).astype(np.float64) @ (layer.weight.T != 0).astype(np.float64)
        unit_error = (layer.n_in + 4) * _ROUNDOFF
        bound = (error + unit_error * np.abs(value)) @ size + unit_error * np.abs(layer.bias)
        bound = np.where(terms > 0, _INFLATE * bound + (4 * layer.n_in + 8) * _TINY, 0.0)
        before = value @ layer.weight.T + layer.bias
        value = np.empty_like(before)
        error = np.empty_like(before)
        pieces = np.zeros(before.shape, dtype=np.int64)
        for unit, where in layer.groups:
            v, e = before[:, where], bound[:, where]
            p, sure = _side(unit, v, e)
            decided &= sure.all(axis=1)
            pieces[:, where] = p
            slope, offset = np.asarray(unit.slopes)[p], np.asarray(unit.offsets)[p]
            value[:, where] = slope * v + offset
            # Where the piece is not proven the steepest slope bounds the change of the function.
            steep = np.where(sure, np.abs(slope), max(abs(s) for s in unit.slopes))
            rounding = 4 * _ROUNDOFF * (np.abs(slope * v) + np.abs(offset)) + 8 * _TINY
            exact = sure & ((slope == 0) | ((e == 0) & (np.abs(slope) == 1) & (offset == 0)))
            error[:, where] = np.where(exact, 0.0, _INFLATE * (steep * e + rounding))
        codes.append(pieces[:, layer.unit_neurons])
    return np.concatenate(codes, axis=1), decided


def _side(unit: ScalarUnit, values: FloatArray, bounds: FloatArray) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Pieces of values known up to bounds, and whether they are proven."""
    sure = np.isfinite(values) & np.isfinite(bounds)
    for knot in unit.knots:
        sure &= (np.abs(values - knot) > _INFLATE * bounds) | (bounds == 0)
    return unit.pieces(values), sure


def _dyadic(values: npt.ArrayLike) -> tuple[npt.NDArray[np.object_], int]:
    """Floats as an array of Python integers times one power of two."""
    integers, exponent = float_to_integers(values)
    array = np.empty(len(integers), dtype=object)
    array[:] = integers
    return array.reshape(np.shape(values)), exponent


def _add(
    a: npt.NDArray[np.object_], ea: int, b: npt.NDArray[np.object_], eb: int
) -> tuple[npt.NDArray[np.object_], int]:
    lowest = min(ea, eb)
    return np.asarray((a << (ea - lowest)) + (b << (eb - lowest)), dtype=object), lowest


def code_of_exactly(layers: Sequence[Layer], z: FloatArray) -> IntArray:
    """Activation code of one point by exact arithmetic alone.

    Parameters
    ----------
    layers : sequence of Layer
    z : ndarray of float64, shape (S,)
        Finite.

    Returns
    -------
    ndarray of int64, shape (N,)

    Notes
    -----
    Guarantee: exact. The integers grow by some 53 bits a layer and the cost with them.
    """
    value, exponent = _dyadic(z)
    codes: list[IntArray] = []
    for layer in layers:
        weight, weight_exponent = _dyadic(layer.weight)
        value, exponent = _add(weight @ value, weight_exponent + exponent, *_dyadic(layer.bias))
        pieces = np.zeros(layer.n_out, dtype=np.int64)
        for unit, where in layer.groups:
            for knot in unit.knots:
                above, _ = _add(value[where], exponent, *_dyadic(np.full(len(where), -knot)))
                pieces[where] += (above > 0).astype(np.int64)
        codes.append(pieces[layer.unit_neurons])
        slopes, offsets = layer.unit_tables
        neurons = np.arange(layer.n_out)
        slope, slope_exponent = _dyadic(slopes[neurons, pieces])
        value, exponent = _add(slope * value, slope_exponent + exponent, *_dyadic(offsets[neurons, pieces]))
    return np.concatenate(codes)
