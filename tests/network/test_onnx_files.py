"""ONNX files that are bad, or that are no piecewise-affine network: one clear sentence each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from polyspline.errors import (
    NetworkFileError,
    NonFiniteError,
    PolysplineError,
    ShapeError,
    UnsupportedLayerError,
)
from polyspline.network import Network, load_network


def parsed(
    body: str, *, given: str = "float[N, 3] x", result: str = "float[N, 3] y", imports: str = ""
) -> onnx.ModelProto:
    """Model from the text form of ONNX."""
    text = f'<ir_version: 10, opset_import: ["" : 21{imports}]> test ({given}) => ({result}) {{ {body} }}'
    made: onnx.ModelProto = parser.parse_model(text)
    return made


def large(path: Path) -> onnx.ModelProto:
    """Write a model that keeps its weights in another file."""
    weight = numpy_helper.from_array(np.ones((3, 400), dtype=np.float32), "w")
    proto = parsed("y = MatMul (x, w)", result="float[N, 400] y")
    proto.graph.initializer.append(weight)
    onnx.save(proto, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return proto


def test_a_network_is_read_with_its_external_data(tmp_path: Path) -> None:
    large(tmp_path / "model.onnx")
    assert load_network(tmp_path / "model.onnx").ambient_dim == 400
    with pytest.raises(NetworkFileError, match=r"'w'.*not loaded: pass the path"):
        Network.from_onnx(onnx.load(tmp_path / "model.onnx", load_external_data=False))
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(NetworkFileError, match=r"model\.onnx'.*another file that cannot be read.*beside it"):
        load_network(tmp_path / "model.onnx")


def test_external_data_outside_of_the_folder_is_refused(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    large(inner / "model.onnx")
    proto = onnx.load(inner / "model.onnx", load_external_data=False)
    (inner / "weights.bin").rename(tmp_path / "weights.bin")
    for entry in proto.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = "../weights.bin"
    (inner / "model.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(NetworkFileError, match="another file that cannot be read"):
        load_network(inner / "model.onnx")


def test_a_damaged_file_is_refused_or_unharmed(tmp_path: Path) -> None:
    proto = parsed("a = Relu (x) b = Mul (a, a1) y = Add (b, x)")
    proto.graph.initializer.append(numpy_helper.from_array(np.ones(3, dtype=np.float32), "a1"))
    content = proto.SerializeToString()
    path = tmp_path / "bad.onnx"
    for cut in (0, 1, 2, 7, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.raises(NetworkFileError, match=r"bad\.onnx'"):
            load_network(path)
    path.write_bytes(b"PK\x03\x04 no model at all")
    with pytest.raises(NetworkFileError, match="no ONNX model"):
        load_network(path)
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(content), size=60):
        broken = bytearray(content)
        broken[place] ^= 1 << rng.integers(8)
        path.write_bytes(broken)
        with suppress(PolysplineError):
            assert load_network(path).latent_dim > 0


def test_files_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkFileError, match="does not exist"):
        load_network(tmp_path / "model.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(NetworkFileError, match="is a folder"):
        load_network(tmp_path / "folder.onnx")
    with pytest.raises(NetworkFileError, match="got a int"):
        Network.from_onnx(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("opset", [9, 12, 999])
def test_other_opsets_are_refused(opset: int) -> None:
    proto = parsed("y = Relu (x)")
    proto.opset_import[0].version = opset
    with pytest.raises(NetworkFileError, match=rf"opset {opset}; expected 13 to \d+"):
        Network.from_onnx(proto)


IF = """
    sum = ReduceSum <keepdims = 0> (x) zero = Constant <value = float {0.0}> () sign = Greater (sum, zero)
    y = If (sign) <then_branch = yes () => (float[N, 3] a) { a = Identity (x) },
                   else_branch = no () => (float[N, 3] b) { b = Neg (x) }>
