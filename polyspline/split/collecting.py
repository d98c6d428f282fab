"""From batches of regions in the order they were met to the arrays of a Partition."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyspline.errors import InvariantError
from polyspline.partition.code_table import EMPTY
from polyspline.split.joining import look_up, pair_ties
from polyspline.split.ordering import breadth_first
from polyspline.split.parts import Batch, Part, Tally
from polyspline.split.problem import Problem
from polyspline.split.state import TIE_REGION, Indices, Words


@dataclass(frozen=True)
class Collected:
    """The arrays of a Partition, in its order; see there."""

    packed: Words
    witnesses: NDArray[np.float64]
    proven: NDArray[np.bool_]
    exact: dict[int, tuple[Fraction, ...]]
    edges: Indices
    edge_sources: Indices
    expanded: int


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
        self.tally += part.tally
        if part.batch is not None:
            batch = part.batch if most is None else part.batch.cut(most)
            self._batches.append(batch)
            self.regions += len(batch)

    def _joined(self, name: str) -> NDArray[np.generic]:
        """One array of all batches, one after the other."""
        return np.concatenate([getattr(batch, name) for batch in self._batches])

    def in_order_from(self, start: Words, *, complete: bool) -> Collected:
        """Join the regions by their edges, and put them in breadth-first order from a region.

        Parameters
        ----------
        start
            (words,) packed code of that region. Where it is not among the regions, it is the
            first of them.
        complete
            Whether the regions are all there are.

        Raises
        ------
        InvariantError
            If they are, and yet some facet is seen from one side only.
        """
        packed = np.asarray(self._joined("packed"), np.uint64)
        edges, sources, alone = self._edges(packed)
        if complete and (alone.any() or self.tally.inner != 2 * len(edges)):
            raise InvariantError(
                f"{len(edges)} facets between regions were found, and {self.tally.inner} sides of facets; "
                "please report the network."
            )
        root = int((packed == start).all(axis=1).argmax())
        order, edges, sources = breadth_first(len(packed), root, edges, sources)
        late = np.flatnonzero(alone[order])
        return Collected(
            packed[order],
            np.asarray(self._joined("witness"), np.float64)[order],
            np.asarray(self._joined("proven"), np.bool_)[order],
            self._exact_witnesses(order),
            edges,
            sources,
            int(late[0]) if len(late) else len(packed),
        )

    def _firsts(self) -> list[int]:
        """Index of the first region of each batch."""
        return [int(first) for first in np.cumsum([0, *(len(batch) for batch in self._batches)])[:-1]]

    def _exact_witnesses(self, order: Indices) -> dict[int, tuple[Fraction, ...]]:
        """Rational witnesses by place in the order."""
        exact = {
            first + i: point
            for first, batch in zip(self._firsts(), self._batches, strict=True)
            for i, point in batch.exact.items()
        }
        if not exact:
            return {}
        places = np.flatnonzero(np.isin(order, list(exact))).tolist()
        return {place: exact[int(order[place])] for place in places}

    def _edges(self, packed: Words) -> tuple[Indices, Indices, NDArray[np.bool_]]:
        """Edges, their sources, and which regions have a facet left uncrossed."""
        knots = np.asarray(self._joined("knot"), np.int32)
        degrees = np.concatenate([np.diff(batch.start) for batch in self._batches])
        start = np.concatenate([[0], np.cumsum(degrees)]).astype(np.int64)
        edges = np.empty((len(knots), 2), np.int32)
        sources = np.empty(len(knots), np.int32)
        table = np.full(1 << (2 * len(packed)).bit_length(), EMPTY, np.int32)
        key = np.empty(packed.shape[1], np.uint64)
        uncrossed = np.zeros(len(packed), np.bool_)
        count = look_up(self._problem.arrays, packed, table, start, knots, key, edges, sources, uncrossed)
        ties = [batch.tie.copy() for batch in self._batches]
        for first, tie in zip(self._firsts(), ties, strict=True):
            tie[:, TIE_REGION] += first
        tied, tied_sources = pair_ties(
            np.concatenate(ties),
            np.concatenate([batch.tie_key for batch in self._batches]),
            uncrossed,
        )
        if not len(tied):
            return edges[:count], sources[:count], uncrossed
        here, beyond = (self._problem.packing.unpack(packed[side]) for side in tied.T)
        shared = self._problem.net.knots.shared(tied_sources, here, beyond)
        return (
            np.concatenate([edges[:count], tied.astype(np.int32)]),
            np.concatenate([sources[:count], shared.astype(np.int32)]),
            uncrossed,
        )
