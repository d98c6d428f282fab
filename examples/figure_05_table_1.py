"""Figure 5 and Table 1: basis vectors of generators of digits, and how orthogonal they are.

Generators from S = 10 latents, fully connected (FC) and convolutional (CONV), as GAN and as VAE, before and
after training. In place of MNIST they draw the 1,797 8 x 8 digits of scikit-learn; nothing ships
CIFAR10. With --full the widths, learning rate and epochs of App. E, 10,000 sampled latents and 8 runs; by
default an eighth of the widths, fewer latents and 2 runs.

Q holds the cosines between the columns of A; the figures are those of Q - I, and 0 means orthogonal.
Expected, reading Table 1 as trained above untrained: training makes the columns less orthogonal.

    python examples/figure_05_table_1.py [--full] [--out FILE]
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure
from torch import nn

import polyspline as ps
from _common import command_line, digits, finish, perceptron, print_table, train, train_gan
from polyspline.manifold.disentanglement import DisentanglementSummary
from polyspline.plots.style import STYLE, new_figure

S = 10
SLOPE = 0.2
NOISE = 0.05
"""Variance of a pixel given the latents, in the likelihood of the VAEs."""

KINDS = ("FC GAN", "CONV GAN", "FC VAE", "CONV VAE")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sizes:
    """How large everything is."""

    share: int
    epochs: int
    rate: float
    runs: int
    latents: int


SMALL = Sizes(share=8, epochs=7, rate=1e-3, runs=2, latents=200)
FULL = Sizes(share=1, epochs=300, rate=1e-4, runs=8, latents=10_000)


@dataclass(frozen=True, eq=False)
class Outcome:
    """One generator: figures of its columns, one image, and the columns there."""

    figures: DisentanglementSummary
    image: Floats
    basis: Floats


def generator(kind: str, share: int) -> nn.Sequential:
    """Build the generator of App. E, narrowed by `share`, its convolutions fitted to 8 x 8 pixels."""
    if kind.startswith("FC"):
        return perceptron([S, 256 // share, 512 // share, 1024 // share, 64], SLOPE)
    return nn.Sequential(
        *perceptron([S, 256 // share, 8 * 2 * 2], SLOPE),
        nn.LeakyReLU(SLOPE),
        nn.Sequential(
            nn.Unflatten(1, (8, 2, 2)), nn.ConvTranspose2d(8, 8, 3, stride=2, padding=1), nn.Flatten()
        ),
        nn.LeakyReLU(SLOPE),
        nn.Sequential(nn.Unflatten(1, (8, 3, 3)), nn.ConvTranspose2d(8, 1, 4, stride=2), nn.Flatten()),
    )


def noisy_perceptron(widths: list[int]) -> nn.Sequential:
    """Build the encoder or discriminator of App. E: dropout of 0.3, then leaky ReLUs."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.Dropout(0.3), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-2])


def as_network(module: nn.Sequential) -> ps.Network:
    """Network of affine maps with leaky ReLUs between them; a convolution is written out as a matrix."""
    weights, biases = [], []
    width = S
    for stage in module:
        if isinstance(stage, nn.LeakyReLU):
            continue
        with torch.no_grad():
            bias = stage(torch.zeros(1, width))[0].double()
            # The columns are differences: float64 leaves no rounding that matters.
            weight = (
                stage.double()(torch.eye(width, dtype=torch.float64)) - stage(bias.new_zeros(1, width))
            ).T
            stage.float()
        weights.append(weight.numpy())
        biases.append(bias.numpy())
        width = len(bias)
    return ps.Network.from_layers(weights, biases, f"leaky_relu:{SLOPE}")


