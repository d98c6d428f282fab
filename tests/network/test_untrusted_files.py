"""Files that nobody vouches for: refused in a sentence before they cost anything; defects stay defects."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper, parser

from polyspline.errors import (
    NetworkFileError,
    PolysplineError,
    ShapeError,
    TooLargeError,
    UnsupportedLayerError,
)
from polyspline.network import Network, load_network, onnx_ops, torch_ops
from polyspline.network.limits import Budget, Limits
from tests.fuzz.cases import ReaderCase
from tests.fuzz.judge_reader import judge_reader
from tests.fuzz.readers import HEADERS, NETWORK, array_members, bomb, headed
from tests.fuzz.readers import archive as archived
from tests.fuzz.readers_onnx import evil_models, serialized
from tests.fuzz.readers_torch import PROGRAMS, call, evil_programs, ints, one, packed, program, tensor
from tests.network.models import Lambda


def model(
    body: str, given: str = "float[N, 3] x", result: str = "float[N, M] y", **held: Any
) -> onnx.ModelProto:
    text = f'<ir_version: 10, opset_import: ["" : 13]> net ({given}) => ({result}) {{ {body} }}'
    made: onnx.ModelProto = parser.parse_model(text)
    for name, value in held.items():
        given_one = (
            value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(np.asarray(value), name)
        )
        made.graph.initializer.append(given_one)
    return made


def torch_file(path: Path, nodes: list[dict[str, Any]], shape: tuple[int, ...] = (1, 3)) -> Path:
    weights = {"w": np.eye(3), "b": np.ones(3), "k": np.ones((1, 1, 2, 2))}
    path.write_bytes(archived(packed(program(nodes, "y", shape, weights))))
    return path


IMAGE, KERNEL = "float[1, 1, 4, 4] x", np.ones((1, 1, 2, 2), np.float32)
OUT = "float[1, A, B, C] y"

ONNX: dict[str, tuple[Callable[[], onnx.ModelProto], type[PolysplineError], str]] = {
    "an axis that is not there": (
        lambda: model("y = ReduceMax <axes = [7]> (x)"), ShapeError, r"the axes \[7\] of a tensor with 2",
    ),
    "the same axis twice": (
        lambda: model("y = ReduceMax <axes = [1, -1]> (x)"), ShapeError, "expected different ones",
    ),
    "a kernel for fewer axes": (
        lambda: model("y = AveragePool <kernel_shape = [2]> (x)", IMAGE, OUT), ShapeError, "over 2 axes",
    ),
    "a kernel that is not the weights'": (
        lambda: model("y = Conv <kernel_shape = [3, 3]> (x, w)", IMAGE, OUT, w=KERNEL), ShapeError,
            "kernel_shape",
    ),
    "a misspelt attribute": (
        lambda: model("y = Conv <stride = [2, 2]> (x, w)", IMAGE, OUT, w=KERNEL), NetworkFileError,
        "attribute 'stride', which Conv does not know; it knows auto_pad, dilations",
    ),
    "an attribute of another type": (
        lambda: model("y = LeakyRelu <alpha = 1> (x)"), NetworkFileError, "type INT; expected FLOAT",
    ),
    "an attribute missing": (lambda: model("y = Concat (x, x)"), NetworkFileError, "no attribute axis"),
    "too few inputs": (lambda: model("y = Add (x)"), NetworkFileError, "has 1 inputs; expected 2"),
    "no groups": (
        lambda: model("y = Conv <group = 0> (x, w)", IMAGE, OUT, w=KERNEL), ShapeError, "has 0 groups",
    ),
    "a negative dilation": (
        lambda: model("y = Conv <dilations = [-1, -1]> (x, w)", IMAGE, OUT, w=KERNEL), ShapeError,
            "positive ones",
    ),
    "steps of zero": (
        lambda: model("y = MaxPool <kernel_shape = [2, 2], strides = [0, 1]> (x)", IMAGE, OUT), ShapeError,
        "positive ones",
    ),
    "a kernel of zero": (
        lambda: model("y = MaxPool <kernel_shape = [0, 2]> (x)", IMAGE, OUT), ShapeError, "positive ones",
    ),
    "a negative padding": (
        lambda: model("y = MaxPool <kernel_shape = [2, 2], pads = [-1, 0, 0, 0]> (x)", IMAGE, OUT),
            ShapeError,
        "two numbers >= 0",
    ),
    "a bias of another shape": (
        lambda: model("y = Conv (x, w, b)", IMAGE, OUT, w=KERNEL, b=np.ones(5, np.float32)), ShapeError,
        r"bias of shape \(5,\)",
    ),
    "complex weights": (
        lambda: model("y = Add (x, w)", w=np.ones(3, np.complex64)), UnsupportedLayerError, "type complex64",
    ),
    "weights of four bits": (
        lambda: model("y = Add (x, w)", w=helper.make_tensor("w", TensorProto.INT4, [3], [1, 2, 3])),
        UnsupportedLayerError, "type int4",
    ),
    "integers that float64 does not hold": (
        lambda: model("c = Cast <to = 11> (x) y = Mul (c, w)", w=np.array([1, 2, 2**53 + 1])),
            PolysplineError, "float64",
    ),
    "sizes that are no number": (
        lambda: model('y = Resize <mode = "nearest"> (x, , s)', s=np.array([1, np.nan], np.float32)),
            ShapeError,
        "expected a positive number for each",
    ),
    "what nothing makes": (lambda: model("y = Relu (z)"), NetworkFileError,
        "'z', which nothing before it makes"),
    "a second result that is not there": (
        lambda: model("a, i = MaxPool <kernel_shape = [2, 2]> (x) y = Relu (i)", IMAGE, OUT),
            UnsupportedLayerError,
        "result number 2",
    ),
    "what the checker alone refuses": (
        lambda: model("y = Relu (x) z = Relu (x) z = Abs (x)"), NetworkFileError,
            "refused by the checker of onnx",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "error", "words"), ONNX.values(), ids=ONNX)
def test_an_onnx_model_that_says_what_cannot_be_is_refused(
    make: Callable[[], onnx.ModelProto], error: type[PolysplineError], words: str
) -> None:
    with pytest.raises(error, match=words):
        Network.from_onnx(make())


TORCH: dict[str, tuple[list[dict[str, Any]], str]] = {
    "memory that nobody has written to": (
        [call("empty.memory_format", "e", ints(3)), call("add.Tensor", "y", tensor("x"), tensor("e"))],
        "memory that nothing has written to",
    ),
    "an empty copy": (
        [call("empty_like.default", "e", tensor("b")), call("add.Tensor", "y", tensor("x"), tensor("e"))],
        "memory that nothing has written to",
    ),
    "what nothing makes": ([call("relu.default", "y", tensor("z"))], "'z', which nothing before it makes"),
    "too many arguments": ([call("relu.default", "y", tensor("x"), one(1))],
        "gets 2 arguments; expected at most 1"),
    "an argument of another kind": (
        [call("leaky_relu.default", "y", tensor("x"), ints(1, 2))],
            "another kind of argument for negative_slope",
    ),
    "a number in place of weights": (
        [call("conv2d.default", "y", tensor("x"), one(1))], "another kind of argument for weight",
    ),
    "other results": (
        [call("relu.default", "y", tensor("x")) | {"outputs": [tensor("y"), tensor("z")]}],
            "other results than the 2",
    ),
    "weights that do not fit": ([call("linear.default", "y", tensor("x"), tensor("k"))], "expected a matrix"),
    "a power with a billion digits": (
        [call("relu.default", "y", tensor("x")), {
            "target": "_operator.pow", "metadata": {}, "outputs": [{"as_sym_int": {"as_name": "n"}}],
            "inputs": [{"name": "", "arg": one(10), "kind": 1}, {"name": "", "arg": one(10**9), "kind": 1}],
        }, call("view.default", "z", tensor("y"), {"as_sym_ints": [{"as_name": "n"}]})],
        "not supported for what it gets",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("nodes", "words"), TORCH.values(), ids=TORCH)
def test_a_program_that_says_what_cannot_be_is_refused(
    tmp_path: Path, nodes: list[dict[str, Any]], words: str
) -> None:
    made = program(
        nodes,
        nodes[-1]["outputs"][0]["as_tensor"]["name"],
        (1, 3),
        {"b": np.ones(3), "k": np.ones((1, 1, 2, 2))},
    )
    (tmp_path / "model.pt2").write_bytes(archived(packed(made)))
    with pytest.raises(PolysplineError, match=words):
        load_network(tmp_path / "model.pt2")


def test_the_files_that_the_fuzzer_changes_are_sound(tmp_path: Path) -> None:
    for name in ("dense", "convolutional", "moving", "function"):
        (tmp_path / "model.onnx").write_bytes(serialized(name))
        assert load_network(tmp_path / "model.onnx").n_units > 0
    for make in PROGRAMS.values():
        (tmp_path / "model.pt2").write_bytes(archived(packed(make())))
        assert load_network(tmp_path / "model.pt2").n_units > 0


# ---- limits


EVIL = [(f"onnx {i}", ".onnx", make) for i, make in enumerate(evil_models())] + [
    (f"torch {i}", ".pt2", make) for i, make in enumerate(evil_programs())
]


@pytest.mark.parametrize(("suffix", "make"), [entry[1:] for entry in EVIL], ids=[entry[0] for entry in EVIL])
def test_a_file_made_to_exhaust_a_reader_ends_in_a_sentence_or_a_network(
    suffix: str, make: Callable[[], bytes]
) -> None:
    assert judge_reader(ReaderCase(suffix, make())).failures == []


@pytest.mark.parametrize("name", ["unused.npy", "weight_1.npy"])
def test_an_archive_is_measured_before_it_is_unpacked(tmp_path: Path, name: str) -> None:
    members = array_members(NETWORK)
    (tmp_path / "bomb.npz").write_bytes(bomb(name, 6000, members))
    with pytest.raises(TooLargeError, match=r"bomb\.npz'.*bytes of unpacked data; at most 4,294,967,296"):
        load_network(tmp_path / "bomb.npz")
    (tmp_path / "model.pt2").write_bytes(bomb("m/unused", 6000, packed(PROGRAMS["dense"]())))
    with pytest.raises(TooLargeError, match="bytes of unpacked data"):
        load_network(tmp_path / "model.pt2")


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_that_is_none_is_refused_in_a_sentence(tmp_path: Path, header: bytes) -> None:
    members = array_members(NETWORK) | {"bias_0.npy": headed(header)}
    (tmp_path / "model.npz").write_bytes(archived(members))
    with pytest.raises(NetworkFileError, match=r"model\.npz'.*'bias_0'|damaged"):
        load_network(tmp_path / "model.npz")


def test_limits_are_multiplied_where_a_file_can_be_trusted(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(serialized("convolutional"))
    whole = load_network(tmp_path / "model.onnx")
    with pytest.raises(TooLargeError, match=r"at most \d+ are read, pass limits=Limits\(\) \* 10"):
        load_network(tmp_path / "model.onnx", limits=Limits() * 1e-6)
    assert load_network(tmp_path / "model.onnx", limits=Limits() * 10) == whole
    for factor in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(PolysplineError, match="positive finite"):
            Limits() * factor


def test_a_budget_is_spent_once() -> None:
    budget = Budget(Limits(entries=10))
    budget.spend("entries", 6, "one")
    with pytest.raises(TooLargeError, match="two needs 11 numbers"):
        budget.spend("entries", 5, "two")
    budget.spend("entries", 4, "three")
    with pytest.raises(TooLargeError, match=r"more than 10\^\d{3}"):
        budget.spend("entries", 10**1000, "four")


def test_external_data_that_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    proto = model("y = MatMul (x, w)", w=np.ones((3, 4), np.float32))
    onnx.save(
        proto, tmp_path / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    with pytest.raises(TooLargeError, match="external data"):
        load_network(tmp_path / "model.onnx", limits=Limits(unpacked_bytes=40))
    (tmp_path / "weights.bin").unlink()
    os.mkfifo(tmp_path / "weights.bin")
    with pytest.raises(NetworkFileError, match="no plain file"):
        load_network(tmp_path / "model.onnx")


# ---- defects


DEFECTS = (AttributeError, TypeError, KeyError, ValueError, IndexError, ZeroDivisionError, AssertionError)


def failing(error: type[Exception]) -> Callable[..., Any]:
    def of(*_: Any, **__: Any) -> Any:
        raise error("a defect of ours")

    return of


@pytest.mark.parametrize("error", DEFECTS)
def test_an_error_of_ours_on_a_good_file_stays_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    monkeypatch.setitem(onnx_ops.OPERATORS, "Relu", failing(error))
    with pytest.raises(error, match="a defect of ours"):
        Network.from_onnx(model("y = Relu (x)"))
    monkeypatch.setitem(torch_ops.OPERATORS, "relu", failing(error))
    with pytest.raises(error, match="a defect of ours"):
        load_network(torch_file(tmp_path / "model.pt2", [call("relu.default", "y", tensor("x"))]))
    module = Lambda(torch.relu)
    with warnings.catch_warnings(action="ignore"), pytest.raises(error, match="a defect of ours"):
        Network.from_torch(module, input_shape=(3,))


def test_text_that_is_no_text_is_refused_in_a_sentence(tmp_path: Path) -> None:
    content = bytes(
        model('y = MaxPool <auto_pad = "qqqqq", kernel_shape = [2, 2]> (x)', IMAGE, OUT).SerializeToString()
    )
    (tmp_path / "model.onnx").write_bytes(content.replace(b"qqqqq", b"q\xff\xfe\xfdq"))
    with pytest.raises(NetworkFileError, match=r"model\.onnx'.*no UTF-8"):
        load_network(tmp_path / "model.onnx")
