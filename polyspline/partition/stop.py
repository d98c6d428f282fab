"""Why an enumeration stopped."""

from __future__ import annotations

from solvers.status import KeyedEnum


class StopReason(KeyedEnum):
    """Why an enumeration stopped; only `COMPLETE` means that nothing of the domain is missing.

    The value of each member is a sentence; `key` is its word in files and JSON.
    """

    COMPLETE = "every facet of every region was crossed"
    RADIUS = "every region that meets the ball was found, and the rest of the domain was left out"
    MAX_REGIONS = "the asked number of regions was found before every facet was crossed"
    MAX_SECONDS = "the asked time was over before every facet was crossed"
    INTERRUPTED = "the run was interrupted before every facet was crossed"

    @property
    def finished(self) -> bool:
        """Whether all that was asked for was found: the whole domain, or all that meets a ball."""
        return self in (StopReason.COMPLETE, StopReason.RADIUS)

    @classmethod
    def from_key(cls, key: str) -> StopReason:
        """Member with the given `key`.

        Parameters
        ----------
        key
            One of complete, radius, max_regions, max_seconds, interrupted.

        Raises
        ------
        ValueError
            If there is no such member.
        """
        for member in cls:
            if member.key == key:
                return member
        raise ValueError(f"no stop reason is called {key!r}; expected one of {[m.key for m in cls]}.")
