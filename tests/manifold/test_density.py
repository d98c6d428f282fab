"""Laws of the density: it integrates to one, folds add, and singular mass is told apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from polyspline.domains import Box, WholeSpace
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, ShapeError
from polyspline.inversion.preimages import preimages
from polyspline.manifold.density import density, density_at_latents, mass_by_rank
from polyspline.manifold.priors import GaussianPrior
from polyspline.manifold.probability import probabilities
from polyspline.manifold.regions import sample_regions
from polyspline.network import Network, zoo

FOLD = Network.from_layers([[[1.0]], [[1.0]]], [[0.0], [0.0]], "abs")


def test_a_fold_sums_both_preimages() -> None:
    part = enumerate_regions(FOLD, Box(-1.0, 2.0, dim=1))
    found = density(part, [[0.5], [1.5], [-0.5], [2.5], [0.0]])
    assert found.values == pytest.approx([2 / 3, 1 / 3, 0.0, 0.0, 1 / 3])
    assert found.n_preimages.tolist() == [2, 1, 0, 0, 1]
    assert not found.singular.any()
    normal = density(enumerate_regions(FOLD, WholeSpace(1)), [[0.7]])
    assert normal.values == pytest.approx([2.0 * norm.pdf(0.7)])


def test_full_rank_everywhere_does_not_make_a_density_of_one_preimage() -> None:
    # lrelu(z) + lrelu(-z) = (1 - a) |z|: full rank in both regions, and folded.
    net = Network.from_layers([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]], "leaky_relu:0.25")
    part = enumerate_regions(net, Box(-1, 1, dim=1))
    found = density(part, [[0.3]])
    assert found.n_preimages.tolist() == [2]
    assert found.values == pytest.approx([2 * 0.5 / 0.75])


def test_a_square_root_is_taken() -> None:
    # Appendix B prints det(AᵀA) without one; a line stretched by 5 has density 1/5 of the interval's.
    part = enumerate_regions(Network.from_layers([[[3.0], [4.0]]], [None]), Box(0, 1, dim=1))
    found = density(part, [[1.5, 2.0], [1.5, 2.1]])
    assert found.values == pytest.approx([0.2, 0.0])


def test_the_density_of_a_piecewise_constant_case_integrates_to_one_exactly() -> None:
    # From an interval with uniform z it is constant between images of knots.
    net = zoo.random_network([1, 6, 6, 1], "leaky_relu:0.3", seed=4)
    part = enumerate_regions(net, Box(-2, 2, dim=1))
    ends = np.array([net(region.vertices()) for region in part]).ravel()
    cuts = np.unique(ends)
    middles = (cuts[1:] + cuts[:-1]) / 2
    found = density(part, middles[:, None])
    assert float(found.values @ np.diff(cuts)) == pytest.approx(1.0, abs=1e-9)
    assert found.n_preimages.max() > 1


@pytest.mark.parametrize("prior", ["uniform", GaussianPrior([0.2, 0.0], 0.1)])
def test_in_the_plane_it_integrates_to_the_mass_of_the_domain(prior: str | GaussianPrior) -> None:
    net = zoo.random_network([2, 5, 2], "leaky_relu:0.4", seed=2)
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    corners = np.concatenate([net(region.vertices()) for region in part])
    low, high = corners.min(axis=0), corners.max(axis=0)
    side = 140
    grid = np.stack(np.meshgrid(*[(np.arange(side) + 0.5) / side] * 2, indexing="ij"), axis=-1)
    found = density(part, low + (high - low) * grid.reshape(-1, 2), prior)
    mass = float(found.values.mean() * np.prod(high - low))
    assert mass == pytest.approx(probabilities(part, prior, n_draws=2000).total, rel=0.02)


def test_preimages_are_those_that_are_searched_one_by_one() -> None:
    net = zoo.random_network([2, 7, 5, 3], "leaky_relu:0.25", seed=6)
    part = enumerate_regions(net, Box(-1.5, 1.5, dim=2))
    latents = np.random.default_rng(0).uniform(-1.5, 1.5, size=(12, 2))
    found = density(part, net(latents))
    expected = [len(preimages(net, x, part)) for x in net(latents)]
    assert found.n_preimages.tolist() == expected
    flat = zoo.random_network([2, 7, 5, 2], "leaky_relu:0.25", seed=4)
    part = enumerate_regions(flat, Box(-1.5, 1.5, dim=2))
    found = density(part, flat(latents))
    expected = [len(preimages(flat, x, part)) for x in flat(latents)]
    assert found.n_preimages.tolist() == expected
    assert max(expected) > 1


def test_a_point_on_a_shared_facet_counts_once() -> None:
    net = Network.from_layers([[[1.0, 0.0], [0.0, 1.0]], np.eye(2)], [[0, 0], [0, 0]], "leaky_relu:0.5")
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    found = density(part, [[0.0, 0.5], [0.0, 0.0]])
    assert found.n_preimages.tolist() == [1, 1]
    assert 0.25 <= found.values[0] <= 0.5


def test_generated_points_have_the_density_of_their_latents() -> None:
    net = zoo.random_network([2, 6, 4], "leaky_relu:0.3", seed=1)
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    latents = np.random.default_rng(0).uniform(-1, 1, size=(20, 2))
    with_others = density_at_latents(part, latents)
    alone = density_at_latents(part, latents, others=False)
    searched = density(part, net(latents))
    np.testing.assert_allclose(with_others.log_values, searched.log_values, rtol=1e-9)
    assert (alone.log_values <= with_others.log_values + 1e-12).all()
    assert alone.lower_bound
    assert not with_others.lower_bound
    factors = [0.5 * np.linalg.slogdet(part[i].A.T @ part[i].A)[1] for i in np.asarray(part.locate(latents))]
    np.testing.assert_allclose(alone.log_values, -math.log(4.0) - np.array(factors), rtol=1e-9)


def test_rotation_of_the_output_changes_nothing() -> None:
    net = zoo.random_network([2, 6, 3], "relu", seed=3)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    last = net.layers[-1]
    turned = Network.from_layers(
        [net.layers[0].weight, turn @ last.weight], [net.layers[0].bias, turn @ last.bias]
    )
    latents = np.random.default_rng(1).uniform(-1, 1, size=(30, 2))
    one, other = (
        density(enumerate_regions(n, Box(-1, 1, dim=2)), n(latents), "gaussian") for n in (net, turned)
    )
    np.testing.assert_allclose(one.log_values, other.log_values, rtol=1e-8)
    assert one.singular.tolist() == other.singular.tolist()


def test_mass_of_low_rank_is_reported_and_nothing_is_divided_by_zero() -> None:
    # (relu(z1), relu(z2)): a quarter of the square stays, halves flatten to segments, a quarter to a point.
    net = Network.from_layers([np.eye(2), np.eye(2)], [np.zeros(2), np.zeros(2)])
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    masses = mass_by_rank(part)
    assert masses.masses == pytest.approx([0.25, 0.5, 0.25])
    assert masses.counts.tolist() == [1, 2, 1]
    assert masses.singular == pytest.approx(0.75)
    found = density(part, [[0.5, 0.5], [0.5, 0.0], [0.0, 0.0], [-0.5, 0.0]])
    assert found.singular.tolist() == [False, True, True, False]
    assert found.values[0] == pytest.approx(0.25)
    assert found.values[3] == 0.0
    drawn = mass_by_rank(part, known=probabilities(part, method="draws", n_draws=20_000))
    assert drawn.standard_errors is not None
    assert (np.abs(drawn.masses - masses.masses) < 5 * drawn.standard_errors).all()


def test_a_network_into_fewer_dimensions_has_singular_mass_only() -> None:
    net = zoo.random_network([2, 5, 1], "leaky_relu:0.3", seed=1)
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    assert mass_by_rank(part).singular == pytest.approx(1.0)
    found = density(part, net(np.zeros((1, 2))))
    assert found.singular.all()
    assert found.n_preimages.tolist() == [0]


def test_regions_met_by_sampling_give_a_lower_bound() -> None:
    net = zoo.random_network([2, 8, 2], "leaky_relu:0.2", seed=2)
    domain = Box(-1, 1, dim=2)
    met = sample_regions(net, domain, 10, neighbours=False)
    x = net(np.random.default_rng(0).uniform(-1, 1, size=(30, 2)))
    lower, full = density(met, x), density(enumerate_regions(net, domain), x)
    assert lower.sampled
    assert lower.lower_bound
    assert (lower.log_values <= full.log_values + 1e-9).all()
    assert (lower.log_values < full.log_values - 1e-9).any()


def test_partial_partitions_and_wrong_shapes_are_refused() -> None:
    net = zoo.random_network([2, 8, 2], seed=2)
    partial = enumerate_regions(net, Box(-1, 1, dim=2), max_regions=3)
    with pytest.raises(ArgumentError, match=r"density needs all regions.*others=False"):
        density(partial, [[0.0, 0.0]])
    with pytest.raises(ArgumentError, match=r"mass_by_rank needs all regions.*sample_regions"):
        mass_by_rank(partial)
    with pytest.raises(ArgumentError, match="others=True needs all regions"):
        density_at_latents(partial, [[0.0, 0.0]])
    assert density_at_latents(partial, [[0.1, 0.2]], others=False).lower_bound
    whole = enumerate_regions(net, Box(-1, 1, dim=2))
    with pytest.raises(ShapeError, match="as many as the network has outputs"):
        density(whole, [[0.0, 0.0, 0.0]])
    with pytest.raises(ArgumentError, match="tol must be"):
        density(whole, [[0.0, 0.0]], tol=-1.0)
