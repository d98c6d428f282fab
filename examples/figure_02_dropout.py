"""Figure 2: the dimension of the pieces of a generator under dropout and dropconnect.

Random generators of S = 6, D = 10, L = 3 and equal hidden widths from 6 to 48, with leaky ReLUs
(slope 0.1), lose neurons or weights with probability 0.1 and 0.3. With --full 2000 noise draws at 2000
regions each, as in the paper; by default fewer.

Expected: dropconnect keeps the dimension near 6 even in narrow networks; dropout is well below 6
there; both come near 6 in wide ones.

    python examples/figure_02_dropout.py [--full] [--out FILE]
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps, rc_context
from matplotlib.figure import Figure

import polyspline as ps
from _common import command_line, finish, print_table
from polyspline.manifold import NoisyDimensions
from polyspline.plots.style import INK, STYLE, new_figure

SEED = 0
WIDTHS = (6, 8, 10, 12, 24, 48)
CASES = (("dropout", 0.1), ("dropout", 0.3), ("dropconnect", 0.1), ("dropconnect", 0.3))
REGIONS, FULL_REGIONS = 40, 2000
DRAWS, FULL_DRAWS = 30, 2000
NEAR = 0.5
"""A mean dimension is near 6 if it is within so much."""


def shares_of(width: int, *, regions: int, draws: int) -> list[NoisyDimensions]:
    """Distribution of the dimension of a random generator, for each case."""
    net = ps.zoo.random_network([6, width, width, 10], "leaky_relu:0.1", seed=SEED)
    met = ps.sample_regions(net, ps.WholeSpace(6), regions, neighbours=False, seed=SEED)
    return [ps.noisy_dimensions(met, noise, rate, n_draws=draws, seed=SEED) for noise, rate in CASES]


def picture(shares: npt.NDArray[np.float64]) -> Figure:
    """Stack the shares (widths, cases, S + 1) of the dimensions in one bar for each width."""
    colours = colormaps["cividis"](np.linspace(0.0, 1.0, shares.shape[2]))
    with rc_context(STYLE):
        figure = new_figure(9.6, 2.9)
        panels = figure.subplots(1, len(CASES), sharey=True)
        for axes, (noise, rate), table in zip(panels, CASES, shares.transpose(1, 2, 0), strict=True):
            base = np.zeros(len(WIDTHS))
            for dimension, heights in enumerate(table):
                axes.bar(
                    range(len(WIDTHS)),
                    heights,
                    bottom=base,
                    width=0.8,
                    color=colours[dimension],
                    edgecolor=INK,
                    linewidth=0.3,
                    label=str(dimension),
                )
                base += heights
            axes.set(xticks=range(len(WIDTHS)), xticklabels=WIDTHS, xlabel="width of the hidden layers")
            axes.set_title(f"{noise}, rate {rate}")
            axes.spines[["top", "right"]].set_visible(False)
        panels[0].set_ylabel("share of regions and draws")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(
            handles[::-1], labels[::-1], title="dimension", loc="outside right center", handlelength=1.0
        )
    return figure


def main() -> None:
    """Draw noise, count ranks, draw the distributions."""
    arguments = command_line(__doc__, "figure_02.png")
    regions, draws = (FULL_REGIONS, FULL_DRAWS) if arguments.full else (REGIONS, DRAWS)
    found = [shares_of(width, regions=regions, draws=draws) for width in WIDTHS]
    means = np.array([[one.mean for one in row] for row in found])
    print(f"mean dimension over {draws} noise draws at {regions} latents (at most 6)")
    print_table(
        ["width", *(f"{noise} {rate}" for noise, rate in CASES)],
        [[width, *map(float, row)] for width, row in zip(WIDTHS, means, strict=True)],
    )
    figure = picture(np.array([[one.shares for one in row] for row in found]))
    narrow, wide = means[0], means[-1]
    finish(
        figure,
        arguments.out,
        "at width 6 dropconnect near 6 and dropout not, at width 48 both near 6",
        f"mean dimension at width 6 {narrow[2]:.2f} and {narrow[3]:.2f} under dropconnect 0.1 and 0.3, "
        f"{narrow[0]:.2f} and {narrow[1]:.2f} under dropout; at width 48 at least {wide.min():.2f}",
        seen=bool(
            (narrow[2:] > 6 - NEAR).all() and (narrow[:2] < 6 - NEAR).all() and (wide > 6 - NEAR).all()
        ),
    )


if __name__ == "__main__":
    main()
