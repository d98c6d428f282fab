"""Figure 3: a generator with dropout, trained on a circle, is an ensemble of curves.

A generator from one latent number to the plane learns the circle with dropout in its hidden layers, by
least squares on pairs of a latent and its point (the paper trains a GAN). Each realisation of the
noise is a network of its own, whose curve is drawn exactly, from knot to knot.

Expected: one continuous curve for each realisation, all different, around the circle.

    python examples/figure_03_dropout_circle.py [--full] [--out FILE]
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure

import polyspline as ps
from _common import command_line, corners_of, finish, perceptron, train
from polyspline.network.dropout import dropout_mask
from polyspline.plots.style import INK, LINES, STYLE, new_figure

SEED = 0
RATE = 0.1
WIDTH, FULL_WIDTH = 32, 64
EPOCHS, FULL_EPOCHS = 100, 2000
CURVES, FULL_CURVES = 7, 50

Floats = npt.NDArray[np.float64]


def circle(latents: torch.Tensor) -> torch.Tensor:
    """Points of the circle once around, for latents (n, 1) from -1 to 1."""
    return torch.cat([torch.cos(torch.pi * latents), torch.sin(torch.pi * latents)], dim=1)


def trained(width: int, epochs: int) -> ps.Network:
    """Train the generator with dropout, and return it without."""
    torch.manual_seed(SEED)
    generator = perceptron([1, width, width, 2], dropout=RATE)
    train(
        lambda latents: torch.nn.functional.mse_loss(generator(latents), circle(latents)),
        2.0 * torch.rand(1024, 1) - 1.0,
        torch.optim.Adam(generator.parameters(), lr=3e-3),
        epochs=epochs,
        batch=128,
    )
    return ps.Network.from_torch(generator)


def curve(net: ps.Network) -> Floats:
    """Corners (n, 2) of the curve, in order."""
    part = ps.enumerate_regions(net, ps.Box(-1, 1, dim=1))
    knots = np.unique(np.round(np.concatenate(corners_of(part)), 12))
    return net(knots[:, None])


def apart(first: ps.Network, second: ps.Network) -> float:
    """Root mean square distance of the images of the same latents."""
    latents = np.linspace(-1, 1, 401)[:, None]
    return float(np.sqrt(np.mean(((first(latents) - second(latents)) ** 2).sum(axis=1))))


def picture(curves: list[Floats], mean: Floats) -> Figure:
    """Draw the curve of each realisation, that without dropout, and the circle."""
    turn = np.linspace(0.0, 2.0 * np.pi, 60)
    with rc_context(STYLE):
        figure = new_figure(4.6, 4.2)
        axes = figure.add_subplot()
        for number, points in enumerate(curves):
            colour = LINES[number % len(LINES)]
            axes.plot(points[:, 0], points[:, 1], color=colour, linewidth=1.0, marker=".", markersize=3.0)
        axes.plot(mean[:, 0], mean[:, 1], color=INK, linewidth=1.6, label="without dropout")
        axes.plot(np.cos(turn), np.sin(turn), "o", color=INK, markersize=2.5, label="the circle")
        axes.set(aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
        axes.set_title(f"{len(curves)} realisations of dropout at rate {RATE}; dots are knots")
        axes.legend(loc="center")
    return figure


def main() -> None:
    """Train, draw noise, measure, draw."""
    arguments = command_line(__doc__, "figure_03.png")
    torch.set_num_threads(1)
    full = arguments.full
    net = trained(FULL_WIDTH if full else WIDTH, FULL_EPOCHS if full else EPOCHS)
    rng = np.random.default_rng(SEED)
    # Torch scales what dropout keeps, so that the mean stays.
    nets = [
        net.with_dropout([mask / (1.0 - RATE) for mask in dropout_mask(net, RATE, rng)])
        for _ in range(FULL_CURVES if full else CURVES)
    ]
    curves = [curve(one) for one in nets]
    pairs = [apart(one, two) for place, one in enumerate(nets) for two in nets[:place]]
    radii = np.linalg.norm(np.concatenate(curves), axis=1)
    print(f"{net}: curves of {min(map(len, curves))} to {max(map(len, curves))} corners")
    print(f"corners are {radii.mean():.3f} from the centre on average (spread {radii.std():.3f})")
    finish(
        picture(curves, curve(net)),
        arguments.out,
        f"{len(nets)} different curves around the circle of radius 1",
        f"each pair of curves at least {min(pairs):.3f} apart, mean radius {radii.mean():.3f}",
        seen=min(pairs) > 1e-3 and abs(radii.mean() - 1.0) < 0.2,
    )


if __name__ == "__main__":
    main()
