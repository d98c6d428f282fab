"""Measures inversions in a process of their own: ``python -m tests.bench.invert_measure REQUEST``.

The request and the answer are JSON, so that CPU time belongs to one method
alone, a solver's child processes included, and a peer that fails takes nothing
else down.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import asdict
from typing import Any

from polyspline.inversion import Inversion, invert
from tests.bench.invert_cases import GAP, LEAKY, InversionCase
from tests.bench.invert_peers import measure_peer
from tests.bench.measure import ROOT, cpu_seconds

# One core: libraries that start threads would spin on the others.
_ONE_CORE = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


def measure_inversion(
    case: InversionCase, seed: int, norm: str, method: str, solver: str | None = None
) -> dict[str, Any]:
    """Invert one x and say what it took."""
    network = case.network(seed)
    x, domain = case.target(network, seed), case.domain(network)
    cpu, wall = cpu_seconds(), time.perf_counter()
    result = invert(
        network, x, domain, norm=norm, method=method, gap=GAP, max_seconds=case.max_seconds, solver=solver
    )
    assert isinstance(result, Inversion)
    return {
        "cpu_seconds": cpu_seconds() - cpu,
        "seconds": time.perf_counter() - wall,
        "status": result.status.key,
        "distance": result.distance,
        "gap": result.gap,
        "nodes": result.nodes,
    }


def measure(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Measure every seed of a request, what is loaded or compiled on first use beforehand."""
    case = InversionCase(**(request["case"] | {"widths": tuple(request["case"]["widths"])}))
    seeds, norm, method = request["seeds"], request["norm"], request["method"]
    if request.get("peer"):
        return [measure_peer(case, seed, norm, method, cpu_seconds) for seed in seeds]
    warm = InversionCase("warm", (2, 4, 3), LEAKY, None, None, max_seconds=60.0)
    measure_inversion(warm, 0, norm, method, request.get("solver"))
    return [measure_inversion(case, seed, norm, method, request.get("solver")) for seed in seeds]


def in_process(case: InversionCase, **options: object) -> list[dict[str, Any]] | None:
    """Have a request measured by a fresh process; None if that fails (it says why on stderr)."""
    request = {"case": asdict(case), **options}
    command = [sys.executable, "-m", "tests.bench.invert_measure", json.dumps(request)]
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False, env=os.environ | _ONE_CORE
    )
    if done.returncode != 0:
        return None
    answer: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main(text: str) -> None:
    """Measure one request and print the answer, infinite numbers as null."""
    rows = measure(json.loads(text))
    plain = [
        {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in row.items()
        }
        for row in rows
    ]
    print(json.dumps(plain, allow_nan=False))


if __name__ == "__main__":
    main(sys.argv[1])
