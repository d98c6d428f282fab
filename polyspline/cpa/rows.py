"""The compiled forward product: from an activation code to the rows of its region."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.copies import drop_implied, meeting_knot, same_function, trace_copies
from polyspline.cpa.row_space import RowSpace
from polyspline.cpa.tables import Tables
from solvers.compiled import ONE, compiled_part
from solvers.predicates.rounding import SAFETY
from solvers.predicates.steps_kernel import evaluation_error, spread_underflow, sum_error, unit_step

Integers = NDArray[np.int64]


@compiled_part
def _accumulate_sparse(t: Tables, layer: int, s: RowSpace) -> None:
    """Add the products of a sparse layer to `s.values`."""
    entry = t.weight_start[layer]
    base = t.column_start[layer]
    for j in range(t.n_in[layer]):
        count = t.entry_start[base + j + 1] - t.entry_start[base + j]
        place = t.entry_start[base + j]
        for c in range(t.size):
            u = s.inputs[c, j]
            if u != 0.0:
                out = s.values[c]
                for e in range(count):
                    out[t.entry_row[place + e]] += u * t.weights[entry + e]
        entry += count


@compiled_part
def _spread_sparse(t: Tables, layer: int, s: RowSpace) -> None:
    """Add the sizes and errors of a sparse layer's inputs to those of its rows, and count its products."""
    entry = t.weight_start[layer]
    base = t.column_start[layer]
    for j in range(t.n_in[layer]):
        count = t.entry_start[base + j + 1] - t.entry_start[base + j]
        place = t.entry_start[base + j]
        if s.input_live[j] != 0.0:
            for e in range(count):
                row = t.entry_row[place + e]
                steep = abs(t.weights[entry + e])
                s.size[row] += s.input_size[j] * steep
                s.error[row] += s.input_error[j] * steep
                s.terms[row] += 1.0
        entry += count


@compiled_part
def _spread_dense(t: Tables, layer: int, s: RowSpace) -> None:
    """Add the sizes and errors of a dense layer's inputs to those of its rows, and count its products."""
    n_out = t.n_out[layer]
    start = t.weight_start[layer]
    live = 0.0
    for j in range(t.n_in[layer]):
        weights = t.weights[start + j * n_out : start + (j + 1) * n_out]
        size = s.input_size[j]
        error = s.input_error[j]
        live += s.input_live[j]
        if s.input_live[j] != 0.0:
            for i in range(n_out):
                s.size[i] += size * abs(weights[i])
                s.error[i] += error * abs(weights[i])
    for i in range(n_out):
        s.terms[i] = live


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
    if t.column_start[layer] >= 0:
        _accumulate_sparse(t, layer, s)
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
    n_out = t.n_out[layer]
    first = t.neuron_start[layer]
    for i in range(n_out):
        s.error[i] = 0.0
        s.terms[i] = 0.0
        s.size[i] = abs(t.biases[first + i])
    if layer > 0:
        if t.column_start[layer] >= 0:
            _spread_sparse(t, layer, s)
        else:
            _spread_dense(t, layer, s)
    for i in range(n_out):
        error = t.row_floor[first + i]
        if not t.row_exact[first + i]:
            error += sum_error(s.error[i], s.size[i], s.terms[i])
            error = spread_underflow(error, s.terms[i], t.radius)
        total = 0.0
        for c in range(t.size):
            total += abs(s.values[c, i]) * t.radius[c]
        s.error[i] = error
        s.size[i] = (total + error) * SAFETY


@compiled_part
def _activate(t: Tables, layer: int, refined: bool, s: RowSpace) -> None:
    """Feed the pieces of the code: the next layer's inputs."""
    first = t.neuron_start[layer]
    n_out = t.n_out[layer]
    slopes = s.slope[:n_out]
    shifts = s.shift[:n_out]
    for i in range(n_out):
        unit = t.neuron_unit[first + i]
        piece = 0
        if unit >= 0:
            piece = s.code[unit]
        slope = t.slopes[first + i, piece]
        offset = t.offsets[first + i, piece]
        slopes[i] = slope
        shifts[i] = offset
        if refined:
            s.input_size[i], s.input_error[i] = unit_step(slope, offset, s.size[i], s.error[i])
            s.input_error[i] = spread_underflow(s.input_error[i], 1.0, t.radius)
            s.input_live[i] = 0.0 if slope == 0.0 and offset == 0.0 else 1.0
    for c in range(t.size):
        inputs = s.inputs[c, :n_out]
        values = s.values[c, :n_out]
        for i in range(n_out):
            inputs[i] = 0.0 if slopes[i] == 0.0 else slopes[i] * values[i]
    constant = s.inputs[t.size - 1, :n_out]
    for i in range(n_out):
        constant[i] += shifts[i]


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
def _keep_row(
    t: Tables, knot: int, own: float, reach: float, span: int, refined: bool, n: int, s: RowSpace
) -> int:
    """Complete the row in column n, unless a twin of its knot has given it before; the new count."""
    mark = t.family_mark[knot]
    if mark >= 0:
        if s.seen[mark] != 0:
            return n
        s.seen[mark] = 1
    if refined:
        s.slack[n] = evaluation_error(own, reach, t.size)
    else:
        s.slack[n] = t.knot_slack[knot]
    s.flags[n] = t.knot_flags[knot]
    s.spans[n] = span
    s.knot[n] = knot
    return n + 1


