"""A tiny exact linear program: the textbook simplex with Bland's rule, in fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

Row = list[Fraction]


def maximum(
    objective: Sequence[Fraction | int],
    rows: Sequence[Sequence[Fraction | int]],
    rhs: Sequence[Fraction | int],
) -> Fraction | None:
    """The largest ``objective · x`` over free x with ``rows · x <= rhs``, or None if there is no such x.

    The maximum must be finite wherever there is a feasible x; an unbounded one raises ArithmeticError.
    """
    n = len(objective)
    # x = p - q with p, q >= 0; one slack per row; one artificial variable that makes the origin feasible.
    tableau: list[Row] = []
    for i, (row, bound) in enumerate(zip(rows, rhs, strict=True)):
        slack = [Fraction(int(j == i)) for j in range(len(rows))]
        tableau.append(
            [Fraction(a) for a in row] + [-Fraction(a) for a in row] + slack + [Fraction(-1), Fraction(bound)]
        )
    width = 2 * n + len(rows) + 1
    artificial = width - 1
    basis = [2 * n + i for i in range(len(rows))]
    worst = min(range(len(rows)), key=lambda i: tableau[i][-1], default=None)
    if worst is not None and tableau[worst][-1] < 0:
        _pivot(tableau, basis, worst, artificial)
        cost = [Fraction(0)] * width
        cost[artificial] = Fraction(-1)
        if _optimise(tableau, basis, cost, range(width)) < 0:
            return None
        if artificial in basis:
            at = basis.index(artificial)
            entering = next(j for j in range(artificial) if tableau[at][j])
            _pivot(tableau, basis, at, entering)
    cost = [Fraction(a) for a in objective] + [-Fraction(a) for a in objective]
    cost += [Fraction(0)] * (len(rows) + 1)
    return _optimise(tableau, basis, cost, range(artificial))


def _optimise(tableau: list[Row], basis: list[int], cost: Row, allowed: range) -> Fraction:
    """Pivot until no allowed variable improves the objective; Bland's rule always ends."""
    while True:
        priced = [(cost[b], row) for b, row in zip(basis, tableau, strict=True) if cost[b]]
        entering = None
        for j in allowed:
            if j not in basis and cost[j] - sum((c * row[j] for c, row in priced), Fraction(0)) > 0:
                entering = j
                break
        if entering is None:
            return sum((c * row[-1] for c, row in priced), Fraction(0))
        rising = [(i, row) for i, row in enumerate(tableau) if row[entering] > 0]
        ratios = [(row[-1] / row[entering], basis[i], i) for i, row in rising]
        if not ratios:
            raise ArithmeticError("the objective of the oracle's linear program is unbounded")
        _pivot(tableau, basis, min(ratios)[2], entering)


def _pivot(tableau: list[Row], basis: list[int], leaving: int, entering: int) -> None:
    head = tableau[leaving]
    pivot = head[entering]
    head = tableau[leaving] = [entry / pivot for entry in head]
    for i, row in enumerate(tableau):
        factor = row[entering]
        if i != leaving and factor:
            tableau[i] = [a - factor * b if b else a for a, b in zip(row, head, strict=True)]
    basis[leaving] = entering
