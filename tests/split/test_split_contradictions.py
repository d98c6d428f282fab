"""Facets of a splitting that are seen from one side only are an error, always."""

from __future__ import annotations

import numpy as np
import pytest

import polyspline as ps
from polyspline.errors import InvariantError
from polyspline.split.collecting import Collection
from polyspline.split.counting import _check_sides
from polyspline.split.parts import Part, Tally
from polyspline.split.problem import make_problem
from polyspline.split.runner import Runner


def collected(net: ps.Network, domain: ps.Box, *, most: int | None, inner: int = 0) -> Collection:
    """The regions of a splitting, or the first of them, with some sides of facets more."""
    problem = make_problem(net, domain)
    found = Collection(problem)
    for part in Runner(problem).regions(problem.root, keep=True):
        tally = part.tally + Tally(inner=inner)
        found.add(Part(tally, part.batch), most)
    return found


def test_a_neighbour_that_is_missing_is_a_contradiction_only_of_a_whole() -> None:
    net, domain = ps.zoo.random_network((2, 4, 3), seed=1), ps.Box(-1, 1, dim=2)
    whole = collected(net, domain, most=None)
    start = make_problem(net, domain).default_region
    edges = whole.in_order_from(start, complete=True).edges
    assert len(edges) == ps.enumerate_regions(net, domain, method="split").n_adjacencies
    # The last region is above its neighbours: each of these sees a facet without another side.
    part = collected(net, domain, most=whole.regions - 1)
    object.__setattr__(part.tally, "inner", 2 * len(part.in_order_from(start, complete=False).edges))
    with pytest.raises(InvariantError, match="sides of facets"):
        part.in_order_from(start, complete=True)
    assert part.in_order_from(start, complete=False).expanded < part.regions


@pytest.mark.parametrize("inner", [1, 2])
def test_sides_of_facets_that_do_not_pair_are_a_contradiction(inner: int) -> None:
    net, domain = ps.zoo.random_network((2, 4, 3), seed=1), ps.Box(-1, 1, dim=2)
    found = collected(net, domain, most=None, inner=inner)
    with pytest.raises(InvariantError, match="sides of facets"):
        found.in_order_from(make_problem(net, domain).default_region, complete=True)


@pytest.mark.parametrize(
    "tally",
    [Tally(regions=3, inner=3), Tally(regions=3, inner=4, pairs=1), Tally(regions=3, inner=2)],
)
def test_counts_that_do_not_pair_are_a_contradiction(tally: Tally) -> None:
    line = ps.zoo.random_network((1, 4, 3), seed=1)
    _check_sides(line, Tally(regions=3, inner=4))
    with pytest.raises(InvariantError, match="sides of facets"):
        _check_sides(line, tally)


def test_fingerprints_of_both_sides_of_all_facets_cancel() -> None:
    problem = make_problem(ps.zoo.random_network((2, 5, 4), "hardtanh", seed=2), ps.Box(-1, 1, dim=2))
    parts = list(Runner(problem).regions(problem.root, keep=False, at_once=3))
    total = sum((part.tally for part in parts), Tally())
    assert total.pairs == 0
    assert np.any([part.tally.pairs for part in parts])
