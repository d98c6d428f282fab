"""Laws that hold for the partition of every network, checked through the public face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import polyspline as ps
from polyspline.errors import DomainError
from tests.agreement.support import (
    Where,
    assert_identical,
    code_set,
    cube,
    edge_set,
    polytope,
    walked,
    whole_space,
)
from tests.oracle import Code
from tests.oracle.cases import Weights, integer_weights, random_weights, simplex_with_cuts
from tests.oracle.forms import FloatArray

#: name, widths, activation, domain. Small enough to ask every region for everything.
CASES: list[tuple[str, list[int], str, Where]] = [
    ("line-relu", [1, 10, 8, 2], "relu", cube(1)),
    ("line-hardtanh", [1, 6, 5, 1], "hardtanh", whole_space(1)),
    ("plane-relu", [2, 10, 8, 3], "relu", cube(2)),
    ("plane-relu-everywhere", [2, 8, 6, 1], "relu", whole_space(2)),
    ("plane-leaky", [2, 7, 6, 2], "leaky_relu:0.1", polytope(simplex_with_cuts(2, 3, 4))),
    ("plane-hardtanh", [2, 5, 4, 2], "hardtanh", cube(2)),
    ("space-relu", [3, 6, 5, 2], "relu", cube(3)),
    ("space-leaky", [3, 5, 3, 4], "leaky_relu:0.1", whole_space(3)),
    ("four-relu", [4, 5, 3, 1], "relu", polytope(simplex_with_cuts(4, 2, 5))),
    ("five-relu", [5, 4, 3, 6], "relu", cube(5)),
]
NAMES = [case[0] for case in CASES]


@pytest.fixture(scope="module", params=CASES, ids=NAMES)
def part(request: pytest.FixtureRequest) -> ps.Partition:
    _, widths, activation, where = request.param
    net = ps.Network.from_layers(*random_weights(widths, 20 + sum(widths)), activation=activation)
    return walked(net, where.domain)


@pytest.fixture(scope="module")
def regions(part: ps.Partition) -> list[ps.Region]:
    """All regions, kept, so that their facets are worked out once."""
    return list(part)


def units_of(facet: Any) -> set[int]:
    """Units whose knots lie on a facet."""
    return {source.index for source in facet.sources if source.kind == "unit"}


def interior_facets(region: ps.Region) -> list[Any]:
    return [facet for facet in region.facets if facet.across is not None]


def test_each_facet_is_shared_by_exactly_two_regions_or_lies_on_the_boundary(
    part: ps.Partition, regions: list[ps.Region]
) -> None:
    codes, edges = code_set(part), edge_set(part)
    shared = 0
    for region in regions:
        code = tuple(region.code.tolist())
        across = [tuple(facet.across.tolist()) for facet in interior_facets(region)]
        assert len(set(across)) == len(across) == len(region.neighbours)
        assert set(across) == {tuple(part.code(j).tolist()) for j in region.neighbours}
        assert set(across) <= codes
        assert {frozenset((code, other)) for other in across} <= edges
        for facet in region.facets:
            on_boundary = any(source.kind == "domain" for source in facet.sources)
            assert on_boundary == (facet.across is None)
        shared += len(across)
    assert shared == 2 * part.n_adjacencies


def test_neighbours_agree_on_their_facet(part: ps.Partition, regions: list[ps.Region]) -> None:
    for i, region in enumerate(regions):
        for facet in interior_facets(region):
            j = part.index_of(facet.across)
            if j < i:
                continue
            back = [f for f in regions[j].facets if f.across is not None and part.index_of(f.across) == i]
            assert len(back) == 1
            np.testing.assert_allclose(facet.normal, -back[0].normal, atol=1e-9)
            assert facet.offset == pytest.approx(-back[0].offset, rel=1e-9, abs=1e-9)
            flipped = set(np.flatnonzero(part.code(i) != part.code(j)).tolist())
            assert flipped
            assert flipped <= units_of(facet) | units_of(back[0])


def test_edges_name_the_lowest_knot_of_their_facet(part: ps.Partition, regions: list[ps.Region]) -> None:
    for (i, j), source in zip(part.edges.tolist(), part.edge_sources.tolist(), strict=True):
        facet = next(f for f in interior_facets(regions[i]) if part.index_of(f.across) == j)
        knots = [(s.index, s.knot) for s in facet.sources if s.kind == "unit"]
        assert part.knot(source) == min(knots) == knots[0]


def test_h_representations_are_the_facets_with_unit_rows(regions: list[ps.Region]) -> None:
    for region in regions:
        rows, offsets = region.hrep
        assert len(rows) == len(region.facets)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=1e-12)
        for row, offset, facet in zip(rows, offsets, region.facets, strict=True):
            assert facet.normal.tolist() == row.tolist()
            assert facet.offset == offset
            # A relative interior point of a facet is on this row and strictly inside all others.
            room = offsets - rows @ facet.point
            scale = 1e-9 * (1.0 + np.abs(facet.point).max())
            assert abs(offset - row @ facet.point) <= scale
            assert (room >= -scale).all()
        assert (rows @ region.witness <= offsets).all()


def test_the_map_is_continuous_and_changes_by_rank_one_across_a_facet(
    part: ps.Partition, regions: list[ps.Region]
) -> None:
    for i, region in enumerate(regions):
        for facet in interior_facets(region):
            other = regions[part.index_of(facet.across)]
            here, there = region.A @ facet.point + region.b, other.A @ facet.point + other.b
            np.testing.assert_allclose(here, there, atol=1e-9 * (1.0 + np.abs(here).max()), err_msg=str(i))
            jump = np.linalg.svd(other.A - region.A, compute_uv=False)
            assert (jump[1:] <= 1e-9 * (1.0 + np.abs(region.A).max())).all()


def test_the_network_is_its_affine_map_on_every_region(part: ps.Partition, regions: list[ps.Region]) -> None:
    for region in regions:
        np.testing.assert_allclose(
            part.net(region.witness), region.A @ region.witness + region.b, rtol=1e-9, atol=1e-9
        )
        slope, offset = part.net.affine(region.code)
        assert slope.tolist() == region.A.tolist()
        assert offset.tolist() == region.b.tolist()


def random_points(part: ps.Partition, count: int) -> FloatArray:
    low, high = part.domain.bounds()
    low, high = np.maximum(low, -4.0), np.minimum(high, 4.0)
    points = np.random.default_rng(0).uniform(low, high, size=(count, len(low)))
    return points[part.domain.contains(points)]


def test_random_points_lie_in_the_region_of_their_code(part: ps.Partition) -> None:
    points = random_points(part, 300)
    assert len(points) > 2
    found = np.asarray(part.locate(points))
    assert (found >= 0).all()
    assert (part.codes[found] == part.net.code(points)).all()
    for point, index in zip(points, found, strict=True):
        region = part[int(index)]
        assert region.contains(point)
        np.testing.assert_allclose(part.net(point), region.A @ point + region.b, rtol=1e-9, atol=1e-9)


def test_witnesses_are_located_in_their_own_region(part: ps.Partition) -> None:
    assert part.witness_exact.all()
    assert np.array_equal(part.locate(part.witnesses), np.arange(len(part)))
    assert (part.net.code(part.witnesses) == part.codes).all()
    for i in range(len(part)):
        assert part.locate(part.witnesses[i]) == i
        assert part.index_of(part.code(i)) == i


def test_points_outside_the_domain_are_located_nowhere(part: ps.Partition) -> None:
    if part.domain.bounded:
        _, high = part.domain.bounds()
        assert np.asarray(part.locate(high[None] + 1.0)).tolist() == [-1]
        with pytest.raises(DomainError, match="outside the domain"):
            part.locate(high + 1.0)


def test_volumes_sum_to_the_domains(part: ps.Partition, regions: list[ps.Region]) -> None:
    if part.domain.bounded:
        total = sum(region.volume() for region in regions)
        whole = walked(
            ps.Network.from_layers([np.zeros((1, part.net.latent_dim))], [np.zeros(1)]), part.domain
        )
        assert len(whole) == 1
        assert total == pytest.approx(whole[0].volume(), rel=1e-9)
        if isinstance(part.domain, ps.Box):
            assert total == pytest.approx(2.0**part.net.latent_dim, rel=1e-9)
    else:
        volumes = np.array([region.volume() for region in regions])
        assert (np.isinf(volumes) == [not region.bounded for region in regions]).all()


def test_vertices_are_corners_of_their_region(part: ps.Partition, regions: list[ps.Region]) -> None:
    for region in regions[:40]:
        rows, offsets = region.hrep
        for vertex in region.vertices():
            room = offsets - rows @ vertex
            scale = 1e-8 * (1.0 + np.abs(vertex).max())
            assert (room >= -scale).all()
            assert np.linalg.matrix_rank(rows[np.abs(room) <= scale]) == part.net.latent_dim


def test_the_mean_degree_is_at_most_twice_the_dimension(part: ps.Partition) -> None:
    assert 2 * part.n_adjacencies <= 2 * part.net.latent_dim * len(part)


def test_the_graph_is_connected_and_is_the_edges(part: ps.Partition) -> None:
    import networkx

    graph = part.graph()
    assert networkx.is_connected(graph)
    assert {frozenset(edge) for edge in graph.edges} == {frozenset(edge) for edge in part.edges.tolist()}
    assert sorted(graph.nodes) == list(range(len(part)))


def test_two_workers_give_the_same_arrays(part: ps.Partition) -> None:
    assert_identical(part, walked(part.net, part.domain, workers=2))


def test_the_same_walk_twice_gives_the_same_arrays(part: ps.Partition) -> None:
    assert_identical(part, walked(part.net, part.domain))


@pytest.mark.parametrize("index", [-1, 3, 7])
def test_another_start_region_leaves_the_graph_the_same(part: ps.Partition, index: int) -> None:
    start = part.witnesses[index if index < len(part) else -1]
    other = walked(part.net, part.domain, start=start)
    assert code_set(other) == code_set(part)
    assert edge_set(other) == edge_set(part)
    assert part.locate(start) == part.index_of(other.code(0))


def walk(weights: Weights, where: Where, activation: str = "relu") -> ps.Partition:
    return walked(ps.Network.from_layers(*weights, activation=activation), where.domain)


def reordered(codes: set[Code], order: Sequence[int]) -> set[Code]:
    return {tuple(code[k] for k in order) for code in codes}


def renamed_edges(edges: set[frozenset[Code]], order: Sequence[int]) -> set[frozenset[Code]]:
    return {frozenset(reordered(set(edge), order)) for edge in edges}


@pytest.mark.parametrize("where", [cube(2), whole_space(2)], ids=["box", "whole_space"])
@pytest.mark.parametrize("seed", range(3))
def test_permuting_units_permutes_the_codes_only(where: Where, seed: int) -> None:
    weights, biases = integer_weights([2, 6, 5, 1], seed, -3, 3)
    before = walk((weights, biases), where)
    generator = np.random.default_rng(seed)
    first, second = generator.permutation(6), generator.permutation(5)
    mixed = [weights[0][first], weights[1][np.ix_(second, first)], weights[2][:, second]]
    after = walk((mixed, [biases[0][first], biases[1][second], biases[2]]), where)
    order = [*first.tolist(), *(6 + second).tolist()]
    assert code_set(after) == reordered(code_set(before), order)
    assert edge_set(after) == renamed_edges(edge_set(before), order)


@pytest.mark.parametrize("where", [cube(3), whole_space(3)], ids=["box", "whole_space"])
@pytest.mark.parametrize(("seed", "spread"), [(0, 3), (1, 20), (2, 60)])
def test_rescaling_relu_units_by_powers_of_two_changes_nothing(where: Where, seed: int, spread: int) -> None:
    weights, biases = random_weights([3, 6, 5, 1], seed)
    before = walk((weights, biases), where)
    generator = np.random.default_rng(seed)
    first, second = (2.0 ** generator.integers(-spread, spread + 1, size=n) for n in (6, 5))
    scaled = [
        weights[0] * first[:, None],
        weights[1] * second[:, None] / first,
        weights[2] / second,
    ]
    after = walk((scaled, [biases[0] * first, biases[1] * second, biases[2]]), where)
    assert code_set(after) == code_set(before)
    assert edge_set(after) == edge_set(before)
    assert after.n_affine_regions == before.n_affine_regions


SHEARS: list[list[list[float]]] = [
    [[1, 5], [0, 1]],
    [[2, 1], [1, 1]],
    [[0, -1], [1, 0]],
    [[1, 0, 0], [-7, 1, 0], [3, 2, 1]],
]


@pytest.mark.parametrize("shear", SHEARS, ids=["shear", "cat", "turn", "lower"])
@pytest.mark.parametrize("kind", ["polytope", "whole_space"])
def test_unimodular_latent_maps_leave_the_graph_the_same(shear: list[list[float]], kind: str) -> None:
    matrix = np.array(shear, dtype=np.float64)
    dimension = len(matrix)
    weights, biases = random_weights([dimension, 6, 5, 1], 9)
    # Few enough bits that the product with the integer matrix is exact.
    weights[0] = np.round(weights[0] * 2**20) / 2**20
    where, mapped = whole_space(dimension), whole_space(dimension)
    if kind == "polytope":
        eye = np.eye(dimension)
        rows, offsets = np.vstack([-eye, eye]), np.ones(2 * dimension)
        where, mapped = polytope((rows, offsets)), polytope((rows @ matrix, offsets))
    before = walk((weights, biases), where)
    after = walk(([weights[0] @ matrix, *weights[1:]], biases), mapped)
    assert code_set(after) == code_set(before)
    assert edge_set(after) == edge_set(before)


@pytest.mark.parametrize("seed", range(3))
def test_a_box_and_the_same_polytope_have_the_same_partition(seed: int) -> None:
    where = cube(2)
    assert where.rows is not None
    weights = random_weights([2, 7, 6, 1], seed)
    box, other = walk(weights, where), walk(weights, polytope(where.rows))
    assert code_set(box) == code_set(other)
    assert edge_set(box) == edge_set(other)


@pytest.mark.parametrize("seed", range(3))
def test_a_box_has_some_of_the_regions_of_the_whole_space(seed: int) -> None:
    weights = random_weights([3, 5, 4, 1], seed)
    inner, outer = walk(weights, cube(3)), walk(weights, whole_space(3))
    assert code_set(inner) < code_set(outer)
    assert edge_set(inner) < edge_set(outer)
    wide = walk(weights, cube(3, 1e9))
    assert code_set(wide) == code_set(outer)
    assert edge_set(wide) == edge_set(outer)


def test_codes_are_small_integers_in_layer_order() -> None:
    net = ps.Network.from_layers(*random_weights([2, 3, 2, 1], 1))
    part = walked(net, ps.Box(-1, 1, dim=2))
    assert part.codes.dtype == np.int8
    for i in range(len(part)):
        assert part.net.code(part.witnesses[i]).tolist() == part.code(i).tolist()
        assert part[i].index == i
    assert part[-1].index == len(part) - 1
    with pytest.raises(IndexError):
        part[len(part)]


def test_the_first_region_holds_the_start() -> None:
    net = ps.Network.from_layers(*random_weights([2, 9, 9, 1], 1))
    for start in np.random.default_rng(0).uniform(-1, 1, size=(5, 2)):
        part = walked(net, ps.Box(-1, 1, dim=2), start=start)
        assert part.locate(start) == 0


def test_the_order_is_breadth_first() -> None:
    import networkx

    net = ps.Network.from_layers(*random_weights([2, 12, 12, 1], 2))
    part = walked(net, ps.Box(-1, 1, dim=2))
    depth = networkx.single_source_shortest_path_length(part.graph(), 0)
    depths = [depth[i] for i in range(len(part))]
    assert depths == sorted(depths)
