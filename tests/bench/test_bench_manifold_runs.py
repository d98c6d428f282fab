"""The benchmark of the manifold itself works: small partitions are measured, and the table is printed."""

from __future__ import annotations

import json

import pytest

from tests.bench import manifold


def test_the_quick_table_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert manifold.main(["--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "maps",
        "maps, one by one",
        "Jacobians",
        "angles",
        "dimension",
        "log-determinants",
        "disentanglement",
        "volumes",
        "volumes, thin",
        "ranges of values",
        "density",
        "entropy",
    ]
    assert len({line.count("|") for line in lines}) == 1


def test_some_rows_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert manifold.main(["--quick", "--only", "Jacobians", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found] == ["Jacobians"]
    assert found[0]["items"] == 500
    assert found[0]["rate"] > 0
    assert found[0]["goal"] == ""


def test_the_maps_are_the_jacobians(capsys: pytest.CaptureFixture[str]) -> None:
    assert manifold.main(["--quick", "--only", "Jacobians", "--json"]) == 0
    assert 0 <= json.loads(capsys.readouterr().out)[0]["difference"] < 1e-12
