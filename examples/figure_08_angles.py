"""Figures 8 and 11: the angles between neighbouring pieces of random generators.

Random ReLU generators with 1 and 2 hidden layers; (S; D) = (2; 3, 4, 8), (4; 5, 8, 16), (8; 9, 16, 32)
and (16; 17, 32, 64). The largest principal angle (Thm. 4) at every facet of regions met by sampling. The
baseline are pairs of pieces that share no weights: of two networks of different seeds. The paper gives no
widths; here 64, and with --full 64, 128 and 256 and more regions.

Expected: most angles are near 0, far from the baseline; more are near 90 degrees as D grows. The typical
angle does grow with D, but angles gather around it, and those above 60 degrees get fewer.

    python examples/figure_08_angles.py [--full] [--out FILE]
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.figure import Figure

import polyspline as ps
from _common import command_line, finish, print_table
from polyspline.manifold import principal_angles
from polyspline.plots import plot_distributions
from polyspline.plots.style import STYLE, new_figure

SHAPES = {2: (3, 4, 8), 4: (5, 8, 16), 8: (9, 16, 32), 16: (17, 32, 64)}
DEPTHS = (1, 2)
WIDTHS, FULL_WIDTHS = (64,), (64, 128, 256)
SEEDS, FULL_SEEDS = 2, 20
DRAWS, FULL_DRAWS = 6, 100
STEEP = 60.0
"""Angles above so many degrees are counted as near 90."""

Floats = npt.NDArray[np.float64]
Case = tuple[int, int, int, int]


def generator(case: Case, seed: int) -> ps.Network:
    """Random generator of a depth, a width, S and D."""
    depth, width, latent, ambient = case
    return ps.zoo.random_network([latent, *[width] * depth, ambient], seed=seed)


def angles(case: Case, seeds: int, draws: int) -> Floats:
    """Largest principal angle at each facet between regions of equal rank, in degrees."""
    found = []
    for seed in range(seeds):
        net = generator(case, seed)
        met = ps.sample_regions(net, ps.WholeSpace(net.latent_dim), draws, seed=seed)
        one = ps.edge_angles(met)
        found.append(np.degrees(one.principal[one.equal_ranks]))
    return np.concatenate(found)


def unshared_angles(case: Case, pairs: int) -> Floats:
    """Largest principal angle between pieces of networks that share no weights, in degrees."""
    origin = np.random.default_rng(0).standard_normal((1, case[2]))
    slopes = [
        net.affine(net.code(origin)[0])[0] for net in (generator(case, seed) for seed in range(2 * pairs))
    ]
    return np.degrees(principal_angles(np.array(slopes[::2]), np.array(slopes[1::2]))[:, 0])


def picture(found: dict[Case, Floats], baseline: dict[Case, Floats], width: int) -> Figure:
    """Draw the distributions, a panel for each S and depth."""
    with rc_context(STYLE):
        figure = new_figure(10.4, 4.6)
        panels = figure.subplots(len(DEPTHS), len(SHAPES), sharex=True)
        for row, depth in zip(panels, DEPTHS, strict=True):
            for axes, (latent, ambients) in zip(row, SHAPES.items(), strict=True):
                cases = [(depth, width, latent, ambient) for ambient in ambients]
                shown = {f"D = {case[3]}": found[case] for case in cases}
                shown["no weights shared"] = np.concatenate([baseline[case] for case in cases])
                plot_distributions(shown, axes, bins=np.linspace(0.0, 90.0, 31))
                axes.set(xticks=[0, 30, 60, 90], ylabel="")
                axes.set_title(f"S = {latent}, {depth} hidden layer{'s' * (depth > 1)} of {width}")
                axes.legend(fontsize=6.5, handlelength=1.8)
        figure.supxlabel("largest principal angle between neighbours, degrees", fontsize=9.0)
        figure.supylabel("share of facets", fontsize=9.0)
    return figure


def main() -> None:
    """Sample, measure, print, draw."""
    arguments = command_line(__doc__, "figure_08.png")
    full = arguments.full
    widths = FULL_WIDTHS if full else WIDTHS
    cases: list[Case] = [
        (depth, width, latent, ambient)
        for depth in DEPTHS
        for width in widths
        for latent, ambients in SHAPES.items()
        for ambient in ambients
    ]
    seeds, draws = (FULL_SEEDS, FULL_DRAWS) if full else (SEEDS, DRAWS)
    found = {case: angles(case, seeds, draws) for case in cases}
    baseline = {case: unshared_angles(case, 100 if full else 20) for case in cases}
    large = {case: float(np.mean(one > STEEP)) for case, one in found.items()}
    print_table(
        [
            "layers",
            "width",
            "S",
            "D",
            "facets",
            "median angle",
            "without sharing",
            f"above {STEEP:.0f} degrees",
        ],
        [
            [*case, len(one), float(np.median(one)), float(np.median(baseline[case])), large[case]]
            for case, one in found.items()
        ],
    )
    near = [np.median(found[case]) < 0.5 * np.median(baseline[case]) for case in cases]
    # From the smallest to the largest D, all else the same.
    ends = [
        [(depth, width, latent, ambients[place]) for place in (0, -1)]
        for depth in DEPTHS
        for width in widths
        for latent, ambients in SHAPES.items()
    ]
    steeper = sum(large[last] > large[first] for first, last in ends)
    wider = sum(np.median(found[last]) > np.median(found[first]) for first, last in ends)
    finish(
        picture(found, baseline, widths[-1]),
        arguments.out,
        "median angles below half of those without shared weights, and more angles above "
        f"{STEEP:.0f} degrees for the largest D than for the smallest",
        f"the first in {sum(near)} of {len(near)} cases, the second in {steeper} of {len(ends)}, where the "
        f"median angle is larger in {wider} of {len(ends)}",
        seen=all(near) and steeper == len(ends),
    )


if __name__ == "__main__":
    main()
