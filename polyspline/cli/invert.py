"""``polyspline invert``: the latent z behind an x, with a bound that tells how good it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polyspline.cli.common import (
    BoxOption,
    ForceOption,
    JsonOption,
    number,
    print_json,
    print_listing,
    print_table,
    read_domain,
)
from polyspline.cli.networks import DropOption, LimitsOption, NetworkArgument, read_network
from polyspline.cli.progress import inversion_progress, walk_progress
from polyspline.cli.status import ExitStatus, say
from polyspline.errors import ArgumentError, OutputError
from polyspline.interrupts import load
from solvers.clock import working_time

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from polyspline.domains import Domain
    from polyspline.inversion import Inversion
    from polyspline.network import Network
    from polyspline.partition import Partition

    Floats = npt.NDArray[np.float64]

# After Ctrl-C in the walk, the regions found so far are scanned this long, so that there is a result.
_SECONDS_AFTER_CTRL_C = 2.0
# Of the time limit, what is left for the scan at least if the walk has used it up.
_SHARE_OF_SCAN = 0.1
_COORDINATES_SHOWN = 8


def invert_command(
    net: NetworkArgument,
    x: Annotated[
        Path, typer.Argument(metavar="X", help="The x to invert, or one in each row: .npy, .csv or .json.")
    ],
    box: BoxOption = None,
    domain: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The domain in an npz file: lo, hi (S,) or G (m, S), h (m,)."),
    ] = None,
    norm: Annotated[str, typer.Option(metavar="l2|l1|linf", help="What the distance is measured in.")] = "l2",
    method: Annotated[
        str,
        typer.Option(
            metavar="search|milp|scan|gradient",
            help="search, milp and scan prove how near z is to the best; gradient proves nothing.",
        ),
    ] = "search",
    solver: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Back-end of milp: cbc (default), highs, or another of PuLP's."),
    ] = None,
    max_seconds: Annotated[
        float | None,
        typer.Option(metavar="T", parser=number, help="Stop after this many seconds for each x."),
    ] = None,
    gap: Annotated[
        float,
        typer.Option(metavar="GAP", parser=number, help="Relative gap to the lower bound that is enough."),
    ] = 1e-6,
    measure: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="X measures G(z): .npz with matrix (T, D), offset (T,), or the matrix as .npy or .csv.",
        ),
    ] = None,
    partition: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Run file of the network for scan, which enumerates first without."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw x, its reconstruction and both bounds: .png, .svg or .pdf."),
    ] = None,
    drop_output_activation: DropOption = False,
    read_limits: LimitsOption = 1.0,
    force: ForceOption = False,
    json: JsonOption = False,
) -> int:
    """Find the z of a bounded domain whose G(z) is nearest to x, and prove how near any can be.

    Exit status: 0 done, 3 a limit stopped it, 130 Ctrl-C; the nearest point so far and the
    lower bound so far are printed in all three cases.
    """
    if (box is None) == (domain is None):
        came = "no domain is given" if box is None else "--box and --domain are given together"
        raise ArgumentError(
            f"{came}: give exactly one of --box LO HI or --domain FILE, which must be bounded."
        )
    for option, value, owner in (("--partition", partition, "scan"), ("--solver", solver, "milp")):
        if value is not None and method != owner:
            raise ArgumentError(
                f"{option} is for --method {owner}, and the method is {method}: leave it out."
            )
    _check_limits(gap, max_seconds)
    began = working_time()
    try:
        load("polyspline.inversion", "polyspline.enumeration")
        if plot is not None:
            _check_plot(
                plot, force, [path for path in (net, x, domain, measure, partition) if path is not None]
            )
        task = _read_task(
            read_network(net, drop_output_activation, read_limits), x, box, domain, norm, measure, plot
        )
        results = _solve(task, method, solver, max_seconds, gap, partition)
    except KeyboardInterrupt:
        # It came while files and packages were being loaded.
        if json:
            print_json(_nothing(norm, method, solver, working_time() - began))
        say("partial: interrupted before any point was tried.")
        return ExitStatus.INTERRUPTED
    _report(task, results, json=json)
    ending = _ending(results)
    if plot is not None:
        try:
            _draw(task, results[0], plot, force)
        except OutputError as failure:
            # The folder was checked before: the disk is full, say. The result is not to be lost for that.
            say(f"error: {failure}")
            return ExitStatus.BAD_INPUT
    return ending


@dataclass(frozen=True)
class _Task:
    """What is to be inverted, read and checked."""

    net: Network
    domain: Domain
    targets: Floats
    several: bool
    norm: str
    measure: tuple[Floats, Floats | None] | None

    @property
    def measurement(self) -> Any:
        """The measurement as `invert` takes it."""
        if self.measure is None or self.measure[1] is not None:
            return self.measure
        return self.measure[0]


def _check_limits(gap: float, max_seconds: float | None) -> None:
    """Refuse limits that make no sense, before any work."""
    if not (math.isfinite(gap) and gap >= 0.0):
        raise ArgumentError(f"--gap is {gap}; expected a number of at least 0.")
    if max_seconds is not None and not (math.isfinite(max_seconds) and max_seconds >= 0.0):
        raise ArgumentError(f"--max-seconds is {max_seconds}; expected a number of at least 0.")


def _check_plot(plot: Path, force: bool, inputs: Sequence[Path]) -> None:
    """Refuse a picture that cannot be written, before any work is done for it."""
    from polyspline.files import check_writable
    from polyspline.plots import check_picture
    from polyspline.plots.style import require_matplotlib

    check_picture(plot)
    require_matplotlib()
    check_writable(plot, overwrite=force, inputs=inputs)


def _read_task(
    network: Network,
    x: Path,
    box: tuple[str, str] | None,
    domain: Path | None,
    norm: str,
    measure: Path | None,
    plot: Path | None,
) -> _Task:
    """Read the files of the command line and check that they fit together."""
    from polyspline.cli.readers import read_measure, read_targets
    from polyspline.inversion.problem import make_problem

    chosen = read_domain(box, domain, network)
    measured = None if measure is None else read_measure(measure, network.ambient_dim)
    length = network.ambient_dim if measured is None else len(measured[0])
    targets, several = read_targets(x, length)
    task = _Task(network, chosen, targets, several, norm, measured)
    # A scan walks for a while before it looks at these.
    make_problem(network, targets[0], chosen, norm, task.measurement)
    if plot is not None and len(targets) > 1:
        raise ArgumentError(f"--plot draws one x, and {x} holds {len(targets)}: leave it out, or give one x.")
    return task


def _solve(
    task: _Task, method: str, solver: str | None, max_seconds: float | None, gap: float, run: Path | None
) -> tuple[Inversion, ...]:
    """Invert every x; for a scan without a run, enumerate first."""
    from polyspline.inversion import invert
    from polyspline.partition import StopReason, load_partition

    partition, walked, stopped = None, 0.0, False
    if run is not None:
        partition = load_partition(run)
    elif method == "scan":
        began = working_time()
        partition = _enumerate(task, max_seconds)
        walked, stopped = working_time() - began, partition.stop is StopReason.INTERRUPTED
        if max_seconds is not None:
            # The walk and the scan share one limit; what a walk has found is looked at in any case.
            max_seconds = max(max_seconds - walked, _SHARE_OF_SCAN * max_seconds)
        if stopped:
            max_seconds = min(math.inf if max_seconds is None else max_seconds, _SECONDS_AFTER_CTRL_C)
    with inversion_progress() as progress:
        found = invert(
            task.net,
            task.targets if task.several else task.targets[0],
            task.domain,
            norm=task.norm,
            method=method,
            measure=task.measurement,
            gap=gap,
            max_seconds=max_seconds,
            solver=solver,
            partition=partition,
            progress=progress,
        )
    results = found if isinstance(found, tuple) else (found,)
    return (_after_walk(results[0], walked, stopped), *results[1:])


def _enumerate(task: _Task, max_seconds: float | None) -> Partition:
    """Enumerate the regions that a scan goes through."""
    from polyspline.enumeration import enumerate_regions

    if max_seconds is not None:
        # A limit of nothing still finds the first region.
        max_seconds = max(max_seconds, 1e-9)
    with walk_progress(None) as progress:
        return enumerate_regions(task.net, task.domain, max_seconds=max_seconds, progress=progress)


def _after_walk(result: Inversion, walked: float, stopped: bool) -> Inversion:
    """Count the walk before a scan as a part of it."""
    from polyspline.inversion import Ending

    if not walked:
        return result
    history = result.history.copy()
    history[:, 0] += walked
    return replace(
        result,
        seconds=result.seconds + walked,
        history=history,
        interrupted=result.interrupted or stopped,
        ending=Ending.INTERRUPTED if stopped else result.ending,
    )


def _draw(task: _Task, result: Inversion, path: Path, force: bool) -> None:
    """Draw the picture of one inversion; a result without a point has none."""
    from polyspline.plots import save_inversion_picture

    if result.z is None:
        say(f"note: {path} was not drawn, for there is no point to draw.")
        return
    save_inversion_picture(result, task.targets[0], path, measure=task.measurement, overwrite=force)


# ---- what is said


def describe_inversion(result: Inversion) -> dict[str, Any]:
    """Lay out one inversion, ready for JSON; what there is not is None."""
    return {
        "z": None if result.z is None else result.z.tolist(),
        "distance": result.distance,
        "lower_bound": result.lower_bound,
        "gap": result.gap,
        "status": result.status.key,
        "norm": result.norm,
        "method": result.method,
        "solver": result.solver,
        "seconds": result.seconds,
        "bound_source": result.bound_source.key,
        "nodes": result.nodes,
        "interrupted": result.interrupted,
        "ending": result.ending.key,
        "x_hat": None if result.x_hat is None else result.x_hat.tolist(),
        "code": None if result.code is None else result.code.tolist(),
        "history": result.history.tolist(),
    }


def _nothing(norm: str, method: str, solver: str | None, seconds: float) -> dict[str, Any]:
    """Lay out that nothing is known yet, with the keys of `describe_inversion`."""
    unknown = dict.fromkeys(("z", "distance", "lower_bound", "gap"))
    return {
        **unknown,
        "status": "no_solution",
        "norm": norm,
        "method": method,
        "solver": solver,
        "seconds": seconds,
        "bound_source": "none",
        "nodes": 0,
        "interrupted": True,
        "ending": "interrupted",
        "x_hat": None,
        "code": None,
        "history": [],
    }


def _report(task: _Task, results: Sequence[Inversion], *, json: bool) -> None:
    """Print the results on stdout: one object or table for one x, a list for several."""
    if json and task.several:
        facts = [describe_inversion(result) for result in results]
        seconds = math.fsum(result.seconds for result in results)
        print_json({"results": facts, "asked": len(task.targets), "seconds": seconds})
    elif json:
        print_json(describe_inversion(results[0]))
    elif task.several:
        print_listing(
            ("x", "distance", "lower bound", "gap", "nodes", "seconds", "status"),
            [
                (
                    str(index),
                    f"{result.distance:.6g}",
                    f"{result.lower_bound:.6g}",
                    f"{result.gap:.2g}",
                    f"{result.nodes:,}",
                    f"{result.seconds:.3f}",
                    result.status.key,
                )
                for index, result in enumerate(results)
            ],
        )
    else:
        print_table(_rows(task, results[0]))


def _rows(task: _Task, result: Inversion) -> list[tuple[str, str]]:
    """Put one inversion into words for a person."""
    from polyspline.cli.common import domain_words
    from polyspline.inversion.norms import norm_of

    measured = "" if task.measure is None else f", {len(task.measure[0])} measurements"
    rows = [
        ("distance", f"{result.distance:.9g}" if math.isfinite(result.distance) else "none yet"),
        ("lower bound", f"{result.lower_bound:.9g}"),
        ("gap", f"{result.gap:.2g}" if math.isfinite(result.gap) else "unknown"),
        ("status", f"{result.status.key}: {result.status.value}"),
        ("ending", f"{result.ending.key}: {result.ending.value}"),
        ("bound", f"{result.bound_source.key}: {result.bound_source.value}"),
        ("z", "" if result.z is None else _vector(result.z)),
        ("norm", f"{result.norm}: {norm_of(result.norm).value}"),
        ("method", f"{result.method} with {result.solver}"),
        ("nodes", f"{result.nodes:,}"),
        (
            "network",
            f"R^{task.net.latent_dim} to R^{task.net.ambient_dim}, {task.net.n_units:,} units{measured}",
        ),
        ("domain", domain_words(task.domain)),
        ("seconds", f"{result.seconds:.3f}"),
    ]
    return [row for row in rows if row[1]]


def _vector(z: Floats) -> str:
    """Put a latent point into words; of a long one, its beginning."""
    shown = ", ".join(f"{value:.6g}" for value in z[:_COORDINATES_SHOWN])
    return f"[{shown}]" if len(z) <= _COORDINATES_SHOWN else f"[{shown}, ...]"


def _ending(results: Sequence[Inversion]) -> ExitStatus:
    """Say what stopped early, if anything did, and give the exit status."""
    from polyspline.inversion import InversionStatus

    unfinished = [
        result
        for result in results
        if result.status in (InversionStatus.FEASIBLE, InversionStatus.NO_SOLUTION)
    ]
    if any(result.interrupted for result in results):
        say("partial: interrupted; this is the best that was known.")
        return ExitStatus.INTERRUPTED
    if unfinished:
        say(f"partial: {unfinished[0].ending.value}.")
        return ExitStatus.LIMIT
    return ExitStatus.DONE
