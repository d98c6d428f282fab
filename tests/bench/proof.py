"""Certificates: ``python -m tests.bench.proof [--only NAME] [--regions N]``.

For each case the CPU-seconds of the enumeration by the walk, of the proof and of its check, by one process,
kernels compiled beforehand, and the size of the certificate.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polyspline as ps
from polyspline.domains import Box, WholeSpace
from polyspline.network import Network, zoo
from tests.bench.cases import resonance_network
from tests.bench.measure import cpu_seconds

_DIGITS = Path(__file__).resolve().parents[2] / "examples" / "digits_generator.npz"


@dataclass(frozen=True)
class ProofCase:
    """One network and whether it is proven over the whole space, and not the box [-1, 1]^S."""

    name: str
    make: Callable[[], Network]
    whole_space: bool = False


CASES = (
    ProofCase("[2,32,32,32,1]", lambda: zoo.random_network((2, 32, 32, 32, 1), seed=0)),
    ProofCase("[4,16,16,1]", lambda: zoo.random_network((4, 16, 16, 1), seed=0)),
    ProofCase("digits generator", lambda: ps.load_network(_DIGITS)),
    ProofCase("resonance n = 5, whole space", lambda: resonance_network(5), whole_space=True),
)


def measure(case: ProofCase, most: int | None = None) -> dict[str, Any]:
    """Enumerate, prove and check one case, or its first regions."""
    net = case.make()
    size = net.latent_dim
    small = zoo.random_network((size, 3, 1), seed=0)
    ps.prove(ps.enumerate_regions(small, WholeSpace(size), method="walk"))
    domain = WholeSpace(size) if case.whole_space else Box(-1, 1, dim=size)
    began = cpu_seconds()
    part = ps.enumerate_regions(net, domain, method="walk", max_regions=most)
    walked = cpu_seconds()
    certificate = ps.prove(part)
    proven = cpu_seconds()
    status, _ = certificate.check()
    checked = cpu_seconds()
    count = len(part)
    return {
        "name": case.name,
        "regions": count,
        "status": status,
        "walk_ms": 1e3 * (walked - began) / count,
        "prove_ms": 1e3 * (proven - walked) / count,
        "check_ms": 1e3 * (checked - proven) / count,
        "bytes": len(certificate.data) / count,
    }


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or one JSON array."""
    parser = argparse.ArgumentParser(description="Measure certificates.")
    parser.add_argument("--only", help="name of one case")
    parser.add_argument("--regions", type=int, help="regions at which the walk stops")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    rows = [measure(case, given.regions) for case in CASES if given.only in (None, case.name)]
    if given.json:
        print(json.dumps(rows))
        return 0
    print("| partition | regions | walk, ms a region | prove | check | bytes a region |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['name']} | {row['regions']:,} | {row['walk_ms']:.3f} | {row['prove_ms']:.2f} "
            f"| {row['check_ms']:.2f} | {row['bytes']:.0f} |",
            flush=True,
        )
    return max((row["status"] for row in rows), default=0)


if __name__ == "__main__":
    sys.exit(main())
