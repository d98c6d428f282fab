"""The oracle: every region of a network and every pair of neighbours, by cutting cells unit by unit.

Slow, plain, and in integers throughout. The whole space is handled without any large box: the network is
made homogeneous in (z, t), t >= 0, regions become cones with their apex at the origin, and the cones are cut
off by a simplex around the origin, which keeps every cone full-dimensional and every shared face of two cones
a face of dimension S.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from tests.oracle.cells import Cell, polytope, split
from tests.oracle.forms import (
    FloatArray,
    IntegerLayer,
    OracleLayer,
    affine_form,
    identity_forms,
    integer_layers,
)
from tests.oracle.integers import Vector, over_common_denominator

Code = tuple[int, ...]


class OutOfReachError(Exception):
    """A network has more cells than the oracle was asked to cut."""


@dataclass(frozen=True)
class OraclePartition:
    """All regions and adjacencies of one network on one domain.

    Attributes
    ----------
    codes : activation codes, in no particular order.
    edges : pairs of codes of regions that share a face of dimension S - 1.
    cells : the closed cell of each code (of its homogeneous cone, cut off, on the whole space).
    """

    layers: Sequence[OracleLayer]
    codes: list[Code]
    edges: set[frozenset[Code]]
    cells: list[Cell]
    whole_space: bool

    @cached_property
    def bounded(self) -> dict[Code, bool]:
        """Whether each region is bounded."""
        if not self.whole_space:
            return dict.fromkeys(self.codes, True)
        # A cone over a bounded region meets t = 0 in the apex only.
        return {
            code: all(vertex[-2] > 0 or not any(vertex[:-1]) for vertex in cell.vertices)
            for code, cell in zip(self.codes, self.cells, strict=True)
        }

    @cached_property
    def interior_points(self) -> dict[Code, tuple[Fraction, ...]]:
        """One exact point strictly inside each region: the mean of the cell's vertices."""
        points = {}
        for code, cell in zip(self.codes, self.cells, strict=True):
            columns = zip(*[[Fraction(x, v[-1]) for x in v[:-1]] for v in cell.vertices], strict=True)
            mean = [sum(column, Fraction(0)) / len(cell.vertices) for column in columns]
            points[code] = tuple(x / mean[-1] for x in mean[:-1]) if self.whole_space else tuple(mean)
        return points

    @cached_property
    def facet_counts(self) -> dict[Code, int]:
        """Number of facets of each region, those on the domain's boundary included."""
        counts = {}
        for code, cell in zip(self.codes, self.cells, strict=True):
            planes = [row for row, _ in cell.facets()]
            if self.whole_space:
                # The rows of the cut-off and t >= 0 are no facets of the region itself.
                cap = set(whole_space_rows(len(planes[0]) - 2))
                planes = [row for row in planes if row not in cap]
            counts[code] = len(planes)
        return counts

    def affine_labels(self) -> dict[Code, int]:
        """Number of the affine region of each code: neighbours with identical exact (A, b) are merged."""
        # The denominator is the same for all codes, so equal maps have equal numerators.
        chain = integer_layers(self.layers)
        maps = {code: affine_form(chain, code)[0] for code in self.codes}
        parent = {code: code for code in self.codes}

        def root(code: Code) -> Code:
            while parent[code] != code:
                code = parent[code]
            return code

        for edge in self.edges:
            left, right = edge
            if maps[left] == maps[right]:
                parent[root(left)] = root(right)
        names: dict[Code, int] = {}
        return {code: names.setdefault(root(code), len(names)) for code in self.codes}

    @property
    def n_affine_regions(self) -> int:
        """Number of affine regions."""
        return len(set(self.affine_labels().values()))


def whole_space_rows(dimension: int) -> list[Vector]:
    """The simplex ``z_i >= -1, t >= 0, sum(z) + t <= 1`` in homogeneous coordinates (z, t, w)."""
    rows = [(*(-int(j == i) for j in range(dimension + 1)), -1) for i in range(dimension)]
    rows.append((*([0] * dimension), -1, 0))
    rows.append((*([1] * (dimension + 1)), -1))
    return rows


def domain_cell(domain_rows: tuple[FloatArray, FloatArray] | None, dimension: int) -> Cell:
    """The domain as one cell: ``G z <= h``, or the cut-off whole space if there are no rows."""
    if domain_rows is None:
        return polytope(whole_space_rows(dimension))
    rows = []
    for normal, offset in zip(domain_rows[0].tolist(), domain_rows[1].tolist(), strict=True):
        numerators, _ = over_common_denominator([*normal, -offset])
        rows.append(tuple(numerators))
    return polytope(rows)


