"""Exported programs of torch for the readers' fuzzer, written by hand so that they are always the same."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

Generator = np.random.Generator
Program = dict[str, Any]
"""``model``, ``weights``, ``constants`` (JSON) and ``data`` (bytes by name)."""


def tensor(name: str) -> dict[str, Any]:
    """Argument that is a tensor."""
    return {"as_tensor": {"name": name}}


def call(target: str, output: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """One call; arguments are given as the JSON of their values."""
    entries = [{"name": f"arg{i}" if i else "self", "arg": arg, "kind": 1} for i, arg in enumerate(args)]
    entries += [{"name": name, "arg": arg, "kind": 2} for name, arg in kwargs.items()]
    stack = {"nn_module_stack": "L__self__,,torch.nn.modules.container.Sequential"}
    return {
        "target": f"torch.ops.aten.{target}", "inputs": entries, "outputs": [tensor(output)],
            "metadata": stack
    }  # fmt: skip


def program(
    nodes: list[dict[str, Any]], output: str, shape: tuple[int, ...], weights: dict[str, Any]
) -> Program:
    """Program of some calls, from the input ``x``."""
    config, data, specs = {}, {}, []
    for number, (name, array) in enumerate(weights.items()):
        array = np.asarray(array, dtype=np.float32)
        data[f"weight_{number}"] = array.tobytes()
        meta = {
            "dtype": 7, "sizes": [{"as_int": size} for size in array.shape],
            "strides": [{"as_int": stride // 4} for stride in array.strides],
            "storage_offset": {"as_int": 0}, "layout": 7, "requires_grad": True,
        }  # fmt: skip
        config[name] = {"path_name": f"weight_{number}", "use_pickle": False, "tensor_meta": meta}
        specs.append({"parameter": {"arg": {"name": name}, "parameter_name": name}})
    specs.append({"user_input": {"arg": tensor("x")}})
    graph = {
        "nodes": nodes,
        "tensor_values": {"x": {"sizes": [{"as_int": size} for size in shape]}},
    }
    signature = {"input_specs": specs, "output_specs": [{"user_output": {"arg": tensor(output)}}]}
    model = {"graph_module": {"graph": graph, "signature": signature}}
    return {"model": model, "weights": {"config": config}, "constants": {"config": {}}, "data": data}


def packed(made: Program) -> dict[str, bytes]:
    """Members of the archive of a program."""
    members = {f"m/data/weights/{name}": content for name, content in made["data"].items()}
    members["m/data/weights/model_weights_config.json"] = json.dumps(made["weights"]).encode()
    members["m/data/constants/model_constants_config.json"] = json.dumps(made["constants"]).encode()
    members["m/models/model.json"] = json.dumps(made["model"]).encode()
    return members


def ints(*values: int) -> dict[str, Any]:
    """Argument that is a list of whole numbers."""
    return {"as_ints": list(values)}


def one(value: Any) -> dict[str, Any]:
    """Argument that is a number or a truth value."""
    return {
        "as_bool" if isinstance(value, bool) else "as_int" if isinstance(value, int) else "as_float": value
    }


_WEIGHTS = {
    "w": np.linspace(-1, 1, 12).reshape(4, 3),
    "b": np.ones(4),
    "v": np.linspace(-1, 1, 8).reshape(2, 4),
}


def _dense() -> Program:
    nodes = [
        call("linear.default", "h", tensor("x"), tensor("w"), tensor("b")),
        call("relu.default", "r", tensor("h")),
        call("linear.default", "y", tensor("r"), tensor("v"), {"as_none": True}),
    ]
    return program(nodes, "y", (1, 3), _WEIGHTS)


def _convolutional() -> Program:
    nodes = [
        call(
            "conv2d.default",
            "c",
            tensor("x"),
            tensor("k"),
            tensor("b"),
            ints(1, 1),
            ints(1, 1),
            ints(1, 1),
            one(1),
        ),
        call("max_pool2d.default", "p", tensor("c"), ints(2, 2), ints(2, 2)),
        call("avg_pool2d.default", "a", tensor("p"), ints(2, 2)),
        call("leaky_relu.default", "l", tensor("a"), one(0.5)),
        call("view.default", "y", tensor("l"), ints(1, -1)),
    ]
    return program(
        nodes, "y", (1, 2, 4, 4), {"k": np.linspace(-1, 1, 54).reshape(3, 2, 3, 3), "b": np.ones(3)}
    )


def _moving() -> Program:
    nodes = [
        call("full.default", "f", ints(1, 3), one(0.5)),
        call("repeat.default", "t", tensor("x"), ints(1, 2)),
        call("slice.Tensor", "s", tensor("t"), one(1), one(1), one(4)),
        call("add.Tensor", "a", tensor("s"), tensor("f")),
        call("expand.default", "e", tensor("a"), ints(2, 3)),
        call("amax.default", "m", tensor("e"), ints(0), one(True)),
        call("clamp.default", "y", tensor("m"), one(-1.0), one(1.0)),
    ]
    return program(nodes, "y", (1, 3), {})


PROGRAMS: dict[str, Callable[[], Program]] = {
    "dense": _dense, "convolutional": _convolutional, "moving": _moving
}  # fmt: skip

_VALUES: tuple[Any, ...] = (
    None, True, 0, 1, -1, 7, 10**6, 10**12, 2**63, -(2**63), 10**40, 0.5, 1e308, float("nan"), "", "x",
        "Infinity",
    "n" * 2_000_000, "\x1b[2J", [], [0], {}, {"name": "x"}, {"as_int": 0}, {"as_tensor": {"name": "x"}}, [[]],
    {"as_name": "nothing"}, {"as_none": True},
)  # fmt: skip
_TARGETS = (
    "empty.memory_format", "empty_like.default", "new_empty.default", "full.default", "repeat.default",
    "expand.default",
    "as_strided.default", "eye.default", "arange.default", "linspace.default", "relu.default",
    "add.Tensor", "mul.Tensor",
    "conv2d.default", "conv_transpose2d.input", "max_pool2d.default", "avg_pool2d.default",
    "amax.default", "sum.dim_IntList",
    "batch_norm.default", "view.default", "permute.default", "unfold.default", "im2col.default",
    "pad.default", "cat.default",
    "index.Tensor", "gather.default", "where.self", "clamp.default", "prelu.default", "threshold.default",
    "matmul.default",
    "bmm.default", "einsum.default", "upsample_nearest2d.default", "upsample_bilinear2d.default",
    "diff.default",
    "pixel_shuffle.default", "adaptive_avg_pool2d.default", "cumsum.default", "repeat_interleave.Tensor",
    "set_.source_Tensor",
    "resize_.default", "from_file.default", "_sparse_coo_tensor_unsafe.default", "max.dim",
    "topk.default", "kron.default",
    "tensordot.default", "lerp.Scalar", "bilinear.default", "split.Tensor", "unbind.int",
    "dropout.default", "gt.Scalar",
    "quantize_per_tensor.default", "item.default", "nonzero.default", "__getitem__", "sgn.default",
    "to.dtype", "zeros.default",
)  # fmt: skip


def changed_program(made: Program, rng: Generator) -> Program:
    """Return a program with one to three values of its JSON replaced or left out, or calls changed."""
    made = copy.deepcopy(made)
    for _ in range(int(rng.integers(1, 4))):
        nodes = made["model"]["graph_module"]["graph"].get("nodes")
        kind = int(rng.integers(6))
        if kind == 0 and isinstance(nodes, list) and nodes:
            node = nodes[int(rng.integers(len(nodes)))]
            if isinstance(node, dict):
                node["target"] = f"torch.ops.aten.{rng.choice(_TARGETS)}"
        elif kind == 1 and isinstance(nodes, list) and nodes:
            nodes.insert(
                int(rng.integers(len(nodes) + 1)), copy.deepcopy(nodes[int(rng.integers(len(nodes)))])
            )
        else:
            places = list(_places(made[str(rng.choice(["model", "model", "model", "weights"]))]))
            holder, key = places[int(rng.integers(len(places)))]
            if rng.random() < 0.2:
                del holder[key]
            else:
                holder[key] = copy.deepcopy(_VALUES[int(rng.integers(len(_VALUES)))])
        if not isinstance(made["model"].get("graph_module"), dict) or not isinstance(
            made["model"]["graph_module"].get("graph"), dict
        ):
            break
    return made


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _evil(nodes: list[dict[str, Any]], output: str = "y", shape: tuple[int, ...] = (1, 3)) -> bytes:
    from tests.fuzz.readers import archive

    return archive(packed(program(nodes, output, shape, _WEIGHTS)))


def _added(*nodes: dict[str, Any]) -> Callable[[], bytes]:
    """Program that adds a constant ``k`` to its input."""
    total = call("sum.default", "s", tensor("k"))
    return partial(_evil, [*nodes, total, call("add.Tensor", "y", tensor("x"), tensor("s"))])


def _number(target: str, *args: Any) -> dict[str, Any]:
    entries = [{"name": "", "arg": arg, "kind": 1} for arg in args]
    return {
        "target": target,
        "inputs": entries,
        "outputs": [{"as_sym_int": {"as_name": "n"}}],
        "metadata": {},
    }


def _strided() -> bytes:
    from tests.fuzz.readers import archive

    made = _dense()
    for entry in made["weights"]["config"].values():
        entry["tensor_meta"]["sizes"] = [{"as_int": 10**6}, {"as_int": 10**6}]
        entry["tensor_meta"]["strides"] = [{"as_int": 0}, {"as_int": 0}]
    return archive(packed(made))


def evil_programs() -> Iterator[Callable[[], bytes]]:
    """Programs of a few bytes that ask for much, that never end, or that read what nobody wrote."""
    many = 10**12
    yield _added(call("empty.memory_format", "k", ints(3), pin_memory=one(False)))
    yield _added(call("full.default", "k", ints(many), one(1.0)))
    yield _added(call("zeros.default", "k", ints(10**6, 10**6)))
    yield _added(call("arange.default", "k", one(many)))
    yield _added(call("eye.default", "k", one(10**6)))
    yield _added(call("linspace.default", "k", one(0.0), one(1.0), one(many)))
    yield _added(call("repeat.default", "k", tensor("w"), ints(10**6, 10**6)))
    yield _added(call("as_strided.default", "k", tensor("w"), ints(10**6, 10**6), ints(0, 0)))
    yield _added(call("repeat.default", "k", tensor("x"), ints(10**6, 10**6)))
    yield _added(call("expand.default", "k", tensor("x"), ints(10**11, 3)))
    yield _added(call("new_zeros.default", "k", tensor("x"), ints(many)))
    yield _added(call("constant_pad_nd.default", "k", tensor("x"), ints(0, many), one(0.0)))
    yield _added(_number("_operator.pow", one(10), one(10**9)), call("relu.default", "k", tensor("x")))
    yield _added(
        _number("_operator.mul", {"as_string": "ab"}, one(10**10)), call("relu.default", "k", tensor("x"))
    )
    yield _added(
        _number("_operator.mod", {"as_string": "%9999999999d"}, one(1)),
        call("relu.default", "k", tensor("x")),
    )
    yield _added(_number("_operator.truediv", one(1), one(0)), call("relu.default", "k", tensor("x")))
    yield partial(_evil, [call("relu.default", "y", tensor("x"))], "y", (1, 10**9))
    yield partial(_evil, [call("relu.default", "y", tensor("x"))], "y", (1, 10**6, 10**6, 10**6))
    yield partial(_evil, [call("relu.default", "y", tensor("nothing"))])
    yield partial(_evil, [call("relu.default", "y", tensor("x"))], "nothing")
    yield partial(_evil, [call("kron.default", "y", tensor("x"), tensor("w"))])
    yield partial(_evil, [call("cat.default", f"a{i + 1}",
        {"as_tensors": [{"name": f"a{i}" if i else "x"}] * 2}, one(1))
                          for i in range(40)], "a40")  # fmt: skip
    yield partial(
        _evil,
        [call("relu.default", f"a{i + 1}", tensor(f"a{i}" if i else "x")) for i in range(20_001)],
        "a20001",
    )
    yield partial(
        _evil,
        [call("relu.default", f"a{i + 1}", tensor(f"a{i}" if i else "x")) for i in range(1_000)],
        "a1000",
    )
    yield _strided
