"""Pictures show the partition: cells fill the view, neighbours differ, the same picture is the same file."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyspline.domains import Box, Polytope, WholeSpace
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ExportFormatError, MissingExtraError, OutputError, PlotError
from polyspline.network import Network, zoo
from polyspline.partition import Partition
from polyspline.plots import PICTURES, plot_graph, plot_partition, save_picture
from polyspline.plots.cells import (
    checked_view,
    clip,
    colour_classes,
    inequalities,
    polygons,
    rectangle,
    view_of_plane,
)
from polyspline.plots.graph import intervals
from polyspline.plots.style import FILLS


def area(polygon: Any) -> float:
    """Shoelace formula."""
    x, y = np.asarray(polygon).reshape(-1, 2).T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2.0)


@pytest.fixture(scope="module")
def plane() -> Partition:
    return enumerate_regions(zoo.random_network([2, 8, 6, 1], seed=5), Box(-1.0, 1.0, dim=2))


@pytest.fixture(scope="module")
def line() -> Partition:
    return enumerate_regions(zoo.random_network([1, 8, 8, 2], seed=5), Box(-2.0, 3.0, dim=1))


def _hard_tanh() -> Partition:
    net = Network.from_layers(
        [[[1.0, 0.5], [0.25, -1.0], [1.0, 0.5]], [[1.0, 2.0, 1e-3], [1.0, -1.0, 1e3]], [[1.0, 1.0]]],
        [[0.1, 0.2, 0.1], [0.0, 0.1], [0.0]],
        ["hardtanh", "leaky_relu:0.1", "abs"],
    )
    return enumerate_regions(net, Box(-2.0, 2.0, dim=2))


def _partial() -> Partition:
    net = zoo.random_network([2, 8, 6, 1], seed=5)
    return enumerate_regions(net, Box(-1.0, 1.0, dim=2), max_regions=9)


def _whole() -> Partition:
    return enumerate_regions(zoo.random_network([2, 6, 4, 1], seed=5), WholeSpace(2))


@pytest.mark.parametrize("make", [_hard_tanh, _partial, _whole], ids=lambda make: make.__name__.strip("_"))
def test_the_rows_drawn_hold_every_facet_and_cut_nothing_more(make: Callable[[], Partition]) -> None:
    part = make()
    for region, (normals, offsets) in zip(part, inequalities(part), strict=True):
        drawn = np.column_stack([normals, offsets])
        for row in np.column_stack([region.hrep.G, region.hrep.h]):
            assert np.abs(drawn - row).max(axis=1).min() < 1e-9
        inside = np.vstack([region.witness, *(facet.point for facet in region.facets)])
        assert (inside @ normals.T <= offsets + 1e-9).all()


def test_the_cells_fill_the_domain_once(plane: Partition) -> None:
    lo, hi = np.full(2, -1.0), np.full(2, 1.0)
    cells = polygons(inequalities(plane), lo, hi)
    assert sum(map(area, cells)) == pytest.approx(4.0, abs=1e-9)
    assert min(map(area, cells)) > 0.0


def test_the_cells_fill_any_view_of_the_whole_plane_once() -> None:
    whole = enumerate_regions(zoo.random_network([2, 7, 1], seed=2), WholeSpace(2))
    systems = inequalities(whole)
    lo, hi = view_of_plane(whole, systems)
    cells = polygons(systems, lo, hi)
    assert sum(map(area, cells)) == pytest.approx(float(np.prod(hi - lo)), rel=1e-9)


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(-2, 2)), max_size=6),
    st.tuples(st.floats(-3, 3), st.floats(-3, 3), st.floats(-2, 2)),
)
def test_a_cut_splits_the_area_of_a_polygon(cuts: list[tuple[float, float, float]], last: Any) -> None:
    polygon = rectangle(np.full(2, -1.0), np.full(2, 1.0))
    for a, b, c in cuts:
        polygon = clip(polygon, np.array([a, b]), c)
    normal, offset = np.array(last[:2]), last[2]
    parts = area(clip(polygon, normal, offset)) + area(clip(polygon, -normal, -offset))
    if np.abs(normal).max() > 1e-6:
        assert parts == pytest.approx(area(polygon), abs=1e-9)


def test_neighbours_have_different_colours(plane: Partition) -> None:
    colours = colour_classes(np.arange(len(plane)), plane.edges, len(FILLS))
    assert (colours[plane.edges[:, 0]] != colours[plane.edges[:, 1]]).all()
    assert set(colours.tolist()) == set(range(len(FILLS)))


def test_affine_regions_have_one_colour_and_differ_from_their_neighbours(plane: Partition) -> None:
    labels = plane.affine_labels()
    colours = colour_classes(labels, plane.edges, len(FILLS))
    for label in np.unique(labels):
        assert len(np.unique(colours[labels == label])) == 1
    i, j = plane.edges[labels[plane.edges[:, 0]] != labels[plane.edges[:, 1]]].T
    assert (colours[i] != colours[j]).all()


def test_the_picture_has_one_polygon_per_region(plane: Partition) -> None:
    for color in ("region", "affine_region"):
        axes = plot_partition(plane, color=color)
        (collection,) = axes.collections
        assert len(collection.get_paths()) == len(plane)
        assert axes.get_title(loc="left") == f"{len(plane):,} regions"
        assert axes.get_xlim() == (-1.0, 1.0)


def test_a_box_shows_only_the_regions_in_it(plane: Partition) -> None:
    axes = plot_partition(plane, box=[[0.0, 0.25], [-0.5, 0.0]])
    assert axes.get_xlim() == (0.0, 0.25)
    assert axes.get_ylim() == (-0.5, 0.0)
    (collection,) = axes.collections
    assert 0 < len(collection.get_paths()) < len(plane)
    assert "of" in axes.get_title(loc="left")


def test_pictures_are_drawn_into_axes_of_the_caller(plane: Partition, line: Partition) -> None:
    from matplotlib.figure import Figure

    left, right = Figure().subplots(1, 2)
    assert plot_partition(plane, left) is left
    assert plot_graph(line, right) is right


def test_a_polytope_is_drawn_within_its_bounds() -> None:
    triangle = Polytope([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [0.0, 0.0, 1.0])
    part = enumerate_regions(zoo.random_network([2, 6, 1], seed=0), triangle)
    lo, hi = np.array([0.0, 0.0]), np.array([1.0, 1.0])
    assert sum(map(area, polygons(inequalities(part), lo, hi))) == pytest.approx(0.5, abs=1e-9)


def test_a_plane_without_any_corner_is_drawn() -> None:
    strips = Network.from_layers([[[1.0, 1.0], [1.0, 1.0]], [[1.0, 1.0]]], [[0.0, 1.0], [0.0]])
    affine = Network.from_layers([[[1.0, 2.0]]], [[0.0]])
    for net, count in ((strips, 3), (affine, 1)):
        axes = plot_partition(enumerate_regions(net, WholeSpace(2)))
        (collection,) = axes.collections
        assert len(collection.get_paths()) == count


def test_the_intervals_of_a_line_follow_each_other(line: Partition) -> None:
    ends = intervals(line)
    ends = ends[np.argsort(ends[:, 0])]
    np.testing.assert_allclose(ends[1:, 0], ends[:-1, 1], atol=1e-12)
    assert (ends[0, 0], ends[-1, 1]) == (-2.0, 3.0)


def test_the_graph_passes_through_the_values_of_the_network(line: Partition) -> None:
    axes = plot_graph(line)
    curves = [curve for curve in axes.lines if len(set(np.asarray(curve.get_xdata()).tolist())) == 2]
    assert len(curves) == 2 * len(line)
    for order, curve in enumerate(curves):
        x, y = np.asarray(curve.get_xdata(), dtype=float), np.asarray(curve.get_ydata(), dtype=float)
        values = line.net(x[:, None])
        np.testing.assert_allclose(y, values[:, order % 2], atol=1e-9)


def test_a_graph_on_the_whole_line_shows_every_knot() -> None:
    whole = enumerate_regions(zoo.random_network([1, 6, 1], seed=1), WholeSpace(1))
    knots = intervals(whole)
    lo, hi = plot_graph(whole).get_xlim()
    finite = knots[np.isfinite(knots)]
    assert lo < finite.min()
    assert hi > finite.max()
    affine = enumerate_regions(Network.from_layers([[[2.0]]], [[1.0]]), WholeSpace(1))
    assert plot_graph(affine).get_xlim() == (-1.0, 1.0)


def test_only_the_first_of_many_outputs_are_drawn() -> None:
    part = enumerate_regions(zoo.random_network([1, 3, 12], seed=1), Box(-1.0, 1.0, dim=1))
    assert "the first 7 outputs" in plot_graph(part).get_title(loc="left")


def test_a_partial_partition_says_so() -> None:
    assert "partial" in plot_partition(_partial()).get_title(loc="left")


@pytest.mark.parametrize("suffix", PICTURES)
def test_the_same_picture_is_the_same_file(plane: Partition, tmp_path: Path, suffix: str) -> None:
    one = save_picture(plane, tmp_path / f"one{suffix}").read_bytes()
    two = save_picture(plane, tmp_path / f"two{suffix.upper()}").read_bytes()
    assert one == two


def test_a_partition_of_other_dimensions_is_refused(
    plane: Partition, line: Partition, tmp_path: Path
) -> None:
    solid = enumerate_regions(zoo.random_network([3, 3, 1], seed=0), Box(-1.0, 1.0, dim=3))
    for draw in (
        lambda: save_picture(solid, tmp_path / "solid.png"),
        lambda: plot_partition(line),
        lambda: plot_graph(plane),
    ):
        with pytest.raises(PlotError, match="dimensions"):
            draw()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "box",
    [[1.0, -1.0], [np.nan, 1.0], [0.0, np.inf], [1.0, 2.0], [-3.0, -1.0], [1.0, 2.0, 3.0], [[0.0, 1.0]]],
)
def test_a_box_that_shows_nothing_is_refused(plane: Partition, box: Any) -> None:
    with pytest.raises(PlotError, match="box to draw"):
        checked_view(plane, box)


def test_an_unknown_colouring_is_refused(plane: Partition) -> None:
    name: Any = "rainbow"
    with pytest.raises(PlotError, match="rainbow"):
        plot_partition(plane, color=name)


def test_unknown_suffixes_and_pages_are_refused(plane: Partition, tmp_path: Path) -> None:
    for name, words in (("a.gif", ".svg"), ("a", ".svg"), ("a.html", "not offered yet")):
        with pytest.raises(ExportFormatError, match=words):
            save_picture(plane, tmp_path / name)
    with pytest.raises(OutputError):
        save_picture(plane, tmp_path / "nowhere" / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_extra_is_named(plane: Partition, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"polyspline\[plot\]"):
        plot_partition(plane)
