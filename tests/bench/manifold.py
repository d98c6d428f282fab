"""How fast the figures of the generated manifold are: ``python -m tests.bench.manifold``.

Prints for each figure how many items it took (regions or facets), CPU-seconds, items per
CPU-second and the goal, if there is one; CPU-seconds are the least of some runs, on one core if the
libraries for linear algebra are told so (``OMP_NUM_THREADS=1``). The maps are compared with the
Jacobian by torch's automatic differentiation at a point of each region: the largest difference is printed,
relative to the largest entry.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from polyspline.domains import Box
from polyspline.enumeration import enumerate_regions
from polyspline.errors import require
from polyspline.manifold.angles import edge_angles
from polyspline.manifold.density import density
from polyspline.manifold.dimension import intrinsic_dimension
from polyspline.manifold.disentanglement import disentanglement
from polyspline.manifold.entropy import entropy
from polyspline.manifold.log_det import log_determinants
from polyspline.manifold.maps import affine_maps_of_codes
from polyspline.manifold.value_ranges import value_ranges
from polyspline.manifold.volumes import volumes
from polyspline.network import Network, zoo
from polyspline.partition import Partition

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[Any]

WIDTHS = (4, 32, 32, 64)
_VOLUME_WIDTHS = (4, 24, 16, 8)
_THIN_WIDTHS = (2, 64, 64, 64, 10)
_MASS_WIDTHS = (3, 16, 12, 8)
_QUICK = 500
_RUNS = 2
_LEAKY = "leaky_relu:0.1"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    name
        What is computed.
    items
        Number of regions, facets or points.
    what
        Which of these.
    seconds
        CPU-seconds.
    goal
        What is to be reached at full size, as words; empty if nothing is.
    difference
        How far the maps are from what they are compared with, relative to the largest entry; None if
        there is nothing to compare.
    """

    name: str
    items: int
    what: str
    seconds: float
    goal: str
    difference: float | None = None

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


def timed(work: Callable[[], object], runs: int) -> float:
    """CPU-seconds that some work takes, the least of some runs."""
    spent = []
    for _ in range(runs):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)


def walked(widths: tuple[int, ...], regions: int, activation: str = "relu", side: float = 1.0) -> Partition:
    """Walk the partition that is measured: some regions of a random network on a box."""
    net = zoo.random_network(widths, activation, seed=0)
    return enumerate_regions(net, Box(-side, side, dim=widths[0]), max_regions=regions)


@dataclass(frozen=True)
class Work:
    """Something to measure: the number of items, what they are, and what is done with them."""

    items: int
    what: str
    do: Callable[[], object]
    compare: Callable[[], float] | None = None


@cache
def _large(quick: bool) -> tuple[Partition, Codes]:
    """Give the large partition, and its codes unpacked beforehand."""
    part = walked(WIDTHS, _QUICK if quick else 100_000)
    return part, np.asarray(part.codes)


def _maps(quick: bool) -> Work:
    part, codes = _large(quick)
    return Work(len(codes), "regions", lambda: affine_maps_of_codes(part.net, codes))


def _maps_one_by_one(quick: bool) -> Work:
    part, codes = _large(quick)
    some = codes[:_QUICK]
    return Work(len(some), "regions", lambda: [part.net.affine(code) for code in some])


def jacobians(net: Network, points: Floats) -> Floats:
    """Jacobians (B, D, S) of a network of ReLUs at points (B, S), by torch's automatic differentiation."""
    torch = require("torch", extra="torch", purpose="compare the maps with Jacobians")
    z = torch.tensor(points, requires_grad=True)
    value = z
    for layer in net.layers[:-1]:
        value = torch.relu(value @ torch.tensor(layer.weight).T + torch.tensor(layer.bias))
    images = value @ torch.tensor(net.layers[-1].weight).T + torch.tensor(net.layers[-1].bias)
    # Points do not mix: one reverse pass for each output serves all of them.
    rows = [torch.autograd.grad(column.sum(), z, retain_graph=True)[0] for column in images.T]
    return np.stack([np.asarray(row, dtype=np.float64) for row in rows], axis=1)


