"""Regions met by points, and one step of the walk around each."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from polyspline.cpa.exact import exact_network
from polyspline.cpa.pointwise import closed_pieces
from polyspline.domains import Domain
from polyspline.network import Network
from polyspline.partition import CodePacking
from polyspline.regions.exact import ExactDomain
from polyspline.regions.kernel import PROVEN, Neighbours
from polyspline.regions.start import start_code
from polyspline.walk.expander import Chunk, Expander
from polyspline.walk.problem import Problem, make_problem
from polyspline.walk.store import Store

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

_CHUNK_POINTS = 4096
_CHUNK_REGIONS = 512
_UNLIMITED = 2**31 - 2


@dataclass(frozen=True, eq=False)
class MetRegions:
    """Regions met by points, and maybe their neighbours behind them.

    Attributes
    ----------
    packed
        Packed codes, (R, words).
    points
        (R, S) a point inside each.
    draws
        (R,) how many of the points are in each.
    edges, edge_sources
        Adjacencies among them, see `RegionSet`.
    expanded
        All neighbours of the first that many are there.
    exact_points
        Rational interior points where no float64 one is known.
    """

    packed: Words
    points: Floats
    draws: Integers
    edges: npt.NDArray[np.int32]
    edge_sources: npt.NDArray[np.int32]
    expanded: int
    exact_points: dict[int, tuple[Fraction, ...]]


def meet_regions(net: Network, domain: Domain, drawn: Floats, *, neighbours: bool) -> MetRegions:
    """Find the regions of points (B, S) of the domain, and add their facet neighbours if asked to."""
    packing = CodePacking(net.n_pieces)
    packed = np.concatenate(
        [
            packing.pack(_codes(net, domain, drawn[low : low + _CHUNK_POINTS]))
            for low in range(0, len(drawn), _CHUNK_POINTS)
        ]
    )
    _, first, counts = np.unique(packed, axis=0, return_index=True, return_counts=True)
    order = np.argsort(first)
    first, counts = first[order], counts[order].astype(np.int64)
    if neighbours:
        return _with_neighbours(net, domain, packed[first], drawn[first], counts)
    return MetRegions(
        packed[first],
        drawn[first],
        counts,
        np.empty((0, 2), dtype=np.int32),
        np.empty(0, dtype=np.int32),
        0,
        {},
    )


def _codes(net: Network, domain: Domain, points: Floats) -> Integers:
    """Codes (B, N) of closed regions that hold the points; of points on no knot, of the only one."""
    pieces = closed_pieces(net.layers, points)
    codes: Integers = pieces.low.copy()
    known: dict[bytes, Integers] = {}
    for row in np.flatnonzero(pieces.on_knot).tolist():
        # All points with the same closed pieces are in the same closed regions.
        key = pieces.low[row].tobytes() + pieces.high[row].tobytes() + pieces.largest[row].tobytes()
        if key not in known:
            known[key] = start_code(
                exact_network(net.layers),
                ExactDomain(*domain.rows()),
                points[row],
                domain.exact_interior_point(),
            )
        codes[row] = known[key]
    return codes


def _with_neighbours(
    net: Network, domain: Domain, packed: Words, points: Floats, counts: Integers
) -> MetRegions:
    """Expand every region met once, as a walk does, and settle the witnesses of what is new."""
    problem = make_problem(net, domain)
    slid = np.array([problem.slide(point) for point in points])
    step = _OneStep(problem, packed, slid)
    step.expand(len(packed))
    step.settle(len(packed))
    codes, inside, edges, sources = step.store.finished()
    draws = np.zeros(len(codes), dtype=np.int64)
    draws[: len(counts)] = counts
    exact = {i: problem.embed_exact(point) for i, point in step.exact.items()}
    return MetRegions(codes, problem.embed(inside), draws, edges, sources, len(packed), exact)


class _OneStep:
    """A walk that expands the regions it is given and none of those it finds."""

    def __init__(self, problem: Problem, packed: Words, points: Floats) -> None:
        self.store = Store(problem.packing.n_words, points.shape[1])
        no_edges = np.empty((0, 2), dtype=np.int32), np.empty(0, dtype=np.int32)
        entries = np.full(len(packed), -1, dtype=np.int32)
        self.store.load(packed, points, entries, *no_edges, 0)
        self.exact: dict[int, tuple[Fraction, ...]] = {}
        self._expander = Expander(problem)

    def expand(self, count: int) -> None:
        """Take in the neighbours of the first regions, in their order."""
        for first in range(0, count, _CHUNK_REGIONS):
            pending = self.store.pending(first, min(first + _CHUNK_REGIONS, count))
            chunk = self._expander.chunk(first, *pending)
            self.store.set_witnesses(first, chunk.witnesses)
            for start, stop, found in chunk.parts:
                for place in range(start, stop):
                    self._take_in(chunk, place, place - start, found)

    def _take_in(self, chunk: Chunk, place: int, row: int, found: Neighbours) -> None:
        number = chunk.first + place
        if chunk.status[place] == PROVEN:
            own = Neighbours(found.start[row : row + 2], found.knot, found.packed, found.point)
        else:
            region = self._expander.exactly(chunk.packed[place], chunk.points[place], chunk.witnesses[place])
            self._note(number, region.witness, region.exact_witness)
            own, _ = self._expander.exact_neighbours(chunk.packed[place], region)
        self.store.merge(number, own, 1, _UNLIMITED)

    def settle(self, count: int) -> None:
        """Give the regions behind the first `count` a witness, too."""
        for first in range(count, self.store.regions, _CHUNK_REGIONS):
            stop = min(first + _CHUNK_REGIONS, self.store.regions)
            chunk = self._expander.chunk(first, *self.store.pending(first, stop), only_witness=True)
            self.store.set_witnesses(first, chunk.witnesses)
            for place in np.flatnonzero(chunk.status != PROVEN).tolist():
                region = self._expander.exactly(
                    chunk.packed[place], chunk.points[place], chunk.witnesses[place]
                )
                self._note(first + place, region.witness, region.exact_witness)

    def _note(self, number: int, witness: Floats, exact: tuple[Fraction, ...] | None) -> None:
        self.store.set_witnesses(number, witness[None, :])
        if exact is not None:
            self.exact[number] = exact
