"""A walk within a radius finds the regions that meet the ball, those that only touch it included."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest

import polyspline as ps
from polyspline.walk import walker
from tests.agreement.support import (
    Where,
    assert_identical,
    assert_well_formed,
    cube,
    polytope,
    walked,
    whole_space,
)
from tests.agreement.zoo import families
from tests.oracle.cases import random_weights, simplex_with_cuts
from tests.walk.distances import distance, power

NORMS = ["l2", "linf"]
ZOO = families()

#: Name, domain, centre: generic points, points on knots, corners of the domain.
CASES: list[tuple[str, Where, list[float]]] = [
    ("integers-1", cube(1), [0.25]),
    ("lattice-1", whole_space(1), [0.0]),
    ("lattice-2", cube(2), [0.25, 0.25]),
    ("folded", whole_space(2), [0.5, -0.25]),
    ("needles", cube(2), [0.0, 0.5]),
    ("nearly_proportional-1", cube(1), [0.3]),
    ("knots-through-corners", cube(2), [1.0, 1.0]),
    ("dying-2", whole_space(2), [0.3, 0.1]),
    ("zero-biases-2", whole_space(2), [3.0, 4.0]),
    ("flat-directions-2", whole_space(2), [0.5, 2.0]),
    ("flat-directions-3", whole_space(3), [0.5, 2.0, -1.0]),
    ("rows-of-every-scale", cube(2), [0.1, 0.2]),
    ("columns-of-every-scale", polytope(simplex_with_cuts(2, 3, 1)), [0.0, 0.0]),
    ("duplicate-3", cube(3), [0.1, -0.3, 0.2]),
    ("one-unit-layers-3", whole_space(3), [0.0, 0.0, 0.0]),
    ("no-hidden-layer", cube(2), [0.0, 0.0]),
    ("all-dead", whole_space(2), [0.0, 0.0]),
]


def assert_is_the_part_within(part: ps.Partition, whole: ps.Partition, kept: list[bool]) -> None:
    """Regions, edges and order are those of a breadth-first walk over the regions that are kept."""
    assert_well_formed(part)
    places = [whole.index_of(code) for code in part.codes]
    assert sorted(places) == [i for i, keep in enumerate(kept) if keep]
    among = {(i, j) for i, j in whole.edges.tolist() if kept[i] and kept[j]}
    found = {tuple(sorted((places[i], places[j]))) for i, j in part.edges.tolist()}
    assert found == among
    graph = part.graph()
    assert networkx.is_connected(graph)
    hops = networkx.single_source_shortest_path_length(graph, 0)
    assert [hops[i] for i in range(len(part))] == sorted(hops.values())
    # The first regions have all their neighbours; the next one has not.
    whole_degree = dict(whole.graph().degree)
    lacking = [i for i, place in enumerate(places) if graph.degree(i) < whole_degree[place]]
    assert part.expanded == (lacking[0] if lacking else len(part))
    assert part.stop is (ps.StopReason.RADIUS if lacking else ps.StopReason.COMPLETE)
    assert part.stop.finished


@pytest.mark.parametrize(
    ("name", "where", "centre"), CASES, ids=[f"{c[0]}-{c[1].domain.kind}" for c in CASES]
)
def test_the_regions_are_those_whose_exact_distance_is_at_most_the_radius(
    name: str, where: Where, centre: list[float]
) -> None:
    net = ps.Network.from_layers(*ZOO[name])
    whole = walked(net, where.domain)
    for norm in NORMS:
        far = [distance(region, centre, norm) for region in whole]
        # A float on either side of a region's distance, where only exact arithmetic can tell.
        critical = sorted({float(d) if norm == "linf" else math.sqrt(d) for d in far})
        middle = critical[len(critical) // 2]
        for radius in {0.0, math.nextafter(middle, 0.0), middle, critical[-1]}:
            part = walked(net, where.domain, start=centre, radius=radius, norm=norm)
            assert_is_the_part_within(part, whole, [d <= power(radius, norm) for d in far])
            assert part.within is not None
            assert (part.within.radius, part.within.norm) == (radius, norm)
            assert part.within.centre.tolist() == centre


def test_max_groups_within_a_radius() -> None:
    weights, biases = random_weights([2, 6, 4, 1], 3)
    weights[1], weights[2] = weights[1][:, :3], weights[2][:, :4]
    net = ps.Network.from_layers(weights, biases, ["max:2", "relu", "identity"])
    whole = walked(net, ps.Box(-1, 1, dim=2))
    for norm in NORMS:
        far = [distance(region, [0.25, 0.0], norm) for region in whole]
        part = walked(net, ps.Box(-1, 1, dim=2), start=[0.25, 0.0], radius=0.5, norm=norm, workers=2)
        assert_is_the_part_within(part, whole, [d <= power(0.5, norm) for d in far])


@pytest.fixture(scope="module")
def cross() -> ps.Network:
    """The four quadrants."""
    return ps.Network.from_layers([np.eye(2), np.ones((1, 2))], [np.zeros(2), np.zeros(1)])


@pytest.mark.parametrize(
    ("centre", "radius", "norm", "count"),
    [
        ([0.5, 2.0], 0.5, "l2", 2),  # the knot x = 0 is a tangent
        ([0.5, 2.0], math.nextafter(0.5, 0.0), "l2", 1),
        ([3.0, 4.0], 5.0, "l2", 4),  # the opposite quadrant has the origin alone in common with the ball
        ([3.0, 4.0], math.nextafter(5.0, 0.0), "l2", 3),
        ([1.0, 1.0], 1.0, "linf", 4),  # two quadrants share an edge of the square, one its corner
        ([1.0, 1.0], math.nextafter(1.0, 0.0), "linf", 1),
        ([0.0, 0.0], 0.0, "l2", 4),  # the point itself
        ([0.0, 1.0], 0.0, "linf", 2),
        ([1e-300, 1e-300], 1e-300, "linf", 4),
        ([1e-300, 1.0], 1e-301, "l2", 1),
        ([1.0, 1.0], 1e300, "linf", 4),
        ([0.125, 0.25], 5e-324, "l2", 1),
    ],
)
@pytest.mark.parametrize(
    "domain", [ps.WholeSpace(2), ps.Box(-9, 9, dim=2)], ids=lambda domain: str(domain.kind)
)
def test_touching_in_a_point_is_meeting(
    cross: ps.Network, domain: Any, centre: list[float], radius: float, norm: str, count: int
) -> None:
    assert len(walked(cross, domain, start=centre, radius=radius, norm=norm)) == count


def test_a_fan_that_touches_in_its_apex_is_found_whole() -> None:
    """Many regions meet in the one point that the ball has in common with any of them but the first."""
    turns = np.arange(6) * np.pi / 6
    lines = np.round(np.stack([np.cos(turns), np.sin(turns)], axis=1) * 8)
    net = ps.Network.from_layers([lines, np.ones((1, 6))], [np.zeros(6), np.zeros(1)])
    whole = walked(net, ps.WholeSpace(2))
    part = walked(net, ps.WholeSpace(2), start=[-3.0, -4.0], radius=5.0)
    assert len(part) == len(whole) == 12
    near = walked(net, ps.WholeSpace(2), start=[-3.0, -4.0], radius=math.nextafter(5.0, 0.0))
    assert 1 <= len(near) < 12


def generic() -> tuple[ps.Network, ps.Box]:
    return ps.Network.from_layers(*random_weights([3, 16, 16, 1], 5)), ps.Box(-1, 1, dim=3)


def test_workers_and_resumed_runs_give_the_same_arrays(tmp_path: Path) -> None:
    net, domain = generic()
    options: dict[str, Any] = {"start": [0.2, -0.1, 0.3], "radius": 0.4}
    straight = walked(net, domain, **options)
    assert straight.stop is ps.StopReason.RADIUS
    assert not straight.complete
    assert_identical(straight, walked(net, domain, workers=2, **options))
    run = tmp_path / "run.polyspline"
    for limit in (1, 7, len(straight) // 2, None):
        part = walked(net, domain, max_regions=limit, run_file=run, resume=True, **options)
        assert_identical(part, walked(net, domain, max_regions=limit, **options))
        assert len(part) == (limit or len(straight))
        assert_identical(ps.load_partition(run), part)
    before = run.read_bytes()
    again = walked(net, domain, run_file=run, resume=True, radius=0.4)
    assert_identical(again, straight)
    assert run.read_bytes() == before


def test_a_local_walk_that_dies_goes_on_to_the_same_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, domain = generic()
    options: dict[str, Any] = {"start": [0.2, -0.1, 0.3], "radius": 0.4}
    straight = walked(net, domain, **options)
    tell = walker.Walk._tell

    def die_half_way(walk: walker.Walk) -> None:
        tell(walk)
        if 2 * walk.store.expanded > len(straight):
            raise KeyError("killed")

    run = tmp_path / "run.polyspline"
    with monkeypatch.context() as patched:
        patched.setattr(walker, "_CHUNK", 8)
        patched.setattr(walker.Walk, "_tell", die_half_way)
        with pytest.raises(KeyError, match="killed"):
            walked(net, domain, run_file=run, **options)
    kept = ps.load_partition(run)
    assert kept.stop is ps.StopReason.INTERRUPTED
    assert straight.expanded < len(kept) < len(straight)
    assert kept.expanded == straight.expanded
    assert_identical(walked(net, domain, run_file=run, resume=True, radius=0.4), straight)
    assert_identical(ps.load_partition(run), straight)


def test_runs_of_another_radius_or_norm_are_refused(tmp_path: Path) -> None:
    net, domain = generic()
    run = tmp_path / "run.polyspline"
    walked(net, domain, radius=0.25, max_regions=4, run_file=run)
    others: list[dict[str, Any]] = [{}, {"radius": 0.5}, {"radius": 0.25, "norm": "linf"}]
    for other in others:
        with pytest.raises(ps.errors.RunFileError, match="radius"):
            walked(net, domain, run_file=run, resume=True, **other)
    plain = tmp_path / "plain.polyspline"
    walked(net, domain, max_regions=4, run_file=plain)
    with pytest.raises(ps.errors.RunFileError, match="without a radius"):
        walked(net, domain, radius=0.25, run_file=plain, resume=True)


def test_saved_and_loaded_partitions_know_their_ball(tmp_path: Path) -> None:
    net, domain = generic()
    part = walked(net, domain, start=[0.1, 0.2, 0.3], radius=0.3, norm="linf")
    part.save(tmp_path / "saved")
    loaded = ps.load_partition(tmp_path / "saved")
    assert_identical(loaded, part)
    assert loaded.within is not None
    assert part.within is not None
    assert loaded.within.centre.tolist() == part.within.centre.tolist()
    assert (loaded.within.radius, loaded.within.norm) == (0.3, "linf")


def test_a_ball_is_no_domain() -> None:
    """The regions of a ball are whole regions of the domain, and never taken for all of them."""
    net, domain = ps.Network.from_layers(*random_weights([2, 8, 8, 1], 5)), ps.Box(-1, 1, dim=2)
    part = walked(net, domain, radius=0.25)
    whole = walked(net, domain)
    for i in range(0, len(part), 9):
        twin = whole[whole.index_of(part.code(i))]
        assert part[i].hrep.G.tolist() == twin.hrep.G.tolist()
    assert not ps.volumes(part).regions.complete
    assert ps.volumes(part).covered < 1.0


@pytest.mark.parametrize(
    "options",
    [{"radius": -1.0}, {"radius": math.nan}, {"radius": math.inf}, {"radius": 1.0, "norm": "l1"}],
    ids=str,
)
def test_radius_and_norm_out_of_range_are_refused(cross: ps.Network, options: dict[str, Any]) -> None:
    with pytest.raises(ps.errors.ArgumentError, match=list(options)[-1]):
        walked(cross, ps.WholeSpace(2), **options)


def test_local_complexity_counts_what_the_walk_finds() -> None:
    net = ps.Network.from_layers(*random_weights([2, 12, 12, 2], 4))
    points = np.random.default_rng(0).uniform(-1, 1, size=(12, 2))
    for norm in NORMS:
        found = ps.local_complexity(net, points, 0.25, norm=norm, affine_regions=True)
        parts = [walked(net, ps.WholeSpace(2), start=point, radius=0.25, norm=norm) for point in points]
        assert found.counts.tolist() == [len(part) for part in parts]
        assert found.affine_counts is not None
        assert found.affine_counts.tolist() == [part.n_affine_regions for part in parts]
        assert found.complete.all()
        two = ps.local_complexity(net, points, 0.25, norm=norm, workers=2)
        assert two.counts.tolist() == found.counts.tolist()
        assert two.affine_counts is None


def test_local_complexity_says_where_it_stopped_and_what_is_outside() -> None:
    net = ps.Network.from_layers(*random_weights([2, 12, 12, 2], 4))
    few = ps.local_complexity(net, [[0.0, 0.0], [90.0, 90.0]], 1.0, max_regions=5)
    assert few.counts.tolist()[0] == 5
    assert few.complete.tolist() == [False, True]
    assert len(ps.local_complexity(net, np.empty((0, 2)), 1.0)) == 0
    assert len(ps.local_complexity(net, [0.5, 0.5], 1.0, domain=ps.Box(0, 1, dim=2))) == 1
    with pytest.raises(ps.errors.StartError, match="outside"):
        ps.local_complexity(net, [[2.0, 0.0]], 1.0, domain=ps.Box(-1, 1, dim=2))
    with pytest.raises(ps.errors.ShapeError, match="latent"):
        ps.local_complexity(net, [[2.0, 0.0, 1.0]], 1.0)


@pytest.mark.parametrize(("radius", "count"), [(0.125, 1), (0.25, 2), (0.5, 2), (0.75, 3)])
def test_knots_on_a_line_are_met_from_their_distance_on(radius: float, count: int) -> None:
    net = ps.Network.from_layers([[[1.0], [1.0]], [[1.0, 1.0]]], [[0.0, -1.0], [0.0]])
    assert len(walked(net, ps.WholeSpace(1), start=[0.25], radius=radius)) == count
