"""Laws of injectivity: verdicts against slow oracles, pairs that collide, and no claim without proof."""

from __future__ import annotations

import sys
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from polyspline.domains import Box, Domain, Polytope, WholeSpace
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, DomainError
from polyspline.inversion.image_pairs import image_ranges, meeting_pairs
from polyspline.inversion.injectivity import (
    Injectivity,
    InjectivityVerdict,
    _certainly_full_rank,
    injectivity,
)
from polyspline.inversion.region_maps import mapper_of
from polyspline.network import Network, zoo
from polyspline.partition import Partition
from solvers.rational import rank
from tests.inversion.support import exact_image, maxout
from tests.oracle.cases import integer_weights, random_weights

Floats = npt.NDArray[np.float64]
Planar = tuple[Fraction, Fraction]

YES, NO = InjectivityVerdict.INJECTIVE, InjectivityVerdict.NOT_INJECTIVE
UNDECIDED = InjectivityVerdict.UNDECIDED


def fold(slope: float = 0.25) -> Network:
    """lrelu(z) + lrelu(-z) = (1 - slope) abs(z)."""
    layers = [[[1.0], [-1.0]], [[1.0, 1.0]]]
    return Network.from_layers(layers, [[0.0, 0.0], [0.0]], f"leaky_relu:{slope}")


def doubled_angle() -> Network:
    """Map of the plane that goes around twice: (|a| - |b|, |a + b| - |a - b|).

    It keeps orientation in every region and folds nowhere, yet G(z) = G(-z).
    """
    rows = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0]]
    out = [[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]]
    return Network.from_layers([rows, out], [[0.0] * 4, [0.0] * 2], "abs")


def chain(dim: int, seed: int, depth: int = 2) -> Network:
    """Invertible matrices and leaky ReLUs: injective."""
    return Network.from_layers(*random_weights([dim] * (depth + 2), seed), "leaky_relu:0.25")


def check_pair(net: Network, domain: Domain, found: Injectivity) -> None:
    assert found.pair is not None
    first, second = found.pair
    assert np.all(domain.contains(np.array([first, second])))
    assert found.separation == pytest.approx(np.linalg.norm(first - second), rel=1e-15)
    assert found.separation > 0
    assert found.residual == pytest.approx(np.linalg.norm(net(first) - net(second)), rel=1e-15)
    assert found.residual <= 1e-13 * (1 + np.linalg.norm(net(first)))
    assert found.residual <= 1e-8 * found.separation


@pytest.mark.parametrize("domain", [Box(-1, 1, dim=1), WholeSpace(1), Polytope([[1.0], [-2.0]], [1.5, 0.5])])
def test_full_rank_everywhere_is_not_enough(domain: Domain) -> None:
    net = fold()
    found = injectivity(net, domain)
    assert found.verdict is NO
    assert found.regions == 2
    check_pair(net, domain, found)


def test_a_fold_outside_the_domain_does_no_harm() -> None:
    assert injectivity(fold(), Box(0.5, 2, dim=1)).verdict is YES
    assert injectivity(fold(), Box(0, 2, dim=1)).verdict is YES
    assert injectivity(fold(), Box(-(2.0**-30), 2, dim=1)).verdict is NO


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_a_chain_of_invertible_layers_is_injective(dim: int, seed: int) -> None:
    net = chain(dim, seed, depth=1 if dim == 3 else 2)
    assert injectivity(net, Box(-2, 2, dim=dim)).verdict is YES
    found = injectivity(net, WholeSpace(dim))
    assert found.verdict is YES
    assert found.pair is None
    assert np.isnan(found.residual)


def test_fewer_outputs_than_inputs_collide_at_once() -> None:
    net = Network.from_layers(*random_weights([3, 6, 2], 0))
    domain = Box(-1, 1, dim=3)
    found = injectivity(net, domain)
    assert found.verdict is NO
    assert found.regions == 1
    check_pair(net, domain, found)


@pytest.mark.parametrize("domain", [Box(-1, 2, dim=2), WholeSpace(2)])
def test_a_network_without_units_is_as_injective_as_its_matrix(domain: Domain) -> None:
    matrix = np.array([[1.0, 2.0], [3.0, 6.0], [0.5, 1.0]])
    found = injectivity(Network.from_layers([matrix], [[0.0, 1.0, 2.0]]), domain)
    assert found.verdict is NO
    matrix[2, 1] = np.nextafter(1.0, 2.0)
    assert injectivity(Network.from_layers([matrix], [[0.0, 1.0, 2.0]]), domain).verdict is YES
    assert injectivity(Network.from_layers([np.eye(2)], [[0.0, 1.0]]), domain).verdict is YES


