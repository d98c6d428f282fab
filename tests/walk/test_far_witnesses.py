"""Witnesses are proven where they are handed out: far away, and at the frontier of a walk that was cut."""

from __future__ import annotations

import numpy as np
import pytest

import polyspline as ps
from tests.agreement.support import assert_proven_witnesses, cube, problem, whole_space


@pytest.mark.parametrize("k", [20, 40, 50])
@pytest.mark.parametrize("seed", range(4))
def test_witnesses_of_wedges_that_are_thin_and_far_are_strictly_inside(seed: int, k: int) -> None:
    rng = np.random.default_rng([seed, k])
    normal = rng.integers(1, 16, 2) / 16
    rows = np.array([normal, normal * (1 + 2.0**-k) + [0.0, 2.0**-k], rng.integers(-8, 8, 2) / 8])
    given = problem(([rows, np.ones((1, 3))], [np.array([0.5, -0.25, 1e3]), np.zeros(1)]), "relu")
    where = whole_space(2)
    assert_proven_witnesses(ps.enumerate_regions(given.net, where.domain, method="walk"), given, where)


@pytest.mark.parametrize("most", [2, 3, 5])
@pytest.mark.parametrize("k", [10, 30, 48])
def test_witnesses_at_the_frontier_are_strictly_inside(k: int, most: int) -> None:
    rng = np.random.default_rng([k, most])
    r, t = rng.integers(4, 16, (2, 2)) / 16
    rows = np.array([r, r + t * 2.0**-k, r - t * 2.0**-k, t])
    given = problem(([rows, np.ones((1, 4))], [np.zeros(4), np.zeros(1)]), "relu")
    where = cube(2)
    part = ps.enumerate_regions(given.net, where.domain, method="walk", max_regions=most)
    assert not part.complete
    assert_proven_witnesses(part, given, where)
