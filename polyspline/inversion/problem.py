"""What is to be inverted: a network, a target, a norm and a bounded domain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from polyspline.cpa.affine import forward
from polyspline.cpa.layers import Layer, make_layer
from polyspline.cpa.matrices import as_float_array, times
from polyspline.cpa.pointwise import values_exactly
from polyspline.domains import Domain
from polyspline.errors import DomainError, ShapeError, TooLargeError
from polyspline.inversion.comparisons import scalar_layers
from polyspline.inversion.norms import Norm, norm_of
from polyspline.network import Network
from solvers.integers import nearest_float
from solvers.predicates.rounding import ROUNDOFF, SAFETY, SMALLEST, TINY

Floats = npt.NDArray[np.float64]

MeasureLike = npt.ArrayLike | tuple[npt.ArrayLike, npt.ArrayLike]

_RELATIVE_ZERO = 1e-9
_ROUNDED = 2.0**-20

_LARGEST = 2.0**400
"""Values and slopes beyond this are refused: squares and products of three would leave float64's range."""


@dataclass(frozen=True, eq=False)
class InversionProblem:
    """Minimise ``norm(target - (M G(z) + offset))`` over the z of a bounded domain.

    Attributes
    ----------
    net
        The network G.
    domain
        Bounded.
    target
        What is to be met, (T,): x itself, or its measurements.
    norm
        How the distance is measured.
    layers
        The layers of ``z -> M G(z) + offset``: those of the network, and one affine layer
        more if something is measured.
    """

    net: Network
    domain: Domain
    target: Floats
    norm: Norm
    layers: tuple[Layer, ...]

    @property
    def scalar_layers(self) -> tuple[Layer, ...]:
        """Layers of scalar units alone that are the same function, see `comparisons`."""
        return scalar_layers(self.layers)

    def image(self, z: npt.ArrayLike) -> Floats:
        """Measured values of one point (S,) -> (T,) or of several (B, S) -> (B, T), rounded."""
        points = np.asarray(z, dtype=np.float64)
        values = forward(self.layers, points.reshape(-1, self.net.latent_dim))
        return values[0] if points.ndim == 1 else values

    def distance(self, z: npt.ArrayLike) -> float:
        """Distance of the target from the values at one point (S,), recomputed from the network."""
        return self.norm.of(self.target - self.image(z))

    def distances(self, points: npt.ArrayLike) -> Floats:
        """Distances at several points, (B, S) -> (B,)."""
        return self.norm.rows(self.target - self.image(np.asarray(points, dtype=np.float64)))

    def distance_error(self, z: npt.ArrayLike) -> float:
        """Bound of how far the distance at one point (S,), computed or recomputed, is from the exact one.

        Notes
        -----
        Guarantee: certified; infinite where a number is past the largest float.

        A layer's values are sums of `n_in` products and a bias, each off by less than ``(n_in + 4) u`` of
        its size, by TINY for underflow, and by the inputs' errors times the weights' sizes. A unit moves
        them apart by no more than its steepest slope, and rounds twice; a max group by no more than the
        largest of its rows. The norm of the errors, and ``(T + 8) u`` of the distance, are what is left.
        """
        value = np.asarray(z, dtype=np.float64)
        error = np.zeros_like(value)
        with np.errstate(all="ignore"):
            for layer in self.layers:
                sizes = times(layer.sizes, np.abs(value)) + np.abs(layer.bias)
                unit = (layer.n_in + 4) * ROUNDOFF
                error = SAFETY * (times(layer.sizes, error + TINY) + unit * sizes) + TINY
                slopes, offsets = layer.unit_tables
                steepest = np.max(np.abs(slopes), axis=1)
                error = steepest * layer.largest_of_rows(error)
                reach = steepest * layer.largest_of_rows(sizes) + np.max(np.abs(offsets), axis=1)
                error = SAFETY * (error + 4.0 * ROUNDOFF * reach) + TINY
                value = forward((layer,), value[None])[0]
            residual = np.abs(self.target - value)
            error = SAFETY * (error + 2.0 * ROUNDOFF * residual)
            rounding = (len(error) + 8) * ROUNDOFF * self.norm.of(residual)
            bound = SAFETY * (self.norm.of(error) + rounding) + TINY
        return bound if np.isfinite(bound) else float("inf")

    def measured(self, z: npt.ArrayLike) -> tuple[float, float]:
        """Distance at one point (S,), and a bound of its error: a few roundings of its size.

        Notes
        -----
        Guarantee: certified. Where the forward pass in floats is off by more than a share of 2^-20, as
        where products underflow and are scaled up again, the network is evaluated in rationals.
        """
        point = np.asarray(z, dtype=np.float64)
        distance, error = self.distance(point), self.distance_error(point)
        if error <= _ROUNDED * max(distance, self.zero):
            return distance, error
        values = values_exactly(self.layers, point)
        exact = [Fraction(x) - value for x, value in zip(self.target.tolist(), values, strict=True)]
        largest = max(abs(entry) for entry in exact)
        if not largest:
            return 0.0, 0.0
        # By a power of two to numbers of ordinary size, and each rounded once.
        scale = Fraction(2) ** (largest.numerator.bit_length() - largest.denominator.bit_length())
        length = self.norm.of([float(entry / scale) for entry in exact])
        distance = nearest_float(Fraction(length) * scale)
        return distance, SAFETY * (len(exact) + 8) * ROUNDOFF * distance + SMALLEST

    @cached_property
    def zero(self) -> float:
        """Distance below which gaps are no longer relative: ``1e-9 (1 + norm(target))``."""
        return _RELATIVE_ZERO * (1.0 + self.norm.of(self.target))

    def gap(self, distance: float, lower_bound: float) -> float:
        """Relative gap between a distance and a lower bound: ``(d - bound) / max(d, zero)``."""
        return max(distance - lower_bound, 0.0) / max(distance, self.zero)

    def cutoff(self, distance: float, gap: float) -> float:
        """Least lower bound that closes the gap at a distance."""
        return distance - gap * max(distance, self.zero)

    def with_target(self, target: Floats) -> InversionProblem:
        """Return the same problem for another target, already checked."""
        return replace(self, target=target)


