"""Two copies of a network as one mixed-integer program: different inputs, one output.

Guarantee: heuristic. A pair that the program finds is one up to the solver's tolerances, and
that it finds none proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyspline.cpa.layers import Layer
from polyspline.cpa.units import ScalarUnit
from polyspline.domains import Domain
from polyspline.errors import ArgumentError, MissingExtraError
from polyspline.inversion.bounds import preactivation_bounds
from polyspline.inversion.collisions import Collision, ExactRegions
from polyspline.inversion.tracker import into_domain
from polyspline.network import Network
from solvers.errors import SolverInputError
from solvers.milp import (
    Backend,
    MixedStatus,
    ProgramBuilder,
    SolverMissingError,
    find_backend,
    solve_mixed,
)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bounds = tuple[tuple[Floats, Floats], ...]

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


def backend_of(solver: str | None) -> Backend:
    """Back-end of a name.

    Raises
    ------
    ArgumentError
        If there is no such solver.
    MissingExtraError
        If it is not installed.
    """
    try:
        return find_backend(solver)
    except SolverMissingError as missing:
        raise MissingExtraError(str(missing)) from missing
    except SolverInputError as unknown:
        raise ArgumentError(str(unknown)) from unknown


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
    Algorithm: each unit whose range meets several pieces is a choice of one of them (one binary
    each, every piece with the part of the range that it has: no constant is larger than the
    bounds make it). The objective is the distance along one generic direction, which vanishes for
    no pair of different points but by accident.
    """
    lower, upper = domain.bounds()
    width = upper - lower
    direction = np.random.default_rng(_SEED).uniform(0.5, 1.0, len(width)) / width
    builder = ProgramBuilder()
    bounds = preactivation_bounds(net.layers, domain)
    first = _copy(builder, net.layers, domain, bounds, -direction)
    second = _copy(builder, net.layers, domain, bounds, direction)
    for mine, other in zip(first[1], second[1], strict=True):
        builder.row([mine, other], [1.0, -1.0], lower=0.0, upper=0.0)
    solution = solve_mixed(builder.program(), backend, max_seconds=max_seconds, typical_cost=1.0)
    words = f"{backend.key}: {solution.status.value}"
    if solution.status is MixedStatus.OPTIMAL:
        words += f"; none are farther apart than {-solution.bound:.3g} along one direction, it says"
    if solution.values is None or not -solution.objective > _NEARBY:
        return TwinOutcome(None, None, words)
    pair = _refined(net, domain, solution.values[first[0]], solution.values[second[0]])
    collision = _exact_pair(net, domain, *pair)
    apart = np.max(np.abs(pair[0] - pair[1]) / width)
    residual = np.linalg.norm(net(pair[0]) - net(pair[1]))
    size = 1.0 + np.linalg.norm(net(pair[0]))
    kept = pair if apart > _NEARBY and residual <= 1e-9 * size else None
    return TwinOutcome(kept, collision, words)


def _copy(
    builder: ProgramBuilder, layers: tuple[Layer, ...], domain: Domain, bounds: Bounds, cost: Floats
) -> tuple[Integers, Integers]:
    """Add one copy of the network; the columns of its input and of its output."""
    inputs = np.concatenate(
        [
            builder.columns([low], [high], cost=float(price))
            for low, high, price in zip(*domain.bounds(), cost, strict=True)
        ]
    )
    normals, sides = domain.rows()
    for normal, side in zip(normals, sides, strict=True):
        if np.count_nonzero(normal) > 1:
            builder.row(inputs, normal, upper=float(side))
    current = inputs
    for layer, (low, high) in zip(layers, bounds, strict=True):
        before = builder.columns(low, high)
        for neuron in range(layer.n_out):
            bias = float(layer.bias[neuron])
            builder.row(
                np.append(current, before[neuron]),
                np.append(layer.weight[neuron], -1.0),
                lower=-bias,
                upper=-bias,
            )
        current = np.array(
            [
                _unit(builder, layer.units[i], int(before[i]), float(low[i]), float(high[i]))
                for i in range(layer.n_out)
            ],
            dtype=np.int64,
        )
    return inputs, current


def _unit(builder: ProgramBuilder, unit: ScalarUnit, column: int, low: float, high: float) -> int:
    """Add the output of one unit; its column."""
    ends = [-np.inf, *unit.knots, np.inf]
    met = [p for p in range(unit.n_pieces) if ends[p] < high and ends[p + 1] > low]
    if not met:
        met = [int(unit.pieces(low))]
    if len(met) == 1:
        slope, offset = unit.slopes[met[0]], unit.offsets[met[0]]
        if slope == 1.0 and offset == 0.0:
            return column
        reached = sorted((slope * low + offset, slope * high + offset))
        output = int(builder.columns([_down(reached[0])], [_up(reached[1])])[0])
        builder.row([output, column], [1.0, -slope], lower=offset, upper=offset)
        return output
    parts = [(max(low, ends[p]), min(high, ends[p + 1])) for p in met]
    values = [unit.slopes[p] * v + unit.offsets[p] for p, part in zip(met, parts, strict=True) for v in part]
    output = int(builder.columns([_down(min(values))], [_up(max(values))])[0])
    chosen = builder.columns(np.zeros(len(met)), np.ones(len(met)), integer=True)
    shares = builder.columns([min(a, 0.0) for a, _ in parts], [max(b, 0.0) for _, b in parts])
    builder.row(chosen, np.ones(len(met)), lower=1.0, upper=1.0)
    builder.row(np.append(shares, column), np.append(np.ones(len(met)), -1.0), lower=0.0, upper=0.0)
    for share, choice, (a, b) in zip(shares, chosen, parts, strict=True):
        builder.row([share, choice], [1.0, -a], lower=0.0)
        builder.row([share, choice], [1.0, -b], upper=0.0)
    slopes = [unit.slopes[p] for p in met]
    offsets = [unit.offsets[p] for p in met]
    builder.row(np.concatenate([shares, chosen, [output]]), [*slopes, *offsets, -1.0], lower=0.0, upper=0.0)
    return output


def _down(value: float) -> float:
    return value - 2.0**-40 * abs(value)


def _up(value: float) -> float:
    return value + 2.0**-40 * abs(value)


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
    inside = domain.interior_point()
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
