"""Steps of a forward product in NumPy, with a bound of what they round.

Two steps make every forward product: an affine one, ``matrix @ u + bias``, and one of units,
``slope * v + offset``. Each takes numbers or affine functions that are known up to an error, and gives
the same back.

Guarantee: certified. An error bounds the distance from what the inputs define; NaN and infinity, once
met, stay in it, and a comparison written as "proven if larger than the error" is then false.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from solvers.predicates.rounding import ROUNDOFF, SAFETY, SMALLEST

__all__ = ["Enclosed", "absolute_term", "affine_step", "unit_step"]

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Matrix: TypeAlias = Any
"""An array, or a sparse one of scipy: both know ``@`` and ``abs``."""


class Enclosed(NamedTuple):
    """Numbers, or affine functions, known up to an error.

    Attributes
    ----------
    value
        Numbers (n, B); or the coefficients (n, B, K) of linear functions of points x, whose
        coordinates are at most `reach` (K,) in size.
    error
        (n, B) bound of the distance from the true number, or of the two functions from each other over
        all such x. It is 0 only where the value is exact.
    live
        (n, B): False only where the true value is known to be zero by the structure alone.
    """

    value: Floats
    error: Floats
    live: Flags

    def size(self, reach: Floats | None) -> Floats:
        """Largest size of the computed value, (n, B), rounded."""
        size = np.abs(self.value)
        return size if reach is None else np.asarray(size @ reach)


def absolute_term(n_in: int, reach: Floats | None = None) -> float:
    """Bound of all that underflows in a step of so many inputs (of units: 0)."""
    widest = 1.0 if reach is None else float(np.sum(reach)) * SAFETY
    return (4 * n_in + 8) * SMALLEST * max(widest, 1.0)


def affine_step(
    matrix: Matrix,
    bias: Floats,
    before: Enclosed,
    reach: Floats | None = None,
    *,
    sizes: Matrix | None = None,
    entries: Matrix | None = None,
) -> Enclosed:
    """Affine map of what is known up to an error, ``matrix @ u + bias``.

    Parameters
    ----------
    matrix, bias
        (m, n) and (m,), exact.
    before
        The n inputs.
    reach
        Largest sizes of the coordinates of the points, for functions; the bias belongs to the last one,
        which is 1.
    sizes, entries
        Absolute values of the matrix, and 1 where it is not zero, if they are at hand.

    Notes
    -----
    Guarantee: certified, for n + K below 2**30, in any order of summation and with fused operations or
    without.

    The argument: for ``v = sum w_j u_j + b`` with ``|u_j^ - u_j| <= e_j``, the computed ``v^`` differs from
    ``sum w_j u_j^ + b`` by at most ``(n + 4) u (sum |w_j| |u_j^| + |b|)`` (N. J. Higham, Accuracy and
    Stability of Numerical Algorithms, 2002, eq. 3.5) and half of the smallest subnormal for each product;
    that differs from v by at most ``sum |w_j| e_j``. Computed, the bound loses a relative share, which
    `SAFETY` outweighs, and what underflows: in ``(n + 4) u |u_j^|``, before a weight of any size multiplies
    it, at most one smallest subnormal, which is added there; in the products with ``|w_j|`` n more, which
    `absolute_term` holds. A product with a weight 0 or an input that is zero by structure is exact:
    without any other product the value is the bias, and its error 0. That is never concluded from a number
    that was computed, which may have underflowed.
    """
    sizes = abs(matrix) if sizes is None else sizes
    entries = _entries(matrix) if entries is None else entries
    n_in = int(matrix.shape[1])
    share = (n_in + 4) * ROUNDOFF
    value = _times(matrix, before.value)
    bound = before.size(reach)
    bound *= share
    bound += before.error
    bound += SMALLEST
    np.copyto(bound, 0.0, where=~before.live)
    error = _times(sizes, bound)
    error += (share * np.abs(bias))[:, None]
    error *= SAFETY
    error += absolute_term(n_in, reach)
    fed = _times(entries, before.live.astype(np.float64)) > 0.0
    np.copyto(error, 0.0, where=~fed)
    last = value if reach is None else value[:, :, -1]
    last += bias[:, None]
    fed |= (bias != 0.0)[:, None]
    return Enclosed(value, error, fed)


def unit_step(
    before: Enclosed,
    slope: Floats,
    offset: Floats,
    reach: Floats | None = None,
    *,
    proven: Flags | None = None,
    steepest: Floats | float = 0.0,
) -> Enclosed:
    """Pieces of units at what is known up to an error, ``slope * v + offset``.

    Parameters
    ----------
    before
        The n pre-activations.
    slope, offset
        (n, B) of the piece that each is taken to be on, exact.
    reach
        As in `affine_step`.
    proven
        (n, B): whether the piece is known to be that of the true value; by default always. Else the
        piece must be that of the computed one.
    steepest
        Largest size of a slope of the unit: where the piece is not proven, it bounds by how much the
        unit, which is continuous, differs between the computed value and the true one.

    Notes
    -----
    Guarantee: certified.

    The argument: the product rounds by ``u |s v^|``, or by half of the smallest subnormal for each
    coefficient, the sum by ``u |s v^ + o|``; both are within ``4 u (|s v^ + o| + |o|)`` and the absolute
    term, as computed. The error e of v arrives as ``|s| e``, or as ``steepest e`` if the pieces may differ.
    Exact are: a slope of 0, or a pre-activation that is zero by structure, which give the
    offset; and a slope of 1 or -1 without an offset, which passes e on.
    """
    steep = np.abs(slope)
    flat = (slope == 0.0) | ~before.live
    exact = flat | (steep == 1.0)
    live = ~flat
    value = before.value * (slope if reach is None else slope[:, :, None])
    if offset.any():
        exact &= flat | (offset == 0.0)
        live |= offset != 0.0
        last = value if reach is None else value[:, :, -1]
        last += offset
    if proven is not None:
        exact &= proven
        live |= ~proven
        steep = np.where(proven, steep, steepest)
    kept = np.where(flat, 0.0, before.error)
    after = Enclosed(value, kept, live)
    if exact.all():
        return after
    error = after.size(reach)
    error += np.abs(offset)
    error *= 4.0 * ROUNDOFF
    error += absolute_term(0, reach)
    error += steep * before.error
    error *= SAFETY
    return after._replace(error=np.where(exact, kept, error))


def _entries(matrix: Matrix) -> Matrix:
    return (matrix != 0).astype(np.float64)


def _times(matrix: Matrix, values: Floats) -> Floats:
    """Product of a matrix (m, n) by (n, B) or (n, B, K)."""
    flat = values.reshape(len(values), -1)
    product = np.asarray(matrix @ flat, dtype=np.float64)
    return product.reshape(matrix.shape[0], *values.shape[1:])
