"""Codes of points, and the affine pieces of codes, for the local methods: vectorised, in floats.

Guarantee: rounded, codes too. Who needs a proof takes `polyspline.cpa`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from polyspline.cpa.layers import Layer
from polyspline.cpa.matrices import Matrix, nonzeros, times

Floats = npt.NDArray[np.float64]
Code = npt.NDArray[np.int64]

_DEAD = 1e-12
"""Relative size below which the slope of a pre-activation is rounding and nothing else."""


@dataclass(frozen=True, eq=False)
class Piece:
    """The affine map on a region, and the region: all of its rows, redundant ones too.

    Attributes
    ----------
    slope, offset
        The layers compute ``slope @ z + offset`` there, (T, S) and (T,).
    rows, below, above
        The region is ``below <= rows @ z <= above``, (m, S), (m,), (m,), within the domain's box.
    owners
        Neuron of each row, (m,); -1 for rows of the domain.
    """

    slope: Floats
    offset: Floats
    rows: Floats
    below: Floats
    above: Floats
    owners: Code


@dataclass(frozen=True, eq=False)
class Table:
    """One layer ``v = matrix u + bias`` and its units.

    Attributes
    ----------
    matrix, bias
        (n, m), dense or sparse, and (n,).
    lengths
        Euclidean length of each row of the matrix, (n,).
    knots
        (n, K), padded with infinity.
    slopes, offsets
        (n, K + 1), padded.
    """

    matrix: Matrix
    bias: Floats
    lengths: Floats
    knots: Floats
    slopes: Floats
    offsets: Floats


def _table(layer: Layer) -> Table:
    largest = float(np.max(nonzeros(layer.sizes), initial=0.0)) or 1.0
    squares = np.asarray(((layer.sizes / largest) ** 2).sum(axis=1), dtype=np.float64)
    return Table(layer.matrix, layer.bias, largest * np.sqrt(squares), layer.knot_table, *layer.unit_tables)


class Tables:
    """Layers as tables; codes are flat, one piece for every neuron, 0 where it has but one.

    Parameters
    ----------
    layers
        First to last, of scalar units.
    """

    def __init__(self, layers: tuple[Layer, ...]) -> None:
        self.layers = tuple(_table(layer) for layer in layers)
        self.latent_dim = layers[0].n_in
        ends = list(accumulate((layer.n_out for layer in layers), initial=0))
        self.parts = [slice(first, last) for first, last in pairwise(ends)]
        self.width = ends[-1]
        most = max(table.knots.shape[1] for table in self.layers)
        # Piece p lies between edges p and p + 1.
        self.edges = np.full((self.width, most + 2), np.inf)
        self.edges[:, 0] = -np.inf
        for table, part in zip(self.layers, self.parts, strict=True):
            self.edges[part, 1 : 1 + table.knots.shape[1]] = table.knots
        self.units = np.flatnonzero(np.isfinite(self.edges[:, 1]))

    def codes(self, points: Floats) -> Code:
        """Piece of every neuron at points, (B, S) -> (B, neurons); on a knot, one of the two."""
        found = np.empty((len(points), self.width), dtype=np.int64)
        u = points.T
        for table, part in zip(self.layers, self.parts, strict=True):
            v = times(table.matrix, u) + table.bias[:, None]
            pieces = np.sum(v[:, :, None] > table.knots[:, None, :], axis=2)
            rows = np.arange(len(v))[:, None]
            u = table.slopes[rows, pieces] * v + table.offsets[rows, pieces]
            found[:, part] = pieces.T
        return found

    def linearised(self, points: Floats) -> tuple[Floats, Floats]:
        """Values (B, T) and Jacobians (B, T, S) at points (B, S)."""
        count, size = points.shape
        u = points.T
        jacobian = np.repeat(np.eye(size)[:, None, :], count, axis=1)
        for table in self.layers:
            v = times(table.matrix, u) + table.bias[:, None]
            pieces = np.sum(v[:, :, None] > table.knots[:, None, :], axis=2)
            rows = np.arange(len(v))[:, None]
            slopes = table.slopes[rows, pieces]
            u = slopes * v + table.offsets[rows, pieces]
            moved = times(table.matrix, jacobian.reshape(-1, count * size))
            jacobian = slopes[:, :, None] * moved.reshape(-1, count, size)
        return u.T, jacobian.transpose(1, 0, 2)

    def affine(self, code: Code) -> tuple[Floats, Floats]:
        """Slope (T, S) and offset (T,) of the layers on the region of a code."""
        *_, (_, _, slope, offset) = self._forced(code)
        return slope, offset

    def piece(self, code: Code, G: Floats, h: Floats) -> Piece:
        """Affine map and rows of the region of a code; further rows ``G z <= h`` come last."""
        rows, shifts, sizes = [], [], []
        size = float(np.sqrt(self.latent_dim))
        for table, (before, shift, after, end) in zip(self.layers, self._forced(code), strict=True):
            rows.append(before)
            shifts.append(shift)
            sizes.append(size * table.lengths)
            size = float(np.sqrt(np.einsum("ij,ij->", after, after)))
            slope, offset = after, end
        alpha, beta = np.concatenate(rows)[self.units], np.concatenate(shifts)[self.units]
        # A unit whose slope has cancelled out is constant: its row would be noise.
        alive = np.sqrt(np.einsum("ij,ij->i", alpha, alpha)) > _DEAD * np.concatenate(sizes)[self.units]
        owners, alpha, beta = self.units[alive], alpha[alive], beta[alive]
        below = self.edges[owners, code[owners]] - beta
        above = self.edges[owners, code[owners] + 1] - beta
        return Piece(
            slope,
            offset,
            np.concatenate([alpha, G]),
            np.concatenate([below, np.full(len(h), -np.inf)]),
            np.concatenate([above, h]),
            np.concatenate([owners, np.full(len(h), -1, dtype=np.int64)]),
        )

    def _forced(self, code: Code) -> Iterator[tuple[Floats, Floats, Floats, Floats]]:
        """Layer by layer, the affine maps before and after the units with the pieces of a code."""
        slope, offset = np.eye(self.latent_dim), np.zeros(self.latent_dim)
        for table, part in zip(self.layers, self.parts, strict=True):
            before, shift = times(table.matrix, slope), times(table.matrix, offset) + table.bias
            rows, pieces = np.arange(len(shift)), code[part]
            chosen = table.slopes[rows, pieces]
            slope, offset = chosen[:, None] * before, chosen * shift + table.offsets[rows, pieces]
            yield before, shift, slope, offset


@lru_cache(maxsize=16)
def tables_of(layers: tuple[Layer, ...]) -> Tables:
    """Tables of layers; made once for all that walk over them."""
    return Tables(layers)
