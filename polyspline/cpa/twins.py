"""Knots on one hyperplane whatever the code: those of one layer that are zero together."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from polyspline.cpa.knots import Knots
from polyspline.cpa.layers import Layer
from polyspline.cpa.matrices import BoolArray, FloatArray, IntArray, times
from solvers.integers import as_fraction, exact_rows_to_integers

Name = tuple[tuple[int, int], ...]
"""A hyperplane: the nonzero coefficients as coprime integers with their places, the leading one positive."""


def find_twins(layers: tuple[Layer, ...], knots: Knots, domain: FloatArray) -> tuple[IntArray, BoolArray]:
    """Group the knots of each layer by hyperplane, and mark those that are never facets.

    Parameters
    ----------
    layers, knots
        The network and its knots.
    domain
        Rows (C, m) of the domain, one in each column; none where they do not matter.

    Returns
    -------
    family : ndarray of int64, shape (K,)
        Number of the family of each knot; one family for each hyperplane of a layer.
    drop : ndarray of bool, shape (K,)
        Whether the knot is constant over the layer's inputs, or lies on the domain's boundary.

    Notes
    -----
    Guarantee: exact. Only knots whose rows are parallel to within rounding are compared exactly.
    """
    family: IntArray = np.arange(len(knots.unit), dtype=np.int64)
    drop: BoolArray = np.zeros(len(knots.unit), dtype=np.bool_)
    boundary = {_name(enumerate(row)) for row in exact_rows_to_integers(domain.T)} if domain.size else set()
    for depth, (layer, numbers, first) in enumerate(_knots_by_layer(layers, knots)):
        rows = _LayerRows(layer, knots, numbers, first)
        drop[numbers] = rows.constant
        check_boundary = depth == 0 and bool(boundary)
        suspects = np.flatnonzero(rows.near_another | check_boundary)
        known: dict[Name, int] = {}
        for place in suspects.tolist():
            name = rows.name(place)
            number = int(numbers[place])
            family[number] = known.setdefault(name, number)
            drop[number] |= check_boundary and name in boundary
    return family, drop


def _knots_by_layer(layers: tuple[Layer, ...], knots: Knots) -> Iterator[tuple[Layer, IntArray, int]]:
    """Each layer with the numbers of its knots, and the first of its rows among all."""
    first = 0
    for layer in layers:
        inside = (knots.upper >= first) & (knots.upper < first + layer.n_rows)
        yield layer, np.flatnonzero(inside), first
        first += layer.n_rows


class _LayerRows:
    """The functions of one layer's knots over the layer's inputs."""

    def __init__(self, layer: Layer, knots: Knots, numbers: IntArray, first: int) -> None:
        self._layer = layer
        self._upper = knots.upper[numbers] - first
        self._lower = np.where(knots.lower[numbers] >= 0, knots.lower[numbers] - first, -1)
        self._position = knots.position[numbers]
        self._directions()

    def _directions(self) -> None:
        """Tell which rows are zero, and which are parallel to another one as far as floats can see."""
        # A row and its offset against fixed random vectors: parallel functions have equal quotients.
        probes = np.random.default_rng(1).uniform(0.5, 1.0, (self._layer.n_in, 2))
        paired = (self._lower >= 0)[:, None]
        with np.errstate(all="ignore"):  # what overflows or vanishes is vague
            product = times(self._layer.matrix, probes)
            sizes = times(self._layer.sizes, probes)
            value = product[self._upper] - np.where(paired, product[self._lower], 0.0)
            size = sizes[self._upper] + np.where(paired, sizes[self._lower], 0.0)
            # Both bounds are generous: a suspect too many costs an exact comparison, no more.
            noise = (self._layer.n_in + 16) * (2.0**-50 * size + 2.0**-1022)
            vague: BoolArray = np.asarray(~(np.abs(value) > 4.0 * noise).all(axis=1))
            quotient = value[:, 1] / value[:, 0]
            spread = 4.0 * (noise[:, 1] / np.abs(value[:, 1]) + noise[:, 0] / np.abs(value[:, 0]))
        quotient[vague], spread[vague] = 0.0, 0.0
        self.near_another = vague.copy()
        order = np.argsort(quotient[~vague])
        clear = np.flatnonzero(~vague)[order]
        low = quotient[clear] - np.abs(quotient[clear]) * spread[clear]
        high = quotient[clear] + np.abs(quotient[clear]) * spread[clear]
        reach_left = np.maximum.accumulate(high)[:-1]
        reach_right = np.minimum.accumulate(low[::-1])[::-1][1:]
        self.near_another[clear[1:]] |= reach_left >= low[1:]
        self.near_another[clear[:-1]] |= reach_right <= high[:-1]
        self.constant = np.zeros(len(vague), dtype=np.bool_)
        for place in np.flatnonzero(vague).tolist():
            self.constant[place] = all(column == self._layer.n_in for column, _ in self.name(place))

    def name(self, place: int) -> Name:
        """Exact hyperplane of a knot over the layer's inputs; the offset has place `n_in`."""
        layer = self._layer
        entries = {column: as_fraction(value) for column, value in _row(layer, int(self._upper[place]))}
        offset = as_fraction(float(layer.bias[self._upper[place]])) - as_fraction(
            float(self._position[place])
        )
        lower = int(self._lower[place])
        if lower >= 0:
            for column, value in _row(layer, lower):
                entries[column] = entries.get(column, as_fraction(0.0)) - as_fraction(value)
            offset -= as_fraction(float(layer.bias[lower]))
        entries[layer.n_in] = offset
        scale = math.lcm(*(value.denominator for value in entries.values()))
        return _name((column, int(value * scale)) for column, value in sorted(entries.items()))


def _row(layer: Layer, row: int) -> Iterator[tuple[int, float]]:
    """Nonzero weights of a row, with their places."""
    if isinstance(layer.matrix, np.ndarray):
        places = np.flatnonzero(layer.matrix[row])
        yield from zip(places.tolist(), layer.matrix[row, places].tolist(), strict=True)
        return
    some = slice(int(layer.matrix.indptr[row]), int(layer.matrix.indptr[row + 1]))
    yield from zip(layer.matrix.indices[some].tolist(), layer.matrix.data[some].tolist(), strict=True)


def _name(entries: Iterator[tuple[int, int]]) -> Name:
    """One name for a row and all its multiples, negative ones too."""
    found = [(place, entry) for place, entry in entries if entry]
    divisor = math.gcd(*(entry for _, entry in found)) or 1
    sign = -1 if found and found[0][1] < 0 else 1
    return tuple((place, sign * entry // divisor) for place, entry in found)
