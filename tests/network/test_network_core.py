from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from polyspline.cpa import ScalarUnit
from polyspline.errors import (
    ArgumentError,
    NonFiniteError,
    PolysplineError,
    ShapeError,
    UnknownActivationError,
)
from polyspline.network import Network, zoo


def small(**changes: Any) -> Network:
    parts: dict[str, Any] = {
        "weights": [[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [[1.0, 0.0, -1.0]]],
        "biases": [[0.0, 1.0, 2.0], [0.5]],
    }
    return Network.from_layers(**{**parts, **changes})


def test_shapes_and_units_are_counted() -> None:
    net = zoo.random_network([4, 6, 5, 3], ["relu", "hardtanh", "abs"], 0)
    assert (net.latent_dim, net.ambient_dim, net.n_units) == (4, 3, 14)
    assert net.n_pieces.tolist() == [2] * 6 + [3] * 5 + [2] * 3
    assert net.unit_index[:7].tolist() == [[0, 0], [0, 1], [0, 2], [0, 3], [0, 4], [0, 5], [1, 0]]
    assert net.code(np.zeros(4)).dtype == np.int8


def test_identity_neurons_have_no_code_entry() -> None:
    net = small(activation=["relu|identity|abs", "identity"])
    assert net.unit_index.tolist() == [[0, 0], [0, 2]]
    assert net.code([1.0, 1.0]).tolist() == [1, 1]


def test_one_activation_is_for_the_hidden_layers_only() -> None:
    assert [layer.activation for layer in small(activation="abs").layers] == ["abs", "identity"]
    assert [layer.activation for layer in small(activation=["abs", "relu"]).layers] == ["abs", "relu"]


def test_a_unit_of_many_pieces_gives_an_int16_code() -> None:
    knots = tuple(float(k) for k in range(200))
    slopes = tuple(float(k % 2) for k in range(201))
    offsets = [0.0]
    for k, knot in enumerate(knots):
        offsets.append(offsets[-1] - (slopes[k + 1] - slopes[k]) * knot)
    saw = ScalarUnit("saw", knots, slopes, tuple(offsets))
    net = Network.from_layers([[[1.0]], [[1.0]]], [[0.0], [0.0]], saw)
    assert net.code_dtype == np.int16
    assert net.code([[150.5], [500.0]]).tolist() == [[151], [200]]
    assert Network.from_arrays(net.to_arrays()) == net
    assert Network.from_layers([[[1.0]]], [[0.0]], ["relu"]).code_dtype == np.int8


def test_a_batch_is_its_points() -> None:
    net = zoo.random_network([2, 8, 8, 3], "leaky_relu:0.2", 1)
    z = np.random.default_rng(0).normal(size=(7, 2))
    np.testing.assert_allclose(net(z), [net(point) for point in z], rtol=1e-13)
    np.testing.assert_array_equal(net.code(z), [net.code(point) for point in z])
    assert net(np.zeros((0, 2))).shape == (0, 3)
    assert net.code(np.zeros((0, 2))).shape == (0, 16)


@pytest.mark.parametrize("z", [0.0, [1.0], [1.0, 2.0, 3.0], [[1.0]], [[[1.0, 2.0]]], [], ["a", "b"]])
def test_a_point_of_the_wrong_shape_is_refused(z: Any) -> None:
    net = small()
    for function in (net, net.code):
        with pytest.raises(ShapeError, match="z"):
            function(z)


def test_a_point_that_is_not_finite_is_refused() -> None:
    with pytest.raises(NonFiniteError):
        small().code([np.nan, 0.0])
    with pytest.raises(NonFiniteError):
        small()([np.inf, 0.0])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"weights": [[[1.0]], [[np.nan]]], "biases": [[0.0], [0.0]]}, NonFiniteError, "weight of layer 1"),
        ({"weights": [[[1.0]]], "biases": [[np.inf]]}, NonFiniteError, "bias of layer 0"),
        (
            {"weights": [[[1.0, 2.0]], [[1.0, 2.0]]], "biases": [[0.0], [0.0]]},
            ShapeError,
            "layer 0 has 1 outputs",
        ),
        ({"biases": [[0.0, 1.0], [0.5]]}, ShapeError, "layer 0: weight has shape"),
        ({"biases": [[0.0, 1.0, 2.0]]}, ShapeError, "2 weights and 1 biases"),
        ({"weights": [], "biases": []}, ShapeError, "at least one layer"),
        ({"weights": [[1.0, 2.0]], "biases": [[0.0]]}, ShapeError, "weight of layer 0"),
        ({"weights": [np.zeros((0, 2))], "biases": [[]]}, ShapeError, "at least one row"),
        ({"weights": [[[1.0], [1.0, 2.0]]], "biases": [[0.0]]}, ShapeError, "uneven"),
        ({"weights": [[[1j]]], "biases": [[0.0]]}, ShapeError, "complex"),
        ({"activation": ["relu"]}, ShapeError, "1 activations for 2 layers"),
        ({"activation": "swish"}, UnknownActivationError, "layer 0: unknown activation 'swish'"),
        ({"activation": ["prelu:1,2", "identity"]}, ShapeError, "layer 0"),
        ({"activation": [[1.0, 2.0, 3.0], "identity"]}, ArgumentError, "layer 0"),
    ],
)
def test_parts_that_make_no_network_are_refused(
    changes: dict[str, Any], error: type[PolysplineError], message: str
) -> None:
    with pytest.raises(error, match=message):
        small(**changes)


