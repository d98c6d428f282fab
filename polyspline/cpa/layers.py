"""Layers: an affine map followed by one scalar unit for each neuron."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from polyspline.cpa.units import ScalarUnit, parse_activation, shared, spell_activation
from polyspline.errors import ArgumentError, NonFiniteError, PolysplineError, ShapeError

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
ActivationLike: TypeAlias = str | ScalarUnit | Sequence[ScalarUnit]


def as_float_array(values: npt.ArrayLike, what: str, ndim: int) -> FloatArray:
    """Read-only float64 copy of an array of real numbers.

    Parameters
    ----------
    values : array_like
        Real numbers; float32 and narrower are upcast exactly.
    what : str
        What it is, as it reads at the start of a message.
    ndim : int
        Number of dimensions that is needed.

    Returns
    -------
    ndarray of float64
        C-contiguous, read-only, without negative zeros.

    Raises
    ------
    ShapeError
        If it is ragged, not numeric (complex numbers, objects), or of another number of dimensions.
    NonFiniteError
        If it holds NaN or an infinity.
    """
    try:
        raw = np.asarray(values)
    except (ValueError, TypeError) as ragged:
        raise ShapeError(f"{what}: expected an array of real numbers, got uneven rows.") from ragged
    if raw.dtype.kind not in "iuf":
        raise ShapeError(f"{what}: expected an array of real numbers, got dtype {raw.dtype}.")
    if raw.ndim != ndim:
        raise ShapeError(f"{what}: expected {ndim} dimension(s), got shape {raw.shape}.")
    with np.errstate(over="ignore"):  # a long double may overflow to infinity, which is refused below
        array = np.array(raw, dtype=np.float64, order="C")
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise NonFiniteError(f"{what}: expected finite numbers, got {array[place]} at index {place}.")
    array += 0.0  # no negative zeros: equal networks are equal byte for byte
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer of a network: ``u -> units(weight @ u + bias)``.

    Parameters
    ----------
    weight : ndarray of float64, shape (out, in)
        Finite.
    bias : ndarray of float64, shape (out,)
        Finite.
    units : tuple of ScalarUnit, length out
        One for each neuron; equal units are one shared object.
    activation : str
        The spelling of the units in a network file.

    See Also
    --------
    make_layer : makes one with all checks.
    """

    weight: FloatArray
    bias: FloatArray
    units: tuple[ScalarUnit, ...]
    activation: str

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return int(self.weight.shape[1])

    @property
    def n_out(self) -> int:
        """Number of neurons."""
        return int(self.weight.shape[0])

    @cached_property
    def unit_neurons(self) -> IntArray:
        """Neurons that have an entry in the activation code (two pieces or more), ascending."""
        found = np.array([i for i, unit in enumerate(self.units) if unit.is_unit], dtype=np.int64)
        found.setflags(write=False)
        return found

    @cached_property
    def groups(self) -> tuple[tuple[ScalarUnit, IntArray], ...]:
        """Each distinct unit with the neurons that have it."""
        neurons: dict[ScalarUnit, list[int]] = {}
        for i, unit in enumerate(self.units):
            neurons.setdefault(unit, []).append(i)
        return tuple((unit, np.array(where, dtype=np.int64)) for unit, where in neurons.items())

    @cached_property
    def unit_tables(self) -> tuple[FloatArray, FloatArray]:
        """Slopes and offsets of all neurons, each (out, pieces), padded with zeros on the right."""
        width = max((unit.n_pieces for unit in self.units), default=1)
        slopes = np.zeros((self.n_out, width))
        offsets = np.zeros((self.n_out, width))
        for unit, where in self.groups:
            slopes[where, : unit.n_pieces] = unit.slopes
            offsets[where, : unit.n_pieces] = unit.offsets
        return slopes, offsets


def make_layer(
    weight: npt.ArrayLike, bias: npt.ArrayLike | None, activation: ActivationLike, *, name: str = "layer"
) -> Layer:
    """Check the parts of a layer and put them together.

    Parameters
    ----------
    weight : array_like, shape (out, in)
        Real numbers.
    bias : array_like, shape (out,), or None
        Real numbers; None is zeros.
    activation : str, ScalarUnit, or sequence of ScalarUnit
        A spelling (see `parse_activation`), one unit for all neurons, or one for each.
    name : str
        Name of the layer in messages, e.g. ``"layer 0"``.

    Returns
    -------
    Layer
        With read-only float64 copies of the arrays.

    Raises
    ------
    ShapeError
        If the arrays or the units do not fit together.
    NonFiniteError
        If a weight or a bias is NaN or infinite.
    UnknownActivationError
        If the activation is not in the table.
    """
    w = as_float_array(weight, f"weight of {name}", 2)
    if 0 in w.shape:
        raise ShapeError(f"weight of {name}: expected at least one row and one column, got shape {w.shape}.")
    b = as_float_array(np.zeros(len(w)) if bias is None else bias, f"bias of {name}", 1)
    if len(b) != len(w):
        raise ShapeError(
            f"{name}: weight has shape {w.shape}, so its bias must have length {len(w)}, got {len(b)}."
        )
    units = _units_of(activation, len(w), name)
    spelling = spell_activation(units)
    return Layer(w, b, units, spelling)


def _units_of(activation: ActivationLike, width: int, name: str) -> tuple[ScalarUnit, ...]:
    if isinstance(activation, str):
        try:
            return parse_activation(activation, width)
        except PolysplineError as wrong:
            raise type(wrong)(f"{name}: {wrong}") from wrong
    if isinstance(activation, ScalarUnit):
        return (activation,) * width
    units = tuple(activation)
    if not all(isinstance(unit, ScalarUnit) for unit in units):
        raise ArgumentError(
            f"{name}: an activation is a spelling, a ScalarUnit, or one ScalarUnit for each neuron."
        )
    if len(units) != width:
        raise ShapeError(f"{name}: got {len(units)} units for {width} neurons.")
    return shared(units)
