"""How far a polyhedron is from a point, in rationals and by brute force: every face is tried.

A row r stands for the halfspace ``r · (z, 1) >= 0``.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

from tests.oracle.simplex import maximum

Point = Sequence[Fraction]


def _value(row: Sequence[int], z: Point) -> Fraction:
    return sum((a * x for a, x in zip(row[:-1], z, strict=True)), Fraction(row[-1]))


def square_from(rows: Sequence[Sequence[int]], z: Point) -> Fraction:
    """Square of the distance in the 2-norm.

    The nearest point is the projection onto the affine hull of some face, given by independent rows.
    """
    found = []
    for size in range(len(z) + 1):
        for tight in combinations(rows, size):
            gram = [
                [Fraction(sum(a * b for a, b in zip(p[:-1], q[:-1], strict=True))) for q in tight]
                for p in tight
            ]
            shares = _solve(gram, [-_value(row, z) for row in tight])
            if shares is None:
                continue
            near = [
                x + sum(s * row[c] for s, row in zip(shares, tight, strict=True)) for c, x in enumerate(z)
            ]
            if all(_value(row, near) >= 0 for row in rows):
                found.append(sum(((a - b) ** 2 for a, b in zip(near, z, strict=True)), Fraction(0)))
    return min(found)


def largest_from(rows: Sequence[Sequence[int]], z: Point) -> Fraction:
    """Distance in the maximum norm: the least t with a point whose coordinates differ by at most t."""
    table: list[list[Fraction | int]] = [[*(-a for a in row[:-1]), 0] for row in rows]
    sides: list[Fraction | int] = [row[-1] for row in rows]
    for c, x in enumerate(z):
        for sign in (1, -1):
            table.append([*(sign * int(c == other) for other in range(len(z))), -1])
            sides.append(sign * x)
    best = maximum([*([0] * len(z)), -1], table, sides)
    assert best is not None
    return -best


def _solve(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction] | None:
    """Gauss: the solution, or None if the matrix is singular."""
    table = [[*row, side] for row, side in zip(matrix, right, strict=True)]
    size = len(table)
    for k in range(size):
        pivot = next((i for i in range(k, size) if table[i][k]), None)
        if pivot is None:
            return None
        table[k], table[pivot] = table[pivot], table[k]
        table[k] = [entry / table[k][k] for entry in table[k]]
        for i in range(size):
            if i != k and table[i][k]:
                table[i] = [a - table[i][k] * b for a, b in zip(table[i], table[k], strict=True)]
    return [row[-1] for row in table]