def _jacobians(quick: bool) -> Work:
    part, codes = _large(quick)

    def difference() -> float:
        expected = jacobians(part.net, part.witnesses)
        apart = np.abs(affine_maps_of_codes(part.net, codes)[0] - expected).max()
        return float(apart / np.abs(expected).max())

    return Work(len(codes), "regions", lambda: jacobians(part.net, part.witnesses), difference)


def _angles(quick: bool) -> Work:
    part, _ = _large(quick)
    return Work(part.n_adjacencies, "facets", lambda: edge_angles(part))


def _of_large(measure: Callable[[Partition], object]) -> Callable[[bool], Work]:
    """Measure the regions of the large partition."""

    def prepare(quick: bool) -> Work:
        part, codes = _large(quick)
        return Work(len(codes), "regions", lambda: measure(part))

    return prepare


def _of(
    widths: tuple[int, ...], regions: int, measure: Callable[[Partition], object], activation: str = "relu"
) -> Callable[[bool], Work]:
    """Measure the regions of a partition of its own."""

    def prepare(quick: bool) -> Work:
        part = walked(widths, min(_QUICK, regions) if quick else regions, activation)
        return Work(len(part), "regions", lambda: measure(part))

    return prepare


def _density(quick: bool) -> Work:
    part = walked(_MASS_WIDTHS, 100_000, _LEAKY, 0.1 if quick else 1.0)
    z = np.random.default_rng(0).choice(part.witnesses, 100 if quick else 1_000)
    x = part.net(z)
    return Work(len(x), "points", lambda: density(part, x))


def _entropy(quick: bool) -> Work:
    part = walked(_MASS_WIDTHS, 100_000, _LEAKY, 0.1 if quick else 1.0)
    return Work(len(part), "regions", lambda: entropy(part))


FIGURES: dict[str, tuple[Callable[[bool], Work], str]] = {
    "maps": (_maps, "100,000 per second"),
    "maps, one by one": (_maps_one_by_one, ""),
    "Jacobians": (_jacobians, ""),
    "angles": (_angles, "20 s at 100,000 regions"),
    "dimension": (_of_large(intrinsic_dimension), ""),
    "log-determinants": (_of_large(log_determinants), ""),
    "disentanglement": (_of_large(disentanglement), ""),
    "volumes": (_of(_VOLUME_WIDTHS, 10_000, volumes), "30 s at 10,000 regions"),
    "volumes, thin": (_of(_THIN_WIDTHS, 10_000, volumes, _LEAKY), ""),
    "ranges of values": (_of(WIDTHS, 1_000, value_ranges), ""),
    "density": (_density, ""),
    "entropy": (_entropy, ""),
}
"""What is measured, in the order of the table, and the goals."""


def rows(quick: bool, only: str | None) -> list[Row]:
    """Measure everything asked for."""
    found = []
    for name, (prepare, goal) in FIGURES.items():
        if only is None or only in name:
            work = prepare(quick)
            compared = None if work.compare is None else work.compare()
            found.append(
                Row(name, work.items, work.what, timed(work.do, 1 if quick else _RUNS), goal, compared)
            )
    return found


def main(arguments: list[str]) -> int:
    """Measure and print."""
    options = parse(arguments)
    found = rows(options.quick, options.only)
    if options.json:
        print(json.dumps([{**asdict(row), "rate": row.rate} for row in found], indent=1))
        return 0
    heads = f"{'figure':<16} | {'items':<15} | {'CPU-s':<8} | {'items per CPU-s':<15} | {'difference':<10}"
    print(f"| {heads} | {'goal':<23} |")
    print("|---|---|---|---|---|---|")
    for row in found:
        items, apart = f"{row.items:,} {row.what}", "" if row.difference is None else f"{row.difference:.1e}"
        print(
            f"| {row.name:<16} | {items:<15} | {row.seconds:<8.2f} | {row.rate:<15,.0f} | {apart:<10} "
            f"| {row.goal:<23} |"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
