"""Limits on what a model file may make a reader do: one table, looked at before anything is allocated.

A file of a few bytes can ask for any amount of memory or time: a zip member that unpacks to
terabytes, a declared shape, a constant that is repeated, functions that call functions. So every
reader asks here first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from math import prod
from typing import TYPE_CHECKING

from polyspline.errors import ArgumentError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Limits:
    """What a model file may ask of a reader.

    Parameters
    ----------
    unpacked_bytes : int
        Bytes of all members of an archive together, unpacked, also of those that are not used; and of
        the files that hold the external data of an ONNX model.
    program_bytes : int
        Bytes of the text that describes an exported program of torch.
    operators : int
        Operators of a model, with those in functions and branches, written out at each call.
    entries : int
        Numbers that the operators of a model make, all together: inputs, constants, intermediate tensors.
    weights : int
        Entries, zeros included, of the affine maps that are written out while a model is read, all together.
    """

    unpacked_bytes: int = field(default=2**32, metadata={"unit": "bytes of unpacked data"})
    program_bytes: int = field(default=2**26, metadata={"unit": "bytes of program text"})
    operators: int = field(default=2**12, metadata={"unit": "operators"})
    entries: int = field(default=2**25, metadata={"unit": "numbers made by its operators"})
    weights: int = field(default=2**25, metadata={"unit": "weights written out"})

    def __mul__(self, factor: float) -> Limits:
        """Return the limits with each one multiplied by a positive factor.

        Raises
        ------
        ArgumentError
            If the factor is not a positive finite number.
        """
        if not (math.isfinite(factor) and factor > 0):
            raise ArgumentError(f"limits are multiplied by a positive finite number, got {factor!r}.")
        return replace(
            self, **{row.name: math.ceil(getattr(self, row.name) * factor) for row in fields(self)}
        )

    def check(self, name: str, asked: int, what: str) -> None:
        """Refuse what is above a limit.

        Parameters
        ----------
        name : str
            Of the limit: a field of this class.
        asked : int
            How much is asked for.
        what : str
            What asks for it, as it reads at the start of a message.

        Raises
        ------
        TooLargeError
            If it is above the limit.
        """
        limit = int(getattr(self, name))
        if asked > limit:
            unit = next(row.metadata["unit"] for row in fields(self) if row.name == name)
            raise TooLargeError(
                f"{what} needs {_counted(asked)} {unit}; at most {limit:,} are read, {RAISE}."
            )


RAISE = "pass limits=Limits() * 10 for ten times as much"
"""What the refusal of something too large offers."""

DEFAULT = Limits()
"""The limits that hold where none are given."""


class Budget:
    """What is left of the limits while one model is read.

    Attributes
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits = DEFAULT) -> None:
        self.limits = limits
        self._spent = {"entries": 0, "weights": 0, "operators": 0}

    def spend(self, name: str, amount: int, what: str) -> None:
        """Take an amount of what a limit allows.

        Raises
        ------
        TooLargeError
            If more is taken than the limit allows; nothing is allocated yet.
        """
        self.limits.check(name, self._spent[name] + amount, what)
        self._spent[name] += amount

    def spend_shape(self, name: str, shape: Sequence[int], what: str) -> None:
        """Take as much as a tensor of some shape has entries."""
        self.spend(name, prod(map(int, shape)), what)


def _counted(number: int) -> str:
    """Write a number with separators, or, if it is very long, its order of magnitude."""
    return f"{number:,}" if number < 10**18 else f"more than 10^{int((number.bit_length() - 1) * 0.30102)}"
