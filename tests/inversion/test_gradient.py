"""Laws of the gradient method: the same seed gives the same point, and no point beats the true optimum."""

from __future__ import annotations

import sys
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
import torch

from polyspline.domains import Box, Domain, Polytope
from polyspline.enumeration import enumerate_regions
from polyspline.errors import MissingExtraError
from polyspline.inversion import BoundSource
from polyspline.inversion.gradient import Scaled, adam, levenberg_marquardt, run
from polyspline.inversion.methods import Options
from polyspline.inversion.pieces import tables_of
from polyspline.inversion.problem import InversionProblem, make_problem
from polyspline.inversion.tracker import InversionProgress, Tracker
from polyspline.network import Network
from polyspline.network.zoo import random_network
from solvers.qp.regression import fit_over_polyhedron

Floats = npt.NDArray[np.float64]

NORMS = ["l2", "l1", "linf"]
HALF = Polytope([[1.0, 1.0], [-1.0, 0.0], [0.0, -1.0]], [1.0, 1.5, 1.5])


@cache
def small_network(activation: str) -> Network:
    return random_network([2, 5, 4, 4], activation, seed=1)


def small_problem(
    norm: str, activation: str = "leaky_relu:0.1", domain: Domain | None = None, noise: float = 0.3
) -> InversionProblem:
    net = small_network(activation)
    rng = np.random.default_rng(1)
    x = net(rng.uniform(-1.0, 0.5, 2)) + noise * rng.normal(size=4)
    return make_problem(net, x, domain or Box(-2, 2, dim=2), norm)


@cache
def regions(net: Network, domain: Domain) -> list[tuple[Floats, Floats, Floats, Floats]]:
    """Slope, offset and rows of every region."""
    return [(region.A, region.b, *region.hrep) for region in enumerate_regions(net, domain)]


def optimum(problem: InversionProblem) -> float:
    """Least distance over all regions, one after the other."""
    lo, hi = problem.domain.bounds()
    return min(
        fit_over_polyhedron(A, b - problem.target, G, h, lo, hi, problem.norm.order).value
        for A, b, G, h in regions(problem.net, problem.domain)
    )


def solved(
    problem: InversionProblem, starts: int = 8, seed: int = 0, max_seconds: float | None = None
) -> Tracker:
    tracker = Tracker(problem, gap=1e-6, max_seconds=max_seconds)
    run(tracker, Options(starts=starts, seed=seed))
    return tracker


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("activation", ["relu", "hardtanh"])
@pytest.mark.parametrize("domain", [Box([-2, -1], [2, 1.5]), HALF], ids=["box", "polytope"])
def test_the_point_is_in_the_domain_and_never_below_the_true_optimum(
    domain: Domain, activation: str, norm: str
) -> None:
    problem = small_problem(norm, activation, domain)
    tracker = solved(problem, starts=3)
    assert tracker.z is not None
    assert domain.contains(tracker.z)
    assert tracker.distance == problem.distance(tracker.z)
    assert tracker.distance >= optimum(problem) - 1e-7


@pytest.mark.parametrize("norm", NORMS)
def test_many_starts_find_the_optimum_of_a_small_network(norm: str) -> None:
    problem = small_problem(norm)
    assert solved(problem, starts=24).distance == pytest.approx(optimum(problem), abs=1e-7)


@pytest.mark.parametrize("norm", NORMS)
def test_the_same_seed_gives_the_same_point(norm: str) -> None:
    problem = small_problem(norm)
    first, second = solved(problem, starts=2, seed=3), solved(problem, starts=2, seed=3)
    assert first.z is not None
    assert second.z is not None
    np.testing.assert_array_equal(first.z, second.z)
    np.testing.assert_array_equal(first.history[:, 1:], second.history[:, 1:])


def test_another_seed_starts_elsewhere() -> None:
    problem = small_problem("l2")
    first, second = solved(problem, starts=1, seed=0), solved(problem, starts=1, seed=1)
    assert first.history[0, 1] != second.history[0, 1]


