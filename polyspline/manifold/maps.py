"""Affine pieces of many regions at once: A_ω and b_ω from activation codes alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from polyspline.cpa.knots import knots_of
from polyspline.cpa.layers import unit_starts
from polyspline.errors import ArgumentError, ShapeError
from polyspline.manifold.brief import Brief
from polyspline.manifold.regions import Source, region_set
from polyspline.network import Network

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_CHUNK_BYTES = 2**20
"""What the arrays of a chunk take together: they stay in the processor's cache."""

_BATCH_BYTES = 2**26


@dataclass(frozen=True, eq=False, repr=False)
class MapBatch(Brief):
    """Affine pieces of some regions.

    Attributes
    ----------
    which
        Indices of the regions in their source, (B,).
    A
        Slopes A_ω, (B, D, S).
    b
        Offsets b_ω, (B, D).
    """

    which: Integers
    A: Floats
    b: Floats

    def __len__(self) -> int:
        """Return the number of regions, B."""
        return len(self.which)


def affine_maps_of_codes(net: Network, codes: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Slopes and offsets of the network on the regions of many codes: ``G(z) = A @ z + b``.

    Parameters
    ----------
    net : Network
    codes : array_like of int, shape (B, N)
        Piece of every unit, layers first to last.

    Returns
    -------
    A : ndarray of float64, shape (B, D, S)
    b : ndarray of float64, shape (B, D)

    Raises
    ------
    ShapeError, ArgumentError
        If the codes do not fit the network.

    Notes
    -----
    Guarantee: rounded.

    Algorithm: one product of matrices for each layer and chunk of regions, the regions and the
    columns of the slopes side by side. O(sum of n_in n_out (S + 1)) per region.

    References
    ----------
    Max-affine spline insights, eq. (3)-(4); units with offsets add their own constants.
    """
    pieces = _checked_codes(net, codes)
    count, size = len(pieces), net.latent_dim
    slope = np.empty((count, net.ambient_dim, size))
    offset = np.empty((count, net.ambient_dim))
    chain = _Chain(net)
    for low in range(0, count, chain.chunk):
        values = chain.outputs(pieces[low : low + chain.chunk])
        slope[low : low + chain.chunk] = values[:, :size].transpose(0, 2, 1)
        offset[low : low + chain.chunk] = values[:, size]
    return slope, offset


def affine_maps(
    source: Source, which: npt.ArrayLike | None = None, *, batch: int | None = None
) -> Iterator[MapBatch]:
    """Affine pieces of the regions of a partition or of a sampled set, some at a time.

    Parameters
    ----------
    source : Partition or RegionSet
    which : array_like of int, shape (B,), optional
        Indices of the regions, in the order wanted; all by default.
    batch : int, optional
        Regions at a time; by default as many as take 64 MB.

    Yields
    ------
    MapBatch

    Raises
    ------
    ArgumentError
        If an index names no region, or `batch` is less than 1.

    Notes
    -----
    Guarantee: rounded, see `affine_maps_of_codes`. Memory stays bounded whatever the number of regions.
    """
    regions = region_set(source)
    wanted = np.arange(len(regions)) if which is None else np.asarray(which, dtype=np.int64).reshape(-1)
    if len(wanted) and (wanted.min() < 0 or wanted.max() >= len(regions)):
        raise ArgumentError(
            f"affine_maps: indices of regions must be 0 to {len(regions) - 1}, got {wanted.min()} to "
            f"{wanted.max()}."
        )
    if batch is not None and batch < 1:
        raise ArgumentError(f"affine_maps: batch must be at least 1, got {batch}.")
    step = batch_of(regions.net) if batch is None else batch
    parts = (wanted[low : low + step] for low in range(0, len(wanted), step))
    return (MapBatch(part, *affine_maps_of_codes(regions.net, regions.codes[part])) for part in parts)


def knot_rows_of_codes(net: Network, codes: npt.ArrayLike, knots: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Rows of the function ``row @ z + beta`` that vanishes on one knot, on the region of each code.

    Parameters
    ----------
    net : Network
    codes : array_like of int, shape (B, N)
    knots : array_like of int, shape (B,)
        One knot for each code, as `Partition.knot` numbers them.

    Returns
    -------
    rows : ndarray of float64, shape (B, S)
    beta : ndarray of float64, shape (B,)
        Of a scalar unit its pre-activation less the knot's; of a max group the difference of the two
        members that the knot is between.

    Raises
    ------
    ShapeError, ArgumentError
        If the codes do not fit the network, or a knot does not exist.

    Notes
    -----
    Guarantee: rounded. The normal of a facet is the row of a knot that is on it.
    """
    pieces = _checked_codes(net, codes)
    asked, table = np.asarray(knots, dtype=np.int64), knots_of(net.layers)
    if asked.shape != (len(pieces),):
        raise ShapeError(f"expected one knot for each of {len(pieces)} codes, got shape {asked.shape}.")
    if len(asked) and (asked.min() < 0 or asked.max() >= len(table.unit)):
        raise ArgumentError(f"knots must be 0 to {len(table.unit) - 1}, got {asked.min()} to {asked.max()}.")
    size = net.latent_dim
    rows = np.empty((len(pieces), size + 1))
    firsts = np.cumsum([0, *(layer.n_rows for layer in net.layers)])
    layer_of = np.searchsorted(firsts, table.upper[asked], side="right") - 1
    upper, lower = table.upper[asked] - firsts[layer_of], table.lower[asked]
    chain = _Chain(net)
    # Knots of one layer together: the layers behind it are not computed for them.
    order = np.argsort(layer_of, kind="stable")
    for low in range(0, len(order), chain.chunk):
        some = order[low : low + chain.chunk]
        for depth, values in enumerate(chain.preactivations(pieces[some])):
            mine = np.flatnonzero(layer_of[some] == depth)
            rows[some[mine]] = values[mine, :, upper[some[mine]]]
            paired = mine[lower[some[mine]] >= 0]
            rows[some[paired]] -= values[paired, :, lower[some[paired]] - firsts[depth]]
            if depth == layer_of[some[-1]]:
                break
    return rows[:, :size], rows[:, size] - table.position[asked]


class _Chain:
    """The forward product of a network for many codes, as arrays (B, S + 1, rows).

    The last of the S + 1 is that of the constant terms.
    """

    def __init__(self, net: Network) -> None:
        self.net = net
        widest = max(layer.n_rows for layer in net.layers)
        self.chunk = max(16, _CHUNK_BYTES // (8 * (net.latent_dim + 1) * widest))
        self._weights = [
            layer.matrix.T if layer.is_sparse else np.ascontiguousarray(layer.matrix.T)
            for layer in net.layers
        ]
        self._ends = unit_starts(net.layers)

    def preactivations(self, codes: npt.NDArray[Any]) -> Iterator[Floats]:
        """Pre-activations of each layer in turn."""
        first = self.net.layers[0]
        start = np.vstack([first.weight.T, first.bias])[None]
        values: Floats = np.broadcast_to(start, (len(codes), *start.shape[1:]))
        yield values
        for depth, layer in enumerate(self.net.layers[1:], start=1):
            inputs = self.activated(depth - 1, values, codes)
            product = np.asarray(inputs.reshape(-1, layer.n_in) @ self._weights[depth])
            values = product.reshape(len(codes), -1, layer.n_rows)
            values[:, -1] += layer.bias
            yield values

    def outputs(self, codes: npt.NDArray[Any]) -> Floats:
        """Output of the last layer."""
        *_, values = self.preactivations(codes)
        return self.activated(len(self.net.layers) - 1, values, codes)

    def activated(self, depth: int, values: Floats, codes: npt.NDArray[Any]) -> Floats:
        """Apply the pieces of the codes to a layer's pre-activations."""
        layer = self.net.layers[depth]
        slopes, offsets = layer.unit_tables
        if slopes.shape[1] == 1 and np.all(slopes == 1.0) and not np.any(offsets):
            return values
        pieces = np.zeros((len(codes), layer.n_out), dtype=np.int64)
        pieces[:, layer.unit_neurons] = codes[:, self._ends[depth] : self._ends[depth + 1]]
        if layer.has_groups:
            values = np.take_along_axis(values, layer.chosen_rows(pieces)[:, None, :], axis=2)
        pieces += slopes.shape[1] * np.arange(layer.n_out)
        found = values * slopes.reshape(-1)[pieces][:, None, :]
        if np.any(offsets):
            found[:, -1] += offsets.reshape(-1)[pieces]
        return found


def batch_of(net: Network, *, arrays: int = 1) -> int:
    """Return how many regions to take at a time, so that so many slopes of each take 64 MB at most."""
    return max(1, _BATCH_BYTES // (8 * arrays * net.ambient_dim * (net.latent_dim + 1)))


def _checked_codes(net: Network, codes: npt.ArrayLike) -> npt.NDArray[Any]:
    pieces = np.asarray(codes)
    if pieces.ndim != 2 or pieces.shape[1] != net.n_units or (pieces.size and pieces.dtype.kind not in "iu"):
        raise ShapeError(
            f"expected integer codes of shape (B, {net.n_units}), one row for each region, got shape "
            f"{pieces.shape} of {pieces.dtype}."
        )
    if pieces.size:
        wrong = (pieces.min(axis=0) < 0) | (pieces.max(axis=0) >= net.n_pieces)
        if wrong.any():
            unit = int(np.flatnonzero(wrong)[0])
            raise ArgumentError(
                f"codes have pieces {pieces[:, unit].min()} to {pieces[:, unit].max()} for unit {unit}; "
                f"expected 0 to {int(net.n_pieces[unit]) - 1}."
            )
    return pieces
