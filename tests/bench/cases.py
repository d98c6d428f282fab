"""What is measured: a fixed, seeded list of networks and domains."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from polyspline.domains import Box, WholeSpace
from polyspline.network import Network, zoo

SEED = 0


@dataclass(frozen=True)
class Case:
    """One walk to measure.

    Attributes
    ----------
    name
        What the table calls it.
    widths
        Layer widths of a random network; empty for the resonance arrangement.
    whole_space
        Whether to walk R^S and not the box [-1, 1]^S.
    cap
        Regions at which the walk stops, or None for all of them.
    """

    name: str
    widths: tuple[int, ...]
    whole_space: bool
    cap: int | None = None

    def network(self) -> Network:
        """Make the network: the same one each time."""
        return zoo.random_network(self.widths, seed=SEED) if self.widths else resonance_network(5)

    def domain(self) -> Box | WholeSpace:
        """Make the domain."""
        dim = self.network().latent_dim
        return WholeSpace(dim) if self.whole_space else Box(-1.0, 1.0, dim=dim)


def resonance_network(n: int) -> Network:
    """Make the network of the resonance arrangement: all sums over subsets of n coordinates vanish."""
    normals = [bits for bits in itertools.product((0.0, 1.0), repeat=n) if any(bits)]
    return zoo.arrangement_network(np.array(normals), np.zeros(len(normals)))


WIDTHS: tuple[tuple[int, ...], ...] = (
    (2, 32, 32, 32, 1),
    (3, 16, 16, 1),
    (4, 16, 16, 1),
    (2, 64, 64, 64, 10),
    (5, 12, 12, 1),
    (6, 10, 10, 1),
    (8, 8, 8, 1),
)
GROWING_WIDTHS = (4, 48, 48, 1)


def _named(widths: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, widths))}]"


def standard_cases(cap: int | None) -> list[Case]:
    """List every case of the table; `cap` cuts each walk short."""
    boxes = [Case(f"{_named(widths)} box", widths, False, cap) for widths in WIDTHS]
    spaces = [Case(f"{_named(widths)} space", widths, True, cap) for widths in WIDTHS]
    return [*boxes, *spaces, Case("resonance n=5 space", (), True, cap)]


def growth_cases(largest: int) -> list[Case]:
    """List one network cut at 10^4, 10^5 ... regions up to `largest`, to see whether its cost stays flat."""
    caps = [10**power for power in range(4, 10) if 10**power <= largest]
    return [Case(f"{_named(GROWING_WIDTHS)} box, {cap:,}", GROWING_WIDTHS, False, cap) for cap in caps]
