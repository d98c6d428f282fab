"""Affine maps and rows of many regions at once, from their codes, with bounds of their rounding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from polyspline.cpa.exact import ExactNetwork, exact_network
from polyspline.cpa.knots import Knots, knots_of
from polyspline.cpa.layers import Layer, unit_starts
from polyspline.domains import Domain
from polyspline.errors import InvariantError
from polyspline.partition import Partition
from polyspline.regions.rounding import unit_length
from solvers.predicates.rounding import ROUNDOFF, SAFETY
from solvers.predicates.steps import Enclosed, absolute_term, affine_step, unit_step
from solvers.rational import DyadicMatrix

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_CHUNK_BYTES = 2**20
_FAR = 1e3
_ORDINARY = 1e-270, 1e270
"""Sums of squares in which none that matters has underflowed, and none overflowed."""


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
        The regions lie in ``rows @ z <= sides``, (B, M, S) and (B, M), rows of unit length, rounded, one
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
    Guarantee: certified; errors and slacks hold whatever the scale of the weights.

    Algorithm: one product of matrices for each layer, all regions of a chunk at a time, with the errors
    of `solvers.predicates.steps`. A region at which a product underflows by more than others round, or
    a number is too large for a float, is done again in exact arithmetic and rounded once.
    """

    def __init__(self, layers: tuple[Layer, ...], domain: Domain, reach: Floats) -> None:
        self.layers = layers
        self.reach = reach
        self._sizes = np.append(reach, 1.0)
        self._starts = unit_starts(layers)
        self._knots = _knots_by_layer(layers)
        normals, sides = domain.rows()
        nothing = np.zeros(len(sides))
        with np.errstate(all="ignore"):
            self._normals, self._sides, self._slack = self._of_unit_length(
                normals.copy(), sides.copy(), nothing
            )
        self.n_rows = len(self._sides) + sum(len(knots.unit) for knots in self._knots)

    @property
    def chunk(self) -> int:
        """Number of regions whose maps fit the processor's cache."""
        size = len(self._sizes)
        width = max(layer.n_rows for layer in self.layers)
        return max(16, _CHUNK_BYTES // (8 * size * (4 * width + 4 * self.n_rows)))

    def maps(self, codes: npt.NDArray[Any], *, with_rows: bool = True) -> RegionMaps:
        """Return the maps of the regions of some codes (B, N); without rows, M is 0."""
        with np.errstate(all="ignore"):
            found, beyond = self._rounded(codes, with_rows)
            for region in np.flatnonzero(beyond).tolist():
                self._exactly(found, region, np.asarray(codes[region], dtype=np.int64), with_rows)
        return found

    def _rounded(self, codes: npt.NDArray[Any], with_rows: bool) -> tuple[RegionMaps, Flags]:
        """Return maps from floats, and at which regions they leave the range of floats, (B,)."""
        count, size = len(codes), len(self._sizes)
        rows: list[Floats] = []
        sides: list[Floats] = []
        slack: list[Floats] = []
        beyond: Flags = np.zeros(count, dtype=np.bool_)
        state: Enclosed | None = None
        for depth, layer in enumerate(self.layers):
            if state is None:
                start = np.hstack([layer.weight, layer.bias[:, None]])
                live = np.repeat((start != 0.0).any(axis=1, keepdims=True), count, axis=1)
                values = np.repeat(start[:, None, :], count, axis=1)
                state = Enclosed(values, np.zeros((layer.n_rows, count)), live)
            else:
                state = affine_step(
                    layer.matrix, layer.bias, state, self._sizes, sizes=layer.sizes, entries=layer.pattern
                )
                beyond |= _underflows(state.error, absolute_term(layer.n_in, self._sizes))
            if with_rows:
                found = self._knot_rows(self._knots[depth], codes, state.value, state.error)
                for part, whole in zip(found, (rows, sides, slack), strict=True):
                    whole.append(part)
            state = self._units(depth, codes, state)
            beyond |= _underflows(state.error, absolute_term(0, self._sizes))
        if state is None:
            raise InvariantError("a network has at least one layer.")
        beyond |= ~(np.isfinite(state.error).all(axis=0) & np.isfinite(state.value).all(axis=(0, 2)))
        last = len(self._sides) if with_rows else 0
        rows.append(np.repeat(self._normals[:last, None, :], count, axis=1))
        sides.append(np.repeat(self._sides[:last, None], count, axis=1))
        slack.append(np.repeat(self._slack[:last, None], count, axis=1))
        joined = np.concatenate(rows).transpose(1, 0, 2)
        maps = RegionMaps(
            np.ascontiguousarray(state.value[:, :, : size - 1].transpose(1, 0, 2)),
            np.ascontiguousarray(state.value[:, :, -1].T),
            np.ascontiguousarray(state.error.T),
            np.ascontiguousarray(joined),
            np.ascontiguousarray(np.concatenate(sides).T),
            np.ascontiguousarray(np.concatenate(slack).T),
        )
        return maps, beyond

    def _units(self, depth: int, codes: npt.NDArray[Any], before: Enclosed) -> Enclosed:
        """Apply the pieces of the codes to a layer's pre-activations."""
        layer = self.layers[depth]
        where = layer.unit_neurons
        if not len(where):
            slopes, offsets = layer.unit_tables
            if np.all(slopes[:, 0] == 1.0) and not np.any(offsets[:, 0]):
                return before
        slopes, offsets = layer.unit_tables
        pieces = np.zeros((layer.n_out, len(codes)), dtype=np.int64)
        pieces[where] = codes[:, self._starts[depth] : self._starts[depth + 1]].T
        outputs = np.arange(layer.n_out)[:, None]
        if layer.has_groups:
            rows, every = layer.chosen_rows(pieces.T).T, np.arange(len(codes))
            before = Enclosed(before.value[rows, every], before.error[rows, every], before.live[rows, every])
        return unit_step(before, slopes[outputs, pieces], offsets[outputs, pieces], self._sizes)

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
        normals = mine[:, :, :-1] * outward[:, :, None]
        sides = (knots.position[:, None] - mine[:, :, -1]) * outward
        if len(paired):
            # A region on neither of the two members of a group says nothing of which of them is larger.
            low, high = knots.low[paired, None], knots.high[paired, None]
            normals[paired] *= ((pieces[paired] == low) | (pieces[paired] == high))[:, :, None]
        return self._of_unit_length(normals, sides, missed)

    def _of_unit_length(
        self, normals: Floats, sides: Floats, missed: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Scale rows (..., S), with sides and errors (...), to unit length; what tells nothing becomes zeros.

        The errors are those of the rows over all points within reach, but for one rounding of each entry.
        A row that rounding alone could have made bounds nothing; dropping rows enlarges the set.

        The arrays are overwritten.

        The argument: rows whose squares may underflow or overflow are scaled by a power of two first. The
        length is a common factor, whose rounding does not matter. Each entry is rounded when it is made
        and twice by the scaling, which `8 u` outweighs, and underflows twice at most, by half of the
        smallest subnormal, and twice that once it is divided by the length, then at least 1/2.
        """
        squares = np.einsum("...s,...s->...", normals, normals)
        extreme = np.nonzero(~((squares > _ORDINARY[0]) & (squares < _ORDINARY[1])))
        if len(extreme[0]):
            largest = np.max(np.abs(normals[extreme]), axis=-1)
            factor = np.ldexp(1.0, -np.clip(np.frexp(largest)[1], -1000, 1000))
            normals[extreme] *= factor[:, None]
            sides[extreme] *= factor
            missed[extreme] *= factor
            squares[extreme] = np.sum(normals[extreme] ** 2, axis=-1)
        length = np.sqrt(squares)
        usable = (length * np.min(self.reach) > 1e3 * missed) & (length < np.inf)
        inverse = np.zeros_like(length)
        np.divide(1.0, length, out=inverse, where=usable)
        normals *= inverse[..., None]
        sides *= inverse
        reached = np.abs(normals) @ self.reach + np.abs(sides)
        slack = (missed * inverse + 8.0 * ROUNDOFF * reached) * SAFETY + absolute_term(0, self._sizes)
        lost = np.nonzero(~(usable & (np.abs(sides) < np.inf)))
        normals[lost], sides[lost], slack[lost] = 0.0, 1.0, 0.0
        return normals, sides, slack

    def _exactly(self, found: RegionMaps, region: int, code: Integers, with_rows: bool) -> None:
        """Write the maps of one region as exact arithmetic gives them, rounded once."""
        net = exact_network(self.layers)
        values = net.preactivations(0, None)
        first = 0
        for depth, knots in enumerate(self._knots):
            if with_rows:
                for k in range(len(knots.unit)):
                    row = _exact_row(net, values, knots, k, code)
                    normal, side = (np.zeros(len(self.reach)), 1.0) if row is None else row
                    found.rows[region, first + k], found.sides[region, first + k] = normal, side
                    reached = float(np.abs(normal) @ self.reach) + abs(side)
                    slack = 8.0 * ROUNDOFF * reached * SAFETY + absolute_term(0, self._sizes)
                    found.slack[region, first + k] = 0.0 if row is None else slack
                first += len(knots.unit)
            values = net.outputs(depth, values, code[self._starts[depth] : self._starts[depth + 1]])
            if depth + 1 < len(self.layers):
                values = net.preactivations(depth + 1, values)
        table = values.to_float()
        found.slope[region], found.offset[region] = table[:, :-1], table[:, -1]
        reached = np.abs(table) @ self._sizes
        found.error[region] = 4.0 * ROUNDOFF * reached + absolute_term(0, self._sizes)


def _underflows(error: Floats, lost: float) -> Flags:
    """Whether underflow is more than half of the error of some neuron, by region: (n, B) -> (B,)."""
    return np.asarray((~(error == 0.0) & ~(error > 2.0 * lost)).any(axis=0))


def _exact_row(
    net: ExactNetwork, values: DyadicMatrix, knots: Knots, k: int, code: Integers
) -> tuple[Floats, float] | None:
    """Row and side of a knot of a layer's exact pre-activations, rounded to unit length; None for none."""
    piece = int(code[knots.unit[k]])
    row = values.row(int(knots.upper[k]))
    if knots.lower[k] >= 0:
        if piece not in (knots.low[k], knots.high[k]):
            return None
        row = [a - b for a, b in zip(row, values.row(int(knots.lower[k])), strict=True)]
    above = net.above(row, values.exponent, float(knots.position[k]))
    outward = -1 if piece >= knots.high[k] else 1
    normal, side = [outward * entry for entry in above[:-1]], -outward * above[-1]
    longest = max(map(abs, normal))
    # A side that no float holds is out of reach of all points, or the code has no region.
    if longest == 0 or abs(side) >= longest << 1000:
        return None
    return unit_length(normal, side)


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
