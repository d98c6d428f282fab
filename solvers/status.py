"""Outcomes as words: enums whose values are sentences, and why a linear program stopped."""

from __future__ import annotations

from enum import Enum

__all__ = ["KeyedEnum", "LPStatus"]


class KeyedEnum(Enum):
    """Base of enums whose values are sentences to show and whose names, in lower case, are keys."""

    @property
    def key(self) -> str:
        """Short name for files and programs, e.g. ``"max_regions"``."""
        return self.name.lower()


class LPStatus(KeyedEnum):
    """Outcome of a linear program; the value is the sentence to show."""

    OPTIMAL = "an optimal point was found"
    INFEASIBLE = "no point satisfies all the rows"
    UNBOUNDED = "the objective grows without bound over the rows"
    FAILED = "the solver stopped without an answer"
