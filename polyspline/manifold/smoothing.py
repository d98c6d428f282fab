"""Smoothing (section 4.3): a torch module whose units are soft gates, from affine to the network itself."""

from __future__ import annotations

import copy
import math
from functools import cache
from typing import TYPE_CHECKING

from polyspline.errors import ArgumentError, UnsupportedLayerError, require

if TYPE_CHECKING:
    import torch

_PURPOSE = "smooth a torch module"
_SUPPORTED = "Sequential, Linear, ReLU, LeakyReLU, Flatten, Identity and Dropout"


def smooth(module: torch.nn.Module, beta: float) -> torch.nn.Module:
    """Replace every ReLU and leaky ReLU of a module by its soft gate.

    Parameters
    ----------
    module : torch.nn.Module
        An ``nn.Sequential`` of linear layers, ReLUs and leaky ReLUs, maybe nested.
    beta : float
        In [0, 1]. 1 is the module itself, 0 makes it affine on the whole space, and between them it
        is smooth (infinitely often differentiable).

    Returns
    -------
    torch.nn.Module
        A copy, whose parameters are clones: training it leaves the original as it is. The names of
        the parameters, hence the state dict, are those of the original.

    Raises
    ------
    ArgumentError
        If `beta` is not in [0, 1].
    UnsupportedLayerError
        If the module holds anything else, or a part with forward hooks.
    MissingExtraError
        If torch is not installed.

    Notes
    -----
    Guarantee: rounded. A ReLU of u becomes ``sigmoid(t u) u`` with ``t = beta / (1 - beta)``, a leaky
    one of slope s ``s u + (1 - s) sigmoid(t u) u``. They are below the unit by at most
    ``(1 - s) 0.2785 / t`` for s <= 1, so the module converges uniformly on bounded sets as beta
    tends to 1. At 0 they are ``u / 2`` and ``(1 + s) u / 2``.

    Algorithm: one sigmoid for each unit of the forward pass.

    References
    ----------
    Max-affine spline insights, section 4.3 and Fig. 6.
    """
    if isinstance(beta, bool) or not isinstance(beta, int | float) or not 0.0 <= beta <= 1.0:
        raise ArgumentError(f"smooth: beta is {beta!r}; expected a number from 0 (affine) to 1 (unchanged).")
    require("torch", extra="torch", purpose=_PURPOSE)
    _check(module, "")
    smoothed = copy.deepcopy(module)
    return smoothed if beta == 1.0 else _replaced(smoothed, float(beta))


def soft_gate(beta: float, slope: float = 0.0) -> torch.nn.Module:
    """Make the soft gate that takes the place of one leaky ReLU; of a ReLU at slope 0.

    Parameters
    ----------
    beta : float
        In [0, 1).
    slope : float
        Of the leaky ReLU, for negative u.

    Returns
    -------
    torch.nn.Module
        It has no parameters.

    Raises
    ------
    ArgumentError
        If `beta` is not in [0, 1), or the slope is not finite.
    MissingExtraError
        If torch is not installed.
    """
    if not (0.0 <= beta < 1.0 and math.isfinite(slope)):
        raise ArgumentError(f"soft_gate: got beta {beta} and slope {slope}; expected 0 <= beta < 1, finite.")
    require("torch", extra="torch", purpose=_PURPOSE)
    return _gate_class()(beta, slope)


def _check(module: torch.nn.Module, name: str) -> None:
    """Refuse a module that is not made of the supported parts alone."""
    from torch import nn

    place = f"layer {name!r}" if name else "the module itself"
    if not isinstance(module, nn.Module):
        raise UnsupportedLayerError(f"smooth: expected a torch module, got a {type(module).__name__}.")
    if module._forward_hooks or module._forward_pre_hooks:
        raise UnsupportedLayerError(
            f"smooth: {place} carries forward hooks, which may change what it computes; remove them first."
        )
    known = (nn.Sequential, nn.Linear, nn.ReLU, nn.LeakyReLU, nn.Flatten, nn.Identity, nn.Dropout)
    # A subclass with a forward pass of its own computes something else.
    if not any(isinstance(module, cls) and type(module).forward is cls.forward for cls in known):
        raise UnsupportedLayerError(
            f"smooth: {place} is a {type(module).__name__}, which is not supported; "
            f"supported are {_SUPPORTED}."
        )
    for key, child in module._modules.items():
        if child is not None:
            _check(child, f"{name}.{key}" if name else key)


def _replaced(module: torch.nn.Module, beta: float) -> torch.nn.Module:
    """Put soft gates in the place of the units of a checked module, which is changed."""
    from torch import nn

    if isinstance(module, nn.ReLU):
        return soft_gate(beta)
    if isinstance(module, nn.LeakyReLU):
        return soft_gate(beta, float(module.negative_slope))
    for key, child in module._modules.items():
        if child is not None:
            module._modules[key] = _replaced(child, beta)
    return module


@cache
def _gate_class() -> type[torch.nn.Module]:
    """Build the class on first use, because it derives from one of torch."""
    import torch

    class SoftGate(torch.nn.Module):
        """A leaky ReLU smoothed by a sigmoid."""

        def __init__(self, beta: float, slope: float) -> None:
            super().__init__()
            self.beta, self.slope = beta, slope

        def forward(self, u: torch.Tensor) -> torch.Tensor:
            """Apply the gate to every entry."""
            gated = torch.sigmoid(self.beta / (1.0 - self.beta) * u) * u
            return gated if self.slope == 0.0 else self.slope * u + (1.0 - self.slope) * gated

        def extra_repr(self) -> str:
            """Show both numbers."""
            return f"beta={self.beta}, slope={self.slope}"

        def __reduce__(self) -> tuple[object, tuple[float, float]]:
            # The class has no name in a module that a copy or a pickle could be made by.
            return soft_gate, (self.beta, self.slope)

    return SoftGate
