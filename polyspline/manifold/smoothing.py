"""Smoothing (section 4.3): a torch module whose units are soft gates, from affine to the network itself."""

from __future__ import annotations

import copy
import math
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from polyspline.cpa.activations import spell_unit
from polyspline.cpa.layers import Layer
from polyspline.cpa.units import ScalarUnit
from polyspline.errors import ArgumentError, ShapeError, UnsupportedLayerError, require
from polyspline.network import Network
from solvers.float_mode import gradual_underflow

if TYPE_CHECKING:
    import torch

    Module: TypeAlias = torch.nn.Module
    """For rooms that know no torch."""

Floats = npt.NDArray[np.float64]

_PURPOSE = "smooth a torch module"
_SUPPORTED = (
    "Sequential, Linear, Flatten, Identity, Dropout and the activations that Network.from_torch knows"
)


@gradual_underflow()
def smooth(module: torch.nn.Module, beta: float) -> torch.nn.Module:
    """Replace every piecewise-affine activation of a module by a soft one.

    Parameters
    ----------
    module : torch.nn.Module
        An ``nn.Sequential`` of linear layers and activations that `Network.from_torch` knows, maybe nested.
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
    one of slope s ``s u + (1 - s) sigmoid(t u) u``; any other unit is an affine function and, for each
    knot k, the jump of its slope times a ReLU of u - k, each of which becomes its gate. So abs, for one,
    is ``tanh(t u / 2) u``: the softmax-weighted mean of its two pieces with inverse temperature t over
    their difference of slopes. A unit with jumps j is off by at most ``0.2785 Σ abs(j) / t`` (a leaky
    ReLU with s <= 1 from below), so the module converges uniformly on bounded sets as beta tends to 1.
    At 0 every unit is affine: ``u / 2`` and ``(1 + s) u / 2`` of these two.

    Algorithm: one sigmoid for each knot of the units of the forward pass. An RReLU has its mean slope, as
    in evaluation mode; the slopes of a PReLU stay parameters.

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
    return soft_unit(ScalarUnit(f"leaky_relu:{slope!r}", (0.0,), (slope, 1.0), (0.0, 0.0)), beta)


def soft_unit(unit: ScalarUnit, beta: float) -> torch.nn.Module:
    """Make the soft unit that takes the place of a piecewise-affine one, see `smooth`.

    Parameters
    ----------
    unit : ScalarUnit
    beta : float
        In [0, 1).

    Returns
    -------
    torch.nn.Module
        It has no parameters.

    Raises
    ------
    ArgumentError
        If `beta` is not in [0, 1).
    MissingExtraError
        If torch is not installed.
    """
    if not 0.0 <= beta < 1.0:
        raise ArgumentError(f"soft_unit: got beta {beta}; expected 0 <= beta < 1.")
    require("torch", extra="torch", purpose=_PURPOSE)
    return _soft_classes()[0](beta, unit)


@gradual_underflow()
def module_of(net: Network) -> torch.nn.Sequential:
    """Build the torch module of a network of linear layers, ReLUs and leaky ReLUs, for `smooth`.

    Parameters
    ----------
    net : Network

    Returns
    -------
    torch.nn.Sequential
        In float64, with copies of the weights; ``Network.from_torch`` of it computes the same.

    Raises
    ------
    UnsupportedLayerError
        If a layer has other units, or units of more than one kind.
    MissingExtraError
        If torch is not installed.
    """
    require("torch", extra="torch", purpose=_PURPOSE)
    import torch
    from torch import nn

    parts: list[nn.Module] = []
    for number, layer in enumerate(net.layers):
        slope = _slope_of(layer)
        if slope is None:
            raise UnsupportedLayerError(
                f"module_of: layer {number} has other units, or several kinds of them; only networks whose "
                "layers are relu, leaky_relu or identity throughout have a module that can be smoothed."
            )
        linear = nn.Linear(layer.n_in, layer.n_out, dtype=torch.float64)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(layer.weight))
            linear.bias.copy_(torch.tensor(layer.bias))
        parts.append(linear)
        if slope != 1.0:
            parts.append(nn.ReLU() if slope == 0.0 else nn.LeakyReLU(slope))
    return nn.Sequential(*parts)


def outputs_of(module: torch.nn.Module, latents: Floats, count: int) -> Floats:
    """Evaluate a module on latents, in the module's own precision and without gradients.

    Parameters
    ----------
    module : torch.nn.Module
    latents : ndarray, shape (..., S)
    count : int
        How many outputs are expected, D.

    Returns
    -------
    ndarray of float64, shape (..., D)

    Raises
    ------
    ShapeError
        If it has another number of outputs.
    """
    import torch

    dtype = next((one.dtype for one in module.parameters()), torch.float64)
    flat = torch.tensor(latents.reshape(-1, latents.shape[-1]), dtype=dtype)
    with torch.no_grad():
        found = module(flat).double().numpy()
    if found.shape != (len(flat), count):
        raise ShapeError(
            f"the module has outputs of shape {tuple(found.shape[1:])} where ({count},) is expected: give "
            "the module that the network was read from."
        )
    return np.asarray(found.reshape(*latents.shape[:-1], count))


def _slope_of(layer: Layer) -> float | None:
    """Slope for negative inputs of the one leaky ReLU of a layer; 1 for the identity, None for others."""
    unit = layer.units[0]
    if any(other != unit for other in layer.units) or not isinstance(unit, ScalarUnit):
        return None
    if not any(unit.offsets) and unit.slopes[-1] == 1.0 and unit.knots in ((), (0.0,)):
        return unit.slopes[0]
    return None


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
    known = (nn.Sequential, nn.Linear, nn.Flatten, nn.Identity, nn.Dropout)
    # A subclass with a forward pass of its own computes something else.
    plain = any(isinstance(module, cls) and type(module).forward is cls.forward for cls in known)
    if not plain and not _is_prelu(module) and _unit_of(module) is None:
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

    if isinstance(module, nn.PReLU):
        return _soft_classes()[1](beta, module.weight)
    if not isinstance(module, nn.Sequential | nn.Linear | nn.Flatten | nn.Identity | nn.Dropout):
        unit = _unit_of(module)
        assert unit is not None  # it was checked
        return soft_unit(unit, beta)
    for key, child in module._modules.items():
        if child is not None:
            module._modules[key] = _replaced(child, beta)
    return module


def _is_prelu(module: torch.nn.Module) -> bool:
    """Whether a module is a PReLU, whose slopes are parameters."""
    from torch import nn

    return isinstance(module, nn.PReLU) and type(module).forward is nn.PReLU.forward


def _unit_of(module: torch.nn.Module) -> ScalarUnit | None:
    """Read the unit that a module without parameters applies to every number; None if it does not."""
    import torch
    from torch import nn

    first = nn.Linear(1, 1)
    with torch.no_grad():
        first.weight.fill_(1.0)
        first.bias.fill_(0.0)
    try:
        layers = Network.from_torch(nn.Sequential(first, module)).layers
    except UnsupportedLayerError:
        return None
    unit = layers[0].units[0]
    same = len(layers) == 1 and layers[0].weight.tolist() == [[1.0]] and layers[0].bias.tolist() == [0.0]
    return unit if same and isinstance(unit, ScalarUnit) else None


@cache
def _soft_classes() -> tuple[type[torch.nn.Module], type[torch.nn.Module]]:
    """Build the classes on first use, because they derive from one of torch."""
    import torch

    class SoftUnit(torch.nn.Module):
        """A piecewise-affine unit whose kinks are smoothed by sigmoids."""

        def __init__(self, beta: float, unit: ScalarUnit) -> None:
            super().__init__()
            self.beta, self.unit = beta, unit

        def forward(self, u: torch.Tensor) -> torch.Tensor:
            """Apply the unit to every entry."""
            rate = self.beta / (1.0 - self.beta)
            terms = [slope * u for slope in self.unit.slopes[:1] if slope != 0.0]
            for knot, jump in zip(self.unit.knots, _jumps(self.unit), strict=True):
                away = u - knot
                terms.append(jump * (torch.sigmoid(rate * away) * away))
            total = terms[0] if terms else torch.zeros_like(u)
            for term in terms[1:]:
                total = total + term
            return total + self.unit.offsets[0] if self.unit.offsets[0] else total

        def extra_repr(self) -> str:
            """Show how soft it is, and what it softens."""
            return f"beta={self.beta}, unit={spell_unit(self.unit)}"

        def __reduce__(self) -> tuple[object, tuple[ScalarUnit, float]]:
            # The class has no name in a module that a copy or a pickle could be made by.
            return soft_unit, (self.unit, self.beta)

    class SoftPReLU(torch.nn.Module):
        """A leaky ReLU smoothed by a sigmoid, whose slopes are parameters, one or one for each channel."""

        def __init__(self, beta: float, weight: torch.nn.Parameter) -> None:
            super().__init__()
            self.beta, self.weight = beta, weight

        def forward(self, u: torch.Tensor) -> torch.Tensor:
            """Apply the unit to every entry; channels are the second axis."""
            slope = self.weight.view(-1, *[1] * (u.ndim - 2)) if u.ndim > 2 else self.weight
            return slope * u + (1.0 - slope) * (torch.sigmoid(self.beta / (1.0 - self.beta) * u) * u)

        def extra_repr(self) -> str:
            """Show how soft it is."""
            return f"beta={self.beta}, num_parameters={self.weight.numel()}"

        def __reduce__(self) -> tuple[object, tuple[float, torch.nn.Parameter]]:
            return _soft_prelu, (self.beta, self.weight)

    return SoftUnit, SoftPReLU


def _soft_prelu(beta: float, weight: torch.nn.Parameter) -> torch.nn.Module:
    return _soft_classes()[1](beta, weight)


def _jumps(unit: ScalarUnit) -> list[float]:
    """Jump of the slope at each knot."""
    return [after - before for before, after in pairwise(unit.slopes)]
