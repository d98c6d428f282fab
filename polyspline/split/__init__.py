"""The enumerator by cell splitting: for small S and bounded domains; blind to the walk."""

from polyspline.split.complexes import (
    class_boundary_complex,
    complex,
    level_set_complex,
    split_with_faces,
)
from polyspline.split.counting import RegionBatch, RegionCount, count, fold
from polyspline.split.facade import split_regions
from polyspline.split.problem import can_split
from polyspline.split.watch import SplitProgress

__all__ = [
    "RegionBatch",
    "RegionCount",
    "SplitProgress",
    "can_split",
    "class_boundary_complex",
    "complex",
    "count",
    "fold",
    "level_set_complex",
    "split_regions",
    "split_with_faces",
]
