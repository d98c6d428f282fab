"""A witness whose code is not its region's is an error, whichever unit it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import polyspline as ps
from polyspline.errors import InvariantError
from polyspline.partition.witnesses import check_witnesses


def moved(part: Any, region: int, point: Any) -> Any:
    witnesses = part.witnesses.copy()
    witnesses[region] = point
    return replace(part, witnesses=witnesses)


@pytest.mark.parametrize("activation", ["relu", "hardtanh", "max:2", "leaky_relu:0.1"])
def test_a_witness_in_a_neighbouring_region_is_refused(activation: str) -> None:
    rng = np.random.default_rng(3)
    net = ps.Network.from_layers(
        [rng.normal(size=(4, 2)), rng.normal(size=(2, 2 if activation == "max:2" else 4))],
        [rng.normal(size=4), rng.normal(size=2)],
        [activation, "relu"],
    )
    part = ps.enumerate_regions(net, ps.Box(-1, 1, dim=2), method="walk")
    check_witnesses(part)
    for one, other in part.edges.tolist():
        for region, at in ((one, other), (other, one)):
            with pytest.raises(InvariantError, match=f"region {region} has the witness"):
                check_witnesses(moved(part, region, part.witnesses[at]))
