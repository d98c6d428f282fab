"""Laws of smoothing: affine at 0, the network at 1, smooth and below it in between."""

from __future__ import annotations

import copy
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from polyspline.errors import ArgumentError, UnsupportedLayerError
from polyspline.manifold.smoothing import smooth, soft_gate
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
    assert "beta=0.5, slope=0.2" in repr(again)


@pytest.mark.parametrize("beta", [-0.1, 1.1, math.nan, math.inf, True, "0.5", None])
def test_a_beta_out_of_its_range_is_refused(beta: Any) -> None:
    with pytest.raises(ArgumentError, match="beta"):
        smooth(generator(), beta)


def test_a_gate_out_of_its_range_is_refused() -> None:
    for beta, slope in ((1.0, 0.0), (0.5, math.inf)):
        with pytest.raises(ArgumentError, match="soft_gate"):
            soft_gate(beta, slope)


class Doubled(nn.ReLU):
    def forward(self, u: Any) -> Any:
        return 2.0 * super().forward(u)


@pytest.mark.parametrize("layer", [nn.Tanh(), nn.Hardtanh(), nn.Conv1d(1, 1, 1), Doubled()])
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
