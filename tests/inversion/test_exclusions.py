"""What an exclusion cuts is beyond the cutoff, and what a bound claims holds: in rational numbers."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import polyspline as ps
from polyspline.cpa.layers import make_layer
from polyspline.inversion.bounds import root_ranges, tighten
from polyspline.inversion.chain import Floats, make_chain
from polyspline.inversion.last_units import exclude_far
from polyspline.inversion.node import Certificate, Relaxer
from polyspline.inversion.norms import Norm
from polyspline.inversion.problem import InversionProblem, make_problem
from polyspline.network import Network, zoo
from solvers.predicates.rounding import ROUNDOFF
from tests.inversion.support import exact_image

FEW = 16.0 * ROUNDOFF


def unit_value(row: Floats, v: Fraction) -> Fraction:
    """Exact value of the unit of a row of a chain's table."""
    count = (len(row) - 3) // 3
    piece = sum(v > Fraction(knot) for knot in row[1 : 1 + count].tolist() if np.isfinite(knot))
    return Fraction(float(row[1 + count + piece])) * v + Fraction(float(row[2 + 2 * count + piece]))


def within(row: Floats, low: float, high: float, least: Fraction, most: Fraction) -> list[Fraction]:
    """Ends of the points of a range whose exact value is between two, none if there are none."""
    knots = [Fraction(knot) for knot in row[1 : 1 + (len(row) - 3) // 3].tolist() if low < knot < high]
    corners = [Fraction(low), *knots, Fraction(high)]
    found = [v for v in corners if least <= unit_value(row, v) <= most]
    for before, after in pairwise(corners):
        start, end = unit_value(row, before), unit_value(row, after)
        for side in (least, most):
            if start != end and 0 <= (side - start) / (end - start) <= 1:
                found.append(before + (side - start) / (end - start) * (after - before))
    return [min(found), max(found)] if found else []


@pytest.mark.parametrize("activation", ["relu", "leaky_relu:0.1", "abs", "hardtanh", "softshrink:0.5"])
@pytest.mark.parametrize("order", [1.0, 2.0, np.inf])
def test_no_end_within_four_slacks_of_the_limit_is_cut(activation: str, order: float) -> None:
    rng = np.random.default_rng([len(activation), int(order) if order < 3 else 9])
    chain = make_chain((make_layer([[1.0]], [0.0], activation),))
    row = chain.table[0]
    kept = 0
    for _ in range(400):
        scale = 10.0 ** rng.uniform(-3, 3)
        low, high = np.sort(rng.uniform(-3, 3, 2) * scale)
        share, cutoff = rng.uniform(0.1, 2.0), scale * 10.0 ** rng.uniform(-6, 0)
        # One end of what is allowed is the value at one end of the range, give or take four slacks.
        edge = float(unit_value(row, Fraction(float(rng.choice([low, high])))))
        edge += rng.uniform(-4.0, 4.0) * FEW * (abs(edge) + rng.choice([0.0, 1.0]) * scale)
        centre = edge + rng.choice([-1.0, 1.0]) * share * cutoff
        ranges = np.array([[-1.0, 1.0], [low, high]])
        one, zero = np.array([[share]]), np.zeros(1)
        exclude_far(chain.table, ranges, 1, one, np.array([centre]), zero, zero, 0.0, cutoff, order)
        reach = Fraction(share) * Fraction(cutoff)
        ends = within(row, low, high, Fraction(centre) - reach, Fraction(centre) + reach)
        if ends:
            kept += 1
            assert Fraction(float(ranges[1, 0])) <= ends[0]
            assert ends[1] <= Fraction(float(ranges[1, 1]))
    assert kept > 50


def test_what_is_far_is_cut() -> None:
    chain = make_chain((make_layer([[1.0]], [0.0], "relu"),))
    ranges = np.array([[-1.0, 1.0], [-2.0, 5.0]])
    one, zero = np.array([[1.0]]), np.zeros(1)
    exclude_far(chain.table, ranges, 1, one, np.array([2.0]), zero, zero, 0.0, 1.0, 2.0)
    np.testing.assert_allclose(ranges[1], [1.0, 3.0], rtol=1e-12)
    exclude_far(chain.table, ranges, 1, one, np.array([9.0]), zero, zero, 0.0, 1.0, 2.0)
    assert ranges[1, 0] > ranges[1, 1]


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_is_not_a_number_cuts_nothing(number: float) -> None:
    chain = make_chain((make_layer([[1.0]], [0.0], "relu"),))
    one, zero = np.array([[1.0]]), np.zeros(1)
    for centre, total, cutoff in ((number, 0.0, 1.0), (9.0, number, 1.0), (9.0, 0.0, number)):
        ranges = np.array([[-1.0, 1.0], [-2.0, 5.0]])
        exclude_far(chain.table, ranges, 1, one, np.array([centre]), zero, one[0], total, cutoff, 2.0)
        if not np.isfinite(centre + cutoff):
            np.testing.assert_array_equal(ranges[1], [-2.0, 5.0])
        assert not np.isnan(ranges).any()


@pytest.mark.parametrize("dim", [2, 13, 24])
def test_tightening_keeps_a_point_between_ends_that_are_its_own_values(dim: int) -> None:
    rng = np.random.default_rng(dim)
    for _ in range(40):
        weight = np.round(rng.normal(size=(6, dim)), 1)
        bias = np.round(rng.normal(size=6), 1)
        layers = (
            make_layer(weight, bias, "relu"),
            make_layer(np.round(rng.normal(size=(3, 6)), 1), None, "abs"),
        )
        chain, root = root_ranges(layers, ps.Box(-1, 1, dim=dim))
        z = np.round(rng.uniform(-1, 1, dim), 1)
        exact = [
            sum((Fraction(w) * Fraction(v) for w, v in zip(row, z.tolist(), strict=True)), Fraction(b))
            for row, b in zip(weight.tolist(), bias.tolist(), strict=True)
        ]
        ranges = root.copy()
        for place, value in enumerate(exact):
            near = float(value)
            ranges[dim + place, 0] = near if Fraction(near) <= value else np.nextafter(near, -np.inf)
            ranges[dim + place, 1] = near if Fraction(near) >= value else np.nextafter(near, np.inf)
        assert tighten(chain, ranges)
        assert (ranges[:dim, 0] <= z).all()
        assert (z <= ranges[:dim, 1]).all()


def exact_preactivations(problem: InversionProblem, z: Floats) -> list[Fraction]:
    """Exact z and pre-activations of all neurons of the scalar layers at a point."""
    u = [Fraction(float(entry)) for entry in z]
    found = list(u)
    table = iter(make_chain(problem.scalar_layers).table)
    for layer in problem.scalar_layers:
        v = [
            sum((Fraction(w) * entry for w, entry in zip(row, u, strict=True)), Fraction(b))
            for row, b in zip(layer.weight.tolist(), layer.bias.tolist(), strict=True)
        ]
        found += v
        u = [unit_value(next(table), entry) for entry in v]
    return found


def exact_distance_power(problem: InversionProblem, z: Floats) -> Fraction:
    """Exact distance at a point; squared for L2."""
    image = exact_image(problem.net, z.tolist())
    residual = [Fraction(x) - y for x, y in zip(problem.target.tolist(), image, strict=True)]
    if problem.norm is Norm.L2:
        return sum((r * r for r in residual), Fraction(0))
    sizes = [abs(r) for r in residual]
    return max(sizes) if problem.norm is Norm.LINF else sum(sizes, Fraction(0))


def inside(ranges: Floats, values: list[Fraction]) -> bool:
    """Whether exact values are in their ranges."""
    return all(Fraction(a) <= v <= Fraction(b) for (a, b), v in zip(ranges.tolist(), values, strict=True))


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
@pytest.mark.parametrize("seed", range(6))
def test_a_point_nearer_than_the_cutoff_is_never_cut(norm: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = zoo.random_network((3, 7, 6, 8), ["relu", "abs", "leaky_relu:0.1"][seed % 3], seed=seed)
    z = rng.uniform(-1, 1, (30, 3))
    x = net(z[0]) + rng.choice([0.01, 0.3]) * rng.normal(size=8)
    problem = make_problem(net, x, ps.Box(-1, 1, dim=3), norm)
    relaxer = Relaxer(problem)
    for point in [*z, *(z[0] + 1e-3 * rng.normal(size=(10, 3)))]:
        point = np.clip(point, -1.0, 1.0)
        values = exact_preactivations(problem, point)
        # Just beyond the point itself, so that whatever the rounding is has to be on the right side.
        power = exact_distance_power(problem, point)
        cutoff = float(problem.distance(point)) * (1.0 + 2.0**-46)
        assert power <= (Fraction(cutoff) ** 2 if problem.norm is Norm.L2 else Fraction(cutoff))
        ranges = relaxer.root.copy()
        for _ in range(3):
            assert tighten(relaxer.chain, ranges)
            assert inside(ranges, values)
            solved = relaxer.solve(ranges, cutoff, point, None)
            assert solved is not None
            assert solved.certificate.bound <= cutoff
            relaxer._exclude(ranges, solved.certificate, cutoff)
            assert inside(ranges, values)
        parts = []
        node = relaxer.settle(ranges, None, np.inf, None)
        assert node is not None
        if node.decided:
            continue
        for above in (False, True):
            part = relaxer.settle(node.part(0, above), node, cutoff, point)
            if part is not None:
                parts.append(part)
        assert any(inside(part.ranges, values) for part in parts)
        node.cut_to(parts)
        assert inside(node.ranges, values)


def exact_dual(problem: InversionProblem, relaxer: Relaxer, ranges: Floats, found: Certificate) -> Fraction:
    """Exact value of the dual function at the multipliers of a certificate."""
    chain, dim = relaxer.chain, problem.domain.dim
    total = -sum(
        (
            Fraction(y) * Fraction(x)
            for y, x in zip(found.output.tolist(), problem.target.tolist(), strict=True)
        ),
        Fraction(0),
    )
    slopes = [Fraction(y) for y in found.output.tolist()]
    first, block = len(chain.table), len(chain.weights)
    for depth in range(len(chain.widths) - 1, 0, -1):
        width, inputs = int(chain.widths[depth]), int(chain.widths[depth - 1])
        first, block = first - width, block - width * inputs
        before = [Fraction(0)] * inputs
        for i in range(width):
            row, nu = chain.table[first + i], Fraction(float(found.nu[first + i]))
            low, high = ranges[dim + first + i].tolist()
            knots = row[1 : 1 + (len(row) - 3) // 3].tolist()
            corners = [Fraction(v) for v in (low, *(k for k in knots if low < k < high), high)]
            total += nu * Fraction(float(row[0]))
            total += min(slopes[i] * unit_value(row, v) - nu * v for v in corners)
            for j in range(inputs):
                before[j] += nu * Fraction(float(chain.weights[block + i * inputs + j]))
        slopes = before
    ends = [(Fraction(a), Fraction(b)) for a, b in ranges[:dim].tolist()]
    return total + sum((min(s * a, s * b) for s, (a, b) in zip(slopes, ends, strict=True)), Fraction(0))


@pytest.mark.parametrize("power", [-400, -60, 0, 60, 300])
@pytest.mark.parametrize("seed", range(5))
def test_the_exact_dual_value_is_at_least_the_certified_total(power: int, seed: int) -> None:
    rng = np.random.default_rng([seed, power + 500])
    scale = 2.0**power
    weights = [rng.normal(size=(5, 2)) * scale, rng.normal(size=(4, 5)) / scale, rng.normal(size=(6, 4))]
    # The last two outputs cancel, all but.
    weights[2][5] = -weights[2][4] * (1.0 + 2.0**-50)
    biases = [rng.normal(size=5) * scale, rng.normal(size=4), rng.normal(size=6)]
    net = Network.from_layers(weights, biases, ["relu", "hardtanh", "identity"])
    x = rng.normal(size=6) * 10.0 ** rng.uniform(-2, 4)
    problem = make_problem(net, x, ps.Box(-1, 1, dim=2))
    relaxer = Relaxer(problem)
    chain = relaxer.chain
    ranges = relaxer.root.copy()
    for _ in range(20):
        output = rng.normal(size=6) * 10.0 ** rng.uniform(-6, 6)
        output[5] = output[4]
        owners = np.arange(9, dtype=np.float64)
        owner = np.column_stack([owners, rng.normal(size=9), owners])
        rows = rng.normal(size=9) * 10.0 ** rng.uniform(-9, 3, 9) / np.append(np.full(5, scale), np.ones(4))
        found = relaxer.certify(ranges, output, rows, owner)
        assert np.isfinite(found.total)
        assert Fraction(found.total) <= exact_dual(problem, relaxer, ranges, found)
        length = sum((Fraction(y) ** 2 for y in output.tolist()), Fraction(0))
        assert Fraction(found.scale) ** 2 >= length
    assert len(chain.table) == 15


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e-150, 1.0, 1e150, 1e200, 1e307])
def test_norms_neither_underflow_nor_overflow(scale: float) -> None:
    row = np.array([3.0, 4.0]) * scale
    for norm, value in ((Norm.L2, 5.0), (Norm.L1, 7.0), (Norm.LINF, 4.0)):
        assert norm.of(row) == pytest.approx(value * scale, rel=1e-3 if scale < 1e-300 else 1e-15, abs=0.0)
        assert norm.rows(row[None])[0] == pytest.approx(norm.of(row), rel=1e-15, abs=0.0)
        assert norm.of(0.0 * row) == 0.0


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_the_error_of_a_distance_is_a_bound(norm: str) -> None:
    rng = np.random.default_rng(5)
    for seed in range(6):
        net = zoo.random_network((2, 9, 9, 5), "leaky_relu:0.1", seed=seed)
        z = rng.uniform(-1, 1, 2)
        problem = make_problem(net, net(z) + 1e-9 * rng.normal(size=5), ps.Box(-1, 1, dim=2), norm)
        distance, error = problem.distance(z), problem.distance_error(z)
        assert 0.0 < error < 1e-12
        power = exact_distance_power(problem, z)
        below, above = Fraction(distance) - Fraction(error), Fraction(distance) + Fraction(error)
        if problem.norm is Norm.L2:
            below, above = max(below, Fraction(0)) ** 2, above**2
        assert below <= power <= above
