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

from polyspline.cpa.layers import Layer
from polyspline.inversion.chain import Chain, Floats
from polyspline.inversion.tightening import (
    FEW,
    lower_end,
    most_of,
    n_knots,
    point_at,
    raise_end,
    value_of,
    value_slack,
)
from solvers.compiled import compiled, compiled_part, larger
from solvers.predicates.rounding import ROUNDOFF, SAFETY, TINY

_RIDGE = 1e-8
"""Relative weight that keeps the left inverse of a singular map finite."""

_STEPS = 24
"""Of the search for the best multiple of the multipliers."""

_GOLDEN = 0.6180339887498949

_SMALL_SQUARE, _LARGE_SQUARE = 2.0**-800, 2.0**800
"""Sums of squares between which neither underflow nor overflow counts."""


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
    """See the last units from a target; None if there is no unit, or a number is past the largest float.

    Parameters
    ----------
    layers, chain
        Of scalar units, and the same laid out flat.
    ranges
        (S + neurons, 2), over the whole domain.
    target
        (T,).

    Notes
    -----
    With sizes in the place of numbers, what P misses of a left inverse is bounded over the largest
    values: ``|I - P W|``, evaluated, times these. The map, its offset, that product and the centre are
    sums of at most as many products as there are neurons, each rounded by less than ``rate`` of its
    size, ``spread``; a product that underflows is off by less than TINY, over the same sizes.
    """
    having = [index for index, layer in enumerate(layers) if np.isfinite(layer.knot_table).any()]
    if not having:
        return None
    with np.errstate(all="ignore"):  # what overflows is not finite in the end
        seen = _seen(layers, chain, ranges, target, having[-1])
    if seen is None or not all(np.isfinite(part).all() for part in seen[1:]):
        return None
    return seen


def _seen(
    layers: Sequence[Layer], chain: Chain, ranges: Floats, target: Floats, last: int
) -> LastUnits | None:
    """As `see_last_units`, behind the last layer with units; parts that overflow are not finite."""
    width = layers[last].n_out
    first = int(chain.widths[: last + 1].sum())
    matrix, offset = np.eye(width), np.zeros(width)
    size, shift = np.eye(width), np.zeros(width)
    for layer in layers[last + 1 :]:
        # An identity neuron may have a slope and an offset, as every unit.
        slopes, offsets = (table[:, 0] for table in layer.unit_tables)
        matrix, offset = layer.weight @ matrix, layer.weight @ offset + layer.bias
        size, shift = np.abs(layer.weight) @ size, np.abs(layer.weight) @ shift + np.abs(layer.bias)
        matrix, offset = slopes[:, None] * matrix, slopes * offset + offsets
        size, shift = np.abs(slopes)[:, None] * size, np.abs(slopes) * shift + np.abs(offsets)
    gram = matrix.T @ matrix
    gram[np.diag_indices(width)] += _RIDGE * float(np.trace(gram)) / width + TINY
    if not np.isfinite(gram).all():
        return None
    inverse: Floats = np.ascontiguousarray(np.linalg.solve(gram, matrix.T), dtype=np.float64)
    largest = np.zeros(width)
    _largest_values(chain.table, ranges, first, largest)
    rate = 2.0 * SAFETY * ROUNDOFF * (int(chain.widths.sum()) + len(layers) + 16)
    reach = size @ largest + shift + np.abs(target)
    spread = np.abs(inverse) @ reach + largest
    slack = np.abs(np.eye(width) - inverse @ matrix) @ largest * SAFETY + rate * spread
    slack += TINY * (1.0 + float(np.sum(np.abs(inverse))) + float(np.sum(largest)) + float(np.sum(reach)))
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
            found[k] = most_of(found[k], abs(value) + value_slack(table, neuron, value))


@compiled_part
def _length(p: Floats, sign: float, y: Floats, t: float) -> float:
    """Euclidean length of ``sign p + t y``, of entries of any size: scaled by the largest."""
    largest = 0.0
    for j in range(len(p)):
        largest = most_of(largest, abs(sign * p[j] + t * y[j]))
    if not 0.0 < largest < np.inf:
        return largest
    total = 0.0
    for j in range(len(p)):
        entry = (sign * p[j] + t * y[j]) / largest
        total += entry * entry
    return largest * float(np.sqrt(total))


