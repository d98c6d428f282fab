"""Max groups over copies of units with flat pieces: ties that hold on whole regions, told by structure."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import polyspline as ps
from polyspline.cpa.copies import _surely_apart
from polyspline.cpa.row_space import RowSpace, row_space
from polyspline.cpa.tables import Tables, make_tables
from solvers.compiled import compiled
from tests.agreement.support import assert_agrees, cube, problem


@compiled
def surely_apart(t: Tables, one: int, other: int, s: RowSpace) -> bool:
    return _surely_apart(t, one, other, s)


@pytest.mark.parametrize("method", ["walk", "split"])
@pytest.mark.parametrize("unit", ["hardtanh", "relu6", "relu|hardtanh|relu6|relu", "relu"])
@pytest.mark.parametrize("seed", range(6))
def test_pools_of_clipped_units_are_those_of_the_oracle(method: str, unit: str, seed: int) -> None:
    """Members may be two different constants, two that rise together, or one constant twice."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-6, 7, (4, 2)) / 2
    if seed % 3 == 1:
        rows[1] = 2 * rows[0]  # two that leave zero together, one faster
    if seed % 3 == 2:
        rows[1], rows[2] = -rows[0], rows[0]
    biases = rng.integers(-3, 4, 4) / 2 if seed % 2 else np.zeros(4)
    pool = np.eye(4)[[0, 1, 2, 3] if seed % 2 else [0, 1, 1, 2]]
    given = problem(([rows, pool], [biases, np.zeros(4)]), [unit, "max:2" if seed < 3 else "max:4"])
    assert_agrees(given, cube(2, 4.0), method=method)


def test_rows_that_may_be_parallel_within_their_slack_are_not_proven_apart() -> None:
    net = ps.Network.from_layers([np.ones((2, 2))], [np.zeros(2)], ["max:2"])
    radius = np.array([1.0, 2.0])
    tables = make_tables(net.layers, np.zeros((0, 2)), np.zeros(0), radius)
    space = row_space(tables)
    rng = np.random.default_rng(0)
    reach = [Fraction(r) for r in tables.radius.tolist()]
    apart = 0
    for _ in range(2000):
        true = rng.normal(size=3) * 10.0 ** rng.integers(-3, 4, 3)
        factor = float(rng.normal())
        slack = float(10.0 ** rng.integers(-12, -2))
        moves = rng.uniform(-1, 1, (2, 3)) / tables.radius * slack / 3.0 * rng.choice([0.9, 3.0])
        one, other = true + moves[0], factor * true + moves[1]
        space.rows[:, 0], space.rows[:, 1] = one, other
        space.slack[:2] = slack
        # Exact rows that are parallel, and within the slack of the given ones?
        exact = [Fraction(a) for a in true.tolist()]
        near = all(
            sum(
                (abs(Fraction(a) - k * b) * r for a, b, r in zip(row.tolist(), exact, reach, strict=True)),
                Fraction(0),
            )
            <= Fraction(slack)
            for row, k in ((one, Fraction(1)), (other, Fraction(factor)))
        )
        proven = surely_apart(tables, 0, 1, space)
        assert not (near and proven)
        space.rows[:, 1] = rng.normal(size=3)
        apart += surely_apart(tables, 0, 1, space)
    assert apart > 0
