"""Ranges of the last units, by how far the outputs may be from the target (kernel).

The layers after the last one with units are one affine map, ``output = W u + b``. Seen
through a left inverse P of W, the units' values are ``u = P (x - b) + P r + (I - P W) u``,
where ``r = output - x`` is the residual. A point nearer than the cutoff has
``‖r‖ <= cutoff``, and the multipliers y of a relaxation prove ``y . r >= total``: between
the two there is little room for ``P r``, and less the nearer the bound is to the cutoff.

Guarantee: certified. The rounding of every operation is bounded and added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from polyspline.cpa.bounds import ROUNDOFF, SAFETY, TINY
from polyspline.cpa.layers import Layer
from polyspline.inversion.chain import Chain, Floats
from polyspline.inversion.tightening import FEW, n_knots, point_at, value_of, value_slack
from solvers.compiled import compiled, compiled_part, larger, smaller

_RIDGE = 1e-8
"""Relative weight that keeps the left inverse of a singular map finite."""

_STEPS = 24
"""Of the search for the best multiple of the multipliers."""

_GOLDEN = 0.6180339887498949


class LastUnits(NamedTuple):
    """The last units seen from the target.

    Attributes
    ----------
    first
        Their first row in the ranges.
    inverse
        P, (K, T).
    centre, slack
        (K,) each: values where the residual is zero, and how far they may be off besides.
    """

    first: int
    inverse: Floats
    centre: Floats
    slack: Floats


def see_last_units(layers: Sequence[Layer], chain: Chain, ranges: Floats, target: Floats) -> LastUnits | None:
    """See the last units from a target; None if there is no unit.

    Parameters
    ----------
    layers, chain
        Of scalar units, and the same laid out flat.
    ranges
        (S + neurons, 2), over the whole domain.
    target
        (T,).
    """
    having = [index for index, layer in enumerate(layers) if np.isfinite(layer.knot_table).any()]
    if not having:
        return None
    width = layers[having[-1]].n_out
    first = int(chain.widths[: having[-1] + 1].sum())
    matrix, offset = np.eye(width), np.zeros(width)
    size, shift = np.eye(width), np.zeros(width)
    for layer in layers[having[-1] + 1 :]:
        # An identity neuron may have a slope and an offset, as every unit.
        slopes, offsets = (table[:, 0] for table in layer.unit_tables)
        matrix, offset = layer.weight @ matrix, layer.weight @ offset + layer.bias
        size, shift = np.abs(layer.weight) @ size, np.abs(layer.weight) @ shift + np.abs(layer.bias)
        matrix, offset = slopes[:, None] * matrix, slopes * offset + offsets
        size, shift = np.abs(slopes)[:, None] * size, np.abs(slopes) * shift + np.abs(offsets)
    gram = matrix.T @ matrix
    gram[np.diag_indices(width)] += _RIDGE * float(np.trace(gram)) / width + TINY
    inverse: Floats = np.ascontiguousarray(np.linalg.solve(gram, matrix.T), dtype=np.float64)
    largest = np.zeros(width)
    _largest_values(chain.table, ranges, first, largest)
    rate = 2.0 * SAFETY * ROUNDOFF * (int(chain.widths.sum()) + len(layers) + 16)
    spread = np.abs(inverse) @ (size @ largest + shift + np.abs(target)) + largest
    slack = np.abs(np.eye(width) - inverse @ matrix) @ largest * SAFETY + rate * spread + TINY
    return LastUnits(first, inverse, inverse @ (target - offset), slack)


@compiled
def _largest_values(table: Floats, ranges: Floats, first: int, found: Floats) -> None:
    """Bound the absolute values of some neurons' units over their ranges."""
    dim = len(ranges) - len(table)
    for k in range(len(found)):
        neuron = first + k - dim
        for place in range(n_knots(table) + 2):
            v = point_at(table, neuron, ranges[first + k, 0], ranges[first + k, 1], place)
            value = value_of(table, neuron, v)
            found[k] = larger(found[k], abs(value) + value_slack(table, neuron, value))


@compiled_part
def _dual_norm(p: Floats, sign: float, y: Floats, t: float, order: float) -> float:
    """Norm of ``sign p + t y`` that is dual to the norm of an order."""
    total = 0.0
    for j in range(len(p)):
        entry = abs(sign * p[j] + t * y[j])
        if order == 2.0:
            total += entry * entry
        elif order == 1.0:
            total = larger(total, entry)
        else:
            total += entry
    return float(np.sqrt(total)) if order == 2.0 else total


