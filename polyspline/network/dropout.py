"""Networks with some feature maps or some weights masked: one realisation of dropout or dropconnect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from polyspline.cpa.layers import Layer
from polyspline.cpa.matrices import FloatArray, as_float_array
from polyspline.errors import ArgumentError, ShapeError
from solvers.float_mode import gradual_underflow

if TYPE_CHECKING:
    from polyspline.network.network import Network


@gradual_underflow()
def with_dropout(net: Network, mask: Sequence[npt.ArrayLike | None]) -> Network:
    """Return the network with the feature maps of its hidden layers multiplied by a mask.

    Parameters
    ----------
    mask : sequence of array_like, each (width,)
        One for each hidden layer, zeros where a neuron is dropped; other numbers scale, as
        ``1 / (1 - rate)`` does in training. True keeps and False drops. None leaves a layer as it is.

    Returns
    -------
    Network
        With the same units: a dropped one keeps its entry in the code and is read by nobody.

    Raises
    ------
    ShapeError, NonFiniteError
        If there is not one mask for each hidden layer, or a mask does not fit its layer.

    Notes
    -----
    Guarantee: exact for masks of zeros, ones and powers of two; else each weight is rounded once.

    References
    ----------
    Max-affine spline insights, Prop. 2.
    """
    hidden = net.layers[:-1]
    _check_count(len(mask), len(hidden), "with_dropout", "hidden layer")
    layers = [net.layers[0]]
    for number, entries in enumerate(mask):
        layer = net.layers[number + 1]
        if entries is not None:
            kept = _as_mask(entries, number, 1)
            _check_shape(kept, (hidden[number].n_out,), number)
            layer = _reweighted(layer, layer.weight * kept)
        layers.append(layer)
    return replace(net, layers=tuple(layers))


@gradual_underflow()
def with_dropconnect(net: Network, mask: Sequence[npt.ArrayLike | None]) -> Network:
    """Return the network with the entries of its weights multiplied by a mask; biases stay.

    Parameters
    ----------
    mask : sequence of array_like, each (rows, in)
        One for each layer, the last included, zeros where a weight is dropped; other numbers
        scale. True keeps and False drops. None leaves a layer as it is.

    Returns
    -------
    Network

    Raises
    ------
    ShapeError, NonFiniteError
        If there is not one mask for each layer, or a mask does not fit its layer.

    Notes
    -----
    Guarantee: exact for masks of zeros, ones and powers of two; else each weight is rounded once.

    References
    ----------
    Max-affine spline insights, Prop. 2.
    """
    _check_count(len(mask), len(net.layers), "with_dropconnect", "layer")
    layers = []
    for number, (layer, entries) in enumerate(zip(net.layers, mask, strict=True)):
        if entries is not None:
            kept = _as_mask(entries, number, 2)
            _check_shape(kept, layer.weight.shape, number)
            layer = _reweighted(layer, layer.weight * kept)
        layers.append(layer)
    return replace(net, layers=tuple(layers))


def dropout_mask(net: Network, rate: float, rng: np.random.Generator) -> list[FloatArray]:
    """Draw a mask for `Network.with_dropout`: each hidden neuron is dropped with a probability.

    Parameters
    ----------
    net : Network
    rate : float
        Probability to be dropped, from 0 to 1.
    rng : numpy.random.Generator

    Returns
    -------
    list of ndarray of float64
        Zeros and ones: what is kept is not scaled, which changes no rank.

    Raises
    ------
    ArgumentError
        If the rate is not from 0 to 1.
    """
    _check_rate(rate)
    return [(rng.random(layer.n_out) >= rate).astype(np.float64) for layer in net.layers[:-1]]


def dropconnect_mask(net: Network, rate: float, rng: np.random.Generator) -> list[FloatArray]:
    """Draw a mask for `Network.with_dropconnect`: each weight is dropped with a probability.

    Parameters, result and errors are those of `dropout_mask`, with an array (rows, in) for each layer.
    """
    _check_rate(rate)
    return [(rng.random(layer.weight.shape) >= rate).astype(np.float64) for layer in net.layers]


def _as_mask(entries: npt.ArrayLike, number: int, ndim: int) -> FloatArray:
    """Numbers that a layer is multiplied by; booleans say what is kept."""
    numbers = entries
    try:
        given = np.asarray(entries)
        numbers = given.astype(np.float64) if given.dtype == np.bool_ else entries
    except ValueError:  # uneven rows, which `as_float_array` tells of
        pass
    return as_float_array(numbers, f"mask of layer {number}", ndim)


def _reweighted(layer: Layer, weight: FloatArray) -> Layer:
    return replace(layer, matrix=as_float_array(weight, "masked weight", 2))


def _check_rate(rate: float) -> None:
    if not 0.0 <= rate <= 1.0:
        raise ArgumentError(f"the rate of dropout must be from 0 to 1, got {rate}.")


def _check_count(given: int, needed: int, where: str, what: str) -> None:
    if given != needed:
        raise ShapeError(f"{where}: got {given} masks; expected {needed}, one for each {what}.")


def _check_shape(mask: FloatArray, shape: tuple[int, ...], number: int) -> None:
    if mask.shape != shape:
        raise ShapeError(f"mask of layer {number}: expected shape {shape}, got {mask.shape}.")