"""

REFUSED: dict[str, tuple[Callable[[], onnx.ModelProto], type[PolysplineError], str]] = {
    "dynamic shape": (
        lambda: parsed("y = Relu (x)", given="float[N, M] x"),
        UnsupportedLayerError,
        r"shape \(\?, \?\)",
    ),
    "fixed batch": (
        lambda: parsed("y = Relu (x)", given="float[4, 3] x"),
        UnsupportedLayerError,
        "fixed batch of 4",
    ),
    "integers": (
        lambda: parsed("y = Identity (x)", given="int64[N, 3] x", result="int64[N, 3] y"),
        UnsupportedLayerError,
        "of INT64; expected real numbers",
    ),
    "two inputs": (
        lambda: parsed("y = Add (x, z)", given="float[N, 3] x, float[N, 3] z"),
        UnsupportedLayerError,
        "2 inputs",
    ),
    "two outputs": (
        lambda: parsed("y = Relu (x) z = Abs (x)", result="float[N, 3] y, float[N, 3] z"),
        UnsupportedLayerError,
        "2 outputs of real numbers",
    ),
    "control flow": (lambda: parsed(IF), UnsupportedLayerError, r"\(If\): is control flow"),
    "custom operator": (
        lambda: parsed("y = mine.Magic (x)", imports=', "mine" : 1'),
        UnsupportedLayerError,
        r"\(Magic\).*custom operator",
    ),
    "smooth": (lambda: parsed("a = Tanh (x) y = Relu (a)"), UnsupportedLayerError, r"\(Tanh\): applies tanh"),
    "smooth at the end": (
        lambda: parsed("y = Softmax (x)"),
        UnsupportedLayerError,
        "drop_output_activation=True",
    ),
    "jump": (
        lambda: parsed("y = Shrink <lambd = 0.5, bias = 0.25> (x)"),
        UnsupportedLayerError,
        "jumps by 0.25",
    ),
    "jump at the end": (lambda: parsed("y = Sign (x)"), UnsupportedLayerError, r"\(Sign\): applies sign"),
    "sums of chosen entries": (
        lambda: parsed(
            "i = Constant <value = int64[1, 3] {0, 0, 1}> () "
            'y = ScatterElements <axis = 1, reduction = "add"> (x, i, x)'
        ),
        UnsupportedLayerError,
        r"\(ScatterElements\): puts the add into entries",
    ),
    "product": (lambda: parsed("y = Mul (x, x)"), UnsupportedLayerError, r"\(Mul\): multiplies two things"),
    "norm": (
        lambda: parsed("y = LayerNormalization (x, w) w = Constant <value = float[3] {1.0, 1.0, 1.0}> ()"),
        NetworkFileError,
        "reads 'w', which nothing before it makes",
    ),
    "random": (
        lambda: parsed("a = RandomNormal <shape = [1, 3]> () y = Add (x, a)"),
        UnsupportedLayerError,
        "draws random numbers",
    ),
    "rounding": (
        lambda: parsed("y = Round (x)"),
        UnsupportedLayerError,
        "Round.*which jumps|round, which jumps",
    ),
    "unknown": (lambda: parsed("a = Det (b) b = Relu (x) y = Relu (b)"), NetworkFileError, "not in order"),
    "nothing makes the output": (lambda: parsed("z = Relu (x)"), NetworkFileError, "makes its output 'y'"),
    "shapes": (
        lambda: parsed("w = Constant <value = float[2, 2] {1.0, 1.0, 1.0, 1.0}> () y = MatMul (x, w)"),
        ShapeError,
        r"\(MatMul\).*takes 2 inputs, but gets 3",
    ),
    "reshape": (
        lambda: parsed("s = Constant <value = int64[2] {2, 2}> () y = Reshape (x, s)"),
        UnsupportedLayerError,
        "does not take what it gets",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_models_that_are_no_network_are_refused(name: str, tmp_path: Path) -> None:
    make, error, message = REFUSED[name]
    (tmp_path / "model.onnx").write_bytes(make().SerializeToString())
    with pytest.raises(error, match=message) as caught:
        load_network(tmp_path / "model.onnx")
    assert str(caught.value).startswith(f"network file {str(tmp_path / 'model.onnx')!r}")
    assert "\n" not in str(caught.value)


def test_weights_that_are_not_finite_are_refused() -> None:
    proto = parsed("y = Add (x, w)")
    proto.graph.initializer.append(
        numpy_helper.from_array(np.array([1.0, np.nan, 0.0], dtype=np.float32), "w")
    )
    with pytest.raises(NonFiniteError, match=r"\(Add\)"):
        Network.from_onnx(proto)


def test_a_smooth_function_at_the_end_can_be_dropped(tmp_path: Path) -> None:
    proto = parsed("a = Relu (x) b = Sigmoid (a) y = Reshape (b, s)")
    proto.graph.initializer.append(numpy_helper.from_array(np.array([0, -1]), "s"))
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    assert load_network(tmp_path / "model.onnx", drop_output_activation=True).layers[0].activation == "relu"


def test_functions_of_the_model_are_written_out() -> None:
    domain = "local"
    made = helper.make_function(
        domain,
        "Twice",
        ["a"],
        ["b"],
        [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 21)],
    )
    graph = helper.make_graph(
        [helper.make_node("Twice", ["x"], ["t"], domain=domain), helper.make_node("Relu", ["t"], ["y"])],
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
    )
    imports = [helper.make_opsetid("", 21), helper.make_opsetid(domain, 1)]
    net = Network.from_onnx(helper.make_model(graph, functions=[made], opset_imports=imports, ir_version=10))
    np.testing.assert_array_equal(net([1.0, -1.0]), [2.0, 0.0])
    np.testing.assert_array_equal(net.layers[0].weight, 2 * np.eye(2))
