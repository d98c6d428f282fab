"""Layers: an affine map followed by units, each of one row of it or of several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from polyspline.cpa.activations import parse_activation, parse_unit, shared, spell_activation
from polyspline.cpa.matrices import (
    BoolArray,
    FloatArray,
    IntArray,
    Matrix,
    MatrixLike,
    absolute,
    as_float_array,
    as_matrix,
    pattern,
    written_out,
)
from polyspline.cpa.units import MaxGroup, ScalarUnit, Unit
from polyspline.errors import ArgumentError, PolysplineError, ShapeError

ActivationLike: TypeAlias = str | Unit | Sequence[Unit | str]


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer of a network: ``u -> units(weight @ u + bias)``.

    Each unit takes the next `n_rows` rows of the affine map, one for a scalar unit and the members
    of a max group, and gives one output.

    Parameters
    ----------
    matrix : ndarray or scipy.sparse.csr_array of float64, shape (rows, in)
        Finite; a sparse one is canonical (sorted, no duplicates, no stored zeros).
    bias : ndarray of float64, shape (rows,)
        Finite.
    units : tuple of ScalarUnit or MaxGroup, length out
        One for each output; equal units are one shared object.
    activation : str
        The spelling of the units in a network file.

    See Also
    --------
    make_layer : makes one with all checks.
    """

    matrix: Matrix
    bias: FloatArray
    units: tuple[Unit, ...]
    activation: str

    # ---- shapes

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        return int(self.matrix.shape[1])

    @property
    def n_rows(self) -> int:
        """Number of pre-activations."""
        return int(self.matrix.shape[0])

    @property
    def n_out(self) -> int:
        """Number of outputs."""
        return len(self.units)

    # ---- the affine map

    @property
    def is_sparse(self) -> bool:
        """Whether the matrix is stored sparsely."""
        return not isinstance(self.matrix, np.ndarray)

    @cached_property
    def weight(self) -> FloatArray:
        """The matrix written out, (rows, in), read-only.

        Raises
        ------
        TooLargeError
            If it is sparse and has more than `polyspline.cpa.matrices.DENSE_LIMIT` entries.
        """
        return written_out(self.matrix)

    @cached_property
    def sizes(self) -> Matrix:
        """Absolute values of the matrix, dense or sparse as it is."""
        return absolute(self.matrix)

    @cached_property
    def pattern(self) -> Matrix:
        """One where the matrix has an entry, else zero; dense or sparse as it is."""
        return pattern(self.matrix)

    # ---- the units

    @cached_property
    def row_start(self) -> IntArray:
        """First row of each output, and the number of rows at the end, (out + 1,)."""
        starts = np.append(0, np.cumsum(self._of_kinds(lambda unit: unit.n_rows))).astype(np.int64)
        starts.setflags(write=False)
        return starts

    @property
    def has_groups(self) -> bool:
        """Whether there is a max group: then rows and outputs are not the same."""
        return self.n_rows != self.n_out

    @cached_property
    def is_group(self) -> BoolArray:
        """Whether each output is of a max group, (out,)."""
        found = self._of_kinds(lambda unit: unit.n_rows) > 1
        found.setflags(write=False)
        return found

    @cached_property
    def unit_neurons(self) -> IntArray:
        """Outputs that have an entry in the activation code (two pieces or more), ascending."""
        found = np.flatnonzero(self._of_kinds(lambda unit: unit.is_unit))
        found.setflags(write=False)
        return found

    @cached_property
    def n_pieces(self) -> IntArray:
        """Number of pieces of every output's unit, (out,)."""
        found = self._of_kinds(lambda unit: unit.n_pieces)
        found.setflags(write=False)
        return found

    def _of_kinds(self, number: Callable[[Unit], int]) -> IntArray:
        """Return a number of each output's unit, (out,), found once for each kind."""
        found = np.empty(self.n_out, dtype=np.int64)
        for unit, where in self.kinds:
            found[where] = number(unit)
        return found

    @cached_property
    def kinds(self) -> tuple[tuple[Unit, IntArray], ...]:
        """Each distinct unit with the outputs that have it, in the order in which they come first."""
        # Equal units are one object, so that units need not be compared one by one.
        objects = np.fromiter(map(id, self.units), dtype=np.int64, count=len(self.units))
        _, first, kind = np.unique(objects, return_index=True, return_inverse=True)
        groups = np.split(np.argsort(kind, kind="stable"), np.cumsum(np.bincount(kind))[:-1])
        return tuple((self.units[first[k]], groups[k].astype(np.int64)) for k in np.argsort(first).tolist())

    @cached_property
    def scalar_kinds(self) -> tuple[tuple[ScalarUnit, IntArray, IntArray], ...]:
        """Each distinct scalar unit with its outputs and their rows, both (n,)."""
        return tuple(
            (unit, where, self.row_start[where]) for unit, where in self.kinds if isinstance(unit, ScalarUnit)
        )

    @cached_property
    def group_kinds(self) -> tuple[tuple[MaxGroup, IntArray, IntArray], ...]:
        """Each size of max group with its outputs (n,) and their rows (n, members)."""
        return tuple(
            (unit, where, self.row_start[where][:, None] + np.arange(unit.n_rows))
            for unit, where in self.kinds
            if isinstance(unit, MaxGroup)
        )

    @cached_property
    def unit_tables(self) -> tuple[FloatArray, FloatArray]:
        """Slopes and offsets of all outputs, each (out, pieces), padded with zeros on the right.

        They apply to the row that the piece chooses, see `chosen_rows`: in a max group each piece
        is its member itself, slope one and offset zero.
        """
        width = int(np.max(self.n_pieces, initial=1))
        slopes = np.zeros((self.n_out, width))
        offsets = np.zeros((self.n_out, width))
        for unit, where in self.kinds:
            if isinstance(unit, MaxGroup):
                slopes[where, : unit.n_pieces] = 1.0
            else:
                slopes[where, : unit.n_pieces] = unit.slopes
                offsets[where, : unit.n_pieces] = unit.offsets
        return slopes, offsets

    @cached_property
    def knot_table(self) -> FloatArray:
        """Knots of all scalar units, (out, knots), padded with infinity on the right."""
        width = max((unit.n_knots for unit, _, _ in self.scalar_kinds), default=0)
        knots = np.full((self.n_out, width), np.inf)
        for unit, where, _ in self.scalar_kinds:
            knots[where, : unit.n_knots] = unit.knots
        return knots

    def largest_of_rows(self, values: FloatArray) -> FloatArray:
        """Largest value among the rows of each output, (rows,) -> (out,)."""
        return np.maximum.reduceat(values, self.row_start[:-1])

    def chosen_rows(self, pieces: IntArray) -> IntArray:
        """Row that passes through each output's unit on the given pieces, (..., out) -> (..., out)."""
        return self.row_start[:-1] + np.where(self.is_group, pieces, 0)