@compiled_part
def _write_knot(
    t: Tables, i: int, knot: int, sign: float, span: int, refined: bool, n: int, s: RowSpace
) -> int:
    """Append the row ``sign * (v_i - knot) >= 0``; the new count."""
    if t.knot_drop[knot] != 0:
        return n
    value = t.knots[knot]
    for c in range(t.size):
        s.rows[c, n] = sign * s.values[c, i]
    if value != 0.0:
        s.rows[t.size - 1, n] -= sign * value
    return _keep_row(t, knot, s.error[i], s.size[i] + abs(value), span, refined, n, s)


@compiled_part
def _write_scalar(
    t: Tables, i: int, unit: int, span: int, n_inputs: int, refined: bool, n: int, s: RowSpace
) -> tuple[int, bool]:
    """Append the rows of a scalar unit; the new count, and whether the unit stays on a knot."""
    piece = s.code[unit]
    start = t.knot_start[unit]
    constant = refined and _is_constant(t, i, n_inputs, s)
    dead = False
    if piece > 0 and not constant:
        n = _write_knot(t, i, start + piece - 1, 1.0, span, refined, n, s)
    if piece < t.n_pieces[unit] - 1:
        if not constant:
            n = _write_knot(t, i, start + piece, -1.0, span, refined, n, s)
        else:
            offset = s.values[n_inputs, i] if t.size > n_inputs else 0.0
            dead = offset == t.knots[start + piece]
    return n, dead


@compiled_part
def _write_group(
    t: Tables, first: int, unit: int, span: int, n_inputs: int, refined: bool, n: int, s: RowSpace
) -> tuple[int, bool]:
    """Append the rows of a max group with members from row `first` on; as `_write_scalar`."""
    size = t.n_pieces[unit]
    piece = s.code[unit]
    mine = first + piece
    dead = False
    for other in range(size):
        if other == piece:
            continue
        low = piece if piece < other else other
        high = other if piece < other else piece
        knot = t.knot_start[unit] + low * (2 * size - low - 1) // 2 + high - low - 1
        if t.knot_drop[knot] != 0:
            continue
        theirs = first + other
        one = t.unit_row[unit] + piece
        two = t.unit_row[unit] + other
        if same_function(one, two, s):
            # One function on the whole region: the lower index is the piece.
            dead = dead or other < piece
            continue
        if (s.origin[one] < 0 and s.origin[two] < 0) or meeting_knot(t, one, two, s) >= 0:
            continue
        constant = refined
        for c in range(t.size):
            value = s.values[c, mine] - s.values[c, theirs]
            s.rows[c, n] = value
            if c < n_inputs and value != 0.0:
                constant = False
        if constant and s.error[mine] == 0.0 and s.error[theirs] == 0.0:
            if t.size == n_inputs or s.rows[n_inputs, n] == 0.0:
                dead = True
            continue
        own = s.error[mine] + s.error[theirs]
        n = _keep_row(t, knot, own, s.size[mine] + s.size[theirs], span, refined, n, s)
    return n, dead


@compiled_part
def _write_unit(
    t: Tables, i: int, unit: int, own: int, span: int, n_inputs: int, refined: bool, n: int, s: RowSpace
) -> tuple[int, bool, int]:
    """Append the rows of any unit; as `_write_scalar`, and how many pre-activations it takes."""
    if t.is_group[unit]:
        n, tied = _write_group(t, i, unit, span, n_inputs, refined, n, s)
        return n, tied, t.n_pieces[unit]
    n, tied = _write_scalar(t, i, unit, own, n_inputs, refined, n, s)
    return n, tied, ONE


@compiled_part
def build_rows(t: Tables, groups: Integers | None, refined: bool, s: RowSpace) -> tuple[int, bool]:
    """Rows of the region of `s.code`, those of the domain first.

    Parameters
    ----------
    t, groups
        The network on its domain, and its max groups, see `max_groups_of`.
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
    for mark in range(t.n_families):
        s.seen[mark] = 0
    span = n_inputs
    for layer in range(t.n_in.shape[0]):
        _affine(t, layer, s)
        if groups is not None:
            trace_copies(t, layer, s)
        behind = _active(t, layer, s)
        if span < behind:
            behind = span
        if refined:
            _errors(t, layer, s)
        first = t.neuron_start[layer]
        i = 0
        while i < t.n_out[layer]:
            unit = t.neuron_unit[first + i]
            step = ONE
            if unit >= 0:
                own = behind if t.slopes[first + i, s.code[unit]] != 0.0 else span
                if groups is None:
                    n, tied = _write_scalar(t, i, unit, own, n_inputs, refined, n, s)
                else:
                    n, tied, step = _write_unit(t, i, unit, own, span, n_inputs, refined, n, s)
                dead = dead or tied
            i += step
        span = behind
        if layer + 1 < t.n_in.shape[0]:
            _activate(t, layer, refined, s)
    if groups is not None:
        n = drop_implied(t, n, s)
    return n, dead