@compiled_part
def _best_multiple(p: Floats, sign: float, y: Floats, total: float, cutoff: float, order: float) -> float:
    """Find the multiple t >= 0 of y that makes ``cutoff ‖sign p + t y‖ - t total`` least, nearly."""
    scale = _dual_norm(p, 0.0, y, 1.0, order)
    if not cutoff * scale > total > 0.0:
        return 0.0
    if order == 2.0:
        along, square = 0.0, 0.0
        for j in range(len(p)):
            along += sign * p[j] * y[j] / scale
            square += p[j] * p[j]
        bound = total / scale
        across = np.sqrt(larger(square - along * along, 0.0))
        return larger(bound * across / np.sqrt(cutoff * cutoff - bound * bound) - along, 0.0) / scale
    low, high = 0.0, 2.0 * cutoff * _dual_norm(p, 1.0, y, 0.0, order) / (cutoff * scale - total)
    nearer, farther = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_nearer = cutoff * _dual_norm(p, sign, y, nearer, order) - nearer * total
    at_farther = cutoff * _dual_norm(p, sign, y, farther, order) - farther * total
    for _ in range(_STEPS):
        if at_nearer < at_farther:
            high, farther, at_farther = farther, nearer, at_nearer
            nearer = high - _GOLDEN * (high - low)
            at_nearer = cutoff * _dual_norm(p, sign, y, nearer, order) - nearer * total
        else:
            low, nearer, at_nearer = nearer, farther, at_farther
            farther = low + _GOLDEN * (high - low)
            at_farther = cutoff * _dual_norm(p, sign, y, farther, order) - farther * total
    return (low + high) / 2.0


@compiled_part
def _most(p: Floats, sign: float, y: Floats, total: float, cutoff: float, order: float) -> float:
    """Bound ``sign p . r`` over all r with ``‖r‖ <= cutoff`` and ``y . r >= total``, rounded up."""
    t = _best_multiple(p, sign, y, total, cutoff, order)
    size = _dual_norm(p, sign, y, 0.0, order) + t * _dual_norm(p, 0.0, y, 1.0, order)
    size = cutoff * size + abs(t * total)
    rate = 2.0 * (len(p) + 16) * ROUNDOFF
    return cutoff * _dual_norm(p, sign, y, t, order) - t * total + rate * size + TINY


@compiled_part
def _end_within(
    table: Floats, neuron: int, low: float, high: float, side: int, least: float, most: float
) -> float:
    """First point of a range, from one side, where the value is between two; beyond all if there is none."""
    last = n_knots(table) + 1
    start, step = (0, 1) if side == 0 else (last, -1)
    v = point_at(table, neuron, low, high, start)
    value = value_of(table, neuron, v)
    for _ in range(last):
        slack = value_slack(table, neuron, value)
        if least - slack <= value <= most + slack:
            return v
        start += step
        other = point_at(table, neuron, low, high, start)
        after = value_of(table, neuron, other)
        slack = 2.0 * larger(slack, value_slack(table, neuron, after))
        edge = least - slack if value < least else most + slack
        if (value < edge) == (edge <= after):
            share = (edge - value) / (after - value) * (1.0 - FEW)
            guard = FEW * (abs(v) + abs(other))
            return v + larger(share, 0.0) * (other - v) - step * guard
        v, value = other, after
    slack = value_slack(table, neuron, value)
    if least - slack <= value <= most + slack:
        return v
    return np.inf if side == 0 else -np.inf


@compiled
def exclude_far(
    table: Floats,
    ranges: Floats,
    first: int,
    inverse: Floats,
    centre: Floats,
    slack: Floats,
    output: Floats,
    total: float,
    cutoff: float,
    order: float,
) -> None:
    """Tighten the ranges of the last units in place to where the outputs can be nearer than a cutoff.

    Parameters
    ----------
    table
        Of the chain.
    ranges
        (S + neurons, 2).
    first, inverse, centre, slack
        See `LastUnits`.
    output, total
        Multipliers y of the residual, and the certified least of ``y . r``.
    cutoff, order
        The distance that a point must have at most, and the order of its norm.
    """
    dim = len(ranges) - len(table)
    for k in range(len(centre)):
        place = first + k
        neuron = place - dim
        low, high = ranges[place, 0], ranges[place, 1]
        most = centre[k] + _most(inverse[k], 1.0, output, total, cutoff, order) + slack[k]
        least = centre[k] - _most(inverse[k], -1.0, output, total, cutoff, order) - slack[k]
        most += FEW * abs(most)
        least -= FEW * abs(least)
        ranges[place, 0] = larger(low, _end_within(table, neuron, low, high, 0, least, most))
        ranges[place, 1] = smaller(high, _end_within(table, neuron, low, high, 1, least, most))
