"""Compiled: the affine maps of the layers on the way to a cell, each with the error of its computation."""

from __future__ import annotations

import numpy as np

from polyspline.split.state import (
    BIAS,
    COLUMNS,
    ERROR,
    EXACT_ROW,
    FLOOR,
    IN_ERROR,
    IN_SIZE,
    LIVE,
    MASK,
    N_IN,
    N_OUT,
    NORM,
    OFFSET_IN,
    ROWS,
    SHIFT,
    SIZE,
    SLACK,
    SLOPE,
    TERMS,
    WEIGHTS,
    WORD,
    Net,
    Path,
    Words,
)
from solvers.compiled import inlined_part
from solvers.predicates.rounding import SAFETY
from solvers.predicates.steps_kernel import evaluation_error, spread_underflow, sum_error, unit_step


@inlined_part
def _feed(t: Net, before: int, code: Words, path: Path) -> None:
    """Make the inputs of the layer after one, from the pieces of a code."""
    first = t.layer[before, ROWS]
    n_out = t.layer[before, N_OUT]
    slopes = path.line[SLOPE, :n_out]
    offsets = path.line[OFFSET_IN, :n_out]
    for i in range(n_out):
        unit = t.row_unit[first + i]
        piece = 0
        if unit >= 0:
            bits = np.int64(code[t.unit[unit, WORD]] >> np.uint64(t.unit[unit, SHIFT]))
            piece = bits & t.unit[unit, MASK]
        slope = t.slopes[first + i, piece]
        offset = t.offsets[first + i, piece]
        slopes[i] = slope
        offsets[i] = offset
        size, error = unit_step(slope, offset, path.bound[SIZE, before, i], path.bound[ERROR, before, i])
        path.line[IN_SIZE, i] = size
        path.line[IN_ERROR, i] = spread_underflow(error, 1.0, t.radius)
        path.line[LIVE, i] = 0.0 if slope == 0.0 and offset == 0.0 else 1.0
    for c in range(path.inputs.shape[0]):
        inputs = path.inputs[c, :n_out]
        values = path.values[before, c, :n_out]
        for i in range(n_out):
            inputs[i] = 0.0 if slopes[i] == 0.0 else slopes[i] * values[i]
    constant = path.inputs[path.inputs.shape[0] - 1, :n_out]
    for i in range(n_out):
        constant[i] += offsets[i]


@inlined_part
def _products(t: Net, layer: int, path: Path) -> None:
    """Add the inputs times the weights to a layer's pre-activations, and to what bounds their rounding."""
    n_out = t.layer[layer, N_OUT]
    start = t.layer[layer, WEIGHTS]
    sizes = path.bound[SIZE, layer]
    errors = path.bound[ERROR, layer]
    live = 0.0
    for j in range(t.layer[layer, N_IN]):
        size = path.line[IN_SIZE, j]
        error = path.line[IN_ERROR, j]
        if path.line[LIVE, j] == 0.0:
            continue
        live += 1.0
        weights = t.weights[start + j * n_out : start + (j + 1) * n_out]
        for c in range(path.inputs.shape[0]):
            u = path.inputs[c, j]
            out = path.values[layer, c]
            for i in range(n_out):
                out[i] += u * weights[i]
        for i in range(n_out):
            sizes[i] += size * abs(weights[i])
            errors[i] += error * abs(weights[i])
    for i in range(n_out):
        path.line[TERMS, i] = live


@inlined_part
def _sparse_products(t: Net, layer: int, path: Path) -> None:
    """Do as `_products`, for a layer whose weights are kept by input."""
    entry = t.layer[layer, WEIGHTS]
    base = t.layer[layer, COLUMNS]
    for j in range(t.layer[layer, N_IN]):
        live = path.line[LIVE, j]
        for place in range(t.entry_start[base + j], t.entry_start[base + j + 1]):
            row = t.entry_row[place]
            weight = t.weights[entry]
            for c in range(path.inputs.shape[0]):
                path.values[layer, c, row] += path.inputs[c, j] * weight
            path.bound[SIZE, layer, row] += path.line[IN_SIZE, j] * abs(weight)
            path.bound[ERROR, layer, row] += path.line[IN_ERROR, j] * abs(weight)
            path.line[TERMS, row] += live
            entry += 1


@inlined_part
def make_map(t: Net, layer: int, code: Words, path: Path) -> None:
    """Affine map of a layer on a cell whose code is known up to there, with its error bounds.

    The bounds hold for all points of the domain, and for points beside it that are no further
    away than it is wide.
    """
    n_out = t.layer[layer, N_OUT]
    first = t.layer[layer, ROWS]
    last = path.inputs.shape[0] - 1
    for c in range(last):
        out = path.values[layer, c]
        for i in range(n_out):
            out[i] = t.weights[c * n_out + i] if layer == 0 else 0.0
    for i in range(n_out):
        bias = t.row_real[BIAS, first + i]
        path.values[layer, last, i] = bias
        path.bound[SIZE, layer, i] = abs(bias)
        path.bound[ERROR, layer, i] = 0.0
        path.line[TERMS, i] = 0.0
    if layer > 0:
        _feed(t, layer - 1, code, path)
        if t.layer[layer, COLUMNS] >= 0:
            _sparse_products(t, layer, path)
        else:
            _products(t, layer, path)
    for i in range(n_out):
        error = t.row_real[FLOOR, first + i]
        if t.row_real[EXACT_ROW, first + i] == 0.0:
            error += sum_error(path.bound[ERROR, layer, i], path.bound[SIZE, layer, i], path.line[TERMS, i])
            error = spread_underflow(error, path.line[TERMS, i], t.radius)
        norm = 0.0
        size = abs(path.values[layer, last, i])
        for c in range(last):
            entry = abs(path.values[layer, c, i])
            norm += entry
            size += entry * t.radius[c]
        size = (size + error) * SAFETY
        path.bound[NORM, layer, i] = norm * SAFETY
        path.bound[SIZE, layer, i] = size
        path.bound[ERROR, layer, i] = error
        path.bound[SLACK, layer, i] = evaluation_error(error, size, last + 1)
