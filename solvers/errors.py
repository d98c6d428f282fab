"""Exceptions of the solvers."""

from __future__ import annotations


class SolverError(Exception):
    """Base class of every exception that the solvers raise on purpose."""


class SolverInputError(SolverError, ValueError):
    """An argument of a solver has the wrong shape or holds numbers that are not finite."""


class SolverFailedError(SolverError, RuntimeError):
    """A solver gave up, or broke an invariant, on a well-posed problem."""


class UnboundedError(SolverError, ValueError):
    """A bounded polyhedron is needed and an unbounded one came."""


class EmptyPolyhedronError(SolverError, ValueError):
    """A polyhedron with a point, or with an interior, is needed and this one has none."""


class FlushToZeroError(SolverError, RuntimeError):
    """The thread's arithmetic flushes subnormal numbers to zero, and that cannot be changed from here."""
