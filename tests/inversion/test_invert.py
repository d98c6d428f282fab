"""Laws of the doorway: what is misused is refused in a sentence, what is stopped is kept."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import polyspline as ps
from polyspline.errors import ArgumentError, DomainError, NonFiniteError, PolysplineError, ShapeError
from polyspline.inversion.problem import make_problem
from polyspline.inversion.tracker import InversionProgress, Tracker, into_domain
from polyspline.network import zoo

NET = zoo.random_network([2, 8, 8, 4], seed=3)
BOX = ps.Box(-1, 1, dim=2)
X = [0.3, -1.0, 0.5, 0.2]
METHODS = ("search", "milp", "scan", "gradient")


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"norm": "l3"}, ArgumentError, "l2, l1, linf"),
        ({"method": "guess"}, ArgumentError, "search, milp, scan, gradient"),
        ({"method": "milp", "solver": "nosuch"}, ArgumentError, "nosuch"),
        ({"solver": "cbc"}, ArgumentError, "only the method milp"),
        ({"gap": -1.0}, ArgumentError, "gap"),
        ({"gap": float("nan")}, ArgumentError, "gap"),
        ({"max_seconds": -1.0}, ArgumentError, "max_seconds"),
        ({"max_nodes": 0}, ArgumentError, "max_nodes"),
        ({"method": "gradient", "starts": 0}, ArgumentError, "starts"),
        ({"measure": np.ones((2, 3))}, ShapeError, "expected (T, 4)"),
        ({"measure": np.ones((2, 4))}, ShapeError, "expected 2"),
        ({"measure": (np.ones((4, 4)), np.ones(3))}, ShapeError, "bias"),
    ],
)
def test_misuse_is_refused_in_a_sentence(
    options: dict[str, Any], kind: type[PolysplineError], words: str
) -> None:
    with pytest.raises(kind, match=re.escape(words)):
        ps.invert(NET, X, BOX, **options)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_needs_a_bounded_domain_of_the_right_dimension(method: str) -> None:
    with pytest.raises(DomainError, match="bounded"):
        ps.invert(NET, X, ps.WholeSpace(2), method=method)
    with pytest.raises(DomainError, match="dimension 3"):
        ps.invert(NET, X, ps.Box(-1, 1, dim=3), method=method)


@pytest.mark.parametrize(
    ("x", "kind"),
    [
        ([1.0, 2.0], ShapeError),
        ([[1.0, 2.0]], ShapeError),
        ([1.0, 2.0, 3.0, float("nan")], NonFiniteError),
        ([[1.0], [1.0, 2.0]], ShapeError),
        (np.zeros((0, 4)), ShapeError),
        (np.zeros((1, 1, 4)), ShapeError),
        ("text", ShapeError),
    ],
)
def test_a_target_that_does_not_fit_is_refused(x: object, kind: type[PolysplineError]) -> None:
    with pytest.raises(kind, match="x"):
        ps.invert(NET, x, BOX)  # type: ignore[arg-type]


def test_a_partition_of_something_else_is_refused() -> None:
    part = ps.enumerate_regions(NET, BOX)
    other = zoo.random_network([2, 8, 8, 4], seed=4)
    with pytest.raises(ArgumentError, match="another network"):
        ps.invert(other, X, BOX, method="scan", partition=part)
    with pytest.raises(ArgumentError, match="domain"):
        ps.invert(NET, X, ps.Box(-2, 1, dim=2), method="scan", partition=part)
    with pytest.raises(ArgumentError, match="only the method scan"):
        ps.invert(NET, X, BOX, partition=part)


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_all_methods_agree_and_the_gradient_never_beats_the_bound(norm: str) -> None:
    found = {method: ps.invert(NET, X, BOX, norm=norm, method=method) for method in METHODS}
    best = found["scan"]
    assert isinstance(best, ps.Inversion)
    for method, result in found.items():
        assert isinstance(result, ps.Inversion)
        assert (result.method, result.norm) == (method, norm)
        assert result.distance >= best.lower_bound
        assert result.lower_bound <= best.distance
        if method == "gradient":
            assert result.status is ps.InversionStatus.LOCAL
            assert result.lower_bound == 0
        else:
            assert result.status is ps.InversionStatus.OPTIMAL
            assert result.distance == pytest.approx(best.distance, rel=3e-6)


def test_a_batch_gives_what_each_target_gives() -> None:
    targets = np.array([X, [0.0, 0.0, 0.0, 0.0], NET([0.2, 0.7])])
    batch = ps.invert(NET, targets, BOX)
    assert isinstance(batch, tuple)
    for x, found in zip(targets, batch, strict=True):
        single = ps.invert(NET, x, BOX)
        assert isinstance(single, ps.Inversion)
        np.testing.assert_array_equal(found.z, single.z)


@pytest.mark.parametrize("method", ["search", "milp"])
def test_no_time_at_all_gives_no_solution(method: str) -> None:
    found = ps.invert(NET, X, BOX, method=method, max_seconds=0)
    assert isinstance(found, ps.Inversion)
    assert found.status is ps.InversionStatus.NO_SOLUTION
    assert found.z is None
    assert (found.distance, found.gap, found.lower_bound) == (np.inf, np.inf, 0.0)


@pytest.mark.parametrize("method", METHODS)
def test_ctrl_c_keeps_what_is_found(method: str) -> None:
    net = zoo.random_network([3, 16, 16, 8], "leaky_relu:0.1", seed=3)

    def stop(progress: InversionProgress) -> None:
        if np.isfinite(progress.distance):
            raise KeyboardInterrupt

    x = np.linspace(-2, 2, 8)
    found = ps.invert(net, x, ps.Box(-3, 3, dim=3), method=method, progress=stop)
    assert isinstance(found, ps.Inversion)
    assert found.interrupted
    assert found.z is not None
    assert found.distance == pytest.approx(np.linalg.norm(x - net(found.z)), rel=1e-12)
    assert found.lower_bound <= found.distance


def test_the_gap_asked_for_is_the_gap_that_ends_it() -> None:
    net = zoo.random_network([3, 12, 12, 8], "leaky_relu:0.1", seed=3)
    x = net([0.5, -0.5, 1.0]) + np.linspace(-0.3, 0.3, 8)
    loose = ps.invert(net, x, ps.Box(-3, 3, dim=3), gap=0.5)
    tight = ps.invert(net, x, ps.Box(-3, 3, dim=3), gap=1e-6)
    assert isinstance(loose, ps.Inversion)
    assert isinstance(tight, ps.Inversion)
    assert loose.gap <= 0.5
    assert tight.gap <= 1e-6
    assert loose.nodes <= tight.nodes


def test_points_are_moved_into_the_domain() -> None:
    triangle = ps.Polytope([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [0.0, 0.0, 1.0])
    for z in ([0.5, 0.5 + 1e-15], [2.0, 2.0], [-1e-17, 0.5], [0.25, 0.25]):
        moved = into_domain(triangle, np.array(z))
        assert triangle.contains(moved)
    np.testing.assert_array_equal(into_domain(triangle, np.array([0.25, 0.25])), [0.25, 0.25])
    near = into_domain(triangle, np.array([0.5, 0.5 + 1e-15]))
    np.testing.assert_allclose(near, [0.5, 0.5], atol=1e-12)


def test_the_tracker_takes_only_what_is_better() -> None:
    tracker = Tracker(make_problem(NET, X, BOX), gap=1e-6)
    assert not np.isfinite(tracker.gap)
    assert tracker.offer([0.0, 0.0])
    first = tracker.distance
    assert not tracker.offer([0.0, 0.0])
    tracker.raise_bound(first / 2)
    tracker.raise_bound(first / 4)
    assert tracker.lower_bound == first / 2
    tracker.raise_bound(2 * first, proven=False)
    assert tracker.lower_bound == first
    assert tracker.closed
