"""Polyhedra, linear programs and exact arithmetic. No networks, no torch, no graphs.

Rooms, each importing only from those before it: `errors`, `status` and `integers`
(leaves), `rational` (exact arithmetic by python-flint), `predicates` (exact decisions
with a float filter), `lp` (linear programs: exact, by HiGHS, and the walk's compiled
kernels) and `vertices` (exact V-representations), `polyhedron` (`HPolyhedron`), `qp` (regression
over polyhedra and multipliers for bounds, by daqp), `milp` (mixed-integer programs, through PuLP).

Importing this package loads none of SciPy or numba; names resolve when asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from solvers.errors import (
    EmptyPolyhedronError,
    SolverError,
    SolverFailedError,
    SolverInputError,
    UnboundedError,
)
from solvers.status import LPStatus

if TYPE_CHECKING:
    from solvers.polyhedron import HPolyhedron

__all__ = [
    "EmptyPolyhedronError",
    "HPolyhedron",
    "LPStatus",
    "SolverError",
    "SolverFailedError",
    "SolverInputError",
    "UnboundedError",
]

_LAZY = {"HPolyhedron": "solvers.polyhedron"}


def __getattr__(name: str) -> object:
    """Import the heavier names on first use (PEP 562)."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'solvers' has no attribute {name!r}")
