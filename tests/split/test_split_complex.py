"""Laws of the polyhedral complex: boundaries, parts, known topology, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyspline as ps
from polyspline.split import complexes
from polyspline.split.cells import RegionCell
from polyspline.split.facade import split_regions

SQUARE = ps.Box(-2.0, 2.0, dim=2)
CUBE = ps.Box(-2.0, 2.0, dim=3)


def network(*layers: tuple[Any, str]) -> ps.Network:
    """A network of layers, each [weight | bias] and an activation."""
    tables = [np.array(table, np.float64) for table, _ in layers]
    return ps.Network.from_layers(
        [table[:, :-1] for table in tables],
        [table[:, -1] for table in tables],
        [activation for _, activation in layers],
    )


def taxicab(dim: int) -> ps.Network:
    """The sum of the coordinates' absolute values."""
    return network((np.eye(dim, dim + 1), "abs"), ([[1.0] * dim + [0.0]], "identity"))


TORUS = network(
    (np.eye(3, 4), "abs"),
    ([[1, 1, 0, -1], [0, 0, 1, 0]], "abs"),  # how far from the circle |x| + |y| = 1, and |z|
    ([[1, 1, 0]], "identity"),
)
TWO_DIAMONDS = network(
    # The lesser of the distances to two points: -max(-a, -b).
    ([[1, 0, -1], [1, 0, 1], [0, 1, 0]], "abs"),
    ([[-1, 0, -1, 0], [0, -1, -1, 0]], "max:2"),
    ([[-1, 0]], "identity"),
)
LARGEST_COORDINATE = network((np.eye(3, 4), "abs"), (np.eye(3, 4), "max:3"), ([[1, 0]], "identity"))


@pytest.mark.parametrize(
    ("net", "domain", "level", "betti"),
    [
        (taxicab(1), ps.Box(-2.0, 2.0, dim=1), 1.0, (2,)),
        (taxicab(2), SQUARE, 1.0, (1, 1)),
        (taxicab(2), SQUARE, 0.0, (1,)),
        (taxicab(2), SQUARE, 3.0, (4, 0)),  # the domain cuts the diamond to its four corners
        (taxicab(3), CUBE, 1.0, (1, 0, 1)),
        (TWO_DIAMONDS, SQUARE, 0.5, (2, 2)),
        (TWO_DIAMONDS, SQUARE, 1.0, (1, 2)),  # they touch in a point
        (LARGEST_COORDINATE, CUBE, 1.0, (1, 0, 1)),
        (TORUS, CUBE, 0.25, (1, 2, 1)),
    ],
)
def test_level_sets_have_the_betti_numbers_of_their_shape(
    net: ps.Network, domain: ps.Box, level: float, betti: tuple[int, ...]
) -> None:
    found = ps.level_set_complex(net, domain, [1.0], level)
    assert found.betti_numbers == betti
    assert found.euler_characteristic == sum((-1) ** d * number for d, number in enumerate(betti))
    np.testing.assert_allclose(net(found.vertices)[:, 0], level, atol=1e-12)


def test_the_octahedron_and_the_cube_are_found_as_such() -> None:
    assert ps.level_set_complex(taxicab(3), CUBE, [1.0], 1.0).f_vector == (6, 12, 8)
    # Behind each side of the cube are the four regions in which its coordinate is the largest.
    cube = ps.level_set_complex(LARGEST_COORDINATE, CUBE, [1.0], 1.0)
    assert cube.f_vector == (26, 48, 24)
    nothing = ps.level_set_complex(taxicab(3), CUBE, [1.0], -1.0)
    assert nothing.f_vector == nothing.betti_numbers == ()
    assert nothing.euler_characteristic == 0


def test_a_level_set_may_be_a_region() -> None:
    flat = network(([[1, 0]], "relu"), ([[1, 0]], "identity"))
    found = ps.level_set_complex(flat, ps.Box(-1.0, 1.0, dim=1), [1.0])
    assert found.f_vector == (2, 1)
    np.testing.assert_array_equal(np.sort(found.vertices.ravel()), [-1.0, 0.0])


