from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from polyspline.errors import ArgumentError, NonFiniteError, ShapeError
from polyspline.network import load_network, zoo

Floats = npt.NDArray[np.float64]
EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_random_network_is_drawn_as_documented() -> None:
    net = zoo.random_network([3, 4, 2], seed=7)
    rng = np.random.default_rng(7)
    for layer, (fan_in, fan_out) in zip(net.layers, [(3, 4), (4, 2)], strict=True):
        np.testing.assert_array_equal(
            layer.weight, rng.normal(0, np.sqrt(2 / fan_in), size=(fan_out, fan_in))
        )
        np.testing.assert_array_equal(
            layer.bias, rng.uniform(-1 / np.sqrt(fan_in), 1 / np.sqrt(fan_in), fan_out)
        )


def test_a_seed_is_a_network() -> None:
    assert zoo.random_network(seed=1) == zoo.random_network(seed=1)
    assert zoo.random_network(seed=1) != zoo.random_network(seed=2)


@pytest.mark.parametrize("widths", [[], [2], [2, 0, 1], [2, -1]])
def test_widths_that_make_no_network_are_refused(widths: list[int]) -> None:
    with pytest.raises(ArgumentError):
        zoo.random_network(widths)


def test_an_arrangement_network_switches_on_its_hyperplanes() -> None:
    normals = np.array([[1.0, 0.0], [1.0, 1.0]])
    net = zoo.arrangement_network(normals, [2.0, -1.0])
    z = np.random.default_rng(0).normal(size=(50, 2)) * 3
    np.testing.assert_array_equal(net.code(z), z @ normals.T > [2.0, -1.0])
    assert zoo.arrangement_network(normals).layers[0].bias.tolist() == [0.0, 0.0]
    with pytest.raises(ShapeError):
        zoo.arrangement_network(normals, [1.0])
    with pytest.raises(NonFiniteError):
        zoo.arrangement_network([[np.nan]])


@pytest.mark.parametrize(("n_layers", "dim"), [(1, 1), (3, 1), (5, 1), (2, 2), (2, 3)])
def test_a_tent_network_is_the_composed_tent_on_a_grid_of_cells(n_layers: int, dim: int) -> None:
    net = zoo.tent_network(n_layers, dim)
    cells = 2**n_layers
    middles = (np.arange(cells) + 0.5) / cells
    points = np.stack(np.meshgrid(*[middles] * dim), axis=-1).reshape(-1, dim)
    assert len(np.unique(net.code(points), axis=0)) == cells**dim
    x = np.random.default_rng(0).uniform(size=(20, dim))
    tent = x
    for _ in range(n_layers):
        tent = np.minimum(2 * tent, 2 - 2 * tent)
    np.testing.assert_allclose(net(x), tent, atol=1e-12)


def test_a_tent_network_needs_a_layer_and_a_dimension() -> None:
    with pytest.raises(ArgumentError):
        zoo.tent_network(0)
    with pytest.raises(ArgumentError):
        zoo.tent_network(1, 0)


def test_the_shipped_generator_draws_digits() -> None:
    net = load_network(EXAMPLES / "digits_generator.npz")
    assert (net.latent_dim, net.ambient_dim, net.n_units) == (2, 64, 48)
    axis = np.linspace(-1, 1, 101)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    assert len(np.unique(net.code(grid), axis=0)) > 200
    images = net(grid)
    # Grey levels from 0 to 1, with the dark columns at the edge that every digit has.
    assert images.mean() == pytest.approx(0.3, abs=0.1)
    assert np.abs(images.reshape(-1, 8, 8)[:, :, 0]).max() < 0.2


def test_the_generators_of_the_paper_draw_images_of_28_by_28_pixels() -> None:
    dense, convolutional = zoo.fc_generator(seed=3), zoo.conv_generator(seed=3)
    assert [layer.n_out for layer in dense.layers] == [256, 512, 1024, 784]
    assert [layer.n_out for layer in convolutional.layers] == [256, 8 * 6 * 6, 8 * 11 * 11, 28 * 28]
    assert [layer.is_sparse for layer in convolutional.layers] == [False, False, True, True]
    assert (dense.latent_dim, convolutional.latent_dim) == (10, 10)
    assert zoo.conv_generator(seed=3) == convolutional != zoo.conv_generator(seed=4)


def test_the_convolutional_generator_is_the_papers() -> None:
    # Input dilation, padding and an ordinary convolution, as App. E writes it, by plain loops.
    net = zoo.conv_generator(seed=1)
    rng = np.random.default_rng(1)
    x = np.random.default_rng(0).normal(size=10)

    def drawn(shape: tuple[int, ...], fan_in: int, biases: int) -> tuple[Floats, Floats]:
        weight = rng.normal(0.0, np.sqrt(2.0 / fan_in), size=shape)
        return weight, rng.uniform(-1 / np.sqrt(fan_in), 1 / np.sqrt(fan_in), size=biases)

    for fan_in, fan_out in ((10, 256), (256, 288)):
        weight, bias = drawn((fan_out, fan_in), fan_in, fan_out)
        x = weight @ x + bias
        x = np.maximum(x, 0.1 * x)
    images = x.reshape(8, 6, 6)
    for dilation, size, out, padding in ((2, 3, 8, 1), (3, 4, 1, 0)):
        weight, bias = drawn((8, out, size, size), 8 * size * size, out)
        wide = (images.shape[1] - 1) * dilation + 1
        dilated = np.zeros((8, wide, wide))
        dilated[:, ::dilation, ::dilation] = images
        padded = np.pad(dilated, ((0, 0), (padding, padding), (padding, padding)))
        kept = padded.shape[1] - size + 1
        flipped = weight[:, :, ::-1, ::-1]
        made = np.zeros((out, kept, kept))
        for o, i, j in np.ndindex(made.shape):
            made[o, i, j] = (padded[:, i : i + size, j : j + size] * flipped[:, o]).sum() + bias[o]
        images = made
        images = np.maximum(images, 0.1 * images) if out == 8 else images
    np.testing.assert_allclose(net(np.random.default_rng(0).normal(size=10)), images.ravel(), atol=1e-9)


@pytest.mark.parametrize(("name", "side", "units"), [("app_e_fc", 28, 1792), ("app_e_conv", 28, 1512)])
def test_the_shipped_generators_of_the_paper_draw_digits(name: str, side: int, units: int) -> None:
    net = load_network(EXAMPLES / f"{name}.npz")
    assert (net.latent_dim, net.ambient_dim, net.n_units) == (10, side * side, units)
    images = net(np.random.default_rng(0).uniform(-1.0, 1.0, size=(50, 10))).reshape(-1, side, side)
    assert images.mean() == pytest.approx(0.25, abs=0.15)
    assert images.std(axis=0).mean() > 0.1  # many digits, not one
    assert np.abs(images[:, :, 0]).mean() < 0.1
    assert all(np.array_equal(layer.bias, layer.bias.astype(np.float16)) for layer in net.layers)
