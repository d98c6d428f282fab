from __future__ import annotations

import numpy as np
import pytest

from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, ShapeError
from polyspline.manifold.disentanglement import absolute_cosines, basis_images, disentanglement
from polyspline.manifold.regions import sample_regions
from polyspline.network import Network, zoo

NET = zoo.random_network([3, 6, 5], seed=0)
BOX = Box(-1, 1, dim=3)


def linear(matrix: np.ndarray) -> Network:
    return Network.from_layers([matrix], [None], ["identity"])


@pytest.mark.parametrize("scale", [1e-250, 1.0, 1e250])
def test_orthogonal_columns_have_no_figure(scale: float) -> None:
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((5, 3)))[0]
    part = enumerate_regions(linear(scale * turn * [1.0, 2.0, 3.0]), BOX)
    found = disentanglement(part)
    assert max(found.spectral[0], found.frobenius[0], found.pair_sum[0]) < 1e-15
    assert found.zero_columns[0] == 0


def test_parallel_columns_have_the_largest_figures() -> None:
    for size in (2, 3, 5):
        matrix = np.outer([1.0, -2.0, 3.0], np.arange(1.0, size + 1) * (-1.0) ** np.arange(size))
        found = disentanglement(enumerate_regions(linear(matrix), Box(-1, 1, dim=size)))
        assert found.spectral[0] == pytest.approx(size - 1)
        assert found.frobenius[0] == pytest.approx(np.sqrt(size * (size - 1)))
        assert found.pair_sum[0] == pytest.approx(size * (size - 1) / 2)


def test_the_figures_are_those_of_the_matrix_of_cosines() -> None:
    part = enumerate_regions(zoo.random_network([3, 6, 5], "leaky_relu", seed=0), BOX)
    found = disentanglement(part)
    for region in part:
        unit = region.A / np.linalg.norm(region.A, axis=0)
        rest = np.abs(unit.T @ unit) - np.eye(3)
        assert found.spectral[region.index] == pytest.approx(np.linalg.norm(rest, 2), abs=1e-12)
        assert found.frobenius[region.index] == pytest.approx(np.linalg.norm(rest), abs=1e-12)
        assert found.pair_sum[region.index] == pytest.approx(np.triu(rest, 1).sum(), abs=1e-12)
    summary = found.summary()
    assert summary.spectral.value == pytest.approx(found.spectral.mean())
    assert summary.worst_pair_sum == found.pair_sum.max()
    only = found.summary(np.eye(len(part))[2])
    assert only.frobenius.value == only.worst_frobenius == found.frobenius[2]


def test_zero_columns_count_as_orthogonal() -> None:
    found = disentanglement(enumerate_regions(linear(np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])), BOX))
    assert found.zero_columns.tolist() == [1]
    assert found.pair_sum[0] == pytest.approx(np.sqrt(0.5))
    assert found.spectral[0] == pytest.approx(np.sqrt(0.5))
    nothing = disentanglement(enumerate_regions(linear(np.zeros((2, 3))), BOX))
    assert nothing.zero_columns.tolist() == [3]
    assert nothing.frobenius.tolist() == [0.0]


def test_scaling_and_signs_of_columns_and_rotations_of_the_output_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    slopes = rng.standard_normal((20, 6, 4))
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    other = turn @ slopes * [-1e-9, 3.0, 1.0, -1e3]
    np.testing.assert_allclose(absolute_cosines(other)[0], absolute_cosines(slopes)[0], atol=1e-13)


def test_one_dimension_has_nothing_to_compare() -> None:
    found = disentanglement(enumerate_regions(zoo.random_network([1, 3, 2], seed=0), Box(-1, 1, dim=1)))
    assert (found.spectral == 0).all()
    assert (found.pair_sum == 0).all()


def test_a_sampled_mean_carries_its_error() -> None:
    summary = disentanglement(sample_regions(NET, BOX, 200)).summary()
    assert summary.by == "draws"
    assert summary.spectral.standard_error is not None
    assert 0 < summary.spectral.standard_error < 0.2


def test_basis_images_are_the_columns_of_the_slope() -> None:
    part = enumerate_regions(zoo.random_network([3, 5, 6], seed=1), BOX)
    images = basis_images(part, 1, shape=(2, 3))
    assert images.shape == (3, 2, 3)
    for column, image in enumerate(images):
        np.testing.assert_allclose(image.reshape(-1), part[1].A[:, column], rtol=1e-13, atol=1e-15)
    assert basis_images(part, 0).shape == (3, 6)
    with pytest.raises(ShapeError, match="6 numbers"):
        basis_images(part, 0, shape=(2, 2))
    with pytest.raises(ArgumentError, match="does not exist"):
        basis_images(part, len(part))
