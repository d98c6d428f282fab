from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyspline.domains import Box, Domain, Polytope, WholeSpace, check_dimension, domain_from_arrays
from polyspline.errors import DomainError, ShapeError
from polyspline.network import zoo

TRIANGLE = Polytope([[1, 1], [-1, 0], [0, -1]], [1, 0, 0])
DOMAINS: list[Domain] = [
    Box(-1, 1, dim=3), Box([0, -2], [1, 5]), Box(-1, [1, 2]), TRIANGLE, Polytope([[2.0], [-3.0]], [1, 1]),
    Polytope([[1, 1, 1], [-1, 0, 0], [0, -1, 0], [0, 0, -1], [1, 0, 0]], [1e-6, 0, 0, 0, 5]), WholeSpace(4),
]  # fmt: skip


@pytest.mark.parametrize("domain", DOMAINS, ids=repr)
def test_membership_is_that_of_the_rows(domain: Domain) -> None:
    normals, offsets = domain.rows()
    points = np.random.default_rng(0).uniform(-2, 2, size=(200, domain.dim))
    inside = domain.contains(points)
    assert isinstance(inside, np.ndarray)
    np.testing.assert_array_equal(inside, (points @ normals.T <= offsets).all(axis=1))
    assert domain.contains(points[0]) is bool(inside[0])


@pytest.mark.parametrize("domain", DOMAINS, ids=repr)
def test_start_and_interior_point_are_inside_and_bounds_enclose(domain: Domain) -> None:
    normals, offsets = domain.rows()
    assert domain.contains(domain.default_start()) is True
    for row, offset in zip(normals, offsets, strict=True):
        pairs = zip(row.tolist(), domain.interior_point().tolist(), strict=True)
        assert sum(Fraction(g) * Fraction(z) for g, z in pairs) < Fraction(float(offset))
    lower, upper = domain.bounds()
    assert (lower <= domain.interior_point()).all()
    assert (domain.interior_point() <= upper).all()
    assert bool(np.isfinite(lower).all() and np.isfinite(upper).all()) is domain.bounded


@pytest.mark.parametrize("domain", DOMAINS, ids=repr)
def test_a_domain_is_made_again_from_its_arrays(domain: Domain) -> None:
    again = domain_from_arrays(domain.to_arrays())
    assert again == domain
    assert hash(again) == hash(domain)
    assert again.fingerprint == domain.fingerprint
    assert again.kind == domain.kind


def test_domains_of_other_numbers_or_kinds_differ() -> None:
    assert Box(-1, 1, dim=2) == Box([-1, -1], [1, 1])
    assert Box(-1, 1, dim=2) != Box(-1, 1, dim=3)
    assert Box(-1, 1, dim=2) != Polytope(*Box(-1, 1, dim=2).rows())
    assert Box(-1, 1, dim=2) != "box"
    assert WholeSpace(2) != WholeSpace(3)
    assert len({domain.fingerprint for domain in DOMAINS}) == len(DOMAINS)


def test_rows_of_a_box_are_lower_bounds_then_upper_bounds() -> None:
    normals, offsets = Box([-1, 0], [2, 3]).rows()
    assert normals.tolist() == [[-1, 0], [0, -1], [1, 0], [0, 1]]
    assert offsets.tolist() == [1, 0, 2, 3]
    assert not np.signbit(normals[normals == 0]).any()


def test_default_starts_are_centre_chebyshev_centre_and_origin() -> None:
    assert Box([0, -2], [1, 5]).default_start().tolist() == [0.5, 1.5]
    np.testing.assert_allclose(TRIANGLE.default_start(), 1 / (2 + np.sqrt(2)))
    assert WholeSpace(3).default_start().tolist() == [0, 0, 0]


def test_the_centre_of_a_huge_or_a_tiny_box_is_inside() -> None:
    assert Box(1e308, 1.7e308, dim=1).default_start()[0] == pytest.approx(1.35e308)
    tiny = Box(5e-324, 1.5e-323, dim=1)
    assert tiny.interior_point().tolist() == [1e-323]
    touching = Box(1.0, np.nextafter(1.0, 2), dim=1)
    assert touching.contains(touching.default_start()) is True
    with pytest.raises(DomainError, match="too thin"):
        touching.interior_point()


