"""Random numbers, units and layers of the kinds that the families are made of."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tests.fuzz.cases import Layers
from tests.oracle.cases import unit_of
from tests.oracle.forms import FloatArray

Rng = np.random.Generator

SCALAR = (
    "relu",
    "relu",
    "leaky_relu:0.1",
    "abs",
    "hardtanh",
    "softshrink:0.5",
    "softshrink:1.0",
    "leaky_relu:-0.5",
    "relu6",
    "hardtanh:-0.5,0.25",
    "piecewise:-0.5,0.5/0.0,1.0,-1.0/-0.5,0.0,1.0",
    "piecewise:0.25/0.5,-0.25/0.0,0.1875",
)
"""Spellings of scalar units with knots."""


def pick(rng: Rng, choices: Sequence[str]) -> str:
    """One of some strings."""
    return str(choices[int(rng.integers(len(choices)))])


def number(rng: Rng, choices: Sequence[float]) -> float:
    """One of some numbers."""
    at = int(rng.integers(len(choices)))
    return float(choices[at])


def chance(rng: Rng, share: float) -> bool:
    """Whether an event of this probability happens."""
    return bool(rng.random() < share)


def decimal(rng: Rng, digits: int = 1, most: float = 1.0) -> float:
    """A decimal number of so many digits behind the point, in [-most, most]."""
    top = round(most * 10**digits)
    return float(round(int(rng.integers(-top, top + 1)) / 10**digits, digits))


def decimals(rng: Rng, shape: tuple[int, ...], digits: int = 1, most: float = 1.0) -> FloatArray:
    """Decimal numbers."""
    flat = [decimal(rng, digits, most) for _ in range(math.prod(shape))]
    return np.array(flat, dtype=np.float64).reshape(shape)


def nudged(value: float, ulps: int) -> float:
    """The float64 number so many steps above (below, if negative) this one."""
    for _ in range(abs(ulps)):
        value = math.nextafter(value, math.copysign(math.inf, ulps))
    return value


def few_ulps(rng: Rng, most: int = 2) -> int:
    """A small number of steps, often none."""
    return int(rng.integers(-most, most + 1))


def power(rng: Rng, low: int, high: int) -> float:
    """A power of two with an exponent in [low, high]."""
    return math.ldexp(1.0, int(rng.integers(low, high + 1)))


def dimension(rng: Rng) -> int:
    """1, 2 or 3, the first two more often."""
    return int(rng.choice([1, 1, 1, 2, 2, 2, 3]))


def knots_of(activation: str) -> Sequence[float]:
    """Knots of a scalar unit."""
    unit = unit_of(activation)
    assert not isinstance(unit, int)
    return unit[0]


def on_top(rng: Rng, layers: Layers, width: int, integral: bool = False) -> Layers:
    """The same layers under a random one of scalar units, whose outputs are what follows."""
    fan_in = outputs_of(layers)
    if integral:
        weight = rng.integers(-2, 3, (width, fan_in)).astype(np.float64)
        bias = rng.integers(-2, 3, width).astype(np.float64)
    else:
        weight, bias = decimals(rng, (width, fan_in)), decimals(rng, (width,), 2)
    names = [*layers.activations, pick(rng, SCALAR)]
    return Layers([*layers.weights, weight], [*layers.biases, bias], names)


def outputs_of(layers: Layers) -> int:
    """Number of outputs of the last layer."""
    return len(layers.oracle()[-1][2])


def random_layers(rng: Rng, widths: Sequence[int], activations: Sequence[str], digits: int | None) -> Layers:
    """Normal weights, or decimal ones; max groups get as many rows as they have members."""
    weights, biases = [], []
    fan_in = widths[0]
    for width, activation in zip(widths[1:], activations, strict=True):
        members = int(activation.removeprefix("max:")) if activation.startswith("max:") else 1
        shape = (width * members, fan_in)
        if digits is None:
            weights.append(rng.normal(size=shape))
            biases.append(rng.uniform(-0.5, 0.5, size=shape[0]))
        else:
            weights.append(decimals(rng, shape, digits))
            biases.append(decimals(rng, (shape[0],), digits))
        fan_in = width
    return Layers(weights, biases, list(activations))
