"""Smoothed surfaces are those of the soft gates, in the colours of the network's own regions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, PlotError, ShapeError, UnsupportedLayerError
from polyspline.manifold import module_of, region_set, smooth
from polyspline.network import Network, zoo
from polyspline.partition import Partition
from polyspline.plots import plot_smoothed, plot_smoothing
from polyspline.plots.cells import planar_cells
from polyspline.plots.colours import colour_regions
from polyspline.plots.rows import facet_rows
from polyspline.plots.smoothing import diced


def test_pieces_of_cells_cover_them_once_and_keep_their_owner(plane: Partition) -> None:
    cells = planar_cells(facet_rows(region_set(plane)), np.full(2, -1.0), np.full(2, 1.0))
    pieces = diced(cells, 7)
    sizes = np.bincount(pieces.owner, pieces.areas(), minlength=len(plane))
    np.testing.assert_allclose(sizes, cells.areas(), atol=1e-9)
    reach = pieces.corners.max(axis=1) - pieces.corners.min(axis=1)
    assert reach.max() <= 2.0 / 7.0 + 1e-9


@pytest.mark.parametrize("beta", [0.0, 0.9, 1.0])
def test_the_surface_drawn_is_that_of_the_soft_gates(plane: Partition, beta: float) -> None:
    axes: Any = plot_smoothed(plane, beta, color="degree")
    (collection,) = axes.collections
    corners = np.asarray(collection._faces, dtype=float)
    known = {tuple(face) for face in np.round(colour_regions(region_set(plane), "degree").faces, 9)}
    assert {tuple(face) for face in np.round(collection._facecolor3d, 9)} <= known
    cells = planar_cells(facet_rows(region_set(plane)), np.full(2, -1.0), np.full(2, 1.0))
    latents = torch.tensor(diced(cells, 40).corners)
    with torch.no_grad():
        expected = smooth(module_of(plane.net), beta)(latents.reshape(-1, 2)).numpy()
    np.testing.assert_allclose(corners.reshape(-1, 3), expected, atol=1e-9)


def test_a_strip_has_a_panel_for_each_beta_and_one_for_the_network(plane: Partition, line: Partition) -> None:
    figure = plot_smoothing(plane, (0.25, 0.75), color="log_det")
    assert [axes.get_title() for axes in figure.axes] == [
        r"$\beta = 0.25$",
        r"$\beta = 0.75$",
        "the network itself",
    ]
    given = Figure()
    assert plot_smoothing(line, [0.5], given) is given
    soft, own = given.axes
    assert len(soft.lines) == len(own.lines) == 2
    z = np.asarray(own.lines[1].get_xdata(), dtype=float)
    np.testing.assert_allclose(np.asarray(own.lines[1].get_ydata(), dtype=float), line.net(z[:, None])[:, 1])


def test_another_module_may_be_given_and_has_to_fit(plane: Partition, line: Partition) -> None:
    module = module_of(plane.net).float()
    assert plot_smoothed(plane, 0.5, module=module).collections
    with pytest.raises(ShapeError, match=r"\(2,\) is expected"):
        plot_smoothed(line, 0.5, module=torch.nn.Sequential(torch.nn.Linear(1, 3)))


def test_what_cannot_be_smoothed_is_refused(plane: Partition, cube: Partition) -> None:
    with pytest.raises(PlotError, match="3 dimensions"):
        plot_smoothed(cube, 0.5)
    for beta in (-0.1, 1.5):
        with pytest.raises(ArgumentError, match="beta"):
            plot_smoothed(plane, beta)
    with pytest.raises(PlotError, match="at least one beta"):
        plot_smoothing(plane, ())
    net = Network.from_layers([np.eye(2), np.eye(2)], [np.zeros(2), np.zeros(2)], "hardtanh")
    with pytest.raises(UnsupportedLayerError, match="layer 0"):
        plot_smoothed(enumerate_regions(net, Box(-2.0, 2.0, dim=2)), 0.5)


def test_flat_images_are_smoothed_too() -> None:
    part = enumerate_regions(zoo.random_network([2, 5, 2], seed=0), Box(-1.0, 1.0, dim=2))
    axes = plot_smoothed(part, 0.5)
    assert not hasattr(axes, "get_zlim")
    assert axes.collections
