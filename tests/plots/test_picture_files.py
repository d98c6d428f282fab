"""Files of pictures are whole or not there, the same each time, and refused with the reason."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes

from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, ExportFormatError, MissingExtraError, OutputError, PlotError
from polyspline.network import zoo
from polyspline.partition import Partition
from polyspline.plots import (
    KINDS,
    PICTURES,
    plot_adjacency,
    plot_angles,
    plot_partition,
    plot_solids,
    plot_surface,
    save_picture,
)


@pytest.fixture(scope="module")
def small() -> dict[int, Partition]:
    """Few regions of each dimension, so that files are drawn quickly."""
    return {
        dim: enumerate_regions(zoo.random_network([dim, 4, 4], seed=1), Box(-1.0, 1.0, dim=dim))
        for dim in (1, 2, 3, 4)
    }


@pytest.mark.parametrize("what", KINDS)
def test_every_picture_is_drawn_in_its_dimensions_and_refused_in_others(
    what: str, small: dict[int, Partition], tmp_path: Path
) -> None:
    allowed = KINDS[what].dims or (3,)
    options: dict[str, Any] = {"betas": [0.5]} if what == "smoothing" else {}
    path = tmp_path / ("strip.png" if what == "smoothing" else "picture.svg")
    for dim, part in small.items():
        if dim in allowed:
            assert save_picture(part, path, what=what, **options).stat().st_size > 5_000
            path.unlink()
        elif KINDS[what].dims:
            with pytest.raises(PlotError, match="dimensions"):
                save_picture(part, path, what=what)
            assert not path.exists()


@pytest.mark.parametrize("suffix", PICTURES)
def test_the_same_picture_is_the_same_file(small: dict[int, Partition], tmp_path: Path, suffix: str) -> None:
    one = save_picture(small[2], tmp_path / f"one{suffix}", what="surface").read_bytes()
    two = save_picture(small[2], tmp_path / f"two{suffix.upper()}", what="surface").read_bytes()
    assert one == two


def test_without_a_name_the_usual_picture_is_drawn(small: dict[int, Partition], tmp_path: Path) -> None:
    for dim, what in ((1, "graph"), (2, "partition"), (3, "solids")):
        usual = save_picture(small[dim], tmp_path / "usual.svg").read_bytes()
        assert usual == save_picture(small[dim], tmp_path / "named.svg", what=what).read_bytes()
    for name in (None, "solids"):
        with pytest.raises(PlotError, match="restrict"):
            save_picture(small[4], tmp_path / "four.png", what=name)


def test_unknown_names_suffixes_and_options_are_refused(plane: Partition, tmp_path: Path) -> None:
    refusals: list[tuple[type[Exception], str, Callable[[], object]]] = [
        (ExportFormatError, ".svg", lambda: save_picture(plane, tmp_path / "a.gif")),
        (ExportFormatError, ".svg", lambda: save_picture(plane, tmp_path / "a")),
        (
            ExportFormatError,
            "no interactive page",
            lambda: save_picture(plane, tmp_path / "a.html", what="pair"),
        ),
        (OutputError, "nowhere", lambda: save_picture(plane, tmp_path / "nowhere" / "a.png")),
        (OutputError, "nowhere", lambda: save_picture(plane, tmp_path / "nowhere" / "a.html")),
        (PlotError, "surface-angles", lambda: save_picture(plane, tmp_path / "a.png", what="portrait")),
        (
            ArgumentError,
            "takes no color",
            lambda: save_picture(plane, tmp_path / "a.png", what="rank", color="rank"),
        ),
        (ArgumentError, "smoothing", lambda: save_picture(plane, tmp_path / "a.png", betas=[0.5])),
    ]
    for kind, words, draw in refusals:
        with pytest.raises(kind, match=words):
            draw()
    assert list(tmp_path.iterdir()) == []


REAL_IMPORT = importlib.import_module


def _missing(package: str) -> Callable[[str], object]:
    def load(name: str) -> object:
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {name!r}")
        return REAL_IMPORT(name)

    return load


def test_without_a_package_the_extra_is_named(
    plane: Partition, cube: Partition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib, "import_module", _missing("matplotlib"))
    draws: list[Callable[[], Axes]] = [
        lambda: plot_partition(plane),
        lambda: plot_surface(plane),
        lambda: plot_adjacency(plane),
        lambda: plot_angles(plane),
        lambda: plot_solids(cube),
    ]
    for draw in draws:
        with pytest.raises(MissingExtraError, match=r"polyspline\[plot\]"):
            draw()
    monkeypatch.setattr(importlib, "import_module", _missing("plotly"))
    with pytest.raises(MissingExtraError, match=r"polyspline\[plot\]"):
        save_picture(plane, tmp_path / "a.html")
    monkeypatch.setattr(importlib, "import_module", _missing("torch"))
    with pytest.raises(MissingExtraError, match=r"polyspline\[torch\]"):
        save_picture(plane, tmp_path / "a.png", what="smoothing")
    assert list(tmp_path.iterdir()) == []
