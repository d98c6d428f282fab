"""Seeded networks for examples, tests and benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from polyspline.cpa.layers import ActivationLike
from polyspline.cpa.matrices import as_float_array
from polyspline.errors import ArgumentError, ShapeError
from polyspline.network.network import Network


def random_network(
    widths: Sequence[int] = (2, 32, 32, 1),
    activation: ActivationLike | Sequence[ActivationLike] = "relu",
    seed: int = 0,
) -> Network:
    """Random network: He-normal weights, biases uniform in ±1/sqrt(fan-in).

    Parameters
    ----------
    widths : sequence of int
        S, the widths of the hidden layers, D.
    activation : str, ScalarUnit, or sequence
        As in `Network.from_layers`.
    seed : int
        Seed of ``numpy.random.default_rng``; layer by layer the weights are drawn, then the biases.

    Returns
    -------
    Network

    Raises
    ------
    ArgumentError
        If there are fewer than two widths, or one is not positive.
    """
    sizes = [int(width) for width in widths]
    if len(sizes) < 2 or min(sizes) < 1:
        raise ArgumentError(
            f"widths: expected two positive integers or more, e.g. [2, 32, 1], got {list(widths)}."
        )
    rng = np.random.default_rng(seed)
    weights: list[npt.ArrayLike] = []
    biases: list[npt.ArrayLike | None] = []
    for fan_in, fan_out in pairwise(sizes):
        weights.append(rng.normal(0.0, np.sqrt(2.0 / fan_in), size=(fan_out, fan_in)))
        bound = 1.0 / np.sqrt(fan_in)
        biases.append(rng.uniform(-bound, bound, size=fan_out))
    return Network.from_layers(weights, biases, activation)


def arrangement_network(normals: npt.ArrayLike, offsets: npt.ArrayLike | None = None) -> Network:
    """Network of one hidden ReLU layer whose partition is a given arrangement of hyperplanes.

    Parameters
    ----------
    normals : array_like, shape (m, S)
        Hyperplane i is ``normals[i] @ z == offsets[i]``.
    offsets : array_like, shape (m,), optional
        Zeros by default: a central arrangement.

    Returns
    -------
    Network
        From R^S to R; the output sums the hidden units.

    Raises
    ------
    ShapeError, NonFiniteError
        If a shape does not fit, or a number is not finite.
    """
    rows = as_float_array(normals, "normals", 2)
    levels = as_float_array(np.zeros(len(rows)) if offsets is None else offsets, "offsets", 1)
    if len(levels) != len(rows):
        raise ShapeError(f"offsets: expected one for each of the {len(rows)} normals, got {len(levels)}.")
    return Network.from_layers([rows, np.ones((1, len(rows)))], [-levels, np.zeros(1)])


def tent_network(n_layers: int, dim: int = 1) -> Network:
    """Compose the tent map on [0, 1] ``n_layers`` times, in each of ``dim`` coordinates.

    The tent is ``min(2 x, 2 - 2 x) = relu(2 x) - 2 relu(2 x - 1)`` there, so on the box [0, 1]^dim the
    network has exactly ``2 ** (n_layers * dim)`` regions: cubes of a regular grid.

    Parameters
    ----------
    n_layers, dim : int
        At least 1.

    Returns
    -------
    Network
        From R^dim to R^dim, with ``2 * dim * n_layers`` ReLU units.

    Raises
    ------
    ArgumentError
        If a number is less than 1.
    """
    if n_layers < 1 or dim < 1:
        raise ArgumentError(f"tent_network: expected n_layers >= 1 and dim >= 1, got {n_layers} and {dim}.")
    eye = np.eye(dim)
    rise = np.kron(eye, np.array([[2.0], [2.0]]))
    fold = np.kron(eye, np.array([[1.0, -2.0]]))
    shift = np.tile([0.0, -1.0], dim)
    weights: list[npt.ArrayLike] = [rise, *(rise @ fold for _ in range(n_layers - 1)), fold]
    biases: list[npt.ArrayLike | None] = [*(shift for _ in range(n_layers)), np.zeros(dim)]
    return Network.from_layers(weights, biases)
