"""Laws of the entropy: closed forms, Monte Carlo, what folds take off, and singular mass."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from polyspline.domains import Box, WholeSpace
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError
from polyspline.manifold.density import density_at_latents, mass_by_rank
from polyspline.manifold.entropy import EntropyStatus, entropy
from polyspline.manifold.priors import GaussianPrior, GivenPrior
from polyspline.manifold.probability import probabilities
from polyspline.manifold.regions import sample_regions
from polyspline.manifold.uniformity import resample
from polyspline.manifold.volumes import image_volumes, volumes
from polyspline.network import Network, zoo

A = np.array([[2.0, 0.5], [0.0, 3.0], [1.0, 1.0]])
LINEAR = Network.from_layers([A], [None])
LOG_FACTOR = 0.5 * math.log(np.linalg.det(A.T @ A))


def test_of_a_linear_map_it_has_a_closed_form() -> None:
    uniform = entropy(enumerate_regions(LINEAR, Box(-1, 2, dim=2)), injective="decide")
    assert uniform.status is EntropyStatus.EXACT
    assert uniform.exact
    assert uniform.value == pytest.approx(math.log(9.0) + LOG_FACTOR)
    assert uniform.standard_error is None
    cov = np.array([[2.0, 0.3], [0.3, 0.5]])
    normal = entropy(enumerate_regions(LINEAR, WholeSpace(2)), GaussianPrior([1.0, 0.0], cov), injective=True)
    exact = math.log(2 * math.pi * math.e) + 0.5 * math.log(np.linalg.det(cov)) + LOG_FACTOR
    assert normal.value == pytest.approx(exact)
    # The volume term comes from draws, which all see one region.
    assert normal.standard_error == pytest.approx(0.0, abs=1e-12)


def test_it_agrees_with_minus_the_mean_of_the_log_density() -> None:
    net = zoo.random_network([2, 6, 4], "leaky_relu:0.3", seed=1)
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    found = entropy(part, injective="decide")
    assert found.status is EntropyStatus.EXACT
    latents = np.random.default_rng(3).uniform(-1, 1, size=(4000, 2))
    losses = -density_at_latents(part, latents).log_values
    assert abs(found.value - losses.mean()) < 5 * losses.std() / math.sqrt(len(losses))


def test_of_a_fold_it_is_an_upper_bound_until_corrected() -> None:
    # |z| for z uniform on (-1, 1) is uniform on (0, 1), of entropy 0; the bound is log 2.
    fold = Network.from_layers([[[1.0]], [[1.0]]], [[0.0], [0.0]], "abs")
    part = enumerate_regions(fold, Box(-1, 1, dim=1))
    bound = entropy(part, injective="decide")
    assert bound.status is EntropyStatus.UPPER_BOUND
    assert not bound.exact
    assert bound.value == pytest.approx(math.log(2.0))
    mended = entropy(part, correction_draws=500)
    assert mended.status is EntropyStatus.CORRECTED
    assert mended.correction == pytest.approx(math.log(2.0))
    assert mended.value == pytest.approx(0.0, abs=1e-9)


def test_a_corrected_entropy_agrees_with_the_density_by_monte_carlo() -> None:
    net = zoo.random_network([2, 7, 2], "leaky_relu:0.2", seed=5)
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    found = entropy(part, correction_draws=4000, seed=1)
    assert found.standard_error is not None
    latents = np.random.default_rng(9).uniform(-1, 1, size=(4000, 2))
    losses = -density_at_latents(part, latents).log_values
    error = math.hypot(found.standard_error, losses.std() / math.sqrt(len(losses)))
    assert abs(found.value - losses.mean()) < 5 * error
    assert found.correction is not None
    assert found.correction > 0


def test_mass_on_lower_dimensions_makes_it_minus_infinity_and_says_how_much() -> None:
    net = Network.from_layers([np.eye(2), np.eye(2)], [np.zeros(2), np.zeros(2)])
    found = entropy(enumerate_regions(net, Box(-1, 1, dim=2)))
    assert found.status is EntropyStatus.SINGULAR
    assert found.value == -math.inf
    assert found.singular_mass == pytest.approx(0.75)
    assert found.volume_term == pytest.approx(0.0)
    flat = entropy(enumerate_regions(Network.from_layers([np.zeros((2, 2))], [None]), Box(-1, 1, dim=2)))
    assert flat.singular_mass == 1.0
    assert math.isnan(flat.volume_term)


def test_a_prior_is_taken_given_that_it_is_in_the_domain() -> None:
    # Of N(0, 1) on (-1, 1): closed form of a truncated normal.
    from scipy.stats import truncnorm

    net = Network.from_layers([[[2.0]]], [None])
    part = enumerate_regions(net, Box(-1, 1, dim=1))
    exact = truncnorm(-1, 1).entropy() + math.log(2.0)
    found = entropy(part, GaussianPrior([0.0]), seed=2)
    assert found.standard_error is not None
    assert abs(found.value - exact) < 5 * found.standard_error
    assert found.covered == pytest.approx(0.6826894921)
    unsampled = GivenPrior(1, lambda z: GaussianPrior([0.0]).logpdf(z))
    given = entropy(part, unsampled, seed=2)
    assert given.standard_error is not None
    assert given.standard_error > 0
    assert abs(given.value - exact) < 5 * given.standard_error


def test_by_draws_it_agrees_with_the_sum_over_regions() -> None:
    net = zoo.random_network([3, 8, 4], "leaky_relu:0.3", seed=2)
    domain = Box(-1, 1, dim=3)
    part = enumerate_regions(net, domain)
    exact = entropy(part)
    met = entropy(sample_regions(net, domain, 30), n_draws=5000)
    assert met.sampled
    assert met.standard_error is not None
    assert abs(met.value - exact.value) < 5 * met.standard_error
    shares = probabilities(part, method="draws", n_draws=5000)
    drawn = entropy(part, known=shares)
    assert drawn.standard_error is not None
    assert abs(drawn.value - exact.value) < 5 * drawn.standard_error
    assert drawn.standard_error == pytest.approx(met.standard_error, rel=0.1)


def test_rotation_of_the_output_leaves_it_and_scaling_adds_the_logarithm() -> None:
    net = zoo.random_network([2, 6, 3], "leaky_relu:0.2", seed=3)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    first, last = net.layers
    values = []
    for matrix in (np.eye(3), turn, 2.0 * turn):
        other = Network.from_layers(
            [first.weight, matrix @ last.weight], [first.bias, matrix @ last.bias], "leaky_relu:0.2"
        )
        values.append(entropy(enumerate_regions(other, Box(-1, 1, dim=2))).value)
    assert values[1] == pytest.approx(values[0])
    assert values[2] == pytest.approx(values[0] + 2 * math.log(2.0))


def test_bad_arguments_are_refused() -> None:
    net = zoo.random_network([2, 8, 2], seed=2)
    domain = Box(-1, 1, dim=2)
    with pytest.raises(ArgumentError, match="entropy needs all regions"):
        entropy(enumerate_regions(net, domain, max_regions=3))
    part = enumerate_regions(net, domain)
    with pytest.raises(ArgumentError, match="'decide'"):
        entropy(part, injective="maybe")
    with pytest.raises(ArgumentError, match="complete partition only"):
        entropy(sample_regions(net, domain, 5), injective="decide")
    with pytest.raises(ArgumentError, match="n_draws must be"):
        entropy(part, n_draws=1)


def test_what_was_measured_on_other_regions_is_refused() -> None:
    net = Network.from_layers([np.eye(2), np.eye(2)], [np.zeros(2), np.zeros(2)], "leaky_relu:0.5")
    small, large = (enumerate_regions(net, Box(-side, side, dim=2)) for side in (1.0, 2.0))
    other = enumerate_regions(net, Box(-1.0, 1.0, dim=2), start=-small.witnesses[0])
    assert len(small) == len(large) == len(other)
    for strange in (large, other):
        chances, sizes = probabilities(strange), volumes(strange)
        with pytest.raises(ArgumentError, match="entropy: the probabilities are of other regions"):
            entropy(small, known=chances)
        with pytest.raises(ArgumentError, match="mass_by_rank: the probabilities are of other regions"):
            mass_by_rank(small, known=chances)
        with pytest.raises(ArgumentError, match="image_volumes: the latent volumes are of other regions"):
            image_volumes(small, latent=sizes)
        with pytest.raises(ArgumentError, match="resample: the volumes are of other regions"):
            resample(small, 5, latent=sizes)
    again = enumerate_regions(net, Box(-1.0, 1.0, dim=2))
    assert entropy(again, known=probabilities(small)).value == entropy(small).value


@pytest.mark.parametrize("prior", ["uniform", "gaussian", GivenPrior(2, lambda z: np.zeros(len(z)))])
def test_the_part_of_rank_s_has_the_entropy_of_its_images(prior: str | GivenPrior) -> None:
    dead = Network.from_layers([np.eye(2), 2.0 * np.eye(2)], [np.zeros(2), np.zeros(2)])
    part = enumerate_regions(dead, Box(-1, 1, dim=2))
    found = entropy(part, prior)
    assert found.value == -math.inf
    # z in the unit square, uniform or normal, and the area times four.
    mass = norm.cdf(1.0) - 0.5
    square = math.log(mass) + 0.5 * math.log(2 * math.pi) + 0.5 * truncated_square(mass)
    assert found.full_rank_value == pytest.approx(
        (2 * square if prior == "gaussian" else 0.0) + math.log(4.0), abs=0.01
    )
    whole = entropy(part, prior, injective=False)
    assert whole.full_rank_value == found.full_rank_value
    smooth = entropy(enumerate_regions(LINEAR, Box(-1, 2, dim=2)))
    assert smooth.full_rank_value == smooth.value


def truncated_square(mass: float) -> float:
    """Mean of z squared of a normal z in [0, 1]."""
    return float(1.0 - norm.pdf(1.0) / mass)


def test_probabilities_of_another_prior_are_refused() -> None:
    part = enumerate_regions(zoo.random_network([2, 4, 2], seed=0), Box(-1, 1, dim=2))
    known = probabilities(part)
    with pytest.raises(ArgumentError, match="another prior"):
        entropy(part, "gaussian", known=known)
    assert entropy(part, "uniform", known=known).value == entropy(part).value
