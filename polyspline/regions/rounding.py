"""Exact rows rounded to rows of unit length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray


def unit_length(normal: Sequence[int], side: int | Fraction) -> tuple[NDArray[np.float64], float]:
    """Round a row ``normal . z <= side`` to unit length.

    Opposite rows give exactly opposite floats and parallel ones the same normal, so
    that neighbours agree on their facet to the last bit and parallel facets stay parallel.

    Parameters
    ----------
    normal
        Integers (S,), not all zero.
    side
        The right-hand side.
    """
    divisor = math.gcd(*normal)
    coprime = [entry // divisor for entry in normal]
    # Integers of any size: first to floats of ordinary size, by one power of two.
    shift = max(entry.bit_length() for entry in map(abs, coprime))
    scaled = np.array([entry / (1 << shift) for entry in coprime], dtype=np.float64)
    length = math.hypot(*scaled)
    return scaled / length, float(Fraction(side) / divisor / (1 << shift)) / length
