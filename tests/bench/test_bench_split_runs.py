"""The benchmark of splitting works: small networks are measured, and the tables are printed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.bench import measure, split


def test_a_small_network_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "_LEAST_CPU_SECONDS", 0.0)
    row = split.measure_engines((2, 4, 1), walk=True)
    assert min(row["split"], row["count"], row["walk"]) > 0.0
    assert row["regions"] > 1
    assert split.measure_growth((2, 4, 1), workers=1)["regions"] == row["regions"]


def test_the_table_has_a_row_for_every_network_and_says_where_a_peer_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"regions": 9, "split": 3.0, "count": 4.0, "walk": 1.0, "exact_fallbacks": 0}
    monkeypatch.setattr(split, "in_process", lambda request: dict(row))
    monkeypatch.setattr(measure, "in_process", lambda request: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert split.main(["--against", "relucent"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(split.WIDTHS)
    assert len({line.count("|") for line in lines}) == 1
    assert all("failed" in line for line in lines[2:])
    assert split.main(["--json", "--only", "5,12"]) == 0
    assert json.loads(capsys.readouterr().out) == {"[5,12,12,1]": row}


def test_a_peer_that_is_not_installed_is_said_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert split.main(["--against", "relucent"]) == 2
    assert "pip install relucent" in capsys.readouterr().err


def test_the_curve_goes_as_far_as_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counted: list[Any] = []

    def found(request: dict[str, Any]) -> dict[str, Any]:
        counted.append(request["widths"])
        regions = 10 ** (3 + len(counted))
        return {
            "regions": regions,
            "adjacencies": 4 * regions,
            "seconds": 1.0,
            "cpu_seconds": 1.0,
            "peak_bytes": 10**8,
        }

    monkeypatch.setattr(split, "in_process", found)
    assert split.main(["--growth", "1000000"]) == 0
    assert counted == list(split.GROWING[:3])
    assert len(capsys.readouterr().out.splitlines()) == 2 + 3
