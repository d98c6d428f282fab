"""How fast the figures of the generated manifold are: ``python -m tests.bench.manifold``.

Prints for each figure how many items it took (regions or facets), CPU-seconds, items per
CPU-second and the goal, if there is one; CPU-seconds are the least of some runs, on one core if the
libraries for linear algebra are told so (``OMP_NUM_THREADS=1``).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.manifold.angles import edge_angles
from polyspline.manifold.dimension import intrinsic_dimension
from polyspline.manifold.disentanglement import disentanglement
from polyspline.manifold.log_det import log_determinants
from polyspline.manifold.maps import affine_maps_of_codes
from polyspline.manifold.volumes import volumes
from polyspline.network import zoo
from polyspline.partition import Partition

WIDTHS = (4, 32, 32, 64)
_VOLUME_WIDTHS = (4, 24, 16, 8)
_QUICK = 500
_RUNS = 2


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    name
        What is computed.
    items
        Number of regions or facets.
    what
        Which of the two.
    seconds
        CPU-seconds.
    goal
        What is to be reached at full size, as words; empty if nothing is.
    """

    name: str
    items: int
    what: str
    seconds: float
    goal: str

    @property
    def rate(self) -> float:
        """Items per CPU-second."""
        return self.items / max(self.seconds, 1e-9)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.manifold", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK} regions and not 100,000")
    parser.add_argument("--only", metavar="TEXT", help="only the figures whose name has this in it")
    parser.add_argument("--json", action="store_true", help="print JSON and no table")
    return parser.parse_args(arguments)


def timed(work: Callable[[], object]) -> float:
    """CPU-seconds that some work takes, the least of some runs."""
    spent = []
    for _ in range(_RUNS):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)


def walked(widths: tuple[int, ...], regions: int) -> Partition:
    """Walk the partition that is measured: some regions of a random network on a box."""
    net = zoo.random_network(widths, seed=0)
    return enumerate_regions(net, Box(-1, 1, dim=widths[0]), max_regions=regions)


def rows(quick: bool, only: str | None) -> list[Row]:
    """Measure everything asked for."""
    part = walked(WIDTHS, _QUICK if quick else 100_000)
    count = len(part)
    codes = np.asarray(part.codes)  # unpacked beforehand
    figures: list[tuple[str, int, str, str, Callable[[], object]]] = [
        ("maps", count, "regions", "100,000 per second", lambda: affine_maps_of_codes(part.net, codes)),
        ("angles", part.n_adjacencies, "facets", "20 s at 100,000 regions", lambda: edge_angles(part)),
        ("dimension", count, "regions", "", lambda: intrinsic_dimension(part)),
        ("log-determinants", count, "regions", "", lambda: log_determinants(part)),
        ("disentanglement", count, "regions", "", lambda: disentanglement(part)),
    ]
    small = walked(_VOLUME_WIDTHS, _QUICK if quick else 10_000)
    figures.append(("volumes", len(small), "regions", "30 s at 10,000 regions", lambda: volumes(small)))
    return [
        Row(name, items, what, timed(work), goal)
        for name, items, what, goal, work in figures
        if only is None or only in name
    ]


def main(arguments: list[str]) -> int:
    """Measure and print."""
    options = parse(arguments)
    found = rows(options.quick, options.only)
    if options.json:
        print(json.dumps([{**asdict(row), "rate": row.rate} for row in found], indent=1))
        return 0
    print("| figure           | items           | CPU-s    | items per CPU-s | goal                    |")
    print("|---|---|---|---|---|")
    for row in found:
        items = f"{row.items:,} {row.what}"
        print(f"| {row.name:<16} | {items:<15} | {row.seconds:<8.2f} | {row.rate:<15,.0f} | {row.goal:<23} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
