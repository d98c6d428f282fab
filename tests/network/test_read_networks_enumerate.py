"""Networks that are read from models enumerate: tiny convolutions, pools, skips and maxout layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.network import Network
from tests.network.models import Lambda, seeded


def pooled(x: torch.Tensor, first: nn.Module, pool: nn.Module, last: nn.Module) -> torch.Tensor:
    found: torch.Tensor = last(pool(functional.relu(first(x.reshape(-1, 1, 1, 2)))).flatten(1))
    return found


def residual(x: torch.Tensor, first: nn.Module, second: nn.Module) -> torch.Tensor:
    y = functional.hardtanh(first(x)) + x
    return functional.leaky_relu(second(y)) - torch.minimum(x, y)


def maxout(x: torch.Tensor, first: nn.Module, last: nn.Module) -> torch.Tensor:
    found: torch.Tensor = last(first(x).reshape(-1, 3, 3).amax(2))
    return found


MODELS = {
    "pooled": Lambda(
        pooled,
        nn.ConvTranspose2d(1, 2, (1, 3), padding=0),
        nn.MaxPool2d((1, 2), padding=(0, 1)),
        nn.Linear(6, 2),
    ),
    "residual": Lambda(residual, nn.Linear(2, 2), nn.Linear(2, 2)),
    "maxout": Lambda(maxout, nn.Linear(2, 9), nn.Linear(3, 2)),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_partition_of_a_model_is_whole(name: str) -> None:
    module = seeded(MODELS[name], seed=1)
    net = Network.from_torch(module, input_shape=(2,))
    part = enumerate_regions(net, Box(-2.0, 2.0, dim=2))
    assert part.complete
    assert len(part) > 4
    assert sum(region.volume() for region in part) == pytest.approx(16.0, rel=1e-9)
    # Wherever one looks there is a region whose affine map is the module's.
    points = np.random.default_rng(0).uniform(-2, 2, size=(40, 2))
    with torch.no_grad():
        expected = module(torch.tensor(points)).reshape(40, -1).numpy()
    for z, x, index in zip(points, expected, np.atleast_1d(part.locate(points)), strict=True):
        np.testing.assert_allclose(part[int(index)].A @ z + part[int(index)].b, x, atol=1e-9)
