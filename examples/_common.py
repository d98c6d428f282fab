"""What the examples share: command line, training loop, data, and the line that says what was seen."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context

from polyspline.errors import PolysplineError
from polyspline.files import check_writable, whole_file
from polyspline.manifold import region_set
from polyspline.manifold.region_polytopes import region_polytopes
from polyspline.plots.picture import PICTURES, check_picture
from polyspline.plots.style import STYLE

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

    from polyspline import Partition


def command_line(doc: str | None, picture: str) -> argparse.Namespace:
    """Read ``--full`` and ``--out FILE``; the docstring of the script is its help."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--full", action="store_true", help="the sizes of the paper (minutes to hours)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(picture),
        metavar="FILE",
        help="picture to write: .png, .svg or .pdf (default: %(default)s in the working folder)",
    )
    arguments = parser.parse_args()
    try:
        check_picture(arguments.out)
        check_writable(arguments.out)
    except PolysplineError as refused:
        parser.error(str(refused))
    return arguments


def finish(figure: Figure, path: Path, expected: str, measured: str, *, seen: bool) -> None:
    """Write the picture, and say in one line whether what is expected was seen."""
    suffix = check_picture(path)
    with rc_context(STYLE), whole_file(path) as stream:
        # Coarser than the pictures of the package, as several are shown on one page.
        figure.savefig(stream, format=suffix[1:], dpi=100, metadata=PICTURES[suffix])
    print(f"picture: {path}")
    print(f"{'SEEN' if seen else 'NOT SEEN'}: expected {expected}; measured {measured}")


def print_table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows under a head, numbers with three decimals."""
    cells = [[f"{one:.3f}" if isinstance(one, float) else str(one) for one in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    for row in [list(head), *cells]:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def digits() -> npt.NDArray[np.float64]:
    """Return the 1,797 digits of scikit-learn, 8 x 8 pixels, as rows (64,) of grey levels from 0 to 1."""
    from sklearn.datasets import load_digits

    return np.asarray(load_digits().data, dtype=np.float64) / 16.0


def perceptron(widths: Sequence[int], slope: float = 0.0, dropout: float = 0.0) -> torch.nn.Sequential:
    """Linear layers with leaky ReLUs between them (ReLUs at slope 0), and dropout behind each of these."""
    from torch import nn

    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.LeakyReLU(slope) if slope else nn.ReLU()]
        layers += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers[: -2 if dropout else -1])


def train(
    loss_of: Callable[[torch.Tensor], torch.Tensor],
    data: torch.Tensor,
    optimiser: torch.optim.Optimizer,
    *,
    epochs: int,
    batch: int,
    notes: bool = False,
) -> None:
    """Minimise a loss over batches of the data, with a learning rate that goes down to 0 as a cosine."""
    import torch

    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for epoch in range(epochs):
        total = 0.0
        order = torch.randperm(len(data))
        for start in range(0, len(data), batch):
            some = data[order[start : start + batch]]
            loss = loss_of(some)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            total += float(loss.detach()) * len(some)
        schedule.step()
        if notes and (epoch + 1) % 50 == 0:
            print(f"epoch {epoch + 1}: mean loss {total / len(data):.4f}", file=sys.stderr)


def rebuilding_error(
    encoder: torch.nn.Module, decoder: torch.nn.Module
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the loss of an autoencoder: the mean squared error of what it rebuilds."""
    from torch import nn

    return lambda some: nn.functional.mse_loss(decoder(encoder(some)), some)


def train_gan(
    generator: torch.nn.Module,
    discriminator: torch.nn.Module,
    data: torch.Tensor,
    dim: int,
    *,
    epochs: int,
    batch: int,
    rate: float = 1e-3,
) -> None:
    """Train a GAN with the non-saturating loss, on standard normal latents of `dim` numbers."""
    import torch
    from torch.nn.functional import softplus

    settings: Any = {"lr": rate, "betas": (0.5, 0.999), "fused": True}
    critic = torch.optim.Adam(discriminator.parameters(), **settings)
    maker = torch.optim.Adam(generator.parameters(), **settings)
    for _ in range(epochs):
        order = torch.randperm(len(data))
        for start in range(0, len(data), batch):
            real = data[order[start : start + batch]]
            made = generator(torch.randn(len(real), dim))
            doubt = softplus(-discriminator(real)).mean() + softplus(discriminator(made.detach())).mean()
            critic.zero_grad()
            torch.autograd.backward(doubt)
            critic.step()
            loss = softplus(-discriminator(made)).mean()
            maker.zero_grad()
            torch.autograd.backward(loss)
            maker.step()


def corners_of(part: Partition) -> list[npt.NDArray[np.float64]]:
    """Corners (k, S) of each region of a bounded partition, all regions at once."""
    return [corners for batch in region_polytopes(region_set(part)) for corners in batch.vertices]


def shared_corners(part: Partition) -> list[npt.NDArray[np.float64]]:
    """For each pair of neighbours of a bounded partition, the corners (n, S) of the facet between them."""
    corners = corners_of(part)
    shared = []
    for low, high in part.edges.tolist():
        apart = np.linalg.norm(corners[low][:, None] - corners[high], axis=2)
        shared.append(corners[low][apart.min(axis=1) < 1e-7])
    return shared
