"""Ranges of z and of every pre-activation, tightened in turn, never too tight (kernel).

Guarantee: certified. Every sum of n products is charged ``(n + 4) u`` of the sum of sizes,
with room to spare, and an absolute term for underflow; every bound is moved outward by what it
was charged. Numbers past the largest float, and NaN, tighten nothing.
"""

from __future__ import annotations

import numpy as np

from polyspline.inversion.chain import Floats, Integers
from solvers.compiled import compiled, compiled_part, larger, smaller
from solvers.predicates.rounding import ROUNDOFF, TINY

FEW = 16.0 * ROUNDOFF
"""Relative error of a handful of operations, with room to spare."""


@compiled_part
def least_of(a: float, b: float) -> float:
    """Minimum of two floats, minus infinity if either is NaN: a lower bound that nothing proves."""
    if a < b:
        return a
    return b if b <= a else -np.inf


@compiled_part
def most_of(a: float, b: float) -> float:
    """Maximum of two floats, infinity if either is NaN: an upper bound that nothing proves."""
    if a > b:
        return a
    return b if b >= a else np.inf


@compiled_part
def raise_end(ranges: Floats, place: int, candidate: float) -> None:
    """Raise the lower end of a range to a candidate that is above it; NaN is not."""
    if candidate > ranges[place, 0]:
        ranges[place, 0] = candidate


@compiled_part
def lower_end(ranges: Floats, place: int, candidate: float) -> None:
    """Lower the upper end of a range to a candidate that is below it; NaN is not."""
    if candidate < ranges[place, 1]:
        ranges[place, 1] = candidate


