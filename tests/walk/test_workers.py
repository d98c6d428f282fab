"""The same answer in the same order for any number of workers."""

from __future__ import annotations

import numpy as np
import pytest

import polyspline as ps
from tests.agreement.support import Where, assert_identical, cube, polytope, walked, whole_space
from tests.agreement.zoo import families
from tests.oracle.cases import random_weights, simplex_with_cuts

ZOO = families()


@pytest.mark.parametrize("workers", [2, 3])
@pytest.mark.parametrize(
    ("widths", "activation", "where"),
    [
        ([1, 20, 20, 1], "relu", cube(1)),
        ([2, 24, 24, 1], "relu", cube(2)),
        ([2, 16, 16, 1], "leaky_relu:0.1", whole_space(2)),
        ([3, 16, 16, 1], "relu", polytope(simplex_with_cuts(3, 3, 1))),
        ([3, 8, 8, 1], "hardtanh", cube(3)),
        ([4, 10, 8, 1], "relu", whole_space(4)),
        ([5, 8, 8, 1], "relu", cube(5)),
    ],
    ids=lambda value: "" if isinstance(value, Where) else str(value),
)
def test_more_workers_give_the_same_arrays(
    widths: list[int], activation: str, where: Where, workers: int
) -> None:
    net = ps.Network.from_layers(*random_weights(widths, 3), activation=activation)
    one = walked(net, where.domain)
    assert_identical(one, walked(net, where.domain, workers=workers))


@pytest.mark.parametrize(
    "family",
    ["nearly_proportional-2", "lattice-3", "zero-biases-3", "dying-2", "folded", "needles", "integers-3"],
)
def test_more_workers_agree_on_degenerate_networks(family: str) -> None:
    net = ps.Network.from_layers(*ZOO[family])
    for domain in (ps.Box(-1, 1, dim=net.latent_dim), ps.WholeSpace(net.latent_dim)):
        one = walked(net, domain)
        two = walked(net, domain, workers=2)
        assert_identical(one, two)
        assert one.exact_fallbacks == two.exact_fallbacks


@pytest.mark.parametrize("limit", [1, 10, 999, 2500])
def test_a_limit_falls_on_the_same_regions_for_any_number_of_workers(limit: int) -> None:
    net = ps.Network.from_layers(*random_weights([3, 16, 16, 1], 0))
    one, two = (walked(net, ps.Box(-1, 1, dim=3), max_regions=limit, workers=workers) for workers in (1, 2))
    assert len(one) == limit
    assert_identical(one, two)


def test_more_workers_than_regions_are_harmless() -> None:
    net = ps.Network.from_layers([np.eye(1), np.eye(1)], [np.zeros(1), np.zeros(1)])
    part = walked(net, ps.Box(-1, 1, dim=1), workers=8)
    assert len(part) == 2
    assert part.n_adjacencies == 1
