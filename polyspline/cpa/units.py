"""Units: continuous piecewise-affine functions of one pre-activation, and maxima of several.

A scalar unit is a table of knots, slopes and offsets, so that a new activation is a new row of
`polyspline.cpa.activations.ACTIVATIONS` and no code elsewhere knows it by name. A max group has
a piece for each of its members; its knots are where two members are equal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import combinations, pairwise
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from polyspline.errors import ArgumentError, InexactError, NonFiniteError, ShapeError
from solvers.float_mode import gradual_underflow

MAX_PIECES = 32768  # an activation code entry is at most an int16

Numbers: TypeAlias = tuple[float, ...]


def _finite_floats(values: Sequence[float], what: str, name: str) -> Numbers:
    # Adding 0.0 turns -0.0 into 0.0, so that equal units are equal byte for byte.
    numbers = tuple(float(value) + 0.0 for value in values)
    given: Sequence[Any] = values
    for number, value in zip(numbers, given, strict=True):
        if not math.isfinite(number):
            raise NonFiniteError(f"unit {name!r}: {what} must be finite numbers, got {number}.")
        # As Python's own number, if it is one of numpy's: those would be rounded for the comparison.
        if number != (int(value) if isinstance(value, Integral) else value):
            raise InexactError(f"unit {name!r}: {what} must be float64 numbers, got {value}.")
    return numbers


@dataclass(frozen=True)
class ScalarUnit:
    """A continuous piecewise-affine function of one real number.

    On piece ``p`` it is ``slopes[p] * v + offsets[p]``; piece ``p`` lies between
    ``knots[p - 1]`` and ``knots[p]``. Neighbouring pieces of one and the same slope
    are merged when the unit is made, so that every knot is a true kink.

    Parameters
    ----------
    name : str
        What the unit is called, by preference a spelling that `parse_activation` knows
        (it is shown and saved; it does not take part in comparisons).
    knots : sequence of float
        Strictly increasing; may be empty.
    slopes, offsets : sequence of float
        One more than there are knots.

    Raises
    ------
    ShapeError
        If the numbers of knots, slopes and offsets do not fit together.
    NonFiniteError, InexactError
        If a number is NaN or infinite, or float64 cannot hold it.
    ArgumentError
        If the knots do not increase strictly, if the function jumps at a knot, or if there
        are more than 32768 pieces.

    Notes
    -----
    Guarantee: continuity is decided exactly, in rational arithmetic on the floats as given.
    A table whose floats leave a jump, however small, is refused.
    """

    name: str = field(compare=False)
    knots: Numbers
    slopes: Numbers
    offsets: Numbers

    def __post_init__(self) -> None:
        """Check the table, and merge neighbouring pieces of one slope."""
        knots = _finite_floats(self.knots, "knots", self.name)
        slopes = _finite_floats(self.slopes, "slopes", self.name)
        offsets = _finite_floats(self.offsets, "offsets", self.name)
        if not len(slopes) == len(offsets) == len(knots) + 1:
            raise ShapeError(
                f"unit {self.name!r}: {len(knots)} knots need {len(knots) + 1} slopes and offsets, "
                f"got {len(slopes)} slopes and {len(offsets)} offsets."
            )
        self._check_knots(knots, slopes, offsets)
        kinks = [k for k in range(len(knots)) if slopes[k] != slopes[k + 1]]
        pieces = [0, *(k + 1 for k in kinks)]
        if len(pieces) > MAX_PIECES:
            raise ArgumentError(
                f"unit {self.name!r} has {len(pieces)} pieces; at most {MAX_PIECES} are supported."
            )
        object.__setattr__(self, "knots", tuple(knots[k] for k in kinks))
        object.__setattr__(self, "slopes", tuple(slopes[p] for p in pieces))
        object.__setattr__(self, "offsets", tuple(offsets[p] for p in pieces))

    def _check_knots(self, knots: Numbers, slopes: Numbers, offsets: Numbers) -> None:
        for low, high in pairwise(knots):
            if not low < high:
                raise ArgumentError(
                    f"unit {self.name!r}: knots must increase strictly, got {low!r} before {high!r}."
                )
        for k, knot in enumerate(knots):
            slope_jump = Fraction(slopes[k + 1]) - Fraction(slopes[k])
            offset_jump = Fraction(offsets[k + 1]) - Fraction(offsets[k])
            if slope_jump * Fraction(knot) + offset_jump != 0:
                raise ArgumentError(
                    f"unit {self.name!r} jumps at its knot {knot!r}: only continuous units are supported, "
                    "and the floats must meet there exactly."
                )

    @property
    def n_rows(self) -> int:
        """Number of pre-activations that it takes: 1."""
        return 1

    @property
    def n_pieces(self) -> int:
        """Number of affine pieces, at least 1."""
        return len(self.slopes)

    @property
    def n_knots(self) -> int:
        """Number of places where two pieces meet."""
        return len(self.knots)

    @property
    def is_unit(self) -> bool:
        """Whether it has two pieces or more, and so an entry in the activation code."""
        return bool(self.knots)

    @gradual_underflow()
    def pieces(self, values: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Piece of each value; on a knot, the lower piece.

        Parameters
        ----------
        values : array_like
            Pre-activations, any shape.

        Returns
        -------
        ndarray of int64
            The same shape.
        """
        found = np.searchsorted(np.asarray(self.knots, dtype=np.float64), values, side="left")
        return np.asarray(found, dtype=np.int64)

    @gradual_underflow()
    def __call__(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Values of the function, in float64 (rounded), for an array of any shape."""
        v = np.asarray(values, dtype=np.float64)
        p = self.pieces(v)
        return np.asarray(np.asarray(self.slopes)[p] * v + np.asarray(self.offsets)[p])


@dataclass(frozen=True)
class MaxGroup:
    """The maximum of several consecutive pre-activations: one window of a max pool, one maxout unit.

    Piece ``p`` is ``v[p]``, and is taken where it is the maximum, the lowest such index on a tie.
    Knot ``k`` is where the two members of `pairs` ``[k]`` are equal.

    Parameters
    ----------
    n_rows : int
        Number of members, at least 2.

    Raises
    ------
    ArgumentError
        If there are fewer than 2 members, or more than 32768.
    """

    n_rows: int

    def __post_init__(self) -> None:
        """Check the number of members."""
        if not 2 <= self.n_rows <= MAX_PIECES:
            raise ArgumentError(f"a max group has 2 to {MAX_PIECES} members, got {self.n_rows}.")

    @property
    def n_pieces(self) -> int:
        """Number of affine pieces, one for each member."""
        return self.n_rows

    @property
    def n_knots(self) -> int:
        """Number of pairs of members."""
        return self.n_rows * (self.n_rows - 1) // 2

    @property
    def is_unit(self) -> bool:
        """Whether it has an entry in the activation code: always."""
        return True

    @cached_property
    def pairs(self) -> npt.NDArray[np.int64]:
        """Members ``(p, q)``, ``p < q``, that are equal on each knot, (n_knots, 2), lexicographic."""
        found = np.array(list(combinations(range(self.n_rows), 2)), dtype=np.int64)
        found.setflags(write=False)
        return found

    def knot_of(self, p: int, q: int) -> int:
        """Return the number of the knot between two different members."""
        low, high = min(p, q), max(p, q)
        return low * (2 * self.n_rows - low - 1) // 2 + high - low - 1

    @gradual_underflow()
    def pieces(self, values: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Index of the maximum along the last axis, the lowest one on a tie, (..., n_rows) -> (...)."""
        return np.asarray(np.argmax(np.asarray(values, dtype=np.float64), axis=-1), dtype=np.int64)

    @gradual_underflow()
    def __call__(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Maximum along the last axis, (..., n_rows) -> (...)."""
        return np.asarray(np.max(np.asarray(values, dtype=np.float64), axis=-1))


Unit: TypeAlias = ScalarUnit | MaxGroup
"""What turns pre-activations into one output: both kinds say `n_rows`, `n_pieces`, `n_knots`, `is_unit`."""
