"""Figure 6: a generated surface, smoothed by soft gates of inverse temperature beta / (1 - beta).

A random generator from the plane to R^3 with ReLUs; its surface for beta = 0.5, 0.9, 0.999 and for the
generator itself. The paper's other half, the likelihood of VAEs on MNIST and CIFAR10, is not repeated here.

Expected: the surface gets smoother as beta falls. What is measured is the sharpest bend of the three:
the largest change of slope between neighbouring points of a grid. At 0.999 the gates are steeper than the
grid is fine, so that bends like those of the generator are left.

    python examples/figure_06_smoothing.py [--full] [--out FILE]
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch

import polyspline as ps
from _common import command_line, finish, print_table
from polyspline.manifold.smoothing import module_of
from polyspline.plots import plot_smoothing
from polyspline.plots.style import new_figure

SEED = 29
BETAS = (0.5, 0.9, 0.999, 1.0)
# The paper gives no widths.
WIDTHS, FULL_WIDTHS = [2, 8, 8, 3], [2, 64, 64, 3]
REACH = 2.0
POINTS = 101

Floats = npt.NDArray[np.float64]


def grid() -> Floats:
    """Points of the square, (n, n, 2)."""
    axis = np.linspace(-REACH, REACH, POINTS)
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)


def sharpest_bend(images: Floats) -> float:
    """Largest change of slope of a surface (n, n, 3) between neighbouring points along either axis."""
    step = 2.0 * REACH / (POINTS - 1)
    return max(float(np.linalg.norm(np.diff(images, 2, axis=axis), axis=-1).max()) / step for axis in (0, 1))


def main() -> None:
    """Smooth, measure, draw."""
    arguments = command_line(__doc__, "figure_06.png")
    net = ps.zoo.random_network(FULL_WIDTHS if arguments.full else WIDTHS, seed=SEED)
    module = module_of(net)
    points = torch.tensor(grid())
    with torch.no_grad():
        images = [ps.smooth(module, beta)(points).numpy() for beta in BETAS]
    bends = [sharpest_bend(image) for image in images]
    apart = [float(np.linalg.norm(image - images[-1], axis=-1).max()) for image in images]
    print_table(
        ["beta", "sharpest bend", "distance to the generator"],
        [[str(beta), *row] for beta, *row in zip(BETAS, bends, apart, strict=True)],
    )
    part = ps.enumerate_regions(net, ps.Box(-REACH, REACH, dim=2))
    figure = new_figure(11.6, 3.8)
    plot_smoothing(part, BETAS[:-1], figure, module=module)
    finish(
        figure,
        arguments.out,
        "bends that get blunter as beta falls, and surfaces that come nearer to the generator's as it rises",
        f"sharpest bend {', '.join(f'{bend:.3f}' for bend in bends[:-1])} and distance "
        f"{', '.join(f'{one:.3f}' for one in apart[:-1])} for beta = {', '.join(map(str, BETAS[:-1]))}",
        seen=all(one < two for one, two in pairwise(bends[:-1]))
        and all(one > two for one, two in pairwise(apart)),
    )


if __name__ == "__main__":
    main()
