"""A planted fault: what is changed where, and which tests are to see it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Mutant(NamedTuple):
    """One fault.

    Attributes
    ----------
    name
        Of the fault, unique.
    file
        Where it is planted, from the root.
    old, new
        The text that stands there, exactly once, and what takes its place.
    tests
        Targets of pytest that should see it, the cheapest first.
    why
        Why it is a fault; of an equivalent one, why nothing can see it.
    equivalent
        Whether no input tells it from the original.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    why: str
    equivalent: bool = False

    def planted(self, text: str) -> str:
        """Plant it in the text of its file.

        Raises
        ------
        ValueError
            If the old text does not stand there exactly once.
        """
        count = text.count(self.old)
        if count != 1 or self.old == self.new:
            raise ValueError(f"mutant {self.name!r} is stale: {self.old!r} is {count} times in {self.file}.")
        return text.replace(self.old, self.new)
