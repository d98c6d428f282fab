"""Scalar units: continuous piecewise-affine functions of one pre-activation.

A unit is a table of knots, slopes and offsets, so that a new activation is a
new row of `ACTIVATIONS` and no code elsewhere knows it by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from polyspline.errors import ArgumentError, NonFiniteError, ShapeError, UnknownActivationError

MAX_PIECES = 32768  # an activation code entry is at most an int16

Numbers: TypeAlias = tuple[float, ...]


def _finite_floats(values: Sequence[float], what: str, name: str) -> Numbers:
    # Adding 0.0 turns -0.0 into 0.0, so that equal units are equal byte for byte.
    numbers = tuple(float(value) + 0.0 for value in values)
    for number in numbers:
        if not math.isfinite(number):
            raise NonFiniteError(f"unit {name!r}: {what} must be finite numbers, got {number}.")
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
    NonFiniteError
        If a number is NaN or infinite.
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
    def n_pieces(self) -> int:
        """Number of affine pieces, at least 1."""
        return len(self.slopes)

    @property
    def is_unit(self) -> bool:
        """Whether it has two pieces or more, and so an entry in the activation code."""
        return bool(self.knots)

    @cached_property
    def spelling(self) -> str:
        """Text that `parse_activation` reads back to an equal unit (the name, if it does so)."""
        try:
            parsed = parse_activation(self.name, 1)
        except (UnknownActivationError, ArgumentError, ShapeError, NonFiniteError):
            parsed = ()
        if parsed == (self,) and "|" not in self.name:
            return self.name
        return "piecewise:" + "/".join(
            ",".join(repr(number) for number in row) for row in (self.knots, self.slopes, self.offsets)
        )

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

    def __call__(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Values of the function, in float64 (rounded), for an array of any shape."""
        v = np.asarray(values, dtype=np.float64)
        p = self.pieces(v)
        return np.asarray(np.asarray(self.slopes)[p] * v + np.asarray(self.offsets)[p])


class Activation(NamedTuple):
    """One row of the table of activations: how it is spelled, and how its units are made."""

    spelling: str
    make: Callable[[str, Numbers], ScalarUnit]
    n_parameters: tuple[int, ...]
    per_neuron: bool = False


def _relu(name: str, _: Numbers) -> ScalarUnit:
    return ScalarUnit(name, (0.0,), (0.0, 1.0), (0.0, 0.0))


def _leaky_relu(name: str, parameters: Numbers) -> ScalarUnit:
    slope = parameters[0] if parameters else 0.01
    return ScalarUnit(name, (0.0,), (slope, 1.0), (0.0, 0.0))


def _hardtanh(name: str, parameters: Numbers) -> ScalarUnit:
    low, high = parameters or (-1.0, 1.0)
    if not low < high:
        raise ArgumentError(f"activation {name!r}: hardtanh:lo,hi needs lo < hi, got {low!r} and {high!r}.")
    return ScalarUnit(name, (low, high), (0.0, 1.0, 0.0), (low, 0.0, high))


def _relu6(name: str, _: Numbers) -> ScalarUnit:
    return ScalarUnit(name, (0.0, 6.0), (0.0, 1.0, 0.0), (0.0, 0.0, 6.0))


def _absolute(name: str, _: Numbers) -> ScalarUnit:
    return ScalarUnit(name, (0.0,), (-1.0, 1.0), (0.0, 0.0))


def _softshrink(name: str, parameters: Numbers) -> ScalarUnit:
    width = parameters[0] if parameters else 0.5
    if width < 0:
        raise ArgumentError(f"activation {name!r}: softshrink:lambda needs lambda >= 0, got {width!r}.")
    if width == 0:
        return _identity(name, ())
    return ScalarUnit(name, (-width, width), (1.0, 0.0, 1.0), (width, 0.0, -width))


def _identity(name: str, _: Numbers) -> ScalarUnit:
    return ScalarUnit(name, (), (1.0,), (0.0,))


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation("relu", _relu, (0,)),
    "leaky_relu": Activation("leaky_relu:slope", _leaky_relu, (0, 1)),
    "prelu": Activation("prelu:slope[,slope,...]", _leaky_relu, (1,), per_neuron=True),
    "hardtanh": Activation("hardtanh[:lo,hi]", _hardtanh, (0, 2)),
    "relu6": Activation("relu6", _relu6, (0,)),
    "abs": Activation("abs", _absolute, (0,)),
    "softshrink": Activation("softshrink[:lambda]", _softshrink, (0, 1)),
    "identity": Activation("identity", _identity, (0,)),
}
"""Every activation by name. A row is all that a new scalar activation needs."""

