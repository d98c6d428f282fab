"""Affine pieces of many regions at once: A_ω and b_ω from activation codes alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from polyspline.cpa.forward_product import ForwardProduct
from polyspline.cpa.knots import knots_of
from polyspline.errors import ArgumentError, ShapeError
from polyspline.manifold.brief import Brief
from polyspline.manifold.regions import Source, region_set
from polyspline.network import Network
from solvers.float_mode import gradual_underflow

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

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


@gradual_underflow()
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
    return ForwardProduct(net.layers).maps(pieces)


@gradual_underflow()
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
    product = ForwardProduct(net.layers)
    # Knots of one layer together: the layers behind it are not computed for them.
    order = np.argsort(layer_of, kind="stable")
    for low in range(0, len(order), product.chunk):
        some = order[low : low + product.chunk]
        for depth, values in enumerate(product.preactivations(pieces[some])):
            mine = np.flatnonzero(layer_of[some] == depth)
            rows[some[mine]] = values[mine, :, upper[some[mine]]]
            paired = mine[lower[some[mine]] >= 0]
            rows[some[paired]] -= values[paired, :, lower[some[paired]] - firsts[depth]]
            if depth == layer_of[some[-1]]:
                break
    return rows[:, :size], rows[:, size] - table.position[asked]


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
