"""The engine and the oracle find the same regions, the same adjacencies and the same affine regions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.agreement.support import (
    Problem,
    Where,
    assert_agrees,
    box,
    cube,
    polytope,
    problem,
    whole_space,
)
from tests.oracle.cases import Weights, integer_weights, random_weights, simplex_with_cuts

HERE = settings(derandomize=True, deadline=None, database=None)


def domain(kind: str, dimension: int, seed: int) -> Where:
    if kind == "box":
        return cube(dimension)
    if kind == "polytope":
        return polytope(simplex_with_cuts(dimension, 2, seed))
    return whole_space(dimension)


@pytest.mark.parametrize("kind", ["box", "polytope", "whole_space"])
@pytest.mark.parametrize(
    ("widths", "activation"),
    [
        ([1, 12, 12, 1], "relu"),
        ([1, 8, 8, 2], "leaky_relu:0.1"),
        ([1, 6, 5, 1], "hardtanh"),
        ([2, 12, 12, 1], "relu"),
        ([2, 5, 5, 5, 5, 5, 2], "relu"),
        ([2, 8, 8, 3], "leaky_relu:0.1"),
        ([2, 5, 5, 1], "hardtanh"),
        ([2, 6, 4, 1], "abs"),
        ([3, 7, 6, 1], "relu"),
        ([3, 6, 4, 2], "leaky_relu:0.1"),
        ([3, 3, 2, 1], "hardtanh"),
        ([4, 5, 4, 1], "relu"),
        ([4, 4, 3, 1], "leaky_relu:0.1"),
        ([5, 5, 3, 1], "relu"),
        ([5, 4, 2, 1], "hardtanh"),
    ],
)
def test_random_networks_agree(widths: list[int], activation: str, kind: str) -> None:
    assert_agrees(
        problem(random_weights(widths, len(widths) + sum(widths)), activation), domain(kind, widths[0], 1)
    )


@pytest.mark.parametrize("kind", ["box", "whole_space"])
def test_a_thousand_regions_agree(kind: str) -> None:
    partition, _ = assert_agrees(problem(random_weights([2, 32, 32, 1], 0), "relu"), domain(kind, 2, 0))
    assert len(partition) > 1000


@pytest.mark.parametrize("seed", range(4))
def test_float32_weights_agree(seed: int) -> None:
    weights, biases = random_weights([2, 6, 6, 1], seed)
    single = [w.astype(np.float32).astype(np.float64) for w in weights]
    assert_agrees(problem((single, biases), "relu"), cube(2))


@pytest.mark.parametrize("kind", ["box", "whole_space"])
def test_units_of_the_output_layer_have_code_entries(kind: str) -> None:
    given_problem = problem(random_weights([2, 6, 3], 7), ["relu", "hardtanh"])
    partition, _ = assert_agrees(given_problem, domain(kind, 2, 0))
    assert partition.codes.shape[1] == 9


@pytest.mark.parametrize("kind", ["box", "whole_space"])
def test_layers_of_mixed_units_agree(kind: str) -> None:
    activations = ["relu|identity|hardtanh|leaky_relu:0.1|abs", "identity|relu|relu6|relu", "relu"]
    partition, _ = assert_agrees(problem(random_weights([2, 5, 4, 1], 11), activations), domain(kind, 2, 0))
    assert partition.codes.shape[1] == 8


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("widths", "activation"),
    [
        ([1, 5, 4, 1], "hardtanh"),
        ([2, 6, 5, 1], "relu"),
        ([2, 4, 4, 3, 1], "relu"),
        ([3, 5, 3, 1], "relu"),
        ([4, 4, 3, 1], "abs"),
    ],
)
def test_integer_networks_agree(widths: list[int], activation: str, seed: int) -> None:
    given_problem = problem(integer_weights(widths, seed), activation)
    assert_agrees(given_problem, cube(widths[0], 2.0))
    assert_agrees(given_problem, whole_space(widths[0]))


ACTIVATIONS = ["relu", "relu", "relu", "leaky_relu:0.1", "hardtanh", "abs", "relu6", "identity"]


@st.composite
def layers_with_ties(draw: st.DrawFn, fan_in: int, fan_out: int) -> tuple[list[list[float]], list[float]]:
    """One layer of small integers whose later rows are often relatives of earlier ones."""
    entries = st.integers(-2, 2)
    rows: list[list[float]] = []
    biases: list[float] = []
    for neuron in range(fan_out):
        kinds = ["free", "free", "free", "dead"]
        if neuron:
            kinds += ["duplicate", "negated", "proportional", "parallel"]
        kind = draw(st.sampled_from(kinds))
        row: list[float] = [0.0] * fan_in
        bias = float(draw(entries))
        if kind == "free":
            row = [float(draw(entries)) for _ in range(fan_in)]
        elif kind != "dead":
            other = draw(st.integers(0, neuron - 1))
            factor = {"duplicate": 1.0, "negated": -1.0, "parallel": 1.0}.get(kind)
            if factor is None:
                factor = draw(st.sampled_from([2.0, -0.5, 3.0, 0.1]))
            row = [factor * entry for entry in rows[other]]
            bias = bias if kind == "parallel" else factor * biases[other]
        rows.append(row)
        biases.append(bias)
    if draw(st.booleans()):
        biases = [0.0] * fan_out
    scale = draw(st.sampled_from([1.0, 1.0, 1e-6, 1e6]))
    return [[scale * entry for entry in row] for row in rows], [scale * entry for entry in biases]


@st.composite
def degenerate_problems(draw: st.DrawFn) -> tuple[Problem, Where]:
    """A small network full of ties, and a domain whose boundary often ties with it too."""
    dimension = draw(st.integers(1, 3))
    widths = [dimension, *draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)), draw(st.integers(1, 2))]
    weights: list[Any] = []
    biases: list[Any] = []
    for fan_in, fan_out in pairwise(widths):
        rows, bias = draw(layers_with_ties(fan_in, fan_out))
        weights.append(np.array(rows))
        biases.append(np.array(bias))
    activations = [draw(st.sampled_from(ACTIVATIONS)) for _ in weights]
    where = draw(st.sampled_from(["box", "cube", "simplex", "whole_space"]))
    built: Weights = (weights, biases)
    return problem(built, activations), _degenerate_domain(where, dimension)


def _degenerate_domain(kind: str, dimension: int) -> Where:
    if kind == "box":
        return box([0.0] * dimension, [1.0, 2.0, 0.5][:dimension])
    if kind == "cube":
        return cube(dimension)
    if kind == "simplex":
        eye, ones = np.eye(dimension), np.ones((1, dimension))
        return polytope((np.vstack([-eye, ones]), np.array([0.0] * dimension + [1.0])))
    return whole_space(dimension)


@settings(HERE, max_examples=200)
@given(degenerate_problems())
def test_degenerate_networks_agree(case: tuple[Problem, Where]) -> None:
    assert_agrees(*case)
