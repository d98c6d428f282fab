"""The answers to a partition case, compared with one another and with the rational oracle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

import polyspline as ps
from tests.agreement.support import Problem, array_equal, assert_proven_witnesses, code_set, edge_set
from tests.fuzz.cases import BallAround, PartitionCase
from tests.fuzz.verdict import Verdict
from tests.oracle import Code, OraclePartition, OutOfReachError, oracle_partition
from tests.oracle.balls import largest_from, square_from
from tests.oracle.partition import whole_space_rows

MAX_CELLS = 120
"""The oracle cuts so many cells in a fraction of a second."""

WORKERS = (2, 3)
ARRAYS = ("codes", "edges", "edge_sources", "witnesses", "witness_exact")
SHARED = ("codes", "edges", "edge_sources")


@contextmanager
def flushed(flush: bool) -> Iterator[None]:
    """Subnormal numbers flushed to zero in this thread and those it starts, and restored afterwards."""
    if not flush:
        yield
        return
    import torch

    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def judge_partition(case: PartitionCase) -> Verdict:
    """Run count, both engines and the ball, and compare."""
    verdict = Verdict(case.refusable)
    expected = _expected(case, verdict)
    with flushed(case.flush):
        net = verdict.attempt("the network", case.layers.network)
        where = verdict.attempt("the domain", case.place.where)
        if net is None or where is None:
            return verdict
        domain = where.domain
        bounded = case.place.kind != "space"
        counted = verdict.attempt("count", lambda: ps.count(net, domain)) if bounded else None
        methods = ["split", "walk"] if bounded else ["walk"]
        found = {method: _enumerate(verdict, net, domain, method) for method in methods}
        codes = {
            method: verdict.attempt(f"{method}: net.code", partial(net.code, part.witnesses))
            for method, part in found.items()
            if part is not None
        }
        for method, part in found.items():
            if part is not None:
                _compare_workers(verdict, part, net, domain, method)
                _compare_start(verdict, part, net, domain, method, case.start)
        balls = _balls(verdict, net, domain, case.ball) if case.ball is not None else {}
    if len(found) == 2:
        _compare_engines(verdict, found["split"], found["walk"])
    given = Problem(net, case.layers.oracle())
    for method, part in found.items():
        if part is not None:
            _check_codes(verdict, method, part, codes[method])
            if expected is not None:
                _compare(verdict, method, part, expected)
                _check_witnesses(verdict, method, part, given, case)
    _compare_count(verdict, counted, found.get("split"), expected)
    if case.ball is not None and expected is not None:
        _compare_balls(verdict, balls, case.ball, expected)
    return verdict


def _expected(case: PartitionCase, verdict: Verdict) -> OraclePartition | None:
    where = case.place.where()
    try:
        return oracle_partition(case.layers.oracle(), where.rows, where.rows is None, max_cells=MAX_CELLS)
    except OutOfReachError:
        verdict.beyond = True
        return None


def _enumerate(verdict: Verdict, net: Any, domain: Any, method: str, **options: Any) -> Any:
    said = ", ".join([method, *(f"{name}={value}" for name, value in options.items())])
    return verdict.attempt(said, lambda: ps.enumerate_regions(net, domain, method=method, **options))


def _compare_workers(verdict: Verdict, one: Any, net: Any, domain: Any, method: str) -> None:
    for workers in WORKERS:
        more = _enumerate(verdict, net, domain, method, workers=workers)
        if more is None:
            continue
        for name in ARRAYS:
            if not array_equal(getattr(one, name), getattr(more, name)):
                verdict.fail("workers", f"{method}: {name} differ with {workers} workers")
        if one.exact_witnesses != more.exact_witnesses:
            verdict.fail("workers", f"{method}: exact_witnesses differ with {workers} workers")
        if one.exact_fallbacks != more.exact_fallbacks:
            verdict.fail("fallbacks", f"{method}: exact_fallbacks differ with {workers} workers")


def _sources(partition: Any) -> dict[frozenset[Code], Any]:
    codes = [tuple(row) for row in partition.codes.tolist()]
    pairs = [frozenset((codes[i], codes[j])) for i, j in partition.edges.tolist()]
    return dict(zip(pairs, np.asarray(partition.edge_sources).tolist(), strict=True))


def _compare_start(
    verdict: Verdict, one: Any, net: Any, domain: Any, method: str, start: list[float]
) -> None:
    other = _enumerate(verdict, net, domain, method, start=start)
    if other is None:
        return
    if code_set(one) != code_set(other):
        verdict.fail("start", f"{method}: codes depend on the start")
    elif edge_set(one) != edge_set(other):
        verdict.fail("start", f"{method}: edges depend on the start")
    elif _sources(one) != _sources(other):
        verdict.fail("sources", f"{method}: edge_sources depend on the start")


def _compare_engines(verdict: Verdict, split: Any, walk: Any) -> None:
    if split is None or walk is None:
        return
    for name in SHARED:
        if not array_equal(getattr(split, name), getattr(walk, name)):
            verdict.fail(
                "sources" if name == "edge_sources" else "engines",
                f"split and walk differ in {name} ({len(split)} and {len(walk)} regions)",
            )
            return


def _some(found: Iterable[Iterable[Any]]) -> list[list[Any]]:
    """The first few codes, or edges, of a set."""
    return sorted(sorted(entry) if isinstance(entry, frozenset) else list(entry) for entry in found)[:3]


def _compare(verdict: Verdict, method: str, partition: Any, expected: OraclePartition) -> None:
    found, known = code_set(partition), set(expected.codes)
    if not partition.complete:
        verdict.fail("incomplete", f"{method}: not complete without a limit")
    if len(found) != len(partition):
        verdict.fail("codes", f"{method}: a region is listed twice")
    if found != known:
        verdict.fail(
            "codes",
            f"{method}: {len(found)} regions, not {len(known)}; "
            f"missing {_some(known - found)}, false {_some(found - known)}",
        )
        return
    edges = edge_set(partition)
    if edges != expected.edges or len(edges) != len(partition.edges):
        verdict.fail(
            "edges",
            f"{method}: {len(partition.edges)} edges, not {len(expected.edges)}; "
            f"missing {_some(expected.edges - edges)}; false {_some(edges - expected.edges)}",
        )
        return
    for index, code in enumerate(map(tuple, partition.codes.tolist())):
        shape = verdict.attempt(f"{method}: region {code}", partial(_shape, partition, index))
        known_shape = expected.facet_counts[code], expected.bounded[code]
        if shape is not None and shape != known_shape:
            verdict.fail("facets", f"{method}: {code} has (facets, bounded) {shape}, not {known_shape}")


def _shape(partition: Any, index: int) -> tuple[int, bool]:
    region = partition[index]
    return len(region.hrep.h), bool(region.bounded)


def _check_codes(verdict: Verdict, method: str, partition: Any, codes: Any) -> None:
    """The code at a float64 witness is its region's."""
    proven = partition.witness_exact
    if codes is not None and not np.array_equal(codes[proven], partition.codes[proven]):
        wrong = int(np.flatnonzero((codes != partition.codes).any(axis=1) & proven)[0])
        verdict.fail(
            "code of witness",
            f"{method}: net.code of the witness of {partition.codes[wrong].tolist()} "
            f"is {codes[wrong].tolist()}",
        )


