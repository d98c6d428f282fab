"""Laws of uniformity: what makes images uniform, and latents resampled so that they are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2

from polyspline.domains import Box, WholeSpace
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, DomainError
from polyspline.manifold.regions import sample_regions
from polyspline.manifold.uniformity import ResamplingMethod, UniformityVerdict, resample, uniformity
from polyspline.manifold.volumes import image_volumes, volumes
from polyspline.network import Network, zoo

KINK = Network.from_layers([[[1.0]], [[1.0]]], [[0.0], [0.0]], "leaky_relu:0.25")
"""z where z > 0, else z/4."""

FOLD = Network.from_layers([[[1.0]], [[1.0]]], [[0.0], [0.0]], "abs")


def test_equal_stretch_is_uniform_if_injective() -> None:
    line = enumerate_regions(Network.from_layers([[[3.0], [4.0]]], [None]), Box(-1, 1, dim=1))
    assert uniformity(line, injective=True).verdict is UniformityVerdict.UNIFORM
    assert uniformity(line).verdict is UniformityVerdict.EQUAL_STRETCH
    # A fold stretches all alike, and yet its image is not uniform where the domain is lopsided.
    lopsided = uniformity(enumerate_regions(FOLD, Box(-1, 2, dim=1)))
    assert lopsided.verdict is UniformityVerdict.EQUAL_STRETCH
    assert lopsided.ratio == pytest.approx(1.0)


def test_the_worst_region_is_named() -> None:
    net = Network.from_layers([[[1.0], [1.0]], [[1.0, 1.0]]], [[0.0, -1.0], [0.0]], "leaky_relu:0.1")
    part = enumerate_regions(net, Box(-1, 2, dim=1))
    found = uniformity(part, injective=True)
    assert found.verdict is UniformityVerdict.NOT_UNIFORM
    assert uniformity(part).verdict is UniformityVerdict.UNEQUAL_STRETCH
    # Slopes are 0.2, 1.1 and 2.
    assert found.ratio == pytest.approx(10.0)
    assert found.worst == int(np.asarray(part.locate([-0.5])))
    assert found.worst_ratio == pytest.approx(0.2 / 1.1)


def test_a_singular_region_is_the_worst() -> None:
    net = Network.from_layers([[[1.0]], [[1.0]]], [[0.0], [0.0]])
    part = enumerate_regions(net, Box(-1, 1, dim=1))
    found = uniformity(part)
    assert found.verdict is UniformityVerdict.SINGULAR
    assert found.worst == int(np.asarray(part.locate([-0.5])))
    assert found.ratio == math.inf


def test_resampled_images_are_uniform_on_the_manifold() -> None:
    part = enumerate_regions(KINK, Box(-4, 1, dim=1))
    found = resample(part, 20_000, seed=1)
    assert found.method is ResamplingMethod.REGIONS
    # The image (-1, 1) has half its length on either side of the kink.
    x = np.sort(KINK(found.z)[:, 0])
    uniform = (np.arange(len(x)) + 0.5) / len(x)
    assert np.abs((x + 1) / 2 - uniform).max() < 1.95 / math.sqrt(len(x))  # Kolmogorov, 0.1 %


def test_counts_follow_the_volumes_of_the_images_to_the_power_asked_for() -> None:
    net = zoo.random_network([2, 6, 3], "leaky_relu:0.2", seed=3)
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    latent = volumes(part)
    factors = image_volumes(part, latent=latent).values / latent.values
    for exponent in (1.0, 0.0, -1.0, 2.0):
        found = resample(part, 20_000, exponent=exponent, latent=latent, seed=int(5 + exponent))
        assert (np.asarray(part.locate(found.z)) == found.region).mean() > 0.999
        chances = latent.values * factors**exponent
        chances /= chances.sum()
        counts = np.bincount(found.region, minlength=len(part))
        likely = chances * 20_000 > 5
        away = (counts - 20_000 * chances)[likely] ** 2 / (20_000 * chances)[likely]
        assert away.sum() < chi2.ppf(0.9999, np.count_nonzero(likely))


def test_where_the_image_overlaps_once_counts_it_once() -> None:
    part = enumerate_regions(FOLD, Box(-1, 2, dim=1))
    twice = FOLD(resample(part, 20_000, seed=1).z)
    once = FOLD(resample(part, 20_000, once=True, seed=1).z)
    assert np.mean(twice < 1) == pytest.approx(2 / 3, abs=0.02)
    assert np.mean(once < 1) == pytest.approx(1 / 2, abs=0.02)


def test_candidates_come_near_to_it_for_regions_met_by_sampling() -> None:
    met = sample_regions(KINK, Box(-4, 1, dim=1), 5)
    found = resample(met, 4000, candidates=40_000, seed=1)
    assert found.method is ResamplingMethod.CANDIDATES
    assert found.sampled
    assert 0 < found.effective_size <= 4000
    assert np.mean(KINK(found.z) > 0) == pytest.approx(0.5, abs=0.04)


def test_singular_regions_get_no_draws_unless_latents_stay_uniform() -> None:
    net = Network.from_layers([[[1.0]], [[1.0]]], [[0.0], [0.0]])
    part = enumerate_regions(net, Box(-1, 1, dim=1))
    assert (resample(part, 200).z > 0).all()
    assert (resample(part, 200, exponent=0.0).z < 0).any()
    with pytest.raises(ArgumentError, match="lower dimension"):
        resample(part, 10, exponent=-1.0)
    flat = enumerate_regions(Network.from_layers([[[0.0]]], [None]), Box(-1, 1, dim=1))
    with pytest.raises(ArgumentError, match="all regions"):
        resample(flat, 10)


def test_bad_arguments_are_refused() -> None:
    net = zoo.random_network([2, 8, 2], seed=2)
    domain = Box(-1, 1, dim=2)
    partial = enumerate_regions(net, domain, max_regions=3)
    with pytest.raises(ArgumentError, match="uniformity needs all regions"):
        uniformity(partial)
    with pytest.raises(ArgumentError, match="resample needs all regions"):
        resample(partial, 5)
    part = enumerate_regions(KINK, Box(-1, 1, dim=1))
    with pytest.raises(ArgumentError, match="at least 1"):
        resample(part, 0)
    with pytest.raises(ArgumentError, match="once=True"):
        resample(part, 5, once=True, exponent=2.0)
    with pytest.raises(ArgumentError, match="finite"):
        resample(part, 5, exponent=math.nan)
    with pytest.raises(DomainError, match="unbounded"):
        resample(enumerate_regions(KINK, WholeSpace(1)), 5)
    with pytest.raises(ArgumentError, match="measured by vertices"):
        resample(part, 5, latent=volumes(part, method="draws", n_draws=100))
