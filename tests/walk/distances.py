"""How far regions are from a point, by brute force in rationals."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from tests.oracle.balls import largest_from, square_from


def distance(region: Any, centre: Sequence[float], norm: str) -> Fraction:
    """Distance of a closed region from a point in the maximum norm, or its square in the 2-norm."""
    rows = [facet.row for facet in region.facets]
    z = [Fraction(entry) for entry in centre]
    return largest_from(rows, z) if norm == "linf" else square_from(rows, z)


def power(radius: float, norm: str) -> Fraction:
    """What `distance` is to be compared with."""
    return Fraction(radius) if norm == "linf" else Fraction(radius) ** 2
