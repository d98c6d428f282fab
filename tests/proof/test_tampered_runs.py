"""A run file that was changed, with its checksums made anew, is found by what its certificate would say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polyspline as ps
from polyspline.cli.status import ExitStatus
from polyspline.errors import PolysplineError
from polyspline.partition import Partition
from polyspline.proof.check import PROVEN
from polyspline.proof.writer import prove

NETS: dict[str, tuple[ps.Network, Any]] = {
    "relu": (ps.zoo.random_network([2, 5, 4, 1], seed=0), ps.Box(-1.0, 1.0, dim=2)),
    "hardtanh": (
        ps.zoo.random_network([2, 4, 3, 1], activation="hardtanh", seed=1),
        ps.Box(-1.0, 1.0, dim=2),
    ),
    "space": (ps.zoo.random_network([3, 5, 1], seed=2), ps.WholeSpace(3)),
}


@cache
def honest(name: str) -> Partition:
    net, domain = NETS[name]
    return ps.enumerate_regions(net, domain, method="walk")


def without_region(part: Partition, region: int) -> Partition:
    keep = np.arange(len(part)) != region
    number = np.cumsum(keep) - 1
    edges = keep[part.edges].all(axis=1)
    return replace(
        part,
        packed=part.packed[keep],
        witnesses=part.witnesses[keep],
        witness_exact=part.witness_exact[keep],
        edges=number[part.edges[edges]].astype(np.int32),
        edge_sources=part.edge_sources[edges],
        expanded=len(part) - 1,
    )


def without_edge(part: Partition, edge: int) -> Partition:
    keep = np.arange(len(part.edges)) != edge
    return replace(part, edges=part.edges[keep], edge_sources=part.edge_sources[keep])


def with_edge(part: Partition, edge: int) -> Partition:
    known = {tuple(pair) for pair in part.edges.tolist()}
    false = [(i, j) for i in range(len(part)) for j in range(i + 1, len(part)) if (i, j) not in known]
    pair = false[(7 * edge) % len(false)]
    edges = np.vstack([part.edges, np.array([pair], np.int32)])
    order = np.lexsort((np.append(part.edge_sources, 0), edges[:, 0]))
    sources = np.append(part.edge_sources, part.edge_sources[0]).astype(np.int32)
    return replace(part, edges=edges[order], edge_sources=sources[order])


def other_code(part: Partition, region: int) -> Partition:
    """The region gets a code that none has, as near to its own as it goes."""
    codes = part.codes.copy()
    known = {code.tobytes() for code in codes}
    rng = np.random.default_rng(region)
    while codes[region].tobytes() in known:
        unit = rng.integers(codes.shape[1])
        codes[region, unit] = rng.integers(part.net.n_pieces[unit])
    return replace(part, packed=part.packing.pack(codes))


def exchanged_codes(part: Partition, region: int) -> Partition:
    packed = part.packed.copy()
    other = (region + 1) % len(part)
    packed[[region, other]] = packed[[other, region]]
    return replace(part, packed=packed)


TAMPERINGS: dict[str, Callable[[Partition, int], Partition]] = {
    "a region less": without_region,
    "an edge less": without_edge,
    "an edge more": with_edge,
    "another code": other_code,
    "codes exchanged": exchanged_codes,
}
PLACES = range(7)


def cases() -> Iterator[Any]:
    for name in NETS:
        for what in TAMPERINGS:
            for place in PLACES:
                yield pytest.param(name, what, place, id=f"{name}-{what}-{place}")


def test_there_are_as_many_as_are_named() -> None:
    assert len(list(cases())) == 105
    for name in NETS:
        assert prove(honest(name)).check()[0] == PROVEN


@pytest.mark.parametrize(("name", "what", "place"), list(cases()))
def test_a_run_that_was_changed_is_not_proven(name: str, what: str, place: int, tmp_path: Path) -> None:
    part = honest(name)
    size = len(part.edges) if "edge" in what else len(part)
    changed = TAMPERINGS[what](part, (place * size) // len(PLACES))
    run = tmp_path / "run.polyspline"
    try:
        changed.save(run)
        status = prove(ps.load_partition(run)).check()[0]
    except PolysplineError:
        return  # refused as it is read, or as its certificate is made
    assert status != PROVEN


def test_the_command_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from polyspline.cli.check import check_command

    run = tmp_path / "run.polyspline"
    without_edge(honest("relu"), 0).save(run)
    assert check_command(run) is ExitStatus.INTERNAL_ERROR
    assert capsys.readouterr().out.startswith("refused")