@pytest.mark.parametrize("domain", [Box(-1, 2, dim=2), WholeSpace(2)])
def test_a_constant_network_is_not_injective(domain: Domain) -> None:
    net = Network.from_layers([np.zeros((3, 2)), np.ones((2, 3))], [[0.0, 1.0, -1.0], [0.0, 0.0]])
    found = injectivity(net, domain)
    assert found.verdict is NO
    check_pair(net, domain, found)
    assert found.residual == 0.0


def test_one_region_of_low_rank_is_enough() -> None:
    net = Network.from_layers([np.eye(2), np.eye(2)], [[0.0, 0.0], [0.0, 0.0]], "relu")
    domain = Box([-0.01, -0.01], [2, 2])
    found = injectivity(net, domain)
    assert found.verdict is NO
    check_pair(net, domain, found)
    assert found.pairs_tested == 0


def test_a_map_that_goes_around_twice_is_refuted_by_regions_that_are_no_neighbours() -> None:
    net = doubled_angle()
    for domain in (Box(-1, 1, dim=2), WholeSpace(2)):
        found = injectivity(net, domain)
        assert found.verdict is NO
        check_pair(net, domain, found)
    half = Polytope([[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], [-0.125, 1.0, 1.0, 1.0])
    assert injectivity(net, half).verdict is YES


# ---- curves: the image is a chain of segments, and injective if and only if the chain is simple


def breakpoints(part: Partition) -> list[Fraction]:
    """Ends of the regions of a partition of an interval, exactly."""
    ends = {Fraction(float(end)) for end in np.concatenate(part.domain.bounds())}
    for region in part:
        for facet in region.facets:
            ends.add(Fraction(-facet.row[1], facet.row[0]))
    return sorted(ends)


def cross(a: Planar, b: Planar) -> Fraction:
    return a[0] * b[1] - a[1] * b[0]


def minus(a: Planar, b: Planar) -> Planar:
    return a[0] - b[0], a[1] - b[1]


def common(p: Planar, q: Planar, r: Planar, s: Planar) -> set[Fraction]:
    """Parameters along p-q of the points that it shares with r-s (both ends of a shared stretch)."""
    d, e, f = minus(q, p), minus(s, r), minus(r, p)
    if cross(d, e) != 0:
        t, w = cross(f, e) / cross(d, e), cross(f, d) / cross(d, e)
        return {t} if 0 <= t <= 1 and 0 <= w <= 1 else set()
    if cross(f, d) != 0:
        return set()
    axis = 0 if d[0] != 0 else 1
    ends = sorted([(r[axis] - p[axis]) / d[axis], (s[axis] - p[axis]) / d[axis]])
    low, high = max(Fraction(0), ends[0]), min(Fraction(1), ends[1])
    return {low, high} if low <= high else set()


def is_simple(points: list[Planar]) -> bool:
    """Whether a chain of segments meets itself nowhere but where one segment follows another."""
    segments = list(pairwise(points))
    if any(p == q for p, q in segments):
        return False
    for i, (p, q) in enumerate(segments):
        for j in range(i + 1, len(segments)):
            shared = common(p, q, *segments[j])
            if shared - ({Fraction(1)} if j == i + 1 else set()):
                return False
    return True


def curves() -> list[tuple[str, Network]]:
    nets = []
    for seed in range(14):
        nets.append((f"random {seed}", Network.from_layers(*random_weights([1, 5, 3, 2], seed), "abs")))
        weights = integer_weights([1, 3, 3, 2], seed)
        nets.append((f"lattice {seed}", Network.from_layers(*weights, "leaky_relu:0.25")))
        nets.append((f"maxout {seed}", maxout([1, 3, 2], [3, 2], seed)))
    return nets


def test_a_curve_is_injective_if_and_only_if_it_does_not_meet_itself() -> None:
    verdicts = []
    for name, net in curves():
        domain = Box(-2, 2, dim=1)
        part = enumerate_regions(net, domain)
        points = [exact_image(net, [z]) for z in breakpoints(part)]
        expected = is_simple([(x, y) for x, y in points])
        found = injectivity(net, domain, part)
        assert found.verdict is (YES if expected else NO), name
        if not expected:
            check_pair(net, domain, found)
        verdicts.append(expected)
    assert 5 <= sum(verdicts) <= len(verdicts) - 5


@pytest.mark.parametrize(("end", "expected"), [(1.0, NO), (0.9375, YES), (1.0625, NO)])
def test_a_curve_that_ends_on_itself_is_not_injective(end: float, expected: InjectivityVerdict) -> None:
    # A loop (t, ...) whose end just reaches, misses or crosses its first segment.
    rows = [[1.0], [1.0], [1.0], [1.0]]
    biases = [3.0, -1.0, -2.0, -3.0]
    x = [1.0, -1.0, -1.0, 1.0]
    y = [0.0, 1.0, -1.0, -1.0]
    net = Network.from_layers([rows, [x, y]], [biases, [0.0, 0.0]], "relu")
    assert injectivity(net, Box(-2, 3 + end, dim=1)).verdict is expected


# ---- limits


def test_a_limit_on_the_regions_leaves_it_to_the_program() -> None:
    net = fold()
    domain = Box(-1, 1, dim=1)
    found = injectivity(net, domain, max_regions=1, max_seconds=60)
    assert found.verdict is NO
    assert found.regions == 1
    check_pair(net, domain, found)


def test_the_program_alone_proves_nothing() -> None:
    found = injectivity(chain(2, 0), Box(-2, 2, dim=2), max_regions=2, max_seconds=60)
    assert found.verdict is UNDECIDED
    assert found.pair is None
    assert "cbc" in found.decided


def test_the_program_finds_pairs_of_general_units() -> None:
    net = doubled_angle()
    domain = Box(-1, 1, dim=2)
    found = injectivity(net, domain, max_regions=1, max_seconds=60, solver="cbc")
    assert found.verdict is NO
    check_pair(net, domain, found)
    clipped = Network.from_layers([[[1.0], [2.0]]], [[0.0, 0.0]], ["hardtanh"])
    found = injectivity(clipped, Box(-0.75, 3, dim=1), max_regions=1, max_seconds=60)
    assert found.verdict is NO
    check_pair(clipped, Box(-0.75, 3, dim=1), found)


def test_a_partial_partition_never_proves_injectivity() -> None:
    net = chain(2, 1)
    part = enumerate_regions(net, WholeSpace(2), max_regions=3)
    found = injectivity(net, WholeSpace(2), part)
    assert found.verdict is UNDECIDED
    assert "bounded" in found.decided
    assert "3 regions" in found.excluded


def test_without_time_nothing_is_claimed() -> None:
    net = chain(2, 0)
    domain = Box(-2, 2, dim=2)
    found = injectivity(net, domain, enumerate_regions(net, domain), max_seconds=1e-9)
    assert found.verdict is UNDECIDED
    assert "time" in found.decided


def test_the_program_is_not_needed_where_the_partition_is_complete() -> None:
    net = chain(2, 0)
    domain = Box(-2, 2, dim=2)
    part = enumerate_regions(net, domain)
    given, own = injectivity(net, domain, part), injectivity(net, domain)
    assert given.verdict is own.verdict is YES
    assert given.pairs_tested == own.pairs_tested
    assert len(part) == own.regions


def test_bad_input_is_refused() -> None:
    net = fold()
    part = enumerate_regions(net, Box(-1, 1, dim=1))
    with pytest.raises(ArgumentError, match="another network"):
        injectivity(fold(0.5), part.domain, part)
    with pytest.raises(ArgumentError, match="the domain is"):
        injectivity(net, Box(-2, 1, dim=1), part)
    with pytest.raises(ArgumentError, match="max_seconds"):
        injectivity(net, part.domain, part, max_seconds=0)
    with pytest.raises(ArgumentError, match="max_regions"):
        injectivity(net, part.domain, max_regions=0)
    with pytest.raises(ArgumentError, match="not known"):
        injectivity(net, part.domain, part, solver="abacus")
    with pytest.raises(DomainError):
        injectivity(net, Box(-1, 1, dim=2))


# ---- the rank of slopes


@pytest.mark.parametrize(
    "weights",
    [
        [[[5e-160, 9e-160]], [[3e-160], [5e-160]]],
        [[[5e-200, 9e-200]], [[3e-200], [5e-200]], [[1e200, 0], [0, 1e200]], [[1e150, 0], [0, 1e150]]],
        [[[1e200, 3e200]], [[1e200], [7e200]]],
        [[[0.1, 0.3]], [[0.7], [1 / 3]]],
        [[[0.1, 0.3], [0.1, 0.3]]],
    ],
)
def test_a_slope_of_rank_1_is_never_proven_to_have_rank_2(weights: list[list[list[float]]]) -> None:
    net = Network.from_layers(weights, [[0.0] * len(w) for w in weights], ["identity"] * len(weights))
    with np.errstate(all="ignore"):
        found = injectivity(net, Box(-1.0, 1.0, dim=2))
    assert found.verdict is NO
    assert found.pair is not None
    first, second = found.pair
    size = max(map(abs, exact_image(net, [1.0, 1.0])))
    for a, b in zip(exact_image(net, first), exact_image(net, second), strict=True):
        assert abs(a - b) <= Fraction(1, 10**12) * size
    assert found.separation > 0


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1.0, 1e160, 1e300])
def test_ranks_do_not_depend_on_the_scale(scale: float) -> None:
    rows = np.array([[1.0, 2.0], [3.0, 5.0], [1.0, 1.0]])
    net = Network.from_layers([rows * scale], [[0.0] * 3], ["identity"])
    part = enumerate_regions(net, Box(-1, 1, dim=2))
    assert _certainly_full_rank(part, mapper_of(part, net.layers), np.arange(1)).all()
    assert injectivity(net, part.domain, part).verdict is YES


