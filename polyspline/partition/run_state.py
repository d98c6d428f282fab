"""What a run file holds, read back: the state of a walk, or the kept part of a run."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyspline.domains import Domain, domain_from_arrays
from polyspline.network import Network
from polyspline.partition import run_schema as schema
from polyspline.partition.packing import CodePacking
from polyspline.partition.stop import StopReason
from polyspline.regions.ball import Ball

ExactWitnesses = dict[int, tuple[Fraction, ...]]


def ball_options(ball: Ball | None) -> dict[str, Any]:
    """Options of a run that is limited to a ball; its centre is the start."""
    if ball is None:
        return {}
    return {"start": ball.centre, "radius": ball.radius, "norm": ball.norm}


def read_ball(options: dict[str, Any]) -> Ball | None:
    """Ball of a run's options; None if it is not limited to one."""
    if "radius" not in options:
        return None
    return Ball(options["start"], options["radius"], options["norm"])


@dataclass(frozen=True, eq=False)
class WalkState:
    """Where a walk stands: all that is needed to continue it to the identical result.

    Attributes
    ----------
    packed, points, entries
        Every region found, in order: packed code (R, words), a point of its
        closure from which its witness is made (R, S), and the entry (R,) int32
        that the walk noted when it found the region.
    witnesses, witness_exact
        Of the expanded regions: (expanded, S) and (expanded,).
    edges, edge_sources
        Facets crossed so far: (E, 2) int32 and (E,) int32.
    expanded
        How many regions, from the first on, have all their facets crossed.
    exact_fallbacks, seconds
        Counters at that state.
    exact_witnesses
        Rational witnesses of the regions whose `witness_exact` is False.
    start
        Start of the walk, (S,), or None if none was noted.
    options
        The options that the run was created with.
    stop
        Why the run stopped last; None if it was killed or never started.
    within
        Ball that the run is limited to.
    left_out
        First region with a neighbour that does not meet the ball; None if none is known.
    """

    packed: NDArray[np.uint64]
    points: NDArray[np.float64]
    entries: NDArray[np.int32]
    witnesses: NDArray[np.float64]
    witness_exact: NDArray[np.bool_]
    edges: NDArray[np.int32]
    edge_sources: NDArray[np.int32]
    expanded: int
    exact_fallbacks: int
    seconds: float
    exact_witnesses: ExactWitnesses
    start: NDArray[np.float64] | None
    options: dict[str, Any]
    stop: StopReason | None
    within: Ball | None
    left_out: int | None

    @property
    def regions(self) -> int:
        """Number of regions found."""
        return len(self.packed)

    @property
    def complete(self) -> bool:
        """Whether nothing is left to walk."""
        return self.stop is not None and self.stop.finished


