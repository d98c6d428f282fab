"""Dimension under dropout and dropconnect: how it is spread over noise draws and regions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyspline.errors import ArgumentError
from polyspline.manifold.brief import Brief
from polyspline.manifold.dimension import dimension_bounds
from polyspline.manifold.maps import affine_maps_of_codes, batch_of
from polyspline.manifold.regions import RegionSet, Source, region_set
from polyspline.manifold.spectrum import numerical_ranks, singular_values
from polyspline.network import Network
from polyspline.network.dropout import dropconnect_mask, dropout_mask
from solvers.float_mode import gradual_underflow
from solvers.status import KeyedEnum

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Noise(KeyedEnum):
    """What a realisation of the noise masks; the value is the sentence to show."""

    DROPOUT = "feature maps of hidden layers are masked"
    DROPCONNECT = "entries of the weights are masked"


@dataclass(frozen=True, eq=False, repr=False)
class NoisyDimensions(Brief):
    """Dimensions of the regions that fixed latent points are in, one network for each noise draw.

    Attributes
    ----------
    regions
        Where the points come from.
    noise, rate
        What is masked, and with which probability.
    counts
        (noise draws, S + 1): for each realisation, how many points have each dimension.
    bounds
        (noise draws, S + 1): the same of the bound of the masked network.
    sampled
        Whether the points were met by sampling.
    """

    regions: RegionSet
    noise: Noise
    rate: float
    counts: Integers
    bounds: Integers
    sampled: bool

    @property
    def shares(self) -> Floats:
        """Share of each dimension 0 to S over all realisations and points, (S + 1,)."""
        return np.asarray(self.counts.sum(axis=0) / self.counts.sum())

    @property
    def standard_errors(self) -> Floats:
        """Standard errors of the shares, (S + 1,), from the spread between realisations; NaN of a single one.

        They are for these points: that the points are drawn, too, is not in them.
        """
        count = len(self.counts)
        if count < 2:
            return np.full(self.counts.shape[1], np.nan)
        each = self.counts / self.counts.sum(axis=1, keepdims=True)
        return np.asarray(each.std(axis=0, ddof=1) / np.sqrt(count))

    @property
    def mean(self) -> float:
        """Mean dimension over all realisations and points."""
        return float(self.shares @ np.arange(self.counts.shape[1]))


def noisy_network(net: Network, noise: Noise | str, rate: float, rng: np.random.Generator) -> Network:
    """Draw one realisation of a network under dropout or dropconnect.

    Parameters
    ----------
    net : Network
    noise : Noise or str
        ``"dropout"`` or ``"dropconnect"``.
    rate : float
        Probability of a neuron or a weight to be dropped, from 0 to 1.
    rng : numpy.random.Generator

    Returns
    -------
    Network

    Raises
    ------
    ArgumentError
        If the noise is unknown, or the rate not from 0 to 1.
    """
    if read_noise(noise) is Noise.DROPOUT:
        return net.with_dropout(dropout_mask(net, rate, rng))
    return net.with_dropconnect(dropconnect_mask(net, rate, rng))


def read_noise(noise: Noise | str) -> Noise:
    """Read the name of a noise."""
    if isinstance(noise, Noise):
        return noise
    for known in Noise:
        if known.key == noise:
            return known
    raise ArgumentError(f"noise must be 'dropout' or 'dropconnect', got {noise!r}.")


@gradual_underflow()
def noisy_dimensions(
    source: Source, noise: Noise | str, rate: float, *, n_draws: int = 100, seed: int = 0
) -> NoisyDimensions:
    """Distribution of the dimension of regions over realisations of dropout or dropconnect.

    Each realisation is a network of its own, with regions of its own: what is looked at is the
    region that holds each of a set of points.

    Parameters
    ----------
    source : Partition or RegionSet
        Of the network without noise. Its regions give the points, one each; of a sampled set those
        of the regions that a draw met.
    noise : Noise or str
        ``"dropout"``: neurons of hidden layers are dropped. ``"dropconnect"``: entries of weights are.
    rate : float
        Probability to be dropped, from 0 to 1.
    n_draws : int
        Number of realisations, at least 1.
    seed : int
        Seed of the noise.

    Returns
    -------
    NoisyDimensions

    Raises
    ------
    ArgumentError
        If the noise is unknown, the rate not from 0 to 1, or `n_draws` less than 1.

    Notes
    -----
    Guarantee: codes exact, ranks rounded (numerical ranks).

    Not even the largest dimension is at most that of the network without noise: dropping one unit
    of ``relu(relu(z) - 2 relu(z))`` raises it from 0 to 1, and dropping weights can raise the rank of a
    matrix. The right bound is that of the masked layers, which is counted next to the rank.

    References
    ----------
    Max-affine spline insights, Prop. 2 and Fig. 2.
    """
    regions = region_set(source)
    kind = read_noise(noise)
    if n_draws < 1:
        raise ArgumentError(f"noisy_dimensions: n_draws must be at least 1, got {n_draws}.")
    rng = np.random.default_rng(seed)
    points = regions.points[regions.met]
    size = regions.net.latent_dim + 1
    counts = np.zeros((n_draws, size), dtype=np.int64)
    bounds = np.zeros((n_draws, size), dtype=np.int64)
    for draw in range(n_draws):
        net = noisy_network(regions.net, kind, rate, rng)
        ranks, limits = point_dimensions(net, points)
        counts[draw] = np.bincount(ranks, minlength=size)
        bounds[draw] = np.bincount(limits, minlength=size)
    return NoisyDimensions(regions, kind, rate, counts, bounds, regions.sampled)


def point_dimensions(net: Network, points: npt.ArrayLike) -> tuple[Integers, Integers]:
    """Dimension of the image of the region that holds each point, and its bound.

    Parameters
    ----------
    net : Network
    points : array_like, shape (B, S)
        On a knot, the lower piece counts.

    Returns
    -------
    dimensions, bounds : ndarray of int64
        (B,) each; a numerical rank is cut at its bound.

    Raises
    ------
    ShapeError, NonFiniteError
        If the points have another shape, or are not finite.

    References
    ----------
    Max-affine spline insights, Prop. 1, applied to the masked network.
    """
    codes = np.atleast_2d(net.code(points))
    different, inverse = np.unique(codes, axis=0, return_inverse=True)
    ranks = np.empty(len(different), dtype=np.int64)
    step = batch_of(net)
    for low in range(0, len(different), step):
        slopes, _ = affine_maps_of_codes(net, different[low : low + step])
        values = singular_values(slopes)
        ranks[low : low + step] = numerical_ranks(values, net.ambient_dim, net.latent_dim)
    bounds = dimension_bounds(net, different)
    place = inverse.reshape(-1)
    return np.minimum(ranks, bounds)[place], bounds[place]
