"""Networks: a frozen chain of piecewise-affine layers in float64, and how to get one.

`Network.from_layers`, `Network.from_torch`, `Network.from_onnx`, `Network.from_sklearn` and
`load_network` make networks; `zoo` makes seeded ones with known or random partitions;
`register_torch_activation` teaches `Network.from_torch` a further activation module.

A reader writes a model down as a graph of scalars (`graph`, `tensors`, `windows`), which
`lowering` turns into layers. What an operator means is a row of a table: `torch_ops`,
`torch_ops_windows` and `torch_names` for torch, `onnx_ops` and `onnx_ops_windows` for ONNX.
"""

from __future__ import annotations

from polyspline.network import zoo
from polyspline.network.files import load_network
from polyspline.network.from_torch import register_torch_activation
from polyspline.network.network import Network, check_network
from polyspline.network.slices import Slice, plane_through
from polyspline.network.zoo import random_network

__all__ = [
    "Network",
    "Slice",
    "check_network",
    "load_network",
    "plane_through",
    "random_network",
    "register_torch_activation",
    "zoo",
]
