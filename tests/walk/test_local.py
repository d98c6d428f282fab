"""`max_regions` takes the regions nearest to the start in flips, ties by facet source."""

from __future__ import annotations

from collections import deque

import networkx
import pytest

import polyspline as ps
from tests.agreement.support import Where, cube, walked, whole_space
from tests.agreement.zoo import families
from tests.oracle.cases import random_weights

ZOO = families()
CASES: list[tuple[str, ps.Network, Where, list[float]]] = [
    ("generic-2", ps.Network.from_layers(*random_weights([2, 10, 10, 1], 0)), cube(2), [0.6, -0.3]),
    ("generic-3", ps.Network.from_layers(*random_weights([3, 8, 8, 1], 1)), whole_space(3), [0.1, 0.2, 0.3]),
    ("lattice-2", ps.Network.from_layers(*ZOO["lattice-2"]), cube(2), [0.0, 0.0]),
    ("integers-3", ps.Network.from_layers(*ZOO["integers-3"]), cube(3), [0.1, 0.2, 0.3]),
]


@pytest.mark.parametrize(("net", "where", "start"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_the_first_regions_are_the_nearest_in_flips(
    net: ps.Network, where: Where, start: list[float]
) -> None:
    # The graph comes from a walk that began elsewhere.
    whole = walked(net, where.domain)
    graph = whole.graph()
    first = whole.index_of(walked(net, where.domain, start=start, max_regions=1).code(0))
    hops = networkx.single_source_shortest_path_length(graph, first)
    order = breadth_first(graph, first)
    for limit in (1, 2, 5, len(whole) // 2, len(whole)):
        part = walked(net, where.domain, start=start, max_regions=limit)
        listed = [whole.index_of(code) for code in part.codes]
        assert listed == order[:limit]
        far = [hops[place] for place in listed]
        assert far == sorted(far)
        beyond = [hops[place] for place in order[limit:]]
        assert not beyond or min(beyond) >= far[-1]


def breadth_first(graph: networkx.Graph[int], first: int) -> list[int]:
    """Order of a breadth-first walk that takes neighbours by the source of the facet between them."""
    order, known, waiting = [first], {first}, deque([first])
    while waiting:
        here = waiting.popleft()
        for other in sorted(graph[here], key=lambda other: graph.edges[here, other]["source"]):
            if other not in known:
                known.add(other)
                order.append(other)
                waiting.append(other)
    return order
