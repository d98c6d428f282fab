"""Vertices of hyperplanes that are almost parallel: both engines against the rational oracle.

With d = 2^-k t the hyperplanes of r, r + d, r - 3 d and a multiple of t pass through one point; then
one of them is moved by little more than an ulp, and a second layer cuts what is there.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.agreement.support import Problem, assert_agrees, cube, problem

MOVES = (None, 30, 41, 51)


def pencil(dim: int, k: int, move: int | None, seed: int) -> Problem:
    """Network whose first layer is such a pencil."""
    rng = np.random.default_rng([dim, k, seed])
    r, t = rng.integers(16, 64, (2, dim)) * rng.choice([-1, 1], (2, dim)) / 64
    point = rng.integers(-16, 17, dim) / 64
    d = t * 2.0**-k
    rows = np.array([r, r + d, r - 3 * d, 1.5 * t])
    biases = -(rows @ point)  # of few bits: exact
    if move is not None:
        biases[seed % 4] += 2.0**-move
    second = np.round(rng.uniform(-1, 1, (2, 4)), 1)
    return problem(([rows, second], [biases, np.array([0.0, 0.1])]), ["relu", "relu"])


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("k", [10, 15, 20, 25])
@pytest.mark.parametrize("method", ["split", "walk"])
def test_pencils_in_the_plane_are_split_as_the_oracle_does(method: str, k: int, move: int | None) -> None:
    for seed in range(3):
        assert_agrees(pencil(2, k, move, seed), cube(2), method=method)


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("k", [12, 24])
@pytest.mark.parametrize("method", ["split", "walk"])
def test_pencils_in_space_are_split_as_the_oracle_does(method: str, k: int, move: int | None) -> None:
    assert_agrees(pencil(3, k, move, k), cube(3), method=method)
