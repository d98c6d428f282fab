"""Who does the work does not show: threads, processes and failing workers give one and the same answer."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import polyspline as ps
from tests.agreement.support import assert_identical

NET = ps.zoo.random_network([3, 12, 10, 2], seed=4)
CUBE = ps.Box(-1.0, 1.0, dim=3)

pytestmark = pytest.mark.usefixtures("cut_early")


class Failing(Executor):
    """Runs everything at once, but for the calls whose number is in `bad`: those end in an error."""

    def __init__(self, bad: set[int], error: Exception) -> None:
        self.calls = 0
        self._bad = bad
        self._error = error

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.calls += 1
        if self.calls in self._bad:
            future.set_exception(self._error)
        else:
            future.set_result(fn(*args, **kwargs))
        return future


@pytest.fixture(scope="module")
def alone(cut_early: None) -> Any:
    return ps.enumerate_regions(NET, CUBE, method="split")


@pytest.mark.parametrize("workers", [2, 3])
def test_threads_give_the_same_arrays(alone: Any, workers: int) -> None:
    assert_identical(alone, ps.enumerate_regions(NET, CUBE, method="split", workers=workers))


def test_degenerate_subtrees_join_across_their_seams() -> None:
    # Zero biases: all facets meet in one point, and units die together.
    base = ps.zoo.random_network([3, 8, 6, 4, 1], seed=1)
    weights = [layer.weight for layer in base.layers]
    net = ps.Network.from_layers(weights, [np.zeros(len(weight)) for weight in weights])
    alone = ps.enumerate_regions(net, CUBE, method="split")
    assert_identical(alone, ps.enumerate_regions(net, CUBE, method="split", workers=2))
    assert ps.count(net, CUBE, workers=2).adjacencies == alone.n_adjacencies


def test_limits_cut_at_the_same_place_for_any_number_of_workers(alone: Any) -> None:
    half = len(alone) // 2
    one = ps.enumerate_regions(NET, CUBE, method="split", max_regions=half)
    assert_identical(one, ps.enumerate_regions(NET, CUBE, method="split", max_regions=half, workers=2))


def test_an_executor_of_threads_gives_the_same_arrays(alone: Any) -> None:
    with ThreadPoolExecutor(2) as executor:
        assert_identical(alone, ps.enumerate_regions(NET, CUBE, method="split", executor=executor))


def test_an_executor_of_processes_gives_the_same_arrays(alone: Any) -> None:
    with ProcessPoolExecutor(1) as executor:
        assert_identical(alone, ps.enumerate_regions(NET, CUBE, method="split", executor=executor))


def test_a_subtree_whose_worker_fails_is_done_again(alone: Any) -> None:
    executor = Failing({2, 5, 6}, OSError("the worker is gone"))
    assert_identical(alone, ps.enumerate_regions(NET, CUBE, method="split", executor=executor))


def test_what_a_broken_executor_leaves_is_done_here(alone: Any) -> None:
    executor = Failing(set(range(3, 1000)), BrokenExecutor("a process died"))
    assert_identical(alone, ps.enumerate_regions(NET, CUBE, method="split", executor=executor))


def test_an_executor_that_was_shut_down_leaves_all_to_be_done_here(alone: Any) -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    assert_identical(alone, ps.enumerate_regions(NET, CUBE, method="split", executor=executor))


def test_an_executor_that_cannot_pickle_is_refused_in_one_sentence() -> None:
    executor = Failing(set(range(1, 1000)), pickle.PicklingError("cannot pickle"))
    with pytest.raises(ps.errors.ArgumentError, match=r"executor: it failed 3 times .*cannot pickle"):
        ps.enumerate_regions(NET, CUBE, method="split", executor=executor)
