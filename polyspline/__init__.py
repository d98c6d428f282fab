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
    from polyspline.manifold import (
        GaussianPrior,
        GivenPrior,
        RegionSet,
        UniformPrior,
        affine_maps,
        affine_maps_of_codes,
        basis_images,
        class_boundary,
        class_level_set,
        code_distances,
        degrees,
        density,
        density_at_latents,
        diameter,
        disentanglement,
        edge_angles,
        edge_distances,
        entropy,
        image_volumes,
        intrinsic_dimension,
        level_boundary,
        log_determinants,
        mass_by_rank,
        nll,
        noisy_dimensions,
        parameters_of,
        probabilities,
        resample,
        sample_regions,
        sign_level_set,
        smooth,
        uniformity,
        value_ranges,
        volumes,
    )
    from polyspline.network import Network, load_network, zoo
    from polyspline.partition import Partition, StopReason, load_partition
    from polyspline.plots import plot_graph, plot_inversion, plot_partition
    from polyspline.regions.region import Region

__version__ = "0.1.0"

__all__ = [
    "BoundSource",
    "Box",
    "GaussianPrior",
    "GivenPrior",
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
    "RegionSet",
    "StopReason",
    "UniformPrior",
    "WholeSpace",
    "__version__",
    "affine_maps",
    "affine_maps_of_codes",
    "basis_images",
    "class_boundary",
    "class_level_set",
    "code_distances",
    "degrees",
    "density",
    "density_at_latents",
    "diameter",
    "disentanglement",
    "edge_angles",
    "edge_distances",
    "entropy",
    "enumerate_regions",
    "errors",
    "export_partition",
    "image_volumes",
    "injectivity",
    "intrinsic_dimension",
    "invert",
    "level_boundary",
    "load_domain",
    "load_network",
    "load_partition",
    "log_determinants",
    "mass_by_rank",
    "nll",
    "noisy_dimensions",
    "parameters_of",
    "plot_graph",
    "plot_inversion",
    "plot_partition",
    "preimages",
    "probabilities",
    "resample",
    "sample_regions",
    "sign_level_set",
    "smooth",
    "uniformity",
    "value_ranges",
    "volumes",
    "zoo",
]

# The room that defines each name.
_ROOMS = {
    "BoundSource": "inversion",
    "Box": "domains",
    "GaussianPrior": "manifold",
    "GivenPrior": "manifold",
    "Injectivity": "inversion",
    "InjectivityVerdict": "inversion",
    "Inversion": "inversion",
    "InversionStatus": "inversion",
    "Network": "network",
    "Partition": "partition",
    "Polytope": "domains",
    "Preimage": "inversion",
    "Region": "regions.region",
    "RegionSet": "manifold",
    "StopReason": "partition",
    "UniformPrior": "manifold",
    "WholeSpace": "domains",
    "affine_maps": "manifold",
    "affine_maps_of_codes": "manifold",
    "basis_images": "manifold",
    "class_boundary": "manifold",
    "class_level_set": "manifold",
    "code_distances": "manifold",
    "degrees": "manifold",
    "density": "manifold",
    "density_at_latents": "manifold",
    "diameter": "manifold",
    "disentanglement": "manifold",
    "edge_angles": "manifold",
    "edge_distances": "manifold",
    "entropy": "manifold",
    "enumerate_regions": "enumeration",
    "export_partition": "export",
    "image_volumes": "manifold",
    "injectivity": "inversion",
    "intrinsic_dimension": "manifold",
    "invert": "inversion",
    "level_boundary": "manifold",
    "load_domain": "domains",
    "load_network": "network",
    "load_partition": "partition",
    "log_determinants": "manifold",
    "mass_by_rank": "manifold",
    "nll": "manifold",
    "noisy_dimensions": "manifold",
    "parameters_of": "manifold",
    "plot_graph": "plots",
    "plot_inversion": "plots",
    "plot_partition": "plots",
    "preimages": "inversion",
    "probabilities": "manifold",
    "resample": "manifold",
    "sample_regions": "manifold",
    "sign_level_set": "manifold",
    "smooth": "manifold",
    "uniformity": "manifold",
    "value_ranges": "manifold",
    "volumes": "manifold",
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