PIECEWISE_SPELLING = "piecewise:knots/slopes/offsets"


def supported_activations() -> str:
    """Spellings of all activations, as one phrase for messages."""
    return ", ".join([row.spelling for row in ACTIVATIONS.values()] + [PIECEWISE_SPELLING])


def _numbers(text: str, spelling: str) -> Numbers:
    try:
        return tuple(float(part) for part in text.split(",")) if text.strip() else ()
    except ValueError:
        raise UnknownActivationError(
            f"activation {spelling!r}: expected numbers separated by commas, got {text!r}."
        ) from None


def _piecewise(spelling: str, text: str) -> ScalarUnit:
    rows = text.split("/")
    if len(rows) != 3:
        raise UnknownActivationError(f"activation {spelling!r}: expected {PIECEWISE_SPELLING}.")
    knots, slopes, offsets = (_numbers(row, spelling) for row in rows)
    return ScalarUnit(spelling, knots, slopes, offsets)


def _parse_one(spelling: str, width: int) -> tuple[ScalarUnit, ...]:
    name, _, text = spelling.strip().partition(":")
    key = name.strip().lower()
    if key == "piecewise":
        return (_piecewise(spelling.strip(), text),) * width
    row = ACTIVATIONS.get(key)
    if row is None:
        raise UnknownActivationError(
            f"unknown activation {spelling!r}; supported are {supported_activations()}."
        )
    parameters = _numbers(text, spelling)
    if row.per_neuron and len(parameters) > 1:
        if len(parameters) != width:
            raise ShapeError(
                f"activation {name!r} has {len(parameters)} parameters for a layer of {width} neurons; "
                f"expected 1 or {width}."
            )
        return tuple(row.make(f"{key}:{value!r}", (value,)) for value in parameters)
    if len(parameters) not in row.n_parameters:
        raise UnknownActivationError(
            f"activation {spelling!r} has {len(parameters)} parameters; expected {row.spelling}."
        )
    canonical = key + (":" + ",".join(repr(value) for value in parameters) if parameters else "")
    return (row.make(canonical, parameters),) * width


def parse_activation(spelling: str, width: int) -> tuple[ScalarUnit, ...]:
    """Units of one layer from the spelling of its activation.

    Parameters
    ----------
    spelling : str
        A row of `ACTIVATIONS`, e.g. ``"relu"``, ``"leaky_relu:0.1"``, ``"prelu:0.1,0.2"`` (one
        slope, or one for each neuron), ``"hardtanh:-2,2"``; or
        ``"piecewise:knots/slopes/offsets"`` with numbers separated by commas; or one such
        spelling for each neuron, separated by ``|``.
    width : int
        Number of neurons of the layer.

    Returns
    -------
    tuple of ScalarUnit
        One for each neuron; equal units are one shared object.

    Raises
    ------
    UnknownActivationError
        If the name is not in the table, or its parameters are not as the table says.
    ShapeError
        If the number of parameters or of spellings does not fit the width.
    ArgumentError, NonFiniteError
        If the parameters do not make a continuous unit.
    """
    parts = spelling.split("|")
    if len(parts) == 1:
        return shared(_parse_one(spelling, width))
    if len(parts) != width:
        raise ShapeError(
            f"activation {spelling!r} spells {len(parts)} units for a layer of {width} neurons; "
            f"expected 1 or {width}."
        )
    return shared([_parse_one(part, 1)[0] for part in parts])


def shared(units: Sequence[ScalarUnit]) -> tuple[ScalarUnit, ...]:
    """Make equal units one object, so that they can be told apart by identity."""
    known: dict[ScalarUnit, ScalarUnit] = {}
    return tuple(known.setdefault(unit, unit) for unit in units)


def spell_activation(units: Sequence[ScalarUnit]) -> str:
    """Spelling of a layer's units that `parse_activation` reads back to equal ones.

    Parameters
    ----------
    units : sequence of ScalarUnit
        One for each neuron.

    Returns
    -------
    str
        One spelling if all units are equal, else one for each neuron.
    """
    spellings = [unit.spelling for unit in units]
    if all(unit == units[0] for unit in units):
        return spellings[0] if spellings else "identity"
    if all(text.startswith("prelu:") for text in spellings):
        return "prelu:" + ",".join(text.removeprefix("prelu:") for text in spellings)
    return "|".join(spellings)
