"""Whether a network sends different latent points to different outputs: proofs and counterexamples."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from polyspline.domains import Domain, check_dimension
from polyspline.enumeration import enumerate_regions
from polyspline.errors import ArgumentError, require
from polyspline.inversion.collisions import Collision, ExactRegions
from polyspline.inversion.image_pairs import meeting_pairs
from polyspline.inversion.region_maps import RegionMapper, mapper_of, maps_of
from polyspline.inversion.tracker import into_domain
from polyspline.network import Network
from polyspline.partition import Partition, StopReason
from solvers.clock import working_time
from solvers.float_mode import gradual_underflow
from solvers.integers import nearest_float
from solvers.predicates.rounding import ROUNDOFF, SAFETY, SMALLEST
from solvers.status import KeyedEnum

if TYPE_CHECKING:
    from solvers.milp import Backend

Floats = npt.NDArray[np.float64]


class InjectivityVerdict(KeyedEnum):
    """What is known of a network on a domain; the value is the sentence to show."""

    INJECTIVE = "different points of the domain have different images"
    NOT_INJECTIVE = "two different points of the domain have the same image"
    UNDECIDED = "no two points with the same image were found, nor is it proven that there are none"


@dataclass(frozen=True, eq=False)
class Injectivity:
    """Outcome of `injectivity`.

    Attributes
    ----------
    verdict
        INJECTIVE and NOT_INJECTIVE are proven, in rational arithmetic.
    pair
        Two different points (S,) each with one image: the exact ones, rounded. With UNDECIDED,
        two points whose images agree up to rounding, if such were found and not proven to be
        near an exact pair; else None.
    residual
        Euclidean distance of the two images, recomputed from the network; NaN without a pair.
    separation
        Euclidean distance of the two points; NaN without a pair.
    decided
        How it was decided, or what stopped it.
    excluded
        What is proven of where a pair cannot be.
    regions
        Number of regions that were looked at.
    pairs_tested
        Pairs of regions that exact arithmetic decided.
    seconds
        Wall time, compiling left out.
    interrupted
        Whether Ctrl-C stopped it.
    """

    verdict: InjectivityVerdict
    pair: tuple[Floats, Floats] | None
    residual: float
    separation: float
    decided: str
    excluded: str
    regions: int
    pairs_tested: int
    seconds: float
    interrupted: bool = False

    def __repr__(self) -> str:
        """Show the verdict, the pair's residual and the counts."""
        counts = f"regions={self.regions}, pairs_tested={self.pairs_tested}"
        if self.pair is not None:
            counts += f", residual={self.residual:.2g}, separation={self.separation:.6g}"
        return f"Injectivity({self.verdict.key}, {counts})"


@gradual_underflow()
def injectivity(
    net: Network,
    domain: Domain,
    partition: Partition | None = None,
    *,
    max_seconds: float | None = None,
    max_regions: int = 20_000,
    solver: str | None = None,
) -> Injectivity:
    """Decide whether a network is injective on a domain.

    Parameters
    ----------
    net : Network
    domain : Box, Polytope or WholeSpace
    partition : Partition, optional
        Of the same network and domain; else one is enumerated.
    max_seconds : float, optional
        Limit on the wall time.
    max_regions : int
        Limit on the regions that are enumerated; beyond it, pairs of regions are given up, and
        a mixed-integer program over two copies of the network looks for a colliding pair.
    solver : str, optional
        Back-end of that program, by name; CBC by default.

    Returns
    -------
    Injectivity
        With its verdict, and two points with one image if there are such. Ctrl-C, like the
        limits, leaves it undecided.

    Raises
    ------
    DomainError
        If the domain has another dimension than the network's latent space.
    ArgumentError
        If the partition is of something else, or a limit is out of its range.
    MissingExtraError
        If the mixed-integer program is needed and its solver is not installed.

    Notes
    -----
    Guarantee: INJECTIVE and NOT_INJECTIVE are exact, for the network whose weights are the float64
    numbers as given; the pair is rounded, and its residual is that of the rounded points.

    Algorithm: first the rank of every slope A_ω (floats where they prove it, else rationals):
    below S, two points of that region collide. Then, on a complete partition, pairs of regions:
    those whose images are apart, by certified bounds in floats, are left out, and the others are
    decided one by one by exact elimination and an exact linear program. If all slopes have rank S
    and no pair collides, the network is injective.

    References
    ----------
    Max-affine spline insights, Prop. 3, whose condition (full rank in every region) is necessary
    only: ``lrelu(z) + lrelu(-z)`` has full rank everywhere and folds.
    """
    check_dimension(domain, net)
    _check(net, domain, partition, max_seconds, max_regions)
    if solver is not None:
        _backend(solver)  # one that is not there is told of at once
    search = _Search(net, domain, working_time(), math.inf if max_seconds is None else max_seconds)
    try:
        return search.run(partition, max_regions, solver)
    except KeyboardInterrupt:
        return replace(search.undecided("Ctrl-C stopped it"), interrupted=True)


