"""Laws of inversion with max groups: one function however it is written, and one optimum by all methods."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.sparse import csr_array

from polyspline.domains import Box, Domain, Polytope
from polyspline.enumeration import enumerate_regions
from polyspline.inversion import (
    BoundSource,
    InjectivityVerdict,
    Inversion,
    InversionStatus,
    injectivity,
    invert,
    preimages,
)
from polyspline.inversion.bounds import preactivation_bounds
from polyspline.inversion.comparisons import scalar_layers
from polyspline.inversion.local import improve
from polyspline.inversion.milp_model import InversionProgram
from polyspline.inversion.norms import norm_of
from polyspline.inversion.problem import make_problem
from polyspline.network import Network
from polyspline.partition import Partition
from tests.inversion.support import exact_image, grid, maxout

Floats = npt.NDArray[np.float64]

NORMS = ("l2", "l1", "linf")
TRIANGLE = Polytope([[-1.0, 0.2], [0.3, -1.0], [1.0, 1.0]], [1.0, 0.9, 0.8])


def one(net: Network, x: npt.ArrayLike, domain: Domain, norm: str, method: str, **options: Any) -> Inversion:
    found = invert(net, x, domain, norm=norm, method=method, **options)
    assert isinstance(found, Inversion)
    return found


# ---- the layers written out


def mixed(seed: int, *, sparse: bool = False) -> Network:
    """Groups of several sizes, scalar units and identities in one layer, and groups in the last one."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(13, 2)), rng.normal(size=(7, 6)), rng.normal(size=(6, 3))]
    weights[1][rng.random((7, 6)) < 0.5] = 0.0
    biases = [rng.normal(size=len(weight)) for weight in weights]
    middle = csr_array(weights[1]) if sparse else weights[1]
    activations = ["max:3|relu|max:2|identity|max:5|leaky_relu:0.1", "max:2|max:4|hardtanh", "max:3"]
    return Network.from_layers([weights[0], middle, weights[2]], biases, activations)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_layers_written_out_are_the_same_function_exactly(seed: int, sparse: bool) -> None:
    net = mixed(seed, sparse=sparse)
    plain = Network(scalar_layers(net.layers))
    assert not any(layer.has_groups for layer in plain.layers)
    rng = np.random.default_rng(seed)
    for z in rng.normal(size=(5, 2)):
        assert exact_image(plain, z) == exact_image(net, z)
    points = rng.normal(size=(50, 2))
    np.testing.assert_allclose(plain(points), net(points), rtol=1e-12, atol=1e-12)


def test_ties_of_members_are_no_exception() -> None:
    rows = np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    net = Network.from_layers([rows, [[1.0]]], [np.zeros(5), [0.0]], ["max:5", "identity"])
    plain = Network(scalar_layers(net.layers))
    for z in grid(-1, 1, 2, 5):
        assert exact_image(plain, z) == exact_image(net, z) == (Fraction(max(abs(z[0]), z[1])),)


def test_layers_without_groups_stay_the_layers_that_they_are() -> None:
    net = Network.from_layers([np.eye(2), np.eye(2)], [None, None])
    assert scalar_layers(net.layers) is net.layers
    groups = maxout([2, 3, 2], [2, 1], 0)
    assert scalar_layers(groups.layers) is scalar_layers(groups.layers)


# ---- one optimum


CASES: dict[str, tuple[list[int], list[int], str, Domain]] = {
    "interval": ([1, 4, 3, 2], [2, 3, 1], "identity", Box(-2, 2, dim=1)),
    "plane": ([2, 4, 3, 3], [3, 2, 1], "identity", Box(-1, 1, dim=2)),
    "triangle": ([2, 5, 4, 3], [2, 1, 1], "leaky_relu:0.1", TRIANGLE),
    "groups at the end": ([2, 3, 3], [4, 2], "identity", Box(-1.5, 1, dim=2)),
    "space": ([3, 4, 3, 4], [2, 2, 1], "identity", Box(-1, 1, dim=3)),
}


@cache
def partition_of(case: str) -> Partition:
    widths, members, scalar, domain = CASES[case]
    if case == "triangle":
        return enumerate_regions(maxout(widths, members, 1, scalar), domain)
    return enumerate_regions(maxout(widths, members, 1), domain)


