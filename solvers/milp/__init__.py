"""Mixed-integer linear programs, and the programs that solve them (through PuLP)."""

from solvers.milp.backends import Backend, SolverMissingError, available_backends, find_backend
from solvers.milp.program import MixedProgram, MixedSolution, MixedStatus, ProgramBuilder, Row
from solvers.milp.solve import solve_mixed

__all__ = [
    "Backend",
    "MixedProgram",
    "MixedSolution",
    "MixedStatus",
    "ProgramBuilder",
    "Row",
    "SolverMissingError",
    "available_backends",
    "find_backend",
    "solve_mixed",
]
