"""The first layer of a network that is restricted to an affine slice of its latent space."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from polyspline.cpa.layers import Layer
from polyspline.cpa.matrices import FloatArray, as_float_array
from polyspline.errors import ShapeError


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