def _check_witnesses(
    verdict: Verdict, method: str, partition: Any, given: Problem, case: PartitionCase
) -> None:
    try:
        assert_proven_witnesses(partition, given, case.place.where())
    except AssertionError:
        verdict.fail("witness", f"{method}: a witness is not strictly inside its region, in rationals")


def _compare_count(verdict: Verdict, counted: Any, split: Any, expected: OraclePartition | None) -> None:
    if counted is None:
        return
    if not counted.complete:
        verdict.fail("incomplete", "count: not complete without a limit")
    found = [counted.regions, counted.adjacencies]
    if expected is not None:
        boundary = sum(expected.facet_counts.values()) - 2 * len(expected.edges)
        known = [len(expected.codes), len(expected.edges), boundary]
        if [*found, counted.boundary_facets] != known:
            verdict.fail(
                "count", f"count: {[*found, counted.boundary_facets]} (regions, edges, boundary), not {known}"
            )
    elif split is not None and found != [len(split), len(split.edges)]:
        verdict.fail("count", f"count: {found} (regions, edges), but split {[len(split), len(split.edges)]}")


# ---- balls


def _balls(verdict: Verdict, net: Any, domain: Any, ball: BallAround) -> dict[str, Any]:
    shape: dict[str, Any] = {"radius": ball.radius, "norm": ball.norm}
    walk = _enumerate(verdict, net, domain, "walk", start=ball.centre, **shape)
    if walk is not None:
        for workers in WORKERS:
            more = _enumerate(verdict, net, domain, "walk", start=ball.centre, workers=workers, **shape)
            if more is not None and not all(array_equal(getattr(walk, n), getattr(more, n)) for n in ARRAYS):
                verdict.fail("workers", f"ball: arrays differ with {workers} workers")
    local = verdict.attempt(
        "local_complexity", lambda: ps.local_complexity(net, [ball.centre], domain=domain, **shape)
    )
    return {"walk": walk, "local": local}


def _meeting(ball: BallAround, expected: OraclePartition) -> set[Code]:
    """Codes of the closed cells that meet the ball, in rationals."""
    centre = [Fraction(x) for x in ball.centre]
    radius = Fraction(ball.radius)
    cap = set(whole_space_rows(len(centre))) if expected.whole_space else set()
    last = -1 if expected.whole_space else None
    meeting = set()
    for code, cell in zip(expected.codes, expected.cells, strict=True):
        rows = [tuple(-entry for entry in row[:last]) for row, _ in cell.facets() if row not in cap]
        if ball.norm == "linf":
            met = largest_from(rows, centre) <= radius
        else:
            met = square_from(rows, centre) <= radius**2
        if met:
            meeting.add(code)
    return meeting


def _compare_balls(
    verdict: Verdict, found: dict[str, Any], ball: BallAround, expected: OraclePartition
) -> None:
    meeting = _meeting(ball, expected)
    walk, local = found["walk"], found["local"]
    if local is not None and local.counts.tolist() != [len(meeting)]:
        verdict.fail(
            "ball", f"local_complexity: {local.counts.tolist()} regions meet the ball, not {len(meeting)}"
        )
    if walk is None:
        return
    codes = code_set(walk)
    if codes != meeting:
        verdict.fail(
            "ball", f"ball: {len(codes)} regions, not {len(meeting)}; differ {_some(codes ^ meeting)}"
        )
    elif edge_set(walk) != {edge for edge in expected.edges if edge <= meeting}:
        verdict.fail("ball", "ball: edges are not those between the regions that meet it")
