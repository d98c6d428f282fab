"""Laws of mass in lower dimension: where a region of rank below S reaches, nothing has a density."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle

from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.manifold.density import density, density_at_latents
from polyspline.manifold.entropy import entropy
from polyspline.manifold.nll import nll, parameters_of
from polyspline.manifold.priors import GivenPrior
from polyspline.manifold.regions import region_set
from polyspline.network import Network
from polyspline.partition import Partition
from polyspline.plots.bars import plot_histogram
from polyspline.plots.quantities import values_of

RELU = Network.from_layers([[[1.0]], [[1.0]]], [[0.0], [0.0]], ["relu", "identity"])
MIRRORED = Network.from_layers([[[-1.0]], [[1.0]]], [[0.0], [0.0]], ["relu", "identity"])


@pytest.fixture(params=[RELU, MIRRORED], ids=["right", "left"], scope="module")
def part(request: pytest.FixtureRequest) -> Partition:
    return enumerate_regions(request.param, Box(-1, 1, dim=1))


def test_an_atom_has_no_density(part: Partition) -> None:
    # Half of the mass is at 0; the rest is uniform on [0, 1], whose closed edge is the atom.
    found = density(part, [[0.0], [0.5], [-0.5]])
    assert np.isnan(found.values).tolist() == [True, False, False]
    assert found.values[1:] == pytest.approx([0.5, 0.0])
    assert found.singular.tolist() == [True, False, False]


@pytest.mark.parametrize("others", [True, False])
def test_a_latent_on_the_edge_of_a_flat_region_has_no_density(part: Partition, others: bool) -> None:
    side = 1.0 if part.net == RELU else -1.0
    found = density_at_latents(part, [[0.0], [-0.5 * side], [0.5 * side], [3.0 * side]], others=others)
    assert np.isnan(found.values).tolist() == [True, True, False, False]
    assert found.values[2:] == pytest.approx([0.5, 0.0])


def test_a_segment_that_a_square_is_flattened_to_has_no_density() -> None:
    net = Network.from_layers([np.eye(2), np.eye(2)], [np.zeros(2), np.zeros(2)], ["relu", "identity"])
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    found = density(part, [[0.5, 0.5], [0.5, 0.0], [0.0, 0.0]])
    assert np.isnan(found.values).tolist() == [False, True, True]
    # On many knots at once: every region around the corner is asked.
    at_corner = density_at_latents(part, [[0.0, 0.0], [0.5, 0.0], [0.5, 0.5]], others=False)
    assert np.isnan(at_corner.values).tolist() == [True, True, False]


def test_pictures_leave_out_the_density_of_flat_regions(part: Partition) -> None:
    values = values_of(region_set(part), "density")
    assert np.isfinite(values.numbers).tolist() == [bool(np.any(region.A)) for region in part]
    axes = plot_histogram(part, "density", bins=3)
    assert sum(bar.get_height() > 0 for bar in axes.patches if isinstance(bar, Rectangle)) == 1


def test_the_likelihood_of_a_flat_region_is_none_and_touches_no_other() -> None:
    # The second slope is ((1, 1), (1, 1)): floats find a determinant of 1e-16 or so.
    net = Network.from_layers(
        [np.eye(2), [[1.0, 0.1], [1.0, 0.3]]], [np.zeros(2), np.zeros(2)], ["leaky_relu:0.1", "identity"]
    )
    flat = Network.from_layers([[[1.0, 0.1], [1.0, 0.1]]], [np.zeros(2)], ["identity"])
    z = [[0.5, 0.5]]
    assert torch.isnan(nll(flat, flat(z), z))
    dead = Network.from_layers([np.eye(2), np.eye(2)], [np.zeros(2), np.zeros(2)], ["relu", "identity"])
    both = [[0.5, 0.5], [-0.5, 0.5]]
    weights = parameters_of(dead)
    losses = nll(dead, dead(both), both, parameters=weights, reduction="none")
    assert torch.isnan(losses).tolist() == [False, True]
    slopes = torch.autograd.grad(losses[0], [tensor for pair in weights for tensor in pair])
    assert all(torch.isfinite(slope).all() for slope in slopes)
    assert torch.isfinite(nll(net, net(z), z))


def test_a_flat_region_without_mass_leaves_the_entropy_as_it_is() -> None:
    def log_density(z: np.ndarray) -> np.ndarray:
        return np.where(z[:, 0] >= 0.0, 0.0, -np.inf)

    def sampler(rng: np.random.Generator, count: int) -> np.ndarray:
        return rng.uniform(0.0, 1.0, (count, 1))

    part = enumerate_regions(RELU, Box(-1, 1, dim=1))
    found = entropy(part, GivenPrior(1, log_density, sampler), correction_draws=50, n_draws=200)
    assert found.value == pytest.approx(0.0, abs=1e-9)
    assert found.correction == pytest.approx(0.0, abs=1e-9)
