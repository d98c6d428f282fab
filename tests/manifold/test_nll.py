"""Laws of the negative log-likelihood: it is that of the density, and its gradient that of differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, ShapeError
from polyspline.inversion.preimages import preimages
from polyspline.manifold.density import density, density_at_latents
from polyspline.manifold.nll import nll, parameters_of
from polyspline.manifold.priors import GaussianPrior, GivenPrior, UniformPrior
from polyspline.network import Network, zoo

NET = zoo.random_network([2, 7, 5, 4], "leaky_relu:0.3", seed=1)
LATENTS = np.random.default_rng(0).uniform(-1, 1, size=(6, 2))
PRIOR = GaussianPrior([0.1, -0.2], [[1.0, 0.2], [0.2, 0.7]])


def module() -> torch.nn.Module:
    torch.manual_seed(2)
    return (
        torch.nn.Sequential(
            torch.nn.Linear(2, 6), torch.nn.LeakyReLU(0.2), torch.nn.Linear(6, 5), torch.nn.Hardtanh()
        )
        .append(torch.nn.Linear(5, 3))
        .double()
    )


@pytest.mark.parametrize("prior", [PRIOR, UniformPrior(Box(-1, 1, dim=2))])
def test_it_is_minus_the_log_density(prior: GaussianPrior | UniformPrior) -> None:
    part = enumerate_regions(NET, Box(-1, 1, dim=2))
    x = NET(LATENTS)
    losses = nll(NET, x, LATENTS, prior, reduction="none")
    np.testing.assert_allclose(losses.numpy(), -density(part, x, prior).log_values, rtol=1e-9)
    assert float(nll(NET, x, LATENTS, prior)) == pytest.approx(float(losses.mean()))
    assert float(nll(NET, x, LATENTS, prior, reduction="sum")) == pytest.approx(float(losses.sum()))


def test_the_member_of_a_max_group_that_is_largest_counts() -> None:
    rng = np.random.default_rng(2)
    net = Network.from_layers(
        [rng.normal(size=(6, 2)), rng.normal(size=(5, 3))],
        [rng.normal(size=6), None],
        ["max:2*3", "max:2|relu*3"],
    )
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    found = density_at_latents(part, LATENTS, PRIOR, others=False)
    known = np.isfinite(found.log_values)
    losses = nll(net, net(LATENTS[known]), LATENTS[known], PRIOR, reduction="none")
    np.testing.assert_allclose(losses.numpy(), -found.log_values[known], rtol=1e-9)
    assert known.any()


def test_of_a_fold_all_preimages_are_summed() -> None:
    fold = Network.from_layers([[[1.0]], [[2.0]]], [[0.0], [0.5]], "abs")
    part = enumerate_regions(fold, Box(-1, 2, dim=1))
    x = np.array([[1.5], [3.5]])
    known = [(i, one.z) for i in range(2) for one in preimages(fold, x[i], part)]
    assert [i for i, _ in known] == [0, 0, 1]
    prior = GaussianPrior([0.3])
    losses = nll(fold, x, [z for _, z in known], prior, owner=[i for i, _ in known], reduction="none")
    np.testing.assert_allclose(losses.numpy(), -density(part, x, prior).log_values)


def test_a_module_and_its_network_have_the_same_loss() -> None:
    made = module()
    net = Network.from_torch(made)
    x = net(LATENTS)
    one, other = nll(made, x, LATENTS, PRIOR), nll(net, x, LATENTS, PRIOR)
    assert float(one.detach()) == pytest.approx(float(other), rel=1e-12)


def backward(loss: Any) -> None:
    loss.backward()


def differences(loss: Callable[[], torch.Tensor], tensor: torch.Tensor) -> np.ndarray:
    found = np.empty(tensor.numel())
    flat = tensor.detach().view(-1)
    for i in range(len(flat)):
        kept, step = float(flat[i]), 1e-6
        flat[i] = kept + step
        above = float(loss().detach())
        flat[i] = kept - step
        found[i] = (above - float(loss().detach())) / (2 * step)
        flat[i] = kept
    return found.reshape(tuple(tensor.shape))


@pytest.mark.parametrize("prior", [None, PRIOR])
def test_the_gradient_in_the_weights_of_a_network_is_that_of_differences(prior: GaussianPrior | None) -> None:
    parameters = parameters_of(NET)
    # Data that stay while the weights move, so off the manifold.
    x = NET(LATENTS) + 0.01 * np.random.default_rng(1).normal(size=(6, 4))

    def loss() -> torch.Tensor:
        return nll(NET, x, LATENTS, prior, parameters=parameters)

    backward(loss())
    for pair in parameters:
        for tensor in pair:
            assert tensor.grad is not None
            np.testing.assert_allclose(tensor.grad.numpy(), differences(loss, tensor), rtol=1e-5, atol=1e-7)


def test_the_gradient_in_the_weights_of_a_module_is_that_of_differences() -> None:
    made = module()
    x = Network.from_torch(made)(LATENTS)

    def loss() -> torch.Tensor:
        return nll(made, x, LATENTS, PRIOR)

    backward(loss())
    for tensor in made.parameters():
        assert tensor.grad is not None
        np.testing.assert_allclose(tensor.grad.numpy(), differences(loss, tensor), rtol=1e-5, atol=1e-7)


def test_maximum_likelihood_of_a_scale_finds_the_spread_of_the_data() -> None:
    # x = w z with z ~ N(0, 1): the best w is the root of the mean of x squared.
    net = Network.from_layers([[[1.0]]], [[0.0]])
    x = np.random.default_rng(0).normal(scale=3.0, size=(200, 1))
    weight = torch.tensor([[1.0]], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(1, dtype=torch.float64)
    optimiser: Any = torch.optim.LBFGS([weight], line_search_fn="strong_wolfe", max_iter=50)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = nll(net, x, x, parameters=[(weight, bias)])
        backward(loss)
        return loss

    optimiser.step(closure)
    assert float(weight.detach()) == pytest.approx(math.sqrt(float(np.mean(x**2))), rel=1e-4)


def test_a_function_of_tensors_serves_as_prior() -> None:
    x = NET(LATENTS)
    normal = nll(NET, x, LATENTS)
    given = nll(NET, x, LATENTS, lambda z: -0.5 * (z**2).sum(dim=1) - math.log(2 * math.pi))
    assert float(given) == pytest.approx(float(normal))


def test_outside_a_uniform_prior_the_loss_is_infinite() -> None:
    prior = UniformPrior(Box(0, 1, dim=2))
    assert float(nll(NET, NET([[-0.5, 0.5]]), [[-0.5, 0.5]], prior)) == math.inf


def test_bad_arguments_are_refused() -> None:
    x = NET(LATENTS)
    with pytest.raises(ShapeError, match="preimages for 6 points"):
        nll(NET, x, LATENTS[:3])
    with pytest.raises(ShapeError, match="columns"):
        nll(NET, x[:, :3], LATENTS)
    with pytest.raises(ShapeError, match="dimension 3"):
        nll(NET, x, LATENTS, GaussianPrior.standard(3))
    with pytest.raises(ArgumentError, match="not differentiable"):
        nll(NET, x, LATENTS, GivenPrior(2, lambda z: np.zeros(len(z))))
    with pytest.raises(ArgumentError, match="reduction"):
        nll(NET, x, LATENTS, reduction="median")
    with pytest.raises(ArgumentError, match="at least as many outputs"):
        nll(Network.from_layers([[[1.0, 1.0]]], [None]), [[0.0]], [[0.0, 0.0]])
    with pytest.raises(ShapeError, match="parameters for 3 layers"):
        nll(NET, x, LATENTS, parameters=parameters_of(NET)[:2])
    with pytest.raises(ArgumentError, match="module has its own"):
        nll(module(), x[:, :3], LATENTS, parameters=parameters_of(NET))
