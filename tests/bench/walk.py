"""How fast the walk is: ``python -m tests.bench.walk``.

Walks a fixed, seeded list of networks, each in a process of its own, kernels
compiled beforehand and proofs on, and prints for each: regions, regions per
CPU-second, shared facets per region, decisions that needed rational
arithmetic, and peak memory per region above that of the warmed process (only
for walks long enough to tell). ``--against relucent`` puts that peer, if it is
installed, beside it in the same run.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from typing import Any

from tests.bench.cases import Case, growth_cases, standard_cases
from tests.bench.measure import in_process, request_for

_QUICK_CAP = 2_000
_COLUMNS = ("network", "regions", "regions/CPU-s", "facets/region", "exact fallbacks", "bytes/region")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.walk", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"cut every walk at {_QUICK_CAP:,} regions")
    parser.add_argument("--workers", type=int, default=1, metavar="K", help="cores to use")
    parser.add_argument("--run-file", action="store_true", help="keep each run in a file while it goes on")
    parser.add_argument("--only", metavar="TEXT", help="only the networks whose name has this in it")
    parser.add_argument("--growth", type=int, metavar="R", help="instead: one network up to R regions")
    parser.add_argument("--against", choices=["relucent"], help="measure this peer too")
    parser.add_argument("--peer-cap", type=int, default=500, metavar="R", help="regions the peer may find")
    parser.add_argument("--json", action="store_true", help="print JSON and no table")
    return parser.parse_args(arguments)


def measure(case: Case, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one case, and the peer on it if it was asked for."""
    own = in_process(request_for(case, workers=options.workers, run_file=options.run_file))
    row: dict[str, Any] = {"name": case.name, "polyspline": own}
    if options.against:
        row[options.against] = in_process(request_for(case, peer=True, peer_cap=options.peer_cap))
    return row


def cells(row: dict[str, Any], peer: str | None) -> list[str]:
    """Put a row into words."""
    own = row["polyspline"]
    if own is None:
        words = [row["name"], *["failed"] * (len(_COLUMNS) - 1)]
    else:
        memory = own["bytes_per_region"]
        words = [
            row["name"],
            f"{own['regions']:,}" + ("" if own["complete"] else " (cut)"),
            f"{own['regions_per_cpu_second']:,.0f}",
            f"{own['facets_per_region']:.2f}",
            f"{own['exact_fallbacks']:,}",
            "" if memory is None else f"{memory:,.0f}",
        ]
    if peer is not None:
        other = row[peer]
        words.append("failed" if other is None else f"{other['regions_per_cpu_second']:,.0f}")
    return words


def print_line(words: list[str]) -> None:
    """Print one line of the table as Markdown, aligned for a terminal too."""
    widths = [28, 16, 13, 13, 15, 12, 24]
    print("| " + " | ".join(f"{word:<{width}}" for word, width in zip(words, widths, strict=False)) + " |")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """Measure everything asked for; 1 if some walk failed, 2 if the peer is not installed."""
    options = parse(arguments)
    if options.against and importlib.util.find_spec(options.against) is None:
        print(f"{options.against} is not installed: pip install {options.against}.", file=sys.stderr)
        return 2
    cases = (
        growth_cases(options.growth)
        if options.growth
        else standard_cases(_QUICK_CAP if options.quick else None)
    )
    cases = [case for case in cases if options.only is None or options.only in case.name]
    if not options.json:
        header = [*_COLUMNS, *([f"{options.against} regions/CPU-s"] if options.against else [])]
        print_line(header)
        print("|" + "---|" * len(header))
    rows = []
    for case in cases:
        rows.append(measure(case, options))
        if not options.json:
            print_line(cells(rows[-1], options.against))
    if options.json:
        print(json.dumps(rows, indent=1))
    return int(any(row["polyspline"] is None for row in rows))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