def test_narrow_floats_are_upcast_exactly() -> None:
    weight = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    net = Network.from_layers([weight], [None])
    assert net.layers[0].weight.dtype == np.float64
    np.testing.assert_array_equal(net.layers[0].weight.astype(np.float32), weight)


def test_a_network_cannot_be_changed() -> None:
    weight = np.ones((1, 2))
    net = Network.from_layers([weight], [[0.0]])
    weight[:] = 7
    assert net([1.0, 1.0]).tolist() == [2.0]
    with pytest.raises(ValueError, match="read-only"):
        net.layers[0].weight[0, 0] = 2.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        net.layers = ()  # type: ignore[misc]


def test_equality_is_by_content() -> None:
    assert small() == small()
    assert len({small(), small()}) == 1
    assert small() != small(activation="abs")
    assert small() != small(biases=[[0.0, 1.0, 2.0], [0.25]])
    assert small(activation="leaky_relu:0") == small(activation="relu")
    assert small() == small(biases=[[-0.0, 1.0, 2.0], [0.5]])
    assert small() != "a network"
    assert len(small().fingerprint) == 64


def test_a_slice_is_the_network_on_the_slice() -> None:
    net = zoo.random_network([3, 8, 8, 2], "relu", 3)
    rng = np.random.default_rng(0)
    origin, directions = rng.normal(size=3), rng.normal(size=(3, 2))
    sliced = net.restrict(origin, directions)
    assert sliced.latent_dim == 2
    for t in rng.normal(size=(10, 2)):
        np.testing.assert_allclose(sliced(t), net(origin + directions @ t), rtol=1e-12)
    line = net.restrict(origin, directions[:, 0])
    assert line == net.restrict(origin, directions[:, :1])


def test_a_slice_rounds_once() -> None:
    net = Network.from_layers([[[1.0, 1.0, 1.0]]], [[0.0]])
    sliced = net.restrict([1.0, 2.0**-80, -1.0], [1e16, 1.0, -1e16])
    assert sliced.layers[0].weight.tolist() == [[1.0]]
    assert sliced.layers[0].bias.tolist() == [2.0**-80]


def test_a_slice_that_does_not_fit_is_refused() -> None:
    net = small()
    for origin, directions in (([0.0], [[1.0], [0.0]]), ([0.0, 0.0], [1.0]), ([0.0, 0.0], np.zeros((2, 0)))):
        with pytest.raises(ShapeError):
            net.restrict(origin, directions)
    with pytest.raises(NonFiniteError):
        net.restrict([np.nan, 0.0], [1.0, 0.0])
    with pytest.raises(NonFiniteError, match="sliced network"):
        net.restrict([1.7e308, 1.7e308], [1.0, 0.0])


def test_the_repr_tells_widths_and_activations() -> None:
    assert repr(small()) == "Network(2 -> 3 -> 1; relu, identity; 3 units)"


def test_reading_networks_and_domains_loads_nothing_heavy() -> None:
    script = (
        "import sys, polyspline.domains\n"
        "heavy = {'torch', 'scipy', 'numba', 'networkx', 'matplotlib', 'flint'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_layer_may_spell_the_unit_of_each_output() -> None:
    net = Network.from_layers([[[1.0], [2.0], [3.0]]], [[0.0, 0.0, 0.0]], [["relu", "max:2"]])
    assert net == Network.from_layers([[[1.0], [2.0], [3.0]]], [[0.0, 0.0, 0.0]], ["relu|max:2"])
    with pytest.raises(UnknownActivationError, match="layer 0, output 1: unknown activation 'tanh'"):
        Network.from_layers([[[1.0], [2.0]]], [[0.0, 0.0]], [["relu", "tanh"]])
    with pytest.raises(ShapeError, match="2 units of 2 rows for 3 rows"):
        Network.from_layers([[[1.0], [2.0], [3.0]]], [[0.0, 0.0, 0.0]], [["relu", "identity"]])


def test_truth_values_mask_as_ones_and_zeros_do() -> None:
    net = Network.from_layers([[[1.0], [2.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    kept = net.with_dropout([np.array([1.0, 0.0])])
    assert net.with_dropout([np.array([True, False])]) == net.with_dropout([[True, False]]) == kept
    kept = net.with_dropconnect([None, np.array([[0.0, 1.0]])])
    assert net.with_dropconnect([None, np.array([[False, True]])]) == kept
