"""Laws of the preimages: they map to x, none is missing, and each region has its own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from polyspline.domains import Box, WholeSpace
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, NonFiniteError, ShapeError
from polyspline.inversion.preimages import preimages
from polyspline.network import Network
from polyspline.partition import Partition
from tests.oracle.cases import random_weights

Floats = npt.NDArray[np.float64]


def folded(slope: str = "leaky_relu:0.25") -> Network:
    """lrelu(z) + lrelu(-z): a V."""
    return Network.from_layers([[[1.0], [-1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]], slope)


def random_part(seed: int, widths: list[int], activation: str = "leaky_relu:0.25") -> Partition:
    net = Network.from_layers(*random_weights(widths, seed), activation)
    return enumerate_regions(net, Box(-1.5, 1.5, dim=widths[0]))


def solved(part: Partition, x: Floats) -> dict[int, Floats]:
    """Preimages by solving each region's square system; for S = D and x off all faces."""
    found: dict[int, Floats] = {}
    for region in part:
        z: Floats = np.asarray(np.linalg.solve(region.A, x - region.b), dtype=np.float64)
        if region.contains(z):
            found[region.index] = z
    return found


@pytest.mark.parametrize("seed", range(4))
def test_no_preimage_is_missing(seed: int) -> None:
    part = random_part(seed, [2, 6, 4, 2])
    folds = 0
    for z in np.random.default_rng(seed).uniform(-1.5, 1.5, size=(25, 2)):
        x = part.net(z)
        expected = solved(part, x)
        found = preimages(part.net, x, part)
        assert [one.region for one in found] == sorted(expected)
        for one in found:
            np.testing.assert_allclose(one.z, expected[one.region], atol=1e-9)
            assert one.unique
            assert one.distance <= 1e-13
        folds += len(found) > 1
        assert any(np.allclose(one.z, z, atol=1e-9) for one in found)
    assert folds or seed


def test_into_more_dimensions_the_point_is_found_again() -> None:
    part = random_part(5, [3, 6, 5])
    for z in np.random.default_rng(0).uniform(-1.5, 1.5, size=(10, 3)):
        found = preimages(part.net, part.net(z), part)
        assert [one.region for one in found] == [part.locate(z)]
        np.testing.assert_allclose(found[0].z, z, atol=1e-9)


def test_a_fold_has_a_preimage_on_each_side() -> None:
    net = folded()
    part = enumerate_regions(net, Box(-1, 1, dim=1))
    assert sorted(one.z[0] for one in preimages(net, [0.375], part)) == pytest.approx([-0.5, 0.5])
    assert preimages(net, [-0.1], part) == []
    assert preimages(net, [0.76], part) == []


def test_a_shared_point_is_there_once_for_each_closed_region() -> None:
    net = Network.from_layers([[[1.0, 0.0], [0.0, 1.0]], np.eye(2)], [[0.0, 0.0], [0.0, 0.0]], "leaky_relu")
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    for z, count in (([0.0, 0.0], 4), ([0.5, 0.0], 2), ([0.0, -0.5], 2), ([0.5, 0.5], 1)):
        found = preimages(net, net(z), part)
        assert [one.region for one in found] == [r.index for r in part if r.contains(np.array(z))]
        assert len(found) == count
        for one in found:
            np.testing.assert_allclose(one.z, z, atol=1e-12)


def test_a_vertex_of_a_generic_partition_is_in_every_region_around_it() -> None:
    part = random_part(3, [2, 5, 3])
    for region in list(part)[:6]:
        for vertex in region.vertices():
            around = {
                other.index
                for other in part
                if np.min(np.linalg.norm(other.vertices() - vertex, axis=1)) < 1e-12
            }
            found = {one.region for one in preimages(part.net, part.net(vertex), part)}
            assert around <= found


def test_the_dimension_is_that_of_the_whole_set() -> None:
    net = Network.from_layers([[[1.0, 1.0]], [[1.0]]], [[0.0], [1.0]])
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    flat = part.locate([-0.5, -0.4])
    steep = part.locate([0.5, 0.4])
    assert [(one.region, one.dimension) for one in preimages(net, [2.0], part)] == [(steep, 1)]
    # The corner of the box alone has the largest value.
    assert [(one.region, one.dimension) for one in preimages(net, [3.0], part)] == [(steep, 0)]
    assert {one.region: one.dimension for one in preimages(net, [1.0], part)} == {flat: 2, steep: 1}


def test_the_dimension_counts_faces_of_the_region() -> None:
    net = Network.from_layers([[[1.0, 0.0, 0.0]]], [[0.0]], ["identity"])
    part = enumerate_regions(net, Box(-1, 1, dim=3))
    assert [one.dimension for one in preimages(net, [1.0], part)] == [2]
    tilted = Network.from_layers([[[1.0, 1.0, 0.0]]], [[0.0]], ["identity"])
    part = enumerate_regions(tilted, Box(-1, 1, dim=3))
    assert [one.dimension for one in preimages(tilted, [2.0], part)] == [1]
    assert [one.dimension for one in preimages(tilted, [0.5], part)] == [2]


def test_a_constant_network_has_the_whole_domain() -> None:
    net = Network.from_layers([np.zeros((2, 2)), np.ones((2, 2))], [[0.0, 0.0], [1.0, 2.0]])
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    assert [one.dimension for one in preimages(net, [1.0, 2.0], part)] == [2]
    assert preimages(net, [1.0, 2.1], part) == []


def test_the_whole_space_has_no_preimage_less() -> None:
    net = folded()
    part = enumerate_regions(net, WholeSpace(1))
    found = preimages(net, [75.0], part)
    assert sorted(one.z[0] for one in found) == pytest.approx([-100.0, 100.0])


def test_the_tolerance_is_a_distance() -> None:
    part = random_part(2, [2, 5, 3])
    z = np.array([0.3, -0.2])
    slope = part[int(part.locate(z))].A
    normal = np.linalg.svd(slope)[0][:, 2]
    x = part.net(z) + 1e-4 * normal
    assert preimages(part.net, x, part, tol=0.99e-4) == []
    found = preimages(part.net, x, part, tol=1.01e-4)
    assert [one.region for one in found] == [part.locate(z)]
    assert found[0].distance == pytest.approx(1e-4, rel=1e-6)


def test_a_partial_partition_has_the_preimages_of_its_regions() -> None:
    whole = random_part(1, [2, 6, 4, 2])
    part = enumerate_regions(whole.net, whole.domain, max_regions=5)
    z = whole.witnesses[2]
    x = whole.net(z)
    found = [one.region for one in preimages(part.net, x, part)]
    assert found == [one.region for one in preimages(whole.net, x, whole) if one.region < 5]
    assert 2 in found


def test_bad_input_is_refused() -> None:
    net = folded()
    part = enumerate_regions(net, Box(-1, 1, dim=1))
    with pytest.raises(ShapeError, match="expected 1"):
        preimages(net, [1.0, 2.0], part)
    with pytest.raises(NonFiniteError):
        preimages(net, [np.nan], part)
    with pytest.raises(ArgumentError, match="another network"):
        preimages(folded("relu"), [1.0], part)
    with pytest.raises(ArgumentError, match="tol"):
        preimages(net, [1.0], part, tol=-1.0)
