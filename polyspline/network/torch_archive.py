"""Reading the archives that ``torch.export.save`` writes, without ever running code from them.

``torch.export.load`` is not used: it unpickles weights and example inputs and evaluates symbolic
sizes as Python, so a file can run code. Here the program is read as JSON, the weights as bytes, and
only operators of torch's own library are called.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyspline.errors import NetworkFileError, UnsupportedLayerError, require
from polyspline.network.boundary import ARCHIVE_DAMAGE, shortened
from polyspline.network.json_values import Json
from polyspline.network.limits import Budget
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

_MOST_AXES = 32

_HOW = (
    "save it with torch.export.save(torch.export.export(module.eval(), (example,)), 'model.pt2'), or with "
    "Network.from_torch(module).save('model.npz')"
)
_CONTROL_FLOW = "torch.ops.higher_order."


def read_program(path: Path, budget: Budget | None = None) -> Program:
    """Program of an archive of ``torch.export.save``.

    Parameters
    ----------
    path : Path
    budget : Budget, optional
        How much the program may ask for.

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
    if not path.is_file():
        raise NetworkFileError(f"{name} is no plain file; expected an exported program of torch.")
    if not zipfile.is_zipfile(path):
        raise NetworkFileError(
            f"{name} is no exported program of torch: it is truncated, damaged, or a pickle, which is never "
            f"loaded because it can run code; {_HOW}."
        )
    try:
        archive = zipfile.ZipFile(path)
    except ARCHIVE_DAMAGE as damage:
        raise _damaged(name, damage) from damage
    with archive:
        # Of a file that is cut off, what is found may be an archive within the archive.
        if min((member.header_offset for member in archive.infolist()), default=0) > 0:
            raise _damaged(name, zipfile.BadZipFile())
        budget = Budget() if budget is None else budget
        unpacked = sum(member.file_size for member in archive.infolist())
        budget.limits.check("unpacked_bytes", unpacked, name)
        return _Archive(archive, name, budget).program()


