"""Exact geometry of piecewise-affine deep networks.

polyspline walks the partition of a network's input space into regions on
which the network is affine, region by region, across shared facets. Every
region and every adjacency that it reports is proven, and none is missed.

>>> import polyspline as ps
>>> net = ps.load_network("model.npz")                     # doctest: +SKIP
>>> part = ps.enumerate_regions(net, ps.Box(-1, 1, dim=2))  # doctest: +SKIP
>>> len(part), part.n_adjacencies                          # doctest: +SKIP

Importing the package is cheap: every name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from polyspline.errors import PolysplineError

if TYPE_CHECKING:
    from polyspline import errors as errors
    from polyspline.domains import Box, Polytope, WholeSpace, load_domain
    from polyspline.enumeration import enumerate_regions
    from polyspline.export import export_partition
    from polyspline.inversion import (
        BoundSource,
        Injectivity,
        InjectivityVerdict,
        Inversion,
        InversionStatus,
        Preimage,
        injectivity,
        invert,
        preimages,
    )
    from polyspline.network import Network, load_network, zoo
    from polyspline.partition import Partition, StopReason, load_partition
    from polyspline.plots import plot_graph, plot_inversion, plot_partition
    from polyspline.regions.region import Region

__version__ = "0.1.0"

__all__ = [
    "BoundSource",
    "Box",
    "Injectivity",
    "InjectivityVerdict",
    "Inversion",
    "InversionStatus",
    "Network",
    "Partition",
    "PolysplineError",
    "Polytope",
    "Preimage",
    "Region",
    "StopReason",
    "WholeSpace",
    "__version__",
    "enumerate_regions",
    "errors",
    "export_partition",
    "injectivity",
    "invert",
    "load_domain",
    "load_network",
    "load_partition",
    "plot_graph",
    "plot_inversion",
    "plot_partition",
    "preimages",
    "zoo",
]

# The room that defines each name.
_ROOMS = {
    "BoundSource": "inversion",
    "Box": "domains",
    "Injectivity": "inversion",
    "InjectivityVerdict": "inversion",
    "Inversion": "inversion",
    "InversionStatus": "inversion",
    "Network": "network",
    "Partition": "partition",
    "Polytope": "domains",
    "Preimage": "inversion",
    "Region": "regions.region",
    "StopReason": "partition",
    "WholeSpace": "domains",
    "enumerate_regions": "enumeration",
    "export_partition": "export",
    "injectivity": "inversion",
    "invert": "inversion",
    "load_domain": "domains",
    "load_network": "network",
    "load_partition": "partition",
    "plot_graph": "plots",
    "plot_inversion": "plots",
    "plot_partition": "plots",
    "preimages": "inversion",
    "zoo": "network",
}


def __getattr__(name: str) -> object:
    """Load a public name from its room when it is first used (PEP 562)."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(set(globals()) | set(__all__))
