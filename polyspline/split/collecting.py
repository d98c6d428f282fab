"""From batches of regions in their order to the arrays of a Partition."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyspline.errors import InvariantError
from polyspline.split.joining import look_up, pair_ties
from polyspline.split.parts import Batch, Part, Tally
from polyspline.split.problem import Problem
from polyspline.split.state import TIE_REGION


class Collection:
    """Regions in lexicographic order of their codes, as far as they are known.

    Attributes
    ----------
    regions
        How many.
    tally
        Their counts.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._batches: list[Batch] = []
        self.regions = 0
        self.tally = Tally()

    def add(self, part: Part, most: int | None = None) -> None:
        """Take the next regions in, or only the first of them."""
        assert part.batch is not None
        batch = part.batch if most is None else part.batch.cut(most)
        self._batches.append(batch)
        self.regions += len(batch)
        self.tally += part.tally

    def _joined(self, name: str) -> NDArray[np.generic]:
        """One array of all batches, one after the other."""
        return np.concatenate([getattr(batch, name) for batch in self._batches])

    def arrays(
        self,
    ) -> tuple[NDArray[np.uint64], NDArray[np.float64], NDArray[np.bool_], dict[int, tuple[Fraction, ...]]]:
        """Codes, witnesses, whether these are proven as floats, and the rational ones where not."""
        exact: dict[int, tuple[Fraction, ...]] = {}
        for first, batch in zip(self._firsts(), self._batches, strict=True):
            exact.update({first + i: point for i, point in batch.exact.items()})
        return (
            np.asarray(self._joined("packed"), np.uint64),
            np.asarray(self._joined("witness"), np.float64),
            np.asarray(self._joined("proven"), np.bool_),
            exact,
        )

    def _firsts(self) -> Sequence[int]:
        """Index of the first region of each batch."""
        return list(np.cumsum([0, *(len(batch) for batch in self._batches)])[:-1].tolist())

    def edges(self, *, complete: bool) -> tuple[NDArray[np.int32], NDArray[np.int32], int]:
        """Edges among the regions, their sources, and the first region with a facet left uncrossed.

        Raises
        ------
        InvariantError
            If the regions are all there is, and yet some facet is seen from one side only.
        """
        packed = np.asarray(self._joined("packed"), np.uint64)
        knots = np.asarray(self._joined("knot"), np.int32)
        degrees = np.concatenate([np.diff(batch.start) for batch in self._batches])
        start = np.concatenate([[0], np.cumsum(degrees)]).astype(np.int64)
        table = np.full(1 << (2 * len(packed)).bit_length(), -1, np.int32)
        edges = np.empty((len(knots), 2), np.int32)
        sources = np.empty(len(knots), np.int32)
        key = np.empty(packed.shape[1], np.uint64)
        count, missing = look_up(self._problem.arrays, packed, table, start, knots, key, edges, sources)
        edges, sources = edges[:count], sources[:count]
        ties = [batch.tie.copy() for batch in self._batches]
        for first, tie in zip(self._firsts(), ties, strict=True):
            tie[:, TIE_REGION] += first
        tied, tied_sources, alone = pair_ties(
            np.concatenate(ties), np.concatenate([batch.tie_key for batch in self._batches])
        )
        if alone is not None:
            missing = min(missing, alone)
        found = len(edges) + len(tied)
        if complete and (missing < len(packed) or self.tally.inner != 2 * found):
            raise InvariantError(
                f"{found} facets between regions were found, and {self.tally.inner} sides of facets; "
                "please report the network."
            )
        if len(tied):
            edges, sources = np.concatenate([edges, tied]), np.concatenate([sources, tied_sources])
            order = np.lexsort((sources, edges[:, 0]))
            edges, sources = edges[order], sources[order]
        return edges, sources, missing
