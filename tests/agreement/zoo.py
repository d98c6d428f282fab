"""Degenerate networks by name: every way in which hyperplanes, units and domains can fail to be generic."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from tests.oracle.cases import Weights, integer_weights, random_weights
from tests.oracle.forms import FloatArray


def single_layer(rows: Sequence[Sequence[float]], biases: Sequence[float]) -> Weights:
    """One hidden layer with these rows, summed."""
    weight = np.array(rows, dtype=np.float64)
    return [weight, np.ones((1, len(weight)))], [np.array(biases, dtype=np.float64), np.zeros(1)]


def stacked(rows: FloatArray, biases: FloatArray, width: int, seed: int) -> Weights:
    """A given first layer under a second, random one."""
    generator = np.random.default_rng(seed)
    second = generator.normal(size=(width, len(rows)))
    return (
        [rows, second, np.ones((1, width))],
        [biases, generator.uniform(-0.5, 0.5, size=width), np.zeros(1)],
    )


def related_units(relation: str, dimension: int, seed: int) -> Weights:
    """A random layer in which every unit has a relative, under a second layer."""
    generator = np.random.default_rng(seed)
    rows, biases = generator.normal(size=(3, dimension)), generator.uniform(-0.5, 0.5, size=3)
    if relation == "duplicate":
        other, shift = rows, biases
    elif relation == "negated":
        other, shift = -rows, -biases
    elif relation == "parallel":
        other, shift = rows, biases + np.array([0.25, -0.5, 1e-9])
    elif relation == "proportional":
        other, shift = rows * [[2.0], [-4.0], [0.125]], biases * [2.0, -4.0, 0.125]
    elif relation == "nearly_proportional":
        # Rounding makes these rows almost, but not exactly, multiples: some cells hold no float64 point.
        other, shift = rows * 0.1, biases * 0.1
    else:
        raise KeyError(relation)
    return stacked(np.vstack([rows, other]), np.concatenate([biases, shift]), 3, seed)


def lattice(dimension: int) -> Weights:
    """Axis-parallel and diagonal planes through the points of a lattice: many meet in every point."""
    levels = [-0.5, 0.0, 0.5] if dimension < 3 else [0.0, 0.5]
    normals = [normal for normal in product((-1, 0, 1), repeat=dimension) if _leading_sign(normal) > 0]
    pairs = [(normal, level) for normal in normals for level in levels]
    return single_layer([list(normal) for normal, _ in pairs], [-level for _, level in pairs])


def _leading_sign(normal: Sequence[int]) -> int:
    return next((entry for entry in normal if entry), 0)


def zero_biases(widths: Sequence[int], seed: int) -> Weights:
    """A deep network without biases: all regions are cones with one apex."""
    weights, biases = random_weights(widths, seed)
    return weights, [np.zeros_like(bias) for bias in biases]


def scaled(weights: Weights, factors: Sequence[float]) -> Weights:
    """Every layer times its own factor."""
    pairs = list(zip(weights[0], weights[1], factors, strict=True))
    return [w * factor for w, _, factor in pairs], [b * factor for _, b, factor in pairs]


def dying(widths: Sequence[int], seed: int) -> Weights:
    """Deep units that are the constant 0 on large regions: no biases there, and non-positive weights."""
    weights, biases = random_weights(widths, seed)
    for layer in range(1, len(weights) - 1):
        weights[layer][::2] = -np.abs(weights[layer][::2])
        biases[layer] = np.zeros_like(biases[layer])
    return weights, biases


def folded() -> Weights:
    """|x| and |y| first, then units that touch zero without crossing it, or are zero on whole regions."""
    first = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    second = np.array(
        [
            [1.0, 1.0, 0.0, 0.0],  # |x|: zero on a line, positive on either side
            [-1.0, -1.0, 0.0, 0.0],  # -|x|: zero on a line, negative on either side
            [1.0, 0.0, 0.0, 0.0],  # relu(x): zero on half of the plane
            [1.0, -1.0, 0.0, 0.0],  # x: the first layer's knot again
            [1.0, 1.0, -1.0, -1.0],  # |x| - |y|
            [1.0, 0.0, -1.0, 0.0],  # relu(x) - relu(y): zero on a quadrant
        ]
    )
    return [first, second, np.ones((1, 6))], [np.zeros(4), np.zeros(6), np.zeros(1)]


def flat_directions(dimension: int) -> Weights:
    """First-layer weights of rank 1: every region of the whole space contains lines."""
    generator = np.random.default_rng(dimension)
    direction = np.arange(1.0, dimension + 1.0)
    rows = np.outer([1.0, -1.0, 2.0, 0.5], direction)
    return stacked(rows, generator.integers(-2, 3, size=4).astype(np.float64), 4, dimension)


def families() -> dict[str, Weights]:
    """Every family, with small sizes and in several dimensions."""
    zoo: dict[str, Weights] = {}
    for relation in ("duplicate", "negated", "parallel", "proportional", "nearly_proportional"):
        for dimension in (1, 2, 3):
            zoo[f"{relation}-{dimension}"] = related_units(relation, dimension, dimension)
    for dimension in (1, 2, 3):
        zoo[f"lattice-{dimension}"] = lattice(dimension)
        zoo[f"flat-directions-{dimension}"] = flat_directions(dimension)
        zoo[f"zero-biases-{dimension}"] = zero_biases([dimension, 4, 4, 3, 1], dimension)
        zoo[f"dying-{dimension}"] = dying([dimension, 5, 4, 4, 1], dimension)
        zoo[f"one-unit-layers-{dimension}"] = random_weights([dimension, 1, 1, 3, 1, 2], dimension)
        zoo[f"integers-{dimension}"] = integer_weights([dimension, 5, 4, 3, 1], dimension, -1, 1)
    zoo["zero-biases-4"] = zero_biases([4, 5, 4, 1], 4)
    zoo["zero-biases-5"] = zero_biases([5, 5, 3, 1], 5)
    zoo["dead-units"] = single_layer([[0, 0], [0, 0], [0, 0], [1, 0]], [0, 1, -1, 0])
    zoo["all-dead"] = single_layer([[0, 0], [0, 0]], [0, 0])
    zoo["constant"] = (
        [np.zeros((3, 2)), np.zeros((2, 3)), np.zeros((1, 2))],
        [np.ones(3), np.zeros(2), np.ones(1)],
    )
    zoo["no-hidden-layer"] = ([np.array([[1.0, 2.0]])], [np.array([0.5])])
    zoo["one-unit"] = single_layer([[1, -2]], [0.25])
    zoo["folded"] = folded()
    zoo["knots-through-corners"] = single_layer([[1, 1], [1, -1], [2, 1], [1, 2]], [0, 0, -1, -3])
    zoo["knots-on-sides"] = single_layer([[1, 0], [-1, 0], [0, 1], [0, -3], [1, 1]], [-1, -1, 1, 3, -2])
    base = random_weights([2, 5, 5, 1], 12)
    zoo["scaled-down"] = scaled(base, [1e-6, 1e-6, 1e-6])
    zoo["scaled-up"] = scaled(base, [1e6, 1e6, 1e6])
    zoo["scaled-apart"] = scaled(base, [1e6, 1e-6, 1.0])
    zoo["scaled-beyond-float32"] = scaled(base, [1e60, 1e-40, 1e-30])
    mixed = [weight.copy() for weight in base[0]]
    mixed[0] *= np.array([1e-6, 1.0, 1e6, 1e-3, 1e3])[:, None]
    zoo["rows-of-every-scale"] = (mixed, [base[1][0] * [1e-6, 1.0, 1e6, 1e-3, 1e3], *base[1][1:]])
    zoo["columns-of-every-scale"] = ([base[0][0] * [1e-6, 1e6], *base[0][1:]], base[1])
    thin = 2.0**-50
    zoo["needles"] = single_layer([[1, 0], [1, thin], [1, -thin], [thin, 1]], [0, 0, thin / 4, 0])
    return zoo
