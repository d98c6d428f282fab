"""The rows of a region miss the true ones by no more than they say: in Fractions, and without tolerance."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import polyspline as ps
from polyspline.cpa.bounds import ROUNDED, grains_of, layer_bounds
from polyspline.cpa.equilibrate import Equilibrated, equilibrate
from polyspline.cpa.knots import knots_of
from polyspline.cpa.row_space import RowSpace, row_space
from polyspline.cpa.rows import build_rows
from polyspline.cpa.tables import Tables, make_tables, max_groups_of, unit_layers
from solvers.compiled import compiled
from solvers.lp.ties import CENTRAL, INTEGRAL
from tests.exact_forms import GIVEN, Form, Given, apart, exact_forms, float_value, holds, value_at

Floats = NDArray[np.float64]
EACH = pytest.mark.parametrize("name", GIVEN)


@compiled
def write_rows(t: Tables, groups: NDArray[np.int64] | None, refined: bool, s: RowSpace) -> int:
    count, _ = build_rows(t, groups, refined, s)
    return count


def laid_out(given: Given) -> tuple[Tables, Equilibrated]:
    """The tables of a network, and the layers that they are of."""
    normals, sides = given.domain.rows()
    low, high = given.domain.bounds()
    radius = np.maximum(np.abs(low), np.abs(high))
    column = np.zeros(len(radius), np.int64)
    tables = make_tables(given.net.layers, normals, sides, radius)
    return tables, equilibrate(unit_layers(given.net.layers), column, 2.0 * radius)


def codes_of(given: Given) -> list[list[int]]:
    """Codes of some regions, and of some that are none: the bounds hold for these too."""
    points = np.random.default_rng(0).uniform(*given.domain.bounds(), (given.most, given.net.latent_dim))
    codes = {tuple(code) for code in given.net.code(points).tolist()}
    pieces = given.net.n_pieces
    codes |= {tuple(code) for code in np.random.default_rng(1).integers(0, pieces, (5, len(pieces))).tolist()}
    return [list(code) for code in sorted(codes)]


def points_of(radius: Floats) -> Floats:
    """Points of the reach: its corners, and some between them."""
    rng = np.random.default_rng(2)
    corners = rng.choice([-1.0, 1.0], (4, len(radius) - 1))
    return np.concatenate([corners, rng.uniform(-1.0, 1.0, (3, len(radius) - 1))]) * radius[:-1]


def exact_row(forms: list[Form], knots: Any, knot: int, code: list[int]) -> Form:
    """Row of a knot, positive on the side of the code."""
    row = list(forms[knots.upper[knot]])
    if knots.lower[knot] >= 0:
        row = [a - b for a, b in zip(row, forms[knots.lower[knot]], strict=True)]
    row[-1] -= Fraction(float(knots.position[knot]))
    below = code[knots.unit[knot]] == knots.low[knot]
    return [-a for a in row] if below else row


@pytest.mark.parametrize("refined", [False, True])
@EACH
def test_the_value_of_a_row_at_a_point_is_off_by_its_slack_at_most(name: str, refined: bool) -> None:
    given = GIVEN[name]
    tables, scaled = laid_out(given)
    knots, space = knots_of(scaled.layers), row_space(tables)
    exact_domain = [[Fraction(a) for a in row] for row in tables.domain_rows.T.tolist()]
    inexact = 0
    for code in codes_of(given):
        forms = [form for layer in exact_forms(scaled.layers, code) for form in layer]
        space.code[:] = code
        for n in range(write_rows(tables, max_groups_of(tables), refined, space)):
            knot = int(space.knot[n])
            row = exact_row(forms, knots, knot, code) if knot >= 0 else exact_domain[-1 - knot]
            for x in points_of(tables.radius):
                missed = abs(Fraction(float_value(space.rows[:, n], x)) - value_at(row, x.tolist()))
                assert holds(missed, space.slack[n])
                inexact += missed > 0
            if space.flags[n] & CENTRAL:
                assert row[-1] == 0
            if space.flags[n] & INTEGRAL:
                assert [Fraction(a) for a in space.rows[:, n].tolist()] == row
                assert all((a * Fraction(tables.unit)).denominator == 1 for a in row)
                assert all(abs(a * Fraction(tables.unit)) < 2**20 for a in row)
    assert inexact > 0


@pytest.mark.parametrize("refined", [False, True])
@EACH
def test_the_functions_of_a_layer_are_off_by_their_error_at_most(name: str, refined: bool) -> None:
    """Of each layer in turn, which then is the last one."""
    given = GIVEN[name]
    for depth in range(1, len(given.net.layers) + 1):
        net = ps.Network(given.net.layers[:depth])
        if not net.n_units or not len(net.layers[-1].unit_neurons):
            continue
        part = Given(net, given.domain, given.most)
        tables, scaled = laid_out(part)
        bound = layer_bounds(scaled.layers, tables.radius, scaled.beyond)[-1]
        space = row_space(tables)
        rows = scaled.layers[-1].n_rows
        for code in codes_of(part):
            forms = exact_forms(scaled.layers, code)[-1]
            space.code[:] = code
            write_rows(tables, max_groups_of(tables), refined, space)
            for i in range(rows):
                computed = space.values[:, i].copy()
                missed = apart(computed, forms[i], tables.radius)
                assert holds(missed, bound.error[i])
                both = [computed.tolist(), forms[i]]
                assert all(holds(abs(Fraction(a)), bound.coefficient[i]) for one in both for a in one)
                for one in both:
                    size = apart(np.zeros(len(tables.radius)), [Fraction(a) for a in one], tables.radius)
                    assert holds(size, bound.magnitude[i])
                    if refined:
                        assert holds(size, space.size[i])
                if refined:
                    assert holds(missed, space.error[i])
                if bound.grain[i] != ROUNDED:
                    assert missed == 0
                    assert (grains_of(computed) <= bound.grain[i]).all()
                if bound.central:
                    assert forms[i][-1] == 0


def test_weights_of_few_bits_give_exact_rows_and_weights_of_many_do_not() -> None:
    found = {}
    for bits in (8, 20, 22, 44, 50, 56, 60):
        given = GIVEN[f"dyadic of {bits} bits"]
        tables, scaled = laid_out(given)
        bounds = layer_bounds(scaled.layers, tables.radius, scaled.beyond)
        integral = tables.knot_flags & INTEGRAL
        found[bits] = ([bool((one.grain != ROUNDED).all()) for one in bounds], bool(integral.any()))
    assert found[8] == ([True, True, True], True)
    assert found[44][0] == [True, True, True]
    assert found[60][0][0]
    assert not found[60][0][2]
