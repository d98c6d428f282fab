"""Pictures show the partition in the colours of its regions, and what they say they show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from polyspline.domains import Box, WholeSpace
from polyspline.enumeration import enumerate_regions
from polyspline.errors import PlotError
from polyspline.manifold import edge_angles, region_set, sample_regions
from polyspline.network import Network, zoo
from polyspline.partition import Partition
from polyspline.plots import (
    plot_adjacency,
    plot_angles,
    plot_graph,
    plot_pair,
    plot_partition,
    plot_solids,
    plot_surface,
)
from polyspline.plots.cells import facet_segments, planar_cells
from polyspline.plots.colours import colour_regions
from polyspline.plots.rows import facet_rows
from polyspline.plots.solids import skin
from polyspline.plots.surface import shadow_of, surface_of


def title(axes: Any) -> str:
    """Title of axes, wherever it stands."""
    return "".join(axes.get_title(loc=where) for where in ("left", "center"))


def space(figure: Figure | None = None) -> Any:
    return (Figure() if figure is None else figure).add_subplot(projection="3d")


# ---- the plane


@pytest.mark.parametrize("color", ["region", "affine_region", "log_det", "rank"])
def test_each_region_has_a_polygon_of_its_colour(plane: Partition, color: str) -> None:
    axes = plot_partition(plane, color=color)
    (collection,) = axes.collections
    expected = colour_regions(region_set(plane), color).faces
    np.testing.assert_allclose(np.asarray(collection.get_facecolor()), expected)
    paths = collection.get_paths()
    assert len(paths) == len(plane)
    for path, region in zip(paths, plane, strict=True):
        assert path.contains_point(tuple(region.witness))
    assert title(axes).startswith(f"{len(plane):,} regions")
    assert axes.get_xlim() == (-1.0, 1.0)
    figure = axes.get_figure(root=True)
    assert figure is not None
    assert len(figure.axes) == (1 if "region" in color else 2)


def test_a_colour_bar_says_what_the_colours_are(plane: Partition) -> None:
    for axes, words in (
        (plot_partition(plane, color="degree"), "neighbours"),
        (plot_partition(plane, color=np.arange(len(plane)) / 7.0, label="order"), "order"),
        (plot_partition(plane, color="value", output=2), "$G_{3}$ at the witness"),
    ):
        figure = axes.get_figure(root=True)
        assert figure is not None
        assert figure.axes[1].get_ylabel() == words


def test_a_box_shows_only_the_regions_in_it(plane: Partition) -> None:
    axes = plot_partition(plane, box=[[0.0, 0.25], [-0.5, 0.0]])
    assert axes.get_xlim() == (0.0, 0.25)
    assert axes.get_ylim() == (-0.5, 0.0)
    (collection,) = axes.collections
    assert 0 < len(collection.get_paths()) < len(plane)
    assert "of" in title(axes)


def test_pictures_are_drawn_into_axes_of_the_caller(
    plane: Partition, line: Partition, cube: Partition
) -> None:
    left, right = Figure().subplots(1, 2)
    assert plot_partition(plane, left) is left
    assert plot_graph(line, right) is right
    assert plot_adjacency(plane, right) is right
    assert plot_angles(plane, right) is right
    for draw, part in (
        (plot_surface, plane),
        (plot_solids, cube),
        (plot_adjacency, cube),
        (plot_angles, cube),
    ):
        axes = space()
        assert draw(part, axes) is axes
        with pytest.raises(PlotError, match="projection='3d'"):
            draw(part, left)
    with pytest.raises(PlotError, match="flat"):
        plot_partition(plane, space())


def test_a_plane_without_any_corner_is_drawn() -> None:
    strips = Network.from_layers([[[1.0, 1.0], [1.0, 1.0]], [[1.0, 1.0]]], [[0.0, 1.0], [0.0]])
    affine = Network.from_layers([[[1.0, 2.0]]], [[0.0]])
    for net, count in ((strips, 3), (affine, 1)):
        part = enumerate_regions(net, WholeSpace(2))
        (collection,) = plot_partition(part).collections
        assert len(collection.get_paths()) == count
        assert plot_surface(part).collections
        assert plot_adjacency(part).collections
        assert plot_angles(part) is not None


def test_a_partial_partition_says_so(partial_plane: Partition) -> None:
    for draw in (plot_partition, plot_surface, plot_adjacency, plot_angles):
        assert "partial" in title(draw(partial_plane))
    net = zoo.random_network([2, 8, 6, 3], seed=5)
    assert "sampled" in title(plot_partition(sample_regions(net, Box(-1.0, 1.0, dim=2), 5)))


# ---- the line


def test_the_graph_passes_through_the_values_of_the_network(line: Partition) -> None:
    axes = plot_graph(line)
    assert len(axes.collections) == 2
    for output, collection in enumerate(axes.collections):
        pieces = np.array([path.vertices for path in collection.get_paths()])
        assert len(pieces) == len(line)
        np.testing.assert_allclose(
            pieces[..., 1], line.net(pieces[..., :1].reshape(-1, 1))[:, output].reshape(-1, 2)
        )
        # They follow each other over the whole domain.
        np.testing.assert_allclose(pieces[1:, 0], pieces[:-1, 1], atol=1e-12)
        assert (pieces[0, 0, 0], pieces[-1, 1, 0]) == (-2.0, 3.0)


def test_a_graph_on_the_whole_line_shows_every_knot() -> None:
    whole = enumerate_regions(zoo.random_network([1, 6, 1], seed=1), WholeSpace(1))
    axes = plot_graph(whole)
    lo, hi = axes.get_xlim()
    knots = [float(np.asarray(rule.get_xdata())[0]) for rule in axes.lines]
    assert len(knots) == len(whole) - 1
    assert lo < min(knots) <= max(knots) < hi
    affine = enumerate_regions(Network.from_layers([[[2.0]]], [[1.0]]), WholeSpace(1))
    assert plot_graph(affine).get_xlim() == (-1.0, 1.0)


def test_only_the_first_of_many_outputs_are_drawn() -> None:
    part = enumerate_regions(zoo.random_network([1, 3, 12], seed=1), Box(-1.0, 1.0, dim=1))
    assert "the first 7 outputs" in title(plot_graph(part))


# ---- the surface


def test_corners_of_the_surface_are_values_of_the_network(plane: Partition) -> None:
    surface = surface_of(region_set(plane), None, None)
    cells = planar_cells(facet_rows(region_set(plane)), np.full(2, -1.0), np.full(2, 1.0))
    for k in range(len(plane)):
        corners = cells.corners[k][: cells.counts[k]]
        image = surface.image.corners[k][: surface.image.counts[k]]
        np.testing.assert_allclose(image, plane.net(corners), atol=1e-9)


def test_the_surface_has_the_colours_of_the_partition(plane: Partition) -> None:
    for color in ("region", "log_det"):
        (flat,) = plot_partition(plane, color=color).collections
        figure = plot_pair(plane, color=color)
        images: list[Any] = [plot_surface(plane, color=color), figure.axes[1]]
        for axes in images:
            (solid,) = axes.collections
            np.testing.assert_allclose(np.asarray(flat.get_facecolor()), np.asarray(solid._facecolor3d))
        (left,) = figure.axes[0].collections
        np.testing.assert_allclose(np.asarray(flat.get_facecolor()), np.asarray(left.get_facecolor()))


def test_the_outputs_that_are_drawn_are_those_asked_for(plane: Partition) -> None:
    regions = region_set(plane)
    assert plot_surface(plane, coordinates=(2, 0)).get_xlabel() == "$G_{3}$"
    swapped = surface_of(regions, None, (2, 1, 0)).image.corners
    np.testing.assert_allclose(swapped[..., ::-1], surface_of(regions, None, None).image.corners)
    assert "outputs 3, 1 of 3" in title(plot_surface(plane, coordinates=(2, 0)))
    for wrong in ((0,), (0, 0), (0, 3), (0, 1, 2, 0), (-1, 0)):
        with pytest.raises(PlotError, match="two or three different outputs"):
            plot_surface(plane, coordinates=wrong)


def test_one_output_is_a_height_and_two_are_a_flat_image() -> None:
    height = enumerate_regions(zoo.random_network([2, 5, 1], seed=0), Box(-1.0, 1.0, dim=2))
    surface = surface_of(region_set(height), None, None)
    np.testing.assert_array_equal(surface.image.corners[..., :2], surface.cells.corners)
    np.testing.assert_allclose(
        surface.image.corners[..., 2],
        height.net(surface.cells.corners.reshape(-1, 2)).reshape(-1, surface.cells.corners.shape[1]),
    )
    assert hasattr(plot_surface(height), "get_zlim")
    flat = enumerate_regions(zoo.random_network([2, 5, 2], seed=0), Box(-1.0, 1.0, dim=2))
    axes = plot_surface(flat)
    assert not hasattr(axes, "get_zlim")
    assert isinstance(axes.collections[0], PolyCollection)
    assert plot_pair(flat).axes[1].get_xlabel() == "$G_{1}$"


def test_many_outputs_are_seen_along_their_principal_directions() -> None:
    rng = np.random.default_rng(0)
    points, turn = (
        rng.standard_normal((400, 5)) * [5.0, 3.0, 2.0, 0.1, 0.1],
        np.linalg.qr(rng.standard_normal((5, 5)))[0],
    )
    shadow = shadow_of(points @ turn.T, np.ones(400), None)
    np.testing.assert_allclose(np.abs(shadow.directions @ turn), np.eye(5)[:3], atol=0.15)
    np.testing.assert_allclose(shadow.directions @ shadow.directions.T, np.eye(3), atol=1e-12)
    part = enumerate_regions(zoo.random_network([2, 5, 6], seed=0), Box(-1.0, 1.0, dim=2))
    assert "principal directions of 6 outputs" in title(plot_surface(part))
    # A surface that is flat, or a point, has directions too.
    for net in (
        Network.from_layers([np.ones((5, 2))], [np.zeros(5)]),
        Network.from_layers([np.zeros((5, 2))], [np.ones(5)]),
    ):
        assert plot_surface(enumerate_regions(net, Box(-1.0, 1.0, dim=2))).collections


# ---- space


@pytest.mark.parametrize("options", [{}, {"cut": False}, {"explode": 0.5}], ids=str)
def test_solids_have_the_colours_of_their_regions(cube: Partition, options: Any) -> None:
    axes = plot_solids(cube, color="volume", **options)
    expected = colour_regions(region_set(cube), "volume").faces
    colours = np.concatenate(
        [item._facecolor3d for item in axes.collections if hasattr(item, "_facecolor3d")]
    )
    known = {tuple(face) for face in np.round(expected, 9)}
    assert {tuple(face) for face in np.round(colours, 9)} <= known
    if options.get("explode"):
        assert {tuple(face) for face in np.round(colours, 9)} == known


def test_the_cut_shows_regions_that_the_outside_hides(cube: Partition) -> None:
    regions = region_set(cube)
    seen = {cut: set(skin(regions, None, cut=cut)[0].owner.tolist()) for cut in (False, True)}
    assert seen[True] - seen[False]
    with pytest.raises(PlotError, match="explode"):
        plot_solids(cube, explode=-1.0)


def test_solids_of_the_whole_space_and_of_a_box_are_drawn(cube: Partition) -> None:
    whole = enumerate_regions(zoo.random_network([3, 4, 1], seed=0), WholeSpace(3))
    assert plot_solids(whole).collections
    axes: Any = plot_solids(cube, box=[-2.0, 0.5])
    assert axes.get_xlim() == axes.get_zlim() == (-1.0, 0.5)


# ---- the graph, and angles


@pytest.mark.parametrize("name", ["plane", "cube"])
def test_the_graph_has_a_dot_for_each_region_and_a_line_for_each_edge(
    name: str, request: pytest.FixtureRequest
) -> None:
    part = request.getfixturevalue(name)
    axes: Any = plot_adjacency(part)
    dots = axes.collections[-1]
    places = np.stack(dots._offsets3d, axis=1) if name == "cube" else np.asarray(dots.get_offsets())
    assert len(places) == len(part)
    assert all(region.contains(place) for region, place in zip(part, places, strict=True))
    lines = axes.collections[0]._segments3d if name == "cube" else axes.collections[1].get_segments()
    np.testing.assert_allclose(np.asarray(lines), places[part.edges], atol=1e-12)
    assert title(axes) == f"{len(part)} regions, {len(part.edges)} adjacencies"


def test_lines_are_darker_and_wider_where_the_surface_turns_more(plane: Partition) -> None:
    drawn: Any = plot_angles(plane)
    (lines,) = drawn.collections
    widths = np.asarray(lines.get_linewidths())
    light = np.asarray(lines.get_colors())[:, :3].sum(axis=1)
    turning = np.sort(np.nan_to_num(edge_angles(plane).turning, nan=-1.0))
    assert len(widths) == len(plane.edges)
    known = turning >= 0
    assert (np.diff(widths[known]) >= 0).all()
    assert (np.diff(light[known]) <= 1e-9).all()
    np.testing.assert_allclose(
        (widths[known] - widths[known].min()) / np.ptp(widths[known]),
        (turning[known] - turning[known].min()) / np.ptp(turning[known]),
        atol=1e-9,
    )


def test_angles_on_the_surface_lie_on_it(plane: Partition) -> None:
    axes: Any = plot_angles(plane, on="surface")
    assert hasattr(axes, "get_zlim")
    flat = enumerate_regions(zoo.random_network([2, 5, 2], seed=0), Box(-1.0, 1.0, dim=2))
    image: Any = plot_angles(flat, on="surface", turning=False)
    _, lines = image.collections
    ends = np.asarray(lines.get_segments())
    assert len(ends) == len(flat.edges)
    latent, _ = facet_segments(facet_rows(region_set(flat)), flat.edges, np.full(2, -1.0), np.full(2, 1.0))
    images = flat.net(latent.reshape(-1, 2)).reshape(-1, 2, 2)
    for one in images:
        assert np.abs(ends - one).max(axis=(1, 2)).min() < 1e-9


def test_angles_of_space_are_facets(cube: Partition) -> None:
    axes: Any = plot_angles(cube)
    (facets,) = axes.collections
    assert len(facets._facecolor3d) == len(cube.edges)


def test_angles_are_drawn_on_nothing_else(plane: Partition, cube: Partition) -> None:
    place: Any = "moon"
    with pytest.raises(PlotError, match="moon"):
        plot_angles(plane, on=place)
    with pytest.raises(PlotError, match="2 dimensions"):
        plot_angles(cube, on="surface")
