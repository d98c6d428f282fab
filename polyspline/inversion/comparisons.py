"""Layers of scalar units alone: the maximum of a group, written out as comparisons of two.

``max(a, b) = a + relu(b - a)``: the members of a group become identity neurons, and rounds of a
tournament follow, each a layer whose weights are 0, 1 and -1. As all weights are those of the network
or exact, the layers written out are the same function of z as the network, not an approximation: a
bound proven of them is one of the network. Branching on a comparison sets exactly which of two members
is the larger; the convex hull of its graph is that of the maximum over ranges of the difference, which
bounds carried back through the layers make tight.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from polyspline.cpa.activations import parse_activation
from polyspline.cpa.layers import Layer, make_layer
from polyspline.cpa.matrices import Matrix, SparseMatrix
from polyspline.cpa.units import Unit

Term: TypeAlias = tuple[int, ...]
"""Neurons of a layer whose sum is one value."""

(_IDENTITY,) = parse_activation("identity", 1)
(_RELU,) = parse_activation("relu", 1)


@lru_cache(maxsize=16)
def scalar_layers(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Layers of scalar units that are the same function as some layers.

    Parameters
    ----------
    layers
        With max groups or without.

    Returns
    -------
    tuple of Layer
        The same ones if there is no max group among them. Else a group of n members takes
        ``ceil(log2(n))`` layers more, and the next layer has a column for each neuron that the
        maximum is the sum of.

    Notes
    -----
    Guarantee: exact, as functions over the reals.
    """
    if not any(layer.has_groups for layer in layers):
        return layers
    found: list[Layer] = []
    values: list[Term] | None = None
    for layer in layers:
        matrix = layer.matrix if values is None else _with_columns(layer.matrix, values)
        if not layer.has_groups:
            found.append(layer if values is None else make_layer(matrix, layer.bias, layer.units))
            values = None
            continue
        rows: list[Unit] = [_IDENTITY] * layer.n_rows
        for unit, _, where in layer.scalar_kinds:
            for row in where.tolist():
                rows[row] = unit
        found.append(make_layer(matrix, layer.bias, rows))
        starts = layer.row_start.tolist()
        groups: list[list[Term]] = [[(row,) for row in range(*ends)] for ends in pairwise(starts)]
        while max(map(len, groups)) > 1:
            found.append(_round(groups, found[-1].n_out, sparse=layer.is_sparse))
            groups = _after(groups)
        values = [group[0] for group in groups]
    if values is not None:
        found.append(_sums(values, found[-1].n_out, sparse=layers[-1].is_sparse))
    return tuple(found)


def _with_columns(matrix: Matrix, values: Sequence[Term]) -> Matrix:
    """Weights with the column of each value once for every neuron that it is the sum of, in their order."""
    return matrix[:, np.repeat(np.arange(len(values)), [len(term) for term in values])]


def _round(groups: Sequence[Sequence[Term]], n_in: int, *, sparse: bool) -> Layer:
    """Compare the members of each group two by two: the first one, and by how much the second exceeds it."""
    rows: list[dict[int, float]] = []
    units: list[Unit] = []
    for group in groups:
        for first, second in zip(group[::2], group[1::2], strict=False):
            rows.append(dict.fromkeys(first, 1.0))
            rows.append(dict.fromkeys(second, 1.0) | dict.fromkeys(first, -1.0))
            units += [_IDENTITY, _RELU]
        if len(group) % 2:
            rows.append(dict.fromkeys(group[-1], 1.0))
            units.append(_IDENTITY)
    return make_layer(_matrix(rows, n_in, sparse=sparse), None, units)


def _after(groups: Sequence[Sequence[Term]]) -> list[list[Term]]:
    """Members that a round leaves, as sums of its neurons."""
    left: list[list[Term]] = []
    neuron = 0
    for group in groups:
        sizes = [2] * (len(group) // 2) + [1] * (len(group) % 2)
        starts = np.cumsum([neuron, *sizes]).tolist()
        left.append([tuple(range(low, low + size)) for low, size in zip(starts, sizes, strict=False)])
        neuron = starts[-1]
    return left


def _sums(values: Sequence[Term], n_in: int, *, sparse: bool) -> Layer:
    """Add up the neurons of each value."""
    return make_layer(
        _matrix([dict.fromkeys(term, 1.0) for term in values], n_in, sparse=sparse), None, "identity"
    )


def _matrix(rows: Sequence[dict[int, float]], n_in: int, *, sparse: bool) -> Matrix:
    from scipy.sparse import csr_array  # here, so that networks without groups do not load it

    values = np.array([weight for row in rows for weight in row.values()])
    columns = [column for row in rows for column in row]
    found: SparseMatrix = csr_array(
        (values, columns, np.cumsum([0, *map(len, rows)])), shape=(len(rows), n_in)
    )
    return found if sparse else found.toarray()
