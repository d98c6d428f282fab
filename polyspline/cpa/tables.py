"""A network on a domain as plain arrays, for the compiled kernels.

Knots are numbered as `polyspline.cpa.knots` has them, and a facet's source is a knot. On a region
a scalar unit gives at most two rows, one for the knot below its piece and one for the knot above;
a max group gives one for each other member.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.bounds import ROUNDED, LayerBound, grains_of, layer_bounds
from polyspline.cpa.equilibrate import (
    column_exponents,
    equilibrate,
    is_ordinary_radius,
    scaled_rows,
)
from polyspline.cpa.knots import Knots, knots_of
from polyspline.cpa.layers import Layer
from polyspline.cpa.matrices import Matrix, times, written_out
from polyspline.cpa.rowwise import rowwise
from polyspline.cpa.twins import find_twins
from solvers.lp.ties import CENTRAL, INTEGRAL
from solvers.predicates.rounding import ROUNDOFF, SAFETY, SMALLEST

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_SMALL_BITS = 20


class Tables(NamedTuple):
    """Flat arrays of a network on a domain. `L` layers up to the last with units, `K` knots, `N` units."""

    n_in: Integers  # (L,)
    n_out: Integers  # (L,) rows
    weight_start: Integers  # (L,) where the layer's weights start
    weights: Floats  # dense layers transposed (in, out), sparse ones by input
    column_start: Integers  # (L,) where a sparse layer's inputs start in entry_start, -1: dense
    entry_start: Integers  # (sparse inputs + 1,) where the entries of a sparse layer's input start
    entry_row: Integers  # (entries,) row of each entry of the sparse layers
    neuron_start: Integers  # (L + 1,)
    biases: Floats  # (rows,)
    neuron_unit: Integers  # (rows,) unit of a row, -1 for identity neurons
    slopes: Floats  # (rows, P)
    offsets: Floats  # (rows, P)
    row_exact: Flags  # (rows,) whether the forward product of this row is never rounded
    row_floor: Floats  # (rows,) error before anything is rounded: infinite where out of range
    n_pieces: Integers  # (N,)
    is_group: Flags  # (N,)
    unit_row: Integers  # (N,) first row of each unit, among the rows of all layers
    groups: Integers  # (G,) the units that are max groups
    is_copied: Flags  # (N,) whether some member of a max group copies the unit's output
    copy_of: Integers  # (rows,) row of the layer before that a row copies if its unit does, -1: none
    knot_start: Integers  # (N + 1,)
    knot_unit: Integers  # (K,)
    knot_low: Integers  # (K,) pieces that meet at the knot
    knot_high: Integers  # (K,)
    knots: Floats  # (K,) position
    place: Integers  # (K,) a number for each position, beyond those of the rows
    knot_drop: Integers  # (K,) 1: never a row (constant, or on the boundary)
    family: Integers  # (K,) knots on one hyperplane whatever the code have one family
    family_mark: Integers  # (K,) number of the family among those of two knots or more, else -1
    n_families: int
    twin_start: Integers  # (K + 1,) into twins, by family
    twins: Integers  # the knots of each family
    knot_slack: Floats  # (K,) a priori error of the knot's row at any point of the domain
    knot_flags: Integers  # (K,) INTEGRAL and CENTRAL of solvers.lp.ties
    unit: float  # scaling that makes the INTEGRAL rows integer
    column: Integers  # (S,) the coordinates are ``x = z / 2**column``
    radius: Floats  # (C,) bound on the points
    bounded: bool
    size: int  # C, coordinates of a row: S + 1, or S on a central network over the whole space
    domain_rows: Floats  # (C, m) rows ``>= 0``, of the domain or of the sky t >= 0
    domain_slack: Floats  # (m,)
    domain_flags: Integers  # (m,)
    domain_spans: Integers  # (m,) dimension of the subspace of each, see solvers.lp.ties


def unit_layers(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Leave out the layers behind the last one with units."""
    last = max((i for i, layer in enumerate(layers) if len(layer.unit_neurons)), default=-1)
    return layers[: last + 1]


def max_groups_of(tables: Tables) -> Integers | None:
    """Max groups of a network; None if it has none, and kernels are then compiled without them."""
    return tables.groups if len(tables.groups) else None


def is_central(layers: tuple[Layer, ...]) -> bool:
    """Whether every knot passes through the origin: no biases, no offsets, all knots at zero."""
    for layer in unit_layers(layers):
        if np.any(layer.bias) or np.any(layer.unit_tables[1]):
            return False
        if any(knot != 0.0 for unit, _, _ in layer.scalar_kinds for knot in unit.knots):
            return False
    return True


