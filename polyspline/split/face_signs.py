"""On which side of every unit's pieces, and of the domain's rows, a vertex is: exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.exact import ExactNetwork
from polyspline.cpa.units import MaxGroup, Unit
from polyspline.domains import Domain
from polyspline.network import Network
from polyspline.split.cells import Point
from solvers.rational import DyadicMatrix, integer_matrix

_FACES_AT_ONCE = 4096


class SignTable:
    """The columns of sign vectors, and their entries at points.

    Attributes
    ----------
    units
        (C + m,) unit that each column is of, -1 for the m rows of the domain.
    """

    def __init__(self, net: Network, domain: Domain) -> None:
        self._exact = ExactNetwork(net.layers)
        normals, sides = domain.rows()
        self._domain = DyadicMatrix.from_array(np.hstack([-normals, sides[:, None]]))
        widths = [_n_columns(kind) for depth in range(len(net.layers)) for _, _, kind in self._units(depth)]
        owners = np.repeat(np.arange(len(widths)), widths)
        self.units = np.concatenate([owners, np.full(len(sides), -1)]).astype(np.int64)

    def _units(self, depth: int) -> Iterator[tuple[int, int, Unit]]:
        """Units of a layer: their number in the code, their first row, what they are."""
        layer = self._exact.layers[depth]
        for i, output in enumerate(layer.unit_neurons.tolist()):
            yield self._exact.unit_start[depth] + i, int(layer.row_start[output]), layer.units[output]

    def at(self, code: NDArray[np.int64], points: Sequence[Point]) -> NDArray[np.int8]:
        """Signs (n, C + m) at points of the closed region of a code.

        Notes
        -----
        Guarantee: exact. Algorithm: the true affine functions of the code, in integers, at the points
        over their common denominators: one integer matrix product for each layer.
        """
        scales = [math.lcm(*(x.denominator for x in point)) for point in points]
        lifted = [
            [*(int(x * scale) for x in point), scale] for point, scale in zip(points, scales, strict=True)
        ]
        places = DyadicMatrix(integer_matrix(lifted, len(points[0]) + 1).transpose(), 0)
        columns: list[list[int]] = []
        for depth, functions in enumerate(self._exact.forward(code)):
            values = functions.matmul(places)
            for unit, row, kind in self._units(depth):
                if isinstance(kind, MaxGroup):
                    largest = values.row(row + int(code[unit]))
                    members = (values.row(row + i) for i in range(kind.n_rows))
                    columns.extend(_signs_of_differences(mine, largest) for mine in members)
                else:
                    mine = values.row(row)
                    columns.extend(_signs_above(mine, values.exponent, knot, scales) for knot in kind.knots)
        inside = self._domain.matmul(places)
        nothing = [0] * len(points)
        columns.extend(_signs_of_differences(inside.row(i), nothing) for i in range(inside.shape[0]))
        return np.array(columns, np.int8).reshape(len(columns), len(points)).T


def _n_columns(kind: Unit) -> int:
    return kind.n_rows if isinstance(kind, MaxGroup) else kind.n_knots


def _signs_above(values: Sequence[int], exponent: int, knot: float, scales: Sequence[int]) -> list[int]:
    """Signs of ``values * 2**exponent / scales - knot``."""
    if knot == 0.0:
        return _signs_of_differences(values, [0] * len(scales))
    place = Fraction(knot) / Fraction(2) ** exponent
    scaled = [place.denominator * value for value in values]
    return _signs_of_differences(scaled, [place.numerator * scale for scale in scales])


def _signs_of_differences(left: Sequence[int], right: Sequence[int]) -> list[int]:
    return [(a > b) - (a < b) for a, b in zip(left, right, strict=True)]


def signs_of_faces(table: NDArray[np.int8], faces: Sequence[tuple[int, ...]]) -> NDArray[np.int8]:
    """Signs (F, C) of faces from those (V, C) of vertices; no face has some on opposite sides."""
    found = np.zeros((len(faces), table.shape[1]), np.int8)
    for first in range(0, len(faces), _FACES_AT_ONCE):
        some = faces[first : first + _FACES_AT_ONCE]
        corners = table[np.array([vertex for face in some for vertex in face], np.int64)]
        start = np.cumsum([0, *(len(face) for face in some)])[:-1]
        highest = np.maximum.reduceat(corners, start, axis=0)
        lowest = np.minimum.reduceat(corners, start, axis=0)
        found[first : first + len(some)] = np.where(highest > 0, highest, lowest)
    return found
