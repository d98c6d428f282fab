"""What is not piecewise affine, or no network, is refused in one sentence: where, and why."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import nn
from torch.nn import functional

from polyspline.errors import NonFiniteError, PolysplineError, ShapeError, UnsupportedLayerError
from polyspline.network import Network, load_network
from tests.network.models import Lambda, assert_agrees, seeded


class Square(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * x


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


def within(part: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Sequential(nn.ReLU(), part), nn.Linear(3, 1))


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (nn.Tanh(), "applies tanh"),
        (nn.Sigmoid(), "applies sigmoid"),
        (nn.Softmax(dim=1), "applies softmax"),
        (nn.GELU(), "applies GELU"),
        (nn.ELU(), "applies ELU"),
        (nn.Hardswish(), "applies Hardswish"),
        (nn.Hardshrink(), "Hardshrink, which jumps"),
        (nn.Threshold(0, 1), "jumps from 1.0 to 0.0"),
        (nn.LayerNorm(3), "divides by a norm"),
        (Square(), "multiplies two things that depend on the input"),
        (Branching(), "cannot be traced"),
        (nn.Bilinear(3, 3, 3), "cannot be run on one tensor"),
        (nn.ModuleList(), "cannot be run on one tensor"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_a_hidden_module_is_refused_by_name_place_and_reason(part: nn.Module, reason: str) -> None:
    with pytest.raises(
        UnsupportedLayerError, match=rf"layer '2\.1' \({type(part).__name__}\): .*{reason}"
    ) as caught:
        Network.from_torch(within(part), drop_output_activation=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: x / x.norm(), "divides by a norm"),
        (lambda x: 1 / x, "reciprocal|divides by something"),
        (lambda x: (x > 0) * 1.0, "a comparison, which jumps"),
        (lambda x: x.round(), "round, which jumps"),
        (lambda x: x.argmax(1, keepdim=True) * x, "argmax, which jumps"),
        (lambda x: x.long() + x, "casts to torch.int64"),
        (lambda x: x + torch.randn(1, 3), "draws random numbers"),
        (lambda x: torch.where(x > 0, x, x - 0.5), "jumps by 0.5 at 0.0"),
        (lambda x: torch.where(x > 0, x, x.flip(1)), "which jumps"),
        (lambda x: torch.where(x > x.flip(1), x, 2 * x), "a comparison, which jumps"),
        (lambda x: x**2, "applies a power"),
        (lambda x: x @ x.T @ x, "multiplies two things"),
        (lambda x: torch.linalg.matrix_exp(x.T @ x) @ x.T, "multiplies"),
        (lambda x: torch.fft.fft(x).real, "which is not supported; supported are linear maps"),
        (lambda x: functional.batch_norm(x, None, None, training=True), "statistics of its input|training"),
        (lambda x: functional.dropout(x), "drops out at random"),
        (lambda x: functional.max_pool1d(x, 2, padding=1, dilation=4), "no values at all"),
    ],
)
def test_a_function_that_is_not_piecewise_affine_is_refused(
    function: Callable[[Any], Any], reason: str
) -> None:
    with pytest.raises(PolysplineError, match=rf"the module itself \(Lambda\): .*({reason})"):
        Network.from_torch(Lambda(function), input_shape=(3,))


def test_what_the_output_does_not_need_may_be_anything() -> None:
    def computed(x: torch.Tensor) -> torch.Tensor:
        values, indices = (2 * x).max(1, keepdim=True)
        torch.sigmoid(x) * indices
        return values + x

    assert_agrees(Lambda(computed), (3,))


@pytest.mark.parametrize(
    "last", [nn.Sigmoid(), nn.Tanh(), nn.Softmax(dim=1), nn.LogSoftmax(dim=1), nn.Softplus()]
)
def test_a_smooth_function_at_the_end_can_be_dropped(last: nn.Module) -> None:
    before = seeded(nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3)))
    module = nn.Sequential(*before.children(), last, nn.Unflatten(1, (3, 1)))
    with pytest.raises(
        UnsupportedLayerError, match=rf"layer '3' \({type(last).__name__}\).*drop_output_activation=True"
    ):
        Network.from_torch(module)
    assert Network.from_torch(module, drop_output_activation=True) == Network.from_torch(before)


def test_a_piecewise_affine_function_at_the_end_is_not_dropped() -> None:
    module = seeded(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
    assert_agrees(module, (2,), drop_output_activation=True)


@pytest.mark.parametrize(
    ("module", "error", "message"),
    [
        (
            nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(4, 1)),
            ShapeError,
            r"layer '2' \(Linear\): does not run",
        ),
        (nn.Sequential(nn.Linear(2, 3), nn.PReLU(2)), ShapeError, r"layer '1' \(PReLU\)"),
        (nn.Conv2d(1, 1, 3), ShapeError, "pass input_shape"),
        (nn.Sequential(nn.LazyLinear(3)), PolysplineError, r"layer '0' \(LazyLinear\) has no weights yet"),
        (nn.Sequential(nn.Linear(2, 3, device="meta")), UnsupportedLayerError, "no weights yet"),
        (nn.Sequential(nn.Linear(2, 3, dtype=torch.complex64)), UnsupportedLayerError, "complex64"),
        (
            nn.Sequential(nn.Linear(2, 3), nn.LeakyReLU(float("nan"))),
            NonFiniteError,
            r"layer '1' \(LeakyReLU\)",
        ),
        (
            nn.Sequential(nn.Linear(2, 3), Lambda(lambda x: x * float("inf"))),
            NonFiniteError,
            r"layer '1' \(Lambda\)",
        ),
        (nn.Sequential(nn.Linear(2, 3), Lambda(lambda x: (x, x))), UnsupportedLayerError, "2 outputs"),
        (nn.Sequential(nn.Linear(2, 3), Lambda(lambda x: 3.0)), UnsupportedLayerError, "returns 3.0"),
        (nn.Sequential(nn.Linear(2, 3), Lambda(lambda x: x[:, :0])), ShapeError, "empty tensor"),
        (
            nn.Sequential(nn.Linear(2, 3), Lambda(lambda x: x - x.mean(0))),
            UnsupportedLayerError,
            "mixes the samples",
        ),
        (nn.BatchNorm1d(2, track_running_stats=False), ShapeError, "input_shape"),
    ],
)
def test_a_module_that_makes_no_network_is_refused(
    module: nn.Module, error: type[PolysplineError], message: str
) -> None:
    with pytest.raises(error, match=message):
        Network.from_torch(module)


def test_something_that_is_no_module_is_refused() -> None:
    with pytest.raises(UnsupportedLayerError, match="got a dict"):
        Network.from_torch(cast(Any, {"0.weight": torch.zeros(1, 2)}))


def test_a_refusal_leaves_the_module_as_it_was_and_says_nothing_else(
    capfd: pytest.CaptureFixture[str],
) -> None:
    module = within(Branching())
    module[2].train()
    module[0].eval()
    flags = [part.training for part in module.modules()]
    weights = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with warnings.catch_warnings(record=True) as caught, pytest.raises(UnsupportedLayerError):
        Network.from_torch(module)
    assert [part.training for part in module.modules()] == flags
    assert all(torch.equal(tensor, weights[name]) for name, tensor in module.state_dict().items())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
    assert (caught, capfd.readouterr()) == ([], ("", ""))


def test_a_module_that_remembers_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    class Counter(nn.Module):
        calls: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls.add_(1)
            return x * self.calls

    module = nn.Sequential(nn.Linear(2, 2), Counter())
    with pytest.raises(UnsupportedLayerError, match=r"layer '1' \(Counter\): changes its buffer '1\.calls'"):
        Network.from_torch(module)
    assert module[1].calls == 0
    torch.export.save(torch.export.export(module, (torch.zeros(1, 2),)), tmp_path / "model.pt2")
    with pytest.raises(UnsupportedLayerError, match=r"changes its buffer '1\.calls'"):
        load_network(tmp_path / "model.pt2")
