"""A unit is fixed on a cell only if its values there are proven to be beside its knots: in Fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import polyspline as ps
from polyspline.split.entering import _settled_knots, mark_largest
from polyspline.split.problem import make_problem
from polyspline.split.state import AT, LEAST, MOST, NORM, SLACK, Net, Path, Sizes, new_state
from solvers.compiled import compiled


@compiled
def settled(t: Net, layer: int, unit: int, low: int, farthest: float, path: Path) -> tuple[int, int]:
    return _settled_knots(t, layer, unit, low, farthest, path)


@compiled
def marked(t: Net, layer: int, unit: int, farthest: float, path: Path) -> tuple[int, int]:
    return mark_largest(t, layer, unit, farthest, path)


def drawn_near(rng: np.random.Generator, place: float, error: float) -> float:
    """Number some ulps, or some errors, from a place."""
    moved = place + float(rng.choice([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])) * error
    for _ in range(int(rng.integers(0, 4))):
        moved = float(np.nextafter(moved, rng.choice([-np.inf, np.inf])))
    return moved


@pytest.mark.parametrize("seed", range(4))
def test_knots_are_settled_only_if_all_values_within_the_error_are_beside_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = ps.Network.from_layers([[[1.0]]], [[0.0]], ["softshrink:0.3"])
    problem = make_problem(net, ps.Box([-1.0], [1.0]))
    state = new_state(problem.arrays, problem.packing.n_words, Sizes())
    knots = [Fraction(a) for a in problem.arrays.position.tolist()]
    fixed = 0
    for _ in range(1500):
        path = state.path
        path.bound[SLACK, 0, 0] = rng.choice([0.0, 1e-17, 1e-12])
        path.bound[NORM, 0, 0] = rng.choice([0.0, 1.0, 1e3])
        farthest = float(rng.choice([0.0, 1e-17, 1e-13]))
        error = Fraction(float(path.bound[SLACK, 0, 0]))
        error += Fraction(float(path.bound[NORM, 0, 0])) * Fraction(farthest)
        ends = [drawn_near(rng, float(rng.choice([-0.3, 0.3])), float(error)) for _ in range(2)]
        path.line[LEAST, 0], path.line[MOST, 0] = min(ends), max(ends)
        low, high = settled(problem.arrays, 0, 0, 0, farthest, path)
        least, most = Fraction(min(ends)) - error, Fraction(max(ends)) + error
        for k, knot in enumerate(knots):
            if k < low:
                assert least > knot
            if k >= high:
                assert most < knot
        fixed += (low, high) != (0, 2)
    assert fixed > 0


@pytest.mark.parametrize("seed", range(4))
def test_members_are_left_out_only_if_they_are_below_another_one_within_the_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = ps.Network.from_layers([np.ones((3, 1))], [np.zeros(3)], ["max:3"])
    problem = make_problem(net, ps.Box([-1.0], [1.0]))
    state = new_state(problem.arrays, problem.packing.n_words, Sizes())
    left_out = 0
    for _ in range(1500):
        path = state.path
        path.bound[SLACK, 0, :3] = rng.choice([0.0, 1e-12, 1e-9], 3)
        path.bound[NORM, 0, :3] = rng.choice([0.0, 1.0, 1e3], 3)
        farthest = float(rng.choice([0.0, 1e-13]))
        errors = [
            Fraction(float(path.bound[SLACK, 0, i]))
            + Fraction(float(path.bound[NORM, 0, i])) * Fraction(farthest)
            for i in range(3)
        ]
        ends = [sorted(drawn_near(rng, 1.0, float(errors[i])) for _ in range(2)) for i in range(3)]
        path.line[LEAST, :3], path.line[MOST, :3] = [a for a, _ in ends], [b for _, b in ends]
        found, last = marked(problem.arrays, 0, 0, farthest, path)
        mark = path.line[AT, :3] == 1.0
        assert found == mark.sum()
        assert mark[last]
        # Rounding of the comparison itself is within an ulp of the values.
        floor = max(Fraction(a) - error for (a, _), error in zip(ends, errors, strict=True))
        for i in range(3):
            if not mark[i]:
                assert Fraction(ends[i][1]) + errors[i] < floor + Fraction(1, 2**52)
                left_out += 1
    assert left_out > 0
