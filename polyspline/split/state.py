"""The arrays of one depth-first splitting: all that the kernel knows, so that it can stop anywhere and go on.

A *slot* is a bit of a cell's incidence masks; each facet of the cell has one. The facets of a
cell are few however many knots there are, so slots are used again once no vertex is on them.
Arrays of one kind are the columns of one table: every array more costs the compiler time in
each function that it is handed to.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Indices = NDArray[np.int32]
Words = NDArray[np.uint64]

SLOTS_PER_WORD = 64

# Columns of the tables of `Net`.
N_IN, N_OUT, WEIGHTS, ROWS, COLUMNS = 0, 1, 2, 3, 4
LAYER_OF, ROW_OF, PIECES, FIRST_KNOT, IS_GROUP, WORD, SHIFT, MASK = 0, 1, 2, 3, 4, 5, 6, 7
OWNER, UPPER_ROW, LOWER_ROW, LOW_PIECE, HIGH_PIECE, IS_CENTRAL = 0, 1, 2, 3, 4, 5

# Rows of `Net.row_real`.
BIAS, EXACT_ROW, FLOOR = 0, 1, 2

# Rows of `Path.bound`, `Path.active` and `Path.line`.
NORM, SIZE, ERROR, SLACK = 0, 1, 2, 3
ACTIVE_UNIT, LOW, HIGH = 0, 1, 2
IN_SIZE, IN_ERROR, LEAST, MOST, AT, LIVE, TERMS, SLOPE, OFFSET_IN = 0, 1, 2, 3, 4, 5, 6, 7, 8

# Columns of `Cells.number`.
LAYER, PLACE, KNOT, FIRST, N, POOL_END, TRAIL_END, SIMPLE = 0, 1, 2, 3, 4, 5, 6, 7

# Rows of the tables of `Work`.
VALUE, BOUND, ANSWER_VALUE, ANSWER_BOUND = 0, 1, 2, 3
SIGN, ANSWER = 0, 1
COPY, NEW = 0, 1
USED, COMMON = 0, 1
OFFSET, MISS = 0, 1
KEY, KEY_MASK = 0, 1

# Columns of `Results.tie`.
TIE_REGION, TIE_KNOT = 0, 1

# Counters.
STACK, ENTRIES, POOL = 0, 1, 2  # how far each stack is filled
REGIONS, INNER, BOUNDARY = 3, 4, 5  # tallies, cleared from outside
FILLED, KNOTS_OUT, TIES_OUT = 6, 7, 8  # how far the results are filled, cleared from outside
LOADED = 9  # whether the cell is from outside
ASKED, ANSWERED, POINT_EXACT = 10, 11, 12  # knot asked about; whether a witness is given; and is floats
PAIRS = 13  # fingerprints of the facets counted, cleared from outside: zero once both sides of each are
COUNTERS = 14

AT_FIRST = -1
"""Knot of a unit that the cell has come to and that has not been looked at."""

# Marks of a vertex in the pool.
FRESH, CHECKED, EXACT = 0, 1, 2

UNKNOWN = 2
"""A sign that floats cannot tell."""

ALL = -(2**31) + 1
"""In the trail: every facet of the cell."""


class Net(NamedTuple):
    """The network on its domain, see `polyspline.cpa.tables`. `L` layers, `K` knots, `N` units."""

    layer: Integers  # (L, 5) N_IN, N_OUT rows, start of its WEIGHTS, ROWS and (sparse) COLUMNS
    row_unit: Integers  # (rows,) unit or -1
    unit: Integers  # (N, 8) layer, first row in it, pieces, first knot, is it a group; place in packed codes
    knot: Integers  # (K, 6) owner, rows in its layer (lower: -1 for none), pieces beside it, is it central
    weights: Floats  # transposed weights (in, out), layer after layer; sparse ones by input
    entry_start: Integers
    entry_row: Integers
    row_real: Floats  # (3, rows) BIAS, EXACT_ROW (1: on every code), its error at least: FLOOR
    slopes: Floats  # (rows, P)
    offsets: Floats  # (rows, P)
    position: Floats  # (K,)
    radius: Floats  # (S + 1,) bound on the points, and 1
    domain_rows: Floats  # (S + 1, m) ``>= 0`` inside
    domain_slack: Floats  # (m,)


class Path(NamedTuple):
    """Of each layer on the way to the cell at hand, what all cells below share."""

    values: Floats  # (L, S + 1, widest) pre-activations as affine functions
    bound: Floats  # (4, L, widest) NORM of the slope, SIZE on the domain, ERROR there, SLACK at a point
    active: Integers  # (3, L, widest) units that may cut the cell of the layer; LOW and HIGH knot
    active_count: Integers  # (L,) how many these are
    inputs: Floats  # (S + 1, widest)
    line: Floats  # (9, widest) of inputs SLOPE, OFFSET_IN, IN_SIZE, IN_ERROR, LIVE; LEAST, MOST, AT; TERMS


class Pool(NamedTuple):
    """Vertices, shared by the cells they belong to."""

    x: Floats  # (P, S)
    eps: Floats  # (P,) no coordinate is further than that from the true one
    mark: Integers  # (P,) FRESH, CHECKED (eps is as small as its facets allow) or EXACT


class Cells(NamedTuple):
    """Stack of cells; the top one is worked on, the others wait."""

    number: Integers  # (C, 8) LAYER, PLACE among its active neurons, KNOT, FIRST and N vertices, ...
    share: Floats  # (C,) share of the tree
    code: Words  # (C, W)
    source: Indices  # (C, 64 B) knot of each slot; -1 - i for row i of the domain
    vertex: Indices  # (E,) vertex entries of the cells, one cell after the other
    on: Words  # (E, B) slots of the facets that it lies on
    spread: tuple[int, ...]  # B of them: the compiler knows the length of a tuple


class Work(NamedTuple):
    """Scratch arrays."""

    real: Floats  # (4, V) VALUE of the knot's row at each vertex of the cell, its BOUND; both from outside
    whole: Integers  # (2, V) SIGN, and ANSWER from outside
    vertex: Indices  # (V,)
    on: Words  # (2, V, B) COPY of the parent's, NEW
    alone: Words  # (64 B, B)
    slots: Words  # (2, B) USED, COMMON
    row: Floats  # (S + 1,)
    point: Floats  # (S,) witness
    matrix: Floats  # (S, 2 S)
    side: Floats  # (2, S) OFFSET of the matrix' rows, and their MISS
    key: Words  # (2, max(W, rows / 64)) KEY, KEY_MASK
    total: Floats  # (3,) a sum of `solvers.predicates.exact_kernel`


class Results(NamedTuple):
    """Regions in the order they are met."""

    packed: Words  # (R, W)
    witness: Floats  # (R, S)
    proven: NDArray[np.bool_]  # (R,) whether the witness is proven as it stands
    start: Integers  # (R + 1,) facets of a region in `knot`
    knot: Indices  # (F,) knots of the facets on whose lower side the region is, ascending
    tie: Integers  # (T, 2) facets with several knots, from either side: region, lowest knot
    tie_key: Words  # (T, 2, max(W, rows / 64)) code but for the tied units; bits of the tied rows


class State(NamedTuple):
    """Everything that changes."""

    path: Path
    pool: Pool
    cells: Cells
    trail: Indices  # (2, K + 1) knot of a facet, or ALL, and another knot that lies on it
    work: Work
    out: Results
    level: Integers  # (COUNTERS,)
    done: Floats  # (1,) share of the tree whose regions are counted, cleared from outside


class Sizes(NamedTuple):
    """Room in the arrays that may have to grow."""

    words: int = 1
    stack: int = 256
    entries: int = 1 << 13
    pool: int = 1 << 12
    vertices: int = 1 << 10
    regions: int = 4096
    facets: int = 1 << 15
    ties: int = 1 << 12


def new_state(net: Net, code_words: int, sizes: Sizes) -> State:
    """Allocate the arrays for a network."""
    dim = len(net.radius) - 1
    layers = len(net.layer)
    widest = int(net.layer[:, [N_IN, N_OUT]].max(initial=1))
    words = sizes.words
    slots = SLOTS_PER_WORD * words
    c, e, v, w = sizes.stack, sizes.entries, sizes.vertices, code_words
    key_words = max(w, -(-len(net.row_unit) // SLOTS_PER_WORD))
    return State(
        Path(
            np.zeros((layers, dim + 1, widest)),
            np.zeros((4, layers, widest)),
            np.zeros((3, layers, widest), np.int64),
            np.zeros(layers, np.int64),
            np.zeros((dim + 1, widest)),
            np.zeros((9, widest)),
        ),
        Pool(np.zeros((sizes.pool, dim)), np.zeros(sizes.pool), np.zeros(sizes.pool, np.int64)),
        Cells(
            np.zeros((c, 8), np.int64),
            np.zeros(c),
            np.zeros((c, w), np.uint64),
            np.zeros((c, slots), np.int32),
            np.zeros(e, np.int32),
            np.zeros((e, words), np.uint64),
            (0,) * words,
        ),
        np.zeros((2, len(net.knot) + 1), np.int32),
        Work(
            np.zeros((4, v)),
            np.full((2, v), UNKNOWN, np.int64),
            np.zeros(v, np.int32),
            np.zeros((2, v, words), np.uint64),
            np.zeros((slots, words), np.uint64),
            np.zeros((2, words), np.uint64),
            np.zeros(dim + 1),
            np.zeros(dim),
            np.zeros((dim, 2 * dim)),
            np.zeros((2, dim)),
            np.zeros((2, key_words), np.uint64),
            np.zeros(3),
        ),
        Results(
            np.zeros((sizes.regions, w), np.uint64),
            np.zeros((sizes.regions, dim)),
            np.zeros(sizes.regions, np.bool_),
            np.zeros(sizes.regions + 1, np.int64),
            np.zeros(sizes.facets, np.int32),
            np.zeros((sizes.ties, 2), np.int64),
            np.zeros((sizes.ties, 2, key_words), np.uint64),
        ),
        np.zeros(COUNTERS, np.int64),
        np.zeros(1),
    )


def _arrays(state: State) -> list[NDArray[np.generic]]:
    """All arrays of a state, in one order."""
    found: list[NDArray[np.generic]] = []
    for part in state:
        for array in [part] if isinstance(part, np.ndarray) else part:
            if isinstance(array, np.ndarray):
                found.append(array)
    return found


def grown(old: State, net: Net, sizes: Sizes) -> State:
    """Move a state to larger arrays."""
    new = new_state(net, old.cells.code.shape[1], sizes)
    for array, room in zip(_arrays(old), _arrays(new), strict=True):
        room[tuple(slice(0, length) for length in array.shape)] = array
    return new
