"""The benchmark of slices itself works: every case is walked, in a small box, and the table is printed."""

from __future__ import annotations

import json

import pytest

from tests.bench import slices


def test_every_case_is_complete_in_a_small_box(capsys: pytest.CaptureFixture[str]) -> None:
    assert slices.main(["--scale", "0.02", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [case.name for case in slices.CASES]
    assert all(row["complete"] and row["regions"] >= 1 for row in rows)


def test_the_table_has_a_row_for_every_case(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = slices.measure(slices.CASES[2], 0.05)
    monkeypatch.setattr(slices, "measure", lambda case, scale: row)
    assert slices.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(slices.CASES)
    assert len({line.count("|") for line in lines}) == 1
