"""The network in integers: pre-activations and outputs as affine functions of the latent point.

An affine function ``(a·z + β) / den`` is kept as the integer vector ``(a_1, ..., a_S, β)``; the positive
denominator is the same for all neurons of a layer, whatever the region, so it is kept once per layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from math import lcm
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tests.oracle.integers import Vector, over_common_denominator

#: (knots, slopes, offsets): on piece p the unit is ``slopes[p] * v + offsets[p]``; one piece more than knots.
UnitTable: TypeAlias = tuple[Sequence[float], Sequence[float], Sequence[float]]
#: The maximum of so many rows in turn; piece p is row p.
Members: TypeAlias = int
FloatArray: TypeAlias = npt.NDArray[np.float64]
#: weight (rows, in), bias (rows,), one table or number of members per output.
OracleLayer: TypeAlias = tuple[FloatArray, FloatArray, Sequence[UnitTable | Members]]


@dataclass(frozen=True)
class IntegerLayer:
    """One layer over common denominators."""

    weight: list[list[int]]
    bias: list[int]
    weight_den: int
    members: list[int]
    knots: list[list[int]]
    knot_den: int
    slopes: list[list[int]]
    offsets: list[list[int]]
    table_den: int

    def preactivations(self, inputs: Sequence[Vector], den: int) -> tuple[list[Vector], int]:
        """``W u + b`` for inputs ``u`` given as affine functions over ``den``."""
        columns = list(zip(*inputs, strict=True))
        forms = []
        for row, bias in zip(self.weight, self.bias, strict=True):
            form = [sum(w * entry for w, entry in zip(row, column, strict=True)) for column in columns]
            form[-1] += bias * den
            forms.append(tuple(form))
        return forms, den * self.weight_den

    def activations(
        self, forms: Sequence[Vector], den: int, pieces: Sequence[int]
    ) -> tuple[list[Vector], int]:
        """The units' outputs when output i is on ``pieces[i]``."""
        outputs = []
        for i, (rows, piece) in enumerate(zip(self.rows_of(forms), pieces, strict=True)):
            if self.members[i] > 1:
                outputs.append(tuple(self.table_den * entry for entry in rows[piece]))
                continue
            output = [self.slopes[i][piece] * entry for entry in rows[0]]
            output[-1] += self.offsets[i][piece] * den
            outputs.append(tuple(output))
        return outputs, den * self.table_den

    @property
    def is_unit(self) -> list[bool]:
        """Whether each output has a code entry."""
        return [bool(knots) or members > 1 for knots, members in zip(self.knots, self.members, strict=True)]

    @property
    def n_pieces(self) -> list[int]:
        """Number of pieces of each output."""
        return [
            members if members > 1 else len(knots) + 1
            for knots, members in zip(self.knots, self.members, strict=True)
        ]

    def rows_of(self, forms: Sequence[Vector]) -> list[Sequence[Vector]]:
        """The pre-activations of each output's unit."""
        starts = [0, *accumulate(self.members)]
        return [forms[start:stop] for start, stop in pairwise(starts)]

    def above_knot(self, neuron: int, knot: int, form: Vector, den: int) -> Vector:
        """An affine function with the sign of ``pre-activation - knot``."""
        row = [self.knot_den * entry for entry in form]
        row[-1] -= self.knots[neuron][knot] * den
        return tuple(row)


#: What stands in the place of a max group's table; it is not read.
_OF_A_GROUP: UnitTable = ((), (1.0,), (0.0,))


def _split(flat: list[int], lengths: Iterable[int]) -> list[list[int]]:
    parts, start = [], 0
    for length in lengths:
        parts.append(flat[start : start + length])
        start += length
    return parts


def integer_layers(layers: Sequence[OracleLayer]) -> list[IntegerLayer]:
    """Every layer over common denominators; nothing is rounded."""
    result = []
    for weight, bias, units in layers:
        out, width = weight.shape
        members = [unit if isinstance(unit, int) else 1 for unit in units]
        tables = [_OF_A_GROUP if isinstance(unit, int) else unit for unit in units]
        flat, weight_den = over_common_denominator([*weight.ravel().tolist(), *bias.tolist()])
        knots, knot_den = over_common_denominator([float(k) for table in tables for k in table[0]])
        table, table_den = over_common_denominator(
            [float(s) for t in tables for s in t[1]] + [float(o) for t in tables for o in t[2]]
        )
        n_pieces = [len(t[1]) for t in tables]
        assert [len(t[0]) + 1 for t in tables] == n_pieces == [len(t[2]) for t in tables]
        assert sum(members) == out == len(bias)
        result.append(
            IntegerLayer(
                weight=_split(flat[: out * width], [width] * out),
                bias=flat[out * width :],
                weight_den=weight_den,
                members=members,
                knots=_split(knots, [n - 1 for n in n_pieces]),
                knot_den=knot_den,
                slopes=_split(table[: sum(n_pieces)], n_pieces),
                offsets=_split(table[sum(n_pieces) :], n_pieces),
                table_den=table_den,
            )
        )
    return result


