"""Exact rows that are rounded once for the kernel keep within their slack, and say what they are."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from polyspline.regions.exact import _rounded
from solvers.lp.ties import CENTRAL, INTEGRAL
from tests.exact_forms import float_value, holds, value_at


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("bits", [10, 19, 21, 40, 54, 80, 200])
def test_rounded_rows_are_off_by_their_slack_at_most(bits: int, bounded: bool) -> None:
    rng = np.random.default_rng([bits, int(bounded)])
    rows: list[tuple[int, ...]] = []
    for _ in range(40):
        entries = [
            int(a) << max(bits - 62, 0)
            for a in rng.integers(-(2 ** min(bits, 62)) + 1, 2 ** min(bits, 62), 3)
        ]
        entries = [a + int(rng.integers(-3, 4)) for a in entries]
        entries[2] = entries[2] >> int(rng.choice([0, bits // 2, bits - 2]))
        rows.append(tuple(entries))
    radius = np.array([0.7, 1.3])
    tables = _rounded(rows, bounded, radius)
    for j, row in enumerate(rows):
        largest = max(map(abs, row))
        flags = int(tables.domain_flags[j])
        floats = tables.domain_rows[:, j].copy()
        unit = 1 if flags & INTEGRAL else largest
        exact = [Fraction(a, unit) for a in row]
        if flags & INTEGRAL:
            assert [Fraction(a) for a in floats.tolist()] == exact
            assert largest < 2**20
        if flags & CENTRAL:
            assert row[-1] == 0
        for _ in range(10):
            x = rng.uniform(-1, 1, 2) * tables.radius[:2]
            if bounded:
                missed = abs(Fraction(float_value(floats, x)) - value_at(exact, x.tolist()))
                assert holds(missed, tables.domain_slack[j])


@pytest.mark.parametrize("scale", [2.0**-530, 1.0])
def test_rows_far_below_size_one_have_an_absolute_slack(scale: float) -> None:
    rows: list[tuple[int, ...]] = [(2**600 + 1, 3, 2**80 + 1), (1, 2**500, 3**300)]
    tables = _rounded(rows, True, np.array([scale, scale]))
    for j, row in enumerate(rows):
        largest = max(row)
        for x in ([scale, -scale], [0.0, scale], [scale / 3, scale / 7]):
            exact = value_at([Fraction(a, largest) for a in row], x)
            missed = abs(Fraction(float_value(tables.domain_rows[:, j].copy(), np.array(x))) - exact)
            assert holds(missed, tables.domain_slack[j])
