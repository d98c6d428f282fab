"""Pre-activations as affine functions in Fractions, and networks on which each term of a bound is needed."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

import polyspline as ps
from polyspline.cpa.activations import parse_activation
from polyspline.cpa.layers import Layer
from polyspline.cpa.units import MaxGroup, ScalarUnit

Form = list[Fraction]
Floats = NDArray[np.float64]


def exact_forms(layers: Sequence[Layer], code: Sequence[int]) -> list[list[Form]]:
    """Pre-activations of every layer for a code, each with one coefficient an input and its offset last."""
    dim = layers[0].n_in
    inputs = [[Fraction(int(c == i)) for c in range(dim + 1)] for i in range(dim)]
    pieces = iter(code)
    found = []
    for layer in layers:
        rows = []
        for weights, bias in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True):
            row = [Fraction(0)] * dim + [Fraction(bias)]
            for weight, form in zip(weights, inputs, strict=True):
                if weight != 0.0:
                    row = [a + Fraction(weight) * b for a, b in zip(row, form, strict=True)]
            rows.append(row)
        found.append(rows)
        inputs, first = [], 0
        for unit in layer.units:
            piece = int(next(pieces)) if unit.n_pieces > 1 else 0
            if isinstance(unit, MaxGroup):
                inputs.append(rows[first + piece])
            else:
                inputs.append([Fraction(unit.slopes[piece]) * a for a in rows[first]])
                inputs[-1][-1] += Fraction(unit.offsets[piece])
            first += unit.n_rows
    return found


def value_at(form: Sequence[Fraction], x: Sequence[Any]) -> Fraction:
    """Value of an affine function."""
    return sum((a * Fraction(z) for a, z in zip(form[:-1], x, strict=True)), form[-1])


def apart(computed: Floats, form: Sequence[Fraction], radius: Floats) -> Fraction:
    """Largest distance of two affine functions over the points with coordinates up to the radius."""
    return sum(
        (
            abs(Fraction(a) - b) * Fraction(r)
            for a, b, r in zip(computed.tolist(), form, radius.tolist(), strict=True)
        ),
        Fraction(0),
    )


def float_value(row: Floats, x: Floats) -> float:
    """Value of a row, offset last, in floats and in order."""
    value = float(row[-1])
    for a, z in zip(row[:-1].tolist(), x.tolist(), strict=True):
        value += a * z
    return value


def holds(value: Fraction, bound: float) -> bool:
    """Whether a value is at most a bound, exactly; any is at most infinity."""
    return bound == np.inf or value <= Fraction(bound)


class Given(NamedTuple):
    """A network, its domain, and how many of its regions are looked at."""

    net: ps.Network
    domain: ps.Box
    most: int = 12


def _decimal(widths: Sequence[int], units: str | list[Any], seed: int, *, thin: bool = False) -> Given:
    rng = np.random.default_rng(seed)
    shapes = [(after, before) for before, after in pairwise(widths)]
    weights: list[Any] = [np.round(rng.uniform(-2, 2, shape), 1) for shape in shapes]
    biases = [np.round(rng.uniform(-1, 1, shape[0]), 1) for shape in shapes]
    if thin:
        weights = [
            weights[0],
            *(sparse.csr_matrix(np.where(rng.random(w.shape) < 0.4, w, 0.0)) for w in weights[1:]),
        ]
    return Given(ps.Network.from_layers(weights, biases, units), ps.Box([-1.0, -1.25], [1.5, 1.0]))


def _max_groups() -> Given:
    rng = np.random.default_rng(4)
    weights = [np.round(rng.uniform(-2, 2, shape), 1) for shape in ((4, 2), (6, 4), (4, 3))]
    biases = [np.round(rng.uniform(-1, 1, len(weight)), 1) for weight in weights]
    net = ps.Network.from_layers(weights, biases, ["leaky_relu:0.1", "max:2", "max:2"])
    return Given(net, ps.Box([-1.0, -1.25], [1.5, 1.0]))


def _cancelling(*, thin: bool = False) -> Given:
    """Values of size one, made of differences of values of size 2^30, and what comes behind them."""
    rng = np.random.default_rng(5)
    big = rng.uniform(1.0, 2.0, (3, 2)) * 2.0**30
    first = np.vstack([big, rng.uniform(-1, 1, (2, 2))])
    second = np.array([[0.7, -0.7, 0.0, 0.3, 0.0], [0.0, 0.9, -0.9, 0.0, 1.1], [0.6, 0.0, -0.6, 0.2, 0.1]])
    first[1] = first[0] + rng.uniform(-1, 1, 2)
    first[2] = first[0] + rng.uniform(-1, 1, 2)
    third = rng.uniform(-1, 1, (3, 3))
    weights: list[Any] = [first, second, third, rng.uniform(-1, 1, (2, 3))]
    if thin:
        weights[1:] = [sparse.csr_matrix(w) for w in weights[1:]]
    biases = [np.array([0.1, 0.2, 0.3, 0.1, -0.2]), np.full(3, 0.1), np.full(3, -0.1), np.full(2, 0.05)]
    units = ["leaky_relu:0.3", "leaky_relu:0.1", "relu", "relu"]
    return Given(ps.Network.from_layers(weights, biases, units), ps.Box([-1.0, -1.0], [1.0, 1.0]))


def _underflowing(*, thin: bool = False) -> Given:
    """Chain whose products are below all floats where the units beside it, of size one, are off."""
    tiny = 2.0**-360
    weights: list[Any] = [
        [[1.0, 0.0], [1.0, 0.5]],
        [[1.0, 0.0], [1.0, tiny * 1.3]],
        [[1.0, 0.0], [1.0, tiny * 1.7]],
        [[1.0, 0.0], [1.0, tiny * 1.9]],
    ]
    if thin:
        weights[1:] = [sparse.csr_matrix(np.array(w)) for w in weights[1:]]
    units = ["relu|leaky_relu:0.7", "relu|leaky_relu:0.9", "relu|leaky_relu:0.6", "relu"]
    return Given(ps.Network.from_layers(weights, [None] * 4, units), ps.Box([-1.0, -1.0], [1.0, 1.0]))


def _near_one(rng: np.random.Generator, factor: float) -> float:
    """Number near one whose product with another one near one rounds up by almost half of the last place."""
    best, found = 0.0, 1.0
    for step in rng.integers(1, 2**24, 4000).tolist():
        candidate = 1.0 + step * 2.0**-52
        lost = float(Fraction(factor * candidate) - Fraction(factor) * Fraction(candidate))
        if lost > best:
            best, found = lost, candidate
    return found


def _integers() -> Given:
    """Rows that are exact up to a unit whose slope is not a number of few bits."""
    rng = np.random.default_rng(5)
    weights = [rng.integers(-3, 4, shape).astype(float) for shape in ((4, 2), (4, 4), (3, 4))]
    biases = [rng.integers(-2, 3, len(weight)).astype(float) for weight in weights]
    return Given(ps.Network.from_layers(weights, biases, "leaky_relu:0.1"), ps.Box([-1.0, -1.0], [1.0, 1.0]))


def _one_way(count: int) -> Given:
    """Sum whose terms are each a little more than half a unit in the last place: all round up.

    At a corner of the domain another member of its group, exact, lies between the sum and its rounding.
    """
    first = np.zeros((count + 1, 2))
    first[-1] = 0.25, 0.25
    second = np.zeros((2, count + 1))
    second[0, :count] = 2.0**-53 * (1.0 + 2.0**-20)
    second[1, count] = 1.0
    third = [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    biases: list[Any] = [np.append(np.ones(count), 0.0), [1.0, 1.5 * 2.0**-43], [0.0, 0.0, -1.0]]
    relu = parse_activation("relu", 1)[0]
    net = ps.Network.from_layers(
        [first, second, third], biases, ["identity", "identity", [MaxGroup(2), relu]]
    )
    return Given(net, ps.Box([-1.0, -1.0], [2.0, 2.0]))


def _worst_rounding(*, alone: bool) -> Given:
    """Constants whose four roundings, of a unit and of a sum, are all almost as large as they can be."""
    rng = np.random.default_rng(3)
    value = 1.0 + 3 * 2.0**-27
    slope = _near_one(rng, value)
    product = slope * value
    offset = 2.0**-53 * 1.001
    weight = _near_one(rng, product + offset)
    bias = 2.0**-53 * 1.001
    unit = ScalarUnit("two slopes", (0.0,), (slope / 2, slope), (offset, offset))
    layers: list[Any] = [[[0.0, 0.0], [1.0, 0.5]], [[weight, 0.0], [0.0, 1.0]]]
    biases: list[Any] = [[value, 0.0], [bias, 0.25]]
    if alone:
        layers, biases = [[[0.0, 0.0]], [[weight]]], [[value], [bias]]
    return Given(ps.Network.from_layers(layers, biases, [unit, "relu"]), ps.Box([-1.0, -1.0], [1.0, 1.0]))


def _dyadic(bits: int) -> Given:
    """Weights of so many bits, which sums of exact rows hold or just do not."""
    rng = np.random.default_rng(bits)
    half = bits // 2

    def numbers(shape: tuple[int, ...], size: int) -> Floats:
        return np.asarray(rng.integers(-(2**size) + 1, 2**size, shape) * 2.0**-size)

    weights = [numbers((4, 2), half), numbers((4, 4), bits - half), numbers((2, 4), 3)]
    biases = [numbers((4,), half), numbers((4,), half), numbers((2,), 3)]
    return Given(ps.Network.from_layers(weights, biases, ["relu"] * 3), ps.Box([-1.0, -1.0], [1.0, 1.0]))


def _grown(bits: int) -> Given:
    """Coefficients that grow beyond 2^53 ulps though the values, on a small domain, do not."""
    rng = np.random.default_rng(bits)
    first = rng.integers(2**7, 2**8, (3, 2)).astype(np.float64)
    second = 1.0 + rng.integers(1, 8, (3, 3)) * 2.0**-bits
    weights = [first, second, np.ones((1, 3))]
    return Given(
        ps.Network.from_layers(weights, [None, np.full(3, -1.5), None], ["identity", "relu", "relu"]),
        ps.Box([-(2.0**-6)] * 2, [2.0**-6] * 2),
    )


def _far_knots() -> Given:
    """Values of size 2^-30, and knots and offsets of size one beside them."""
    rng = np.random.default_rng(8)
    weights = [rng.uniform(-1, 1, shape) * 2.0**-30 for shape in ((3, 2), (3, 3))]
    biases = [rng.uniform(-1, 1, 3) * 2.0**-30 for _ in range(2)]
    net = ps.Network.from_layers(weights, biases, ["softshrink:0.3", "hardtanh:-0.7,0.1"])
    return Given(net, ps.Box([-1.0, -1.0], [1.0, 1.0]))


def _unequal_members() -> Given:
    """Max groups of a constant, which is exact, and of what is left of large numbers."""
    before = _cancelling().net.layers
    last = np.array([[0.0, 0.0, 0.0], [0.6, 0.7, 0.8], [0.5, -0.6, 0.9], [0.0, 0.0, 0.0]])
    weights = [*(layer.weight for layer in before[:2]), last]
    biases = [*(layer.bias for layer in before[:2]), np.array([0.25, 0.1, 0.2, 0.125])]
    units = ["leaky_relu:0.3", "leaky_relu:0.1", "max:2"]
    return Given(ps.Network.from_layers(weights, biases, units), ps.Box([-1.0, -1.0], [1.0, 1.0]))


def _beside_the_origin() -> Given:
    """A vertex that is the origin but for 2^-60, which is what it is rounded to."""
    beside = ScalarUnit("knot beside zero", (2.0**-60,), (1.0, 2.0), (0.0, -(2.0**-60)))
    net = ps.Network.from_layers(
        [[[1.0, 0.0], [0.0, 1.0], [1.0, 0.5]]],
        [[0.0] * 3],
        [[beside, beside, parse_activation("relu", 1)[0]]],
    )
    return Given(net, ps.Box([-1.0, -1.0], [1.0, 1.0]))


GIVEN: dict[str, Given] = {
    "unequal members": _unequal_members(),
    "cancelling": _cancelling(),
    "underflowing": _underflowing(),
    "worst rounding": _worst_rounding(alone=False),
    "worst rounding, alone": _worst_rounding(alone=True),
    "rounding one way": _one_way(1000),
    "integers, decimal slopes": _integers(),
    "far knots": _far_knots(),
    "beside the origin": _beside_the_origin(),
    "decimal, max groups": _max_groups(),
    "decimal, units on all layers": _decimal([2, 4, 3, 3], ["hardtanh", "relu", "softshrink:0.3"], 2),
    "cancelling, sparse": _cancelling(thin=True),
    "underflowing, sparse": _underflowing(thin=True),
    "decimal": _decimal([2, 4, 4, 3], "leaky_relu:0.1", 1),
    "decimal, sparse": _decimal([2, 5, 5, 4], ["leaky_relu:0.1", "relu", "relu"], 3, thin=True),
    **{f"grown by {bits} bits": _grown(bits) for bits in (36, 42, 44, 45, 46, 48)},
    **{f"dyadic of {bits} bits": _dyadic(bits) for bits in (8, 20, 22, 44, 50, 56, 60)},
}
