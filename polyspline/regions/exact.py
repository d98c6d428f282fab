"""One region in exact arithmetic: what the compiled kernel leaves open is decided here.

The rows of the region are computed as integers, so that units that coincide on it, and
units that stay on their knot, are recognised. The kernel runs once more on the distinct
rows, now rounded only once; what it still cannot decide are true ties, and exact linear
programs answer those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.equilibrate import column_exponents, is_ordinary_radius
from polyspline.cpa.exact import ExactNetwork, Row, primitive
from polyspline.cpa.tables import Tables, make_row_tables
from polyspline.errors import InvariantError
from polyspline.regions.kernel import decide_bare
from solvers.integers import as_fraction, nearest_float, scaled_integer_rows
from solvers.lp.cone import FACET, REDUNDANT, UNDECIDED
from solvers.lp.exact import interior_point, maximise
from solvers.lp.inside import is_inside, rounded_inside, row_value
from solvers.lp.ties import CENTRAL, INTEGRAL
from solvers.predicates.rounding import ROUNDOFF, SMALLEST
from solvers.rational import DyadicMatrix
from solvers.status import LPStatus

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Point = tuple[Fraction, ...]
Guess = Floats | Point

_SMALL = 2**20


@dataclass(frozen=True)
class ExactFacet:
    """A facet: its row ``>= 0`` inside, the knots and domain rows on it, a point of it."""

    row: Row
    knots: tuple[int, ...]
    domain_rows: tuple[int, ...]
    point: Floats


@dataclass(frozen=True)
class ExactRegion:
    """All that is decided of one region.

    Attributes
    ----------
    witness
        (S,) rounded to floats.
    exact_witness
        The witness as rationals, where its rounding is not strictly inside; else None.
    facets
        By lowest knot, then those on the domain's boundary alone, by row.
    dead
        Whether some unit is on its knot on the whole region.
    decisions
        Number of questions that took rational arithmetic.
    """

    witness: Floats
    exact_witness: Point | None
    facets: tuple[ExactFacet, ...]
    dead: bool
    decisions: int


class ExactDomain:
    """The domain's rows as integers, ``>= 0`` inside."""

    def __init__(self, normals: Floats, sides: Floats) -> None:
        integers, _ = scaled_integer_rows(np.hstack([-normals, sides[:, None]])) if len(sides) else ([], [])
        self.rows: list[Row] = [primitive(row) for row in integers]


def unit_rows(net: ExactNetwork, code: Integers) -> tuple[dict[Row, list[int]], bool]:
    """Distinct rows ``>= 0`` of the units on a region, with their knots; and whether a unit is dead."""
    found: dict[Row, list[int]] = {}
    dead = False
    knot = 0
    index = 0
    for depth, values in enumerate(net.forward(code)):
        layer = net.layers[depth]
        for neuron in layer.unit_neurons:
            for k, _, row in net.knots_beside(depth, values, int(neuron), int(code[index])):
                if any(row[:-1]):
                    found.setdefault(row, []).append(knot + k)
                elif row[-1] == 0:
                    dead = True
            index += 1
            knot += layer.units[neuron].n_knots
    return found, dead


def _rounded(rows: list[Row], bounded: bool, radius: Floats) -> Tables:
    """Rows for the kernel: small integers as they are, others scaled to size one and rounded once.

    A rounding is a share `u` of the coefficient, one of the eight that the slack has for C + 4 sums, or
    half a smallest subnormal where it underflows, which the absolute term outweighs over the reach.
    """
    size = len(rows[0])
    array = np.empty((size, len(rows)))
    flags = np.zeros(len(rows), np.int64)
    for j, row in enumerate(rows):
        largest = max(abs(entry) for entry in row)
        if largest < _SMALL:
            array[:, j] = row
            flags[j] |= INTEGRAL
        else:
            array[:, j] = [float(Fraction(entry, largest)) for entry in row]
        if row[-1] == 0:
            flags[j] |= CENTRAL
    reach = np.append(2.0 * radius, 1.0) if bounded else np.ones(size)
    slack = 8.0 * (size + 4) * ROUNDOFF * (np.abs(array).T @ reach) + 8.0 * SMALLEST * (1.0 + np.sum(reach))
    return make_row_tables(array, slack, flags, reach, bounded=bounded)


