"""Which pieces hold a point: its activation code, and membership in closed regions, decided exactly.

Float64 with a running error bound decides almost every unit; points where it
cannot are evaluated again in exact dyadic arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from polyspline.cpa.layers import Layer
from polyspline.cpa.matrices import BoolArray, FloatArray, IntArray
from polyspline.cpa.units import ScalarUnit
from solvers.predicates.rounding import ROUNDOFF, SAFETY
from solvers.predicates.steps import Enclosed, affine_step, unit_step

if TYPE_CHECKING:
    from fractions import Fraction

    from solvers.rational import DyadicMatrix


@dataclass(frozen=True, eq=False)
class ClosedPieces:
    """Pieces of every unit whose closure holds the unit's pre-activations, for some points.

    Attributes
    ----------
    low, high
        Lowest and highest such piece, (B, N) each, in code order; of a scalar unit they differ,
        by one, exactly where its pre-activation is on a knot.
    largest
        Which members of the max groups are the maximum, (B, M), one group's members after another's.
    member_start
        Where each unit's members start among the M; -1 for scalar units, (N,).
    """

    low: IntArray
    high: IntArray
    largest: BoolArray
    member_start: IntArray

    @property
    def on_knot(self) -> BoolArray:
        """Whether each point is on a knot of some unit, (B,)."""
        return np.asarray((self.low != self.high).any(axis=1))

    def hold(self, code: npt.NDArray[np.integer]) -> BoolArray:
        """Whether every piece of a code (N,) or of one code for each point (B, N) holds its point, (B,)."""
        held = ((self.low <= code) & (code <= self.high)).all(axis=1)
        groups = np.flatnonzero(self.member_start >= 0)
        if len(groups):
            # A code out of range was refused above; the member looked up for it does not matter.
            members = self.member_start[groups] + np.clip(code, self.low, self.high)[:, groups]
            held &= np.take_along_axis(self.largest, members, axis=1).all(axis=1)
        return np.asarray(held)

    def choices(self, point: int, unit: int) -> list[int]:
        """Pieces of one unit that hold one point, ascending."""
        pieces = range(int(self.low[point, unit]), int(self.high[point, unit]) + 1)
        first = int(self.member_start[unit])
        return [piece for piece in pieces if first < 0 or self.largest[point, first + piece]]


def code_of(layers: Sequence[Layer], z: FloatArray) -> IntArray:
    """Activation codes of points; on a knot, the lower piece.

    Parameters
    ----------
    layers : sequence of Layer
    z : ndarray of float64, shape (B, S)
        Finite.

    Returns
    -------
    ndarray of int64, shape (B, N)

    Notes
    -----
    Guarantee: exact, for the network whose weights are the float64 numbers as given.

    Algorithm: as `closed_pieces`, of which it is the lowest.
    """
    return closed_pieces(layers, z).low


def closed_pieces(layers: Sequence[Layer], z: FloatArray) -> ClosedPieces:
    """Pieces of every unit whose closure holds the unit's pre-activations at z.

    The closed region of a code holds z if and only if z is in the domain and every entry of the
    code is such a piece: as units are continuous, a forward pass with the pieces of the code
    forced passes through the same values as an unforced one for as long as the forced pieces
    hold these values.

    Parameters
    ----------
    layers : sequence of Layer
    z : ndarray of float64, shape (B, S)
        Finite.

    Returns
    -------
    ClosedPieces

    Notes
    -----
    Guarantee: exact, for the network whose weights are the float64 numbers as given.

    Algorithm: a forward pass in float64 carries, for every neuron, a bound of its error; a
    point with a unit whose distance from a knot does not exceed its bound is evaluated again,
    exactly. The cost is some three forward passes, and milliseconds for each undecided point.
    """
    with np.errstate(all="ignore"):  # overflow shows as a bound that decides nothing
        found, decided = _filtered(layers, z)
    undecided = np.flatnonzero(~decided)
    if len(undecided):
        for point in undecided:
            found.low[point], found.high[point], found.largest[point], _ = _exactly(layers, z[point])
    return found


def code_of_exactly(layers: Sequence[Layer], z: FloatArray) -> IntArray:
    """Activation code of one point by exact arithmetic alone.

    Parameters
    ----------
    layers : sequence of Layer
    z : ndarray of float64, shape (S,)
        Finite.

    Returns
    -------
    ndarray of int64, shape (N,)

    Notes
    -----
    Guarantee: exact. The integers grow by some 53 bits a layer and the cost with them.
    """
    return _exactly(layers, z)[0]


def values_exactly(layers: Sequence[Layer], z: FloatArray) -> list[Fraction]:
    """Values of the network at one point (S,), exact, as D rationals.

    Notes
    -----
    Guarantee: exact, at the cost of `code_of_exactly`.
    """
    from fractions import Fraction

    value = _exactly(layers, z)[3]
    return [entry * Fraction(2) ** value.exponent for entry in _column(value)]


# ---- float64


def _filtered(layers: Sequence[Layer], z: FloatArray) -> tuple[ClosedPieces, BoolArray]:
    """Pieces from float64, and for each point whether all of them are proven."""
    # Neurons first: the axes of the steps.
    inputs = Enclosed(z.T, np.zeros_like(z.T), z.T != 0.0)
    decided = np.ones(len(z), dtype=np.bool_)
    lows, highs, members = [], [], []
    for layer in layers:
        before = affine_step(layer.matrix, layer.bias, inputs, sizes=layer.sizes, entries=layer.pattern)
        shape = (layer.n_out, len(z))
        value, error, live = np.empty(shape), np.empty(shape), np.empty(shape, dtype=np.bool_)
        low, high = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        largest = np.zeros((layer.n_rows, len(z)), dtype=np.bool_)
        for unit, where, rows in layer.scalar_kinds:
            mine = Enclosed(before.value[rows], before.error[rows], before.live[rows])
            low[where], high[where], sure = _sides(unit, mine.value, mine.error)
            decided &= sure.all(axis=0)
            value[where], error[where], live[where] = _through_unit(unit, mine, low[where], sure)
        for group, where, rows in layer.group_kinds:
            v, e = before.value[rows], before.error[rows]
            tied, sure = _largest_members(v, e)
            decided &= sure.all(axis=0)
            low[where] = np.argmax(tied, axis=1)
            high[where] = group.n_pieces - 1 - np.argmax(tied[:, ::-1], axis=1)
            largest[rows] = tied
            chosen = low[where][:, None]
            value[where] = np.take_along_axis(v, chosen, 1)[:, 0]
            # Maxima of two lists differ by no more than the lists do.
            own = np.take_along_axis(e, chosen, 1)[:, 0]
            error[where] = np.where(sure, own, e.max(axis=1))
            live[where] = ~sure | np.take_along_axis(before.live[rows], chosen, 1)[:, 0]
        inputs = Enclosed(value, error, live)
        lows.append(low[layer.unit_neurons])
        highs.append(high[layer.unit_neurons])
        members.append(largest[_member_rows(layer)])
    low, high, largest = (np.ascontiguousarray(np.concatenate(part).T) for part in (lows, highs, members))
    found = ClosedPieces(low, high, largest, _member_start(layers))
    return found, decided


def _sides(unit: ScalarUnit, v: FloatArray, e: FloatArray) -> tuple[IntArray, IntArray, BoolArray]:
    """Lowest and highest piece of values known up to bounds, and whether they are proven.

    A value is on one side of a knot for certain if it is farther from it than its error, where
    `SAFETY` outweighs the rounding of the difference, which is relative; an exact one compares exactly.
    """
    sure = np.isfinite(v) & np.isfinite(e)
    below = np.zeros(v.shape, dtype=np.int64)
    upto = np.zeros(v.shape, dtype=np.int64)
    for knot in unit.knots:
        sure &= (np.abs(v - knot) > SAFETY * e) | (e == 0)
        below += v > knot
        upto += v >= knot
    return below, upto, sure


def _through_unit(unit: ScalarUnit, before: Enclosed, pieces: IntArray, sure: BoolArray) -> Enclosed:
    """Values of a scalar unit at what is known up to an error."""
    slope, offset = np.asarray(unit.slopes)[pieces], np.asarray(unit.offsets)[pieces]
    return unit_step(before, slope, offset, proven=sure, steepest=max(map(abs, unit.slopes)))


def _largest_members(values: FloatArray, bounds: FloatArray) -> tuple[BoolArray, BoolArray]:
    """Which members (n, members, B) are the maximum of each group, and whether that is proven, (n, B).

    The top exceeds another member for certain if the difference, which rounds by u of the sizes, exceeds
    both errors; members that are exact compare exactly. NaN and infinity prove nothing.
    """
    highest = np.argmax(values, axis=1)[:, None]
    top, slack = np.take_along_axis(values, highest, 1), np.take_along_axis(bounds, highest, 1)
    apart = top - values > SAFETY * (slack + bounds + ROUNDOFF * (np.abs(top) + np.abs(values)))
    proven = apart | ((slack == 0) & (bounds == 0))
    np.put_along_axis(proven, highest, True, 1)
    finite = np.isfinite(values) & np.isfinite(bounds)
    return values == top, np.asarray((proven & finite).all(axis=1))


def _member_rows(layer: Layer) -> IntArray:
    """Rows of a layer that are members of max groups, ascending."""
    return np.flatnonzero(np.repeat(layer.is_group, np.diff(layer.row_start)))


def _member_start(layers: Sequence[Layer]) -> IntArray:
    """Where each unit's members start among those of all groups; -1 for scalar units."""
    rows = [np.diff(layer.row_start)[layer.unit_neurons] for layer in layers]
    sizes = np.concatenate([np.empty(0, dtype=np.int64), *rows])
    members = np.where(sizes > 1, sizes, 0)
    return np.where(sizes > 1, np.cumsum(members) - members, -1)


