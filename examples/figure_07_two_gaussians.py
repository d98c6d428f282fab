"""Figures 7 and 15: GANs trained on two Gaussians, and the log-determinants of their pieces.

A generator from the plane to the plane, S = D = 2, for several standard deviations sigma of two Gaussians
around (-1, 0) and (1, 0). With --full the seven sigma of the paper and three seeds; by default fewer
and shorter.

Expected, by the paper: log sqrt det(A'A) rises as sigma falls. Corollary 1 says the opposite of its mean
over the latents, which is the entropy of the output less that of the latents where G is injective: it has
to fall with sigma. What does rise is the largest singular value, which belongs to the bridge between
the modes, and the spread. All three are printed; the last line is about the mean.

    python examples/figure_07_two_gaussians.py [--full] [--out FILE]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure

import polyspline as ps
from _common import command_line, finish, perceptron, print_table, train_gan
from polyspline.plots import plot_distributions
from polyspline.plots.style import FILLS, INK, STYLE, new_figure

SIGMAS, FULL_SIGMAS = (0.01, 0.1, 1.0), (0.002, 0.01, 0.05, 0.1, 0.3, 1.0, 2.0)
SEEDS, FULL_SEEDS = (0,), (0, 1, 2)
STEPS, FULL_STEPS = 400, 10000
BATCH = 256
SAMPLES = 2048
LATENTS = 2000


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of one GAN."""

    sigma: float
    seed: int
    data: npt.NDArray[np.float64]
    images: npt.NDArray[np.float64]
    logs: npt.NDArray[np.float64]
    mean: float
    spread: float
    largest: float


def outcome(sigma: float, seed: int, steps: int) -> Outcome:
    """Train one GAN and measure its pieces, each as often as a latent met it."""
    torch.manual_seed(seed)
    generator, discriminator = perceptron([2, 32, 32, 2], 0.1), perceptron([2, 64, 64, 1], 0.2)
    data = sigma * torch.randn(SAMPLES, 2)
    data[:, 0] += torch.where(torch.arange(SAMPLES) % 2 == 0, 1.0, -1.0)
    train_gan(generator, discriminator, data, 2, epochs=steps * BATCH // SAMPLES, batch=BATCH)
    net = ps.Network.from_torch(generator)
    met = ps.sample_regions(net, ps.WholeSpace(2), LATENTS, neighbours=False, seed=seed)
    found = ps.log_determinants(met)
    figures = found.summary("draws")
    latents = np.random.default_rng(seed).standard_normal((LATENTS, 2))
    return Outcome(
        sigma,
        seed,
        data.numpy(),
        net(latents),
        np.repeat(found.values, met.draws),
        figures.mean.value,
        figures.standard_deviation,
        float(found.singular_values[met.met].max()),
    )


def picture(outcomes: list[Outcome]) -> Figure:
    """Draw data and images of each GAN of the first seed, and the distributions below."""
    with rc_context(STYLE):
        figure = new_figure(2.4 * max(len(outcomes), 3), 4.8)
        grid = figure.add_gridspec(2, len(outcomes), height_ratios=[1.0, 1.2])
        for place, one in enumerate(outcomes):
            axes = figure.add_subplot(grid[0, place])
            axes.plot(*one.data[::5].T, ".", color=FILLS[0], markersize=2.0, label="data")
            axes.plot(*one.images[::5].T, ".", color=INK, markersize=1.0, label="generated")
            axes.set_title(f"$\\sigma$ = {one.sigma}")
            reach = max(0.5, 4.0 * one.sigma)
            axes.set(xlim=(-1.0 - reach, 1.0 + reach), ylim=(-1.5 * reach, 1.5 * reach))
            if not place:
                axes.legend(markerscale=4.0, loc="upper center")
        axes = figure.add_subplot(grid[1, :])
        plot_distributions(
            {f"$\\sigma$ = {one.sigma}": one.logs for one in outcomes},
            axes,
            label=r"$\log\sqrt{\det A_\omega^T A_\omega}$",
            of="latents",
        )
    return figure


def main() -> None:
    """Train, measure, print, draw."""
    arguments = command_line(__doc__, "figure_07.png")
    torch.set_num_threads(1)
    full = arguments.full
    outcomes = [
        outcome(sigma, seed, FULL_STEPS if full else STEPS)
        for seed in (FULL_SEEDS if full else SEEDS)
        for sigma in (FULL_SIGMAS if full else SIGMAS)
    ]
    print_table(
        ["seed", "sigma", "mean log sqrt det", "spread", "largest singular value"],
        [[one.seed, str(one.sigma), one.mean, one.spread, one.largest] for one in outcomes],
    )
    first = [one for one in outcomes if one.seed == outcomes[0].seed]
    means = np.array([one.mean for one in first])
    sharp, broad = first[0], next(one for one in first if one.sigma == 1.0)
    remark = ", as Cor. 1 demands" if sharp.mean < broad.mean else ""
    finish(
        picture(first),
        arguments.out,
        "the mean of log sqrt det to rise as sigma falls",
        f"from sigma = 1 to {sharp.sigma} the mean goes from {broad.mean:.2f} to {sharp.mean:.2f}"
        f"{remark}; the largest singular value goes from {broad.largest:.1f} to {sharp.largest:.1f}, the "
        f"spread from {broad.spread:.2f} to {sharp.spread:.2f}",
        seen=bool((np.diff(means) < 0).all()),
    )


if __name__ == "__main__":
    main()
