"""Slices: the points that a slice is laid through lie on it, and the network on it is the network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import polyspline as ps
from polyspline.network.zoo import random_network

COORDINATES = st.floats(-8.0, 8.0, allow_nan=False, width=32)


def spanning(points: np.ndarray) -> bool:
    """Whether the first point and the others span a slice, well away from not doing so."""
    sides = points[1:] - points[0]
    return bool(np.linalg.svd(sides, compute_uv=False)[-1] > 1e-3)


@settings(max_examples=60, deadline=None)
@given(points=st.integers(2, 6).flatmap(lambda dim: arrays(np.float64, (3, dim), elements=COORDINATES)))
def test_points_lie_on_the_slice_at_their_coordinates(points: np.ndarray) -> None:
    for some in (points, points[:2]):
        if not spanning(some):
            continue
        found = ps.plane_through(*some)
        k = len(some) - 1
        assert found.directions.shape == (points.shape[1], k)
        np.testing.assert_allclose(found.directions.T @ found.directions, np.eye(k), atol=1e-14)
        np.testing.assert_allclose(found.points(found.coordinates), some, atol=1e-13)
        assert (found.origin == some[0]).all()
        assert (found.coordinates[0] == 0.0).all()
        assert found.coordinates[1, 0] > 0.0
        assert (found.coordinates[1, 1:] == 0.0).all()
        assert found.coordinates[-1, -1] > 0.0
        # Distances are those of the latent space.
        sides = np.linalg.norm(some[:, None] - some[None], axis=2)
        np.testing.assert_allclose(
            np.linalg.norm(found.coordinates[:, None] - found.coordinates[None], axis=2), sides, atol=1e-12
        )


def test_points_almost_on_a_line_still_give_orthonormal_directions() -> None:
    a, b = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.5])
    c = a + 3.0 * (b - a)
    c[0] = np.nextafter(c[0], 9.0)
    plane = ps.plane_through(a, b, c)
    np.testing.assert_allclose(plane.directions.T @ plane.directions, np.eye(2), atol=1e-15)
    assert 0.0 < plane.coordinates[2, 1] < 1e-14


@pytest.mark.parametrize(
    "points",
    [
        ([1.0, 2.0], [1.0, 2.0]),
        ([1.0, 2.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 1.0]),
        ([1.0, 2.0, 0.0], [0.0, 0.0, 1.0], [1.0, 2.0, 0.0]),
        ([0.0, 0.0], [1.0, 3.0], [0.125, 0.375]),
        ([0.0], [1.0], [2.0]),
        ([-1.7e308, 0.0], [1.7e308, 0.0]),
    ],
    ids=str,
)
def test_points_that_span_no_slice_are_refused(points: tuple[list[float], ...]) -> None:
    with pytest.raises(ps.errors.ArgumentError, match="plane_through") as refused:
        ps.plane_through(*points)
    assert str(refused.value).count(".") == 1


def test_points_of_different_lengths_or_not_finite_are_refused() -> None:
    with pytest.raises(ps.errors.ShapeError, match="one length"):
        ps.plane_through([0.0, 1.0], [0.0, 1.0, 2.0])
    with pytest.raises(ps.errors.NonFiniteError, match="b"):
        ps.plane_through([0.0, 1.0], [0.0, np.nan])
    with pytest.raises(ps.errors.ShapeError, match="t: expected"):
        ps.plane_through([0.0, 1.0], [1.0, 1.0]).points([1.0, 2.0])


def test_the_network_on_a_slice_is_the_network_at_its_points() -> None:
    net = random_network([5, 16, 16, 3], seed=0)
    rng = np.random.default_rng(1)
    plane = ps.plane_through(*rng.normal(size=(3, 5)))
    on_plane = net.restrict(*plane)
    t = rng.uniform(-2, 2, size=(40, 2))
    np.testing.assert_allclose(on_plane(t), net(plane.points(t)), atol=1e-12)
    # The regions of the slice are those that the whole network has at its points.
    part = ps.enumerate_regions(on_plane, ps.Box(-2, 2, dim=2))
    assert part.codes.tolist() == net.code(plane.points(part.witnesses)).tolist()
