"""What the tests of the readers share: modules out of functions, and the law that a reader has to keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from polyspline.network import Network


class Lambda(nn.Module):
    """A module that computes a function of its input and of further modules."""

    def __init__(self, function: Callable[..., Any], *parts: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.parts = nn.ModuleList(parts)

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(x, *self.parts)


def seeded(module: nn.Module, seed: int = 0) -> nn.Module:
    """Give a module random parameters and running statistics, in float64 and evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) * 1.6 - 0.6)
        for part in module.modules():
            if isinstance(part, nn.modules.batchnorm._NormBase) and part.running_var is not None:
                part.running_var.abs_().add_(0.3)
    return module.double().eval()


def assert_agrees(module: nn.Module, shape: tuple[int, ...], **options: bool) -> Network:
    """Check that the network is the module: values, and the slope on a region against the Jacobian."""
    net = Network.from_torch(module, input_shape=shape, **options)
    points = np.random.default_rng(0).normal(size=(12, *shape)) * 1.5
    inputs = torch.tensor(points)
    with torch.no_grad():
        expected = torch.stack([module(x[None]).reshape(-1) for x in inputs]).numpy()
    flat = points.reshape(12, -1)
    np.testing.assert_allclose(net(flat), expected, rtol=1e-9, atol=1e-9)
    for i in range(2):
        jacobian = torch.autograd.functional.jacobian(  # type: ignore[no-untyped-call]
            lambda x: module(x[None]).reshape(-1), inputs[i]
        )
        slope, offset = net.affine(net.code(flat[i]))
        # torch rounds some of its slopes to float32.
        np.testing.assert_allclose(slope, jacobian.reshape(slope.shape), rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(slope @ flat[i] + offset, expected[i], rtol=1e-9, atol=1e-9)
    return net
