"""Partition: the frozen result of an enumeration, its queries, its graph and its run file."""

from __future__ import annotations

from polyspline.partition.faces import PolyhedralComplex
from polyspline.partition.packing import CodePacking
from polyspline.partition.partition import Partition, check_partition
from polyspline.partition.run_file import RunWriter
from polyspline.partition.run_state import WalkState
from polyspline.partition.save import load_partition
from polyspline.partition.stop import StopReason

__all__ = [
    "CodePacking",
    "Partition",
    "PolyhedralComplex",
    "RunWriter",
    "StopReason",
    "WalkState",
    "check_partition",
    "load_partition",
]
