"""What a node of an ONNX model says besides its inputs, each attribute of the type that ONNX gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from polyspline.errors import NetworkFileError, UnsupportedLayerError
from polyspline.network.boundary import shortened
from polyspline.network.reasons import reason_against

if TYPE_CHECKING:
    import onnx

OWN_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True)
class Call:
    """What a node says besides its inputs."""

    attributes: dict[str, Any]
    opset: int

    def __getitem__(self, name: str) -> Any:
        """Attribute by name, None if it is not given."""
        return self.attributes.get(name)

    def number(self, name: str, default: float) -> float:
        """Attribute that is a number."""
        return float(self.attributes.get(name, default))

    def whole(self, name: str, default: int) -> int:
        """Attribute that is a whole number."""
        return int(self.attributes.get(name, default))

    def numbers(self, name: str, default: Sequence[int]) -> tuple[int, ...]:
        """Attribute that is a list of whole numbers."""
        return tuple(int(value) for value in self.attributes.get(name, default))


def call_of(node: onnx.NodeProto, opset: int, place: str) -> Call:
    """Attributes of a node: those that ONNX knows for its operator, of the types that it gives them.

    Parameters
    ----------
    node : onnx.NodeProto
    opset : int
    place : str
        The node, for messages.

    Raises
    ------
    NetworkFileError
        If an attribute is unknown, of another type, missing or given twice, or there are too few or
        too many inputs.
    UnsupportedLayerError
        If ONNX has no such operator in this version.
    """
    from onnx import AttributeProto, defs
    from onnx.helper import get_attribute_value

    attributes: dict[str, Any] = {}
    for entry in node.attribute:
        if entry.name in attributes or entry.ref_attr_name:
            raise NetworkFileError(
                f"{place} of the ONNX model has the attribute {shortened(entry.name)} twice."
            )
        try:
            value = get_attribute_value(entry)
        except ValueError as wrong:
            raise NetworkFileError(
                f"{place} of the ONNX model has an attribute {shortened(entry.name)} of no known type."
            ) from wrong
        try:
            attributes[entry.name] = value.decode() if isinstance(value, bytes) else value
        except UnicodeError as wrong:
            raise NetworkFileError(
                f"{place} of the ONNX model has an attribute {shortened(entry.name)} that is no UTF-8."
            ) from wrong
    if node.domain not in (*OWN_DOMAINS, "ai.onnx.ml"):
        return Call(attributes, opset)  # a custom operator, which is refused where it is run
    try:
        schema = (
            defs.get_schema(node.op_type, opset, "")
            if node.domain in OWN_DOMAINS
            else defs.get_schema(node.op_type, "ai.onnx.ml")
        )
    except defs.SchemaError as unknown:
        raise UnsupportedLayerError(reason_against(node.op_type)) from unknown
    for entry in node.attribute:
        if entry.name not in schema.attributes:
            known = ", ".join(sorted(schema.attributes)) or "none"
            raise NetworkFileError(
                f"{place} of the ONNX model has the attribute {shortened(entry.name)}, which "
                f"{node.op_type} does "
                f"not know; it knows {known}."
            )
        kind: Any = schema.attributes[entry.name].type
        expected = AttributeProto.AttributeType.Value(kind.name)
        if entry.type != expected:
            raise NetworkFileError(
                f"{place} of the ONNX model has the attribute {shortened(entry.name)} of the type "
                f"{AttributeProto.AttributeType.Name(entry.type)}; expected "
                f"{AttributeProto.AttributeType.Name(expected)}."
            )
    for name, known_one in schema.attributes.items():
        if known_one.required and name not in attributes:
            raise NetworkFileError(f"{place} of the ONNX model has no attribute {name}, which it needs.")
    _check_inputs(node, schema, place)
    return Call(attributes, opset)


def _check_inputs(node: onnx.NodeProto, schema: onnx.defs.OpSchema, place: str) -> None:
    """Check the number of inputs, and that none is left out that is needed.

    Raises
    ------
    NetworkFileError
        If they are not as ONNX says.
    """
    count = len(node.input)
    left_out = any(not name for name in node.input[: schema.min_input])
    if not schema.min_input <= count <= schema.max_input or left_out:
        most = f" to {schema.max_input:,}" if schema.max_input != schema.min_input else ""
        raise NetworkFileError(
            f"{place} of the ONNX model has {sum(map(bool, node.input))} inputs; expected "
            f"{schema.min_input}{most}."
        )
    if len(node.output) > schema.max_output:
        raise NetworkFileError(
            f"{place} of the ONNX model has {len(node.output)} outputs; expected at most {schema.max_output}."
        )