def test_the_boundary_between_classes_is_where_two_scores_are_the_largest() -> None:
    # Three sectors meet in the origin; and one class that is inside of another.
    sectors = network(([[1, 0, 0], [0, 1, 0], [-1, -1, 0]], "identity"))
    rays = ps.class_boundary_complex(sectors, SQUARE)
    assert rays.f_vector == (4, 3)
    assert rays.betti_numbers == (1, 0)
    scores = np.sort(sectors(rays.vertices), axis=1)
    np.testing.assert_allclose(scores[:, -1], scores[:, -2])
    inside = network((np.eye(2, 3), "abs"), ([[-1, -1, 1], [0, 0, 0]], "identity"))
    assert ps.class_boundary_complex(inside, SQUARE).betti_numbers == (1, 1)
    one_class = network(([[0, 0, 1], [0, 0, 0]], "identity"))
    assert ps.class_boundary_complex(one_class, SQUARE).f_vector == ()


def test_the_boundary_between_classes_is_as_long_as_its_pieces() -> None:
    net = ps.zoo.random_network([2, 9, 7, 3], seed=4)
    found = ps.class_boundary_complex(net, ps.Box(-1.0, 1.0, dim=2))
    ends = found.vertices[np.array(found.faces[1])]
    pieces = ps.class_boundary(ps.enumerate_regions(net, ps.Box(-1.0, 1.0, dim=2), method="split"))
    np.testing.assert_allclose(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).sum(), pieces.measure)
    assert found.betti_numbers == (2, 0)


def test_members_below_the_maximum_leave_no_trace() -> None:
    # The first two members are equal where x = 0, but above |x| = 1 only.
    net = network(([[1, 0, 0], [-1, 0, 0], [0, 0, 1]], "max:3"), ([[1, 0]], "identity"))
    found = ps.complex(net, SQUARE)
    assert found.f_vector == (8, 10, 3)
    assert found.units.tolist() == [0, 0, 0, -1, -1, -1, -1]
    assert found.signs[2][:, :3].tolist() == [[0, -1, -1], [-1, 0, -1], [-1, -1, 0]]
    ties = found.signs[1][:, :3][(found.signs[1][:, :3] == 0).sum(axis=1) == 2]
    assert sorted(ties.tolist()) == [[-1, 0, 0], [0, -1, 0]]
    assert found.where_zero(2).f_vector == (4, 4, 1)


def test_the_whole_is_a_ball_and_its_boundary_a_sphere() -> None:
    net = ps.zoo.random_network([3, 5, 4, 1], seed=3)
    found = ps.complex(net, CUBE)
    assert found.betti_numbers == (1, 0, 0, 0)
    rim = found.subcomplex([(signs[:, found.units < 0] == 0).any(axis=1) for signs in found.signs])
    assert rim.betti_numbers == (1, 0, 1)
    assert rim.f_vector[2] == np.count_nonzero(found.boundary(3).sum(axis=1) == 1)
    side = found.where_zero(-1)
    assert side.betti_numbers == (1, 0, 0)
    assert (side.vertices[:, 2] == 2.0).all()


def test_a_part_has_the_faces_of_its_faces() -> None:
    found = ps.complex(ps.zoo.random_network([2, 5, 4, 1], seed=1), SQUARE)
    chosen = [np.zeros(count, np.bool_) for count in found.f_vector]
    chosen[2][3] = True
    part = found.subcomplex(chosen)
    corners = len(found.faces[2][3])
    assert part.f_vector == (corners, corners, 1)
    np.testing.assert_array_equal(part.signs[2], found.signs[2][[3]])
    np.testing.assert_array_equal(part.vertices, found.vertices[list(found.faces[2][3])])
    assert not part.signs[0].flags.writeable


def test_a_partition_carries_its_faces_when_asked_to() -> None:
    net = ps.zoo.random_network([2, 6, 5, 1], seed=4)
    part = ps.enumerate_regions(net, SQUARE, start=[1.5, 1.5], workers=2, faces=True)
    assert part.faces is not None
    assert ps.enumerate_regions(net, SQUARE, method="split").faces is None
    alone = ps.complex(net, SQUARE)
    assert part.faces.faces[:2] == alone.faces[:2]
    assert part.faces.faces[2] != alone.faces[2]
    assert sorted(part.faces.faces[2]) == sorted(alone.faces[2])
    assert alone.signs[2][:, :11].tolist() == sorted(part.faces.signs[2][:, :11].tolist())
    for index, (region, signs) in enumerate(zip(part, part.faces.signs[2], strict=True)):
        np.testing.assert_array_equal(region.code, signs[:11] > 0)
        corners = part.faces.vertices[list(part.faces.faces[2][index])]
        np.testing.assert_allclose(corners[np.lexsort(corners.T)], _sorted(region.vertices()), atol=1e-9)


