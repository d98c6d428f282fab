"""ONNX models for the readers' fuzzer: sound ones, changes of them, and ones made to exhaust a reader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, TensorProto, helper, numpy_helper, parser

Generator = np.random.Generator

_HEAD = '<ir_version: 10, opset_import: ["" : 21, "mine" : 1]>'


def _model(
    body: str, given: str = "float[N, 3] x", result: str = "float[N, 3] y", more: str = ""
) -> onnx.ModelProto:
    return parser.parse_model(f"{_HEAD} net ({given}) => ({result}) {{ {body} }} {more}")


def _dense() -> onnx.ModelProto:
    model = _model("h = Gemm <transB = 1> (x, w, b) r = LeakyRelu <alpha = 0.5> (h) y = MatMul (r, v)")
    for name, shape in (("w", (4, 3)), ("b", (4,)), ("v", (4, 3))):
        values = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    return model


def _convolutional() -> onnx.ModelProto:
    body = """
        c = Conv <pads = [1, 1, 1, 1], strides = [1, 1], dilations = [1, 1], group = 1,
                  kernel_shape = [3, 3]> (x, w, b)
        n = BatchNormalization <epsilon = 0.001> (c, s, o, m, v) r = Relu (n)
        p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (r)
        a = AveragePool <kernel_shape = [2, 2], count_include_pad = 1> (p)
        u = Resize <mode = "nearest"> (a, , scales) t = ConvTranspose <strides = [2, 2]> (u, w, e)
        f = Flatten <axis = 1> (t) k = ReduceMax <keepdims = 1> (f, axes) y = Add (f, k)
    """
    model = _model(body, "float[1, 2, 4, 4] x", "float[1, M] y")
    values = np.linspace(-1, 1, 36, dtype=np.float32).reshape(2, 2, 3, 3)
    two = np.array([0.5, 2.0], dtype=np.float32)
    held = {"w": values, "b": two, "s": two, "o": two, "m": two, "v": two, "e": two}
    held |= {"scales": np.array([1, 1, 2, 2], dtype=np.float32), "axes": np.array([1], dtype=np.int64)}
    for name, array in held.items():
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    return model


def _moving() -> onnx.ModelProto:
    body = """
        s = Shape (x) one = Constant <value = int64[1] {1}> () l = Gather (s, one) e = Expand (k, l)
        z = ConstantOfShape <value = float[1] {0.5}> (l) d = Pad (x, pads) t = Tile (d, reps)
        q, w = Split <axis = 1, num_outputs = 2> (t) c = Concat <axis = 1> (q, w, x)
        g = Slice (c, first, last, axis) r = Reshape (g, form) p = Transpose <perm = [0, 1]> (r)
        h = Clip (p, low, high) m = Max (h, e) i = Mul (m, z) y = ThresholdedRelu <alpha = 0.0> (i)
    """
    model = _model(body)
    held: dict[str, Any] = {
        "k": np.array([0.25], np.float32), "pads": np.array([0, 1, 0, 0]), "reps": np.array([1, 2]),
        "first": np.array([0]), "last": np.array([3]), "axis": np.array([1]), "form": np.array([-1, 3]),
        "low": np.array(-2, np.float32), "high": np.array(2, np.float32),
    }  # fmt: skip
    for name, array in held.items():
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    return model


def _with_function() -> onnx.ModelProto:
    return _model(
        "h = mine.twice (x) y = Abs (h)",
        more='<domain: "mine", opset_import: ["" : 21]> twice (a) => (b) { c = Add (a, a) b = Relu (c) }',
    )


ONNX_MODELS: dict[str, Callable[[], onnx.ModelProto]] = {
    "dense": _dense, "convolutional": _convolutional, "moving": _moving, "function": _with_function,
}  # fmt: skip


@cache
def serialized(name: str) -> bytes:
    """Bytes of a sound model."""
    content: bytes = ONNX_MODELS[name]().SerializeToString(deterministic=True)
    return content


_WHOLE = (0, -1, 1, 2, 3, 7, -7, 100, 10**5, 10**9, 2**31, 2**62, -(2**63))
_REALS = (0.0, -1.0, 0.5, 1e30, float("nan"), float("inf"), 1e-40)
_TEXTS = (
    "",
    "NOTSET",
    "SAME_UPPER",
    "VALID",
    "linear",
    "cubic",
    "floor",
    "x" * 2_000_000,
    "\x1b[2Jred",
    "bij,jk->bik",
)
_OPERATORS = (
    "Relu", "Neg", "Abs", "Add", "Mul", "Conv", "MaxPool", "AveragePool", "Resize", "Reshape", "Expand",
    "Tile", "Pad",
    "Transpose", "Gather", "GatherND", "Concat", "Split", "Slice", "ReduceMax", "ReduceMean", "ReduceSum",
    "CumSum",
    "Einsum", "MatMul", "Gemm", "BatchNormalization", "ConvTranspose", "If", "Loop", "Cast", "Clip",
    "PRelu", "Range",
    "ConstantOfShape", "OneHot", "EyeLike", "DepthToSpace", "Flatten", "Squeeze", "Unsqueeze", "Where",
    "Trilu",
    "ScatterND", "GlobalMaxPool", "GlobalAveragePool", "Shape", "Size", "Dropout", "Pow", "Div", "Max", "Min",
    "HardSigmoid", "Shrink", "Sign", "Greater", "NonZero", "Compress", "SequenceConstruct",
    "ConcatFromSequence", "Foo",
)  # fmt: skip


def changed_model(name: str, rng: Generator) -> bytes:
    """Return a sound model with one to three changes of its structure."""
    model = ONNX_MODELS[name]()
    for _ in range(int(rng.integers(1, 4))):
        _CHANGES[int(rng.integers(len(_CHANGES)))](model, rng)
    return bytes(model.SerializeToString(deterministic=True))


def _one(items: Any, rng: Generator) -> Any:
    return items[int(rng.integers(len(items)))] if len(items) else None


def _attribute(model: onnx.ModelProto, rng: Generator) -> None:
    node = _one([node for node in model.graph.node if node.attribute], rng)
    if node is None:
        return
    entry = _one(node.attribute, rng)
    kind = int(rng.integers(7))
    if kind == 0:
        entry.name = str(rng.choice(["stride", "kernels", "axis", "axes", "group", "x" * 100]))
    elif kind == 1:
        node.attribute.remove(entry)
    elif kind == 2:
        node.attribute.append(entry)
    elif kind == 3:
        entry.type = int(rng.integers(0, 15))
    else:
        value: Any = [
            int(_one(_WHOLE, rng)),
            [int(_one(_WHOLE, rng)) for _ in range(int(rng.integers(0, 5)))],
        ]
        value += [float(_one(_REALS, rng)), _one(_TEXTS, rng)]
        changed = helper.make_attribute(entry.name, value[0])
        if entry.type == AttributeProto.INTS:
            changed = helper.make_attribute(entry.name, value[1], attr_type=AttributeProto.INTS)
        elif entry.type == AttributeProto.FLOAT:
            changed = helper.make_attribute(entry.name, value[2])
        elif entry.type == AttributeProto.STRING:
            changed = helper.make_attribute(entry.name, value[3])
        entry.CopyFrom(changed)


def _new_attribute(model: onnx.ModelProto, rng: Generator) -> None:
    names = [
        "axis",
        "axes",
        "pads",
        "strides",
        "dilations",
        "group",
        "kernel_shape",
        "auto_pad",
        "ceil_mode",
        "alpha",
    ]
    node = _one(model.graph.node, rng)
    value = _one([3, 0, -1, [2], [0, 0], [1, 1, 1], [-1, -1], 0.5, "SAME_LOWER", [10**9, 10**9]], rng)
    node.attribute.append(helper.make_attribute(str(rng.choice(names)), value))


def _operator(model: onnx.ModelProto, rng: Generator) -> None:
    _one(model.graph.node, rng).op_type = str(rng.choice(_OPERATORS))


def _inputs(model: onnx.ModelProto, rng: Generator) -> None:
    node = _one(model.graph.node, rng)
    names = [name for each in model.graph.node for name in (*each.input, *each.output)] + ["", "nothing"]
    kind = int(rng.integers(4))
    if kind == 0 and node.input:
        node.input[int(rng.integers(len(node.input)))] = str(rng.choice(names))
    elif kind == 1 and node.input:
        del node.input[-1]
    elif kind == 2:
        node.input.append(str(rng.choice(names)))
    elif node.output:
        node.output[0] = str(rng.choice(names))


def _order(model: onnx.ModelProto, rng: Generator) -> None:
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes[int(place)] for place in rng.permutation(len(nodes)))


def _initializer(model: onnx.ModelProto, rng: Generator) -> None:
    tensor = _one(model.graph.initializer, rng)
    if tensor is None:
        return
    kind = int(rng.integers(6))
    if kind == 0:
        tensor.data_type = int(rng.integers(0, 26))
    elif kind == 1:
        tensor.dims[:] = [int(_one(_WHOLE, rng)) for _ in range(int(rng.integers(0, 4)))]
    elif kind == 2:
        model.graph.initializer.remove(tensor)
    elif kind == 3:
        array = np.array(numpy_helper.to_array(tensor))
        if array.size:
            whole = array.dtype.kind in "iu"
            array.ravel()[int(rng.integers(array.size))] = _one(_WHOLE if whole else _REALS, rng)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    elif kind == 4:
        kinds = [
            TensorProto.COMPLEX64,
            TensorProto.INT4,
            TensorProto.STRING,
            TensorProto.DOUBLE,
            TensorProto.FLOAT16,
        ]
        array = np.array(numpy_helper.to_array(tensor))
        made = _one(kinds, rng)
        values: Any = [b"a" if made == TensorProto.STRING else 1] * array.size
        tensor.CopyFrom(helper.make_tensor(tensor.name, made, array.shape, values))
    else:
        tensor.raw_data = tensor.raw_data[: int(rng.integers(0, 12))]


def _declared(model: onnx.ModelProto, rng: Generator) -> None:
    entry = _one([*model.graph.input, *model.graph.output], rng)
    if rng.random() < 0.3:
        entry.type.tensor_type.elem_type = int(rng.integers(0, 30))
    sizes = entry.type.tensor_type.shape.dim
    if len(sizes):
        sizes[int(rng.integers(len(sizes)))].dim_value = int(_one(_WHOLE, rng))


def _names(model: onnx.ModelProto, rng: Generator) -> None:
    long = "n" * 2_000_000
    name = str(rng.choice(np.array([long, "\x1b]0;title\x07", "a\nb", "x"], dtype=object)))
    node = _one(model.graph.node, rng)
    node.name = name
    if rng.random() < 0.5:
        node.op_type = name


_CHANGES: tuple[Callable[[onnx.ModelProto, Generator], None], ...] = (
    _attribute, _attribute, _new_attribute, _operator, _inputs, _order, _initializer, _initializer,
        _declared, _names,
)  # fmt: skip


# ---- made to exhaust a reader


def _constants(body: str, **held: Any) -> Callable[[], bytes]:
    def of() -> bytes:
        model = _model(body)
        for name, value in held.items():
            model.graph.initializer.append(numpy_helper.from_array(np.array(value), name))
        return bytes(model.SerializeToString())

    return of


def _written(text: str, *others: str) -> Callable[[], bytes]:
    return lambda: bytes(parser.parse_model(" ".join([text, *others])).SerializeToString())


def _doubled(times: int, operator: str) -> bytes:
    more: Any = {"axis": 1} if operator == "Concat" else {}
    nodes = [helper.make_node(operator, [f"a{i}", f"a{i}"], [f"a{i + 1}"], **more) for i in range(times)]
    return _chained(nodes, "a0", f"a{times}")


def _chain(times: int, operator: str) -> bytes:
    return _chained(
        [helper.make_node(operator, [f"a{i}"], [f"a{i + 1}"]) for i in range(times)], "a0", f"a{times}"
    )


def _chained(nodes: list[onnx.NodeProto], first: str, last: str) -> bytes:
    made = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(first, 1, [1, 3])],
        [helper.make_tensor_value_info(last, 1, ["N", "M"])],
    )
    return bytes(helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)]).SerializeToString())


def _functions(depth: int, recursive: bool) -> bytes:
    functions = []
    for level in range(depth):
        called = f"f{level + 1}" if level < depth - 1 else ("f0" if recursive else "")
        nodes = (
            [
                helper.make_node(called, ["a"], ["c"], domain="mine"),
                helper.make_node(called, ["c"], ["b"], domain="mine"),
            ]
            if called
            else [helper.make_node("Relu", ["a"], ["b"])]
        )
        imports = [helper.make_opsetid("", 21), helper.make_opsetid("mine", 1)]
        functions.append(helper.make_function("mine", f"f{level}", ["a"], ["b"], nodes, imports))
    made = helper.make_graph(
        [helper.make_node("f0", ["x"], ["y"], domain="mine")], "net",
        [helper.make_tensor_value_info("x", 1, [1, 3])], [helper.make_tensor_value_info("y", 1, [1, 3])],
    )  # fmt: skip
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("mine", 1)]
    return bytes(helper.make_model(made, opset_imports=imports, functions=functions).SerializeToString())


def _no_text() -> bytes:
    content = bytes(_model("qqqqq = Relu (x) y = Relu (qqqqq)").SerializeToString())
    return content.replace(b"qqqqq", b"q\xff\xfe\xfdq")


def evil_models() -> Iterator[Callable[[], bytes]]:
    """Models of a few bytes that ask for much, or that never end."""
    big = 2**35
    yield _constants("k = Expand (c, s) y = Add (x, k)", c=np.float32(1), s=[big, 3])
    yield _constants("k = Expand (x, s) y = ReduceMax (k)", s=[big, 3])
    yield _constants(
        "k = Tile (c, s) t = Slice (k, a, b) y = Add (x, t)",
        c=np.ones((1, 3), np.float32),
        s=[big, 1],
        a=[0],
        b=[1],
    )
    yield _constants("k = Tile (x, s) y = ReduceMax (k)", s=[10**6, 10**6])
    yield _constants(
        "k = Range (a, b, c) d = Cast <to = 1> (k) e = ReduceSum (d) y = Add (x, e)", a=0, b=10**12, c=1
    )
    yield _constants("k = Range (a, b, c) e = ReduceSum (k) y = Add (x, e)", a=0.0, b=1e12, c=1e-3)
    yield _constants(
        "k = Pad (c, s) e = ReduceSum (k) y = Add (x, e)", c=np.ones((1, 3), np.float32), s=[10**6] * 4
    )
    yield _constants("k = Pad (x, s) y = ReduceMax (k)", s=[0, 0, 0, 10**10])
    yield _constants("k = ConstantOfShape (s) e = ReduceSum (k) y = Add (x, e)", s=[10**12])
    yield _constants(
        'k = Resize <mode = "nearest"> (x, , s) y = ReduceMax (k)', s=np.array([1, 1e9], np.float32)
    )
    yield _constants(
        'k = Resize <mode = "linear"> (x, , s) y = ReduceMax (k)', s=np.array([1, np.nan], np.float32)
    )
    yield _constants(
        'k = Resize <mode = "linear"> (c, , s) e = ReduceSum (k) y = Add (x, e)',
        c=np.ones((1, 3), np.float32),
        s=np.array([1000, 4000], np.float32),
    )
    yield _constants(
        "k = OneHot (i, d, v) e = ReduceSum (k) y = Add (x, e)",
        i=[1],
        d=10**11,
        v=np.array([0, 1], np.float32),
    )
    yield _constants(
        "a = Reshape (x, s) b = Reshape (x, t) k = Add (a, c) y = ReduceMax (k)",
        s=[3, 1],
        t=[1, 3],
        c=np.ones((1, 10**6), np.float32),
    )
    yield _constants(
        "a = Expand (c, s) b = Expand (c, t) k = Mul (a, b) e = ReduceSum (k) y = Add (x, e)",
        c=np.float32(1),
        s=[10**6, 1],
        t=[1, 10**6],
    )
    yield _constants(
        "k = Gather <axis = 1> (x, i) j = Gather <axis = 1> (k, h) y = ReduceMax (j)",
        i=np.zeros((10, 10), int),
        h=np.zeros((1000, 1000), int),
    )
    yield _constants("y = MaxPool <kernel_shape = [3], pads = [0, 0]> (x)")
    three = "float[1, 1, 3] x"
    yield _written(
        f"{_HEAD} net ({three}) => (float[1, 1, M] y) "
        f"{{ y = MaxPool <kernel_shape = [1000000], pads = [999999, 999999]> (x) }}"
    )
    yield _written(
        f"{_HEAD} net ({three}) => (float[1, 1, M] y) "
        f"{{ y = AveragePool <kernel_shape = [2], pads = [0, 1000000000000]> (x) }}"
    )
    yield _written(
        f"{_HEAD} net ({three}) => (float[1, 1, M] y) "
        f"{{ y = AveragePool <kernel_shape = [0], strides = [0]> (x) }}"
    )
    yield _written(
        f"{_HEAD} net (float[1, 1, 4, 4] x) => (float[1, 1, A, B] y) "
        f"{{ y = AveragePool <kernel_shape = [2]> (x) }}"
    )
    yield _written(f"{_HEAD} net (float[N, 1000000000] x) => (float[N, 1000000000] y) {{ y = Relu (x) }}")
    yield _written(
        f"{_HEAD} net (float[N, 100000, 100000, 100000] x) => (float[N, A, B, C] y) {{ y = Relu (x) }}"
    )
    yield _written(f"{_HEAD} net (float[N, 3] x) => (float[N, 1] y) {{ y = ReduceMax <axes = [7]> (x) }}")
    yield _written(
        '<ir_version: 10, opset_import: ["" : 13]> net (float[N, 3] x) => (float[N, 1] y) '
        "{ y = ReduceMax <axes = [7]> (x) }"
    )
    yield _written(
        f'{_HEAD} net (float[N, 3] x) => (float[N, M] y) {{ y = Einsum <equation = "ij,k->ijk"> (x, x) }}'
    )
    yield partial(_doubled, 32, "Concat")
    yield partial(_doubled, 60, "Concat")
    yield partial(_doubled, 40, "Max")
    yield partial(_chain, 20_000, "Relu")
    yield partial(_chain, 20_000, "Neg")
    yield partial(_chain, 30_000, "Abs")
    yield partial(_chain, 5_000, "Relu")
    yield partial(_chain, 1_000, "Relu")
    yield partial(_functions, 23, False)
    yield partial(_functions, 60, False)
    yield partial(_functions, 3, True)
    yield partial(_functions, 1, True)
    yield _no_text
