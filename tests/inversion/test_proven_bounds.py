"""Bounds that contradict a point are errors; nothing nearer than the cutoff is ever dropped; exact norms."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import polyspline as ps
from polyspline.errors import InvariantError
from polyspline.inversion.node import Certificate, Node, Relaxer
from polyspline.inversion.norms import Norm
from polyspline.inversion.problem import InversionProblem, make_problem
from polyspline.inversion.tracker import Tracker
from tests.inversion.support import exact_image


def problem_of(seed: int, norm: str = "l2") -> InversionProblem:
    rng = np.random.default_rng(seed)
    net = ps.zoo.random_network([2, 5, 4, 3], "leaky_relu:0.1", seed=seed)
    return make_problem(
        net, net(rng.uniform(-1, 1, 2)) + 0.3 * rng.normal(size=3), ps.Box(-1, 1, dim=2), norm
    )


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_a_proven_bound_above_a_distance_is_a_contradiction_in_either_order(norm: str) -> None:
    problem = problem_of(1, norm)
    z = np.array([0.2, -0.3])
    distance = problem.distance(z)
    before = Tracker(problem, gap=1e-6)
    before.raise_bound(distance * (1.0 + 1e-9))
    with pytest.raises(InvariantError, match="proven lower bound"):
        before.offer(z)
    after = Tracker(problem, gap=1e-6)
    after.offer(z)
    with pytest.raises(InvariantError, match="proven lower bound"):
        after.raise_bound(distance * (1.0 + 1e-9))
    told = Tracker(problem, gap=1e-6)
    told.raise_bound(distance * (1.0 + 1e-9), proven=False)
    assert told.offer(z)


@pytest.mark.parametrize("norm", list(Norm))
def test_a_distance_is_off_by_its_error_at_most(norm: Norm) -> None:
    inexact = 0
    for seed in range(12):
        problem = problem_of(seed, norm.key)
        for z in np.random.default_rng(seed).uniform(-1, 1, (8, 2)):
            image = exact_image(problem.net, z.tolist())
            sizes = [abs(a - Fraction(b)) for a, b in zip(image, problem.target.tolist(), strict=True)]
            distance, error = Fraction(problem.distance(z)), Fraction(problem.distance_error(z))
            if norm is Norm.L2:
                square = sum((a * a for a in sizes), Fraction(0))
                assert max(distance - error, Fraction(0)) ** 2 <= square <= (distance + error) ** 2
            else:
                exact = max(sizes) if norm is Norm.LINF else sum(sizes, Fraction(0))
                assert abs(distance - exact) <= error
                inexact += distance != exact
    assert inexact > 0 or norm is Norm.L2


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e-160, 1.0, 1e160, 1e300])
def test_norms_of_any_size_are_those_of_size_one(scale: float) -> None:
    for row in ([3.0, 4.0], [0.0, 1.0], [1.0, 1.0, 1.0, 1.0]):
        for norm in Norm:
            expected = norm.of(row) * scale
            assert norm.of(np.array(row) * scale) == pytest.approx(
                expected, rel=1e-12 if scale > 1e-300 else 1e-9
            )


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_a_part_whose_point_is_just_nearer_than_the_cutoff_is_kept(norm: str) -> None:
    for seed in range(12):
        problem = problem_of(seed, norm)
        relaxer = Relaxer(problem)
        ranges = relaxer.root.copy()
        rng = np.random.default_rng(seed)
        z = rng.uniform(-1, 1, 2)
        low, high = z - 1e-9, z + 1e-9
        ranges[:2, 0], ranges[:2, 1] = low, high
        cutoff = problem.distance(z) * (1.0 + 1e-6)
        node = relaxer.settle(ranges, None, cutoff, z)
        assert node is not None
        assert node.bound <= problem.distance(z) + problem.distance_error(z)
        assert (node.ranges[:2, 0] <= z).all()
        assert (node.ranges[:2, 1] >= z).all()


def test_the_room_below_a_cutoff_is_rounded_up() -> None:
    rng = np.random.default_rng(0)
    nothing = np.zeros(0)
    for _ in range(400):
        scale = float(rng.uniform(0.1, 10.0))
        cutoff = float(rng.uniform(0.1, 10.0))
        total = cutoff * scale * (1.0 - float(rng.choice([0.0, 1e-16, 1e-12, 0.5])))
        room = Certificate(total, scale, nothing, nothing, nothing).room(cutoff)
        assert Fraction(room) >= Fraction(cutoff) * Fraction(scale) - Fraction(total)


def test_the_ranges_of_parts_hold_all_of_them() -> None:
    rng = np.random.default_rng(0)
    nothing = np.zeros(0)

    def node(ranges: np.ndarray) -> Node:
        return Node(ranges, 0.0, nothing, nothing.astype(np.int64), nothing, nothing, None)

    for _ in range(50):
        parts = [node(np.sort(rng.uniform(-1, 1, (4, 2)), axis=1)) for _ in range(2)]
        whole = node(np.tile([-0.9, 0.9], (4, 1)))
        whole.cut_to(parts)
        for part in parts:
            inside = np.clip(part.ranges, -0.9, 0.9)
            assert (whole.ranges[:, 0] <= inside[:, 0]).all()
            assert (whole.ranges[:, 1] >= inside[:, 1]).all()
