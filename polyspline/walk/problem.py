"""What is walked: a network on a domain, laid out for the kernel and for exact arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from polyspline.cpa.exact import ExactNetwork, exact_network
from polyspline.cpa.knots import Knots
from polyspline.cpa.layers import Layer
from polyspline.cpa.tables import Tables, make_tables
from polyspline.domains import Domain
from polyspline.network import Network
from polyspline.partition.packing import CodePacking
from polyspline.regions.exact import ExactDomain
from polyspline.regions.kernel import Layout
from solvers.integers import exact_rows_to_integers, nearest_float
from solvers.rational import integer_matrix, pivot_columns

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Problem:
    """A walk's network and domain in the coordinates in which regions have no lines.

    Over the whole space, a first layer whose weights have rank r < S leaves the network
    constant along their kernel. Then the walk is over r of the coordinates, chosen so that
    the others may be set to zero: the slice meets every region, and dropping columns
    rounds nothing.

    Attributes
    ----------
    tables, layout, exact, exact_domain
        See `polyspline.regions.kernel` and `polyspline.regions.exact`.
    packing
        Layout of the packed codes.
    radius
        (r,) bound on the points; None for the whole space.
    coordinates
        (r,) the coordinates walked.
    first_weight
        (out, S) weights of the first layer.
    dim
        S.
    knots
        Of the network.
    """

    tables: Tables
    layout: Layout
    packing: CodePacking
    exact: ExactNetwork
    exact_domain: ExactDomain
    radius: Floats | None
    coordinates: NDArray[np.int64]
    first_weight: Floats
    dim: int
    knots: Knots

    def scale(self, points: Floats) -> Floats:
        """Points (B, r) in the coordinates ``x = z / 2**column`` of the tables."""
        return np.asarray(np.ldexp(points, -self._column)) if self._column.any() else points

    def unscale(self, points: Floats) -> Floats:
        """Points (B, r) of the tables as the network has them, rounded where they are subnormal."""
        return np.asarray(np.ldexp(points, self._column)) if self._column.any() else points

    def is_kept(self, points: Floats) -> NDArray[np.bool_]:
        """Which points (B, r) of the tables are not rounded in the network's coordinates; NaN is kept."""
        if not self._column.any():
            return np.ones(len(points), np.bool_)
        same = (self.scale(self.unscale(points)) == points) | np.isnan(points)
        return np.asarray(same.all(axis=1), np.bool_)

    @property
    def _column(self) -> NDArray[np.int32]:
        return self.tables.column.astype(np.int32)

    def embed(self, points: Floats, exact: Mapping[int, tuple[Fraction, ...]] | None = None) -> Floats:
        """Points (B, r) of the tables as points (B, S); rationals, by place, take the place of theirs."""
        points = self.unscale(points)
        for place, point in (exact or {}).items():
            points[place] = [nearest_float(z) for z in point]
        if len(self.coordinates) == self.dim:
            return points
        full = np.zeros((len(points), self.dim))
        full[:, self.coordinates] = points
        return full

    def embed_exact(self, point: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
        """Embed one rational point of the walked coordinates."""
        full = [Fraction(0)] * self.dim
        for c, z in zip(self.coordinates.tolist(), point, strict=True):
            full[c] = z
        return tuple(full)

    def slide(self, point: Floats) -> Floats:
        """Move a point (S,) along the first layer's kernel to where the walk is; rounded, (r,)."""
        if len(self.coordinates) == self.dim:
            return np.asarray(self.scale(point[None, :])[0])
        moved, *_ = np.linalg.lstsq(
            self.first_weight[:, self.coordinates], self.first_weight @ point, rcond=None
        )
        return np.ascontiguousarray(moved)

    def project(self, points: Floats) -> Floats:
        """Points (B, S) as points (B, r) of the tables."""
        return self.scale(np.ascontiguousarray(points[:, self.coordinates]))


def _walked_coordinates(layers: tuple[Layer, ...], bounded: bool) -> NDArray[np.int64]:
    """Coordinates that the first layer's weights tell apart; at least one."""
    size = layers[0].n_in
    if bounded:
        return np.arange(size)
    weights = exact_rows_to_integers(layers[0].weight)
    chosen = pivot_columns(integer_matrix(weights, size))
    return np.array(chosen if chosen else [0], np.int64)


def make_problem(net: Network, domain: Domain) -> Problem:
    """Lay out a network on a domain."""
    coordinates = _walked_coordinates(net.layers, domain.bounded)
    layers = net.layers
    if len(coordinates) < net.latent_dim:
        weight = np.ascontiguousarray(layers[0].weight[:, coordinates])
        layers = (replace(layers[0], matrix=weight), *layers[1:])
    normals, sides = domain.rows()
    radius: Floats | None = None
    if domain.bounded:
        low, high = domain.bounds()
        radius = np.maximum(np.abs(low), np.abs(high))
    packing = CodePacking(net.n_pieces)
    layout = Layout(
        np.ascontiguousarray(packing.word, np.int64),
        np.ascontiguousarray(packing.shift, np.uint64),
        np.ascontiguousarray(packing.mask, np.uint64),
    )
    return Problem(
        make_tables(layers, normals, sides, radius),
        layout,
        packing,
        exact_network(layers),
        ExactDomain(normals, sides),
        radius,
        coordinates,
        net.layers[0].weight,
        net.latent_dim,
        net.knots,
    )
