"""What an inversion returns, whatever the method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from solvers.status import KeyedEnum

Floats = npt.NDArray[np.float64]


class InversionStatus(KeyedEnum):
    """What the point of an inversion is worth; the value is the sentence to show."""

    OPTIMAL = "no latent point is nearer, up to the gap asked for"
    FEASIBLE = "a point was found, but nothing proves yet that none is nearer, up to the gap asked for"
    LOCAL = "a local method found this point; nothing is known of others"
    INFEASIBLE = "no latent point of the domain meets the conditions"
    NO_SOLUTION = "the search was stopped before any point was tried"


class Ending(KeyedEnum):
    """Why an inversion ended; the value is the sentence to show."""

    CLOSED = "the gap that was asked for is closed"
    SECONDS = "the time limit was reached"
    NODES = "the limit on nodes was reached"
    INTERRUPTED = "Ctrl-C stopped it"
    PRECISION = "every part was solved as far as rounding allows, and the gap is left all the same"
    REGIONS = "the partition is not complete, so nothing bounds what is missing"
    SOLVER = "the solver has nothing to add within its tolerances"
    FAILED = "the solver broke down; another one may do better"
    LOCAL = "a local method has nothing more to try"


class BoundSource(KeyedEnum):
    """Who vouches for a lower bound; the value is the sentence to show."""

    RIGOROUS = "proven by a dual solution, with the rounding of every operation accounted for"
    SOLVER = "taken from the solver and lowered by its tolerances"
    NONE = "there is no lower bound but zero"


@dataclass(frozen=True, eq=False)
class Inversion:
    """The latent point that an inversion found, and how good it is.

    Attributes
    ----------
    z
        The point (S,), inside the domain; None if there is none (`status` is no_solution).
    x_hat
        The network's output there, G(z), (D,), rounded; None if there is no point.
    distance
        Norm of the residual, recomputed from the network at z; infinite if there is no point.
    lower_bound
        No point of the domain is nearer than this; at least 0, never above `distance`.
    gap
        ``(distance - lower_bound) / max(distance, 1e-9 (1 + norm(x)))``.
    status
        What the point is worth.
    bound_source
        Who vouches for the lower bound.
    code
        Activation code at z, (N,); None if there is no point.
    A, b
        Slope (D, S) and offset (D,) of the network on that code; None if there is no point.
    norm, method
        As asked for: ``"l2"``, ``"search"`` and so on.
    solver
        The program that solved the subproblems, e.g. ``"daqp"`` or ``"cbc"``; ``"simplex"`` is
        polyspline's own, for L1.
    nodes
        Nodes of the tree, models solved, regions scanned or starts tried, as the method has them.
    seconds
        Wall time, compiling left out.
    history
        Rows (seconds, distance, lower bound) at every improvement, (H, 3).
    interrupted
        Whether Ctrl-C stopped it.
    ending
        Why it ended there.
    """

    z: Floats | None
    x_hat: Floats | None
    distance: float
    lower_bound: float
    gap: float
    status: InversionStatus
    bound_source: BoundSource
    code: npt.NDArray[Any] | None
    A: Floats | None
    b: Floats | None
    norm: str
    method: str
    solver: str
    nodes: int
    seconds: float
    history: Floats
    interrupted: bool = False
    ending: Ending = Ending.CLOSED

    def __repr__(self) -> str:
        """Show the distance, the bound and the status."""
        return (
            f"Inversion({self.status.key}, distance={self.distance:.6g}, lower_bound={self.lower_bound:.6g}, "
            f"gap={self.gap:.2g}, norm={self.norm}, method={self.method}, nodes={self.nodes})"
        )
