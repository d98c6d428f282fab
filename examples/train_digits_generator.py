"""Train the small generator of handwritten digits that ships as ``digits_generator.npz``.

A decoder of widths 2, 24, 24, 64 with ReLU units learns, as half of an
autoencoder, to draw the 8 x 8 digits of scikit-learn from two latent numbers.
The encoder squashes its latents by tanh, so the decoder is meant for the box
[-1, 1]^2. Run it with

    pip install 'polyspline[torch]' scikit-learn
    python examples/train_digits_generator.py [FILE.npz]

It takes less than a minute on one core. Another version of torch may give
slightly different weights, which is why the file is shipped too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from _common import digits, rebuilding_error, train
from polyspline.network import Network

SEED = 0


def trained() -> nn.Sequential:
    """Train the autoencoder on the digits, with grey levels from 0 to 1, and return its decoder."""
    torch.manual_seed(SEED)
    images = torch.tensor(digits(), dtype=torch.float32)
    encoder = nn.Sequential(
        nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2), nn.Tanh()
    )
    decoder = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 64))
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
    train(rebuilding_error(encoder, decoder), images, optimiser, epochs=400, batch=128, notes=True)
    return decoder


def main() -> None:
    """Train, save, and say what was made."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("digits_generator.npz")
    torch.set_num_threads(1)
    net = Network.from_torch(trained())
    net.save(target)
    axis = np.linspace(-1, 1, 201)
    codes = net.code(np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2))
    print(f"{target}: {net}, at least {len(np.unique(codes, axis=0))} regions on the box [-1, 1]^2")


if __name__ == "__main__":
    main()