@compiled_part
def _dual_norm(p: Floats, sign: float, y: Floats, t: float, order: float) -> float:
    """Norm of ``sign p + t y`` that is dual to the norm of an order; not finite if an entry is not."""
    total = 0.0
    for j in range(len(p)):
        entry = abs(sign * p[j] + t * y[j])
        if order == 2.0:
            total += entry * entry
        elif order == 1.0:
            total = most_of(total, entry)
        else:
            total += entry
    if order != 2.0:
        return total
    # Squares that underflow are nothing beside a sum in this range.
    if _SMALL_SQUARE < total < _LARGE_SQUARE:
        return float(np.sqrt(total))
    return _length(p, sign, y, t)


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
    """Bound ``sign p . r`` over all r with ``‖r‖ <= cutoff`` and ``y . r >= total``, rounded up.

    For every t >= 0, ``sign p . r = (sign p + t y) . r - t y . r <= ‖sign p + t y‖ cutoff - t total``. The
    norm is a sum of as many terms as there are entries, each rounded relative to ``‖p‖ + t ‖y‖``.
    """
    t = _best_multiple(p, sign, y, total, cutoff, order)
    if not 0.0 <= t < np.inf:
        t = 0.0
    size = _dual_norm(p, sign, y, 0.0, order) + t * _dual_norm(p, 0.0, y, 1.0, order)
    size = cutoff * size + abs(t * total)
    rate = 2.0 * (len(p) + 16) * ROUNDOFF
    underflow = TINY * (1.0 + len(p) * (1.0 + cutoff))
    return cutoff * _dual_norm(p, sign, y, t, order) - t * total + rate * size + underflow


@compiled_part
def _end_within(
    table: Floats, neuron: int, low: float, high: float, side: int, least: float, most: float
) -> float:
    """Point of a range before which, from one side, no value is between two; beyond all if none is at all.

    Between two breakpoints the unit is linear, exactly, and its value at either is the computed one up
    to a slack: so at every point the value is, up to the larger slack of the two, that of the line between
    the computed ones. Both sides of the interval are moved outward by that one slack, once for the whole
    stretch. A stretch is passed over only if both its ends are computed beyond the same side moved so,
    and else left no later than where the line meets that side. The share of the stretch rounds by less
    than FEW of itself, the point by less than FEW of its ends. A comparison with NaN passes over nothing.
    """
    last = n_knots(table) + 1
    start, step = (0, 1) if side == 0 else (last, -1)
    v = point_at(table, neuron, low, high, start)
    value = value_of(table, neuron, v)
    slack = value_slack(table, neuron, value)
    for _ in range(last):
        start += step
        other = point_at(table, neuron, low, high, start)
        after = value_of(table, neuron, other)
        after_slack = value_slack(table, neuron, after)
        room = most_of(slack, after_slack)
        below, above = least - room - FEW * abs(least), most + room + FEW * abs(most)
        if not (value < below or value > above):
            return v
        edge = below if value < below else above
        passed = after < below if value < below else after > above
        if not passed:
            share = (edge - value) / (after - value) * (1.0 - FEW)
            if not share > 0.0:
                return v
            guard = FEW * (abs(v) + abs(other)) + TINY
            return v + share * (other - v) - step * guard
        v, value, slack = other, after, after_slack
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
        upward = _most(inverse[k], 1.0, output, total, cutoff, order) + slack[k]
        downward = _most(inverse[k], -1.0, output, total, cutoff, order) + slack[k]
        # The sums round relative to what they are made of, which may cancel.
        most = centre[k] + upward + FEW * (abs(centre[k]) + abs(upward) + slack[k])
        least = centre[k] - downward - FEW * (abs(centre[k]) + abs(downward) + slack[k])
        raise_end(ranges, place, _end_within(table, neuron, low, high, 0, least, most))
        lower_end(ranges, place, _end_within(table, neuron, low, high, 1, least, most))
