from __future__ import annotations

import numpy as np
import pytest

from polyspline.cpa import affine_map, code_of, code_of_exactly, forward, preactivations
from polyspline.errors import ArgumentError, ShapeError
from polyspline.network import Network, zoo

ACTIVATIONS = ["relu", "leaky_relu:0.1", "hardtanh", "relu6", "abs", "softshrink:0.2"]


def networks() -> list[Network]:
    nets = [zoo.random_network([3, 7, 6, 2], activation, seed) for seed, activation in enumerate(ACTIVATIONS)]
    nets.append(
        zoo.random_network([3, 4, 4, 2], ["relu|abs|identity|hardtanh", "prelu:0.1,0.2,1,-1", "relu"], 9)
    )
    nets.append(zoo.tent_network(3, 3))
    return nets


@pytest.mark.parametrize("net", networks(), ids=repr)
def test_the_network_is_the_affine_map_of_its_code(net: Network) -> None:
    for z in np.random.default_rng(0).normal(size=(20, net.latent_dim)):
        slope, offset = affine_map(net.layers, net.code(z))
        np.testing.assert_allclose(slope @ z + offset, net(z), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("net", networks(), ids=repr)
def test_preactivations_lie_on_the_side_that_the_code_names(net: Network) -> None:
    for z in np.random.default_rng(1).normal(size=(20, net.latent_dim)):
        code = net.code(z)
        alpha, beta = preactivations(net.layers, code)
        assert alpha.shape == (sum(layer.n_rows for layer in net.layers), net.latent_dim)
        values = np.split(alpha @ z + beta, np.cumsum([layer.n_rows for layer in net.layers])[:-1])
        pieces = []
        for number, output in net.unit_index:
            layer = net.layers[number]
            rows = slice(int(layer.row_start[output]), int(layer.row_start[output + 1]))
            pieces.append(int(np.ravel(layer.units[output].pieces(values[number][rows]))[0]))
        np.testing.assert_array_equal(pieces, code)


def test_forward_agrees_with_plain_numpy() -> None:
    net = zoo.random_network([3, 8, 8, 2], "relu", 5)
    z = np.random.default_rng(0).normal(size=(10, 3))
    u = z
    for layer in net.layers[:-1]:
        u = np.maximum(u @ layer.weight.T + layer.bias, 0)
    np.testing.assert_allclose(
        forward(net.layers, z), u @ net.layers[-1].weight.T + net.layers[-1].bias, rtol=1e-13
    )


@pytest.mark.parametrize("net", networks(), ids=repr)
def test_the_filtered_code_is_the_exact_code(net: Network) -> None:
    rng = np.random.default_rng(2)
    points = np.concatenate(
        [
            rng.normal(size=(20, net.latent_dim)),
            rng.integers(-2, 3, size=(20, net.latent_dim)) / 2,
            np.zeros((1, 3)),
        ]
    )
    exact = [code_of_exactly(net.layers, z) for z in points]
    np.testing.assert_array_equal(code_of(net.layers, points), exact)


def test_a_knot_missed_by_rounding_is_decided_exactly() -> None:
    # In float64 0.1 * 3 - 0.3 and 0.1 + 0.2 - 0.3 are not what the floats' exact sum is.
    net = Network.from_layers([[[0.1, 0.2, -0.3], [-0.1, -0.2, 0.3]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    # Exactly: 0.1 + 0.2 - 0.3 > 0 for these doubles; scaled down the float sum may round anyhow.
    assert net.code([1.0, 1.0, 1.0]).tolist() == [1, 0]
    tiny = Network.from_layers([[[1.0, 1.0, 1.0]], [[1.0]]], [[0.0], [0.0]])
    assert tiny.code([1.0, 2.0**-80, -1.0]).tolist() == [1]
    assert tiny.code([1.0, -(2.0**-80), -1.0]).tolist() == [0]
    assert tiny.code([1.0, 0.0, -1.0]).tolist() == [0]


def test_overflow_in_float_is_decided_exactly() -> None:
    net = Network.from_layers([[[1e300, 1e300]], [[1.0]]], [[0.0], [0.0]])
    assert net.code([1e300, -1e300]).tolist() == [0]
    assert net.code([1e300, np.nextafter(-1e300, 0)]).tolist() == [1]


def test_underflow_in_float_is_decided_exactly() -> None:
    net = Network.from_layers([[[1e-200]], [[1.0]]], [[0.0], [0.0]])
    assert net.code([1e-200]).tolist() == [1]
    assert net.code([-1e-200]).tolist() == [0]


def test_a_code_that_does_not_fit_is_refused() -> None:
    net = zoo.random_network([2, 3, 1])
    with pytest.raises(ShapeError, match="3 integers"):
        net.affine([0, 1])
    with pytest.raises(ShapeError, match="float64"):
        net.affine([0.0, 1.0, 0.0])
    with pytest.raises(ArgumentError, match="neuron 1 in layer 0"):
        net.affine([0, 2, 0])
    with pytest.raises(ArgumentError, match="piece -1"):
        net.affine([-1, 0, 0])
