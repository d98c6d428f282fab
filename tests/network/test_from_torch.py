from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from polyspline.errors import ArgumentError, NonFiniteError, ShapeError, UnsupportedLayerError
from polyspline.network import Network, from_torch, register_torch_activation


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def _registry() -> Iterator[None]:
    before = dict(from_torch._REGISTERED)
    yield
    from_torch._REGISTERED.clear()
    from_torch._REGISTERED.update(before)


class Abs(nn.Module):
    """The absolute value, as people write it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.abs()


class AbsFunction(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.abs(x)


class AbsBuiltin(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return abs(x)


class FunctionalRelu(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu(x)


class Square(nn.Module):
    """Registered or not, no unit: its name is not what decides."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * x


class FalseAbs(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.abs() + 1


class Undecided(nn.Module):
    """A rectifier that no trace can hold."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if bool((x > 0).all()) else torch.relu(x)


class Doubled(nn.ReLU):
    """A subclass that computes something else."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(input)


class PlainSubclass(nn.ReLU):
    """A subclass that computes the same."""


def perceptron(activation: nn.Module, widths: tuple[int, ...] = (3, 6, 5, 2)) -> nn.Sequential:
    parts: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        parts += [nn.Linear(n_in, n_out), activation]
    return nn.Sequential(*parts[:-1]).double()


def assert_same_function(module: nn.Module, net: Network, shape: tuple[int, ...] | None = None) -> None:
    z = np.random.default_rng(0).normal(size=(50, net.latent_dim)) * 3
    was = module.training
    module.eval()
    with torch.no_grad():
        batch = torch.tensor(z, dtype=next(module.parameters(), torch.zeros(1).double()).dtype)
        expected = (
            module(batch if shape is None else batch.reshape(-1, *shape)).double().reshape(50, -1).numpy()
        )
    module.train(was)
    np.testing.assert_allclose(net(z), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("activation", "spelling"),
    [
        (nn.ReLU(), "relu"),
        (nn.ReLU(inplace=True), "relu"),
        (nn.LeakyReLU(0.2), "leaky_relu:0.2"),
        (nn.RReLU(0.1, 0.3), "leaky_relu:0.2"),
        (nn.PReLU(init=0.25), "prelu:0.25"),
        (nn.Hardtanh(), "hardtanh:-1.0,1.0"),
        (nn.Hardtanh(-0.5, 2), "hardtanh:-0.5,2.0"),
        (nn.ReLU6(), "relu6"),
        (nn.Softshrink(0.3), "softshrink:0.3"),
        (nn.LeakyReLU(-1.0), "leaky_relu:-1.0"),
        (PlainSubclass(), "relu"),
        (Abs(), "abs"),
        (AbsFunction(), "abs"),
        (AbsBuiltin(), "abs"),
        (FunctionalRelu(), "relu"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_activation_is_lowered_to_its_unit(activation: nn.Module, spelling: str) -> None:
    module = perceptron(activation)
    net = Network.from_torch(module)
    assert [layer.activation for layer in net.layers] == [spelling, spelling, "identity"]
    assert_same_function(module, net)


def test_a_slope_for_each_channel_is_kept() -> None:
    prelu = nn.PReLU(4)
    with torch.no_grad():
        prelu.weight.copy_(torch.tensor([0.5, -0.25, 1.0, 0.125]))
    module = nn.Sequential(nn.Linear(2, 4), prelu, nn.Linear(4, 1)).double()
    net = Network.from_torch(module)
    assert net.layers[0].activation == "prelu:0.5,-0.25,1.0,0.125"
    assert net.n_units == 3  # the neuron of slope 1 has no kink
    assert_same_function(module, net)


def test_a_module_that_ends_in_an_activation_has_units_in_its_last_layer() -> None:
    module = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3), nn.ReLU6()).double()
    net = Network.from_torch(module)
    assert net.n_units == 7
    assert_same_function(module, net)


def test_nested_sequentials_and_modules_that_do_nothing_are_seen_through() -> None:
    block = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.9), nn.ReLU())
    module = nn.Sequential(
        nn.Flatten(), nn.Identity(), nn.Linear(2, 4), nn.AlphaDropout(), nn.ReLU(),
        nn.Sequential(block, nn.Sequential()), nn.Dropout1d(),
        nn.Dropout2d(), nn.Dropout3d(), nn.FeatureAlphaDropout(), nn.Linear(4, 2),
    ).double()  # fmt: skip
    net = Network.from_torch(module)
    assert [layer.weight.shape for layer in net.layers] == [(4, 2), (4, 4), (2, 4)]
    assert_same_function(
        nn.Sequential(*[m for m in module if not isinstance(m, nn.Dropout2d | nn.Dropout3d)]), net
    )


def test_a_module_used_twice_counts_twice() -> None:
    relu, linear = nn.ReLU(), nn.Linear(3, 3)
    module = nn.Sequential(linear, relu, linear, relu, nn.Linear(3, 1)).double()
    net = Network.from_torch(module)
    assert net.n_units == 6
    assert_same_function(module, net)


def test_linear_layers_in_a_row_are_kept_apart_so_that_nothing_is_rounded() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1)).double()
    net = Network.from_torch(module)
    assert [layer.activation for layer in net.layers] == ["identity", "relu", "identity"]
    assert_same_function(module, net)


