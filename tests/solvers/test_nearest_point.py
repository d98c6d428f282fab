"""The exact nearest point of a polyhedron: feasible, and its distance is proven by its tight rows."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers.errors import SolverInputError
from solvers.lp.shape import is_empty
from solvers.qp.exact import nearest_point
from solvers.rational import solve

SMALL = st.integers(-3, 3)


def value(row: list[int], point: tuple[Fraction, ...] | list[Fraction]) -> Fraction:
    return sum((a * z for a, z in zip(row, point, strict=False)), Fraction(row[-1]))


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[list[int]], list[Fraction]]:
    dim = draw(st.integers(1, 4))
    rows = draw(st.lists(st.lists(SMALL, min_size=dim + 1, max_size=dim + 1), max_size=8))
    centre = draw(st.lists(st.fractions(-4, 4, max_denominator=4), min_size=dim, max_size=dim))
    return rows, centre


@settings(max_examples=150, deadline=None)
@given(problems())
def test_the_tight_rows_prove_the_point_and_only_empty_polyhedra_have_none(
    problem: tuple[list[list[int]], list[Fraction]],
) -> None:
    rows, centre = problem
    found = nearest_point(rows, centre)
    matrix = np.array(rows, dtype=np.float64).reshape(len(rows), len(centre) + 1)
    if found is None:
        assert is_empty(-matrix[:, :-1], matrix[:, -1])
        return
    assert all(value(row, found.point) >= 0 for row in rows)
    step = [a - b for a, b in zip(found.point, centre, strict=True)]
    assert found.square == sum(entry * entry for entry in step)
    tight = [rows[index] for index in found.active]
    assert all(value(row, found.point) == 0 for row in tight)
    # The step is a positive combination of the normals of the tight rows.
    gram = [[sum(a * b for a, b in zip(p[:-1], q[:-1], strict=True)) for q in tight] for p in tight]
    weights = solve(gram, [value(row, step) - row[-1] for row in tight])
    assert weights is not None
    assert all(weight > 0 for weight in weights)
    assert step == [
        sum((w * row[c] for w, row in zip(weights, tight, strict=True)), Fraction(0))
        for c in range(len(centre))
    ]


def test_the_limit_belongs_to_what_is_near() -> None:
    rows = [[1, 0, 0], [0, 1, 0]]
    assert nearest_point(rows, [-3, -4], limit=25) is not None
    assert nearest_point(rows, [-3, -4], limit=Fraction(25) - Fraction(1, 10**30)) is None
    assert nearest_point([], [1.5, 2.5], limit=0) is not None


def test_rows_of_another_length_are_refused() -> None:
    with pytest.raises(SolverInputError, match="expected rows of length 3"):
        nearest_point([[1, 0]], [0, 0])
