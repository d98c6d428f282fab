"""Networks from models of other packages: class methods of `Network`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from polyspline.network.limits import DEFAULT, Limits
from solvers.float_mode import gradual_underflow

if TYPE_CHECKING:
    import onnx
    import torch

    from polyspline.network.network import Network


@gradual_underflow()
def from_torch(
    cls: type[Network],
    module: torch.nn.Module,
    input_shape: Sequence[int] | None = None,
    drop_output_activation: bool = False,
) -> Network:
    """Network from a torch module, in evaluation mode.

    Parameters
    ----------
    module : torch.nn.Module
        Any module that `torch.export` can trace and that is made of linear maps (Linear,
        convolutions, average pools, batch norm, sums, concatenation, reshaping ...) and
        piecewise-affine functions (ReLU and its relatives, clamp, abs, maximum, max pools ...),
        or of activations made known with `register_torch_activation`. It is left as it was.
    input_shape : sequence of int, optional
        Shape of one input without its batch dimension; by default that of the first Linear.
    drop_output_activation : bool
        Whether a smooth function at the very end (sigmoid, tanh, softmax ...), which is not
        piecewise affine, is left out, so that the network is what goes into it.

    Returns
    -------
    Network
        Of the module's weights upcast exactly to float64, from the flattened input to the
        flattened output; see `polyspline.network.lowering.lower` for what is rounded.

    Raises
    ------
    UnsupportedLayerError
        If something in the module is not piecewise affine and continuous; names it, its place
        and the reason.
    ShapeError
        If shapes do not fit ``input_shape``.
    NonFiniteError
        If a weight is NaN or infinite.
    MissingExtraError
        If torch is not installed.
    """
    from polyspline.network.from_torch import lower_module

    return cls(lower_module(module, input_shape, drop_output_activation))


@gradual_underflow()
def from_onnx(
    cls: type[Network],
    model: onnx.ModelProto | str | os.PathLike[str],
    drop_output_activation: bool = False,
    limits: Limits = DEFAULT,
) -> Network:
    """Network from an ONNX model (opset 13 or later).

    Parameters
    ----------
    model : onnx.ModelProto or path
        With one input, of which only the batch (the first axis) may be dynamic, and one output
        of real numbers, made of the operators that `from_torch` knows in torch.
    drop_output_activation : bool
        As in `from_torch`. Of a classifier that returns the probabilities ``1 - p`` and ``p`` the
        network is then what goes into ``p``.
    limits : Limits
        How much the model may ask for; ``Limits() * 10`` is ten times as much as by default.

    Returns
    -------
    Network
        Of the model's weights upcast exactly to float64, from the flattened input to the
        flattened output.

    Raises
    ------
    NetworkFileError
        If the file, or its external data, is missing or damaged, or the opset is not supported.
    UnsupportedLayerError
        If something in the model is not piecewise affine and continuous, or its shapes are
        dynamic; names the node and the reason.
    ShapeError, NonFiniteError
        If shapes do not fit, or a weight is NaN or infinite.
    TooLargeError
        If the model asks for more than the limits.
    MissingExtraError
        If onnx is not installed.
    """
    from polyspline.network.from_onnx import lower_onnx

    return cls(lower_onnx(model, drop_output_activation, limits))


@gradual_underflow()
def from_sklearn(cls: type[Network], estimator: object, drop_output_activation: bool = False) -> Network:
    """Network from a fitted ``MLPRegressor`` or ``MLPClassifier`` of scikit-learn.

    Parameters
    ----------
    estimator : sklearn.neural_network.MLPRegressor or MLPClassifier
        With ``activation="relu"`` or ``"identity"``.
    drop_output_activation : bool
        Whether the logistic function or softmax at the end of a classifier, which is not
        piecewise affine, is left out.

    Returns
    -------
    Network

    Raises
    ------
    UnsupportedLayerError
        If the estimator is another one, is not fitted, or has another activation.
    NonFiniteError
        If a weight is NaN or infinite.
    """
    from polyspline.network.from_sklearn import sklearn_layers

    return cls.from_layers(*sklearn_layers(estimator, drop_output_activation))
