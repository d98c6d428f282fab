"""Pictures of partitions, of the networks on them and of inversions (matplotlib, in one style)."""

from polyspline.plots.graph import plot_graph
from polyspline.plots.inversion import plot_inversion, save_inversion_picture
from polyspline.plots.partition import plot_partition
from polyspline.plots.picture import PICTURES, check_picture, save_picture

__all__ = [
    "PICTURES",
    "check_picture",
    "plot_graph",
    "plot_inversion",
    "plot_partition",
    "save_inversion_picture",
    "save_picture",
]
