"""Lowering: from a graph of affine maps and units to a chain of layers.

An *atom* is a scalar that is an output of some layer: an input, the output of a unit, or a value
of an affine node that is kept as a neuron of its own. Every other affine value is an expression
in atoms. The level of an atom is the first layer that has it as an output (0 for the inputs); an
atom that a later layer still needs rides along as an identity row of the layers between.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from polyspline.cpa.activations import parse_activation
from polyspline.cpa.layers import Layer, make_layer
from polyspline.cpa.matrices import DENSE_LIMIT, BoolArray, FloatArray, IntArray, Matrix, SparseMatrix
from polyspline.cpa.units import Unit
from polyspline.network.exact_sums import product, product_with_vector, sparse
from polyspline.network.graph import AffineNode, ConstantNode, Graph, UnitNode, numbered

SPARSE_DENSITY = 0.25
"""A layer is stored sparsely if a smaller share of its entries is other than zero ..."""
SPARSE_SIZE = 4096
"""... and it has at least that many entries, or more than `DENSE_LIMIT`."""

(_IDENTITY,) = parse_activation("identity", 1)


@dataclass(frozen=True, eq=False)
class _Expressions:
    """Affine expressions in atoms, ``matrix @ atoms[columns] + bias``."""

    columns: IntArray
    matrix: SparseMatrix
    bias: FloatArray

    def __getitem__(self, rows: IntArray) -> _Expressions:
        return _Expressions(self.columns, self.matrix[rows], self.bias[rows])


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows of a layer, with the units that read them."""

    rows: _Expressions
    units: tuple[Unit, ...]


def lower(graph: Graph, outputs: IntArray) -> tuple[Layer, ...]:
    """Layers that compute some scalars of a graph from its inputs.

    Parameters
    ----------
    graph : Graph
        Its first node is that of the inputs.
    outputs : ndarray of int64, shape (D,)
        Ids of the outputs.

    Returns
    -------
    tuple of Layer
        As few as the depth of the units allows. What the outputs do not need is left out.

    Raises
    ------
    NonFiniteError
        If a number of a layer overflows.

    Notes
    -----
    Guarantee: the layers compute what the graph does, except that each number is rounded once
    where two affine maps are folded into one. They are folded only if that takes no more
    multiplications than it saves, that is if the product of the two matrices adds up no more terms
    than the two have entries: so batch norms, paddings, selections, sums of branches and non-overlapping
    pools are folded, and Linear layers in a row are kept apart, as layers with identity units.
    """
    return _Lowering(graph, outputs).layers()


