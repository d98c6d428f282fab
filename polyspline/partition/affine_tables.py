"""A network as flat arrays for the kernel that compares the affine maps of neighbours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.matrices import written_out
from polyspline.cpa.rowwise import rowwise
from polyspline.network import Network
from polyspline.partition.packing import WORD_BITS, CodePacking

Integers = NDArray[np.int64]


class MapTables(NamedTuple):
    """Weights, slopes and the layout of codes, as numba takes them.

    Attributes
    ----------
    columns, column_start
        Weights of all layers, each transposed (in, out) and flattened, and where each layer starts.
    width
        Neurons of the input and of every layer, (L + 1,).
    neuron_start
        First neuron of every layer among all neurons, (L,).
    slopes
        Slope of every neuron on every piece, (neurons, most pieces).
    unit_of
        Unit of every neuron, -1 for an affine one.
    layer_of, neuron_of
        Layer of every unit, and its neuron among all neurons.
    word, shift, mask, bit_unit
        Layout of packed codes, and the unit that each bit belongs to (-1: none).
    """

    columns: NDArray[np.float64]
    column_start: Integers
    width: Integers
    neuron_start: Integers
    slopes: NDArray[np.float64]
    unit_of: Integers
    layer_of: Integers
    neuron_of: Integers
    word: Integers
    shift: NDArray[np.uint64]
    mask: NDArray[np.uint64]
    bit_unit: Integers


def map_tables(net: Network, packing: CodePacking) -> MapTables:
    """Flatten a network for the kernel."""
    layers = rowwise(net.layers, closed=True)
    columns = [np.ascontiguousarray(written_out(layer.matrix).T).ravel() for layer in layers]
    outs = [len(layer.bias) for layer in layers]
    slopes = np.zeros((sum(outs), max(layer.slopes.shape[1] for layer in layers)))
    neuron_start = np.concatenate([[0], np.cumsum(outs)[:-1]]).astype(np.int64)
    for first, layer in zip(neuron_start, layers, strict=True):
        slopes[first : first + len(layer.bias), : layer.slopes.shape[1]] = layer.slopes
    unit_of = np.concatenate([layer.unit for layer in layers])
    # The members of a max group have one and the same column of outputs: any of them stands for all.
    _, neuron_of = np.unique(unit_of[unit_of >= 0], return_index=True)
    neuron_of = np.flatnonzero(unit_of >= 0)[neuron_of]
    bit_unit = np.full(packing.n_words * WORD_BITS, -1, dtype=np.int64)
    for unit in range(packing.n_units):
        low = int(packing.word[unit]) * WORD_BITS + int(packing.shift[unit])
        bit_unit[low : low + int(packing.mask[unit]).bit_length()] = unit
    return MapTables(
        columns=np.concatenate(columns),
        column_start=np.concatenate([[0], np.cumsum([part.size for part in columns])[:-1]]).astype(np.int64),
        width=np.array([net.latent_dim, *outs], dtype=np.int64),
        neuron_start=neuron_start,
        slopes=slopes,
        unit_of=unit_of,
        layer_of=(np.searchsorted(neuron_start, neuron_of, side="right") - 1).astype(np.int64),
        neuron_of=neuron_of.astype(np.int64),
        word=np.array(packing.word),
        shift=np.array(packing.shift),
        mask=np.array(packing.mask),
        bit_unit=bit_unit,
    )
