"""Laws of the examples: each runs, says what it saw, and is in their README with its picture."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from polyspline.network import load_network

EXAMPLES = Path(__file__).parents[2] / "examples"
README = (EXAMPLES / "README.md").read_text(encoding="utf-8")
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py") if not path.stem.startswith("_"))
FIGURES = [name for name in SCRIPTS if name.startswith("figure_")]
TRAINERS = [name for name in SCRIPTS if name.startswith("train_")]

# The defaults take seconds each; the tests look for less, and only that it runs.
SMALLER: dict[str, dict[str, Any]] = {
    "figure_02_dropout": {"WIDTHS": (6, 12), "REGIONS": 10, "DRAWS": 5},
    "figure_03_dropout_circle": {"WIDTH": 8, "EPOCHS": 5, "CURVES": 3},
    "figure_07_two_gaussians": {"STEPS": 20, "LATENTS": 100, "SIGMAS": (0.1, 1.0)},
    "figure_08_angles": {"SHAPES": {2: (3, 4, 8), 4: (5, 8, 16)}, "WIDTHS": (16,), "DRAWS": 3},
    "figure_10_log_det": {"REGIONS": 20, "SEEDS": 2},
    "figure_12_bends": {"WIDTHS": (6, 8), "EPOCHS": 3},
}
VERDICT = re.compile(r"(NOT )?SEEN: expected \S.*; measured \S.*")


@pytest.fixture(autouse=True)
def as_a_script_has_it(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder of the script is on the path; the number of threads, which scripts set, is put back."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def loaded(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", FIGURES)
def test_each_figure_is_made_and_judged_in_the_last_line(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    module = loaded(name, monkeypatch)
    for constant, value in SMALLER.get(name, {}).items():
        monkeypatch.setattr(module, constant, value)
    if name == "figure_05_table_1":
        monkeypatch.setattr(module, "SMALL", module.Sizes(share=32, epochs=1, rate=1e-3, runs=1, latents=20))
    if name == "figure_04_elbow":
        monkeypatch.setattr(module, "SIZES", {**module.SIZES, "epochs": 60, "sizes": [30, 60]})
    picture = tmp_path / "picture.png"
    monkeypatch.setattr(sys, "argv", [name, "--out", str(picture)])
    module.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2] == f"picture: {picture}"
    assert VERDICT.fullmatch(lines[-1])
    assert len(lines) > 2, "no figure is printed"
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture.stat().st_size > 10_000


@pytest.mark.parametrize("name", FIGURES)
def test_help_says_what_is_expected_and_how_to_have_the_sizes_of_the_paper(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = loaded(name, monkeypatch)
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as stopped:
        module.main()
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    for word in ("Expected", "--full", "--out", f"python examples/{name}.py"):
        assert word in shown


def test_a_picture_that_cannot_be_written_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    module = loaded("figure_10_log_det", monkeypatch)
    for target in (tmp_path / "picture.bmp", tmp_path / "nowhere" / "picture.png"):
        monkeypatch.setattr(sys, "argv", ["figure", "--out", str(target)])
        with pytest.raises(SystemExit) as stopped:
            module.main()
        assert stopped.value.code == 2
        assert str(target) in capsys.readouterr().err.splitlines()[-1]


def test_a_script_runs_from_any_folder(tmp_path: Path) -> None:
    root = str(EXAMPLES.parent)
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "figure_01_surface.py")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1].startswith("SEEN: ")
    assert (tmp_path / "figure_01.png").exists()


@pytest.mark.parametrize("name", TRAINERS)
def test_each_training_makes_the_files_that_ship_but_for_the_weights(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    module = loaded(name, monkeypatch)
    whole = module.train
    monkeypatch.setattr(module, "train", lambda *given, **options: whole(*given, **{**options, "epochs": 1}))
    target = tmp_path / "digits_generator.npz" if name == "train_digits_generator" else tmp_path
    monkeypatch.setattr(sys, "argv", [name, str(target)])
    module.main()
    assert str(target) in capsys.readouterr().out
    made = sorted(path.name for path in tmp_path.iterdir())
    for file in made:
        if file.endswith(".npz"):
            assert repr(load_network(tmp_path / file)) == repr(load_network(EXAMPLES / file))
    assert made in (
        ["digits_generator.npz"], ["digit.npy", "digits_decoder.npz"], ["app_e_conv.npz", "app_e_fc.npz"]
    )  # fmt: skip


def test_the_readme_has_every_script_and_every_picture() -> None:
    for name in SCRIPTS:
        assert f"{name}.py" in README
    shown = set(re.findall(r"\]\((pictures/[^)]+)\)", README))
    assert shown == {f"pictures/{path.name}" for path in (EXAMPLES / "pictures").iterdir()}
    for name in FIGURES:
        picture = "_".join(name.split("_")[:2])
        assert f"python examples/{name}.py --out examples/pictures/{picture}.png" in README
        assert f"pictures/{picture}.png" in shown


def test_pictures_are_small() -> None:
    sizes = [path.stat().st_size for path in (EXAMPLES / "pictures").iterdir()]
    assert max(sizes) < 150_000
    assert sum(sizes) < 1_500_000
