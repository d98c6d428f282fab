"""How fast splitting is, and where it beats the walk: ``python -m tests.bench.split``.

Enumerates a fixed, seeded list of networks over [-1, 1]^S with both engines, each in a process of
its own, kernels compiled beforehand, proofs and graph on, and counts them without storing.
``--against relucent`` puts that peer, if it is installed, beside them, stopped after some regions.
``--growth R`` counts one network after the other instead, up to R regions, to see whether the
cost per region and the memory stay flat.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.network import zoo
from polyspline.split import count
from tests.bench import measure
from tests.bench.cases import Case
from tests.bench.measure import ROOT, cpu_seconds, peak_bytes, resident_bytes

WIDTHS: tuple[tuple[int, ...], ...] = (
    (2, 16, 16, 1),
    (3, 16, 16, 1),
    (2, 32, 32, 32, 1),
    (4, 16, 16, 1),
    (2, 64, 64, 64, 10),
    (5, 12, 12, 1),
    (6, 10, 10, 1),
)
GROWING: tuple[tuple[int, ...], ...] = (
    (4, 14, 14, 1),
    (4, 24, 24, 1),
    (4, 40, 40, 1),
    (4, 70, 70, 1),
    (4, 124, 124, 1),
)
SEED = 0
_LEAST_CPU_SECONDS = 1.0
_COLUMNS = ("network", "regions", "split/CPU-s", "count/CPU-s", "walk/CPU-s", "exact fallbacks")


def rate(work: Callable[[], Any]) -> tuple[Any, float]:
    """Last result of some work, and how often it is done in a CPU-second."""
    began, times = cpu_seconds(), 0
    result = None
    while not times or cpu_seconds() - began < _LEAST_CPU_SECONDS:
        result = work()
        times += 1
    return result, times / (cpu_seconds() - began)


def measure_engines(widths: tuple[int, ...], walk: bool) -> dict[str, Any]:
    """Regions per CPU-second of both engines on one network."""
    net, cube = zoo.random_network(widths, seed=SEED), Box(-1.0, 1.0, dim=widths[0])
    small, square = zoo.random_network((2, 4, 1), seed=SEED), Box(-1.0, 1.0, dim=2)
    enumerate_regions(small, square, method="split")
    part, split_rate = rate(lambda: enumerate_regions(net, cube, method="split"))
    _, count_rate = rate(lambda: count(net, cube))
    row = {
        "regions": len(part),
        "split": split_rate * len(part),
        "count": count_rate * len(part),
        "exact_fallbacks": part.exact_fallbacks,
        "walk": None,
    }
    if walk:
        enumerate_regions(small, square, method="walk")
        _, walk_rate = rate(lambda: enumerate_regions(net, cube, method="walk"))
        row["walk"] = walk_rate * len(part)
    return row


def measure_growth(widths: tuple[int, ...], workers: int) -> dict[str, Any]:
    """Count one network and say how long it took and how much memory."""
    net, cube = zoo.random_network(widths, seed=SEED), Box(-1.0, 1.0, dim=widths[0])
    count(net, cube, max_regions=1, workers=workers)
    held = resident_bytes()
    began, cpu = time.perf_counter(), cpu_seconds()
    found = count(net, cube, workers=workers)
    return {
        "regions": found.regions,
        "adjacencies": found.adjacencies,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": cpu_seconds() - cpu,
        "peak_bytes": peak_bytes(),
        "more_bytes": peak_bytes() - held,
        "exact_fallbacks": found.exact_fallbacks,
    }


def in_process(request: dict[str, Any]) -> dict[str, Any]:
    """Have a request measured by a fresh process."""
    command = [sys.executable, "-m", "tests.bench.split", "--request", json.dumps(request)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.split", description=__doc__)
    parser.add_argument("--only", metavar="TEXT", help="only the networks whose name has this in it")
    parser.add_argument("--no-walk", action="store_true", help="leave the walk out")
    parser.add_argument("--against", choices=["relucent"], help="measure this peer too")
    parser.add_argument("--peer-cap", type=int, default=500, metavar="R", help="regions the peer may find")
    parser.add_argument("--growth", type=int, metavar="R", help="instead: count up to about R regions")
    parser.add_argument("--workers", type=int, default=1, metavar="K", help="cores to use with --growth")
    parser.add_argument("--json", action="store_true", help="print JSON and no table")
    parser.add_argument("--request", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def print_line(words: list[str]) -> None:
    """Print one line of the table as Markdown."""
    print("| " + " | ".join(f"{word:<16}" for word in words) + " |", flush=True)


def cells(name: str, row: dict[str, Any]) -> list[str]:
    """Put a row into words."""
    walk = "" if row["walk"] is None else f"{row['walk']:,.0f}"
    rates = [f"{row['split']:,.0f}", f"{row['count']:,.0f}", walk]
    peer = (
        [] if "relucent" not in row else ["failed" if row["relucent"] is None else f"{row['relucent']:,.0f}"]
    )
    return [name, f"{row['regions']:,}", *rates, f"{row['exact_fallbacks']:,}", *peer]


def growth(largest: int, workers: int, as_json: bool) -> None:
    """Count larger and larger networks."""
    columns = ["network", "regions", "adjacencies", "seconds", "CPU seconds", "regions/CPU-s", "peak MB"]
    if not as_json:
        print_line(columns)
        print("|" + "---|" * len(columns))
    for widths in GROWING:
        row = in_process({"widths": widths, "workers": workers})
        if as_json:
            print(json.dumps({"widths": widths} | row), flush=True)
        else:
            times = [f"{row['seconds']:.1f}", f"{row['cpu_seconds']:.1f}"]
            speed = f"{row['regions'] / row['cpu_seconds']:,.0f}"
            counts = [f"{row['regions']:,}", f"{row['adjacencies']:,}"]
            print_line([str(list(widths)), *counts, *times, speed, f"{row['peak_bytes'] / 1e6:,.0f}"])
        if 8 * row["regions"] > largest:
            return


def main(arguments: list[str]) -> int:
    """Measure everything asked for."""
    options = parse(arguments)
    if options.request:
        request = json.loads(options.request)
        widths = tuple(request["widths"])
        if "workers" in request:
            print(json.dumps(measure_growth(widths, request["workers"])))
        else:
            print(json.dumps(measure_engines(widths, request["walk"])))
        return 0
    if options.growth:
        growth(options.growth, options.workers, options.json)
        return 0
    if options.against and importlib.util.find_spec(options.against) is None:
        print(f"{options.against} is not installed: pip install {options.against}.", file=sys.stderr)
        return 2
    if not options.json:
        columns = [*_COLUMNS, *([f"{options.against}/CPU-s"] if options.against else [])]
        print_line(columns)
        print("|" + "---|" * len(columns))
    rows = {}
    for widths in WIDTHS:
        name = f"[{','.join(map(str, widths))}]"
        if options.only is None or options.only in name:
            rows[name] = in_process({"widths": widths, "walk": not options.no_walk})
            if options.against:
                case = Case(name, widths, whole_space=False)
                found = measure.in_process(measure.request_for(case, peer=True, peer_cap=options.peer_cap))
                rows[name][options.against] = None if found is None else found["regions_per_cpu_second"]
            if not options.json:
                print_line(cells(name, rows[name]))
    if options.json:
        print(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