def target(net: Network, domain: Domain, seed: int, noise: float = 0.4) -> Floats:
    rng = np.random.default_rng(seed)
    image = net(domain.interior_point() * 0.5 + 0.1 * rng.uniform(-1, 1, net.latent_dim))
    return np.asarray(image + noise * rng.normal(size=image.shape), dtype=np.float64)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("case", CASES)
def test_search_program_and_scan_find_one_optimum(case: str, norm: str) -> None:
    part = partition_of(case)
    net, domain = part.net, part.domain
    x = target(net, domain, seed=len(case))
    scanned = one(net, x, domain, norm, "scan", partition=part)
    searched = one(net, x, domain, norm, "search")
    solved = one(net, x, domain, norm, "milp")
    assert scanned.status is searched.status is solved.status is InversionStatus.OPTIMAL
    assert searched.bound_source is BoundSource.RIGOROUS
    for found in (searched, solved):
        assert found.distance == pytest.approx(scanned.distance, rel=2e-6)
        assert found.lower_bound <= scanned.distance * (1.0 if found is searched else 1.0 + 1e-7)
        assert found.z is not None
        assert domain.contains(found.z)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("dim", "count"), [(1, 4001), (2, 201)])
def test_the_optimum_is_that_of_a_fine_grid(dim: int, count: int, norm: str) -> None:
    net = maxout([dim, 3, 2], [3, 2], 5)
    domain = Box(-1, 1, dim=dim)
    x = target(net, domain, 3, noise=0.2)
    points = grid(-1, 1, dim, count)
    least = float(norm_of(norm).rows(x - net(points)).min())
    # No two neighbours of the grid are farther apart than its step, times what the layers stretch it.
    stretch = np.prod([np.abs(layer.weight).sum(axis=1).max() for layer in net.layers])
    step = float(stretch) * (2.0 / (count - 1)) * len(x)
    for method in ("search", "milp", "scan"):
        found = one(net, x, domain, norm, method)
        assert found.lower_bound <= found.distance <= least
        assert found.lower_bound >= least - step - 1e-6


@pytest.mark.parametrize("norm", NORMS)
def test_no_bound_exceeds_the_optimum_however_early_the_search_stops(norm: str) -> None:
    net = maxout([2, 6, 5, 4], [4, 3, 1], 2)
    domain = Box(-2, 2, dim=2)
    x = target(net, domain, 6, noise=1.0)
    best = one(net, x, domain, norm, "scan")
    for nodes in (1, 3, 10, 30, 90):
        early = one(net, x, domain, norm, "search", max_nodes=nodes)
        assert early.lower_bound <= best.distance * (1 + 1e-12)
        assert early.distance >= best.lower_bound


@pytest.mark.parametrize("norm", NORMS)
def test_members_that_are_equal_everywhere_change_nothing(norm: str) -> None:
    plain = maxout([2, 4, 3], [2, 1], 4)
    first, last = plain.layers
    rows = np.repeat(first.weight.reshape(4, 2, 2), 2, axis=1).reshape(16, 2)  # a, a, b, b
    bias = np.repeat(first.bias, 2)
    twice = Network.from_layers([rows, last.weight], [bias, last.bias], ["max:4", "identity"])
    domain = Box(-1, 1, dim=2)
    x = target(plain, domain, 1)
    assert len(enumerate_regions(twice, domain)) == len(enumerate_regions(plain, domain))
    for method in ("search", "milp", "scan"):
        expected, found = (one(net, x, domain, norm, method) for net in (plain, twice))
        assert found.status is InversionStatus.OPTIMAL
        assert found.distance == pytest.approx(expected.distance, rel=2e-6)


def test_sparse_layers_are_inverted_like_dense_ones() -> None:
    dense, sparse = mixed(1), mixed(1, sparse=True)
    domain = Box(-1, 1, dim=2)
    x = target(dense, domain, 5)
    expected = one(dense, x, domain, "l2", "search").distance
    for method in ("search", "milp", "scan", "gradient"):
        found = one(sparse, x, domain, "l2", method)
        assert found.distance == pytest.approx(expected, rel=2e-6)


def test_the_result_is_that_of_the_network_itself() -> None:
    part = partition_of("plane")
    net, x = part.net, target(part.net, part.domain, 9)
    for method in ("search", "milp", "scan"):
        found = one(net, x, part.domain, "l2", method)
        assert found.z is not None
        assert found.A is not None
        assert found.b is not None
        assert found.distance == pytest.approx(float(np.linalg.norm(x - net(found.z))), rel=1e-12)
        np.testing.assert_array_equal(found.code, net.code(found.z))
        np.testing.assert_allclose(found.A @ found.z + found.b, net(found.z), atol=1e-12)