# ---- exact


def _exactly(layers: Sequence[Layer], z: FloatArray) -> tuple[IntArray, IntArray, BoolArray, DyadicMatrix]:
    """Lowest and highest pieces (N,), largest members (M,) and values (D, 1) of one point, all exact."""
    # Here, so that reading a network does not load exact arithmetic.
    from polyspline.cpa.exact import exact_network
    from solvers.rational import DyadicMatrix

    net = exact_network(tuple(layers))
    value = DyadicMatrix.from_array(z[:, None])
    lows, highs, members = [], [], []
    for depth, layer in enumerate(layers):
        before = net.weight(depth).matmul(value).add(DyadicMatrix.from_array(layer.bias[:, None]))
        low, high, largest = _exact_sides(layer, before)
        lows.append(low[layer.unit_neurons])
        highs.append(high[layer.unit_neurons])
        members.append(largest[_member_rows(layer)])
        slopes, offsets = layer.unit_tables
        outputs = np.arange(layer.n_out)
        chosen = before.take_rows(layer.chosen_rows(low))
        shift = DyadicMatrix.from_array(offsets[outputs, low][:, None])
        value = chosen.scale_rows(slopes[outputs, low]).add(shift)
    return np.concatenate(lows), np.concatenate(highs), np.concatenate(members), value


