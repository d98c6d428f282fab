"""What is split: a network on a bounded domain, laid out for the kernel and for exact arithmetic."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.bounds import ROUNDED, layer_bounds
from polyspline.cpa.equilibrate import Equilibrated, column_exponents, equilibrate, scaled_rows
from polyspline.cpa.exact import ExactNetwork, Row, primitive
from polyspline.cpa.knots import knots_of
from polyspline.cpa.tables import layer_arrays, unit_layers
from polyspline.domains import Box, Domain
from polyspline.errors import DomainError
from polyspline.network import Network
from polyspline.partition.packing import CodePacking
from polyspline.regions.start import start_regions
from polyspline.split.state import AT_FIRST, CHECKED, SLOTS_PER_WORD, Net
from solvers.integers import scaled_integer_rows
from solvers.predicates.rounding import ROUNDOFF, SAFETY
from solvers.vertices import v_representation

Floats = NDArray[np.float64]
Vector = tuple[int, ...]

MOST_VERTICES = 1024


def can_split(domain: Domain) -> bool:
    """Whether a domain is bounded and sure to have no more vertices than a splitting takes.

    References
    ----------
    P. McMullen, The maximum numbers of faces of a convex polytope, 1970: no polytope with as many
    facets has more vertices than the dual of a cyclic one.
    """
    if not domain.bounded:
        return False
    dim = domain.dim
    if isinstance(domain, Box):
        return 1 << dim <= MOST_VERTICES
    rows = len(domain.rows()[1])
    upper, lower = (dim + 1) // 2, dim // 2
    return math.comb(rows - upper, lower) + math.comb(rows - lower - 1, upper - 1) <= MOST_VERTICES


@dataclass(frozen=True, eq=False)
class Cell:
    """One cell on its own: where the splitting of a subtree begins, in this process or another.

    Attributes
    ----------
    layer, row, knot
        It is decided below this knot; row is the layer's last and one more where that is done.
    code
        (W,) packed pieces, as far as decided.
    source
        Knot of each slot, -1 - i for row i of the domain.
    x, eps, on
        Vertices (n, S), how far they may be off, and the slots they lie on (n, B).
    simple
        Whether every vertex is on S facets.
    share
        Share of the tree.
    ties
        (2, T) facets, by their knot or ALL, and further knots that lie on them.
    mark
        What is known of each vertex, (n,): FRESH, CHECKED or EXACT.
    points
        The EXACT vertices as rationals, by their place.
    """

    layer: int
    row: int
    knot: int
    code: NDArray[np.uint64]
    source: NDArray[np.int32]
    x: Floats
    eps: Floats
    on: NDArray[np.uint64]
    simple: bool
    share: float
    ties: NDArray[np.int32]
    mark: NDArray[np.int64]
    points: dict[int, tuple[Fraction, ...]]


@dataclass(frozen=True, eq=False)
class Problem:
    """A network and domain in coordinates of size one.

    Attributes
    ----------
    arrays, packing
        See `polyspline.split.state` and `polyspline.partition.packing`.
    scaled
        The network in the coordinates ``x = z / 2**scale``, its rows scaled to size one.
    domain_rows
        Rows of the domain in x as integers, ``>= 0`` inside.
    reach
        Bound on the coordinates x.
    """

    net: Network
    domain: Domain
    arrays: Net
    packing: CodePacking
    scaled: Equilibrated
    domain_rows: list[Row]
    reach: float

    @property
    def dim(self) -> int:
        """Latent dimension S."""
        return self.net.latent_dim

    @property
    def scale(self) -> NDArray[np.int64]:
        """Whole numbers (S,): a point z of the domain is ``x * 2**scale``."""
        return self.scaled.column

    def embed(self, points: Floats) -> Floats:
        """Points (B, S) of the splitting as points of the domain, rounded where they are subnormal there."""
        return np.ldexp(points, self.scale.astype(np.int32)) if self.scale.any() else points

    def is_rounded(self, points: Floats) -> NDArray[np.bool_]:
        """Which points (B, S) of the splitting `embed` rounds."""
        if not self.scale.any():
            return np.zeros(len(points), np.bool_)
        back = np.ldexp(self.embed(points), -self.scale.astype(np.int32))
        return np.asarray((back != points).any(axis=1))

    def embed_exact(self, point: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
        """Embed one rational point, as `embed` does."""
        if not self.scale.any():
            return point
        return tuple(x * Fraction(2) ** k for x, k in zip(point, self.scale.tolist(), strict=True))

    def exact_up_to(self, depth: int) -> ExactNetwork:
        """Exact network of the layers up to one, as they are: functions of z."""
        return ExactNetwork(self.net.layers[: depth + 1])

    def scaled_function(self, layer: int, row: int, function: list[int], exponent: int) -> list[Fraction]:
        """Exact pre-activation of a row, ``function * 2**exponent`` in z, as the scaled one in x."""
        shift = exponent + int(self.scaled.rows[layer][row])
        return [
            entry * Fraction(2) ** (shift + k)
            for entry, k in zip(function, [*self.scale.tolist(), 0], strict=True)
        ]

    def region_of(self, point: Floats) -> NDArray[np.uint64]:
        """Packed code (words,) of a region whose closure holds a point (S,) of the domain, exact."""
        (code,) = start_regions(self.net, self.domain, point[None, :])
        return self.packing.pack(code)

    @cached_property
    def default_region(self) -> NDArray[np.uint64]:
        """Packed code of the region that the order begins with if nothing else is asked for."""
        return self.region_of(self.domain.default_start())

    @cached_property
    def root(self) -> Cell:
        """The domain as a cell.

        Raises
        ------
        DomainError
            If it has more vertices than cells may have.
        """
        corners, rows, incidence = self._corners()
        words = -(-(len(rows) + 1) // SLOTS_PER_WORD)
        on = np.zeros((len(corners), words), np.uint64)
        source = np.zeros(SLOTS_PER_WORD * words, np.int32)
        for slot, (row, bits) in enumerate(zip(rows, incidence, strict=True)):
            source[slot] = -1 - row
            word, shift = divmod(slot, SLOTS_PER_WORD)
            for i in range(len(corners)):
                if bits >> i & 1:
                    on[i, word] |= np.uint64(1 << shift)
        x = np.array([[float(Fraction(c, corner[-1])) for c in corner[:-1]] for corner in corners])
        exact = [
            all(Fraction(a) == Fraction(c, corner[-1]) for a, c in zip(place, corner[:-1], strict=True))
            for place, corner in zip(x.tolist(), corners, strict=True)
        ]
        eps = np.where(exact, 0.0, 2.0**-52 * np.abs(x).max(axis=1) + 2.0**-1000)
        facets = sum(bits.bit_count() for bits in incidence)
        return Cell(
            0,
            0,
            AT_FIRST,
            np.zeros(self.packing.n_words, np.uint64),
            source,
            x,
            eps,
            on,
            facets == self.dim * len(corners),
            1.0,
            np.empty((2, 0), np.int32),
            np.full(len(x), CHECKED, np.int64),
            {},
        )

    def _corners(self) -> tuple[list[Vector], list[int], list[int]]:
        """Vertices as integers (x ..., t), rows that are facets, and their incidences."""
        rows = self.domain_rows
        dim = self.dim
        if isinstance(self.domain, Box):
            if 2**dim > MOST_VERTICES:
                raise DomainError(
                    f"split: a box of dimension {dim} has 2^{dim} vertices, and its cells more; expected at "
                    f'most {MOST_VERTICES} vertices: use method="walk".'
                )
            ends = [(_corner_of(rows[i], i), _corner_of(rows[dim + i], i)) for i in range(dim)]
            corners = []
            incidence = [0] * (2 * dim)
            for place, sides in enumerate(itertools.product((0, 1), repeat=dim)):
                chosen = [ends[i][side] for i, side in enumerate(sides)]
                common = math.lcm(*(end.denominator for end in chosen))
                corners.append((*(int(end * common) for end in chosen), common))
                for i, side in enumerate(sides):
                    incidence[side * dim + i] |= 1 << place
            return corners, list(range(2 * dim)), incidence
        found = v_representation(rows, dim)
        if len(found.corners) > MOST_VERTICES:
            raise DomainError(
                f"split: the polytope has {len(found.corners)} vertices, and its cells more; expected at "
                f'most {MOST_VERTICES}: use method="walk".'
            )
        facets = [
            i
            for i, bits in enumerate(found.incidence)
            if bits
            and not any(
                (bits & other == bits and bits != other) or (bits == other and j < i)
                for j, other in enumerate(found.incidence)
            )
            and bits.bit_count() >= dim
        ]
        return list(found.corners), facets, [found.incidence[i] for i in facets]


def _corner_of(row: Row, i: int) -> Fraction:
    """Coordinate i of the points on a row that is about that coordinate alone."""
    return Fraction(-row[-1], row[i])


def _arrays(
    scaled: Equilibrated, packing: CodePacking, domain_rows: Floats, lost: NDArray[np.bool_], radius: Floats
) -> Net:
    """Lay the scaled network and the rows (S + 1, m) of the domain out as the kernel needs them."""
    used = scaled.layers
    dim = len(radius)
    # Bounds hold beside the domain too, where vertices may be rounded to.
    reach = np.append(2.0 * radius, 1.0)
    bounds = layer_bounds(used, reach, scaled.beyond)
    rows = layer_arrays(used)
    knots = knots_of(used)
    starts = rows["neuron_start"][:-1]
    pieces = np.concatenate([np.empty(0, np.int64), *(a.n_pieces[a.unit_neurons] for a in used)])
    groups = np.concatenate([np.empty(0, np.bool_), *(a.is_group[a.unit_neurons] for a in used)])
    first_row = np.searchsorted(np.maximum.accumulate(rows["neuron_unit"]), np.arange(len(pieces)))
    depth = np.repeat(np.arange(len(used)), rows["n_out"])[first_row]
    here = starts[depth[knots.unit]] if len(depth) else knots.unit
    is_central = np.array([bound.central for bound in bounds], np.bool_)[depth]
    exact = [bound.grain != ROUNDED for bound in bounds]
    floor = [np.where(out, np.inf, 0.0) for out in scaled.beyond]
    slack = 8.0 * (dim + 5) * ROUNDOFF * (np.abs(domain_rows).T @ reach) * SAFETY
    return Net(
        _table(
            rows["n_in"],
            rows["n_out"],
            rows["weight_start"],
            starts,
            rows["column_start"],
        ),
        rows["neuron_unit"],
        _table(
            depth,
            first_row - starts[depth],
            pieces,
            np.searchsorted(knots.unit, np.arange(len(pieces))),
            groups,
            packing.word,
            packing.shift,
            packing.mask,
        ),
        _table(
            knots.unit,
            knots.upper - here,
            np.where(knots.lower < 0, -1, knots.lower - here),
            knots.low,
            knots.high,
            is_central[knots.unit] & (knots.position == 0.0),
        ),
        rows["weights"],
        rows["entry_start"],
        rows["entry_row"],
        np.stack([rows["biases"], *(np.concatenate([np.empty(0), *some]) for some in (exact, floor))]),
        rows["slopes"],
        rows["offsets"],
        knots.position,
        reach,
        np.ascontiguousarray(domain_rows),
        np.where(lost, np.inf, slack),
    )


def _table(*columns: NDArray[Any]) -> NDArray[np.int64]:
    """Columns of one length side by side."""
    return np.ascontiguousarray(np.stack(columns, axis=1).astype(np.int64))


@lru_cache(maxsize=4)
def make_problem(net: Network, domain: Domain) -> Problem:
    """Lay out a network on a bounded domain; the last few are kept, for that takes milliseconds.

    Raises
    ------
    DomainError
        If the domain is not bounded.
    """
    if not domain.bounded:
        raise DomainError(
            "split: the domain is the whole space, where not all cells are bounded; "
            'use method="walk", or a Box.'
        )
    normals, sides = domain.rows()
    low, high = domain.bounds()
    radius = np.maximum(np.abs(low), np.abs(high))
    scale = column_exponents(radius)
    radius = np.ldexp(radius, -scale.astype(np.int32))
    scaled = equilibrate(unit_layers(net.layers), scale, 2.0 * radius)
    domain_rows = np.vstack([-normals.T, sides[None, :]])
    rows = [_shifted_row(row, scale.tolist()) for row in scaled_integer_rows(domain_rows.T)[0]]
    packing = CodePacking(net.n_pieces)
    arrays = _arrays(scaled, packing, *scaled_rows(domain_rows, scale, 2.0 * radius), radius)
    return Problem(net, domain, arrays, packing, scaled, rows, float(radius.max()))


def _shifted_row(row: list[int], scale: list[int]) -> Row:
    """Row of integers over z as one over x, coprime."""
    least = min(0, *scale)
    shifted = [entry << (k - least) for entry, k in zip(row, [*scale, 0], strict=True)]
    return primitive(shifted)
