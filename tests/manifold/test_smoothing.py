"""Laws of smoothing: affine at 0, the network at 1, smooth and below it in between."""

from __future__ import annotations

import copy
import math
import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from polyspline.cpa.activations import parse_activation
from polyspline.errors import ArgumentError, UnsupportedLayerError
from polyspline.manifold.smoothing import module_of, smooth, soft_gate, soft_unit
from polyspline.network import Network

LATENTS = torch.tensor(np.random.default_rng(0).uniform(-2, 2, size=(200, 2)))


def generator(slope: float | None = None) -> Any:
    torch.manual_seed(3)

    def unit() -> Any:
        return nn.ReLU() if slope is None else nn.LeakyReLU(slope)

    inner = nn.Sequential(nn.Linear(7, 5), unit())
    return nn.Sequential(nn.Linear(2, 7), unit(), nn.Dropout(0.0), inner, nn.Linear(5, 3)).double()


@pytest.mark.parametrize("slope", [None, 0.2, -1.0, 1.5])
def test_as_beta_tends_to_1_it_tends_to_the_network(slope: float | None) -> None:
    module = generator(slope)
    truth = Network.from_torch(module)(LATENTS.numpy())
    apart = [
        float(np.abs(smooth(module, beta)(LATENTS).detach().numpy() - truth).max())
        for beta in (0.5, 0.9, 0.99, 0.999, 1 - 1e-6)
    ]
    assert all(later < 0.5 * earlier for earlier, later in pairwise(apart))
    assert apart[0] > 0.01
    assert apart[-1] < 1e-5
    np.testing.assert_allclose(smooth(module, 1.0)(LATENTS).detach().numpy(), truth, atol=1e-12)
    nearest = smooth(module, math.nextafter(1.0, 0.0))(LATENTS)
    np.testing.assert_allclose(nearest.detach().numpy(), truth, atol=1e-12)


@pytest.mark.parametrize("slope", [None, 0.2])
def test_at_0_it_is_the_affine_map_of_the_halved_units(slope: float | None) -> None:
    module = generator(slope)
    linear = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    expected = LATENTS
    for layer in linear[:-1]:
        expected = layer(expected) * (1.0 + (slope or 0.0)) / 2.0
    assert torch.allclose(smooth(module, 0)(LATENTS), linear[-1](expected), atol=1e-12)


def test_a_gate_is_the_unit_less_at_most_the_stated_gap() -> None:
    u = torch.linspace(-60.0, 60.0, 20001, dtype=torch.float64)
    for beta, slope in ((0.5, 0.0), (0.9, 0.3), (0.1, -1.0)):
        gap = nn.functional.leaky_relu(u, slope) - soft_gate(beta, slope)(u)
        most = (1.0 - slope) * 0.2785 * (1.0 - beta) / beta
        assert float(gap.min()) >= -1e-12
        assert 0.99 * most < float(gap.max()) < most


def test_gradients_exist_on_the_knots_too_and_are_those_of_differences() -> None:
    module = smooth(generator(0.1), 0.9)
    z = LATENTS[:5].clone().requires_grad_()
    assert torch.autograd.gradcheck(module, (z,))
    gate, zero = soft_gate(0.9), torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(gate(zero), zero, create_graph=True)
    (second,) = torch.autograd.grad(first, zero)
    assert float(first.detach()) == pytest.approx(0.5)
    assert float(second) == pytest.approx(0.9 / 0.1 / 2.0)
    module(z).sum().backward()
    slopes = [weight.grad for weight in module.parameters()]
    assert all(slope is not None and bool(torch.isfinite(slope).all()) for slope in slopes)


def test_the_copy_is_one_and_keeps_the_names_of_the_parameters() -> None:
    module = generator()
    before = copy.deepcopy(module.state_dict())
    smoothed = smooth(module, 0.5)
    assert list(smoothed.state_dict()) == list(before)
    with torch.no_grad():
        for weight in smoothed.parameters():
            weight.zero_()
    assert all(torch.equal(module.state_dict()[name], before[name]) for name in before)
    assert [type(layer) for layer in module][1] is nn.ReLU


def test_it_can_be_copied() -> None:
    smoothed = smooth(generator(0.2), 0.5)
    again = copy.deepcopy(smoothed)
    assert torch.equal(again(LATENTS), smoothed(LATENTS))
    assert "beta=0.5, unit=leaky_relu:0.2" in repr(again)
    channels = smooth(nn.Sequential(nn.Linear(2, 3), nn.PReLU(3)), 0.5)
    for remade in (copy.deepcopy(channels), pickle.loads(pickle.dumps(channels))):
        assert torch.equal(remade(LATENTS.float()), channels(LATENTS.float()))
        assert list(remade.state_dict()) == ["0.weight", "0.bias", "1.weight"]


@pytest.mark.parametrize("beta", [-0.1, 1.1, math.nan, math.inf, True, "0.5", None])
def test_a_beta_out_of_its_range_is_refused(beta: Any) -> None:
    with pytest.raises(ArgumentError, match="beta"):
        smooth(generator(), beta)


