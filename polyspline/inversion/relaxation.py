"""The convex relaxation of a problem over given ranges, laid out as one small program (kernel).

Each unit that is not decided by its range stands for itself as a variable between the
lines of the convex hull of its graph; all else is affine in those variables and z.

Guarantee: none is needed. Bounds are certified from the multipliers, whatever the program was.
"""

from __future__ import annotations

import numpy as np

from polyspline.inversion.chain import Floats, Integers
from polyspline.inversion.tightening import is_held, is_undecided, n_knots, point_at, value_of
from solvers.compiled import compiled, compiled_part, larger, smaller


def most_rows(table: Floats) -> int:
    """Tell how many rows a neuron may have: one on either side for each piece, and one for its range."""
    return 2 * int(table.shape[1] // 3) + 1


@compiled_part
def _hull(
    table: Floats,
    neuron: int,
    low: float,
    high: float,
    sign: float,
    corners: Floats,
) -> int:
    """Corners (v, value) of the lower hull of ``sign`` times the graph over a range; their number."""
    count = 0
    for place in range(n_knots(table) + 2):
        v = point_at(table, neuron, low, high, place)
        if count and v <= corners[count - 1, 0]:
            continue
        value = sign * value_of(table, neuron, v)
        while count > 1:
            rise = corners[count - 1, 1] - corners[count - 2, 1]
            run = corners[count - 1, 0] - corners[count - 2, 0]
            if run * (value - corners[count - 2, 1]) > rise * (v - corners[count - 2, 0]):
                break
            count -= 1
        corners[count, 0], corners[count, 1] = v, value
        count += 1
    return count


@compiled_part
def _hull_rows(
    table: Floats,
    neuron: int,
    low: float,
    high: float,
    before: Floats,
    own: int,
    row: int,
    C: Floats,
    sides: Floats,
    owner: Floats,
    corners: Floats,
) -> int:
    """Write the rows of an undecided unit between the lines of its hull; the next row."""
    n = C.shape[1]
    for side in range(2):
        sign = 1.0 if side == 0 else -1.0
        count = _hull(table, neuron, low, high, sign, corners)
        for k in range(count - 1):
            slope = sign * (corners[k + 1, 1] - corners[k, 1]) / (corners[k + 1, 0] - corners[k, 0])
            offset = sign * corners[k, 1] - slope * corners[k, 0]
            for j in range(n):
                C[row, j] = -slope * before[j]
            C[row, own] += 1.0
            sides[row, 0], sides[row, 1] = -np.inf, np.inf
            sides[row, side] = offset + slope * before[n]
            owner[row, 0], owner[row, 1], owner[row, 2] = neuron, slope, side * (len(corners) - 1) + k
            row += 1
    return row


@compiled
def lay_out(
    widths: Integers, weights: Floats, table: Floats, ranges: Floats, G: Floats, h: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats, Integers]:
    """Lay out the relaxation over ranges.

    Parameters
    ----------
    widths, weights, table
        A `Chain`.
    ranges
        (S + neurons, 2), not empty.
    G, h
        Rows ``G z <= h`` of the domain beyond its box.

    Returns
    -------
    output : ndarray, shape (T, n + 1)
        The last layer's values as affine functions of the variables.
    ends : ndarray, shape (n, 2)
        Bounds of the variables.
    C : ndarray, shape (m, n)
    sides : ndarray, shape (m, 2)
    owner : ndarray, shape (m, 3)
        Neuron and slope of each row, and its number among the rows that the neuron may have.
    column : ndarray of int64, shape (neurons,)
    """
    dim, neurons, count = widths[0], len(table), n_knots(table)
    column = np.full(neurons, -1)
    n, m = dim, 0
    for neuron in range(neurons):
        low, high = ranges[dim + neuron, 0], ranges[dim + neuron, 1]
        if is_undecided(table, neuron, low, high):
            column[neuron] = n
            n += 1
            m += 2 * (count + 1)
        elif is_held(table, neuron, low, high):
            m += 1
    C = np.zeros((m + len(h), n))
    sides = np.empty((m + len(h), 2))
    owner = np.empty((m + len(h), 3))
    ends = np.empty((n, 2))
    corners = np.empty((count + 2, 2))
    value = np.zeros((dim, n + 1))
    for i in range(dim):
        ends[i, 0], ends[i, 1] = ranges[i, 0], ranges[i, 1]
        value[i, i] = 1.0
    row, first, block = 0, 0, 0
    for layer in range(1, len(widths)):
        inputs, width = widths[layer - 1], widths[layer]
        previous, value = value, np.zeros((width, n + 1))
        for i in range(width):
            neuron = first + i
            before = np.zeros(n + 1)
            before[n] = table[neuron, 0]
            for j in range(inputs):
                w = weights[block + i * inputs + j]
                unit = column[first - inputs + j] if layer > 1 else j
                if unit >= 0:
                    before[unit] += w
                elif w != 0.0:
                    for k in range(n + 1):
                        before[k] += w * previous[j, k]
            low, high = ranges[dim + neuron, 0], ranges[dim + neuron, 1]
            own = column[neuron]
            if own >= 0:
                value[i, own] = 1.0
                least, most = np.inf, -np.inf
                for place in range(count + 2):
                    at = value_of(table, neuron, point_at(table, neuron, low, high, place))
                    least, most = smaller(least, at), larger(most, at)
                ends[own, 0], ends[own, 1] = least, most
                row = _hull_rows(table, neuron, low, high, before, own, row, C, sides, owner, corners)
                continue
            piece = 0
            while piece < count and high > table[neuron, 1 + piece]:
                piece += 1
            slope = table[neuron, 1 + count + piece]
            for k in range(n + 1):
                value[i, k] = slope * before[k]
            value[i, n] += table[neuron, 2 + 2 * count + piece]
            if is_held(table, neuron, low, high):
                for k in range(n):
                    C[row, k] = before[k]
                sides[row, 0], sides[row, 1] = low - before[n], high - before[n]
                owner[row, 0], owner[row, 1], owner[row, 2] = neuron, -1.0, 2 * (count + 1)
                row += 1
        block += width * inputs
        first += width
    for k in range(len(h)):
        for j in range(dim):
            C[row, j] = G[k, j]
        sides[row, 0], sides[row, 1] = -np.inf, h[k]
        owner[row, 0], owner[row, 1], owner[row, 2] = -1.0, 0.0, k
        row += 1
    return value, ends, C[:row], sides[:row], owner[:row], column