def _exact_sides(layer: Layer, before: DyadicMatrix) -> tuple[IntArray, IntArray, BoolArray]:
    """Lowest and highest piece of every output, and which rows are the maximum of their group."""
    from solvers.rational import DyadicMatrix

    low = np.zeros(layer.n_out, dtype=np.int64)
    high = np.zeros(layer.n_out, dtype=np.int64)
    largest = np.zeros(layer.n_rows, dtype=np.bool_)
    for unit, where, rows in layer.scalar_kinds:
        mine = before.take_rows(rows)
        for knot in unit.knots:
            above = _column(mine.add(DyadicMatrix.from_array(np.full((len(rows), 1), -knot))))
            low[where] += np.array([value > 0 for value in above], dtype=np.int64)
            high[where] += np.array([value >= 0 for value in above], dtype=np.int64)
    for _, where, rows in layer.group_kinds:
        for output, first, members in zip(where, rows[:, 0], rows, strict=True):
            values = _column(before.take_rows(members))
            tied = np.array([value == max(values) for value in values], dtype=np.bool_)
            largest[first : first + len(tied)] = tied
            low[output], high[output] = np.flatnonzero(tied)[[0, -1]]
    return low, high, largest


def _column(matrix: DyadicMatrix) -> list[int]:
    return [matrix.row(i)[0] for i in range(matrix.shape[0])]
