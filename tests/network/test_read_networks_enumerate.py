"""Networks that are read from models have the oracle's partition: tiny convolutions, pools, skips, maxout."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from polyspline.cpa.units import MaxGroup
from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.network import Network
from tests.agreement.support import Problem, assert_agrees, cube
from tests.network.models import Lambda, seeded
from tests.oracle import OracleLayer
from tests.oracle.forms import Members, UnitTable


def pooled(x: torch.Tensor, first: nn.Module, pool: nn.Module, last: nn.Module) -> torch.Tensor:
    found: torch.Tensor = last(pool(functional.relu(first(x.reshape(-1, 1, 1, 2)))).flatten(1))
    return found


def residual(x: torch.Tensor, first: nn.Module, second: nn.Module) -> torch.Tensor:
    y = functional.hardtanh(first(x)) + x
    return functional.leaky_relu(second(y)) - torch.minimum(x, y)


def maxout(x: torch.Tensor, first: nn.Module, last: nn.Module) -> torch.Tensor:
    found: torch.Tensor = last(first(x).reshape(-1, 3, 3).amax(2))
    return found


def two_scales(x: torch.Tensor, down: nn.Module, up: nn.Module, last: nn.Module) -> torch.Tensor:
    fine = x.reshape(-1, 1, 2)
    coarse = functional.relu(down(fine))
    joined = torch.cat([functional.interpolate(coarse, scale_factor=2), fine], 1)
    found: torch.Tensor = last(functional.hardtanh(up(joined)).flatten(1))
    return found


MODELS = {
    "convolution": Lambda(
        lambda x, first, last: last(functional.relu(first(x.reshape(-1, 1, 1, 2)))).flatten(1),
        nn.Conv2d(1, 2, (1, 2), padding=(0, 1)),
        nn.Conv2d(2, 1, (1, 2)),
    ),
    "pooled": Lambda(
        pooled,
        nn.ConvTranspose2d(1, 2, (1, 3), padding=0),
        nn.MaxPool2d((1, 2), padding=(0, 1)),
        nn.Linear(6, 2),
    ),
    "residual": Lambda(residual, nn.Linear(2, 2), nn.Linear(2, 2)),
    "maxout": Lambda(maxout, nn.Linear(2, 9), nn.Linear(3, 2)),
    "two scales": Lambda(two_scales, nn.Conv1d(1, 2, 2), nn.Conv1d(3, 2, 3, padding=1), nn.Linear(4, 2)),
}


def in_the_oracles_words(net: Network) -> Problem:
    """The layers that a model was lowered to, as the oracle takes them."""
    layers: list[OracleLayer] = []
    for layer in net.layers:
        units: list[UnitTable | Members] = [
            unit.n_rows
            if isinstance(unit, MaxGroup)
            else (list(unit.knots), list(unit.slopes), list(unit.offsets))
            for unit in layer.units
        ]
        layers.append((layer.weight, layer.bias, units))
    return Problem(net, layers)


@pytest.mark.parametrize("method", ["walk", "split"])
@pytest.mark.parametrize("name", MODELS)
def test_the_partition_of_a_model_is_the_oracles(name: str, method: str) -> None:
    net = Network.from_torch(seeded(MODELS[name], seed=1), input_shape=(2,))
    part, _ = assert_agrees(in_the_oracles_words(net), cube(2, 2.0), method=method)
    assert len(part) > 4


@pytest.mark.parametrize("name", MODELS)
def test_wherever_one_looks_there_is_a_region_whose_map_is_the_models(name: str) -> None:
    module = seeded(MODELS[name], seed=1)
    part = enumerate_regions(Network.from_torch(module, input_shape=(2,)), Box(-2.0, 2.0, dim=2))
    points = np.random.default_rng(0).uniform(-2, 2, size=(40, 2))
    with torch.no_grad():
        expected = module(torch.tensor(points)).reshape(40, -1).numpy()
    for z, x, index in zip(points, expected, np.atleast_1d(part.locate(points)), strict=True):
        np.testing.assert_allclose(part[int(index)].A @ z + part[int(index)].b, x, atol=1e-9)
