"""The polyhedral complex of a network: its regions with all their faces, and level sets as parts of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from polyspline.cpa.layers import make_layer
from polyspline.cpa.matrices import as_float_array, exact_floats
from polyspline.domains import Domain, check_dimension
from polyspline.errors import ArgumentError, DomainError, InvariantError, NonFiniteError, ShapeError
from polyspline.network import Network
from polyspline.partition.faces import Face, PolyhedralComplex
from polyspline.partition.partition import Partition
from polyspline.partition.stop import StopReason
from polyspline.split.cells import Point, region_cells
from polyspline.split.counting import count
from polyspline.split.facade import split_regions
from polyspline.split.face_signs import SignTable, signs_of_faces
from polyspline.split.problem import make_problem
from polyspline.split.watch import SplitProgress
from solvers.float_mode import gradual_underflow

MOST_FACES = 1_000_000
MOST_SIGNS = 1 << 30
"""Bytes of the sign vectors, one for each unit of every face."""

_MOST_DIM = 10


@gradual_underflow()
def complex(net: Network, domain: Domain) -> PolyhedralComplex:
    """Regions of a network over a bounded domain, with all their faces.

    Parameters
    ----------
    net, domain
        S inputs; a Box or Polytope of dimension S.

    Returns
    -------
    PolyhedralComplex
        Of dimension S; its faces of dimension S are the regions, in the order of their codes.

    Raises
    ------
    DomainError
        If the domain is not bounded, or of another dimension.
    ArgumentError
        If there would be more than about a million faces.
    InvariantError
        If the faces do not close up: a convex domain has Euler characteristic 1.

    Notes
    -----
    Guarantee: which faces there are, their signs and their vertices are exact; the vertices'
    coordinates are rounded once.

    That the faces fit together is seen layer by layer. On the cells of the layers before, which fit,
    a pre-activation is affine, and where two cells meet both give it the same values. So a knot cuts
    their common face in one way, whichever cell it is seen from; and so do the sets on which some
    members of a group are the maximum, which cut each cell as the faces of a convex graph do.

    Algorithm: the regions are counted first, and the faces estimated as those of a grid of as many
    boxes. Then, region by region: the facets of a face are the largest of its intersections with the
    region's facets; two regions' faces are one if they have the same vertices, in rationals. Some
    milliseconds per region, more for S > 4.
    """
    _refuse_too_many(net, domain)
    return _listed(net, domain, None)


def _listed(net: Network, domain: Domain, part: Partition | None) -> PolyhedralComplex:
    """List all faces; the regions in the order of a partition, or of their codes."""
    numbers: dict[Point, int] = {}
    signs: list[NDArray[np.int8]] = []
    faces: list[set[Face]] = [set() for _ in range(net.latent_dim)]
    regions: dict[int, Face] = {}
    table = SignTable(net, domain)
    for cell in region_cells(make_problem(net, domain)):
        fresh = [vertex for vertex in cell.vertices if vertex not in numbers]
        if fresh:
            signs.append(table.at(cell.code, fresh))
            numbers.update({vertex: len(numbers) + i for i, vertex in enumerate(fresh)})
        mine = [numbers[vertex] for vertex in cell.vertices]
        place = len(regions) if part is None else part.index_of(cell.code)
        regions[place] = tuple(sorted(mine))
        for places, dimension in cell.proper_faces():
            faces[dimension].add(tuple(sorted(mine[i] for i in places)))
    vertices = np.array([[float(z) for z in vertex] for vertex in numbers]).reshape(-1, net.latent_dim)
    ordered = (*(tuple(sorted(group)) for group in faces), tuple(regions[i] for i in range(len(regions))))
    at_vertices = np.concatenate(signs)
    found = PolyhedralComplex(
        vertices, ordered, tuple(signs_of_faces(at_vertices, group) for group in ordered), table.units
    )
    if found.euler_characteristic != 1:
        raise InvariantError(
            f"complex: the faces {found.f_vector} have Euler characteristic {found.euler_characteristic}, "
            "and a convex domain has 1; please report the network."
        )
    return found


def _refuse_too_many(net: Network, domain: Domain) -> None:
    """Refuse an unbounded domain, and what has too many faces to list."""
    check_dimension(domain, net)
    if not domain.bounded:
        raise DomainError(
            "complex: the domain is the whole space, where faces are not all polytopes; expected a bounded "
            "domain: give a Box or a Polytope."
        )
    dim = net.latent_dim
    if dim > _MOST_DIM:
        raise ArgumentError(
            f"complex: in dimension {dim} a box alone has {3**dim:,} faces; "
            f"expected dimension {_MOST_DIM} at most: take a slice (net.restrict)."
        )
    allowed = min(MOST_FACES, MOST_SIGNS // max(net.n_units, 1))
    most = (allowed ** (1 / dim) - 1) / 2
    found = count(net, domain, max_regions=max(int(most**dim), 1))
    if found.stop is StopReason.INTERRUPTED:
        raise KeyboardInterrupt
    # A grid of n^S boxes has (2 n + 1)^S faces.
    faces = (2 * found.estimate ** (1 / dim) + 1) ** dim
    if faces > allowed:
        raise ArgumentError(
            f"complex: about {found.estimate:.2g} regions of dimension {dim} have some {faces:.2g} faces; "
            f"expected at most {allowed:,}: take a smaller domain, or a slice (net.restrict)."
        )


def split_with_faces(
    net: Network,
    domain: Domain,
    start: NDArray[np.float64] | None,
    *,
    method: str,
    limits: Mapping[str, object],
    workers: int,
    executor: Executor | None,
    report: Callable[[SplitProgress], None] | None,
) -> Partition:
    """Split the domain into the regions of a network, and list their faces: `faces=True` of an enumeration.

    Parameters
    ----------
    net, domain, start, workers, executor, report
        As in `split_regions`.
    method
        What was asked for: not the walk.
    limits
        What was given that a partition with faces cannot have; None where it was not.

    Returns
    -------
    Partition
        With `faces`; without, if Ctrl-C cut it short.

    Raises
    ------
    ArgumentError
        If it was asked to walk, or a limit was given.
    DomainError
        If the domain is not bounded.
    """
    if method == "walk":
        raise ArgumentError('faces=True: a walk lists no faces; use method="split" or "auto".')
    for name, value in limits.items():
        if value is not None:
            raise ArgumentError(
                f"faces=True takes no {name}: faces are those of all regions, and no run file holds them; "
                "leave it out."
            )
    _refuse_too_many(net, domain)
    part = split_regions(net, domain, start, workers=workers, executor=executor, report=report)
    return replace(part, faces=_listed(net, domain, part)) if part.complete else part


@gradual_underflow()
def level_set_complex(
    net: Network, domain: Domain, direction: ArrayLike, level: float = 0.0
) -> PolyhedralComplex:
    """Part of a bounded domain where a combination of a network's outputs has a given value.

    Parameters
    ----------
    net, domain
        S inputs, D outputs; a Box or Polytope of dimension S.
    direction
        (D,) the combination; ``e_i - e_j`` and level 0 for where two outputs are equal.
    level
        The value.

    Returns
    -------
    PolyhedralComplex
        Of dimension S - 1, or S where the combination is constant on a region; empty if the value
        is not taken. Its `betti_numbers` are those of the level set.

    Raises
    ------
    ShapeError, NonFiniteError, DomainError, ArgumentError
        If an argument does not fit the network, or there would be too many faces.
    """
    check_dimension(domain, net)
    row = as_float_array(direction, "direction", 1)
    if len(row) != net.ambient_dim:
        raise ShapeError(
            f"direction has {len(row)} entries; expected {net.ambient_dim}, one for each output."
        )
    value = float(exact_floats(level, "level"))
    if not np.isfinite(value):
        raise NonFiniteError(f"level is {value}; expected a finite number.")
    found = complex(Network((*net.layers, make_layer(row[None, :], [-value], "relu"))), domain)
    return found.where_zero(int(np.flatnonzero(found.units >= 0)[-1]))


@gradual_underflow()
def class_boundary_complex(net: Network, domain: Domain) -> PolyhedralComplex:
    """Decision boundary over a bounded domain: where two or more outputs are the largest.

    Parameters
    ----------
    net, domain
        S inputs, D >= 2 outputs, the classes' scores; a Box or Polytope of dimension S.

    Returns
    -------
    PolyhedralComplex
        Of dimension S - 1, or S where two scores are equal on a region; empty if one class has the
        largest score all over the domain. The last D columns of the units in its sign vectors are
        the classes: 0 for those whose score is the largest.

    Raises
    ------
    ShapeError, DomainError, ArgumentError
        If the network has one output only, the domain does not fit, or there would be too many faces.
    """
    check_dimension(domain, net)
    classes = net.ambient_dim
    if classes < 2:
        raise ShapeError(
            "class_boundary_complex: the network has one output; expected a score for each of two classes "
            "or more: of a single score, use level_set_complex."
        )
    head = make_layer(np.eye(classes), np.zeros(classes), f"max:{classes}")
    found = complex(Network((*net.layers, head)), domain)
    scores = np.flatnonzero(found.units >= 0)[-classes:]
    return found.subcomplex([(signs[:, scores] == 0).sum(axis=1) > 1 for signs in found.signs])
