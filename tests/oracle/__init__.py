"""A slow, plain, exact oracle for the partition of a piecewise-affine network.

It shares no code with the package: standard-library integers and fractions, NumPy for reading arrays only.
"""

from tests.oracle.brute import brute_partition
from tests.oracle.forms import (
    OracleLayer,
    UnitTable,
    exact_affine,
    exact_sides,
    exact_unit_forms,
    integer_layers,
)
from tests.oracle.partition import Code, OraclePartition, OutOfReachError, oracle_partition

__all__ = [
    "Code",
    "OracleLayer",
    "OraclePartition",
    "OutOfReachError",
    "UnitTable",
    "brute_partition",
    "exact_affine",
    "exact_sides",
    "exact_unit_forms",
    "integer_layers",
    "oracle_partition",
]
