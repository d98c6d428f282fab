"""What an inversion knows while it goes on: the incumbent, the bound, the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from polyspline.domains import Box, Domain
from polyspline.errors import InvariantError
from polyspline.inversion.problem import InversionProblem
from solvers.clock import working_time

Floats = npt.NDArray[np.float64]


_ROUNDING = 1.0 - 2.0**-48
"""A bound lowered by this is not above a number for its own last roundings alone."""


class ClosedTrackerError(RuntimeError):
    """Work goes on that nobody waits for any more: what it found is not taken."""


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

    One thread tells it what is found, others may look on. Once closed, it takes nothing any more.

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
        # A point and its distance, changed at once.
        self._incumbent: tuple[Floats | None, float] = (None, float("inf"))
        self.lower_bound = 0.0
        self.nodes = 0
        # The highest bound that was proven; `lower_bound` is never above the distance.
        self._proven = 0.0
        self._history: list[tuple[float, float, float]] = []
        self._began = working_time() if began is None else began
        self._max_seconds = max_seconds
        self._report = report
        self._reported = 0.0
        self._stopped: float | None = None
        self._closed = False

    # ---- what is known

    @property
    def z(self) -> Floats | None:
        """The incumbent (S,), None before the first."""
        return self._incumbent[0]

    @property
    def distance(self) -> float:
        """Distance of the incumbent; infinite before the first."""
        return self._incumbent[1]

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
    def interrupted(self) -> bool:
        """Whether it was told to stop."""
        return self._stopped is not None

    @property
    def seconds_overdue(self) -> float:
        """Wall time since the limit was reached or it was told to stop; negative before."""
        late = -float("inf") if self._max_seconds is None else self.seconds - self._max_seconds
        return late if self._stopped is None else max(late, self.seconds - self._stopped)

    @property
    def seconds_left(self) -> float:
        """Time until the limit, at least 0; infinite without a limit, and 0 once told to stop."""
        if self._stopped is not None:
            return 0.0
        return float("inf") if self._max_seconds is None else max(self._max_seconds - self.seconds, 0.0)

    @property
    def out_of_time(self) -> bool:
        """Whether the limit is reached, or it was told to stop."""
        return self.seconds_left <= 0.0

    def stop(self) -> None:
        """Have whoever looks at the clock stop: Ctrl-C came."""
        if self._stopped is None:
            self._stopped = self.seconds

    def close(self) -> None:
        """Take nothing any more: whoever offers something gets a `ClosedTrackerError`."""
        self._closed = True

    # ---- news

    def offer(self, z: npt.ArrayLike) -> bool:
        """Take a point as the incumbent if it is nearer than the one so far.

        The point is moved into the domain first, and its distance comes from the network. The first
        one is reported at once.

        Returns
        -------
        bool
            Whether it was taken.

        Raises
        ------
        InvariantError
            If it is nearer than a proven bound allows, by more than the rounding of its distance.
        ClosedTrackerError
            If the tracker is closed.
        """
        point = into_domain(self.problem.domain, np.asarray(z, dtype=np.float64))
        if not self.problem.distance(point) < self.distance:
            return False
        distance, error = self.problem.measured(point)
        if not distance < self.distance:
            return False
        if distance < self._proven:
            self._check_bound(self._proven, point, distance, error)
        self._check_open()
        first = self.z is None
        self.lower_bound = min(self.lower_bound, distance)
        self._incumbent = point, distance
        self._note(now=first)
        return True

    def raise_bound(self, value: float, *, proven: bool = True) -> None:
        """Take a lower bound if it is higher than the one so far; never above the distance.

        Parameters
        ----------
        value
            Of the distance of every point of the domain.
        proven
            Whether it is certified. One that rests on a solver's word is taken for no more than that: it
            is cut off at the distance of a nearer point without complaint.

        Raises
        ------
        InvariantError
            If a proven one is above the distance of the incumbent, by more than that one's rounding.
        ClosedTrackerError
            If the tracker is closed.
        """
        if proven and value > self._proven:
            if self.z is not None and value > self.distance:
                self._check_bound(value, self.z, *self.problem.measured(self.z))
            self._proven = value
        value = min(value, self.distance)
        if value > self.lower_bound:
            self._check_open()
            self.lower_bound = value
            self._note()

    def _check_bound(self, bound: float, point: Floats, distance: float, error: float) -> None:
        """Raise if a proven bound is above the exact distance of a point, whatever was rounded."""
        if bound * _ROUNDING > distance + error:
            raise InvariantError(
                f"an inversion in {self.problem.norm.key} has the proven lower bound {bound!r}, but the "
                f"point {point.tolist()} is at the distance {distance!r}, exact to {error:.3g}: a defect of "
                "polyspline, please report it with the network, x and the domain."
            )

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedTrackerError("the inversion has ended; nothing more is taken.")

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
