"""Every region visited and none kept: counts, and whatever a visitor makes of them."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyspline.cores import usable_workers
from polyspline.cpa.forward_product import ForwardProduct
from polyspline.domains import Domain, check_dimension
from polyspline.errors import ArgumentError, InvariantError
from polyspline.network import Network
from polyspline.partition.packing import CodePacking
from polyspline.partition.stop import StopReason
from polyspline.split.parts import Tally
from polyspline.split.problem import make_problem
from polyspline.split.schedule import parts_in_order
from polyspline.split.watch import SplitProgress, Watch, estimate_of
from solvers.float_mode import gradual_underflow

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RegionCount:
    """How many regions and adjacencies there are.

    Attributes
    ----------
    regions
        Regions visited.
    adjacencies
        Facets between two of them, each once; if not `complete`, half the facets of those visited.
    boundary_facets
        Facets on the domain's boundary.
    stop
        Why it stopped.
    share
        Share of the tree that was visited, a guess; 1 if complete.
    exact_fallbacks
        Decisions that needed rational arithmetic.
    seconds
        Wall time, compiling left out.
    """

    regions: int
    adjacencies: int
    boundary_facets: int
    stop: StopReason
    share: float
    exact_fallbacks: int
    seconds: float

    @property
    def complete(self) -> bool:
        """Whether every region was visited."""
        return self.stop is StopReason.COMPLETE

    @property
    def estimate(self) -> float:
        """Number of all regions: as counted if complete, else a guess from the share visited."""
        if self.complete:
            return float(self.regions)
        return estimate_of(Tally(regions=self.regions, share=self.share))


@dataclass(frozen=True, eq=False)
class RegionBatch:
    """Some regions, handed to a visitor.

    Attributes
    ----------
    first
        How many regions came before.
    packed
        Packed codes (B, words), see `polyspline.partition.CodePacking`.
    witnesses
        A point strictly inside each region, (B, S); where `witness_exact` is False its rounding.
    witness_exact
        (B,).
    """

    net: Network
    first: int
    packed: NDArray[np.uint64]
    witnesses: Floats
    witness_exact: NDArray[np.bool_]

    def __len__(self) -> int:
        """Return the number of regions, B."""
        return len(self.packed)

    @cached_property
    def codes(self) -> NDArray[Any]:
        """Activation codes (B, N)."""
        return CodePacking(self.net.n_pieces).unpack(self.packed)

    @cached_property
    def _maps(self) -> tuple[Floats, Floats]:
        return ForwardProduct(self.net.layers).maps(self.codes)

    @property
    @gradual_underflow()
    def A(self) -> Floats:
        """Slopes A_ω, (B, D, S), rounded; computed when first asked for."""
        return self._maps[0]

    @property
    @gradual_underflow()
    def b(self) -> Floats:
        """Offsets b_ω, (B, D), rounded."""
        return self._maps[1]


Visitor = Callable[[RegionBatch], object]


@gradual_underflow()
def count(
    net: Network,
    domain: Domain,
    *,
    max_regions: int | None = None,
    max_seconds: float | None = None,
    workers: int = 1,
    executor: Executor | None = None,
    progress: Callable[[SplitProgress], None] | None = None,
) -> RegionCount:
    """Count the regions of a network over a bounded domain, and keep none.

    Parameters
    ----------
    net, domain
        S inputs; a Box or Polytope of dimension S.
    max_regions
        Stop once at least that many are counted (they are counted some thousands at a time).
    max_seconds
        Stop after that time, looked at many times a second; what is done then counts.
    workers
        Number of threads. The counts do not depend on it.
    executor
        Runs the subtrees instead of threads; any `concurrent.futures.Executor` whose workers can
        import polyspline, such as `dask.distributed.Client.get_executor()`.
    progress
        Called with a `SplitProgress` a few times a second.

    Returns
    -------
    RegionCount
        Ctrl-C, like the limits, gives a partial count; its `stop` says why.

    Raises
    ------
    ShapeError, ArgumentError, DomainError
        If an argument is of the wrong shape or out of range, or the domain not bounded.

    Notes
    -----
    Guarantee: exact. Memory: that of the path to one region, however many there are.

    Algorithm: see `polyspline.split.facade.split_regions`. A facet between two regions is counted
    from both sides.
    """
    return _visit(net, domain, None, max_regions, max_seconds, workers, executor, progress)


@gradual_underflow()
def fold(
    net: Network,
    domain: Domain,
    visitor: Visitor,
    *,
    max_regions: int | None = None,
    max_seconds: float | None = None,
    workers: int = 1,
    executor: Executor | None = None,
    progress: Callable[[SplitProgress], None] | None = None,
) -> RegionCount:
    """Hand every region of a network over a bounded domain to a function, and keep none.

    Parameters
    ----------
    net, domain
        S inputs; a Box or Polytope of dimension S.
    visitor
        Called with a `RegionBatch` of some thousand regions at a time, in this thread, in
        lexicographic order of the codes.
    max_regions, max_seconds, workers, executor, progress
        As in `count`.

    Returns
    -------
    RegionCount

    Raises
    ------
    ShapeError, ArgumentError, DomainError
        If an argument is of the wrong shape or out of range, or the domain not bounded.
    Exception
        Whatever the visitor raises, with a note that names the batch's codes.

    Notes
    -----
    Guarantee: every region comes exactly once. Memory: a batch, or a few for each worker.

    Examples
    --------
    >>> import polyspline as ps
    >>> ranks = {}
    >>> def visit(batch):
    ...     for rank in np.linalg.matrix_rank(batch.A):
    ...         ranks[int(rank)] = ranks.get(int(rank), 0) + 1
    >>> done = ps.fold(ps.zoo.random_network([2, 8, 3]), ps.Box(-1, 1, dim=2), visit)
    >>> sum(ranks.values()) == done.regions
    True
    """
    return _visit(net, domain, visitor, max_regions, max_seconds, workers, executor, progress)


def _visit(
    net: Network,
    domain: Domain,
    visitor: Visitor | None,
    max_regions: int | None,
    max_seconds: float | None,
    workers: int,
    executor: Executor | None,
    progress: Callable[[SplitProgress], None] | None,
) -> RegionCount:
    """Go through all regions."""
    if visitor is not None and not callable(visitor):
        raise ArgumentError(
            f"fold: the visitor is a {type(visitor).__name__}; expected a function of a RegionBatch."
        )
    _check(net, domain, max_regions, max_seconds, workers)
    workers = usable_workers(workers)
    watch = Watch(max_seconds, progress)
    problem = make_problem(net, domain)
    keep = visitor is not None
    total = Tally()
    stop = StopReason.COMPLETE
    parts = parts_in_order(
        net, domain, problem, keep=keep, stop=watch.to_stop, workers=workers, executor=executor
    )
    with watch.listening(), closing(parts):
        for part in parts:
            if max_regions is not None and total.regions >= max_regions:
                stop = StopReason.MAX_REGIONS
                break
            if visitor is not None and part.batch is not None:
                batch = part.batch
                _call(visitor, RegionBatch(net, total.regions, batch.packed, batch.witness, batch.proven))
            total += part.tally
            early = watch.stop_after(part, total, parts)
            if early is not None:
                stop = early
                break
    complete = stop is StopReason.COMPLETE
    if complete:
        _check_sides(net, total)
    return RegionCount(
        total.regions,
        total.inner // 2,
        total.boundary,
        stop,
        1.0 if complete else total.share,
        total.exact_fallbacks,
        watch.seconds,
    )


def _check_sides(net: Network, total: Tally) -> None:
    """See that the facets between regions pair up, and that an interval's regions are one more than they."""
    edges, odd = divmod(total.inner, 2)
    paired = not odd and total.pairs == 0
    if not paired or (net.latent_dim == 1 and total.regions - edges != 1):
        raise InvariantError(
            f"{total.regions} regions were counted, and {total.inner} sides of facets between them that "
            f"{'are not those of an interval' if paired else 'do not pair'}; please report the network."
        )


def _check(
    net: Network, domain: Domain, max_regions: int | None, max_seconds: float | None, workers: int
) -> None:
    check_dimension(domain, net)
    if max_regions is not None and max_regions < 1:
        raise ArgumentError(f"max_regions is {max_regions}; expected a positive number of regions.")
    if max_seconds is not None and not (max_seconds > 0 and math.isfinite(max_seconds)):
        raise ArgumentError(f"max_seconds is {max_seconds}; expected a positive number of seconds.")
    if workers < 1:
        raise ArgumentError(f"workers is {workers}; expected at least 1.")


def _call(visitor: Visitor, batch: RegionBatch) -> None:
    """Call the visitor; what it raises is told where it happened."""
    returned = False
    try:
        visitor(batch)
        returned = True
    finally:
        error = sys.exception()
        if not returned and error is not None:
            codes = np.array2string(batch.codes, threshold=200)
            error.add_note(
                f"raised by the visitor at regions {batch.first} to {batch.first + len(batch) - 1}, "
                f"whose activation codes are\n{codes}"
            )
