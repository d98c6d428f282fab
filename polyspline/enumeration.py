"""`enumerate_regions`: every region of a network over a domain, and which share a facet."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyspline.cpa.matrices import as_float_array
from polyspline.domains import Domain, check_dimension
from polyspline.errors import ArgumentError, ShapeError, StartError
from polyspline.network import Network
from polyspline.partition.partition import Partition
from polyspline.walk import Limits, Progress, walk_regions

__all__ = ["Progress", "enumerate_regions"]

METHODS = ("walk",)


def enumerate_regions(
    net: Network,
    domain: Domain,
    *,
    method: str = "walk",
    start: ArrayLike | None = None,
    max_regions: int | None = None,
    max_seconds: float | None = None,
    workers: int = 1,
    run_file: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Partition:
    """Enumerate the regions of a network over a domain, and the facets between them.

    Parameters
    ----------
    net
        The network, S inputs.
    domain
        Box, Polytope or WholeSpace of dimension S.
    method
        ``"walk"``: from region to region across the facets.
    start
        (S,) where the walk starts: any point of the domain, also one on a knot. Default: the
        box's centre, the polytope's Chebyshev centre, the origin.
    max_regions
        Stop at exactly that many regions, with all edges among them.
    max_seconds
        Stop after that time (checked a few hundred regions at a time).
    workers
        Number of threads. The result does not depend on it.
    run_file
        SQLite file that the run is written to while it goes on, and can be resumed from.
    resume
        Continue `run_file` if it exists, to the result of an uninterrupted run.
    progress
        Called with a `Progress` a few times a second.

    Returns
    -------
    Partition
        Regions in breadth-first order from the start, neighbours by facet source. Ctrl-C, like the
        limits, gives a partial partition; its `stop` says why.

    Raises
    ------
    ShapeError, StartError, ArgumentError, DomainError
        If an argument is of the wrong shape, outside the domain or out of range.
    RunFileExistsError, RunFileError, OutputError
        If the run file exists and is not to be resumed, is of something else, or cannot be written.

    Notes
    -----
    Guarantee: the sets of codes and of edges are exact, whatever the scaling or degeneracy of the
    network. Witnesses are proven strictly inside.

    Algorithm: per region one forward product of the code, and Clarkson's scheme for the facets among
    its N rows: O(N S) plus one linear program over the facets for each row that a bounding box
    does not discard.

    References
    ----------
    Balestriero, Paris, Baraniuk, "Max-affine spline insights into deep generative networks", eq. 3-4.
    """
    if method not in METHODS:
        raise ArgumentError(f"method is {method!r}; expected one of {', '.join(METHODS)}.")
    check_dimension(domain, net)
    _check_limits(max_regions, max_seconds, workers)
    if resume and run_file is None:
        raise ArgumentError("resume needs a run file to continue: give run_file as well.")
    return walk_regions(
        net,
        domain,
        None if start is None else _start_point(net, domain, start),
        Limits(max_regions, max_seconds, workers),
        run_file=run_file,
        resume=resume,
        report=progress,
    )


def _check_limits(max_regions: int | None, max_seconds: float | None, workers: int) -> None:
    if max_regions is not None and max_regions < 1:
        raise ArgumentError(f"max_regions is {max_regions}; expected a positive number of regions.")
    if max_seconds is not None and not (max_seconds > 0 and math.isfinite(max_seconds)):
        raise ArgumentError(f"max_seconds is {max_seconds}; expected a positive number of seconds.")
    if workers < 1:
        raise ArgumentError(f"workers is {workers}; expected at least 1.")


def _start_point(net: Network, domain: Domain, start: ArrayLike) -> NDArray[np.float64]:
    point = as_float_array(start, "start", 1)
    if len(point) != net.latent_dim:
        raise ShapeError(
            f"start has {len(point)} coordinates; the network's latent dimension is {net.latent_dim}."
        )
    if not domain.contains(point):
        raise StartError(f"start {point.tolist()} lies outside the domain; choose a point of the domain.")
    return point
