"""ONNX models: every operator agrees with onnxruntime, and so do the files that people have."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.neural_network import MLPClassifier, MLPRegressor
from torch import nn
from torch.nn import functional

from polyspline.errors import UnsupportedLayerError
from polyspline.network import Network, load_network
from tests.network.models import Lambda, seeded

RNG = np.random.default_rng(0)


def drawn(*shape: int) -> npt.NDArray[np.float32]:
    return RNG.uniform(-1, 1, size=shape).astype(np.float32)


Node = tuple[str, tuple[Any, ...], int, dict[str, Any]]


def node(operator: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Node:
    return operator, inputs, outputs, attributes


def model(nodes: Sequence[Node], shape: Sequence[int | str], opset: int = 21) -> onnx.ModelProto:
    """Chain of nodes; an input is a constant, None, "" for what the node before made, or "x", the model's."""
    made, constants, last = [], [], "x"
    for number, (operator, inputs, outputs, attributes) in enumerate(nodes):
        names = []
        for place, value in enumerate(inputs or ("",)):
            if isinstance(value, str):
                names.append(value or last)
            elif value is None:
                names.append("")
            else:
                names.append(f"c{number}_{place}")
                constants.append(numpy_helper.from_array(np.asarray(value), names[-1]))
        last = f"y{number}"
        results = [last, *(f"{last}_{i}" for i in range(1, outputs))]
        made.append(helper.make_node(operator, names, results, f"{operator}{number}", **attributes))
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape])
    result = helper.make_tensor_value_info(last, TensorProto.FLOAT, None)
    graph = helper.make_graph(made, "test", [given], [result], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def assert_agrees(proto: onnx.ModelProto, shape: tuple[int, ...], net: Network | None = None) -> Network:
    """Check that the network is what onnxruntime computes, at random points."""
    net = Network.from_onnx(proto) if net is None else net
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    points = np.random.default_rng(1).normal(size=(8, *shape)).astype(np.float32)
    name = session.get_inputs()[0].name
    expected = np.stack([session.run(None, {name: x[None]})[0].ravel() for x in points])
    np.testing.assert_allclose(net(points.reshape(8, -1)), expected, rtol=1e-6, atol=2e-6)
    return net


LONG = np.int64
CHAINS: dict[str, tuple[list[Any], tuple[int, ...]]] = {
    "arithmetic": (
        [
            node("Add", "", drawn(3)),
            node("Mul", "", np.float32(2)),
            node("Sub", drawn(3), ""),
            node("Div", "", drawn(3) + 2),
            node("Neg"),
            node("Sum", drawn(3), "", drawn(1)),
            node("Mean", "", "x"),
            node("MatMul", "", drawn(3, 4)),
            node("Pow", "", np.float32(1)),
        ],
        (3,),
    ),
    "gemm": (
        [
            node("Gemm", "", drawn(4, 3), drawn(4), transB=1, alpha=0.5, beta=2.0),
            node("Relu"),
            node("Gemm", "", drawn(4, 2), drawn(1, 2)),
        ],
        (3,),
    ),
    "convolutions": (
        [
            node(
                "Conv",
                "",
                drawn(4, 1, 2, 3),
                drawn(4),
                group=2,
                pads=[1, 0, 0, 2],
                strides=[1, 2],
                dilations=[2, 1],
            ),
            node("Relu"),
            node("ConvTranspose", "", drawn(4, 2, 2, 2), drawn(2), strides=[2, 1], output_padding=[1, 0]),
            node("Conv", "", drawn(1, 2, 2, 2), auto_pad="SAME_UPPER", strides=[2, 1]),
            node("Conv", "", drawn(1, 1, 2, 2), auto_pad="SAME_LOWER"),
            node("Conv", "", drawn(1, 1, 2, 1), auto_pad="VALID"),
        ],
        (2, 4, 4),
    ),
    "pools": (
        [
            node("MaxPool", kernel_shape=[2, 3], strides=[1, 2], pads=[1, 0, 0, 1], ceil_mode=1),
            node("AveragePool", kernel_shape=[2, 2], pads=[1, 1, 0, 0], count_include_pad=1),
            node("AveragePool", kernel_shape=[2, 2], pads=[0, 1, 1, 0]),
        ],
        (1, 4, 5),
    ),
    "global pools": (
        [node("GlobalMaxPool"), node("Concat", "", "x", axis=2), node("GlobalAveragePool"), node("Flatten")],
        (2, 3, 1),
    ),
    "norm": (
        [
            node("Conv", "", drawn(2, 1, 2)),
            node("BatchNormalization", "", drawn(2), drawn(2), drawn(2), drawn(2) ** 2 + 1),
            node("PRelu", "", drawn(2, 1)),
            node("Dropout"),
        ],
        (1, 4),
    ),
    "units": (
        [
            node("LeakyRelu", alpha=0.2),
            node("Clip", "", np.float32(-0.5)),
            node("Clip", "", None, np.float32(0.75)),
            node("Abs"),
            node("HardSigmoid"),
            node("Shrink", lambd=0.25, bias=0.25),
            node("HardSigmoid", alpha=1 / 6),
            node("Clip", "", np.float32(0.51), np.float32(0.53)),
            node("Clip"),
        ],
        (4,),
    ),
    "extremes": (
        [
            node("Max", "", drawn(4), "x", drawn(1)),
            node("Reshape", "", np.array([0, 2, 2], LONG)),
            node("ReduceMin", "", np.array([2], LONG)),
            node("ReduceMax", "", np.array([-1], LONG), keepdims=0),
            node("Min", "", drawn(2)),
        ],
        (4,),
    ),
    "sums": (
        [
            node("ReduceMean", "", np.array([2], LONG)),
            node("Expand", "", np.array([1, 2, 3], LONG)),
            node("Sub", "x", ""),
            node("ReduceSum", "", np.array([1], LONG), keepdims=0),
        ],
        (2, 3),
    ),
    "contractions": (
        [
            node("Einsum", drawn(3, 2), "", drawn(4), equation="oj,bjk,k->bko"),
            node("CumSum", "", np.array(-1, LONG)),
            node("CumSum", "", np.array(1, LONG), exclusive=1, reverse=1),
            node("Einsum", drawn(3), "", equation="i,...i"),
            node("ReduceL1", "", np.array([1], LONG)),
        ],
        (2, 4),
    ),
    "spelled by jumps": (
        [
            node("Sign", "x"),
            node("Mul", "", np.float32(0.25)),
            node("Sub", "x", ""),
            node("Abs", "x"),
            node("Greater", "", np.float32(0.25)),
            node("Mul", "x", np.float32(0)),
            node("Where", "y4", "y2", ""),
        ],
        (3,),
    ),
    "moving": (
        [
            node("Transpose", perm=[0, 2, 1]),
            node("Unsqueeze", "", np.array([1], LONG)),
            node("Pad", "", np.array([0, 0, 1, 0, 0, 0, 0, 2], LONG), np.float32(3)),
            node("Pad", "", np.array([0, 0, 1, 1, 0, 0, 1, 0], LONG), mode="reflect"),
            node("Pad", "", np.array([0, 0, 0, 1, 0, 0, 0, 0], LONG), mode="edge"),
            node(
                "Slice",
                "",
                np.array([1, 5], LONG),
                np.array([99, 0], LONG),
                np.array([2, 3], LONG),
                np.array([1, -2], LONG),
            ),
            node("Squeeze", "", np.array([1], LONG)),
            node("Gather", "", np.array([2, 0], LONG), axis=1),
            node("Split", "", axis=2, num_outputs=2, outputs=2),
            node("Tile", "", np.array([1, 2, 1], LONG)),
            node("Where", np.array([[True], [False], [True], [True]]), "", drawn(4, 1)),
            node("Flatten"),
            node("Cast", to=TensorProto.DOUBLE),
            node("Cast", to=TensorProto.FLOAT),
            node("Identity"),
        ],
        (2, 3),
    ),
    "nearest": (
        [
            node(
                "Resize",
                "",
                None,
                np.array([1, 1, 2, 1.5], np.float32),
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            ),
            node("Relu"),
            node("Resize", "", None, None, np.array([1, 1, 3, 2], LONG)),
        ],
        (1, 2, 2),
    ),
    "linear": (
        [
            node("Resize", "", None, np.array([1, 1, 2, 2.5], np.float32), mode="linear"),
            node("Relu"),
            node(
                "Resize",
                "",
                None,
                None,
                np.array([1, 1, 3, 2], LONG),
                mode="linear",
                coordinate_transformation_mode="align_corners",
            ),
        ],
        (1, 2, 2),
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_operators(name: str) -> None:
    nodes, shape = CHAINS[name]
    assert_agrees(model(nodes, shape), shape)


def test_shapes_are_constants() -> None:
    nodes = [
        node("Shape", "x"),
        node("Gather", "", np.array([0, 2], LONG)),
        node("Concat", "", np.array([-1], LONG), axis=0),
        node("Reshape", "x", ""),
        node("Transpose", perm=[0, 2, 1]),
        node("Relu"),
    ]
    assert_agrees(model(nodes, (4, 2)), (4, 2))


def test_a_choice_by_a_comparison_is_a_unit() -> None:
    nodes = [node("Sub", "", drawn(3)), node("LessOrEqual", "", np.float32(0.5))]
    nodes.append(node("Where", "", "y0", np.float32(0.5)))
    net = assert_agrees(model(nodes, (3,)), (3,))
    assert net.n_units == 3


@pytest.mark.parametrize("dynamo", [False, True], ids=["torchscript", "dynamo"])
def test_units_that_torch_exports(dynamo: bool, tmp_path: Path) -> None:
    units = [
        nn.LeakyReLU(0.3), nn.PReLU(2), nn.ReLU6(), nn.Hardsigmoid(), nn.Softshrink(0.25),
        nn.Hardtanh(-1, 0.5), nn.Threshold(0, 0),
    ]  # fmt: skip

    def all_of(x: torch.Tensor, *parts: nn.Module) -> torch.Tensor:
        y = torch.einsum("bij,jk->bik", torch.cat([part(x) for part in parts], 2).cumsum(2), weight)
        return torch.maximum(y.amax(1), torch.abs(y[:, 0]).clamp_min(0.25))

    weight = torch.tensor(drawn(3 * len(units), 2))
    module = seeded(Lambda(all_of, *units)).float()
    path = tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (torch.zeros(1, 2, 3),), path, dynamo=dynamo, verbose=False)
    assert_agrees(onnx.load(path), (2, 3), load_network(path))


@pytest.mark.parametrize("opset", [13, 17, onnx.defs.onnx_opset_version()])
def test_opsets(opset: int) -> None:
    axes: dict[str, Any] = {"axes": [1]} if opset < 18 else {}
    given = [] if opset < 18 else [np.array([1], LONG)]
    proto = model([node("Relu"), node("ReduceMean", "", *given, **axes)], (3,), opset)
    if opset <= 21:
        assert_agrees(proto, (3,))
    assert Network.from_onnx(proto).n_units == 3


# ---- files that people have


def computed(x: torch.Tensor, first: nn.Module, norm: nn.Module, last: nn.Module) -> torch.Tensor:
    y = functional.relu(norm(first(x))) + x
    z = functional.interpolate(functional.max_pool2d(y, 2), scale_factor=2)
    mean = functional.avg_pool2d(x, 2, 1)[:, :, :2].tile(2, 2)[:, :, :, :4]
    found: torch.Tensor = last(functional.hardtanh(torch.cat([z, mean], 1)).flatten(1))
    return found


@pytest.fixture(scope="module")
def module() -> nn.Module:
    made = seeded(Lambda(computed, nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.Linear(48, 3)))
    return made.float()


@pytest.mark.parametrize("dynamo", [False, True], ids=["torchscript", "dynamo"])
def test_files_that_torch_exports(module: nn.Module, dynamo: bool, tmp_path: Path) -> None:
    example, path = torch.zeros(2, 1, 4, 4), tmp_path / "model.onnx"
    options: dict[str, Any] = {"input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}}
    if dynamo:
        options = {
            "dynamic_shapes": ({0: torch.export.Dim("batch", min=1)},),
            "external_data": True,
            "verbose": False,
        }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (example,), path, dynamo=dynamo, **options)
    net = load_network(path)
    assert_agrees(onnx.load(path), (1, 4, 4), net)
    direct = Network.from_torch(module, input_shape=(1, 4, 4))
    assert (net.n_units, len(net.layers)) == (direct.n_units, len(direct.layers))


DATA = np.random.default_rng(2).normal(size=(80, 3)).astype(np.float32)


def test_regressors_of_scikit_learn() -> None:
    for activation in ("relu", "identity"):
        regressor = MLPRegressor(
            hidden_layer_sizes=(5, 4), activation=activation, solver="lbfgs", max_iter=9999
        )
        regressor.fit(DATA, np.abs(DATA[:, :2]))
        direct = Network.from_sklearn(regressor)
        np.testing.assert_allclose(direct(DATA), regressor.predict(DATA), rtol=1e-6, atol=1e-6)
        read = assert_agrees(to_onnx(regressor, DATA[:1]), (3,))
        np.testing.assert_allclose(read(DATA), direct(DATA), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_classifiers_of_scikit_learn(classes: int) -> None:
    labels = np.digitize(DATA[:, 0] * DATA[:, 1], [0.0, 0.5][: classes - 1])
    classifier = MLPClassifier(hidden_layer_sizes=(6,), solver="lbfgs", max_iter=9999, alpha=0.1).fit(
        DATA, labels
    )
    proto = to_onnx(classifier, DATA[:1])
    for reader, given in ((Network.from_sklearn, classifier), (Network.from_onnx, proto)):
        with pytest.raises(UnsupportedLayerError, match="drop_output_activation=True"):
            reader(given)
        net = reader(given, drop_output_activation=True)
        assert (net.ambient_dim, net.n_units) == (1 if classes == 2 else 3, 6)
        chosen = net(DATA)[:, 0] > 0 if classes == 2 else np.argmax(net(DATA), axis=1)
        np.testing.assert_array_equal(chosen, classifier.predict(DATA))


def test_other_estimators_are_refused() -> None:
    tanh = MLPRegressor(hidden_layer_sizes=(2,), activation="tanh", solver="lbfgs", max_iter=9999)
    with pytest.raises(UnsupportedLayerError, match="not fitted"):
        Network.from_sklearn(tanh)
    with pytest.raises(UnsupportedLayerError, match="'tanh'"):
        Network.from_sklearn(tanh.fit(DATA, DATA[:, 0]))
    with pytest.raises(UnsupportedLayerError, match="got a dict"):
        Network.from_sklearn({})
