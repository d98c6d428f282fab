"""What a hostile file or a hostile name can do to the command line: nothing but one printable sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from polyspline.cli import status
from polyspline.text import LONGEST_SENTENCE, cut, one_line, visible
from tests.cli.conftest import Polyspline
from tests.fuzz.readers_onnx import serialized


def named(path: Path, name: str) -> Path:
    """Write a model whose one node has a name, and cannot be read."""
    node = helper.make_node("Tanh", ["x"], ["y"], name=name)
    ends = [helper.make_tensor_value_info(end, 1, [1, 3]) for end in "xy"]
    made = helper.make_graph([node], "net", ends[:1], ends[1:])
    path.write_bytes(helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)]).SerializeToString())
    assert onnx.load(path).graph.node[0].name == name
    return path


@pytest.mark.parametrize(
    "name", ["n" * 2_000_000, "a b " * 500_000, "\x1b]0;title\x07\x1b[2J", "\u202eright to left", "a\nb"]
)
def test_a_name_out_of_a_file_is_cut_and_printable(polyspline: Polyspline, tmp_path: Path, name: str) -> None:
    outcome = polyspline("info", named(tmp_path / "model.onnx", name))
    assert (outcome.status, outcome.stdout) == (2, "")
    (sentence,) = outcome.stderr.splitlines()
    assert sentence.isprintable()
    assert len(sentence) < LONGEST_SENTENCE + 100
    assert "applies tanh" in sentence


def test_control_characters_of_a_file_name_never_reach_the_terminal(
    polyspline: Polyspline, cross_file: Path, tmp_path: Path
) -> None:
    for name in ("a\x1b[31mb", "a\x07b\x9b2J"):
        missing = polyspline("info", tmp_path / f"{name}.npz")
        assert missing.status == 2
        there = tmp_path / f"{name}.npz"
        there.write_bytes(cross_file.read_bytes())
        shown = polyspline("info", there)
        assert shown.status == 0
        assert json.loads(polyspline("info", there, "--json").stdout)["file"] == str(there)
        made = polyspline(
            "enumerate", there, "--box", -1, 1, "-o", tmp_path / f"{name}.run", "--max-regions", 2
        )
        assert made.status == 3
        for stream in (missing.stderr, shown.stdout, shown.stderr, made.stdout, made.stderr):
            assert visible(stream) == stream


def test_the_limits_of_a_file_can_be_raised(polyspline: Polyspline, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(serialized("convolutional"))
    refused = polyspline("info", path, "--read-limits", 1e-6)
    assert (refused.status, refused.stdout) == (2, "")
    assert "give --read-limits 1e-05 for ten times as much" in refused.stderr
    assert polyspline("info", path, "--read-limits", 2).status == 0
    assert polyspline("info", path, "--read-limits", -2).status == 2


def test_only_a_command_that_keeps_a_run_is_told_to_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(status, "_run_files", [])
    status.report_defect(MemoryError, MemoryError(), None)
    status.keeps_a_run(tmp_path / "run.polyspline")  # which is not there yet
    status.report_defect(MemoryError, MemoryError(), None)
    (tmp_path / "run.polyspline").touch()
    status.report_defect(MemoryError, MemoryError(), None)
    first, second, third = capsys.readouterr().err.splitlines()
    assert first == second == "internal error: the memory is used up."
    assert "see --resume" in third


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_a_point_that_is_no_array_is_refused(
    polyspline: Polyspline, cross_file: Path, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"point{suffix}"
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }"
    if suffix == ".npy":
        path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    else:
        np.savez(path, a=np.array([1 + 2j, 0]))
    outcome = polyspline("enumerate", cross_file, "--box", -1, 1, "--start", path)
    assert (outcome.status, outcome.stdout) == (2, "")
    assert str(path) in outcome.stderr


def test_text_is_cut_in_its_middle_and_its_end_stays() -> None:
    assert cut("abc", 3) == "abc"
    assert cut("a" * 500 + "z" * 500, 30) == "a" * 20 + "...(970 more)..." + "z" * 10
    assert one_line(" a\n\tb\x1b[0m \ud800") == r"a b\x1b[0m \ud800"
    assert one_line("é ∞ 界") == "é ∞ 界"
