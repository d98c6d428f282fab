"""Compiled: sums of products without error, and their signs.

Source: T. J. Dekker, A floating-point technique for extending the available precision, 1971; D. E.
Knuth, The Art of Computer Programming 2, 4.2.2. Compiled without contraction: a fused operation in
the splitting of a factor would break it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.compiled import strict_part

Floats = NDArray[np.float64]

UNKNOWN = 2
"""A sign that is not told."""

_SPLITTER = 134217729.0  # 2**27 + 1
_LEAST = 2.0**-900
_MOST = 2.0**900


@strict_part
def two_sum(a: float, b: float) -> tuple[float, float]:
    """Round a sum, and tell what that leaves out; exact unless it overflows."""
    total = a + b
    shadow = total - a
    return total, (a - (total - shadow)) + (b - shadow)


@strict_part
def two_product(a: float, b: float) -> tuple[float, float]:
    """Round a product, and tell what that leaves out: exact if it is zero or from 2^-900 to 2^900 in size.

    Then the parts of 26 bits have products that are floats, and what is left out is at least
    ``2**-1006``, a float too. Elsewhere the rest is NaN.
    """
    product = a * b
    if a == 0.0 or b == 0.0:
        return 0.0, 0.0
    if not (_LEAST < abs(product) < _MOST and abs(a) < _MOST and abs(b) < _MOST):
        return product, np.nan
    lifted = _SPLITTER * a
    high_a = lifted - (lifted - a)
    low_a = a - high_a
    lifted = _SPLITTER * b
    high_b = lifted - (lifted - b)
    low_b = b - high_b
    return product, low_a * low_b - (((product - high_a * high_b) - low_a * high_b) - high_a * low_b)


@strict_part
def add_exactly(total: Floats, term: float, rest: float) -> None:
    """Add ``term + rest`` to a sum of three parts: leading, following, and the size of what is lost."""
    total[0], first = two_sum(total[0], term)
    total[1], second = two_sum(total[1], first)
    total[1], third = two_sum(total[1], rest)
    total[2] += abs(second) + abs(third)


@strict_part
def sign_of(total: Floats) -> tuple[int, float, float]:
    """Sign of a sum of three parts, UNKNOWN if it is not proven; its rounded value and that one's error.

    The true sum is that of the leading and the following part but for what was lost, of which
    ``total[2]`` is the rounded size: twice as much bounds it. Where nothing was lost the sign is that of
    the rounded sum of both parts, for a sum of two floats is rounded to zero only if it is zero.
    """
    value, left = two_sum(total[0], total[1])
    error = 2.0 * (total[2] + abs(left))
    if total[2] == 0.0 and abs(value) < _MOST:
        if value > 0.0:
            return 1, value, error
        return (-1 if value < 0.0 else 0), value, error
    if value > error:
        return 1, value, error
    return (-1 if value < -error else UNKNOWN), value, error
