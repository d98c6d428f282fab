"""What is inverted in the benchmark: networks, norms, methods, and the times to reach."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from polyspline.domains import Box
from polyspline.network import Network, load_network, zoo

Floats = npt.NDArray[np.float64]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
REACH = 3.0
NOISE = 0.1
GAP = 1e-6
NORMS = ("l2", "l1", "linf")
LEAKY = "leaky_relu:0.1"


@dataclass(frozen=True)
class InversionCase:
    """One network to invert.

    Attributes
    ----------
    name
        What the table calls it.
    widths
        Layer widths of a random network; empty for the digits decoder that ships.
    activation
        Of the hidden layers.
    l2_goal, other_goal
        CPU-seconds to reach for L2, and for L1 and L-infinity; None where there is no goal but a proof.
    max_seconds
        Wall time at which a method stops.
    digit
        Whether x is the held-out digit that ships, and not a noisy point of the image.
    """

    name: str
    widths: tuple[int, ...]
    activation: str
    l2_goal: float | None
    other_goal: float | None
    max_seconds: float
    digit: bool = False

    def goal(self, norm: str) -> float | None:
        """CPU-seconds to reach in a norm."""
        return self.l2_goal if norm == "l2" else self.other_goal

    def network(self, seed: int) -> Network:
        """Make the network of a seed: He-normal weights, biases uniform in ±1/sqrt(fan-in)."""
        if self.widths:
            return zoo.random_network(self.widths, self.activation, seed=seed)
        return load_network(EXAMPLES / "digits_decoder.npz")

    def domain(self, network: Network) -> Box:
        """Make the domain, [-3, 3]^S."""
        return Box(-REACH, REACH, dim=network.latent_dim)

    def target(self, network: Network, seed: int) -> Floats:
        """Make the x of a seed: G(z0) plus noise of 0.1 rms, z0 uniform in the domain; or the digit."""
        if self.digit:
            return np.asarray(np.load(EXAMPLES / "digit.npy"), dtype=np.float64).reshape(-1)
        rng = np.random.default_rng([seed, 1])
        image = network(rng.uniform(-REACH, REACH, size=network.latent_dim))
        noise = rng.normal(size=image.shape)
        return np.asarray(image + noise * (NOISE / np.sqrt(np.mean(noise**2))))


_NETWORKS: tuple[tuple[tuple[int, ...], float, float], ...] = (
    ((2, 16, 16, 10), 0.3, 1.0),
    ((3, 16, 16, 16), 0.3, 1.0),
    ((4, 24, 24, 32), 1.0, 3.0),
    ((5, 32, 32, 64), 3.0, 8.0),
    ((8, 32, 32, 64), 3.0, 8.0),
)
_HARD_WIDTHS = (8, 64, 64, 64)
_HARD_SECONDS = 600.0


def _named(widths: tuple[int, ...], activation: str) -> str:
    return f"[{','.join(map(str, widths))}] {activation.partition('_')[0]}"


def inversion_cases(max_seconds: float | None = None) -> list[InversionCase]:
    """List every case of the table.

    Parameters
    ----------
    max_seconds
        Wall time for each inversion. Default: 60, and 600 for the hard network.
    """
    limit = 60.0 if max_seconds is None else max_seconds
    cases = [
        InversionCase(_named(widths, activation), widths, activation, l2_goal, other_goal, limit)
        for widths, l2_goal, other_goal in _NETWORKS
        for activation in ("relu", LEAKY)
    ]
    cases.append(InversionCase("digits decoder", (), LEAKY, 3.0, 8.0, limit))
    cases.append(InversionCase("digits decoder, a digit", (), LEAKY, None, None, limit, digit=True))
    hard = _HARD_SECONDS if max_seconds is None else max_seconds
    cases.append(InversionCase(_named(_HARD_WIDTHS, LEAKY), _HARD_WIDTHS, LEAKY, None, None, hard))
    return cases


def methods_for(norm: str) -> tuple[str, ...]:
    """Methods that the table shows for a norm: the times to reach are those of the best of them."""
    return ("search",) if norm == "l2" else ("search", "milp")
