"""Figure 1: a random generator from R^2 to R^3, its partition and its surface in the same colours.

Expected: the image of each region is a flat polygon, and the polygons fit together: neighbours
give the same image to the facet that they share. What is measured is the largest gap there.

    python examples/figure_01_surface.py [--full] [--out FILE]
"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

import polyspline as ps
from _common import command_line, finish, shared_corners
from polyspline.plots import plot_pair

SEED = 4
# The paper gives no widths.
WIDTHS, FULL_WIDTHS = [2, 8, 8, 3], [2, 32, 32, 3]


def main() -> None:
    """Enumerate, measure, draw."""
    arguments = command_line(__doc__, "figure_01.png")
    net = ps.zoo.random_network(FULL_WIDTHS if arguments.full else WIDTHS, "leaky_relu:0.1", seed=SEED)
    part = ps.enumerate_regions(net, ps.Box(-1.5, 1.5, dim=2))
    gap, facets = 0.0, 0
    for (low, high), corners in zip(part.edges.tolist(), shared_corners(part), strict=True):
        near, far = part[low], part[high]
        apart = corners @ (near.A - far.A).T + near.b - far.b
        gap, facets = max(gap, float(np.abs(apart).max())), facets + (len(corners) == 2)
    print(f"{net}: {len(part)} regions, {len(part.edges)} facets between them")
    figure = plot_pair(part)
    assert isinstance(figure, Figure)
    finish(
        figure,
        arguments.out,
        f"{len(part)} polygons that fit together at all {len(part.edges)} facets",
        f"{facets} facets with two corners, largest gap between the images {gap:.1e}",
        seen=gap < 1e-9 and facets == len(part.edges),
    )


if __name__ == "__main__":
    main()
