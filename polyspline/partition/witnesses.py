"""Whether witnesses are where they are said to be: a look at what an engine found, apart from how."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.layers import Layer
from polyspline.cpa.pointwise import code_of
from polyspline.cpa.rowwise import RowLayer, rowwise
from polyspline.cpa.tables import unit_layers
from polyspline.errors import InvariantError
from polyspline.notices import compiling
from polyspline.partition.packing import CodePacking
from polyspline.partition.partition import Partition
from solvers.compiled import compiled

Singles = NDArray[np.float32]
Integers = NDArray[np.int64]
Words = NDArray[np.uint64]
Flags = NDArray[np.bool_]

ZERO_WORD = np.uint64(0)

_PRODUCTS_AT_ONCE = 1 << 18  # OpenBLAS takes no second thread for so few, which would only wait
_LEAST_AT_ONCE = 32
_MOST_AT_ONCE = 1024


class _Units(NamedTuple):
    """What the rows of one layer are compared with, in float32."""

    slopes: Singles  # (rows, P)
    offsets: Singles  # (rows, P)
    low: Singles  # (rows, P) where each piece begins
    high: Singles  # (rows, P) and ends
    word: Integers  # (rows,) where the piece of the row's unit lies in a packed code
    shift: Words  # (rows,)
    mask: Words  # (rows,)
    groups: Integers  # (G, 2) first row of each max group, and how many it has


def _units_of(layer: Layer, rows: RowLayer, packing: CodePacking) -> _Units:
    """Lay out the units of a layer, and of its rows."""
    low, high = np.full(rows.slopes.shape, -np.inf), np.full(rows.slopes.shape, np.inf)
    for scalar, _, at in layer.scalar_kinds:
        low[at, 1 : scalar.n_pieces] = scalar.knots
        high[at, : scalar.n_knots] = scalar.knots
    first = np.concatenate([np.empty(0, np.int64), *(at[:, 0] for *_, at in layer.group_kinds)])
    members = np.repeat(
        [unit.n_rows for unit, *_ in layer.group_kinds], [len(at) for *_, at in layer.group_kinds]
    )
    has_unit = rows.unit >= 0
    place = rows.unit[has_unit]
    word: Integers = np.zeros(len(has_unit), np.int64)
    shift: Words = np.zeros(len(has_unit), np.uint64)
    mask: Words = np.zeros(len(has_unit), np.uint64)
    word[has_unit], shift[has_unit] = packing.word[place], packing.shift[place]
    mask[has_unit] = packing.mask[place]
    return _Units(
        rows.slopes.astype(np.float32),
        rows.offsets.astype(np.float32),
        low.astype(np.float32),
        high.astype(np.float32),
        word,
        shift,
        mask,
        np.stack([first, members], axis=1).astype(np.int64),
    )


@compiled
def _pass_units(t: _Units, packed: Words, value: Singles, held: Flags) -> None:
    """Put the rows (rows, B) of a layer through the pieces of the codes (words, B), in place.

    Held are the points whose rows are on those pieces.
    """
    for g in range(t.groups.shape[0]):
        first = t.groups[g, 0]
        for b in range(value.shape[1]):
            largest = np.int64((packed[t.word[first], b] >> t.shift[first]) & t.mask[first])
            most = value[first + largest, b]
            for member in range(t.groups[g, 1]):
                other = value[first + member, b]
                held[b] &= other < most if member < largest else other <= most
    for i in range(value.shape[0]):
        word = packed[t.word[i]]
        shift = t.shift[i]
        mask = t.mask[i]
        row = value[i]
        if t.slopes.shape[1] == 2:
            # Nearly all units: numbers out of the loop, which becomes vector instructions.
            low, high = t.slopes[i, 0], t.slopes[i, 1]
            low_offset, high_offset = t.offsets[i, 0], t.offsets[i, 1]
            above, below = t.low[i, 1], t.high[i, 0]
            for b in range(len(row)):
                upper = (word[b] >> shift) & mask != ZERO_WORD
                v = row[b]
                held[b] &= (v > above) if upper else (v <= below)
                row[b] = (high if upper else low) * v + (high_offset if upper else low_offset)
        else:
            for b in range(len(row)):
                piece = np.int64((word[b] >> shift) & mask)
                v = row[b]
                held[b] &= (v > t.low[i, piece]) & (v <= t.high[i, piece])
                row[b] = t.slopes[i, piece] * v + t.offsets[i, piece]


def check_witnesses(part: Partition) -> None:
    """See that the network's code at every witness is that of its region.

    Parameters
    ----------
    part
        What an engine found. Witnesses that are rationals have been proven as such, and are passed over.

    Raises
    ------
    InvariantError
        If a witness is in another region.

    Notes
    -----
    Guarantee: what is refused is wrong, exactly. A forward pass in float32, of the network as it is and
    without any bound, shares nothing with the engines; where it leaves a region's code, `code_of` decides.
    """
    layers = unit_layers(part.net.layers)
    held = np.ones(len(part), np.bool_)
    with np.errstate(all="ignore"), compiling():  # what overflows is on no piece, and is decided exactly
        maps = [
            (rows.matrix.astype(np.float32), rows.bias.astype(np.float32)[:, None])
            for rows in rowwise(layers)
        ]
        units = [
            _units_of(layer, rows, part.packing) for layer, rows in zip(layers, rowwise(layers), strict=True)
        ]
        most = max((matrix.shape[0] * matrix.shape[1] for matrix, _ in maps), default=1)
        at_once = min(max(_PRODUCTS_AT_ONCE // most, _LEAST_AT_ONCE), _MOST_AT_ONCE)
        for first in range(0, len(part), at_once):
            some = slice(first, first + at_once)
            value = np.ascontiguousarray(part.witnesses[some].T, np.float32)
            packed = np.ascontiguousarray(part.packed[some].T)
            for (matrix, bias), mine in zip(maps, units, strict=True):
                value = np.asarray(matrix @ value)
                value += bias
                _pass_units(mine, packed, value, held[some])
    doubtful = np.flatnonzero(~held & part.witness_exact)
    if not len(doubtful):
        return
    codes = part.packing.unpack(part.packed[doubtful])
    wrong = doubtful[(code_of(part.net.layers, part.witnesses[doubtful]) != codes).any(axis=1)]
    if len(wrong):
        region = int(wrong[0])
        raise InvariantError(
            f"region {region} has the witness {part.witnesses[region].tolist()}, which is in another "
            "region; please report the network."
        )
