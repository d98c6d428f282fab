"""For every operator of torch: a random module and its network are the same function."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from polyspline.network import Network
from polyspline.network.from_torch import lower_program
from polyspline.network.torch_program import program_of
from tests.network.models import Lambda, assert_agrees, seeded

CONVOLUTIONS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "1d strided dilated grouped": (nn.Conv1d(2, 4, 3, stride=2, padding=3, dilation=2, groups=2), (2, 9)),
    "2d same": (nn.Conv2d(1, 2, (2, 3), padding="same", dilation=(1, 2)), (1, 4, 5)),
    "2d valid without bias": (nn.Conv2d(2, 1, 2, padding="valid", bias=False), (2, 3, 4)),
    "2d reflect": (nn.Conv2d(1, 2, 3, padding=(2, 1), padding_mode="reflect"), (1, 4, 3)),
    "2d replicate": (nn.Conv2d(1, 1, 3, padding=1, padding_mode="replicate"), (1, 3, 3)),
    "2d circular": (nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular"), (1, 3, 4)),
    "3d": (nn.Conv3d(2, 2, (2, 1, 2), stride=(1, 2, 1), padding=(1, 0, 1)), (2, 2, 3, 2)),
    "1d transposed": (
        nn.ConvTranspose1d(4, 4, 3, stride=3, padding=1, output_padding=2, groups=2, dilation=2), (4, 4)
    ),
    "2d transposed": (
        nn.ConvTranspose2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 0), output_padding=(1, 0)), (2, 3, 2)
    ),
    "3d transposed": (nn.ConvTranspose3d(1, 2, 2, stride=2), (1, 2, 1, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name: str) -> None:
    module, shape = CONVOLUTIONS[name]
    net = assert_agrees(seeded(module), shape)
    assert len(net.layers) == 1


POOLS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "max 1d": (nn.MaxPool1d(3, stride=1, padding=1, dilation=2), (2, 7)),
    "max 2d ceil": (nn.MaxPool2d((3, 2), stride=2, padding=1, ceil_mode=True), (1, 4, 5)),
    "max 3d": (nn.MaxPool3d(2, padding=1, ceil_mode=True), (1, 3, 3, 2)),
    "average 1d": (nn.AvgPool1d(3, stride=2, padding=1), (2, 6)),
    "average 2d ceil": (nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True), (1, 6, 5)),
    "average 2d of members": (
        nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False), (1, 6, 5)
    ),
    "average 2d divisor": (nn.AvgPool2d(2, divisor_override=3), (1, 4, 4)),
    "average 3d": (nn.AvgPool3d(2), (1, 2, 4, 2)),
    "adaptive average": (nn.AdaptiveAvgPool2d((3, None)), (2, 5, 3)),
    "adaptive average 1d and 3d": (
        Lambda(lambda x, one, three: three(one(x).reshape(1, 1, 2, 3, 1)), nn.AdaptiveAvgPool1d(3),
               nn.AdaptiveAvgPool3d((1, 2, 1))), (2, 4)
    ),
    "adaptive max": (nn.AdaptiveMaxPool2d((2, 3)), (1, 5, 4)),
    "adaptive max 1d": (nn.AdaptiveMaxPool1d(2), (2, 5)),
}  # fmt: skip


@pytest.mark.parametrize("name", POOLS)
def test_pools(name: str) -> None:
    module, shape = POOLS[name]
    assert_agrees(module, shape)


def test_a_window_of_a_max_pool_leaves_the_padding_out() -> None:
    net = assert_agrees(nn.MaxPool1d(3, stride=2, padding=1), (1, 4))
    assert net.layers[0].activation == "max:2|max:3"


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_norms_dropouts_and_channelwise_slopes(dims: int) -> None:
    norm = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}[dims](3)
    dropout = {1: nn.Dropout1d, 2: nn.Dropout2d, 3: nn.Dropout3d}[dims]()
    shape = (3, *[2] * dims)
    instance = nn.InstanceNorm1d(3, track_running_stats=True, affine=True)
    module = seeded(nn.Sequential(norm, dropout, nn.AlphaDropout(), nn.PReLU(3), nn.Flatten(2), instance))
    net = assert_agrees(module, shape)
    assert [layer.activation == "identity" for layer in net.layers] == [False, True]


def test_a_batch_norm_is_folded_into_the_convolution_before_it() -> None:
    module = seeded(
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1))
    )
    net = assert_agrees(module, (1, 4, 4))
    assert [layer.activation for layer in net.layers] == ["relu", "identity"]


def test_whatever_moves_numbers_around() -> None:
    def moved(x: torch.Tensor, unflatten: nn.Module, flatten: nn.Module) -> torch.Tensor:
        y = unflatten(x).permute(0, 2, 3, 1).unsqueeze(1)[:, 0, 1:, ::2]
        y = y.transpose(1, 2).contiguous().view(len(x), -1, 2)
        a, b = y.chunk(2, dim=2)
        c = torch.stack([a.squeeze(2), b.squeeze(-1), a.squeeze(2)], dim=2)
        d = c.flip(1).roll(1, 2)[:, [1, 0]][:, :, torch.tensor([2, 0])]
        d = functional.pad(d.unsqueeze(1).expand(-1, 2, -1, -1).repeat(1, 2, 1, 1), (1, 0, 0, 2), value=3.0)
        first, second = d.split([1, 3], dim=1)  # type: ignore[no-untyped-call]
        e = torch.where(
            torch.tensor([True, False, True]), first, second.index_select(3, torch.tensor([2, 1, 0]))
        )
        f = functional.pixel_shuffle(flatten(e).reshape(len(x), 4, -1, 1)[:, :, :2], 2)
        return f.swapaxes(2, 3).reshape(len(x), -1).tile(2)

    assert_agrees(Lambda(moved, nn.Unflatten(1, (2, 3, 4)), nn.Flatten(1, -2)), (24,))


def test_tensors_written_to_in_place() -> None:
    def written(x: torch.Tensor) -> torch.Tensor:
        y = torch.zeros(1, 3, dtype=x.dtype)
        y[:, 1:] = x[:, :2]
        z = x * 2.0
        w = z[:, :2]
        w.relu_()
        return z + y + functional.relu(x + 0.5, inplace=True)

    assert_agrees(Lambda(written), (3,))


@pytest.mark.parametrize("size", ["nearest", "nearest-exact", "bilinear"])
def test_upsampling(size: str) -> None:
    module = nn.Sequential(nn.Upsample(scale_factor=(2, 1.5), mode=size), nn.ReLU(), nn.Upsample(size=(3, 2)))
    assert_agrees(module, (2, 2, 2))


def test_circular_and_reflecting_padding_upsampling_and_cumulated_sums_are_linear() -> None:
    def padded(x: torch.Tensor, weight: nn.Linear) -> torch.Tensor:
        y = functional.pad(functional.pad(x, (1, 2), mode="reflect"), (1, 1), mode="circular")
        z = functional.interpolate(
            functional.pad(y, (2, 1), mode="replicate"), scale_factor=1.5, mode="linear"
        )
        return torch.einsum("bcl,kl->bkc", z[:, :, :4].cumsum(1), weight.weight).abs()

    assert_agrees(seeded(Lambda(padded, nn.Linear(4, 2))), (2, 4))


def test_arithmetic() -> None:
    def computed(x: torch.Tensor, a: nn.Linear, b: nn.Linear) -> torch.Tensor:
        y = a(x) * torch.tensor([1.0, -2.0, 0.5]) + 2 - x / 4
        z = 1 - torch.addmm(b.bias, y, b.weight.t(), alpha=2) @ a.weight - torch.neg(x)
        w = (
            torch.bmm(b.weight[None], z[:, :, None])[..., 0]
            + functional.linear(z, a.weight)
            + torch.mv(b.weight, x[0])
        )
        return torch.cat([w - w.mean(1, keepdim=True), w.sum().reshape(1, 1), torch.sub(w, x, alpha=3)], 1)

    assert_agrees(seeded(Lambda(computed, nn.Linear(3, 3), nn.Linear(3, 3))), (3,))


def test_extremes() -> None:
    def computed(x: torch.Tensor, a: nn.Linear) -> torch.Tensor:
        y = torch.maximum(x, a(x)).reshape(1, 2, 3)
        parts = [
            y.max(1).values,
            y.amin(2),
            torch.minimum(y[:, 0], torch.tensor([0.5, -1.0, 0.0])),
            y.max().reshape(1, 1),
        ]
        parts += [torch.max(x, 1, keepdim=True)[0], y.min(2)[0], torch.aminmax(y, dim=2).max]
        return torch.cat(parts, 1)

    assert_agrees(seeded(Lambda(computed, nn.Linear(6, 6))), (6,))


def test_piecewise_affine_functions() -> None:
    functions = (
        functional.relu6, functional.hardtanh, functional.hardsigmoid, functional.leaky_relu, torch.abs,
        functional.rrelu, lambda x: functional.softshrink(x, 0.25), lambda x: x.clamp(-0.5),
        lambda x: x.clamp(max=0.75), lambda x: x.clamp(0, 6), lambda x: x.clamp_min(0.1),
        lambda x: x.clamp(torch.tensor([-1.0, 0.0]), torch.tensor([0.5, 3.0])), lambda x: x.clamp(2.0, 1.0),
        lambda x: functional.threshold(x, 0.5, 0.5), lambda x: functional.hardtanh(x, -0.25, 2.0),
    )  # fmt: skip
    net = assert_agrees(Lambda(lambda x: torch.cat([f(x) for f in functions], 1)), (2,))
    assert len(net.layers) == 2  # Hardsigmoid is scaled after its kinks


def test_a_unit_is_told_by_what_it_does() -> None:
    module = Lambda(
        lambda x: torch.cat(
            [x.clamp(min=0), x.clamp(0, 6), functional.threshold(x, 0.0, 0.0), x.clamp(-1, 1)], 1
        )
    )
    net = assert_agrees(module, (1,))
    assert net.layers[0].activation == "relu|relu6|relu|hardtanh:-1.0,1.0"


def test_a_minimum_is_a_maximum_of_negated_rows() -> None:
    net = assert_agrees(
        seeded(Lambda(lambda x, a, b: torch.minimum(a(x), b(x)), nn.Linear(2, 3), nn.Linear(2, 3))), (2,)
    )
    assert [layer.activation for layer in net.layers] == ["max:2", "identity"]


def test_residual_blocks_and_skips() -> None:
    def block(x: torch.Tensor, first: nn.Module, norm: nn.Module, second: nn.Module) -> torch.Tensor:
        return functional.relu(second(functional.relu(norm(first(x)))) + x)

    module = Lambda(block, nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1))
    net = assert_agrees(seeded(nn.Sequential(module, nn.Flatten(), nn.Linear(18, 2))), (2, 3, 3))
    # The skip rides along as identity rows beside the first rectifiers; nothing else is added.
    assert [layer.activation for layer in net.layers] == ["identity*18|relu*18", "relu", "identity"]


def test_a_u_net() -> None:
    def network(
        x: torch.Tensor, down: nn.Module, pool: nn.Module, deep: nn.Module, up: nn.Module
    ) -> torch.Tensor:
        high = functional.relu(down(x))
        low = functional.relu(deep(pool(high)))
        again = functional.interpolate(low, scale_factor=2)
        return functional.leaky_relu(up(torch.cat([again, high], 1)))

    parts = (
        nn.Conv2d(1, 2, 3, padding=1),
        nn.MaxPool2d(2),
        nn.Conv2d(2, 2, 1),
        nn.Conv2d(4, 1, 3, padding=1),
    )
    assert_agrees(seeded(Lambda(network, *parts)), (1, 4, 4))


def test_a_maxout_layer() -> None:
    module = Lambda(
        lambda x, first, last: last(first(x).reshape(-1, 3, 4).amax(2)), nn.Linear(2, 12), nn.Linear(3, 1)
    )
    net = assert_agrees(seeded(module), (2,))
    assert [layer.activation for layer in net.layers] == ["max:4", "identity"]


def test_choices_by_a_comparison_are_units_where_they_are_continuous() -> None:
    def computed(x: torch.Tensor) -> torch.Tensor:
        parts = [
            torch.where(x > 0, x, 0.25 * x), torch.where(x <= 1, 2 * x - 1, x), torch.where(x <= 0.5, x, 0.5),
            torch.where(x < torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0]), x),
            torch.where(x >= 0, x, 0.0),
        ]  # fmt: skip
        return torch.cat(parts, 1)

    net = assert_agrees(Lambda(computed), (2,))
    assert (len(net.layers), net.n_units) == (1, 10)


def test_programs_that_are_decomposed_to_the_core_operators() -> None:
    # Older versions of torch export no others.
    def computed(x: torch.Tensor, *parts: nn.Module) -> torch.Tensor:
        y = x
        for part in parts[:-1]:
            y = part(y)
        z = functional.hardsigmoid(functional.pad(y, (1, 0, 2, 1), value=0.5).amax(1))
        w = torch.stack([z, functional.threshold(z, 0.25, 0.25)], 1).mean(1).chunk(2, 1)[1]
        last: torch.Tensor = parts[-1](torch.minimum(w, functional.relu6(-w)).flatten(1))
        return last

    parts = (
        nn.Conv2d(1, 2, 3, padding="same"), nn.BatchNorm2d(2), nn.PReLU(2), nn.MaxPool2d(2, stride=1),
        nn.ConvTranspose2d(2, 2, 2), nn.AvgPool2d(2, stride=1), nn.Upsample(scale_factor=2),
        nn.AdaptiveAvgPool2d(3), nn.LeakyReLU(), nn.Hardtanh(), nn.Linear(12, 2),
    )  # fmt: skip
    module = seeded(Lambda(computed, *parts))
    example = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of itself
        exported = torch.export.export(module, (example,)).run_decompositions()
    net = Network(lower_program(program_of(exported)))
    points = np.random.default_rng(0).normal(size=(9, 16))
    with torch.no_grad():
        expected = module(torch.tensor(points).reshape(9, 1, 4, 4)).numpy()
    np.testing.assert_allclose(net(points), expected, atol=1e-9)


def stage(number: int, channels: int) -> tuple[nn.Module, int]:
    """One of some layers for images, and the number of channels that it makes."""
    makers: list[tuple[nn.Module, int]] = [
        (nn.Conv2d(channels, 2, 2, padding=1), 2),
        (nn.Conv2d(channels, 2 * channels, (1, 3), padding="same", groups=channels), 2 * channels),
        (nn.ConvTranspose2d(channels, 1, 2, stride=(1, 2)), 1),
        (nn.MaxPool2d(2, stride=1, padding=1), channels),
        (nn.AvgPool2d((2, 1), stride=1, ceil_mode=True), channels),
        (nn.BatchNorm2d(channels), channels),
        (nn.PReLU(channels), channels),
        (nn.Hardtanh(-0.5, 1.0), channels),
        (Lambda(lambda x: torch.cat([x, -x.flip(3)], 1)), 2 * channels),
        (Lambda(lambda x: torch.maximum(x, x.mean(1, keepdim=True)) - x.abs()), channels),
    ]
    return makers[number]


@settings(max_examples=20)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=4), st.integers(0, 9))
def test_stages_in_any_order(numbers: list[int], seed: int) -> None:
    parts, channels = [], 1
    for number in numbers:
        part, channels = stage(number, channels)
        parts.append(part)
    assert_agrees(seeded(nn.Sequential(*parts), seed), (1, 3, 3))
