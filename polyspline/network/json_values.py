"""Values of a JSON text whose kind is looked at where they are read."""

from __future__ import annotations

from typing import Any, NoReturn

from polyspline.errors import NetworkFileError
from polyspline.network.boundary import shortened

_INTEGERS = 2**63
"""Integers of a program are smaller than this, and not below its negative."""


class Json:
    """A value of a JSON text, with its place in it.

    Parameters
    ----------
    value : object
        As `json.loads` gives it.
    source : str
        What is damaged if a value is of another kind than expected, as it reads at the start of a message.
    place : str
        Where in the text it is.
    """

    def __init__(self, value: Any, source: str, place: str = "its text") -> None:
        self._value = value
        self._source = source
        self._place = place

    def fail(self, expected: str) -> NoReturn:
        """Say that the value is not what it should be.

        Raises
        ------
        NetworkFileError
            Always.
        """
        simple = isinstance(self._value, str | int | float | None)
        came = shortened(str(self._value)) if simple else f"a {type(self._value).__name__}"
        raise NetworkFileError(
            f"{self._source} is truncated or damaged, or of a version of torch that writes another format "
            f"({self._place} is {came}, expected {expected}): export it again."
        )

    # ---- objects and arrays

    def __contains__(self, key: str) -> bool:
        """Whether the value is an object with a member of this name."""
        return isinstance(self._value, dict) and key in self._value

    def __getitem__(self, key: str) -> Json:
        """Member of an object."""
        if not isinstance(self._value, dict) or key not in self._value:
            self.fail(f"an object with {key!r}")
        return self._at(self._value[key], key)

    def members(self) -> dict[str, Json]:
        """All members of an object by name."""
        if not isinstance(self._value, dict):
            self.fail("an object")
        return {key: self._at(value, key) for key, value in self._value.items()}

    def only(self) -> tuple[str, Json]:
        """Name and value of the one member of an object."""
        members = self.members()
        if len(members) != 1:
            self.fail("an object with one member")
        return next(iter(members.items()))

    def items(self) -> list[Json]:
        """Entries of an array."""
        if not isinstance(self._value, list):
            self.fail("a list")
        return [self._at(value, str(number)) for number, value in enumerate(self._value)]

    @property
    def is_list(self) -> bool:
        """Whether the value is an array."""
        return isinstance(self._value, list)

    # ---- numbers and text

    def text(self) -> str:
        """Return the value, which is text."""
        if not isinstance(self._value, str):
            self.fail("text")
        return self._value

    def whole(self) -> int:
        """Return the value, which is a whole number that torch can hold."""
        if not isinstance(self._value, int) or isinstance(self._value, bool):
            self.fail("a whole number")
        if not -_INTEGERS <= self._value < _INTEGERS:
            self.fail("a whole number of 64 bits")
        return self._value

    def truth(self) -> bool:
        """Return the value, which is true or false."""
        if not isinstance(self._value, bool):
            self.fail("true or false")
        return self._value

    def number(self) -> float:
        """Return the value, which is a number, or one of the words for infinities and NaN."""
        try:
            return float(self._value)
        except (TypeError, ValueError, OverflowError):
            self.fail("a number")

    def _at(self, value: Any, key: str) -> Json:
        return Json(
            value, self._source, f"{self._place}/{key[:40]}" if len(self._place) < 200 else self._place
        )
