"""Planes through big generators, and a wide plane network: ``python -m tests.bench.slices``.

The enumeration over the box [-w, w]^2 of a slice through the origin, along seeded orthonormal directions,
kernels compiled beforehand, proofs and graph on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.network import Network, zoo
from tests.bench.measure import cpu_seconds

SEED = 0


@dataclass(frozen=True)
class SliceCase:
    """One network, whether it is sliced, and half the width of the box."""

    name: str
    make: Callable[[], Network]
    width: float
    goal: int


CASES = (
    SliceCase("[10,256,512,1024,784] leaky, plane", lambda: zoo.fc_generator(SEED), 0.1, 300),
    SliceCase("convolutional generator, plane", lambda: zoo.conv_generator(SEED), 0.1, 300),
    SliceCase("[2,64,64,64,10]", lambda: zoo.random_network((2, 64, 64, 64, 10), seed=SEED), 1.0, 20_000),
)


def plane_of(net: Network) -> Network:
    """Restrict a network to a plane through the origin; one of two latent dimensions stays itself."""
    if net.latent_dim == 2:
        return net
    rng = np.random.default_rng(SEED)
    directions, _ = np.linalg.qr(rng.normal(size=(net.latent_dim, 2)))
    return net.restrict(np.zeros(net.latent_dim), directions)


def measure(case: SliceCase, scale: float = 1.0) -> dict[str, Any]:
    """Enumerate one case, its box scaled; regions per CPU-second from the call to the partition."""
    net = plane_of(case.make())
    enumerate_regions(zoo.random_network((2, 4, 1), seed=SEED), Box(-1, 1, dim=2))
    began = cpu_seconds()
    part = enumerate_regions(net, Box(-scale * case.width, scale * case.width, dim=2))
    seconds = cpu_seconds() - began
    return {
        "name": case.name,
        "units": net.n_units,
        "regions": len(part),
        "complete": part.complete,
        "regions_per_cpu_second": len(part) / seconds,
        "goal": case.goal,
        "exact_fallbacks": part.exact_fallbacks,
    }


def main(arguments: list[str]) -> int:
    """Print the table, or the rows as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.slices", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--scale", type=float, default=1.0, help="scale the boxes, for a quick look")
    given = parser.parse_args(arguments)
    rows = [measure(case, given.scale) for case in CASES]
    if given.json:
        print(json.dumps(rows))
        return 0
    print("| network | units | regions | regions/CPU-s | goal | exact fallbacks |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['name']} | {row['units']:,} | {row['regions']:,} | {row['regions_per_cpu_second']:,.0f} "
            f"| {row['goal']:,} | {row['exact_fallbacks']} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
