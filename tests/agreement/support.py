"""What the agreement tests share: one problem in the words of both sides, and the full comparison."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import polyspline as ps
from tests.oracle import (
    Code,
    OracleLayer,
    OraclePartition,
    exact_sides,
    exact_unit_forms,
    integer_layers,
    oracle_partition,
)
from tests.oracle.cases import Weights, box_rows, oracle_layers
from tests.oracle.forms import FloatArray

PROVEN_REGIONS = 1000
"""Partitions of more regions are not proven by the tests, for time."""

walked = partial(ps.enumerate_regions, method="walk")
"""The enumeration by the walk, whatever the default would choose."""


class Where(NamedTuple):
    """A domain, and its rows ``G z <= h`` for the oracle (None for the whole space)."""

    domain: Any
    rows: tuple[FloatArray, FloatArray] | None


def box(low: Sequence[float], high: Sequence[float]) -> Where:
    """Box with one pair of bounds per coordinate."""
    lows, highs = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    return Where(ps.Box(lows, highs), box_rows(low, high))


def cube(dimension: int, half_width: float = 1.0) -> Where:
    """Cube around the origin."""
    return box([-half_width] * dimension, [half_width] * dimension)


def polytope(rows: tuple[FloatArray, FloatArray]) -> Where:
    """Bounded polytope ``G z <= h``."""
    return Where(ps.Polytope(*rows), rows)


def whole_space(dimension: int) -> Where:
    """All of R^S."""
    return Where(ps.WholeSpace(dimension), None)


class Problem(NamedTuple):
    """One network in the words of both sides."""

    net: Any
    layers: list[OracleLayer]

    @property
    def dimension(self) -> int:
        return int(self.layers[0][0].shape[1])


def problem(weights: Weights, activations: Sequence[str] | str) -> Problem:
    """Build the network for the engine and for the oracle; one name stands for all hidden layers."""
    if isinstance(activations, str):
        activations = [activations] * (len(weights[0]) - 1) + ["identity"]
    return Problem(ps.Network.from_layers(*weights, activations), oracle_layers(*weights, activations))


def code_set(partition: Any) -> set[Code]:
    """Codes of all regions as tuples."""
    return {tuple(row) for row in partition.codes.tolist()}


def edge_set(partition: Any) -> set[frozenset[Code]]:
    """Adjacencies as pairs of codes."""
    codes = [tuple(row) for row in partition.codes.tolist()]
    return {frozenset((codes[i], codes[j])) for i, j in partition.edges.tolist()}


def assert_well_formed(partition: Any) -> None:
    """No region twice, no adjacency twice, every edge as (i, j) with i < j < R."""
    count = len(partition)
    assert partition.codes.shape == (count, partition.net.n_units)
    assert partition.witnesses.shape == (count, partition.net.latent_dim)
    assert len(code_set(partition)) == count
    edges = partition.edges
    assert edges.shape == (partition.n_adjacencies, 2)
    assert (edges[:, 0] < edges[:, 1]).all()
    assert ((edges >= 0) & (edges < count)).all()
    assert len(np.unique(edges, axis=0)) == len(edges)


def exact_witness(partition: Any, index: int) -> tuple[Fraction, ...]:
    """The witness itself: its float64 coordinates, or the rational point where those are its rounding."""
    if partition.witness_exact[index]:
        return tuple(Fraction(entry) for entry in partition.witnesses[index].tolist())
    point: tuple[Fraction, ...] = partition.exact_witnesses[index]
    assert [float(entry) for entry in point] == partition.witnesses[index].tolist()
    return point


def assert_proven_witnesses(partition: Any, given: Problem, where: Where) -> None:
    """In rationals: every witness is strictly inside the domain, on its region's piece of every unit.

    And off all knots, unless the unit is constant (its largest members equal) on the region.
    """
    chain = integer_layers(given.layers)
    for index, code in enumerate(partition.codes.tolist()):
        point = exact_witness(partition, index)
        if where.rows is not None:
            for normal, offset in zip(where.rows[0].tolist(), where.rows[1].tolist(), strict=True):
                assert sum(Fraction(a) * x for a, x in zip(normal, point, strict=True)) < Fraction(offset)
        sides, _ = exact_sides(chain, point)
        on_knots = [
            unit for unit, (found, piece) in enumerate(zip(sides, code, strict=True)) if found != (piece,)
        ]
        if on_knots:
            forms = exact_unit_forms(given.layers, code)
            for unit in on_knots:
                assert sides[unit][0] == code[unit]
                if len(forms[unit]) > 1:
                    assert len({forms[unit][piece] for piece in sides[unit]}) == 1
                else:
                    assert not any(forms[unit][0][:-1])


def assert_same_partition(partition: Any, expected: OraclePartition) -> None:
    """The set of codes and the set of edges are those of the oracle."""
    assert_well_formed(partition)
    found, known = code_set(partition), set(expected.codes)
    assert len(found) == len(known), f"{len(found)} regions, not {len(known)}"
    assert found == known
    edges = edge_set(partition)
    assert edges == expected.edges, (
        f"edges missing: {[sorted(e) for e in expected.edges - edges][:5]}; "
        f"false edges: {[sorted(e) for e in edges - expected.edges][:5]}"
    )


def assert_same_affine_regions(partition: Any, expected: OraclePartition) -> None:
    """Regions are merged exactly where the oracle merges them."""
    labels = expected.affine_labels()
    codes, found = partition.codes.tolist(), partition.affine_labels().tolist()
    pairs = {(labels[tuple(code)], label) for code, label in zip(codes, found, strict=True)}
    assert len(pairs) == partition.n_affine_regions == len(set(labels.values()))


def assert_same_regions(partition: Any, expected: OraclePartition) -> None:
    """Regions have as many facets as the oracle's, and are bounded iff those are (30 of them are asked)."""
    for index in range(0, len(partition), 1 + len(partition) // 30):
        region = partition[index]
        code = tuple(region.code.tolist())
        assert len(region.hrep.h) == expected.facet_counts[code]
        assert region.bounded == expected.bounded[code]


def assert_proven(partition: Any) -> None:
    """The partition has a proof that the checker of certificates accepts."""
    if len(partition) <= PROVEN_REGIONS:
        status, sentence = ps.prove(partition).check()
        assert status == 0, sentence


def assert_agrees(
    given: Problem, where: Where, *, regions: bool = True, method: str = "walk", **options: Any
) -> tuple[Any, OraclePartition]:
    """Enumerate with the engine and with the oracle, and compare all that the two have in common."""
    partition = ps.enumerate_regions(given.net, where.domain, method=method, **options)
    expected = oracle_partition(given.layers, where.rows, whole_space=where.rows is None)
    assert partition.complete
    assert_same_partition(partition, expected)
    assert_proven_witnesses(partition, given, where)
    assert_same_affine_regions(partition, expected)
    assert_proven(partition)
    if regions:
        assert_same_regions(partition, expected)
    return partition, expected


def array_equal(left: npt.NDArray[Any], right: npt.NDArray[Any]) -> bool:
    """Equal bit by bit: same type, same shape, same values."""
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


def assert_identical(left: Any, right: Any, *, resumed: bool = False) -> None:
    """Two partitions have the same arrays in the same order, and took as many decisions unless resumed."""
    assert array_equal(left.codes, right.codes)
    assert array_equal(left.witnesses, right.witnesses)
    assert array_equal(left.witness_exact, right.witness_exact)
    assert array_equal(left.edges, right.edges)
    assert array_equal(left.edge_sources, right.edge_sources)
    assert left.exact_witnesses == right.exact_witnesses
    assert left.stop is right.stop
    assert left.expanded == right.expanded
    assert resumed or left.exact_fallbacks == right.exact_fallbacks
