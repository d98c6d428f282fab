"""Families of partitions at the ends of float64's range, and of its precision."""

from __future__ import annotations

import math

import numpy as np

from tests.fuzz.cases import BallAround, Layers, PartitionCase, Place, box_place, cube_place
from tests.fuzz.draws import SCALAR, Rng, chance, decimal, dimension, number, pick, power
from tests.oracle.forms import FloatArray

KNOT_AT_ZERO = ("relu", "relu", "leaky_relu:0.1", "abs")
LEAST = 5e-324


def _place(rng: Rng, dim: int) -> Place:
    if chance(rng, 0.5):
        return cube_place(dim)
    return box_place([-1.0] * dim, [0.25, *[1.0] * (dim - 1)])


def _few(rng: Rng, shape: tuple[int, ...]) -> FloatArray:
    """Small dyadic and decimal numbers."""
    flat = [number(rng, [-1.0, 1.0, 0.5, -0.5, 0.0, 0.25, 0.1, -0.9, 3.0]) for _ in range(math.prod(shape))]
    return np.array(flat).reshape(shape)


def _scaled_rows(rng: Rng, dim: int, scales: list[float], activation: str, bias_scale: float = 0.0) -> Layers:
    """An affine layer and one of units, some of whose rows have such scales in both."""
    width = int(rng.integers(1, 4))
    small = [chance(rng, 0.6) for _ in range(width)]
    small[0] = True
    first, second = _few(rng, (width, dim)), np.eye(width)
    bias, shift = np.zeros(width), np.zeros(width)
    for at in range(width):
        if small[at]:
            first[at] *= number(rng, scales)
            second[at, at] = number(rng, scales) * number(rng, [1.0, -1.0, 1.95])
            shift[at] = bias_scale * int(rng.integers(-40, 41)) if chance(rng, 0.6) else 0.0
        else:
            shift[at] = decimal(rng, 2, 0.6)
    return Layers([first, second], [bias, shift], ["identity", activation])


def _rounded_products(rng: Rng, dim: int) -> Layers:
    """A product of some tens of the least float64, whose knot is near that of an ordinary unit."""
    small = number(rng, [1e-160, 1e-100, 1e-250])
    share = rng.uniform(2.0, 60.0)
    cut = int(rng.integers(1, max(2, int(share))))
    other = round(cut / share + rng.uniform(-1.0, 1.0) / share, 3)
    first = np.zeros((2, dim))
    first[:, 0] = [small, 1.0]
    second = np.diag([share * (LEAST / small) if small > 1e-200 else share * 1e-74, 1.0])
    return Layers(
        [first, second],
        [np.zeros(2), np.array([-cut * LEAST, -other])],
        ["identity", pick(rng, KNOT_AT_ZERO)],
    )


def subnormals(rng: Rng) -> PartitionCase:
    """Weights, biases and products of a few times 2^-1074."""
    dim = dimension(rng)
    kind = pick(rng, ["weights", "knots", "rows"])
    if kind == "weights":
        width = int(rng.integers(1, 4))
        weight = _few(rng, (width, dim))
        bias = np.array([decimal(rng, 2, 0.6) for _ in range(width)])
        weight[0] = [LEAST * int(rng.integers(-3, 4)) or LEAST for _ in range(dim)]
        bias[0] = 0.0 if chance(rng, 0.6) else LEAST * int(rng.integers(-3, 4))
        layers = Layers([weight], [bias], [pick(rng, KNOT_AT_ZERO)])
    elif kind == "knots":
        layers = _rounded_products(rng, dim)
    else:
        scales = [1e-160, 1e-161, 1.95e-162, 3e-163, 2.0**-537, 2.0**-530]
        layers = _scaled_rows(rng, dim, scales, pick(rng, KNOT_AT_ZERO), LEAST)
    return PartitionCase(layers, _place(rng, dim), [-1.0] * dim)


def subnormal_domains(rng: Rng) -> PartitionCase:
    """Boxes whose sides are a few times 2^-1074, or in that range."""
    dim = int(rng.choice([1, 1, 2]))
    unit = number(rng, [LEAST, LEAST, 2.0**-1060, 2.0**-1022])
    low = [-unit * int(rng.integers(1, 6)) for _ in range(dim)]
    high = [unit * int(rng.integers(1, 6)) for _ in range(dim)]
    width = int(rng.integers(1, 4))
    weight = rng.integers(-3, 4, (width, dim)).astype(np.float64)
    bias = np.array([unit * int(rng.integers(-3, 4)) for _ in range(width)])
    layers = Layers([weight], [bias], [pick(rng, KNOT_AT_ZERO)])
    return PartitionCase(layers, box_place(low, high), low)


def tiny_products(rng: Rng) -> PartitionCase:
    """Rows at 1e-200 in two layers: their products vanish."""
    dim = dimension(rng)
    layers = _scaled_rows(rng, dim, [1e-200, 1e-170, 1e-300, 2.0**-600], pick(rng, KNOT_AT_ZERO))
    return PartitionCase(layers, _place(rng, dim), [-1.0] * dim)


