"""Measures one walk in a process of its own: ``python -m tests.bench.measure REQUEST``.

The request and the answer are JSON objects, so that peak memory belongs to
one walk alone and a peer that fails takes nothing else down.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.cases import Case

ROOT = Path(__file__).resolve().parents[2]

# Shorter measurements than this say little: short walks are repeated.
_LEAST_CPU_SECONDS = 1.0
_MOST_REPEATS = 7
# Regions after which the memory of a walk stands out from that of the process.
_MEMORY_REGIONS = 50_000


def cpu_seconds() -> float:
    """CPU time of this process, its threads and its finished children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def resident_bytes() -> int:
    """Memory that this process holds now, or held at most where the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return peak_bytes()


def peak_bytes() -> int:
    """Memory that this process held at most."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure_polyspline(case: Case, workers: int, run_file: bool) -> dict[str, Any]:
    """Walk one case, kernels warmed first, and say what it took."""
    from polyspline.enumeration import enumerate_regions

    network, domain = case.network(), case.domain()
    enumerate_regions(network, domain, method="walk", max_regions=50, workers=workers)
    held = resident_bytes()
    runs: list[tuple[float, float]] = []
    while sum(cpu for cpu, _ in runs) < _LEAST_CPU_SECONDS and len(runs) < _MOST_REPEATS:
        with tempfile.TemporaryDirectory() as folder:
            kept = os.path.join(folder, "bench.polyspline") if run_file else None
            cpu, wall = cpu_seconds(), time.perf_counter()
            partition = enumerate_regions(
                network, domain, method="walk", max_regions=case.cap, workers=workers, run_file=kept
            )
            runs.append((cpu_seconds() - cpu, time.perf_counter() - wall))
    cpu, wall = sorted(runs)[len(runs) // 2]
    regions, adjacencies = len(partition), int(partition.n_adjacencies)
    return {
        "regions": regions,
        "adjacencies": adjacencies,
        "complete": bool(partition.complete),
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "regions_per_cpu_second": regions / cpu,
        "regions_per_second": regions / wall,
        "facets_per_region": 2.0 * adjacencies / regions,
        "exact_fallbacks": int(partition.exact_fallbacks),
        "bytes_per_region": (peak_bytes() - held) / regions if regions >= _MEMORY_REGIONS else None,
    }


def measure_relucent(case: Case, cap: int) -> dict[str, Any]:
    """Search the same regions with relucent (one worker), if it is installed, and say what it took."""
    relucent = importlib.import_module("relucent")
    models = importlib.import_module("relucent.model")
    network = case.network()
    layers: list[Any] = []
    for index, layer in enumerate(network.layers):
        layers.append(models.LinearLayer(layer.weight, layer.bias))
        if index + 1 < len(network.layers):
            layers.append(models.ReLULayer())
    cube = {} if case.whole_space else {"cube_radius": 1.0, "cube_mode": "clipped"}
    cells = relucent.Complex(models.ReLUNetwork(layers))
    cpu, wall = cpu_seconds(), time.perf_counter()
    cells.bfs(nworkers=1, verbose=0, max_polys=cap, **cube)
    cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
    return {
        "regions": len(cells),
        "complete": bool(cells.complete),
        "cpu_seconds": cpu,
        "wall_seconds": wall,
        "regions_per_cpu_second": len(cells) / cpu,
        "regions_per_second": len(cells) / wall,
    }


def in_process(request: dict[str, Any]) -> dict[str, Any] | None:
    """Have a request measured by a fresh process; None if that fails (it says why on stderr)."""
    command = [sys.executable, "-m", "tests.bench.measure", json.dumps(request)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        return None
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def request_for(case: Case, **options: object) -> dict[str, Any]:
    """Make a request that `in_process` takes."""
    return {"case": asdict(case), **options}


def main(text: str) -> None:
    """Measure one request and print the answer."""
    request = json.loads(text)
    case = Case(**(request["case"] | {"widths": tuple(request["case"]["widths"])}))
    if request.get("peer"):
        answer = measure_relucent(case, int(request["peer_cap"]))
    else:
        answer = measure_polyspline(case, int(request["workers"]), bool(request["run_file"]))
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
