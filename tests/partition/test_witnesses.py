"""A witness that is not in its region is seen, whatever engine made it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import polyspline as ps
from polyspline.errors import InvariantError
from polyspline.partition.witnesses import check_witnesses

NETS = {
    "relu": ps.zoo.random_network([2, 8, 8, 1], seed=0),
    "three pieces": ps.zoo.random_network([2, 6, 6, 1], activation="hardtanh", seed=1),
    "max groups": ps.Network.from_layers(
        [np.random.default_rng(2).normal(size=(12, 2)), np.random.default_rng(3).normal(size=(6, 4))],
        [np.random.default_rng(4).normal(size=12), np.zeros(6)],
        ["max:3", "max:2"],
    ),
    "mixed": ps.Network.from_layers(
        [np.random.default_rng(5).normal(size=(6, 2)), np.random.default_rng(6).normal(size=(3, 5))],
        [np.random.default_rng(7).normal(size=6), np.zeros(3)],
        ["relu|identity|abs|max:2|hardtanh", "relu"],
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_every_exchange_of_two_witnesses_is_seen(name: str) -> None:
    part = ps.enumerate_regions(NETS[name], ps.Box(-1.0, 1.0, dim=2))
    check_witnesses(part)
    for region in range(1, len(part)):
        witnesses = part.witnesses.copy()
        witnesses[[0, region]] = witnesses[[region, 0]]
        with pytest.raises(InvariantError, match="region 0 has the witness"):
            check_witnesses(replace(part, witnesses=witnesses))


def test_witnesses_beyond_the_range_of_float32_are_decided_exactly() -> None:
    net = ps.Network.from_layers([[[1e200], [1e-200]]], [[1e200, 1e-200]], ["relu"])
    part = ps.enumerate_regions(net, ps.Box([-3.0], [3.0]))
    check_witnesses(part)
    with pytest.raises(InvariantError):
        check_witnesses(replace(part, witnesses=part.witnesses[::-1].copy()))


def test_rational_witnesses_are_taken_at_their_word() -> None:
    net = ps.Network.from_layers([[[1.0], [1.0]]], [[0.0, -5e-324]], ["relu"])
    part = ps.enumerate_regions(net, ps.Box([-1.5e-323], [1e-323]))
    assert not part.witness_exact.all()
    check_witnesses(part)
