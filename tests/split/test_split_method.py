"""`method=` of `enumerate_regions`: what a splitting takes, and what auto picks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyspline as ps
from tests.agreement.support import assert_identical

NET = ps.zoo.random_network([2, 8, 8, 1], seed=3)
SQUARE = ps.Box(-1.0, 1.0, dim=2)


def test_auto_splits_where_splitting_is_made_for() -> None:
    split = ps.enumerate_regions(NET, SQUARE, method="split")
    assert_identical(split, ps.enumerate_regions(NET, SQUARE, method="auto"))


@pytest.mark.parametrize("options", [{"start": [0.5, 0.5]}, {"max_regions": 5}, {"radius": 0.5}])
def test_auto_walks_where_a_walk_is_asked_for(options: dict[str, Any]) -> None:
    walked = ps.enumerate_regions(NET, SQUARE, method="walk", **options)
    assert_identical(walked, ps.enumerate_regions(NET, SQUARE, method="auto", **options))


def test_auto_walks_over_the_whole_space() -> None:
    space = ps.WholeSpace(2)
    walked = ps.enumerate_regions(NET, space, method="walk")
    assert_identical(walked, ps.enumerate_regions(NET, space, method="auto"))


def test_max_regions_is_exact_and_keeps_the_edges_among_them() -> None:
    whole = ps.enumerate_regions(NET, SQUARE, method="split")
    for most in (1, 7, len(whole) - 1, len(whole)):
        part = ps.enumerate_regions(NET, SQUARE, method="split", max_regions=most)
        assert len(part) == most
        assert part.complete == (most == len(whole))
        np.testing.assert_array_equal(part.packed, whole.packed[:most])
        inside = (whole.edges < most).all(axis=1)
        np.testing.assert_array_equal(part.edges, whole.edges[inside])
        crossed = np.setdiff1d(np.arange(most), whole.edges[~inside])
        np.testing.assert_array_equal(crossed[: part.expanded], np.arange(part.expanded))


def test_a_partition_by_splitting_is_saved_and_loaded(tmp_path: Path) -> None:
    part = ps.enumerate_regions(NET, SQUARE, method="split")
    part.save(tmp_path / "run.polyspline")
    assert_identical(part, ps.load_partition(tmp_path / "run.polyspline"))


@pytest.mark.parametrize("options", [{"start": [0.0, 0.0]}, {"run_file": "run.polyspline"}, {"radius": 1.0}])
def test_what_only_a_walk_can_do_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ps.errors.ArgumentError, match="takes no"):
        ps.enumerate_regions(NET, SQUARE, method="split", **options)


def test_the_whole_space_is_refused() -> None:
    with pytest.raises(ps.errors.DomainError, match='method="walk"'):
        ps.enumerate_regions(NET, ps.WholeSpace(2), method="split")


def test_an_unknown_method_and_an_executor_for_a_walk_are_refused() -> None:
    with pytest.raises(ps.errors.ArgumentError, match="walk, split, auto"):
        ps.enumerate_regions(NET, SQUARE, method="cut")
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as executor, pytest.raises(ps.errors.ArgumentError, match="executor"):
        ps.enumerate_regions(NET, SQUARE, method="walk", executor=executor)
