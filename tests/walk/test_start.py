"""Any point of the domain may be the start, also one on a knot, on the boundary, or where many knots meet."""

from __future__ import annotations

import numpy as np
import pytest

import polyspline as ps
from tests.agreement.support import assert_identical, code_set, edge_set, walked
from tests.arrangements import named_arrangements
from tests.oracle.cases import random_weights, simplex_with_cuts
from tests.oracle.forms import FloatArray

BRAID = next(arrangement for arrangement in named_arrangements() if arrangement.name == "braid-4")


def same_graph(left: ps.Partition, right: ps.Partition) -> bool:
    return code_set(left) == code_set(right) and edge_set(left) == edge_set(right)


@pytest.fixture(scope="module")
def net() -> ps.Network:
    weights, biases = random_weights([2, 8, 8, 1], 4)
    # Knots through the origin, through the corners, and along one side of the box [-1, 1]^2.
    weights[0][:4] = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]]
    biases[0][:4] = [0.0, 0.0, 0.0, -1.0]
    return ps.Network.from_layers(weights, biases)


@pytest.fixture(scope="module")
def whole(net: ps.Network) -> ps.Partition:
    return walked(net, ps.Box(-1, 1, dim=2))


@pytest.mark.parametrize(
    "start",
    [(0.0, 0.0), (0.0, 0.3), (0.3, 0.0), (1.0, 1.0), (-1.0, 1.0), (1.0, -0.25), (-1.0, 0.0), (0.1, -0.1)],
    ids=str,
)
def test_a_start_on_knots_or_on_the_boundary_moves_off_by_itself(
    net: ps.Network, whole: ps.Partition, start: tuple[float, float]
) -> None:
    part = walked(net, ps.Box(-1, 1, dim=2), start=np.array(start))
    assert part.complete
    assert same_graph(part, whole)
    assert part[0].contains(np.array(start))


def test_the_default_start_of_a_box_is_its_centre(net: ps.Network) -> None:
    domain = ps.Box(np.array([-1.0, 0.0]), np.array([1.0, 2.0]))
    assert_identical(walked(net, domain), walked(net, domain, start=np.array([0.0, 1.0])))


def test_the_default_start_of_the_whole_space_is_the_origin(net: ps.Network) -> None:
    assert_identical(
        walked(net, ps.WholeSpace(2)),
        walked(net, ps.WholeSpace(2), start=np.zeros(2)),
    )


def test_a_start_where_all_hyperplanes_meet_finds_them_all() -> None:
    m = len(BRAID.offsets)
    net = ps.Network.from_layers([BRAID.normals, np.ones((1, m))], [-BRAID.offsets, np.zeros(1)])
    for start in (np.zeros(4), np.ones(4), np.array([1.0, 1.0, 2.0, 2.0]), np.full(4, 1e300)):
        part = walked(net, ps.WholeSpace(4), start=start)
        assert (len(part), part.n_adjacencies) == (BRAID.regions, BRAID.adjacencies)
        assert part[0].contains(start)


def corners(kind: str) -> tuple[ps.Box | ps.Polytope, FloatArray]:
    if kind == "box":
        return ps.Box(-1, 1, dim=3), np.array(
            [[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1.0, 1.0)]
        )
    rows, offsets = simplex_with_cuts(3, 0, 0)
    return ps.Polytope(rows, offsets), np.array([[-1.0, -1.0, -1.0], [3.0, -1.0, -1.0], [-1.0, -1.0, 3.0]])


@pytest.mark.parametrize("kind", ["box", "polytope"])
def test_every_corner_of_the_domain_may_be_the_start(kind: str) -> None:
    net = ps.Network.from_layers(*random_weights([3, 6, 5, 1], 1))
    domain, points = corners(kind)
    whole = walked(net, domain)
    for point in points:
        part = walked(net, domain, start=point)
        assert same_graph(part, whole)
        assert part[0].contains(point)


def test_a_list_of_numbers_is_a_start(net: ps.Network, whole: ps.Partition) -> None:
    assert same_graph(walked(net, ps.Box(-1, 1, dim=2), start=[0, 0.5]), whole)


@pytest.mark.parametrize("start", [(1.5, 0.0), (0.0, -1.0000000000000002)], ids=str)
def test_a_start_outside_the_domain_is_refused(net: ps.Network, start: tuple[float, float]) -> None:
    with pytest.raises(ps.errors.StartError, match="start"):
        walked(net, ps.Box(-1, 1, dim=2), start=np.array(start))


@pytest.mark.parametrize(
    "start", [np.zeros(3), np.zeros((1, 2)), np.array([0.0, np.nan]), np.array([np.inf, 0.0])], ids=str
)
def test_a_start_that_is_no_point_is_refused(net: ps.Network, start: FloatArray) -> None:
    with pytest.raises(ps.errors.PolysplineError, match="start"):
        walked(net, ps.Box(-1, 1, dim=2), start=start)
