"""The counts that the README states of the shipped generator are those of the oracle."""

from __future__ import annotations

from pathlib import Path

import polyspline as ps
from polyspline.cpa.units import ScalarUnit
from tests.oracle import oracle_partition
from tests.oracle.cases import box_rows

GENERATOR = Path(__file__).resolve().parents[2] / "examples" / "digits_generator.npz"


def test_the_shipped_generator_has_the_regions_and_edges_of_the_oracle() -> None:
    net = ps.load_network(GENERATOR)
    layers = [
        (
            layer.weight,
            layer.bias,
            [(unit.knots, unit.slopes, unit.offsets) for unit in layer.units if isinstance(unit, ScalarUnit)],
        )
        for layer in net.layers
    ]
    truth = oracle_partition(layers, box_rows([-1.0, -1.0], [1.0, 1.0]))
    part = ps.enumerate_regions(net, ps.Box(-1, 1, dim=2))
    codes = [tuple(code) for code in part.codes.tolist()]
    assert len(truth.codes) == 380
    assert set(codes) == set(truth.codes)
    assert {frozenset((codes[i], codes[j])) for i, j in part.edges.tolist()} == set(truth.edges)
    assert part.n_adjacencies == len(truth.edges) == 726
