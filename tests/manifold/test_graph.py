from __future__ import annotations

import itertools

import networkx
import numpy as np
import pytest

from polyspline.domains import Box, WholeSpace
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, NonFiniteError, ShapeError
from polyspline.manifold.code_distance import code_distances, edge_distances
from polyspline.manifold.decision_boundary import class_boundary, level_boundary
from polyspline.manifold.graph_figures import degrees, diameter
from polyspline.manifold.level_sets import class_level_set, sign_level_set
from polyspline.manifold.regions import sample_regions
from polyspline.network import Network, zoo
from polyspline.partition import Partition
from polyspline.split.complexes import level_set_complex

NET = zoo.random_network([2, 7, 5, 3], seed=4)
BOX = Box(-2, 2, dim=2)


def grid(layers: int, dim: int) -> Partition:
    """A regular grid of ``2 ** layers`` cells in each of some coordinates."""
    return enumerate_regions(zoo.tent_network(layers, dim), Box(0, 1, dim=dim))


def cross(dim: int) -> Network:
    """abs(z1) + abs(z2) + ..."""
    return Network.from_layers([np.eye(dim), np.ones((1, dim))], [None, None], "abs")


# ---- code distance


@pytest.mark.parametrize(("layers", "dim"), [(2, 1), (2, 2), (1, 3)])
def test_cells_of_a_grid_share_what_their_places_tell(layers: int, dim: int) -> None:
    part = grid(layers, dim)
    found = code_distances(part)
    cells = np.floor(part.witnesses * 2**layers).astype(int)
    for (i, j), hamming, dimension in zip(found.pairs, found.hamming, found.face_dimension, strict=True):
        steps = np.abs(cells[i] - cells[j])
        assert dimension == (-1 if steps.max() > 1 else dim - steps.sum())
        assert hamming == np.count_nonzero(part.codes[i] != part.codes[j])
    assert found.table().sum() == len(part) * (len(part) - 1) // 2
    assert found.table()[dim].sum() == part.n_adjacencies


@pytest.mark.parametrize("domain", [BOX, WholeSpace(2)])
def test_a_facet_is_shared_by_neighbours_and_by_no_others(domain: Box | WholeSpace) -> None:
    part = enumerate_regions(NET, domain)
    found = code_distances(part, np.array(list(itertools.combinations(range(min(len(part), 40)), 2))))
    edges = {tuple(edge) for edge in part.edges.tolist()}
    facets = {
        tuple(pair) for pair, d in zip(found.pairs.tolist(), found.face_dimension, strict=True) if d == 1
    }
    assert facets == {edge for edge in edges if max(edge) < 40}
    assert found.face_dimension.max() == 1


def test_in_general_position_the_codimension_is_the_hamming_distance() -> None:
    net = zoo.arrangement_network(np.random.default_rng(0).standard_normal((5, 3)), np.arange(5) / 9)
    found = code_distances(enumerate_regions(net, WholeSpace(3)))
    meet = found.face_dimension >= 0
    np.testing.assert_array_equal(found.hamming[meet], 3 - found.face_dimension[meet])


