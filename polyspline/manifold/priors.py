"""Distributions of the latent point z."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from polyspline.cpa.matrices import as_float_array
from polyspline.domains import Domain, check_domain
from polyspline.errors import ArgumentError, DomainError, ShapeError
from polyspline.manifold.regions import default_sampler
from polyspline.manifold.volumes import domain_volume

Floats: TypeAlias = npt.NDArray[np.float64]

_LOG_TWO_PI = math.log(2.0 * math.pi)


class Prior(ABC):
    """A distribution of z with a density. Make one with `UniformPrior`, `GaussianPrior` or `GivenPrior`."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Dimension S of z."""

    @abstractmethod
    def logpdf(self, z: npt.ArrayLike) -> Floats:
        """Natural logarithm of the density at points (B, S), (B,)."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        """Independent draws, (count, S)."""

    @property
    def entropy(self) -> float | None:
        """Differential entropy in nats, over the whole space; None where it is not known."""
        return None

    def _points(self, z: npt.ArrayLike) -> Floats:
        points = as_float_array(z, "z", 2)
        if points.shape[1] != self.dim:
            raise ShapeError(f"prior: expected points of shape (B, {self.dim}), got {points.shape}.")
        return points


@dataclass(frozen=True, eq=False)
class UniformPrior(Prior):
    """The uniform distribution over a bounded domain.

    Parameters
    ----------
    domain : Domain

    Raises
    ------
    DomainError
        If the domain is unbounded.
    """

    domain: Domain

    def __post_init__(self) -> None:
        """Check that there is such a distribution."""
        check_domain(self.domain)
        if not self.domain.bounded:
            raise DomainError(
                f"there is no uniform distribution over {self.domain!r}: take a bounded domain, or a "
                "GaussianPrior."
            )

    @property
    def dim(self) -> int:
        """Dimension S."""
        return self.domain.dim

    @cached_property
    def volume(self) -> float:
        """Volume of the domain."""
        return domain_volume(self.domain)

    def logpdf(self, z: npt.ArrayLike) -> Floats:
        """Minus the logarithm of the volume in the domain, minus infinity outside, (B,)."""
        inside = np.asarray(self.domain.contains(self._points(z)))
        return np.where(inside, -math.log(self.volume), -np.inf)

    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        """Independent draws (count, S); those from a polytope by rejection from the box around it."""
        return np.asarray(default_sampler(self.domain)(rng, count), dtype=np.float64)

    @property
    def entropy(self) -> float:
        """Logarithm of the volume."""
        return math.log(self.volume)


@dataclass(frozen=True, eq=False, init=False)
class GaussianPrior(Prior):
    """The normal distribution N(mean, cov).

    Parameters
    ----------
    mean : array_like, shape (S,)
    cov : array_like, shape (S, S), or (S,), or float, optional
        Covariance; a vector is its diagonal, a number the variance of every coordinate. 1 by default.

    Raises
    ------
    ShapeError, NonFiniteError
        If the shapes do not fit, or a number is not finite.
    ArgumentError
        If the covariance is not symmetric and positive definite.
    """

    mean: Floats
    cov: Floats

    def __init__(self, mean: npt.ArrayLike, cov: npt.ArrayLike = 1.0) -> None:
        centre = as_float_array(mean, "mean of the prior", 1)
        given = as_float_array(cov, "covariance of the prior", np.ndim(cov))
        if given.ndim < 2:
            if given.ndim and given.shape != centre.shape:
                raise ShapeError(f"prior: {len(given)} variances for a mean of length {len(centre)}.")
            given = np.diag(np.broadcast_to(given, centre.shape))
        if given.shape != (len(centre), len(centre)) or not len(centre):
            raise ShapeError(
                f"prior: covariance of shape {given.shape}; expected {(len(centre), len(centre))}, as the "
                f"mean has length {len(centre)}."
            )
        values = np.linalg.eigvalsh(given)
        if np.abs(given - given.T).max() > 1e-12 * np.abs(given).max() or not values[0] > 0:
            raise ArgumentError(
                "prior: the covariance is not symmetric and positive definite (smallest eigenvalue "
                f"{values[0]:.3g})."
            )
        object.__setattr__(self, "mean", centre)
        object.__setattr__(self, "cov", np.array(given))

    @classmethod
    def standard(cls, dim: int) -> GaussianPrior:
        """N(0, I) in `dim` dimensions."""
        return cls(np.zeros(dim))

    @property
    def dim(self) -> int:
        """Dimension S."""
        return len(self.mean)

    @cached_property
    def factor(self) -> Floats:
        """Lower Cholesky factor of the covariance, (S, S)."""
        return np.asarray(np.linalg.cholesky(self.cov), dtype=np.float64)

    @cached_property
    def _log_scale(self) -> float:
        return 0.5 * self.dim * _LOG_TWO_PI + float(np.log(np.diag(self.factor)).sum())

    def logpdf(self, z: npt.ArrayLike) -> Floats:
        """Logarithm of the density at points (B, S), (B,)."""
        away = np.linalg.solve(self.factor, (self._points(z) - self.mean).T)
        return np.asarray(-0.5 * np.sum(away**2, axis=0) - self._log_scale)

    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        """Independent draws, (count, S)."""
        return np.asarray(self.mean + rng.standard_normal((count, self.dim)) @ self.factor.T)

    @property
    def entropy(self) -> float:
        """``S/2 log(2πe) + 1/2 log det cov``."""
        return 0.5 * self.dim + self._log_scale


@dataclass(frozen=True, eq=False)
class GivenPrior(Prior):
    """Any distribution, by its log-density.

    Parameters
    ----------
    size : int
        Dimension S.
    log_density : callable
        Of points (B, S), returns (B,); minus infinity where the density is 0.
    sampler : callable, optional
        ``sampler(rng, n)`` returns n draws (n, S); needed by what works by draws.
    """

    size: int
    log_density: Callable[[Floats], npt.ArrayLike]
    sampler: Callable[[np.random.Generator, int], npt.ArrayLike] | None = field(default=None)

    @property
    def dim(self) -> int:
        """Dimension S."""
        return self.size

    def logpdf(self, z: npt.ArrayLike) -> Floats:
        """Logarithm of the density at points (B, S), (B,).

        Raises
        ------
        ShapeError
            If the function returns another shape.
        ArgumentError
            If it returns NaN or plus infinity.
        """
        points = self._points(z)
        values = np.asarray(self.log_density(points), dtype=np.float64)
        if values.ndim == 0 and len(points) == 1:
            values = values.reshape(1)
        if values.shape != (len(points),):
            raise ShapeError(
                f"prior: logpdf returned shape {values.shape} for points of shape {points.shape}; expected "
                f"({len(points)},)."
            )
        if np.isnan(values).any() or (values == np.inf).any():
            raise ArgumentError("prior: logpdf returned NaN or plus infinity; expected numbers or -inf.")
        return values

    def sample(self, rng: np.random.Generator, count: int) -> Floats:
        """Independent draws, (count, S).

        Raises
        ------
        ArgumentError
            If no sampler was given.
        ShapeError, NonFiniteError
            If it returns something else than finite points (count, S).
        """
        if self.sampler is None:
            raise ArgumentError(
                "prior: draws are needed and it has no sampler: give GivenPrior(..., sampler=...)."
            )
        points = as_float_array(self.sampler(rng, count), "draws of the prior", 2)
        if points.shape != (count, self.dim):
            raise ShapeError(
                f"prior: the sampler returned shape {points.shape}; expected ({count}, {self.dim})."
            )
        return points


class HasLogpdf(Protocol):
    """What has a log-density, as the frozen distributions of scipy."""

    def logpdf(self, x: Any, /) -> Any:
        """Log-densities (B,) of points (B, S)."""


PriorLike: TypeAlias = Prior | HasLogpdf | Callable[[Floats], npt.ArrayLike] | str | None


def as_prior(prior: PriorLike, domain: Domain, where: str) -> Prior:
    """Read what a user gives as a prior over a domain's space.

    Parameters
    ----------
    prior
        A `Prior`; ``"uniform"`` (over the domain) or ``"gaussian"`` (standard); a function
        ``logpdf(z)``; an object with `logpdf` and maybe ``rvs(size=, random_state=)``, as the frozen
        distributions of scipy. None: uniform over a bounded domain, else standard normal.
    domain
        That the regions are over.
    where
        Name of the function, for messages.

    Raises
    ------
    ArgumentError
        If it is none of these.
    ShapeError
        If it has another dimension than the domain.
    """
    if prior is None:
        prior = "uniform" if domain.bounded else "gaussian"
    if isinstance(prior, str):
        if prior not in ("uniform", "gaussian"):
            raise ArgumentError(f"{where}: prior is {prior!r}; expected 'uniform', 'gaussian' or a prior.")
        return UniformPrior(domain) if prior == "uniform" else GaussianPrior.standard(domain.dim)
    found = prior if isinstance(prior, Prior) else _adapted(prior, domain.dim, where)
    if found.dim != domain.dim:
        raise ShapeError(
            f"{where}: the prior is of dimension {found.dim}, but latent points have {domain.dim} "
            f"coordinates: give one over R^{domain.dim}."
        )
    return found


def same_prior(first: Prior, second: Prior) -> bool:
    """Whether two priors are known to be one distribution; those that are given by functions if identical."""
    if isinstance(first, UniformPrior) and isinstance(second, UniformPrior):
        return first.domain == second.domain
    if isinstance(first, GaussianPrior) and isinstance(second, GaussianPrior):
        return np.array_equal(first.mean, second.mean) and np.array_equal(first.cov, second.cov)
    return first is second


def _adapted(prior: Any, dim: int, where: str) -> Prior:
    logpdf = getattr(prior, "logpdf", None)
    if logpdf is None and callable(prior):
        return GivenPrior(dim, prior)
    if logpdf is None:
        raise ArgumentError(
            f"{where}: the prior is a {type(prior).__name__}; expected a UniformPrior, a GaussianPrior, a "
            "function logpdf(z), or an object that has one."
        )
    own = getattr(prior, "dim", dim)
    if own != dim:
        raise ShapeError(
            f"{where}: the prior is of dimension {own}, but latent points have {dim} coordinates: give one "
            f"over R^{dim}."
        )
    rvs = getattr(prior, "rvs", None)
    if rvs is None:
        return GivenPrior(dim, lambda z: np.asarray(logpdf(z)).reshape(len(z)))

    def draws(rng: np.random.Generator, count: int) -> Floats:
        # scipy drops axes of length one.
        return np.asarray(rvs(size=count, random_state=rng), dtype=np.float64).reshape(count, dim)

    return GivenPrior(dim, lambda z: np.asarray(logpdf(z)).reshape(len(z)), draws)
