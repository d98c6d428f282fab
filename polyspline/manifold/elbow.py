"""The elbow method: how the training error of generators falls with their latent dimension S (Thm. 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import as_float_array
from polyspline.errors import ArgumentError, ShapeError, require
from polyspline.manifold.brief import Brief
from solvers.float_mode import gradual_underflow

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_SLOPE = 0.1
"""Of the leaky ReLUs: no unit of a fit can die."""

_SMALLEST_SHARE = 1e-12
"""Of the spread of the data: smaller errors are rounding of the float32 training, and count as this."""

_BUNDLE_BYTES = 2**28
"""Activations of the fits that are trained together take about so much."""


@dataclass(frozen=True, eq=False, repr=False)
class ElbowCurve(Brief):
    """Least training errors found, against sample size and latent dimension.

    Attributes
    ----------
    latent_dims
        (K,) the latent dimensions S, ascending.
    sizes
        (M,) the sample sizes N, ascending. Samples are nested: each is the beginning of the next.
    errors
        (M, K, T) of every trial: the least sum over the sample of squared distances ``|G(E(x)) - x|²``
        at any epoch, in squared units of the data.
    totals
        (M,) the sum of squared distances to the mean: the error of S = 0.
    linear
        (M, K) the same error of the best affine map from S latents (principal components), which needs no
        training.
    factor
        How sharp an elbow must be, see `elbow`.
    """

    latent_dims: Integers
    sizes: Integers
    errors: Floats
    totals: Floats
    linear: Floats
    factor: float

    @property
    def curves(self) -> Floats:
        """Least error over the trials, (M, K): an upper bound of the minimum over all generators."""
        return np.asarray(self.errors.min(axis=2))

    @property
    def shares(self) -> Floats:
        """The curves as shares of `totals`, (M, K); 0 where all samples are one point."""
        totals = self.totals[:, None]
        return np.divide(self.curves, totals, out=np.zeros_like(self.curves), where=totals > 0)

    @property
    def bends(self) -> Floats:
        """How many times faster the error falls below S than above it, per latent dimension, (M, K).

        NaN for the largest S, above which nothing is known. S = 0 counts as known, and a
        generator of fewer latents as one of S that leaves some unused.
        """
        bends = np.full(self.shares.shape, np.nan)
        dims, start = self.latent_dims, int(self.latent_dims[0] > 0)
        for row, shares in enumerate(self.shares):
            if self.totals[row] == 0.0:
                continue
            known = np.concatenate([[0.0], dims]) if start else dims.astype(np.float64)
            least = np.minimum.accumulate(np.concatenate([[1.0], shares]) if start else shares)
            falls = -np.diff(np.log(np.maximum(least, _SMALLEST_SHARE))) / np.diff(known)
            inner = np.exp(falls[:-1] - falls[1:])
            bends[row, 1 - start : 1 - start + len(inner)] = inner
        return bends

    @property
    def elbows(self) -> tuple[int | None, ...]:
        """The elbow of the curve of each sample size; None where there is none."""
        found: list[int | None] = []
        for total, bends in zip(self.totals, self.bends, strict=True):
            if total == 0.0:
                found.append(0)
            elif np.isnan(bends).all() or not np.nanmax(bends) >= self.factor:
                found.append(None)
            else:
                found.append(int(self.latent_dims[np.nanargmax(bends)]))
        return tuple(found)

    @property
    def elbow(self) -> int | None:
        """The latent dimension at which the error of the largest sample stops falling, or None.

        It is the S of the sharpest bend of the logarithm of the error, if there the error falls at least
        `factor` times faster before S than after it; 0 where all samples are one point.
        """
        return self.elbows[-1]


@gradual_underflow()
def elbow(
    data: npt.ArrayLike,
    latent_dims: Sequence[int],
    *,
    sizes: Sequence[int] | None = None,
    trials: int = 3,
    epochs: int = 500,
    encoder: Sequence[int] = (256, 256, 256),
    decoder: Sequence[int] = (64, 64),
    learning_rate: float = 3e-3,
    factor: float = 3.0,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> ElbowCurve:
    """Fit generators of several latent dimensions to data, and find the dimension where the error bends.

    Parameters
    ----------
    data : array_like, shape (N, D)
        At least 2 samples.
    latent_dims : sequence of int
        The S to try: different, at least 0. List one more than the elbow that is looked for, as a curve
        bends only where it goes on.
    sizes : sequence of int, optional
        Sample sizes from 2 to N, to see the error grow with them. By default N alone.
    trials : int
        Fits from different weights, for each S and sample size.
    epochs : int
        Passes over the whole sample, one step of the optimiser each.
    encoder, decoder : sequence of int
        Widths of the hidden layers. The encoder stands for the best latents of each sample, so it should
        be wide; the decoder is the generator.
    learning_rate : float
        Of Adam at the start; it goes down to 0 as a cosine.
    factor : float
        How many times faster the error must fall before an elbow than after it, per latent
        dimension; more than 1.
    seed : int
        Of the order in which samples are taken and of all weights. A fit depends on its own S, N and
        trial alone, up to rounding.
    device : str or torch.device
        Where torch trains.

    Returns
    -------
    ElbowCurve

    Raises
    ------
    ShapeError, NonFiniteError
        If the data are not a table of finite numbers.
    ArgumentError
        If another argument is out of its range.
    MissingExtraError
        If torch is not installed.

    Notes
    -----
    Guarantee: heuristic. What a fit reaches is an upper bound of the least error. `ElbowCurve.linear` is
    exact up to rounding, and bounds the least error too if the hidden layers have at least 2 S units.

    Theorem 2 says that the error grows with N if S is less than the dimension of the data's manifold; of
    nested samples the least *summed* error never falls with N, whatever S is. From which N on it is
    positive, no theorem tells: small samples lie on curves of any dimension, so the elbow of a small
    sample may come too early. Take the largest sample you can, and look at all curves.

    Algorithm: autoencoders of leaky ReLUs (slope 0.1) on data of mean 0 and mean square 1, by Adam
    on whole samples, all fits of one sample at once; S = 0 needs no training. The time is that of ``M K T
    epochs`` passes.

    References
    ----------
    Max-affine spline insights, Thm. 2, Fig. 4 (right) and App. I.
    """
    torch = require("torch", extra="torch", purpose="find the elbow")
    table = as_float_array(data, "elbow: data", 2)
    if len(table) < 2 or table.shape[1] < 1:
        raise ShapeError(f"elbow: data of shape {table.shape}; expected 2 samples or more, one in each row.")
    dims = _ascending(latent_dims, "latent_dims", 0, None)
    counts = _ascending([len(table)] if sizes is None else sizes, "sizes", 2, len(table))
    _check_positive(trials=[trials], epochs=[epochs], encoder=encoder, decoder=decoder)
    if not (np.isfinite(learning_rate) and learning_rate > 0.0 and np.isfinite(factor) and factor > 1.0):
        raise ArgumentError(
            f"elbow: learning_rate is {learning_rate} and factor {factor}; expected finite numbers above 0 "
            "and above 1."
        )
    table = table[np.random.default_rng(seed).permutation(len(table))]
    errors = np.empty((len(counts), len(dims), trials))
    totals, linear = np.empty(len(counts)), np.empty(errors.shape[:2])
    for row, count in enumerate(counts):
        away = table[:count] - table[:count].mean(axis=0)
        tails = _tails(away)
        totals[row], linear[row] = tails[0], tails[np.minimum(dims, len(tails) - 1)]
        errors[row] = totals[row]
        if totals[row] == 0.0 or dims[-1] == 0:
            continue
        fits = [_Fit(size, trial) for size in dims.tolist() if size for trial in range(trials)]
        unit = away / np.sqrt(np.mean(away**2))
        recipe = _Recipe(tuple(encoder), tuple(decoder), epochs, learning_rate, seed, device)
        shares = _least_shares(torch, unit, fits, recipe)
        errors[row, dims > 0] = totals[row] * shares.reshape(-1, trials)
    return ElbowCurve(dims, counts, errors, totals, linear, float(factor))


class _Fit(NamedTuple):
    """One generator to train."""

    size: int
    trial: int


class _Recipe(NamedTuple):
    """How all of them are trained."""

    encoder: tuple[int, ...]
    decoder: tuple[int, ...]
    epochs: int
    learning_rate: float
    seed: int
    device: Any

    def widths(self, ambient: int, size: int) -> list[int]:
        """Widths of all layers, the input's first."""
        return [ambient, *self.encoder, size, *self.decoder, ambient]


