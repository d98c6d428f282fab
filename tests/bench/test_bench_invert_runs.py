"""The benchmark of inversion itself works: a small case is measured, and the table is printed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from polyspline.network import Network, zoo
from tests.bench import invert
from tests.bench.invert_cases import LEAKY, NOISE, InversionCase, inversion_cases, methods_for
from tests.bench.invert_measure import in_process, measure_inversion
from tests.bench.invert_peers import PEERS, relu_layers

SMALL = InversionCase("small", (2, 4, 3), LEAKY, 1.0, None, max_seconds=30.0)
ROW: dict[str, Any] = {"cpu_seconds": 0.25, "gap": 1e-7, "nodes": 9, "status": "optimal", "distance": 1.0}


def test_a_small_case_is_measured_in_a_process_of_its_own() -> None:
    rows = in_process(SMALL, seeds=[0, 1], norm="l2", method="search")
    assert rows is not None
    assert [row["status"] for row in rows] == ["optimal", "optimal"]
    assert min(row["cpu_seconds"] for row in rows) > 0.0
    here = measure_inversion(SMALL, 1, "l2", "search")
    assert rows[1]["distance"] == pytest.approx(here["distance"], rel=1e-5)


def test_the_quick_table_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(invert, "inversion_cases", lambda limit: [SMALL])
    assert invert.main(["--quick", "--norm", "l2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert [word.strip() for word in lines[2].split("|")[1:4]] == ["small", "l2", "search"]
    assert lines[2].split("|")[8].strip() == "1 of 1"


def test_the_table_has_a_line_for_every_network_norm_and_method(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, Any]] = []

    def answer(case: InversionCase, **options: Any) -> list[dict[str, Any]]:
        asked.append(options)
        return [ROW for _ in options["seeds"]]

    monkeypatch.setattr(invert, "in_process", answer)
    assert invert.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    methods = sum(len(methods_for(norm)) for norm in ("l2", "l1", "linf"))
    assert len(lines) == 2 + methods * len(inversion_cases())
    assert len({line.count("|") for line in lines}) == 1
    assert {len(options["seeds"]) for options in asked} == {1, 3}
    assert invert.main(["--json", "--only", "decoder", "--norm", "linf", "--method", "scan"]) == 0
    assert [line["method"] for line in json.loads(capsys.readouterr().out)] == ["scan", "scan"]
    monkeypatch.setattr(invert, "in_process", lambda case, **options: None)
    assert invert.main(["--only", "decoder"]) == 1


def test_a_peer_that_is_missing_is_said_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PEERS, "omlt", (("no_such_package_at_all",), PEERS["omlt"][1]))
    assert invert.installed_peers(["omlt"]) == []
    assert capsys.readouterr().err == "omlt is left out: no_such_package_at_all is not installed.\n"


def test_a_gap_that_is_not_known_is_the_largest() -> None:
    facts = invert.summary([ROW, ROW | {"gap": None, "status": "feasible", "cpu_seconds": 3.0}])
    assert (facts["gap"], facts["optimal"], facts["seeds"]) == (float("inf"), 1, 2)
    assert facts["cpu_seconds"] == pytest.approx(1.625)


def test_the_cases_are_those_of_the_table() -> None:
    cases = inversion_cases()
    assert len(cases) == 13
    assert {case.max_seconds for case in inversion_cases(5.0)} == {5.0}
    by_name = {case.name: case for case in cases}
    case = by_name["[4,24,24,32] leaky"]
    assert (case.goal("l2"), case.goal("l1"), case.goal("linf")) == (1.0, 3.0, 3.0)
    assert by_name["[8,64,64,64] leaky"].max_seconds == 600.0
    net = case.network(1)
    assert (net.latent_dim, net.ambient_dim, net.n_units) == (4, 32, 48)
    np.testing.assert_array_equal(case.target(net, 1), case.target(net, 1))
    assert by_name["digits decoder, a digit"].target(net, 0).shape == (64,)


def test_the_noise_is_as_large_as_the_table_says() -> None:
    still = InversionCase("still", (3, 5, 40), "relu", None, None, 1.0)
    net = Network.from_layers([np.zeros((5, 3)), np.zeros((40, 5))], [np.zeros(5), np.zeros(40)])
    assert float(np.sqrt(np.mean(still.target(net, 0) ** 2))) == pytest.approx(NOISE)


@pytest.mark.parametrize("activation", ["relu", LEAKY, "leaky_relu:0.5"])
def test_peers_are_given_an_equal_network(activation: str) -> None:
    net = zoo.random_network([3, 6, 5, 4], activation, seed=2)
    points = np.random.default_rng(0).uniform(-3.0, 3.0, (200, 3))
    values = points
    layers = relu_layers(net)
    for weight, bias in layers[:-1]:
        values = np.maximum(values @ weight.T + bias, 0.0)
    np.testing.assert_allclose(values @ layers[-1][0].T + layers[-1][1], net(points), atol=1e-9)
    with pytest.raises(ValueError, match="hardtanh"):
        relu_layers(zoo.random_network([2, 3, 1], "hardtanh", seed=0))
