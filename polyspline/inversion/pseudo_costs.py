"""What branching on each unit has gained so far, and what to branch on next."""

from __future__ import annotations

import numpy as np

from polyspline.inversion.node import Node

_RELIABLE = 4
"""Trials on either side after which the mean gain of a unit is believed."""
_LESSER = 5.0 / 6.0
"""Weight of the lesser gain, as is usual (Linderoth and Savelsbergh 1999, Achterberg 2005)."""


class PseudoCosts:
    """Mean gains of the bound on either side of each unit's knots."""

    def __init__(self) -> None:
        self._gains: dict[tuple[int, bool], tuple[float, int]] = {}

    def learn(self, place: int, above: bool, gain: float) -> None:
        """Take note of the gain on one side of a unit."""
        if np.isfinite(gain):
            total, trials = self._gains.get((place, above), (0.0, 0))
            self._gains[place, above] = (total + max(gain, 0.0), trials + 1)

    @staticmethod
    def score(below: float, above: float) -> float:
        """Worth of two gains: mostly that of the lesser one, as both sides have to be closed."""
        return _LESSER * min(below, above) + (1.0 - _LESSER) * max(below, above)

    def candidates(self, node: Node, most: int) -> list[int]:
        """Choose the indices of the units to try, those not yet reliable first, at least one.

        Parameters
        ----------
        node
            Undecided.
        most
            At most so many that are not yet reliable.
        """
        order = np.argsort(-node.score, kind="stable").tolist()
        unsure: list[int] = []
        known: list[tuple[float, int]] = []
        for index in order:
            sides = [self._gains.get((int(node.place[index]), above), (0.0, 0)) for above in (False, True)]
            trials = min(trials for _, trials in sides)
            if trials < _RELIABLE:
                unsure.append(index)
            if trials:
                below, above = (total / number for total, number in sides)
                known.append((self.score(below, above), index))
        chosen = unsure[:most]
        if len(chosen) < 2:
            best = [index for _, index in sorted(known, key=lambda pair: -pair[0])]
            chosen += [index for index in best if index not in chosen][: 2 - len(chosen)]
        return chosen