def _ascending(values: Sequence[int], name: str, least: int, most: int | None) -> Integers:
    """Read whole numbers that differ, and sort them."""
    numbers = np.asarray(values)
    bound = f"at least {least}" if most is None else f"from {least} to {most}"
    if (
        numbers.ndim != 1
        or not numbers.size
        or numbers.dtype.kind not in "iu"
        or numbers.min() < least
        or (most is not None and numbers.max() > most)
        or len(np.unique(numbers)) < len(numbers)
    ):
        raise ArgumentError(
            f"elbow: {name} is {list(np.atleast_1d(numbers))}; expected different integers {bound}."
        )
    return np.sort(numbers.astype(np.int64))


def _check_positive(**given: Sequence[int]) -> None:
    for name, values in given.items():
        if any(isinstance(one, bool) or not isinstance(one, int | np.integer) or one < 1 for one in values):
            raise ArgumentError(f"elbow: {name} is {list(values)}; expected integers of at least 1.")


def _tails(away: Floats) -> Floats:
    """Sum of the squared singular values from each one on, and a last 0."""
    squares = np.linalg.svd(away, compute_uv=False) ** 2
    return np.concatenate([np.cumsum(squares[::-1])[::-1], [0.0]])


def _least_shares(torch: Any, unit: Floats, fits: list[_Fit], recipe: _Recipe) -> Floats:
    """Least mean square error of each fit over the epochs; as the data have mean square 1, its share."""
    widest = sum(recipe.widths(unit.shape[1], max(fit.size for fit in fits)))
    step = max(1, _BUNDLE_BYTES // (8 * len(unit) * widest))
    found = [
        _train(torch, torch.as_tensor(unit, dtype=torch.float32, device=recipe.device), some, recipe)
        for some in (fits[low : low + step] for low in range(0, len(fits), step))
    ]
    return np.concatenate(found)


def _train(torch: Any, unit: Any, fits: list[_Fit], recipe: _Recipe) -> Floats:
    """Train the fits side by side: they share no number, only the calls."""
    weights, biases = _start(torch, unit, fits, recipe)
    optimiser = torch.optim.Adam([*weights, *biases], lr=recipe.learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.epochs)
    least = torch.full((len(fits),), torch.inf, device=unit.device)
    for _ in range(recipe.epochs):
        value = unit.expand(len(fits), -1, -1)
        for number, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            value = torch.baddbmm(bias, value, weight)
            if number not in (len(recipe.encoder), len(weights) - 1):
                value = torch.nn.functional.leaky_relu(value, _SLOPE)
        errors = ((value - unit) ** 2).mean(dim=(1, 2))
        # A fit that diverges has NaN for its error, which counts for nothing.
        least = torch.fmin(least, errors.detach())
        optimiser.zero_grad()
        errors.sum().backward()
        optimiser.step()
        schedule.step()
    return np.asarray(least.cpu().numpy(), dtype=np.float64)


def _start(torch: Any, unit: Any, fits: list[_Fit], recipe: _Recipe) -> tuple[list[Any], list[Any]]:
    """Draw first weights (F, in, out) and biases (F, 1, out), as torch's linear layers have them.

    Latents that a fit does not use have weights 0 on both sides, hence gradients 0: they stay unused.
    """
    ambient = unit.shape[1]
    widest = recipe.widths(ambient, max(fit.size for fit in fits))
    weights = [torch.zeros(len(fits), *shape) for shape in pairwise(widest)]
    biases = [torch.zeros(len(fits), 1, width) for width in widest[1:]]
    for place, fit in enumerate(fits):
        source = torch.Generator()
        source.manual_seed(_number([recipe.seed, len(unit), *fit]))
        shapes = pairwise(recipe.widths(ambient, fit.size))
        for weight, bias, (rows, columns) in zip(weights, biases, shapes, strict=True):
            bound = rows**-0.5
            weight[place, :rows, :columns].uniform_(-bound, bound, generator=source)
            bias[place, 0, :columns].uniform_(-bound, bound, generator=source)
    return _parameters(weights, unit), _parameters(biases, unit)


def _parameters(tensors: list[Any], unit: Any) -> list[Any]:
    return [one.to(unit.device).requires_grad_() for one in tensors]


def _number(seeds: list[int]) -> int:
    """One seed of many, such that seeds that differ anywhere give unrelated draws."""
    return int(np.random.SeedSequence(seeds).generate_state(1)[0])
