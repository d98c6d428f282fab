"""Known counts of regions and adjacencies, in the whole space and of compositions of the tent map."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

import polyspline as ps
from tests.agreement.support import assert_well_formed, problem, walked
from tests.arrangements import Arrangement, generic_arrangement, named_arrangements
from tests.oracle.cases import tent_weights

SIZES = [(1, 1), (1, 9), (2, 2), (2, 20), (3, 3), (3, 12), (4, 10), (5, 9), (6, 8)]
ARRANGEMENTS = named_arrangements() + [generic_arrangement(dimension, m) for dimension, m in SIZES]


def walk(arrangement: Arrangement, activation: str) -> ps.Partition:
    m = len(arrangement.offsets)
    weights = [arrangement.normals, np.ones((1, m))]
    given = problem((weights, [-arrangement.offsets, np.zeros(1)]), activation)
    return walked(given.net, ps.WholeSpace(arrangement.normals.shape[1]))


def assert_known(partition: ps.Partition, arrangement: Arrangement) -> None:
    assert partition.complete
    assert_well_formed(partition)
    assert (len(partition), partition.n_adjacencies) == (arrangement.regions, arrangement.adjacencies)


@pytest.mark.parametrize("arrangement", ARRANGEMENTS, ids=lambda arrangement: arrangement.name)
def test_arrangements_have_their_known_counts(arrangement: Arrangement) -> None:
    assert_known(walk(arrangement, "relu"), arrangement)


@pytest.mark.parametrize("activation", ["leaky_relu:0.1", "abs"])
@pytest.mark.parametrize(
    "arrangement",
    [entry for entry in ARRANGEMENTS if entry.regions < 150],
    ids=lambda arrangement: arrangement.name,
)
def test_the_counts_do_not_depend_on_the_activation(arrangement: Arrangement, activation: str) -> None:
    assert_known(walk(arrangement, activation), arrangement)


@pytest.mark.parametrize(("dimension", "m"), [size for size in SIZES if size[0] < 5])
def test_generic_arrangements_have_their_bounded_regions(dimension: int, m: int) -> None:
    partition = walk(generic_arrangement(dimension, m), "relu")
    assert sum(region.bounded for region in partition) == comb(m - 1, dimension)


def test_the_resonance_arrangement_of_five_has_its_known_counts() -> None:
    # 11,292 chambers: generalized retarded functions, OEIS A034997. The adjacencies are the oracle's count.
    normals = np.array([[i >> k & 1 for k in range(5)] for i in range(1, 32)], dtype=np.float64)
    net = ps.Network.from_layers([normals, np.ones((1, 31))], [np.zeros(31), np.zeros(1)])
    partition = walked(net, ps.WholeSpace(5))
    assert (len(partition), partition.n_adjacencies) == (11292, 30540)
    assert_well_formed(partition)


@pytest.mark.parametrize(("depth", "dimension"), [(1, 1), (5, 1), (9, 1), (4, 2), (2, 3), (2, 4)])
def test_tent_maps_have_their_known_pieces(depth: int, dimension: int) -> None:
    net = ps.Network.from_layers(*tent_weights(depth, dimension))
    partition = walked(net, ps.Box(0, 1, dim=dimension))
    side = 2**depth
    assert len(partition) == partition.n_affine_regions == side**dimension
    assert partition.n_adjacencies == dimension * (side - 1) * side ** (dimension - 1)
