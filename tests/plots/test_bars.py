"""Histograms show the shares they are given, bar by bar; the same figure is the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.patches import Rectangle, StepPatch

from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.errors import PlotError
from polyspline.manifold import edge_angles, intrinsic_dimension, log_determinants, volumes
from polyspline.network import Network
from polyspline.partition import Partition
from polyspline.plots.bars import plot_distributions, plot_histogram, plot_shares, png_bytes
from polyspline.plots.style import new_axes


@pytest.mark.parametrize("whole", [False, True])
def test_every_bar_is_as_high_as_its_share_and_within_its_bin(whole: bool) -> None:
    ends, shares = np.array([0.5, 1.5, 2.5, 3.5]), np.array([0.25, 0.0, 0.75])
    axes = plot_shares(ends, shares, label="neighbours", of="regions", whole=whole)
    bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert [bar.get_height() for bar in bars] == shares.tolist()
    for bar, low, high in zip(bars, ends, ends[1:], strict=False):
        assert low - 1e-12 <= bar.get_x() <= bar.get_x() + bar.get_width() <= high + 1e-12
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("neighbours", "share of regions")
    if whole:
        assert axes.get_xticks().tolist() == [1.0, 2.0, 3.0]


def test_it_draws_into_given_axes_and_gives_the_same_bytes() -> None:
    pictures = []
    for _ in range(2):
        axes = new_axes(3.0, 2.0)
        assert plot_shares(np.arange(41) - 0.5, np.full(40, 0.025), axes, whole=True) is axes
        figure = axes.get_figure(root=True)
        assert figure is not None
        pictures.append(png_bytes(figure))
    assert pictures[0] == pictures[1]
    assert pictures[0].startswith(b"\x89PNG")


@pytest.mark.parametrize(("ends", "shares"), [([0, 1], [0.5, 0.5]), ([0], []), ([[0, 1]], [[1]])])
def test_shapes_that_do_not_fit_are_refused(ends: Any, shares: Any) -> None:
    with pytest.raises(PlotError, match="one more end"):
        plot_shares(ends, shares)


def heights(axes: Any) -> list[float]:
    return [patch.get_height() for patch in axes.patches if isinstance(patch, Rectangle)]


def test_histograms_hold_every_region_once(plane: Partition) -> None:
    ranks = intrinsic_dimension(plane).dimensions
    axes = plot_histogram(plane, "rank")
    np.testing.assert_allclose(heights(axes), np.bincount(ranks, minlength=3) / len(plane))
    logs = log_determinants(plane)
    axes = plot_histogram(plane, "log-det", bins=7)
    known = logs.values[logs.full_rank]
    np.testing.assert_allclose(heights(axes), np.histogram(known, bins=7)[0] / len(known))
    missing = len(plane) - len(known)
    assert ("without value" in axes.get_title(loc="left")) == bool(missing)


def test_weights_count(plane: Partition) -> None:
    sizes = volumes(plane).values
    weighted = heights(plot_histogram(plane, "degree", weights=sizes))
    degrees = np.array([len(region.neighbours) for region in plane])
    shares = np.bincount(degrees, weights=sizes)[degrees.min() :] / sizes.sum()
    np.testing.assert_allclose(weighted, shares)


def test_histograms_of_angles_are_of_facets(plane: Partition) -> None:
    found = edge_angles(plane)
    for name, turning in (("angle", True), ("principal-angle", False)):
        axes = plot_histogram(plane, name, bins=9)
        np.testing.assert_allclose(heights(axes), found.histogram(9, turning=turning)[0])
        assert "facets" in axes.get_title(loc="left")


def test_distributions_are_drawn_over_each_other_with_lines_of_their_own() -> None:
    values = {"one": np.arange(10.0), "two": np.append(np.arange(5.0, 15.0), np.nan)}
    axes = plot_distributions(values, bins=[0.0, 5.0, 10.0, 15.0], label="log det", of="regions")
    steps: list[Any] = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    assert [list(step.get_data().values) for step in steps] == [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]
    assert (
        len({step.get_edgecolor() for step in steps})
        == len({str(step.get_linestyle()) for step in steps})
        == 2
    )
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["one", "two"]


def test_what_has_no_histogram_is_refused(plane: Partition) -> None:
    flat = enumerate_regions(Network.from_layers([[[0.0, 0.0]]], [[1.0]]), Box(-1.0, 1.0, dim=2))
    refusals: list[tuple[Callable[[], object], str]] = [
        (lambda: plot_histogram(plane, "region"), "principal_angle"),
        (lambda: plot_histogram(plane, "rank", bins=0), "at least 1 bin"),
        (lambda: plot_histogram(flat, "log_det"), "no region"),
        (lambda: plot_histogram(flat, "angle"), "no facet"),
        (lambda: plot_distributions({}), "0 distributions"),
        (lambda: plot_distributions({str(i): [1.0] for i in range(8)}), "8 distributions"),
        (lambda: plot_distributions({"one": [np.nan]}), "no finite value"),
    ]
    for draw, words in refusals:
        with pytest.raises(PlotError, match=words):
            draw()
