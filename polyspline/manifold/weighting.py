"""Averages over regions: how much each region counts, and how far an average may be off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import as_float_array
from polyspline.errors import ArgumentError, ShapeError
from polyspline.manifold.regions import RegionSet

Floats = npt.NDArray[np.float64]
Weights: TypeAlias = str | npt.ArrayLike | None


@dataclass(frozen=True)
class Estimate:
    """An average over regions.

    Attributes
    ----------
    value
        The average; NaN where no region counts.
    standard_error
        Of a sampled set; None where nothing was sampled.
    """

    value: float
    standard_error: float | None


@dataclass(frozen=True, eq=False)
class RegionWeights:
    """How much each region counts in an average.

    Attributes
    ----------
    shares
        (R,) at least 0, of sum 1.
    by
        What they are: ``"count"``, ``"draws"`` or ``"weights"``.
    n_draws
        Number of independent draws that the shares are counts of; 0 if they are not.
    sampled
        Whether the regions were met by sampling.
    """

    shares: Floats
    by: str
    n_draws: int
    sampled: bool

    def mean(self, values: npt.ArrayLike, among: npt.NDArray[np.bool_] | None = None) -> Estimate:
        """Average of a value of each region, maybe among some regions only.

        Parameters
        ----------
        values : array_like, shape (R,)
        among : ndarray of bool, shape (R,), optional
            Regions that count; the values of others are not looked at.

        Returns
        -------
        Estimate

        Notes
        -----
        The standard error of an average over draws is that of independent draws. In other averages
        over a sampled set, the regions met stand for themselves: its error is that of a ratio of
        two sums over independent regions.
        """
        chosen = np.ones(len(self.shares), dtype=np.bool_) if among is None else among
        numbers = np.asarray(values, dtype=np.float64)[chosen]
        shares = self.shares[chosen]
        total = float(shares.sum())
        if not total > 0.0:
            return Estimate(float("nan"), float("nan") if self.sampled else None)
        # Both sums round alike, so that the average of ones is one.
        mean = float(shares @ numbers) / float(shares @ np.ones_like(numbers))
        shares = shares / total
        if not self.sampled:
            return Estimate(mean, None)
        spread = (numbers - mean) ** 2
        if self.n_draws:
            return Estimate(mean, float(np.sqrt(shares @ spread / (self.n_draws * total))))
        return Estimate(mean, float(np.sqrt(shares**2 @ spread)))


def region_weights(regions: RegionSet, weights: Weights, where: str) -> RegionWeights:
    """Read the weights of an average over regions.

    Parameters
    ----------
    regions : RegionSet
    weights : None, str or array_like
        ``"count"``: each region once. ``"draws"``: each as often as a draw met it, so that averages
        are over the latent distribution that was sampled. An array (R,): volumes, probabilities or
        whatever they are, at least 0, of any sum. None: draws of a sampled set, else the count.
    where : str
        Name of the function, for messages.

    Returns
    -------
    RegionWeights

    Raises
    ------
    ArgumentError
        If the name is unknown, if draws are asked for where nothing was drawn, if a weight is
        negative, or all are zero.
    ShapeError, NonFiniteError
        If the array has not one finite number for each region.
    """
    count = len(regions)
    if weights is None:
        weights = "draws" if regions.sampled else "count"
    if isinstance(weights, str):
        if weights == "count":
            return RegionWeights(np.full(count, 1.0 / max(count, 1)), "count", 0, regions.sampled)
        if weights == "draws" and regions.sampled:
            return RegionWeights(regions.draws / regions.n_draws, "draws", regions.n_draws, True)
        raise ArgumentError(
            f"{where}: weights are {weights!r}; expected 'count', 'draws' (of regions met by sampling), or "
            "one number for each region."
        )
    numbers = as_float_array(weights, f"{where}: weights", 1)
    if len(numbers) != count:
        raise ShapeError(f"{where}: got {len(numbers)} weights; expected one for each of {count} regions.")
    if (numbers < 0).any() or not numbers.any():
        raise ArgumentError(f"{where}: weights must be at least 0, and not all of them 0.")
    scaled = numbers / numbers.max()
    return RegionWeights(scaled / scaled.sum(), "weights", 0, regions.sampled)
