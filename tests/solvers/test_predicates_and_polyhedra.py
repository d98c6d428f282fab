"""Laws of the predicates, of vertices and volumes, and of HPolyhedron."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from solvers import HPolyhedron
from solvers.errors import EmptyPolyhedronError, SolverInputError
from solvers.predicates import proportional, sign_at
from solvers.vertices import v_representation

LAW = settings(deadline=None, max_examples=60)  # timings differ between machines
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def exact_sign(row: list[float], point: list[float]) -> int:
    total = sum((Fraction(a) * Fraction(x) for a, x in zip(row[:-1], point, strict=True)), Fraction(row[-1]))
    return (total > 0) - (total < 0)


@LAW
@given(arrays(np.float64, (3, 4), elements=FINITE), arrays(np.float64, (2, 3), elements=FINITE))
def test_signs_are_those_of_rationals(rows: np.ndarray, points: np.ndarray) -> None:
    expected = [[exact_sign(row, point) for row in rows.tolist()] for point in points.tolist()]
    assert sign_at(rows, points).tolist() == expected
    assert sign_at(rows, points[0]).tolist() == expected[0]
    assert sign_at(rows[0], points).tolist() == [signs[0] for signs in expected]
    assert int(sign_at(rows[0], points[0])) == expected[0][0]


@LAW
@given(st.integers(0, 2**32 - 1))
def test_signs_of_points_that_almost_lie_on_the_row(seed: int) -> None:
    random = np.random.default_rng(seed)
    row = random.normal(size=4)
    point = random.normal(size=3)
    point[0] = -(row[1] * point[1] + row[2] * point[2] + row[3]) / row[0]
    near = [np.array([math.nextafter(point[0], to), *point[1:]]) for to in (-9.0, point[0], 9.0)]
    expected = [exact_sign(row.tolist(), place.tolist()) for place in near]
    assert sign_at(row, np.array(near)).tolist() == expected


@LAW
@given(
    arrays(np.float64, 3, elements=st.integers(-3, 3).map(float)),
    st.lists(st.sampled_from([2.0, 3.0, 1e-300, 1e300, -1.0, 0.1]), min_size=1, max_size=3),
)
def test_proportionality_is_that_of_rationals(row: np.ndarray, factors: list[float]) -> None:
    rows = np.array([row * factor for factor in factors])
    bent = rows.copy()
    bent[:, 0] = np.nextafter(bent[:, 0], 4.0)

    def is_multiple(candidate: list[float]) -> bool:
        pairs = list(zip(map(Fraction, candidate), map(Fraction, row.tolist()), strict=True))
        crossed = all(a * y == b * x for (a, x), (b, y) in itertools.product(pairs, pairs))
        return crossed and all((a > 0) == (x > 0) and (a < 0) == (x < 0) for a, x in pairs)

    for table in (rows, bent):
        assert proportional(table, row).tolist() == [is_multiple(entry) for entry in table.tolist()]


def test_predicates_refuse_what_is_not_finite_or_does_not_fit() -> None:
    with pytest.raises(SolverInputError, match="finite"):
        sign_at([np.nan, 1.0], [0.0])
    with pytest.raises(SolverInputError, match="expected rows"):
        sign_at([1.0, 1.0], [0.0, 1.0])
    with pytest.raises(SolverInputError, match="expected"):
        proportional([[1.0]], [1.0, 2.0])


def random_polytope(seed: int, width: int, scale: float) -> HPolyhedron:
    random = np.random.default_rng(seed)
    rows = np.vstack([random.normal(size=(6, width)), np.eye(width), -np.eye(width)])
    rhs = random.uniform(0.2, 1.0, size=len(rows)) * scale
    return HPolyhedron(rows, rhs + rows @ random.normal(size=width))


@LAW
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from([1e-6, 1.0, 1e6]))
def test_vertices_are_the_feasible_intersections_of_rows(seed: int, width: int, scale: float) -> None:
    polytope = random_polytope(seed, width, scale)
    points, rays = polytope.vertices()
    assert len(rays) == 0
    slack = polytope.h - points @ polytope.G.T
    tolerance = 1e-9 * (scale + 1.0)
    assert slack.min() > -tolerance
    assert ((slack < tolerance).sum(axis=1) >= width).all()
    expected = 0
    for basis in itertools.combinations(range(len(polytope)), width):
        try:
            point = np.linalg.solve(polytope.G[list(basis)], polytope.h[list(basis)])
        except np.linalg.LinAlgError:
            continue
        expected += bool((polytope.h - polytope.G @ point).min() > -1e-9 * scale - 1e-13)
    assert len(points) == expected  # in general position every vertex has one basis
    low, high = polytope.bounds()
    assert np.allclose(points.min(axis=0), low, rtol=1e-9, atol=1e-9 * scale)
    assert np.allclose(points.max(axis=0), high, rtol=1e-9, atol=1e-9 * scale)
    assert polytope.contains(polytope.witness())


@LAW
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_the_volumes_of_two_halves_sum_to_the_whole(seed: int, width: int) -> None:
    whole = random_polytope(seed, width, 1.0)
    random = np.random.default_rng(seed)
    cut = random.normal(size=width)
    at = float(cut @ whole.witness())
    below = HPolyhedron(np.vstack([whole.G, cut]), np.append(whole.h, at))
    above = HPolyhedron(np.vstack([whole.G, -cut]), np.append(whole.h, -at))
    assert below.volume() + above.volume() == pytest.approx(whole.volume(), rel=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_skewed_polytopes_keep_all_vertices(seed: int) -> None:
    # Double description in floats loses half of the vertices of some of these without a word.
    random = np.random.default_rng(seed)
    rows = np.vstack([random.normal(size=(8, 4)), np.eye(4), -np.eye(4)])
    rhs = random.uniform(0.2, 1.0, size=len(rows))
    axes = np.linalg.qr(random.normal(size=(4, 4)))[0]
    skew = axes @ np.diag(10.0 ** random.uniform(-3, 3, size=4))
    straight, skewed = HPolyhedron(rows, rhs), HPolyhedron(rows @ np.linalg.inv(skew), rhs)
    assert len(skewed.vertices()[0]) == len(straight.vertices()[0])
    assert skewed.volume() == pytest.approx(straight.volume() * abs(np.linalg.det(skew)), rel=1e-6)


@pytest.mark.parametrize("thickness", [1e-3, 1e-8, 1e-13, 2.0**-52])
def test_thin_slanted_strips_keep_their_vertices_and_area(thickness: float) -> None:
    rows = [[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]]
    strip = HPolyhedron(np.array(rows), np.array([1.0 + thickness, -1.0, 1.0, 1.0]))
    points, _ = strip.vertices()
    assert len(points) == 4
    assert strip.volume() == pytest.approx((1.0 + thickness) - 1.0, rel=1e-12)
    assert strip.is_full_dimensional
    assert strip.is_bounded


def test_cube_cone_line_and_space() -> None:
    cube = HPolyhedron(np.vstack([np.eye(3), -np.eye(3)]), np.ones(6))
    assert cube.vertices()[0].tolist() == [list(c) for c in itertools.product([-1.0, 1.0], repeat=3)]
    assert cube.volume() == pytest.approx(8.0)
    assert cube.dim == 3
    assert repr(cube) == "HPolyhedron(6 rows, dim=3)"
    quadrant = HPolyhedron(-np.eye(2), np.zeros(2))
    points, rays = quadrant.vertices()
    assert points.tolist() == [[0.0, 0.0]]
    assert rays == pytest.approx(np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert quadrant.volume() == math.inf
    assert quadrant.bounds()[1].tolist() == [math.inf, math.inf]
    slab = HPolyhedron(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.ones(2))
    points, rays = slab.vertices()
    assert points.shape == (0, 2)
    assert np.abs(rays) == pytest.approx(np.array([[0.0, 1.0], [0.0, 1.0]]))
    space = HPolyhedron(np.zeros((0, 2)), np.zeros(0))
    assert space.vertices()[0].shape == (0, 2)
    assert not space.is_bounded
    assert space.contains([1e300, 0.0])


def test_degenerate_vertices_are_found_once() -> None:
    octahedron = HPolyhedron(np.array(list(itertools.product([-1.0, 1.0], repeat=3))), np.ones(8))
    assert len(octahedron.vertices()[0]) == 6
    assert octahedron.volume() == pytest.approx(4.0 / 3.0)


def test_the_boundary_belongs_exactly() -> None:
    half = HPolyhedron(np.array([[0.1, 0.2]]), np.array([0.3]))
    # 0.1 + 0.2 is above 0.3 in floats and, as rationals, on the other side of the stored 0.3 too.
    assert half.contains([1.0, 1.0]) == (Fraction(0.1) + Fraction(0.2) <= Fraction(0.3))
    assert half.contains(np.zeros((2, 2))).tolist() == [True, True]  # type: ignore[union-attr]


def test_polyhedra_without_interior_are_refused() -> None:
    flat = HPolyhedron(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.zeros(2))
    assert not flat.is_full_dimensional
    assert not flat.is_empty
    for ask in (flat.vertices, flat.volume, flat.witness):
        with pytest.raises(EmptyPolyhedronError, match="no interior"):
            ask()
    nothing = HPolyhedron(np.array([[1.0], [-1.0]]), np.array([0.0, -1.0]))
    assert nothing.is_empty
    with pytest.raises(EmptyPolyhedronError, match="no point satisfies"):
        nothing.bounds()


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(SolverInputError, match="expected"):
        HPolyhedron(np.ones(2), np.ones(2))
    with pytest.raises(SolverInputError, match="NaN"):
        HPolyhedron(np.array([[np.nan]]), np.ones(1))
    with pytest.raises(SolverInputError, match="expected"):
        HPolyhedron(np.eye(2), np.ones(2)).contains([1.0])
    with pytest.raises(SolverInputError, match="expected"):
        v_representation([(1, 0), (1, 0, 0)], 1)


def test_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, solvers; "
        "assert not {'scipy', 'cdd', 'numba', 'flint', 'numpy'} & set(sys.modules); "
        "solvers.HPolyhedron; assert not {'scipy', 'cdd', 'numba'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


SCALES = st.sampled_from([2.0**-1074, 2.0**-1060, 2.0**-1022, 2.0**-540, 2.0**-530, 2.0**-500, 1.0, 2.0**510])


@LAW
@given(st.integers(0, 2**32 - 1), SCALES, SCALES, st.sampled_from([1, 2, 5, 40]))
def test_signs_are_exact_where_products_underflow_or_overflow(
    seed: int, row_scale: float, point_scale: float, width: int
) -> None:
    rng = np.random.default_rng(seed)
    row = np.append(rng.integers(-9, 10, width) * row_scale, 0.0)
    point = rng.integers(-9, 10, width) * point_scale
    # The offset is about the sum of the rest, a few units of its last place off, where it is in range.
    total = sum((Fraction(a) * Fraction(x) for a, x in zip(row[:-1], point, strict=True)), Fraction(0))
    if abs(total) < 2**1000:
        row[-1] = -float(total)
        for _ in range(int(rng.integers(3))):
            row[-1] = np.nextafter(row[-1], rng.choice([-np.inf, np.inf]))
    assert int(sign_at(row, point)) == exact_sign(row.tolist(), point.tolist())


@LAW
@given(st.integers(0, 2**32 - 1), SCALES, SCALES, st.sampled_from([1, 2, 4]))
def test_proportionality_is_exact_where_products_underflow_or_overflow(
    seed: int, scale: float, other: float, width: int
) -> None:
    rng = np.random.default_rng(seed)
    numbers = rng.integers(-9, 10, width)
    rows = np.array([numbers * scale * factor for factor in (1.0, 2.0, 3.0)])
    rows[1, -1] = np.nextafter(rows[1, -1], np.inf)
    row = numbers * other
    found = proportional(rows, row)
    for candidate, answer in zip(rows.tolist(), found.tolist(), strict=True):
        a, b = [Fraction(x) for x in candidate], [Fraction(x) for x in row.tolist()]
        same = all(p * s == q * r for (p, r), (q, s) in itertools.product(zip(a, b, strict=True), repeat=2))
        signs = [(x > 0) - (x < 0) for x in a] == [(x > 0) - (x < 0) for x in b]
        assert answer == (same and signs)


@pytest.mark.parametrize("number", [2**53 + 1, -(2**63), 2**80 + 1, Fraction(1, 3), np.longdouble(1) / 3])
def test_numbers_that_float64_does_not_hold_are_refused_and_not_rounded(number: Any) -> None:
    held = number == -(2**63)
    polyhedron: Any = HPolyhedron
    calls: list[Callable[[], object]] = [
        lambda: sign_at([[number, 0.5]], [1.0]),
        lambda: sign_at([1.0, 0.5], np.array([number])),
        lambda: proportional([[number, 1.0]], [1.0, 1.0]),
        lambda: polyhedron([[number, 0.5]], [1.0]),
        lambda: polyhedron([[1.0, 0.5]], [number]),
        lambda: polyhedron([[1.0]], [1.0]).contains(np.array([number])),
    ]
    for call in calls:
        if held:
            call()
        else:
            with pytest.raises(SolverInputError, match="float64 does not hold"):
                call()


def test_narrow_numbers_and_lists_of_integers_are_taken_over_exactly() -> None:
    assert int(sign_at(np.array([3, -1], np.int8), np.array([1 / 3], np.float32))) == 1
    assert int(sign_at([2**53, -(2**53)], [1])) == 0
    polyhedron: Any = HPolyhedron
    assert polyhedron([[1, 0], [0, 1]], [True, 2]).contains([1, 2])
