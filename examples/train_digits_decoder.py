"""Train the decoder of handwritten digits that ships as ``digits_decoder.npz``, and keep one digit.

A decoder of widths 8, 32, 32, 64 with leaky ReLU units (slope 0.1) learns, as
half of an autoencoder, to draw the 8 x 8 digits of scikit-learn from eight
latent numbers. The encoder squashes its latents by 3 tanh, so the decoder is
meant for the box [-3, 3]^8. The last 297 of the 1,797 digits are held out; one
of them ships as ``digit.npy``, grey levels from 0 to 1, for the decoder to be
inverted on. Run it with

    pip install 'polyspline[torch]' scikit-learn
    python examples/train_digits_decoder.py [FOLDER]

It takes less than a minute on one core. Another version of torch may give
slightly different weights, which is why the files are shipped too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from _common import digits, rebuilding_error, train
from polyspline.network import Network

SEED = 0
SLOPE = 0.1
# Keeps the decoder smooth where no digit is; one with less bends more, and takes longer to invert.
WEIGHT_DECAY = 2.0
REACH = 3.0
HELD_OUT = 297
# Which of the held-out digits ships: a clear three.
SHIPPED = 6


class Squash(nn.Module):
    """Keep latents within (-REACH, REACH)."""

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Squash each latent by REACH tanh."""
        return REACH * torch.tanh(latents / REACH)


def trained(images: torch.Tensor) -> tuple[nn.Sequential, nn.Sequential]:
    """Train the autoencoder and return its encoder and its decoder."""
    torch.manual_seed(SEED)
    encoder = nn.Sequential(
        nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU(), nn.Linear(48, 8), Squash()
    )
    decoder = nn.Sequential(
        nn.Linear(8, 32), nn.LeakyReLU(SLOPE), nn.Linear(32, 32), nn.LeakyReLU(SLOPE), nn.Linear(32, 64)
    )
    optimiser = torch.optim.AdamW(
        [
            {"params": encoder.parameters(), "weight_decay": 0.0},
            {"params": decoder.parameters(), "weight_decay": WEIGHT_DECAY},
        ],
        lr=3e-3,
    )
    train(rebuilding_error(encoder, decoder), images, optimiser, epochs=300, batch=128, notes=True)
    return encoder, decoder


def main() -> None:
    """Train, save, and say what was made."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    torch.set_num_threads(1)
    images, targets = digits(), load_digits().target
    encoder, decoder = trained(torch.tensor(images[:-HELD_OUT], dtype=torch.float32))
    net = Network.from_torch(decoder)
    net.save(folder / "digits_decoder.npz")
    held_out = images[-HELD_OUT:]
    np.save(folder / "digit.npy", held_out[SHIPPED].reshape(8, 8))
    with torch.no_grad():
        latents = encoder(torch.tensor(held_out, dtype=torch.float32)).numpy().astype(np.float64)
    errors = np.mean((net(latents) - held_out) ** 2, axis=1)
    print(
        f"{folder}: {net}; mean squared error {errors.mean():.4f} on {HELD_OUT} digits held out and "
        f"{errors[SHIPPED]:.4f} on the one kept, a {targets[-HELD_OUT:][SHIPPED]}; largest latent "
        f"{np.abs(latents).max():.2f}"
    )


if __name__ == "__main__":
    main()