@pytest.mark.parametrize(
    ("lo", "hi", "dim", "message"),
    [
        (-1, 1, None, "dimension is needed"),
        (1, 1, 2, "lo must be below hi"),
        ([0, 2], [1, 1], None, "coordinate 1"),
        (np.nan, 1, 2, "finite"),
        (-np.inf, 1, 2, "WholeSpace"),
        ([0, 0], [1, 1, 1], None, "one dimension"),
        ([0, 0], [1, 1], 3, "one dimension"),
        (0, 1, 0, "one dimension"),
        ([], [], None, "one dimension"),
        ([[0]], [[1]], None, "shape"),
        ("a", 1, 2, "real number"),
    ],
)
def test_a_box_that_is_none_is_refused(lo: Any, hi: Any, dim: int | None, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        Box(lo, hi, dim)


@pytest.mark.parametrize(
    ("normals", "offsets", "message"),
    [
        ([[1, 0], [-1, 0], [0, 1]], [1, 1, 1], "unbounded"),
        ([[1.0, 0.0], [-1.0, 0.0]], [1, 1], "unbounded"),
        ([[1], [-1]], [-1, -1], "empty"),
        ([[1], [-1]], [1, -1], "lower-dimensional"),
        ([[1, 1], [-1, -1], [1, 0], [-1, 0]], [1, -1, 1, 1], "lower-dimensional"),
        ([[1, 0], [0, 0]], [1, 1], "row 1 of G is zero"),
        ([[1, np.nan]], [1], "finite"),
        ([[1, 0]], [np.inf], "finite"),
        ([[1, 0]], [1, 2], "shape"),
        ([1, 0], [1, 2], "shape"),
        ([[1, 0]], [[1]], "shape"),
        (np.zeros((0, 2)), [], "m, S >= 1"),
        ([["a"]], [1], "real numbers"),
        ([[1], [1, 2]], [1, 2], "real numbers"),
    ],
)
def test_a_polytope_that_is_none_is_refused(normals: Any, offsets: Any, message: str) -> None:
    with pytest.raises(DomainError, match=message):
        Polytope(normals, offsets)


def test_flatness_is_decided_exactly() -> None:
    above = math.nextafter(1.0, 2.0)
    thin = Polytope([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], [above, -1.0, 1, 1])
    assert thin.contains([1.0, 0.0]) is True
    assert thin.contains(thin.default_start()) is True
    with pytest.raises(DomainError, match="too thin"):
        thin.interior_point()
    with pytest.raises(DomainError, match="lower-dimensional"):
        Polytope([[0.1, 0.2], [-0.1, -0.2], [1.0, 0.0], [-1.0, 0.0]], [0.3, -0.3, 1, 1])


def test_boundary_points_belong_to_a_polytope_exactly() -> None:
    slanted = Polytope([[0.1, 0.2], [-1.0, 0.0], [0.0, -1.0]], [0.1 * 3, 0.0, 0.0])
    # 0.1 + 0.2 as doubles is exactly below the double 0.1 * 3 or not: rationals know.
    inside = Fraction(0.1) + Fraction(0.2) <= Fraction(0.1 * 3)
    assert slanted.contains([1.0, 1.0]) is inside
    assert TRIANGLE.contains([0.5, 0.5]) is True
    assert TRIANGLE.contains([0.5, np.nextafter(0.5, 1)]) is False


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-8, 8), min_size=2, max_size=2), st.floats(0.1, 10))
def test_membership_of_lattice_points_is_that_of_rationals(point: list[int], scale: float) -> None:
    domain = Polytope([[scale, scale], [-scale, 0], [0, -scale]], [scale * 3, scale, scale])
    normals, offsets = domain.rows()
    expected = all(
        sum(Fraction(g) * z for g, z in zip(row, point, strict=True)) <= Fraction(h)
        for row, h in zip(normals.tolist(), offsets.tolist(), strict=True)
    )
    assert domain.contains(point) is expected


def test_bounds_of_a_polytope_are_rounded_outward() -> None:
    lower, upper = Polytope([[3.0], [-3.0]], [1, 1]).bounds()
    assert Fraction(upper[0]) >= Fraction(1, 3) >= Fraction(np.nextafter(upper[0], 0))
    assert Fraction(lower[0]) <= Fraction(-1, 3) <= Fraction(np.nextafter(lower[0], 0))


@pytest.mark.parametrize("domain", DOMAINS, ids=repr)
def test_points_of_the_wrong_length_are_refused_and_nan_is_outside(domain: Domain) -> None:
    with pytest.raises(ShapeError):
        domain.contains(np.zeros(domain.dim + 1))
    with pytest.raises(ShapeError):
        domain.contains(0.0)
    assert domain.contains(np.full(domain.dim, np.nan)) is False
    assert domain.contains(np.full(domain.dim, np.inf)) is False


@pytest.mark.parametrize("dim", [0, -1, 1.5, True, "2"])
def test_a_whole_space_needs_a_dimension(dim: Any) -> None:
    with pytest.raises(DomainError, match="positive integer"):
        WholeSpace(dim)


def test_a_domain_cannot_be_changed() -> None:
    box = Box(-1, 1, dim=2)
    with pytest.raises(ValueError, match="read-only"):
        box.lo[0] = 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        box.lo = np.zeros(2)  # type: ignore[misc]


def test_the_dimension_must_be_that_of_the_network() -> None:
    net = zoo.random_network([2, 3, 1])
    check_dimension(Box(-1, 1, dim=2), net)
    with pytest.raises(DomainError, match=r"dimension 3.*latent dimension 2"):
        check_dimension(WholeSpace(3), net)


def test_arrays_that_are_no_domain_are_refused() -> None:
    for arrays in ({}, {"kind": np.array("ball")}, {"kind": np.array("box"), "lo": np.zeros(2)}):
        with pytest.raises(DomainError):
            domain_from_arrays(arrays)
