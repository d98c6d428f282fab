"""Work arrays of the forward product: one region's rows, and what makes them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.tables import Tables

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]


class RowSpace(NamedTuple):
    """Room for the rows of one region, and for the forward product that makes them."""

    rows: Floats  # (C, capacity) inequalities ``>= 0``, by column
    slack: Floats  # (capacity,)
    flags: Integers  # (capacity,)
    spans: Integers  # (capacity,) dimension of the subspace that the row's slope lives in
    knot: Integers  # (capacity,) source of a row, -1 - i for row i of the domain
    code: Integers  # (N,)
    seen: Integers  # (families,) whether a knot of the family has given its row
    values: Floats  # (C, widest)
    inputs: Floats  # (C, widest)
    size: Floats  # (widest,)
    error: Floats  # (widest,)
    slope: Floats  # (widest,) of each unit on its piece
    shift: Floats  # (widest,) its offset there
    terms: Floats  # (widest,) number of products in each sum
    input_size: Floats  # (widest,)
    input_error: Floats  # (widest,)
    input_live: Floats  # (widest,) zero for an input that is zero by the code alone, else one
    origin: Integers  # (rows of all layers,) the row that a row copies, -1: constant
    level: Floats  # (rows of all layers,) the constant
    above: Integers  # (capacity,) the function of a row that is the greater, see `polyspline.cpa.copies`
    below: Integers  # (capacity,) the one that is the less
    implied: Flags  # (capacity,)
    following: Integers  # (capacity,) next row with the same `above`
    head: Integers  # (functions,) first row with each `above`
    entering: Integers  # (functions,) number of rows with each `below`
    visited: Integers  # (functions,)
    stack: Integers  # (functions,)
    stamp: Integers  # (1,)
    maker: Integers  # (rows of all layers,) the unit whose flat piece made it constant


def row_space(tables: Tables) -> RowSpace:
    """Allocate room for the regions of a network."""
    per_unit = np.where(tables.is_group, tables.n_pieces - 1, np.minimum(tables.n_pieces - 1, 2))
    capacity = tables.domain_rows.shape[1] + int(np.sum(per_unit)) + 1
    widest = max([tables.size, *tables.n_in.tolist(), *tables.n_out.tolist()])
    n_units = len(tables.knot_start) - 1
    functions = len(tables.neuron_unit) + len(tables.place)
    return RowSpace(
        rows=np.zeros((tables.size, capacity)),
        slack=np.zeros(capacity),
        flags=np.zeros(capacity, np.int64),
        spans=np.zeros(capacity, np.int64),
        knot=np.zeros(capacity, np.int64),
        code=np.zeros(n_units, np.int64),
        seen=np.zeros(tables.n_families, np.int64),
        values=np.zeros((tables.size, widest)),
        inputs=np.zeros((tables.size, widest)),
        size=np.zeros(widest),
        error=np.zeros(widest),
        slope=np.zeros(widest),
        shift=np.zeros(widest),
        terms=np.zeros(widest),
        input_size=np.zeros(widest),
        input_error=np.zeros(widest),
        input_live=np.zeros(widest),
        origin=np.zeros(len(tables.neuron_unit), np.int64),
        level=np.zeros(len(tables.neuron_unit)),
        above=np.zeros(capacity, np.int64),
        below=np.zeros(capacity, np.int64),
        implied=np.zeros(capacity, np.bool_),
        following=np.zeros(capacity, np.int64),
        head=np.zeros(functions, np.int64),
        entering=np.zeros(functions, np.int64),
        visited=np.zeros(functions, np.int64),
        stack=np.zeros(functions + 1, np.int64),
        stamp=np.zeros(1, np.int64),
        maker=np.zeros(len(tables.neuron_unit), np.int64),
    )
