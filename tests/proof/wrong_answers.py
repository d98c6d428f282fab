"""Wrong partitions that engines once returned, as certificates: ``python -m tests.proof.wrong_answers``.

Each is as near to a proof as a wrong claim allows: all that is left of the regions is described as in the
right partition, and the rows that do not follow have the best index sets that there are.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import polyspline as ps
from polyspline.errors import InvariantError
from polyspline.proof import check as checker
from polyspline.proof.bases import tight_rows
from polyspline.proof.writer import Combination, Floats, Prover, Row
from tests.proof.support import Claim

DATA = Path(__file__).parent / "data"


class Careless(Prover):
    """Index sets that are the best of all, whether or not they show what they should."""

    def _combinations(self, basis: list[Row], polar: Floats, targets: Any, aims: Floats) -> list[Combination]:
        found = super()._combinations(basis, polar, targets, aims)
        if not targets or not basis or len(targets[0]) == self.net.S:
            return found
        names, _ = tight_rows(polar, aims)
        seen = [tuple(sorted(k for k in few if k >= 0)) for few in names[:, :, 0].tolist()]
        return [(one or tried or (0,), bound) for (one, bound), tried in zip(found, seen, strict=True)]


def _net(weights: Any, biases: Any, activations: list[str]) -> Any:
    return ps.Network.from_layers([np.array(w) for w in weights], [np.array(b) for b in biases], activations)


def wrong_partitions() -> dict[str, tuple[Any, Any, list[tuple[int, ...]]]]:
    """Network, domain, and the codes that were said to be all, by name."""
    tiny, half = 1e-200, 1.0 - 2.0**-53
    return {
        "max-group-of-two-decimals": (
            _net([[[-0.5], [0.0]]], [[0.1, 0.6]], ["max:2"]), ps.Box([-1.0], [1.0]), [(1,)],
        ),
        "max-group-of-one-decimal": (
            _net([[[0.9], [-0.1]]], [[0.5, -0.5]], ["max:2"]), ps.Box([-1.0], [1.0]), [(0,)],
        ),
        "hardtanh-half-an-ulp-from-a-knot": (
            _net([[[1.0]]], [[half]], ["hardtanh"]), ps.Box([-2.0], [2.0]), [(1,), (2,)],
        ),
        "product-that-underflows": (
            _net([[[tiny]], [[tiny]]], [[0.0], [0.0]], ["identity", "relu"]), ps.Box([-1.0], [1.0]), [(0,)],
        ),
        "product-that-overflows": (
            _net([[[1e200], [-1e200]], [[1e200, 0.0], [0.0, 1e200]]], [[0.0, 1e200], [0.0, 0.0]],
                 ["identity", "max:2"]), ps.Box([0.0], [1.0]), [(0,)],
        ),
        "cancelling-coefficients-on-a-small-box": (
            _net([[[139.0], [139.0], [8.0]], [[1 + 3 * 2.0**-46, -1.0, 0.0], [0.0, 0.0, 1.0]]],
                 [[0.0] * 3, [-3.126388037344441e-13, -0.4225696365984106]], ["identity", "relu"]),
            ps.Box([-0.0625], [0.0625]), [(0, 0), (0, 1), (1, 1)],
        ),
        "slope-that-underflows": (
            _net([[[tiny]], [[1e300]]], [[0.0], [5e-101]], ["leaky_relu:1e-200", "relu"]),
            ps.Box([-1.0], [1.0]), [(0, 1), (1, 1)],
        ),
        "softshrink-beside-its-knot": (
            _net([[[-0.5], [0.9]]], [[-8.673617379884035e-19, 0.0]], ["softshrink:0.5"]),
            ps.Box([-1.0], [1.0]), [(1, 0), (1, 1), (1, 2)],
        ),
        "subnormal-weight": (
            _net([[[-5e-324], [1.0]]], [[0.0, 0.5]], ["relu"]), ps.Box([-1.0], [0.25]),
            [(1, 0), (0, 0), (1, 1), (0, 1)],
        ),
    }  # fmt: skip


def claim_of_codes(net: Any, domain: Any, codes: list[tuple[int, ...]]) -> Claim:
    """Claim that some codes are all regions, and neighbours those that follow each other on a line."""
    right = ps.enumerate_regions(net, domain, method="walk")
    places = [right.index_of(code) for code in codes]
    # Where a code is no region, a point of the domain stands for its witness.
    middle = np.asarray(domain.default_start())
    witnesses = np.array([right.witnesses[i] if i >= 0 else middle for i in places])
    order = np.argsort(witnesses[:, 0], kind="stable")
    edges = [sorted((int(a), int(b))) for a, b in pairwise(order)]
    part = ps.Partition(
        net, domain, right.packing.pack(np.array(codes)), witnesses, np.ones(len(codes), dtype=np.bool_),
        np.array(edges, dtype=np.int32).reshape(-1, 2), np.zeros(len(edges), dtype=np.int32),
        ps.StopReason.COMPLETE, len(codes),
    )  # fmt: skip
    prover = Careless(part)
    proofs = []
    for i in range(len(codes)):
        try:
            proofs.append(prover.region(i, 0))
        except InvariantError:
            proofs.append(_without_edges(prover, i))
    return Claim(net, domain, tuple(proofs), len(codes))


def _without_edges(prover: Prover, i: int) -> Any:
    """What can be said of a region that is none, or has a neighbour that it cannot have."""
    from polyspline.proof.encode import RegionProof

    view = prover._view(i)
    lower = sorted((j for j in prover.part.neighbours(i).tolist() if j < i), reverse=True)
    prover.served.update({(i, j): False for j in prover.part.neighbours(i).tolist() if j > i})
    return RegionProof(view.code, view.witness, lower, [1] * len(lower), [], [()] * (2 * prover.net.S), [])


def main() -> None:
    """Write all of them anew."""
    DATA.mkdir(exist_ok=True)
    for name, (net, domain, codes) in wrong_partitions().items():
        data = claim_of_codes(net, domain, codes).data()
        (DATA / f"{name}.proof").write_bytes(data)
        print(f"{name}: {checker.check(data)[1]}")


if __name__ == "__main__":
    main()
