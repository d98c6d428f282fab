"""Partitions whose regions and edges come from the oracle, so that no walk is needed to test them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from polyspline.domains import Box, Domain, WholeSpace
from polyspline.network import Network
from polyspline.partition import CodePacking, Partition, StopReason
from tests.oracle import Code, OraclePartition, oracle_partition
from tests.oracle.cases import Weights, box_rows, oracle_layers


@dataclass(frozen=True)
class Case:
    """A partition, the oracle that it was made from, and the oracle's place of each region."""

    partition: Partition
    oracle: OraclePartition
    codes: list[Code]

    def closed_regions_with(self, z: Sequence[float]) -> list[int]:
        """Indices of all closed regions that contain a point, by the oracle's cells."""
        exact = [Fraction(float(x)) for x in z]
        if self.oracle.whole_space:
            exact += [Fraction(1)]
            scale = sum(abs(x) for x in exact) + 1
            exact = [x / scale for x in exact]
        numerators, denominator = over_common_denominator_of(exact)
        homogeneous = (*numerators, denominator)
        cells = dict(zip(self.oracle.codes, self.oracle.cells, strict=True))
        return [
            index
            for index, code in enumerate(self.codes)
            if all(sum(a * b for a, b in zip(row, homogeneous, strict=True)) <= 0 for row in cells[code].rows)
        ]


def over_common_denominator_of(values: Sequence[Fraction]) -> tuple[list[int], int]:
    """Numerators over one positive denominator."""
    denominator = 1
    for value in values:
        denominator *= value.denominator
    return [int(value * denominator) for value in values], denominator


def float_witness(net: Network, code: Code, exact: Sequence[Fraction]) -> tuple[np.ndarray[Any, Any], bool]:
    """The rounded point, and whether it is still of the region."""
    rounded = np.array([float(x) for x in exact])
    return rounded, tuple(net.code(rounded).tolist()) == code


def case(
    weights: Weights, activations: Sequence[str] | str, half_width: float | None = 1.0, seed: int = 0
) -> Case:
    """Build the partition over a cube around the origin, or over the whole space."""
    if isinstance(activations, str):
        activations = [activations] * (len(weights[0]) - 1) + ["identity"]
    net = Network.from_layers(*weights, activation=list(activations))
    dim = net.latent_dim
    domain: Domain
    if half_width is None:
        domain, rows = WholeSpace(dim), None
    else:
        domain = Box(-half_width, half_width, dim=dim)
        rows = box_rows([-half_width] * dim, [half_width] * dim)
    oracle = oracle_partition(oracle_layers(*weights, activations), rows, whole_space=rows is None)
    # The oracle has no order of its own: shuffle, so that nothing depends on one.
    order = np.random.default_rng(seed).permutation(len(oracle.codes))
    codes = [oracle.codes[i] for i in order]
    return Case(_partition(net, domain, oracle, codes), oracle, codes)


def _partition(net: Network, domain: Domain, oracle: OraclePartition, codes: list[Code]) -> Partition:
    place = {code: i for i, code in enumerate(codes)}
    knot_start = np.concatenate([[0], np.cumsum(np.asarray(net.n_pieces) - 1)])
    pairs = sorted(tuple(sorted(place[code] for code in edge)) for edge in oracle.edges)
    sources = []
    for i, j in pairs:
        unit = next(k for k in range(net.n_units) if codes[i][k] != codes[j][k])
        sources.append(int(knot_start[unit]) + min(codes[i][unit], codes[j][unit]))
    points = [float_witness(net, code, oracle.interior_points[code]) for code in codes]
    return Partition(
        net=net,
        domain=domain,
        packed=CodePacking(net.n_pieces).pack(np.array(codes, dtype=np.int64).reshape(len(codes), -1)),
        witnesses=np.array([point for point, _ in points]),
        witness_exact=np.array([exact for _, exact in points]),
        edges=np.array(pairs, dtype=np.int32).reshape(-1, 2),
        edge_sources=np.array(sources, dtype=np.int32),
        stop=StopReason.COMPLETE,
        expanded=len(codes),
        seconds=0.5,
        exact_witnesses={
            i: oracle.interior_points[code]
            for i, (code, (_, exact)) in enumerate(zip(codes, points, strict=True))
            if not exact
        },
    )


def cut_off(partition: Partition, expanded: int, kept: int) -> Partition:
    """Partial partition of the first `kept` regions."""
    inside = partition.edges[:, 1] < kept
    return Partition(
        net=partition.net,
        domain=partition.domain,
        packed=partition.packed[:kept],
        witnesses=partition.witnesses[:kept],
        witness_exact=partition.witness_exact[:kept],
        edges=partition.edges[inside],
        edge_sources=partition.edge_sources[inside],
        stop=StopReason.MAX_REGIONS,
        expanded=expanded,
        exact_fallbacks=3,
        seconds=0.25,
        exact_witnesses={i: p for i, p in partition.exact_witnesses.items() if i < kept},
    )