def test_activations_in_a_row_and_on_the_input_get_identity_weights() -> None:
    module = nn.Sequential(nn.ReLU(), nn.Linear(2, 3), nn.ReLU(), nn.Hardtanh(), nn.Linear(3, 1)).double()
    net = Network.from_torch(module)
    assert [layer.activation for layer in net.layers] == ["relu", "relu", "hardtanh:-1.0,1.0", "identity"]
    assert_same_function(module, net)


def test_a_single_linear_layer_is_a_network() -> None:
    module = nn.Linear(3, 2, bias=False).double()
    net = Network.from_torch(module)
    assert net.n_units == 0
    assert_same_function(module, net)


def test_a_module_without_linear_layers_needs_the_input_shape() -> None:
    assert Network.from_torch(nn.Sequential(nn.ReLU()), input_shape=(3,)).n_units == 3
    assert Network.from_torch(nn.Sequential(), input_shape=(3,))([1.0, -2.0, 3.0]).tolist() == [1, -2, 3]
    with pytest.raises(ShapeError, match="input_shape"):
        Network.from_torch(nn.Sequential(nn.ReLU()))


def test_an_input_that_is_not_flat_is_flattened() -> None:
    module = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.Linear(6, 2)).double()
    net = Network.from_torch(module, input_shape=(2, 3))
    assert net.latent_dim == 6
    assert_same_function(module, net, (2, 3))
    with pytest.raises(ShapeError, match=r"layer '2' \(Linear\): does not run .* input of shape \(2, 4\)"):
        Network.from_torch(module, input_shape=(2, 4))
    for shape in ((), (0,), (-1, 2)):
        with pytest.raises(ShapeError, match="input_shape"):
            Network.from_torch(module, input_shape=shape)


def test_a_linear_layer_works_on_the_last_axis() -> None:
    module = nn.Linear(3, 2).double()
    net = Network.from_torch(module, input_shape=(2, 3))
    assert (net.latent_dim, net.ambient_dim) == (6, 4)
    assert_same_function(module, net, (2, 3))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_weights_are_upcast_exactly(dtype: torch.dtype) -> None:
    linear = nn.Linear(3, 2).to(dtype)
    layer = Network.from_torch(linear).layers[0]
    assert layer.weight.dtype == np.float64
    assert linear.weight.tolist() == layer.weight.tolist()
    assert linear.bias.tolist() == layer.bias.tolist()


def test_later_training_does_not_change_the_network() -> None:
    linear = nn.Linear(2, 1).double()
    net = Network.from_torch(linear)
    before = net.layers[0].weight.copy()
    with torch.no_grad():
        linear.weight.zero_()
    np.testing.assert_array_equal(net.layers[0].weight, before)


@pytest.mark.parametrize("training", [True, False])
def test_training_flags_are_left_as_they_were(training: bool) -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Dropout(), nn.ReLU()))
    module.train(training)
    module[1].train(not training)
    Network.from_torch(module)
    assert [part.training for part in module.modules()] == [training, training, *[not training] * 3]
    with pytest.raises(UnsupportedLayerError):
        Network.from_torch(nn.Sequential(module, nn.Tanh()))
    assert [part.training for part in module.modules()] == [training, training, *[not training] * 3]


def test_a_subclass_computes_what_it_says_not_what_it_is_called() -> None:
    assert Network.from_torch(nn.Sequential(nn.Linear(2, 3), Doubled(), nn.Linear(3, 1))).n_units == 3
    for part in (Doubled(), FalseAbs()):
        module = perceptron(part)
        assert_same_function(module, Network.from_torch(module))


def test_a_sequential_with_its_own_forward_pass_is_traced() -> None:
    class Residual(nn.Sequential):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = input + super().forward(input)  # type: ignore[no-untyped-call]
            return found

    module = nn.Sequential(nn.Linear(2, 4), Residual(nn.Linear(4, 4), nn.ReLU()), nn.Linear(4, 1)).double()
    assert_same_function(module, Network.from_torch(module))


def test_what_hooks_do_belongs_to_the_module() -> None:
    linear = nn.Linear(2, 2).double()
    linear.register_forward_hook(lambda module, given, output: 2 * output)
    assert_same_function(linear, Network.from_torch(linear))


def test_parametrised_weights_are_taken_as_computed() -> None:
    linear = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)).double()
    assert_same_function(linear, Network.from_torch(linear))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["weight", "bias"])
def test_weights_that_are_not_finite_are_refused_by_place(value: float, name: str) -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Sequential(nn.Linear(2, 2)))
    with torch.no_grad():
        module.get_parameter(f"2.0.{name}").view(-1)[1] = value
    with pytest.raises(NonFiniteError, match=r"layer '2\.0'"):
        Network.from_torch(module)


@pytest.mark.usefixtures("_registry")
def test_a_registered_activation_is_lowered() -> None:
    module = perceptron(Undecided())
    with pytest.raises(UnsupportedLayerError, match=r"layer '1' \(Undecided\).*register_torch_activation"):
        Network.from_torch(module)
    register_torch_activation(Undecided, lambda _: "relu")
    assert_same_function(module, Network.from_torch(module))
    assert "forward" not in vars(module[1])


@pytest.mark.usefixtures("_registry")
def test_a_registration_that_gives_no_unit_is_refused() -> None:
    register_torch_activation(Square, lambda _: cast(Any, 3))
    with pytest.raises(ArgumentError, match=r"layer '1' \(Square\)"):
        Network.from_torch(perceptron(Square()))
    with pytest.raises(ArgumentError, match="expected a module class"):
        register_torch_activation(cast(Any, "Square"), lambda _: "abs")
