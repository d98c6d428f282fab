"""Histograms show the shares they are given, bar by bar; the same figure is the same bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from polyspline.errors import PlotError
from polyspline.plots.bars import plot_shares, png_bytes
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
