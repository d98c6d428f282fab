"""Laws of the scan: it is the minimum over the regions, and its bound is below every distance."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import optimize

from polyspline.domains import Box, Domain, Polytope
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError
from polyspline.inversion import BoundSource, Inversion, InversionStatus, invert
from polyspline.inversion.methods import Options
from polyspline.inversion.norms import Norm, norm_of
from polyspline.inversion.problem import make_problem
from polyspline.inversion.region_bounds import Goal, dual_ascent, weak_duality
from polyspline.inversion.region_maps import mapper_of, maps_of
from polyspline.inversion.scan import run
from polyspline.inversion.tracker import Tracker
from polyspline.network import Network
from polyspline.partition import Partition
from polyspline.regions.region import Region
from tests.inversion.support import exact_image, maxout
from tests.oracle.cases import random_weights

Floats = npt.NDArray[np.float64]

minimize: Any = optimize.minimize  # its types know fewer shapes than it takes

NORMS = ["l2", "l1", "linf"]


def network(widths: list[int], seed: int, activation: str) -> Network:
    return Network.from_layers(*random_weights(widths, seed), activation)


def scan(
    net: Network, x: npt.ArrayLike, part: Partition, norm: str = "l2", measure: Floats | None = None
) -> Inversion:
    found = invert(net, x, part.domain, norm=norm, method="scan", partition=part, measure=measure)
    assert isinstance(found, Inversion)
    return found


def region_distance(region: Region, target: Floats, norm: str, matrix: Floats) -> float:
    """Least distance over one region, from its irredundant rows, by scipy."""
    G, h = region.hrep
    A, b = matrix @ region.A, matrix @ region.b
    unit = max(1.0, float(np.linalg.norm(target)))
    # scipy's tolerances are absolute.
    return unit * _least_distance(A / unit, b / unit, target / unit, norm, G, h, region.witness)


def _least_distance(
    A: Floats, b: Floats, target: Floats, norm: str, G: Floats, h: Floats, start: Floats
) -> float:
    size, rows = A.shape[1], len(b)
    if norm == "l2":
        found = minimize(
            lambda z: 0.5 * np.sum((A @ z + b - target) ** 2),
            start,
            jac=lambda z: A.T @ (A @ z + b - target),
            constraints=optimize.LinearConstraint(G, -np.inf, h),
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 200},
        )
        return float(np.linalg.norm(A @ found.x + b - target))
    spread = np.eye(rows) if norm == "l1" else np.ones((rows, 1))
    width = spread.shape[1]
    matrix_ub = np.block([[A, -spread], [-A, -spread], [G, np.zeros((len(h), width))]])
    side = np.concatenate([target - b, b - target, h])
    cost = np.concatenate([np.zeros(size), np.ones(width)])
    bounds = [(None, None)] * size + [(0, None)] * width
    solved = optimize.linprog(cost, matrix_ub, side, bounds=bounds)
    assert solved.fun is not None
    return float(solved.fun)


def brute(part: Partition, target: Floats, norm: str, matrix: Floats | None = None) -> float:
    chosen = np.eye(part.net.ambient_dim) if matrix is None else matrix
    return min(region_distance(region, target, norm, chosen) for region in part)


PARTS: dict[str, Partition] = {}


def part_of(activation: str) -> Partition:
    if activation not in PARTS:
        groups = activation == "maxout"
        net = maxout([2, 4, 3, 3], [3, 2, 1], 7) if groups else network([2, 4, 3, 3], 7, activation)
        PARTS[activation] = enumerate_regions(net, Box(-1.5, 2, dim=2))
    return PARTS[activation]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("activation", ["relu", "leaky_relu:0.1", "hardtanh", "abs", "maxout"])
def test_the_scan_is_the_least_over_all_regions(activation: str, norm: str) -> None:
    part = part_of(activation)
    generator = np.random.default_rng(3)
    x = part.net(generator.uniform(-1.5, 2, size=2)) + 0.3 * generator.normal(size=3)
    found = scan(part.net, x, part, norm)
    assert found.status is InversionStatus.OPTIMAL
    assert found.bound_source is BoundSource.RIGOROUS
    assert found.distance == pytest.approx(brute(part, x, norm), rel=1e-6)
    assert found.lower_bound <= found.distance <= found.lower_bound * (1 + 2e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_the_bound_is_below_the_distance_of_every_point(norm: str) -> None:
    part = part_of("relu")
    generator = np.random.default_rng(5)
    points = generator.uniform(-1.5, 2, size=(4000, 2))
    images = part.net(points)
    for _ in range(4):
        x = images[generator.integers(4000)] + generator.normal(size=3) * 10.0 ** generator.uniform(-6, 1)
        found = scan(part.net, x, part, norm)
        assert found.lower_bound <= np.min(norm_of(norm).rows(images - x))
        assert found.lower_bound > 0.9 * found.distance


@pytest.mark.parametrize("norm", NORMS)
def test_a_point_of_the_image_is_met(norm: str) -> None:
    part = part_of("leaky_relu:0.1")
    for z in np.random.default_rng(1).uniform(-1.5, 2, size=(5, 2)):
        assert scan(part.net, part.net(z), part, norm).distance < 1e-13


@pytest.mark.parametrize("norm", NORMS)
def test_targets_far_outside_have_their_bound_too(norm: str) -> None:
    part = part_of("relu")
    x = np.array([1e6, -2e6, 3e5])
    found = scan(part.net, x, part, norm)
    assert found.status is InversionStatus.OPTIMAL
    # scipy's least squares is too rough where what varies is a millionth of the whole.
    assert found.distance <= brute(part, x, norm) * (1 + 1e-12)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_measurement_is_inverted_over_all_regions(norm: str, rows: int) -> None:
    part = part_of("relu")
    generator = np.random.default_rng(rows)
    matrix = generator.normal(size=(rows, 3))
    y = matrix @ part.net(np.array([0.4, -0.7])) + generator.normal(size=rows)
    found = scan(part.net, y, part, norm, matrix)
    assert found.status is InversionStatus.OPTIMAL
    assert found.distance == pytest.approx(brute(part, y, norm, matrix), rel=1e-6, abs=1e-9)


def test_a_partial_partition_gives_a_point_and_no_bound() -> None:
    net = part_of("relu").net
    part = enumerate_regions(net, Box(-1.5, 2, dim=2), max_regions=4)
    x = net(np.array([0.1, 0.2])) + 0.5
    found = scan(net, x, part)
    assert found.lower_bound == 0.0
    assert found.bound_source is BoundSource.NONE
    assert found.status is InversionStatus.FEASIBLE
    assert found.distance <= brute(part, x, "l2") * (1 + 1e-6)


def test_without_a_partition_the_regions_are_enumerated() -> None:
    part = part_of("abs")
    x = np.array([0.3, -0.2, 0.9])
    found = invert(part.net, x, part.domain, method="scan")
    assert isinstance(found, Inversion)
    assert found.distance == scan(part.net, x, part).distance


def test_a_partition_of_something_else_is_refused() -> None:
    part = part_of("relu")
    x = np.zeros(3)
    with pytest.raises(ArgumentError, match="another network"):
        scan(part_of("abs").net, x, part)
    with pytest.raises(ArgumentError, match="the domain is"):
        invert(part.net, x, Box(-1, 1, dim=2), method="scan", partition=part)


def test_run_itself_asks_for_a_partition() -> None:
    part = part_of("relu")
    problem = make_problem(part.net, np.zeros(3), part.domain)
    with pytest.raises(ArgumentError, match="got none"):
        run(Tracker(problem, gap=1e-6), Options())


def test_a_scan_without_time_still_has_a_point() -> None:
    part = part_of("relu")
    problem = make_problem(part.net, np.ones(3), part.domain)
    tracker = Tracker(problem, gap=1e-6, max_seconds=0.0)
    run(tracker, Options(partition=part))
    assert tracker.z is not None
    assert tracker.lower_bound <= tracker.distance
    assert tracker.distance <= problem.distances(part.witnesses).min() * (1 + 1e-15)


@pytest.mark.parametrize("norm", NORMS)
def test_a_constant_network_has_one_distance(norm: str) -> None:
    net = Network.from_layers([np.zeros((3, 2)), np.eye(3)], [[1.0, -1.0, 2.0], [0.0, 0.0, 0.0]])
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    x = np.array([0.0, 3.0, 2.5])
    found = scan(net, x, part, norm)
    assert found.status is InversionStatus.OPTIMAL
    assert found.distance == norm_of(norm).of(x - [1.0, 0.0, 2.0])


@pytest.mark.parametrize("norm", NORMS)
def test_regions_of_low_rank_have_any_of_their_minimisers(norm: str) -> None:
    weights = [np.array([[1.0, 1.0], [1.0, 1.0], [2.0, 2.0]]), np.array([[1.0, 0.0, 0.0], [0.0, -1.0, 1.0]])]
    net = Network.from_layers(weights, [[0.0, 0.5, -1.0], [0.0, 0.0]])
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    x = np.array([1.5, 0.3])
    found = scan(net, x, part, norm)
    assert found.status is InversionStatus.OPTIMAL
    assert found.distance == pytest.approx(brute(part, x, norm), rel=1e-6)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scaling_the_output_scales_the_distance(scale: float) -> None:
    weights, biases = random_weights([2, 5, 4], 2)
    domain = Box(-1, 1, dim=2)
    x = np.array([0.5, -0.5, 1.0, 0.2])
    plain = Network.from_layers(weights, biases)
    scaled = Network.from_layers([weights[0], scale * weights[1]], [biases[0], scale * biases[1]])
    one = scan(plain, x, enumerate_regions(plain, domain))
    two = scan(scaled, scale * x, enumerate_regions(scaled, domain))
    assert two.status is InversionStatus.OPTIMAL
    assert two.distance == pytest.approx(scale * one.distance, rel=2e-6)


def test_a_polytope_is_scanned_within_its_rows() -> None:
    net = part_of("relu").net
    domain: Domain = Polytope([[1.0, 1.0], [-1.0, 0.5], [0.2, -1.0]], [0.7, 0.9, 1.1])
    part = enumerate_regions(net, domain)
    x = np.array([2.0, -1.0, 0.5])
    found = scan(net, x, part)
    assert found.z is not None
    assert domain.contains(found.z)
    assert found.distance == pytest.approx(brute(part, x, "l2"), rel=1e-6)


def test_a_batch_is_its_points_one_by_one() -> None:
    part = part_of("hardtanh")
    targets = np.random.default_rng(0).normal(size=(3, 3))
    batch = invert(part.net, targets, part.domain, method="scan", partition=part)
    assert isinstance(batch, tuple)
    for x, found in zip(targets, batch, strict=True):
        assert found.distance == scan(part.net, x, part).distance


# ---- the bounds themselves


@pytest.mark.parametrize("activation", ["relu", "hardtanh", "leaky_relu:0.1", "maxout"])
def test_maps_and_rows_miss_no_more_than_they_say(activation: str) -> None:
    part = part_of(activation)
    mapper = mapper_of(part, part.net.layers)
    maps = maps_of(part, mapper, np.arange(len(part)))
    for region in part:
        i = region.index
        vertices = region.vertices()
        values = vertices @ maps.rows[i].T - maps.sides[i]
        assert np.max(values) <= np.max(maps.slack[i]) + 1e-14
        exact = [
            [sum((Fraction(a) * Fraction(z) for a, z in zip(row, region.witness, strict=True)), Fraction(b))]
            for row, b in zip(maps.slope[i], maps.offset[i], strict=True)
        ]
        true = exact_image(part.net, region.witness)
        missed = [abs(float(a[0] - b)) for a, b in zip(exact, true, strict=True)]
        assert np.all(missed <= maps.error[i])
        assert np.max(maps.error[i]) < 1e-12


@pytest.mark.parametrize("norm", list(Norm))
def test_any_multipliers_give_a_bound(norm: Norm) -> None:
    part = part_of("relu")
    mapper = mapper_of(part, part.net.layers)
    maps = maps_of(part, mapper, np.arange(len(part)))
    generator = np.random.default_rng(9)
    low, high = part.domain.bounds()
    corners = [part.net(region.vertices()) for region in part]
    for _ in range(20):
        x = part.net(generator.uniform(low, high)) + generator.normal(size=3) * 0.01
        goal = Goal(x, norm, low, high)
        y = x - part.net(part.witnesses) if generator.integers(2) else generator.normal(size=(len(part), 3))
        multipliers = generator.exponential(size=maps.sides.shape) * generator.integers(
            0, 2, size=maps.sides.shape
        )
        bounds = weak_duality(goal, maps, y, 1e-3 * multipliers)
        distances = np.array([np.min(norm.rows(x - values)) for values in corners])
        assert np.all(bounds <= distances)
        assert np.all(bounds <= norm.rows(x - part.net(part.witnesses)))


def test_dual_ascent_finds_the_distances_of_the_regions() -> None:
    part = part_of("leaky_relu:0.1")
    mapper = mapper_of(part, part.net.layers)
    maps = maps_of(part, mapper, np.arange(len(part)))
    x = np.array([0.4, 0.1, -0.8])
    goal = Goal(x, Norm.L2, *part.domain.bounds())
    distances = np.array([region_distance(region, x, "l2", np.eye(3)) for region in part])
    hull = dual_ascent(goal, maps, part.witnesses, 0).bounds
    cut = dual_ascent(goal, maps, part.witnesses, 60).bounds
    assert np.all(hull <= cut * (1 + 1e-9) + 1e-12)
    assert np.all(cut <= distances * (1 + 1e-6))
    assert np.all(cut >= 0.98 * distances)
    assert np.max(cut - hull) > 0.05


@pytest.mark.parametrize("method", ["scan", "search"])
def test_the_nearest_point_of_a_region_is_within_it(method: str) -> None:
    # G(z) = (z, |z|): the pseudo-inverse of either piece sends (0, -2) into the other, sqrt(10) away.
    net = Network.from_layers(
        [[[1.0], [1.0]], np.eye(2)], [[0.0, 0.0], [0.0, 0.0]], ["identity|abs", "identity"]
    )
    x = np.array([0.0, -2.0])
    unbounded = [np.linalg.pinv(net.affine([piece])[0]) @ x for piece in (0, 1)]
    assert min(np.linalg.norm(x - net(z)) for z in unbounded) == pytest.approx(np.sqrt(10.0))
    found = invert(net, x, Box(-3, 3, dim=1), method=method)
    assert isinstance(found, Inversion)
    assert found.distance == pytest.approx(2.0, rel=1e-9)
    assert found.status is InversionStatus.OPTIMAL
