"""How many regions meet each of many balls: one small walk for each, over one problem."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from polyspline.domains import Domain
from polyspline.network import Network
from polyspline.partition.stop import StopReason
from polyspline.regions.ball import Ball
from polyspline.regions.start import start_regions
from polyspline.walk.expander import Expander
from polyspline.walk.facade import compile_kernels, finished_partition
from polyspline.walk.problem import Problem, make_problem
from polyspline.walk.sieve import Judge, Sieve, bound_of
from polyspline.walk.store import Store
from polyspline.walk.walker import Limits, Walk

_CENTRES = 512


@dataclass(frozen=True)
class BallCount:
    """What was found of one ball: regions, affine regions (None unless asked for), why it stopped."""

    regions: int
    affine_regions: int | None
    stop: StopReason
    exact_fallbacks: int


def count_in_balls(
    net: Network,
    domain: Domain,
    balls: Sequence[Ball],
    *,
    max_regions: int | None = None,
    workers: int = 1,
    affine_regions: bool = False,
) -> list[BallCount]:
    """Count the regions that meet each ball; arguments are checked by the caller.

    Parameters
    ----------
    net, domain
        What is walked.
    balls
        Their centres are points of the domain.
    max_regions
        Where to stop counting, for each ball.
    workers
        Number of threads; each takes a ball at a time.
    affine_regions
        Whether to count those, too.

    Returns
    -------
    list of BallCount
        One for each ball.
    """
    if not balls:
        return []
    problem = make_problem(net, domain)
    judge = Judge(net, problem, bound_of(balls))
    expander = Expander(problem)

    packed = _start_codes(net, domain, problem, balls)

    def count(place: int) -> BallCount:
        ball = balls[place]
        store = Store(problem.packing.n_words, len(problem.coordinates))
        sieve = Sieve(judge, ball)
        store.add_start(packed[place], problem.slide(ball.centre))
        if place == 0:
            compile_kernels(store, expander, sieve)
        walk = Walk(problem, store, Limits(max_regions), sieve=sieve, expander=expander)
        stop = walk.run()
        regions, affine = store.regions, None
        if affine_regions:
            affine = finished_partition(walk, net, domain, stop).n_affine_regions
        return BallCount(regions, affine, stop, walk.fallbacks)

    first = count(0)  # compiles, in one thread
    others = range(1, len(balls))
    if workers == 1:
        return [first, *map(count, others)]
    with ThreadPoolExecutor(workers, thread_name_prefix="polyspline") as pool:
        futures = [pool.submit(count, place) for place in others]
        try:
            return [first, *(future.result() for future in futures)]
        finally:
            for future in futures:
                future.cancel()


def _start_codes(net: Network, domain: Domain, problem: Problem, balls: Sequence[Ball]) -> NDArray[np.uint64]:
    """Packed codes (B, words) of the centres' regions, some at a time to save memory."""
    centres = np.array([ball.centre for ball in balls])
    parts = [centres[first : first + _CENTRES] for first in range(0, len(centres), _CENTRES)]
    codes = (start_regions(net, domain, part) for part in parts)
    return np.concatenate([problem.packing.pack(some) for some in codes])