def test_lines_count_as_dimensions() -> None:
    net = zoo.arrangement_network([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    found = code_distances(enumerate_regions(net, WholeSpace(3)))
    assert sorted(found.face_dimension.tolist()) == [1, 1, 2, 2, 2, 2]


def test_units_that_share_a_hyperplane_change_together() -> None:
    net = zoo.arrangement_network([[1.0, 0.0], [-2.0, 0.0], [0.0, 1.0]])
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    found = edge_distances(part)
    assert sorted(found.hamming.tolist()) == [1, 1, 2, 2]
    assert (found.face_dimension == 1).all()
    np.testing.assert_array_equal(found.table()[2], [0, 2, 2])


def test_bad_pairs_are_refused() -> None:
    part = grid(1, 2)
    for pairs in ([[0, 4]], [[1, 1]], [[-1, 0]]):
        with pytest.raises(ArgumentError, match="0 to 3"):
            code_distances(part, pairs)
    with pytest.raises(ShapeError):
        code_distances(part, [[0, 1, 2]])
    with pytest.raises(ArgumentError, match="edge_distances"):
        code_distances(grid(8, 1))


# ---- degree and diameter


def test_degrees_are_those_of_the_graph() -> None:
    part = enumerate_regions(NET, BOX)
    found = degrees(part)
    expected = [degree for _, degree in sorted(part.graph().degree())]
    assert found.degrees.tolist() == expected
    assert found.mean == pytest.approx(2 * part.n_adjacencies / len(part))
    assert (found.smallest, found.largest) == (min(expected), max(expected))
    assert found.counts.sum() == len(part)
    assert found.bound == 4
    assert found.mean <= found.bound
    assert found.standard_error is None


def test_degrees_of_a_part_are_those_of_expanded_regions() -> None:
    whole = enumerate_regions(NET, BOX)
    part = enumerate_regions(NET, BOX, max_regions=20)
    assert degrees(part).degrees.tolist() == degrees(whole).degrees[: part.expanded].tolist()
    regions = sample_regions(NET, BOX, 40)
    place = [whole.index_of(code) for code in regions.codes[: regions.expanded]]
    found = degrees(regions)
    assert found.degrees.tolist() == degrees(whole).degrees[place].tolist()
    assert found.standard_error is not None
    assert np.isnan(degrees(sample_regions(NET, BOX, 4, neighbours=False)).mean)


def test_the_diameter_of_a_grid_is_known() -> None:
    found = diameter(grid(3, 2))
    assert (found.lower, found.upper, found.exact) == (14, 14, True)
    assert found.n_components == 1
    assert found.mean_distance == pytest.approx(2 * (8 * 8 - 1) / (3 * 8) * 64 / 63)
    loose = diameter(grid(3, 2), exact_up_to=0)
    assert loose.lower <= 14 <= loose.upper
    assert loose.lower == 14


def test_the_diameter_is_that_of_networkx() -> None:
    part = enumerate_regions(NET, BOX)
    graph = part.graph()
    expected = networkx.diameter(graph)
    found = diameter(part)
    assert found.lower == found.upper == expected
    assert found.mean_distance == pytest.approx(networkx.average_shortest_path_length(graph))
    for sweeps in (1, 2, 5, 200):
        rough = diameter(part, exact_up_to=0, sweeps=sweeps)
        assert rough.lower <= expected <= rough.upper
        assert rough.swept <= sweeps


def test_a_graph_in_pieces_says_so() -> None:
    found = diameter(sample_regions(NET, BOX, 10, neighbours=False))
    assert found.n_components > 1
    assert (found.lower, found.upper) == (0, 0)
    assert found.sampled
    with pytest.raises(ArgumentError, match="sweeps"):
        diameter(grid(1, 1), sweeps=0)


# ---- level sets


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_every_tent_has_a_top_of_its_own(layers: int) -> None:
    part = grid(layers, 1)
    assert sign_level_set(part, level=0.75).n_components == 2 ** (layers - 1)
    assert sign_level_set(part, level=0.75, above=False).n_components == 2 ** (layers - 1) + 1
    assert sign_level_set(part, level=1.5).n_components == 0
    assert sign_level_set(part, level=-0.5).n_components == 1


def test_a_level_set_stops_at_facets_that_it_does_not_cross() -> None:
    # abs(z1) + abs(z2) < 1 is one piece, > 1.5 on the box is four corners.
    part = enumerate_regions(cross(2), Box(-1, 1, dim=2))
    inner = sign_level_set(part, level=1.0, above=False)
    assert (inner.n_components, inner.through.sum()) == (1, 4)
    outer = sign_level_set(part, level=1.5)
    assert (outer.n_components, outer.through.sum()) == (4, 0)
    assert outer.meets.all()
    assert sign_level_set(part, level=0.5).n_components == 1


@pytest.mark.parametrize("seed", range(2))
def test_components_are_those_of_a_fine_grid(seed: int) -> None:
    net = zoo.random_network([2, 8, 6, 3], seed=seed)
    part = enumerate_regions(net, BOX)
    count = 121
    axis = np.linspace(-2, 2, count)
    z = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    classes = np.argmax(net(z), axis=1)
    owner = np.asarray(part.locate(z))
    for label in range(3):
        found = class_level_set(part, label)
        inside = classes == label
        # Points of the class lie in regions that meet it, and grid neighbours in one component.
        assert found.meets[owner[inside]].all()
        assert (found.labels[owner[inside]] >= 0).all()
        picture = np.where(inside, found.labels[owner], -1).reshape(count, count)
        for a, b in ((picture[1:], picture[:-1]), (picture[:, 1:], picture[:, :-1])):
            both = (a >= 0) & (b >= 0)
            assert (a == b)[both].mean() > 0.99 if both.any() else True
        assert found.n_components >= len(np.unique(picture[picture >= 0]))


def test_every_region_meets_the_class_of_its_witness() -> None:
    part = enumerate_regions(NET, WholeSpace(2))
    sets = [class_level_set(part, label) for label in range(3)]
    best = np.argmax(NET(part.witnesses), axis=1)
    for index, label in enumerate(best):
        assert sets[label].meets[index]
    for one in sets:
        assert (one.meets == (one.labels >= 0)).all()
        assert not (one.through & ~one.meets[part.edges].all(axis=1)).any()


def test_bad_levels_and_classes_are_refused() -> None:
    part = grid(1, 1)
    with pytest.raises(ArgumentError, match="class 0"):
        class_level_set(part, 0)
    with pytest.raises(ArgumentError, match="output 1"):
        sign_level_set(part, output=1)
    with pytest.raises(NonFiniteError):
        sign_level_set(part, level=float("nan"))


# ---- decision boundaries


def test_the_level_of_a_sum_of_sizes_is_a_cross_polytope() -> None:
    for dim, expected in ((1, 2.0), (2, 4 * np.sqrt(2.0)), (3, 4 * np.sqrt(3.0))):
        part = enumerate_regions(cross(dim), Box(-2, 2, dim=dim))
        found = level_boundary(part, level=1.0)
        assert len(found.pieces) == 2**dim
        assert found.measure == pytest.approx(expected, rel=1e-12)
        for piece in found.pieces:
            assert len(piece.points) == dim
            np.testing.assert_allclose(np.abs(piece.points).sum(axis=1), 1.0, atol=1e-13)
            assert np.asarray(
                part[piece.region].contains(0.9 * piece.points + 0.1 * part.witnesses[piece.region])
            ).all()


def test_the_plane_through_a_cube_is_a_hexagon() -> None:
    net = Network.from_layers([np.ones((1, 3))], [None], ["identity"])
    found = level_boundary(enumerate_regions(net, Box(-1, 1, dim=3)))
    assert [len(piece.points) for piece in found.pieces] == [6]
    assert found.measure == pytest.approx(3 * np.sqrt(3.0), rel=1e-12)
    sides = np.linalg.norm(found.pieces[0].points - np.roll(found.pieces[0].points, 1, axis=0), axis=1)
    np.testing.assert_allclose(sides, np.sqrt(2.0))


def test_three_classes_meet_in_rays_from_one_point() -> None:
    net = Network.from_layers([[[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]], [None], ["identity"])
    found = class_boundary(enumerate_regions(net, Box(-1, 1, dim=2)))
    pieces = {piece.classes: piece for piece in found.pieces}
    assert set(pieces) == {(0, 1), (0, 2), (1, 2)}
    for ends in ((0, 1, [1.0, 1.0]), (0, 2, [0.5, -1.0]), (1, 2, [-1.0, 0.5])):
        piece = pieces[ends[0], ends[1]]
        assert piece.measure == pytest.approx(np.linalg.norm(ends[2]))
        assert min(np.abs(piece.points).max(axis=1)) < 1e-13


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_on_a_class_boundary_two_outputs_are_equal_and_largest(dim: int) -> None:
    net = zoo.random_network([dim, 6, 5, 4], seed=2)
    part = enumerate_regions(net, Box(-2, 2, dim=dim))
    found = class_boundary(part)
    assert found.pieces
    for piece in found.pieces:
        values = net(piece.points)
        assert piece.classes is not None
        top = values.max(axis=1)
        for label in piece.classes:
            np.testing.assert_allclose(values[:, label], top, atol=1e-9)


def test_a_line_crosses_the_boundary_where_the_class_changes() -> None:
    net = zoo.random_network([2, 8, 6, 3], seed=5)
    found = class_boundary(enumerate_regions(net, BOX))
    segments = np.array([piece.points for piece in found.pieces])
    rng = np.random.default_rng(0)
    for _ in range(40):
        y = rng.uniform(-2, 2)
        low, high = segments[:, :, 1].min(axis=1), segments[:, :, 1].max(axis=1)
        crossed = np.count_nonzero((low < y) & (y < high))
        line = np.column_stack([np.linspace(-2, 2, 4001), np.full(4001, y)])
        changes = np.count_nonzero(np.diff(np.argmax(net(line), axis=1)))
        assert crossed >= changes
        # A step of the line may cross two borders at a corner of three classes.
        assert crossed - changes <= 2


def test_a_region_where_two_classes_are_even_has_no_piece() -> None:
    net = Network.from_layers([[[1.0]], [[1.0], [2.0]]], [None, None])
    part = enumerate_regions(net, Box(-1, 1, dim=1))
    found = class_boundary(part)
    assert found.flat == (int(part.locate([-0.5])),)
    flat = level_boundary(part)
    assert flat.flat == found.flat


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("activation", ["leaky_relu:0.5", "abs", "leaky_relu:-0.25"])
def test_a_boundary_along_a_facet_is_counted_once(dim: int, activation: str) -> None:
    net = Network.from_layers([np.eye(dim)[:1], [[1.0]]], [None, None], [activation, "identity"])
    part = enumerate_regions(net, Box(-1, 1, dim=dim))
    found = level_boundary(part)
    assert found.measure == 2.0 ** (dim - 1)
    assert [piece.region for piece in found.pieces] == [0]


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_a_border_of_many_classes_is_counted_once(dim: int) -> None:
    # Four classes are equal where z1 = 0, which is a facet with the first activation and cut by none
    # with the second; the last two classes are equal everywhere.
    for activation in ("leaky_relu:0.5", "identity"):
        scores = [[1.0], [-1.0], [0.0], [0.0]]
        net = Network.from_layers([np.eye(dim)[:1], scores], [None, None], [activation, "identity"])
        found = class_boundary(enumerate_regions(net, Box(-1, 1, dim=dim)))
        assert found.measure == 2.0 ** (dim - 1)
        assert [piece.classes for piece in found.pieces] == [(0, 1)]


def test_a_border_beside_a_region_where_two_classes_are_even_is_there_once() -> None:
    # Left of 0 classes 0 and 1 are equal and class 2 is lower; right of it class 0 is largest.
    net = Network.from_layers([[[1.0, 0.0]], [[2.0], [1.0], [-1.0]]], [None, None], ["relu", "identity"])
    found = class_boundary(enumerate_regions(net, Box(-1, 1, dim=2)))
    assert found.measure == 2.0


@pytest.mark.parametrize("weights", [[0.0, 0.0, 1.0], [1.0, -1.0, 1.0], [1.0, 1.0, -1.0], [1.0, 0.0, 0.0]])
def test_a_level_set_has_the_length_of_its_complex(weights: list[float]) -> None:
    # Level sets along facets, across them, and both: the complex lists each face once.
    rows = [[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]]
    net = Network.from_layers([rows, [weights]], [None, None], ["leaky_relu:0.5", "identity"])
    part = enumerate_regions(net, BOX)
    for level in (0.0, 0.5):
        whole = level_set_complex(net, BOX, [1.0], level)
        ends = whole.vertices[np.array(whole.faces[1])]
        length = float(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).sum())
        assert level_boundary(part, level=level).measure == pytest.approx(length)


def test_boundaries_that_cannot_be_drawn_are_refused() -> None:
    with pytest.raises(ArgumentError, match="bounded"):
        level_boundary(enumerate_regions(cross(1), WholeSpace(1)))
    with pytest.raises(ArgumentError, match=r"net\.restrict"):
        class_boundary(sample_regions(zoo.random_network([4, 3, 2]), Box(-1, 1, dim=4), 3))
    with pytest.raises(ArgumentError, match="level_boundary"):
        class_boundary(grid(1, 1))
