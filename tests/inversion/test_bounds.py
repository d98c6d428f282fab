"""Laws of the bounds: nothing that a network does is outside them, and any multipliers give a true bound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import polyspline as ps
from polyspline.cpa.affine import layer_values
from polyspline.inversion.bounds import preactivation_bounds, root_ranges, tighten
from polyspline.inversion.dual import certify_layers
from polyspline.inversion.last_units import exclude_far, see_last_units
from polyspline.inversion.node import Relaxer
from polyspline.inversion.problem import make_problem
from polyspline.network import zoo

UNITS = ("relu", "leaky_relu:0.1", "hardtanh", "abs", "softshrink:0.3", "relu6", "leaky_relu:-0.5")


@given(seed=st.integers(0, 10**6), unit=st.sampled_from(UNITS), scale=st.sampled_from([1e-6, 1.0, 1e6]))
@settings(max_examples=60, deadline=None)
def test_every_preactivation_is_within_its_bounds(seed: int, unit: str, scale: float) -> None:
    rng = np.random.default_rng(seed)
    dim = int(rng.integers(1, 5))
    widths = [dim, *rng.integers(1, 9, size=int(rng.integers(1, 4))).tolist(), 2]
    net = zoo.random_network(widths, unit, seed=seed)
    scaled = ps.Network.from_layers(
        [layer.weight * scale for layer in net.layers], [layer.bias for layer in net.layers], unit
    )
    lo = rng.uniform(-2, 0, dim)
    hi = lo + rng.uniform(0.1, 3, dim)
    z = np.concatenate([rng.uniform(lo, hi, (200, dim)), rng.choice([0.0, 1.0], (50, dim)) * (hi - lo) + lo])
    bounds = preactivation_bounds(scaled.layers, ps.Box(lo, hi))
    values_of = layer_values(scaled.layers, np.clip(z, lo, hi))
    for (values, _), (lower, upper) in zip(values_of, bounds, strict=True):
        # The values are rounded too.
        slack = 1e-12 * np.abs(values).max()
        assert (values >= lower - slack).all()
        assert (values <= upper + slack).all()


def test_the_bounds_of_one_layer_are_met() -> None:
    net = zoo.random_network([3, 7, 2], seed=1)
    (lower, upper), *_ = preactivation_bounds(net.layers, ps.Box(-1, 1, dim=3))
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, -1)
    values = net.layers[0].weight @ corners + net.layers[0].bias[:, None]
    np.testing.assert_allclose(lower, values.min(axis=1), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(upper, values.max(axis=1), rtol=1e-12, atol=1e-13)


def test_bounds_carried_back_are_tighter_than_intervals() -> None:
    net = zoo.random_network([2, 20, 20, 2], seed=3)
    (low, high), (lower, upper), _ = preactivation_bounds(net.layers, ps.Box(-1, 1, dim=2))
    weight, bias = net.layers[1].weight, net.layers[1].bias
    most = np.maximum(weight, 0) @ np.maximum(high, 0) + np.minimum(weight, 0) @ np.maximum(low, 0) + bias
    least = np.maximum(weight, 0) @ np.maximum(low, 0) + np.minimum(weight, 0) @ np.maximum(high, 0) + bias
    assert (upper - lower).sum() < 0.9 * (most - least).sum()


@given(seed=st.integers(0, 10**6), unit=st.sampled_from(UNITS), scale=st.sampled_from([1e-6, 1.0, 1e6]))
@settings(max_examples=60, deadline=None)
def test_branching_on_any_units_keeps_the_points_of_that_side(seed: int, unit: str, scale: float) -> None:
    rng = np.random.default_rng(seed)
    dim = int(rng.integers(1, 4))
    net = zoo.random_network([dim, 6, 5, 4, 2], unit, seed=seed)
    weights = [layer.weight * scale for layer in net.layers]
    scaled = ps.Network.from_layers(weights, [layer.bias for layer in net.layers], unit)
    chain, root = root_ranges(scaled.layers, ps.Box(-1, 1, dim=dim))
    point = rng.uniform(-1, 1, dim)
    inside = np.concatenate([point, *(v[0] for v, _ in layer_values(scaled.layers, point[None]))])
    ranges = root.copy()
    for neuron in rng.permutation(15)[: rng.integers(1, 16)]:
        knots = chain.table[neuron, 1 : 1 + (chain.table.shape[1] - 3) // 3]
        knot = rng.choice(knots)
        at = dim + neuron
        if ranges[at, 0] < knot < ranges[at, 1]:
            ranges[at, int(inside[at] <= knot)] = knot
    for _ in range(3):
        assert tighten(chain, ranges)
        slack = 1e-12 * np.abs(root).max()  # the values are rounded too
        assert (ranges[:dim, 0] <= point).all()
        assert (ranges[:dim, 1] >= point).all()
        assert (ranges[:, 0] - slack <= inside).all()
        assert (ranges[:, 1] + slack >= inside).all()


def test_branching_behind_the_first_layer_cuts_the_latent_box() -> None:
    # The second layer is z itself, by relu(z) - relu(-z), less 1/2.
    net = ps.Network.from_layers([[[1.0], [-1.0]], [[1.0, -1.0]], [[1.0]]], [[0.0, 0.0], [-0.5], [0.0]])
    chain, root = root_ranges(net.layers, ps.Box(-1, 1, dim=1))
    ranges = root.copy()
    ranges[0, 0], ranges[3, 0] = 0.0, 0.0  # z >= 0, and the unit on its upper piece
    assert tighten(chain, ranges)
    assert ranges[0] == pytest.approx([0.5, 1.0], abs=1e-12)
    assert ranges[0, 0] <= 0.5


@given(seed=st.integers(0, 10**6), unit=st.sampled_from(UNITS), norm=st.sampled_from(["l2", "l1", "linf"]))
@settings(max_examples=60, deadline=None)
def test_no_multipliers_whatever_bound_more_than_the_least_distance(seed: int, unit: str, norm: str) -> None:
    rng = np.random.default_rng(seed)
    net = zoo.random_network([2, 5, 4, 3], unit, seed=seed)
    domain = ps.Box(-1, 1, dim=2)
    problem = make_problem(net, rng.standard_normal(3) * 3, domain, norm)
    relaxer = Relaxer(problem)
    sampled = problem.distances(rng.uniform(-1, 1, (500, 2))).min()
    rows = rng.standard_normal((6, 1)) * 10.0 ** rng.integers(-3, 3)
    owner = np.stack([rng.integers(0, 12, 6).astype(float), rng.standard_normal(6)], axis=1)
    certificate = relaxer.certify(relaxer.root.copy(), rng.standard_normal(3), rows[:, 0], owner)
    assert certificate.bound <= sampled


def test_a_solved_relaxation_of_a_convex_problem_is_met_by_its_bound() -> None:
    # Without units the relaxation is the problem, so that the bound must reach the optimum.
    rng = np.random.default_rng(2)
    matrix, x = rng.standard_normal((6, 3)), rng.standard_normal(6)
    problem = make_problem(ps.Network.from_layers([matrix], [None]), x, ps.Box(-9, 9, dim=3))
    node = Relaxer(problem).settle(Relaxer(problem).root.copy(), None, np.inf, None)
    assert node is not None
    best = float(np.linalg.norm(x - matrix @ np.linalg.lstsq(matrix, x, rcond=None)[0]))
    assert node.bound <= best
    assert node.bound == pytest.approx(best, rel=1e-6)


def test_the_rounding_of_a_bound_is_charged() -> None:
    # One unit, y = 1, nu = slope: the terms cancel exactly, and only the rounding is left.
    problem = make_problem(ps.Network.from_layers([[[0.1]]], [[0.3]]), [0.4], ps.Box(0, 1, dim=1))
    relaxer = Relaxer(problem)
    coefficients, nu = np.empty((2, 2)), np.zeros(1)
    total, size = certify_layers(*relaxer.chain, relaxer.root, problem.target, np.ones(1), nu, coefficients)
    assert size > abs(total)
    assert coefficients[0, 1] > 0


@given(
    seed=st.integers(0, 10**6),
    unit=st.sampled_from(UNITS),
    last=st.sampled_from(["identity", "hardtanh"]),
    outputs=st.sampled_from([3, 8]),
    norm=st.sampled_from(["l2", "l1", "linf"]),
)
@settings(max_examples=60, deadline=None)
def test_seen_from_the_target_the_last_units_keep_all_that_is_nearer(
    seed: int, unit: str, last: str, outputs: int, norm: str
) -> None:
    rng = np.random.default_rng(seed)
    weights = [rng.standard_normal(shape) for shape in ((6, 2), (5, 6), (outputs, 5), (outputs + 1, outputs))]
    biases = [rng.standard_normal(len(weight)) for weight in weights]
    net = ps.Network.from_layers(weights, biases, [unit, unit, last, "identity"])
    points = rng.uniform(-1, 1, (40, 2))
    problem = make_problem(
        net, net(points[0]) + 0.3 * rng.standard_normal(outputs + 1), ps.Box(-1, 1, dim=2), norm
    )
    residuals = net(points) - problem.target
    distances = problem.distances(points)
    near = distances <= np.median(distances)
    relaxer = Relaxer(problem)
    seen = see_last_units(problem.scalar_layers, relaxer.chain, relaxer.root, problem.target)
    assert seen is not None
    y = rng.standard_normal(outputs + 1) + residuals[0] * rng.choice([0.0, 10.0])
    total = float((residuals[near] @ y).min()) - 1e-12
    ranges = relaxer.root.copy()
    order = problem.norm.order
    exclude_far(relaxer.chain.table, ranges, *seen, y, total, float(distances[near].max()), order)
    values = np.concatenate([v for v, _ in layer_values(net.layers, points[near])], axis=1)
    slack = 1e-12 * np.abs(values).max()
    assert (ranges[2:, 0] - slack <= values).all()
    assert (ranges[2:, 1] + slack >= values).all()


def test_seen_from_the_target_a_linear_last_layer_leaves_its_units_the_residual() -> None:
    net = ps.Network.from_layers([[[1.0]], [[2.0]]], [[0.0], [0.0]], ["leaky_relu:0.5", "identity"])
    problem = make_problem(net, [1.0], ps.Box(-1, 1, dim=1))
    relaxer = Relaxer(problem)
    seen = see_last_units(problem.scalar_layers, relaxer.chain, relaxer.root, problem.target)
    assert seen is not None
    ranges = relaxer.root.copy()
    exclude_far(relaxer.chain.table, ranges, *seen, np.array([1.0]), 0.25, 0.5, 2.0)
    assert ranges[1] == pytest.approx([0.625, 0.75], abs=1e-6)


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_a_relaxation_is_the_same_from_wherever_it_starts(norm: str) -> None:
    rng = np.random.default_rng(4)
    net = zoo.random_network([3, 8, 8, 6], "leaky_relu:0.1", seed=4)
    relaxer = Relaxer(make_problem(net, rng.standard_normal(6), ps.Box(-2, 2, dim=3), norm))
    node = relaxer.settle(relaxer.root.copy(), None, np.inf, None)
    assert node is not None
    assert node.active is not None
    assert np.count_nonzero(node.active) > 0
    for index in range(len(node.place)):
        for above in (False, True):
            warm = relaxer.settle(node.part(index, above), node, np.inf, None)
            cold = relaxer.settle(node.part(index, above), replace(node, active=None), np.inf, None)
            assert warm is not None
            assert cold is not None
            assert warm.bound == pytest.approx(cold.bound, rel=1e-5, abs=1e-6)
