"""Where an enumeration starts: the region of a point, also of one that lies on a knot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.exact import ExactNetwork, Row, exact_network
from polyspline.cpa.pointwise import closed_pieces
from polyspline.domains import Domain
from polyspline.errors import InvariantError
from polyspline.network import Network
from polyspline.regions.exact import ExactDomain
from solvers.integers import as_fraction, nearest_float
from solvers.predicates import sign_at
from solvers.rational import DyadicMatrix

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_TRIES = 64


def _sign(row: Row, point: list[Fraction], direction: list[Fraction]) -> int:
    """Sign of an affine function just beside the point in the direction; 0 if not told by that."""
    value = sum((a * z for a, z in zip(row[:-1], point, strict=True)), Fraction(row[-1]))
    if value == 0:
        value = sum((a * d for a, d in zip(row[:-1], direction, strict=True)), Fraction(0))
    return (value > 0) - (value < 0)


def _directions(point: Floats, inside: Sequence[Fraction]) -> Iterator[list[Fraction]]:
    """Directions from the point inwards, each turned a little in its own way.

    Those of the second lot keep the sign of each coordinate, however small it is.
    """
    rng = np.random.default_rng(20180516)
    exact = [z - as_fraction(x) for z, x in zip(inside, point.tolist(), strict=True)]
    towards = np.array([nearest_float(entry) for entry in exact])
    reach = max(float(np.max(np.abs(towards))), 1.0)
    for turn in range(_TRIES):
        spread = reach * 2.0 ** -(turn % 32)
        turned = towards + spread * rng.uniform(-1.0, 1.0, len(point))
        yield [as_fraction(entry) for entry in turned.tolist()]
    longest = max(map(abs, exact)) or Fraction(1)
    for turn in range(_TRIES):
        shares = 2.0 ** -(turn % 32) * rng.uniform(-1.0, 1.0, len(point))
        yield [
            entry + (abs(entry) or longest) * as_fraction(share)
            for entry, share in zip(exact, shares.tolist(), strict=True)
        ]


def start_code(net: ExactNetwork, domain: ExactDomain, point: Floats, inside: Sequence[Fraction]) -> Integers:
    """Activation code of a region whose closure holds the point.

    A point on a knot, or on the domain's boundary, moves off it by itself: the code is
    that of the point moved by an infinitely small step in a generic direction.

    Parameters
    ----------
    net, domain
        The network and the domain, exact.
    point
        (S,) a point of the domain.
    inside
        A point in the interior of the domain, exact: S numbers.

    Returns
    -------
    ndarray of int64
        (N,).

    Raises
    ------
    InvariantError
        If every direction tried runs along a knot that the point is on.

    Notes
    -----
    Guarantee: exact.
    """
    here = [as_fraction(float(z)) for z in point]
    for step in _directions(point, inside):
        if any(_sign(row, here, step) <= 0 for row in domain.rows):
            continue
        code = _code_beside(net, here, step)
        if code is not None:
            return code
    raise InvariantError("no direction leads from the start point into a region; please report the network.")


def start_regions(net: Network, domain: Domain, points: Floats) -> Integers:
    """Activation codes (B, N) of regions whose closures hold points (B, S) of the domain; see `start_code`.

    Notes
    -----
    Guarantee: exact. A point that is proven to be off all knots, and off the domain's boundary,
    has one code, and takes no rational arithmetic.
    """
    normals, sides = domain.rows()
    pieces = closed_pieces(net.layers, points)
    generic = ~pieces.on_knot & (sign_at(np.column_stack([normals, -sides]), points) < 0).all(axis=1)
    codes = np.array(pieces.low, np.int64)
    for place in np.flatnonzero(~generic).tolist():
        exact, inside = exact_network(net.layers), domain.exact_interior_point()
        codes[place] = start_code(exact, ExactDomain(normals, sides), points[place], inside)
    return codes


def _code_beside(net: ExactNetwork, point: list[Fraction], direction: list[Fraction]) -> Integers | None:
    """Code just beside the point; None if the direction runs along a knot that the point is on."""
    code = np.zeros(net.unit_start[-1], np.int64)
    generic = True

    def decide(depth: int, values: DyadicMatrix, pieces: Integers) -> Integers:
        nonlocal generic
        layer = net.layers[depth]
        start = net.unit_start[depth]
        for index, neuron in enumerate(layer.unit_neurons):
            piece, told = _piece_beside(net, depth, values, int(neuron), point, direction)
            generic = generic and told
            code[start + index] = piece
        return code[start : start + len(pieces)]

    net.forward(code, decide)
    return code if generic else None


def _piece_beside(
    net: ExactNetwork,
    depth: int,
    values: DyadicMatrix,
    neuron: int,
    point: list[Fraction],
    direction: list[Fraction],
) -> tuple[int, bool]:
    """Piece of a unit just beside the point, and whether the direction tells it."""
    piece, told = 0, True
    if net.layers[depth].is_group[neuron]:
        members = net.members(depth, values, neuron)
        for index in range(1, len(members)):
            row = tuple(a - b for a, b in zip(members[index], members[piece], strict=True))
            side = _sign(row, point, direction)
            told = told and (side != 0 or not any(row))
            piece = index if side > 0 else piece
        return piece, told
    for upper in range(1, net.layers[depth].units[neuron].n_pieces):
        ((_, _, row),) = [knot for knot in net.knots_beside(depth, values, neuron, upper) if knot[1] < upper]
        side = _sign(row, point, direction)
        told = told and (side != 0 or not any(row))
        if side <= 0:
            break
        piece = upper
    return piece, told
