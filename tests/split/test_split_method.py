"""`method=` of `enumerate_regions`: what a splitting takes, and what auto picks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyspline as ps
from tests.agreement.support import array_equal, assert_identical, assert_well_formed
from tests.oracle.cases import simplex_with_cuts

NET = ps.zoo.random_network([2, 8, 8, 1], seed=3)
SQUARE = ps.Box(-1.0, 1.0, dim=2)


def regular_polygon(sides: int) -> tuple[Any, Any]:
    """Rows ``G z <= h`` of a polygon about the unit circle."""
    angles = np.linspace(0.0, 2.0 * np.pi, sides, endpoint=False)
    return np.column_stack([np.cos(angles), np.sin(angles)]), np.ones(sides)


@pytest.mark.parametrize("domain", [SQUARE, ps.Polytope(*simplex_with_cuts(2, 3, 1))])
@pytest.mark.parametrize("options", [{}, {"start": [0.25, 0.25]}, {"workers": 2}])
def test_auto_splits_where_splitting_is_made_for(domain: Any, options: dict[str, Any]) -> None:
    split = ps.enumerate_regions(NET, domain, method="split", **options)
    assert_identical(split, ps.enumerate_regions(NET, domain, **options))
    walked = ps.enumerate_regions(NET, domain, method="walk", **options)
    assert not array_equal(split.witnesses, walked.witnesses)


@pytest.mark.parametrize("options", [{"max_regions": 5}, {"max_seconds": 1e-9}, {"radius": 0.5}])
def test_auto_walks_where_a_walk_is_asked_for(options: dict[str, Any]) -> None:
    walked = ps.enumerate_regions(NET, SQUARE, method="walk", **options)
    assert_identical(walked, ps.enumerate_regions(NET, SQUARE, **options))


@pytest.mark.parametrize(
    "domain", [ps.WholeSpace(2), ps.Polytope(*regular_polygon(1200)), ps.Box(-0.1, 0.1, dim=6)]
)
def test_auto_walks_where_there_is_no_splitting_or_a_slower_one(domain: Any) -> None:
    net = ps.zoo.random_network([domain.dim, 5, 1], seed=3)
    walked = ps.enumerate_regions(net, domain, method="walk")
    assert_identical(walked, ps.enumerate_regions(net, domain))


@pytest.mark.parametrize("start", [[-1.0, 1.0], [0.5, 0.5], [0.0, 0.0]])
def test_both_engines_begin_at_the_start(start: list[float]) -> None:
    split = ps.enumerate_regions(NET, SQUARE, method="split", start=start)
    walked = ps.enumerate_regions(NET, SQUARE, method="walk", start=start)
    np.testing.assert_array_equal(split.codes, walked.codes)
    np.testing.assert_array_equal(split.edges, walked.edges)
    assert split[0].contains(start)


def test_max_regions_is_exact_and_keeps_the_edges_among_them() -> None:
    whole = ps.enumerate_regions(NET, SQUARE, method="split")
    graph = {frozenset((whole.codes[i].tobytes(), whole.codes[j].tobytes())) for i, j in whole.edges.tolist()}
    lowest = sorted(whole.codes.tolist())
    for most in (1, 7, len(whole) - 1, len(whole)):
        part = ps.enumerate_regions(NET, SQUARE, method="split", max_regions=most)
        assert_well_formed(part)
        assert part.complete == (most == len(whole))
        assert sorted(part.codes.tolist()) == lowest[:most]
        kept = {code.tobytes() for code in part.codes}
        edges = {
            frozenset((part.codes[i].tobytes(), part.codes[j].tobytes())) for i, j in part.edges.tolist()
        }
        assert edges == {edge for edge in graph if edge <= kept}
        degrees = {code: sum(code in edge for edge in graph) for code in kept}
        crossed = [
            sum(i in edge for edge in part.edges.tolist()) == degrees[part.codes[i].tobytes()]
            for i in range(most)
        ]
        assert all(crossed[: part.expanded])
        assert part.expanded == most or not crossed[part.expanded]


def test_a_partition_by_splitting_is_saved_and_loaded(tmp_path: Path) -> None:
    part = ps.enumerate_regions(NET, SQUARE, method="split")
    part.save(tmp_path / "run.polyspline")
    assert_identical(part, ps.load_partition(tmp_path / "run.polyspline"))


@pytest.mark.parametrize("options", [{"run_file": "run.polyspline"}, {"radius": 1.0}])
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
