"""One case: a network, a domain, and what is asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.agreement.support import Problem, Where, box, polytope, whole_space
from tests.oracle.cases import oracle_layers
from tests.oracle.forms import FloatArray, OracleLayer


@dataclass(frozen=True)
class Place:
    """A domain: ``box`` (lo, hi), ``polytope`` (G, h) or ``space``."""

    kind: str
    dimension: int
    first: Any = None
    second: Any = None

    def where(self) -> Where:
        """The domain in the words of both sides."""
        if self.kind == "box":
            return box(self.first, self.second)
        if self.kind == "polytope":
            return polytope((np.array(self.first), np.array(self.second)))
        return whole_space(self.dimension)


def box_place(low: Sequence[float], high: Sequence[float]) -> Place:
    """A box."""
    return Place("box", len(low), [float(x) for x in low], [float(x) for x in high])


def cube_place(dimension: int, half_width: float = 1.0) -> Place:
    """A cube around the origin."""
    return box_place([-half_width] * dimension, [half_width] * dimension)


def polytope_place(rows: npt.ArrayLike, sides: npt.ArrayLike) -> Place:
    """A polytope ``G z <= h``."""
    normals = np.asarray(rows, dtype=np.float64)
    return Place("polytope", normals.shape[1], normals.tolist(), np.asarray(sides, np.float64).tolist())


@dataclass(frozen=True)
class Layers:
    """Weights, biases and the spelling of the activation, layer by layer."""

    weights: list[FloatArray]
    biases: list[FloatArray]
    activations: list[str]

    def oracle(self) -> list[OracleLayer]:
        """The network in the oracle's words."""
        return oracle_layers(self.weights, self.biases, self.activations)

    def network(self) -> Any:
        """The network of the package."""
        import polyspline as ps

        return ps.Network.from_layers(self.weights, self.biases, self.activations)

    def problem(self) -> Problem:
        """Both."""
        return Problem(self.network(), self.oracle())


@dataclass(frozen=True)
class BallAround:
    """A closed ball that a walk is limited to."""

    centre: list[float]
    radius: float
    norm: str


@dataclass(frozen=True)
class PartitionCase:
    """A partition to enumerate.

    Attributes
    ----------
    layers, place : the network and the domain.
    start : another start than the default one; a point of the domain.
    ball : of a walk in a ball, which is then run as well.
    flush : whether the engines run where subnormal numbers are flushed to zero.
    refusable : whether an error of the package is an answer, too.
    """

    layers: Layers
    place: Place
    start: list[float]
    ball: BallAround | None = None
    flush: bool = False
    refusable: bool = False


@dataclass(frozen=True)
class InversionCase:
    """A target to invert.

    Attributes
    ----------
    layers : the network.
    low, high : the box.
    x : the target.
    norm : the norm.
    runs : method and gap of every run.
    points : points of the box, whose distances no bound may exceed.
    seconds : limit of each run; None for a run that must end by itself.
    refusable : whether an error of the package is an answer, too.
    """

    layers: Layers
    low: list[float]
    high: list[float]
    x: list[float]
    norm: str
    runs: list[tuple[str, float]]
    points: list[list[float]]
    seconds: float | None = None
    refusable: bool = False


@dataclass(frozen=True)
class ReaderCase:
    """A file to read.

    Attributes
    ----------
    suffix : its suffix, ``.domain.npz`` for one with a domain.
    content : its bytes.
    """

    suffix: str
    content: bytes


Case = PartitionCase | InversionCase | ReaderCase