def read_state(
    connection: sqlite3.Connection, path: Path, n_words: int, dim: int, meta: dict[str, Any]
) -> WalkState:
    """Read what the appends of a run committed, without its closing."""
    progress = schema.read_progress(connection)
    finish = schema.read_finish(connection)
    _check_stop(path, progress, finish, meta)
    regions, expanded, edges = progress.regions, progress.expanded, progress.edges

    def series(name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        return schema.read_series(connection, path, name, shape, dtype)

    options = meta["options"]
    start = options.get("start")
    return WalkState(
        packed=series("packed", (regions, n_words), np.uint64),
        points=series("points", (regions, dim), np.float64),
        entries=series("entries", (regions,), np.int32),
        witnesses=series("witnesses", (expanded, dim), np.float64),
        witness_exact=series("witness_exact", (expanded,), np.uint8).astype(bool),
        edges=series("edges", (edges, 2), np.int32),
        edge_sources=series("edge_sources", (edges,), np.int32),
        expanded=expanded,
        exact_fallbacks=progress.exact_fallbacks,
        seconds=progress.seconds,
        exact_witnesses=schema.read_exact_witnesses(connection, expanded, dim),
        start=None if start is None else np.array(start, dtype=np.float64),
        options=options,
        stop=None if finish is None else StopReason.from_key(finish.stop),
        within=read_ball(options),
        left_out=meta.get("left_out"),
    )


@dataclass(frozen=True, eq=False)
class StoredRun:
    """A run file as its reader finds it: the kept regions, the edges among them, why it stopped.

    The fields are those of `Partition`.
    """

    net: Network
    domain: Domain
    packed: NDArray[np.uint64]
    witnesses: NDArray[np.float64]
    witness_exact: NDArray[np.bool_]
    edges: NDArray[np.int32]
    edge_sources: NDArray[np.int32]
    stop: StopReason
    expanded: int
    exact_fallbacks: int
    seconds: float
    exact_witnesses: ExactWitnesses
    within: Ball | None


def read_run(path: str | os.PathLike[str]) -> StoredRun:
    """Read a run file whole.

    A run that was killed has no closing: then its expanded regions are kept,
    with the edges among them, and it counts as interrupted.

    Raises
    ------
    RunFileError
        If the file is missing, not ours, newer or damaged.
    """
    target = Path(path)
    schema.check_header(target)
    with schema.reading(target), closing(schema.connect(target)) as connection:
        connection.execute("BEGIN")
        schema.check_seal(connection, target)
        meta = schema.read_meta(connection)
        net = Network.from_arrays(schema.read_arrays(connection, "network/"))
        domain = domain_from_arrays(schema.read_arrays(connection, "domain/"))
        if (domain.dim, meta["latent_dim"], meta["n_units"]) != (net.latent_dim, net.latent_dim, net.n_units):
            raise schema.damaged(target, "the network and the domain inside do not fit together")
        for what, found in (("network", net.fingerprint), ("domain", domain.fingerprint)):
            if meta.get(f"{what}_fingerprint") != found:
                raise schema.damaged(target, f"the {what} inside is not the one that was walked")
        return _read_kept(connection, target, net, domain, meta)


def _check_stop(
    path: Path, progress: schema.Progress, finish: schema.Finish | None, meta: dict[str, Any]
) -> None:
    """Refuse a run that says it is finished and is not by its own counters."""
    stop = None if finish is None else StopReason.from_key(finish.stop)
    if finish is None or stop is None or not stop.finished:
        return
    if stop is StopReason.COMPLETE:
        fits = progress.expanded == progress.regions and not (finish.frontier or finish.closing_edges)
        fits = fits and "left_out" not in meta
    else:
        fits = "radius" in meta["options"] and progress.expanded + finish.frontier == progress.regions
    if not fits:
        raise schema.damaged(
            path, f"it says {stop.key!r}, and {progress.expanded} of {progress.regions} regions are expanded"
        )


def _read_kept(
    connection: sqlite3.Connection, path: Path, net: Network, domain: Domain, meta: dict[str, Any]
) -> StoredRun:
    n_words = CodePacking(net.n_pieces).n_words
    progress = schema.read_progress(connection)
    finish = schema.read_finish(connection)
    closing_edges, frontier = (finish.closing_edges, finish.frontier) if finish else (0, 0)
    kept = progress.expanded + frontier
    _check_stop(path, progress, finish, meta)

    def series(names: tuple[str, str], counts: tuple[int, int], dtype: Any, *columns: int) -> NDArray[Any]:
        first, second = (
            schema.read_series(connection, path, name, (count, *columns), dtype)
            for name, count in zip(names, counts, strict=True)
        )
        return np.concatenate([first, second]) if len(second) else first

    packed = schema.read_series(connection, path, "packed", (progress.regions, n_words), np.uint64)
    rows = (progress.expanded, frontier)
    witnesses = series(("witnesses", "frontier_witnesses"), rows, np.float64, net.latent_dim)
    exact = series(("witness_exact", "frontier_exact"), rows, np.uint8)
    links = (progress.edges, closing_edges)
    edges = series(("edges", "closing_edges"), links, np.int32, 2)
    sources = series(("edge_sources", "closing_sources"), links, np.int32)
    in_order = (edges[:, 0] >= 0) & (edges[:, 0] < edges[:, 1]) & (edges[:, 1] < progress.regions)
    if kept > progress.regions or not in_order.all():
        raise schema.damaged(path, "an edge or a witness is of no region")
    if kept < progress.regions:
        inside = edges[:, 1] < kept
        packed, edges, sources = packed[:kept].copy(), edges[inside], sources[inside]
    return StoredRun(
        net=net,
        domain=domain,
        packed=packed,
        witnesses=witnesses,
        witness_exact=exact.astype(bool),
        edges=edges,
        edge_sources=sources,
        stop=StopReason.from_key(finish.stop) if finish else StopReason.INTERRUPTED,
        expanded=min(progress.expanded, meta.get("left_out", progress.expanded)),
        exact_fallbacks=finish.exact_fallbacks if finish else progress.exact_fallbacks,
        seconds=finish.seconds if finish else progress.seconds,
        exact_witnesses=schema.read_exact_witnesses(connection, kept, net.latent_dim),
        within=read_ball(meta["options"]),
    )
