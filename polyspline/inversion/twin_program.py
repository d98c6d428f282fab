"""Two copies of a network as one mixed-integer program: different inputs, one output.

Guarantee: heuristic. A pair that the program finds is one up to the solver's tolerances, and
that it finds none proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyspline.domains import Domain
from polyspline.inversion.bounds import preactivation_bounds
from polyspline.inversion.collisions import Collision, ExactRegions
from polyspline.inversion.comparisons import scalar_layers
from polyspline.inversion.milp_model import AffineValues, NetworkRows
from polyspline.inversion.tracker import into_domain
from polyspline.network import Network
from solvers.milp import Backend, MixedStatus, ProgramBuilder, solve_mixed

Floats = npt.NDArray[np.float64]

_REFINEMENTS = 4
_NEIGHBOURS = 8
_NEARBY = 1e-6
_SEED = 0


@dataclass(frozen=True, eq=False)
class TwinOutcome:
    """What the program over two copies found.

    Attributes
    ----------
    pair
        Two points (S,) of the domain whose images agree up to rounding; None if none was found.
    collision
        An exact pair near it; None if exact arithmetic did not find one.
    words
        What the solver said, and how far apart it says a pair can be at most.
    """

    pair: tuple[Floats, Floats] | None
    collision: Collision | None
    words: str


def find_twins(net: Network, domain: Domain, backend: Backend, max_seconds: float) -> TwinOutcome:
    """Look for two points of a bounded domain with one image, as far apart as can be.

    Parameters
    ----------
    net, domain
        The network; the domain is bounded.
    backend
        Solver of the program.
    max_seconds
        Limit on the solver's wall time.

    Notes
    -----
    Algorithm: two copies of the network as the program of an inversion has it, so that no constant is
    larger than the bounds make it. The objective is the distance along one generic direction, which
    vanishes for no pair of different points but by accident.
    """
    lower, upper = domain.bounds()
    width = upper - lower
    direction = np.random.default_rng(_SEED).uniform(0.5, 1.0, len(width)) / width
    builder = ProgramBuilder()
    layers = scalar_layers(net.layers)
    ranges = preactivation_bounds(layers, domain)
    first = NetworkRows(builder, layers, domain, ranges, -direction)
    second = NetworkRows(builder, layers, domain, ranges, direction)
    _meet(builder, first.value, second.value)
    solution = solve_mixed(builder.program(), backend, max_seconds=max_seconds, typical_cost=1.0)
    words = f"{backend.key}: {solution.status.value}"
    if solution.status is MixedStatus.OPTIMAL:
        words += f"; none are farther apart than {-solution.bound:.3g} along one direction, it says"
    if solution.values is None or not -solution.objective > _NEARBY:
        return TwinOutcome(None, None, words)
    pair = _refined(net, domain, solution.values[first.z], solution.values[second.z])
    collision = _exact_pair(net, domain, *pair)
    apart = np.max(np.abs(pair[0] - pair[1]) / width)
    residual = np.linalg.norm(net(pair[0]) - net(pair[1]))
    size = 1.0 + np.linalg.norm(net(pair[0]))
    kept = pair if apart > _NEARBY and residual <= 1e-9 * size else None
    return TwinOutcome(kept, collision, words)


def _meet(builder: ProgramBuilder, first: AffineValues, second: AffineValues) -> None:
    """Add the rows that say that two values are equal."""
    columns = np.concatenate([first.columns, second.columns])
    sides = second.offset - first.offset
    for row, other, side in zip(first.matrix, second.matrix, sides.tolist(), strict=True):
        builder.row(columns, np.concatenate([row, -other]), lower=side, upper=side)


def _refined(net: Network, domain: Domain, first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Move two points as little as can be, so that their images agree (Newton's method)."""
    best = into_domain(domain, first), into_domain(domain, second)
    current = best
    for _ in range(_REFINEMENTS):
        gap = net(current[0]) - net(current[1])
        if np.linalg.norm(gap) < np.linalg.norm(net(best[0]) - net(best[1])):
            best = current
        slopes = np.hstack([net.affine(net.code(current[0]))[0], -net.affine(net.code(current[1]))[0]])
        move = np.linalg.lstsq(slopes, -gap, rcond=None)[0]
        current = (
            into_domain(domain, current[0] + move[: len(first)]),
            into_domain(domain, current[1] + move[len(first) :]),
        )
    return min(best, current, key=lambda pair: float(np.linalg.norm(net(pair[0]) - net(pair[1]))))


def _exact_pair(net: Network, domain: Domain, first: Floats, second: Floats) -> Collision | None:
    """Exact pair of two regions near two points.

    The points of a program are mostly at corners, on several knots, so the regions are those of
    points a little beside them.
    """
    generator = np.random.default_rng(_SEED)
    inside = domain.default_start()
    lower, upper = domain.bounds()
    seen: set[tuple[bytes, bytes]] = set()
    for _ in range(_NEIGHBOURS):
        aside = generator.normal(size=(2, len(inside))) * (upper - lower)
        points = [
            into_domain(domain, z + _NEARBY * (inside - z + shift))
            for z, shift in zip((first, second), aside, strict=True)
        ]
        codes = [net.code(z) for z in points]
        key = codes[0].tobytes(), codes[1].tobytes()
        if key in seen or key[0] == key[1]:
            continue
        seen.add(key)
        found = ExactRegions(net, domain, codes.__getitem__, points.__getitem__).collision(0, 1)
        if found is not None:
            return found
    return None
