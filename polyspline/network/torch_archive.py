"""Reading the archives that ``torch.export.save`` writes, without ever running code from them.

``torch.export.load`` is not used: it unpickles weights and example inputs and evaluates symbolic
sizes as Python, so a file can run code. Here the program is read as JSON, the weights as bytes, and
only operators of torch's own library are called.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyspline.errors import NetworkFileError, UnsupportedLayerError, require
from polyspline.network.torch_program import (
    NUMBER_FUNCTIONS,
    Program,
    Ref,
    Step,
    changes_what_is_read_later,
    place_of,
    refuse_changed_buffers,
    single,
)

if TYPE_CHECKING:
    import torch

_OPERATOR = re.compile(r"torch\.ops\.aten\.([A-Za-z_0-9]+)\.([A-Za-z_0-9]+)")
_DTYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
    12: "bool", 13: "bfloat16",
}  # fmt: skip
"""Numbers that stand for types in the archive."""

_HOW = (
    "save it with torch.export.save(torch.export.export(module.eval(), (example,)), 'model.pt2'), or with "
    "Network.from_torch(module).save('model.npz')"
)
_CONTROL_FLOW = "torch.ops.higher_order."
# What broken archives and unexpected contents lead to.
_DAMAGE = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, RuntimeError, OSError, EOFError, MemoryError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def read_program(path: Path) -> Program:
    """Program of an archive of ``torch.export.save``.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Program

    Raises
    ------
    NetworkFileError
        If the file is missing, damaged or of another kind (a pickle, TorchScript).
    UnsupportedLayerError
        If the program does not take one tensor and return one, or calls what is no operator of torch.
    MissingExtraError
        If torch is not installed.
    """
    require("torch", extra="torch", purpose="read exported torch programs")
    name = f"network file {str(path)!r}"
    if not path.exists():
        raise NetworkFileError(f"{name} does not exist.")
    if path.is_dir():
        raise NetworkFileError(f"{name} is a folder; expected an exported program of torch.")
    if not zipfile.is_zipfile(path):
        raise NetworkFileError(
            f"{name} is no exported program of torch: it is truncated, damaged, or a pickle, which is never "
            f"loaded because it can run code; {_HOW}."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            # Of a file that is cut off, what is found may be an archive within the archive.
            if min((member.header_offset for member in archive.infolist()), default=0) > 0:
                raise zipfile.BadZipFile
            return _Archive(archive, name).program()
    except (NetworkFileError, UnsupportedLayerError):
        raise
    except _DAMAGE as damage:
        raise NetworkFileError(
            f"{name} is truncated or damaged, or of a version of torch that writes another format "
            f"({type(damage).__name__}): export it again."
        ) from damage


class _Archive:
    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self.archive = archive
        self.name = name
        self.members = {member.partition("/")[2]: member for member in archive.namelist()}

    def program(self) -> Program:
        """Return the one program of the archive."""
        models = [member for member in self.members if re.fullmatch(r"models/[^/]+\.json", member)]
        if not models:
            raise NetworkFileError(f"{self.name} {self._what_else()}; {_HOW}.")
        if len(models) != 1:
            raise NetworkFileError(f"{self.name} holds {len(models)} programs; expected one.")
        model = models[0].removeprefix("models/").removesuffix(".json")
        graph_module = json.loads(self._read(models[0]))["graph_module"]
        graph, signature = graph_module["graph"], graph_module["signature"]
        given = single([s["user_input"] for s in signature["input_specs"] if "user_input" in s], "input")
        output = single([s["user_output"] for s in signature["output_specs"] if "user_output" in s], "output")
        if "as_tensor" not in given["arg"] or "as_tensor" not in output["arg"]:
            raise UnsupportedLayerError("the program does not take one tensor and return one; export it so.")
        name = given["arg"]["as_tensor"]["name"]
        steps = [self._step(node) for node in graph["nodes"]]
        buffers = [spec["buffer"] for spec in signature["input_specs"] if "buffer" in spec]
        refuse_changed_buffers(steps, {spec["arg"]["name"]: spec["buffer_name"] for spec in buffers})
        program = Program(
            name,
            _input_shape(graph["tensor_values"][name]["sizes"]),
            self._constants(signature, model),
            steps,
            Ref(output["arg"]["as_tensor"]["name"]),
        )
        place = changes_what_is_read_later(program)
        if place is not None:
            raise UnsupportedLayerError(
                f"{place}: changes a tensor in place that is read later; export it again after "
                "exported = exported.run_decompositions({})."
            )
        return program

    def _what_else(self) -> str:
        """Say what an archive is that holds no program."""
        inside = set(self.archive.namelist())
        if any(member.endswith("serialized_exported_program.json") for member in inside):
            return (
                "is an exported program of an old version of torch; export it again with torch 2.9 or later"
            )
        if any("/code/" in member for member in inside):
            return "is TorchScript, which is not supported"
        if any(member.endswith("data.pkl") for member in inside):
            return (
                "is a pickle (a state dict, which has no architecture, or a whole module), which is never "
                "loaded because it can run code"
            )
        return "is no exported program of torch"

    def _read(self, member: str) -> bytes:
        return self.archive.read(self.members[member])

    # ---- weights

    def _constants(self, signature: dict[str, Any], model: str) -> dict[str, torch.Tensor]:
        weights = json.loads(self._read(f"data/weights/{model}_weights_config.json"))["config"]
        others = json.loads(self._read(f"data/constants/{model}_constants_config.json"))["config"]
        found = {}
        for spec in signature["input_specs"]:
            for kind, key in (
                ("parameter", "parameter_name"), ("buffer", "buffer_name"),
                ("tensor_constant", "tensor_constant_name"),
            ):  # fmt: skip
                if kind in spec:
                    target = spec[kind][key]
                    folder, payload = (
                        ("data/weights", weights[target])
                        if target in weights
                        else ("data/constants", others[target])
                    )
                    found[spec[kind]["arg"]["name"]] = self._tensor(folder, payload)
            if "custom_obj" in spec or "token" in spec:
                raise UnsupportedLayerError("the program holds a custom object; only tensors are supported.")
        return found

    def _tensor(self, folder: str, payload: dict[str, Any]) -> torch.Tensor:
        import torch

        if payload["use_pickle"]:
            raise NetworkFileError(
                f"{self.name} holds a pickled weight, which is never loaded because it can run code; {_HOW}."
            )
        meta = payload["tensor_meta"]
        content = bytearray(self._read(f"{folder}/{payload['path_name']}"))
        dtype = getattr(torch, _DTYPES[meta["dtype"]])
        flat = torch.frombuffer(content, dtype=dtype) if content else torch.zeros(0, dtype=dtype)
        sizes, strides = ([int(size["as_int"]) for size in meta[key]] for key in ("sizes", "strides"))
        return torch.as_strided(flat, sizes, strides, int(meta["storage_offset"]["as_int"])).clone()

    # ---- steps

    def _step(self, node: dict[str, Any]) -> Step:
        stack = node["metadata"].get("nn_module_stack", ",,model").split(";")[-1].split(",")
        place = place_of(stack[1].partition("@")[0], stack[-1])
        target = _target(node["target"], place)
        schema = getattr(target, "_schema", None)
        keywords = (
            {argument.name for argument in schema.arguments if argument.kwarg_only} if schema else set()
        )
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for entry in node["inputs"]:
            value = _value(entry["arg"], place)
            if entry["name"] in keywords or entry.get("kind") == 2 or kwargs:
                kwargs[entry["name"]] = value
            else:
                args.append(value)
        outputs = node["outputs"]
        several = len(outputs) > 1 or "as_tensors" in (outputs[0] if outputs else {})
        names = tuple(name for output in outputs for name in _names(output))
        return Step(names, several, target, tuple(args), kwargs, place)


def _target(text: str, place: str) -> Any:
    """Operator of torch by its name; nothing else can be named."""
    import torch

    if text in NUMBER_FUNCTIONS:
        return NUMBER_FUNCTIONS[text]
    match = _OPERATOR.fullmatch(text)
    packet = getattr(torch.ops.aten, match.group(1), None) if match else None
    if match is None or packet is None or match.group(2) not in packet.overloads():
        if text.startswith(_CONTROL_FLOW):
            raise UnsupportedLayerError(
                f"{place}: calls {text}, which is control flow; only straight programs are supported."
            )
        raise UnsupportedLayerError(f"{place}: calls {text}, which is no operator of torch's own library.")
    return getattr(packet, match.group(2))


def _names(output: dict[str, Any]) -> list[str]:
    """Names of the results that one entry stands for."""
    ((kind, value),) = output.items()
    if kind == "as_tensors":
        return [entry["name"] for entry in value]
    return [value["name"] if kind == "as_tensor" else value["as_name"]]


def _value(argument: dict[str, Any], place: str) -> Any:
    """Argument of a call."""
    import torch

    ((kind, value),) = argument.items()
    if kind in ("as_none", "as_memory_format", "as_layout"):
        return None
    if kind == "as_device":
        return torch.device("cpu")
    if kind == "as_scalar_type":
        return getattr(torch, _DTYPES[value])
    if kind in ("as_int", "as_ints", "as_bool", "as_bools", "as_string", "as_strings"):
        return value
    if kind in ("as_float", "as_floats"):  # infinities come as words
        return [float(each) for each in value] if isinstance(value, list) else float(value)
    if kind in ("as_tensor", "as_optional_tensor"):
        return Ref(value["name"]) if "name" in value else _optional(value)
    if kind in ("as_tensors", "as_optional_tensors"):
        return [Ref(each["name"]) if "name" in each else _optional(each) for each in value]
    if kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
        return _symbol(value)
    if kind in ("as_sym_ints", "as_sym_floats", "as_sym_bools"):
        return [_symbol(each) for each in value]
    raise UnsupportedLayerError(
        f"{place}: has an argument of the kind {kind} (control flow?), which is not supported."
    )


def _optional(value: dict[str, Any]) -> Ref | None:
    return Ref(value["as_tensor"]["name"]) if "as_tensor" in value else None


def _symbol(value: dict[str, Any]) -> Any:
    ((kind, content),) = value.items()
    return Ref(content) if kind == "as_name" else content


def _input_shape(sizes: list[dict[str, Any]]) -> tuple[int, ...]:
    """Shape of the input, with a batch of one.

    Raises
    ------
    UnsupportedLayerError
        If a size other than the batch is dynamic, or the batch is fixed to another number than one.
    """
    found = [size.get("as_int", 0) for size in sizes]
    shown = "(" + ", ".join(str(size) if size else "?" for size in found) + ")"
    if any(size < 1 for size in found[1:]) or (len(found) == 1 and not found[0]) or not found:
        raise UnsupportedLayerError(
            f"the program takes an input of the dynamic shape {shown}; only the batch (the first axis) may "
            "be dynamic."
        )
    if len(found) > 1 and found[0] > 1:
        raise UnsupportedLayerError(
            f"the program takes an input of shape {shown}, a fixed batch of {found[0]}; export it with a "
            "batch of "
            "one, or with a dynamic one."
        )
    return tuple([1, *found[1:]] if len(found) > 1 else found)
