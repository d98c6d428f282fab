"""Breadth-first order of given edges."""

from __future__ import annotations

from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from polyspline.split.ordering import breadth_first


def plainly(regions: int, root: int, rows: dict[int, list[tuple[int, int]]]) -> list[int]:
    """Order regions by a queue; what is not reached follows by its number."""
    order: list[int] = []
    for first in (root, *range(regions)):
        queue = [] if first in order else [first]
        order += queue
        while queue:
            for _, other in sorted(rows[queue.pop(0)]):
                if other not in order:
                    order.append(other)
                    queue.append(other)
    return order


@settings(derandomize=True, deadline=None, database=None, max_examples=60)
@given(st.integers(1, 12), st.randoms(use_true_random=False), st.floats(0.0, 0.6))
def test_the_order_is_that_of_a_queue(regions: int, random: Random, density: float) -> None:
    rng = np.random.default_rng(random.getrandbits(32))
    pairs = [(i, j) for i in range(regions) for j in range(i) if rng.random() < density]
    rng.shuffle(pairs)
    edges = np.array(pairs, np.int32).reshape(-1, 2)
    sources = rng.permutation(len(edges)).astype(np.int32)
    rows: dict[int, list[tuple[int, int]]] = {region: [] for region in range(regions)}
    for (i, j), source in zip(edges.tolist(), sources.tolist(), strict=True):
        rows[i].append((source, j))
        rows[j].append((source, i))
    root = int(rng.integers(regions))
    order, found, found_sources = breadth_first(regions, root, edges, sources)
    assert order.tolist() == plainly(regions, root, rows)
    place = {region: i for i, region in enumerate(order.tolist())}
    expected = [
        (i, place[other], source)
        for i, region in enumerate(order.tolist())
        for source, other in sorted(rows[region])
        if place[other] > i
    ]
    assert list(zip(*found.T.tolist(), found_sources.tolist(), strict=True)) == expected
