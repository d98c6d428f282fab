"""Whether witnesses are where they are said to be: an independent look at what an engine found."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.layers import Layer
from polyspline.cpa.pointwise import code_of
from polyspline.cpa.tables import unit_layers
from polyspline.cpa.units import ScalarUnit
from polyspline.errors import InvariantError
from polyspline.partition.partition import Partition

_AT_ONCE = 1 << 14

Singles = NDArray[np.float32]


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
    Guarantee: exact. A forward pass in float32 finds nearly all codes, and shares nothing with the
    engines; where it finds another code than the region's, `code_of` decides.
    """
    layers = unit_layers(part.net.layers)
    with np.errstate(all="ignore"):
        maps = [(layer.matrix.T.astype(np.float32), layer.bias.astype(np.float32)) for layer in layers]
    for first in range(0, len(part), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        codes = part.packing.unpack(part.packed[some])
        with np.errstate(all="ignore"):  # what overflows agrees with no code, and is decided exactly
            suspect = ~_agree(layers, maps, part.witnesses[some].astype(np.float32), codes)
        doubtful = np.flatnonzero(suspect & part.witness_exact[some])
        if len(doubtful):
            found = code_of(part.net.layers, part.witnesses[some][doubtful])
            wrong = doubtful[(found != codes[doubtful]).any(axis=1)]
            if len(wrong):
                region = first + int(wrong[0])
                raise InvariantError(
                    f"region {region} has the witness {part.witnesses[region].tolist()}, which is in another "
                    "region; please report the network."
                )


def _agree(
    layers: tuple[Layer, ...], maps: list[tuple[Any, Singles]], value: Singles, codes: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """Whether a forward pass in float32 gives each point (B, S) its code (B, N), (B,)."""
    agree = np.ones(len(value), np.bool_)
    start = 0
    for layer, (matrix, bias) in zip(layers, maps, strict=True):
        rows: Singles = value @ matrix + bias
        here = np.zeros((len(rows), layer.n_out), np.int16)
        end = start + len(layer.unit_neurons)
        here[:, layer.unit_neurons] = codes[:, start:end]
        start = end
        value = np.empty((len(rows), layer.n_out), np.float32)
        for unit, where, at in layer.scalar_kinds:
            value[:, where] = _scalar(unit, rows[:, at], here[:, where], agree)
        for _, where, members in layer.group_kinds:
            mine = rows[:, members]
            agree &= (np.argmax(mine, axis=2) == here[:, where]).all(axis=1)
            value[:, where] = np.max(mine, axis=2)
    return agree


def _scalar(
    unit: ScalarUnit, rows: Singles, pieces: NDArray[np.int16], agree: NDArray[np.bool_]
) -> Singles:
    """Values of a unit (B, n); points with another piece than the given ones no longer agree."""
    slopes, offsets = np.asarray(unit.slopes, np.float32), np.asarray(unit.offsets, np.float32)
    if unit.n_pieces == 2:
        agree &= ((rows > np.float32(unit.knots[0])) == pieces).all(axis=1)
        below, above = slopes[0] * rows + offsets[0], slopes[1] * rows + offsets[1]
        convex = slopes[0] < slopes[1]
        return np.asarray(np.maximum(below, above) if convex else np.minimum(below, above))
    found = np.searchsorted(np.asarray(unit.knots, np.float32), rows, side="left")
    agree &= (found == pieces).all(axis=1)
    return np.asarray(slopes[found] * rows + offsets[found], np.float32)
