"""Domains: the part of latent space that is looked at. Box, polytope, or the whole space."""

from __future__ import annotations

from polyspline.domains.base import Domain
from polyspline.domains.box import Box
from polyspline.domains.files import check_dimension, check_domain, domain_from_arrays, load_domain
from polyspline.domains.polytope import Polytope
from polyspline.domains.whole_space import WholeSpace

__all__ = [
    "Box",
    "Domain",
    "Polytope",
    "WholeSpace",
    "check_dimension",
    "check_domain",
    "domain_from_arrays",
    "load_domain",
]
