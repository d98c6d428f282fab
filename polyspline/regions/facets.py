"""Facets of one region: geometry, sources and the code beyond each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.exact import exact_network
from polyspline.domains import Domain
from polyspline.network import Network
from polyspline.regions.exact import ExactDomain, decide_exactly, flip
from polyspline.regions.rounding import unit_length

Floats = NDArray[np.float64]
Integers = NDArray[Any]


@dataclass(frozen=True, order=True)
class Source:
    """Where a facet comes from.

    Attributes
    ----------
    kind
        ``"unit"`` or ``"domain"``.
    index
        The unit, or the row of the domain.
    knot
        The unit's knot, counted from 0 upwards; 0 for rows of the domain.
    """

    kind: str
    index: int
    knot: int


@dataclass(frozen=True, eq=False)
class FacetGeometry:
    """One facet of a region.

    Attributes
    ----------
    normal
        (S,) outward, of unit length (rounded).
    offset
        The facet lies on ``normal . z = offset`` (rounded).
    sources
        All unit knots and domain rows on its hyperplane, units first, ascending.
    point
        (S,) a point of its relative interior (rounded).
    across
        (N,) the activation code beyond it; None on the boundary of the domain.
    """

    normal: Floats
    offset: float
    sources: tuple[Source, ...]
    point: Floats
    across: NDArray[Any] | None


def region_facets(net: Network, domain: Domain, code: Integers, witness: Floats) -> tuple[FacetGeometry, ...]:
    """Facets of the region of a code.

    Parameters
    ----------
    net, domain
        The partition's network and domain.
    code
        (N,) the code of a region.
    witness
        (S,) a point (nearly) inside.

    Returns
    -------
    tuple of FacetGeometry
        By first source, units before rows of the domain.

    Raises
    ------
    InvariantError
        If no region has that code.

    Notes
    -----
    Guarantee: which facets there are, their sources and the codes beyond are exact.
    """
    exact = exact_network(net.layers)
    normals, sides = domain.rows()
    radius = None
    if domain.bounded:
        low, high = domain.bounds()
        radius = np.maximum(np.abs(low), np.abs(high))
    pieces = np.asarray(code, np.int64)
    region = decide_exactly(exact, ExactDomain(normals, sides), pieces, radius, [witness])
    knot_sources = [
        Source("unit", unit, knot)
        for unit, count in enumerate(np.asarray(net.n_pieces).tolist())
        for knot in range(count - 1)
    ]
    facets = []
    for facet in region.facets:
        outward = [-entry for entry in facet.row[:-1]]
        normal, offset = unit_length(outward, facet.row[-1])
        sources = [knot_sources[knot] for knot in facet.knots]
        sources += [Source("domain", row, 0) for row in facet.domain_rows]
        across = None if facet.domain_rows else flip(exact, pieces, facet.row).astype(code.dtype)
        facets.append(FacetGeometry(normal, offset, tuple(sources), facet.point, across))
    return tuple(facets)
