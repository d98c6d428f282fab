"""Layers of the multi-layer perceptrons of scikit-learn."""

from __future__ import annotations

import sys

from polyspline.cpa.matrices import FloatArray, as_float_array
from polyspline.errors import UnsupportedLayerError

_ESTIMATORS = ("MLPRegressor", "MLPClassifier")
_HIDDEN = ("relu", "identity")


def sklearn_layers(
    estimator: object, drop_output_activation: bool
) -> tuple[list[FloatArray], list[FloatArray], list[str]]:
    """Weights, biases and activations of a fitted perceptron; see `Network.from_sklearn`.

    Parameters
    ----------
    estimator : MLPRegressor or MLPClassifier
    drop_output_activation : bool

    Returns
    -------
    weights, biases : list of ndarray of float64
    activations : list of str

    Raises
    ------
    UnsupportedLayerError, NonFiniteError
        As `Network.from_sklearn`.
    """
    # Whoever has such an estimator has loaded its module, so nothing needs to be imported.
    module = sys.modules.get("sklearn.neural_network")
    known = tuple(getattr(module, name) for name in _ESTIMATORS) if module else ()
    if not isinstance(estimator, known):
        raise UnsupportedLayerError(
            f"expected an {' or '.join(_ESTIMATORS)} of scikit-learn, got a {type(estimator).__name__}; "
            "other models may be readable as ONNX (skl2onnx)."
        )
    name = type(estimator).__name__
    if not hasattr(estimator, "coefs_"):
        raise UnsupportedLayerError(f"the {name} is not fitted yet: call its fit method first.")
    hidden, last = str(getattr(estimator, "activation", "")), str(getattr(estimator, "out_activation_", ""))
    coefficients, intercepts = estimator.coefs_, getattr(estimator, "intercepts_", [])
    if hidden not in _HIDDEN and len(coefficients) > 1:
        raise UnsupportedLayerError(
            f"the {name} has the hidden activation {hidden!r}, which is not piecewise affine; expected "
            f"{' or '.join(map(repr, _HIDDEN))}."
        )
    if last != "identity" and not drop_output_activation:
        raise UnsupportedLayerError(
            f"the {name} ends in {last!r}, which is not piecewise affine; pass drop_output_activation=True "
            "to "
            "analyse what goes into it."
        )
    weights = [as_float_array(w, f"weight {i} of the {name}", 2).T for i, w in enumerate(coefficients)]
    biases = [as_float_array(b, f"bias {i} of the {name}", 1) for i, b in enumerate(intercepts)]
    return weights, biases, [*[hidden] * (len(weights) - 1), "identity"]
