"""Affine maps and rows of many regions at once, from their codes, with bounds of their rounding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from polyspline.cpa.bounds import ROUNDOFF, SAFETY
from polyspline.cpa.knots import Knots, knots_of
from polyspline.cpa.layers import Layer, unit_starts
from polyspline.cpa.matrices import times
from polyspline.domains import Domain
from polyspline.partition import Partition

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_CHUNK_BYTES = 2**20
_FAR = 1e3


@dataclass(frozen=True, eq=False)
class RegionMaps:
    """Maps and rows of B regions, rounded, and how far they can be from the true ones.

    Attributes
    ----------
    slope, offset
        A_ω (B, T, S) and b_ω (B, T).
    error
        (B, T): no point within reach has ``A_ω z + b_ω`` farther than this from the true value.
    rows, sides
        The regions lie in ``rows @ z <= sides``, (B, M, S) and (B, M), rows of unit length, one
        for each knot and domain row; redundant ones too. Rows of zeros bound nothing.
    slack
        (B, M): points of the true region within reach violate no row by more than this.
    """

    slope: Floats
    offset: Floats
    error: Floats
    rows: Floats
    sides: Floats
    slack: Floats

    def __len__(self) -> int:
        """Return the number of regions, B."""
        return len(self.offset)

    def take(self, which: npt.NDArray[Any]) -> RegionMaps:
        """Return the maps of some of the regions."""
        return RegionMaps(
            self.slope[which],
            self.offset[which],
            self.error[which],
            self.rows[which],
            self.sides[which],
            self.slack[which],
        )


class RegionMapper:
    """Makes the maps of regions of a partition.

    Parameters
    ----------
    layers
        The layers of the partition's network, and maybe affine ones behind them.
    domain
        The partition's domain.
    reach
        (S,) bound on the coordinates of all points that the bounds of rounding speak of.

    Notes
    -----
    Algorithm: one product of matrices for each layer, all regions of a chunk at a time. The
    rounding is bounded along the way by the sizes met on each region (N. J. Higham, Accuracy and
    Stability of Numerical Algorithms, 2002, eq. 3.5).
    """

    def __init__(self, layers: tuple[Layer, ...], domain: Domain, reach: Floats) -> None:
        self.layers = layers
        self.reach = reach
        self._sizes = np.append(reach, 1.0)
        self._starts = unit_starts(layers)
        self._knots = _knots_by_layer(layers)
        normals, sides = domain.rows()
        length = np.sqrt(np.sum(normals**2, axis=1))
        usable = np.isfinite(length) & (length > 0)
        self._normals = normals[usable] / length[usable, None]
        self._sides = sides[usable] / length[usable]
        reached = np.abs(self._normals) @ reach + np.abs(self._sides)
        self._slack = 8.0 * (len(reach) + 4) * ROUNDOFF * reached
        self.n_rows = len(self._sides) + sum(len(knots.unit) for knots in self._knots)

    @property
    def chunk(self) -> int:
        """Number of regions whose maps fit the processor's cache."""
        size = len(self._sizes)
        width = max(layer.n_rows for layer in self.layers)
        return max(16, _CHUNK_BYTES // (8 * size * (4 * width + 4 * self.n_rows)))

    def maps(self, codes: npt.NDArray[Any], *, with_rows: bool = True) -> RegionMaps:
        """Return the maps of the regions of some codes (B, N); without rows, M is 0."""
        count, size = len(codes), len(self._sizes)
        rows: list[Floats] = []
        sides: list[Floats] = []
        slack: list[Floats] = []
        values = error = np.empty(0)
        for depth, layer in enumerate(self.layers):
            if depth == 0:
                start = np.hstack([layer.weight, layer.bias[:, None]])
                values = np.repeat(start[:, None, :], count, axis=1)
                error = np.zeros((layer.n_rows, count))
            else:
                values, error = self._affine(layer, values, error)
            if with_rows:
                found = self._knot_rows(self._knots[depth], codes, values, error)
                for part, whole in zip(found, (rows, sides, slack), strict=True):
                    whole.append(part)
            values, error = self._units(depth, codes, values, error)
        last = len(self._sides) if with_rows else 0
        rows.append(np.repeat(self._normals[:last, None, :], count, axis=1))
        sides.append(np.repeat(self._sides[:last, None], count, axis=1))
        slack.append(np.repeat(self._slack[:last, None], count, axis=1))
        joined = np.concatenate(rows).transpose(1, 0, 2)
        return RegionMaps(
            np.ascontiguousarray(values[:, :, : size - 1].transpose(1, 0, 2)),
            np.ascontiguousarray(values[:, :, -1].T),
            np.ascontiguousarray(error.T),
            np.ascontiguousarray(joined),
            np.ascontiguousarray(np.concatenate(sides).T),
            np.ascontiguousarray(np.concatenate(slack).T),
        )

    def _affine(self, layer: Layer, values: Floats, error: Floats) -> tuple[Floats, Floats]:
        """Pre-activations (n, B, S + 1) of a layer and their errors (n, B), from its inputs."""
        inputs, count, size = values.shape
        product = times(layer.matrix, values.reshape(inputs, count * size)).reshape(-1, count, size)
        product[:, :, -1] += layer.bias[:, None]
        spread = times(layer.sizes, np.abs(values) @ self._sizes) + np.abs(layer.bias)[:, None]
        terms = (layer.n_in + 2) * ROUNDOFF * SAFETY
        return product, (times(layer.sizes, error) + terms * spread) * SAFETY

    def _units(
        self, depth: int, codes: npt.NDArray[Any], values: Floats, error: Floats
    ) -> tuple[Floats, Floats]:
        """Apply the pieces of the codes to a layer's pre-activations."""
        layer = self.layers[depth]
        where = layer.unit_neurons
        if not len(where):
            slopes, offsets = layer.unit_tables
            if np.all(slopes[:, 0] == 1.0) and not np.any(offsets[:, 0]):
                return values, error
        slopes, offsets = layer.unit_tables
        pieces = np.zeros((layer.n_out, len(codes)), dtype=np.int64)
        pieces[where] = codes[:, self._starts[depth] : self._starts[depth + 1]].T
        outputs = np.arange(layer.n_out)[:, None]
        slope, offset = slopes[outputs, pieces], offsets[outputs, pieces]
        if layer.has_groups:
            rows, every = layer.chosen_rows(pieces.T).T, np.arange(len(codes))
            values, error = values[rows, every], error[rows, every]
        values = values * slope[:, :, None]
        values[:, :, -1] += offset
        steep = np.abs(slope)
        rounding = 4.0 * ROUNDOFF * (np.abs(values) @ self._sizes + np.abs(offset))
        # Multiplying by 0 or by 1 and adding nothing is exact.
        exact = ((steep == 0.0) | (steep == 1.0)) & (offset == 0.0)
        return values, (steep * error + np.where(exact, 0.0, rounding)) * SAFETY

    def _knot_rows(
        self, knots: Knots, codes: npt.NDArray[Any], values: Floats, error: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Rows (k, B, S), sides and slack (k, B) of a layer's knots, from its pre-activations."""
        mine, missed = values[knots.upper], error[knots.upper]
        paired = np.flatnonzero(knots.lower >= 0)
        if len(paired):
            mine[paired] -= values[knots.lower[paired]]
            missed[paired] += error[knots.lower[paired]]
        pieces = codes[:, knots.unit].T
        outward = np.where(pieces >= knots.high[:, None], -1.0, 1.0)
        # A region on neither of the two members of a group says nothing of which of them is larger.
        beside = (knots.lower < 0)[:, None] | (pieces == knots.low[:, None]) | (pieces == knots.high[:, None])
        normals = mine[:, :, :-1] * outward[:, :, None]
        sides = (knots.position[:, None] - mine[:, :, -1]) * outward
        length = np.sqrt(np.sum(normals**2, axis=2))
        # A row that rounding alone could have made bounds nothing; dropping rows enlarges the set.
        usable = np.isfinite(length) & (length * np.min(self.reach) > 1e3 * missed) & (length > 1e-150)
        usable &= beside
        inverse = np.where(usable, 1.0 / np.where(usable, length, 1.0), 0.0)
        normals *= inverse[:, :, None]
        sides = np.where(usable, sides * inverse, 1.0)
        reached = np.abs(normals) @ self.reach + np.abs(sides)
        places = np.abs(knots.position)[:, None] * inverse
        slack = (missed * inverse + 8.0 * ROUNDOFF * (reached + places)) * SAFETY
        return normals, sides, np.where(usable, slack, 0.0)


def _knots_by_layer(layers: tuple[Layer, ...]) -> list[Knots]:
    """Knots of each layer, with units numbered through the network and rows within the layer."""
    every = knots_of(layers)
    firsts = np.cumsum([0, *(layer.n_rows for layer in layers)])
    depth = np.searchsorted(firsts, every.upper, side="right") - 1
    found = []
    for number, first in enumerate(firsts[:-1]):
        mine = depth == number
        lower = np.where(every.lower[mine] >= 0, every.lower[mine] - first, -1)
        upper, position = every.upper[mine] - first, every.position[mine]
        found.append(Knots(every.unit[mine], upper, lower, position, every.low[mine], every.high[mine]))
    return found


def mapper_of(partition: Partition, layers: tuple[Layer, ...]) -> RegionMapper:
    """Mapper of a partition's regions, for the layers of its network and affine ones behind them.

    On an unbounded domain its bounds of rounding hold for points up to a thousand times as far as
    the farthest witness.
    """
    low, high = partition.domain.bounds()
    if partition.domain.bounded:
        reach = np.maximum(np.abs(low), np.abs(high))
    else:
        reach = np.full(len(low), _FAR * (1.0 + np.max(np.abs(partition.witnesses), initial=0.0)))
    return RegionMapper(layers, partition.domain, reach)


def maps_of(
    partition: Partition, mapper: RegionMapper, which: Integers, *, with_rows: bool = True
) -> RegionMaps:
    """Return the maps of the regions of some indices (B,)."""
    return mapper.maps(partition.packing.unpack(partition.packed[which]), with_rows=with_rows)
