"""Networks in the oracle's own words: activation tables, random layers and domains."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tests.oracle.forms import FloatArray, Members, OracleLayer, UnitTable

IDENTITY: UnitTable = ((), (1.0,), (0.0,))

#: The tables the tests use, by the name the package gives the activation.
TABLES: dict[str, UnitTable] = {
    "identity": IDENTITY,
    "relu": ((0.0,), (0.0, 1.0), (0.0, 0.0)),
    "leaky_relu:0.1": ((0.0,), (0.1, 1.0), (0.0, 0.0)),
    "leaky_relu:0.25": ((0.0,), (0.25, 1.0), (0.0, 0.0)),
    "abs": ((0.0,), (-1.0, 1.0), (0.0, 0.0)),
    "hardtanh": ((-1.0, 1.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 1.0)),
    "relu6": ((0.0, 6.0), (0.0, 1.0, 0.0), (0.0, 0.0, 6.0)),
}

Weights = tuple[list[FloatArray], list[FloatArray]]


def oracle_layers(
    weights: Sequence[FloatArray], biases: Sequence[FloatArray], activations: Sequence[str]
) -> list[OracleLayer]:
    """Layers with a named activation each: one name for all neurons, or one per neuron joined by ``|``."""
    layers: list[OracleLayer] = []
    for weight, bias, activation in zip(weights, biases, activations, strict=True):
        units = [unit_of(name) for name in activation.split("|")]
        if len(units) == 1:
            units *= len(bias) // (units[0] if isinstance(units[0], int) else 1)
        layers.append((weight, bias, units))
    return layers


def unit_of(name: str) -> UnitTable | Members:
    """The oracle's unit of one spelling: a table, or the number of members of ``max:n``."""
    if name in TABLES:
        return TABLES[name]
    key, _, text = name.partition(":")
    if key == "max":
        return int(text)
    if key == "piecewise":
        knots, slopes, offsets = map(_numbers, text.split("/"))
        return knots, slopes, offsets
    numbers = _numbers(text)
    if key == "leaky_relu":
        return (0.0,), (numbers[0], 1.0), (0.0, 0.0)
    if key == "hardtanh":
        return numbers, (0.0, 1.0, 0.0), (numbers[0], 0.0, numbers[1])
    if key == "softshrink":
        (width,) = numbers
        return (-width, width), (1.0, 0.0, 1.0), (width, 0.0, -width)
    raise KeyError(name)


def _numbers(text: str) -> list[float]:
    return [float(entry) for entry in text.split(",") if entry]


def random_weights(widths: Sequence[int], seed: int) -> Weights:
    """He-normal weights and biases uniform in +-1/sqrt(fan-in)."""
    generator = np.random.default_rng(seed)
    weights, biases = [], []
    for fan_in, fan_out in pairwise(widths):
        weights.append(generator.normal(size=(fan_out, fan_in)) * np.sqrt(2.0 / fan_in))
        biases.append(generator.uniform(-1.0, 1.0, size=fan_out) / np.sqrt(fan_in))
    return weights, biases


def integer_weights(widths: Sequence[int], seed: int, low: int = -2, high: int = 2) -> Weights:
    """Small integers: many parallel, duplicate, zero and concurrent units."""
    generator = np.random.default_rng(seed)
    weights, biases = [], []
    for fan_in, fan_out in pairwise(widths):
        weights.append(generator.integers(low, high + 1, size=(fan_out, fan_in)).astype(np.float64))
        biases.append(generator.integers(low, high + 1, size=fan_out).astype(np.float64))
    return weights, biases


def tent_weights(depth: int, dimension: int) -> Weights:
    """The depth-fold composition of the tent map in each of several coordinates.

    tent(x) = 2 relu(x) - 4 relu(x - 1/2) on [0, 1].
    """
    eye = np.eye(dimension)
    spread = np.kron(eye, np.array([[1.0], [1.0]]))
    gather = np.kron(eye, np.array([[2.0, -4.0]]))
    knots = np.tile([0.0, -0.5], dimension)
    weights = [spread, *[spread @ gather] * (depth - 1), gather]
    return weights, [knots] * depth + [np.zeros(dimension)]


def simplex_with_cuts(dimension: int, cuts: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Rows of the simplex ``z >= -1, sum(z) <= 1``, and of random halfspaces around the origin."""
    generator = np.random.default_rng(seed)
    normals = [-np.eye(dimension), np.ones((1, dimension)), generator.normal(size=(cuts, dimension))]
    return np.vstack(normals), np.concatenate(
        [np.ones(dimension + 1), generator.uniform(0.3, 0.8, size=cuts)]
    )


def box_rows(low: Sequence[float], high: Sequence[float]) -> tuple[FloatArray, FloatArray]:
    """Rows ``-z <= -low`` and ``z <= high``."""
    eye = np.eye(len(low))
    return np.vstack([-eye, eye]), np.concatenate([-np.asarray(low, float), np.asarray(high, float)])
