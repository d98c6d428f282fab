"""Facets of one region: geometry, sources and the code beyond each."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from operator import mul
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.exact import Row, exact_network
from polyspline.domains import Domain
from polyspline.errors import InvariantError, ShapeError
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
        The unit's knot, counted from 0 upwards (of a max group: the pair of members, see
        `polyspline.cpa.MaxGroup.pairs`); 0 for rows of the domain.
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
    row
        The same inequality exactly: coprime integers (a ..., beta), S + 1 of them, with
        ``a . z + beta >= 0`` inside. The region across has the negated row.
    sources
        All unit knots and domain rows on its hyperplane, units first, ascending.
    point
        (S,) a point of its relative interior (rounded).
    across
        (N,) the activation code beyond it; None on the boundary of the domain.
    """

    normal: Floats
    offset: float
    row: Row
    sources: tuple[Source, ...]
    point: Floats
    across: NDArray[Any] | None


def region_facets(
    net: Network, domain: Domain, code: Integers, witness: Floats | tuple[Fraction, ...]
) -> tuple[FacetGeometry, ...]:
    """Facets of the region of a code.

    Parameters
    ----------
    net, domain
        The partition's network and domain.
    code
        (N,) the code of a region.
    witness
        (S,) a point inside. Floats may miss by their rounding, which costs an exact linear
        program; rationals are taken at their word.

    Returns
    -------
    tuple of FacetGeometry
        By first source, units before rows of the domain.

    Raises
    ------
    ShapeError
        If the witness has not S coordinates.
    InvariantError
        If no region has that code, or a rational witness is not strictly inside.

    Notes
    -----
    Guarantee: which facets there are, their sources and the codes beyond are exact.
    """
    if len(witness) != net.latent_dim:
        raise ShapeError(
            f"region_facets got a witness with {len(witness)} coordinates; expected {net.latent_dim}, "
            "one for each latent dimension."
        )
    exact = exact_network(net.layers)
    normals, sides = domain.rows()
    radius = None
    if domain.bounded:
        low, high = domain.bounds()
        radius = np.maximum(np.abs(low), np.abs(high))
    pieces = np.asarray(code, np.int64)
    region = decide_exactly(exact, ExactDomain(normals, sides), pieces, radius, [witness])
    if isinstance(witness, tuple):
        _check_inside([facet.row for facet in region.facets], witness)
    units = net.knots.unit
    knot_sources = [
        Source("unit", int(unit), int(number - first))
        for number, (unit, first) in enumerate(zip(units, np.searchsorted(units, units), strict=True))
    ]
    facets = []
    for facet in region.facets:
        outward = [-entry for entry in facet.row[:-1]]
        normal, offset = unit_length(outward, facet.row[-1])
        sources = [knot_sources[knot] for knot in facet.knots]
        sources += [Source("domain", row, 0) for row in facet.domain_rows]
        across = None if facet.domain_rows else flip(exact, pieces, facet.row).astype(code.dtype)
        facets.append(FacetGeometry(normal, offset, facet.row, tuple(sources), facet.point, across))
    return tuple(facets)


def _check_inside(rows: list[Row], witness: tuple[Fraction, ...]) -> None:
    """Raise unless a rational witness is strictly inside; the rows of the facets tell."""
    for row in rows:
        if sum(map(mul, row, witness), Fraction(row[-1])) <= 0:
            raise InvariantError(
                "region_facets got a rational witness that is not strictly inside the region of the code; "
                "expected one that is: pass floats to have one found."
            )
