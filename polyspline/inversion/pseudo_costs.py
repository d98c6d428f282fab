"""What branching on each unit has gained so far, and what to branch on next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from polyspline.inversion.chain import Floats
from polyspline.inversion.node import Node

_CANDIDATES = 8
"""Units that are looked at at a node: those of them whose gains are not yet known well are tried."""
_AT_LEAST = 2
"""So many of the most promising are tried in any case."""
_RELIABLE = 4
"""Trials on either side after which the gains of a unit are known well."""
_WORTH_OF_DECIDING = 0.1
"""What deciding every unit is worth besides, as a share of what the bound is short of the cutoff."""
_OWN_MEAN = 0.7
"""Weight of a unit's mean gain in what is expected of it; the rest is by how far it is from its graph."""
_LEAST = 1e-7
"""Gains count as this at least, so that of two sides that gain nothing the other one still counts."""


class PseudoCosts:
    """Gains on either side of each unit's knots: of the bound, and of units that are decided with it.

    What the bound gains is expected to be partly as before, partly in relation to how far the
    relaxation is from the unit's graph. While bounds are flat, the share of decided units is all
    there is to go by.

    Parameters
    ----------
    places
        Rows of the ranges of the nodes.
    """

    def __init__(self, places: int) -> None:
        # Of every row and side: gains, distances from the graph, shares, trials.
        self._sums = np.zeros((places, 2, 4))

    def learn(self, node: Node, index: int, parts: Sequence[Node | None], cutoff: float) -> float:
        """Take note of what branching on a unit gains on either side, and tell what it is worth.

        Parameters
        ----------
        node, index
            What was branched on.
        parts
            Below and above the knot; None if nothing is left there.
        cutoff
            What a bound has to reach.

        Returns
        -------
        float
            Product of both gains, as both sides have to be closed.
        """
        room = cutoff - node.bound
        gains, shares = np.full(2, room), np.ones(2)
        for side, part in enumerate(parts):
            if part is not None:
                gains[side] = max(part.bound - node.bound, 0.0)
                shares[side] = 1.0 - len(part.place) / len(node.place)
        if np.isfinite(gains).all():
            off = np.full(2, node.score[index])
            self._sums[node.place[index]] += np.stack([gains, off, shares, np.ones(2)], axis=1)
        return float(_worth(gains, shares, room))

    def candidates(self, node: Node, cutoff: float) -> list[int]:
        """Choose the indices of the units to try, the most promising first, at least one."""
        of_all = self._sums.sum(axis=(0, 1))
        # A trial as all units' are on the mean counts besides a unit's own.
        sums = self._sums[node.place] + of_all / max(of_all[3], 1.0)
        trials = np.maximum(sums[:, :, 3], 1.0)
        rates = sums[:, :, 0] / sums[:, :, 1] if of_all[1] > 0.0 else np.ones(trials.shape)
        gains = _OWN_MEAN * sums[:, :, 0] / trials + (1.0 - _OWN_MEAN) * rates * node.score[:, None]
        worth = _worth(gains, sums[:, :, 2] / trials, cutoff - node.bound)
        best = np.argsort(-worth, kind="stable")[:_CANDIDATES].tolist()
        unsure = self._sums[node.place, :, 3].min(axis=1) < _RELIABLE
        return [index for rank, index in enumerate(best) if rank < _AT_LEAST or unsure[index]]


def _worth(gains: Floats, shares: Floats, room: float) -> npt.NDArray[np.float64]:
    """Product of the gains on both sides, the last axis."""
    if np.isfinite(room):
        gains = gains + _WORTH_OF_DECIDING * room * shares
    return np.asarray(np.prod(np.maximum(gains, _LEAST), axis=-1))
