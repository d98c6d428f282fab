"""Laws of the elbow method: it finds the dimension of linear data, and errors fall with S and rise with N."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from polyspline.errors import ArgumentError, NonFiniteError, ShapeError
from polyspline.manifold.elbow import ElbowCurve, elbow

SMALL: dict[str, Any] = {
    "trials": 2,
    "epochs": 200,
    "encoder": (48, 48),
    "decoder": (8,),
    "learning_rate": 0.01,
}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Fits as small as these take longer on more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def linear_data(dimension: int, count: int = 60, ambient: int = 6, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(ambient, dimension)))[0]
    return rng.normal(size=(count, dimension)) @ basis.T + rng.normal(size=ambient)


@pytest.fixture(scope="module")
def planar() -> ElbowCurve:
    """Of data in a plane, for two sample sizes."""
    return elbow(linear_data(2), [3, 1, 2, 4], sizes=[60, 30], **SMALL)


@pytest.mark.parametrize("dimension", [1, 3])
def test_of_linear_data_the_elbow_is_the_dimension(dimension: int) -> None:
    curve = elbow(linear_data(dimension), range(dimension + 2), **SMALL)
    assert curve.elbow == dimension
    assert curve.elbows == (dimension,)


def test_of_data_in_a_plane_it_is_2_whatever_the_order_asked(planar: ElbowCurve) -> None:
    assert planar.latent_dims.tolist() == [1, 2, 3, 4]
    assert planar.sizes.tolist() == [30, 60]
    assert planar.elbow == 2
    assert planar.errors.shape == (2, 4, 2)
    assert (planar.errors > 0).all()


def test_errors_fall_with_latents_and_rise_with_samples(planar: ElbowCurve) -> None:
    shares = planar.shares
    assert (np.diff(shares, axis=1) < 0.005).all()
    assert planar.curves[1, 0] > planar.curves[0, 0]
    assert (planar.shares[:, 0] > 0.05).all()
    assert (planar.shares[:, 1:] < 0.005).all()


def test_a_curved_generator_beats_every_line(planar: ElbowCurve) -> None:
    assert (planar.curves[:, 0] < 0.95 * planar.linear[:, 0]).all()
    assert (planar.linear[:, 0] < planar.totals).all()
    np.testing.assert_allclose(planar.linear[:, 1:], 0.0, atol=1e-20 * 60)


def test_the_curve_is_the_least_of_the_trials_and_seeds_reproduce_it(planar: ElbowCurve) -> None:
    np.testing.assert_array_equal(planar.curves, planar.errors.min(axis=2))
    again = elbow(linear_data(2), [1], sizes=[30], **SMALL)
    # One fit of one trial is the same whatever else is trained beside it, up to rounding early on.
    short = {**SMALL, "epochs": 5}
    alone = elbow(linear_data(2), [1], sizes=[30], **short)
    beside = elbow(linear_data(2), [1, 2, 3], sizes=[30, 60], **short)
    np.testing.assert_allclose(beside.errors[0, 0], alone.errors[0, 0], rtol=1e-4)
    np.testing.assert_array_equal(elbow(linear_data(2), [1], sizes=[30], **SMALL).errors, again.errors)
    other = elbow(linear_data(2), [1], sizes=[30], seed=1, **short)
    assert (np.abs(other.errors - alone.errors) > 1e-3 * alone.errors).all()


def test_scaling_by_a_power_of_two_scales_errors_by_its_square() -> None:
    data, short = linear_data(2), {**SMALL, "epochs": 20}
    curve, scaled = elbow(data, [1, 2], **short), elbow(1024.0 * data, [1, 2], **short)
    np.testing.assert_allclose(scaled.errors, 1024.0**2 * curve.errors, rtol=1e-3)
    np.testing.assert_allclose(scaled.totals, 1024.0**2 * curve.totals, rtol=1e-12)


def test_no_latents_leave_the_mean() -> None:
    data = linear_data(2)
    curve = elbow(data, [0], **SMALL)
    spread = ((data - data.mean(axis=0)) ** 2).sum()
    np.testing.assert_allclose(curve.errors, spread, rtol=1e-12)
    assert curve.elbow is None  # nothing is known above


def test_of_one_point_many_times_it_is_0() -> None:
    curve = elbow(np.full((5, 3), 2.0), [1, 2], **SMALL)
    assert curve.elbow == 0
    assert not curve.errors.any()
    assert not curve.shares.any()
    assert np.isnan(curve.bends).all()


def curve_of(dims: list[int], shares: list[float], factor: float = 4.0) -> ElbowCurve:
    errors = 10.0 * np.array(shares)[None, :, None]
    return ElbowCurve(np.array(dims), np.array([50]), errors, np.array([10.0]), errors[..., 0], factor)


def test_the_elbow_is_the_sharpest_bend_of_the_logarithm() -> None:
    assert curve_of([1, 2, 3, 4], [0.5, 0.2, 0.001, 0.0009]).elbow == 3
    assert curve_of([1, 2, 3], [0.001, 0.0009, 0.0008]).elbow == 1
    # A steady fall bends nowhere, and at the last S nothing is known of what follows.
    steady = curve_of([1, 2, 3, 4], [0.5, 0.25, 0.125, 0.0625])
    np.testing.assert_allclose(steady.bends[0, :3], 1.0)
    assert steady.elbow is None
    assert curve_of([1, 2], [0.5, 0.001]).elbow is None
    assert math.isnan(curve_of([1, 2], [0.5, 0.001]).bends[0, 1])
    # Gaps count per dimension, and a fit that is worse than one of fewer latents counts as that one.
    np.testing.assert_allclose(curve_of([0, 2, 4], [1.0, 0.04, 0.01]).bends[0, 1], 2.5)
    np.testing.assert_allclose(curve_of([1, 2, 3], [0.5, 0.01, 0.05]).bends[0, :2], [0.04, 50.0])
    assert curve_of([1, 2, 3], [0.5, 0.05, 0.02], factor=3.0).elbow == 2
    assert curve_of([1, 2, 3], [0.5, 0.05, 0.02], factor=5.0).elbow is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"latent_dims": []}, "latent_dims"),
        ({"latent_dims": [1, 1]}, "latent_dims"),
        ({"latent_dims": [-1]}, "at least 0"),
        ({"latent_dims": [1.5]}, "latent_dims"),
        ({"sizes": [1]}, "from 2 to 60"),
        ({"sizes": [61]}, "from 2 to 60"),
        ({"trials": 0}, "trials"),
        ({"epochs": 2.5}, "epochs"),
        ({"encoder": (4, 0)}, "encoder"),
        ({"decoder": (True,)}, "decoder"),
        ({"learning_rate": math.nan}, "learning_rate"),
        ({"factor": 1.0}, "factor"),
    ],
)
def test_arguments_out_of_their_range_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        elbow(**{"data": linear_data(2), "latent_dims": [1], **changed})


def test_data_that_are_no_table_of_numbers_are_refused() -> None:
    for wrong in (np.zeros(3), np.zeros((1, 3)), np.zeros((4, 0))):
        with pytest.raises(ShapeError, match="data"):
            elbow(wrong, [1])
    with pytest.raises(NonFiniteError, match="data"):
        elbow([[0.0, math.nan], [1.0, 2.0]], [1])


def test_it_shows_shapes(planar: ElbowCurve) -> None:
    assert "errors=float64[2, 4, 2]" in repr(planar)
