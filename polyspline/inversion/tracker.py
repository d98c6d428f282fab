"""What an inversion knows while it goes on: the incumbent, the bound, the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyspline.domains import Box, Domain
from polyspline.inversion.problem import InversionProblem
from solvers.clock import working_time

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class InversionProgress:
    """How far an inversion is: the nearest distance, the lower bound, their gap, nodes and seconds."""

    distance: float
    lower_bound: float
    gap: float
    nodes: int
    seconds: float


def into_domain(domain: Domain, z: Floats) -> Floats:
    """Move a point that is outside by rounding into the domain; others stay as they are.

    Parameters
    ----------
    domain
        Bounded.
    z
        Finite, (S,); points far outside are moved too, along the line to an interior point.
    """
    lo, hi = domain.bounds()
    point = np.clip(z, lo, hi)
    if isinstance(domain, Box) or domain.contains(point):
        return point
    inside = domain.interior_point()
    # Bisection between a point inside and one outside, from short steps to long ones.
    for exponent in range(52, -1, -1):
        nearer = inside + (1.0 - 2.0**-exponent) * (point - inside)
        if domain.contains(nearer):
            return nearer
    return inside


class Tracker:
    """The nearest point so far, the lower bound, their history and the time that is left.

    Parameters
    ----------
    problem
        What is inverted.
    gap
        Relative gap that closes it.
    max_seconds
        Time after which `out_of_time` is true, compiling left out; None for no limit.
    report
        Called with the progress now and then.
    began
        Reading of `working_time` from which the time counts; None for now.
    """

    def __init__(
        self,
        problem: InversionProblem,
        *,
        gap: float,
        max_seconds: float | None = None,
        report: Callable[[InversionProgress], None] | None = None,
        began: float | None = None,
    ) -> None:
        self.problem = problem
        self.asked_gap = gap
        self.z: Floats | None = None
        self.distance = float("inf")
        self.lower_bound = 0.0
        self.nodes = 0
        self._history: list[tuple[float, float, float]] = []
        self._began = working_time() if began is None else began
        self._max_seconds = max_seconds
        self._report = report
        self._reported = 0.0

    # ---- what is known

    @property
    def gap(self) -> float:
        """Relative gap so far; infinite without a point."""
        if self.z is None:
            return float("inf")
        return self.problem.gap(self.distance, self.lower_bound)

    @property
    def closed(self) -> bool:
        """Whether the gap is as small as was asked for."""
        return self.gap <= self.asked_gap

    @property
    def cutoff(self) -> float:
        """Lower bounds from here on close the gap (infinite without a point)."""
        if self.z is None:
            return float("inf")
        return self.problem.cutoff(self.distance, self.asked_gap)

    @property
    def history(self) -> Floats:
        """Rows (seconds, distance, lower bound) at every improvement, (H, 3)."""
        return np.array(self._history, dtype=np.float64).reshape(-1, 3)

    # ---- the clock

    @property
    def seconds(self) -> float:
        """Time since the start, compiling left out."""
        return working_time() - self._began

    @property
    def seconds_left(self) -> float:
        """Time until the limit, at least 0; infinite without a limit."""
        return float("inf") if self._max_seconds is None else max(self._max_seconds - self.seconds, 0.0)

    @property
    def out_of_time(self) -> bool:
        """Whether the limit is reached."""
        return self.seconds_left <= 0.0

    # ---- news

    def offer(self, z: npt.ArrayLike) -> bool:
        """Take a point as the incumbent if it is nearer than the one so far.

        The point is moved into the domain first, and its distance comes from the network. The first
        one is reported at once.

        Returns
        -------
        bool
            Whether it was taken.
        """
        point = into_domain(self.problem.domain, np.asarray(z, dtype=np.float64))
        distance = self.problem.distance(point)
        if not distance < self.distance:
            return False
        first = self.z is None
        self.z, self.distance = point, distance
        self.lower_bound = min(self.lower_bound, distance)
        self._note(now=first)
        return True

    def raise_bound(self, value: float) -> None:
        """Take a lower bound if it is higher than the one so far; never above the distance."""
        value = min(value, self.distance)
        if value > self.lower_bound:
            self.lower_bound = value
            self._note()

    def tell(self, *, now: bool = False) -> None:
        """Report the progress, at most ten times a second; with `now` whenever the last report was."""
        if self._report is not None and (now or self.seconds - self._reported > 0.1):
            self._reported = self.seconds
            self._report(
                InversionProgress(self.distance, self.lower_bound, self.gap, self.nodes, self.seconds)
            )

    def _note(self, *, now: bool = False) -> None:
        self._history.append((self.seconds, self.distance, self.lower_bound))
        self.tell(now=now)
