"""The picture of an inversion shows x, its reconstruction and both bounds, whatever their shapes."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyspline.errors import ExportFormatError, MissingExtraError, OutputError, PlotError, ShapeError
from polyspline.inversion import BoundSource, Inversion, InversionStatus
from polyspline.plots import PICTURES, plot_inversion, save_inversion_picture


def inversion(x_hat: Any, **changes: Any) -> Inversion:
    """Make a result as a method would give it; the picture asks for no network."""
    found = Inversion(
        z=np.zeros(2),
        x_hat=np.asarray(x_hat, dtype=np.float64),
        distance=1.5,
        lower_bound=1.5,
        gap=0.0,
        status=InversionStatus.OPTIMAL,
        bound_source=BoundSource.RIGOROUS,
        code=np.zeros(4, dtype=np.int8),
        A=np.zeros((len(x_hat), 2)),
        b=np.zeros(len(x_hat)),
        norm="l2",
        method="search",
        solver="daqp",
        nodes=12,
        seconds=2.0,
        history=np.array([[0.01, 9.0, 0.0], [0.1, 2.0, 0.5], [0.5, 1.5, 1.0], [1.9, 1.5, 1.5]]),
    )
    return replace(found, **changes)


def curve(axes: Any, label: str) -> tuple[np.ndarray, np.ndarray]:
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)


def test_square_lengths_are_images_of_one_grey_scale() -> None:
    x, x_hat = np.linspace(0.0, 1.0, 9), np.linspace(-0.5, 2.0, 9)
    left, right, _ = plot_inversion(inversion(x_hat), x).axes
    for axes, values in ((left, x), (right, x_hat)):
        (image,) = axes.images
        np.testing.assert_array_equal(np.asarray(image.get_array()), values.reshape(3, 3))
        assert image.get_clim() == (0.0, 1.0)
        assert image.get_cmap().name == "gray"


def test_other_lengths_are_values_over_their_index() -> None:
    x, x_hat = np.arange(5.0), np.arange(5.0) + 0.25
    values, _ = plot_inversion(inversion(x_hat), x).axes
    assert not values.images
    np.testing.assert_array_equal(curve(values, "$x$")[1], x)
    np.testing.assert_array_equal(curve(values, "$G(z)$")[1], x_hat)
    (stems,) = values.collections
    assert len(stems.get_paths()) == 5
    longer = np.sin(np.arange(1000.0))
    many, _ = plot_inversion(inversion(longer), longer).axes
    assert not many.collections


def test_one_number_is_drawn() -> None:
    assert len(plot_inversion(inversion([0.5]), [0.75]).axes) == 2


def test_both_bounds_are_drawn_to_the_last_second() -> None:
    axes = plot_inversion(inversion(np.zeros(5)), np.zeros(5)).axes[-1]
    seconds, upper = curve(axes, "distance")
    assert curve(axes, "lower bound")[0].tolist() == seconds.tolist() == [0.01, 0.1, 0.5, 1.9, 2.0]
    assert upper.tolist() == [9.0, 2.0, 1.5, 1.5, 1.5]
    assert curve(axes, "lower bound")[1].tolist() == [0.0, 0.5, 1.0, 1.5, 1.5]
    assert axes.get_xscale() == "log"
    low, high = axes.get_ylim()
    assert low == 0.0
    # The first distance, six times the last one, lies above the view.
    assert 1.5 < high < 9.0
    assert "optimal" in axes.get_title(loc="left")


def test_a_method_without_a_bound_draws_none() -> None:
    local = inversion(
        np.zeros(5), bound_source=BoundSource.NONE, status=InversionStatus.LOCAL, lower_bound=0.0, gap=1.0
    )
    axes = plot_inversion(local, np.zeros(5)).axes[-1]
    assert [line.get_label() for line in axes.lines] == ["distance"]
    assert axes.get_title(loc="left") == "local, no lower bound"


@pytest.mark.parametrize(
    "history",
    [np.zeros((0, 3)), [[0.0, np.inf, 0.0], [0.5, 1.5, 0.0]], [[0.0, 0.0, 0.0]]],
    ids=["none", "infinite", "zero"],
)
def test_short_histories_are_drawn(history: Any, tmp_path: Path) -> None:
    exact = inversion(
        np.zeros(4), history=np.asarray(history, dtype=np.float64), distance=0.0, lower_bound=0.0
    )
    save_inversion_picture(exact, np.zeros(4), tmp_path / "exact.png")
    instant = replace(exact, seconds=0.0)
    save_inversion_picture(instant, np.zeros(4), tmp_path / "instant.png")


def test_a_measurement_is_compared_with_what_was_measured() -> None:
    x_hat = np.arange(9.0)
    matrix, offset = np.eye(9)[:5], np.full(5, 0.5)
    values, whole, _ = plot_inversion(inversion(x_hat), np.ones(5), measure=(matrix, offset)).axes
    np.testing.assert_array_equal(curve(values, r"$M\,G(z)$")[1], np.arange(5.0) + 0.5)
    np.testing.assert_array_equal(np.asarray(whole.images[0].get_array()), x_hat.reshape(3, 3))
    small, fit, _, _ = plot_inversion(inversion(x_hat), np.ones(4), measure=np.eye(9)[:4]).axes
    np.testing.assert_array_equal(np.asarray(fit.images[0].get_array()), [[0.0, 1.0], [2.0, 3.0]])
    assert small.images


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_the_axis_names_the_norm(norm: str) -> None:
    axes = plot_inversion(inversion(np.zeros(5), norm=norm), np.zeros(5)).axes[-1]
    assert {"l2": "_2", "l1": "_1", "linf": "infty"}[norm] in axes.get_ylabel()


def test_a_figure_of_the_caller_is_drawn_into() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    assert plot_inversion(inversion(np.zeros(5)), np.zeros(5), figure=figure) is figure
    assert len(figure.axes) == 2


@pytest.mark.parametrize("suffix", PICTURES)
def test_the_same_picture_is_the_same_file(tmp_path: Path, suffix: str) -> None:
    drawn = [
        save_inversion_picture(inversion(np.eye(4).ravel()), np.ones(16), tmp_path / f"{name}{suffix}")
        for name in ("one", "two")
    ]
    assert drawn[0].read_bytes() == drawn[1].read_bytes()
    assert sorted(tmp_path.iterdir()) == drawn


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    nothing = inversion(np.zeros(4), z=None, distance=np.inf)
    nothing = replace(nothing, x_hat=None)
    with pytest.raises(PlotError, match="no point"):
        save_inversion_picture(nothing, np.zeros(4), tmp_path / "a.png")
    with pytest.raises(ShapeError, match="length 5"):
        save_inversion_picture(inversion(np.zeros(4)), np.zeros(5), tmp_path / "a.png")
    with pytest.raises(ShapeError, match="4 outputs"):
        plot_inversion(inversion(np.zeros(4)), np.zeros(2), measure=np.ones((2, 3)))
    with pytest.raises(ExportFormatError, match=r"\.svg"):
        save_inversion_picture(inversion(np.zeros(4)), np.zeros(4), tmp_path / "a.gif")
    with pytest.raises(OutputError):
        save_inversion_picture(inversion(np.zeros(4)), np.zeros(4), tmp_path / "nowhere" / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r"polyspline\[plot\]"):
        plot_inversion(inversion(np.zeros(4)), np.zeros(4))
