"""Inversion by gradients from many starts, as is usual today, and a walk across facets from their ends.

Guarantee: heuristic. The point is the best that was found; nothing bounds the distance from below.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import written_out
from polyspline.domains import Box, Domain
from polyspline.errors import require
from polyspline.inversion.local import improve
from polyspline.inversion.methods import Options, Outcome
from polyspline.inversion.norms import Norm
from polyspline.inversion.pieces import Tables, tables_of
from polyspline.inversion.problem import InversionProblem
from polyspline.inversion.result import BoundSource, Ending
from polyspline.inversion.tracker import Tracker

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float64]

_ADAM_STEPS = 400
_ADAM_ROUND = 10
"""Steps after which the best points are looked at."""

_MEMORY = (0.9, 0.999)
"""Share of the past in Adam's running means of the gradient and of its square."""

_GUARD = 1e-12

_WALKS = 32
"""Walks from the nearest points, at most."""

_FIRST_RATE, _LAST_RATE = 0.1, 1e-3
"""Learning rates, in half-widths of the domain."""

_DAMPED_STEPS = 60
_NUMBERS_AT_ONCE = 4_000_000
"""Entries of all Jacobians that are held at one time."""


def prepare(_problem: InversionProblem) -> None:
    """Load torch."""
    require("torch", extra="torch", purpose="invert by gradients")


def run(tracker: Tracker, options: Options) -> Outcome:
    """Descend from random starts, and walk on from where they end.

    Parameters
    ----------
    tracker
        Gets the points; a node is a start.
    options
        Their number `starts` and `seed`.

    Returns
    -------
    Outcome
        Without a bound.

    Raises
    ------
    MissingExtraError
        If torch is not installed.

    Notes
    -----
    Guarantee: heuristic. Without a time limit the same seed gives the same point on the same
    machine.

    Algorithm: starts uniform over the domain's box; Adam on all at once, with a falling rate and
    projection to the domain; for l2 Levenberg-Marquardt from the starts and from their ends; then
    from the nearest points the walk of `polyspline.inversion.local`.
    """
    torch = require("torch", extra="torch", purpose="invert by gradients")
    problem = tracker.problem
    space = Scaled(problem.domain)
    rng = np.random.default_rng(options.seed)
    starts = space.project(rng.uniform(-1.0, 1.0, (options.starts, problem.domain.dim)))
    _offer(tracker, space, starts)
    tracker.nodes += options.starts
    pool = [starts, _last(tracker, space, adam(torch, problem, space, starts))]
    if problem.norm is Norm.L2:
        for points in list(pool):
            pool.append(_last(tracker, space, levenberg_marquardt(problem, space, points)))
    for point in _most_promising(problem, space, np.concatenate(pool)):
        if tracker.closed or tracker.out_of_time:
            break
        tracker.offer(improve(problem, point, seconds_left=tracker.seconds_left))
        tracker.tell()
    return Outcome(BoundSource.NONE, "torch", Ending.LOCAL)


class Scaled:
    """A domain in coordinates in which its box is ``[-1, 1]^S``.

    Parameters
    ----------
    domain
        Bounded.
    """

    def __init__(self, domain: Domain) -> None:
        lo, hi = domain.bounds()
        self.middle, self.half = lo / 2.0 + hi / 2.0, hi / 2.0 - lo / 2.0
        self.rows: tuple[Floats, Floats] | None = None
        if not isinstance(domain, Box):
            G, h = domain.rows()
            self.centre = (domain.interior_point() - self.middle) / self.half
            self.rows = G * self.half, h - G @ self.middle

    def points(self, t: Floats) -> Floats:
        """Latent points of scaled ones, (B, S) each."""
        return self.middle + self.half * t

    def project(self, t: Floats) -> Floats:
        """Move points outside into the domain, up to rounding: to the box, then towards a point inside."""
        t = np.clip(t, -1.0, 1.0)
        if self.rows is None:
            return t
        G, h = self.rows
        way = t - self.centre
        speed, room = way @ G.T, h - G @ self.centre
        with np.errstate(divide="ignore"):
            reach = np.where(speed > 0.0, room / np.where(speed > 0.0, speed, 1.0), np.inf).min(axis=1)
        return np.asarray(self.centre + np.minimum(reach, 1.0)[:, None] * way)


def _offer(tracker: Tracker, space: Scaled, t: Floats) -> None:
    points = space.points(t)
    tracker.offer(points[int(np.argmin(tracker.problem.distances(points)))])


def _last(tracker: Tracker, space: Scaled, rounds: Iterable[Floats]) -> Floats:
    """Points after the last round that there is time for; the best of each round is offered."""
    for points in rounds:
        _offer(tracker, space, points)
        tracker.tell()
        if tracker.out_of_time or tracker.closed:
            break
    return points


def _most_promising(problem: InversionProblem, space: Scaled, t: Floats) -> Floats:
    """Nearest points, one for each code, and only a few."""
    points = space.points(t)
    points = points[np.argsort(problem.distances(points), kind="stable")]
    codes = tables_of(problem.scalar_layers).codes(points)
    _, first = np.unique(codes, axis=0, return_index=True)
    return points[np.sort(first)[:_WALKS]]


# ---- Adam


