"""Affine slices of the latent space, and the first layer of a network that is restricted to one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from polyspline.cpa.layers import Layer
from polyspline.cpa.matrices import FloatArray, as_float_array
from polyspline.errors import ArgumentError, ShapeError
from solvers.float_mode import gradual_underflow

Vector = list[Fraction]


@dataclass(frozen=True, eq=False)
class Slice:
    """An affine slice ``origin + directions @ t`` of a latent space, and points that it was laid through.

    It unpacks as ``origin, directions``, so that ``net.restrict(*plane_through(a, b, c))`` is the
    network on it.

    Attributes
    ----------
    origin
        (S,).
    directions
        (S, k), of unit length and at right angles to one another, to rounding.
    coordinates
        Of the points in the slice, one row for each: (3, 2) or (2, 1).
    """

    origin: FloatArray
    directions: FloatArray
    coordinates: FloatArray

    def __iter__(self) -> Iterator[FloatArray]:
        """Unpack as ``origin, directions``."""
        return iter((self.origin, self.directions))

    @gradual_underflow()
    def points(self, t: npt.ArrayLike) -> FloatArray:
        """Latent points of slice coordinates, rounded: (k,) -> (S,), or (B, k) -> (B, S).

        Raises
        ------
        ShapeError, NonFiniteError
            If t has another shape, or is not finite.
        """
        dim = self.directions.shape[1]
        given = as_float_array(t, "t", 1 if np.ndim(t) == 1 else 2)
        if given.shape[-1] != dim:
            raise ShapeError(f"t: expected shape ({dim},) or (B, {dim}), got {given.shape}.")
        return np.asarray(self.origin + given @ self.directions.T)


@gradual_underflow()
def plane_through(a: npt.ArrayLike, b: npt.ArrayLike, c: npt.ArrayLike | None = None) -> Slice:
    """Lay a plane through three points of the latent space, or a line through two.

    Parameters
    ----------
    a, b, c : array_like, shape (S,)
        The origin is `a`, the first direction goes from there to `b`, and `c` is on the side where
        the second coordinate is positive.

    Returns
    -------
    Slice
        With the coordinates (0, 0), (x, 0) and (x', y') of the points, x and y' positive.

    Raises
    ------
    ShapeError, NonFiniteError
        If the points have not the same length, or a number is not finite.
    ArgumentError
        If two of the points are the same, or the three lie on one line.

    Notes
    -----
    Guarantee: that the points span the slice is decided exactly. Directions and coordinates are
    those of exact arithmetic up to a few roundings, however close to a line the points are.

    Examples
    --------
    >>> plane = plane_through([1.0, 0.0, 0.0], [3.0, 0.0, 0.0], [2.0, 0.0, 5.0])
    >>> plane.coordinates.tolist()
    [[0.0, 0.0], [2.0, 0.0], [1.0, 5.0]]
    """
    given = [as_float_array(p, name, 1) for p, name in ((a, "a"), (b, "b"), (c, "c")) if p is not None]
    sizes = sorted({len(p) for p in given})
    if len(sizes) > 1 or sizes == [0]:
        raise ShapeError(f"plane_through: expected points of one length, got lengths {sizes}.")
    start, *others = ([Fraction(z) for z in p.tolist()] for p in given)
    sides = [[z - o for z, o in zip(other, start, strict=True)] for other in others]
    axes: list[Vector] = []
    for side in sides:
        rest = list(side)
        for axis in axes:
            share = _dot(side, axis) / _dot(axis, axis)
            rest = [r - share * d for r, d in zip(rest, axis, strict=True)]
        if not any(rest):
            what = "two different points" if len(given) == 2 else "three points that are not on one line"
            raise ArgumentError(
                f"plane_through got points that coincide or lie on one line; expected {what}, so that they "
                "span the slice."
            )
        axes.append(rest)
    directions = np.array([_unit(axis) for axis in axes]).T
    try:
        places = [[0.0] * len(axes), *([_along(side, axis) for axis in axes] for side in sides)]
    except OverflowError as far:
        raise ArgumentError(
            "plane_through got points whose distance is beyond the largest float64; expected points closer "
            "to one another."
        ) from far
    return Slice(given[0], _frozen(directions), _frozen(np.array(places)))


def _frozen(array: FloatArray) -> FloatArray:
    array.setflags(write=False)
    return array


def _dot(one: Sequence[Fraction], two: Sequence[Fraction]) -> Fraction:
    return sum((x * y for x, y in zip(one, two, strict=True)), Fraction(0))


def _scaled(axis: Vector) -> tuple[Fraction, FloatArray, float]:
    """Largest entry of a vector, the vector in that unit as floats, and its length in that unit."""
    largest = max(abs(entry) for entry in axis)
    floats = np.array([float(entry / largest) for entry in axis])
    return largest, floats, math.hypot(*floats.tolist())


def _unit(axis: Vector) -> FloatArray:
    """Vector of unit length in the same direction, rounded."""
    _, floats, length = _scaled(axis)
    return np.asarray(floats / length)


def _along(side: Vector, axis: Vector) -> float:
    """Coordinate of a vector along an axis, rounded."""
    largest, _, length = _scaled(axis)
    return float(_dot(side, axis) / largest / Fraction(length))


def sliced_first_layer(layer: Layer, origin: npt.ArrayLike, directions: npt.ArrayLike) -> Layer:
    """Return the first layer of ``t -> G(origin + directions @ t)``: weight ``W D``, bias ``W o + b``.

    Parameters
    ----------
    layer : Layer
        The first layer of G.
    origin : array_like, shape (S,)
    directions : array_like, shape (S, k) or (S,)

    Returns
    -------
    Layer
        Its numbers are the exact ones, each rounded once to float64.

    Raises
    ------
    ShapeError, NonFiniteError
        If a shape does not fit, or a number is or becomes infinite.
    """
    from solvers.rational import DyadicMatrix  # here, so that reading a network does not load it

    o = as_float_array(origin, "origin", 1)
    columns: FloatArray
    if np.ndim(directions) == 1:
        columns = as_float_array(directions, "directions", 1)[:, None]
    else:
        columns = as_float_array(directions, "directions", 2)
    size = layer.n_in
    if o.shape != (size,) or columns.shape[0] != size or columns.shape[1] == 0:
        raise ShapeError(
            f"restrict: expected an origin of shape ({size},) and directions of shape ({size}, k) with "
            f"k >= 1, got {o.shape} and {columns.shape}."
        )
    exact = DyadicMatrix.from_array(layer.weight)
    weight = exact @ DyadicMatrix.from_array(columns)
    bias = exact @ DyadicMatrix.from_array(o[:, None]) + DyadicMatrix.from_array(layer.bias[:, None])
    return Layer(
        as_float_array(weight.to_float(), "restrict: weight of the sliced network", 2),
        as_float_array(bias.to_float()[:, 0], "restrict: bias of the sliced network", 1),
        layer.units,
        layer.activation,
    )