def huge_products(rng: Rng) -> PartitionCase:
    """Rows at 1e200 in two layers: their products have no float64; an error is an answer."""
    dim = dimension(rng)
    big = number(rng, [1e200, 1e155, 1e160])
    if chance(rng, 0.5):
        layers = _scaled_rows(rng, dim, [big, 1e150], pick(rng, SCALAR))
    else:
        first = _few(rng, (2, dim)) * big
        bias = np.array([0.0, big * number(rng, [1.0, 0.5, 0.0, -1.0])])
        layers = Layers([first, np.eye(2) * big], [bias, np.zeros(2)], ["identity", "max:2"])
    return PartitionCase(layers, cube_place(dim), [0.0] * dim, refusable=True)


def overflow(rng: Rng) -> PartitionCase:
    """Weights, biases and boxes near the largest float64; an error is an answer."""
    dim = dimension(rng)
    width = int(rng.integers(1, 4))
    weight, bias = _few(rng, (width, dim)), np.array([decimal(rng, 1, 0.5) for _ in range(width)])
    bias[rng.random(width) < 0.4] = 0.0
    scale = number(rng, [1e308, 1e308, 1e307, 8e307])
    at = int(rng.integers(width))
    place = cube_place(dim)
    kind = pick(rng, ["row", "bias", "box", "both"])
    if kind in ("row", "both"):
        weight[at] = [number(rng, [1.0, -1.0, 0.5]) * scale for _ in range(dim)]
    if kind in ("bias", "both"):
        bias[at] = number(rng, [1.0, -1.0]) * scale
    if kind == "box":
        place = cube_place(dim, scale)
    return PartitionCase(Layers([weight], [bias], [pick(rng, SCALAR)]), place, [0.0] * dim, refusable=True)


def restored_chains(rng: Rng) -> PartitionCase:
    """Values that underflow in one layer and are scaled back by the next ones."""
    dim = int(rng.choice([1, 1, 2]))
    tiny, back = number(rng, [1e-200, 1e-160, 1e-250]), number(rng, [1e300, 1e200, 1e100])
    width = int(rng.integers(1, 3))
    leaky = f"leaky_relu:{tiny!r}"
    first = _few(rng, (width, dim)) * number(rng, [tiny, 1.0])
    depth = int(rng.integers(1, 4))
    weights, biases, names = [first], [np.zeros(width)], [pick(rng, [leaky, leaky, "identity"])]
    for level in range(depth):
        last = level == depth - 1
        scale = back if last or chance(rng, 0.5) else tiny
        weights.append(np.diag([number(rng, [1.0, -1.0, 0.5]) for _ in range(width)]) * scale)
        shift = number(rng, [0.0, 0.5, 1e-101, 5e-101, 1e-300, -1e-60])
        biases.append(np.full(width, shift) if last else np.zeros(width))
        names.append(pick(rng, KNOT_AT_ZERO) if last else pick(rng, [leaky, "identity"]))
    return PartitionCase(Layers(weights, biases, names), cube_place(dim), [-1.0] * dim)


def _fine(rng: Rng, dim: int) -> tuple[Layers, FloatArray, float]:
    """Coefficients that cancel to a few of their last bits, a point of the first knot, a size.

    A row r of so many bits is seen twice, times 1 + k 2^-e and times -1: points of this size give values
    on the grid of 2^-e within 53 bits, but the products of the rows have more.
    """
    bits = int(rng.integers(8, 27))
    inverse = int(rng.integers(4, min(bits - 2, 21)))
    lowest, highest = 54 - bits, 51 - bits + inverse
    grain = int(rng.integers(min(lowest, highest), highest + 1))
    size, grid = math.ldexp(1.0, -inverse), math.ldexp(1.0, grain)
    pairs = 2 if chance(rng, 0.3) else 1
    first, second, shift = [], np.zeros((pairs + 1, 2 * pairs + 1)), []
    point = np.zeros(dim)
    for pair in range(pairs):
        row = [float(rng.integers(2 ** (bits - 1), 2**bits) | 1) for _ in range(dim)]
        first += [row, row]
        extra = int(rng.choice([1, 3, 3, 5])) / grid
        second[pair, 2 * pair : 2 * pair + 2] = [1.0 + extra, -1.0]
        knot = rng.uniform(-0.9, 0.9, dim) * size
        value = round(float(np.dot(row, knot)) * extra * grid) / grid
        shift.append(-value)
        if pair == 0:
            point = knot
            # The knot of the bias as it was rounded.
            point[0] += (value / extra - float(np.dot(row, knot))) / row[0]
    if chance(rng, 0.7):
        # A knot between the first one and where it lies if the products of its row are rounded.
        plain = [x * power(rng, -8, -4) for x in first[0]] if dim == 1 else first[0]
        rounded = np.array(first[0]) * second[0, 0] - np.array(first[0])
        moved = -shift[0] / float(np.dot(rounded, point)) if np.dot(rounded, point) else 1.0
        at = point * (1.0 + (moved - 1.0) * number(rng, [0.5, 0.1, 0.9]))
    else:
        plain = [float(rng.integers(1, 16)) for _ in range(dim)]
        at = rng.uniform(-0.9, 0.9, dim) * size
    first.append(plain)
    shift.append(-round(float(np.dot(plain, at)) * grid) / grid)
    second[pairs, 2 * pairs] = 1.0
    layers = Layers(
        [np.array(first), second],
        [np.zeros(len(first)), np.array(shift)],
        ["identity", pick(rng, KNOT_AT_ZERO)],
    )
    return layers, point, size


