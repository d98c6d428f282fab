"""Outcomes of the solvers, as words: why a linear program stopped."""

from __future__ import annotations

from enum import Enum

__all__ = ["LPStatus"]


class LPStatus(Enum):
    """Outcome of a linear program; the value is the sentence to show."""

    OPTIMAL = "an optimal point was found"
    INFEASIBLE = "no point satisfies all the rows"
    UNBOUNDED = "the objective grows without bound over the rows"
    FAILED = "the solver stopped without an answer"

    @property
    def key(self) -> str:
        """Short name for files and programs, e.g. ``"optimal"``."""
        return self.name.lower()