def train_vae(decoder: nn.Sequential, data: torch.Tensor, sizes: Sizes) -> None:
    """Train a VAE by its evidence lower bound."""
    encoder = noisy_perceptron([64, 512 // sizes.share, 256 // sizes.share, 2 * S])

    def loss_of(some: torch.Tensor) -> torch.Tensor:
        mean, log_variance = encoder(some).chunk(2, dim=1)
        latents = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        misfit = (decoder(latents) - some).square().sum(dim=1) / (2.0 * NOISE)
        divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1.0).sum(dim=1)
        return torch.mean(misfit + divergence)

    parameters = [*encoder.parameters(), *decoder.parameters()]
    train(
        loss_of, data, torch.optim.Adam(parameters, lr=sizes.rate, fused=True), epochs=sizes.epochs, batch=64
    )


def outcome(module: nn.Sequential, latents: int, seed: int) -> Outcome:
    """Measure a generator at the regions that random latents meet."""
    net = as_network(module)
    met = ps.sample_regions(net, ps.WholeSpace(S), latents, neighbours=False, seed=seed)
    image = net(met.points[0]).reshape(8, 8)
    return Outcome(ps.disentanglement(met).summary("draws"), image, ps.basis_images(met, 0, (8, 8)))


def before_and_after(kind: str, seed: int, sizes: Sizes, data: torch.Tensor) -> tuple[Outcome, Outcome]:
    """Measure a generator, train it, and measure it again."""
    torch.manual_seed(seed)
    module = generator(kind, sizes.share)
    before = outcome(module, sizes.latents, seed)
    if kind.endswith("VAE"):
        train_vae(module, data, sizes)
    else:
        widths = [64, 1024 // sizes.share, 512 // sizes.share, 256 // sizes.share, 1]
        train_gan(module, noisy_perceptron(widths), data, S, epochs=sizes.epochs, batch=64, rate=sizes.rate)
    return before, outcome(module, sizes.latents, seed)


def picture(found: dict[str, tuple[Outcome, Outcome]]) -> Figure:
    """Draw, for each kind, a digit of the trained generator and one basis vector after and before."""
    with rc_context(STYLE):
        figure = new_figure(6.4, 4.9)
        panels = figure.subplots(3, len(found))
        for column, (kind, (before, after)) in enumerate(found.items()):
            longest = int(np.linalg.norm(after.basis, axis=(1, 2)).argmax())
            shown = (after.image, after.basis[longest], before.basis[longest])
            for row, (image, axes) in enumerate(zip(shown, panels[:, column], strict=True)):
                reach = float(np.abs(image).max())
                limits = {"vmin": -reach, "vmax": reach, "cmap": "RdBu"} if row else {"cmap": "gray_r"}
                axes.imshow(image, **limits)
                axes.set(xticks=[], yticks=[])
            panels[0, column].set_title(kind)
        for row, name in enumerate(("generated", "basis vector,\ntrained", "the same,\nuntrained")):
            panels[row, 0].set_ylabel(name)
    return figure


def main() -> None:
    """Train, measure, print the table, draw."""
    arguments = command_line(__doc__, "figure_05.png")
    torch.set_num_threads(1)
    sizes = FULL if arguments.full else SMALL
    data = torch.tensor(digits(), dtype=torch.float32)
    found = {
        kind: [before_and_after(kind, seed, sizes, data) for seed in range(sizes.runs)] for kind in KINDS
    }
    rows, changes = [], []
    for kind, runs in found.items():
        for name, place in (("untrained", 0), ("trained", 1)):
            each = [run[place].figures for run in runs]
            columns = [
                [one.spectral.value for one in each],
                [one.worst_spectral for one in each],
                [one.frobenius.value for one in each],
                [one.worst_frobenius for one in each],
                [one.pair_sum.value for one in each],
                [one.worst_pair_sum for one in each],
            ]
            rows.append([kind, name, *(f"{np.mean(c):.2f} ±{np.std(c):.2f}" for c in columns)])
        changes.append(np.mean([b.figures.spectral.value / a.figures.spectral.value for a, b in runs]))
    print(
        f"Q - I over {sizes.latents} latents, mean ± deviation of {sizes.runs} runs (8 x 8 digits, not MNIST)"
    )
    heads = [f"{norm}{what}" for norm in ("spectral", "Frobenius", "pair sum") for what in ("", ", max")]
    print_table(["generator", "", *heads], rows)
    finish(
        picture({kind: runs[0] for kind, runs in found.items()}),
        arguments.out,
        "training to raise the mean spectral norm of Q - I, in all four kinds",
        "factors " + ", ".join(f"{kind} {one:.2f}" for kind, one in zip(KINDS, changes, strict=True)),
        seen=bool(min(changes) > 1.0),
    )


if __name__ == "__main__":
    main()
