"""The enumerator by cell splitting: for small S and bounded domains; blind to the walk."""

from polyspline.split.complex import PolyhedralComplex, complex, level_set_complex
from polyspline.split.counting import RegionBatch, RegionCount, count, fold
from polyspline.split.facade import split_regions
from polyspline.split.problem import can_split
from polyspline.split.watch import SplitProgress

__all__ = [
    "PolyhedralComplex",
    "RegionBatch",
    "RegionCount",
    "SplitProgress",
    "can_split",
    "complex",
    "count",
    "fold",
    "level_set_complex",
    "split_regions",
]
