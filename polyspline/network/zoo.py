"""Seeded networks for examples, tests and benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from polyspline.cpa.layers import ActivationLike
from polyspline.cpa.matrices import FloatArray, as_float_array
from polyspline.errors import ArgumentError, ShapeError
from polyspline.network import tensors
from polyspline.network.graph import Graph
from polyspline.network.lowering import lower
from polyspline.network.network import Network
from polyspline.network.tensors import Tensor
from polyspline.network.windows import Window, transposed_convolution


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


_LEAKY = "leaky_relu:0.1"  # the paper does not say the slope


def fc_generator(seed: int = 0) -> Network:
    """Fully connected generator of images of 28 x 28 pixels from 10 latents, with random weights.

    Parameters
    ----------
    seed : int
        As in `random_network`, which also says how the weights are drawn.

    Returns
    -------
    Network
        Of widths 10, 256, 512, 1024, 784 and leaky rectifiers of slope 0.1.

    References
    ----------
    Max-affine spline insights, App. E.
    """
    return random_network([10, 256, 512, 1024, 784], _LEAKY, seed)


def conv_generator(seed: int = 0) -> Network:
    """Convolutional generator of images of 28 x 28 pixels from 10 latents, with random weights.

    Parameters
    ----------
    seed : int
        Seed of ``numpy.random.default_rng``; layer by layer the weights are drawn, then the biases:
        He-normal, and uniform in ±1/sqrt(fan-in), the fan-in of a convolution being channels times
        the size of the filter.

    Returns
    -------
    Network
        Two dense layers of 256 and 288 = 8 x 6 x 6 neurons, a convolution of 8 filters of 3 x 3 on the
        images dilated by 2 (to 11 x 11, same size), and one of 4 x 4 on those dilated by 3 (to 31 x 31,
        without padding); leaky rectifiers of slope 0.1 between. The convolutions are sparse layers.

    Notes
    -----
    The paper gives the last convolution 8 filters, and then reshapes to 28 x 28, which only one
    filter makes: one it is. A convolution on an image dilated by k is a transposed convolution of
    stride k.

    References
    ----------
    Max-affine spline insights, App. E.
    """
    rng = np.random.default_rng(seed)

    def drawn(shape: tuple[int, ...], fan_in: int, biases: int) -> tuple[FloatArray, FloatArray]:
        weight = rng.normal(0.0, np.sqrt(2.0 / fan_in), size=shape)
        return weight, rng.uniform(-1.0 / np.sqrt(fan_in), 1.0 / np.sqrt(fan_in), size=biases)

    graph = Graph()
    x = Tensor(graph, graph.inputs(10))
    for fan_in, fan_out in pairwise([10, 256, 288]):
        x = tensors.units(tensors.linear(x, *drawn((fan_out, fan_in), fan_in, fan_out)), _LEAKY)
    images = x.like(x.ids.reshape(1, 8, 6, 6))
    images = tensors.units(_dilated_convolution(images, *drawn((8, 8, 3, 3), 72, 8), 2, 1), _LEAKY)
    images = _dilated_convolution(images, *drawn((8, 1, 4, 4), 128, 1), 3, 3)
    return Network(lower(graph, images.ids.ravel()))


def _dilated_convolution(
    x: Tensor, weight: FloatArray, bias: FloatArray, dilation: int, padding: int
) -> Tensor:
    size = weight.shape[2:]
    window = Window(size, (dilation,) * 2, (padding,) * 2, (padding,) * 2, (1, 1))
    return transposed_convolution(x, weight, bias, window, (0, 0), 1)
