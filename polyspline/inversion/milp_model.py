"""An inversion as a mixed-integer linear program: the units, the distance, and tangent cuts.

A unit that its range does not decide takes one binary for each knot within the range. Its
pre-activation is the lower end of the range plus the lengths of the pieces filled so far, and a
piece is entered only when the one before it is full (the incremental formulation). The ranges
are the certified ones as they come: there is no other large constant in the program. A max group
comes written out as comparisons (see `comparisons`): a binary for each that is open, with the range
of the difference of two members as its constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyspline.cpa.affine import layer_values
from polyspline.cpa.layers import Layer
from polyspline.cpa.matrices import times
from polyspline.cpa.units import ScalarUnit
from polyspline.domains import Box, Domain
from polyspline.errors import ArgumentError, InvariantError, MissingExtraError
from polyspline.inversion.norms import Norm
from polyspline.inversion.problem import InversionProblem
from solvers.errors import SolverInputError
from solvers.milp import Backend, SolverMissingError, find_backend
from solvers.milp.program import MixedProgram, ProgramBuilder

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Range = tuple[Floats, Floats]

_SHORT = 2
"""Most entries of a row that is written where it is used, and takes no column."""


def backend_of(name: str | None) -> Backend:
    """Back-end of a name, its errors in our words.

    Raises
    ------
    ArgumentError
        If there is no such solver; the message names those that are available.
    MissingExtraError
        If it is not installed.
    """
    try:
        return find_backend(name)
    except SolverMissingError as missing:
        raise MissingExtraError(str(missing)) from missing
    except SolverInputError as unknown:
        raise ArgumentError(str(unknown)) from unknown


@dataclass(frozen=True, eq=False)
class AffineValues:
    """Values that are affine in some columns: ``matrix @ x[columns] + offset``."""

    columns: Integers
    matrix: Floats
    offset: Floats


@dataclass(frozen=True, eq=False)
class UnitColumns:
    """Columns of one neuron.

    Attributes
    ----------
    neuron
        Which of its layer.
    ends
        Lower end of the range, the knots within it, upper end.
    filled
        Columns of the filled lengths of the pieces; for a decided unit one column, the
        pre-activation itself.
    entered
        Binary columns, one for each knot: whether the piece beyond it is entered.
    """

    neuron: int
    ends: Floats
    filled: Integers
    entered: Integers


class NetworkRows:
    """Columns and rows of a network over a domain, its input and its output.

    Parameters
    ----------
    builder
        Where they go.
    layers
        Of scalar units, see `comparisons`.
    domain
        Bounded.
    ranges
        Certified range of every pre-activation, layer by layer.
    cost
        (S,) of the input in the objective; None for nothing.

    Attributes
    ----------
    z
        Columns of the input.
    value
        The output.
    """

    def __init__(
        self,
        builder: ProgramBuilder,
        layers: tuple[Layer, ...],
        domain: Domain,
        ranges: tuple[Range, ...],
        cost: Floats | None = None,
    ) -> None:
        self._builder = builder
        self._layers = layers
        price = np.zeros(domain.dim) if cost is None else cost
        ends = zip(*domain.bounds(), price.tolist(), strict=True)
        self.z: Integers = np.concatenate(
            [builder.columns([low], [high], cost=each) for low, high, each in ends]
        )
        if not isinstance(domain, Box):
            for normal, side in zip(*domain.rows(), strict=True):
                builder.row(self.z, normal, upper=float(side))
        self.units: list[list[UnitColumns]] = []
        self.value = AffineValues(self.z, np.eye(len(self.z)), np.zeros(len(self.z)))
        for depth, (layer, (low, high)) in enumerate(zip(layers, ranges, strict=True)):
            self.value = self._layer(layer, self.value, low, high, last=depth == len(layers) - 1)

    def _layer(
        self, layer: Layer, before: AffineValues, low: Floats, high: Floats, *, last: bool
    ) -> AffineValues:
        """Add one layer, and return its values."""
        matrix = times(layer.matrix, before.matrix)
        offset = times(layer.matrix, before.offset) + layer.bias
        own: list[UnitColumns] = []
        terms: list[tuple[Integers, Floats, float]] = []
        for i, unit in _scalar_units(layer):
            knots = [knot for knot in unit.knots if low[i] < knot < high[i]]
            first = _piece_at(unit, low[i], high[i])
            slopes = np.array(unit.slopes[first : first + len(knots) + 1])
            if not knots and (last or slopes[0] == 0.0 or np.count_nonzero(matrix[i]) <= _SHORT):
                # No column: a constant, a value that nothing follows, or one that is as short itself.
                terms.append(
                    (before.columns, slopes[0] * matrix[i], slopes[0] * offset[i] + unit.offsets[first])
                )
                continue
            columns = self._unit(i, knots, (low[i], high[i]), before, matrix[i], float(offset[i]))
            own.append(columns)
            start = unit.offsets[first] if not knots else slopes[0] * low[i] + unit.offsets[first]
            terms.append((columns.filled, slopes, start))
        self.units.append(own)
        return _gathered(terms)

    def _unit(
        self,
        neuron: int,
        knots: list[float],
        ends: tuple[float, float],
        before: AffineValues,
        row: Floats,
        offset: float,
    ) -> UnitColumns:
        """Add the columns of one neuron and the rows that bind them."""
        builder = self._builder
        places = np.array([ends[0], *knots, ends[1]])
        if not knots:
            filled = builder.columns([ends[0]], [ends[1]])
            entered = np.zeros(0, dtype=np.int64)
            base = 0.0
        else:
            filled = builder.columns(np.zeros(len(places) - 1), np.diff(places))
            entered = builder.columns(np.zeros(len(knots)), np.ones(len(knots)), integer=True)
            base = ends[0]
        builder.row(
            np.concatenate([before.columns, filled]),
            np.concatenate([row, -np.ones(len(filled))]),
            lower=base - offset,
            upper=base - offset,
        )
        lengths = np.diff(places)
        for k in range(len(knots)):
            builder.row([filled[k], entered[k]], [1.0, -lengths[k]], lower=0.0)
            builder.row([filled[k + 1], entered[k]], [1.0, -lengths[k + 1]], upper=0.0)
        return UnitColumns(neuron, places, filled, entered)

    def place(self, point: Floats, z: Floats) -> None:
        """Set the columns of the network in a point (n,) to what they are at a latent point."""
        point[self.z] = z
        for (v, _), own in zip(layer_values(self._layers, z[None]), self.units, strict=True):
            for columns in own:
                at = v[0, columns.neuron]
                if not len(columns.entered):
                    point[columns.filled] = at
                    continue
                lengths = np.diff(columns.ends)
                point[columns.filled] = np.clip(at - columns.ends[:-1], 0.0, lengths)
                point[columns.entered] = at >= columns.ends[1:-1]


def _scalar_units(layer: Layer) -> Iterator[tuple[int, ScalarUnit]]:
    """Units of a layer, each with its number."""
    for i, unit in enumerate(layer.units):
        if not isinstance(unit, ScalarUnit):
            raise InvariantError("a mixed-integer program takes max groups written out as comparisons.")
        yield i, unit


def _piece_at(unit: ScalarUnit, low: float, high: float) -> int:
    """Piece just above the lower end of a range; at its upper end if no knot is within."""
    knots = np.asarray(unit.knots)
    if np.any((knots > low) & (knots < high)):
        return int(np.searchsorted(knots, low, side="right"))
    return int(np.searchsorted(knots, high, side="left"))


def _gathered(terms: list[tuple[Integers, Floats, float]]) -> AffineValues:
    """Values of several neurons over all columns that any of them uses."""
    columns = np.unique(np.concatenate([where for where, _, _ in terms]))
    matrix = np.zeros((len(terms), len(columns)))
    for row, (where, coefficients, _) in enumerate(terms):
        matrix[row, np.searchsorted(columns, where)] = coefficients
    return AffineValues(columns, matrix, np.array([offset for _, _, offset in terms]))


class InversionProgram:
    """The program of an inversion, whose optimum bounds the distance from below.

    For L1 and L∞ the objective is the distance itself; for L2 its square, approximated from
    below by tangents of the square of every coordinate of the residual.

    Parameters
    ----------
    problem
        What is inverted.
    ranges
        Certified range of every pre-activation of its scalar layers, layer by layer.
    cutoff
        Points farther than this do not matter: a row says so, and it bounds every coordinate
        of the residual. Positive.
    """

    def __init__(self, problem: InversionProblem, ranges: tuple[Range, ...], cutoff: float) -> None:
        self.problem = problem
        self.cutoff = cutoff
        self._builder = ProgramBuilder()
        self._network = NetworkRows(self._builder, problem.scalar_layers, problem.domain, ranges)
        {Norm.L1: self._sum, Norm.LINF: self._largest, Norm.L2: self._squares}[problem.norm]()

    @property
    def objective_cutoff(self) -> float:
        """The cutoff as the objective counts: squared for L2."""
        return self.cutoff**2 if self.problem.norm is Norm.L2 else self.cutoff

    def program(self) -> MixedProgram:
        """Return the program with all cuts so far."""
        return self._builder.program()

    def latent(self, point: Floats) -> Floats:
        """Latent point (S,) of a point (n,) of the program."""
        return point[self._network.z]

    def residual(self, point: Floats) -> Floats:
        """Residual (T,) as the program has it at a point (n,)."""
        value = self._network.value
        return self.problem.target - (value.matrix @ point[value.columns] + value.offset)

    def point_of(self, z: Floats) -> Floats:
        """Point (n,) of the program that stands for a latent point (S,)."""
        point = np.zeros(self._builder.n_columns)
        self._network.place(point, z)
        residual = self.problem.target - self.problem.image(z)
        if self.problem.norm is Norm.L1:
            point[self._above], point[self._below] = np.maximum(residual, 0.0), np.maximum(-residual, 0.0)
        elif self.problem.norm is Norm.LINF:
            point[self._residual], point[self._distance] = residual, np.max(np.abs(residual))
        else:
            point[self._residual], point[self._square] = residual, residual**2
        return point

    # ---- the distance

    def _sum(self) -> None:
        """L1: the residual as the difference of two columns, both counted."""
        width = len(self.problem.target)
        end = np.full(width, self.cutoff)
        self._above = self._builder.columns(np.zeros(width), end, cost=1.0)
        self._below = self._builder.columns(np.zeros(width), end, cost=1.0)
        for i in range(width):
            self._output(i, [self._above[i], self._below[i]], [1.0, -1.0])
        both = np.concatenate([self._above, self._below])
        self._builder.row(both, np.ones(len(both)), upper=self.cutoff)

    def _largest(self) -> None:
        """L∞: one column above the size of every coordinate."""
        distance = self._builder.columns([0.0], [self.cutoff], cost=1.0)
        self._distance = int(distance[0])
        self._add_residual()
        for column in self._residual:
            self._builder.row([column, self._distance], [1.0, -1.0], upper=0.0)
            self._builder.row([column, self._distance], [1.0, 1.0], lower=0.0)

    def _squares(self) -> None:
        """L2: a column for each square, above tangents at a few places to begin with."""
        width = len(self.problem.target)
        self._add_residual()
        self._square = self._builder.columns(np.zeros(width), np.full(width, self.cutoff**2), cost=1.0)
        self._builder.row(self._square, np.ones(width), upper=self.cutoff**2)
        typical = self.cutoff / np.sqrt(width)
        for factor in (-4.0, -2.0, -1.0, -0.5, 0.5, 1.0, 2.0, 4.0):
            if abs(factor) * typical < self.cutoff:
                self.cut(np.full(width, factor * typical))

    def _add_residual(self) -> None:
        width = len(self.problem.target)
        end = np.full(width, self.cutoff)
        self._residual = self._builder.columns(-end, end)
        for i in range(width):
            self._output(i, [self._residual[i]], [1.0])

    def _output(self, i: int, columns: list[int], coefficients: list[float]) -> None:
        """Row ``output + coefficients . columns = target`` of one coordinate."""
        value = self._network.value
        side = float(self.problem.target[i] - value.offset[i])
        self._builder.row(
            np.concatenate([value.columns, np.array(columns, dtype=np.int64)]),
            np.concatenate([value.matrix[i], np.array(coefficients)]),
            lower=side,
            upper=side,
        )

    def cut(self, residual: Floats) -> None:
        """Add the tangents of the squares at a residual (T,): ``t >= 2 p r - p^2``."""
        for square, column, p in zip(self._square, self._residual, residual.tolist(), strict=True):
            if p != 0.0:
                self._builder.row([square, column], [1.0, -2.0 * p], lower=-(p**2))

    def missing(self, point: Floats) -> float:
        """How much the tangents so far leave of the sum of squares at a point (n,) of the program."""
        return float(np.sum(self.residual(point) ** 2) - np.sum(point[self._square]))
