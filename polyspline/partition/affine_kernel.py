"""Float filter that tells whether two neighbours have one affine map, two, or it is undecided.

Every value is accompanied by the sum of the magnitudes of the paths that make
it up (its *mass*), which bounds its rounding error, and by whether any path
reaches it at all (*live*), which proves exact zeros.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polyspline.partition.affine_tables import MapTables
from solvers.compiled import compiled

DIFFERENT, SAME, UNDECIDED = 0, 1, 2
# A live path never counts for less than this, so that the mass covers underflow too.
_LEAST_MASS = 1e-290

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@compiled
def _through_weights(
    t: MapTables,
    layer: int,
    value: Floats,
    mass: Floats,
    live: Flags,
    out: Floats,
    out_mass: Floats,
    out_live: Flags,
) -> None:
    """Multiply a vector by the weights of a layer; entries that are not live are exact zeros."""
    n_in, n_out, start = t.width[layer], t.width[layer + 1], t.column_start[layer]
    columns = t.columns
    out[:n_out] = 0.0
    out_mass[:n_out] = 0.0
    out_live[:n_out] = False
    for j in range(n_in):
        if live[j]:
            low = start + j * n_out
            for i in range(n_out):
                weight = columns[low + i]
                out[i] += weight * value[j]
                if weight != 0.0:
                    out_mass[i] += max(abs(weight) * mass[j], _LEAST_MASS)
                    out_live[i] = True


@compiled
def _slopes_of_layer(t: MapTables, layer: int, code: NDArray[np.uint64], out: Floats) -> None:
    """Slope of every neuron of a layer on the piece that a packed code gives it."""
    first = t.neuron_start[layer]
    slopes, unit_of, words, shifts, masks = t.slopes, t.unit_of, t.word, t.shift, t.mask
    for i in range(t.width[layer + 1]):
        unit = unit_of[first + i]
        piece = np.uint64(0)
        if unit >= 0:
            piece = (code[words[unit]] >> shifts[unit]) & masks[unit]
        out[i] = slopes[first + i, np.int64(piece)]


@compiled
def _through_units(n: int, slopes: Floats, value: Floats, mass: Floats, live: Flags) -> None:
    """Multiply a vector, in place, by the slopes of the units."""
    for i in range(n):
        if live[i]:
            slope = slopes[i]
            value[i] *= slope
            mass[i] = max(abs(slope) * mass[i], _LEAST_MASS)
            live[i] = slope != 0.0


@compiled
def _single(
    t: MapTables, unit: int, code: NDArray[np.uint64], gamma: float, work: Floats, flags: Flags
) -> int:
    """Compare across a facet where one unit flips, by the unit's output column."""
    n_layers = len(t.neuron_start)
    layer = t.layer_of[unit]
    value, mass, live = work[0], work[1], flags[0]
    value[: t.width[layer + 1]] = 0.0
    live[: t.width[layer + 1]] = False
    neuron = t.neuron_of[unit] - t.neuron_start[layer]
    value[neuron], mass[neuron], live[neuron] = 1.0, 1.0, True
    a = 0
    for deeper in range(layer + 1, n_layers):
        b = 1 - a
        _through_weights(
            t, deeper, work[2 * a], work[2 * a + 1], flags[a], work[2 * b], work[2 * b + 1], flags[b]
        )
        _slopes_of_layer(t, deeper, code, work[8])
        _through_units(t.width[deeper + 1], work[8], work[2 * b], work[2 * b + 1], flags[b])
        a = b
    reached = False
    for i in range(t.width[n_layers]):
        if flags[a, i]:
            reached = True
            if abs(work[2 * a, i]) > gamma * work[2 * a + 1, i]:
                return DIFFERENT
    return UNDECIDED if reached else SAME


@compiled
def _several(
    t: MapTables,
    code: NDArray[np.uint64],
    other: NDArray[np.uint64],
    direction: Floats,
    gamma: float,
    work: Floats,
    flags: Flags,
) -> int:
    """Compare along a direction across a facet where several units flip."""
    n_layers = len(t.neuron_start)
    n_in = t.width[0]
    for side in range(2):
        work[4 * side, :n_in] = direction
        work[4 * side + 1, :n_in] = np.abs(direction)
        flags[2 * side, :n_in] = direction != 0.0
    flags[4, :n_in] = False
    a = 0
    for layer in range(n_layers):
        b = 1 - a
        n_out, start = t.width[layer + 1], t.column_start[layer]
        for side in range(2):
            x, y = 4 * side + 2 * a, 4 * side + 2 * b
            _through_weights(
                t, layer, work[x], work[x + 1], flags[2 * side + a], work[y], work[y + 1], flags[2 * side + b]
            )
            _slopes_of_layer(t, layer, code if side == 0 else other, work[8 + side])
            _through_units(n_out, work[8 + side], work[y], work[y + 1], flags[2 * side + b])
        changed, after = flags[4 + a], flags[4 + b]
        for i in range(n_out):
            slope = work[8, i]
            after[i] = slope != work[9, i]
            if not after[i] and slope != 0.0:
                for j in range(t.width[layer]):
                    if changed[j] and t.columns[start + j * n_out + i] != 0.0:
                        after[i] = True
                        break
        a = b
    reached = False
    for i in range(t.width[n_layers]):
        reached |= flags[4 + a, i]
        # Entries that are not live are exact zeros without mass.
        difference, total = 0.0, 0.0
        if flags[a, i]:
            difference += work[2 * a, i]
            total += work[2 * a + 1, i]
        if flags[2 + a, i]:
            difference -= work[4 + 2 * a, i]
            total += work[5 + 2 * a, i]
        if abs(difference) > gamma * total:
            return DIFFERENT
    return UNDECIDED if reached else SAME


@compiled
def compare_edges(
    t: MapTables,
    packed: NDArray[np.uint64],
    witnesses: Floats,
    edges: NDArray[np.int32],
    gamma: float,
    work: Floats,
    flags: Flags,
    out: NDArray[np.uint8],
) -> None:
    """Decide every edge as far as float64 can.

    Parameters
    ----------
    t
        The network.
    packed, witnesses
        Of the regions: (R, words), (R, S).
    edges
        Pairs of neighbours, (E, 2).
    gamma
        Relative error of a value against its mass.
    work, flags
        Scratch (10, w) and (6, w), w the greatest width.
    out
        DIFFERENT, SAME or UNDECIDED for each edge, (E,).
    """
    bit_unit = t.bit_unit
    for e in range(len(edges)):
        i, j = edges[e, 0], edges[e, 1]
        flipped, count = -1, 0
        for word in range(packed.shape[1]):
            difference = packed[i, word] ^ packed[j, word]
            bit = 64 * word
            while difference != np.uint64(0):
                if difference & np.uint64(1):
                    unit = bit_unit[bit]
                    if unit != flipped:
                        flipped = unit
                        count += 1
                difference >>= np.uint64(1)
                bit += 1
        if count == 1:
            out[e] = _single(t, flipped, packed[i], gamma, work, flags)
        else:
            direction = witnesses[j] - witnesses[i]
            out[e] = _several(t, packed[i], packed[j], direction, gamma, work, flags)
