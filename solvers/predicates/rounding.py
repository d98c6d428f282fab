"""Constants of the error model of float64 arithmetic, round to nearest, gradual underflow."""

ROUNDOFF = 2.0**-53
"""Unit roundoff: a rounded sum or product in the normal range is off by that share at most."""

SMALLEST = 2.0**-1074
"""Smallest subnormal: a product that underflows is off by half of it at most; sums never underflow."""

SAFETY = 1.0 + 2.0**-20
"""Outweighs the relative rounding of an error bound itself, for sums of fewer than 2**30 terms."""

TINY = 2.0**-1000
"""Outweighs the underflow of ``2**70`` products whose sum is not multiplied by more than that."""