@compiled_part
def n_knots(table: Floats) -> int:
    """Columns of knots of a table of neurons."""
    return int((table.shape[1] - 3) // 3)


@compiled_part
def value_of(table: Floats, neuron: int, v: float) -> float:
    """Value of a neuron's unit, rounded."""
    count = n_knots(table)
    piece = 0
    while piece < count and v > table[neuron, 1 + piece]:
        piece += 1
    value: float = table[neuron, 1 + count + piece] * v + table[neuron, 2 + 2 * count + piece]
    return value


@compiled_part
def value_slack(table: Floats, neuron: int, value: float) -> float:
    """Bound of the rounding of a unit's value: that of its offset and of its last sum."""
    count = n_knots(table)
    largest = 0.0
    for piece in range(count + 1):
        largest = most_of(largest, abs(table[neuron, 2 + 2 * count + piece]))
    return FEW * (abs(value) + largest) + TINY


@compiled_part
def point_at(table: Floats, neuron: int, low: float, high: float, place: int) -> float:
    """Breakpoints of a unit over a range, in order: the lower end, the knots moved into it, the upper end."""
    count = n_knots(table)
    if place == 0:
        return low
    if place == count + 1:
        return high
    return smaller(larger(table[neuron, place], low), high)


@compiled_part
def is_undecided(table: Floats, neuron: int, low: float, high: float) -> bool:
    """Whether a knot is strictly inside a range."""
    for knot in range(n_knots(table)):
        if low < table[neuron, 1 + knot] < high:
            return True
    return False


@compiled_part
def is_held(table: Floats, neuron: int, low: float, high: float) -> bool:
    """Whether an end of a range is a knot, as where a unit was branched on."""
    for knot in range(n_knots(table)):
        if table[neuron, 1 + knot] == low or table[neuron, 1 + knot] == high:
            return True
    return False


@compiled_part
def _line(
    table: Floats, neuron: int, low: float, high: float, slope: float, lines: Floats, first: bool
) -> None:
    """Keep the line of a slope, below and above the graph, where it is nearer at the middle."""
    below, above = np.inf, -np.inf
    for place in range(n_knots(table) + 2):
        v = point_at(table, neuron, low, high, place)
        value = value_of(table, neuron, v)
        slack = value_slack(table, neuron, value) + FEW * abs(slope * v)
        below = least_of(below, value - slope * v - slack)
        above = most_of(above, value - slope * v + slack)
    middle = low / 2.0 + high / 2.0
    if first or slope * middle + below > lines[neuron, 0] * middle + lines[neuron, 1]:
        lines[neuron, 0], lines[neuron, 1] = slope, below
    if first or slope * middle + above < lines[neuron, 2] * middle + lines[neuron, 3]:
        lines[neuron, 2], lines[neuron, 3] = slope, above


@compiled_part
def _unit_lines(table: Floats, neuron: int, low: float, high: float, lines: Floats) -> None:
    """Lines below and above a unit over its range, and the range of its values (a row of six)."""
    count = n_knots(table)
    least, most = np.inf, -np.inf
    for place in range(count + 2):
        value = value_of(table, neuron, point_at(table, neuron, low, high, place))
        slack = value_slack(table, neuron, value)
        least = least_of(least, value - slack)
        most = most_of(most, value + slack)
    lines[neuron, 4], lines[neuron, 5] = least, most
    first = True
    if high > low:
        at_low, at_high = value_of(table, neuron, low), value_of(table, neuron, high)
        _line(table, neuron, low, high, (at_high - at_low) / (high - low), lines, first)
        first = False
    for piece in range(count + 1):
        start = low if piece == 0 else table[neuron, piece]
        end = high if piece == count else table[neuron, 1 + piece]
        if start <= high and end >= low:
            _line(table, neuron, low, high, table[neuron, 1 + count + piece], lines, first)
            first = False


@compiled_part
def _interval(
    weights: Floats, row: int, table: Floats, neuron: int, inputs: Floats, first: int, count: int
) -> tuple[float, float]:
    """Range of ``w.u + b`` for u in a box, whose ends are the last two columns of some rows."""
    low = high = table[neuron, 0]
    size = abs(low)
    last = inputs.shape[1] - 1
    for j in range(count):
        w = weights[row + j]
        least, most = inputs[first + j, last - 1], inputs[first + j, last]
        low += w * (least if w > 0 else most)
        high += w * (most if w > 0 else least)
        size += abs(w) * most_of(abs(least), abs(most))
    error = (count + 4) * 1.01 * ROUNDOFF * size + TINY
    return low - error, high + error


@compiled_part
def _largest(rows: Floats, index: int) -> float:
    last = rows.shape[1] - 1
    return most_of(abs(rows[index, last - 1]), abs(rows[index, last]))


@compiled_part
def _cut(ranges: Floats, work: Floats, dim: int, room: float) -> None:
    """Tighten z to where the linear function in `work[0]` exceeds its least by the room at most."""
    if not 0.0 <= room < np.inf:
        return
    for i in range(dim):
        c = work[0, i]
        low, high = ranges[i, 0], ranges[i, 1]
        reach = room / abs(c) * (1.0 + FEW) + FEW * most_of(abs(low), abs(high)) + TINY
        if c > 0:
            lower_end(ranges, i, low + reach)
        elif c < 0:
            raise_end(ranges, i, high - reach)


@compiled_part
def _carried_back(
    widths: Integers,
    weights: Floats,
    table: Floats,
    ranges: Floats,
    lines: Floats,
    layer: int,
    neuron: int,
    row: int,
    sign: float,
    cap: float,
    work: Floats,
) -> float:
    """Lower bound of ``sign`` times a pre-activation, by lines of the units carried back to z.

    `layer` counts from 1, the first layer with units behind it; `row` is where the neuron's
    weights start. z is tightened to where the lines leave the value at `cap` or below.

    The exact coefficients c of a layer differ from the computed ones by a rounding of each of
    `width` products and sums, relative to ``|slope| |w|``, which is charged over the ranges of what
    they multiply: ``reach`` for a unit's pre-activation, ``shift`` for the constant of its line. A
    product that underflows is off by less than TINY besides, whether it is one with a slope (over
    ``reach``), with a weight (over the inputs, ``spread``) or with a constant.
    """
    width = widths[layer - 1]
    constant = sign * table[neuron, 0]
    error = (width + 4) * ROUNDOFF * abs(constant)
    for j in range(width):
        work[0, j] = sign * weights[row + j]
    start, block = 0, 0
    for depth in range(1, layer - 1):
        start += widths[depth]
        block += widths[depth] * widths[depth - 1]
    for depth in range(layer - 1, 0, -1):
        width, inputs = widths[depth], widths[depth - 1]
        before = start - inputs
        rate = (width + inputs + 8) * 1.01 * ROUNDOFF
        spread = 1.0
        for i in range(inputs):
            work[1, i] = 0.0
            work[2, i] = _largest(ranges, i) if depth == 1 else _largest(lines, before + i)
            spread += work[2, i]
        for j in range(width):
            c = work[0, j]
            unit = start + j
            side = 0 if c > 0 else 2
            slope = c * lines[unit, side]
            constant += c * lines[unit, side + 1] + slope * table[unit, 0]
            shift = most_of(abs(lines[unit, 1]), abs(lines[unit, 3]))
            reach = abs(table[unit, 0])
            place = block + j * inputs
            for i in range(inputs):
                w = weights[place + i]
                work[1, i] += slope * w
                reach += abs(w) * work[2, i]
            # The rounded slopes stand for others; what they miss is bounded over the ranges.
            error += rate * (abs(c) * shift + 2.0 * abs(slope) * reach) + TINY * (reach + spread)
        error += rate * abs(constant)
        for i in range(inputs):
            work[0, i] = work[1, i]
        start = before
        block -= widths[depth - 1] * widths[depth - 2] if depth > 1 else 0
    least: float = 0.0
    size = abs(constant)
    for i in range(widths[0]):
        c = work[0, i]
        least += c * (ranges[i, 0] if c > 0 else ranges[i, 1])
        size += abs(c) * _largest(ranges, i)
    error += (widths[0] + 8) * 1.01 * ROUNDOFF * size
    least += constant - 1.01 * error - TINY
    _cut(ranges, work, widths[0], cap - least)
    return least


@compiled_part
def _pull_back(widths: Integers, weights: Floats, table: Floats, ranges: Floats) -> None:
    """Tighten z by the first layer: each row bounds each coordinate, the others being anywhere.

    With size the sum of ``|w| |z|`` and ``|b|`` over the ranges as they come, the sums least and most
    begin with an error of (dim + 1) u size. Each coordinate takes its product out of them and puts
    another one in: two sums of at most u size, and two products of u ``|w_j| |z_j|``, which add up to
    2 u size over all coordinates. So no sum is off by more than (3 dim + 3) u size, and the two
    differences before the division add 2 u (size + |end|): less than 3 (dim + 8) u of both. The
    quotient's own rounding is below FEW of it; whatever underflows, below TINY.
    """
    dim = widths[0]
    for neuron in range(widths[1]):
        low, high = ranges[dim + neuron, 0], ranges[dim + neuron, 1]
        if low == -np.inf and high == np.inf:
            continue
        least = most = table[neuron, 0]
        size = abs(table[neuron, 0])
        for j in range(dim):
            w = weights[neuron * dim + j]
            least += w * (ranges[j, 0] if w > 0 else ranges[j, 1])
            most += w * (ranges[j, 1] if w > 0 else ranges[j, 0])
            size += abs(w) * _largest(ranges, j)
        end = most_of(abs(low), abs(high))
        if low == -np.inf or high == np.inf:
            end = smaller(abs(low), abs(high))
        guard = 3.0 * (dim + 8) * 1.01 * ROUNDOFF * (size + end) + TINY
        for j in range(dim):
            w = weights[neuron * dim + j]
            if w == 0.0:
                continue
            at_low, at_high = w * ranges[j, 0], w * ranges[j, 1]
            others_least = least - smaller(at_low, at_high)
            others_most = most - larger(at_low, at_high)
            below = (low - others_most - guard) / w
            above = (high - others_least + guard) / w
            if w < 0:
                below, above = above, below
            below -= FEW * abs(below) + TINY
            above += FEW * abs(above) + TINY
            # Each coordinate from the ranges as they were when the sums were taken.
            raise_end(ranges, j, below)
            lower_end(ranges, j, above)
            fresh_low, fresh_high = w * ranges[j, 0], w * ranges[j, 1]
            least = others_least + smaller(fresh_low, fresh_high)
            most = others_most + larger(fresh_low, fresh_high)


@compiled
def tighten_ranges(
    widths: Integers, weights: Floats, table: Floats, ranges: Floats, lines: Floats, work: Floats
) -> bool:
    """Tighten ranges in place, first layer to last, each from those before.

    Parameters
    ----------
    widths, weights, table
        A `Chain`.
    ranges
        (S + neurons, 2), valid; infinite where nothing is known.
    lines
        (neurons, 6), written: lines below and above each unit, and the range of its values.
    work
        (3, largest width).

    Returns
    -------
    bool
        False if a range has no point: then nothing is within the given ranges.
    """
    _pull_back(widths, weights, table, ranges)
    dim = widths[0]
    for j in range(dim):
        if ranges[j, 0] > ranges[j, 1]:
            return False
    first, block = 0, 0
    for layer in range(1, len(widths)):
        inputs = widths[layer - 1]
        for i in range(widths[layer]):
            neuron = first + i
            row = block + i * inputs
            place = dim + neuron
            if layer == 1:
                low, high = _interval(weights, row, table, neuron, ranges, 0, inputs)
            else:
                low, high = _interval(weights, row, table, neuron, lines, first - inputs, inputs)
            # What is NaN tightens nothing: these keep the second then.
            low, high = larger(low, ranges[place, 0]), smaller(high, ranges[place, 1])
            if layer > 1 and (
                is_undecided(table, neuron, low, high)
                or is_held(table, neuron, ranges[place, 0], ranges[place, 1])
            ):
                for side in range(2):
                    sign = 1.0 if side == 0 else -1.0
                    cap = ranges[place, 1] if side == 0 else -ranges[place, 0]
                    least = _carried_back(
                        widths, weights, table, ranges, lines, layer, neuron, row, sign, cap, work
                    )
                    if side == 0:
                        low = larger(least, low)
                    else:
                        high = smaller(-least, high)
            ranges[place, 0], ranges[place, 1] = low, high
            if low > high:
                return False
            _unit_lines(table, neuron, low, high, lines)
        block += widths[layer] * inputs
        first += widths[layer]
    return True
