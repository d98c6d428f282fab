"""Laws of the probabilities of regions: sums, closed forms, and methods that agree."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from polyspline.domains import Box, WholeSpace
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, DomainError, ShapeError
from polyspline.manifold.priors import GaussianPrior, GivenPrior, UniformPrior, as_prior
from polyspline.manifold.probability import ProbabilityMethod, from_volumes, probabilities
from polyspline.manifold.regions import sample_regions
from polyspline.manifold.volumes import volumes
from polyspline.network import Network, zoo

CROSS = Network.from_layers([np.eye(2), np.ones((1, 2))], [np.zeros(2), np.zeros(1)])
"""Its regions are the quadrants."""


def test_uniform_probabilities_are_shares_of_the_volume() -> None:
    part = enumerate_regions(zoo.random_network([2, 8, 3], seed=1), Box(-1, 2, dim=2))
    found = probabilities(part)
    assert found.method is ProbabilityMethod.VOLUME
    np.testing.assert_allclose(found.values, volumes(part).values / 9.0)
    assert found.total == pytest.approx(1.0, abs=1e-12)
    assert found.standard_errors is None


def test_on_a_line_normal_probabilities_are_differences_of_the_distribution_function() -> None:
    net = Network.from_layers([[[1.0], [1.0], [1.0]], [[1.0, 1.0, 1.0]]], [[1.0, 0.0, -9.0], [0.0]])
    part = enumerate_regions(net, WholeSpace(1))
    found = probabilities(part, GaussianPrior([0.5], 4.0))
    assert found.method is ProbabilityMethod.CDF
    ends = np.array([-np.inf, -1.0, 0.0, 9.0, np.inf])
    order = np.argsort(part.witnesses[:, 0])
    exact = np.diff(norm.cdf(ends, 0.5, 2.0))
    exact[-1] = norm.sf(9.0, 0.5, 2.0)
    np.testing.assert_allclose(found.values[order], exact, rtol=1e-12)
    far = probabilities(part, GaussianPrior([0.0], 0.25)).values[order]
    assert far[-1] == pytest.approx(norm.sf(18.0), rel=1e-10)


def test_by_polytope_a_box_has_its_normal_probability() -> None:
    domain = Box([-1.0, -2.0], [1.5, 0.5])
    part = enumerate_regions(CROSS, domain)
    prior = GaussianPrior([0.2, -0.1], [1.0, 0.5])
    found = probabilities(part, prior, n_draws=2000, seed=2)
    assert found.method is ProbabilityMethod.POLYTOPE
    assert found.standard_errors is not None
    for i, region in enumerate(part):
        low, high = region.vertices().min(axis=0), region.vertices().max(axis=0)
        scale = np.sqrt(np.diag(prior.cov))
        exact = np.prod(norm.cdf(high, prior.mean, scale) - norm.cdf(low, prior.mean, scale))
        assert abs(found.values[i] - exact) < 5 * found.standard_errors[i]
        assert found.standard_errors[i] < 0.05 * exact


def test_by_draws_quadrants_have_the_orthant_probability() -> None:
    # P(z1 > 0, z2 > 0) = 1/4 + asin(r) / 2π, Sheppard's formula.
    part = enumerate_regions(CROSS, WholeSpace(2))
    prior = GaussianPrior(np.zeros(2), np.array([[1.0, 0.6], [0.6, 1.0]]))
    found = probabilities(part, prior, n_draws=50_000, seed=1)
    assert found.method is ProbabilityMethod.DRAWS
    both = part.index_of([1, 1])
    exact = 0.25 + math.asin(0.6) / (2 * math.pi)
    assert found.standard_errors is not None
    assert abs(found.values[both] - exact) < 5 * found.standard_errors[both]
    assert found.total == 1.0


def test_polytope_and_draws_agree_for_any_density() -> None:
    part = enumerate_regions(zoo.random_network([2, 7, 2], seed=3), Box(-1, 1, dim=2))

    # The density (1 + z1) / 4 on the square, drawn from by its inverse distribution function.
    def logpdf(z: np.ndarray) -> np.ndarray:
        return np.log((1.0 + z[:, 0]) / 4.0)

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        return np.stack([2.0 * np.sqrt(rng.random(n)) - 1.0, rng.uniform(-1, 1, n)], axis=1)

    prior = GivenPrior(2, logpdf, draw)
    one = probabilities(part, prior, n_draws=1000)
    other = probabilities(part, prior, method="draws", n_draws=50_000)
    assert one.standard_errors is not None
    assert other.standard_errors is not None
    assert one.total_error is not None
    away = (one.values - other.values) / np.hypot(one.standard_errors, other.standard_errors)
    assert np.abs(away).max() < 5.0
    assert abs(one.total - 1.0) < 5 * one.total_error


def test_mass_outside_the_domain_is_missing_from_the_sum() -> None:
    part = enumerate_regions(CROSS, Box(-1, 1, dim=2))
    found = probabilities(part, "gaussian", n_draws=2000)
    exact = (norm.cdf(1) - norm.cdf(-1)) ** 2
    assert found.total_error is not None
    assert abs(found.total - exact) < 5 * found.total_error


def test_means_over_regions_carry_their_error() -> None:
    part = enumerate_regions(CROSS, WholeSpace(2))
    found = probabilities(part, n_draws=20_000)
    values = np.arange(4.0)
    mean, error = found.mean(values)
    assert error == pytest.approx(math.sqrt(1.25 / 20_000), rel=0.05)
    assert error is not None
    assert abs(mean - 1.5) < 5 * error


def test_sampled_regions_say_so() -> None:
    net = zoo.random_network([2, 8, 3], seed=1)
    met = sample_regions(net, Box(-1, 1, dim=2), 20, neighbours=False)
    found = probabilities(met)
    assert found.sampled
    assert 0 < found.total < 1
    drawn = probabilities(met, method="draws", n_draws=20_000)
    assert drawn.standard_errors is not None
    assert np.abs((drawn.values - found.values) / drawn.standard_errors).max() < 5.0


def test_volumes_by_draws_serve_as_probabilities() -> None:
    part = enumerate_regions(CROSS, Box(-1, 1, dim=2))
    drawn = from_volumes(volumes(part, method="draws", n_draws=1000), UniformPrior(part.domain))
    assert drawn.method is ProbabilityMethod.DRAWS
    assert drawn.total == pytest.approx(1.0)
    with pytest.raises(ArgumentError, match="uniform prior over the domain"):
        from_volumes(volumes(part), GaussianPrior.standard(2))


def test_priors_know_their_density_draws_and_entropy() -> None:
    prior = GaussianPrior([1.0, -1.0], [[2.0, 0.5], [0.5, 1.0]])
    frozen = multivariate_normal(prior.mean, prior.cov)
    z = np.random.default_rng(0).normal(size=(7, 2))
    np.testing.assert_allclose(prior.logpdf(z), frozen.logpdf(z))
    assert prior.entropy == pytest.approx(frozen.entropy())
    drawn = prior.sample(np.random.default_rng(1), 50_000)
    np.testing.assert_allclose(np.cov(drawn.T), prior.cov, atol=0.05)
    adapted = as_prior(frozen, Box(-1, 1, dim=2), "here")
    np.testing.assert_allclose(adapted.logpdf(z), prior.logpdf(z))
    assert adapted.sample(np.random.default_rng(0), 5).shape == (5, 2)
    line = as_prior(norm(1.0, 2.0), Box(-1, 1, dim=1), "here")
    np.testing.assert_allclose(line.logpdf([[0.0], [1.0]]), norm.logpdf([0.0, 1.0], 1.0, 2.0))
    assert line.sample(np.random.default_rng(0), 5).shape == (5, 1)


def test_bad_priors_are_refused() -> None:
    part = enumerate_regions(CROSS, Box(-1, 1, dim=2))
    with pytest.raises(ShapeError, match="dimension 3"):
        probabilities(part, GaussianPrior.standard(3))
    with pytest.raises(ShapeError, match="dimension 3"):
        probabilities(part, multivariate_normal(np.zeros(3)))
    with pytest.raises(ArgumentError, match="positive definite"):
        GaussianPrior([0.0, 0.0], [[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(ShapeError, match="covariance of shape"):
        GaussianPrior([0.0, 0.0], np.eye(3))
    with pytest.raises(DomainError, match="no uniform distribution"):
        UniformPrior(WholeSpace(2))
    with pytest.raises(ArgumentError, match="does not fit"):
        probabilities(part, "gaussian", method="volume")
    with pytest.raises(ArgumentError, match="one of 'volume'"):
        probabilities(part, method="guess")
    with pytest.raises(ArgumentError, match="sampler"):
        probabilities(part, lambda z: np.zeros(len(z)), method="draws")
    with pytest.raises(ArgumentError, match="'uniform', 'gaussian'"):
        probabilities(part, "cauchy")
    with pytest.raises(ArgumentError, match="NaN"):
        probabilities(part, lambda z: np.full(len(z), np.nan))
    with pytest.raises(ArgumentError, match="at least 2"):
        probabilities(part, "gaussian", n_draws=1)
