"""Multipliers for lower bounds: the norm of a residual over a polyhedron, whether or not it has a point.

Where no point satisfies the rows there is an answer too: multipliers that prove it.

Guarantee: heuristic. The multipliers are those of a nearby strictly convex program, for the 1-norm
those of the program itself up to rounding; bounds are to be evaluated from them by weak duality,
with rounding accounted for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from solvers.errors import SolverInputError
from solvers.qp.daqp import QPStatus, minimise_quadratic
from solvers.qp.kinks import minimise_kinks

__all__ = ["BoundingSolution", "bounding_multipliers"]

Floats = npt.NDArray[np.float64]
Signs = npt.NDArray[np.int8]

# Weights of the squared distance that make the programs strictly convex.
_RIDGE, _LINEAR_RIDGE = 1e-9, 1e-5
# How soft rows are that no point satisfies.
_SOFTNESS = 1e-9
_SOFT_RIDGE = 1e-4
# Entries of a scaled program from here on have squares whose sums may be infinite.
_LARGEST = 2.0**500
# What a violated side costs for the 1-norm: no multiplier is larger.
_PENALTY = 1e4


@dataclass(frozen=True, eq=False)
class BoundingSolution:
    """A nearly optimal point and multipliers.

    Attributes
    ----------
    point
        (n,), within the bounds of the variables; it may violate the rows.
    output
        (T,) multipliers of the residual; zeros where no point satisfies the rows.
    rows
        (m,) multipliers of the rows, positive where the upper side holds.
    active
        (n + m + k,) signs of the sides that are active, from which a like program may start: those of the
        variables, of the rows, and of k sides that the norm brings with it; None if there are none to tell.
    """

    point: Floats
    output: Floats
    rows: Floats
    active: Signs | None


def bounding_multipliers(
    F: Floats,
    g: Floats,
    low: Floats,
    high: Floats,
    C: Floats,
    row_low: Floats,
    row_high: Floats,
    *,
    order: float,
    scale: float,
    centre: Floats | None = None,
    weight: float = 1.0,
    active: Signs | None = None,
) -> Iterator[BoundingSolution]:
    """Minimise ``norm(F w - g)`` over ``low <= w <= high`` and ``row_low <= C w <= row_high``.

    Gives one solution where there is a point. Where there seems to be none, first multipliers
    that prove that, and then, for rows that are missed by no more than rounding, those of a
    point that violates them a little.

    Parameters
    ----------
    F, g
        (T, n), (T,).
    low, high
        (n,) each, finite.
    C, row_low, row_high
        (m, n), (m,), (m,); infinite where there is no side.
    order
        Of the norm: 2, 1 or infinity.
    scale
        Size of the residuals of interest, above 0.
    centre
        (n,) point towards which the program is made strictly convex; None for the middle.
    weight
        How much it is, relative to the default. The 1-norm takes the centre only to start from.
    active
        The active sides to start from, as a like program left them.

    Yields
    ------
    BoundingSolution
        Each worth a try if the bound of the one before is not enough; none if the solver gave up.

    Raises
    ------
    SolverInputError
        If the active sides are not as many as the program has.
    """
    # What is past the largest float is found by `is_usable`, and no program is solved.
    with np.errstate(over="ignore", invalid="ignore"):
        middle, radius = low / 2.0 + high / 2.0, high / 2.0 - low / 2.0
        unit = np.where(radius > 0, radius, 1.0)
        matrix = F * (unit / scale)
        rhs = (g - F @ middle) / scale
        shift = C @ middle
        rows = C * unit
        length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        length = np.where(length > 0, length, 1.0)
        ends = radius / unit
        inner = _Scaled(
            matrix, rhs, rows / length[:, None], (row_low - shift) / length, (row_high - shift) / length, ends
        )
        if not inner.is_usable:
            return
    towards = np.zeros(len(unit)) if centre is None else np.clip((centre - middle) / unit, -ends, ends)
    if order == 1.0:
        solutions = _kinked(inner, towards, active)
    elif order == 2.0:
        solutions = _or_soft(inner, *_quadratic(inner, towards, weight, active))
    else:
        solutions = _or_soft(inner, *_epigraph(inner, towards, weight, active))
    for one in solutions:
        if one is not None:
            yield BoundingSolution(
                middle + unit * one.point, one.output / scale, one.rows / length, one.active
            )


@dataclass(frozen=True, eq=False)
class _Scaled:
    """Minimise ``norm(matrix w - rhs)``, ``below <= rows w <= above``, ``|w| <= ends``, all of size one."""

    matrix: Floats
    rhs: Floats
    rows: Floats
    below: Floats
    above: Floats
    ends: Floats

    @property
    def sides(self) -> tuple[Floats, Floats]:
        """Lower and upper sides of the variables and of the rows."""
        return np.concatenate([-self.ends, self.below]), np.concatenate([self.ends, self.above])

    @property
    def is_usable(self) -> bool:
        """Whether the squares and products of its numbers are finite; sides may be infinite, but not NaN."""
        size = float(np.max(np.abs(self.matrix), initial=0.0) + np.max(np.abs(self.rhs), initial=0.0))
        total = float(self.rows.sum()) + float(self.ends.sum()) + size
        sided = not (np.isnan(self.below).any() or np.isnan(self.above).any())
        return sided and size < _LARGEST and math.isfinite(total)


def _or_soft(
    inner: _Scaled, found: BoundingSolution | None, status: QPStatus
) -> Iterator[BoundingSolution | None]:
    """Solutions for rows that may be violated where none was found for those that may not."""
    if found is not None:
        yield found
    elif status is not QPStatus.TOO_LONG:  # the other programs are as large
        yield _soft(inner, True)
        yield _soft(inner, False)


def _soft(inner: _Scaled, pure: bool) -> BoundingSolution | None:
    """Multipliers of the least violation of the rows: pure, or along with the squared 2-norm."""
    n = len(inner.ends)
    matrix = np.zeros_like(inner.matrix) if pure else inner.matrix
    hessian = matrix.T @ matrix
    # Violations count relative to this term: it must not be small.
    hessian[np.diag_indices(n)] += 1.0 if pure else _SOFT_RIDGE
    solved = minimise_quadratic(hessian, -(inner.rhs @ matrix), inner.rows, *inner.sides, softness=_SOFTNESS)
    if solved.point is None or solved.multipliers is None:
        return None
    output = np.zeros(len(inner.rhs)) if pure else matrix @ solved.point - inner.rhs
    return BoundingSolution(solved.point, output, solved.multipliers[n:], None)


def _quadratic(
    inner: _Scaled, towards: Floats, weight: float, active: Signs | None
) -> tuple[BoundingSolution | None, QPStatus]:
    """Solve for half of the squared 2-norm, and a little of the squared distance from a point."""
    n = len(inner.ends)
    ridge = weight * _RIDGE
    hessian = inner.matrix.T @ inner.matrix
    hessian[np.diag_indices(n)] += ridge
    linear = -(inner.rhs @ inner.matrix) - ridge * towards
    solved = minimise_quadratic(hessian, linear, inner.rows, *inner.sides, active=active)
    if solved.point is None or solved.multipliers is None:
        return None, solved.status
    output = inner.matrix @ solved.point - inner.rhs
    signs = _signs(solved.multipliers)
    return BoundingSolution(solved.point, output, solved.multipliers[n:], signs), solved.status


def _signs(multipliers: Floats) -> Signs:
    return np.sign(multipliers).astype(np.int8)


def _epigraph(
    inner: _Scaled, towards: Floats, weight: float, active: Signs | None
) -> tuple[BoundingSolution | None, QPStatus]:
    """Solve for the maximum norm, with a bound on all residuals as one more variable."""
    n, outputs, m = len(inner.ends), len(inner.rhs), len(inner.rows)
    ridge = weight * _LINEAR_RIDGE
    cover = np.ones((outputs, 1))
    most = np.max(np.abs(inner.rhs) + np.abs(inner.matrix) @ inner.ends, keepdims=True)
    full = np.zeros((m + 2 * outputs, n + 1))
    full[:m, :n] = inner.rows
    full[m:] = np.block([[inner.matrix, -cover], [-inner.matrix, -cover]])
    open_side = np.full(2 * outputs, -np.inf)
    lower = np.concatenate([-inner.ends, [0.0], inner.below, open_side])
    upper = np.concatenate([inner.ends, most, inner.above, inner.rhs, -inner.rhs])
    linear = np.concatenate([-ridge * towards, [1.0]])
    if active is not None:
        own, rows, others = np.split(active, [n, n + m])
        active = np.concatenate([own, others[:1], rows, others[1:]])
    solved = minimise_quadratic(ridge * np.eye(n + 1), linear, full, lower, upper, active=active)
    if solved.point is None or solved.multipliers is None:
        return None, solved.status
    on_rows, on_output = np.split(solved.multipliers[n + 1 :], [m])
    own, bounds, others = np.split(_signs(solved.multipliers), [n, n + 1])
    signs = np.concatenate([own, others[:m], bounds, others[m:]])
    output = on_output[:outputs] - on_output[outputs:]
    return BoundingSolution(solved.point[:n], output, on_rows, signs), solved.status


def _kinked(inner: _Scaled, towards: Floats, active: Signs | None) -> Iterator[BoundingSolution | None]:
    """Solve for the 1-norm as a sum of kinked terms: the residuals, and penalties on what is beyond a side.

    The penalties bound the multipliers, so that there is an optimum even where no point satisfies
    the rows.
    """
    n, m, outputs = len(inner.ends), len(inner.rows), len(inner.rhs)
    kinks = np.full((n + m + outputs, 3), _PENALTY)
    lower, upper = inner.sides
    kinks[:, 0] = np.concatenate([lower, inner.rhs])
    kinks[:, 1] = np.concatenate([upper, inner.rhs])
    kinks[n + m :, 2] = 1.0
    start = np.zeros(len(kinks), dtype=np.int8) if active is None else active
    if len(start) != len(kinks):
        raise SolverInputError(
            f"a program of {len(kinks)} sides got an active set of {len(start)}; expected one sign for each "
            "side."
        )
    forms = np.empty((n, m + outputs))
    np.concatenate([inner.rows.T, inner.matrix.T], axis=1, out=forms)
    found, point, multipliers, signs, _ = minimise_kinks(forms, kinks, start, towards)
    if not found:
        yield from _or_soft(inner, None, QPStatus.FAILED)
        return
    if np.max(np.abs(multipliers[: n + m])) >= _PENALTY:  # some side is violated
        yield _soft(inner, True)
    inside = np.clip(point, -inner.ends, inner.ends)
    yield BoundingSolution(inside, multipliers[n + m :], multipliers[n : n + m], signs)
