"""Negative log-likelihood of data under a generator, as a torch loss (App. C).

Differentiable in the weights: the region of each known latent is held, its map (A, b) follows the weights,
and so does the latent, as ``z = A⁺ (x - b)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from polyspline.cpa.layers import Layer
from polyspline.errors import ArgumentError, ShapeError, require
from polyspline.manifold.priors import GaussianPrior, Prior, UniformPrior
from polyspline.network import Network
from solvers.float_mode import gradual_underflow

Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]

if TYPE_CHECKING:
    import torch

    Parameters: TypeAlias = Sequence[tuple[torch.Tensor, torch.Tensor]]

_PURPOSE = "train by negative log-likelihood"


@gradual_underflow()
def parameters_of(net: Network) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Weights and biases of a network as float64 tensors that require gradients, layer by layer.

    Parameters
    ----------
    net : Network

    Returns
    -------
    list of (weight, bias)

    Raises
    ------
    MissingExtraError
        If torch is not installed.
    """
    torch = require("torch", extra="torch", purpose=_PURPOSE)
    return [
        (
            torch.tensor(layer.weight, dtype=torch.float64, requires_grad=True),
            torch.tensor(layer.bias, dtype=torch.float64, requires_grad=True),
        )
        for layer in net.layers
    ]


@gradual_underflow()
def nll(
    model: Network | torch.nn.Module,
    x: torch.Tensor | npt.ArrayLike,
    z: torch.Tensor | npt.ArrayLike,
    prior: Prior | Callable[[torch.Tensor], torch.Tensor] | None = None,
    *,
    parameters: Parameters | None = None,
    owner: npt.ArrayLike | None = None,
    reduction: str = "mean",
) -> torch.Tensor:
    """Negative log-density ``-log p_G(x)`` of data whose preimages are known.

    Parameters
    ----------
    model : Network or torch.nn.Module
        A module must be piecewise affine, in evaluation mode, from (B, S) to (B, D).
    x : tensor or array_like, shape (B, D)
        Data.
    z : tensor or array_like, shape (P, S)
        Preimages of the data, each inside a region of rank S: one for each x, or more, see `owner`.
        They say which regions count, and are not differentiated through.
    prior : GaussianPrior, UniformPrior or callable, optional
        Distribution of z; a callable takes a tensor (P, S) and returns log-densities (P,), in
        torch. Standard normal by default.
    parameters : list of (weight, bias), optional
        Tensors that take the place of a Network's weights, as of `parameters_of`. Its own,
        without gradients, by default.
    owner : array_like of int, shape (P,), optional
        Index of the x that each z is a preimage of; every x needs one. By default P = B, in order.
        All preimages of x are needed for ``p_G(x)`` where G is not injective; with fewer, the loss is
        an upper bound.
    reduction : str
        ``"mean"``, ``"sum"`` or ``"none"``.

    Returns
    -------
    torch.Tensor
        A scalar, or (B,) for ``"none"``.

    Raises
    ------
    ShapeError, ArgumentError
        If the arguments do not fit.
    MissingExtraError
        If torch is not installed.

    Notes
    -----
    Guarantee: rounded; exact for x on the image of the regions of z. Off it, as after a step of the
    weights if D > S, ``A⁺ (x - b)`` is the latent of the nearest point of the region's affine span (as in
    Cor. 2). Of a latent whose region has a rank below S, numerically, there is no density, as in
    `density`: the loss of its x is NaN, and with it the mean and the sum; ``reduction="none"`` keeps the
    others, whose gradients are not touched. Outside the domain of a uniform prior the loss is infinite, and
    so has no gradient there.

    Algorithm: of a Network, the product of its weights with the pieces held; of a module,
    its Jacobian, by one reverse pass for each output.

    References
    ----------
    Max-affine spline insights, App. C and Thm. 3.
    """
    losses: torch.Tensor = _losses(model, x, z, prior, parameters, owner)
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentError(f"nll: reduction is {reduction!r}; expected 'mean', 'sum' or 'none'.")
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


