"""How long a proven inversion takes: ``python -m tests.bench.invert``.

Inverts seeded networks (He-normal weights, biases uniform in ±1/sqrt(fan-in),
box [-3, 3]^S, x = G(z0) plus noise of 0.1 rms, relative gap 1e-6) and the
digits decoder that ships, each method in a process of its own, what is loaded
or compiled on first use beforehand. Prints for each: CPU-seconds (the process
and its children, the median over the seeds), the CPU-seconds to reach, nodes
(median), the largest gap, and how many of the seeds were proven optimal.
``--against`` puts a peer, if it is installed, below it in the same run; its gap
for L2 is that of the squared distance.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from typing import Any

from tests.bench.invert_cases import NORMS, InversionCase, inversion_cases, methods_for
from tests.bench.invert_measure import in_process
from tests.bench.invert_peers import PEERS, missing_packages, peers_for

_QUICK_CASES, _QUICK_SECONDS = 4, 10.0
_COLUMNS = ("network", "norm", "method", "CPU-s", "to reach", "nodes", "largest gap", "optimal")
_WIDTHS = (24, 4, 22, 8, 8, 8, 11, 8)
_METHODS = ("search", "milp", "scan", "gradient")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.invert", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"only the {_QUICK_CASES} smallest, one seed, {_QUICK_SECONDS:g} s",
    )
    parser.add_argument("--only", metavar="TEXT", help="only the networks whose name has this in it")
    parser.add_argument("--norm", choices=NORMS, action="append", help="only this norm (may be repeated)")
    parser.add_argument(
        "--method", choices=_METHODS, action="append", help="these methods instead (may be repeated)"
    )
    parser.add_argument("--solver", metavar="NAME", help="back-end of milp")
    parser.add_argument("--seeds", type=int, metavar="K", help="seeds for each network (default 3)")
    parser.add_argument("--max-seconds", type=float, metavar="T", help="wall time for each inversion")
    parser.add_argument(
        "--against", choices=[*PEERS, "all"], action="append", default=[], help="measure this peer too"
    )
    parser.add_argument("--json", action="store_true", help="print JSON and no table")
    return parser.parse_args(arguments)


def chosen_cases(options: argparse.Namespace) -> list[InversionCase]:
    """List the cases that the command line asks for."""
    limit = options.max_seconds
    if limit is None and options.quick:
        limit = _QUICK_SECONDS
    cases = inversion_cases(limit)
    if options.only is not None:
        return [case for case in cases if options.only in case.name]
    return cases[:_QUICK_CASES] if options.quick else cases


def installed_peers(asked: Sequence[str]) -> list[str]:
    """List the peers asked for that are installed, and say of each other one what it lacks."""
    peers = list(PEERS) if "all" in asked else list(asked)
    for peer in peers:
        missing = missing_packages(peer)
        if missing:
            print(f"{peer} is left out: {', '.join(missing)} is not installed.", file=sys.stderr)
    return [peer for peer in peers if not missing_packages(peer)]


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Put the seeds of one line together; a gap that is not known counts as infinite."""
    gaps = [float("inf") if row["gap"] is None else row["gap"] for row in rows]
    nodes = [row["nodes"] for row in rows if row["nodes"] is not None]
    return {
        "cpu_seconds": statistics.median(row["cpu_seconds"] for row in rows),
        "nodes": statistics.median(nodes) if nodes else None,
        "gap": max(gaps),
        "optimal": sum(row["status"] == "optimal" for row in rows),
        "seeds": len(rows),
    }


def words(case: InversionCase, norm: str, method: str, rows: Sequence[dict[str, Any]] | None) -> list[str]:
    """Put one line of the table into words."""
    goal = case.goal(norm)
    named = [case.name, norm, method]
    reach = "" if goal is None else f"{goal:g}"
    if rows is None:
        return [*named, "failed", reach, "", "", ""]
    facts = summary(rows)
    return [
        *named,
        f"{facts['cpu_seconds']:.2f}",
        reach,
        "" if facts["nodes"] is None else f"{facts['nodes']:,.0f}",
        f"{facts['gap']:.1e}",
        f"{facts['optimal']} of {facts['seeds']}",
    ]


def print_line(line: Sequence[str]) -> None:
    """Print one line of the table as Markdown, aligned for a terminal too."""
    print("| " + " | ".join(f"{word:<{width}}" for word, width in zip(line, _WIDTHS, strict=True)) + " |")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Measure everything asked for; 1 if some inversion of our own failed."""
    options = parse(arguments)
    peers = installed_peers(options.against)
    count = options.seeds if options.seeds is not None else 1 if options.quick else 3
    lines: list[dict[str, Any]] = []
    failed = False
    if not options.json:
        print_line(_COLUMNS)
        print("|" + "---|" * len(_COLUMNS))
    for case in chosen_cases(options):
        seeds = [0] if case.digit else list(range(count))
        for norm in options.norm or NORMS:
            for method in [*(options.method or methods_for(norm)), *peers_for(norm, peers)]:
                peer = method in PEERS
                solver = options.solver if method == "milp" else None
                rows = in_process(case, seeds=seeds, norm=norm, method=method, peer=peer, solver=solver)
                failed |= rows is None and not peer
                lines.append({"name": case.name, "norm": norm, "method": method, "seeds": rows})
                if not options.json:
                    print_line(words(case, norm, method, rows))
    if options.json:
        print(json.dumps(lines, indent=1))
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