def _measurement(measure: MeasureLike, ambient_dim: int) -> Layer:
    """Affine layer ``x -> M x + offset`` of a measurement, checked."""
    matrix, offset = measure if isinstance(measure, tuple) else (measure, None)
    layer = make_layer(matrix, offset, "identity", name="measure")
    if layer.n_in != ambient_dim:
        raise ShapeError(
            f"measure: the matrix has shape {layer.matrix.shape}, but the network has {ambient_dim} outputs; "
            f"expected (T, {ambient_dim})."
        )
    return layer


def _target(x: npt.ArrayLike, layers: tuple[Layer, ...], measured: bool) -> Floats:
    target = as_float_array(x, "x", 1)
    if len(target) != layers[-1].n_out:
        what = "measure has rows" if measured else "the network has outputs"
        raise ShapeError(f"x has length {len(target)}; expected {layers[-1].n_out}, as many as {what}.")
    largest = float(np.max(np.abs(target), initial=0.0))
    if not largest < _LARGEST:
        raise TooLargeError(
            f"x has numbers as large as {largest:.3g}, and inversion takes those below {_LARGEST:.3g}: scale "
            "x and the network's last layer by the same power of two."
        )
    return target


def _check_range(layers: tuple[Layer, ...], domain: Domain) -> None:
    """Refuse a network whose values or slopes over the domain may leave the range that is computed in."""
    radius = np.max(np.abs(domain.bounds()), axis=0)
    value, slope = radius, np.ones(len(radius))
    with np.errstate(over="ignore", invalid="ignore"):
        for number, layer in enumerate(layers):
            value, slope = times(layer.sizes, value) + np.abs(layer.bias), times(layer.sizes, slope)
            slopes, offsets = layer.unit_tables
            steepest = np.max(np.abs(slopes), axis=1)
            after = steepest * layer.largest_of_rows(value) + np.max(np.abs(offsets), axis=1)
            slope = steepest * layer.largest_of_rows(slope)
            largest = float(np.max(np.concatenate([radius, value, after, slope])))
            if not largest < _LARGEST:
                raise TooLargeError(
                    f"layer {number} of the network can reach {largest:.3g} over the domain, in value or "
                    f"slope, and inversion takes what stays below {_LARGEST:.3g}: scale neighbouring layers "
                    "by opposite powers of two, or take a smaller domain."
                )
            value = after


def check_target(problem: InversionProblem, x: npt.ArrayLike) -> Floats:
    """Check another target of a problem, and give it as an array (T,).

    Raises
    ------
    ShapeError, NonFiniteError
        If x has another length than the problem's target, or is not finite.
    """
    return _target(x, problem.layers, len(problem.layers) > len(problem.net.layers))


def make_problem(
    net: Network,
    x: npt.ArrayLike,
    domain: Domain,
    norm: str | Norm = "l2",
    measure: MeasureLike | None = None,
) -> InversionProblem:
    """Check the parts of an inversion and put them together.

    Parameters
    ----------
    net : Network
    x : array_like, shape (D,), or (T,) if something is measured
        The target.
    domain : Domain
        Bounded, of the network's latent dimension.
    norm : str or Norm
    measure : array_like (T, D), or a pair of it and an offset (T,), optional
        What is seen of G(z): the target is met by ``M @ G(z) + offset``.

    Raises
    ------
    ShapeError, NonFiniteError
        If x or measure has another shape, or is not finite.
    DomainError
        If the domain is unbounded or of another dimension.
    ArgumentError
        If the norm is not known.
    TooLargeError
        If x, or what the network may reach over the domain, is beyond 2^400.
    """
    layers = net.layers if measure is None else (*net.layers, _measurement(measure, net.ambient_dim))
    target = _target(x, layers, measure is not None)
    if domain.dim != net.latent_dim:
        raise DomainError(
            f"the domain has dimension {domain.dim}, but the network takes {net.latent_dim} inputs."
        )
    if not domain.bounded:
        raise DomainError(
            "inversion needs a bounded domain: lower bounds rest on bounds of every unit, which the whole "
            "space does not give; use a Box or a Polytope."
        )
    _check_range(layers, domain)
    return InversionProblem(net, domain, target, norm_of(norm), layers)
