"""Lower bounds that hold whatever solver their multipliers came from, and what they exclude (kernel).

For any multipliers ``y`` on the residual and ``nu`` on ``v = W u + b``, and any z within
the ranges, ``‖y‖_dual ‖x - G(z)‖`` is at least

    - y . x + sum of nu . b + sum over units of min over v of (a sigma(v) - nu v) + min over z of a . z

where a, the coefficient on a unit's value, is carried back through the weights. Each
minimum is over an interval, at an end or at a knot. The multipliers of a solved
relaxation make the bound as good as the relaxation; no others make it wrong.

Guarantee: certified. The rounding of every operation is bounded and subtracted.
"""

from __future__ import annotations

import numpy as np

from polyspline.inversion.chain import Floats, Integers
from polyspline.inversion.tightening import (
    FEW,
    least_of,
    lower_end,
    most_of,
    n_knots,
    point_at,
    raise_end,
    value_of,
    value_slack,
)
from solvers.compiled import compiled, compiled_part, larger
from solvers.predicates.rounding import ROUNDOFF, TINY


@compiled_part
def _term(table: Floats, neuron: int, v: float, a: float, a_error: float, nu: float) -> float:
    """Evaluate ``a sigma(v) - nu v``, rounded down.

    The value is off by its slack, the coefficient by its error; two products and three sums round by
    less than FEW of ``|a sigma(v)|`` and ``|nu v|``, and what underflows is below TINY.
    """
    value = value_of(table, neuron, v)
    slack = value_slack(table, neuron, value)
    size = abs(value) + slack
    error = abs(a) * slack + (FEW * abs(a) + a_error) * size + FEW * abs(nu * v)
    return a * value - nu * v - (error + TINY)


@compiled
def certify_layers(
    widths: Integers,
    weights: Floats,
    table: Floats,
    ranges: Floats,
    target: Floats,
    output: Floats,
    nu: Floats,
    coefficients: Floats,
) -> tuple[float, float]:
    """Carry multipliers back through the layers, and add up all terms but those of z.

    Parameters
    ----------
    widths, weights, table
        A `Chain`.
    ranges
        (S + neurons, 2), not empty.
    target, output
        (T,) each: x, and the multipliers y.
    nu
        (neurons,) changes of the multipliers on ``v = W u + b``, added to ``slope * a`` on
        every decided neuron; overwritten by the multipliers.
    coefficients
        (S + neurons, 2), written: the coefficient on each value, and its error.

    Returns
    -------
    total, size : float
        The sum of the terms, and the sum of their sizes, by which its rounding is bounded. Neither
        is finite where a number is past the largest float.

    Notes
    -----
    Any nu will do, so those that are computed here are exact by definition. What is rounded: a
    coefficient, by less than ``(width + 4) u`` of the sizes of its products, and by less than TINY for
    each product that underflows; each term, see `_term`; and the sum. Where a neuron has no unit, its
    term is ``(a s - nu) v + a o``, of which the first factor is a rounding of ``a s``.
    """
    dim, count = widths[0], n_knots(table)
    total, size = 0.0, 0.0
    first, block = len(table), len(weights)
    for layer in range(len(widths) - 1, 0, -1):
        width, inputs = widths[layer], widths[layer - 1]
        first -= width
        block -= width * inputs
        before = dim + first - inputs if layer > 1 else 0
        for j in range(inputs):
            coefficients[before + j, 0], coefficients[before + j, 1] = 0.0, width * TINY
        rate = (width + 4) * 1.01 * ROUNDOFF
        for i in range(width):
            neuron = first + i
            place = dim + neuron
            if layer == len(widths) - 1:
                coefficients[place, 0], coefficients[place, 1] = output[i], 0.0
                total -= output[i] * target[i]
                size += abs(output[i] * target[i])
            a, a_error = coefficients[place, 0], coefficients[place, 1]
            low, high = ranges[place, 0], ranges[place, 1]
            piece, undecided = 0, False
            for knot in range(count):
                piece += high > table[neuron, 1 + knot]
                undecided = undecided or low < table[neuron, 1 + knot] < high
            if not undecided:
                nu[neuron] += a * table[neuron, 1 + count + piece]
            least = np.inf
            if count == 0 or table[neuron, 1] == np.inf:
                # No unit: its value is slope v + offset wherever v is, and only the rounding counts.
                offset = table[neuron, 2 + 2 * count]
                rest = abs(a * table[neuron, 1 + count] - nu[neuron]) + 2.0 * FEW * abs(nu[neuron])
                reach = most_of(abs(low), abs(high))
                slope = abs(table[neuron, 1 + count])
                least = a * offset - FEW * abs(a * offset) - a_error * (slope * reach + abs(offset)) - TINY
                least -= (rest + TINY) * reach
            else:
                for point in range(count + 2):
                    v = point_at(table, neuron, low, high, point)
                    least = least_of(least, _term(table, neuron, v, a, a_error, nu[neuron]))
            shift = nu[neuron] * table[neuron, 0]
            total += shift + least
            size += abs(shift) + abs(least)
            row = block + i * inputs
            for j in range(inputs):
                product = weights[row + j] * nu[neuron]
                coefficients[before + j, 0] += product
                coefficients[before + j, 1] += rate * abs(product)
    return total, size


