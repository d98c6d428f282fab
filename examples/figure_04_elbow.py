"""Figure 4, right: the least training error against the latent dimension S, for several sample sizes N.

Samples of a linear manifold of dimension 5 in R^10. With --full the paper's sizes: N = 100 to 1000,
encoders of 3 x 256, 30 trials of 2000 epochs, on a GPU if torch finds one (hours without); by default
fewer and narrower.

Expected: for S < 5 the summed error grows with N, for S >= 5 it is 0 up to training; so the elbow of the
largest sample is at 5. No threshold in N is claimed: smaller samples lie near curved surfaces of fewer
dimensions, too.

    python examples/figure_04_elbow.py [--full] [--out FILE]
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure

import polyspline as ps
from _common import command_line, finish, print_table
from polyspline.manifold import ElbowCurve
from polyspline.plots.style import INK, LINES, STYLE, new_figure

SEED = 0
DIMENSION, AMBIENT = 5, 10
SIZES: dict[str, Any] = {
    "latent_dims": range(3, 8),
    "sizes": [50, 100, 200],
    "trials": 2,
    "epochs": 250,
    "encoder": (96, 96, 96),
    "decoder": (24,),
    "learning_rate": 5e-3,
}
FULL: dict[str, Any] = {
    "latent_dims": range(1, 11),
    "sizes": range(100, 1001, 100),
    "trials": 30,
    "epochs": 2000,
    "encoder": (256, 256, 256),
    "decoder": (64, 64),
    "learning_rate": 3e-3,
}
ZERO = 0.01
"""An error of so small a share of the spread counts as 0 up to training."""


def picture(curve: ElbowCurve) -> Figure:
    """Draw the shares and the summed errors, a line for each N and a dot for each trial."""
    with rc_context(STYLE):
        figure = new_figure(8.6, 3.2)
        panels = figure.subplots(1, 2)
        for row, size in enumerate(curve.sizes):
            colour = LINES[row % len(LINES)]
            # A generator of more latents can leave some unused: fits of fewer bound its error, too.
            least = np.minimum.accumulate(curve.curves[row])
            panels[0].semilogy(
                curve.latent_dims, least / curve.totals[row], color=colour, label=f"N = {size}"
            )
            panels[1].plot(curve.latent_dims, least, color=colour)
            for trial in curve.errors[row].T:
                panels[0].plot(
                    curve.latent_dims, trial / curve.totals[row], ".", color=colour, markersize=3.0
                )
                panels[1].plot(curve.latent_dims, trial, ".", color=colour, markersize=3.0)
        panels[0].set_ylabel("least error, share of the spread")
        panels[1].set_ylabel("least summed squared error")
        for axes in panels:
            axes.axvline(DIMENSION, color=INK, linewidth=0.6, linestyle=":")
            axes.set(xlabel="latent dimension S", xticks=curve.latent_dims)
            axes.spines[["top", "right"]].set_visible(False)
        panels[0].set_title(f"a linear manifold of dimension {DIMENSION} (dotted)")
        panels[1].axhline(0.0, color=INK, linewidth=0.6)
        panels[0].legend(fontsize=7.0, ncols=2 if len(curve.sizes) > 5 else 1)
    return figure


def main() -> None:
    """Fit, print the errors, draw the curves."""
    arguments = command_line(__doc__, "figure_04.png")
    torch.set_num_threads(1)
    given = dict(FULL if arguments.full else SIZES)
    if arguments.full and torch.cuda.is_available():
        given["device"] = "cuda"
    rng = np.random.default_rng(SEED)
    data = rng.normal(size=(max(given["sizes"]), DIMENSION)) @ rng.normal(size=(DIMENSION, AMBIENT))
    curve = ps.elbow(data, seed=SEED, **given)
    print("least summed squared error")
    print_table(
        ["N", *(f"S = {size}" for size in curve.latent_dims), "elbow"],
        [
            [size, *map(float, row), found]
            for size, row, found in zip(curve.sizes, curve.curves, curve.elbows, strict=True)
        ],
    )
    below = curve.latent_dims < DIMENSION
    growth = curve.curves[-1, below] / curve.curves[0, below]
    left = np.minimum.accumulate(curve.shares, axis=1)[:, ~below].max()
    finish(
        picture(curve),
        arguments.out,
        f"elbow at {DIMENSION} for the largest N, errors that grow with N below it and are 0 from it on",
        f"elbow {curve.elbow}; from N = {curve.sizes[0]} to {curve.sizes[-1]} the errors below grow at least "
        f"{growth.min():.1f}-fold; from S = {DIMENSION} on at most {left:.2%} of the spread is left",
        seen=curve.elbow == DIMENSION and bool((growth > 1.0).all()) and left < ZERO,
    )


if __name__ == "__main__":
    main()