def _interior(rows: list[Row], guesses: Sequence[Guess]) -> tuple[Point, bool]:
    """Return a strictly interior point, and whether it consists of floats."""
    for guess in guesses:
        found = _rational(guess)
        if found is not None and is_inside(rows, found):
            return rounded_inside(rows, found)
    found = interior_point([[-entry for entry in row[:-1]] for row in rows], [row[-1] for row in rows])
    if found is None:
        raise InvariantError("a region that the walk reached has no interior; please report the network.")
    return rounded_inside(rows, found)


def _rational(guess: Guess) -> Point | None:
    """Return a guess as rationals; None if it is not finite."""
    if isinstance(guess, tuple):
        return guess
    return tuple(as_fraction(float(z)) for z in guess) if np.all(np.isfinite(guess)) else None


def _exact_facet_point(k: int, rows: list[Row], live: list[int], inside: Point) -> Point | None:
    """Return a point of the relative interior of row k's facet, or None if it has none; exact."""
    side = rows[k]
    others = [j for j in live if j != k]
    normals = [[-entry for entry in rows[j][:-1]] for j in others]
    sides = [rows[j][-1] for j in others]
    # The row itself is kept above -1, so that the program is bounded in the objective.
    normals.append([-entry for entry in side[:-1]])
    sides.append(side[-1] + 1)
    outward = [-entry for entry in side[:-1]]
    solution = maximise(outward, normals, sides)
    if solution.status is not LPStatus.OPTIMAL or solution.point is None:
        raise InvariantError(f"an exact linear program that has an optimum ended as {solution.status.key}.")
    beyond = row_value(side, solution.point)
    if beyond >= 0:
        return None
    here = row_value(side, inside)
    share = here / (here - beyond)
    return tuple(a + share * (b - a) for a, b in zip(inside, solution.point, strict=True))


def decide_exactly(
    net: ExactNetwork,
    domain: ExactDomain,
    code: Integers,
    radius: Floats | None,
    guesses: Sequence[Guess],
) -> ExactRegion:
    """Decide everything about the region of a code.

    Parameters
    ----------
    net, domain
        The network and the domain, exact.
    code
        (N,) the code of a region (known to have an interior).
    radius
        (S,) bound on the domain; None for the whole space.
    guesses
        Points (S,), floats or rationals, that may be strictly inside; the first that is serves.

    Returns
    -------
    ExactRegion

    Raises
    ------
    InvariantError
        If the region has no interior.

    Notes
    -----
    Guarantee: exact; only the coordinates of the points are rounded.
    """
    knots, dead = unit_rows(net, code)
    boundary: dict[Row, list[int]] = {}
    for index, row in enumerate(domain.rows):
        boundary.setdefault(row, []).append(index)
    rows = list(dict.fromkeys([*knots, *boundary]))
    if not rows:
        return ExactRegion(np.zeros(net.layers[0].n_in), None, (), dead, 1)
    inside, is_float = _interior(rows, guesses)
    witness = np.array([nearest_float(z) for z in inside])
    state, points = _decided_by_floats(rows, witness if is_float else None, radius)
    decisions = int(not is_float)
    for k in range(len(rows)):
        if state[k] in (FACET, REDUNDANT):
            continue
        decisions += 1
        live = [j for j in range(len(rows)) if state[j] != REDUNDANT]
        point = _exact_facet_point(k, rows, live, inside)
        state[k] = REDUNDANT if point is None else FACET
        if point is not None:
            points[k] = [nearest_float(z) for z in point]
    facets = [
        ExactFacet(row, tuple(knots.get(row, ())), tuple(boundary.get(row, ())), points[j])
        for j, row in enumerate(rows)
        if state[j] == FACET
    ]
    facets.sort(key=lambda facet: (not facet.knots, facet.knots, facet.domain_rows))
    return ExactRegion(witness, None if is_float else inside, tuple(facets), dead, max(decisions, 1))