def unit_starts(layers: Sequence[Layer]) -> list[int]:
    """Return where the units of each layer start in the activation code, and at the end their number."""
    return list(accumulate((len(layer.unit_neurons) for layer in layers), initial=0))


def make_layer(
    weight: MatrixLike, bias: npt.ArrayLike | None, activation: ActivationLike, *, name: str = "layer"
) -> Layer:
    """Check the parts of a layer and put them together.

    Parameters
    ----------
    weight : array_like or scipy.sparse array or matrix, shape (rows, in)
        Real numbers. Sparse stays sparse.
    bias : array_like, shape (rows,), or None
        Real numbers; None is zeros.
    activation : str, ScalarUnit, MaxGroup, or sequence of them
        A spelling (see `parse_activation`), one unit for all rows, or one unit or spelling for each output.
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
    what = f"weight of {name}"
    w = as_matrix(weight, what)
    rows = int(w.shape[0])
    if 0 in w.shape:
        raise ShapeError(f"{what}: expected at least one row and one column, got shape {w.shape}.")
    b = as_float_array(np.zeros(rows) if bias is None else bias, f"bias of {name}", 1)
    if len(b) != rows:
        raise ShapeError(
            f"{name}: weight has shape {w.shape}, so its bias must have length {rows}, got {len(b)}."
        )
    units = _units_of(activation, rows, name)
    return Layer(w, b, units, spell_activation(units))


def _units_of(activation: ActivationLike, rows: int, name: str) -> tuple[Unit, ...]:
    if isinstance(activation, str):
        try:
            return parse_activation(activation, rows)
        except PolysplineError as wrong:
            raise type(wrong)(f"{name}: {wrong}") from wrong
    if isinstance(activation, ScalarUnit | MaxGroup):
        if rows % activation.n_rows:
            raise ShapeError(
                f"{name}: {rows} rows do not fall into groups of {activation.n_rows}; expected a multiple."
            )
        return (activation,) * (rows // activation.n_rows)
    if not isinstance(activation, Iterable):
        raise ArgumentError(
            f"{name}: its activation is a {type(activation).__name__}; expected a spelling, a ScalarUnit, a "
            "MaxGroup, or a list of these with one for each output."
        )
    units: list[Unit] = []
    for number, unit in enumerate(activation):
        if isinstance(unit, str):
            try:
                units.append(parse_unit(unit))
            except PolysplineError as wrong:
                raise type(wrong)(f"{name}, output {number}: {wrong}") from wrong
        elif isinstance(unit, ScalarUnit | MaxGroup):
            units.append(unit)
        else:
            raise ArgumentError(
                f"{name}, output {number}: its activation is a {type(unit).__name__}; expected a spelling, a "
                "ScalarUnit or a MaxGroup."
            )
    taken = sum(unit.n_rows for unit in units)
    if taken != rows:
        raise ShapeError(f"{name}: got {len(units)} units of {taken} rows for {rows} rows.")
    return shared(units)