class _Archive:
    def __init__(self, archive: zipfile.ZipFile, name: str, budget: Budget) -> None:
        self.archive = archive
        self.name = name
        self.budget = budget
        self.members = {member.partition("/")[2]: member for member in archive.namelist()}

    def program(self) -> Program:
        """Return the one program of the archive."""
        models = [member for member in self.members if re.fullmatch(r"models/[^/]+\.json", member)]
        if not models:
            raise NetworkFileError(f"{self.name} {self._what_else()}; {_HOW}.")
        if len(models) != 1:
            raise NetworkFileError(f"{self.name} holds {len(models)} programs; expected one.")
        model = models[0].removeprefix("models/").removesuffix(".json")
        graph_module = self._json(models[0])["graph_module"]
        graph, signature = graph_module["graph"], graph_module["signature"]
        given, output = (
            single([spec[f"user_{what}"]["arg"] for spec in specs if f"user_{what}" in spec], what)
            for what, specs in (
                ("input", signature["input_specs"].items()), ("output", signature["output_specs"].items())
            )
        )  # fmt: skip
        if "as_tensor" not in given or "as_tensor" not in output:
            raise UnsupportedLayerError("the program does not take one tensor and return one; export it so.")
        name = given["as_tensor"]["name"].text()
        nodes = graph["nodes"].items()
        self.budget.spend("operators", len(nodes), "the program")
        steps = [self._step(node) for node in nodes]
        buffers = [spec["buffer"] for spec in signature["input_specs"].items() if "buffer" in spec]
        refuse_changed_buffers(
            steps, {spec["arg"]["name"].text(): spec["buffer_name"].text() for spec in buffers}
        )
        program = Program(
            name,
            _input_shape(graph["tensor_values"][name]["sizes"].items()),
            self._constants(signature, model),
            steps,
            Ref(output["as_tensor"]["name"].text()),
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
        """Bytes of a member.

        Raises
        ------
        NetworkFileError
            If there is none, or it is damaged.
        """
        if member not in self.members:
            raise NetworkFileError(
                f"{self.name} is truncated or damaged: it holds no {shortened(member)}; export it again."
            )
        try:
            return self.archive.read(self.members[member])
        except ARCHIVE_DAMAGE as damage:
            raise _damaged(self.name, damage) from damage

    def _json(self, member: str) -> Json:
        """Content of a member that is JSON."""
        if member in self.members:
            size = self.archive.getinfo(self.members[member]).file_size
            self.budget.limits.check("program_bytes", size, self.name)
        content = self._read(member)
        try:
            return Json(json.loads(content), self.name)
        except ValueError as damage:
            raise _damaged(self.name, damage) from damage

    # ---- weights

    def _constants(self, signature: Json, model: str) -> dict[str, torch.Tensor]:
        weights = self._json(f"data/weights/{model}_weights_config.json")["config"]
        others = self._json(f"data/constants/{model}_constants_config.json")["config"]
        found = {}
        for spec in signature["input_specs"].items():
            for kind, key in (
                ("parameter", "parameter_name"), ("buffer", "buffer_name"),
                ("tensor_constant", "tensor_constant_name"),
            ):  # fmt: skip
                if kind in spec:
                    target = spec[kind][key].text()
                    folder, payload = (
                        ("data/weights", weights[target])
                        if target in weights
                        else ("data/constants", others[target])
                    )
                    found[spec[kind]["arg"]["name"].text()] = self._tensor(folder, payload)
            if "custom_obj" in spec or "token" in spec:
                raise UnsupportedLayerError("the program holds a custom object; only tensors are supported.")
        return found

    def _tensor(self, folder: str, payload: Json) -> torch.Tensor:
        """Tensor that is some of the numbers of a member.

        Raises
        ------
        NetworkFileError
            If it is pickled, or its sizes are not those of its numbers.
        TooLargeError
            If its numbers are repeated more often than the limits allow.
        """
        import torch

        if payload["use_pickle"].truth():
            raise NetworkFileError(
                f"{self.name} holds a pickled weight, which is never loaded because it can run code; {_HOW}."
            )
        meta = payload["tensor_meta"]
        content = bytearray(self._read(f"{folder}/{payload['path_name'].text()}"))
        dtype = _dtype(meta["dtype"])
        sizes, strides = (
            [size["as_int"].whole() for size in meta[key].items()] for key in ("sizes", "strides")
        )
        start = meta["storage_offset"]["as_int"].whole()
        if prod(sizes) > len(content):  # some are read more than once
            self.budget.spend("entries", prod(sizes), f"{self.name}: a weight")
        try:
            flat = torch.frombuffer(content, dtype=dtype) if content else torch.zeros(0, dtype=dtype)
            return torch.as_strided(flat, sizes, strides, start).clone()
        except (RuntimeError, ValueError, TypeError) as damage:
            raise _damaged(self.name, damage) from damage

    # ---- steps

    def _step(self, node: Json) -> Step:
        stack = ",,model"
        if "nn_module_stack" in node["metadata"]:
            stack = node["metadata"]["nn_module_stack"].text()
        entries = stack.split(";")[-1].split(",")
        place = place_of(entries[min(1, len(entries) - 1)].partition("@")[0], entries[-1])
        target = _target(node["target"].text(), place)
        schema = getattr(target, "_schema", None)
        keywords = (
            {argument.name for argument in schema.arguments if argument.kwarg_only} if schema else set()
        )
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for entry in node["inputs"].items():
            value, name = _value(entry["arg"], place), entry["name"].text()
            if name in keywords or ("kind" in entry and entry["kind"].whole() == 2) or kwargs:
                kwargs[name] = value
            else:
                args.append(value)
        outputs = node["outputs"].items()
        several = len(outputs) > 1 or bool(outputs and "as_tensors" in outputs[0])
        names = tuple(name for output in outputs for name in _names(output))
        return Step(names, several, target, tuple(args), kwargs, place)


def _damaged(name: str, damage: Exception) -> NetworkFileError:
    return NetworkFileError(
        f"{name} is truncated or damaged, or of a version of torch that writes another format "
        f"({type(damage).__name__}): export it again."
    )


def _dtype(number: Json) -> torch.dtype:
    """Type of numbers that a number of the archive stands for."""
    import torch

    if number.whole() not in _DTYPES:
        number.fail(f"one of the types {', '.join(_DTYPES.values())}")
    found: torch.dtype = getattr(torch, _DTYPES[number.whole()])
    return found


def _target(text: str, place: str) -> Any:
    """Operator of torch by its name; nothing else can be named."""
    import torch

    if text in NUMBER_FUNCTIONS:
        return NUMBER_FUNCTIONS[text]
    match = _OPERATOR.fullmatch(text)
    packet: Any = getattr(torch.ops.aten, match.group(1), None) if match else None
    listed: Any = packet.overloads if isinstance(packet, torch._ops.OpOverloadPacket) else list
    if match is None or match.group(2) not in listed():
        if text.startswith(_CONTROL_FLOW):
            raise UnsupportedLayerError(
                f"{place}: calls {text}, which is control flow; only straight programs are supported."
            )
        raise UnsupportedLayerError(f"{place}: calls {text}, which is no operator of torch's own library.")
    return getattr(packet, match.group(2))


def _names(output: Json) -> list[str]:
    """Names of the results that one entry stands for."""
    kind, value = output.only()
    if kind == "as_tensors":
        return [entry["name"].text() for entry in value.items()]
    return [value["name" if kind == "as_tensor" else "as_name"].text()]


def _value(argument: Json, place: str) -> Any:
    """Argument of a call."""
    import torch

    kind, value = argument.only()
    if kind in ("as_none", "as_memory_format", "as_layout"):
        return None
    if kind == "as_device":
        return torch.device("cpu")
    if kind == "as_scalar_type":
        return _dtype(value)
    if kind in _SIMPLE:
        return _SIMPLE[kind](value)
    if kind in _LISTS:
        return [_LISTS[kind](each) for each in value.items()]
    if kind in ("as_float", "as_floats"):  # infinities come as words
        return [each.number() for each in value.items()] if value.is_list else value.number()
    if kind in ("as_tensor", "as_optional_tensor"):
        return _reference(value)
    if kind in ("as_tensors", "as_optional_tensors"):
        return [_reference(each) for each in value.items()]
    if kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
        return _symbol(value)
    if kind in ("as_sym_ints", "as_sym_floats", "as_sym_bools"):
        return [_symbol(each) for each in value.items()]
    raise UnsupportedLayerError(
        f"{place}: has an argument of the kind {kind} (control flow?), which is not supported."
    )


_SIMPLE: dict[str, Callable[[Json], Any]] = {
    "as_int": Json.whole, "as_bool": Json.truth, "as_string": Json.text
}  # fmt: skip
_LISTS: dict[str, Callable[[Json], Any]] = {
    "as_ints": Json.whole, "as_bools": Json.truth, "as_strings": Json.text
}  # fmt: skip


def _reference(value: Json) -> Ref | None:
    if "name" in value:
        return Ref(value["name"].text())
    return Ref(value["as_tensor"]["name"].text()) if "as_tensor" in value else None


def _symbol(value: Json) -> Any:
    kind, content = value.only()
    if kind == "as_name":
        return Ref(content.text())
    if kind in _SIMPLE:
        return _SIMPLE[kind](content)
    return content.number()


def _input_shape(sizes: list[Json]) -> tuple[int, ...]:
    """Shape of the input, with a batch of one.

    Raises
    ------
    UnsupportedLayerError
        If a size other than the batch is dynamic, or the batch is fixed to another number than one.
    """
    found = [size["as_int"].whole() if "as_int" in size else 0 for size in sizes]
    if len(found) > _MOST_AXES:
        raise UnsupportedLayerError(f"the program takes an input of {len(found):,} axes.")
    shown = "(" + ", ".join(str(size) if size else "?" for size in found) + ")"
    if any(size < 1 for size in found[1:]) or (len(found) == 1 and not found[0]) or not found:
        raise UnsupportedLayerError(
            f"the program takes an input of the dynamic shape {shown}; only the batch (the first axis) may "
            "be dynamic."
        )
    if len(found) > 1 and found[0] > 1:
        raise UnsupportedLayerError(
            f"the program takes an input of shape {shown}, a fixed batch of {found[0]}; export it with a "
            "batch of one, or with a dynamic one."
        )
    if found[0] < 0:
        raise UnsupportedLayerError(f"the program takes an input of shape {shown}; expected positive sizes.")
    return tuple([1, *found[1:]] if len(found) > 1 else found)