class _Lowering:
    def __init__(self, graph: Graph, outputs: IntArray) -> None:
        self.graph = graph
        self.outputs = outputs
        self.needed = _needed(graph, outputs)
        # Of each node: the expressions of its needed rows (of an affine node) or members (of units).
        self.expressions: dict[int, _Expressions] = {}
        self.units: dict[int, tuple[IntArray, tuple[Unit, ...]]] = {}
        self.levels = np.zeros(len(graph.nodes), dtype=np.int64)  # of the atoms that a node makes
        for number, node in enumerate(graph.nodes):
            if isinstance(node, AffineNode):
                self._affine(number, node)
            elif isinstance(node, UnitNode):
                self._units(number, node)

    # ---- expressions in atoms

    def _affine(self, number: int, node: AffineNode) -> None:
        rows = self._rows(number)
        if len(rows):
            self._settle(number, self._expressions(node.matrix[rows], node.sources, node.bias[rows]))

    def _units(self, number: int, node: UnitNode) -> None:
        kept = self._rows(number)
        if len(kept):
            starts = np.cumsum([0, *(unit.n_rows for unit in node.units)])
            units = tuple(node.units[i] for i in kept)
            members = [node.members[starts[i] : starts[i + 1]] for i in kept]
            self.units[number] = np.cumsum([0, *(len(some) for some in members)]), units
            self._settle(number, self._selected(np.concatenate(members)))

    def _settle(self, number: int, expressions: _Expressions) -> None:
        self.expressions[number] = expressions
        self.levels[number] = self._level_of(expressions.columns) + 1

    def _rows(self, number: int) -> IntArray:
        """Needed results of a node, counted within it."""
        node = self.graph.nodes[number]
        return np.flatnonzero(self.needed[node.first : node.first + node.size])

    def _level_of(self, atoms: IntArray) -> int:
        return int(np.max(self.levels[self.graph.owners(atoms)], initial=0))

    def _selected(self, ids: IntArray) -> _Expressions:
        """Expressions of some scalars."""
        sources, which = numbered(ids, self.graph.size)
        ones = np.ones(len(ids))
        matrix = sparse(np.arange(len(ids)), which, ones, (len(ids), len(sources)))
        return self._expressions(matrix, sources, np.zeros(len(ids)))

    def _expressions(self, matrix: SparseMatrix, sources: IntArray, bias: FloatArray) -> _Expressions:
        """Expressions of ``matrix @ values[sources] + bias``; what can be folded is."""
        uses = np.bincount(matrix.indices, minlength=len(sources))
        owners = self.graph.owners(sources)
        atoms: list[IntArray] = []  # parts of the matrix from atoms to sources
        places: list[IntArray] = []
        factors: list[FloatArray] = []
        offsets = np.zeros(len(sources))
        for number in np.unique(owners[uses > 0]):
            where = np.flatnonzero((owners == number) & (uses > 0))
            node = self.graph.nodes[number]
            if isinstance(node, ConstantNode):
                offsets[where] = node.values[sources[where] - node.first]
                continue
            found = self._folded(int(number), sources[where], uses[where])
            if found is None:
                atoms.append(sources[where])
                places.append(where)
                factors.append(np.ones(len(where)))
            else:
                offsets[where] = found.bias
                atoms.append(found.columns[found.matrix.indices])
                places.append(np.repeat(where, np.diff(found.matrix.indptr)))
                factors.append(found.matrix.data)
        every = np.concatenate([np.zeros(0, dtype=np.int64), *atoms])
        columns, which = numbered(every, self.graph.size)
        into = sparse(
            np.concatenate([np.zeros(0, dtype=np.int64), *places]), which,
            np.concatenate([np.zeros(0), *factors]), (len(sources), len(columns)),
        )  # fmt: skip
        total = product(matrix, into)
        return _trimmed(_Expressions(columns, total, product_with_vector(matrix, offsets, bias)))

    def _folded(self, number: int, ids: IntArray, uses: IntArray) -> _Expressions | None:
        """Expressions of results of an affine node, or None if they are better kept as atoms."""
        node = self.graph.nodes[number]
        if not isinstance(node, AffineNode):
            return None
        found = self.expressions[number][np.searchsorted(self._rows(number), ids - node.first)]
        entries = np.diff(found.matrix.indptr)
        return found if int(uses @ entries) <= int(uses.sum() + entries.sum()) else None

    # ---- layers

    def layers(self) -> tuple[Layer, ...]:
        """Layers, first to last."""
        depth, last = self._last_layer()
        blocks = [last]
        for level in range(depth - 1, 0, -1):
            blocks.append(self._block(_read(blocks[-1]), level))
        blocks.reverse()
        inputs = [
            np.arange(self.graph.nodes[0].size, dtype=np.int64),
            *(_read(block) for block in blocks[1:]),
        ]
        return tuple(
            _layer(block, atoms, f"layer {number} of the lowered network")
            for number, (block, atoms) in enumerate(zip(blocks, inputs, strict=True))
        )

    def _last_layer(self) -> tuple[int, _Rows]:
        """Return the number of layers, and the rows of the last one, in the order of the outputs."""
        owners = self.graph.owners(self.outputs)
        is_unit = np.array([isinstance(node, UnitNode) for node in self.graph.nodes])[owners]
        plain = self._selected(self.outputs[~is_unit])
        depth = max(
            1, self._level_of(plain.columns) + 1, int(np.max(self.levels[owners[is_unit]], initial=0))
        )
        final = self.outputs[is_unit & (self.levels[owners] == depth)]
        if len(np.unique(final)) < len(final):  # a unit is not to have two entries in the code
            depth += 1
        on_top = is_unit & (self.levels[owners] == depth)
        rest = self._selected(self.outputs[~on_top])
        units = self._block(self.outputs[on_top], depth)
        return depth, _merged(rest, units, on_top)

    def _block(self, ids: IntArray, level: int) -> _Rows:
        """Rows of the layer at a level that has the given atoms as outputs, in this order."""
        owners = self.graph.owners(ids)
        here = self.levels[owners] == level
        parts: list[_Rows] = []
        order: list[IntArray] = []
        riders = np.flatnonzero(~here)
        if len(riders):
            parts.append(_Rows(self._atoms(ids[riders]), (_IDENTITY,) * len(riders)))
            order.append(riders)
        for number in np.unique(owners[here]):
            where = np.flatnonzero(here & (owners == number))
            parts.append(self._made(int(number), ids[where]))
            order.append(where)
        return _stacked(parts, np.concatenate([np.zeros(0, dtype=np.int64), *order]))

    def _atoms(self, ids: IntArray) -> _Expressions:
        columns, which = numbered(ids, self.graph.size)
        matrix = sparse(np.arange(len(ids)), which, np.ones(len(ids)), (len(ids), len(columns)))
        return _Expressions(columns, matrix, np.zeros(len(ids)))

    def _made(self, number: int, ids: IntArray) -> _Rows:
        """Rows and units of some results of a node."""
        node = self.graph.nodes[number]
        kept = np.searchsorted(self._rows(number), ids - node.first)
        expressions = self.expressions[number]
        if isinstance(node, AffineNode):
            return _Rows(expressions[kept], (_IDENTITY,) * len(kept))
        starts, units = self.units[number]
        rows = _ranges(starts[kept], starts[kept + 1])
        return _Rows(expressions[rows], tuple(units[i] for i in kept))