def test_a_rank_that_is_proven_is_the_exact_one() -> None:
    rng = np.random.default_rng(0)
    proven = 0
    for trial in range(300):
        rows = rng.normal(size=(3, 2)) * 10.0 ** rng.integers(-3, 4, size=(3, 1))
        # The second column is a multiple of the first, or nearly so.
        factor = rng.choice([2.0, 0.5, 1 / 3])
        rows[:, 1] = factor * rows[:, 0]
        near = trial % 3
        if near:
            rows[0, 1] *= 1.0 + rng.choice([2.0**-52, 2.0**-45, 2.0**-30, 2.0**-20])
        scale = 10.0 ** rng.integers(-300, 301)
        net = Network.from_layers([rows * scale], [[0.0] * 3], ["identity"])
        part = enumerate_regions(net, Box(-1, 1, dim=2), max_regions=1)
        sure = bool(_certainly_full_rank(part, mapper_of(part, net.layers), np.arange(1))[0])
        if sure:
            assert rank(net.layers[0].weight) == 2
            proven += 1
    assert proven > 20


# ---- the pairs that bounds leave


def test_ranges_of_images_hold_their_corners_and_are_tight() -> None:
    net = Network.from_layers(*random_weights([2, 6, 4, 3], 4), "leaky_relu:0.25")
    part = enumerate_regions(net, Box(-2, 2, dim=2))
    directions = np.random.default_rng(0).normal(size=(5, 3))
    low, high = image_ranges(part, mapper_of(part, net.layers), np.arange(len(part)), directions)
    for region in part:
        values = net(region.vertices()) @ directions.T
        assert np.all(low[region.index] <= values.min(axis=0) + 1e-14)
        assert np.all(high[region.index] >= values.max(axis=0) - 1e-14)
        np.testing.assert_allclose(low[region.index], values.min(axis=0), atol=1e-6)
        np.testing.assert_allclose(high[region.index], values.max(axis=0), atol=1e-6)


