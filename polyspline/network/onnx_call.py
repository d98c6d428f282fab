"""What a node of an ONNX model says besides its inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


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

    def numbers(self, name: str, default: Sequence[int]) -> tuple[int, ...]:
        """Attribute that is a list of whole numbers."""
        return tuple(int(value) for value in self.attributes.get(name, default))
