"""What the tests of inversion share: networks with max groups, and values in rational numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np

from polyspline.cpa.units import MaxGroup
from polyspline.network import Network
from tests.oracle.cases import random_weights


def maxout(widths: Sequence[int], members: Sequence[int], seed: int, scalar: str = "identity") -> Network:
    """Random network whose layers have groups of so many members; where there is 1, scalar units."""
    weights, biases = [], []
    units: list[str | MaxGroup] = []
    for depth, ((before, after), size) in enumerate(zip(pairwise(widths), members, strict=True)):
        (weight,), (bias,) = random_weights([before, after * size], 100 * seed + depth)
        weights.append(weight)
        biases.append(bias)
        units.append(scalar if size == 1 else MaxGroup(size))
    return Network.from_layers(weights, biases, units)


def exact_image(net: Network, z: Iterable[Fraction | float]) -> tuple[Fraction, ...]:
    """Value of a network at a point, in rational numbers and one entry at a time."""
    u = [Fraction(entry) for entry in z]
    for layer in net.layers:
        rows = [
            sum((Fraction(w) * entry for w, entry in zip(row, u, strict=True)), Fraction(b))
            for row, b in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
        ]
        left = iter(rows)
        u = []
        for unit in layer.units:
            values = [next(left) for _ in range(unit.n_rows)]
            if isinstance(unit, MaxGroup):
                u.append(max(values))
                continue
            piece = sum(values[0] > Fraction(knot) for knot in unit.knots)
            u.append(Fraction(unit.slopes[piece]) * values[0] + Fraction(unit.offsets[piece]))
    return tuple(u)


def grid(low: float, high: float, dim: int, count: int) -> np.ndarray:
    """Points of a regular grid over a cube, (count ** dim, dim)."""
    axes = np.meshgrid(*[np.linspace(low, high, count)] * dim)
    return np.stack([axis.ravel() for axis in axes], axis=1)
