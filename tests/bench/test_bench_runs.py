"""The benchmark itself works: a small case is measured, and the table is printed."""

from __future__ import annotations

import json

import pytest

from tests.bench import walk
from tests.bench.cases import Case, growth_cases, resonance_network, standard_cases
from tests.bench.measure import measure_polyspline


@pytest.mark.parametrize("whole_space", [False, True])
def test_a_small_case_is_measured(whole_space: bool) -> None:
    measured = measure_polyspline(Case("small", (2, 5, 1), whole_space, cap=6), workers=1, run_file=True)
    assert measured["regions"] == 6
    assert measured["regions_per_cpu_second"] > 0.0
    assert measured["bytes_per_region"] is None


def test_the_table_has_a_row_for_every_network(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = {
        "regions": 9,
        "complete": False,
        "regions_per_cpu_second": 1.0,
        "facets_per_region": 3.5,
        "exact_fallbacks": 0,
        "bytes_per_region": None,
    }
    monkeypatch.setattr(walk, "in_process", lambda request: answer)
    assert walk.main(["--quick"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(standard_cases(None))
    assert len({line.count("|") for line in lines}) == 1
    assert walk.main(["--json", "--only", "resonance"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["resonance n=5 space"]
    monkeypatch.setattr(walk, "in_process", lambda request: None)
    assert walk.main(["--only", "resonance"]) == 1


def test_the_cases_are_those_of_the_table() -> None:
    assert len(standard_cases(None)) == 15
    assert resonance_network(5).n_units == 31
    assert [case.cap for case in growth_cases(1_000_000)] == [10**4, 10**5, 10**6]
