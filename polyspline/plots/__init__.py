"""Pictures of partitions, of the networks on them and of inversions, in one style.

Pictures are drawn with matplotlib, into axes of the caller or into new ones; some have interactive
pages, made with plotly. `KINDS` names every picture of a partition, and `save_picture` writes them.
"""

from polyspline.plots.adjacency import plot_adjacency
from polyspline.plots.angles import plot_angles
from polyspline.plots.bars import plot_distributions, plot_histogram, plot_shares
from polyspline.plots.graph import plot_graph
from polyspline.plots.inversion import plot_inversion, save_inversion_picture
from polyspline.plots.kinds import KINDS, check_format, check_options, kind_of, save_picture
from polyspline.plots.pages import (
    adjacency_page,
    graph_page,
    page_text,
    partition_page,
    solids_page,
    surface_page,
)
from polyspline.plots.partition import plot_partition
from polyspline.plots.picture import PICTURES, check_picture
from polyspline.plots.quantities import QUANTITIES
from polyspline.plots.smoothing import plot_smoothed, plot_smoothing
from polyspline.plots.solids import plot_solids
from polyspline.plots.surface import plot_pair, plot_surface

__all__ = [
    "KINDS",
    "PICTURES",
    "QUANTITIES",
    "adjacency_page",
    "check_format",
    "check_options",
    "check_picture",
    "graph_page",
    "kind_of",
    "page_text",
    "partition_page",
    "plot_adjacency",
    "plot_angles",
    "plot_distributions",
    "plot_graph",
    "plot_histogram",
    "plot_inversion",
    "plot_pair",
    "plot_partition",
    "plot_shares",
    "plot_smoothed",
    "plot_smoothing",
    "plot_solids",
    "plot_surface",
    "save_inversion_picture",
    "save_picture",
    "solids_page",
    "surface_page",
]
