"""A facet that a walk saw from one side only is an error, always."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polyspline as ps
from polyspline.errors import InvariantError
from polyspline.regions.kernel import Neighbours
from polyspline.walk.walker import Walk


@pytest.mark.parametrize("more", [-1, 1])
def test_a_side_too_many_or_too_few_is_a_contradiction(more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    take_in = Walk._take_in

    def forgetful(self: Walk, first: int, neighbours: Neighbours, count: int) -> None:
        if first == 0:
            self._sides += more
        take_in(self, first, neighbours, count)

    net, domain = ps.zoo.random_network((2, 4, 3), seed=1), ps.Box(-1, 1, dim=2)
    assert ps.enumerate_regions(net, domain, method="walk").complete
    monkeypatch.setattr(Walk, "_take_in", forgetful)
    with pytest.raises(InvariantError, match="sides of facets"):
        ps.enumerate_regions(net, domain, method="walk")


def test_every_edge_of_a_walk_is_there_once() -> None:
    part: Any = ps.enumerate_regions(
        ps.zoo.random_network((2, 6, 3), seed=1), ps.Box(-1, 1, dim=2), method="walk"
    )
    assert len(np.unique(np.sort(part.edges, axis=1), axis=0)) == len(part.edges)