def _losses(
    model: Any, x: Any, z: Any, prior: Any, parameters: Parameters | None, owner: npt.ArrayLike | None
) -> Any:
    """Negative log-densities (B,)."""
    torch = require("torch", extra="torch", purpose=_PURPOSE)
    like = _first_tensor(torch, model, parameters)
    data, latents = (
        torch.as_tensor(
            given if isinstance(given, torch.Tensor) else np.asarray(given, dtype=np.float64),
            dtype=like.dtype,
            device=like.device,
        )
        for given in (x, z)
    )
    latents = latents.detach()
    which = _owners(torch, data, latents, owner)
    if isinstance(model, Network):
        slope, offset = _network_maps(torch, model, latents, parameters or _constants(torch, model))
    else:
        slope, offset = _module_maps(torch, model, latents)
    if data.shape[1] != slope.shape[1]:
        raise ShapeError(f"nll: x has {data.shape[1]} columns, but the model has {slope.shape[1]} outputs.")
    if slope.shape[1] < slope.shape[2]:
        raise ArgumentError(
            f"nll: the model maps {slope.shape[2]} latent dimensions to {slope.shape[1]}, so it has no "
            "density in the latent dimension; expected at least as many outputs."
        )
    full = _full_rank(torch, slope)
    # A slope that has no inverse would make NaN of the gradients of all others, too.
    whole = torch.eye(*slope.shape[1:], dtype=slope.dtype, device=slope.device)
    slope = torch.where(full[:, None, None], slope, whole)
    # With A = QR, the latent is R⁻¹ Qᵀ (x - b) and sqrt det(AᵀA) is the product of |R_ii|.
    q, r = torch.linalg.qr(slope)
    away = (data[which] - offset).unsqueeze(-1)
    moved = torch.linalg.solve_triangular(r, q.transpose(1, 2) @ away, upper=True).squeeze(-1)
    stretch = torch.diagonal(r, dim1=1, dim2=2).abs().log().sum(dim=1)
    terms = _log_prior(torch, prior, moved) - stretch
    terms = torch.where(full, terms, torch.full_like(terms, torch.nan))
    return -_log_sums(torch, terms, which, len(data))


def _full_rank(torch: Any, slope: Any) -> Any:
    """Whether slopes (P, D, S) have numerical rank S, as `numerical_ranks` of their precision."""
    values = torch.linalg.svdvals(slope.detach())
    cut = torch.finfo(slope.dtype).eps * max(slope.shape[1:]) * values[:, 0]
    return values[:, -1] > cut


def _first_tensor(torch: Any, model: Any, parameters: Parameters | None) -> Any:
    """Return a tensor whose type and device all others take."""
    if isinstance(model, Network):
        if parameters is not None and len(parameters) != len(model.layers):
            raise ShapeError(f"nll: {len(parameters)} parameters for {len(model.layers)} layers.")
        return parameters[0][0] if parameters else torch.empty(0, dtype=torch.float64)
    if parameters is not None:
        raise ArgumentError("nll: parameters take the place of a Network's; a module has its own.")
    return next(iter(model.parameters()), torch.empty(0))


def _owners(torch: Any, data: Any, latents: Any, owner: npt.ArrayLike | None) -> Any:
    if data.ndim != 2 or latents.ndim != 2:
        raise ShapeError(
            f"nll: expected x of shape (B, D) and z of shape (P, S), got {tuple(data.shape)} and "
            f"{tuple(latents.shape)}."
        )
    which = np.arange(len(latents)) if owner is None else np.asarray(owner, dtype=np.int64)
    if which.shape != (len(latents),) or not np.array_equal(np.unique(which), np.arange(len(data))):
        raise ShapeError(
            f"nll: {len(latents)} preimages for {len(data)} points; expected one for each, or owner, which "
            "names the point of each, and every point once at least."
        )
    return torch.as_tensor(which, device=data.device)


def _constants(torch: Any, net: Network) -> Parameters:
    return [(torch.tensor(layer.weight), torch.tensor(layer.bias)) for layer in net.layers]


