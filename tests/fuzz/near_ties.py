"""Families of partitions whose knots pass through a vertex, or past it by an ulp or so."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from tests.fuzz.cases import Layers, PartitionCase, Place, box_place, cube_place, polytope_place
from tests.fuzz.draws import (
    SCALAR,
    Rng,
    chance,
    decimal,
    decimals,
    dimension,
    few_ulps,
    knots_of,
    nudged,
    number,
    on_top,
    pick,
    power,
    random_layers,
)
from tests.oracle.forms import FloatArray


def _corner(rng: Rng, place: Place) -> FloatArray:
    """A corner of a box."""
    ends = np.array([place.first, place.second])
    return np.array([ends[int(rng.integers(2)), axis] for axis in range(place.dimension)])


def _decimal_box(rng: Rng, dim: int) -> Place:
    if chance(rng, 0.6):
        return cube_place(dim)
    low = [-abs(decimal(rng)) - 0.1 for _ in range(dim)]
    return box_place(low, [abs(decimal(rng)) + 0.1 for _ in range(dim)])


def decimal_maxout(rng: Rng) -> PartitionCase:
    """One-decimal max groups whose members are equal in decimals at a corner or at a decimal point."""
    dim = dimension(rng)
    place = _decimal_box(rng, dim)
    members = int(rng.choice([2, 2, 3]))
    groups = 1 if chance(rng, 0.6) else int(rng.integers(1, 4 - dim // 2))
    rows = decimals(rng, (groups * members, dim))
    biases = decimals(rng, (groups * members,))
    for group in range(groups):
        point = _corner(rng, place) if chance(rng, 0.85) else decimals(rng, (dim,), 1, 0.5)
        level = decimal(rng)
        for member in range(members):
            at = group * members + member
            if chance(rng, 0.95):
                biases[at] = round(level - float(rows[at] @ point), 2)
    layers = Layers([rows], [biases], [f"max:{members}"])
    if chance(rng, 0.15):
        layers = on_top(rng, layers, 2)
    return PartitionCase(layers, place, _corner(rng, place).tolist())


DECIMAL_UNITS = (
    "hardtanh:-0.3,0.7",
    "softshrink:0.3",
    "hardtanh:0.1,0.6",
    "softshrink:0.7",
    "hardtanh:-0.9,-0.4",
)


def decimal_knots(rng: Rng) -> PartitionCase:
    """Decimal weights, and knots that pass in decimals through a corner or through one point."""
    dim = dimension(rng)
    place = _decimal_box(rng, dim)
    width = int(rng.integers(1, 5 - dim // 2))
    names = [pick(rng, [*SCALAR, *DECIMAL_UNITS]) for _ in range(width)]
    rows, biases = decimals(rng, (width, dim), 1, 2.0), decimals(rng, (width,), 2)
    if chance(rng, 0.6):
        # The difference of two decimals may round to a number of few bits, like these.
        rows = rng.integers(-4, 5, (width, dim)) / 2.0
    shared = decimals(rng, (dim,), 1, 0.5)
    for at, name in enumerate(names):
        point = _corner(rng, place) if chance(rng, 0.5) else shared
        if chance(rng, 0.9):
            biases[at] = round(number(rng, knots_of(name)) - float(rows[at] @ point), 3)
    layers = Layers([rows], [biases], ["|".join(names)])
    if chance(rng, 0.25):
        layers = on_top(rng, layers, int(rng.integers(1, 4)))
    return PartitionCase(layers, place, _corner(rng, place).tolist())


TINY_SHIFTS = (2.0**-53, 2.0**-54, 2.0**-60, 1e-200, 5e-324)


def knots_by_an_ulp(rng: Rng) -> PartitionCase:
    """Dyadic rows whose knots miss a corner, or one another, by an ulp of the bias or less."""
    dim = dimension(rng)
    place = cube_place(dim, number(rng, [1.0, 2.0, 4.0]))
    width = int(rng.integers(1, 4 - dim // 2))
    names = [pick(rng, [*SCALAR, "hardtanh", "hardtanh"]) for _ in range(width)]
    rows = rng.integers(-4, 5, (width, dim)) / 4.0
    biases = np.zeros(width)
    shared = rng.integers(-2, 3, dim) / 4.0
    for at, name in enumerate(names):
        point = _corner(rng, place) if chance(rng, 0.6) else shared
        knot = number(rng, knots_of(name))
        if at and chance(rng, 0.3):
            # A duplicate of an earlier row, but for an ulp.
            other = int(rng.integers(at))
            rows[at], biases[at] = rows[other], biases[other]
            names[at] = names[other] if chance(rng, 0.5) else name
            axis = int(rng.integers(dim))
            rows[at, axis] = nudged(float(rows[at, axis]), few_ulps(rng, 1))
        elif point.any() and chance(rng, 0.7):
            # The difference of bias and knot has fewer bits behind the point than the bias.
            biases[at] = -knot * number(rng, [1.0, 1.0, 0.5, 0.25, 0.0])
            axis = int(rng.choice(np.flatnonzero(point)))
            rest = float(rows[at] @ point) - rows[at, axis] * point[axis]
            rows[at, axis] = (knot - biases[at] - rest) / point[axis]
        else:
            biases[at] = knot - float(rows[at] @ point)
        if chance(rng, 0.7):
            shift = number(rng, TINY_SHIFTS) * number(rng, [1.0, -1.0])
            stepped = nudged(float(biases[at]), few_ulps(rng, 1))
            biases[at] = stepped if biases[at] and chance(rng, 0.7) else biases[at] + shift
    layers = Layers([rows], [biases], ["|".join(names)])
    if chance(rng, 0.3):
        layers = on_top(rng, layers, int(rng.integers(1, 3)), integral=True)
    return PartitionCase(layers, place, _corner(rng, place).tolist())


def near_parallel(rng: Rng) -> PartitionCase:
    """Rows that are multiples of one another but for their last bits."""
    dim = dimension(rng)
    base = rng.normal(size=dim) if chance(rng, 0.5) else decimals(rng, (dim,), 1)
    if not base.any():
        base[0] = 1.0
    width = int(rng.integers(2, 6 - dim))
    offset = float(rng.uniform(-0.3, 0.3))
    rows, biases = np.zeros((width, dim)), np.zeros(width)
    for at in range(width):
        factor = number(rng, [1.0, -1.0, 3.0, 0.1, -0.7])
        rows[at] = factor * base
        biases[at] = factor * offset
        if chance(rng, 0.7):
            axis = int(rng.integers(dim))
            rows[at, axis] *= 1.0 + power(rng, -52, -20)
        if chance(rng, 0.5):
            biases[at] = nudged(float(biases[at]), few_ulps(rng, 3))
    layers = Layers([rows], [biases], [pick(rng, SCALAR)])
    if chance(rng, 0.5):
        layers = on_top(rng, layers, 2)
    place = cube_place(dim) if chance(rng, 0.7) else Place("space", dim)
    return PartitionCase(layers, place, [0.0] * dim)


def pencils(rng: Rng) -> PartitionCase:
    """Rows r, r + d, r - 3d and t through one point, d = 2^-k t, one of them off by 2^-30 or less."""
    dim = int(rng.choice([2, 2, 2, 3]))
    r, t = rng.integers(-4, 5, dim).astype(np.float64), rng.integers(-4, 5, dim).astype(np.float64)
    if not r.any():
        r[0] = 1.0
    if not t.any():
        t[-1] = 1.0
    d = t * power(rng, -25, -10)
    rows = np.array([r, r + d, r - 3 * d, t * number(rng, [1.0, -1.0, 3.0])])
    point = rng.integers(-8, 9, dim) / 16.0
    biases = -(rows @ point)
    if chance(rng, 0.8):
        biases[int(rng.integers(4))] += power(rng, -51, -30) * number(rng, [1.0, -1.0])
    keep = rng.permutation(4)[: 4 if dim == 2 else 3]
    layers = Layers([rows[keep]], [biases[keep]], [pick(rng, ["relu", "abs", "leaky_relu:0.1"])])
    if chance(rng, 0.7):
        layers = on_top(rng, layers, int(rng.integers(1, 3)), integral=chance(rng, 0.5))
    return PartitionCase(layers, cube_place(dim), [0.0] * dim)


def thin_domains(rng: Rng) -> PartitionCase:
    """Domains with a side of an ulp or a few, and slabs."""
    dim = dimension(rng)
    centre = number(rng, [-1e10, 1.0, 0.3, -1e-300, 1e-310, 0.0, 3e5])
    low, high = [-1.0] * dim, [1.0] * dim
    axis = int(rng.integers(dim))
    low[axis] = centre
    high[axis] = nudged(centre, int(rng.choice([1, 1, 2, 3, 7])))
    place = box_place(low, high)
    start = high
    if dim > 1 and chance(rng, 0.3):
        slab = np.zeros(dim)
        slab[:2] = [1.0, number(rng, [1.0, -1.0, 0.1])]
        rows = np.vstack([np.eye(dim), -np.eye(dim), slab, -slab])
        # The origin lies on a side of the slab.
        place = polytope_place(rows, [1.0] * (2 * dim) + [power(rng, -70, -40), 0.0])
        start, centre = [0.0] * dim, 0.0
    width = int(rng.integers(1, 4))
    first = np.eye(dim)
    shift = np.zeros(dim)
    shift[axis] = -centre
    rows, biases = rng.integers(-3, 4, (width, dim)).astype(np.float64), np.zeros(width)
    side = high[axis] - low[axis]
    if chance(rng, 0.6):
        # Knots that cross the thin side.
        at = int(rng.integers(width))
        rows[at] = 0.0
        rows[at, axis] = 1.0
        biases[at] = -side * number(rng, [0.5, 0.25, 0.75, 1.0])
    layers = Layers([first, rows], [shift, biases], ["identity", pick(rng, SCALAR)])
    if chance(rng, 0.3):
        layers = on_top(rng, layers, 2)
    return PartitionCase(layers, place, start)


def half_integers(rng: Rng) -> PartitionCase:
    """Half-integer nets over boxes with a long side."""
    dim = int(rng.choice([1, 2, 2, 3]))
    width = int(rng.integers(1, 4))
    weights = [rng.integers(-4, 5, (width, dim)) / 2.0, rng.integers(-4, 5, (2, width)) / 2.0]
    biases = [rng.integers(-2, 3, width) / 2.0, rng.integers(-2, 3, 2) / 2.0]
    layers = Layers(weights, biases, [pick(rng, ["softshrink:1.0", *SCALAR]), pick(rng, SCALAR)])
    high = [1.0] * (dim - 1) + [number(rng, [1e10, 1e6, 3.0])]
    return PartitionCase(layers, box_place([-1.0] * dim, high), [1.0] * dim)


def maxout(rng: Rng) -> PartitionCase:
    """Max groups with ties of three members and more, in one or two layers."""
    dim = dimension(rng)
    members = int(rng.choice([2, 3, 3, 4]))
    groups = 1 if dim == 3 else int(rng.integers(1, 3))
    shape = (groups * members, dim)
    rows: FloatArray = rng.integers(-2, 3, shape).astype(np.float64)
    biases = rng.integers(-1, 2, shape[0]).astype(np.float64) * number(rng, [0.0, 0.0, 0.5, 0.1])
    if chance(rng, 0.3):
        # All members in one pencil: 2, 1, 0 times a row.
        factors = np.arange(shape[0], dtype=np.float64)[::-1]
        rows = np.asarray(factors[:, None] * rows[:1])
    layers = Layers([rows], [biases], [f"max:{members}"])
    if chance(rng, 0.4):
        two = Layers([decimals(rng, (4, groups))], [decimals(rng, (4,))], ["max:2"])
        layers = Layers(
            [*layers.weights, *two.weights], [*layers.biases, *two.biases], [f"max:{members}", "max:2"]
        )
    place = cube_place(dim) if chance(rng, 0.7) else Place("space", dim)
    return PartitionCase(layers, place, [number(rng, [-0.5, 0.5, 0.0, 1.0])] * dim)


def _domain(rng: Rng, dim: int) -> Place:
    """A cube, a box at the origin, the simplex or the whole space."""
    kind = pick(rng, ["cube", "box", "simplex", "space"])
    if kind == "box":
        return box_place([0.0] * dim, [1.0, 2.0, 0.5][:dim])
    if kind == "simplex":
        rows = np.vstack([-np.eye(dim), np.ones((1, dim))])
        return polytope_place(rows, [0.0] * dim + [1.0])
    return cube_place(dim, 2.0) if kind == "cube" else Place("space", dim)


def integers(rng: Rng) -> PartitionCase:
    """Small integers: duplicate, parallel, dead and concurrent units."""
    dim = dimension(rng)
    widths = [dim, *rng.integers(1, 5 - dim // 2, int(rng.integers(1, 4))).tolist()]
    weights = [rng.integers(-2, 3, (b, a)).astype(float) for a, b in pairwise(widths)]
    biases = [rng.integers(-2, 3, b).astype(float) for b in widths[1:]]
    if chance(rng, 0.3):
        biases = [np.zeros_like(bias) for bias in biases]
    names = [pick(rng, [*SCALAR, "identity"]) for _ in weights]
    return PartitionCase(Layers(weights, biases, names), _domain(rng, dim), [0.0] * dim)


def zero_biases(rng: Rng) -> PartitionCase:
    """Deep nets without biases: every knot passes through the origin."""
    dim = dimension(rng)
    widths = [dim, *rng.integers(2, 4, int(rng.integers(1, 4))).tolist()]
    layers = random_layers(
        rng, widths, [pick(rng, SCALAR[:4]) for _ in widths[1:]], 1 if chance(rng, 0.5) else None
    )
    biases = [np.zeros_like(bias) for bias in layers.biases]
    return PartitionCase(Layers(layers.weights, biases, layers.activations), _domain(rng, dim), [0.0] * dim)


def quantised(rng: Rng) -> PartitionCase:
    """Weights of four bits times a scale for each layer that is not dyadic."""
    dim = dimension(rng)
    widths = [dim, *rng.integers(2, 5 - dim // 2, 2).tolist()]
    weights: list[FloatArray] = []
    biases: list[FloatArray] = []
    for fan_in, fan_out in pairwise(widths):
        scale = number(rng, [0.1, 0.013, 1.0 / 3.0, 1e-6, 0.25])
        weights.append(rng.integers(-8, 8, (fan_out, fan_in)).astype(float) * scale)
        biases.append(rng.integers(-8, 8, fan_out).astype(float) * scale)
    layers = Layers(weights, biases, [pick(rng, SCALAR) for _ in weights])
    return PartitionCase(layers, cube_place(dim), [1.0] * dim)


def generic(rng: Rng) -> PartitionCase:
    """Normal weights, mixed units and max groups, every domain, and a ball."""
    dim = dimension(rng)
    widths = [dim, *rng.integers(1, 5 - dim // 2, int(rng.integers(1, 4))).tolist()]
    names = [pick(rng, [*SCALAR, "identity", "max:2", "max:3"]) for _ in widths[1:]]
    layers = random_layers(rng, widths, names, None)
    return PartitionCase(layers, _domain(rng, dim), [0.0] * dim)


def affine_only(rng: Rng) -> PartitionCase:
    """Nets without a unit, or with units that are constant."""
    dim = dimension(rng)
    layers = random_layers(rng, [dim, 3, 2], ["identity", "identity"], 1)
    if chance(rng, 0.5):
        dead = [*layers.weights, np.zeros((2, 2))]
        shift = number(rng, [0.0, 1.0, -1.0, 5e-324, 1e-200])
        layers = Layers(
            dead, [*layers.biases, np.array([shift, -shift])], ["identity", "identity", pick(rng, SCALAR)]
        )
    place = cube_place(dim, number(rng, [1.0, 1e-300, 1e300])) if chance(rng, 0.6) else _domain(rng, dim)
    return PartitionCase(layers, place, [0.0] * dim)


def deep_chains(rng: Rng) -> PartitionCase:
    """Six to twelve narrow layers."""
    dim = int(rng.choice([1, 1, 2]))
    depth = int(rng.integers(6, 13))
    widths = [dim, *rng.integers(1, 4 if dim == 1 else 3, depth).tolist()]
    names = [pick(rng, ["relu", "leaky_relu:0.1", "abs", "hardtanh", "identity"]) for _ in widths[1:]]
    layers = random_layers(rng, widths, names, 1 if chance(rng, 0.6) else None)
    if chance(rng, 0.3):
        # The tent map folded: knots at dyadic points, all of them vertices.
        tent = Layers(
            [np.array([[1.0], [1.0]]), *[np.array([[2.0, -4.0], [2.0, -4.0]])] * 4],
            [np.array([0.0, -0.5]), *[np.array([0.0, -0.5])] * 4],
            ["relu"] * 5,
        )
        if chance(rng, 0.5):
            tent.biases[-1][1] = nudged(-0.5, few_ulps(rng, 1))
        return PartitionCase(tent, box_place([0.0], [1.0]), [math.ldexp(1.0, -2)])
    return PartitionCase(layers, cube_place(dim), [0.0] * dim)
