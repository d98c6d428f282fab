"""A priori bounds on the rounding of a network's forward product, once per network.

For every row, over all activation codes and all points of the domain: how large its pre-activation
can be, how large the coefficients of its affine function, and how far the computed function can be
from the true one. Rows whose coefficients are numbers of few bits are found to be computed without
any rounding.

The points are ``x = (z, t)`` with ``|x_c| <= radius_c``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.layers import Layer
from polyspline.cpa.matrices import entries_of, times
from solvers.predicates.rounding import ROUNDOFF, SAFETY, SMALLEST

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

ROUNDED = -1
"""Grain of a row that may be rounded."""

_EXACT_BITS = 52
_MOST_GRAIN = 200


@dataclass(frozen=True)
class LayerBound:
    """Bounds of one layer's pre-activations over the domain.

    Attributes
    ----------
    magnitude
        (rows,) bound on the absolute value, computed or true.
    coefficient
        (rows,) bound on every coefficient of the affine function, its offset included.
    error
        (rows,) bound on computed minus true, of the affine function and not of its evaluation.
    grain
        (rows,) the coefficients are integer multiples of ``2**-grain`` and none of them is rounded on
        any code; ROUNDED where that is not known.
    central
        Whether the offset of every pre-activation is exactly zero.
    """

    magnitude: Floats
    coefficient: Floats
    error: Floats
    grain: Integers
    central: bool


def grains_of(values: NDArray[np.float64]) -> Integers:
    """Least g >= 0 with the value a multiple of ``2**-g``, elementwise; a large one where there is none."""
    mantissa, exponent = np.frexp(values)
    integers = np.ldexp(mantissa, 53).astype(np.int64)
    lowest = np.where(integers != 0, integers & -integers, 1)
    trailing = np.log2(lowest.astype(np.float64)).astype(np.int64)
    return np.where(integers != 0, np.maximum(0, 53 - exponent.astype(np.int64) - trailing), 0)


def layer_bounds(
    layers: tuple[Layer, ...], radius: Floats, beyond: Sequence[Flags] | None = None
) -> tuple[LayerBound, ...]:
    """Bound each layer in turn.

    Parameters
    ----------
    layers
        The network.
    radius
        (S + 1,) of the points: per coordinate, and 1 for the offset.
    beyond
        For each layer the rows (rows,) of which nothing is known, see `polyspline.cpa.equilibrate`;
        None if there are none.

    Returns
    -------
    tuple of LayerBound

    Notes
    -----
    The error of a sum of products is that of `solvers.predicates.steps_kernel.sum_error`, of a unit that
    of its `unit_step`, on the steepest of its pieces.

    A row is not rounded on any code if all that is added up for one of its coefficients, products of
    weights with coefficients of the layer before, are multiples of ``2**-g`` and their sizes come to
    less than ``2**(53 - g)``: then every partial sum is such a multiple, and a float64. It is the
    coefficients that have to fit and not the values, which are smaller by the radius of the domain.
    """
    size = radius[:-1]
    reach = float(np.sum(radius))
    coefficient = np.ones(len(size))
    error = np.zeros(len(size))
    grain = np.zeros(len(size), np.int64)
    unknown = np.zeros(len(size), np.bool_)
    central = True
    bounds = []
    with np.errstate(all="ignore"):  # what overflows bounds nothing, and stays infinite
        for depth, layer in enumerate(layers):
            out = np.zeros(layer.n_rows, np.bool_) if beyond is None else beyond[depth]
            made = _rows_bound(layer, depth == 0, size, coefficient, error, grain, unknown, out, reach)
            central = central and not np.any(layer.bias) and not out.any()
            bounds.append(LayerBound(made.magnitude, made.coefficient, made.error, made.grain, central))
            slopes, offsets = layer.unit_tables
            steepest = np.max(np.abs(slopes), axis=1)
            shift = np.max(np.abs(offsets), axis=1)
            size = (steepest * layer.largest_of_rows(made.magnitude) + shift) * SAFETY + SMALLEST
            coefficient = (steepest * layer.largest_of_rows(made.coefficient) + shift) * SAFETY + SMALLEST
            carried = layer.largest_of_rows(made.error)
            error = (steepest * carried + 2.0 * ROUNDOFF * size) * SAFETY + 4.0 * SMALLEST
            error += 12.0 * SMALLEST * reach * SAFETY
            grain = _output_grains(layer, made.grain, coefficient)
            error = np.where(grain == ROUNDED, error, 0.0)
            unknown = ~np.isfinite(error) | ~np.isfinite(size)
            central = central and not np.any(offsets)
    return tuple(bounds)


def _rows_bound(
    layer: Layer,
    first: bool,
    size: Floats,
    coefficient: Floats,
    error: Floats,
    grain: Integers,
    unknown: Flags,
    out: Flags,
    reach: float,
) -> LayerBound:
    """Bound the rows of a layer by its inputs; `unknown` inputs, and rows that are `out`, bound nothing."""
    known = ~unknown
    total = times(layer.sizes, np.where(known, size, 0.0)) + np.abs(layer.bias)
    spread = times(layer.sizes, np.where(known, error, 0.0))
    if first:  # the rows are the weights themselves
        most = np.maximum(_largest_entries(layer), np.abs(layer.bias))
    else:
        most = times(layer.sizes, np.where(known, coefficient, 0.0)) + np.abs(layer.bias)
    terms = times(layer.pattern, np.ones(layer.n_in))
    grains = _row_grains(layer, grain, most * SAFETY)
    exact = grains != ROUNDED
    if first:
        spread = np.zeros_like(total)
    else:
        rounded = (spread + (terms + 2.0) * ROUNDOFF * total) * SAFETY + (4.0 * terms + 8.0) * SMALLEST
        # Each coefficient may underflow, and the function by that times its coordinate.
        rounded += (4.0 * terms + 8.0) * SMALLEST * reach * SAFETY
        spread = np.where(exact | (terms == 0.0), 0.0, rounded)
    lost = out | (times(layer.pattern, unknown.astype(np.float64)) > 0.0)
    spread = np.where(lost | ~np.isfinite(spread), np.inf, spread)
    total = np.where(lost | ~np.isfinite(total), np.inf, (total + spread) * SAFETY + (terms + 1.0) * SMALLEST)
    most = np.where(lost | ~np.isfinite(most), np.inf, (most + spread) * SAFETY + (terms + 1.0) * SMALLEST)
    return LayerBound(total, most, spread, np.where(lost, ROUNDED, grains), False)


def _largest_entries(layer: Layer) -> Floats:
    row, _, value = entries_of(layer.matrix)
    found = np.zeros(layer.n_rows)
    np.maximum.at(found, row, np.abs(value))
    return found


def _row_grains(layer: Layer, grain: Integers, largest: Floats) -> Integers:
    """Grain of each row whose sums for one coefficient come to at most `largest`."""
    row, place, value = entries_of(layer.matrix)
    found = grains_of(layer.bias)
    np.maximum.at(found, row, grains_of(value) + np.maximum(grain[place], 0))
    rounded = np.bincount(row[grain[place] == ROUNDED], minlength=layer.n_rows) > 0
    return np.where(rounded | ~_fit(largest, found), ROUNDED, found)


def _output_grains(layer: Layer, grain: Integers, largest: Floats) -> Integers:
    """Grain of each output of a layer with coefficients of at most `largest`."""
    slopes, offsets = layer.unit_tables
    coarse = np.minimum.reduceat(grain, layer.row_start[:-1])
    fine = np.maximum.reduceat(grain, layer.row_start[:-1]) + np.max(grains_of(slopes), axis=1)
    fine = np.maximum(fine, np.max(grains_of(offsets), axis=1))
    return np.where((coarse == ROUNDED) | ~_fit(largest, fine), ROUNDED, fine)


def _fit(largest: Floats, grain: Integers) -> Flags:
    """Whether multiples of ``2**-grain`` up to `largest` are floats, none of them subnormal."""
    with np.errstate(divide="ignore"):
        bits = np.log2(np.maximum(largest, 1.0)) + grain
    return np.asarray((bits <= _EXACT_BITS) & (grain <= _MOST_GRAIN), np.bool_)
