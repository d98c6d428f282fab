"""Interactive pages hold all that they need, and show what the pictures show."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyspline.manifold import log_determinants, region_set
from polyspline.partition import Partition
from polyspline.plots import (
    KINDS,
    adjacency_page,
    graph_page,
    pages,
    partition_page,
    save_picture,
    solids_page,
    surface_page,
)
from polyspline.plots.cells import planar_cells
from polyspline.plots.colours import colour_regions
from polyspline.plots.page_parts import few_colours, plain, triangles
from polyspline.plots.rows import facet_rows
from polyspline.plots.surface import surface_of

PAGES = [(name, kind.dims[-1]) for name, kind in KINDS.items() if kind.page is not None]


def traces(figure: Any, kind: str) -> list[Any]:
    return [trace for trace in figure.data if trace.type == kind]


@pytest.mark.parametrize(("what", "dim"), PAGES)
def test_a_page_needs_no_network_and_no_other_file(
    what: str, dim: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    part: Partition = request.getfixturevalue({1: "line", 2: "plane", 3: "cube"}[dim])
    text = save_picture(part, tmp_path / "page.html", what=what).read_text(encoding="utf-8")
    tags = re.findall(
        r"<(?:script|link|img|iframe)\b[^>]*>",
        re.sub(r"<script[^>]*>.*?</script>", "<script>", text, flags=re.S),
    )
    assert not [tag for tag in tags if "src=" in tag or "href=" in tag]
    assert not re.search(r"<script[^>]*\bsrc\s*=", text)
    assert "Plotly.newPlot" in text
    assert "plotly.js v" in text
    assert text == save_picture(part, tmp_path / "page.html", what=what).read_text(encoding="utf-8")


def test_polygons_of_a_page_cover_the_view_once(plane: Partition) -> None:
    for color in ("region", "log_det"):
        figure = partition_page(plane, color=color)
        area = 0.0
        for trace in traces(figure, "scatter"):
            if trace.fill != "toself":
                continue
            x, y = np.asarray(trace.x, dtype=float), np.asarray(trace.y, dtype=float)
            for ring in np.split(np.stack([x, y], axis=1), np.flatnonzero(np.isnan(x))):
                points = ring[~np.isnan(ring[:, 0])]
                if len(points):
                    turns = points[:-1, 0] * points[1:, 1] - points[1:, 0] * points[:-1, 1]
                    area += abs(float(turns.sum())) / 2.0
        assert area == pytest.approx(4.0, abs=1e-9)


def test_each_region_says_its_value(plane: Partition) -> None:
    figure = partition_page(plane, color="log_det")
    words = [trace.text for trace in traces(figure, "scatter") if trace.text is not None]
    values = log_determinants(plane).values
    assert len(words) == len(plane)
    for index, text in enumerate(words):
        assert text.startswith(f"region {index}<br>")
        shown = f"{values[index]:.6g}" if np.isfinite(values[index]) else "none"
        assert text.endswith(f": {shown}")


def rings_of(trace: Any) -> list[Any]:
    """Closed rings of a trace: its parts between gaps."""
    places = np.stack([np.asarray(trace.x, dtype=float), np.asarray(trace.y, dtype=float)], axis=1)
    parts = np.split(places, np.flatnonzero(np.isnan(places[:, 0])))
    return [part[~np.isnan(part[:, 0])] for part in parts if (~np.isnan(part[:, 0])).any()]


def holds(ring: Any, point: Any) -> bool:
    """Whether a point is in the interior of a convex ring."""
    arms, away = np.diff(ring, axis=0), point - ring[:-1]
    turns = arms[:, 0] * away[:, 1] - arms[:, 1] * away[:, 0]
    turns = turns[np.abs(arms).max(axis=1) > 0]
    return bool((turns > 0).all() or (turns < 0).all())


@pytest.mark.parametrize("box", [None, [[-0.3, 0.5], [-0.2, 0.4]]])
def test_the_region_under_the_pointer_speaks_everywhere(plane: Partition, box: Any) -> None:
    figure = partition_page(plane, box=box)
    assert figure.layout.hovermode == "closest"
    # Nothing else may answer: a dot in a neighbour would be nearer than the fill that the pointer is in.
    speaking = [trace for trace in figure.data if trace.hoverinfo != "skip"]
    for trace in speaking:
        assert (trace.type, trace.mode, trace.fill, trace.hoveron) == ("scatter", "lines", "toself", "fills")
        assert isinstance(trace.text, str)  # a list would be of corners, and not of the fill
        assert trace.hoverinfo == "text"
        assert trace.hovertemplate is None
    low, high = np.array([[-1.0, -1.0], [1.0, 1.0]] if box is None else np.transpose(box))
    # Uniform places, and places as near to corners as to be in the reach of all dots around.
    places = np.random.default_rng(0).uniform(low, high, (300, 2))
    corners = np.concatenate(
        [0.02 * plane.witnesses[i] + 0.98 * plane[i].vertices() for i in range(len(plane))]
    )
    places = np.concatenate([places, corners[((corners > low) & (corners < high)).all(axis=1)]])
    for place in places:
        said = [trace.text for trace in speaking for ring in rings_of(trace) if holds(ring, place)]
        assert [words.partition("<br>")[0] for words in said] == [f"region {plane.locate(place)}"]


def test_a_page_of_too_many_polygons_says_nothing_wrong(
    plane: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MOST_SPEAKING", len(plane) - 1)
    figure = partition_page(plane)
    assert all(trace.hoverinfo == "skip" for trace in figure.data)
    assert "show fewer by a box" in figure.layout.title.text
    assert len(figure.data) < len(plane)


@pytest.mark.parametrize("color", ["region", "log_det", "degree"])
def test_the_mesh_is_the_surface_in_the_colours_of_the_partition(plane: Partition, color: str) -> None:
    figure = surface_page(plane, color=color)
    (mesh,) = traces(figure, "mesh3d")
    surface = surface_of(region_set(plane), None, None)
    corners, faces, polygon = triangles(surface.image)
    np.testing.assert_allclose(np.stack([mesh.x, mesh.y, mesh.z], axis=1), corners)
    np.testing.assert_array_equal(np.stack([mesh.i, mesh.j, mesh.k], axis=1), faces)
    expected = colour_regions(region_set(plane), color).faces[surface.image.owner[polygon]]
    given = np.array([[int(one[at : at + 2], 16) for at in (1, 3, 5)] for one in mesh.facecolor])
    np.testing.assert_allclose(given, 255.0 * expected[:, :3], atol=0.51)


def test_triangles_have_the_areas_of_their_polygons(plane: Partition) -> None:
    cells = planar_cells(facet_rows(region_set(plane)), np.full(2, -1.0), np.full(2, 1.0))
    corners, faces, polygon = triangles(cells)
    a, b, c = (corners[column] for column in faces.T)
    sizes = 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    np.testing.assert_allclose(np.bincount(polygon, sizes), cells.areas(), atol=1e-12)


def test_solids_and_graphs_hold_every_region(cube: Partition, plane: Partition, line: Partition) -> None:
    (mesh,) = traces(solids_page(cube), "mesh3d")
    assert {text.partition("<br>")[0] for text in mesh.text} == {f"region {i}" for i in range(len(cube))}
    for part, kind in ((cube, "scatter3d"), (plane, "scatter")):
        dots = [trace for trace in traces(adjacency_page(part), kind) if trace.text is not None]
        assert [len(trace.text) for trace in dots] == [len(part)]
    curves = traces(graph_page(line), "scatter")
    assert len(curves) == 2
    for output, curve in enumerate(curves):
        x, y = np.asarray(curve.x, dtype=float), np.asarray(curve.y, dtype=float)
        seen = ~np.isnan(x)
        np.testing.assert_allclose(y[seen], line.net(x[seen, None])[:, output], atol=1e-9)


def test_two_outputs_lie_flat_and_colour_bars_have_their_steps(plane: Partition) -> None:
    (mesh,) = traces(surface_page(plane, coordinates=(0, 1)), "mesh3d")
    assert not np.any(mesh.z)
    figure = partition_page(plane, color="degree")
    (bar,) = [trace.marker for trace in traces(figure, "scatter") if trace.marker.showscale]
    assert list(bar.colorbar.tickvals) == list(range(round(bar.cmin + 0.5), round(bar.cmax + 0.5)))
    figure = partition_page(plane, color="volume")
    (bar,) = [trace.marker for trace in traces(figure, "scatter") if trace.marker.showscale]
    assert "log<sub>10</sub>" in bar.colorbar.title.text


def test_many_colours_become_few_and_stay_near() -> None:
    from matplotlib import colormaps

    faces = np.asarray(colormaps["cividis"](np.linspace(0.0, 1.0, 500)))
    names = few_colours(faces)
    assert len(set(names.tolist())) == 64
    given = np.array([[int(one[at : at + 2], 16) for at in (1, 3, 5)] for one in names.tolist()])
    assert np.abs(given / 255.0 - faces[:, :3]).max() < 0.05


def test_names_of_axes_lose_their_dollars() -> None:
    assert plain("$G_{12}$") == "G<sub>12</sub>"
    assert plain("$z_1$") == "z<sub>1</sub>"
    assert plain("second") == "second"
