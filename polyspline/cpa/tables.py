"""A network on a domain as plain arrays, for the compiled kernels.

A *knot* of a unit is where two of its pieces meet; knots are numbered through the
network, unit after unit, and a facet's source is a knot. On a region each unit gives at
most two rows, one for the knot below its piece and one for the knot above.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.bounds import ROUNDOFF, SAFETY, LayerBound, grain_of, layer_bounds
from polyspline.cpa.layers import Layer
from solvers.integers import as_fraction, exact_rows_to_integers, scaled_integer_rows
from solvers.lp.ties import CENTRAL, INTEGRAL

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Tables(NamedTuple):
    """Flat arrays of a network on a domain. `L` layers up to the last with units, `K` knots, `N` units."""

    n_in: Integers  # (L,)
    n_out: Integers  # (L,)
    weight_start: Integers  # (L,) where the layer's transposed weights start
    neuron_start: Integers  # (L + 1,)
    weights: Floats  # transposed weights (in, out), layer after layer
    biases: Floats  # (neurons,)
    neuron_unit: Integers  # (neurons,) unit of a neuron, -1 for identity neurons
    slopes: Floats  # (neurons, P)
    offsets: Floats  # (neurons, P)
    knots: Floats  # (neurons, P - 1)
    n_pieces: Integers  # (neurons,)
    layer_exact: Integers  # (L,) 1: the forward product of this layer is never rounded
    knot_start: Integers  # (N + 1,)
    knot_unit: Integers  # (K,)
    knot_drop: Integers  # (K,) 1: no row of its own (twin of a lower knot, constant, on the boundary)
    twin_start: Integers  # (K + 1,) into twins
    twins: Integers  # knots on one hyperplane with this one whatever the code, itself included
    knot_slack: Floats  # (K,) a priori error of the knot's row at any point of the domain
    knot_flags: Integers  # (K,) INTEGRAL and CENTRAL of solvers.lp.ties
    unit: float  # scaling that makes the INTEGRAL rows integer
    radius: Floats  # (C,) bound on the points
    bounded: bool
    size: int  # C, coordinates of a row: S + 1, or S on a central network over the whole space
    domain_rows: Floats  # (C, m) rows ``>= 0``, of the domain or of the sky t >= 0
    domain_slack: Floats  # (m,)
    domain_flags: Integers  # (m,)
    domain_spans: Integers  # (m,) dimension of the subspace of each, see solvers.lp.ties


def _unit_layers(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Leave out the layers behind the last one with units."""
    last = max((i for i, layer in enumerate(layers) if len(layer.unit_neurons)), default=-1)
    return layers[: last + 1]


def is_central(layers: tuple[Layer, ...]) -> bool:
    """Whether every knot passes through the origin: no biases, no offsets, all knots at zero."""
    for layer in _unit_layers(layers):
        if np.any(layer.bias) or np.any(layer.unit_tables[1]):
            return False
        if any(knot != 0.0 for unit, _ in layer.groups for knot in unit.knots):
            return False
    return True


def _hyperplane(row: list[int]) -> tuple[int, ...]:
    """One name for a row and all its multiples, negative ones too."""
    leading = next((entry for entry in row if entry), 0)
    return tuple(-entry for entry in row) if leading < 0 else tuple(row)


