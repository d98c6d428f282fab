"""Bounds of every pre-activation over a domain, never too tight."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np

from polyspline.cpa.layers import Layer, make_layer
from polyspline.domains import Box, Domain
from polyspline.inversion.chain import Chain, Floats, make_chain, unbounded_ranges
from polyspline.inversion.tightening import tighten_ranges
from polyspline.notices import compiling
from solvers.float_mode import gradual_underflow

__all__ = ["compile_bounds", "preactivation_bounds", "root_ranges", "tighten"]


def tighten(chain: Chain, ranges: Floats) -> bool:
    """Tighten ranges (S + neurons, 2) in place; False if nothing is within them.

    Notes
    -----
    Guarantee: certified; the true ranges are inside, rounding included.

    Algorithm: interval arithmetic, tightened by linear bounds of the units carried back to
    the latent point; and the latent box, by the first layer's ranges and by what those linear
    bounds leave of it where a unit was branched on.

    References
    ----------
    H. Zhang et al., "Efficient neural network robustness certification with general
    activation functions", NeurIPS 2018 (CROWN).
    """
    lines = np.empty((len(chain.table), 6))
    work = np.empty((3, int(chain.widths.max())))
    return bool(tighten_ranges(*chain, ranges, lines, work))


@lru_cache(maxsize=16)
def root_ranges(layers: tuple[Layer, ...], domain: Domain) -> tuple[Chain, Floats]:
    """Layers of scalar units laid out flat, and the ranges of their numbers over a bounded domain.

    Both are shared by all targets; the ranges, (S + neurons, 2), are read-only. Domains are
    compared by content, layers by identity.
    """
    chain = make_chain(layers)
    ranges = unbounded_ranges(chain, *domain.bounds())
    with compiling():
        tighten(chain, ranges)
    ranges.setflags(write=False)
    return chain, ranges


@cache
def compile_bounds() -> None:
    """Have the kernel compiled, on the smallest of problems, and say so if that takes long."""
    layer = make_layer([[1.0]], [0.0], "relu")
    root_ranges((layer,), Box(-1, 1, dim=1))


@gradual_underflow()
def preactivation_bounds(layers: tuple[Layer, ...], domain: Domain) -> tuple[tuple[Floats, Floats], ...]:
    """Lower and upper bound of every neuron's pre-activation over a bounded domain, layer by layer.

    Parameters
    ----------
    layers : tuple of Layer
        Of scalar units, see `comparisons`.
    domain : Domain
        Bounded. A polytope counts as its bounding box.

    Returns
    -------
    tuple of (lower, upper), each of shape (n,)

    Notes
    -----
    Guarantee: certified; the true range is inside, rounding included.
    """
    chain, ranges = root_ranges(layers, domain)
    starts = np.cumsum(chain.widths)
    blocks = np.split(ranges[starts[0] :], starts[1:-1] - starts[0])
    return tuple((block[:, 0], block[:, 1]) for block in blocks)