def adam(torch: Any, problem: InversionProblem, space: Scaled, starts: Floats) -> Iterator[Floats]:
    """Adam from all starts at once.

    Parameters
    ----------
    torch
        The module.
    problem, space
        What is inverted, and its domain.
    starts
        (B, S), scaled.

    Yields
    ------
    ndarray of float64, shape (B, S)
        Now and then the best points so far, each from its own start.
    """
    network = _network(torch, problem)
    middle, half = torch.tensor(space.middle), torch.tensor(space.half)
    target = torch.tensor(problem.target)
    # In units of what the starts miss, so that the guard below is small at every scale of the data.
    unit = float(np.abs(problem.target - problem.image(space.points(starts))).max()) or 1.0
    t, best, least = starts, starts.copy(), np.full(len(starts), np.inf)
    mean, square = np.zeros_like(t), np.zeros_like(t)
    # Written out, as torch.optim takes seconds to import.
    for step in range(1, _ADAM_STEPS + 1):
        variable = torch.tensor(t, requires_grad=True)
        losses = _losses(problem.norm, (network(middle + half * variable) - target) / unit)
        (slope,) = torch.autograd.grad(losses.sum(), [variable])
        values = losses.detach().numpy()
        nearer = values < least
        best[nearer], least[nearer] = t[nearer], values[nearer]
        mean = _MEMORY[0] * mean + (1.0 - _MEMORY[0]) * slope.numpy()
        square = _MEMORY[1] * square + (1.0 - _MEMORY[1]) * slope.numpy() ** 2
        size = np.sqrt(square / (1.0 - _MEMORY[1] ** step)) + _GUARD
        t = space.project(t - _rate(step) * (mean / (1.0 - _MEMORY[0] ** step)) / size)
        if step % _ADAM_ROUND == 0:
            yield best


def _rate(step: int) -> float:
    """Learning rate, falling along half a wave of the cosine."""
    share = (step - 1) / (_ADAM_STEPS - 1)
    return _LAST_RATE + (_FIRST_RATE - _LAST_RATE) * (1.0 + math.cos(math.pi * share)) / 2.0


def _network(torch: Any, problem: InversionProblem) -> Any:
    """Layers as operations of torch, (B, S) -> (B, T), with the units from their tables."""
    layers = [
        tuple(
            torch.tensor(array, dtype=torch.float64)
            for array in (written_out(table.matrix), table.bias, table.knots, table.slopes, table.offsets)
        )
        for table in tables_of(problem.scalar_layers).layers
    ]

    def network(points: torch.Tensor) -> torch.Tensor:
        u = points.T
        for weight, bias, knots, slopes, offsets in layers:
            v = weight @ u + bias[:, None]
            pieces = torch.searchsorted(knots, v.detach())
            u = slopes.gather(1, pieces) * v + offsets.gather(1, pieces)
        return u.T

    return network


def _losses(norm: Norm, residual: torch.Tensor) -> torch.Tensor:
    """Norm of each row, for l2 its square."""
    if norm is Norm.L2:
        return (residual**2).sum(dim=1)
    if norm is Norm.L1:
        return residual.abs().sum(dim=1)
    return residual.abs().amax(dim=1)


# ---- Levenberg-Marquardt


def levenberg_marquardt(problem: InversionProblem, space: Scaled, starts: Floats) -> Iterator[Floats]:
    """Damped Gauss-Newton steps from all starts at once, for l2.

    Parameters
    ----------
    problem, space
        What is inverted, and its domain.
    starts
        (B, S), scaled.

    Yields
    ------
    ndarray of float64, shape (B, S)
        Points after each step; none is farther than the one before.
    """
    tables = tables_of(problem.scalar_layers)
    t = starts.copy()
    distance = problem.distances(space.points(t))
    damping = np.full(len(t), 1e-3)
    moving = np.ones(len(t), dtype=np.bool_)
    yield t
    for _ in range(_DAMPED_STEPS):
        if not moving.any():
            return
        who = np.flatnonzero(moving)
        steps = _damped_steps(tables, problem, space, t[who], damping[who])
        trial = space.project(t[who] + steps)
        found = problem.distances(space.points(trial))
        nearer = found < distance[who]
        done = nearer & (found > (1.0 - 1e-9) * distance[who])
        t[who[nearer]], distance[who[nearer]] = trial[nearer], found[nearer]
        damping[who] = np.where(nearer, damping[who] / 10.0, damping[who] * 10.0)
        moving[who] = ~done & (damping[who] < 1e8)
        damping = np.maximum(damping, 1e-12)
        yield t


def _damped_steps(
    tables: Tables, problem: InversionProblem, space: Scaled, t: Floats, damping: Floats
) -> Floats:
    """Solutions of ``(J.T J + damping * scale) step = -J.T r``, one for each point, (B, S)."""
    widest = max(len(table.bias) for table in tables.layers)
    at_once = max(1, _NUMBERS_AT_ONCE // (widest * t.shape[1]))
    cuts = [*range(0, len(t), at_once), len(t)]
    return np.concatenate(
        [
            _steps_of_some(tables, problem, space, t[first:last], damping[first:last])
            for first, last in pairwise(cuts)
        ]
    )


def _steps_of_some(
    tables: Tables, problem: InversionProblem, space: Scaled, t: Floats, damping: Floats
) -> Floats:
    values, jacobian = tables.linearised(space.points(t))
    jacobian = jacobian * space.half
    scale = np.abs(jacobian).max(axis=(1, 2))
    scale = np.where(scale > 0.0, scale, 1.0)[:, None]
    jacobian, residual = jacobian / scale[:, :, None], (values - problem.target) / scale
    square = jacobian.transpose(0, 2, 1) @ jacobian
    gradient = np.einsum("bts,bt->bs", jacobian, residual)
    size = np.trace(square, axis1=1, axis2=2)
    weight = damping * np.where(size > 0.0, size, 1.0)
    matrices = square + weight[:, None, None] * np.eye(t.shape[1])
    return np.asarray(np.linalg.solve(matrices, -gradient[:, :, None])[:, :, 0])
