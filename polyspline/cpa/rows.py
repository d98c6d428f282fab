"""The compiled forward product: from an activation code to the rows of its region."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.tables import Tables
from solvers.compiled import compiled_part

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_ROUNDOFF = 2.0**-53
_SAFETY = 1.0 + 1e-6


class RowSpace(NamedTuple):
    """Room for the rows of one region, and for the forward product that makes them."""

    rows: Floats  # (C, capacity) inequalities ``>= 0``, by column
    slack: Floats  # (capacity,)
    flags: Integers  # (capacity,)
    spans: Integers  # (capacity,) dimension of the subspace that the row's slope lives in
    knot: Integers  # (capacity,) source of a row, -1 - i for row i of the domain
    code: Integers  # (N,)
    values: Floats  # (C, widest)
    inputs: Floats  # (C, widest)
    size: Floats  # (widest,)
    error: Floats  # (widest,)
    input_size: Floats  # (widest,)
    input_error: Floats  # (widest,)


def row_space(tables: Tables) -> RowSpace:
    """Allocate room for the regions of a network."""
    capacity = tables.domain_rows.shape[1] + len(tables.knot_unit) + 1
    widest = max([tables.size, *tables.n_in.tolist(), *tables.n_out.tolist()])
    n_units = len(tables.knot_start) - 1
    return RowSpace(
        rows=np.zeros((tables.size, capacity)),
        slack=np.zeros(capacity),
        flags=np.zeros(capacity, np.int64),
        spans=np.zeros(capacity, np.int64),
        knot=np.zeros(capacity, np.int64),
        code=np.zeros(n_units, np.int64),
        values=np.zeros((tables.size, widest)),
        inputs=np.zeros((tables.size, widest)),
        size=np.zeros(widest),
        error=np.zeros(widest),
        input_size=np.zeros(widest),
        input_error=np.zeros(widest),
    )


@compiled_part
def _affine(t: Tables, layer: int, s: RowSpace) -> None:
    """Pre-activations of a layer as affine functions, in `s.values`."""
    n_in = t.n_in[layer]
    n_out = t.n_out[layer]
    start = t.weight_start[layer]
    first = t.neuron_start[layer]
    size = t.size
    for c in range(size):
        out = s.values[c]
        if layer == 0:
            if c < n_in:
                weights = t.weights[start + c * n_out : start + (c + 1) * n_out]
                for i in range(n_out):
                    out[i] = weights[i]
            else:
                for i in range(n_out):
                    out[i] = t.biases[first + i]
            continue
        with_bias = c == t.n_in[0]
        for i in range(n_out):
            out[i] = t.biases[first + i] if with_bias else 0.0
    if layer == 0:
        return
    for j in range(n_in):
        weights = t.weights[start + j * n_out : start + (j + 1) * n_out]
        for c in range(size):
            u = s.inputs[c, j]
            if u != 0.0:
                out = s.values[c]
                for i in range(n_out):
                    out[i] += u * weights[i]


@compiled_part
def _errors(t: Tables, layer: int, s: RowSpace) -> None:
    """Bounds of this layer on this region: `s.size` of the values and `s.error` of their computation."""
    n_in = t.n_in[layer]
    n_out = t.n_out[layer]
    start = t.weight_start[layer]
    first = t.neuron_start[layer]
    for i in range(n_out):
        s.error[i] = 0.0
        s.size[i] = abs(t.biases[first + i])
    if layer > 0:
        for j in range(n_in):
            weights = t.weights[start + j * n_out : start + (j + 1) * n_out]
            size = s.input_size[j]
            error = s.input_error[j]
            if size != 0.0 or error != 0.0:
                for i in range(n_out):
                    s.size[i] += size * abs(weights[i])
                    s.error[i] += error * abs(weights[i])
        terms = 0.0
        for j in range(n_in):
            if s.input_size[j] != 0.0:
                terms += 1.0
        for i in range(n_out):
            if t.layer_exact[layer] != 0:
                s.error[i] = 0.0
            elif terms > 0.0:
                s.error[i] = (s.error[i] + (terms + 1.0) * _ROUNDOFF * s.size[i]) * _SAFETY
    for i in range(n_out):
        total = 0.0
        for c in range(t.size):
            total += abs(s.values[c, i]) * t.radius[c]
        s.size[i] = (total + s.error[i]) * _SAFETY


@compiled_part
def _activate(t: Tables, layer: int, refined: bool, s: RowSpace) -> None:
    """Feed the pieces of the code: the next layer's inputs."""
    first = t.neuron_start[layer]
    last = t.size - 1
    for i in range(t.n_out[layer]):
        unit = t.neuron_unit[first + i]
        piece = 0
        if unit >= 0:
            piece = s.code[unit]
        slope = t.slopes[first + i, piece]
        offset = t.offsets[first + i, piece]
        for c in range(t.size):
            s.inputs[c, i] = slope * s.values[c, i]
        if offset != 0.0:
            s.inputs[last, i] += offset
        if refined:
            steep = abs(slope)
            s.input_size[i] = (steep * s.size[i] + abs(offset)) * _SAFETY
            s.input_error[i] = steep * s.error[i]
            if (slope != 0.0 and slope != 1.0 and slope != -1.0) or offset != 0.0:
                s.input_error[i] += 2.0 * _ROUNDOFF * s.input_size[i]
            s.input_error[i] *= _SAFETY