def _knot_rows(layer: Layer, neuron: int) -> list[list[int]]:
    """Exact rows ``(w, b - knot)`` of a neuron's knots over the layer's inputs, coprime integers."""
    bias = as_fraction(float(layer.bias[neuron]))
    head = [as_fraction(float(w)) for w in layer.weight[neuron]]
    integers, _ = scaled_integer_rows(
        [[*head, bias - as_fraction(knot)] for knot in layer.units[neuron].knots]
    )
    return [[entry // (math.gcd(*row) or 1) for entry in row] for row in integers]


def _twins(layers: tuple[Layer, ...], domain: Floats) -> tuple[list[list[int]], list[int]]:
    """Group the knots of each layer by hyperplane; mark those that are never rows.

    Returns the list of knots on one hyperplane for each knot, and the drop marks.
    """
    on_boundary = {_hyperplane(row) for row in exact_rows_to_integers(domain.T)} if domain.size else set()
    groups: list[list[int]] = []
    drop: list[int] = []
    for depth, layer in enumerate(layers):
        named: dict[tuple[int, ...], list[int]] = {}
        for neuron in layer.unit_neurons:
            for row in _knot_rows(layer, int(neuron)):
                name = _hyperplane(row)
                group = named.setdefault(name, [])
                constant = not any(name[:-1])
                boundary = depth == 0 and name in on_boundary
                drop.append(int(bool(group) or constant or boundary))
                group.append(len(groups))
                groups.append(group)
    return groups, drop


def _knot_arrays(
    layers: tuple[Layer, ...], bounds: tuple[LayerBound, ...], evaluation: float
) -> tuple[list[float], list[int], int]:
    """Slack and flags of every knot, and the finest grain among the integral ones."""
    slack: list[float] = []
    flags: list[int] = []
    finest = 0
    for depth, (layer, bound) in enumerate(zip(layers, bounds, strict=True)):
        for neuron in layer.unit_neurons:
            for knot in layer.units[neuron].knots:
                reach = (float(bound.magnitude[neuron]) + abs(knot)) * SAFETY
                slack.append((float(bound.error[neuron]) + evaluation * reach) * SAFETY)
                flag = 0
                grain = grain_of(np.array([knot]))
                if bound.integral and bound.grain is not None and reach * 2.0**grain < 2.0**20:
                    flag |= INTEGRAL
                    finest = max(finest, bound.grain, grain)
                if knot == 0.0 and (bound.central or (depth == 0 and layer.bias[neuron] == 0.0)):
                    flag |= CENTRAL
                flags.append(flag)
    return slack, flags, finest


def make_tables(
    layers: tuple[Layer, ...], domain_normals: Floats, domain_sides: Floats, radius: Floats | None
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

    Returns
    -------
    Tables

    Notes
    -----
    Over the whole space regions are cones in ``(z, t)``, ``t >= 0``, and if the network is
    central, cones in z itself.
    """
    used = _unit_layers(layers)
    n_inputs = layers[0].n_in
    bounded = radius is not None
    central = not bounded and n_inputs > 1 and is_central(layers)
    size = n_inputs if central else n_inputs + 1
    # Proofs step a little beyond a facet, so the bounds hold on twice the domain.
    reach = np.append(2.0 * radius if radius is not None else np.ones(n_inputs), 1.0)
    bounds = layer_bounds(used, reach)
    evaluation = 4.0 * (size + 4) * ROUNDOFF
    slack, flags, grain = _knot_arrays(used, bounds, evaluation)
    if bounded:
        domain_rows = np.vstack([-domain_normals.T, domain_sides[None, :]])
    elif central:
        domain_rows = np.empty((size, 0))
    else:
        domain_rows = np.zeros((size, 1))
        domain_rows[-1, 0] = 1.0
    domain_grain = grain_of(domain_rows)
    integral_domain = domain_grain <= 20 and bool(
        np.max(np.abs(domain_rows), initial=0.0) * 2.0 ** max(grain, domain_grain) < 2.0**20
    )
    if integral_domain:
        grain = max(grain, domain_grain)
    groups, drop = _twins(used, domain_rows if bounded else np.empty((size, 0)))
    return Tables(
        **_neuron_arrays(used),
        layer_exact=np.array([bound.grain is not None for bound in bounds], np.int64),
        knot_drop=np.array(drop, np.int64),
        twin_start=np.cumsum([0, *(len(group) for group in groups)], dtype=np.int64),
        twins=np.array([knot for group in groups for knot in group], np.int64),
        knot_slack=np.array(slack),
        knot_flags=np.array(flags, np.int64),
        unit=2.0**grain,
        radius=reach[:size],
        bounded=bounded,
        size=size,
        domain_rows=np.ascontiguousarray(domain_rows),
        domain_slack=evaluation * (np.abs(domain_rows).T @ reach[:size]) * SAFETY,
        domain_flags=np.where(domain_rows[-1] == 0.0, CENTRAL, 0).astype(np.int64)
        | (INTEGRAL if integral_domain else 0),
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
        **_neuron_arrays(()),
        layer_exact=nothing,
        knot_drop=nothing,
        twin_start=np.zeros(1, np.int64),
        twins=nothing,
        knot_slack=np.empty(0),
        knot_flags=nothing,
        unit=1.0,
        radius=radius,
        bounded=bounded,
        size=size,
        domain_rows=rows,
        domain_slack=slack,
        domain_flags=flags,
        domain_spans=np.full(rows.shape[1], size - 1, np.int64),
    )


def _neuron_arrays(layers: tuple[Layer, ...]) -> dict[str, Any]:
    """Lay the layers' own numbers out flat."""
    neurons = [unit for layer in layers for unit in layer.units]
    most = max((unit.n_pieces for unit in neurons), default=1)
    slopes = np.zeros((len(neurons), most))
    offsets = np.zeros((len(neurons), most))
    knots = np.zeros((len(neurons), most - 1))
    for i, unit in enumerate(neurons):
        slopes[i, : unit.n_pieces] = unit.slopes
        offsets[i, : unit.n_pieces] = unit.offsets
        knots[i, : unit.n_pieces - 1] = unit.knots
    pieces = np.array([unit.n_pieces for unit in neurons], np.int64)
    is_unit = pieces > 1
    per_unit = pieces[is_unit] - 1
    parts = [layer.weight.T.ravel() for layer in layers]
    lengths = [0, *(part.size for part in parts)]
    return {
        "n_in": np.array([layer.n_in for layer in layers], np.int64),
        "n_out": np.array([layer.n_out for layer in layers], np.int64),
        "weight_start": np.cumsum(lengths, dtype=np.int64)[:-1],
        "neuron_start": np.cumsum([0, *(layer.n_out for layer in layers)], dtype=np.int64),
        "weights": np.concatenate([*parts, np.empty(0)]),
        "biases": np.concatenate([*(layer.bias for layer in layers), np.empty(0)]),
        "neuron_unit": np.where(is_unit, np.cumsum(is_unit) - 1, -1).astype(np.int64),
        "slopes": slopes,
        "offsets": offsets,
        "knots": knots,
        "n_pieces": pieces,
        "knot_start": np.concatenate([[0], np.cumsum(per_unit)]).astype(np.int64),
        "knot_unit": np.repeat(np.arange(len(per_unit)), per_unit).astype(np.int64),
    }
