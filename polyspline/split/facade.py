"""One call that splits a domain into its regions, to a `Partition`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from polyspline.domains import Domain
from polyspline.network import Network
from polyspline.partition.partition import Partition
from polyspline.partition.stop import StopReason
from polyspline.split.collecting import Collection
from polyspline.split.problem import make_problem
from polyspline.split.schedule import parts_in_order
from polyspline.split.watch import SplitProgress, Watch


def split_regions(
    net: Network,
    domain: Domain,
    start: NDArray[np.float64] | None = None,
    *,
    max_regions: int | None = None,
    max_seconds: float | None = None,
    workers: int = 1,
    executor: Executor | None = None,
    report: Callable[[SplitProgress], None] | None = None,
) -> Partition:
    """Split the domain into the regions of a network; arguments are checked by the caller.

    Parameters
    ----------
    net, domain
        What to split; the domain is bounded.
    start
        (S,) a point of the domain: its region is the first; None for the domain's default.
    max_regions, max_seconds
        When to stop early: the regions met first are kept, and the edges among them.
    workers
        Number of threads.
    executor
        Runs the subtrees instead of threads, on other machines if it can.
    report
        Called with the progress a few times a second.

    Returns
    -------
    Partition
        Regions in breadth-first order from the start, neighbours by facet source; edges by their
        lower region, then by source. The regions of a splitting that stopped early are those lowest
        in the lexicographic order of codes; where they are not connected, or the start's is not one
        of them, the order goes on from the lowest that it has not come to.

    Raises
    ------
    DomainError
        If the domain is not bounded, or has so many vertices that its cells would not fit.
    ArgumentError
        If the executor cannot do the work.

    Notes
    -----
    Guarantee: the sets of codes and of edges are exact, whatever the scaling or degeneracy of the
    network. Witnesses are proven strictly inside.

    Algorithm: the domain is cut by one knot after the other, layer by layer, depth first. A cell is
    its vertices and the facets that each is on; the signs of a knot's row at the vertices decide all.
    The cost is the number of cells times their vertices, and for each cell of a layer one product
    with the weights of the next layer. The order is made at the end, in one pass over the edges.
    """
    watch = Watch(max_seconds, report)
    with watch.listening():
        problem = make_problem(net, domain)
        first = problem.default_region if start is None else problem.region_of(start)
        collection = Collection(problem)
        stop = StopReason.COMPLETE
        with closing(
            parts_in_order(
                net, domain, problem, keep=True, stop=watch.to_stop, workers=workers, executor=executor
            )
        ) as parts:
            for part in parts:
                if max_regions is not None and collection.regions + part.tally.regions > max_regions:
                    collection.add(part, most=max_regions - collection.regions)
                    stop = StopReason.MAX_REGIONS
                    break
                collection.add(part)
                early = watch.stop_after(part, collection.tally, parts)
                if early is not None:
                    stop = early
                    break
        found = collection.in_order_from(first, complete=stop is StopReason.COMPLETE)
    return Partition(
        net,
        domain,
        found.packed,
        found.witnesses,
        found.proven,
        found.edges,
        found.edge_sources,
        stop,
        found.expanded,
        exact_fallbacks=collection.tally.exact_fallbacks,
        seconds=watch.seconds,
        exact_witnesses=found.exact,
    )
