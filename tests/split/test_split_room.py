"""A splitting that runs out of room all the time ends in the same arrays."""

from __future__ import annotations

from typing import Any

import pytest

import polyspline as ps
from polyspline.split import runner
from polyspline.split.state import Sizes
from tests.agreement.support import assert_identical, problem
from tests.agreement.zoo import dying, lattice, zero_biases
from tests.oracle.cases import Weights, random_weights

pytestmark = pytest.mark.usefixtures("cut_early")

CASES: dict[str, Weights] = {
    "generic": random_weights([3, 8, 6, 1], 0),
    "lattice": lattice(2),
    "zero-biases": zero_biases([3, 6, 4, 1], 0),
    "dying": dying([2, 8, 6, 4, 1], 0),
}


@pytest.mark.parametrize("name", CASES)
def test_arrays_that_grow_lose_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net: Any = problem(CASES[name], "relu").net
    cube = ps.Box(-1.0, 1.0, dim=net.latent_dim)
    roomy = ps.enumerate_regions(net, cube, method="split")

    class Small(runner.Runner):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self._sizes = Sizes(stack=2, entries=32, pool=16, vertices=8, regions=3, facets=64, ties=64)

    monkeypatch.setattr("polyspline.split.schedule.Runner", Small)
    assert_identical(roomy, ps.enumerate_regions(net, cube, method="split"))
    assert_identical(roomy, ps.enumerate_regions(net, cube, method="split", workers=2))
