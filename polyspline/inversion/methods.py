"""What the methods of inversion have in common: their options and their outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from polyspline.inversion.result import BoundSource, Ending
from polyspline.inversion.tracker import Tracker
from polyspline.partition import Partition


@dataclass(frozen=True)
class Options:
    """Options of the methods; each reads those that concern it.

    Attributes
    ----------
    solver
        Back-end of `milp`, by name; None for its default.
    partition
        Partition that `scan` goes through.
    starts
        Number of random starts of `gradient`.
    seed
        Seed of the random starts.
    max_nodes
        Limit on the nodes of `search`; None for none.
    """

    solver: str | None = None
    partition: Partition | None = None
    starts: int = 16
    seed: int = 0
    max_nodes: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What a method says of its run; points and bounds are in the tracker.

    Attributes
    ----------
    bound_source
        Who vouches for the tracker's lower bound.
    solver
        The program that solved the subproblems.
    ending
        Why it ended, if neither the gap was closed nor time was up.
    """

    bound_source: BoundSource
    solver: str
    ending: Ending


Method: TypeAlias = Callable[[Tracker, Options], Outcome]
"""Runs until the tracker is closed or out of time, or the method has nothing more to do."""
