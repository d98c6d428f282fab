"""`enumerate_regions`: every region of a network over a domain, and which share a facet."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyspline.cores import usable_workers
from polyspline.cpa.matrices import as_float_array
from polyspline.domains import Domain, WholeSpace, check_dimension
from polyspline.errors import ArgumentError, ShapeError, StartError
from polyspline.network import Network, check_network
from polyspline.partition.partition import Partition
from polyspline.partition.witnesses import check_witnesses
from polyspline.regions.ball import Ball, as_radius, checked_norm
from polyspline.split import SplitProgress, can_split, split_regions, split_with_faces
from polyspline.walk import Limits, Progress, Reach, count_in_balls, walk_regions
from solvers.float_mode import gradual_underflow

__all__ = ["LocalComplexity", "Progress", "enumerate_regions", "local_complexity"]

METHODS = ("walk", "split", "auto")

# Up to this dimension splitting is the faster of the two, see ``python -m tests.bench.split``.
_SPLIT_DIM = 5


@gradual_underflow()
def enumerate_regions(
    net: Network,
    domain: Domain,
    *,
    method: str = "auto",
    start: ArrayLike | None = None,
    radius: float | None = None,
    norm: str = "l2",
    max_regions: int | None = None,
    max_seconds: float | None = None,
    workers: int = 1,
    run_file: str | os.PathLike[str] | None = None,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
    executor: Executor | None = None,
    faces: bool = False,
) -> Partition:
    """Enumerate the regions of a network over a domain, and the facets between them.

    Parameters
    ----------
    net
        The network, S inputs.
    domain
        Box, Polytope or WholeSpace of dimension S.
    method
        ``"walk"``: from region to region across the facets. ``"split"``: the domain, which is
        bounded, is cut by one knot after the other; the faster for small S. ``"auto"``: split where
        S is at most 5, the domain is bounded with no more vertices than a splitting takes, and no
        radius, limit or run file is given; else walk. The result is the same, but for the witnesses.
    start
        (S,) where the order starts: any point of the domain, also one on a knot. Default: the
        box's centre, the polytope's Chebyshev centre, the origin.
    radius
        Only the regions that meet the closed ball of this radius around the start, see the notes.
    norm
        Of the ball: ``"l2"`` or ``"linf"``.
    max_regions
        Stop at exactly that many regions, with all edges among them: of a walk, those nearest to
        the start in flips; of a splitting, those lowest in the lexicographic order of codes.
    max_seconds
        Stop after that time, compiling left out (checked a few hundred regions at a time).
    workers
        Number of threads. The result does not depend on it.
    run_file
        SQLite file that the run is written to while it goes on, and can be resumed from.
    resume
        Continue `run_file` if it exists, to the result of an uninterrupted run.
    progress
        Called with a `Progress` a few times a second.
    executor
        Runs the subtrees of a splitting instead of threads: any `concurrent.futures.Executor` whose
        workers can import polyspline, such as ``dask.distributed.Client.get_executor()``.
    faces
        Whether to list the faces of every dimension too, in the partition's `faces`: by a splitting
        of the whole of a bounded domain, in small cases (see `polyspline.complex`).

    Returns
    -------
    Partition
        Regions in breadth-first order from the start, neighbours by facet source; edges by their
        lower region, then by source. Ctrl-C, like the limits, gives a partial partition; its `stop`
        says why. So does a radius, unless the ball meets all regions of the domain: `stop` is
        ``StopReason.RADIUS`` once every region that meets the ball is found, `within` is the ball,
        and `complete` is False.

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

    A region counts as within the radius if and only if the closed region meets the closed ball,
    touching in a single point included; the centre's own region always does, and of radius 0 there
    are those regions that contain the start. Edges are those of the domain's partition among the
    regions listed, whether or not their facets meet the ball; facets and volumes of a region are
    the whole region's. Distances are those of S-space, from the float64 start as given.

    A walk that goes on from every region that meets the ball, and from no other, finds them all. Let
    K be the part of the domain in the ball: it is convex, and has an interior if the radius is above
    0. Regions that meet that interior are joined to one another by paths in it that avoid all faces
    of dimension below S - 1, and so through facets between regions that meet K. A region that meets
    K and not its interior touches it in a point p of the sphere. All regions that contain p meet the
    ball; they are joined through facets, by paths near p in the domain's interior; and one of them
    meets K's interior, of which p is a limit. With radius 0 all regions in question contain the start.

    Algorithm: of a walk, per region one forward product of the code, and Clarkson's scheme for the
    facets among its N rows: O(N S) plus one linear program over the facets for each row that a
    bounding box does not discard. With a radius, for each region found one more forward product and
    the region's point nearest to the centre: a float point proven to be in both, or multipliers of
    rows proven to separate them, decides; else an exact linear program ("linf"), or the nearest point
    in rational arithmetic ("l2"). Of a splitting, per cell one product with the next layer's weights,
    and for each knot its signs at the cell's vertices; and at the end one pass over the edges.

    References
    ----------
    Balestriero, Paris, Baraniuk, "Max-affine spline insights into deep generative networks", eq. 3-4.
    """
    check_dimension(domain, net)
    if method not in METHODS:
        raise ArgumentError(f"method is {method!r}; expected one of {', '.join(METHODS)}.")
    _check_limits(max_regions, max_seconds, workers)
    workers = usable_workers(workers)
    reach = None if radius is None else Reach(as_radius(radius), checked_norm(norm))
    if resume and run_file is None:
        raise ArgumentError("resume needs a run file to continue: give run_file as well.")
    origin = None if start is None else _start_point(net, domain, start)
    if faces:
        limits = {"radius": radius, "run_file": run_file}
        limits |= {"max_regions": max_regions, "max_seconds": max_seconds}
        return split_with_faces(
            net,
            domain,
            origin,
            method=method,
            limits=limits,
            workers=workers,
            executor=executor,
            report=None if progress is None else _as_walk(progress),
        )
    walks = [name for name, given in (("radius", radius), ("run_file", run_file)) if given is not None]
    if method == "auto":
        limited = max_regions is not None or max_seconds is not None
        suited = net.latent_dim <= _SPLIT_DIM and can_split(domain)
        method = "split" if suited and not walks and not limited else "walk"
    if method == "split":
        if walks:
            raise ArgumentError(f'method="split" takes no {walks[0]}: leave it out, or use method="walk".')
        found = split_regions(
            net,
            domain,
            origin,
            max_regions=max_regions,
            max_seconds=max_seconds,
            workers=workers,
            executor=executor,
            report=None if progress is None else _as_walk(progress),
        )
    elif executor is not None:
        raise ArgumentError('only a splitting takes an executor: use method="split", or give workers=.')
    else:
        found = walk_regions(
            net,
            domain,
            origin,
            Limits(max_regions, max_seconds, workers),
            reach=reach,
            run_file=run_file,
            resume=resume,
            report=progress,
        )
    check_witnesses(found)
    return found


def _as_walk(report: Callable[[Progress], None]) -> Callable[[SplitProgress], None]:
    """Report a splitting as a walk; its frontier is what the share of the tree that is left holds."""

    def tell(now: SplitProgress) -> None:
        left = max(int(now.estimate) - now.regions, 0) if math.isfinite(now.estimate) else 0
        report(Progress(now.regions, now.regions, left, now.rate, now.seconds))

    return tell


@dataclass(frozen=True, eq=False)
class LocalComplexity:
    """How many regions meet the balls around some points.

    Attributes
    ----------
    points
        Centres of the balls, (B, S).
    radius, norm
        Of all the balls.
    counts
        Regions that meet each ball, (B,); at least one.
    affine_counts
        Affine regions among them: of one affine map, and joined through facets between regions that
        meet the ball, (B,). None unless asked for.
    complete
        Whether all regions of a ball were counted, (B,); else its counts are lower bounds, `counts`
        being the limit.
    exact_fallbacks
        How many decisions needed rational arithmetic.
    """

    points: NDArray[np.float64]
    radius: float
    norm: str
    counts: NDArray[np.int64]
    affine_counts: NDArray[np.int64] | None
    complete: NDArray[np.bool_]
    exact_fallbacks: int

    def __len__(self) -> int:
        """Return the number of balls, B."""
        return len(self.counts)


@gradual_underflow()
def local_complexity(
    net: Network,
    points: ArrayLike,
    radius: float,
    *,
    norm: str = "l2",
    domain: Domain | None = None,
    max_regions: int | None = None,
    workers: int = 1,
    affine_regions: bool = False,
) -> LocalComplexity:
    """Count the regions that meet a ball around each of some points.

    Parameters
    ----------
    net
        The network, S inputs.
    points
        (B, S) the centres, or one (S,); points of the domain.
    radius
        Of the closed balls, 0 or more.
    norm
        Of the balls: ``"l2"`` or ``"linf"``.
    domain
        What is partitioned; by default the whole space.
    max_regions
        Count no further than that, for each ball.
    workers
        Number of threads, each with one ball at a time. The result does not depend on it.
    affine_regions
        Whether to count the affine regions, too.

    Returns
    -------
    LocalComplexity

    Raises
    ------
    ShapeError, NonFiniteError, StartError, ArgumentError, DomainError
        If an argument is of the wrong shape, outside the domain or out of range.

    Notes
    -----
    Guarantee: exact; a region counts if and only if, closed, it meets the closed ball.

    Algorithm: for each point the walk of `enumerate_regions` within the radius; what depends on
    the network alone is prepared once.

    References
    ----------
    A. I. Humayun, R. Balestriero, R. Baraniuk, Deep networks always grok and here is why, 2024: the
    density of regions around a point, which they call local complexity, through training. They
    estimate it from the knots that pass through a small neighbourhood of the point; here the regions
    themselves are counted.
    """
    batch = np.asarray(points)
    centres = as_float_array(batch[None, :] if batch.ndim == 1 else batch, "points", 2)
    check_network(net)
    where = WholeSpace(net.latent_dim) if domain is None else domain
    check_dimension(where, net)
    _check_limits(max_regions, None, workers)
    workers = usable_workers(workers)
    size, kind = as_radius(radius), checked_norm(norm)
    balls = [Ball(_start_point(net, where, centre), size, kind) for centre in centres]
    found = count_in_balls(
        net, where, balls, max_regions=max_regions, workers=workers, affine_regions=affine_regions
    )
    affine = [one.affine_regions for one in found if one.affine_regions is not None]
    return LocalComplexity(
        centres,
        size,
        kind,
        np.array([one.regions for one in found], dtype=np.int64),
        np.array(affine, dtype=np.int64) if affine_regions else None,
        np.array([one.stop.finished for one in found], dtype=np.bool_),
        sum(one.exact_fallbacks for one in found),
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
