"""Why an operator of a model cannot be expressed, whatever its framework calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from polyspline.errors import UnsupportedLayerError
from polyspline.network.tensors import Tensor

SUPPORTED = (
    "linear maps (Linear, convolutions, average pools, batch norm, sums, means, concatenation, padding, "
    "reshaping, nearest and linear upsampling) and piecewise-affine functions (ReLU, LeakyReLU, PReLU, "
    "ReLU6, "
    "Hardtanh, clamp, abs, Hardsigmoid, Softshrink, maximum, minimum, max pools)"
)

_SMOOTH = {
    "sigmoid": "sigmoid", "tanh": "tanh", "softmax": "softmax", "logsoftmax": "log-softmax",
    "logsigmoid": "log-sigmoid", "logsigmoidforward": "log-sigmoid", "softplus": "softplus",
    "softsign": "softsign", "elu": "ELU", "celu": "CELU", "selu": "SELU", "gelu": "GELU", "silu": "SiLU",
    "swish": "Swish", "mish": "Mish", "hardswish": "Hardswish", "exp": "exp", "log": "log", "erf": "erf",
    "sin": "sin", "cos": "cos", "sqrt": "sqrt", "rsqrt": "rsqrt", "reciprocal": "reciprocal",
    "atan": "arctan", "logsumexp": "logsumexp", "reducelogsumexp": "logsumexp", "pow": "a power",
    "square": "a square", "glu": "GLU",
}  # fmt: skip
_JUMPING = {
    "sign": "sign", "round": "round", "floor": "floor", "ceil": "ceil", "trunc": "trunc",
    "hardshrink": "Hardshrink", "gt": "a comparison", "ge": "a comparison", "lt": "a comparison",
    "le": "a comparison", "eq": "a comparison", "ne": "a comparison", "greater": "a comparison",
    "less": "a comparison", "equal": "a comparison", "greaterorequal": "a comparison",
    "lessorequal": "a comparison", "argmax": "argmax", "argmin": "argmin", "heaviside": "Heaviside",
    "remainder": "remainder", "fmod": "fmod", "mod": "Mod", "thresholdedrelu": "ThresholdedRelu",
}  # fmt: skip
_NORMS = frozenset(
    {
        "layernorm", "nativelayernorm", "groupnorm", "nativegroupnorm", "instancenorm",
        "instancenormalization", "layernormalization", "groupnormalization", "rmsnorm", "rmsnormalization",
        "localresponsenorm", "lrn", "var", "std", "norm", "linalgvectornorm", "lpnormalization", "normalize",
        "varmean", "stdmean", "meanvariancenormalization",
    }
)  # fmt: skip

HOW_TO_DROP = "pass drop_output_activation=True"
"""What the refusal of a smooth function at the very end of a model offers."""

OUTPUT_ACTIVATIONS = frozenset(
    {
        "sigmoid", "tanh", "softmax", "_softmax", "log_softmax", "_log_softmax", "log_sigmoid", "softplus",
        "softsign", "elu", "celu", "selu", "gelu", "silu", "mish", "hardswish", "exp", "log_sigmoid_forward",
        "Sigmoid", "Tanh", "Softmax", "LogSoftmax", "Softplus", "Softsign", "Elu", "Celu", "Selu", "Gelu",
        "Mish", "HardSwish", "Exp",
    }
)  # fmt: skip
"""Functions that may be left out at the very end of a model, in the names of torch and of ONNX."""


def reason_against(operator: str) -> str:
    """Tell why an operator is refused, as a phrase.

    Parameters
    ----------
    operator : str
        Its name in torch (without ``aten::``) or in ONNX.
    """
    key = operator.replace("_", "").lower()
    if key in _SMOOTH:
        return f"applies {_SMOOTH[key]}, which is not piecewise affine"
    if key in _JUMPING:
        return f"applies {_JUMPING[key]}, which jumps: only continuous functions are supported"
    if key in _NORMS:
        return f"divides by a norm of its input ({operator}), which is not piecewise affine"
    return f"calls {operator}, which is not supported; supported are {SUPPORTED}"


@dataclass(frozen=True)
class Refusal:
    """A value that cannot be expressed; it is an error only if the output needs it.

    Attributes
    ----------
    place, reason : str
    before : Tensor or None
        What a smooth function was applied to, as long as its result was only moved around.
    """

    place: str
    reason: str
    before: Tensor | None = None


def refused(place: str, operator: str, wrong: UnsupportedLayerError, given: Tensor | None) -> Refusal:
    """Refusal of an operator that was given a tensor."""
    reason = str(wrong).removeprefix(f"{place} ")
    return Refusal(place, reason, given if operator in OUTPUT_ACTIVATIONS else None)


def accepted(output: Any, drop_output_activation: bool) -> Any:
    """Output of a model, without a smooth function at its end if that is wanted.

    Raises
    ------
    UnsupportedLayerError
        If it is refused.
    """
    if not isinstance(output, Refusal):
        return output
    if output.before is None:
        raise UnsupportedLayerError(f"{output.place}: {output.reason}.")
    if not drop_output_activation:
        raise UnsupportedLayerError(
            f"{output.place}: {output.reason}; {HOW_TO_DROP} to analyse what goes into it."
        )
    return output.before