@compiled
def exclude_beyond(table: Floats, ranges: Floats, coefficients: Floats, nu: Floats, room: float) -> None:
    """Tighten ranges in place to where a term is above its minimum by no more than the room.

    Parameters
    ----------
    table
        Of the chain.
    ranges
        (S + neurons, 2), those that were certified.
    coefficients, nu
        As `certify_layers` left them.
    room
        Cutoff times scale minus the certified total, rounded up. Unless it is a number of at least 0,
        nothing is tightened.

    Notes
    -----
    Between two breakpoints a term is linear, and no less at them than its height here, which is rounded
    down; so where the line between two heights is above ``limit``, the term is above its minimum by more
    than the room, and the point is cut. ``limit`` and the share of a stretch round by less than FEW, an
    end by less than FEW of the numbers that it lies between.
    """
    if not 0.0 <= room < np.inf:
        return
    dim, count = len(ranges) - len(table), n_knots(table)
    heights = np.empty(count + 2)
    for neuron in range(len(table)):
        if count == 0 or table[neuron, 1] == np.inf:
            continue
        place = dim + neuron
        low, high = ranges[place, 0], ranges[place, 1]
        a, a_error = coefficients[place, 0], coefficients[place, 1]
        least = np.inf
        for point in range(count + 2):
            v = point_at(table, neuron, low, high, point)
            heights[point] = _term(table, neuron, v, a, a_error, nu[neuron])
            least = least_of(least, heights[point])
        limit = least + room + FEW * (abs(least) + room) + TINY
        if not -np.inf < limit < np.inf:
            continue
        for side in range(2):
            start, step = (0, 1) if side == 0 else (count + 1, -1)
            if not limit < heights[start] < np.inf:
                continue
            found = start
            while heights[found] > limit:
                found += step
            near = point_at(table, neuron, low, high, found)
            far = point_at(table, neuron, low, high, found - step)
            drop = heights[found - step] - heights[found]
            share = (limit - heights[found]) / drop * (1.0 + FEW)
            # NaN cuts nothing, see `raise_end`.
            end = near + (share if share < 1.0 else 1.0) * (far - near)
            guard = FEW * (abs(near) + abs(far)) + TINY
            if side == 0:
                raise_end(ranges, place, end - guard)
            else:
                lower_end(ranges, place, end + guard)
    for i in range(dim):
        slope = coefficients[i, 0]
        if slope == 0.0:
            continue
        low, high = ranges[i, 0], ranges[i, 1]
        step = room / abs(slope) * (1.0 + FEW) + FEW * larger(abs(low), abs(high)) + TINY
        if slope < 0.0:
            raise_end(ranges, i, high - step)
        elif slope > 0.0:
            lower_end(ranges, i, low + step)


@compiled
def branching(
    widths: Integers,
    weights: Floats,
    table: Floats,
    ranges: Floats,
    coefficients: Floats,
    column: Integers,
    point: Floats,
) -> Floats:
    """Find, for every undecided unit, the knot to branch at, and how far the point is from the graph there.

    Parameters
    ----------
    widths, weights, table
        A `Chain`.
    ranges
        (S + neurons, 2).
    coefficients
        As `certify_layers` left them.
    column, point
        Of the relaxation, and a point of it: z and the values of the undecided units.

    Returns
    -------
    ndarray, shape (neurons, 2)
        Knot and distance times the coefficient; NaN for units that are decided.
    """
    dim, count = widths[0], n_knots(table)
    found = np.full((len(table), 2), np.nan)
    values = np.empty(dim + len(table))
    for i in range(dim):
        values[i] = point[i]
    first, block, before = 0, 0, 0
    for layer in range(1, len(widths)):
        inputs = widths[layer - 1]
        for i in range(widths[layer]):
            neuron = first + i
            v = table[neuron, 0]
            for j in range(inputs):
                v += weights[block + i * inputs + j] * values[before + j]
            at = value_of(table, neuron, v)
            values[dim + neuron] = at
            if column[neuron] < 0:
                continue
            values[dim + neuron] = point[column[neuron]]
            nearest = np.inf
            for knot in range(count):
                t = table[neuron, 1 + knot]
                if ranges[dim + neuron, 0] < t < ranges[dim + neuron, 1] and abs(t - v) < nearest:
                    nearest = abs(t - v)
                    found[neuron, 0] = t
            off = abs(point[column[neuron]] - at)
            found[neuron, 1] = off * abs(coefficients[dim + neuron, 0])
        block += widths[layer] * inputs
        before = dim + first
        first += widths[layer]
    return found
