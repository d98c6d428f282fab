"""A network scaled by powers of two, so that the range of float64 is met only by what truly spans it.

Each row of a layer is multiplied by a power of two that brings its values over the domain to size one,
the knots and offsets of its unit with it, and the next layer's column is divided by it. Codes and
regions stay, and nothing is rounded. A network of ordinary numbers is left as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.layers import Layer
from polyspline.cpa.matrices import entries_of, times, with_entries
from polyspline.cpa.units import ScalarUnit, Unit

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

GATE = 400
"""Numbers of a scaled row, if not zero, have sizes from ``2**-GATE`` to ``2**GATE``; else it is left to
rationals."""

_ORDINARY_RADIUS = 64
_ORDINARY = 100
_ORDINARY_VALUES = 200
_ZERO = -(10**9)  # stands for the exponent of zero


@dataclass(frozen=True, eq=False)
class Equilibrated:
    """A network in the scaled coordinates ``x = z / 2**column``.

    Attributes
    ----------
    layers
        The scaled layers. A row that is out of range is zero here, and its unit not scaled.
    column
        Exponents of the inputs, (S,).
    rows
        Exponents of the rows of each layer: a scaled pre-activation is ``2**row`` times the true one.
    beyond
        Which rows of each layer are out of range: floats know nothing of their values.
    """

    layers: tuple[Layer, ...]
    column: Integers
    rows: tuple[Integers, ...]
    beyond: tuple[Flags, ...]


def exponents(values: Floats) -> Integers:
    """Least e with ``|value| < 2**e``, elementwise; of zero, an exponent far below all others."""
    mantissa, exponent = np.frexp(values)
    return np.where(mantissa != 0.0, exponent.astype(np.int64), _ZERO)


def column_exponents(radius: Floats) -> Integers:
    """Exponents (S,) that bring coordinates of sizes up to `radius` to sizes of one to two."""
    return np.where(radius > 0.0, exponents(radius) - 1, 0).astype(np.int64)


def is_ordinary_radius(radius: Floats) -> bool:
    """Whether all coordinates are of sizes far from the ends of the range."""
    return not np.any(np.abs(exponents(radius[radius > 0.0])) > _ORDINARY_RADIUS)


def shifted(values: Floats, shift: Integers) -> tuple[Floats, Flags]:
    """``values * 2**shift`` elementwise, and which of them leave the gate: these are zero in the result.

    Within the gate a number is normal, so a shift to it rounds nothing.
    """
    exponent = exponents(values) + shift
    out = (values != 0.0) & (np.abs(exponent) > GATE)
    kept = np.where(out, 0.0, values)
    mantissa, _ = np.frexp(kept)
    moved = np.ldexp(mantissa, np.where(kept != 0.0, exponent, 0).astype(np.int32))
    return np.asarray(moved, np.float64), np.asarray(out, np.bool_)


def scaled_rows(rows: Floats, column: Integers, radius: Floats) -> tuple[Floats, Flags]:
    """Rows (S + 1, m), offsets last, in the scaled coordinates, each brought to size one.

    Parameters
    ----------
    rows
        Functions of ``(z, 1)``.
    column
        (S,) exponents of the coordinates.
    radius
        (S,) bound on the scaled coordinates.

    Returns
    -------
    rows : ndarray of float64
        (S + 1, m); zero where out of range.
    beyond : ndarray of bool
        (m,) which are out of range.
    """
    shift = np.append(column, 0)[:, None] + np.zeros(rows.shape, np.int64)
    if not _all_ordinary(exponents(rows[rows != 0.0]) + shift[rows != 0.0]):
        size = exponents(rows) + shift + np.append(exponents(radius), 1)[:, None]
        shift -= np.maximum(np.max(size, axis=0, initial=_ZERO), _ZERO // 2)[None, :]
    moved, out = shifted(rows, shift)
    beyond = np.asarray(out.any(axis=0))
    moved[:, beyond] = 0.0
    return moved, beyond


def _all_ordinary(exponent: Integers) -> bool:
    return not np.any(np.abs(exponent) > _ORDINARY)


def _is_ordinary(layers: tuple[Layer, ...], column: Integers, radius: Floats) -> bool:
    """Whether all numbers and all values over the domain are far from the ends of the range."""
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is not finite below
        return _are_ordinary(layers, column, np.ldexp(radius, column.astype(np.int32)))


def _are_ordinary(layers: tuple[Layer, ...], column: Integers, size: Floats) -> bool:
    """As `_is_ordinary`, from a bound on the coordinates as they are."""
    for depth, layer in enumerate(layers):
        slopes, offsets = layer.unit_tables
        _, place, entries = entries_of(layer.matrix)
        knots = [np.asarray(unit.knots) for unit, _, _ in layer.scalar_kinds]
        if not np.isfinite(size).all():
            return False
        numbers = np.concatenate([layer.bias, slopes.ravel(), offsets.ravel(), *knots])
        if not _all_ordinary(exponents(entries) + (column[place] if depth == 0 else 0)):
            return False
        if not _all_ordinary(exponents(numbers[numbers != 0.0])):
            return False
        total = times(layer.sizes, size) + np.abs(layer.bias)
        if not np.isfinite(total).all():
            return False
        if np.any(np.abs(exponents(total[total != 0.0])) > _ORDINARY_VALUES):
            return False
        size = np.max(np.abs(slopes), axis=1) * layer.largest_of_rows(total) + np.max(np.abs(offsets), axis=1)
    return True


def equilibrate(layers: tuple[Layer, ...], column: Integers, radius: Floats) -> Equilibrated:
    """Scale a network.

    Parameters
    ----------
    layers
        The network; S inputs.
    column
        (S,) exponents of the scaled coordinates.
    radius
        (S,) bound on the scaled coordinates.

    Returns
    -------
    Equilibrated

    Notes
    -----
    Guarantee: exact. A row that is in range is the true one, of scaled coordinates, times a power of
    two: what is within the gate is a normal number, and a shift to it rounds nothing. Members of a
    max group share one exponent, so that they compare as they did.
    """
    if _is_ordinary(layers, column, radius):
        zeros = tuple(np.zeros(layer.n_rows, np.int64) for layer in layers)
        if column.any() and layers:
            layers = (_with_columns(layers[0], column), *layers[1:])
        return Equilibrated(layers, column, zeros, tuple(row.astype(np.bool_) for row in zeros))
    inputs, size = column, exponents(radius)
    scaled, rows, beyond = [], [], []
    for layer in layers:
        made, row, out, size = _scaled_layer(layer, inputs, size)
        scaled.append(made)
        rows.append(row)
        beyond.append(out)
        inputs = -row[layer.row_start[:-1]]
    return Equilibrated(tuple(scaled), column, tuple(rows), tuple(beyond))


def _with_columns(layer: Layer, column: Integers) -> Layer:
    row, place, value = entries_of(layer.matrix)
    moved, _ = shifted(value, column[place])
    return replace(layer, matrix=with_entries(layer.matrix, row, place, moved))


def _scaled_layer(layer: Layer, inputs: Integers, size: Integers) -> tuple[Layer, Integers, Flags, Integers]:
    """Scale one layer.

    Parameters
    ----------
    layer
        As it is.
    inputs
        (in,) exponents by which its columns are to be multiplied.
    size
        (in,) exponents of the sizes of its scaled inputs.

    Returns
    -------
    layer
        The scaled one.
    rows, beyond
        (rows,) their exponents, and which are out of range.
    size
        (out,) exponents of the sizes of its scaled outputs.
    """
    row, place, value = entries_of(layer.matrix)
    count = np.bincount(row, minlength=layer.n_rows) + 1
    largest = np.full(layer.n_rows, _ZERO)
    np.maximum.at(largest, row, exponents(value) + inputs[place] + size[place])
    largest = np.maximum(largest, exponents(layer.bias)) + np.ceil(np.log2(count)).astype(np.int64)
    members = np.diff(layer.row_start)
    largest = np.repeat(np.maximum.reduceat(largest, layer.row_start[:-1]), members)
    rows = np.where(largest > _ZERO // 2, -largest, 0)
    moved, out = shifted(value, inputs[place] + rows[row])
    bias, beyond = shifted(layer.bias, rows)
    beyond[row[out]] = True
    units: list[Unit] = list(layer.units)
    made: dict[tuple[int, int], ScalarUnit | None] = {}
    for unit, where, at in layer.scalar_kinds:
        for output, first in zip(where.tolist(), at.tolist(), strict=True):
            key = (id(unit), int(rows[first]))
            if key not in made:
                made[key] = _scaled_unit(unit, key[1])
            found = made[key]
            beyond[first] |= found is None
            units[output] = unit if found is None else found
    grouped = np.maximum.reduceat(beyond.astype(np.int64), layer.row_start[:-1]).astype(np.bool_)
    beyond = np.repeat(grouped, members)
    # A row out of range is left alone; what its unit may be worth is of its true size.
    for output in np.flatnonzero(grouped).tolist():
        units[output] = layer.units[output]
    kept = ~beyond[row]
    scaled = replace(
        layer,
        matrix=with_entries(layer.matrix, row[kept], place[kept], moved[kept]),
        bias=np.where(beyond, 0.0, bias),
        units=tuple(units),
    )
    rows = np.where(beyond, 0, rows)
    slopes, offsets = scaled.unit_tables
    reach = np.where(beyond, largest, 0)[layer.row_start[:-1]]
    steepest = np.max(exponents(slopes), axis=1)
    return scaled, rows, beyond, np.maximum(reach + steepest, np.max(exponents(offsets), axis=1))


def _scaled_unit(unit: ScalarUnit, exponent: int) -> ScalarUnit | None:
    """Scale a unit to ``2**e unit(v / 2**e)``; None if a number of it leaves the gate."""
    slopes, steep = shifted(np.array(unit.slopes), np.zeros(len(unit.slopes), np.int64))
    knots, far = shifted(np.array(unit.knots), np.full(len(unit.knots), exponent))
    offsets, high = shifted(np.array(unit.offsets), np.full(len(unit.offsets), exponent))
    if steep.any() or far.any() or high.any():
        return None
    return ScalarUnit(unit.name, tuple(knots.tolist()), tuple(slopes.tolist()), tuple(offsets.tolist()))