def fine_coefficients(rng: Rng) -> PartitionCase:
    """Coefficients of 8 to 26 bits that cancel in the second layer, over boxes of radius 2^-4 to 2^-20."""
    dim = dimension(rng)
    layers, _, size = _fine(rng, dim)
    return PartitionCase(layers, cube_place(dim, size), [0.0] * dim)


def fine_balls(rng: Rng) -> PartitionCase:
    """The same over the whole space, in balls near the knot."""
    dim = dimension(rng)
    layers, point, size = _fine(rng, dim)
    radius = number(rng, [1e-6, size * power(rng, -12, -2)])
    centre = point.copy()
    centre[0] += radius * number(rng, [0.0, 0.5, 0.9, 1.1, 2.0, -0.5, -1.5, 30.0, -50.0])
    ball = BallAround(centre.tolist(), radius, pick(rng, ["l2", "linf"]))
    return PartitionCase(layers, Place("space", dim), [0.0] * dim, ball)


def touching_balls(rng: Rng) -> PartitionCase:
    """Balls that touch a knot in one point, for rows whose squares underflow or overflow."""
    dim = int(rng.choice([1, 2, 2]))
    scale = number(rng, [1.0, 2.71e-162, 1e-160, 3e-170, 1e-200, 1e-154, 1e-300, 1e150, 2.0**-540])
    slanted = dim == 2 and chance(rng, 0.4)
    normal = np.array([3.0, 4.0]) if slanted else np.eye(dim)[0]
    norm = pick(rng, ["l2", "linf"])
    away = number(rng, [1.0, 0.5, 2.0])
    reach = away * (7.0 if slanted and norm == "linf" else 5.0 if slanted else 1.0)
    # In the 2-norm the distance of -t (3, 4) from 3x + 4y = 0 is 5t; in the other one 25t / 7.
    centre = -away * (np.array([3.0, 4.0]) if slanted else normal)
    radius = reach
    if slanted and norm == "linf":
        centre = -away * np.array([7.0, 7.0])
    if chance(rng, 0.4):
        radius = math.nextafter(radius, number(rng, [0.0, math.inf]))
    rows = np.array([normal * scale, *(_few(rng, (1, dim)) if chance(rng, 0.5) else [])])
    bias = np.array([0.0, *[decimal(rng, 1) for _ in rows[1:]]])
    place = Place("space", dim) if chance(rng, 0.4) else cube_place(dim, 20.0)
    layers = Layers([rows], [bias], [pick(rng, KNOT_AT_ZERO)])
    return PartitionCase(layers, place, [0.0] * dim, BallAround(centre.tolist(), radius, norm))


def balls(rng: Rng) -> PartitionCase:
    """Normal and small integer nets in balls of every size."""
    dim = int(rng.choice([1, 2, 2, 3]))
    width = int(rng.integers(2, 5 - dim // 2))
    if chance(rng, 0.5):
        weights = [rng.normal(size=(width, dim)), rng.normal(size=(2, width))]
        biases = [rng.uniform(-0.5, 0.5, width), rng.uniform(-0.5, 0.5, 2)]
    else:
        weights = [
            rng.integers(-2, 3, (width, dim)).astype(float),
            rng.integers(-2, 3, (2, width)).astype(float),
        ]
        biases = [rng.integers(-1, 2, width) / 2.0, rng.integers(-1, 2, 2) / 2.0]
    layers = Layers(weights, biases, [pick(rng, SCALAR), pick(rng, SCALAR)])
    centre = [decimal(rng, 1) if chance(rng, 0.5) else float(rng.integers(-2, 3)) / 2.0 for _ in range(dim)]
    ball = BallAround(centre, number(rng, [0.0, 0.5, 0.25, 1.0, 1e-6, 0.3]), pick(rng, ["l2", "linf"]))
    place = Place("space", dim) if chance(rng, 0.5) else cube_place(dim)
    return PartitionCase(layers, place, [0.0] * dim, ball)


def flush_to_zero(rng: Rng) -> PartitionCase:
    """Nets of tiny numbers where the processor flushes subnormal numbers to zero; an error is an answer."""
    dim = int(rng.choice([1, 1, 2]))
    if chance(rng, 0.4):
        width = int(rng.integers(1, 3))
        weight = _few(rng, (width, dim))
        weight[0] = number(rng, [1e-310, -3e-320, LEAST, 2.0**-1023])
        layers = Layers([weight], [np.zeros(width)], [pick(rng, KNOT_AT_ZERO)])
    else:
        layers = _scaled_rows(rng, dim, [1e-160, 1e-155, 2.0**-520], pick(rng, KNOT_AT_ZERO))
    return PartitionCase(layers, _place(rng, dim), [-1.0] * dim, flush=True, refusable=True)
