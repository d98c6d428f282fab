"""Laws of the local search: never worse, inside the domain, and no neighbour across a facet is nearer."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from polyspline.domains import Box, Domain, Polytope
from polyspline.enumeration import enumerate_regions
from polyspline.inversion.local import improve
from polyspline.inversion.norms import Norm
from polyspline.inversion.problem import InversionProblem, make_problem
from polyspline.network import Network
from polyspline.network.zoo import random_network
from polyspline.partition import Partition
from polyspline.regions.region import Region
from solvers.qp.regression import fit_over_polyhedron

Floats = npt.NDArray[np.float64]

ACTIVATIONS = ["relu", "leaky_relu:0.1", "hardtanh", "abs", "prelu:-0.5", "softshrink:0.3"]
HALF = Polytope([[1.0, 1.0], [-1.0, 0.0], [0.0, -1.0]], [1.0, 1.5, 1.5])


@cache
def partitioned(name: str, activation: str, domain: Domain) -> Partition:
    return enumerate_regions(NETWORKS[name](activation), domain)


def deep(activation: str) -> Network:
    return random_network([2, 6, 5, 4], activation, seed=1)


def with_units_at_the_end(activation: str) -> Network:
    return random_network([2, 6, 4], [activation, activation], seed=2)


def with_affine_layers(activation: str) -> Network:
    return random_network(
        [2, 3, 6, 2, 5, 4], ["identity", activation, "identity", activation, "identity"], seed=3
    )


def degenerate(activation: str) -> Network:
    """Zero biases, one unit twice, one negated, one dead: many knots meet."""
    plain = random_network([2, 6, 5, 4], activation, seed=4)
    weights = [layer.weight.copy() for layer in plain.layers]
    weights[0][1], weights[0][2], weights[0][3] = weights[0][0], -weights[0][0], 0.0
    return Network.from_layers(weights, [None] * 3, activation)


NETWORKS = {"deep": deep, "units": with_units_at_the_end, "affine": with_affine_layers, "zoo": degenerate}


def problem_of(part: Partition, norm: str, seed: int, noise: float = 0.3) -> tuple[InversionProblem, Floats]:
    """Problem with a target about the image of a point, and that point."""
    rng = np.random.default_rng(seed)
    lo, hi = part.domain.bounds()
    while not part.domain.contains(z := rng.uniform(lo, hi)):
        pass
    x = part.net(z)
    return make_problem(part.net, x + noise * rng.normal(size=len(x)), part.domain, norm), z


def starts(domain: Domain, count: int) -> Floats:
    lo, hi = domain.bounds()
    return np.random.default_rng(count).uniform(lo, hi, (count, domain.dim))


def optimum_of(region: Region, problem: InversionProblem) -> float:
    """Least distance over one closed region, from its exact facets."""
    G, h = region.hrep
    lo, hi = region.domain.bounds()
    return fit_over_polyhedron(region.A, region.b - problem.target, G, h, lo, hi, problem.norm.order).value


def regions_around(part: Partition, z: Floats) -> list[Region]:
    """Regions that hold z, up to rounding, and those across their facets through z."""
    angles = np.linspace(0.0, 2.0 * np.pi, 24)
    near = z + 1e-8 * np.column_stack([np.cos(angles), np.sin(angles)])
    indices = set(np.asarray(part.locate(np.array([z, *near]))).tolist()) - {-1}
    for index in tuple(indices):
        region = region_of(part, index)
        for facet, across in zip(region.facets, region.facet_neighbours, strict=True):
            if across is not None and abs(facet.normal @ z - facet.offset) < 1e-7:
                indices.add(across)
    return [region_of(part, index) for index in sorted(indices)]


@cache
def region_of(part: Partition, index: int) -> Region:
    return part[index]


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", NETWORKS)
def test_no_region_that_holds_the_end_or_touches_it_by_a_facet_is_nearer(
    name: str, activation: str, norm: str
) -> None:
    part = partitioned(name, activation, Box(-2, 2, dim=2))
    problem, _ = problem_of(part, norm, seed=5)
    for start in starts(part.domain, 3):
        end = improve(problem, start)
        assert problem.distance(end) <= problem.distance(start)
        for region in regions_around(part, end):
            assert problem.distance(end) <= optimum_of(region, problem) + 1e-7


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
@pytest.mark.parametrize("activation", ["relu", "abs"])
def test_it_leaves_a_point_where_many_knots_meet(activation: str, norm: str) -> None:
    part = partitioned("zoo", activation, Box(-2, 2, dim=2))
    problem, _ = problem_of(part, norm, seed=6)
    apex = np.zeros(2)
    end = improve(problem, apex)
    assert problem.distance(end) < problem.distance(apex)


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("domain", [Box([-2, -1], [2, 1.5]), HALF], ids=["box", "polytope"])
def test_the_end_is_a_point_of_the_domain_and_never_farther(
    domain: Domain, activation: str, norm: str
) -> None:
    net = deep(activation)
    rng = np.random.default_rng(7)
    for scale in (1.0, 30.0):  # far targets push the point to the boundary
        problem = make_problem(net, scale * rng.normal(size=4), domain, norm)
        for start in starts(domain, 4):
            end = improve(problem, start)
            assert domain.contains(end)
            if domain.contains(start):
                assert problem.distance(end) <= problem.distance(start)


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_target_that_the_same_region_meets_is_met_to_the_rounding(
    name: str, activation: str, norm: str
) -> None:
    part = partitioned(name, activation, Box(-2, 2, dim=2))
    problem, z = problem_of(part, norm, seed=8, noise=0.0)
    witness = part[part.locate(z)].witness
    for start in (witness, z, (z + witness) / 2):
        end = improve(problem, start)
        assert problem.gap(problem.distance(end), 0.0) <= 1e-6


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_scale_of_the_weights_does_not_hinder_it(scale: float, norm: str) -> None:
    plain = deep("leaky_relu:0.1")
    weights, biases = [layer.weight for layer in plain.layers], [layer.bias for layer in plain.layers]
    net = Network.from_layers(
        [weights[0] * scale, *weights[1:]], [b * scale for b in biases], "leaky_relu:0.1"
    )
    domain = Box(-2, 2, dim=2)
    rng = np.random.default_rng(9)
    x = plain(rng.uniform(-2, 2, 2)) + 0.3 * rng.normal(size=4)
    start = rng.uniform(-2, 2, 2)
    small, large = make_problem(plain, x, domain, norm), make_problem(net, scale * x, domain, norm)
    expected = small.distance(improve(small, start))
    assert large.distance(improve(large, start)) / scale == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_a_measured_target_is_met(norm: str) -> None:
    net = random_network([3, 10, 12], "leaky_relu:0.2", seed=10)
    rng = np.random.default_rng(10)
    matrix, offset = rng.normal(size=(5, 12)), rng.normal(size=5)
    z = rng.uniform(-1, 1, 3)
    problem = make_problem(net, matrix @ net(z) + offset, Box(-1, 1, dim=3), norm, (matrix, offset))
    end = improve(problem, z + 1e-4)
    assert problem.gap(problem.distance(end), 0.0) <= 1e-6


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_a_map_that_is_not_injective_is_no_obstacle(norm: str) -> None:
    net = Network.from_layers(
        [[[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]], [[1.0, 1.0], [1.0, -1.0]]], [None, None], "abs"
    )
    domain = Box(-1, 1, dim=3)
    problem = make_problem(net, [1.5, 0.5], domain, norm)
    best = min(optimum_of(region, problem) for region in enumerate_regions(net, domain))
    end = improve(problem, [0.1, 0.2, 0.3])
    assert problem.distance(end) == pytest.approx(best, abs=1e-7)


def test_a_constant_network_leaves_the_point_alone() -> None:
    net = Network.from_layers([np.zeros((3, 2)), np.ones((2, 3))], [np.ones(3), np.zeros(2)])
    problem = make_problem(net, [1.0, 1.0], Box(-1, 1, dim=2))
    np.testing.assert_array_equal(improve(problem, [0.5, -0.5]), [0.5, -0.5])


def test_without_time_or_moves_it_is_still_no_worse() -> None:
    part = partitioned("deep", "relu", Box(-2, 2, dim=2))
    problem, _ = problem_of(part, "l2", seed=5)
    for start in starts(part.domain, 5):
        for end in (improve(problem, start, seconds_left=0.0), improve(problem, start, max_moves=0)):
            assert problem.distance(end) <= problem.distance(start)


def test_a_start_outside_is_moved_into_the_domain() -> None:
    problem = make_problem(deep("relu"), np.ones(4), HALF)
    assert HALF.contains(improve(problem, [40.0, -70.0]))


@pytest.mark.parametrize("norm", list(Norm))
def test_the_walk_finds_the_optimum_of_a_convex_problem_from_anywhere(norm: Norm) -> None:
    """The largest of the residuals of sums of ``abs`` and of targets below them is convex in z."""
    rng = np.random.default_rng(11)
    net = Network.from_layers(
        [rng.normal(size=(8, 2)), rng.uniform(0.1, 1.0, (3, 8))], [rng.normal(size=8), None], "abs"
    )
    domain = Box(-2, 2, dim=2)
    problem = make_problem(net, -np.ones(3), domain, norm)
    best = min(optimum_of(region, problem) for region in enumerate_regions(net, domain))
    for start in starts(domain, 6):
        assert problem.distance(improve(problem, start)) == pytest.approx(best, rel=1e-7)
