"""One region of a partition, computed on demand from its activation code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyspline.cpa.matrices import as_float_array
from polyspline.cpa.pointwise import closed_pieces
from polyspline.domains import Domain
from polyspline.errors import ShapeError
from polyspline.network import Network
from polyspline.regions.facets import FacetGeometry, Source, region_facets
from solvers.float_mode import gradual_underflow
from solvers.lp.shape import is_bounded
from solvers.polyhedron import HPolyhedron
from solvers.vertices import VRepresentation, v_representation

Floats = NDArray[np.float64]


class NoRegion(int):
    """The number -1 where it says that there is no region; a partition refuses it as an index."""


NO_REGION = NoRegion(-1)


@dataclass(frozen=True, eq=False)
class HRepresentation:
    """A region as ``G z <= h``: unit-length outward rows, one for each facet and no other.

    Attributes
    ----------
    G
        Outward unit normals, (m, S), rounded.
    h
        Offsets, (m,), rounded.
    sources
        For each row all the unit knots and domain rows that lie on its facet.
    """

    G: Floats
    h: Floats
    sources: tuple[tuple[Source, ...], ...]

    def __len__(self) -> int:
        """Return the number of rows, m."""
        return len(self.h)

    def __iter__(self) -> Iterator[Floats]:
        """Unpack as ``G, h = region.hrep``."""
        return iter((self.G, self.h))


@dataclass(frozen=True, eq=False, repr=False)
class Region:
    """The closed full-dimensional cell of all points of the domain with one activation code.

    Nothing but the code and the witness is stored; all else is computed when it
    is asked for, once. Made by ``partition[i]``.

    Attributes
    ----------
    net, domain
        The network and the domain that were partitioned.
    code
        Piece of every unit, (N,).
    witness
        Point strictly inside, (S,); its rounding if `exact_witness` is given.
    index
        Place in its partition; -1 for a region that is in none.
    exact_witness
        Rational point strictly inside, where no float64 point is known to be.
    """

    net: Network
    domain: Domain
    code: NDArray[Any]
    witness: Floats
    index: int = NO_REGION
    exact_witness: tuple[Fraction, ...] | None = None
    find_neighbours: Callable[[], NDArray[np.int64]] | None = field(default=None)
    find_code: Callable[[NDArray[Any]], int] | None = field(default=None)

    @cached_property
    def _affine(self) -> tuple[Floats, Floats]:
        return self.net.affine(self.code)

    @property
    @gradual_underflow()
    def A(self) -> Floats:
        """Slope A_ω of the network on the region, (D, S), rounded."""
        return self._affine[0]

    @property
    @gradual_underflow()
    def b(self) -> Floats:
        """Offset b_ω of the network on the region, (D,), rounded."""
        return self._affine[1]

    @cached_property
    @gradual_underflow()
    def facets(self) -> tuple[FacetGeometry, ...]:
        """Facets, ordered by their first source, units before domain rows.

        Which rows are facets is decided exactly; normals, offsets and points are rounded.
        The two regions that share a facet give it exactly opposite normals and offsets.
        """
        return region_facets(self.net, self.domain, self.code, self.exact_witness or self.witness)

    @cached_property
    @gradual_underflow()
    def hrep(self) -> HRepresentation:
        """Irredundant H-representation, a row for each of `facets`, in their order."""
        facets = self.facets
        normals = np.array([facet.normal for facet in facets], dtype=np.float64)
        return HRepresentation(
            normals.reshape(len(facets), self.net.latent_dim),
            np.array([facet.offset for facet in facets], dtype=np.float64),
            tuple(facet.sources for facet in facets),
        )

    @cached_property
    @gradual_underflow()
    def neighbours(self) -> tuple[int, ...]:
        """Indices of the regions that share a facet with this one, ascending.

        On a partial partition only kept regions count. A region that is in no
        partition has none.
        """
        if self.find_neighbours is None:
            return ()
        return tuple(int(index) for index in self.find_neighbours())

    @cached_property
    @gradual_underflow()
    def facet_neighbours(self) -> tuple[int | None, ...]:
        """For each of `facets`, the index of the region across it.

        None on the domain's boundary, and where a partial partition has not
        kept the region across.
        """
        found: list[int | None] = []
        for facet in self.facets:
            index = -1
            if facet.across is not None and self.find_code is not None:
                index = self.find_code(facet.across)
            found.append(index if index >= 0 else None)
        return tuple(found)

    @cached_property
    @gradual_underflow()
    def bounded(self) -> bool:
        """Whether the region is bounded; decided exactly."""
        if self.domain.bounded:
            return True
        if not self.facets:
            return False
        outward = [[-entry for entry in facet.row[:-1]] for facet in self.facets]
        return is_bounded(outward, [facet.row[-1] for facet in self.facets])

    @cached_property
    @gradual_underflow()
    def polyhedron(self) -> HPolyhedron:
        """The H-representation as a polyhedron of the solvers: its rows are rounded.

        Where the region is thin this may be another set, or empty; `vertices` and `volume` are
        taken from the exact rows instead.
        """
        return HPolyhedron(self.hrep.G, self.hrep.h)

    @gradual_underflow()
    def vertices(self) -> Floats:
        """Vertices, (k, S), in lexicographic order.

        The region is the sum of the hull of its vertices and of the cone of its `rays`. If it
        contains a line, it has no vertices: (0, S).

        Raises
        ------
        SolverFailedError
            If a coordinate is beyond the range of float64.

        Notes
        -----
        Guarantee: which vertices there are is exact, also where the region is thinner than floats
        resolve; each is there once, and its coordinates are rounded once.
        """
        return self.v_representation.vertices

    @gradual_underflow()
    def rays(self) -> Floats:
        """Extreme directions (r, S) of unit length, in lexicographic order; (0, S) if bounded.

        Of a line, both directions are there; other directions are at right angles to the lines.

        Notes
        -----
        Guarantee: which rays there are is exact; their coordinates are rounded.
        """
        return self.v_representation.rays

    @cached_property
    @gradual_underflow()
    def v_representation(self) -> VRepresentation:
        """Vertices, rays and lines in integers, from the exact rows of the facets."""
        return v_representation([facet.row for facet in self.facets], self.net.latent_dim)

    @gradual_underflow()
    def volume(self) -> float:
        """S-dimensional volume, rounded; infinity for an unbounded region.

        Raises
        ------
        SolverFailedError
            If the volume is finite and beyond the range of float64.
        """
        return self.v_representation.volume if self.bounded else float("inf")

    @gradual_underflow()
    def contains(self, z: ArrayLike) -> bool | NDArray[np.bool_]:
        """Whether the closed region contains a point, or each of several.

        Parameters
        ----------
        z
            One point (S,) or several (B, S), finite.

        Returns
        -------
        bool or ndarray of bool
            A bool for one point, (B,) for several.

        Raises
        ------
        ShapeError
            If the last axis has not S entries.
        NonFiniteError
            If a coordinate is NaN or infinite.

        Notes
        -----
        Guarantee: exact, knots and the domain's boundary included.
        """
        points = np.asarray(z)
        single = points.ndim == 1
        batch = as_float_array(points[None, :] if single else points, "point", 2)
        if batch.shape[1] != self.net.latent_dim:
            raise ShapeError(
                f"contains: got an array of shape {points.shape}; expected ({self.net.latent_dim},) or "
                f"(B, {self.net.latent_dim})."
            )
        inside = np.array(self.domain.contains(batch), dtype=np.bool_).reshape(len(batch))
        inside &= closed_pieces(self.net.layers, batch).hold(self.code)
        return bool(inside[0]) if single else inside

    def __repr__(self) -> str:
        """Show the place and the size of the code."""
        return f"Region(index={self.index}, latent_dim={self.net.latent_dim}, n_units={len(self.code)})"