def _decided_by_floats(
    rows: list[Row], witness: Floats | None, radius: Floats | None
) -> tuple[Integers, Floats]:
    """State of every row as far as the kernel can tell, and points on the facets it found."""
    size = len(rows[0])
    shift = np.zeros(size - 1, np.int32)
    if radius is not None and not is_ordinary_radius(radius):
        shift = column_exponents(radius).astype(np.int32)
    undecided = np.full(len(rows), UNDECIDED, np.int64), np.zeros((len(rows), size - 1))
    if witness is None:
        return undecided
    moved = np.ldexp(witness, -shift)
    if not np.array_equal(np.ldexp(moved, shift), witness):
        return undecided
    bounded = radius is not None
    live = rows if bounded else [*rows, (0,) * (size - 1) + (1,)]
    reach = np.ldexp(radius, -shift) if radius is not None else np.empty(0)
    tables = _rounded([_shifted(row, shift.tolist()) for row in live], bounded, reach)
    state, points = decide_bare(tables, moved)
    return state[: len(rows)], np.ldexp(points[: len(rows)], shift)


def _shifted(row: Row, shift: list[int]) -> Row:
    """Row over z as one over ``z / 2**shift``, a multiple in integers."""
    if not any(shift):
        return row
    least = min(0, *shift)
    return tuple(entry << (k - least) for entry, k in zip(row, [*shift, 0], strict=True))


def flip(net: ExactNetwork, code: Integers, facet: Row) -> Integers:
    """Activation code beyond a facet.

    Layer by layer, every unit whose pre-activation stays on one of its knots on the whole
    facet is decided anew by its slope on the far side; one that is on its knot there too
    gets the lower piece.

    Parameters
    ----------
    net
        The network, exact.
    code
        (N,) the code on this side.
    facet
        The facet's row, ``>= 0`` on this side.

    Returns
    -------
    ndarray of int64
        (N,) the code on the far side.

    Notes
    -----
    Guarantee: exact.
    """
    beyond = code.copy()

    def decide(depth: int, values: DyadicMatrix, pieces: Integers) -> Integers:
        layer = net.layers[depth]
        start = net.unit_start[depth]
        for index, neuron in enumerate(layer.unit_neurons):
            piece = int(pieces[index])
            if layer.is_group[neuron]:
                members = net.members(depth, values, int(neuron))
                beyond[start + index] = _largest_beyond(members, piece, facet)
                continue
            for _, other, row in net.knots_beside(depth, values, int(neuron), piece):
                slope = _multiple(row, facet)
                if slope is not None and slope >= 0:
                    beyond[start + index] = other if slope > 0 else min(piece, other)
        return beyond[start : start + len(pieces)]

    net.forward(code, decide)
    return beyond


def _multiple(row: Sequence[int], facet: Row) -> Fraction | None:
    """How many times the facet's row a function is; None if it does not vanish on all of the facet."""
    leading = next(i for i, entry in enumerate(facet) if entry)
    share = Fraction(row[leading], facet[leading])
    return share if all(a == share * b for a, b in zip(row, facet, strict=True)) else None


def _largest_beyond(members: list[list[int]], piece: int, facet: Row) -> int:
    """Index of the maximum beyond a facet on which `piece` is one; the lowest on a tie there."""
    best, least = piece, Fraction(0)
    for index, member in enumerate(members):
        lead = _multiple([a - b for a, b in zip(member, members[piece], strict=True)], facet)
        # The facet's row is negative beyond: the least multiple is the largest function.
        if lead is not None and (lead, index) < (least, best):
            best, least = index, lead
    return best
