"""Networks: a frozen chain of piecewise-affine layers in float64, and how to get one.

`Network.from_layers`, `Network.from_torch` and `load_network` make networks; `zoo` makes seeded
ones with known or random partitions; `register_torch_activation` teaches `Network.from_torch` a
further activation module.
"""

from __future__ import annotations

from polyspline.network import zoo
from polyspline.network.files import load_network
from polyspline.network.from_torch import register_torch_activation
from polyspline.network.network import Network
from polyspline.network.zoo import random_network

__all__ = ["Network", "load_network", "random_network", "register_torch_activation", "zoo"]
