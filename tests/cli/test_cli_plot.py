"""``polyspline plot``: every picture in one command, and one sentence where there is none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from polyspline.network import Network, zoo
from polyspline.plots import KINDS
from tests.cli.conftest import Outcome, Polyspline


@pytest.fixture
def runs(polyspline: Polyspline, tmp_path: Path) -> dict[int, Path]:
    """Keep a small run of each latent dimension."""
    found = {}
    for dim in (1, 2, 3, 4):
        net, run = tmp_path / f"net{dim}.npz", tmp_path / f"run{dim}.polyspline"
        zoo.random_network([dim, 4, 4], seed=1).save(net)
        assert polyspline("enumerate", net, "--box", -1, 1, "-o", run).status == 0
        found[dim] = run
    return found


def assert_refused(outcome: Outcome, *words: str) -> None:
    """Check that a command said one sentence and nothing else."""
    assert outcome.status == 2
    assert outcome.stdout == ""
    assert outcome.stderr.startswith("error: ")
    assert len(outcome.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in outcome.stderr


def test_every_picture_takes_one_command(
    polyspline: Polyspline, runs: dict[int, Path], tmp_path: Path
) -> None:
    for name, kind in KINDS.items():
        path = tmp_path / ("strip.png" if name == "smoothing" else f"{name}.svg")
        betas = ("--beta", 0.5) if name == "smoothing" else ()
        outcome = polyspline("plot", runs[(kind.dims or (2,))[-1]], path, "--what", name, *betas, "--json")
        assert outcome.status == 0, outcome.stderr
        assert outcome.facts["what"] == name
        assert outcome.facts["bytes"] == path.stat().st_size > 5_000


def test_options_reach_the_picture(polyspline: Polyspline, runs: dict[int, Path], tmp_path: Path) -> None:
    cases: dict[str, tuple[int, tuple[object, ...]]] = {
        "plain": (2, ()),
        "volume": (2, ("--color", "volume")),
        "first": (2, ("--color", "value")),
        "second": (2, ("--color", "value", "--output", 1)),
        "surface": (2, ("--what", "surface")),
        "others": (2, ("--what", "surface", "--coordinates", "3,1")),
        "again": (2, ("--what", "surface", "--coordinates", 3, "--coordinates", 0)),
        "box": (2, ("--box", -0.5, 0.5, "--box-2", 0, 1)),
        "solids": (3, ()),
        "apart": (3, ("--explode", 0.5)),
        "box3": (3, ("--box", -1, 1, "--box-3", 0, 1)),
        "bars": (2, ("--what", "log-det")),
        "fewer": (2, ("--what", "log_det", "--bins", 3)),
    }
    pictures = {}
    for name, (dim, options) in cases.items():
        path = tmp_path / f"{name}.svg"
        assert polyspline("plot", runs[dim], path, *options).status == 0, name
        pictures[name] = path.read_bytes()
    assert len(set(pictures.values())) == len(cases)


def test_a_suffix_html_makes_a_page(polyspline: Polyspline, runs: dict[int, Path], tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    outcome = polyspline("plot", runs[2], path, "--color", "rank", "--json")
    assert outcome.status == 0
    assert outcome.facts["format"] == "html"
    assert b"Plotly.newPlot" in path.read_bytes()
    path.unlink()
    assert_refused(
        polyspline("plot", runs[2], path, "--what", "angles"), "no interactive page", "surface", ".svg"
    )
    assert not path.exists()


def test_bad_input_gets_one_sentence_and_leaves_nothing(
    polyspline: Polyspline, runs: dict[int, Path], tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    picture = tmp_path / "a.png"
    cases: list[tuple[int, tuple[object, ...], tuple[str, ...]]] = [
        (4, (), ("4 dimensions", "Network.restrict")),
        (4, ("--what", "solids"), ("drawn in 3 dimensions", "log-det", "Network.restrict")),
        (3, ("--what", "surface"), ("drawn in 2 dimensions", "solids")),
        (2, ("--what", "portrait"), ("'portrait'", "surface", "log-det")),
        (2, ("--color", "rainbow"), ("'rainbow'", "affine-region", "log-det")),
        (2, ("--color", "value", "--output", 9), ("no output 9",)),
        (2, ("--color", "value", "--output", "first"), ("whole number",)),
        (2, ("--output", 9), ("output 9", "'value'")),
        (2, ("--output", 0), ("output 0", "'value'")),
        (2, ("--what", "surface", "--color", "rank", "--output", 1), ("output 1", "'rank'")),
        (2, ("--what", "value", "--output", 9), ("no output 9",)),
        (1, ("--what", "smoothing", "--color", "rank"), ("S = 1", "no color")),
        (1, ("--what", "smoothing", "--coordinates", "0,1"), ("S = 1", "no coordinates")),
        (2, ("--what", "rank", "--color", "rank"), ("takes no color", "surface")),
        (2, ("--beta", 0.5), ("takes no betas", "smoothing")),
        (2, ("--what", "smoothing", "--beta", "0.5,2"), ("beta",)),
        (2, ("--what", "surface", "--coordinates", 1), ("two or three",)),
        (2, ("--what", "rank", "--bins", 0), ("at least 1 bin",)),
        (3, ("--explode", -1), ("explode",)),
        (2, ("--box-3", 0, 1), ("--box LO HI",)),
        (2, ("--box", 0, 1, "--box-3", 0, 1), ("--box-3", "S = 2")),
        (1, ("--box", 0, 1, "--box-2", 0, 1), ("--box-2", "S = 1")),
    ]
    for dim, options, words in cases:
        assert_refused(polyspline("plot", runs[dim], picture, *options), *words)
    assert_refused(polyspline("plot", runs[2], tmp_path / "nowhere" / "a.html"), "nowhere")
    assert sorted(tmp_path.iterdir()) == before


def test_a_partial_run_says_so_and_what_needs_a_whole_one(
    polyspline: Polyspline, network_file: Path, tmp_path: Path
) -> None:
    run, picture = tmp_path / "partial.polyspline", tmp_path / "a.png"
    assert polyspline("enumerate", network_file, "--box", -1, 1, "-o", run, "--max-regions", 4).status == 3
    outcome = polyspline("plot", run, picture, "--what", "surface", "--color", "log-det")
    assert outcome.status == 0
    assert "note: the run is partial" in outcome.stderr
    picture.unlink()
    assert_refused(polyspline("plot", run, picture, "--force", "--color", "density"), "needs all regions")
    assert not picture.exists()


def test_a_network_that_cannot_be_smoothed_is_named(polyspline: Polyspline, tmp_path: Path) -> None:
    net, run = tmp_path / "net.npz", tmp_path / "run.polyspline"
    Network.from_layers([[[1.0, 0.5]], [[1.0]]], [[0.0], [0.0]], "hardtanh").save(net)
    assert polyspline("enumerate", net, "--box", -2, 2, "-o", run).status == 0
    assert_refused(polyspline("plot", run, tmp_path / "a.png", "--what", "smoothing"), "layer 0", "relu")


@pytest.mark.parametrize(
    ("package", "name", "extra"), [("plotly", "a.html", "plot"), ("torch", "a.png", "torch")]
)
def test_a_missing_package_names_its_extra(
    polyspline: Polyspline,
    runs: dict[int, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    package: str,
    name: str,
    extra: str,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    what = "smoothing" if package == "torch" else "partition"
    outcome = polyspline("plot", runs[2], tmp_path / name, "--what", what)
    assert_refused(outcome, f"polyspline[{extra}]")
    assert not (tmp_path / name).exists()


def test_the_help_names_every_picture_and_quantity(polyspline: Polyspline) -> None:
    from polyspline.plots.quantities import LABELS, QUANTITIES

    # A line may end behind a hyphen.
    shown = "".join(polyspline("plot", "--help").stdout.split())
    for name in [*KINDS, *LABELS, *QUANTITIES]:
        assert name.replace("_", "-") in shown
