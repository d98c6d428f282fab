"""Why an enumeration stopped."""

from __future__ import annotations

from enum import Enum


class StopReason(Enum):
    """Why an enumeration stopped; only `COMPLETE` means that nothing is missing.

    The value of each member is a sentence; `key` is its word in files and JSON.
    """

    COMPLETE = "every facet of every region was crossed"
    MAX_REGIONS = "the asked number of regions was found before every facet was crossed"
    MAX_SECONDS = "the asked time was over before every facet was crossed"
    INTERRUPTED = "the run was interrupted before every facet was crossed"

    @property
    def key(self) -> str:
        """The word for it in run files and JSON: complete, max_regions, max_seconds, interrupted."""
        return self.name.lower()

    @classmethod
    def from_key(cls, key: str) -> StopReason:
        """Member with the given `key`.

        Parameters
        ----------
        key
            One of complete, max_regions, max_seconds, interrupted.

        Raises
        ------
        ValueError
            If there is no such member.
        """
        for member in cls:
            if member.key == key:
                return member
        raise ValueError(f"no stop reason is called {key!r}; expected one of {[m.key for m in cls]}.")