@pytest.mark.parametrize("norm", NORMS)
def test_a_target_on_the_surface_is_met_and_ends_the_run(norm: str) -> None:
    tracker = solved(small_problem(norm, noise=0.0))
    assert tracker.closed
    assert tracker.lower_bound == 0.0


def test_it_has_no_bound_and_a_node_is_a_start() -> None:
    seen: list[InversionProgress] = []
    tracker = Tracker(small_problem("l2"), gap=1e-6, report=seen.append)
    outcome = run(tracker, Options(starts=5))
    assert outcome.bound_source is BoundSource.NONE
    assert outcome.solver == "torch"
    assert tracker.nodes == 5
    assert tracker.lower_bound == 0.0
    assert all(
        after <= before for before, after in zip(tracker.history[:-1, 1], tracker.history[1:, 1], strict=True)
    )
    assert all(report.lower_bound == 0.0 for report in seen)


def test_a_time_limit_leaves_the_nearest_point_so_far() -> None:
    problem = small_problem("l2")
    hurried = solved(problem, starts=4, max_seconds=0.0)
    assert hurried.z is not None
    assert solved(problem, starts=4).distance <= hurried.distance < np.inf


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"polyspline\[torch\]"):
        solved(small_problem("l2"))


@pytest.mark.parametrize("activation", ["relu", "prelu:-0.5", "hardtanh", "softshrink:0.3"])
def test_the_jacobian_is_the_slope_of_the_region(activation: str) -> None:
    net = random_network([3, 7, 6, 5], [activation, "identity", activation], seed=2)
    points = np.random.default_rng(2).uniform(-2, 2, (9, 3))
    values, jacobians = tables_of(net.layers).linearised(points)
    np.testing.assert_allclose(values, net(points), atol=1e-12)
    for point, jacobian in zip(points, jacobians, strict=True):
        np.testing.assert_allclose(jacobian, net.affine(net.code(point))[0], atol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_adam_falls_from_each_start(norm: str) -> None:
    problem = small_problem(norm, "hardtanh", HALF)
    space = Scaled(HALF)
    starts = space.project(np.random.default_rng(4).uniform(-1, 1, (6, 2)))
    before = problem.distances(space.points(starts))
    rounds = [problem.distances(space.points(t)) for t in map(np.copy, adam(torch, problem, space, starts))]
    for after in rounds:
        assert (after <= before + 1e-12).all()
        before = after
    assert (rounds[-1] < problem.distances(space.points(starts))).any()


def test_levenberg_marquardt_falls_from_each_start_and_ends_at_zero_near_a_solution() -> None:
    problem = small_problem("l2", noise=0.0)
    space = Scaled(problem.domain)
    solution = np.random.default_rng(1).uniform(-1.0, 0.5, 2)
    starts = np.stack([(solution + 1e-3) / 2.0, [-0.9, 0.9], [0.5, -0.8]])
    before = problem.distances(space.points(starts))
    for t in levenberg_marquardt(problem, space, starts):
        after = problem.distances(space.points(t))
        assert (after <= before).all()
        before = after
    assert before[0] <= 1e-12


def test_projection_keeps_points_inside_and_moves_others_to_the_boundary() -> None:
    space = Scaled(HALF)
    t = np.random.default_rng(5).uniform(-1, 1, (50, 2))
    inside = HALF.contains(space.points(t))
    projected = space.project(3.0 * t)
    excess = HALF.G @ space.points(projected).T - HALF.h[:, None]
    assert excess.max() <= 1e-12
    np.testing.assert_allclose(space.project(t)[inside], t[inside], atol=1e-15)
    slack = (HALF.h[:, None] - HALF.G @ space.points(space.project(t)[~inside]).T).min(axis=0)
    np.testing.assert_allclose(slack, 0.0, atol=1e-12)
