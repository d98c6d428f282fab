"""Counting and folding visit every region once and keep none."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import polyspline as ps
from polyspline.split import SplitProgress, counting, facade, runner, schedule
from polyspline.split.parts import Part, Tally
from polyspline.split.watch import Watch

NET = ps.zoo.random_network([3, 10, 8, 2], seed=2)
CUBE = ps.Box(-1.0, 1.0, dim=3)


@pytest.fixture(scope="module")
def partition() -> Any:
    return ps.enumerate_regions(NET, CUBE, method="split")


@pytest.mark.parametrize("workers", [1, 2])
def test_the_counts_are_those_of_the_partition(partition: Any, workers: int) -> None:
    found = ps.count(NET, CUBE, workers=workers)
    assert (found.regions, found.adjacencies) == (len(partition), partition.n_adjacencies)
    assert found.complete
    assert found.estimate == len(partition)


def test_facets_on_the_boundary_are_counted() -> None:
    net, square = ps.zoo.random_network([2, 5, 4, 1], seed=1), ps.Box(-1.0, 1.0, dim=2)
    regions = ps.enumerate_regions(net, square, method="split")
    facets = [facet for region in regions for facet in region.facets]
    found = ps.count(net, square)
    assert found.boundary_facets == sum(facet.across is None for facet in facets)
    assert 2 * found.adjacencies == sum(facet.across is not None for facet in facets)


def test_a_fold_hands_out_every_region_once_in_the_order_of_codes(partition: Any) -> None:
    seen: list[Any] = []
    witnesses: list[Any] = []

    def visit(batch: ps.RegionBatch) -> None:
        assert batch.first == sum(map(len, seen))
        seen.append(batch.codes)
        witnesses.append(batch.witnesses)

    found = ps.fold(NET, CUBE, visit)
    assert found.regions == len(partition)
    order = np.lexsort(partition.codes.T[::-1])
    np.testing.assert_array_equal(np.concatenate(seen), partition.codes[order])
    np.testing.assert_array_equal(np.concatenate(witnesses), partition.witnesses[order])


MAXOUT = ps.Network.from_layers(
    [np.random.default_rng(0).normal(size=(6, 3)), np.ones((2, 2))],
    [np.zeros(6), np.zeros(2)],
    ["max:3", "relu"],
)


@pytest.mark.parametrize("net", [NET, MAXOUT])
def test_the_maps_of_a_batch_are_those_of_the_network(net: Any) -> None:
    def visit(batch: ps.RegionBatch) -> None:
        values = np.einsum("bds,bs->bd", batch.A, batch.witnesses) + batch.b
        np.testing.assert_allclose(values, net(batch.witnesses), atol=1e-9)
        slope, offset = net.affine(batch.codes[0])
        np.testing.assert_allclose(batch.A[0], slope, atol=1e-12)
        np.testing.assert_allclose(batch.b[0], offset, atol=1e-12)

    assert ps.fold(net, CUBE, visit).complete


def test_an_error_of_the_visitor_comes_with_the_codes() -> None:
    def visit(batch: ps.RegionBatch) -> None:
        raise KeyError(len(batch))

    with pytest.raises(KeyError) as caught:
        ps.fold(NET, CUBE, visit)
    assert "activation codes" in caught.value.__notes__[0]


def test_a_limit_gives_a_partial_count_and_an_estimate() -> None:
    net, square = ps.zoo.random_network([2, 48, 48, 48, 48, 1], seed=0), ps.Box(-1.0, 1.0, dim=2)
    found = ps.fold(net, square, len, max_regions=1)
    assert found.stop is ps.StopReason.MAX_REGIONS
    assert not found.complete
    assert 0.0 < found.share < 1.0
    assert found.estimate > found.regions
    assert ps.count(net, square, max_seconds=1e-9).stop is ps.StopReason.MAX_SECONDS


MANY = ps.zoo.random_network([4, 60, 60, 1], seed=0)
HYPERCUBE = ps.Box(-1.0, 1.0, dim=4)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_count_stops_within_a_fifth_of_a_second(workers: int) -> None:
    ps.count(NET, CUBE, workers=workers)  # kernels are compiled by now
    began = time.perf_counter()
    found = ps.count(MANY, HYPERCUBE, max_seconds=0.3, workers=workers)
    took = time.perf_counter() - began
    assert found.stop is ps.StopReason.MAX_SECONDS
    assert 0 < found.regions < found.estimate
    assert 0.3 <= found.seconds <= 0.5
    assert took <= 1.0  # the limit is 0.5; the rest is for a machine that is busy with other things


def test_a_count_whose_executor_is_slow_does_not_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "_FIRST_REGIONS", 50)
    with ThreadPoolExecutor(1) as executor:
        gate = threading.Event()
        executor.submit(gate.wait)  # nothing that is submitted begins
        found = ps.count(NET, CUBE, max_seconds=0.2, executor=executor)
        gate.set()
    assert found.stop is ps.StopReason.MAX_SECONDS
    assert found.regions == 50


class Late(Watch):
    """A watch by which the time is over as soon as that many regions are counted."""

    after = 0

    def __init__(self, max_seconds: float | None, report: Any) -> None:
        super().__init__(max_seconds, report)
        self._late = False

    def stop_after(self, part: Part, tally: Tally, rest: Any) -> ps.StopReason | None:
        self._late = self._late or tally.regions >= self.after
        return super().stop_after(part, tally, rest)

    @property
    def reason(self) -> ps.StopReason | None:
        return ps.StopReason.MAX_SECONDS if self._late else None


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_count_that_visited_everything_is_complete(
    partition: Any, monkeypatch: pytest.MonkeyPatch, workers: int, share: float
) -> None:
    monkeypatch.setattr(schedule, "_FIRST_REGIONS", 20)
    monkeypatch.setattr(schedule, "_SUBTREE_REGIONS", 30)
    monkeypatch.setattr(Late, "after", int(share * len(partition)))
    monkeypatch.setattr(counting, "Watch", Late)
    found = ps.count(NET, CUBE, max_seconds=1e6, workers=workers)
    assert found.complete == (found.regions == len(partition)) == (share == 1.0)
    assert (found.stop is ps.StopReason.COMPLETE) == found.complete
    if found.complete:
        assert found.adjacencies == partition.n_adjacencies


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stopped_splitting_says_whether_all_is_there(
    partition: Any, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(schedule, "_FIRST_REGIONS", 20)
    monkeypatch.setattr(schedule, "_SUBTREE_REGIONS", 30)
    monkeypatch.setattr(facade, "Watch", Late)
    for after in (1, len(partition) // 2, len(partition)):
        monkeypatch.setattr(Late, "after", after)
        found = ps.enumerate_regions(NET, CUBE, method="split", max_seconds=1e6, workers=workers)
        assert found.complete == (len(found) == len(partition))


def test_slices_of_the_kernel_change_no_float(partition: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_SLICE_SECONDS", 0.0)  # one region at a time
    again = ps.enumerate_regions(NET, CUBE, method="split")
    np.testing.assert_array_equal(again.packed, partition.packed)
    np.testing.assert_array_equal(again.witnesses, partition.witnesses)
    np.testing.assert_array_equal(again.edges, partition.edges)


def test_the_shares_of_all_regions_sum_to_one() -> None:
    shares: list[float] = []

    def tell(now: SplitProgress) -> None:
        shares.append(now.share)

    assert ps.fold(NET, CUBE, len, progress=tell).share == 1.0
    assert shares == sorted(shares)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_regions": 0}, "max_regions is 0"),
        ({"max_seconds": float("nan")}, "max_seconds is nan"),
        ({"workers": 0}, "workers is 0"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ps.errors.ArgumentError, match=sentence):
        ps.count(NET, CUBE, **options)


def test_domains_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ps.errors.DomainError, match=r'whole space.*method="walk"'):
        ps.count(NET, ps.WholeSpace(3))
    with pytest.raises(ps.errors.DomainError):
        ps.count(NET, ps.Box(-1.0, 1.0, dim=2))
    wide = ps.zoo.random_network([12, 2, 1], seed=0)
    with pytest.raises(ps.errors.DomainError, match=r"2\^12 vertices.*walk"):
        ps.count(wide, ps.Box(-1.0, 1.0, dim=12))