def test_what_is_measured_of_a_pooled_image_is_what_is_met() -> None:
    net = maxout([2, 6, 4], [2, 3], 3)
    rng = np.random.default_rng(3)
    matrix, offset = rng.normal(size=(3, 4)), rng.normal(size=3)
    domain = Box(-1, 1, dim=2)
    y = matrix @ net([0.2, -0.3]) + offset + 0.3 * rng.normal(size=3)
    scanned = one(net, y, domain, "l2", "scan", measure=(matrix, offset))
    for method in ("search", "milp"):
        found = one(net, y, domain, "l2", method, measure=(matrix, offset))
        assert found.distance == pytest.approx(scanned.distance, rel=2e-6)


# ---- the parts


@pytest.mark.parametrize("norm", NORMS)
def test_every_latent_point_is_a_point_of_the_program_at_its_distance(norm: str) -> None:
    part = partition_of("groups at the end")
    problem = make_problem(part.net, target(part.net, part.domain, 2), part.domain, norm)
    points = np.random.default_rng(0).uniform(*part.domain.bounds(), (40, 2))
    ranges = preactivation_bounds(problem.scalar_layers, part.domain)
    model = InversionProgram(problem, ranges, float(problem.distances(points).max()) * 1.01)
    program = model.program()
    # One binary for each comparison that is open.
    comparisons = sum(layer.n_rows - layer.n_out for layer in part.net.layers)
    assert 0 < int(program.integer.sum()) <= comparisons
    for z in points:
        point = model.point_of(z)
        assert program.violation(point) <= 1e-9
        expected = problem.distance(z) ** 2 if norm == "l2" else problem.distance(z)
        assert float(program.objective @ point) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_the_local_search_meets_a_target_and_never_beats_the_bound(norm: str) -> None:
    part = partition_of("plane")
    net, domain = part.net, part.domain
    z = np.array([0.3, -0.2])
    problem = make_problem(net, net(z), domain, norm)
    assert problem.gap(problem.distance(improve(problem, z + 1e-4)), 0.0) <= 1e-6
    x = target(net, domain, 4)
    best = one(net, x, domain, norm, "scan", partition=part)
    found = one(net, x, domain, norm, "gradient", starts=4)
    assert found.status is InversionStatus.LOCAL
    assert best.lower_bound <= found.distance <= 1.5 * best.distance
    assert found.z is not None
    np.testing.assert_array_equal(found.code, net.code(found.z))


def test_a_fold_of_a_maximum_has_two_preimages() -> None:
    net = Network.from_layers(
        [[[1.0], [-1.0], [-3.0]], [[1.0], [2.0]]], [[0.0, 0.0, -1.0], None], ["max:3", "identity"]
    )
    part = enumerate_regions(net, Box(-1, 1, dim=1))
    for z, expected in ((0.25, [-0.25, 0.25]), (-0.75, [-0.75])):
        found = sorted(float(each.z[0]) for each in preimages(net, net([z]), part))
        assert found == pytest.approx(expected, abs=1e-9)


# ---- injectivity


def test_a_maximum_of_opposite_members_folds() -> None:
    net = Network.from_layers([[[1.0], [-1.0]], [[1.0]]], [[0.0, 0.0], [0.0]], ["max:2", "identity"])
    domain = Box(-1, 1, dim=1)
    for found in (injectivity(net, domain), injectivity(net, domain, max_regions=1)):
        assert found.verdict is InjectivityVerdict.NOT_INJECTIVE
        assert found.pair is not None
        assert found.residual <= 1e-12 < found.separation
    assert injectivity(net, Box(0.0, 1, dim=1)).verdict is InjectivityVerdict.INJECTIVE


@pytest.mark.parametrize("dim", [1, 2])
def test_maxima_of_members_that_rise_together_are_injective(dim: int) -> None:
    rng = np.random.default_rng(dim)
    slopes = rng.uniform(0.5, 2.0, (dim, 3))
    first = np.kron(np.eye(dim), np.ones((3, 1))) * slopes.reshape(-1, 1)
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    net = Network.from_layers([first, turn], [rng.normal(size=3 * dim), None], ["max:3", "identity"])
    assert injectivity(net, Box(-2, 2, dim=dim)).verdict is InjectivityVerdict.INJECTIVE
