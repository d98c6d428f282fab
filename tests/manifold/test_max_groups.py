"""Laws of the manifold's figures on networks with max groups: facets, dimensions, boundaries, densities."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import polyspline as ps
from polyspline.manifold import (
    UniformPrior,
    affine_maps_of_codes,
    class_boundary,
    class_level_set,
    code_distances,
    density,
    dimension_bounds,
    edge_angles,
    intrinsic_dimension,
    level_boundary,
    sample_regions,
)
from polyspline.partition import Partition
from tests.inversion.support import maxout

KINDS = {
    "groups": ([2, 5, 4, 3], [3, 2, 1], "identity"),
    "groups and leaky units": ([2, 5, 4, 3], [2, 1, 1], "leaky_relu:0.1"),
    "groups at the end": ([2, 4, 3], [2, 4], "identity"),
}


@cache
def part_of(kind: str) -> Partition:
    return ps.enumerate_regions(maxout(*KINDS[kind][:2], 3, KINDS[kind][2]), ps.Box(-1, 1, dim=2))


@pytest.mark.parametrize("kind", KINDS)
def test_slopes_agree_along_every_facet_and_turn_across_it(kind: str) -> None:
    part = part_of(kind)
    found = edge_angles(part)
    assert found.misfit.max() < 1e-12
    slopes, _ = affine_maps_of_codes(part.net, part.codes)
    left, right = slopes[part.edges[:, 0]], slopes[part.edges[:, 1]]
    flat = np.abs(left - right).max(axis=(1, 2)) == 0.0
    assert (found.turning[found.known & flat] == 0.0).all()
    assert (found.turning[found.known & ~flat] > 0.0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_dimensions_are_the_ranks_and_their_bounds_those_of_the_chosen_members(kind: str) -> None:
    part = part_of(kind)
    found = intrinsic_dimension(part)
    slopes, _ = affine_maps_of_codes(part.net, part.codes)
    assert found.ranks.tolist() == [np.linalg.matrix_rank(slope) for slope in slopes]
    assert (found.ranks <= found.bounds).all()


def test_a_member_of_low_rank_lowers_the_bound_where_it_is_chosen() -> None:
    # All three groups take their first member, a multiple of z_1, where z_1 is large.
    first = np.array([[9.0, 0.0], [0.0, 1.0], [5.0, 0.0], [1.0, 1.0], [7.0, 0.0], [1.0, -1.0]])
    net = ps.Network.from_layers([first, np.eye(3)], [np.zeros(6), None], ["max:2", "identity"])
    assert dimension_bounds(net, np.array([[0, 0, 0], [1, 0, 0], [1, 1, 1]])).tolist() == [1, 2, 2]


@pytest.mark.parametrize("kind", KINDS)
def test_boundaries_are_where_they_say(kind: str) -> None:
    part = part_of(kind)
    middle = float(np.median(part.net(part.witnesses)[:, 0]))
    for piece in level_boundary(part, output=0, level=middle).pieces:
        np.testing.assert_allclose(part.net(piece.points)[:, 0], middle, atol=1e-9)
    for piece in class_boundary(part).pieces:
        values = part.net(piece.points)
        assert piece.classes is not None
        largest = values.max(axis=1)
        for output in piece.classes:
            np.testing.assert_allclose(values[:, output], largest, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_is_met_in_the_regions_where_points_have_it(kind: str) -> None:
    part = part_of(kind)
    points = np.random.default_rng(0).uniform(-1, 1, (3000, 2))
    classes, where = np.argmax(part.net(points), axis=1), np.asarray(part.locate(points))
    for label in range(part.net.ambient_dim):
        met = class_level_set(part, label).meets
        assert met[np.unique(where[classes == label])].all()


def test_regions_across_a_knot_of_a_group_differ_in_the_units_that_meet_there() -> None:
    part = part_of("groups")
    found = code_distances(part, part.edges)
    assert (found.face_dimension == 1).all()
    assert (found.hamming >= 1).all()
    some = sample_regions(part.net, part.domain, 400)
    assert {code.tobytes() for code in some.codes} <= {code.tobytes() for code in part.codes}


def test_the_density_of_a_point_is_that_of_its_region() -> None:
    part = part_of("groups")
    z = part.witnesses[:6]
    found = density(part, part.net(z), UniformPrior(part.domain))
    slopes, _ = affine_maps_of_codes(part.net, part.codes[:6])
    single = [-np.log(4.0 * np.sqrt(np.linalg.det(slope.T @ slope))) for slope in slopes]
    assert (found.log_values >= np.array(single) - 1e-9).all()


def test_the_mean_degree_has_its_bound_for_scalar_units_only() -> None:
    assert ps.degrees(part_of("groups")).bound is None
    assert ps.degrees(part_of("groups")).mean > 0.0