def test_a_gate_out_of_its_range_is_refused() -> None:
    for beta, slope in ((1.0, 0.0), (0.5, math.inf)):
        with pytest.raises(ArgumentError, match="soft_gate"):
            soft_gate(beta, slope)
    with pytest.raises(ArgumentError, match="soft_unit"):
        soft_unit(parse_activation("abs", 1)[0], 1.0)  # type: ignore[arg-type]


class Absolute(nn.Module):
    def forward(self, u: Any) -> Any:
        return u.abs()


UNITS = [Absolute(), nn.Hardtanh(-0.5, 0.25), nn.ReLU6(), nn.Softshrink(0.3), nn.PReLU(5, 0.3), nn.RReLU()]


@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_every_unit_that_networks_are_read_with_obeys_the_laws(unit: nn.Module) -> None:
    torch.manual_seed(4)
    module = nn.Sequential(nn.Linear(2, 5), unit, nn.Dropout1d(0.5), nn.Linear(5, 3)).double().eval()
    truth = Network.from_torch(module)(LATENTS.numpy())
    soft = {beta: smooth(module, beta) for beta in (0.0, 0.9, 1 - 1e-6, 1.0)}
    apart = {beta: np.abs(one(LATENTS).detach().numpy() - truth).max() for beta, one in soft.items()}
    assert apart[1.0] < 1e-12
    assert 0 < apart[1 - 1e-6] < 1e-5 < apart[0.9] < apart[0.0]
    assert all(list(one.state_dict()) == list(module.state_dict()) for one in soft.values())
    flat = soft[0.0](LATENTS).detach().numpy()
    latents = np.column_stack([LATENTS.numpy(), np.ones(len(LATENTS))])
    np.testing.assert_allclose(latents @ np.linalg.lstsq(latents, flat, rcond=None)[0], flat, atol=1e-12)
    z = LATENTS[:3].clone().requires_grad_()
    assert torch.autograd.gradcheck(soft[0.9], (z,))


def test_each_knot_of_a_unit_has_a_gate_of_its_own() -> None:
    u = torch.linspace(-9.0, 9.0, 4001, dtype=torch.float64)
    t = 0.75 / 0.25
    size = smooth(nn.Sequential(Absolute()), 0.75)(u)
    assert torch.allclose(size, u * torch.tanh(t * u / 2.0), atol=1e-12)
    # The softmax-weighted mean of -u and u, whose slopes are 2 apart.
    weights = torch.softmax(torch.stack([-u, u]) * t / 2.0, dim=0)
    assert torch.allclose(size, (weights * torch.stack([-u, u])).sum(dim=0), atol=1e-12)
    cut = smooth(nn.Sequential(nn.Hardtanh(-2.0, 1.0)), 0.75)(u)
    gate = soft_gate(0.75)
    assert torch.allclose(cut, -2.0 + gate(u + 2.0) - gate(u - 1.0), atol=1e-12)
    gap = (cut - nn.functional.hardtanh(u, -2.0, 1.0)).abs().max()
    assert float(gap) < 2.0 * 0.2785 / t


class Doubled(nn.ReLU):
    def forward(self, u: Any) -> Any:
        return 2.0 * super().forward(u)


@pytest.mark.parametrize("layer", [nn.Tanh(), nn.BatchNorm1d(1), nn.Conv1d(1, 1, 1), Doubled()])
def test_other_layers_are_refused_by_name(layer: Any) -> None:
    with pytest.raises(UnsupportedLayerError, match=rf"layer '1\.0' is a {type(layer).__name__}"):
        smooth(nn.Sequential(nn.Linear(2, 2), nn.Sequential(layer)), 0.5)


def test_what_is_no_module_and_what_has_hooks_is_refused() -> None:
    with pytest.raises(UnsupportedLayerError, match="expected a torch module"):
        smooth(Network.from_torch(generator()), 0.5)  # type: ignore[arg-type]
    module = generator()
    module[1].register_forward_hook(lambda *_: None)
    with pytest.raises(UnsupportedLayerError, match="hooks"):
        smooth(module, 0.5)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu:0.2", "identity"])
def test_the_module_of_a_network_is_read_back_as_it(activation: str) -> None:
    net = Network.from_layers(
        [np.arange(6.0).reshape(3, 2) - 2.5, np.ones((2, 3))], [np.arange(3.0), np.ones(2)], activation
    )
    read, z = Network.from_torch(module_of(net)), LATENTS.numpy()
    np.testing.assert_allclose(read(z), net(z), atol=1e-12)
    np.testing.assert_array_equal(read.code(z), net.code(z))
    weight = next(iter(module_of(net).parameters()))
    with torch.no_grad():
        weight.zero_()
    assert net.layers[0].weight.any()


@pytest.mark.parametrize("activation", ["softshrink", "hardtanh", ["relu|leaky_relu:0.1", "identity"]])
def test_a_network_of_other_units_has_no_module_to_smooth(activation: Any) -> None:
    net = Network.from_layers([np.ones((2, 2)), np.ones((1, 2))], [np.zeros(2), np.zeros(1)], activation)
    with pytest.raises(UnsupportedLayerError, match="layer 0"):
        module_of(net)
