"""Families of inversions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tests.fuzz.cases import InversionCase, Layers
from tests.fuzz.draws import SCALAR, Rng, chance, number, pick, random_layers
from tests.oracle.cases import random_weights
from tests.oracle.forms import FloatArray

NORMS = ("l2", "l1", "linf")
GAPS = (1e-1, 1e-2, 1e-4, 1e-6)


def _image(layers: Layers, point: FloatArray) -> FloatArray:
    return np.asarray(layers.network()(point), dtype=np.float64)


def _noisy(rng: Rng, layers: Layers, half_width: float, noise: float) -> tuple[FloatArray, FloatArray]:
    """A point of the box, and its image plus noise of such a root mean square."""
    point = np.asarray(rng.uniform(-half_width, half_width, layers.weights[0].shape[1]))
    image = _image(layers, point)
    errors = rng.normal(size=len(image))
    return point, image + errors * (noise / np.sqrt(np.mean(errors**2)))


def _random(rng: Rng, widths: Sequence[int], activation: str) -> Layers:
    weights, biases = random_weights(widths, int(rng.integers(2**31)))
    return Layers(weights, biases, [activation] * (len(weights) - 1) + ["identity"])


def _case(
    layers: Layers,
    half_width: float,
    x: FloatArray,
    norm: str,
    runs: list[tuple[str, float]],
    points: list[FloatArray],
    seconds: float | None = None,
    refusable: bool = False,
) -> InversionCase:
    dim = layers.weights[0].shape[1]
    return InversionCase(
        layers,
        [-half_width] * dim,
        [half_width] * dim,
        x.tolist(),
        norm,
        runs,
        [point.tolist() for point in points],
        seconds,
        refusable,
    )


def noisy_nets(rng: Rng) -> InversionCase:
    """Random nets up to [8, 32, 32, 64], targets with noise up to 0.5."""
    shapes = [*[(4, 12, 12, 16)] * 4, (4, 8, 11), (4, 8, 11), (6, 20, 20, 32), (8, 32, 32, 64)]
    layers = _random(rng, shapes[int(rng.integers(8))], pick(rng, ["relu", "relu", "relu", "leaky_relu:0.1"]))
    point, x = _noisy(rng, layers, 3.0, number(rng, [0.0, 0.01, 0.1, 0.1, 0.3, 0.5, 0.5, 0.5]))
    # Searches for gaps that differ go different ways: each has points that test the others' bounds.
    runs = [("search", gap) for gap in GAPS[:3]]
    if chance(rng, 0.3):
        runs.append(("search", GAPS[3]))
    if chance(rng, 0.2):
        runs.append(("gradient", 1e-6))
    return _case(layers, 3.0, x, pick(rng, NORMS), runs, [point], seconds=5.0)


def small_nets(rng: Rng) -> InversionCase:
    """Nets that every method can finish, all units."""
    dim = int(rng.integers(1, 4))
    widths = [dim, *rng.integers(2, 9, int(rng.integers(1, 3))).tolist(), int(rng.integers(1, 12))]
    layers = _random(rng, widths, pick(rng, SCALAR))
    noise = number(rng, [0.0, 0.01, 0.1, 0.5])
    point, x = _noisy(rng, layers, 1.0, noise)
    runs = [("search", 1e-6), ("scan", 1e-6), ("search", number(rng, GAPS)), ("gradient", 1e-6)]
    if chance(rng, 0.3):
        runs.append(("milp", number(rng, [1e-2, 1e-4])))
    return _case(layers, 1.0, x, pick(rng, NORMS), runs, [point])


def wide_outputs(rng: Rng) -> InversionCase:
    """Nets 4-8-11 and their like: few regions, more outputs than inputs."""
    widths = [(4, 8, 11), (3, 7, 9), (2, 6, 5, 12)][int(rng.integers(3))]
    layers = _random(rng, widths, pick(rng, ["relu", "leaky_relu:0.1", "abs"]))
    point, x = _noisy(rng, layers, 2.0, number(rng, [0.05, 0.1, 0.5]))
    runs = [("search", 1e-6), ("scan", 1e-6), ("search", number(rng, GAPS))]
    return _case(layers, 2.0, x, pick(rng, NORMS), runs, [point])


def integer_nets(rng: Rng) -> InversionCase:
    """Integer weights with abs and the like, L1 and Linf more often: dual programs full of ties."""
    widths = [(2, 5, 4, 6, 14), (2, 4, 4, 9), (3, 5, 8), (2, 5, 4, 6, 14)][int(rng.integers(4))]
    most = int(rng.integers(1, 4))
    weights = [rng.integers(-most, most + 1, (b, a)).astype(float) for a, b in pairwise(widths)]
    biases = [rng.integers(-most, most + 1, b).astype(float) for b in widths[1:]]
    names = [pick(rng, ["abs", "abs", "relu", "hardtanh"])] * (len(weights) - 1) + ["identity"]
    layers = Layers(weights, biases, names)
    half_width = number(rng, [1.0, 2.0])
    point = np.asarray(rng.uniform(-half_width, half_width, widths[0]))
    if chance(rng, 0.3):
        point = np.round(4.0 * point) / 4.0
    x = np.round(_image(layers, point)) + rng.integers(-1, 2, widths[-1]) * number(rng, [0.5, 1.0, 1.0])
    runs = [("search", 1e-6), ("scan", 1e-6), ("search", number(rng, GAPS))]
    return _case(layers, half_width, x, pick(rng, ["l1", "linf", "l1", "linf", "l2"]), runs, [point])


def max_groups(rng: Rng) -> InversionCase:
    """Nets with max groups."""
    dim = int(rng.integers(1, 4))
    widths = [dim, int(rng.integers(2, 5)), int(rng.integers(2, 4)), int(rng.integers(1, 8))]
    names = [pick(rng, ["max:2", "max:3"]), pick(rng, ["relu", "max:2", "abs"]), "identity"]
    layers = random_layers(rng, widths, names, None)
    point, x = _noisy(rng, layers, 1.0, number(rng, [0.0, 0.1, 0.5]))
    runs = [("search", 1e-6), ("scan", 1e-6), ("search", number(rng, GAPS)), ("gradient", 1e-6)]
    return _case(layers, 1.0, x, pick(rng, NORMS), runs, [point])


def exact_images(rng: Rng) -> InversionCase:
    """Targets that a point of the box attains, or all but attains."""
    dim = int(rng.integers(1, 4))
    layers = _random(rng, [dim, 6, 6, int(rng.integers(1, 9))], pick(rng, ["relu", "leaky_relu:0.1", "abs"]))
    if chance(rng, 0.3):
        layers = Layers(layers.weights, [np.zeros_like(bias) for bias in layers.biases], layers.activations)
    point, x = _noisy(rng, layers, 1.0, number(rng, [0.0, 1e-12, 1e-9, 1e-6]))
    runs = [("search", 1e-6), ("scan", 1e-6), ("search", 1e-2)]
    return _case(layers, 1.0, x, pick(rng, NORMS), runs, [point])


def _restored(rng: Rng) -> InversionCase:
    """Values that underflow in two layers and are scaled back by two more, to an ordinary target."""
    tiny, back = number(rng, [1e-200, 1e-170, 1e-160]), number(rng, [1e200, 1e170])
    scales = [tiny, tiny, back, back] if chance(rng, 0.5) else [1e-200, 1e-200, 1e300, 1e100]
    width = int(rng.integers(1, 3))
    weights: list[FloatArray] = [np.eye(width) * scale * number(rng, [1.0, -1.0, 0.5]) for scale in scales]
    names = [pick(rng, ["identity", "identity", "leaky_relu:0.5", "abs"]) for _ in scales[:-1]]
    layers = Layers(weights, [np.zeros(width)] * 4, [*names, "identity"])
    point = np.asarray(rng.uniform(-0.9, 0.9, width))
    target = np.array([number(rng, [0.5, -0.5, 0.25]) for _ in range(width)])
    runs = [("scan", 1e-6), ("search", 1e-6)]
    return _case(layers, 1.0, target, pick(rng, NORMS), runs, [point, target], seconds=5.0, refusable=True)


def wide_scales(rng: Rng) -> InversionCase:
    """Layers and targets of scales far apart; an error is an answer, within the limit."""
    if chance(rng, 0.3):
        return _restored(rng)
    dim = int(rng.integers(1, 3))
    widths = [dim, int(rng.integers(1, 4)), int(rng.integers(1, 4)), int(rng.integers(1, 3))]
    names = [
        pick(rng, ["relu", "leaky_relu:0.1", "hardtanh", "identity", "leaky_relu:1e-200"]) for _ in widths[2:]
    ]
    layers = random_layers(rng, widths, [*names, "identity"], 1)
    scales = [1.0, 1e-200, 1e200, 1e-160, 1e100, 1e300, 1e307, 1e-100]
    weights = [weight * number(rng, scales) for weight in layers.weights]
    biases = [bias * number(rng, [0.0, 1.0, 1e-150]) for bias in layers.biases]
    target = np.array([number(rng, [0.0, 1.0, 1e200, -1e300, 1e-200, 0.5]) for _ in range(widths[-1])])
    scaled = Layers(weights, biases, layers.activations)
    runs = [("search", 1e-6), ("scan", 1e-2)]
    points = [np.array([number(rng, [0.5, -0.5, 0.0]) for _ in range(dim)])]
    return _case(scaled, 0.7, target, pick(rng, NORMS), runs, points, seconds=5.0, refusable=True)
