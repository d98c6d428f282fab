"""Figure 12: where the surface of a trained generator bends.

Generators from the square to R^3 with two hidden layers of equal width 6, 8, 16, 32 learn a roof
with a winding ridge, flat on both sides of it but for the winding. Each facet is coloured by the turning
angle there. With --full five consecutive seeds and longer training; by default one.

Expected: large angles sit where the roof bends. What is measured is the turning angle, summed over the
length of the facets and divided by the area, within 0.25 of the ridge and beyond.

    python examples/figure_12_bends.py [--full] [--out FILE]
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure

import polyspline as ps
from _common import command_line, finish, perceptron, print_table, shared_corners, train
from polyspline.plots import plot_angles
from polyspline.plots.style import STYLE, new_figure

WIDTHS = (6, 8, 16, 32)
SEEDS, FULL_SEEDS = (0,), (0, 1, 2, 3, 4)
EPOCHS, FULL_EPOCHS = 60, 1000
NEAR = 0.25
"""What is so near to the ridge, along the first axis, counts as the bend: a quarter of the square."""


def ridge(second: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """First coordinate of the ridge at each second one."""
    return 0.35 * np.sin(2.5 * second)


def roof(latents: torch.Tensor) -> torch.Tensor:
    """Points of the surface, (n, 3), for latents (n, 2) in the square."""
    away = latents[:, :1] - 0.35 * torch.sin(2.5 * latents[:, 1:])
    return torch.cat([latents, -0.6 * torch.sqrt(away.square() + 0.01)], dim=1)


def trained(width: int, seed: int, epochs: int) -> tuple[ps.Partition, float]:
    """Train one generator by least squares; return its partition and its root mean square error."""
    torch.manual_seed(seed)
    module = perceptron([2, width, width, 3])
    latents = 2.0 * torch.rand(2048, 2) - 1.0
    train(
        lambda some: torch.nn.functional.mse_loss(module(some), roof(some)),
        latents,
        torch.optim.Adam(module.parameters(), lr=1e-2, fused=True),
        epochs=epochs,
        batch=64,
    )
    with torch.no_grad():
        error = float((module(latents) - roof(latents)).square().sum(dim=1).mean().sqrt())
    return ps.enumerate_regions(ps.Network.from_torch(module), ps.Box(-1, 1, dim=2)), error


def turning_densities(part: ps.Partition) -> tuple[float, float]:
    """Sum turning angle times length of the facets near the ridge and beyond, per area, in degrees."""
    ends = np.zeros((len(part.edges), 2, 2))
    for pair, corners in zip(ends, shared_corners(part), strict=True):
        if len(corners):
            pair[0] = corners[0]
            pair[1] = corners[np.linalg.norm(corners - corners[0], axis=1).argmax()]
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    turning = np.nan_to_num(np.degrees(ps.edge_angles(part).turning)) * length
    # Facets cross the ridge: each is cut into pieces, which count where their middle is.
    steps = (np.arange(16) + 0.5) / 16
    points = ends[:, None, 0] + steps[:, None] * (ends[:, None, 1] - ends[:, None, 0])
    near = (np.abs(points[..., 0] - ridge(points[..., 1])) < NEAR).mean(axis=1)
    return float(turning @ near) / (4.0 * NEAR), float(turning @ (1.0 - near)) / (4.0 - 4.0 * NEAR)


def picture(parts: dict[tuple[int, int], ps.Partition]) -> Figure:
    """Draw the facets of each partition, coloured by angle."""
    seeds = sorted({seed for _, seed in parts})
    with rc_context(STYLE):
        figure = new_figure(3.1 * len(WIDTHS), 2.5 * len(seeds))
        panels = figure.subplots(len(seeds), len(WIDTHS), squeeze=False)
        second = np.linspace(-1.0, 1.0, 100)
        for (width, seed), part in parts.items():
            axes = panels[seeds.index(seed), WIDTHS.index(width)]
            plot_angles(part, axes, limits=(0.0, 60.0))
            axes.plot(ridge(second), second, ":", color="#888888", linewidth=1.0)
            axes.set_title(f"width {width}, seed {seed}")
    return figure


def main() -> None:
    """Train, enumerate, measure, draw."""
    arguments = command_line(__doc__, "figure_12.png")
    torch.set_num_threads(1)
    full = arguments.full
    parts, rows = {}, []
    for seed in FULL_SEEDS if full else SEEDS:
        for width in WIDTHS:
            part, error = trained(width, seed, FULL_EPOCHS if full else EPOCHS)
            parts[width, seed] = part
            rows.append([seed, width, len(part), error, *turning_densities(part)])
    print_table(["seed", "width", "regions", "error", "turning per area near the ridge", "beyond"], rows)
    ratios = [row[4] / row[5] for row in rows]
    finish(
        picture(parts),
        arguments.out,
        "more turning per area where the roof bends than elsewhere, in every network",
        f"{min(ratios):.1f} to {max(ratios):.1f} times as much",
        seen=min(ratios) > 1.0,
    )


if __name__ == "__main__":
    main()
