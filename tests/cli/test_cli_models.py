"""Models of other packages on the command line: read, enumerated, and shown as the network they become."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import parser

from tests.cli.conftest import Polyspline

TEXT = """
    <ir_version: 10, opset_import: ["" : 21]> model (float[N, 2] x) => (float[N, 1] y)
    <float[2, 3] w = {1.0, -1.0, 0.5, 2.0, 1.0, -0.25}>
    { a = MatMul (x, w) b = Relu (a) c = ReduceMax (b) s = ReduceSum (x) y = Add (c, s) }
"""


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(parser.parse_model(TEXT).SerializeToString())
    return path


def test_an_onnx_model_is_enumerated(polyspline: Polyspline, model_file: Path) -> None:
    outcome = polyspline("enumerate", model_file, "--box", "-1", "1", "--json")
    assert outcome.status == 0
    assert (outcome.facts["complete"], outcome.facts["units"], outcome.facts["latent_dim"]) == (True, 4, 2)


def test_info_shows_the_lowered_network(polyspline: Polyspline, model_file: Path) -> None:
    facts = polyspline("info", model_file, "--json").facts["network"]["layers"]
    assert [(layer["inputs"], layer["rows"], layer["outputs"], layer["units"]) for layer in facts] == [
        (2, 5, 5, 3),
        (5, 5, 3, 1),
        (3, 1, 1, 0),
    ]
    assert [layer["nonzeros"] for layer in facts] == [8, 5, 3]
    assert facts[1]["kinds"] == {"identity": 2, "max:3": 1}
    shown = polyspline("info", model_file).stdout
    head, first, second, _ = shown.splitlines()[-4:]
    assert head.split() == ["layer", "inputs", "rows", "outputs", "units", "nonzeros", "stored", "kinds"]
    assert "dense    2 identity, 3 relu" in first
    assert "2 identity, 1 max:3" in second


def test_a_model_that_is_no_network_is_refused(polyspline: Polyspline, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(parser.parse_model(TEXT.replace("Relu", "Tanh")).SerializeToString())
    outcome = polyspline("info", path)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "applies tanh" in outcome.stderr


@pytest.mark.parametrize("command", ["enumerate", "count", "info", "invert"])
def test_a_smooth_function_at_the_end_is_left_out_if_that_is_asked_for(
    polyspline: Polyspline, tmp_path: Path, command: str
) -> None:
    path = tmp_path / "model.onnx"
    smooth = TEXT.replace("y = Add (c, s)", "t = Add (c, s) y = Sigmoid (t)")
    path.write_bytes(parser.parse_model(smooth).SerializeToString())
    (tmp_path / "x.json").write_text("[1.0]")
    given = [command, path, *[tmp_path / "x.json"] * (command == "invert")]
    rest = ["--json", *(["--box", "-1", "1"] if command != "info" else [])]
    refused = polyspline(*given, *rest)
    assert (refused.status, refused.stdout) == (2, "")
    (sentence,) = refused.stderr.splitlines()
    assert "applies sigmoid" in sentence
    assert sentence.endswith("; give --drop-output-activation to analyse what goes into it.")
    outcome = polyspline(*given, *rest, "--drop-output-activation")
    assert outcome.status == 0
    # What goes into the sigmoid is the model without one.
    path.write_bytes(parser.parse_model(TEXT).SerializeToString())
    for name in ("regions", "units", "distance", "latent_dim"):
        assert outcome.facts.get(name) == polyspline(*given, *rest).facts.get(name)


def test_a_run_has_no_function_to_leave_out(polyspline: Polyspline, run_file: Path) -> None:
    outcome = polyspline("info", run_file, "--drop-output-activation")
    assert (outcome.status, outcome.stdout) == (2, "")
    assert "is for networks" in outcome.stderr
