"""Every certified bound of inversion is below the exact one: in Fractions, and without tolerance.

The exact value of a dual function for the multipliers as they are; exact ranges of thin boxes; and what
exclusions cut, looked at just outside of the new ends.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import polyspline as ps
from polyspline.inversion.bounds import tighten
from polyspline.inversion.chain import Chain, Floats
from polyspline.inversion.dual import exclude_beyond
from polyspline.inversion.last_units import exclude_far, see_last_units
from polyspline.inversion.node import Certificate, Relaxer
from polyspline.inversion.norms import Norm
from polyspline.inversion.problem import make_problem
from polyspline.inversion.region_bounds import Goal, least_along, weak_duality
from polyspline.inversion.region_maps import RegionMaps

UNITS = ("relu", "leaky_relu:0.1", "hardtanh", "softshrink:0.3", "identity")


def fraction_rows(values: Floats) -> list[list[Fraction]]:
    return [[Fraction(a) for a in row] for row in values.tolist()]


def product(a: list[Fraction], b: list[Fraction]) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def value_of_unit(chain: Chain, neuron: int, v: Fraction) -> Fraction:
    """Exact value of a neuron's unit."""
    count = (chain.table.shape[1] - 3) // 3
    row = chain.table[neuron].tolist()
    piece = sum(knot != math.inf and v > Fraction(knot) for knot in row[1 : 1 + count])
    return Fraction(row[1 + count + piece]) * v + Fraction(row[2 + 2 * count + piece])


def layers_of(chain: Chain) -> list[list[list[Fraction]]]:
    """Weights of each layer, exactly."""
    found, first = [], 0
    for before, after in zip(chain.widths[:-1].tolist(), chain.widths[1:].tolist(), strict=True):
        found.append(fraction_rows(chain.weights[first : first + before * after].reshape(after, before)))
        first += before * after
    return found


class Exact:
    """The exact dual function for multipliers as they are, term by term."""

    def __init__(self, relaxer: Relaxer, ranges: Floats, certificate: Certificate, rows: Floats) -> None:
        self.chain = relaxer.chain
        self.ranges = ranges
        self.dim = int(self.chain.widths[0])
        self.nu = [Fraction(a) for a in certificate.nu.tolist()]
        output = [Fraction(a) for a in certificate.output.tolist()]
        target = [Fraction(a) for a in relaxer.problem.target.tolist()]
        self.total = -product(output, target)
        self.a: list[Fraction] = []
        slope = self._carried(output)
        if len(relaxer.h):
            multipliers = [max(Fraction(a), Fraction(0)) for a in rows[len(rows) - len(relaxer.h) :].tolist()]
            self.total -= product(multipliers, [Fraction(a) for a in relaxer.h.tolist()])
            for c in range(self.dim):
                slope[c] += product(multipliers, [Fraction(a) for a in relaxer.G[:, c].tolist()])
        self.slope = slope
        for neuron in range(len(self.nu)):
            self.total += self.nu[neuron] * Fraction(float(self.chain.table[neuron, 0]))
            self.total += self.least(neuron)
        for c in range(self.dim):
            self.total += min(slope[c] * Fraction(end) for end in ranges[c].tolist())

    def _carried(self, output: list[Fraction]) -> list[Fraction]:
        """Coefficients on all values, in `a`; those on z."""
        carried, last = output, len(self.nu)
        for weights in reversed(layers_of(self.chain)):
            first = last - len(weights)
            self.a = carried + self.a
            columns = zip(*weights, strict=True)
            carried = [product(list(column), self.nu[first:last]) for column in columns]
            last = first
        return carried

    def term(self, neuron: int, v: Fraction) -> Fraction:
        return self.a[neuron] * value_of_unit(self.chain, neuron, v) - self.nu[neuron] * v

    def least(self, neuron: int) -> Fraction:
        count = (self.chain.table.shape[1] - 3) // 3
        low, high = self.ranges[self.dim + neuron].tolist()
        knots = [knot for knot in self.chain.table[neuron, 1 : 1 + count].tolist() if low < knot < high]
        return min(self.term(neuron, Fraction(v)) for v in [low, high, *knots])


def exact_dual_norm(norm: Norm, y: Floats) -> tuple[Fraction, bool]:
    """Dual norm, or its square and True."""
    sizes = [abs(Fraction(a)) for a in y.tolist()]
    if norm is Norm.L2:
        return product(sizes, sizes), True
    return (max(sizes), False) if norm is Norm.L1 else (sum(sizes, Fraction(0)), False)


