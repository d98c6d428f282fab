"""Intrinsic dimension of the generated manifold: the rank of each affine piece, and its bound."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from polyspline.manifold.brief import Brief
from polyspline.manifold.maps import batch_of
from polyspline.manifold.regions import RegionSet, Source, region_set
from polyspline.manifold.spectrum import Spectra, numerical_ranks, region_spectra, singular_values
from polyspline.manifold.weighting import Weights, region_weights
from polyspline.network import Network
from solvers.float_mode import gradual_underflow

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_BATCH_NUMBERS = 2**21


@dataclass(frozen=True, eq=False, repr=False)
class DimensionHistogram(Brief):
    """How much of the regions has which dimension.

    Attributes
    ----------
    dimensions
        0, 1, ..., S.
    shares
        (S + 1,) of sum 1.
    standard_errors
        (S + 1,) of a sampled set; None where nothing was sampled.
    by
        What the shares are of: ``"count"``, ``"draws"`` or ``"weights"``.
    """

    dimensions: Integers
    shares: Floats
    standard_errors: Floats | None
    by: str

    @property
    def mean(self) -> float:
        """Mean dimension."""
        return float(self.shares @ self.dimensions)


@dataclass(frozen=True, eq=False, repr=False)
class Dimensions(Brief):
    """Intrinsic dimension of every region's image.

    Attributes
    ----------
    regions
        What it was computed on.
    ranks
        (R,) numerical rank of A_ω: singular values above ``eps max(D, S)`` times the largest.
    bounds
        (R,) ``min(S, min over layers of rank(diag(σ'(ω)) W))``, an upper bound of the dimension.
    spectra
        The singular values that the ranks were counted from.
    sampled
        Whether the regions were met by sampling.
    """

    regions: RegionSet
    ranks: Integers
    bounds: Integers
    spectra: Spectra
    sampled: bool

    @cached_property
    def dimensions(self) -> Integers:
        """Dimension of the image of each region, (R,): the rank, or the bound where rounding exceeds it."""
        return np.minimum(self.ranks, self.bounds)

    def histogram(self, weights: Weights = None) -> DimensionHistogram:
        """How much of the regions has which dimension.

        Parameters
        ----------
        weights : None, str or array_like
            ``"count"``, ``"draws"``, or an array (R,) of volumes or probabilities; by default the
            draws of a sampled set, else the count.

        Returns
        -------
        DimensionHistogram

        Raises
        ------
        ArgumentError, ShapeError, NonFiniteError
            If the weights do not fit, see `region_weights`.
        """
        read = region_weights(self.regions, weights, "histogram")
        levels = np.arange(self.regions.net.latent_dim + 1)
        found = [read.mean(self.dimensions == level) for level in levels]
        errors = [one.standard_error for one in found if one.standard_error is not None]
        return DimensionHistogram(
            levels, np.array([one.value for one in found]), np.array(errors) if errors else None, read.by
        )


@gradual_underflow()
def intrinsic_dimension(source: Source) -> Dimensions:
    """Dimension of the image of every region, and its bound.

    Parameters
    ----------
    source : Partition or RegionSet

    Returns
    -------
    Dimensions

    Notes
    -----
    Guarantee: rounded; a rank is that of the rounded slope, by its singular values.

    Algorithm: a singular value decomposition of each slope, and for the bound one for each pattern
    of slopes that a layer has.

    References
    ----------
    Max-affine spline insights, Prop. 1.
    """
    regions = region_set(source)
    spectra = region_spectra(regions)
    bounds = dimension_bounds(regions.net, regions.codes)
    return Dimensions(regions, spectra.ranks, bounds, spectra, regions.sampled)


@gradual_underflow()
def dimension_bounds(net: Network, codes: npt.NDArray[Any]) -> Integers:
    """Bounds ``min(S, min over layers of rank(diag(σ'(ω)) W))`` of the regions of some codes.

    Parameters
    ----------
    net : Network
    codes : ndarray of int, shape (B, N)

    Returns
    -------
    ndarray of int64
        (B,).

    Notes
    -----
    Guarantee: rounded, as the numerical ranks are.

    Algorithm: ranks of S or more need not be told apart, so that most are settled by multiplying
    the layer by a random matrix with S columns, which can lower the rank but not raise it.

    References
    ----------
    Max-affine spline insights, Prop. 1.
    """
    bounds = np.full(len(codes), net.latent_dim, dtype=np.int64)
    rng = np.random.default_rng(0)
    start = 0
    for layer in net.layers:
        stop = start + len(layer.unit_neurons)
        patterns, inverse = np.unique(codes[:, start:stop], axis=0, return_inverse=True)
        slopes = layer.unit_tables[0]
        # Columns of zeros, as dropout leaves them, take no part.
        weight = layer.weight[:, layer.weight.any(axis=0)]
        width = weight.shape[1]
        small = np.linalg.qr(rng.standard_normal((width, min(net.latent_dim, width))))[0]
        ranks = np.empty(len(patterns), dtype=np.int64)
        step = batch_of(net, arrays=max(1, layer.n_out // net.ambient_dim))
        for low in range(0, len(patterns), step):
            pieces = np.zeros((len(patterns[low : low + step]), layer.n_out), dtype=np.int64)
            pieces[:, layer.unit_neurons] = patterns[low : low + step]
            chosen = slopes[np.arange(layer.n_out), pieces]
            rows = layer.chosen_rows(pieces)
            ranks[low : low + step] = _capped_ranks(chosen, rows, weight, weight @ small)
        bounds = np.minimum(bounds, ranks[inverse.reshape(-1)])
        start = stop
    return bounds


def _capped_ranks(slopes: Floats, rows: Integers, weight: Floats, small: Floats) -> Integers:
    """Ranks of ``diag(slopes) weight[rows]``, both (B, n); those above the width of `small` may be lower."""
    cap = small.shape[1]
    if not cap:
        return np.zeros(len(slopes), dtype=np.int64)
    ranks = numerical_ranks(singular_values(slopes[:, :, None] * small[rows]), rows.shape[1], cap)
    # With fewer live rows the product has the rank that the layer has, unless that is less.
    unsettled = np.flatnonzero(ranks < np.minimum(cap, np.count_nonzero(slopes, axis=1)))
    step = max(1, _BATCH_NUMBERS // weight.size)
    for low in range(0, len(unsettled), step):
        some = unsettled[low : low + step]
        values = singular_values(slopes[some][:, :, None] * weight[rows[some]])
        ranks[some] = numerical_ranks(values, rows.shape[1], weight.shape[1])
    return ranks