def identity_forms(dimension: int) -> list[Vector]:
    """The coordinates z_1 ... z_S themselves, over the denominator 1."""
    return [tuple(int(j == i) for j in range(dimension + 1)) for i in range(dimension)]


def pieces_of_layers(layers: Sequence[IntegerLayer], code: Sequence[int]) -> list[list[int]]:
    """The code spread over all neurons; identity neurons (no knots) are on piece 0 and have no code entry."""
    entries = iter(code)
    spread = [[next(entries) if is_unit else 0 for is_unit in layer.is_unit] for layer in layers]
    assert next(entries, None) is None
    return spread


def affine_form(chain: Sequence[IntegerLayer], code: Sequence[int]) -> tuple[list[Vector], int]:
    """The network's affine map for one code: integer rows (A_d, b_d) and their one denominator."""
    forms, den = identity_forms(len(chain[0].weight[0])), 1
    for layer, pieces in zip(chain, pieces_of_layers(chain, code), strict=True):
        forms, den = layer.preactivations(forms, den)
        forms, den = layer.activations(forms, den, pieces)
    return forms, den


def exact_affine(layers: Sequence[OracleLayer], code: Sequence[int]) -> list[tuple[Fraction, ...]]:
    """Rows ``(A_d1, ..., A_dS, b_d)`` of the network's affine map for one code, exactly."""
    forms, den = affine_form(integer_layers(layers), code)
    return [tuple(Fraction(entry, den) for entry in form) for form in forms]


def exact_unit_forms(layers: Sequence[OracleLayer], code: Sequence[int]) -> list[list[tuple[Fraction, ...]]]:
    """Pre-activations ``(a_1, ..., a_S, β)`` of every unit on the region of one code, exactly."""
    chain = integer_layers(layers)
    forms, den = identity_forms(len(chain[0].weight[0])), 1
    found: list[list[tuple[Fraction, ...]]] = []
    for layer, pieces in zip(chain, pieces_of_layers(chain, code), strict=True):
        forms, den = layer.preactivations(forms, den)
        for rows, is_unit in zip(layer.rows_of(forms), layer.is_unit, strict=True):
            if is_unit:
                found.append([tuple(Fraction(entry, den) for entry in form) for form in rows])
        forms, den = layer.activations(forms, den, pieces)
    return found


def exact_sides(
    chain: Sequence[IntegerLayer], point: Sequence[Fraction]
) -> tuple[list[tuple[int, ...]], list[Fraction]]:
    """Run the network at one point, exactly.

    Returns
    -------
    sides : one tuple per unit: the pieces whose closed interval holds its pre-activation
        (two when it is on a knot, else one); of a max group, the members that are largest.
    output : G(point).
    """
    den = lcm(*[entry.denominator for entry in point])
    # A point is a list of constant functions: affine in no variable, only the last entry is left.
    values: list[Vector] = [(entry.numerator * (den // entry.denominator),) for entry in point]
    sides = []
    for layer in chain:
        values, den = layer.preactivations(values, den)
        pieces = []
        for neuron, rows in enumerate(layer.rows_of(values)):
            if layer.members[neuron] > 1:
                largest = max(row[0] for row in rows)
                sides.append(tuple(piece for piece, row in enumerate(rows) if row[0] == largest))
                pieces.append(sides[-1][0])
                continue
            knots = range(len(layer.knots[neuron]))
            above = [layer.above_knot(neuron, knot, rows[0], den)[0] for knot in knots]
            pieces.append(sum(entry > 0 for entry in above))
            if knots:
                sides.append(tuple(range(pieces[-1], sum(entry >= 0 for entry in above) + 1)))
        values, den = layer.activations(values, den, pieces)
    return sides, [Fraction(value[0], den) for value in values]
