"""Affine regions: neighbours with one and the same affine map, merged."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.affine import layer_pieces
from polyspline.cpa.exact import exact_network
from polyspline.network import Network
from polyspline.partition.affine_kernel import SAME, UNDECIDED, compare_edges
from polyspline.partition.affine_tables import map_tables
from polyspline.partition.packing import CodePacking, Words
from solvers.predicates.rounding import ROUNDOFF
from solvers.rational import DyadicMatrix, integer_matrix


def edges_within_affine_regions(
    net: Network,
    packing: CodePacking,
    packed: Words,
    witnesses: NDArray[np.float64],
    exact_witnesses: Mapping[int, tuple[Fraction, ...]],
    edges: NDArray[np.int32],
) -> NDArray[np.bool_]:
    """Whether the two regions of each edge have the same slope and offset.

    Parameters
    ----------
    net, packing
        The network and the layout of its packed codes.
    packed, witnesses
        Of the regions, (R, words) and (R, S).
    exact_witnesses
        Rational witnesses of the regions whose float64 one is not proven interior.
    edges
        Pairs of neighbours, (E, 2).

    Returns
    -------
    ndarray of bool
        (E,).

    Notes
    -----
    Guarantee: exact. Where float64 with an error bound, or a proof that no path
    of nonzero weights and slopes leads from the flipped units to the output,
    does not decide, rationals do.

    Algorithm: the maps of neighbours differ by ``w ⊗ n``, n the facet's normal
    (they agree on the facet, so equal slopes imply equal offsets). Where one unit
    flips, w is a nonzero multiple of the unit's output column. Where several
    do, w is zero if and only if both maps send the difference of the two
    witnesses, which is not parallel to the facet, to the same vector. Cost: about
    one product of the deeper layers with a vector per edge.
    """
    tables = map_tables(net, packing)
    widest = int(tables.width.max())
    # Every value is a sum of products: per layer one rounding for each addend, two for the factors.
    gamma = 2.0 * ROUNDOFF * float(np.sum(tables.width[:-1] + 4))
    decisions = np.empty(len(edges), dtype=np.uint8)
    work, flags = np.zeros((10, widest)), np.zeros((6, widest), dtype=np.bool_)
    compare_edges(
        tables,
        np.ascontiguousarray(packed),
        np.ascontiguousarray(witnesses),
        np.ascontiguousarray(edges),
        gamma,
        work,
        flags,
        decisions,
    )
    same: NDArray[np.bool_] = decisions == SAME
    undecided = np.flatnonzero(decisions == UNDECIDED)
    if len(undecided):
        comparison = _ExactComparison(net)
        for edge in undecided:
            i, j = (int(region) for region in edges[edge])
            codes = packing.unpack(packed[[i, j]])
            ends = [
                exact_witnesses.get(region) or tuple(Fraction(float(x)) for x in witnesses[region])
                for region in (i, j)
            ]
            same[edge] = comparison.same(codes[0], codes[1], ends[0], ends[1])
    return same


class _ExactComparison:
    """Compares the maps of neighbours in dyadic rationals; remembers columns already formed."""

    def __init__(self, net: Network) -> None:
        self._net = net
        self._exact = exact_network(net.layers)
        self._columns: dict[tuple[int, bytes], bool] = {}

    def same(
        self,
        code: NDArray[Any],
        other: NDArray[Any],
        witness: tuple[Fraction, ...],
        other_witness: tuple[Fraction, ...],
    ) -> bool:
        flipped = np.flatnonzero(code != other)
        if len(flipped) == 1:
            return self._column_is_zero(int(flipped[0]), code)
        difference = [b - a for a, b in zip(witness, other_witness, strict=True)]
        scale = lcm(*(value.denominator for value in difference))
        direction = integer_matrix([[int(value * scale)] for value in difference], 1)
        vector = DyadicMatrix(direction, 0)
        return _is_zero(self._image(code, vector).add(_negated(self._image(other, vector))))

    def _column_is_zero(self, unit: int, code: NDArray[Any]) -> bool:
        """Whether the column from a unit's value to the network's output is zero."""
        layer, neuron = (int(value) for value in self._net.unit_index[unit])
        deeper = np.asarray(self._net.unit_index)[:, 0] > layer
        key = (unit, code[deeper].tobytes())
        if key not in self._columns:
            if layer + 1 == len(self._net.layers):
                self._columns[key] = False
            else:
                column = DyadicMatrix.from_array(self._net.layers[layer + 1].weight[:, [neuron]])
                self._columns[key] = _is_zero(self._image(code, column, layer + 1))
        return self._columns[key]

    def _image(self, code: NDArray[Any], vector: DyadicMatrix, after: int | None = None) -> DyadicMatrix:
        """Send a vector of inputs, or of pre-activations of layer `after`, to the network's output."""
        pieces = layer_pieces(self._net.layers, code)
        for number, layer in enumerate(self._net.layers):
            if after is not None and number < after:
                continue
            if number != after:
                vector = self._exact.weight(number).matmul(vector)
            slopes, _ = layer.unit_tables
            chosen = vector.take_rows(layer.chosen_rows(pieces[number])) if layer.has_groups else vector
            vector = chosen.scale_rows(slopes[np.arange(layer.n_out), pieces[number]])
        return vector


def _negated(column: DyadicMatrix) -> DyadicMatrix:
    return column.scale_rows(np.full(column.shape[0], -1.0))


def _is_zero(column: DyadicMatrix) -> bool:
    return not any(column.row(i)[0] for i in range(column.shape[0]))


def component_labels(count: int, edges: NDArray[np.int32]) -> NDArray[np.int64]:
    """Label the connected components of a graph, in the order of their lowest node, (count,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(edges), dtype=np.uint8)
    matrix = coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(count, count))
    _, labels = connected_components(matrix.tocsr(), directed=False)
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse.reshape(-1)]
