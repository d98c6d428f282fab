"""Laws of the inversion by mixed-integer programs: the least over all regions, and no bound above it."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import optimize

from polyspline.domains import Box, Domain, Polytope
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, DomainError, MissingExtraError
from polyspline.inversion import BoundSource, Inversion, InversionStatus, invert
from polyspline.inversion.bounds import preactivation_bounds
from polyspline.inversion.milp_model import InversionProgram
from polyspline.inversion.problem import InversionProblem, make_problem
from polyspline.network import Network, zoo
from polyspline.regions.region import Region
from solvers.milp import Backend, available_backends, find_backend, solve_mixed

Floats = npt.NDArray[np.float64]

minimize: Any = optimize.minimize  # its types know fewer shapes than it takes

NORMS = ["l2", "l1", "linf"]
BACKENDS = [find_backend(key) for key in dict.fromkeys(backend.key for backend in available_backends())]
BOX = Box(-1.0, 1.0, dim=2)
TRIANGLE = Polytope([[-1.0, 0.2], [0.3, -1.0], [1.0, 1.0]], [1.0, 0.9, 0.8])


def milp(net: Network, x: npt.ArrayLike, domain: Domain, norm: str = "l2", **options: Any) -> Inversion:
    found = invert(net, x, domain, norm=norm, method="milp", **options)
    assert isinstance(found, Inversion)
    return found


def least_distance(net: Network, x: Floats, domain: Domain, norm: str) -> float:
    """Minimum over all regions, one small convex program each, by scipy."""
    unit = float(np.linalg.norm(x))  # scipy's tolerances are absolute
    return min(_least_over(region, x, norm, unit) for region in enumerate_regions(net, domain))


def _least_over(region: Region, x: Floats, norm: str, unit: float) -> float:
    G, h = region.hrep
    A, shift = region.A / unit, (region.b - x) / unit
    if norm == "l2":
        found = minimize(
            lambda z: float(np.sum((A @ z + shift) ** 2)),
            region.witness,
            jac=lambda z: 2.0 * A.T @ (A @ z + shift),
            method="SLSQP",
            constraints=[{"type": "ineq", "fun": lambda z: h - G @ z, "jac": lambda z: -G}],
            options={"ftol": 1e-15, "maxiter": 300},
        )
        return unit * float(np.linalg.norm(A @ found.x + shift))
    count, size = A.shape
    each = np.eye(count) if norm == "l1" else np.ones((count, 1))
    width = each.shape[1]
    upper = np.block([[A, -each], [-A, -each], [G, np.zeros((len(G), width))]])
    side = np.concatenate([-shift, shift, h])
    cost = np.concatenate([np.zeros(size), np.ones(width)])
    solved = optimize.linprog(cost, A_ub=upper, b_ub=side, bounds=[(None, None)] * size + [(0, None)] * width)
    assert solved.fun is not None
    return unit * float(solved.fun)


def noisy(net: Network, seed: int, noise: float = 0.3) -> Floats:
    """Image of a random point, and noise beside it."""
    rng = np.random.default_rng(seed)
    image = net(rng.uniform(-0.8, 0.8, net.latent_dim))
    return np.asarray(image + noise * rng.normal(size=image.shape), dtype=np.float64)


def check(found: Inversion, net: Network, x: Floats, domain: Domain, best: float) -> None:
    """Compare a closed inversion with the optimum that is known."""
    assert found.status is InversionStatus.OPTIMAL
    assert found.bound_source is BoundSource.SOLVER
    assert found.z is not None
    assert domain.contains(found.z)
    order = {"l1": 1.0, "l2": 2.0, "linf": np.inf}[found.norm]
    assert found.distance == pytest.approx(float(np.linalg.norm(x - net(found.z), order)), rel=1e-12)
    assert found.distance == pytest.approx(best, rel=2e-6, abs=1e-9)
    assert found.lower_bound <= best * (1.0 + 1e-7)
    assert found.gap <= 1e-6


# ---- the optimum


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(
    "activation", ["relu", "leaky_relu:0.1", "hardtanh", ["abs", "identity", "softshrink:0.3"]]
)
def test_the_optimum_is_the_least_over_all_regions(norm: str, activation: Any) -> None:
    net = zoo.random_network((2, 5, 4, 4), activation, seed=3)
    x = noisy(net, 5)
    check(milp(net, x, BOX, norm), net, x, BOX, least_distance(net, x, BOX, norm))


@pytest.mark.parametrize("norm", NORMS)
def test_the_optimum_over_a_polytope_is_the_least_over_its_regions(norm: str) -> None:
    net = zoo.random_network((2, 7, 5), "leaky_relu:0.2", seed=8)
    x = noisy(net, 1, noise=1.0)
    check(milp(net, x, TRIANGLE, norm), net, x, TRIANGLE, least_distance(net, x, TRIANGLE, norm))


@pytest.mark.parametrize("backend", BACKENDS, ids=[b.key for b in BACKENDS])
@pytest.mark.parametrize("norm", NORMS)
def test_every_solver_that_is_here_finds_the_optimum(backend: Backend, norm: str) -> None:
    net, x, best = _plain(norm)
    found = milp(net, x, BOX, norm, solver=backend.key)
    assert found.solver == backend.key
    check(found, net, x, BOX, best)


@pytest.mark.parametrize("norm", NORMS)
def test_a_target_far_outside_is_met_by_the_nearest_point_of_the_image(norm: str) -> None:
    net = zoo.random_network((2, 6, 4), "relu", seed=4)
    x = 1e4 * np.array([1.0, -2.0, 0.5, 1.5])
    check(milp(net, x, BOX, norm), net, x, BOX, least_distance(net, x, BOX, norm))


@pytest.mark.parametrize("norm", NORMS)
def test_a_point_of_the_image_is_met_exactly_and_at_once(norm: str) -> None:
    net = zoo.random_network((2, 8, 8, 6), "leaky_relu:0.1", seed=6)
    found = milp(net, net([0.3, -0.45]), BOX, norm)
    assert found.status is InversionStatus.OPTIMAL
    assert found.distance <= 1e-12
    assert found.nodes == 0


@pytest.mark.parametrize("norm", NORMS)
def test_a_network_that_forgets_a_direction_has_the_same_optimum(norm: str) -> None:
    rng = np.random.default_rng(2)
    first = rng.normal(size=(6, 1)) @ np.array([[1.0, -2.0]])  # rank one
    net = Network.from_layers([first, rng.normal(size=(4, 6))], [rng.normal(size=6), rng.normal(size=4)])
    x = noisy(net, 3)
    check(milp(net, x, BOX, norm), net, x, BOX, least_distance(net, x, BOX, norm))


@pytest.mark.parametrize("norm", NORMS)
def test_a_constant_network_has_one_distance(norm: str) -> None:
    net = Network.from_layers([np.zeros((3, 2)), np.zeros((2, 3))], [np.zeros(3), np.array([1.0, -2.0])])
    x = np.array([4.0, 2.0])
    best = {"l2": 5.0, "l1": 7.0, "linf": 4.0}[norm]
    check(milp(net, x, BOX, norm), net, x, BOX, best)


@pytest.mark.parametrize("norm", NORMS)
def test_only_what_is_measured_counts(norm: str) -> None:
    net = zoo.random_network((2, 6, 5), "relu", seed=9)
    matrix, offset = np.random.default_rng(1).normal(size=(3, 5)), np.array([1.0, 0.0, -1.0])
    weights = [layer.weight for layer in net.layers]
    biases = [layer.bias for layer in net.layers]
    seen = Network.from_layers(
        [*weights[:-1], matrix @ weights[-1]], [*biases[:-1], matrix @ biases[-1] + offset]
    )
    y = noisy(seen, 7)
    found = milp(net, y, BOX, norm, measure=(matrix, offset))
    assert found.status is InversionStatus.OPTIMAL
    assert found.distance == pytest.approx(least_distance(seen, y, BOX, norm), rel=2e-6)


# ---- bounds


@cache
def _plain(norm: str) -> tuple[Network, Floats, float]:
    net = zoo.random_network((2, 6, 5, 4), "relu", seed=13)
    x = noisy(net, 4)
    return net, x, least_distance(net, x, BOX, norm)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("exponents", [(20, 20), (-20, -20), (20, -20), (-20, 20)])
def test_no_bound_is_above_the_optimum_however_the_weights_are_scaled(
    norm: str, exponents: tuple[int, int]
) -> None:
    plain, x, best = _plain(norm)
    # ReLU is homogeneous and powers of two round nothing: the same problem in other units.
    scales = [2.0 ** exponents[0], 2.0 ** exponents[1], 1.0]
    reach = np.cumprod(scales)
    weights = [layer.weight * s for layer, s in zip(plain.layers, scales, strict=True)]
    biases = [layer.bias * r for layer, r in zip(plain.layers, reach, strict=True)]
    net = Network.from_layers(weights, biases)
    check(milp(net, x * reach[-1], BOX, norm), net, x * reach[-1], BOX, best * reach[-1])


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_no_bound_is_above_the_optimum_on_a_wide_domain(norm: str) -> None:
    net = zoo.random_network((2, 5, 4, 4), "leaky_relu:0.1", seed=21)
    wide = Box(-1e6, 1e6, dim=2)
    x = noisy(net, 8)
    found = milp(net, x, wide, norm)
    best = least_distance(net, x, wide, norm)
    assert found.lower_bound <= best * (1.0 + 1e-6)
    assert found.distance >= best * (1.0 - 1e-6)


@pytest.mark.parametrize("backend", BACKENDS, ids=[b.key for b in BACKENDS])
@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_a_limit_leaves_a_point_and_a_bound_that_holds(backend: Backend, norm: str) -> None:
    net = zoo.random_network((8, 48, 48, 48), "leaky_relu:0.1", seed=0)
    domain = Box(-3.0, 3.0, dim=8)
    x = noisy(net, 0, noise=1.0)
    found = milp(net, x, domain, norm, solver=backend.key, max_seconds=1.0)
    assert found.status is InversionStatus.FEASIBLE
    assert 0.0 <= found.lower_bound <= found.distance < math.inf
    assert found.z is not None
    assert domain.contains(found.z)


def test_no_time_at_all_is_no_solution() -> None:
    net = zoo.random_network((2, 6, 4), "relu", seed=0)
    found = milp(net, np.zeros(4), BOX, max_seconds=0.0)
    assert found.status is InversionStatus.NO_SOLUTION
    assert found.z is None


# ---- the program itself


def _program(problem: InversionProblem, cutoff: float) -> InversionProgram:
    return InversionProgram(problem, preactivation_bounds(problem.layers, problem.domain), cutoff)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("activation", ["relu", "hardtanh", "abs", "relu6"])
def test_every_latent_point_is_a_point_of_the_program_at_its_distance(norm: str, activation: str) -> None:
    net = zoo.random_network((2, 6, 5, 4), activation, seed=2)
    problem = make_problem(net, noisy(net, 0), TRIANGLE, norm)
    rng = np.random.default_rng(0)
    points = rng.uniform(-1.0, 1.0, (40, 2))
    points = points[np.asarray(TRIANGLE.contains(points))]
    model = _program(problem, float(problem.distances(points).max()) * 1.01)
    program = model.program()
    for z in points:
        point = model.point_of(z)
        assert program.violation(point) <= 1e-9
        assert np.array_equal(model.latent(point), z)
        expected = problem.distance(z) ** 2 if norm == "l2" else problem.distance(z)
        assert float(program.objective @ point) == pytest.approx(expected, rel=1e-12)


def test_binaries_are_for_undecided_units_only_one_for_each_knot_in_reach() -> None:
    weight = np.array([[1.0], [1.0], [1.0], [1.0]])
    bias = np.array([0.0, 5.0, -5.0, 0.75])  # knots at ±1: two in reach, none, none, one
    net = Network.from_layers([weight, np.ones((2, 4))], [bias, np.zeros(2)], "hardtanh")
    domain = Box(-1.5, 1.5, dim=1)
    problem = make_problem(net, [0.1, 0.2], domain, "l1")
    assert int(_program(problem, 10.0).program().integer.sum()) == 3


def test_a_program_of_the_incumbent_is_not_cut_off_by_its_own_row() -> None:
    net = zoo.random_network((2, 6, 4), "relu", seed=1)
    problem = make_problem(net, noisy(net, 1), BOX, "l1")
    best = milp(net, problem.target, BOX, "l1")
    assert best.z is not None
    below, above = (_program(problem, best.distance * factor).program() for factor in (0.99, 1.01))
    assert solve_mixed(below).infeasible
    assert not solve_mixed(above).infeasible


# ---- bad input


def test_an_unknown_solver_is_refused() -> None:
    net = zoo.random_network((2, 4, 3), "relu", seed=0)
    with pytest.raises(ArgumentError, match=r"'oracle' is not known.*available here: cbc"):
        milp(net, np.zeros(3), BOX, solver="oracle")


def test_a_solver_that_is_not_installed_is_a_missing_package() -> None:
    net = zoo.random_network((2, 4, 3), "relu", seed=0)
    with pytest.raises(MissingExtraError, match="'mipcl_cmd' is not installed"):
        milp(net, np.zeros(3), BOX, solver="MIPCL_CMD")


def test_an_unbounded_domain_is_refused() -> None:
    from polyspline.domains import WholeSpace

    net = zoo.random_network((2, 4, 3), "relu", seed=0)
    with pytest.raises(DomainError, match="bounded"):
        milp(net, np.zeros(3), WholeSpace(2))
