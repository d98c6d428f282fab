"""Witnesses are proven where they are handed out: far away, and at the frontier of a walk that was cut."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import polyspline as ps
from polyspline.regions import kernel
from solvers.compiled import compiled
from tests.agreement.support import assert_proven_witnesses, cube, problem, whole_space
from tests.exact_forms import exact_forms, value_at


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


@compiled
def holds_there(
    t: kernel.Tables, s: kernel.RowSpace, n: int, z: kernel.Floats, work: kernel.Workspace
) -> bool:
    return kernel._witness_holds(t, s, n, z, work)


def test_a_float_point_is_proven_only_if_all_true_rows_are_positive_there() -> None:
    net = ps.Network.from_layers([[[1.0, 0.3], [0.7, -1.1]]], [[0.1, 0.2]], ["relu"])
    forms = exact_forms(net.layers, [1, 1])[0]
    rng = np.random.default_rng(0)
    told = 0
    for _ in range(300):
        z = rng.normal(size=2) * 10.0 ** rng.integers(0, 12)
        z[0] = -(0.3 * z[1] + 0.1)  # on the first knot but for rounding
        code = np.array(net.code(z), dtype=np.int64)
        values = [value_at(form, z.tolist()) for form in forms]
        assert [int(value > 0) for value in values] == code.tolist()
        told += values[0] != Fraction(0)
    assert told > 0
