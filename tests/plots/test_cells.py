"""Polygons and facets: cells fill what is in view once, facets are shared, solids are closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyspline.domains import Box, Polytope, WholeSpace
from polyspline.enumeration import enumerate_regions
from polyspline.errors import PlotError
from polyspline.manifold import region_set, sample_regions
from polyspline.network import Network, zoo
from polyspline.partition import Partition
from polyspline.plots.cells import Polygons, clip, facet_segments, planar_cells, rectangle
from polyspline.plots.facets import carve, inner_facets, outer_facets, sections
from polyspline.plots.rows import FacetRows, facet_rows
from polyspline.plots.solids import centres, moved_apart, skin, solids
from polyspline.plots.views import checked_view, view_of


def rows_of(part: Partition) -> FacetRows:
    return facet_rows(region_set(part))


def one(corners: Any) -> Polygons:
    points = np.asarray(corners, dtype=np.float64)
    return Polygons(points[None], np.array([len(points)]), np.array([0]))


def _hard_tanh() -> Partition:
    net = Network.from_layers(
        [[[1.0, 0.5], [0.25, -1.0], [1.0, 0.5]], [[1.0, 2.0, 1e-3], [1.0, -1.0, 1e3]], [[1.0, 1.0]]],
        [[0.1, 0.2, 0.1], [0.0, 0.1], [0.0]],
        ["hardtanh", "leaky_relu:0.1", "abs"],
    )
    return enumerate_regions(net, Box(-2.0, 2.0, dim=2))


def _whole() -> Partition:
    return enumerate_regions(zoo.random_network([2, 6, 4, 1], seed=5), WholeSpace(2))


@pytest.mark.parametrize("make", [_hard_tanh, _whole, "partial_plane"], ids=["hard-tanh", "whole", "partial"])
def test_the_rows_hold_every_facet_and_cut_nothing_more(
    make: Callable[[], Partition] | str, request: pytest.FixtureRequest
) -> None:
    part = request.getfixturevalue(make) if isinstance(make, str) else make()
    rows = rows_of(part)
    for index, region in enumerate(part):
        normals, offsets = rows.of(index)
        drawn = np.column_stack([normals, offsets])
        for row in np.column_stack([region.hrep.G, region.hrep.h]):
            assert np.abs(drawn - row).max(axis=1).min() < 1e-9
        inside = np.vstack([region.witness, *(facet.point for facet in region.facets)])
        assert (inside @ normals.T <= offsets + 1e-9).all()


def test_a_region_whose_normals_floats_do_not_tell_has_its_exact_rows() -> None:
    # The second unit is the first but for 1e-20 in one weight: its rounded row is nothing.
    net = Network.from_layers(
        [[[1.0, 0.0], [1.0, 1e-20]], [[1e20, -1e20]], [[1.0]]], [[0.0, 0.0], [-0.25], [0.0]]
    )
    part = enumerate_regions(net, Box(-1.0, 1.0, dim=2))
    rows = rows_of(part)
    cells = planar_cells(rows, np.full(2, -1.0), np.full(2, 1.0))
    sizes = np.zeros(len(part))
    sizes[cells.owner] = cells.areas()
    np.testing.assert_allclose(sizes, [region.volume() for region in part], atol=1e-9)


def test_the_cells_fill_the_domain_once(plane: Partition) -> None:
    cells = planar_cells(rows_of(plane), np.full(2, -1.0), np.full(2, 1.0))
    assert cells.areas().sum() == pytest.approx(4.0, abs=1e-9)
    np.testing.assert_allclose(cells.areas(), [region.volume() for region in plane], rtol=1e-6)
    assert cells.owner.tolist() == list(range(len(plane)))


def test_the_cells_fill_any_view_of_the_whole_plane_once() -> None:
    whole = enumerate_regions(zoo.random_network([2, 7, 1], seed=2), WholeSpace(2))
    rows = rows_of(whole)
    lo, hi = view_of(region_set(whole), rows, None)
    cells = planar_cells(rows, lo, hi)
    assert cells.areas().sum() == pytest.approx(float(np.prod(hi - lo)), rel=1e-9)


def test_a_polytope_is_filled_within_its_bounds() -> None:
    triangle = Polytope([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [0.0, 0.0, 1.0])
    part = enumerate_regions(zoo.random_network([2, 6, 1], seed=0), triangle)
    cells = planar_cells(rows_of(part), np.zeros(2), np.ones(2))
    assert cells.areas().sum() == pytest.approx(0.5, abs=1e-9)


def test_regions_met_by_sampling_are_cells_too() -> None:
    net = zoo.random_network([2, 8, 6, 3], seed=5)
    met = sample_regions(net, Box(-1.0, 1.0, dim=2), 20, seed=1)
    cells = planar_cells(facet_rows(met), np.full(2, -1.0), np.full(2, 1.0))
    assert set(cells.owner.tolist()) == set(range(len(met)))
    volumes = [met.region(index).volume() for index in cells.owner]
    np.testing.assert_allclose(cells.areas(), volumes, rtol=1e-6, atol=1e-12)


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(-2, 2)), max_size=6),
    st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(-2, 2)),
)
def test_a_cut_splits_the_area_of_a_polygon(cuts: list[tuple[float, float, float]], last: Any) -> None:
    polygon = one(rectangle(np.full(2, -1.0), np.full(2, 1.0)))
    for a, b, c in cuts:
        polygon = clip(polygon, np.array([a, b]), np.array([c]))
    normal, offset = np.array(last[:2]), np.array([last[2]])
    if np.abs(normal).max() > 1e-6:
        parts = clip(polygon, normal, offset).kept, clip(polygon, -normal, -offset).kept
        whole = polygon.kept.areas().sum()
        assert sum(float(part.areas().sum()) for part in parts) == pytest.approx(whole, abs=1e-9)


def test_many_cuts_at_once_are_those_one_by_one() -> None:
    rng = np.random.default_rng(0)
    square = rectangle(np.full(2, -1.0), np.full(2, 1.0))
    lots = Polygons(np.repeat(square[None], 40, axis=0), np.full(40, 4), np.arange(40))
    singles = [one(square) for _ in range(40)]
    for _ in range(4):
        normals, offsets = rng.standard_normal((40, 2)), rng.uniform(-0.2, 1.0, 40)
        lots = clip(lots, normals, offsets)
        singles = [clip(single, normals[i], offsets[i]) for i, single in enumerate(singles)]
    for i, single in enumerate(singles):
        assert lots.counts[i] == single.counts[0]
        np.testing.assert_allclose(
            lots.corners[i, : lots.counts[i]], single.corners[0, : lots.counts[i]], atol=1e-12
        )


@pytest.mark.parametrize("name", ["plane", "partial_plane"])
def test_the_segments_are_the_facets_that_neighbours_share(name: str, request: Any) -> None:
    part = request.getfixturevalue(name)
    ends, which = facet_segments(rows_of(part), part.edges, np.full(2, -1.0), np.full(2, 1.0))
    assert which.tolist() == list(range(len(part.edges)))
    for (first, last), (i, j) in zip(ends, part.edges[which], strict=True):
        for index in (i, j):
            corners = part[int(index)].vertices()
            assert np.abs(corners - first).max(axis=1).min() < 1e-7
            assert np.abs(corners - last).max(axis=1).min() < 1e-7
        assert np.linalg.norm(last - first) > 0.0


def test_facets_of_space_are_shared_and_lie_in_both_regions(cube: Partition) -> None:
    rows = rows_of(cube)
    facets, which = inner_facets(rows, cube.edges, np.full(3, -1.0), np.full(3, 1.0))
    assert which.tolist() == list(range(len(cube.edges)))
    assert facets.areas().min() > 0.0
    for k, (i, j) in enumerate(cube.edges[which]):
        corners = facets.corners[k][: facets.counts[k]]
        for index in (i, j):
            normals, offsets = rows.of(int(index))
            assert (corners @ normals.T <= offsets + 1e-7).all()


def test_solids_are_closed_and_have_the_volumes_of_their_regions(cube: Partition) -> None:
    polygons, outward = solids(region_set(cube), None)
    arms = polygons.corners - polygons.corners[:, :1]
    areas = 0.5 * np.cross(arms[:, :-1], arms[:, 1:]).sum(axis=1)
    areas *= np.sign((areas * outward).sum(axis=1))[:, None]
    closing = np.stack([np.bincount(polygons.owner, column) for column in areas.T], axis=1)
    np.testing.assert_allclose(closing, 0.0, atol=1e-7)
    sizes = np.bincount(polygons.owner, (areas * polygons.corners[:, 0]).sum(axis=1)) / 3.0
    np.testing.assert_allclose(sizes, [region.volume() for region in cube], rtol=1e-5, atol=1e-9)


def test_a_facet_is_there_once_for_each_of_its_two_solids(cube: Partition) -> None:
    polygons, _ = solids(region_set(cube), None)
    count = len(cube.edges)
    first, second = polygons.take(np.arange(count)), polygons.take(np.arange(count, 2 * count))
    np.testing.assert_array_equal(first.corners, second.corners)
    np.testing.assert_array_equal(np.stack([first.owner, second.owner], axis=1), cube.edges)


def test_solids_that_move_apart_keep_their_shape(cube: Partition) -> None:
    polygons, outward = solids(region_set(cube), None)
    moved, _ = moved_apart(polygons, outward, 0.5)
    np.testing.assert_allclose(moved.areas(), polygons.areas(), atol=1e-12)
    before, after = centres(polygons, len(cube)), centres(moved, len(cube))
    np.testing.assert_allclose(after, 1.5 * before, atol=1e-9)


@pytest.mark.parametrize("cut", [False, True])
def test_the_surface_of_a_cube_is_covered_once_cut_open_or_not(cube: Partition, cut: bool) -> None:
    polygons, _ = skin(region_set(cube), None, cut=cut)
    # What an octant takes from three faces, its own three faces bring back.
    assert polygons.areas().sum() == pytest.approx(24.0, abs=1e-4)
    assert polygons.areas().min() >= 0.0


def test_facets_on_the_boundary_cover_a_polytope_once() -> None:
    corner = Polytope([[-1.0, 0, 0], [0, -1.0, 0], [0, 0, -1.0], [1.0, 1.0, 1.0]], [0.0, 0.0, 0.0, 1.0])
    part = enumerate_regions(zoo.random_network([3, 5, 1], seed=1), corner)
    outside, outward = outer_facets(region_set(part), rows_of(part), np.zeros(3), np.ones(3))
    assert outside.areas().sum() == pytest.approx(1.5 + np.sqrt(3.0) / 2.0, abs=1e-9)
    slanted = np.abs(outward - 1.0 / np.sqrt(3.0)).max(axis=1) < 1e-9
    assert outside.take(slanted).areas().sum() == pytest.approx(np.sqrt(3.0) / 2.0, abs=1e-9)


def test_a_section_is_the_partition_of_the_plane_it_is_in(cube: Partition) -> None:
    lo, hi = np.full(3, -1.0), np.full(3, 1.0)
    cut = sections(rows_of(cube), np.array([0.0, 0.0, 1.0]), 0.25, lo, hi)
    flat = enumerate_regions(
        cube.net.restrict([0.0, 0.0, 0.25], [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), Box(-1.0, 1.0, dim=2)
    )
    assert cut.areas().sum() == pytest.approx(4.0, abs=1e-9)
    sizes = np.sort(cut.areas()[cut.areas() > 1e-9])
    np.testing.assert_allclose(sizes, np.sort([region.volume() for region in flat]), atol=1e-7)


def test_carving_takes_an_octant_and_nothing_else() -> None:
    face = one([[-1.0, -1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])
    kept = carve(face, np.zeros(3), np.array([1.0, -1.0, 1.0]))
    assert kept.areas().sum() == pytest.approx(3.0)
    assert not ((kept.means()[:, 0] > 0) & (kept.means()[:, 1] < 0)).any()
    below = Polygons(face.corners - np.array([0.0, 0.0, 1.5]), face.counts, face.owner)
    assert carve(below, np.zeros(3), np.array([1.0, -1.0, 1.0])).areas().sum() == pytest.approx(4.0)


@pytest.mark.parametrize(
    "box",
    [[1.0, -1.0], [np.nan, 1.0], [0.0, np.inf], [1.0, 2.0], [-3.0, -1.0], [1.0, 2.0, 3.0], [[0.0, 1.0]]],
)
def test_a_box_that_shows_nothing_is_refused(plane: Partition, box: Any) -> None:
    with pytest.raises(PlotError, match="box to draw"):
        checked_view(region_set(plane), box)