def _needed(graph: Graph, outputs: IntArray) -> BoolArray:
    """Whether each scalar is needed for the outputs, (ids,)."""
    needed = np.zeros(graph.size, dtype=np.bool_)
    needed[outputs] = True
    for node in reversed(graph.nodes):
        rows = np.flatnonzero(needed[node.first : node.first + node.size])
        if isinstance(node, AffineNode):
            needed[node.sources[node.matrix[rows].indices]] = True
        elif isinstance(node, UnitNode):
            starts = np.cumsum([0, *(unit.n_rows for unit in node.units)])
            needed[node.members[_ranges(starts[rows], starts[rows + 1])]] = True
    return needed


def _trimmed(expressions: _Expressions) -> _Expressions:
    """Drop the atoms that no expression reads."""
    matrix = expressions.matrix
    used = np.flatnonzero(np.bincount(matrix.indices, minlength=len(expressions.columns)))
    if len(used) == len(expressions.columns):
        return expressions
    return _Expressions(expressions.columns[used], matrix[:, used], expressions.bias)


def _read(block: _Rows) -> IntArray:
    """Atoms that a layer reads; the first input if it reads none, for a layer has to have some input."""
    atoms = block.rows.columns
    return atoms if len(atoms) else np.zeros(1, dtype=np.int64)


def _ranges(starts: IntArray, ends: IntArray) -> IntArray:
    """Return the whole numbers from each start up to its end, one range after the other."""
    counts = ends - starts
    total = np.cumsum(counts)
    within = np.arange(int(counts.sum()), dtype=np.int64)
    return np.asarray(within + np.repeat(starts - (total - counts), counts), dtype=np.int64)


def _stacked(parts: list[_Rows], order: IntArray) -> _Rows:
    """Rows of several parts as one; part after part holds the outputs of the given places."""
    columns = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(p.rows.columns for p in parts)]))
    units = [unit for part in parts for unit in part.units]
    sizes = np.array([unit.n_rows for unit in units], dtype=np.int64)
    rows, places, values = [], [], []
    start = 0
    for part in parts:
        matrix = part.rows.matrix
        counts = np.diff(matrix.indptr)
        rows.append(np.repeat(start + np.arange(len(counts), dtype=np.int64), counts))
        places.append(np.searchsorted(columns, part.rows.columns)[matrix.indices])
        values.append(matrix.data)
        start += len(counts)
    empty = np.zeros(0, dtype=np.int64)
    matrix = sparse(
        np.concatenate([empty, *rows]), np.concatenate([empty, *places]),
        np.concatenate([np.zeros(0), *values]), (start, len(columns)),
    )  # fmt: skip
    bias = np.concatenate([np.zeros(0), *(part.rows.bias for part in parts)])
    back = np.argsort(order)
    starts = np.cumsum(np.append(0, sizes))
    chosen = _ranges(starts[back], starts[back + 1])
    return _Rows(_trimmed(_Expressions(columns, matrix, bias)[chosen]), tuple(units[i] for i in back))


def _merged(rest: _Expressions, units: _Rows, on_top: BoolArray) -> _Rows:
    """Put the outputs of the last layer together: those of units, where it says so, among the affine ones."""
    plain = _Rows(rest, (_IDENTITY,) * len(rest.bias))
    return _stacked([plain, units], np.concatenate([np.flatnonzero(~on_top), np.flatnonzero(on_top)]))


def _layer(block: _Rows, inputs: IntArray, name: str) -> Layer:
    """Layer of some rows over all its inputs."""
    found = block.rows.matrix
    columns = np.searchsorted(inputs, block.rows.columns)
    counts = np.diff(found.indptr)
    matrix = sparse(
        np.repeat(np.arange(len(counts), dtype=np.int64), counts), columns[found.indices],
        found.data, (len(counts), len(inputs)),
    )  # fmt: skip
    return make_layer(stored(matrix), block.rows.bias, block.units, name=name)


def stored(matrix: SparseMatrix) -> Matrix:
    """Matrix as a layer stores it: dense, or sparse if that pays; see `SPARSE_DENSITY`."""
    size = int(matrix.shape[0]) * int(matrix.shape[1])
    few = matrix.nnz < SPARSE_DENSITY * size and size >= SPARSE_SIZE
    return matrix if few or size > DENSE_LIMIT else np.asarray(matrix.toarray(), dtype=np.float64)