@compiled_part
def _active(t: Tables, layer: int, s: RowSpace) -> int:
    """Count the neurons that pass their input on: what is behind depends on z through them alone."""
    first = t.neuron_start[layer]
    count = 0
    for i in range(t.n_out[layer]):
        unit = t.neuron_unit[first + i]
        piece = s.code[unit] if unit >= 0 else 0
        if t.slopes[first + i, piece] != 0.0:
            count += 1
    return count


@compiled_part
def _is_constant(t: Tables, i: int, n_inputs: int, s: RowSpace) -> bool:
    """Whether a pre-activation is known, without error, not to depend on z."""
    if s.error[i] != 0.0:
        return False
    for c in range(n_inputs):
        if s.values[c, i] != 0.0:
            return False
    return True


@compiled_part
def _write_row(
    t: Tables, i: int, knot: int, value: float, sign: float, span: int, refined: bool, n: int, s: RowSpace
) -> int:
    """Append the row ``sign * (v_i - value) >= 0``; the new count."""
    if t.knot_drop[knot] != 0:
        return n
    last = t.size - 1
    for c in range(t.size):
        s.rows[c, n] = sign * s.values[c, i]
    if value != 0.0:
        s.rows[last, n] -= sign * value
    if refined:
        reach = s.size[i] + abs(value)
        s.slack[n] = (s.error[i] + 4.0 * (t.size + 4) * _ROUNDOFF * reach) * _SAFETY
    else:
        s.slack[n] = t.knot_slack[knot]
    s.flags[n] = t.knot_flags[knot]
    s.spans[n] = span
    s.knot[n] = knot
    return n + 1


@compiled_part
def build_rows(t: Tables, refined: bool, s: RowSpace) -> tuple[int, bool]:
    """Rows of the region of `s.code`, those of the domain first.

    Parameters
    ----------
    t
        The network on its domain.
    refined
        Whether to bound the error on this region itself instead of over all regions; then
        units that are constant on the region are recognised and give no row.
    s
        Holds the code on entry and the rows on return.

    Returns
    -------
    count : int
        Number of rows.
    dead : bool
        Whether some unit is on its knot on the whole region (told only if `refined`).
    """
    n_inputs = t.n_in[0] if t.n_in.shape[0] else 0
    n = t.domain_rows.shape[1]
    dead = False
    for i in range(n):
        for c in range(t.size):
            s.rows[c, i] = t.domain_rows[c, i]
        s.slack[i] = t.domain_slack[i]
        s.flags[i] = t.domain_flags[i]
        s.spans[i] = t.domain_spans[i]
        s.knot[i] = -1 - i
    span = n_inputs
    for layer in range(t.n_in.shape[0]):
        _affine(t, layer, s)
        behind = _active(t, layer, s)
        if span < behind:
            behind = span
        if refined:
            _errors(t, layer, s)
        first = t.neuron_start[layer]
        for i in range(t.n_out[layer]):
            unit = t.neuron_unit[first + i]
            if unit < 0:
                continue
            piece = s.code[unit]
            start = t.knot_start[unit]
            constant = refined and _is_constant(t, i, n_inputs, s)
            own = behind if t.slopes[first + i, piece] != 0.0 else span
            if piece > 0 and not constant:
                n = _write_row(
                    t, i, start + piece - 1, t.knots[first + i, piece - 1], 1.0, own, refined, n, s
                )
            if piece < t.n_pieces[first + i] - 1:
                value = t.knots[first + i, piece]
                if not constant:
                    n = _write_row(t, i, start + piece, value, -1.0, own, refined, n, s)
                else:
                    offset = s.values[n_inputs, i] if t.size > n_inputs else 0.0
                    dead = dead or offset == value
        span = behind
        if layer + 1 < t.n_in.shape[0]:
            _activate(t, layer, refined, s)
    return n, dead
