"""The point of a polyhedron that is nearest to a given one, in rational arithmetic.

Guarantee: exact. Termination: every row that is brought in makes the distance larger, so no
set of tight rows comes twice.

References
----------
D. Goldfarb, A. Idnani, A numerically stable dual method for solving strictly convex quadratic
programs, 1983.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from solvers.errors import SolverFailedError, SolverInputError
from solvers.integers import Number, as_fraction, scaled_integer_rows
from solvers.rational import solve

__all__ = ["NearestPoint", "nearest_point"]


@dataclass(frozen=True)
class NearestPoint:
    """The nearest point of a polyhedron.

    Attributes
    ----------
    point
        (n,).
    square
        Its squared distance.
    active
        Independent tight rows whose normals combine to ``point - centre`` with positive
        multipliers.
    """

    point: tuple[Fraction, ...]
    square: Fraction
    active: tuple[int, ...]


def nearest_point(
    rows: Sequence[Sequence[Number]],
    centre: Sequence[Number],
    *,
    limit: Number | None = None,
) -> NearestPoint | None:
    """Return the point of a polyhedron that is nearest to `centre` in the 2-norm, exactly.

    Parameters
    ----------
    rows
        Functions (n + 1,), the offset last, that are ``>= 0`` on the polyhedron; ints are the
        fast path.
    centre
        (n,).
    limit
        Squared distance above which it does not matter where the point is.

    Returns
    -------
    NearestPoint or None
        None if the polyhedron is empty, or has no point within the limit.

    Raises
    ------
    SolverInputError
        If the lengths differ or a number is not finite.

    Notes
    -----
    Algorithm: the dual active-set method. From the centre, a violated row is made tight, at the
    cost of those whose multiplier would become negative; O(m n) rational operations for each
    row that is brought in.
    """
    width = len(centre)
    if any(len(row) != width + 1 for row in rows):
        raise SolverInputError(
            f"nearest_point got rows of lengths {sorted({len(row) for row in rows})} and a centre of length "
            f"{width}; expected rows of length {width + 1}, the offset last."
        )
    integers, _ = scaled_integer_rows(rows)
    search = _Search(integers, [as_fraction(z) for z in centre])
    most = None if limit is None else as_fraction(limit)
    while True:
        violated = search.most_violated()
        if violated is None:
            return NearestPoint(tuple(search.point), search.square(), tuple(search.active))
        if not search.bring_in(violated) or (most is not None and search.square() > most):
            return None


class _Search:
    """A point that is nearest among those of its tight rows, and their multipliers."""

    def __init__(self, rows: list[list[int]], centre: list[Fraction]) -> None:
        self.rows = rows
        self.centre = centre
        self.point = list(centre)
        self.active: list[int] = []
        self.multipliers: list[Fraction] = []
        self.lengths = [sum(entry * entry for entry in row[:-1]) for row in rows]

    def square(self) -> Fraction:
        """Squared distance of the point from the centre."""
        return sum(((a - b) ** 2 for a, b in zip(self.point, self.centre, strict=True)), Fraction(0))

    def value(self, index: int) -> Fraction:
        """Value of a row at the point."""
        row = self.rows[index]
        return sum((a * z for a, z in zip(row[:-1], self.point, strict=True)), Fraction(row[-1]))

    def most_violated(self) -> int | None:
        """Return the row whose hyperplane is farthest from the point, on the wrong side."""
        worst, most = None, Fraction(0)
        for index, length in enumerate(self.lengths):
            value = self.value(index)
            if value < 0:
                if length == 0:
                    return index
                far = value * value / length
                if far > most:
                    worst, most = index, far
        return worst

    def bring_in(self, index: int) -> bool:
        """Make a violated row tight and keep the others' multipliers positive; False if none does."""
        normal = self.rows[index][:-1]
        own = Fraction(0)
        while True:
            shares, direction = self._split(normal)
            rising = sum((a * d for a, d in zip(normal, direction, strict=True)), Fraction(0))
            blocking = [
                (u / share, place)
                for place, (u, share) in enumerate(zip(self.multipliers, shares, strict=True))
                if share > 0
            ]
            if rising == 0 and not blocking:
                return False
            full = -self.value(index) / rising if rising else None
            step, leaving = min(blocking) if blocking else (full, -1)
            if full is not None and (step is None or full <= step):
                step, leaving = full, -1
            if step is None:
                raise SolverFailedError("nearest_point found no step, which its cases exclude: report it.")
            self.point = [z + step * d for z, d in zip(self.point, direction, strict=True)]
            self.multipliers = [u - step * share for u, share in zip(self.multipliers, shares, strict=True)]
            own += step
            if leaving < 0:
                self._keep_positive()
                self.active.append(index)
                self.multipliers.append(own)
                return True
            del self.active[leaving], self.multipliers[leaving]

    def _keep_positive(self) -> None:
        """Let go of rows whose multiplier has become zero."""
        kept = [place for place, u in enumerate(self.multipliers) if u > 0]
        self.active = [self.active[place] for place in kept]
        self.multipliers = [self.multipliers[place] for place in kept]

    def _split(self, normal: list[int]) -> tuple[list[Fraction], list[Fraction]]:
        """Write a normal as a combination of the tight rows' and a rest at right angles to them."""
        tight = [self.rows[index][:-1] for index in self.active]
        if not tight:
            return [], [Fraction(entry) for entry in normal]
        gram = [[sum(a * b for a, b in zip(one, two, strict=True)) for two in tight] for one in tight]
        beside = [sum(a * b for a, b in zip(one, normal, strict=True)) for one in tight]
        shares = solve(gram, beside)
        if shares is None:
            raise SolverFailedError("nearest_point has dependent tight rows, which it excludes: report it.")
        rest = [
            Fraction(entry) - sum(share * row[c] for share, row in zip(shares, tight, strict=True))
            for c, entry in enumerate(normal)
        ]
        return shares, rest
