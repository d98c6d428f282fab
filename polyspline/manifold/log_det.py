"""Log-determinants of the affine pieces: how much each stretches the volume of its region."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from polyspline.manifold.brief import Brief
from polyspline.manifold.regions import RegionSet, Source, region_set
from polyspline.manifold.spectrum import region_spectra
from polyspline.manifold.weighting import Estimate, Weights, region_weights
from solvers.float_mode import gradual_underflow

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LogDetSummary:
    """Distribution of log sqrt det(AᵀA) over the regions of full rank.

    Attributes
    ----------
    mean
        Average over these regions.
    standard_deviation
        NaN if there is no such region.
    quantiles
        At 0, 5, 25, 50, 75, 95 and 100 %, (7,).
    full_rank_share
        How much of all regions has rank S.
    by
        What the averages are over: ``"count"``, ``"draws"`` or ``"weights"``.
    """

    mean: Estimate
    standard_deviation: float
    quantiles: Floats
    full_rank_share: Estimate
    by: str


LEVELS = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Levels of the quantiles of a summary."""


@dataclass(frozen=True, eq=False, repr=False)
class LogDeterminants(Brief):
    """log sqrt det(AᵀA) of every region.

    Attributes
    ----------
    regions
        What it was computed on.
    values
        (R,) natural logarithms; minus infinity where the rank is less than S.
    pseudo_values
        (R,) sum of the logarithms of the singular values that count: the log of the factor of
        the r-dimensional volume at rank r (Lemma 1), 0 at rank 0. Equal to `values` at rank S.
    singular_values
        (R, min(D, S)), each row descending.
    ranks
        (R,) numerical ranks.
    sampled
        Whether the regions were met by sampling.
    """

    regions: RegionSet
    values: Floats
    pseudo_values: Floats
    singular_values: Floats
    ranks: Integers
    sampled: bool

    @cached_property
    def full_rank(self) -> npt.NDArray[np.bool_]:
        """Whether the rank is S, (R,)."""
        return np.asarray(self.ranks == self.regions.net.latent_dim)

    def summary(self, weights: Weights = None) -> LogDetSummary:
        """Distribution over the regions of full rank.

        Parameters
        ----------
        weights : None, str or array_like
            ``"count"``, ``"draws"``, or an array (R,); by default the draws of a sampled set, else
            the count.

        Returns
        -------
        LogDetSummary

        Raises
        ------
        ArgumentError, ShapeError, NonFiniteError
            If the weights do not fit, see `region_weights`.
        """
        read = region_weights(self.regions, weights, "summary")
        among = self.full_rank & (read.shares > 0)
        mean = read.mean(self.values, among)
        shares = read.shares[among]
        if not len(shares):
            spread, quantiles = float("nan"), np.full(len(LEVELS), np.nan)
        else:
            spread = float(np.sqrt(shares @ (self.values[among] - mean.value) ** 2 / shares.sum()))
            quantiles = _quantiles(self.values[among], shares)
        return LogDetSummary(mean, spread, quantiles, read.mean(self.full_rank), read.by)


def _quantiles(values: Floats, shares: Floats) -> Floats:
    """Smallest values up to which at least a level of the shares lies."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(shares[order]) / shares.sum()
    place = np.searchsorted(reached, np.array(LEVELS) - 1e-12, side="left")
    return np.asarray(values[order][np.minimum(place, len(values) - 1)])


@gradual_underflow()
def log_determinants(source: Source) -> LogDeterminants:
    """Log-determinant ``log sqrt det(A_ωᵀ A_ω)`` of every region, from its singular values.

    Parameters
    ----------
    source : Partition or RegionSet

    Returns
    -------
    LogDeterminants

    Notes
    -----
    Guarantee: rounded. Nothing is multiplied out, so nothing overflows.

    References
    ----------
    Max-affine spline insights, section 5.2 and Lemma 1.
    """
    regions = region_set(source)
    spectra = region_spectra(regions)
    counted = np.arange(spectra.values.shape[1]) < spectra.ranks[:, None]
    pseudo = np.log(np.where(counted, spectra.values, 1.0)).sum(axis=1)
    values = np.where(spectra.ranks == regions.net.latent_dim, pseudo, -np.inf)
    return LogDeterminants(regions, values, pseudo, spectra.values, spectra.ranks, regions.sampled)
