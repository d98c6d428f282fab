"""Whether the images of two regions meet elsewhere than the regions do, decided exactly.

Guarantee: exact, for the network whose weights are the float64 numbers as given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from polyspline.cpa.exact import Row, exact_network
from polyspline.domains import Domain
from polyspline.errors import InvariantError
from polyspline.network import Network
from polyspline.partition import Partition
from polyspline.regions.exact import ExactDomain, decide_exactly
from solvers.lp.exact import maximise
from solvers.rational import DyadicMatrix, integer_matrix, nullspace, rank
from solvers.status import LPStatus

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[Any]
Point: TypeAlias = tuple[Fraction, ...]
Guess: TypeAlias = Floats | Point
Integers: TypeAlias = list[int]

_KEPT = 4096


@dataclass(frozen=True)
class Collision:
    """Two different points with the same image, exactly."""

    first: Point
    second: Point


@dataclass(frozen=True, eq=False)
class _ExactMaps:
    """Pieces and pre-activations of every layer and the outputs on one region, as affine functions of z."""

    pieces: list[npt.NDArray[np.int64]]
    before: list[DyadicMatrix]
    output: DyadicMatrix

    @cached_property
    def rows(self) -> tuple[list[Integers], int]:
        """Rows (D, S + 1) of the output as integers, and the exponent of the power of two they stand over."""
        table = [self.output.row(i) for i in range(self.output.shape[0])]
        return table, self.output.exponent


class ExactRegions:
    """Some regions in exact arithmetic; what was computed last is kept.

    Parameters
    ----------
    net, domain
        Of the regions.
    code
        Code (N,) of a region, by index.
    guess
        Point (S,), floats or rationals, that is likely to be strictly inside a region, by index.
    """

    def __init__(
        self, net: Network, domain: Domain, code: Callable[[int], Codes], guess: Callable[[int], Guess]
    ) -> None:
        self.net = net
        self._code = code
        self._guess = guess
        self._exact = exact_network(net.layers)
        normals, sides = domain.rows()
        self._domain = ExactDomain(normals, sides)
        self._radius: Floats | None = None
        if domain.bounded:
            low, high = domain.bounds()
            self._radius = np.maximum(np.abs(low), np.abs(high))
        self.maps = lru_cache(maxsize=_KEPT)(self._maps)
        self.rows = lru_cache(maxsize=_KEPT)(self._rows)

    @classmethod
    def of_partition(cls, partition: Partition) -> ExactRegions:
        """Regions of a partition."""

        def guess(region: int) -> Guess:
            return partition.exact_witnesses.get(region) or partition.witnesses[region]

        return cls(partition.net, partition.domain, partition.code, guess)

    def _maps(self, region: int) -> _ExactMaps:
        code, starts = np.asarray(self._code(region), dtype=np.int64), self._exact.unit_start
        pieces, before = [], []
        values: DyadicMatrix | None = None
        for depth in range(len(self.net.layers)):
            pieces.append(code[starts[depth] : starts[depth + 1]])
            before.append(self._exact.preactivations(depth, values))
            values = self._exact.outputs(depth, before[-1], pieces[-1])
        if values is None:
            raise InvariantError("a network has at least one layer.")
        return _ExactMaps(pieces, before, values)

    def _rows(self, region: int) -> list[Row]:
        """Rows of the facets, ``a . z + beta >= 0`` inside."""
        code = np.asarray(self._code(region), dtype=np.int64)
        guess = self._guess(region)
        found = decide_exactly(self._exact, self._domain, code, self._radius, [guess])
        return [facet.row for facet in found.facets]

    def null_direction(self, region: int) -> Integers | None:
        """Integers (S,), not all 0, that the region's slope sends to 0; None if it has rank S."""
        table, _ = self.maps(region).rows
        slope = [row[:-1] for row in table]
        width = self.net.latent_dim
        if rank(slope) == width:
            return None
        return nullspace(integer_matrix(slope, width))[0]

    def _separating(self, first: int, second: int) -> Integers:
        """Return integers (S,) along which no point of the first region is beyond one of the second.

        The first layer whose code differs has the same pre-activations on both regions. A scalar unit
        of it that differs has them on two sides of a knot; of a max group that differs, one region has
        one member as the largest, the other region another one.
        """
        ours, theirs = self.maps(first).pieces, self.maps(second).pieces
        for depth, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            differing = np.flatnonzero(mine != other)
            if len(differing):
                unit = int(differing[0])
                layer, before = self.net.layers[depth], self.maps(first).before[depth]
                neuron = int(layer.unit_neurons[unit])
                row = int(layer.row_start[neuron])
                if layer.is_group[neuron]:
                    low, high = before.row(row + int(mine[unit])), before.row(row + int(other[unit]))
                    return [b - a for a, b in zip(low[:-1], high[:-1], strict=True)]
                sign = 1 if mine[unit] < other[unit] else -1
                return [sign * entry for entry in before.row(row)[:-1]]
        raise InvariantError(f"regions {first} and {second} have the same code; please report the network.")

    def collision(self, first: int, second: int) -> Collision | None:
        """Two points, one of each region, with one image and different places along the separating row.

        Returns
        -------
        Collision or None
            None if there are none such. If all slopes have rank S, then two different points of
            the domain with one image exist if and only if some pair of regions has such points.

        Notes
        -----
        Algorithm: the points z, z' with ``A z + b = A' z' + b'`` are an affine space, which integer
        elimination gives; often the separating row is constant on it. Else one exact linear
        program maximises it over the part of the space that lies in the two regions.

        Why one program for each pair suffices: let z, z' be different with one image, d = z' - z.
        Go a little from z towards z', as little from z' towards z, and from both as far in one
        generic direction w that leads into the domain: the regions reached contain z and z'. They
        differ, or the slope would not have rank S. The row is strictly smaller at the first point
        reached than at the second. Were it equal at z and z', it would be constant along d and,
        w being the same for both, equal at the points reached.
        """
        space = self._common(first, second)
        if space is None:
            return None
        origin, directions = space
        row = self._separating(first, second)
        ahead = [*(-entry for entry in row), *row, 0]
        start, slopes = _dot(ahead, origin), [_dot(ahead, direction) for direction in directions]
        if not any(slopes) and start <= 0:
            return None
        program = self._program(first, second, origin, directions)
        if program is None:
            return None
        coordinates = _furthest(slopes, start, *program)
        if coordinates is None:
            return None
        whole = [
            sum((t * step[i] for t, step in zip(coordinates, directions, strict=True)), Fraction(base))
            for i, base in enumerate(origin)
        ]
        width = self.net.latent_dim
        return Collision(
            tuple(entry / whole[-1] for entry in whole[:width]),
            tuple(entry / whole[-1] for entry in whole[width:-1]),
        )

    def _common(self, first: int, second: int) -> tuple[Integers, list[Integers]] | None:
        """Space of all ``(z, z', 1)`` with one image, up to a factor: a point and directions, integers.

        The last entry is positive at the point and 0 in the directions; None if there is no point.
        """
        (ours, e), (theirs, f) = self.maps(first).rows, self.maps(second).rows
        low = min(e, f)
        left, right = 1 << (e - low), 1 << (f - low)
        joint = []
        for mine, other in zip(ours, theirs, strict=True):
            line = [left * entry for entry in mine[:-1]] + [-right * entry for entry in other[:-1]]
            line.append(left * mine[-1] - right * other[-1])
            joint.append(line)
        basis = nullspace(integer_matrix(joint, 2 * self.net.latent_dim + 1))
        pivot = next((vector for vector in basis if vector[-1]), None)
        if pivot is None:
            return None
        origin = pivot if pivot[-1] > 0 else [-entry for entry in pivot]
        others = [vector for vector in basis if vector is not pivot]
        directions = [
            _primitive([origin[-1] * a - vector[-1] * b for a, b in zip(vector, origin, strict=True)])
            for vector in others
        ]
        return _primitive(origin), directions

    def _program(
        self, first: int, second: int, origin: Integers, directions: list[Integers]
    ) -> tuple[list[Integers], Integers] | None:
        """Rows and sides ``rows . t <= sides`` of the part of a space within two regions; None if empty."""
        zeros = [0] * self.net.latent_dim
        stacked = [[*row[:-1], *zeros, row[-1]] for row in self.rows(first)]
        stacked += [[*zeros, *row[:-1], row[-1]] for row in self.rows(second)]
        rows: list[Integers] = []
        sides: Integers = []
        for line in stacked:
            side = _dot(line, origin)
            row = [-_dot(line, direction) for direction in directions]
            if any(row):
                rows.append(row)
                sides.append(side)
            elif side < 0:
                return None
        return rows, sides


def _furthest(slopes: Integers, start: int, rows: list[Integers], sides: Integers) -> Point | None:
    """Coordinates at which ``slopes . t + start`` is largest, or large; None if it is nowhere above 0."""
    if not slopes:
        return () if start > 0 else None
    if not rows:
        # A space without rows: any point, moved along the slopes as far as it takes.
        size = sum(entry * entry for entry in slopes)
        move = Fraction(max(1 - start, 1), size) if size else Fraction(0)
        return tuple(move * entry for entry in slopes)
    best = maximise(slopes, rows, sides)
    if best.status is LPStatus.INFEASIBLE or best.point is None:
        return None
    if best.status is LPStatus.UNBOUNDED and best.ray is not None:
        return tuple(a + b for a, b in zip(best.point, best.ray, strict=True))
    return best.point if best.value is not None and best.value + start > 0 else None


def _dot(left: Sequence[int], right: Sequence[int]) -> int:
    return sum(map(int.__mul__, left, right))


def _primitive(vector: Integers) -> Integers:
    divisor = math.gcd(*vector)
    return [entry // divisor for entry in vector] if divisor > 1 else vector