def _sorted(points: Any) -> Any:
    return points[np.lexsort(points.T)]


def test_faces_are_not_written_to_run_files(tmp_path: Path) -> None:
    net = ps.zoo.random_network([2, 3, 1], seed=4)
    ps.enumerate_regions(net, SQUARE, method="split", faces=True).save(tmp_path / "run.polyspline")
    assert ps.load_partition(tmp_path / "run.polyspline").faces is None


def test_a_partition_that_was_cut_short_has_no_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    stopping = partial(split_regions, max_regions=3)
    monkeypatch.setattr(complexes, "split_regions", stopping)
    net = ps.zoo.random_network([2, 6, 5, 1], seed=4)
    part = ps.enumerate_regions(net, SQUARE, method="split", faces=True)
    assert (len(part), part.faces) == (3, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "walk"}, "a walk lists no faces"),
        ({"max_regions": 3}, "takes no max_regions"),
        ({"max_seconds": 3.0}, "takes no max_seconds"),
        ({"radius": 1.0}, "takes no radius"),
        ({"run_file": "run.polyspline"}, "takes no run_file"),
    ],
)
def test_faces_of_a_part_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ps.errors.ArgumentError, match=message):
        ps.enumerate_regions(taxicab(2), SQUARE, faces=True, **({"method": "split"} | options))


def test_what_is_not_bounded_or_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for asked in (partial(ps.enumerate_regions, method="auto", faces=True), ps.complex):
        with pytest.raises(ps.errors.DomainError, match="expected a bounded domain"):
            asked(taxicab(2), ps.WholeSpace(2))
        with pytest.raises(ps.errors.ArgumentError, match="in dimension 11 a box alone has 177,147 faces"):
            asked(taxicab(11), ps.Box(-1.0, 1.0, dim=11))
        with pytest.raises(ps.errors.DomainError, match="dimension"):
            asked(taxicab(2), CUBE)
    monkeypatch.setattr(complexes, "MOST_FACES", 200)
    large = ps.zoo.random_network([2, 16, 16, 1], seed=0)
    with pytest.raises(ps.errors.ArgumentError, match=r"regions of dimension 2 have some 1\..e\+03 faces"):
        ps.complex(large, ps.Box(-1.0, 1.0, dim=2))


def test_faces_that_do_not_close_up_are_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RegionCell, "proper_faces", lambda _: iter(()))
    with pytest.raises(ps.errors.InvariantError, match="Euler characteristic 4, and a convex domain has 1"):
        ps.complex(taxicab(2), SQUARE)


def test_faces_of_another_partition_are_no_faces_of_it() -> None:
    part = ps.enumerate_regions(taxicab(2), SQUARE, method="split")
    with pytest.raises(ps.errors.InvariantError, match="is not of 4 regions"):
        replace(part, faces=ps.complex(taxicab(3), CUBE))


def test_what_does_not_fit_is_refused() -> None:
    net = taxicab(2)
    with pytest.raises(ps.errors.ShapeError, match="direction has 2 entries"):
        ps.level_set_complex(net, SQUARE, [1.0, 0.0])
    with pytest.raises(ps.errors.NonFiniteError, match="direction"):
        ps.level_set_complex(net, SQUARE, [np.nan])
    for level in (np.nan, -np.inf):
        with pytest.raises(ps.errors.NonFiniteError, match="level is"):
            ps.level_set_complex(net, SQUARE, [1.0], level)
    with pytest.raises(ps.errors.ShapeError, match="one output"):
        ps.class_boundary_complex(net, SQUARE)
    found = ps.complex(net, SQUARE)
    with pytest.raises(ps.errors.ArgumentError, match="expected 1 to 2"):
        found.boundary(3)
    with pytest.raises(ps.errors.ArgumentError, match="6 columns"):
        found.where_zero(6)
    with pytest.raises(ps.errors.ShapeError, match="one truth value for each face"):
        found.subcomplex([[True], [False]])