def drawn(seed: int) -> tuple[Relaxer, np.random.Generator]:
    """A small problem whose numbers cancel, or are of many sizes, or of none."""
    rng = np.random.default_rng(seed)
    widths = [int(rng.integers(1, 3)), *rng.integers(1, 4, int(rng.integers(1, 4))).tolist(), 2]
    units = [UNITS[i] for i in rng.integers(0, len(UNITS), len(widths) - 2)]
    scales = 10.0 ** rng.integers(-5, 6, len(widths) - 1) if seed % 2 else np.ones(len(widths) - 1)
    weights = [
        rng.uniform(-1, 1, (after, before)) * scale
        for before, after, scale in zip(widths[:-1], widths[1:], scales, strict=True)
    ]
    biases = [rng.uniform(-1, 1, len(w)) * rng.choice([0.0, 1.0, 1e3]) for w in weights]
    net = ps.Network.from_layers(weights, biases, [*units, "identity"])
    corner = rng.uniform(0.5, 2.0, widths[0])
    domain: ps.Box | ps.Polytope = ps.Box(-corner, corner)
    if seed % 3 == 0:
        normals = np.vstack([np.eye(widths[0]), -np.eye(widths[0]), rng.uniform(-1, 1, (1, widths[0]))])
        domain = ps.Polytope(normals, np.concatenate([corner, corner, [0.7]]))
    target = net(rng.uniform(-0.3, 0.3, widths[0])) + rng.choice([0.0, 1e-9, 0.3]) * rng.normal(size=2)
    if seed % 5 == 0:  # far away: the target's products are all there is
        target = 1e8 * rng.normal(size=2)
    norm = ("l2", "l1", "linf")[int(rng.integers(3))]
    return Relaxer(make_problem(net, target, domain, norm)), rng


def thin_ranges(relaxer: Relaxer, rng: np.random.Generator) -> Floats:
    """Ranges of points near one, of any width."""
    ranges = relaxer.root.copy()
    dim = relaxer.problem.domain.dim
    low, high = ranges[:dim].T
    middle = rng.uniform(low, high)
    width = 10.0 ** rng.integers(-16, 1)
    ranges[:dim, 0] = np.maximum(low, middle - width)
    ranges[:dim, 1] = np.minimum(high, middle + width)
    assert tighten(relaxer.chain, ranges)
    return ranges


def certified(seed: int) -> tuple[Relaxer, Floats, Certificate, Exact, np.random.Generator]:
    relaxer, rng = drawn(seed)
    ranges = thin_ranges(relaxer, rng)
    neurons = len(relaxer.chain.table)
    output = rng.normal(size=len(relaxer.problem.target)) * 10.0 ** rng.integers(-3, 4)
    middle = np.mean(ranges[: relaxer.problem.domain.dim], axis=1)
    if output @ (relaxer.problem.image(middle) - relaxer.problem.target) < 0:
        output = -output
    own = rng.normal(size=neurons) * rng.choice([0.0, 1.0])
    rows = np.concatenate([own, rng.normal(size=len(relaxer.h))])
    owner = np.stack([np.arange(neurons), np.full(neurons, 0.3)], axis=1).astype(np.float64)
    owner = np.concatenate([owner, np.zeros((len(relaxer.h), 2))])
    certificate = relaxer.certify(ranges, output, rows, owner)
    return relaxer, ranges, certificate, Exact(relaxer, ranges, certificate, rows), rng


@pytest.mark.parametrize("block", range(8))
def test_the_total_is_at_most_the_exact_dual_value_for_any_multipliers(block: int) -> None:
    for seed in range(40 * block, 40 * block + 40):
        relaxer, _, certificate, exact, _ = certified(seed)
        assert np.isfinite(certificate.total)
        assert Fraction(certificate.total) <= exact.total
        length, squared = exact_dual_norm(relaxer.problem.norm, certificate.output)
        scale, bound = Fraction(certificate.scale), Fraction(certificate.bound)
        assert length <= (scale * scale if squared else scale)
        if bound:
            assert (bound * bound if squared else bound) * length <= (
                exact.total**2 if squared else exact.total
            )