def test_regions_that_touch_are_never_left_out() -> None:
    net = Network.from_layers(*random_weights([2, 6, 4, 3], 4), "leaky_relu:0.25")
    part = enumerate_regions(net, Box(-2, 2, dim=2))
    kept = {tuple(pair) for pairs in meeting_pairs(part) for pair in pairs.tolist()}
    edges = {tuple(pair) for pair in part.edges.tolist()}
    assert not kept & edges
    corners = [region.vertices() for region in part]
    touching = set()
    for i in range(len(part)):
        for j in range(i + 1, len(part)):
            gap = np.linalg.norm(corners[i][:, None] - corners[j][None], axis=2)
            if gap.min() < 1e-13:
                touching.add((i, j))
    assert touching <= kept | edges
    assert len(touching) > len(edges)
    assert len(kept) < 0.5 * len(part) * (len(part) - 1) / 2


def test_ctrl_c_leaves_it_undecided_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> Injectivity:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["polyspline.inversion.injectivity"]._Search, "run", stopped)
    net = Network.from_layers([np.eye(2), np.eye(2)], [None, None], "leaky_relu:0.5")
    found = injectivity(net, Box(-1, 1, dim=2))
    assert found.verdict is InjectivityVerdict.UNDECIDED
    assert found.interrupted


def test_the_limit_on_the_work_is_one_place_on_every_machine() -> None:
    net = zoo.random_network((2, 8, 6, 3), "leaky_relu:0.3", seed=1)
    box = Box(-1.0, 1.0, dim=2)
    part = enumerate_regions(net, box)
    whole = injectivity(net, box, part)
    few = [injectivity(net, box, part, max_work=3) for _ in range(2)]
    assert [one.pairs_tested for one in few] == [3, 3]
    assert few[0].verdict is InjectivityVerdict.UNDECIDED
    assert "the limit of 3 decisions" in few[0].decided
    assert injectivity(net, box, part, max_work=10**6).verdict is whole.verdict
    with pytest.raises(ArgumentError, match="max_work is 0"):
        injectivity(net, box, part, max_work=0)
