"""The table of activations: how units are spelled in network files, and read back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import NamedTuple

from polyspline.cpa.units import MaxGroup, Numbers, ScalarUnit, Unit
from polyspline.errors import ArgumentError, NonFiniteError, ShapeError, UnknownActivationError


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
MAX_SPELLING = "max:members"


def supported_activations() -> str:
    """Spellings of all activations, as one phrase for messages."""
    return ", ".join([*(row.spelling for row in ACTIVATIONS.values()), MAX_SPELLING, PIECEWISE_SPELLING])


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


def _max_groups(spelling: str, text: str, width: int | None) -> tuple[Unit, ...]:
    try:
        members = int(text)
    except ValueError:
        raise UnknownActivationError(
            f"activation {spelling!r}: expected {MAX_SPELLING}, the number of members of each group."
        ) from None
    group = MaxGroup(members)
    if width is None:
        return (group,)
    if width % members:
        raise ShapeError(
            f"activation {spelling!r}: {width} rows are no multiple of {members}, the members of a group."
        )
    return (group,) * (width // members)


def _parse_one(spelling: str, width: int | None) -> tuple[Unit, ...]:
    """Units of `width` rows, or a single unit of however many (None)."""
    name, _, text = spelling.strip().partition(":")
    key = name.strip().lower()
    if key == "max":
        return _max_groups(spelling.strip(), text, width)
    if width is None:
        width = 1
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


def parse_activation(spelling: str, width: int) -> tuple[Unit, ...]:
    """Units of one layer from the spelling of its activation.

    Parameters
    ----------
    spelling : str
        A row of `ACTIVATIONS`, e.g. ``"relu"``, ``"leaky_relu:0.1"``, ``"prelu:0.1,0.2"`` (one
        slope, or one for each neuron), ``"hardtanh:-2,2"``; or
        ``"piecewise:knots/slopes/offsets"`` with numbers separated by commas; or ``"max:3"``, the
        maximum of every three consecutive rows; or one such spelling for each unit, separated by
        ``|``, with ``*n`` behind one that n units in turn have, e.g. ``"relu*64|identity|max:4"``.
    width : int
        Number of rows (pre-activations) of the layer.

    Returns
    -------
    tuple of ScalarUnit or MaxGroup
        One for each output; equal units are one shared object.

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
    if len(parts) == 1 and "*" not in spelling:
        return shared(_parse_one(spelling, width))
    units: list[Unit] = []
    rows = 0
    for part in parts:
        text, star, count = part.partition("*")
        if star and not (count.strip().isdecimal() and int(count) > 0):
            raise UnknownActivationError(
                f"activation {spelling!r}: expected a positive number behind '*', got {count!r}."
            )
        (unit,) = _parse_one(text, None)
        times = int(count) if star else 1
        rows += times * unit.n_rows
        if rows > width:
            break
        units.extend([unit] * times)
    if rows != width:
        came = f"more than {width}" if rows > width else str(rows)
        raise ShapeError(
            f"activation {spelling!r} spells units of {came} rows for a layer of {width}; expected {width}."
        )
    return shared(units)


def parse_unit(spelling: str) -> Unit:
    """One unit from its spelling, such as ``"relu"``, ``"leaky_relu:0.1"`` or ``"max:3"``.

    Parameters
    ----------
    spelling : str
        See `parse_activation`.

    Returns
    -------
    ScalarUnit or MaxGroup

    Raises
    ------
    UnknownActivationError, ShapeError, ArgumentError, NonFiniteError
        As `parse_activation`.
    """
    (unit,) = _parse_one(spelling, None)
    return unit


def shared(units: Sequence[Unit]) -> tuple[Unit, ...]:
    """Make equal units one object, so that they can be told apart by identity."""
    known: dict[Unit, Unit] = {}
    return tuple(known.setdefault(unit, unit) for unit in units)


def spell_unit(unit: Unit) -> str:
    """Text that `parse_activation` reads back to an equal unit (a scalar unit's name, if it does so)."""
    if isinstance(unit, MaxGroup):
        return f"max:{unit.n_rows}"
    try:
        parsed = parse_activation(unit.name, 1)
    except (UnknownActivationError, ArgumentError, ShapeError, NonFiniteError):
        parsed = ()
    if parsed == (unit,) and not {"|", "*"} & set(unit.name):
        return unit.name
    return "piecewise:" + "/".join(
        ",".join(repr(number) for number in row) for row in (unit.knots, unit.slopes, unit.offsets)
    )


def spell_activation(units: Sequence[Unit]) -> str:
    """Spelling of a layer's units that `parse_activation` reads back to equal ones.

    Parameters
    ----------
    units : sequence of ScalarUnit or MaxGroup
        One for each output.

    Returns
    -------
    str
        One spelling if all units are equal, else one for each run of equal units.
    """
    spelled = {unit: spell_unit(unit) for unit in dict.fromkeys(units)}
    if len(spelled) <= 1:
        return next(iter(spelled.values()), "identity")
    spellings = [spelled[unit] for unit in units]
    if all(text.startswith("prelu:") for text in spelled.values()):
        return "prelu:" + ",".join(text.removeprefix("prelu:") for text in spellings)
    runs = [(text, sum(1 for _ in run)) for text, run in groupby(spellings)]
    return "|".join(text if count == 1 else f"{text}*{count}" for text, count in runs)