def _network_maps(torch: Any, net: Network, latents: Any, parameters: Parameters) -> tuple[Any, Any]:
    """Slopes (P, D, S) and offsets (P, D), with the pieces of the latents under these weights held."""
    slope = torch.eye(latents.shape[1], dtype=latents.dtype, device=latents.device).expand(
        len(latents), -1, -1
    )
    offset = torch.zeros_like(latents)
    if latents.shape[1] != net.latent_dim:
        raise ShapeError(f"nll: z has {latents.shape[1]} columns; expected {net.latent_dim}.")
    value = latents
    for layer, (weight, bias) in zip(net.layers, parameters, strict=True):
        slope, offset = weight @ slope, offset @ weight.T + bias
        value = value @ weight.T + bias
        rows, *found = _pieces(layer, value.detach().cpu().numpy())
        steps, shifts, value = (
            torch.as_tensor(part, dtype=latents.dtype, device=latents.device) for part in found
        )
        if layer.has_groups:
            place = torch.arange(len(latents), device=latents.device).unsqueeze(-1)
            chosen = torch.as_tensor(rows, device=latents.device)
            slope, offset = slope[place, chosen], offset[place, chosen]
        slope, offset = steps.unsqueeze(-1) * slope, steps * offset + shifts
    return slope, offset


def _pieces(layer: Layer, before: Floats) -> tuple[Integers, Floats, Floats, Floats]:
    """Row, slope, offset and value (P, out) of the piece of each unit at pre-activations (P, rows)."""
    pieces = np.zeros((len(before), layer.n_out), dtype=np.int64)
    for unit, where, rows in layer.scalar_kinds:
        pieces[:, where] = unit.pieces(before[:, rows])
    for group, where, members in layer.group_kinds:
        pieces[:, where] = group.pieces(before[:, members])
    chosen = layer.chosen_rows(pieces)
    steps, shifts = (table[np.arange(layer.n_out), pieces] for table in layer.unit_tables)
    return chosen, steps, shifts, steps * np.take_along_axis(before, chosen, axis=1) + shifts


def _module_maps(torch: Any, module: Any, latents: Any) -> tuple[Any, Any]:
    """Slopes (P, D, S) and offsets (P, D) of a piecewise-affine module at the latents."""
    points = latents.clone().requires_grad_()
    with torch.enable_grad():
        images = module(points)
        if images.ndim != 2 or len(images) != len(latents):
            raise ShapeError(f"nll: the module returned shape {tuple(images.shape)}; expected (P, D).")
        # Points of a batch do not mix in evaluation mode: one pass for each output serves all.
        rows = [
            torch.autograd.grad(column.sum(), points, create_graph=True, materialize_grads=True)[0]
            for column in images.T
        ]
    slope = torch.stack(rows, dim=1)
    return slope, images - (slope @ latents.unsqueeze(-1)).squeeze(-1)


def _log_prior(torch: Any, prior: Any, latents: Any) -> Any:
    dim = latents.shape[1]
    given = GaussianPrior.standard(dim) if prior is None else prior
    if not isinstance(given, Prior):
        if not callable(given):
            raise ArgumentError(
                f"nll: the prior is a {type(given).__name__}; expected a prior or a function."
            )
        return given(latents)
    if given.dim != dim:
        raise ShapeError(f"nll: the prior is of dimension {given.dim}; expected {dim}.")

    def tensor(array: npt.ArrayLike) -> Any:
        return torch.as_tensor(np.array(array), dtype=latents.dtype, device=latents.device)

    if isinstance(given, GaussianPrior):
        away = torch.linalg.solve_triangular(
            tensor(given.factor), (latents - tensor(given.mean)).T, upper=False
        )
        constant = float(given.logpdf(given.mean[None])[0])
        return constant - 0.5 * (away**2).sum(dim=0)
    if isinstance(given, UniformPrior):
        inside = given.logpdf(latents.detach().cpu().numpy().astype(np.float64))
        # Zero times the latent keeps the graph: the gradient is that of a constant.
        return tensor(inside) + 0.0 * latents.sum(dim=1)
    raise ArgumentError(
        f"nll: a {type(given).__name__} is not differentiable in torch; give its log-density as a function "
        "of tensors."
    )


def _log_sums(torch: Any, terms: Any, which: Any, count: int) -> Any:
    """Logarithm of the sum of the exponentials of the terms of each point."""
    top = torch.full((count,), -torch.inf, dtype=terms.dtype, device=terms.device)
    top = top.scatter_reduce(0, which, terms.detach(), "amax")
    safe = torch.where(torch.isfinite(top), top, torch.zeros_like(top))
    sums = torch.zeros_like(top).index_add(0, which, (terms - safe[which]).exp())
    return sums.log() + safe
