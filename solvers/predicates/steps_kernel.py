"""Compiled: the error model of a forward product, one affine step and one unit step at a time.

A computed number comes with a bound of its size and a bound of its error. Both steps keep three
promises. The error starts at the inputs: weights, biases, slopes and offsets are exact, all else is
rounded. It has an absolute term for underflow wherever a product was made, so it is zero for numbers
that are exact by structure alone. NaN and infinity stay in it, and a comparison that is written as
"proven, or unknown" then proves nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from solvers.compiled import inlined_part
from solvers.predicates.rounding import ROUNDOFF, SAFETY, SMALLEST

Floats = NDArray[np.float64]


@inlined_part
def sum_error(carried: float, size: float, terms: float) -> float:
    """Error of a computed sum ``sum w_j u_j + b`` of `terms` products of numbers that are not exact zeros.

    `carried` is the computed sum of ``|w_j|`` times the error of ``u_j``, and `size` that of ``|w_j|``
    times the size of ``u_j``, and ``|b|``. With n products, summed in any order, fused or not, the
    rounding is at most ``(n + 1) u / (1 - (n + 1) u)`` times the sum of sizes (N. J. Higham, Accuracy
    and Stability of Numerical Algorithms, 2002, eq. 3.5), and half a smallest subnormal for each product
    that underflows; the products of both bounds may underflow, too. Their own relative rounding is
    outweighed by SAFETY. Without products the sum is the bias itself.
    """
    if terms == 0.0:
        return 0.0
    return (carried + (terms + 2.0) * ROUNDOFF * size) * SAFETY + (4.0 * terms + 8.0) * SMALLEST


@inlined_part
def unit_step(slope: float, offset: float, size: float, error: float) -> tuple[float, float]:
    """Bounds of size and error of the computed ``slope * v + offset``, given those of v.

    A piece of slope zero gives its offset, exactly: its product is never made, so v may be anything.
    A change of sign is exact. Else a product and a sum are rounded, by at most ``2 u`` of their sizes
    together, and the product by half a smallest subnormal if it underflows.
    """
    steep = abs(slope)
    if steep == 0.0:
        return abs(offset), 0.0
    if steep == 1.0 and offset == 0.0:
        return size, error
    reach = (steep * size + abs(offset)) * SAFETY + SMALLEST
    return reach, (steep * error + 2.0 * ROUNDOFF * reach) * SAFETY + 4.0 * SMALLEST


@inlined_part
def spread_underflow(error: float, terms: float, radius: Floats) -> float:
    """Error of an affine function from that of a step on each of its coefficients.

    A coefficient's product that underflows is off by half a smallest subnormal, and the function by that
    times the coordinate: by the sum of the radii altogether. Without products nothing underflows.
    """
    if error == 0.0:
        return 0.0
    reach = 0.0
    for c in range(radius.shape[0]):
        reach += radius[c]
    return error + (4.0 * terms + 8.0) * SMALLEST * reach * SAFETY


@inlined_part
def evaluation_error(error: float, size: float, coordinates: int) -> float:
    """Error of the computed value at a point of a row, or of a difference of rows and positions.

    The row's coefficients are off by `error` together at the points that `size` is for; `size` is the
    sum, over both rows and the position, of coefficients times coordinates. Each coefficient of the
    difference is rounded once (u), and then as many products as there are coordinates are summed: at
    most ``(C + 2) u`` of the sizes, of which this takes four times as much, so that the sums and
    comparisons that callers make of values of this size are covered too.
    """
    rounding = 4.0 * (coordinates + 5.0) * ROUNDOFF * size
    return (error + rounding) * SAFETY + (4.0 * coordinates + 8.0) * SMALLEST
