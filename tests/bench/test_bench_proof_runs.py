"""The benchmark of certificates itself works: every case is proven in part, and the table is printed."""

from __future__ import annotations

import json

import pytest

from tests.bench import proof


def test_every_case_is_proven_in_part(capsys: pytest.CaptureFixture[str]) -> None:
    assert proof.main(["--regions", "12", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [case.name for case in proof.CASES]
    assert all(row["status"] == 0 and row["bytes"] > 0 for row in rows)


def test_the_table_has_a_row_for_every_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert proof.main(["--regions", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(proof.CASES)
    assert len({line.count("|") for line in lines}) == 1
