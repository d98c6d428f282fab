"""Floats as integers: small exact helpers that everything else in the oracle stands on.

A float64 is an integer times a power of two, so a list of them is a list of integers over one common
denominator. All decisions of the oracle are signs of integers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import gcd
from operator import mul

Vector = tuple[int, ...]


def over_common_denominator(values: Iterable[float]) -> tuple[list[int], int]:
    """Numerators and the one positive denominator of exactly these numbers."""
    fractions = [Fraction(value) for value in values]
    denominator = max((fraction.denominator for fraction in fractions), default=1)
    # Denominators of floats are powers of two: the largest is a multiple of every other one.
    return [fraction.numerator * (denominator // fraction.denominator) for fraction in fractions], denominator


def primitive(vector: Sequence[int]) -> Vector:
    """The shortest integer vector in the same direction (a zero vector stays as it is)."""
    divisor = gcd(*vector)
    return tuple(vector) if divisor <= 1 else tuple(entry // divisor for entry in vector)


def dot(left: Sequence[int], right: Sequence[int]) -> int:
    """Inner product."""
    return sum(map(mul, left, right))


def rank(vectors: Iterable[Sequence[int]]) -> int:
    """Rank of a set of integer vectors, by elimination without fractions."""
    rows = [list(vector) for vector in vectors]
    found = 0
    width = len(rows[0]) if rows else 0
    for column in range(width):
        pivot = next((i for i in range(found, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[found], rows[pivot] = rows[pivot], rows[found]
        head = rows[found]
        for i in range(found + 1, len(rows)):
            factor = rows[i][column]
            if factor:
                lifted = [head[column] * a - factor * b for a, b in zip(rows[i], head, strict=True)]
                rows[i] = list(primitive(lifted))
        found += 1
    return found


def null_vector(rows: Sequence[Sequence[int]]) -> Vector | None:
    """The primitive vector orthogonal to these n-1 rows of length n (any sign); None if not unique."""
    width = len(rows) + 1
    if rank(rows) < width - 1:
        return None
    # Cramer: entry j is (-1)^j times the minor without column j.
    entries = []
    for j in range(width):
        minor = determinant([[row[k] for k in range(width) if k != j] for row in rows])
        entries.append(-minor if j % 2 else minor)
    return primitive(entries)


def determinant(matrix: Sequence[Sequence[int]]) -> int:
    """Determinant by Bareiss elimination (every division is exact)."""
    rows = [list(row) for row in matrix]
    sign, previous = 1, 1
    for k in range(len(rows)):
        pivot = next((i for i in range(k, len(rows)) if rows[i][k]), None)
        if pivot is None:
            return 0
        if pivot != k:
            rows[k], rows[pivot] = rows[pivot], rows[k]
            sign = -sign
        for i in range(k + 1, len(rows)):
            for j in range(k + 1, len(rows)):
                rows[i][j] = (rows[k][k] * rows[i][j] - rows[i][k] * rows[k][j]) // previous
        previous = rows[k][k]
    return sign * previous
