"""Small partitions that the pictures are drawn of."""

from __future__ import annotations

import pytest

from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.network import zoo
from polyspline.partition import Partition


@pytest.fixture(scope="session")
def line() -> Partition:
    """Make two outputs on a line."""
    return enumerate_regions(zoo.random_network([1, 8, 8, 2], seed=5), Box(-2.0, 3.0, dim=1))


@pytest.fixture(scope="session")
def plane() -> Partition:
    """Make a surface in space."""
    return enumerate_regions(zoo.random_network([2, 8, 6, 3], seed=5), Box(-1.0, 1.0, dim=2))


@pytest.fixture(scope="session")
def partial_plane() -> Partition:
    """Make a part of the same."""
    net = zoo.random_network([2, 8, 6, 3], seed=5)
    return enumerate_regions(net, Box(-1.0, 1.0, dim=2), max_regions=9)


@pytest.fixture(scope="session")
def cube() -> Partition:
    """Make regions of space."""
    return enumerate_regions(zoo.random_network([3, 6, 4, 3], seed=2), Box(-1.0, 1.0, dim=3))
