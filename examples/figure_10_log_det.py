"""Figure 10: log-determinants of random generators, half of whose weights are scaled.

S = 6, D = 10, L = 3, Xavier initialisation, zero biases, leaky ReLUs (slope 0.1); a random half of the
weights is scaled by sigma_1, the other half by sigma_2 in {1, 2, 3}. 2000 regions of 10 networks with
--full, by default fewer.

Expected: mean and spread of log sqrt det(A'A) rise with sigma_2. That is checked for sigma_1 = 1. The caption
prints sigma_1 = 0, which is drawn, too: then sigma_2 scales all weights that are left, which moves every
log-determinant by the same amount and cannot change the spread.

    python examples/figure_10_log_det.py [--full] [--out FILE]
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context

import polyspline as ps
from _common import command_line, finish, print_table
from polyspline.plots import plot_distributions
from polyspline.plots.style import STYLE, new_figure

WIDTHS = [6, 24, 24, 10]
FIRST, SECOND = (0.0, 1.0), (1.0, 2.0, 3.0)
REGIONS, FULL_REGIONS = 200, 2000
SEEDS, FULL_SEEDS = 5, 10

Floats = npt.NDArray[np.float64]


def rescaled(seed: int, first: float, second: float) -> ps.Network:
    """Xavier network with a random half of each weight scaled by one factor, the rest by the other."""
    rng = np.random.default_rng(seed)
    weights = []
    for fan_in, fan_out in pairwise(WIDTHS):
        bound = np.sqrt(6.0 / (fan_in + fan_out))
        weight = rng.uniform(-bound, bound, size=(fan_out, fan_in))
        half = rng.permutation(weight.size).reshape(weight.shape) < weight.size // 2
        weights.append(weight * np.where(half, first, second))
    return ps.Network.from_layers(weights, [None] * len(weights), "leaky_relu:0.1")


def log_dets(first: float, second: float, *, regions: int, seeds: int) -> Floats:
    """Log sqrt det of the regions that random latents meet, (seeds, regions): one for each latent."""
    found = []
    for seed in range(seeds):
        met = ps.sample_regions(
            rescaled(seed, first, second), ps.WholeSpace(6), regions, neighbours=False, seed=seed
        )
        found.append(np.repeat(ps.log_determinants(met).values, met.draws))
    return np.array(found)


def main() -> None:
    """Draw networks, measure, print, draw."""
    arguments = command_line(__doc__, "figure_10.png")
    full = arguments.full
    sizes = {"regions": FULL_REGIONS if full else REGIONS, "seeds": FULL_SEEDS if full else SEEDS}
    found = {(one, two): log_dets(one, two, **sizes) for one in FIRST for two in SECOND}
    # The spread is that between the regions of one network; networks differ, too.
    means = np.array([[found[one, two].mean() for two in SECOND] for one in FIRST])
    spreads = np.array([[found[one, two].std(axis=1).mean() for two in SECOND] for one in FIRST])
    print_table(
        ["sigma_1", "sigma_2", "mean", "spread"],
        [
            [str(one), str(two), float(means[row, column]), float(spreads[row, column])]
            for row, one in enumerate(FIRST)
            for column, two in enumerate(SECOND)
        ],
    )
    with rc_context(STYLE):
        figure = new_figure(8.6, 3.0)
        for axes, one in zip(figure.subplots(1, len(FIRST)), FIRST, strict=True):
            plot_distributions(
                {f"$\\sigma_2$ = {two:.0f}": found[one, two] for two in SECOND},
                axes,
                label=r"$\log\sqrt{\det A_\omega^T A_\omega}$",
                of="regions",
            )
            axes.set_title(f"$\\sigma_1$ = {one:.0f}")
            axes.set_ylim(top=1.4 * axes.get_ylim()[1])
    mean, spread = means[FIRST.index(1.0)], spreads[FIRST.index(1.0)]
    finish(
        figure,
        arguments.out,
        "mean and spread to rise with sigma_2 at sigma_1 = 1",
        f"mean {' -> '.join(f'{one:.2f}' for one in mean)}, spread "
        f"{' -> '.join(f'{one:.3f}' for one in spread)}",
        seen=bool((np.diff(mean) > 0).all() and (np.diff(spread) > 0).all()),
    )


if __name__ == "__main__":
    main()
