"""Pictures of partitions and of the networks on them (matplotlib, in one style)."""

from polyspline.plots.graph import plot_graph
from polyspline.plots.partition import plot_partition
from polyspline.plots.picture import PICTURES, check_picture, save_picture

__all__ = ["PICTURES", "check_picture", "plot_graph", "plot_partition", "save_picture"]
