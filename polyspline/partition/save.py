"""Partitions to and from run files."""

from __future__ import annotations

import os

import numpy as np

from polyspline.partition.partition import Partition
from polyspline.partition.run_file import RunWriter
from polyspline.partition.run_state import ball_options, read_run
from solvers.float_mode import gradual_underflow


def save_partition(partition: Partition, path: str | os.PathLike[str]) -> None:
    """Write a partition to a new run file; see `Partition.save`."""
    options = {"saved": True, "resumable": partition.stop.finished} | ball_options(partition.within)
    with RunWriter.whole(path, partition.net, partition.domain, options) as writer:
        _write(partition, writer)


def _write(partition: Partition, writer: RunWriter) -> None:
    expanded = partition.expanded
    crossed = partition.edges[:, 0] < expanded
    exact = partition.exact_witnesses
    writer.append(
        partition.packed,
        partition.witnesses,
        np.full(len(partition), -1, dtype=np.int32),
        partition.witnesses[:expanded],
        partition.witness_exact[:expanded],
        partition.edges[crossed],
        partition.edge_sources[crossed],
        expanded=expanded,
        exact_fallbacks=partition.exact_fallbacks,
        seconds=partition.seconds,
        exact_witnesses={region: exact[region] for region in exact if region < expanded},
    )
    writer.finish(
        partition.stop,
        partition.edges[~crossed],
        partition.edge_sources[~crossed],
        partition.witnesses[expanded:],
        partition.witness_exact[expanded:],
        exact_witnesses={region: exact[region] for region in exact if region >= expanded},
    )


@gradual_underflow()
def load_partition(path: str | os.PathLike[str]) -> Partition:
    """Read a partition from a run file.

    Parameters
    ----------
    path
        File written by ``enumerate_regions(run_file=...)``, ``polyspline enumerate -o``
        or `Partition.save`; it may belong to a run that was killed or still runs, and
        is then read up to its last commit as an interrupted, partial partition.

    Raises
    ------
    RunFileError
        If the file is missing, not a run file, of a newer schema, or damaged.
    """
    run = read_run(path)
    return Partition(
        net=run.net,
        domain=run.domain,
        packed=run.packed,
        witnesses=run.witnesses,
        witness_exact=run.witness_exact,
        edges=run.edges,
        edge_sources=run.edge_sources,
        stop=run.stop,
        expanded=run.expanded,
        exact_fallbacks=run.exact_fallbacks,
        seconds=run.seconds,
        exact_witnesses=run.exact_witnesses,
        within=run.within,
    )
