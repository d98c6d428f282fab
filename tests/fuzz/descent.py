"""Descent from region to region by SciPy's solvers: points as near as can be found, to hold bounds against.

It shares no code with the package. What it finds is rounded; the judge recomputes every distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog, minimize

from tests.fuzz.cases import InversionCase
from tests.oracle.forms import FloatArray, OracleLayer, UnitTable

MAX_SOLVES = 80
ACTIVE = 1e-7
BEYOND = 1e-6


@dataclass(frozen=True)
class _Region:
    """The affine map ``A z + b`` around a point, and the rows ``C z <= d`` of its region."""

    slope: FloatArray
    offset: FloatArray
    rows: FloatArray
    sides: FloatArray


def descend(case: InversionCase, start: Sequence[float]) -> list[float] | None:
    """A point of the box that is nearer than the start, if one is found; None for nets with max groups."""
    layers = case.layers.oracle()
    if any(isinstance(unit, int) for _, _, units in layers for unit in units):
        return None
    low, high = np.array(case.low), np.array(case.high)
    target = np.array(case.x)
    best = np.array(start)
    least = np.inf
    waiting = [best]
    solves = 0
    while waiting and solves < MAX_SOLVES:
        region = _region(layers, np.clip(waiting.pop(0), low, high))
        solves += 1
        found = _solved(case.norm, region, target, low, high, best)
        if found is None:
            continue
        point = np.clip(found, low, high)
        distance = _distance(case.norm, _value(layers, point) - target)
        if distance < least * (1.0 - 1e-12):
            least, best = distance, point
            slack = region.sides - region.rows @ point
            steep = np.linalg.norm(region.rows, axis=1)
            active = np.flatnonzero((steep > 0.0) & (slack <= ACTIVE * steep))
            # Behind each facet that stops the descent.
            waiting = [point + BEYOND * region.rows[at] / steep[at] for at in active]
    return [float(entry) for entry in best]


def _tables(units: Sequence[Any]) -> list[UnitTable]:
    return [unit for unit in units if not isinstance(unit, int)]


def _value(layers: Sequence[OracleLayer], point: FloatArray) -> FloatArray:
    region = _region(layers, point)
    return np.asarray(region.slope @ point + region.offset)


def _region(layers: Sequence[OracleLayer], point: FloatArray) -> _Region:
    slope: FloatArray = np.eye(len(point))
    offset: FloatArray = np.zeros(len(point))
    rows: list[FloatArray] = []
    sides: list[float] = []
    for weight, bias, units in layers:
        slope, offset = weight @ slope, weight @ offset + bias
        values = slope @ point + offset
        factors, shifts = np.ones(len(values)), np.zeros(len(values))
        for unit, (knots, slopes, offsets) in enumerate(_tables(units)):
            piece = int(np.searchsorted(np.asarray(knots, dtype=float), values[unit]))
            if piece < len(knots):
                rows.append(slope[unit])
                sides.append(knots[piece] - float(offset[unit]))
            if piece > 0:
                rows.append(-slope[unit])
                sides.append(float(offset[unit]) - knots[piece - 1])
            factors[unit], shifts[unit] = slopes[piece], offsets[piece]
        slope, offset = factors[:, None] * slope, factors * offset + shifts
    table = np.array(rows) if rows else np.zeros((0, len(point)))
    return _Region(slope, offset, table, np.array(sides))


def _distance(norm: str, residual: FloatArray) -> float:
    order = {"l2": 2, "l1": 1, "linf": np.inf}[norm]
    return float(np.linalg.norm(residual, order))


def _solved(
    norm: str, region: _Region, target: FloatArray, low: FloatArray, high: FloatArray, start: FloatArray
) -> FloatArray | None:
    """Nearest point of one region, rounded; None if there is none."""
    gap = target - region.offset
    if norm == "l2":
        return _least_squares(region, gap, low, high, start)
    dim, outputs = len(low), len(gap)
    spread = np.eye(outputs) if norm == "l1" else np.ones((outputs, 1))
    table = np.vstack(
        [
            np.hstack([region.slope, -spread]),
            np.hstack([-region.slope, -spread]),
            np.hstack([region.rows, np.zeros((len(region.rows), spread.shape[1]))]),
        ]
    )
    cost = np.concatenate([np.zeros(dim), np.ones(spread.shape[1])])
    limits: list[tuple[Any, Any]] = [*zip(low, high, strict=True), *[(0.0, None)] * spread.shape[1]]
    found = linprog(cost, table, np.concatenate([gap, -gap, region.sides]), bounds=limits, method="highs")
    return None if found.x is None else np.asarray(found.x[:dim])


def _least_squares(
    region: _Region, gap: FloatArray, low: FloatArray, high: FloatArray, start: FloatArray
) -> FloatArray | None:
    gram, pull = region.slope.T @ region.slope, region.slope.T @ gap

    def value(z: npt.NDArray[np.float64]) -> float:
        return float(z @ gram @ z - 2.0 * pull @ z)

    def slope(z: npt.NDArray[np.float64]) -> FloatArray:
        return np.asarray(2.0 * (gram @ z - pull))

    rows = {
        "type": "ineq",
        "fun": lambda z: region.sides - region.rows @ z,
        "jac": lambda z: -region.rows,
    }
    # Its types do not know of functions of an array alone.
    solver: Any = minimize
    found = solver(
        value,
        start,
        jac=slope,
        method="SLSQP",
        bounds=list(zip(low, high, strict=True)),
        constraints=[rows] if len(region.rows) else [],
        options={"maxiter": 100, "ftol": 1e-14},
    )
    return np.asarray(found.x)