@dataclass(frozen=True)
class _KnotBounds:
    """A priori bounds of the rows of all knots, (K,) each.

    Attributes
    ----------
    slack
        Error of the row's value at any point of the domain.
    largest
        Bound on the coefficients.
    grain
        They are multiples of ``2**-grain``; ROUNDED where they are not all exact.
    central
        Whether the last one is exactly zero.
    """

    slack: Floats
    largest: Floats
    grain: Integers
    central: Flags


def _knot_bounds(
    layers: tuple[Layer, ...], knots: Knots, bounds: tuple[LayerBound, ...], size: int
) -> _KnotBounds:
    """Bound the rows of all knots, C coordinates each."""
    if not layers:
        nothing = np.empty(0)
        return _KnotBounds(nothing, nothing, nothing.astype(np.int64), nothing.astype(np.bool_))
    depth = np.repeat(np.arange(len(layers)), [layer.n_rows for layer in layers])[knots.upper]
    magnitude = np.concatenate([bound.magnitude for bound in bounds])
    coefficient = np.concatenate([bound.coefficient for bound in bounds])
    error = np.concatenate([bound.error for bound in bounds])
    grain = np.concatenate([bound.grain for bound in bounds])
    bias = np.concatenate([layer.bias for layer in layers])
    paired = knots.lower >= 0
    lower = np.where(paired, knots.lower, knots.upper)
    far = np.abs(knots.position)
    own = error[knots.upper] + np.where(paired, error[lower], 0.0)
    reach = magnitude[knots.upper] + np.where(paired, magnitude[lower], 0.0) + far
    largest = coefficient[knots.upper] + np.where(paired, coefficient[lower], 0.0) + far
    exact = (grain[knots.upper] != ROUNDED) & (grain[lower] != ROUNDED)
    fine = np.maximum(np.maximum(grain[knots.upper], grain[lower]), grains_of(knots.position))
    central = np.array([bound.central for bound in bounds])[depth]
    central |= (depth == 0) & (bias[knots.upper] == np.where(paired, bias[lower], 0.0)) & np.isfinite(own)
    return _KnotBounds(
        _slack(own, reach, size), largest, np.where(exact, fine, ROUNDED), central & (knots.position == 0.0)
    )


def _slack(own: Floats | float, reach: Floats, size: int) -> Floats:
    """Error of a row's value, see `solvers.predicates.steps_kernel.evaluation_error`."""
    return (own + 4.0 * (size + 5.0) * ROUNDOFF * reach) * SAFETY + (4.0 * size + 8.0) * SMALLEST


def _small_integers(largest: Floats, grain: Integers) -> tuple[Flags, int]:
    """Which exact rows are integers below ``2**_SMALL_BITS`` once all are scaled by one ``2**g``; and g."""
    exact = (grain != ROUNDED) & (grain <= _SMALL_BITS)
    fits: Flags = exact & (largest * SAFETY * 2.0 ** np.where(exact, grain, 0) < 2.0**_SMALL_BITS)
    finest = int(np.max(grain[fits], initial=0))
    return fits & (largest * SAFETY * 2.0**finest < 2.0**_SMALL_BITS), finest


