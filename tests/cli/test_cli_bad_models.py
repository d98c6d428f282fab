"""Model files that are no network: one sentence on stderr that names the file, exit 2, nothing on stdout."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper, parser

from tests.cli.conftest import Polyspline
from tests.network.models import Lambda

SIGNED = """
    s = ReduceSum <keepdims = 0> (x) zero = Constant <value = float {0.0}> () above = Greater (s, zero)
    y = If (above) <then_branch = yes () => (float[N, 3] a) { a = Identity (x) },
                    else_branch = no () => (float[N, 3] b) { b = Neg (x) }>
"""


def onnx_file(
    path: Path, body: str = "y = Relu (x)", *, given: str = "float[N, 3] x", opset: int = 21
) -> None:
    imports = f'"" : {opset}, "mine" : 1'
    text = f"<ir_version: 10, opset_import: [{imports}]> net ({given}) => (float[N, 3] y) {{ {body} }}"
    path.write_bytes(parser.parse_model(text).SerializeToString())


def with_missing_weights(path: Path) -> None:
    onnx_file(path, "y = Add (x, w)")
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.ones(3, dtype=np.float32), "w"))
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (path.parent / "weights.bin").unlink()


def truncated(path: Path) -> None:
    onnx_file(path)
    path.write_bytes(path.read_bytes()[:-9])


ONNX: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (truncated, "truncated, damaged, or no ONNX model"),
    "empty": (lambda path: path.touch(), "is empty"),
    "missing": (lambda path: None, "does not exist"),
    "wrong opset": (lambda path: onnx_file(path, opset=9), "has opset 9; expected 13 to"),
    "dynamic shape": (lambda path: onnx_file(path, given="float[N, M] x"), "dynamic shape (?, ?)"),
    "control flow": (lambda path: onnx_file(path, SIGNED), "(If): is control flow"),
    "external data missing": (with_missing_weights, "put that file beside it"),
    "custom operator": (lambda path: onnx_file(path, "y = mine.Magic (x)"), "a custom operator"),
    "jump": (lambda path: onnx_file(path, "y = Sign (x)"), "(Sign): applies sign, which jumps"),
    "smooth": (lambda path: onnx_file(path, "a = Tanh (x) y = Relu (a)"), "(Tanh): applies tanh"),
}


def exported(path: Path, function: Callable[[torch.Tensor], Any], **dynamic: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of itself
        program = torch.export.export(Lambda(function), (torch.zeros(1, 3),), **dynamic)  # type: ignore[arg-type]
        torch.export.save(program, path)


def cut(path: Path) -> None:
    exported(path, torch.relu)
    path.write_bytes(path.read_bytes()[:-100])


@torch.library.custom_op("tests::magic", mutates_args=())
def magic(x: torch.Tensor) -> torch.Tensor:
    return x.clone()


magic.register_fake(torch.empty_like)

TORCH: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (cut, "truncated or damaged"),
    "bare weights": (lambda path: torch.save({"w": torch.zeros(2)}, path), "never loaded"),
    "dynamic shape": (
        lambda path: exported(
            path, torch.relu, dynamic_shapes=({1: torch.export.Dim("length", min=2, max=9)},)
        ),
        "dynamic shape (1, ?)",
    ),
    "control flow": (
        lambda path: exported(
            path, lambda x: torch.cond(x.sum() > 0, lambda y: y + 1, lambda y: y - 1, (x,))
        ),
        "control flow",
    ),
    "custom operator": (lambda path: exported(path, magic), "tests.magic"),
    "smooth": (lambda path: exported(path, lambda x: torch.tanh(x).relu()), "applies tanh"),
}

FILES = [("model.onnx", *entry) for entry in ONNX.values()] + [
    ("model.pt2", *entry) for entry in TORCH.values()
]


@pytest.mark.parametrize(
    ("name", "write", "words"),
    FILES,
    ids=[*(f"onnx {key}" for key in ONNX), *(f"torch {key}" for key in TORCH)],
)
def test_a_bad_model_is_refused_in_one_sentence(
    polyspline: Polyspline, tmp_path: Path, name: str, write: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / name
    write(path)
    before = sorted(tmp_path.iterdir())
    for rest in (("info",), ("enumerate", "--box", -1, 1, "-o", tmp_path / "run.polyspline")):
        outcome = polyspline(rest[0], path, *rest[1:])
        assert (outcome.status, outcome.stdout) == (2, ""), outcome
        (sentence,) = outcome.stderr.splitlines()
        assert sentence.startswith(f"error: network file {str(path)!r}")
        assert sentence.endswith(".")
        assert words in sentence
    assert sorted(tmp_path.iterdir()) == before
