"""A network as flat arrays for the kernel that compares the affine maps of neighbours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    layers = net.layers
    sizes = [layer.weight.size for layer in layers]
    outs = [layer.n_out for layer in layers]
    neuron_start = np.concatenate([[0], np.cumsum(outs)[:-1]]).astype(np.int64)
    slopes = np.zeros((sum(outs), max(layer.unit_tables[0].shape[1] for layer in layers)))
    unit_of = np.full(sum(outs), -1, dtype=np.int64)
    layer_of: list[int] = []
    neuron_of: list[int] = []
    for number, layer in enumerate(layers):
        table = layer.unit_tables[0]
        first = int(neuron_start[number])
        slopes[first : first + layer.n_out, : table.shape[1]] = table
        for neuron in layer.unit_neurons:
            unit_of[first + int(neuron)] = len(layer_of)
            layer_of.append(number)
            neuron_of.append(first + int(neuron))
    bit_unit = np.full(packing.n_words * WORD_BITS, -1, dtype=np.int64)
    for unit in range(packing.n_units):
        low = int(packing.word[unit]) * WORD_BITS + int(packing.shift[unit])
        bit_unit[low : low + int(packing.mask[unit]).bit_length()] = unit
    return MapTables(
        columns=np.concatenate([np.ascontiguousarray(layer.weight.T).ravel() for layer in layers]),
        column_start=np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64),
        width=np.array([net.latent_dim, *outs], dtype=np.int64),
        neuron_start=neuron_start,
        slopes=slopes,
        unit_of=unit_of,
        layer_of=np.array(layer_of, dtype=np.int64),
        neuron_of=np.array(neuron_of, dtype=np.int64),
        word=np.array(packing.word),
        shift=np.array(packing.shift),
        mask=np.array(packing.mask),
        bit_unit=bit_unit,
    )
