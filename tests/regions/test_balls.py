"""Balls: whether a region meets one is decided exactly, at every scale."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import polyspline as ps
from polyspline.cpa.exact import exact_network
from polyspline.cpa.tables import make_tables, max_groups_of
from polyspline.domains import Domain
from polyspline.network import Network
from polyspline.regions.ball import Ball
from polyspline.regions.ball_kernel import (
    APART,
    MEETS,
    OPEN,
    _multipliers_prove,
    _point_proves,
    ball_scratch,
    judge_regions,
)
from polyspline.regions.exact import ExactDomain, unit_rows
from polyspline.walk.problem import make_problem
from polyspline.walk.sieve import bound_of
from solvers.compiled import compiled
from solvers.lp.exact import interior_point

SCALES = [5e-324, 2.71e-162, 1e-100, 1.0, 1e160, 1e300]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_touching_is_meeting_at_every_scale(scale: float, norm: str) -> None:
    net = Network.from_layers([[[scale]]], [[0.0]], ["relu"])
    for domain in (ps.Box([-10.0], [10.0]), ps.WholeSpace(1)):
        found = ps.enumerate_regions(net, domain, method="walk", start=[-1.0], radius=1.0, norm=norm)
        assert len(found) == 2
        short = np.nextafter(1.0, 0.0)
        found = ps.enumerate_regions(net, domain, method="walk", start=[-1.0], radius=short, norm=norm)
        assert len(found) == 1


def is_region(net: Network, domain: Domain, code: Any) -> bool:
    """Whether a code names a region: only these are asked for."""
    of_units, _ = unit_rows(exact_network(net.layers), code)
    rows = [*of_units, *ExactDomain(*domain.rows()).rows]
    return (
        interior_point([[-entry for entry in row[:-1]] for row in rows], [row[-1] for row in rows])
        is not None
    )


def exactly_meets(net: Network, domain: Domain, code: Any, ball: Ball) -> bool:
    return ball.meets_region(exact_network(net.layers), ExactDomain(*domain.rows()), code)


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_what_floats_prove_of_a_ball_is_what_rationals_say(dim: int, norm: str) -> None:
    rng = np.random.default_rng([dim, len(norm)])
    proven = {MEETS: 0, APART: 0}
    for _ in range(60):
        scale = 10.0 ** rng.choice([-320, -300, -162, -100, 0, 0, 100, 160, 290])
        rows = rng.integers(-3, 4, size=(3, dim)) * scale
        biases = rng.integers(-2, 3, size=3) * scale
        net = Network.from_layers([rows], [biases], ["relu"])
        domain = ps.Box(-4.0, 4.0, dim=dim)
        problem = make_problem(net, domain)
        packing = problem.packing
        codes = np.array([[(k >> i) & 1 for i in range(3)] for k in range(8)])
        packed = np.concatenate([packing.pack(code[None]) for code in codes])
        # Centres and radii for which touching is common.
        centre = rng.integers(-4, 5, size=dim) / 2.0
        radius = float(rng.choice([0.5, 1.0, 2.0, np.sqrt(0.5), np.nextafter(1.0, 0), 1e-300]))
        ball = Ball(centre, radius, norm)
        verdict = np.full(8, OPEN, np.int8)
        tables = problem.tables
        judge_regions(
            tables,
            max_groups_of(tables),
            problem.layout,
            packed,
            ball.centre,
            radius,
            norm == "linf",
            ball_scratch(tables),
            verdict,
        )
        for code, told in zip(codes, verdict.tolist(), strict=True):
            if told != OPEN and is_region(net, domain, code):
                assert (told == MEETS) == exactly_meets(net, domain, code, ball)
                proven[told] += 1
    assert min(proven.values()) > 20


def test_a_ball_of_a_subnormal_radius_is_decided() -> None:
    net = Network.from_layers([[[1.0, 0.0], [0.0, 1.0]]], [[0.0, 0.0]], ["relu"])
    domain = ps.Box(-1.0, 1.0, dim=2)
    found = ps.enumerate_regions(net, domain, method="walk", start=[0.0, 0.0], radius=5e-324)
    assert len(found) == 4
    found = ps.enumerate_regions(net, domain, method="walk", start=[-5e-324, 0.0], radius=5e-324)
    assert len(found) == 4


def test_squared_distances_of_a_ball_are_exact() -> None:
    # The corner (3, 4) is at distance 5 exactly, and the radius below 5 does not reach it.
    net = Network.from_layers([[[1.0, 0.0], [0.0, 1.0]]], [[-3.0, -4.0]], ["relu"])
    for size in (1.0, 2.0**-500, 2.0**500):
        scaled = Network.from_layers([net.layers[0].weight], [[-3.0 * size, -4.0 * size]], ["relu"])
        domain = ps.Box(-10.0 * size, 10.0 * size, dim=2)
        for radius, count in ((5.0, 4), (np.nextafter(5.0, 0.0), 3)):
            found = ps.enumerate_regions(
                scaled, domain, method="walk", start=[0.0, 0.0], radius=radius * size
            )
            assert len(found) == count


def test_the_reach_of_balls_is_never_too_small() -> None:
    for centre, radius in ((1.0, 2.0**-60), (5e-324, 5e-324), (1e308, 1e308), (0.1, 0.2)):
        reach = float(bound_of([Ball([centre], radius)])[0])
        assert not np.isfinite(reach) or Fraction(reach) >= Fraction(centre) + Fraction(radius)


# ---- the proofs themselves, at the edge of what is true


@compiled
def multipliers_prove(centre: Any, radius: float, sup: bool, rows: int, scr: Any) -> bool:
    return _multipliers_prove(centre, radius, sup, rows, scr)


@compiled
def point_proves(t: Any, centre: Any, radius: float, scale: float, sup: bool, n: int, scr: Any) -> bool:
    return _point_proves(t, centre, radius, scale, sup, n, scr)


def scratch_of(dim: int, count: int, rng: np.random.Generator) -> tuple[Any, Any]:
    """Tables of a network over a box, and scratch whose rows are random ones of wild scales."""
    net = Network.from_layers([rng.normal(size=(count, dim))], [np.zeros(count)], ["relu"])
    nothing = np.zeros((0, dim)), np.zeros(0)
    tables = make_tables(net.layers, *nothing, np.full(dim, 100.0))
    scr = ball_scratch(tables)
    scr.space.rows[:] = 0.0
    scr.space.rows[:, :count] = rng.normal(size=(dim + 1, count)) * 10.0 ** rng.choice(
        [-318, -162, 0, 0, 100]
    )
    scr.space.slack[:] = 0.0
    scr.largest[:] = np.maximum(np.abs(scr.space.rows[:dim]).max(axis=0), 5e-324)
    scr.length[:] = 1.0 + rng.random(len(scr.length))
    return tables, scr


def fractions(values: Any) -> list[Fraction]:
    return [Fraction(float(value)) for value in values]


def combined(weights: list[Fraction], values: Any) -> Fraction:
    """Sum of floats with weights, exactly."""
    return sum((w * a for w, a in zip(weights, fractions(values), strict=True)), Fraction(0))


@pytest.mark.parametrize("sup", [False, True])
def test_multipliers_that_prove_separate_in_exact_arithmetic(sup: bool) -> None:
    rng = np.random.default_rng(int(sup))
    proven = refused = 0
    for _ in range(1200):
        dim = int(rng.integers(1, 4))
        count = int(rng.integers(1, dim + 2))
        _, scr = scratch_of(dim, count, rng)
        rows, slack = scr.space.rows, scr.space.slack
        centre, radius = rng.normal(size=dim) * 10.0 ** rng.integers(-2, 2), float(rng.random())
        scr.search.tight[0] = count
        scr.search.active[:count] = np.arange(count)
        scr.column[:count] = np.arange(count)
        scr.search.weights[:count] = 1e-15 * rng.exponential(size=count)
        weights = scr.search.weights[:count] / scr.length[:count] / scr.largest[:count]
        weights = fractions(weights / weights.max())
        slack[:count] = rng.choice([0.0, 1e-3, 2.0**-50]) * scr.largest[:count]
        # The offset of the first row puts the largest value on the ball beside zero.
        slope = [combined(weights, row[:count]) for row in rows[:dim]]
        square = sum((a * a for a in slope), Fraction(0))
        unit = Fraction(float(scr.largest[:count].max()))
        steep = unit * Fraction(float(np.sqrt(float(square / unit**2))))
        if sup:
            steep = sum((abs(a) for a in slope), Fraction(0))
        there = sum((a * c for a, c in zip(slope, fractions(centre), strict=True)), Fraction(0))
        there += combined(weights, slack[:count])
        rows[dim, 0] = 0.0
        target = -(there + combined(weights, rows[dim, :count]) + Fraction(radius) * steep) / weights[0]
        ulps = int(rng.choice([0, 1, 2, 4, 16, 200]))
        with np.errstate(all="ignore"):
            rows[dim, 0] = float(target) * (1.0 + ulps * 2.0**-52) - ulps * 5e-324
        apart = multipliers_prove(centre, radius, sup, count, scr)
        value = there + combined(weights, rows[dim, :count])
        if sup:
            true = value + Fraction(radius) * steep < 0
        else:
            true = value < 0 and value * value > Fraction(radius) ** 2 * square
        assert true or not apart
        proven += apart
        refused += not apart
    assert min(proven, refused) > 40


@pytest.mark.parametrize("sup", [False, True])
def test_points_that_prove_are_in_the_ball_in_exact_arithmetic(sup: bool) -> None:
    rng = np.random.default_rng(int(sup))
    tables, scr = scratch_of(2, 1, rng)
    proven = refused = 0
    for _ in range(1200):
        centre = rng.normal(size=2) * 10.0 ** rng.integers(-2, 2)
        angle = rng.uniform(0.0, 7.0)
        direction = np.array([np.cos(angle), np.sin(angle)])
        radius = float(10.0 ** rng.choice([-3, 0, 1]) * rng.random())
        direction /= np.abs(direction).max() if sup else 1.0
        scr.search.point[:] = direction * (1.0 - int(rng.choice([0, 1, 2, 8, 400])) * 2.0**-53)
        inside = point_proves(tables, centre, radius, radius, sup, 0, scr)
        far = [abs(a - c) for a, c in zip(fractions(scr.point[:2]), fractions(centre), strict=True)]
        limit = Fraction(radius)
        true = max(far) <= limit if sup else sum((a * a for a in far), Fraction(0)) <= limit * limit
        assert true or not inside
        proven += inside
        refused += not inside
    assert min(proven, refused) > 40