@pytest.mark.parametrize("rows_of_the_domain", [False, True])
def test_slopes_that_cancel_over_neurons_and_coordinates_have_their_rounding(
    rows_of_the_domain: bool,
) -> None:
    """Products of size 1e8 that leave nothing: neither values nor offsets nor the sum are large."""
    rng = np.random.default_rng(int(rows_of_the_domain))
    for _ in range(150):
        z = rng.uniform(0.5, 1.0, 2)
        across = np.array([z[1], -z[0]])
        weight = rng.normal(size=(2, 2))
        if not rows_of_the_domain:
            weight = weight * 1e-3 + 1e8 * across * np.array([[1.0], [rng.uniform(1.0, 1.0 + 1e-9)]])
        net = ps.Network.from_layers([weight], [None], ["identity"])
        normals, sides = np.vstack([np.eye(2), -np.eye(2)]), np.concatenate([z + 1e-9, 1e-9 - z])
        strip = across * np.array([[1.0], [-rng.uniform(1.0, 1.0 + 1e-9)]])
        domain = ps.Polytope(np.vstack([normals, strip]), np.concatenate([sides, [1e-9, 1e-9]]))
        relaxer = Relaxer(make_problem(net, net(z), domain, "l2"))
        output = rng.uniform(0.5, 1.0) * np.array([1.0, -1.0])
        rows = np.zeros(len(relaxer.chain.table) + len(relaxer.h))
        if rows_of_the_domain:
            rows[-2:] = 1e8 * rng.uniform(1.0, 1.0 + 1e-9, 2)
        owner = np.zeros((len(rows), 2))
        certificate = relaxer.certify(relaxer.root.copy(), output, rows, owner)
        exact = Exact(relaxer, relaxer.root, certificate, rows)
        assert Fraction(certificate.total) <= exact.total


@pytest.mark.parametrize("block", range(8))
def test_exclusions_cut_no_point_that_may_be_nearer_than_the_cutoff(block: int) -> None:
    """Where a neuron has a value that is cut, the exact dual function says that all is farther."""
    cuts = 0
    for seed in range(40 * block, 40 * block + 40):
        relaxer, ranges, certificate, exact, rng = certified(seed)
        length, squared = exact_dual_norm(relaxer.problem.norm, certificate.output)
        for share in (0.0, 1e-15, 1e-3):
            width = rng.uniform(0.5, 1.0) * float(np.abs(certificate.coefficients[:, 0]).max())
            cutoff = (max(certificate.total, 0.0) + share * width) / certificate.scale
            after, room = ranges.copy(), certificate.room(cutoff)
            exclude_beyond(relaxer.chain.table, after, certificate.coefficients, certificate.nu, room)
            limit = Fraction(cutoff) ** 2 * length if squared else Fraction(cutoff) * length
            for place in range(len(ranges)):
                for side, towards in ((0, -np.inf), (1, np.inf)):
                    if after[place, side] == ranges[place, side]:
                        continue
                    cuts += 1
                    outside = Fraction(float(np.nextafter(after[place, side], towards)))
                    if place < exact.dim:
                        slope = exact.slope[place]
                        least = min(slope * Fraction(end) for end in ranges[place].tolist())
                        here = exact.total - least + slope * outside
                    else:
                        neuron = place - exact.dim
                        here = exact.total - exact.least(neuron) + exact.term(neuron, outside)
                    assert here > 0
                    assert (here * here if squared else here) >= limit
    assert cuts > 0


def exact_values(chain: Chain, z: Floats) -> list[Fraction]:
    """Pre-activations at a point, layer after layer."""
    inputs = [Fraction(a) for a in z.tolist()]
    found: list[Fraction] = []
    for weights in layers_of(chain):
        first = len(found)
        for i, row in enumerate(weights):
            found.append(product(row, inputs) + Fraction(float(chain.table[first + i, 0])))
        inputs = [value_of_unit(chain, first + i, v) for i, v in enumerate(found[first:])]
    return found


def enclosed(value: Fraction) -> tuple[float, float]:
    """The floats next to a number, on either side."""
    nearest = float(value)
    if Fraction(nearest) == value:
        return nearest, nearest
    other = math.nextafter(nearest, math.inf if Fraction(nearest) < value else -math.inf)
    return min(nearest, other), max(nearest, other)


@pytest.mark.parametrize("block", range(8))
@pytest.mark.parametrize("what", ["the point", "the point but one", "some neurons", "a knot"])
def test_ranges_hold_the_exact_values_of_every_point_within_them(what: str, block: int) -> None:
    for seed in range(40 * block, 40 * block + 40):
        relaxer, rng = drawn(seed)
        chain, dim = relaxer.chain, relaxer.problem.domain.dim
        ranges = relaxer.root.copy()
        z = np.asarray(rng.uniform(*ranges[:dim].T))
        exact = exact_values(chain, z)
        if what.startswith("the point"):
            ranges[:dim] = z[:, None]
            if what == "the point but one":
                ranges[0] = relaxer.root[0]
        for neuron, value in enumerate(exact):
            low, high = enclosed(value)
            if what == "some neurons" and rng.random() < 0.5:
                ranges[dim + neuron] = low, high
            if what == "a knot":  # as where it was branched on
                knot = float(chain.table[neuron, 1])
                if ranges[dim + neuron, 0] < knot < ranges[dim + neuron, 1]:
                    ranges[dim + neuron, int(value <= Fraction(knot))] = knot
        assert tighten(chain, ranges)
        for neuron, value in enumerate([*map(Fraction, z.tolist()), *exact]):
            low, high = ranges[neuron].tolist()
            assert Fraction(low) <= value <= Fraction(high)


