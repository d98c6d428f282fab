"""A limit gives a partial partition that says so, and is the beginning of the whole one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import polyspline as ps
from tests.agreement.support import assert_well_formed, walked
from tests.oracle.cases import random_weights


@pytest.fixture(scope="module")
def net() -> ps.Network:
    return ps.Network.from_layers(*random_weights([2, 16, 16, 1], 0))


@pytest.fixture(scope="module")
def whole(net: ps.Network) -> ps.Partition:
    return walked(net, ps.Box(-1, 1, dim=2))


def test_without_limits_the_partition_is_complete(whole: ps.Partition) -> None:
    assert whole.complete
    assert whole.stop is ps.StopReason.COMPLETE
    assert whole.stop.key == "complete"
    assert whole.expanded == len(whole)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50, 150])
@pytest.mark.parametrize("workers", [1, 2])
def test_max_regions_keeps_exactly_the_first_regions_and_the_edges_among_them(
    net: ps.Network, whole: ps.Partition, limit: int, workers: int
) -> None:
    part = walked(net, ps.Box(-1, 1, dim=2), max_regions=limit, workers=workers)
    assert len(part) == limit < len(whole)
    assert not part.complete
    assert part.stop is ps.StopReason.MAX_REGIONS
    assert part.expanded < limit or limit == 1
    assert_well_formed(part)
    assert part.codes.tolist() == whole.codes[:limit].tolist()
    among = whole.edges[(whole.edges < limit).all(axis=1)]
    assert {tuple(edge) for edge in part.edges.tolist()} == {tuple(edge) for edge in among.tolist()}
    assert part.net.code(part.witnesses).tolist() == part.codes.tolist()


@pytest.mark.parametrize("beyond", [0, 1, 1000])
def test_a_limit_that_is_never_passed_changes_nothing(
    net: ps.Network, whole: ps.Partition, beyond: int
) -> None:
    part = walked(net, ps.Box(-1, 1, dim=2), max_regions=len(whole) + beyond)
    assert part.complete
    assert part.codes.tolist() == whole.codes.tolist()
    assert part.edges.tolist() == whole.edges.tolist()


def test_max_seconds_stops_with_what_was_found() -> None:
    net = ps.Network.from_layers(*random_weights([4, 48, 48, 1], 0))
    # Once before, so that no kernel is compiled under the clock.
    walked(net, ps.Box(-1, 1, dim=4), max_seconds=0.01)
    part = walked(net, ps.Box(-1, 1, dim=4), max_seconds=0.5)
    assert not part.complete
    assert part.stop is ps.StopReason.MAX_SECONDS
    assert 0 < part.expanded < len(part)
    assert_well_formed(part)
    assert part.net.code(part.witnesses).tolist() == part.codes.tolist()


def test_a_time_limit_that_is_never_passed_changes_nothing(net: ps.Network, whole: ps.Partition) -> None:
    part = walked(net, ps.Box(-1, 1, dim=2), max_seconds=600.0)
    assert part.complete
    assert part.codes.tolist() == whole.codes.tolist()


@pytest.mark.parametrize(
    "options",
    [
        {"max_regions": 0},
        {"max_regions": -5},
        {"max_seconds": -1.0},
        {"max_seconds": float("nan")},
        {"workers": 0},
        {"workers": -2},
        {"method": "guess"},
        {"resume": True},
    ],
    ids=str,
)
def test_arguments_out_of_range_are_refused(net: ps.Network, options: dict[str, Any]) -> None:
    name = next(iter(options))
    with pytest.raises(ps.errors.ArgumentError, match=name):
        walked(net, ps.Box(-1, 1, dim=2), **options)


def test_a_domain_of_another_dimension_is_refused(net: ps.Network) -> None:
    with pytest.raises(ps.errors.DomainError, match="3"):
        walked(net, ps.Box(-1, 1, dim=3))


def test_partial_partitions_locate_what_they_have(net: ps.Network, whole: ps.Partition) -> None:
    part = walked(net, ps.Box(-1, 1, dim=2), max_regions=40)
    found = np.asarray(part.locate(whole.witnesses))
    assert found[:40].tolist() == list(range(40))
    assert (found[40:] == -1).all()


def test_progress_is_told_and_never_runs_backwards() -> None:
    net = ps.Network.from_layers(*random_weights([4, 48, 48, 1], 0))
    told: list[tuple[int, int, float]] = []
    part = walked(
        net,
        ps.Box(-1, 1, dim=4),
        max_seconds=1.0,
        progress=lambda now: told.append((now.regions, now.expanded, now.seconds)),
    )
    assert told
    assert told == sorted(told)
    assert all(expanded <= regions <= len(part) for regions, expanded, _ in told)
    assert np.isfinite([seconds for *_, seconds in told]).all()
