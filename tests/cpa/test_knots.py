"""The knots of layers are those of their units one by one, in the order of the code."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from polyspline.cpa.knots import knots_of
from polyspline.cpa.layers import make_layer
from polyspline.cpa.units import MaxGroup

SPELLINGS = ("relu", "identity", "hardtanh:-1,2", "max:2", "relu6", "max:3", "abs")
ROWS = {"max:2": 2, "max:3": 3}


@given(st.lists(st.lists(st.sampled_from(SPELLINGS), min_size=1, max_size=6), max_size=3))
def test_knots_are_those_of_the_units_one_by_one(spellings: list[list[str]]) -> None:
    layers = []
    for some in spellings:
        rows = sum(ROWS.get(spelling, 1) for spelling in some)
        layers.append(make_layer(np.ones((rows, 1)), None, "|".join(some)))
    knots = knots_of(layers)
    expected = []
    unit, row = 0, 0
    for layer in layers:
        for kind in layer.units:
            if isinstance(kind, MaxGroup):
                expected += [(unit, row + q, row + p, 0.0, p, q) for p, q in kind.pairs.tolist()]
            else:
                expected += [(unit, row, -1, at, p, p + 1) for p, at in enumerate(kind.knots)]
            unit, row = unit + kind.is_unit, row + kind.n_rows
    columns = (knots.unit, knots.upper, knots.lower, knots.position, knots.low, knots.high)
    assert [tuple(entry) for entry in zip(*(c.tolist() for c in columns), strict=True)] == expected
    for layer in layers:
        assert [layer.units[i] for _, where in layer.kinds for i in where] == [
            unit for unit in dict.fromkeys(layer.units) for other in layer.units if other == unit
        ]