def _check(
    net: Network, domain: Domain, partition: Partition | None, max_seconds: float | None, max_regions: int
) -> None:
    if max_seconds is not None and not max_seconds > 0:
        raise ArgumentError(f"max_seconds is {max_seconds}; expected a positive number of seconds.")
    if max_regions < 1:
        raise ArgumentError(f"max_regions is {max_regions}; expected a positive number of regions.")
    if partition is not None and partition.net != net:
        raise ArgumentError("the partition is of another network; enumerate the regions of this one.")
    if partition is not None and partition.domain != domain:
        raise ArgumentError(
            f"the partition is over {partition.domain!r}, but the domain is {domain!r}; use the partition's "
            "domain, or enumerate over this one."
        )


@dataclass(eq=False)
class _Search:
    """A search for two points with one image that goes on."""

    net: Network
    domain: Domain
    began: float
    max_seconds: float
    regions: int = 0
    ranks: int = 0
    tested: int = 0
    excluded: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return working_time() - self.began

    @property
    def seconds_left(self) -> float:
        return max(self.max_seconds - self.seconds, 0.0)

    # ---- outcomes

    def _outcome(
        self, verdict: InjectivityVerdict, decided: str, pair: tuple[Floats, Floats] | None = None
    ) -> Injectivity:
        residual = separation = math.nan
        if pair is not None:
            # math.hypot scales: no square underflows or overflows.
            with np.errstate(all="ignore"):
                residual = math.hypot(*(self.net(pair[0]) - self.net(pair[1])))
                separation = math.hypot(*(pair[0] - pair[1]))
        excluded = "; ".join(self.excluded) if self.excluded else "nothing"
        return Injectivity(
            verdict, pair, residual, separation, decided, excluded, self.regions, self.tested, self.seconds
        )

    def undecided(self, why: str) -> Injectivity:
        """Outcome of a search that something stopped."""
        if self.tested:
            self.excluded.append(f"no collision between the regions of {self.tested} pairs")
        return self._outcome(InjectivityVerdict.UNDECIDED, why)

    def _refuted(self, how: str, pair: tuple[Floats, Floats]) -> Injectivity:
        return self._outcome(InjectivityVerdict.NOT_INJECTIVE, how, pair)

    # ---- the steps

    def run(self, partition: Partition | None, max_regions: int, solver: str | None) -> Injectivity:
        """Take the steps in order, until one decides."""
        fewer = self.net.ambient_dim < self.net.latent_dim
        if partition is None:
            # Half of the time, so that some is left; with too few outputs, any region will do.
            limit = None if math.isinf(self.max_seconds) else max(self.seconds_left / 2.0, 1e-3)
            partition = enumerate_regions(
                self.net, self.domain, max_regions=1 if fewer else max_regions, max_seconds=limit
            )
        self.regions = len(partition)
        if partition.stop is StopReason.INTERRUPTED:
            return self.undecided("Ctrl-C stopped the enumeration of the regions")
        exact = ExactRegions.of_partition(partition)
        mapper = mapper_of(partition, self.net.layers)
        for step in (self._by_rank, self._by_edges):
            found = step(partition, mapper, exact)
            if found is not None:
                return found
        if partition.complete:
            return self._by_pairs(partition, exact)
        return self._by_program(partition, solver)

    def _by_rank(self, partition: Partition, mapper: RegionMapper, exact: ExactRegions) -> Injectivity | None:
        """Look for a region whose slope has not rank S."""
        for low in range(0, len(partition), mapper.chunk):
            which = np.arange(low, min(low + mapper.chunk, len(partition)))
            for region in which[~_certainly_full_rank(partition, mapper, which)]:
                direction = exact.null_direction(int(region))
                if direction is not None:
                    pair = _along(partition, mapper, int(region), direction)
                    how = f"the slope of region {region} has a rank below {self.net.latent_dim}, exactly"
                    return self._refuted(how, pair)
                if not self.seconds_left:
                    return self.undecided("the time limit stopped it at the ranks of the slopes")
            self.ranks += len(which)
        self.excluded.append(f"no collision within any of {len(partition)} regions")
        return None

    def _by_edges(
        self, partition: Partition, mapper: RegionMapper, exact: ExactRegions
    ) -> Injectivity | None:
        """Look for folds: neighbours that collide."""
        return self._decide(partition.edges.astype(np.int64), exact)

    def _decide(self, pairs: npt.NDArray[np.int64], exact: ExactRegions) -> Injectivity | None:
        for i, j in pairs.tolist():
            if not self.seconds_left:
                return self.undecided("the time limit stopped it among the pairs of regions")
            found = exact.collision(i, j)
            self.tested += 1
            if found is not None:
                how = f"regions {i} and {j} have points with one image, exactly"
                return self._refuted(how, _rounded_pair(self.domain, found))
        return None

    def _by_pairs(self, partition: Partition, exact: ExactRegions) -> Injectivity:
        """Decide all pairs of regions."""
        for pairs in meeting_pairs(partition):
            found = self._decide(pairs, exact)
            if found is not None:
                return found
            if not self.seconds_left:
                return self.undecided("the time limit stopped it among the pairs of regions")
        apart = len(partition) * (len(partition) - 1) // 2 - self.tested
        self.excluded.append(f"no collision between regions: {self.tested} pairs exactly, {apart} by bounds")
        return self._outcome(
            InjectivityVerdict.INJECTIVE,
            f"every slope has rank {self.net.latent_dim}, and the images of different regions meet only "
            "where the regions do, exactly",
        )

    def _by_program(self, partition: Partition, solver: str | None) -> Injectivity:
        """Look for a pair by a mixed-integer program over two copies of the network."""
        why = f"not all regions are known ({partition.stop.value})"
        if not self.domain.bounded:
            return self.undecided(f"{why}, and a mixed-integer program needs a bounded domain")
        if not self.seconds_left:
            return self.undecided(why)
        if solver is None and find_spec("pulp") is None:
            return self.undecided(f"{why}, and pulp, which could look further, is not installed")
        backend = _backend(solver)
        from polyspline.inversion.twin_program import find_twins  # loads PuLP

        found = find_twins(self.net, self.domain, backend, self.seconds_left)
        if found.collision is not None:
            how = f"{found.words}; an exact pair was found in the regions of its pair"
            return self._refuted(how, _rounded_pair(self.domain, found.collision))
        if found.pair is not None:
            how = f"{why}; the images of a pair agree up to rounding, but no exact pair was found beside it"
            return self._outcome(InjectivityVerdict.UNDECIDED, how, found.pair)
        return self.undecided(f"{why}; {found.words}")