def _split_layer(
    layer: IntegerLayer, cell: Cell, forms: Sequence[Vector], den: int, padding: Vector
) -> list[tuple[Cell, list[int]]]:
    """Cut one cell by all knots of one layer: the parts and the piece of every neuron on them."""
    parts: list[tuple[Cell, list[int]]] = [(cell, [])]
    rows = layer.rows_of(forms)
    for neuron, knots in enumerate(layer.knots):
        refined: list[tuple[Cell, list[int]]] = []
        for part, pieces in parts:
            if layer.members[neuron] > 1:
                refined += [(cut, [*pieces, piece]) for cut, piece in _largest(part, rows[neuron], padding)]
                continue
            rest: Cell | None = part
            for knot in range(len(knots)):
                assert rest is not None
                below, rest = split(rest, layer.above_knot(neuron, knot, rows[neuron][0], den) + padding)
                if below is not None:
                    refined.append((below, [*pieces, knot]))
                if rest is None:
                    break
            if rest is not None:
                refined.append((rest, [*pieces, len(knots)]))
        parts = refined
    return parts


def _largest(cell: Cell, members: Sequence[Vector], padding: Vector) -> list[tuple[Cell, int]]:
    """Cut one cell by which member of a max group is the largest, the lowest one where two are the same."""
    parts = []
    for piece, mine in enumerate(members):
        part: Cell | None = cell
        for other, theirs in enumerate(members):
            lead = tuple(a - b for a, b in zip(mine, theirs, strict=True))
            if any(lead) and part is not None:
                _, part = split(part, lead + padding)
            elif other < piece:
                part = None
        if part is not None:
            parts.append((part, piece))
    return parts


def oracle_partition(
    layers: Sequence[OracleLayer],
    domain_rows: tuple[FloatArray, FloatArray] | None,
    whole_space: bool = False,
    max_cells: int | None = None,
) -> OraclePartition:
    """Every region and every adjacency of a network, exactly.

    Parameters
    ----------
    layers : (weight (out, in), bias (out,), one (knots, slopes, offsets) per neuron), first layer first.
    domain_rows : G (m, S) and h (m,) of a bounded, full domain ``G z <= h``; None for the whole space.
    whole_space : must be True exactly if there are no domain rows (so that a forgotten domain is noticed).
    max_cells : raise OutOfReachError where a layer leaves more cells than that.
    """
    assert whole_space == (domain_rows is None)
    dimension = layers[0][0].shape[1]
    domain = domain_cell(domain_rows, dimension)
    padding: Vector = (0,) if whole_space else ()
    # Cell, the code so far, and the layer's inputs as affine functions on the cell.
    work: list[tuple[Cell, list[int], list[Vector]]] = [(domain, [], identity_forms(dimension))]
    den = 1
    for layer in integer_layers(layers):
        refined, next_den = [], den
        for cell, code, inputs in work:
            forms, forms_den = layer.preactivations(inputs, den)
            for part, pieces in _split_layer(layer, cell, forms, forms_den, padding):
                outputs, next_den = layer.activations(forms, forms_den, pieces)
                entries = [piece for piece, is_unit in zip(pieces, layer.is_unit, strict=True) if is_unit]
                refined.append((part, code + entries, outputs))
            if max_cells is not None and len(refined) > max_cells:
                raise OutOfReachError(f"more than {max_cells} cells")
        work, den = refined, next_den
    codes = [tuple(code) for _, code, _ in work]
    cells = [cell for cell, _, _ in work]
    assert len(set(codes)) == len(codes)
    return OraclePartition(layers, codes, _edges(codes, cells, domain), cells, whole_space)


def _edges(codes: Sequence[Code], cells: Sequence[Cell], domain: Cell) -> set[frozenset[Code]]:
    """Pairs of cells whose intersection has dimension d - 1.

    Such an intersection lies in a facet of either cell, on the two sides of one hyperplane. Facets with the
    same vertices are the same set, and a facet found twice leaves no room for a third cell. So it is enough
    that every facet is found twice or lies on the domain's boundary, which is checked.
    """
    boundary = set(domain.rows)
    owners: dict[frozenset[Vector], list[int]] = {}
    for i, cell in enumerate(cells):
        for row, vertices in cell.facets():
            if row not in boundary:
                owners.setdefault(vertices, []).append(i)
    edges = set()
    for pair in owners.values():
        assert len(pair) == 2, "a facet inside the domain must belong to exactly two cells"
        edges.add(frozenset(codes[i] for i in pair))
    return edges
