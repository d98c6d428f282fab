"""``polyspline count`` and ``--method``: the same numbers as the library, one JSON object, exit statuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import polyspline as ps
from polyspline.cli.app import run

NET = ps.zoo.random_network([2, 10, 10, 1], seed=5)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("count") / "net.npz"
    NET.save(path)
    return path


def test_the_json_has_the_counts(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["count", str(file), "--box", "-1", "1", "--workers", "2", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    part = ps.enumerate_regions(NET, ps.Box(-1.0, 1.0, dim=2), method="split")
    assert (facts["regions"], facts["adjacencies"]) == (len(part), part.n_adjacencies)
    assert facts["complete"] is True
    assert facts["estimate"] == len(part)
    assert facts["stop"] == "complete"


def test_the_table_is_for_people(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["count", str(file), "--box", "-1", "1"]) == 0
    printed = capsys.readouterr().out
    assert "adjacencies" in printed
    assert "complete" in printed


def test_a_limit_ends_with_status_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.npz"
    ps.zoo.random_network([2, 48, 48, 48, 48, 1], seed=0).save(path)
    assert run(["count", str(path), "--box", "-1", "1", "--max-seconds", "1e-9", "--json"]) == 3
    said = capsys.readouterr()
    assert json.loads(said.out)["stop"] == "max_seconds"
    assert "partial" in said.err


def test_bad_input_is_one_sentence(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["count", str(file)]) == 2
    assert run(["count", str(file), "--box", "-1", "1", "--workers", "0"]) == 2
    assert run(["enumerate", str(file), "--whole-space", "--method", "split"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("error: ") == 3


@pytest.mark.parametrize("method", ["walk", "split", "auto"])
def test_every_method_enumerates(file: Path, method: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["enumerate", str(file), "--box", "-1", "1", "--method", method, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    found = ps.count(NET, ps.Box(-1.0, 1.0, dim=2))
    assert (facts["regions"], facts["adjacencies"]) == (found.regions, found.adjacencies)
