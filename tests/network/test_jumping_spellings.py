"""Continuous functions that are spelled by ones that jump are units; those that go on jumping are refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from polyspline.errors import UnsupportedLayerError
from polyspline.network import Network, piecewise
from polyspline.network.from_torch import lower_program
from polyspline.network.piecewise import Piecewise
from polyspline.network.torch_program import program_of
from tests.network.models import Lambda, assert_agrees

Function = Callable[[torch.Tensor], torch.Tensor]

SPELLINGS: dict[str, tuple[Function, int]] = {
    "a product with a comparison": (lambda x: x * (x > 0), 1),
    "a mask": (lambda x: (x >= 0).to(x.dtype) * x - 0.1 * x * (x < 0), 1),
    "a sign": (lambda x: x * torch.sign(x), 1),
    "a choice of choices": (lambda x: torch.where(x > 1, 1.0, torch.where(x < -1, -1.0, x)), 2),
    "softshrink": (lambda x: torch.where(x.abs() > 0.5, x - 0.5 * torch.sign(x), 0 * x), 2),
    "a band": (lambda x: torch.where((x > -1) & (x < 1), x, torch.sign(x)), 2),
    "outside of a band": (lambda x: torch.where((x <= -1) | ~(x < 1), torch.sign(x), x), 2),
    "a shifted copy": (lambda x: torch.where(2 * x + 1 > 0, 2 * x + 1, 0.5 * x + 0.25), 1),
    "after a rectifier": (lambda x: torch.where(x.relu() > 1, 2 * x.relu() - 1, x.relu()), 2),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_continuous_function_is_units(name: str) -> None:
    function, knots = SPELLINGS[name]
    net = assert_agrees(Lambda(function), (2,))
    assert net.n_units in (2, 4)
    assert max(int(pieces) for pieces in net.n_pieces) <= knots + 1


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (torch.sign, "applies sign, which jumps"),
        (lambda x: (x > 0).to(x.dtype), "a comparison, which jumps"),
        (lambda x: torch.where(x > 0, x + 1, x), "jumps by 1.0 at 0.0"),
        (lambda x: 2 * torch.where(x > 0, x + 1, x), "jumps by 1.0 at 0.0"),
        # On the knot alone, the value is another one.
        (lambda x: torch.sign(x) * torch.sign(x), "applies sign, which jumps"),
        (lambda x: torch.sign(x) * torch.sign(x.flip(1)), "applies sign, which jumps"),
        (lambda x: torch.where(x > 0, functional.relu(x @ torch.ones(2, 2)), x), "which jumps"),
        (lambda x: torch.sign(x).cumsum(1), "applies sign, which jumps"),
    ],
)
def test_a_function_that_jumps_is_refused(function: Function, reason: str) -> None:
    with pytest.raises(UnsupportedLayerError, match=rf"the module itself \(Lambda\): .*{reason}"):
        Network.from_torch(Lambda(function), input_shape=(2,))


def test_a_program_of_core_operators_is_the_same_network() -> None:
    module = nn.Sequential(nn.Softshrink(0.25), nn.Hardsigmoid(), nn.Hardtanh(0.4, 0.6))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of itself
        exported = torch.export.export(module, (torch.zeros(1, 3, dtype=torch.float64),))
        exported = exported.run_decompositions()
    net = Network(lower_program(program_of(exported)))
    direct = Network.from_torch(module, input_shape=(3,))
    z = torch.linspace(-5.0, 5.0, 300, dtype=torch.float64).reshape(100, 3).numpy()
    assert abs(net(z) - direct(z)).max() < 1e-12
    assert net.layers[0].units == direct.layers[0].units


NUMBERS = st.integers(-3, 3).map(Fraction)


@st.composite
def functions(draw: st.DrawFn) -> Piecewise:
    knots = tuple(sorted(draw(st.sets(NUMBERS, max_size=3))))
    lines = [(draw(NUMBERS), draw(NUMBERS)) for _ in range(len(knots) + 1)]
    return Piecewise(knots, tuple(lines), tuple(draw(NUMBERS) for _ in knots))


@given(functions(), functions(), functions(), st.integers(-12, 12).map(lambda n: Fraction(n, 3)))
def test_functions_are_put_together_point_by_point(
    f: Piecewise, g: Piecewise, h: Piecewise, t: Fraction
) -> None:
    assert piecewise.composed(f, g)(t) == f(g(t))
    assert piecewise.summed(f, g, -2)(t) == f(t) - 2 * g(t)
    steps = piecewise.composed(piecewise.step(0.0, -1, 2, 1), h)
    assert piecewise.multiplied(steps, f)(t) == steps(t) * f(t)
    condition = piecewise.composed(piecewise.step(0.0, 0, 1, 1), h)
    assert piecewise.selected(condition, f, g)(t) == (f(t) if h(t) >= 0 else g(t))