def make_tables(
    layers: tuple[Layer, ...],
    domain_normals: Floats,
    domain_sides: Floats,
    radius: Floats | None,
    *,
    scale_inputs: bool = True,
) -> Tables:
    """Lay out a network on a domain.

    Parameters
    ----------
    layers
        The network; S inputs.
    domain_normals, domain_sides
        (m, S) and (m,), rows ``G z <= h`` of the domain; no rows for the whole space.
    radius
        (S,) with ``|z_i| <= radius_i`` on the domain; None for the whole space.
    scale_inputs
        Whether coordinates of extraordinary sizes are scaled; then the tables are of ``x = z / 2**column``.

    Returns
    -------
    Tables

    Notes
    -----
    Over the whole space regions are cones in ``(z, t)``, ``t >= 0``, and if the network is
    central, cones in z itself. Layers are scaled by powers of two, see `polyspline.cpa.equilibrate`.
    """
    used = unit_layers(layers)
    n_inputs = layers[0].n_in
    bounded = radius is not None
    central = not bounded and n_inputs > 1 and is_central(layers)
    size = n_inputs if central else n_inputs + 1
    column = np.zeros(n_inputs, np.int64)
    bound = np.ones(n_inputs)
    if radius is not None:
        if scale_inputs and not is_ordinary_radius(radius):
            column = column_exponents(radius)
        # Proofs step a little beyond a facet, so the bounds hold on twice the domain.
        bound = 2.0 * np.ldexp(radius, -column.astype(np.int32))
    reach = np.append(bound, 1.0)
    scaled = equilibrate(used, column, bound)
    bounds = layer_bounds(scaled.layers, reach, scaled.beyond)
    knots = knots_of(scaled.layers)
    domain = np.empty((size, 0))
    lost = np.zeros(0, np.bool_)
    if bounded:
        domain = np.vstack([-domain_normals.T, domain_sides[None, :]])
        domain_rows, lost = scaled_rows(domain, column, bound)
    elif central:
        domain_rows = domain
    else:
        domain_rows, lost = np.zeros((size, 1)), np.zeros(1, np.bool_)
        domain_rows[-1, 0] = 1.0
    rows = _knot_bounds(scaled.layers, knots, bounds, size)
    largest = np.append(rows.largest, np.max(np.abs(domain_rows), axis=0, initial=0.0))
    grain = np.append(rows.grain, np.max(grains_of(domain_rows), axis=0, initial=0))
    integral, finest = _small_integers(largest, grain)
    flags = np.where(integral, INTEGRAL, 0)
    flags |= np.where(np.append(rows.central, (domain_rows[-1] == 0.0) & ~lost), CENTRAL, 0)
    family, drop = find_twins(used, knots_of(used), domain if bounded else np.empty((size, 0)))
    n_knots = len(knots.unit)
    return Tables(
        **layer_arrays(scaled.layers),
        **_knot_layout(scaled.layers, knots),
        **_family_arrays(family),
        row_exact=np.concatenate([np.empty(0, np.bool_), *(bound.grain != ROUNDED for bound in bounds)]),
        row_floor=np.concatenate([np.empty(0), *(np.where(out, np.inf, 0.0) for out in scaled.beyond)]),
        knot_drop=drop.astype(np.int64),
        knot_slack=rows.slack,
        knot_flags=flags[:n_knots].astype(np.int64),
        unit=2.0**finest,
        column=column,
        radius=reach[:size],
        bounded=bounded,
        size=size,
        domain_rows=np.ascontiguousarray(domain_rows),
        domain_slack=np.where(lost, np.inf, _slack(0.0, np.abs(domain_rows).T @ reach[:size], size)),
        domain_flags=np.where(lost, 0, flags[n_knots:]).astype(np.int64),
        domain_spans=np.full(domain_rows.shape[1], n_inputs if bounded else 0, np.int64),
    )


def make_row_tables(rows: Floats, slack: Floats, flags: Integers, radius: Floats, *, bounded: bool) -> Tables:
    """Lay out a bare domain, the one region of a network without units.

    Parameters
    ----------
    rows, slack, flags
        (C, m), (m,) and (m,): the rows ``>= 0``, their errors, INTEGRAL and CENTRAL.
    radius
        (C,) bound on the points for which the errors hold.
    bounded
        Whether points are ``(z, 1)`` with z bounded; else the rows are of a cone.
    """
    size = len(rows)
    nothing = np.empty(0, np.int64)
    return Tables(
        **layer_arrays(()),
        **_knot_layout((), knots_of(())),
        **_family_arrays(nothing),
        row_exact=nothing.astype(np.bool_),
        row_floor=np.empty(0),
        knot_drop=nothing,
        knot_slack=np.empty(0),
        knot_flags=nothing,
        unit=1.0,
        column=np.zeros(size - 1, np.int64),
        radius=radius,
        bounded=bounded,
        size=size,
        domain_rows=rows,
        domain_slack=slack,
        domain_flags=flags,
        domain_spans=np.full(rows.shape[1], size - 1, np.int64),
    )


def layer_arrays(layers: tuple[Layer, ...]) -> dict[str, Any]:
    """Lay the layers' own numbers out flat, a neuron for each row."""
    by_rows = rowwise(layers)
    most = max((layer.slopes.shape[1] for layer in by_rows), default=1)
    slopes = [np.empty((0, most)), *(_padded(layer.slopes, most) for layer in by_rows)]
    offsets = [np.empty((0, most)), *(_padded(layer.offsets, most) for layer in by_rows)]
    # The first layer has few inputs, and is copied rather than multiplied.
    matrices = [layer.matrix if depth else written_out(layer.matrix) for depth, layer in enumerate(by_rows)]
    return {
        "n_in": np.array([matrix.shape[1] for matrix in matrices], np.int64),
        "n_out": np.array([matrix.shape[0] for matrix in matrices], np.int64),
        "neuron_start": np.cumsum([0, *(matrix.shape[0] for matrix in matrices)], dtype=np.int64),
        "biases": np.concatenate([*(layer.bias for layer in by_rows), np.empty(0)]),
        "neuron_unit": np.concatenate([*(layer.unit for layer in by_rows), np.empty(0, np.int64)]),
        "slopes": np.concatenate(slopes),
        "offsets": np.concatenate(offsets),
        **_weight_arrays(matrices),
    }


def _padded(table: Floats, width: int) -> Floats:
    return np.pad(table, ((0, 0), (0, width - table.shape[1])))


