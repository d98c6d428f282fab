"""The generated manifold: what a partition tells of the surface that a network generates."""

from polyspline.manifold.angles import EdgeAngles, edge_angles, principal_angles
from polyspline.manifold.code_distance import CodeDistances, code_distances, edge_distances
from polyspline.manifold.decision_boundary import (
    BoundaryPiece,
    DecisionBoundary,
    class_boundary,
    level_boundary,
)
from polyspline.manifold.density import Density, RankMass, density, density_at_latents, mass_by_rank
from polyspline.manifold.dimension import Dimensions, dimension_bounds, intrinsic_dimension
from polyspline.manifold.disentanglement import Disentanglement, basis_images, disentanglement
from polyspline.manifold.dropout import NoisyDimensions, noisy_dimensions
from polyspline.manifold.elbow import ElbowCurve, elbow
from polyspline.manifold.entropy import Entropy, EntropyStatus, entropy
from polyspline.manifold.graph_figures import Degrees, Diameter, degrees, diameter
from polyspline.manifold.level_sets import LevelSet, class_level_set, sign_level_set
from polyspline.manifold.log_det import LogDeterminants, log_determinants
from polyspline.manifold.maps import affine_maps, affine_maps_of_codes
from polyspline.manifold.nll import nll, parameters_of
from polyspline.manifold.priors import GaussianPrior, GivenPrior, UniformPrior
from polyspline.manifold.probability import Probabilities, probabilities
from polyspline.manifold.regions import RegionSet, region_set, sample_regions
from polyspline.manifold.smoothing import module_of, smooth
from polyspline.manifold.uniformity import Resampling, Uniformity, UniformityVerdict, resample, uniformity
from polyspline.manifold.value_ranges import ValueRanges, value_ranges
from polyspline.manifold.volumes import ImageVolumes, Volumes, image_volumes, volumes

__all__ = [
    "BoundaryPiece",
    "CodeDistances",
    "DecisionBoundary",
    "Degrees",
    "Density",
    "Diameter",
    "Dimensions",
    "Disentanglement",
    "EdgeAngles",
    "ElbowCurve",
    "Entropy",
    "EntropyStatus",
    "GaussianPrior",
    "GivenPrior",
    "ImageVolumes",
    "LevelSet",
    "LogDeterminants",
    "NoisyDimensions",
    "Probabilities",
    "RankMass",
    "RegionSet",
    "Resampling",
    "UniformPrior",
    "Uniformity",
    "UniformityVerdict",
    "ValueRanges",
    "Volumes",
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
    "dimension_bounds",
    "disentanglement",
    "edge_angles",
    "edge_distances",
    "elbow",
    "entropy",
    "image_volumes",
    "intrinsic_dimension",
    "level_boundary",
    "log_determinants",
    "mass_by_rank",
    "module_of",
    "nll",
    "noisy_dimensions",
    "parameters_of",
    "principal_angles",
    "probabilities",
    "region_set",
    "resample",
    "sample_regions",
    "sign_level_set",
    "smooth",
    "uniformity",
    "value_ranges",
    "volumes",
]
