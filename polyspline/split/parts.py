"""What a splitting hands out: counts, and regions some thousands at a time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyspline.split.state import TIE_REGION


@dataclass(frozen=True)
class Tally:
    """Counts of some regions.

    Attributes
    ----------
    regions
        How many.
    inner
        Facets of these regions towards other ones.
    boundary
        Facets on the domain's boundary.
    exact_fallbacks
        Decisions in rational arithmetic.
    share
        Share of the tree that they take, a guess: of all regions, they are about so many.
    pairs
        Fingerprints of their facets, combined by exclusive or; zero where both sides of each are there.
        Only of regions that are not kept.
    """

    regions: int = 0
    inner: int = 0
    boundary: int = 0
    exact_fallbacks: int = 0
    share: float = 0.0
    pairs: int = 0

    def __add__(self, other: Tally) -> Tally:
        """Sum of both."""
        return Tally(
            self.regions + other.regions,
            self.inner + other.inner,
            self.boundary + other.boundary,
            self.exact_fallbacks + other.exact_fallbacks,
            self.share + other.share,
            self.pairs ^ other.pairs,
        )


@dataclass(frozen=True, eq=False)
class Batch:
    """Some regions in their order.

    Attributes
    ----------
    packed, witness, proven
        As in a Partition.
    exact
        Rational witnesses by place in the batch.
    start, knot
        Knots of the facets that a region is on the lower side of, without ties.
    tie, tie_key
        Facets with several knots, as in `polyspline.split.state.Results`.
    """

    packed: NDArray[np.uint64]
    witness: NDArray[np.float64]
    proven: NDArray[np.bool_]
    exact: dict[int, tuple[Fraction, ...]]
    start: NDArray[np.int64]
    knot: NDArray[np.int32]
    tie: NDArray[np.int64]
    tie_key: NDArray[np.uint64]

    def __len__(self) -> int:
        """Return the number of regions."""
        return len(self.packed)

    def cut(self, most: int) -> Batch:
        """Return the first regions, at most so many."""
        if most >= len(self):
            return self
        ties = self.tie[:, TIE_REGION] < most
        return Batch(
            self.packed[:most],
            self.witness[:most],
            self.proven[:most],
            {i: point for i, point in self.exact.items() if i < most},
            self.start[: most + 1],
            self.knot[: self.start[most]],
            self.tie[ties],
            self.tie_key[ties],
        )


@dataclass(frozen=True, eq=False)
class Part:
    """Some regions: their counts, and if they are kept the regions themselves."""

    tally: Tally
    batch: Batch | None


UNFINISHED = Part(Tally(), None)
"""The last part of a splitting that was stopped before everything was done."""
