"""A guess of what refutes a program is believed only if it does; no degenerate vertex holds the pivots up."""

from __future__ import annotations

import numpy as np
import pytest

from solvers.lp import exact
from solvers.lp.exact import maximise
from solvers.lp.guess import BasisGuess
from solvers.status import LPStatus


@pytest.mark.parametrize(
    ("rows", "sides", "chosen"),
    [
        ([[1], [-1]], [1, 0], (0, 1)),  # they meet: 0 <= 1
        ([[1], [-1]], [0, 0], (0, 1)),  # in one point
        ([[1], [2]], [-1, 1], (0, 1)),  # both bound from one side: 2 of one less the other
        ([[-1], [-2]], [-1, 1], (0, 1)),
    ],
)
def test_rows_that_do_not_refute_are_not_believed(
    rows: list[list[int]], sides: list[int], chosen: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact, "guess_basis", lambda *_: BasisGuess(chosen, True))
    assert maximise([0], rows, sides).status is LPStatus.OPTIMAL


def test_rows_that_refute_are_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "guess_basis", lambda *_: BasisGuess((0, 1), True))
    found = maximise([1], [[1], [-1]], [0, -1])
    assert found.status is LPStatus.INFEASIBLE
    assert found.multipliers == {0: 1, 1: 1}


def test_the_program_of_beale_does_not_cycle(monkeypatch: pytest.MonkeyPatch) -> None:
    """E. M. L. Beale, Cycling in the dual simplex algorithm, 1955: Dantzig's rule alone comes back."""
    monkeypatch.setattr(exact, "guess_basis", lambda *_: None)
    objective = [75, -15000, 2, -600]
    rows = [[25, -6000, -4, 900], [50, -9000, -2, 300], [0, 0, 1, 0]]
    rows += (-np.eye(4, dtype=int)).tolist()
    found = maximise(objective, rows, [0, 0, 100, 0, 0, 0, 0])
    assert found.status is LPStatus.OPTIMAL
    assert found.value == 500
