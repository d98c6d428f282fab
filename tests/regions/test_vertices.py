"""Laws of the vertices, rays and volumes of regions, which come from their exact rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyspline as ps
from polyspline.errors import InvariantError, ShapeError
from polyspline.regions.facets import region_facets
from solvers.errors import EmptyPolyhedronError, SolverFailedError
from solvers.rational import solve
from solvers.vertices import v_representation
from tests.oracle.cases import integer_weights, random_weights

LAW = settings(deadline=None, max_examples=15)  # timings differ between machines

Row = tuple[int, ...]

# Between the float next to a third and a third there is no float.
THIRD = 1.0 / 3.0
GAP = Fraction(1, 3) - Fraction(THIRD)


def value(row: Sequence[int], point: Sequence[Fraction | int]) -> Fraction:
    return Fraction(row[-1]) + sum(a * z for a, z in zip(row[:-1], point, strict=True))


def slope(row: Sequence[int], direction: Sequence[int]) -> int:
    return sum(a * d for a, d in zip(row[:-1], direction, strict=True))


def feasible_intersections(rows: list[Row], dim: int) -> set[tuple[Fraction, ...]]:
    """Vertices, by trying every choice of as many rows as there are dimensions."""
    found = set()
    for chosen in itertools.combinations(rows, dim):
        point = solve([row[:-1] for row in chosen], [-row[-1] for row in chosen])
        if point is not None and all(value(row, point) >= 0 for row in rows):
            found.add(tuple(point))
    return found


def check_generators(region: ps.Region) -> None:
    dim = region.net.latent_dim
    rows = [facet.row for facet in region.facets]
    exact = region.v_representation
    corners = [tuple(Fraction(x, corner[-1]) for x in corner[:-1]) for corner in exact.corners]
    directions = [*exact.extreme, *exact.lines]
    assert all(value(row, corner) >= 0 for row in rows for corner in corners)
    assert all(slope(row, ray) >= 0 for row in rows for ray in exact.extreme)
    assert all(slope(row, line) == 0 for row in rows for line in exact.lines)
    assert region.bounded == exact.bounded == (not directions)
    if not exact.lines:
        assert len(set(corners)) == len(corners)
        assert set(corners) == feasible_intersections(rows, dim)
        for corner in corners:
            tight = np.array([row[:-1] for row in rows if value(row, corner) == 0], dtype=object)
            assert len(tight) >= dim
        rounded = sorted([float(z) for z in corner] for corner in corners)
        assert region.vertices().tolist() == rounded
        for ray in exact.extreme:
            assert sum(slope(row, ray) == 0 for row in rows) >= dim - 1
    else:
        assert region.vertices().shape == (0, dim)
    assert len(region.rays()) == len(exact.extreme) + 2 * len(exact.lines)
    np.testing.assert_allclose(np.linalg.norm(region.rays(), axis=1), 1.0, rtol=1e-15)
    # The middle of the hull, moved along all rays, is strictly inside; so there are generators enough.
    middle = [sum(axis, Fraction(0)) / len(corners) for axis in zip(*corners, strict=True)]
    moved = [z + sum(ray[i] for ray in exact.extreme) for i, z in enumerate(middle)]
    assert all(value(row, moved) > 0 for row in rows)
    assert math.isinf(region.volume()) == bool(directions)


@LAW
@given(st.integers(0, 10**6), st.sampled_from([[1, 3, 1], [2, 3, 2, 1], [2, 4, 1], [3, 3, 2, 1], [3, 4, 1]]))
def test_generators_are_those_of_the_exact_rows(seed: int, widths: list[int]) -> None:
    net = ps.Network.from_layers(*integer_weights(widths, seed, -2, 2))
    for region in ps.enumerate_regions(net, ps.WholeSpace(widths[0])):
        check_generators(region)


@pytest.mark.parametrize("seed", range(4))
def test_rows_in_the_span_of_few_units_give_rays_and_no_far_vertices(seed: int) -> None:
    # With two units on, five deeper rows lie in a plane of slopes: in floats they meet far away.
    net = ps.Network.from_layers(*random_weights([3, 3, 5, 1], seed))
    for region in ps.enumerate_regions(net, ps.WholeSpace(3)):
        check_generators(region)


@LAW
@given(st.integers(0, 10**6), st.sampled_from([[2, 4, 3, 1], [3, 4, 2, 1], [4, 4, 1]]))
def test_volumes_sum_to_the_domains_on_lattices(seed: int, widths: list[int]) -> None:
    net = ps.Network.from_layers(*integer_weights(widths, seed, -1, 1))
    regions = list(ps.enumerate_regions(net, ps.Box(-2, 2, dim=widths[0])))
    assert sum(region.volume() for region in regions) == pytest.approx(4.0 ** widths[0], rel=1e-12)
    for region in regions[:8]:
        check_generators(region)


@pytest.mark.parametrize("domain", [ps.Box(-1, 1, dim=3), ps.WholeSpace(3)], ids=["box", "whole_space"])
def test_facets_have_their_exact_row_and_neighbours_its_negative(domain: ps.Box | ps.WholeSpace) -> None:
    part = ps.enumerate_regions(ps.Network.from_layers(*random_weights([3, 5, 3, 1], 6)), domain)
    regions = list(part)
    for region in regions:
        inside = [Fraction(float(z)) for z in region.witness]
        for facet, neighbour in zip(region.facets, region.facet_neighbours, strict=True):
            assert math.gcd(*facet.row) == 1
            assert value(facet.row, inside) > 0
            length = math.hypot(*facet.row[:-1])
            np.testing.assert_allclose(facet.normal, [-a / length for a in facet.row[:-1]], rtol=1e-14)
            assert facet.offset == pytest.approx(facet.row[-1] / length, rel=1e-14)
            if neighbour is not None:
                back = regions[neighbour].facets[regions[neighbour].facet_neighbours.index(region.index)]
                assert back.row == tuple(-entry for entry in facet.row)
                assert back.normal.tolist() == (-facet.normal).tolist()
                assert back.offset == -facet.offset


def sliver(dim: int, domain: ps.Box | ps.WholeSpace) -> ps.Region:
    """Region between the float next to a third and a third: no float is strictly inside."""
    weight = np.zeros((2, dim))
    weight[:, 0] = 3.0, 1.0
    net = ps.Network.from_layers([weight, np.ones((1, 2))], [np.array([-1.0, -THIRD]), np.zeros(1)])
    part = ps.enumerate_regions(net, domain)
    (region,) = (region for region in part if region.code.tolist() == [0, 1])
    assert region.exact_witness is not None
    assert not part.witness_exact[region.index]
    return region


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_slivers_without_a_float_inside_have_vertices_and_volume(dim: int) -> None:
    region = sliver(dim, ps.Box(0, 1, dim=dim))
    check_generators(region)
    assert len(region.vertices()) == 2**dim
    assert set(region.vertices()[:, 0]) == {THIRD}
    assert region.volume() == pytest.approx(float(GAP), rel=1e-15)
    assert region.bounded


def test_slivers_of_the_whole_space_are_unbounded() -> None:
    region = sliver(2, ps.WholeSpace(2))
    check_generators(region)
    assert region.vertices().shape == (0, 2)
    assert np.abs(region.rays()).tolist() == [[0.0, 1.0], [0.0, 1.0]]
    assert region.volume() == math.inf


def test_thin_wedges_have_two_rays_and_one_vertex() -> None:
    # z1 <= z0 <= (1 + 2**-52) z1: the two rays round to nearly the same direction.
    weight = np.array([[1.0, -1.0], [-1.0, 1.0 + 2.0**-52]])
    net = ps.Network.from_layers([weight, np.ones((1, 2))], [np.zeros(2), np.zeros(1)])
    part = ps.enumerate_regions(net, ps.WholeSpace(2))
    (region,) = (region for region in part if region.code.tolist() == [1, 1])
    check_generators(region)
    assert region.vertices().tolist() == [[0.0, 0.0]]
    np.testing.assert_allclose(region.rays(), np.full((2, 2), 0.5**0.5), rtol=1e-15)
    assert sorted(region.v_representation.extreme) == [(1, 1), (2**52 + 1, 2**52)]


def test_a_region_that_is_everything_has_only_lines() -> None:
    net = ps.Network.from_layers([np.zeros((1, 2))], [np.zeros(1)])
    (region,) = ps.enumerate_regions(net, ps.WholeSpace(2))
    assert region.facets == ()
    assert not region.bounded
    assert region.vertices().shape == (0, 2)
    assert region.rays().tolist() == [[-1.0, 0.0], [0.0, -1.0], [0.0, 1.0], [1.0, 0.0]]
    assert region.volume() == math.inf


def test_facets_need_a_rational_witness_to_be_inside_and_take_floats_as_a_guess() -> None:
    region = sliver(2, ps.Box(0, 1, dim=2))
    expected = [facet.row for facet in region.facets]

    def rows(witness: np.ndarray | tuple[Fraction, ...]) -> list[Row]:
        return [facet.row for facet in region_facets(region.net, region.domain, region.code, witness)]

    assert region.exact_witness is not None
    for witness in (region.exact_witness, region.witness, np.array([9.0, 9.0]), np.full(2, np.nan)):
        assert rows(witness) == expected
    with pytest.raises(InvariantError, match="not strictly inside"):
        rows((Fraction(THIRD), Fraction(1, 2)))
    with pytest.raises(ShapeError, match="expected 2"):
        rows((Fraction(1, 3),))


@pytest.mark.parametrize("dim", [2, 3, 4, 5])
def test_volumes_with_and_without_simple_vertices(dim: int) -> None:
    corners = list(itertools.product([-1, 1], repeat=dim))
    cross = v_representation([(*corner, 1) for corner in corners], dim)
    assert len(cross.vertices) == 2 * dim
    assert cross.volume == pytest.approx(2.0**dim / math.factorial(dim), rel=1e-13)
    sides = [tuple(sign * int(i == j) for j in range(dim)) for i in range(dim) for sign in (-1, 1)]
    cube = v_representation([(*side, 3) for side in sides], dim)
    assert len(cube.vertices) == 2**dim
    assert cube.volume == 6.0**dim
    # Repeated and redundant rows, some of which touch, change nothing.
    more = [*((*side, 3) for side in sides), (2,) + (0,) * (dim - 1) + (6,), (*corners[0], 3 * dim)]
    again = v_representation(more, dim)
    assert again.vertices.tolist() == cube.vertices.tolist()
    assert again.volume == cube.volume


def test_what_floats_cannot_hold_and_what_has_no_interior_is_refused() -> None:
    far = v_representation([(1, 0), (-1, 10**400)], 1)
    with pytest.raises(SolverFailedError, match="range of float64"):
        _ = far.vertices
    with pytest.raises(SolverFailedError, match="range of float64"):
        _ = far.volume
    for rows in ([(1, 0), (-1, 0)], [(1, 0), (-1, -1)], [(0, -1)]):
        with pytest.raises(EmptyPolyhedronError, match="no interior"):
            v_representation(rows, 1)
