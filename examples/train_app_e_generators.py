"""Train the generators of App. E on digits: they ship as ``app_e_fc.npz`` and ``app_e_conv.npz``.

Both learn, as half of an autoencoder, to draw the 1,797 digits of scikit-learn (8 x 8 pixels, in
place of MNIST, enlarged to 28 x 28) from ten latent numbers in the box [-1, 1]^10. They have the sizes
of the paper: the fully connected one is 10, 256, 512, 1024, 784, and the other one's convolutions are
stored sparsely. Weights are rounded to float16, which makes the larger file 2.5 MB; that changes the
images by less than a grey level of 256. The same generators with random weights are
`polyspline.zoo.fc_generator` and `polyspline.zoo.conv_generator`. Run it with

    pip install 'polyspline[torch,plot]' scikit-learn
    python examples/train_app_e_generators.py [FOLDER]

It takes about three minutes on one core. Another version of torch may give slightly different
weights, which is why the files are shipped too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from _common import digits, perceptron, rebuilding_error, train
from polyspline.network import Network, load_network

SEED = 2  # from many others the convolutional one does not get beyond the mean of all digits
SLOPE = 0.1
S = 10


def convolutional() -> nn.Sequential:
    """Build the convolutional generator; a convolution of a dilated image is a transposed convolution."""
    return nn.Sequential(
        *perceptron([S, 256, 8 * 6 * 6], SLOPE),
        nn.LeakyReLU(SLOPE),
        nn.Unflatten(1, (8, 6, 6)),
        nn.ConvTranspose2d(8, 8, 3, stride=2, padding=1),
        nn.LeakyReLU(SLOPE),
        nn.ConvTranspose2d(8, 1, 4, stride=3, padding=3),
        nn.Flatten(),
    )


class Shaken(nn.Module):
    """Add noise to the latents while training, so that there are digits between those of the images too."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Latents with noise, or as they are in evaluation mode."""
        return z + 0.2 * torch.randn_like(z) if self.training else z


def trained(generator: nn.Sequential, images: torch.Tensor) -> float:
    """Train a generator as the decoder of an autoencoder, and return its mean squared error."""
    encoder = nn.Sequential(perceptron([images.shape[1], 256, 64, S]), nn.Tanh(), Shaken())
    optimiser = torch.optim.Adam([*encoder.parameters(), *generator.parameters()], lr=2e-3)
    error = rebuilding_error(encoder, generator)
    train(error, images, optimiser, epochs=80, batch=64, notes=True)
    encoder.eval()
    with torch.no_grad():
        return float(error(images))


def saved(generator: nn.Sequential, target: Path) -> Network:
    """Write the lowered network with its weights rounded to float16, and return what was written."""
    arrays = Network.from_torch(generator).to_arrays()
    narrow = {key: a.astype(np.float16) if a.dtype == np.float64 else a for key, a in arrays.items()}
    np.savez_compressed(target, allow_pickle=False, **narrow)
    return load_network(target)


def main() -> None:
    """Train both, save them, and say what was made."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    torch.set_num_threads(1)
    small = torch.tensor(digits(), dtype=torch.float32)
    large = nn.functional.interpolate(small.reshape(-1, 1, 8, 8), size=(28, 28), mode="bilinear")
    images = large.reshape(-1, 28 * 28)
    generators = {
        "app_e_fc": lambda: perceptron([S, 256, 512, 1024, 784], SLOPE),
        "app_e_conv": convolutional,
    }
    for name, made in generators.items():
        torch.manual_seed(SEED)
        generator = made()
        error = trained(generator, images)
        target = folder / f"{name}.npz"
        net = saved(generator, target)
        print(f"{target}: {net}; mean squared error {error:.4f}, {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