@pytest.mark.parametrize("block", range(8))
def test_seen_from_the_target_last_units_keep_the_points_at_the_very_cutoff(block: int) -> None:
    seen_some = 0
    for seed in range(40 * block, 40 * block + 40):
        relaxer, rng = drawn(seed)
        problem, chain = relaxer.problem, relaxer.chain
        dim = problem.domain.dim
        seen = see_last_units(problem.scalar_layers, chain, relaxer.root, problem.target)
        if seen is None:
            continue
        seen_some += 1
        z = np.asarray(rng.uniform(*relaxer.root[:dim].T))
        exact = exact_values(chain, z)
        last = len(exact) - len(problem.target)
        image = [value_of_unit(chain, last + i, v) for i, v in enumerate(exact[last:])]
        residual = [a - Fraction(b) for a, b in zip(image, problem.target.tolist(), strict=True)]
        if problem.norm is Norm.L2:
            square = product(residual, residual)
            cutoff = math.sqrt(enclosed(square)[1])
            while Fraction(cutoff) ** 2 < square:
                cutoff = math.nextafter(cutoff, math.inf)
        else:
            sizes = [abs(a) for a in residual]
            cutoff = enclosed(max(sizes) if problem.norm is Norm.LINF else sum(sizes, Fraction(0)))[1]
        floats = np.array([float(a) for a in residual])
        for y in (floats, np.sign(floats), rng.normal(size=len(floats)), np.zeros(len(floats))):
            total = enclosed(product([Fraction(a) for a in y.tolist()], residual))[0]
            ranges = relaxer.root.copy()
            exclude_far(chain.table, ranges, *seen, y, total, cutoff, problem.norm.order)
            for place, value in enumerate(exact):
                low, high = ranges[dim + place].tolist()
                assert Fraction(low) <= value <= Fraction(high)
    assert seen_some > 0


@pytest.mark.parametrize("norm", list(Norm))
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_weak_duality_is_below_the_exact_dual_value_for_any_multipliers(norm: Norm, scale: float) -> None:
    rng = np.random.default_rng(int(scale * 1e6))
    for trial in range(60):
        slope, rows = rng.normal(size=(1, 3, 2)) * scale, rng.normal(size=(1, 4, 2))
        offset, sides = rng.normal(size=(1, 3)), rng.normal(size=(1, 4))
        error = rng.uniform(0, 1, (1, 3)) * rng.choice([0.0, 1e-14, 1e-3])
        slack = rng.uniform(0, 1, (1, 4)) * rng.choice([0.0, 1e-14, 1e-3])
        maps = RegionMaps(slope, offset, error, rows, sides, slack)
        z = rng.uniform(-1, 1, 2)
        target = slope[0] @ z + offset[0] + rng.normal(size=3) * rng.choice([1e-15, 1.0])
        multipliers = np.maximum(rng.normal(size=(1, 4)), 0.0) * rng.choice([0.0, 1.0, scale])
        # The multipliers of a box of one point make what is left cancel.
        corner = np.abs(rng.normal(size=2)) if trial % 2 else np.abs(z)
        lower, upper = (-corner, corner) if trial % 2 else (z, z)
        goal = Goal(target, norm, lower, upper)
        y = rng.normal(size=(1, 3)) * rng.choice([1e-3, 1.0, 1e3])
        exact_y = [Fraction(a) for a in y[0].tolist()]
        exact_m = [Fraction(a) for a in multipliers[0].tolist()]
        values = [Fraction(a) - Fraction(b) for a, b in zip(target.tolist(), offset[0].tolist(), strict=True)]
        exact = product(exact_y, values)
        exact -= product([abs(a) for a in exact_y], [Fraction(a) for a in error[0].tolist()])
        ends = [Fraction(a) + Fraction(b) for a, b in zip(sides[0].tolist(), slack[0].tolist(), strict=True)]
        exact -= product(exact_m, ends)
        for c in range(2):
            rest = product(exact_m, [Fraction(a) for a in rows[0, :, c].tolist()])
            rest -= product(exact_y, [Fraction(a) for a in slope[0, :, c].tolist()])
            exact += min(rest * Fraction(float(lower[c])), rest * Fraction(float(upper[c])))
        assert Fraction(float(least_along(goal, maps, y, multipliers)[0])) <= exact
        bound = float(weak_duality(goal, maps, y, multipliers)[0])
        length, squared = exact_dual_norm(norm, y[0])
        if bound:
            assert exact > 0
            assert (Fraction(bound) ** 2 if squared else Fraction(bound)) * length <= (
                exact**2 if squared else exact
            )
