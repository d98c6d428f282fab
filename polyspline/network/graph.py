"""The graph between a model and its layers: scalars with numbers, and the nodes that make them.

Every scalar of the model has a number, its id, so a tensor is an integer array of ids, and
whatever only moves numbers around (reshape, transpose, slice, concatenate, repeat) is that very
operation on the array: it costs no node and rounds nothing. What computes is one of two nodes,
an affine map or a row of units; `polyspline.network.lowering` turns the graph into layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import BoolArray, FloatArray, IntArray, SparseMatrix, exact_floats
from polyspline.cpa.units import MaxGroup, ScalarUnit, Unit
from polyspline.errors import NonFiniteError, UnsupportedLayerError

ABSENT = -1
"""In place of an id: nothing is there, as in the zero padding of a convolution."""


@dataclass(frozen=True, eq=False)
class InputNode:
    """The inputs of the network."""

    first: int
    size: int


@dataclass(frozen=True, eq=False)
class ConstantNode:
    """Constants.

    Attributes
    ----------
    first : int
        Id of the first one; those of a node follow one another.
    values : ndarray of float64, shape (n,)
    """

    first: int
    values: FloatArray

    @property
    def size(self) -> int:
        """Number of constants."""
        return len(self.values)


@dataclass(frozen=True, eq=False)
class AffineNode:
    """The affine map ``matrix @ values[sources] + bias``.

    Attributes
    ----------
    first : int
        Id of the first result.
    sources : ndarray of int64, shape (k,)
        Ids of what it reads, ascending, each once.
    matrix : csr_array of float64, shape (n, k)
    bias : ndarray of float64, shape (n,)
    place : str
        Where in the model it stands, for messages.
    """

    first: int
    sources: IntArray
    matrix: SparseMatrix
    bias: FloatArray
    place: str

    @property
    def size(self) -> int:
        """Number of results."""
        return len(self.bias)


@dataclass(frozen=True, eq=False)
class UnitNode:
    """A row of units, each of which reads the next members.

    Attributes
    ----------
    first : int
        Id of the first output.
    members : ndarray of int64, shape (rows,)
        Ids of the pre-activations.
    units : tuple of ScalarUnit or MaxGroup, length n
    """

    first: int
    members: IntArray
    units: tuple[Unit, ...]

    @property
    def size(self) -> int:
        """Number of outputs."""
        return len(self.units)


Node: TypeAlias = InputNode | ConstantNode | AffineNode | UnitNode


class Graph:
    """Nodes in the order in which they were made; each reads earlier ones only.

    Attributes
    ----------
    nodes : list of Node
    size : int
        Number of scalars so far: ids are smaller.
    place : str
        Where in the model the nodes stand that are made now, for messages.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.place = "the model"
        self.size = 0
        self._firsts: list[int] = []

    def _append(self, node: Node) -> IntArray:
        self.nodes.append(node)
        self._firsts.append(node.first)
        self.size = node.first + node.size
        return np.arange(node.first, self.size, dtype=np.int64)

    # ---- making nodes

    def inputs(self, size: int) -> IntArray:
        """Make the inputs of the network; ids, (size,)."""
        return self._append(InputNode(self.size, size))

    def constants(self, values: npt.ArrayLike) -> IntArray:
        """Constants of any shape; ids of the same shape.

        Raises
        ------
        NonFiniteError, InexactError
            If one is NaN or infinite, or float64 cannot hold it.
        """
        array = exact_floats(values, "a constant of the model")
        self._check_finite(array)
        return self._append(ConstantNode(self.size, array.ravel())).reshape(array.shape)

    def with_zeros(self, ids: IntArray) -> IntArray:
        """Replace `ABSENT` by the id of a constant zero."""
        return np.where(ids == ABSENT, self.constants(0.0), ids) if (ids == ABSENT).any() else ids

    def affine(self, sources: IntArray, matrix: SparseMatrix, bias: FloatArray) -> IntArray:
        """Affine map of some scalars; see `AffineNode`. Ids, (n,).

        Raises
        ------
        NonFiniteError
            If a number is NaN or infinite.
        """
        self._check_finite(matrix.data)
        self._check_finite(bias)
        return self._append(AffineNode(self.size, sources, matrix, bias, self.place))

    def scalar_units(self, members: IntArray, units: Sequence[ScalarUnit]) -> IntArray:
        """One scalar unit for each member; units of constants are constants. Ids, (n,)."""
        fixed = self.is_constant(members)
        if not fixed.any():
            return self._append(UnitNode(self.size, members, tuple(units)))
        found = np.empty(len(members), dtype=np.int64)
        free = np.flatnonzero(~fixed)
        if len(free):
            found[free] = self._append(UnitNode(self.size, members[free], tuple(units[int(i)] for i in free)))
        values = self.values_of(members[fixed])
        where = np.flatnonzero(fixed)
        found[where] = self.constants([float(units[int(i)](v)) for i, v in zip(where, values, strict=True)])
        return found

    def max_groups(self, members: IntArray) -> IntArray:
        """Maximum of each row of members; ids, (n,).

        Parameters
        ----------
        members : ndarray of int64, shape (n, k)
            `ABSENT` where a row has fewer than k members. A member that comes twice counts once;
            a row with a single member is that member, and one of constants a constant.

        Raises
        ------
        UnsupportedLayerError
            If a row has no member: its maximum would be minus infinity.
        """
        kept = _first_occurrences(members)
        counts = kept.sum(axis=1)
        if not counts.all():
            raise UnsupportedLayerError(
                f"{self.place} takes the maximum of no values at all (a window that lies in the padding); "
                "make the padding smaller than the window."
            )
        fixed = (self.is_constant(members) | ~kept).all(axis=1)
        groups = np.flatnonzero((counts > 1) & ~fixed)
        found: IntArray = members[np.arange(len(members)), np.argmax(kept, axis=1)]
        for row in np.flatnonzero(fixed & (counts > 1)):
            found[row] = self.constants(self.values_of(members[row, kept[row]]).max())[()]
        if len(groups):
            sizes = {int(count): MaxGroup(int(count)) for count in np.unique(counts[groups])}
            units = tuple(sizes[int(count)] for count in counts[groups])
            flat = members[groups][kept[groups]]
            found[groups] = self._append(UnitNode(self.size, flat, units))
        return found

    # ---- looking at ids

    def owners(self, ids: IntArray) -> IntArray:
        """Return the number of the node that makes each id; -1 for `ABSENT`."""
        after = np.searchsorted(np.asarray(self._firsts), ids, side="right")
        return np.asarray(after, dtype=np.int64) - 1

    def is_constant(self, ids: IntArray) -> BoolArray:
        """Whether each id is that of a constant."""
        table = np.array([*(isinstance(node, ConstantNode) for node in self.nodes), False])
        return np.asarray(table[self.owners(ids)], dtype=np.bool_)

    def values_of(self, ids: IntArray) -> FloatArray:
        """Values of constants, in the shape of the ids."""
        flat = ids.ravel()
        found = np.empty(len(flat))
        owners = self.owners(flat)
        for number in np.unique(owners):
            node = self.nodes[number]
            assert isinstance(node, ConstantNode)
            where = owners == number
            found[where] = node.values[flat[where] - node.first]
        return found.reshape(ids.shape)

    def _check_finite(self, values: FloatArray) -> None:
        if not np.isfinite(values).all():
            raise NonFiniteError(
                f"{self.place} has a NaN or infinite weight, bias or constant; expected finite numbers."
            )


def numbered(ids: IntArray, size: int) -> tuple[IntArray, IntArray]:
    """Find the distinct ones of some ids below a size, ascending, and the place of each among them.

    Like ``numpy.unique``, but in linear time, as the ids are small.
    """
    position = np.zeros(size, dtype=np.int64)
    position[ids] = 1
    distinct = np.flatnonzero(position)
    position[distinct] = np.arange(len(distinct), dtype=np.int64)
    return distinct, position[ids]


def _first_occurrences(members: IntArray) -> BoolArray:
    """Whether each member is there, and for the first time in its row, (n, k)."""
    order = np.argsort(members, axis=1, kind="stable")
    ranked = np.take_along_axis(members, order, axis=1)
    fresh = np.ones(members.shape, dtype=np.bool_)
    fresh[:, 1:] = ranked[:, 1:] != ranked[:, :-1]
    first = np.empty_like(fresh)
    np.put_along_axis(first, order, fresh, axis=1)
    return np.asarray(first & (members != ABSENT), dtype=np.bool_)
