"""Floats strictly inside a polyhedron, near a rational point that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from solvers.integers import as_fraction, nearest_float

Point = tuple[Fraction, ...]
Row = Sequence[int]
"""Integers ``(a ..., b)``; inside, ``a . z + b > 0``."""


def row_value(row: Row, point: Sequence[Fraction]) -> Fraction:
    """Value of a row at a point, exact."""
    return sum((entry * z for entry, z in zip(row[:-1], point, strict=True)), Fraction(row[-1]))


def is_inside(rows: Sequence[Row], point: Sequence[Fraction]) -> bool:
    """Whether a point is strictly inside, exactly."""
    return all(row_value(row, point) > 0 for row in rows)


def rounded_inside(rows: Sequence[Row], point: Point) -> tuple[Point, bool]:
    """Move a strictly interior point to floats nearby that are inside, too; and whether there are any.

    The coordinates are fixed to floats one after the other, each within what the rows
    leave to it when the others stand.
    """
    rounded = tuple(as_fraction(nearest_float(z)) for z in point)
    if rounded == point or is_inside(rows, rounded):
        return rounded, True
    moved = list(point)
    for i in range(len(point)):
        chosen = _float_between(*_room(rows, moved, i), moved[i])
        if chosen is None:
            return point, False
        moved[i] = chosen
    return tuple(moved), True


def _room(rows: Sequence[Row], point: Sequence[Fraction], i: int) -> tuple[Fraction | None, Fraction | None]:
    """Open interval of coordinate i inside all rows, the others fixed; None for an end at infinity."""
    low: Fraction | None = None
    high: Fraction | None = None
    for row in rows:
        if row[i] != 0:
            end = point[i] - row_value(row, point) / row[i]
            if row[i] > 0:
                low = end if low is None else max(low, end)
            else:
                high = end if high is None else min(high, end)
    return low, high


def _float_between(low: Fraction | None, high: Fraction | None, near: Fraction) -> Fraction | None:
    """Return a float64 strictly between two ends, as a fraction; None if none is found."""
    guesses = [near]
    if low is not None and high is not None:
        guesses.append((low + high) / 2)
    elif low is not None:
        guesses.append(low + max(abs(low), Fraction(1)))
    elif high is not None:
        guesses.append(high - max(abs(high), Fraction(1)))
    for guess in guesses:
        middle = nearest_float(guess)
        for candidate in (middle, math.nextafter(middle, -math.inf), math.nextafter(middle, math.inf)):
            if math.isfinite(candidate):
                found = as_fraction(candidate)
                if (low is None or low < found) and (high is None or found < high):
                    return found
    return None
