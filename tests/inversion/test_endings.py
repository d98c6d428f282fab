"""How inversions end: with the truth proven, with the true reason why not, in time, and never in silence."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import polyspline as ps
from polyspline.errors import InvariantError, TooLargeError
from polyspline.inversion import Ending, milp
from polyspline.inversion.chain import Floats
from polyspline.inversion.problem import make_problem
from polyspline.inversion.tracker import ClosedTrackerError, Tracker
from polyspline.network import Network, zoo
from solvers.errors import SolverFailedError
from solvers.qp import regression
from solvers.qp.bounding import bounding_multipliers
from solvers.qp.daqp import QPSolution, QPStatus, minimise_quadratic
from solvers.qp.kinks import minimise_kinks
from solvers.qp.regression import fit_over_polyhedron

LARGE = Path(__file__).parents[2] / "examples" / "app_e_fc.npz"
SECONDS_LATE = 8.0
"""Two seconds are promised; the machines of the checks are slow and shared."""


def noisy(k: int, rms: float) -> tuple[Network, Floats]:
    """Network of 64 units, and an image of it with noise of a given root mean square."""
    net = zoo.random_network((8, 32, 32, 64), "relu", seed=k)
    rng = np.random.default_rng([k, 1])
    image = net(rng.uniform(-3, 3, 8))
    noise = rng.normal(size=64)
    return net, image + noise * (rms / np.sqrt(np.mean(noise**2)))


@pytest.mark.parametrize(
    ("k", "rms", "norm", "gap", "optimum"),
    [
        (0, 0.5, "l1", 1e-4, 21.9915516),
        (0, 0.5, "l2", 1e-6, 3.762088834),
        (2, 0.1, "linf", 1e-2, 0.177674768),
        (2, 0.1, "linf", 1e-6, 0.177674768),
    ],
)
def test_the_last_units_keep_the_optimum(k: int, rms: float, norm: str, gap: float, optimum: float) -> None:
    net, x = noisy(k, rms)
    found = ps.invert(net, x, ps.Box(-3, 3, dim=8), norm=norm, gap=gap)
    assert isinstance(found, ps.Inversion)
    assert found.lower_bound <= optimum * (1.0 + 1e-8)
    assert found.distance == pytest.approx(optimum, rel=max(gap, 1e-8))
    assert (found.status.key, found.ending) == ("optimal", Ending.CLOSED)


@pytest.mark.parametrize("seed", [15, 27, 3])
@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_a_run_without_limits_closes_the_gap(seed: int, norm: str) -> None:
    net = zoo.random_network((4, 8, 11), "relu", seed=seed)
    rng = np.random.default_rng(seed)
    x = net(rng.uniform(-1, 1, 4)) + rng.choice([0, 0.01, 0.1, 0.5]) * rng.normal(size=11)
    box = ps.Box(-1, 1, dim=4)
    found, scan = (ps.invert(net, x, box, norm=norm, method=method) for method in ("search", "scan"))
    assert isinstance(found, ps.Inversion)
    assert isinstance(scan, ps.Inversion)
    assert (found.status.key, found.ending) == ("optimal", Ending.CLOSED)
    assert found.lower_bound <= scan.distance * (1.0 + 1e-12) + 1e-15
    assert scan.lower_bound <= found.distance * (1.0 + 1e-12) + 1e-15


def test_a_gap_that_rounding_leaves_is_called_that() -> None:
    net = Network.from_layers([[[0.1], [0.7]], [[0.3, 0.1], [0.2, -0.7]]], [[0.3, 0.1], [0.1, 0.3]], "relu")
    x = net([0.37]) + 1e-16
    for method in ("search", "scan"):
        found = ps.invert(net, x, ps.Box(-1, 1, dim=1), gap=0.0, method=method)
        assert isinstance(found, ps.Inversion)
        assert found.ending is (Ending.CLOSED if found.gap == 0.0 else Ending.PRECISION)


def test_limits_are_named() -> None:
    net, x = noisy(1, 0.5)
    box = ps.Box(-3, 3, dim=8)
    nodes, none = ps.invert(net, x, box, max_nodes=3), ps.invert(net, x, box, max_seconds=0.0)
    assert isinstance(nodes, ps.Inversion)
    assert isinstance(none, ps.Inversion)
    assert (nodes.status.key, nodes.ending) == ("feasible", Ending.NODES)
    assert (none.status.key, none.ending) == ("no_solution", Ending.SECONDS)


# ---- contradictions


def small() -> Tracker:
    """Tracker of a small problem with an incumbent."""
    net = zoo.random_network((2, 6, 3), "relu", seed=0)
    tracker = Tracker(make_problem(net, [1.0, 2.0, 3.0], ps.Box(-1, 1, dim=2)), gap=1e-6)
    assert tracker.offer([0.0, 0.0])
    return tracker


def test_a_proven_bound_above_a_distance_is_an_error() -> None:
    tracker = small()
    with pytest.raises(InvariantError, match="please report"):
        tracker.raise_bound(tracker.distance * (1.0 + 1e-12))
    nearer = small()
    better = next(
        z
        for z in np.random.default_rng(0).uniform(-1, 1, (99, 2))
        if nearer.problem.distance(z) < nearer.distance
    )
    nearer.raise_bound(nearer.distance)
    with pytest.raises(InvariantError, match="please report"):
        nearer.offer(better)


def test_a_bound_above_a_distance_by_rounding_is_cut_off_there() -> None:
    tracker = small()
    distance = tracker.distance
    tracker.raise_bound(float(np.nextafter(distance, np.inf)))
    assert tracker.lower_bound == distance


def test_a_bound_on_the_word_of_a_solver_is_cut_off_at_the_distance() -> None:
    tracker = small()
    tracker.raise_bound(2.0 * tracker.distance, proven=False)
    assert tracker.lower_bound == tracker.distance


def test_a_closed_tracker_takes_nothing() -> None:
    tracker = small()
    tracker.close()
    with pytest.raises(ClosedTrackerError):
        tracker.raise_bound(tracker.distance / 2)


# ---- solvers


def test_a_fit_by_the_dual_program_starts_no_primal_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    A, b = rng.integers(-9, 9, (14, 2)), rng.integers(-9, 9, 14)
    G, h = rng.integers(-5, 5, (15, 2)), rng.integers(1, 9, 15)
    box = -np.ones(2), np.ones(2)

    def gives_up(*_args: object, **_options: object) -> QPSolution:
        return QPSolution(QPStatus.FAILED, np.nan, None, None, 0)

    for order in (1.0, np.inf):
        with monkeypatch.context() as patched:
            patched.setattr(regression, "minimise_linear", gives_up)
            first = fit_over_polyhedron(A, b, G, h, *box, order)
        assert first.status is QPStatus.OPTIMAL
        assert len(first.multipliers) == 17
        second = fit_over_polyhedron(A, b, G, h, *box, order, start=first)
        assert second.value == pytest.approx(first.value)


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e300])
def test_solvers_come_back_from_numbers_that_are_none(number: float) -> None:
    one, side = np.ones((1, 1)), np.ones(1)
    assert minimise_quadratic([[number]], [number], one, -side, side).status in (
        QPStatus.FAILED,
        QPStatus.OPTIMAL,
    )
    kinks = np.array([[-1.0, 1.0, 1e4], [number, number, 1.0], [0.0, 0.0, number]])
    _, _, _, _, steps = minimise_kinks(
        np.array([[number, 1.0]]), kinks, np.zeros(3, dtype=np.int8), np.zeros(1)
    )
    assert steps <= 30
    for order in (1.0, 2.0, np.inf):
        for found in bounding_multipliers(
            number * one, number * side, -side, side, one, -side, side, order=order, scale=1e-9
        ):
            assert np.isfinite(found.output).all()
        fit = fit_over_polyhedron(number * one, number * side, one, side, -side, side, order)
        assert fit.status in (QPStatus.FAILED, QPStatus.OPTIMAL)


def test_a_solver_that_breaks_down_leaves_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_turns: object) -> None:
        raise SolverFailedError("solver broke down (Not Set).")

    monkeypatch.setattr(milp._Turns, "go", broken)
    net, x = noisy(0, 0.5)
    found = ps.invert(net, x, ps.Box(-3, 3, dim=8), method="milp")
    assert isinstance(found, ps.Inversion)
    assert (found.status.key, found.ending) == ("feasible", Ending.FAILED)
    assert np.isfinite(found.distance)


# ---- numbers past the largest float

LAYERS = Network.from_layers


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
@pytest.mark.parametrize("method", ["search", "scan", "milp"])
def test_numbers_out_of_range_are_one_error(norm: str, method: str) -> None:
    steep = LAYERS(
        [[[1e307]], [[-1e200]], [[-1e300]]], [[0.0]] * 3, ["leaky_relu:0.1", "hardtanh", "identity"]
    )
    plain = LAYERS([[[1.0]], [[1.0]]], [[0.0], [0.0]], "relu")
    for net, x in ((steep, 1e300), (steep, 1.0), (plain, 1e200)):
        with pytest.raises(TooLargeError, match="scale"):
            ps.invert(net, [x], ps.Box([-0.3], [0.7]), norm=norm, method=method, max_seconds=3.0)


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_numbers_that_underflow_leave_a_bound_that_holds(norm: str) -> None:
    tiny = 1e-170
    parts = LAYERS([[[tiny], [tiny]], [[1.0, 0], [0, 1.0]]], [[0, tiny], [0, 0]], "relu")
    chain = LAYERS([[[1e-200]], [[1e-200]], [[1e200]], [[1e200]]], [[0.0]] * 4, ["identity"] * 4)
    flat = LAYERS([[[1e100]], [[1.0]]], [[0.0], [0.0]], ["leaky_relu:0.1", "identity"])
    for net, x, box, most in (
        (parts, [2 * tiny, -tiny], ps.Box([-1.0], [1.0]), 3.1 * tiny),
        (chain, [-0.5], ps.Box([-1.0], [-0.1]), 0.0),
        (flat, [0.3], ps.Box([-1e-200], [1e-200]), 0.3),
    ):
        found = ps.invert(net, x, box, norm=norm, max_seconds=5.0)
        assert isinstance(found, ps.Inversion)
        assert found.lower_bound <= most


# ---- time


def large() -> tuple[Network, Floats]:
    """Network of 1,792 units, and an x that it does not reach."""
    net = ps.load_network(LARGE)
    x = net(np.random.default_rng(0).uniform(-1, 1, 10)) + 0.1 * np.random.default_rng(1).normal(size=784)
    return net, x


@pytest.mark.parametrize("norm", ["l2", "l1", "linf"])
def test_a_limit_is_kept_whatever_solver_runs(norm: str) -> None:
    net, x = large()
    for method in ("search", "milp"):
        began = time.perf_counter()
        found = ps.invert(net, x, ps.Box(-1, 1, dim=10), norm=norm, method=method, max_seconds=2.0)
        assert time.perf_counter() - began <= 2.0 + SECONDS_LATE
        assert isinstance(found, ps.Inversion)
        assert (found.status.key, found.ending) == ("feasible", Ending.SECONDS)
        assert np.isfinite(found.distance)


def test_ctrl_c_keeps_what_was_found() -> None:
    net, x = large()
    timer = threading.Timer(3.0, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    began = time.perf_counter()
    found = ps.invert(net, x, ps.Box(-1, 1, dim=10))
    assert time.perf_counter() - began <= 3.0 + SECONDS_LATE
    timer.join()
    assert isinstance(found, ps.Inversion)
    assert (found.interrupted, found.ending) == (True, Ending.INTERRUPTED)
    assert np.isfinite(found.distance)
