"""What is found wrong with the answers to a case."""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from polyspline.errors import InvariantError, PolysplineError

T = TypeVar("T")

#: Errors that no user should see: whatever is raised and is none of the package's own.
RAW_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    NameError,
    OSError,
    RuntimeError,
    SystemError,
    TypeError,
    ValueError,
)


class Failure(NamedTuple):
    """What kind of failure, in a word or two, and what is wrong, in a sentence."""

    kind: str
    what: str


@dataclass
class Verdict:
    """Failures of one case, one sentence each.

    Attributes
    ----------
    refusable : whether an error of the package is an answer.
    failures : what is wrong, each a kind of failure (a word) and a sentence.
    refused : how many calls ended in such an error.
    unproven : inversions that ended by themselves, above the gap, and say why.
    beyond : whether the oracle was not asked, as the case has too many cells for it.
    """

    refusable: bool = False
    failures: list[Failure] = field(default_factory=list)
    refused: int = 0
    unproven: int = 0
    beyond: bool = False

    def fail(self, kind: str, what: str) -> None:
        """Note a failure."""
        self.failures.append(Failure(kind, what))

    @property
    def kinds(self) -> list[str]:
        """Kinds of failures, each once."""
        return list(dict.fromkeys(failure.kind for failure in self.failures))

    def attempt(self, what: str, call: Callable[[], T]) -> T | None:
        """Result of a call; None, and a failure unless it may refuse, where it raises. Warnings fail, too."""
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            result = self._called(what, call)
        for warning in warned[:1]:
            place = f"{warning.filename}:{warning.lineno}"
            self.fail("warning", f"{what}: {warning.category.__name__}: {warning.message} ({place})")
        return result

    def _called(self, what: str, call: Callable[[], T]) -> T | None:
        try:
            return call()
        except InvariantError as broken:
            self.fail("invariant", f"{what}: InvariantError: {broken}")
        except PolysplineError as error:
            if self.refusable:
                self.refused += 1
            else:
                self.fail("refusal", f"{what}: {type(error).__name__}: {error}")
        except RAW_ERRORS as raw:
            last = traceback.extract_tb(raw.__traceback__)[-1]
            self.fail("raw error", f"{what}: {type(raw).__name__}: {raw} ({last.filename}:{last.lineno})")
        return None