def _backend(solver: str | None) -> Backend:
    """Back-end of the mixed-integer program."""
    require("pulp", extra="milp", purpose="look for two points with one image by a mixed-integer program")
    from polyspline.inversion.milp_model import backend_of

    return backend_of(solver)


def _certainly_full_rank(
    partition: Partition, mapper: RegionMapper, which: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Whether floats prove that the slope has rank S, for each of some regions.

    The argument: let A be the true slope for coordinates in units of the reach, A^ the computed one, and e
    a bound of the row sums of ``|A - A^|``: the error of a map over all points within reach is one. For
    any X, ``‖I - X A‖ <= ‖I - X A^‖ + max_s sum_i |X_si| e_i`` in the norm of largest row sums. If that is
    below 1, then X A is nonsingular (its Neumann series converges), so that A has rank S. X is an
    approximate left inverse, from which nothing is assumed; the product is bounded with its rounding.
    Rows are scaled by powers of two, which changes no rank.
    """
    maps = maps_of(partition, mapper, which, with_rows=False)
    rows, columns = maps.slope.shape[1:]
    if rows < columns:
        return np.zeros(len(which), dtype=np.bool_)
    with np.errstate(all="ignore"):
        scaled = maps.slope * mapper.reach
        error = maps.error + 2.0 * ROUNDOFF * np.abs(scaled).sum(axis=2) + columns * SMALLEST
        factor = np.ldexp(1.0, -np.clip(np.frexp(np.abs(scaled).max(axis=2))[1], -1000, 1000))
        scaled = scaled * factor[:, :, None]
        error = (error * factor + 2 * columns * SMALLEST) * SAFETY
        usable = np.asarray(np.isfinite(scaled).all(axis=(1, 2)) & np.isfinite(error).all(axis=1))
        scaled[~usable] = 0.0
        inverse = _left_inverses(scaled)
        defect = np.abs(np.eye(columns) - inverse @ scaled)
        defect += (rows + 4) * ROUNDOFF * (np.abs(inverse) @ np.abs(scaled))
        total = defect.sum(axis=2) + (np.abs(inverse) @ error[:, :, None])[:, :, 0]
        total = SAFETY * total + (4 * rows + 8) * columns * SMALLEST
    return np.asarray(usable & (total < 1.0).all(axis=1))


def _left_inverses(matrices: Floats) -> Floats:
    """Approximate left inverses (B, S, T) of matrices (B, T, S); zeros where there is none in floats."""
    try:
        return np.asarray(np.linalg.pinv(matrices))
    except np.linalg.LinAlgError:  # an iteration that did not converge: no rank is proven
        return np.zeros_like(matrices.transpose(0, 2, 1))


def _along(
    partition: Partition, mapper: RegionMapper, region: int, direction: list[int]
) -> tuple[Floats, Floats]:
    """Two points of a region on both sides of its witness, in a direction."""
    largest = max(abs(entry) for entry in direction)
    step = np.array([entry / largest for entry in direction])
    witness = partition.witnesses[region]
    maps = maps_of(partition, mapper, np.array([region]))
    room = np.maximum(maps.sides[0] - maps.rows[0] @ witness, 0.0)
    speed = np.abs(maps.rows[0] @ step)
    met = speed > 0
    length = float(np.min(room[met] / speed[met], initial=float(np.max(mapper.reach))))
    length = max(0.5 * length, 2.0**-40 * float(np.max(np.abs(witness), initial=0.0)), 2.0**-500)
    ends = witness - length * step, witness + length * step
    return _into(partition.domain, ends[0]), _into(partition.domain, ends[1])


def _rounded_pair(domain: Domain, found: Collision) -> tuple[Floats, Floats]:
    first, second = (
        np.array([nearest_float(entry) for entry in point]) for point in (found.first, found.second)
    )
    return _into(domain, first), _into(domain, second)


def _into(domain: Domain, z: Floats) -> Floats:
    return into_domain(domain, z) if domain.bounded else z