def _weight_arrays(matrices: Sequence[Matrix]) -> dict[str, Any]:
    """Weights by input: dense layers in full, sparse ones with the rows of their entries."""
    values: list[Floats] = [np.empty(0)]
    rows: list[Integers] = [np.empty(0, np.int64)]
    starts: list[Integers] = [np.zeros(1, np.int64)]
    weight_start, column_start = [], []
    filled, entries, columns = 0, 0, 0
    for matrix in matrices:
        weight_start.append(filled)
        column_start.append(columns if not isinstance(matrix, np.ndarray) else -1)
        if isinstance(matrix, np.ndarray):
            values.append(matrix.T.ravel())
        else:
            by_column = matrix.tocsc()
            values.append(by_column.data)
            rows.append(by_column.indices.astype(np.int64))
            starts.append(entries + by_column.indptr[1:].astype(np.int64))
            entries += len(by_column.data)
            columns += matrix.shape[1]
        filled += len(values[-1])
    return {
        "weight_start": np.array(weight_start, np.int64),
        "weights": np.concatenate(values),
        "column_start": np.array(column_start, np.int64),
        "entry_start": np.concatenate(starts),
        "entry_row": np.concatenate(rows),
    }


def _knot_layout(layers: tuple[Layer, ...], knots: Knots) -> dict[str, Any]:
    """Lay the knots out as the kernels have them."""
    n_units = sum(len(layer.unit_neurons) for layer in layers)
    pieces = [layer.n_pieces[layer.unit_neurons] for layer in layers]
    groups = [layer.is_group[layer.unit_neurons] for layer in layers]
    return {
        "n_pieces": np.concatenate([np.empty(0, np.int64), *pieces]),
        "is_group": np.concatenate([np.empty(0, np.bool_), *groups]),
        "groups": np.flatnonzero(np.concatenate([np.empty(0, np.bool_), *groups])),
        **_copy_arrays(layers),
        "knot_start": np.searchsorted(knots.unit, np.arange(n_units + 1)).astype(np.int64),
        "knot_unit": knots.unit.astype(np.int64),
        "knot_low": knots.low.astype(np.int64),
        "knot_high": knots.high.astype(np.int64),
        "knots": knots.position,
        "place": sum(layer.n_rows for layer in layers)
        + np.unique(knots.position, return_inverse=True)[1].astype(np.int64),
    }


def _copy_arrays(layers: tuple[Layer, ...]) -> dict[str, Any]:
    """Tell which rows are one output of the layer before, unchanged; of a max group, its first row."""
    copy_of: list[Integers] = [np.empty(0, np.int64)]
    unit_row: list[Integers] = [np.empty(0, np.int64)]
    member: list[Flags] = [np.empty(0, np.bool_)]
    first = 0
    for depth, layer in enumerate(layers):
        source = np.full(layer.n_rows, -1, np.int64)
        if depth:
            entries = np.rint(times(layer.pattern, np.ones(layer.n_in)))
            single = (
                (entries == 1.0) & (times(layer.matrix, np.ones(layer.n_in)) == 1.0) & (layer.bias == 0.0)
            )
            column = np.rint(times(layer.pattern, np.arange(layer.n_in, dtype=np.float64))).astype(np.int64)
            before = layers[depth - 1]
            source[single] = first - before.n_rows + before.row_start[column[single]]
        copy_of.append(source)
        unit_row.append(first + layer.row_start[layer.unit_neurons])
        member.append(np.repeat(layer.is_group, np.diff(layer.row_start)))
        first += layer.n_rows
    sources, rows = np.concatenate(copy_of), np.concatenate(unit_row)
    watched = _watched(sources, np.concatenate(member))
    return {"copy_of": sources, "unit_row": rows, "is_copied": watched[rows]}


def _watched(copy_of: Integers, member: Flags) -> Flags:
    """Tell which rows start an output that a member of a max group copies, perhaps through other copies."""
    watched = np.zeros(len(copy_of), np.bool_)
    chain = copy_of[member & (copy_of >= 0)]
    while len(chain):
        watched[chain] = True
        chain = copy_of[chain]
        chain = chain[chain >= 0]
    return watched


def _family_arrays(family: Integers) -> dict[str, Any]:
    """List the knots of each family, and number the families of two or more."""
    order = np.argsort(family, kind="stable")
    counts = np.bincount(family, minlength=len(family))
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    shared = np.where(counts > 1, np.cumsum(counts > 1) - 1, -1)
    return {
        "family": family.astype(np.int64),
        "family_mark": shared[family].astype(np.int64),
        "n_families": int(np.count_nonzero(counts > 1)),
        "twin_start": start,
        "twins": order.astype(np.int64),
    }
