"""``polyspline warmup``: every kernel compiled ahead, by the smallest of runs that needs it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from polyspline.cli.common import JsonOption, print_json, print_table
from polyspline.cli.status import ExitStatus, say
from polyspline.interrupts import load

if TYPE_CHECKING:
    from polyspline.network import Network


def _split() -> None:
    import polyspline as ps

    ps.enumerate_regions(_net(), ps.Box(-1, 1, dim=2), method="split")


def _walk() -> None:
    import polyspline as ps

    part = ps.enumerate_regions(_net(), ps.Box(-1, 1, dim=2), method="walk")
    assert part.n_affine_regions > 0


def _balls() -> None:
    import polyspline as ps

    box = ps.Box(-1, 1, dim=2)
    for norm in ("l2", "linf"):
        ps.local_complexity(_net(), [[0.0, 0.0], [0.0, 0.0]], 0.5, norm=norm, domain=box)


def _search() -> None:
    import polyspline as ps

    for norm in ("l2", "linf", "l1"):
        ps.invert(_net(), [0.3, -2.0, 1.5], ps.Box(-1, 1, dim=2), norm=norm)


def _net() -> Network:
    """Make a network of the plane with two hidden layers."""
    import polyspline as ps

    return ps.zoo.random_network((2, 4, 4, 3), "relu", seed=0)


def _prove() -> None:
    import polyspline as ps

    ps.prove(ps.enumerate_regions(_net(), ps.Box(-1, 1, dim=2), method="walk"))


RUNS: dict[str, Callable[[], None]] = {
    "walk": _walk,
    "split": _split,
    "search": _search,
    "balls": _balls,
    "prove": _prove,
}
"""The longest first, so that several processes, each at one of them, end together."""


def warmup_command(json: JsonOption = False) -> int:
    """Compile all kernels and keep them, so that no later command has to; those that are kept are left.

    Exit status: 0 all are compiled, 130 Ctrl-C; each kernel is kept as soon as it is compiled.
    """
    began = time.perf_counter()
    compiled: list[str] = []
    stopped = False
    try:
        load("polyspline.enumeration", "polyspline.inversion")

        from polyspline.notices import compiling
        from solvers.kernel_cache import between_kernels, missing_kernels

        missing = missing_kernels()

        def count() -> None:
            compiled[:] = [name for name in missing if name not in missing_kernels()]

        with compiling(), between_kernels(count):
            for run in RUNS.values():
                run()
    except KeyboardInterrupt:
        stopped = True
    seconds = time.perf_counter() - began
    facts = {"compiled": len(compiled), "interrupted": stopped, "seconds": seconds}
    if json:
        print_json(facts)
    else:
        print_table([("compiled", f"{len(compiled):,} kernels"), ("seconds", f"{seconds:.3f}")])
    if stopped:
        say("partial: interrupted; the kernels that were compiled are kept.")
        return ExitStatus.INTERRUPTED
    return ExitStatus.DONE
