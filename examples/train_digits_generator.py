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
from sklearn.datasets import load_digits
from torch import nn

from polyspline.network import Network

SEED = 0
EPOCHS = 400
BATCH = 128


def train() -> nn.Sequential:
    """Train the autoencoder on the digits, with grey levels from 0 to 1, and return its decoder."""
    torch.manual_seed(SEED)
    images = torch.tensor(load_digits().data / 16.0, dtype=torch.float32)
    encoder = nn.Sequential(
        nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2), nn.Tanh()
    )
    decoder = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 64))
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    for epoch in range(EPOCHS):
        total = 0.0
        order = torch.randperm(len(images))
        for start in range(0, len(images), BATCH):
            batch = images[order[start : start + BATCH]]
            loss = nn.functional.mse_loss(decoder(encoder(batch)), batch)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            total += float(loss.detach()) * len(batch)
        schedule.step()
        if (epoch + 1) % 50 == 0:
            print(f"epoch {epoch + 1}: mean squared error {total / len(images):.4f}", file=sys.stderr)
    return decoder


def main() -> None:
    """Train, save, and say what was made."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("digits_generator.npz")
    torch.set_num_threads(1)
    net = Network.from_torch(train())
    net.save(target)
    axis = np.linspace(-1, 1, 201)
    codes = net.code(np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2))
    print(f"{target}: {net}, at least {len(np.unique(codes, axis=0))} regions on the box [-1, 1]^2")


if __name__ == "__main__":
    main()
