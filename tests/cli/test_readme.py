"""What the README says is so: its commands run, its figures are right, its picture is what the tool draws."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyspline as ps
from tests.cli.conftest import ROOT, Polyspline

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def beside_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder that has the examples in it."""
    (tmp_path / "examples").symlink_to(ROOT / "examples", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_two_commands_install_it_and_count_the_regions_it_says(
    polyspline: Polyspline, beside_examples: Path
) -> None:
    install, enumerate_line = blocks("bash")[0].strip().split(" && ")
    assert install == "pip install -c .ci/constraints.txt '.[plot]'"
    program, *arguments = shlex.split(enumerate_line)
    assert program == "polyspline"
    outcome = polyspline(*arguments, "--json")
    assert outcome.status == 0
    counts = f"{outcome.facts['regions']} regions and {outcome.facts['adjacencies']} adjacencies"
    assert counts in README


def test_the_picture_is_what_the_tool_draws(polyspline: Polyspline, beside_examples: Path) -> None:
    from matplotlib.image import imread

    _, *arguments = shlex.split(blocks("bash")[0].strip().split(" && ")[1])
    assert polyspline(*arguments).status == 0
    (plot_line,) = re.findall(r"`polyspline (plot \S+ \S+)`", README)
    assert polyspline(*shlex.split(plot_line)).status == 0
    name = re.findall(r"^!\[.*?\]\((\S+)\)$", README, flags=re.MULTILINE)[0]
    drawn, shown = imread(shlex.split(plot_line)[-1]), imread(ROOT / name)
    assert drawn.shape == shown.shape
    # Another version of matplotlib or its fonts may shade the edges of lines and letters differently.
    assert np.abs(drawn - shown).mean() < 0.02


def test_three_commands_enumerate_prove_and_check(polyspline: Polyspline, beside_examples: Path) -> None:
    lines = [shlex.split(line) for line in blocks("bash")[1].splitlines()]
    assert [line[:2] for line in lines] == [["polyspline", name] for name in ("enumerate", "prove", "check")]
    for _, *arguments in lines:
        outcome = polyspline(*arguments)
        assert outcome.status == 0
    assert outcome.stdout.startswith("proven: 380 regions and 726 pairs")


def test_the_python_examples_run_and_give_the_figures_they_say(beside_examples: Path) -> None:
    example, *others = blocks("python")
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    for other in others:
        exec(compile(other, "README.md", "exec"), names)
    assert names["inv"].status is ps.InversionStatus.OPTIMAL
    (line,) = [line for line in example.splitlines() if "n_affine_regions" in line]
    expression, _, said = line.partition("#")
    assert eval(expression, names) == tuple(int(word) for word in said.split(","))
    assert sorted(os.listdir(beside_examples)) == ["digits.graphml", "digits.polyspline", "examples"]


def test_the_command_line_is_spelled_as_the_help_does(polyspline: Polyspline) -> None:
    (synopsis,) = blocks("text")
    commands = "enumerate count prove check info invert analyse export plot warmup"
    for command in commands.split():
        described = synopsis.partition(f"polyspline {command} ")[2].partition("polyspline ")[0]
        shown = polyspline(command, "--help").stdout
        # The synopsis has -o for the run file's --output.
        spelled_out = {"--output"} if command in {"enumerate", "prove"} else set()
        options = set(re.findall(r"--[a-z][a-z0-9-]*", shown)) - {"--help"} - spelled_out
        assert set(re.findall(r"--[a-z][a-z0-9-]*", described)) == options


def test_the_checks_that_the_readme_names_are_those_that_run_on_every_change() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert blocks("bash")[-1].strip() in script.splitlines()


def test_every_file_that_the_readme_names_exists() -> None:
    for name in re.findall(r"(?:examples|solvers|tests|polyspline)/[\w/]+\.\w+", README):
        assert (ROOT / name).exists(), name
